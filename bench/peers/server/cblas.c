// The libraries that speak CBLAS: sgemm and dgemm in all four forms, and sgemv for a single row. OPENBLAS, MKL or
// BLIS is defined.
#include "server.h"
#if defined OPENBLAS // as in the wheel that NumPy's and SciPy's builds take: with a prefix
#define cblas_sgemm scipy_cblas_sgemm
#define cblas_dgemm scipy_cblas_dgemm
#define cblas_sgemv scipy_cblas_sgemv
#include <cblas.h>
extern char *scipy_openblas_get_config(void), *scipy_openblas_get_corename(void);
static void about(void) { printf("%s, kernels of %s\n", scipy_openblas_get_config(), scipy_openblas_get_corename()); }
#elif defined MKL
#include <mkl.h>
static void about(void) {
	char version[200];
	mkl_get_version_string(version, sizeof version);
	printf("%s\n", version);
}
#elif defined BLIS
#include <blis.h>
#include <cblas.h>
static void about(void) {
	// It knows no CPU newer than its release and falls to plain C kernels there: tell it which to take, by number.
	char kernels[12];
	snprintf(kernels, sizeof kernels, "%d", __builtin_cpu_supports("avx512dq") ? BLIS_ARCH_SKX : BLIS_ARCH_HASWELL);
	setenv("BLIS_ARCH_TYPE", kernels, 1);
	bli_init();
	printf("BLIS %s, kernels of %s\n", bli_info_get_version_str(), bli_arch_string(bli_arch_query_id()));
}
#endif

static size_t m, n, k;
static enum type type;
static void *a, *b[64], *c;
static enum CBLAS_TRANSPOSE ta, tb;

static const char *prepare(const struct job *j) {
	static const struct { const char *kernel; int ta, tb; } forms[] = {
		{"gemm", 0, 0}, {"gemm-nt", 0, 1}, {"gemm-tn", 1, 0}, {"gemm-tt", 1, 1}, {"linear", 0, 0}};
	size_t form = 0;
	while (form < 5 && !NAME_IS(kernel, forms[form].kernel))
		form++;
	if (form == 5 || j->k == 0)
		return "it has gemm in its four forms, and linear";
	if (!NAME_IS(precision, "fp32/fp32") && !NAME_IS(precision, "fp64/fp64"))
		return "it multiplies at fp32/fp32 and fp64/fp64";
	if (j->sets > 64)
		return "it takes at most 64 sets";
	m = j->m, n = j->n, k = j->k;
	type = NAME_IS(precision, "fp32/fp32") ? F32 : F64;
	ta = forms[form].ta ? CblasTrans : CblasNoTrans, tb = forms[form].tb ? CblasTrans : CblasNoTrans;
	a = block(m * k * bytes_of[type]), c = block(m * n * bytes_of[type]);
	int linear = NAME_IS(kernel, "linear");
	for (size_t i = 0; i < m * k; i++)
		store(a, type, i, linear ? octet(i % k, i, 1) : small(i, 1));
	for (int s = 0; s < j->sets; s++) {
		b[s] = block(k * n * bytes_of[type]);
		for (size_t i = 0; i < k * n && s == 0; i++)
			store(b[s], type, i, linear ? nibble(i / n, i, 2) : small(i, 2));
		memcpy(b[s], b[0], s > 0 ? k * n * bytes_of[type] : 0);
	}
	return NULL;
}

static void call(int s) {
	size_t lda = ta == CblasTrans ? m : k, ldb = tb == CblasTrans ? k : n;
	if (type == F64)
		cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b[s], ldb, 0, c, n);
	else if (m == 1)
		cblas_sgemv(CblasRowMajor, tb == CblasTrans ? CblasNoTrans : CblasTrans, tb == CblasTrans ? n : k, tb == CblasTrans ? k : n, 1, b[s], ldb, a, 1, 0, c, 1);
	else
		cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b[s], ldb, 0, c, n);
}

static double check(void) { return checksum(c, type, m * n); }

int main(void) {
	serve();
	return 0;
}
