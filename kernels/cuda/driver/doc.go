// Package driver is the boundary to NVIDIA's libraries: the CUDA driver, NVML and cuBLASLt.
// With the build tag worker (cgo) it implements cuda.Device on gorgonia.org/cu; without the
// tag it holds what needs no C: where the libraries are looked for, whether a file can be one
// of them, the names of the driver's errors, and what NVML's readings mean.
//
// Nothing is linked and no CUDA toolkit is needed. include/cuda.h and stub/functions.c are
// generated of functions.tsv and types.tsv; the static libcuda made of stub/ forwards each call
// to libcuda.so.1, which [Open] opens. An entry point that the driver lacks (an older driver, an
// emulated one) is a capability that is absent: its calls answer 500 (not found).
//
// REALFLOPS_LIBCUDA, REALFLOPS_LIBNVML and REALFLOPS_LIBCUBLASLT name a library to open in
// place of the node's own.
//
// The package starts no process, keeps no state on disk and decides nothing about
// measurements. A call into a driver may hang: deadlines are the business of whoever runs this process.
package driver

//go:generate go run ./gen
