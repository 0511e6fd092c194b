// PyTorch's operators on the CPU, called through AOTInductor's C interface (torch/csrc/inductor/aoti_torch/c/shim.h), whose
// functions and types are declared here as far as they are needed: the build has no headers.
#include "server.h"

typedef struct tensor *handle;
extern int32_t aoti_torch_dtype_float32(void), aoti_torch_dtype_float64(void), aoti_torch_dtype_bfloat16(void), aoti_torch_dtype_float16(void);
extern int32_t aoti_torch_device_type_cpu(void);
extern int32_t aoti_torch_create_tensor_from_blob(void *data, int64_t dims, const int64_t *sizes, const int64_t *strides, int64_t offset, int32_t dtype,
                                                  int32_t device, int32_t index, handle *out);
extern int32_t aoti_torch_cpu_mm_out(handle out, handle a, handle b);
extern int32_t aoti_torch_delete_tensor_object(handle);

static const struct { const char *precision; int32_t (*dtype)(void); enum type type; } forms[] = {
	{"fp32/fp32", aoti_torch_dtype_float32, F32}, {"fp64/fp64", aoti_torch_dtype_float64, F64},
	{"bf16/fp32", aoti_torch_dtype_bfloat16, BF16}, {"fp16/fp32", aoti_torch_dtype_float16, F16}};

static handle a, b[64], c;
static void *result;
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

static const char *prepare(const struct job *j) {
	size_t f = 0;
	while (f < 4 && !NAME_IS(precision, forms[f].precision))
		f++;
	if (f == 4 || !(NAME_IS(kernel, "gemm") || NAME_IS(kernel, "linear")) || j->k == 0 || j->sets > 64)
		return "PyTorch is called for gemm and linear at fp32, fp64, bf16 and fp16 here, and at most 64 sets";
	if (nsets > 0) {
		aoti_torch_delete_tensor_object(a), aoti_torch_delete_tensor_object(c);
		while (nsets > 0)
			aoti_torch_delete_tensor_object(b[--nsets]);
	}
	type = forms[f].type, count = j->m * j->n;
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
	if (aoti_torch_cpu_mm_out(c, a, b[s]) != 0) {
		fprintf(stderr, "PyTorch's mm failed\n");
		exit(1);
	}
}

static double check(void) { return checksum(result, type, count); }

int main(void) {
	serve();
	return 0;
}
