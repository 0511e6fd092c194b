// PyTorch's operators on the CPU. Tensors and products are those of AOTInductor's C interface
// (torch/csrc/inductor/aoti_torch/c/shim.h), in which a handle is an at::Tensor *. It has no gradients and no optimizer: those are
// called as at::_ops has them, by the names that the C++ ABI gives them. Functions and types are declared here as far as they
// are needed: the build has no headers.
#include "server.h"

typedef struct tensor *handle;
extern int32_t aoti_torch_dtype_float32(void), aoti_torch_dtype_float64(void), aoti_torch_dtype_bfloat16(void), aoti_torch_dtype_float16(void);
extern int32_t aoti_torch_device_type_cpu(void);
extern int32_t aoti_torch_create_tensor_from_blob(void *data, int64_t dims, const int64_t *sizes, const int64_t *strides, int64_t offset, int32_t dtype,
                                                  int32_t device, int32_t index, handle *out);
extern int32_t aoti_torch_cpu_mm_out(handle out, handle a, handle b);
extern int32_t aoti_torch_delete_tensor_object(handle);

struct text { size_t length; const char *first; };	       // std::string_view
struct list { const void *first; size_t count; };	       // c10::ArrayRef<at::Tensor>, of one
struct scalar { int32_t tag; _Alignas(16) double value[2]; };  // c10::Scalar; a tag of 0 is a double
struct option { void *value; int64_t there; };		       // std::optional<at::Tensor>

extern void *sigmoid_backward(handle dy, handle y, handle dx) __asm__("_ZN2at4_ops27sigmoid_backward_grad_input4callERKNS_6TensorES4_RS2_");
extern void *tanh_backward(handle dy, handle y, handle dx) __asm__("_ZN2at4_ops24tanh_backward_grad_input4callERKNS_6TensorES4_RS2_");
extern void *silu_backward(handle dy, handle x, handle dx) __asm__("_ZN2at4_ops24silu_backward_grad_input4callERKNS_6TensorES4_RS2_");
extern void *gelu_backward(handle dy, handle x, struct text form, handle dx)
	__asm__("_ZN2at4_ops24gelu_backward_grad_input4callERKNS_6TensorES4_St17basic_string_viewIcSt11char_traitsIcEERS2_");
extern void *threshold_backward(handle dy, handle x, const struct scalar *threshold, handle dx)
	__asm__("_ZN2at4_ops29threshold_backward_grad_input4callERKNS_6TensorES4_RKN3c106ScalarERS2_");
extern void fused_adamw(struct list p, struct list g, struct list m, struct list v, struct list most, struct list steps, double rate, double beta1,
			double beta2, double decay, double epsilon, _Bool amsgrad, _Bool maximize, const struct option *scale, const struct option *inf)
	__asm__("_ZN2at4_ops13_fused_adamw_4callEN3c108ArrayRefINS_6TensorEEES5_S5_S5_S5_S5_dddddbbRKSt8optionalIS4_ES9_");

static const struct { const char *precision; int32_t (*dtype)(void); enum type type; } forms[] = {
	{"fp32/fp32", aoti_torch_dtype_float32, F32}, {"fp64/fp64", aoti_torch_dtype_float64, F64},
	{"bf16/fp32", aoti_torch_dtype_bfloat16, BF16}, {"fp16/fp32", aoti_torch_dtype_float16, F16}};

static void relu(handle dy, handle x, handle dx) {
	const struct scalar zero = {0, {0, 0}};
	threshold_backward(dy, x, &zero, dx);
}
static void sigmoid(handle dy, handle y, handle dx) { sigmoid_backward(dy, y, dx); }
static void tanh_(handle dy, handle y, handle dx) { tanh_backward(dy, y, dx); }
static void silu(handle dy, handle x, handle dx) { silu_backward(dy, x, dx); }
static void gelu(handle dy, handle x, handle dx) { gelu_backward(dy, x, (struct text){4, "tanh"}, dx); }
static void gelu_erf(handle dy, handle x, handle dx) { gelu_backward(dy, x, (struct text){4, "none"}, dx); }
static void mm(handle x, handle w, handle y) {
	if (aoti_torch_cpu_mm_out(y, x, w) != 0) {
		fprintf(stderr, "PyTorch's mm failed\n");
		exit(1);
	}
}

static const struct { const char *kernel; void (*call)(handle dy, handle x, handle dx); } gradients[] = {
	{"relu-backward", relu}, {"sigmoid-backward", sigmoid}, {"tanh-backward", tanh_},
	{"silu-backward", silu}, {"gelu-backward", gelu}, {"gelu-erf-backward", gelu_erf}};
enum { GRADIENTS = sizeof gradients / sizeof *gradients };

static void (*function)(handle a, handle b, handle c); // mm, or a gradient; NULL is a step of AdamW
static handle a, b[64], c;			       // of AdamW b are g, m, v and the number of the step
static void *result;
static float *moments[2];
static enum type type;
static size_t count;
static int nsets;

