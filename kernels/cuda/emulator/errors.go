package emulator

import (
	"errors"

	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// The driver's codes that the emulator answers.
const (
	errInvalidValue   = 1
	errOutOfMemory    = 2
	errNotInitialized = 3
	errUnavailable    = 46
	errNoDevice       = 100
	errInvalidDevice  = 101
	errInvalidImage   = 200
	errInvalidContext = 201
	errNoBinary       = 209
	errInvalidPTX     = 218
	errPTXVersion     = 222
	errInvalidHandle  = 400
	errNotFound       = 500
	errIllegalAddress = 700
	errResources      = 701
	errMisaligned     = 716
	errLaunchFailed   = 719
	errUnknown        = 999
)

// launchCode is what a driver tells of a launch that the interpreter ended. The sentence of
// the fault goes to the log.
func launchCode(err error) int {
	var f *ptxvm.Fault
	if !errors.As(err, &f) {
		return errIllegalAddress // an operand that is not allocated
	}
	if code, ok := map[string]int{
		ptxvm.FaultGlobal: errIllegalAddress, ptxvm.FaultShared: errIllegalAddress, ptxvm.FaultLocal: errIllegalAddress,
		ptxvm.FaultMisaligned: errMisaligned, ptxvm.FaultLaunch: errInvalidValue,
	}[f.Kind]; ok {
		return code
	}
	return errLaunchFailed
}
