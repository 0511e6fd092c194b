//go:build !worker

// Command realflops-worker works one GPU for realflops. It needs a C compiler: `make worker`
// builds it. Built without the tag worker it only says so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "realflops-worker was built without GPU support: build it with `make worker`, which needs gcc")
	os.Exit(1)
}