static void about(void) { printf("PyTorch 2.7.1, CPU\n"); }

static handle matrix(void *data, size_t rows, size_t columns, int32_t dtype) {
	int64_t sizes[] = {rows, columns}, strides[] = {columns, 1};
	handle h = NULL;
	if (aoti_torch_create_tensor_from_blob(data, 2, sizes, strides, 0, dtype, aoti_torch_device_type_cpu(), 0, &h) != 0) {
		fprintf(stderr, "PyTorch makes no tensor of %zux%zu\n", rows, columns);
		exit(1);
	}
	return h;
}

static float *wave_of(size_t n, uint32_t seed) {
	float *x = block(n * sizeof *x);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)wave(i, seed);
	return x;
}

static handle vector(float *x, size_t n) { return matrix(x, 1, n, aoti_torch_dtype_float32()); }

static const char *prepare_gradient(const struct job *j) {
	size_t g = 0;
	while (g < GRADIENTS && !NAME_IS(kernel, gradients[g].kernel))
		g++;
	if (g == GRADIENTS)
		return "PyTorch is called for the gradients of activations and for adamw at fp32 here";
	function = gradients[g].call, type = F32, count = j->n, nsets = 1;
	a = vector(wave_of(count, 1), count), b[0] = vector(wave_of(count, 2), count);
	result = block(count * sizeof(float)), c = vector(result, count);
	return NULL;
}

// begin sets the state that a step changes to that before the first one.
static void begin(void) {
	for (size_t i = 0; i < count; i++) {
		((float *)result)[i] = (float)wave(i, 1);
		moments[0][i] = (float)adamw_m(i), moments[1][i] = (float)adamw_v(i);
	}
}

static const char *prepare_adamw(size_t n) {
	static float step = 1;
	function = NULL, type = F32, count = n, nsets = 4;
	float *g = block(n * sizeof *g);
	for (size_t i = 0; i < n; i++)
		g[i] = (float)adamw_g(i);
	result = block(n * sizeof(float)), moments[0] = block(n * sizeof(float)), moments[1] = block(n * sizeof(float));
	begin();
	a = vector(result, n), c = vector(result, n);
	b[0] = vector(g, n), b[1] = vector(moments[0], n), b[2] = vector(moments[1], n), b[3] = vector(&step, 1);
	return NULL;
}

static void step(void) {
	const struct option none = {NULL, 0};
	const struct list no = {NULL, 0};
	fused_adamw((struct list){a, 1}, (struct list){b[0], 1}, (struct list){b[1], 1}, (struct list){b[2], 1}, no, (struct list){b[3], 1}, ADAMW_RATE, 0.9,
		    0.999, 0.01, 1e-8, 0, 0, &none, &none);
}

static const char *prepare(const struct job *j) {
	if (nsets > 0) {
		aoti_torch_delete_tensor_object(a), aoti_torch_delete_tensor_object(c);
		while (nsets > 0)
			aoti_torch_delete_tensor_object(b[--nsets]);
	}
	if (NAME_IS(precision, "fp32") && j->m == 0 && j->sets == 1)
		return NAME_IS(kernel, "adamw") ? prepare_adamw(j->n) : prepare_gradient(j);
	size_t f = 0;
	while (f < 4 && !NAME_IS(precision, forms[f].precision))
		f++;
	if (f == 4 || !(NAME_IS(kernel, "gemm") || NAME_IS(kernel, "linear")) || j->k == 0 || j->sets > 64)
		return "PyTorch is called for gemm and linear at fp32, fp64, bf16 and fp16 here, and at most 64 sets";
	function = mm, type = forms[f].type, count = j->m * j->n;
	size_t bytes = bytes_of[type];
	int linear = NAME_IS(kernel, "linear");
	void *x = block(j->m * j->k * bytes);
	for (size_t i = 0; i < j->m * j->k; i++)
		store(x, type, i, linear ? octet(i % j->k, i, 1) : small(i, 1));
	a = matrix(x, j->m, j->k, forms[f].dtype());
	result = block(count * bytes);
	c = matrix(result, j->m, j->n, forms[f].dtype());
	for (nsets = 0; nsets < j->sets; nsets++) {
		static void *first;
		void *w = block(j->k * j->n * bytes);
		first = nsets == 0 ? w : first;
		for (size_t i = 0; i < j->k * j->n && nsets == 0; i++)
			store(w, type, i, linear ? nibble(i / j->n, i, 2) : small(i, 2));
		memcpy(w, first, nsets > 0 ? j->k * j->n * bytes : 0);
		b[nsets] = matrix(w, j->k, j->n, forms[f].dtype());
	}
	return NULL;
}

static void call(int s) {
	if (function != NULL)
		function(a, b[s], c);
	else
		step();
}

static double check(void) {
	if (function == NULL)
		begin(), step();
	return checksum(result, type, count);
}

int main(void) {
	serve();
	return 0;
}
