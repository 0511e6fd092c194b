// The CPU kernels of llama.cpp (ggml): the product of a layer's weights with a few rows. Weights are laid out as
// ggml's own CPU buffers would, repacked where it has such a form for this CPU.
#include "server.h"
#include <ggml.h>
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

static ggml_backend_t backend;
static struct ggml_context *ctx[64], *shared;
static ggml_backend_buffer_t buffers[65];
static struct ggml_cgraph *graphs[64];
static struct ggml_tensor *y;
static int nsets;
static const char *where = "";

static const struct { const char *precision; enum ggml_type w; enum ggml_type x; } forms[] = {
	{"fp32/fp32", GGML_TYPE_F32, GGML_TYPE_F32}, {"bf16/fp32", GGML_TYPE_BF16, GGML_TYPE_F32}, {"fp16/fp32", GGML_TYPE_F16, GGML_TYPE_F32},
	{"int8/fp32", GGML_TYPE_Q8_0, GGML_TYPE_F32}, {"int4/fp32", GGML_TYPE_Q4_0, GGML_TYPE_F32}};

static int threads(void) {
	const char *t = getenv("OMP_NUM_THREADS");
	return t ? atoi(t) : 1;
}

static void about(void) {
	backend = ggml_backend_cpu_init();
	ggml_backend_cpu_set_n_threads(backend, threads());
	printf("ggml %s of llama.cpp, AVX512 %d BF16 %d VNNI %d, llamafile %d\n", ggml_version(), ggml_cpu_has_avx512(), ggml_cpu_has_avx512_bf16(), ggml_cpu_has_avx512_vnni(), ggml_cpu_has_llamafile());
}

static void drop(void) {
	for (int s = 0; s < nsets; s++)
		ggml_backend_buffer_free(buffers[s]), ggml_free(ctx[s]);
	if (shared)
		ggml_backend_buffer_free(buffers[64]), ggml_free(shared);
	nsets = 0, shared = NULL;
}

static struct ggml_context *context(void) {
	struct ggml_init_params p = {1 << 20, NULL, true};
	return ggml_init(p);
}

// weights is the type of buffer that such weights get in llama.cpp: the first of the CPU's extra ones that takes
// them, else the plain one.
static ggml_backend_buffer_type_t weights(struct ggml_tensor *w, struct ggml_tensor *product) {
	ggml_backend_dev_t dev = ggml_backend_get_device(backend);
	ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(dev);
	ggml_backend_dev_get_extra_bufts_t extra = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts");
	ggml_backend_buffer_type_t *types = extra ? extra(dev) : NULL;
	for (; types && *types; types++) {
		w->buffer = ggml_backend_buft_alloc_buffer(*types, 0); // as llama.cpp asks: would this buffer's weights do?
		int takes = ggml_backend_dev_supports_op(dev, product);
		ggml_backend_buffer_free(w->buffer);
		w->buffer = NULL;
		if (takes)
			return *types;
	}
	return ggml_backend_get_default_buffer_type(backend);
}

static const char *prepare(const struct job *j) {
	size_t f = 0;
	while (f < 5 && !NAME_IS(precision, forms[f].precision))
		f++;
	if (f == 5 || !NAME_IS(kernel, "linear") || j->k % 32 != 0)
		return "ggml has linear at fp32, bf16, fp16, int8 and int4 with sums in fp32, and a k that is a multiple of 32";
	if (j->sets > 64)
		return "at most 64 sets";
	drop();
	shared = context();
	struct ggml_tensor *x = ggml_new_tensor_2d(shared, forms[f].x, j->k, j->m);
	y = NULL;
	// Rows of W are columns here: ggml keeps weights output by output.
	float *w = malloc(j->k * j->n * sizeof *w), *xs = malloc(j->k * j->m * sizeof *xs);
	for (size_t c = 0; c < j->n; c++)
		for (size_t i = 0; i < j->k; i++)
			w[c * j->k + i] = (float)nibble(i, i * j->n + c, 2);
	for (size_t i = 0; i < j->m * j->k; i++)
		xs[i] = (float)octet(i % j->k, i, 1);
	void *packed = malloc(ggml_row_size(forms[f].w, j->k) * j->n);
	if (forms[f].w == GGML_TYPE_F32)
		memcpy(packed, w, j->k * j->n * 4);
	else
		ggml_quantize_chunk(forms[f].w, w, packed, 0, j->n, j->k, NULL);
	struct ggml_tensor *out = ggml_new_tensor_2d(shared, GGML_TYPE_F32, j->n, j->m);
	buffers[64] = ggml_backend_alloc_ctx_tensors(shared, backend);
	ggml_backend_tensor_set(x, xs, 0, ggml_nbytes(x));
	for (int s = 0; s < j->sets; s++) {
		ctx[s] = context();
		struct ggml_tensor *t = ggml_new_tensor_2d(ctx[s], forms[f].w, j->k, j->n);
		struct ggml_tensor *product = ggml_mul_mat(ctx[s], t, x);
		product->data = out->data, product->buffer = out->buffer;
		ggml_backend_buffer_type_t type = weights(t, product);
		where = ggml_backend_buft_name(type);
		buffers[s] = ggml_backend_buft_alloc_buffer(type, ggml_backend_buft_get_alloc_size(type, t));
		ggml_backend_buffer_set_usage(buffers[s], GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
		void *base = ggml_backend_buffer_get_base(buffers[s]);
		uintptr_t huge = 2 << 20;
		madvise((void *)(((uintptr_t)base + huge - 1) & ~(huge - 1)), ggml_nbytes(t), MADV_HUGEPAGE);
		ggml_backend_tensor_alloc(buffers[s], t, base);
		ggml_backend_tensor_set(t, packed, 0, ggml_row_size(forms[f].w, j->k) * j->n);
		graphs[s] = ggml_new_graph(ctx[s]);
		ggml_build_forward_expand(graphs[s], product);
	}
	y = out, nsets = j->sets;
	free(w), free(xs), free(packed);
	fprintf(stderr, "%s %s %s: weights in %s\n", j->kernel, j->precision, j->shape, where);
	return NULL;
}

static void call(int s) { ggml_backend_graph_compute(backend, graphs[s]); }

static double check(void) { return checksum(y->data, F32, ggml_nelements(y)); }

int main(void) {
	serve();
	return 0;
}
