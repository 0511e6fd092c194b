// Package cuda holds the GPU kernels: their CUDA C++ sources (src/), the compiled forms
// embedded in the worker, how each is launched, and how its work is verified. It is
// pure Go: a [Device] runs what it launches, be it the real driver (kernels/cuda/driver) or the
// PTX interpreter (kernels/cuda/ptxvm). It times nothing by itself and starts no process.
package cuda

// Ptr is an address in a device's memory. 0 is no address.
type Ptr uint64

// Info is what a device says of itself.
type Info struct {
	Arch        int   // compute capability: 80 is 8.0
	SMs         int   // streaming multiprocessors
	L2Bytes     int64 // 0 if unknown
	MemoryBytes int64 // total
	SharedOptIn int   // bytes of shared memory that a block may ask for
}

// Device is one GPU with a context of its own. Calls come from one thread, in order;
// Launch, Fill and copies with the Async suffix return before the work is done, and its
// errors may be told by any later call. After an error that is not [ErrMemory] the
// device is not to be used again.
type Device interface {
	Info() Info
	// Free is how many bytes can be allocated at the moment.
	FreeBytes() (int64, error)

	// Load makes the entry points of an image available. ErrImage says that the device
	// cannot take this image (no binary for this GPU, PTX too new): another may do.
	Load(Image) error

	Alloc(bytes int64) (Ptr, error) // aligned to 256 bytes; not cleared
	Free(Ptr) error
	Upload(dst Ptr, src []byte) error   // synchronous
	Download(dst []byte, src Ptr) error // synchronous
	Memset(dst Ptr, value byte, bytes int64) error

	Launch(Launch) error // asynchronous, in order
	Synchronize() error
	// Elapsed runs enqueue, which only launches, between two events, waits for the second
	// and returns the seconds between them by the device's clock.
	Elapsed(enqueue func() error) (seconds float64, err error)

	// Pinned allocates page-locked host memory; the copies below are asynchronous to it.
	Pinned(bytes int64) ([]byte, error)
	FreePinned([]byte) error
	UploadAsync(dst Ptr, src []byte) error
	DownloadAsync(dst []byte, src Ptr) error
}

// Launch is one kernel launch. Each parameter is 8 bytes: a pointer or an integer
// (gorgonia.org/cu copies exactly 8 bytes a parameter), in the order of the entry point.
type Launch struct {
	Entry  string
	Grid   int // blocks, in x
	Block  int // threads a block, in x
	Shared int // bytes of dynamic shared memory
	Params []uint64
}

// Image is a compiled form of the kernels: a cubin for one architecture, or PTX.
type Image struct {
	Name string // sm_90a, compute_80
	Arch int    // 90, 80
	PTX  bool
	Data []byte // PTX ends with a NUL byte
}
