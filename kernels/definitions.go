package kernels

var (
	activations = []Precision{FP32, FP16, BF16}
	products    = []Precision{FP32FP32, FP16FP32, BF16FP32, FP16FP16, INT8INT32, FP64FP64}
)

// definitions are all kernels, in the order in which tables show them.
var definitions = []Definition{
	{
		Kernel: FMA, Class: Register, Computes: "x = x·a + b in registers",
		Precisions: []Precision{FP32FP32, FP64FP64, TF32FP32, BF16FP32, FP16FP32, FP16FP16, INT8INT32},
		Convention: "2 FLOP a multiply-add; no memory traffic",
	},
	{
		Kernel: GEMM, Class: Matrix, Computes: "C = A·B, dense, row-major",
		Precisions: []Precision{FP32FP32, FP16FP32, TF32FP32, BF16FP32, FP16FP16, INT8INT32, FP64FP64},
		Convention: "2·m·n·k FLOP; bytes: A, B and C once",
	},
	{
		Kernel: GEMMNT, Class: Matrix, Computes: "C = A·Bᵀ, B stored n x k",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: GEMMTN, Class: Matrix, Computes: "C = Aᵀ·B, A stored k x m",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: GEMMTT, Class: Matrix, Computes: "C = Aᵀ·Bᵀ, A stored k x m, B n x k",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: Batched, Class: Matrix, Computes: "C = A·B of many matrices of one shape",
		Precisions: products, Convention: "as gemm, for each of the batch",
	},
	{
		Kernel: Linear, Class: Matrix, Computes: "y = x·W, the weights packed ahead",
		Precisions: []Precision{FP32FP32, BF16FP32, FP16FP32, INT8INT32, INT8FP32, INT4FP32},
		Convention: "2·m·n·k FLOP; bytes: x, W and y once; int8/fp32 and int4/fp32: a scale of 2 bytes for 32 weights, x and y fp32",
	},
	{
		Kernel: ReLU, Class: Elementwise, Computes: "y = max(x, 0)",
		Precisions: activations, FLOPPerElement: 1, Reads: 1, Writes: 1,
		Convention: "1 FLOP an element (max); bytes: x read and y written once",
	},
	{
		Kernel: Sigmoid, Class: Elementwise, Computes: "y = 1/(1+exp(-x))",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (negate, exp, add, divide), whatever the polynomial takes; bytes: x read and y written once",
	},
	{
		Kernel: Tanh, Class: Elementwise, Computes: "y = tanh(x)",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element ((1-e)/(1+e), e = exp(-2x)); bytes: x read and y written once",
	},
	{
		Kernel: GELU, Class: Elementwise, Computes: "y = x/2·(1+tanh(√(2/π)·(x+0.044715·x³)))",
		Precisions: activations, FLOPPerElement: 13, Reads: 1, Writes: 1,
		Convention: "13 FLOP an element (the cubic 5, tanh 5, three to combine); bytes: x read and y written once",
	},
	{
		Kernel: SiLU, Class: Elementwise, Computes: "y = x/(1+exp(-x))",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (negate, exp, add, divide); bytes: x read and y written once",
	},
	{
		Kernel: GELUErf, Class: Elementwise, Computes: "y = x/2·(1+erf(x/√2))",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element (scale, erf, add, two products); bytes: x read and y written once",
	},
	{
		Kernel: SiLUMul, Class: Elementwise, Computes: "y = g/(1+exp(-g))·u",
		Precisions: activations, FLOPPerElement: 5, Reads: 2, Writes: 1,
		Convention: "5 FLOP an element (silu 4, product); bytes: g and u read and y written once",
	},
	{
		Kernel: ReLUBackward, Class: Elementwise, Computes: "dx = dy where x > 0, else 0",
		Precisions: activations, FLOPPerElement: 1, Reads: 2, Writes: 1,
		Convention: "1 FLOP an element (select); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SigmoidBackward, Class: Elementwise, Computes: "dx = dy·y·(1-y)",
		Precisions: activations, FLOPPerElement: 3, Reads: 2, Writes: 1,
		Convention: "3 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: TanhBackward, Class: Elementwise, Computes: "dx = dy·(1-y²)",
		Precisions: activations, FLOPPerElement: 3, Reads: 2, Writes: 1,
		Convention: "3 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: GELUBackward, Class: Elementwise, Computes: "dx = dy·gelu'(x), gelu in its tanh form",
		Precisions: activations, FLOPPerElement: 20, Reads: 2, Writes: 1,
		Convention: "20 FLOP an element (the tanh 10, its derivative 10); bytes: dy and x read and dx written once",
	},
	{
		Kernel: GELUErfBackward, Class: Elementwise, Computes: "dx = dy·(Φ(x)+x·φ(x))",
		Precisions: activations, FLOPPerElement: 10, Reads: 2, Writes: 1,
		Convention: "10 FLOP an element (Φ 4, φ 3, three to combine); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SiLUBackward, Class: Elementwise, Computes: "dx = dy·σ(x)·(1+x·(1-σ(x)))",
		Precisions: activations, FLOPPerElement: 9, Reads: 2, Writes: 1,
		Convention: "9 FLOP an element (σ 4, five to combine); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SiLUMulBackward, Class: Elementwise, Computes: "dg = dy·u·silu'(g), du = dy·silu(g)",
		Precisions: activations, FLOPPerElement: 12, Reads: 3, Writes: 2,
		Convention: "12 FLOP an element (σ 4, eight to combine); bytes: dy, g and u read, dg and du written once",
	},
	{
		Kernel: AdamW, Class: Elementwise, Computes: "a step of AdamW: p, m and v in fp32, from the gradient g",
		Precisions: activations, FLOPPerElement: 14, Reads: 1, Writes: 0, StateBytes: 24,
		Convention: "14 FLOP an element; bytes: g read, p, m and v (fp32) read and written once; at fp16 and bf16 a copy of p in that storage is written too",
	},
	{
		Kernel: Softmax, Class: Rowwise, Computes: "y = exp(x-max x)/Σexp(x-max x), of each row",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element (max, subtract, exp, add, multiply); bytes: x read and y written once",
	},
	{
		Kernel: RMSNorm, Class: Rowwise, Computes: "y = g·x/√(mean x²+ε), of each row",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (square and add, two products); bytes: x read and y written once, g stays in cache",
	},
	{
		Kernel: LayerNorm, Class: Rowwise, Computes: "y = g·(x-mean x)/√(var x+ε)+b, of each row",
		Precisions: activations, FLOPPerElement: 7, Reads: 1, Writes: 1,
		Convention: "7 FLOP an element (mean 1, variance 3, three to normalise); bytes: x read and y written once, g and b stay in cache",
	},
	{
		Kernel: SoftmaxBackward, Class: Rowwise, Computes: "dx = y·(dy-Σdy·y), of each row",
		Precisions: activations, FLOPPerElement: 4, Reads: 2, Writes: 1,
		Convention: "4 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: RMSNormBackward, Class: Rowwise, Computes: "dx and dg of rmsnorm, dg summed over the rows",
		Precisions: activations, FLOPPerElement: 9, Reads: 2, Writes: 1,
		Convention: "9 FLOP an element; bytes: dy and x read and dx written once, g and dg stay in cache",
	},
	{
		Kernel: LayerNormBackward, Class: Rowwise, Computes: "dx, dg and db of layernorm, dg and db summed over the rows",
		Precisions: activations, FLOPPerElement: 13, Reads: 2, Writes: 1,
		Convention: "13 FLOP an element; bytes: dy and x read and dx written once, g, dg and db stay in cache",
	},
	{
		Kernel: Triad, Class: Bandwidth, Computes: "a = b + s·c",
		Precisions: []Precision{FP64}, FLOPPerElement: 2, Reads: 2, Writes: 1,
		Convention: "STREAM's count: 24 bytes and 2 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Add, Class: Bandwidth, Computes: "a = b + c",
		Precisions: []Precision{FP64}, FLOPPerElement: 1, Reads: 2, Writes: 1,
		Convention: "STREAM's count: 24 bytes and 1 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Scale, Class: Bandwidth, Computes: "a = s·b",
		Precisions: []Precision{FP64}, FLOPPerElement: 1, Reads: 1, Writes: 1,
		Convention: "STREAM's count: 16 bytes and 1 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Copy, Class: Bandwidth, Computes: "a = b",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 1,
		Convention: "STREAM's count: 16 bytes an element, write-allocate traffic left out",
	},
	{
		Kernel: Read, Class: Bandwidth, Computes: "sum of a",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, read once",
	},
	{
		Kernel: Write, Class: Bandwidth, Computes: "a = s",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 0, Writes: 1,
		Convention: "8 bytes an element, written once, write-allocate traffic left out",
	},
	{
		Kernel: Chase, Class: Latency, Computes: "p = *p around a random cycle of cache lines",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "elements are loads, each of a cache line of its own (64 bytes) and each waiting for the one before: seconds an element is the latency",
	},
	{
		Kernel: HostToDevice, Class: Bandwidth, Computes: "copy from pinned host memory to the device",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, once over the bus",
	},
	{
		Kernel: DeviceToHost, Class: Bandwidth, Computes: "copy from the device to pinned host memory",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, once over the bus",
	},
}
