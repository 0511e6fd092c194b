package cuda

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
)

//go:embed compiled/*.ptx.gz
var ptxs embed.FS

// PTX returns the PTX of the highest architecture that a device of compute capability arch runs; its
// text ends with a NUL byte. [Images] holds it too, after what needs no compiling.
func PTX(arch int) (Image, error) {
	images := ptxImages(arch)
	if len(images) == 0 {
		return Image{}, fmt.Errorf("no kernels for compute capability %s: the oldest PTX is for 5.0", capability(arch))
	}
	return images[0], nil
}

func ptxImages(arch int) []Image {
	return list(ptxs, func(image int, _ bool) bool { return image <= arch })
}

func unpack(from embed.FS, path string) ([]byte, error) {
	packed, err := from.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("embedded image: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("embedded image %s: %w", path, err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("embedded image %s: %w", path, err)
	}
	return data, nil
}
