package cuda

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The cubins are apart from the PTX so that a program that names only [PTX] carries no cubin.
//
//go:embed compiled/*.cubin.gz
var cubins embed.FS

// Images returns the compiled forms that a device of compute capability arch (86 is 8.6)
// may take, in the order to try: its own cubin (an architecture-specific one, 90a, serves its own
// capability alone), cubins of the same major number and a smaller minor, which
// run as they are, then PTX from the highest architecture downwards, which the driver compiles.
// It is empty for devices below 5.0.
func Images(arch int) []Image {
	own := list(cubins, func(image int, specific bool) bool {
		return image == arch || !specific && image/10 == arch/10 && image < arch
	})
	return append(own, ptxImages(arch)...)
}

// list unpacks the images of a folder that fit, the highest architecture first. It panics where an
// image is not what the build makes: no input can cause that.
func list(from embed.FS, fits func(arch int, specific bool) bool) []Image {
	files, err := from.ReadDir("compiled")
	if err != nil {
		panic(err)
	}
	var images []Image
	for _, f := range files {
		name, _, _ := strings.Cut(f.Name(), ".")
		arch, specific := architecture(name)
		if !fits(arch, specific) {
			continue
		}
		data, err := unpack(from, "compiled/"+f.Name())
		if err != nil {
			panic(err)
		}
		images = append(images, Image{Name: name, Arch: arch, PTX: strings.HasPrefix(name, "compute_"), Data: data})
	}
	slices.SortFunc(images, func(a, b Image) int { return cmp.Compare(b.Arch, a.Arch) })
	return images
}

// architecture reads 90 and true (for that architecture alone) from sm_90a, 80 and false from compute_80.
func architecture(name string) (arch int, specific bool) {
	_, number, _ := strings.Cut(name, "_")
	digits := strings.TrimSuffix(number, "a")
	arch, err := strconv.Atoi(digits)
	if err != nil {
		panic(fmt.Sprintf("embedded image %q is not named as an architecture is", name))
	}
	return arch, digits != number
}
