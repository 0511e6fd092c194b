// oneDNN: products with plain operands (gemm) and with weights that it laid out ahead as it likes best (linear),
// elementwise functions, softmax and layer normalisation. With the argument u8s8, int8 products take an unsigned A,
// which its VNNI kernels need no compensation for.
extern "C++" {
#include <oneapi/dnnl/dnnl.hpp>
}
#include <string>
#include <unordered_map>
#include <vector>

#include "server.h"

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

static engine cpu(engine::kind::cpu, 0);
static stream queue(cpu);
static bool unsignedA;
static primitive op;
static std::vector<std::unordered_map<int, memory>> sets;
static void *result;
static enum type resultType;
static size_t resultCount;
static std::string reason;

static const struct { const char *precision; dt a, b, c; enum type ta, tb, tc; } products[] = {
	{"fp32/fp32", dt::f32, dt::f32, dt::f32, F32, F32, F32}, {"bf16/fp32", dt::bf16, dt::bf16, dt::f32, BF16, BF16, F32},
	{"fp16/fp32", dt::f16, dt::f16, dt::f32, F16, F16, F32}, {"int8/int32", dt::s8, dt::s8, dt::s32, I8, I8, I32},
	{"int8/fp32", dt::f32, dt::s8, dt::f32, F32, I8, F32}, {"int4/fp32", dt::f32, dt::s4, dt::f32, F32, I8, F32}};

static const struct { const char *kernel; algorithm how; } functions[] = {
	{"relu", algorithm::eltwise_relu}, {"sigmoid", algorithm::eltwise_logistic}, {"tanh", algorithm::eltwise_tanh},
	{"gelu", algorithm::eltwise_gelu_tanh}, {"gelu-erf", algorithm::eltwise_gelu_erf}, {"silu", algorithm::eltwise_swish}};

static const struct { const char *precision; dt t; enum type type; } storages[] = {
	{"fp32", dt::f32, F32}, {"bf16", dt::bf16, BF16}, {"fp16", dt::f16, F16}};

static void about() {
	const version_t *v = version();
	printf("oneDNN %d.%d.%d, %s, isa %x%s\n", v->major, v->minor, v->patch, v->cpu_runtime == DNNL_RUNTIME_OMP ? "OpenMP" : "another runtime",
	       (unsigned)get_effective_cpu_isa(), unsignedA ? ", u8 x s8" : "");
}

static memory place(const memory::desc &d) { return memory(d, cpu, block(d.get_size())); }

// quantised is what a product of quantised weights needs: a scale for 32 of them, and leave to compute in bf16.
static primitive_attr quantised(memory::dim k, memory::dim n, std::unordered_map<int, memory> &args) {
	primitive_attr attr;
	attr.set_scales(DNNL_ARG_WEIGHTS, 3, {32, 1}, dt::f32);
	attr.set_fpmath_mode(fpmath_mode::any, true);
	memory scales = place({{k / 32, n}, dt::f32, tag::ab});
	for (memory::dim i = 0; i < k / 32 * n; i++)
		((float *)scales.get_data_handle())[i] = 1;
	args.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, scales});
	return attr;
}

static const char *product(const job *j) {
	size_t p = 0;
	while (p < 6 && strcmp(j->precision, products[p].precision) != 0)
		p++;
	bool linear = NAME_IS(kernel, "linear"), ta = NAME_IS(kernel, "gemm-tn") || NAME_IS(kernel, "gemm-tt"), tb = NAME_IS(kernel, "gemm-nt") || NAME_IS(kernel, "gemm-tt");
	if (p == 6 || (p >= 4 && (!linear || j->k % 32 != 0)))
		return "oneDNN has no such precision here";
	auto q = products[p];
	if (p == 3 && unsignedA)
		q.a = dt::u8;
	memory::dim m = j->m, n = j->n, k = j->k;
	std::unordered_map<int, memory> extra;
	primitive_attr attr = p >= 4 ? quantised(k, n, extra) : primitive_attr();
	memory::desc ad({m, k}, q.a, ta ? tag::ba : tag::ab), plain({k, n}, q.b, tb ? tag::ba : tag::ab), cd({m, n}, q.c, tag::ab);
	matmul::primitive_desc pd(cpu, ad, linear ? memory::desc({k, n}, q.b, tag::any) : plain, cd, attr);
	fprintf(stderr, "%s %s %s: %s\n", j->kernel, j->precision, j->shape, pd.impl_info_str());
	op = matmul(pd);
	memory a = place(ad), c = place(cd), b = place(plain);
	for (size_t i = 0; i < j->m * j->k; i++)
		store(a.get_data_handle(), q.ta, i, linear && p != 3 ? octet(i % j->k, i, 1) : small(i, 1) + (p == 3 ? 4 : 0));
	for (size_t i = 0; i < j->k * j->n; i++) {
		double w = linear && p != 3 ? nibble(i / j->n, i, 2) : small(i, 2);
		if (p == 5)
			((uint8_t *)b.get_data_handle())[i / 2] |= ((int)w & 15) << (i % 2 * 4);
		else
			store(b.get_data_handle(), q.tb, i, w);
	}
	for (int s = 0; s < j->sets; s++) {
		memory w = place(pd.weights_desc());
		reorder(b, w).execute(queue, b, w);
		queue.wait();
		sets.push_back({{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, c}});
		sets.back().insert(extra.begin(), extra.end());
	}
	result = c.get_data_handle(), resultType = q.tc, resultCount = j->m * j->n;
	return NULL;
}

