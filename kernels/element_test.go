package kernels

import "testing"

func TestValueIsTheNumberThatAnElementStandsFor(t *testing.T) {
	for name, got := range map[string][2]float64{
		"fp64": {Value(0.1), 0.1}, "fp32": {Value(float32(0.1)), 0x1.99999ap-4},
		"fp16": {Value(Float16(0x3555)), 0x1.554p-2}, "bf16": {Value(BFloat16(0x3eab)), 0x1.56p-2},
		"int8": {Value(int8(-128)), -128}, "int32": {Value(int32(-1 << 31)), -1 << 31},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}

func TestRoundedIsTheNearestElement(t *testing.T) {
	for name, got := range map[string][2]float64{
		"fp64": {Value(Rounded[float64](0.1)), 0.1}, "fp32": {Value(Rounded[float32](0.1)), 0x1.99999ap-4},
		"fp16": {Value(Rounded[Float16](0.1)), 0x1.998p-4}, "bf16": {Value(Rounded[BFloat16](0.1)), 0x1.9ap-4},
		"int8": {Value(Rounded[int8](-128)), -128}, "int32": {Value(Rounded[int32](-1 << 31)), -1 << 31},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}
