package cuda

import "errors"

// What a caller of a [Device] decides on; test with errors.Is.
var (
	// ErrImage says that the device cannot take an image: another form of the kernels may do.
	ErrImage = errors.New("image does not fit the device")
	// ErrMemory says that the device has not enough free memory. It goes on working.
	ErrMemory = errors.New("out of device memory")
)