// rows is what works on m rows of n, or one row, from wave to a result of the same type.
template <class Make> static const char *rows(const job *j, Make make) {
	size_t s = 0;
	while (s < 3 && strcmp(j->precision, storages[s].precision) != 0)
		s++;
	if (s == 3)
		return "oneDNN has no such precision here";
	memory::dim m = j->m ? j->m : 1, n = j->n;
	memory::desc d = j->m ? memory::desc({m, n}, storages[s].t, tag::ab) : memory::desc({n}, storages[s].t, tag::a);
	std::unordered_map<int, memory> args;
	op = make(d, n, args);
	result = NULL;
	for (int i = 0; i < j->sets; i++) {
		memory x = place(d), y = place(d);
		for (memory::dim e = 0; e < m * n; e++)
			store(x.get_data_handle(), storages[s].type, e, wave(e, 1));
		if (result == NULL)
			result = y.get_data_handle();
		args.insert_or_assign(DNNL_ARG_SRC, x), args.insert_or_assign(DNNL_ARG_DST, y);
		sets.push_back(args);
	}
	resultType = storages[s].type, resultCount = m * n;
	return NULL;
}

static const char *find(const job *j) {
	if (j->k > 0)
		return product(j);
	if (NAME_IS(kernel, "softmax"))
		return rows(j, [](const memory::desc &d, memory::dim, auto &) {
			return softmax_forward(softmax_forward::primitive_desc(cpu, prop_kind::forward_inference, algorithm::softmax_accurate, d, d, 1));
		});
	if (NAME_IS(kernel, "layernorm"))
		return rows(j, [](const memory::desc &d, memory::dim n, auto &args) {
			auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
			memory g = place({{n}, dt::f32, tag::a}), b = place({{n}, dt::f32, tag::a});
			for (memory::dim i = 0; i < n; i++)
				store(g.get_data_handle(), F32, i, 1 + small(i, 3) / 8), store(b.get_data_handle(), F32, i, small(i, 4) / 8);
			args.insert({{DNNL_ARG_SCALE, g}, {DNNL_ARG_SHIFT, b}});
			return layer_normalization_forward(layer_normalization_forward::primitive_desc(cpu, prop_kind::forward_inference, d, d, 1e-5f, flags));
		});
	for (auto &f : functions)
		if (NAME_IS(kernel, f.kernel))
			return rows(j, [&](const memory::desc &d, memory::dim, auto &) {
				return eltwise_forward(eltwise_forward::primitive_desc(cpu, prop_kind::forward_inference, f.how, d, d, f.how == algorithm::eltwise_swish ? 1.f : 0.f));
			});
	return "oneDNN has gemm, linear, activations, softmax and layernorm here";
}

static const char *prepare(const job *j) {
	sets.clear();
	try {
		return find(j);
	} catch (error &e) {
		reason = std::string("oneDNN: ") + e.what();
		return reason.c_str();
	}
}

static void call(int s) {
	op.execute(queue, sets[s]);
	queue.wait();
}

static double check() { return checksum(result, resultType, resultCount); }

int main(int argc, char **argv) {
	unsignedA = argc > 1 && std::string(argv[1]) == "u8s8";
	serve();
	return 0;
}
