//go:build !linux

package kerneltest

import "testing"

// PageEnd returns n zeroed elements; only on Linux do they end at a page of no access.
func PageEnd[T any](_ testing.TB, n int) []T { return make([]T, n) }

// PageStart returns n zeroed elements; only on Linux do they start behind a page of no access.
func PageStart[T any](_ testing.TB, n int) []T { return make([]T, n) }
