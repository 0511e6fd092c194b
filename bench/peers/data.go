package main

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// Data and checks are those of server/server.h, element for element: see there for why they are such.

func scramble(i int, seed uint32) uint32 { return (uint32(i) + seed) * 2654435761 }

// small is an integer from -4 to 3.
func small(i int, seed uint32) float64 { return float64(scramble(i, seed)>>29) - 4 }

// wave is in [-4, 4), exact in fp32.
func wave(i int, seed uint32) float64 { return float64(scramble(i, seed)>>8)*0x1p-21 - 4 }

// nibble is an integer from -8 to 7, and -8 where along is a multiple of a group's 32.
func nibble(along, i int, seed uint32) float64 {
	if along%kernels.QuantGroup == 0 {
		return -8
	}
	return float64(scramble(i, seed)>>28) - 8
}

// octet is an integer from -127 to 127, and 127 where along is a multiple of a group's 32.
func octet(along, i int, seed uint32) float64 {
	if along%kernels.QuantGroup == 0 {
		return 127
	}
	return float64(scramble(i, seed)>>24%255) - 127
}

// adamwRate is the learning rate, and these are the gradient and the moments of element i before the first step.
const adamwRate = 1

func adamwG(i int) float64 { return math.Abs(wave(i, 2)) + 0.125 }
func adamwM(i int) float64 { return math.Abs(wave(i, 3)) / 8 }
func adamwV(i int) float64 { return wave(i, 4) * wave(i, 4) / 16 }

// fill sets x[i] to f(i).
func fill[T kernels.Element](x []T, f func(i int) float64) {
	for i := range x {
		x[i] = kernels.Rounded[T](f(i))
	}
}

// checksum weighs results with 1 to 8, so that those in each other's place are noticed. Of integers it is exact.
func checksum[T kernels.Element](x []T) float64 {
	sum := 0.0
	for i, v := range x {
		sum += kernels.Value(v) * float64(1+scramble(i, 0)>>29)
	}
	return sum
}
