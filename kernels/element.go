package kernels

// Element is what operands and results are stored as.
type Element interface {
	float64 | float32 | Float16 | BFloat16 | int8 | int32
}

// Value is the number that an element stands for, exactly.
func Value[T Element](x T) float64 {
	switch x := any(x).(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	case Float16:
		return float64(x.Float32())
	case BFloat16:
		return float64(x.Float32())
	case int8:
		return float64(x)
	case int32:
		return float64(x)
	}
	panic("an element of no such type") // Element lists them
}

// Rounded is v as an element: of 16 bits by way of float32, as every engine rounds. As an integer, v must be one
// that the type holds.
func Rounded[T Element](v float64) T {
	var x T
	switch p := any(&x).(type) {
	case *float32:
		*p = float32(v)
	case *float64:
		*p = v
	case *Float16:
		*p = ToFloat16(float32(v))
	case *BFloat16:
		*p = ToBFloat16(float32(v))
	case *int8:
		*p = int8(v)
	case *int32:
		*p = int32(v)
	}
	return x
}
