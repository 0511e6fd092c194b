// Activations and their backward passes, in fp32, fp16 and bf16: y = f(x) of n elements. Memory is
// accessed 16 bytes at a time, arithmetic is in fp32, and 16-bit results are rounded once, to the
// nearest even. A block takes one chunk; its threads have four loads of each operand under way
// before the first is used. The vector straddling the end is done element by element
// by the same function, so that no result depends on where it stands.
//
// Accuracy. u is 2^-24. PTX promises 2 ulp (at most 4u) of ex2.approx and 1 ulp (2u) of
// rcp.approx; other operations round once (1u). Worst cases, of all errors together at their bounds:
//     sigmoid  x >= 0: 5u <= 3.5 ulp; x < 0: 9u, of which 4u is ex2's: 7 ulp. Results below 2^-126: 1e-44 absolute.
//     silu     1u more: 4.5 ulp, 8 ulp. Below x = -87, where e^x is subnormal: 128 quanta of 2^-149.
//     tanh     |x| < 0.55: 1 ulp (the polynomial errs by 0.26 ulp, then rounding); else 2e-7, which is 4 ulp.
//     gelu     x >= 0: 6u <= 6 ulp; x < 0: 2e-7 absolute (e^z multiplies the rounding of z by |z|).
// With ex2 and rcp rounded to nearest (4u and 2u less: as an interpreter computes them, and about what
// hardware reaches) each is within 4 ulp. In 16 bits fp32's errors vanish beside the last rounding:
// 0.52 ulp of fp16, 0.51 of bf16.
// Sigmoid is built on e = e^-|x|, which cannot overflow: 1/(1+e) for x >= 0, e/(1+e) below.
// silu(-inf) and gelu(-inf) are the limit, -0. NaN gives NaN.
#include "common.cuh"

namespace elementwise {

const u32 threads = 256, vectors = 4;
const float log2e = 1.44269502f, log2e_low = 1.92596303e-8f; // their sum is log2(e) to 2^-50
const float ln2 = 0.693147182f, largest = 3.40282347e+38f;

static __device__ __forceinline__ float ex2(float x) { // keeps subnormals
    float y;
    asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float ex2_ftz(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float rcp(float x) { // of 1 and more
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// e^-x for x >= 0. A single product would err by half an ulp of x*log2(e), which e^x magnifies to 22 ulp at
// x = 80; Exact carries what it loses.
template <bool exact> __device__ __forceinline__ float exp_minus(float x) {
    if (!exact) return ex2(__fmul_rn(x, -log2e));
    x = x > 128.0f ? 128.0f : x; // e^-128 is 0, and infinity has no low part
    float high = __fmul_rn(x, -log2e);
    float low = __fmaf_rn(x, -log2e_low, __fmaf_rn(x, -log2e, -high));
    float e = ex2(high);
    return __fmaf_rn(e, __fmul_rn(low, ln2), e);
}

template <bool exact> __device__ __forceinline__ float sigmoid(float x) {
    float e = exp_minus<exact>(fabsf(x));
    return __fmul_rn(x < 0 ? e : 1.0f, rcp(__fadd_rn(1.0f, e)));
}

// The operations. Those of one operand ignore z. exact is for results in fp32.
struct ReLU {
    static const u32 operands = 1;
    template <bool exact> static __device__ __forceinline__ float f(float x, float) { return x <= 0 ? 0.0f : x; }
};
struct Sigmoid {
    static const u32 operands = 1;
    template <bool exact> static __device__ __forceinline__ float f(float x, float) { return sigmoid<exact>(x); }
};
struct Tanh {
    static const u32 operands = 1;
    template <bool exact> static __device__ __forceinline__ float f(float x, float) {
        // Below 0.55 1 - 2/(1 + e^2x) would cancel: x + x^3·p(x^2), p interpolated at Chebyshev's points.
        float u = __fmul_rn(x, x), p;
        if (exact) {
            p = __fmaf_rn(-0.00661022775f, u, 0.0213093888f);
            p = __fmaf_rn(p, u, -0.0539094284f);
            p = __fmaf_rn(p, u, 0.133331135f);
            p = __fmaf_rn(p, u, -0.333333313f);
        } else {
            p = __fmaf_rn(-0.0452609919f, u, 0.13238287f);
            p = __fmaf_rn(p, u, -0.333317459f);
        }
        float small = __fmaf_rn(__fmul_rn(x, u), p, x);
        float e = ex2_ftz(__fmul_rn(fabsf(x), 2 * log2e));
        float large = __fmaf_rn(-2.0f, rcp(__fadd_rn(e, 1.0f)), 1.0f);
        return fabsf(x) < 0.55f ? small : copysignf(large, x);
    }
};
struct GELU {
    static const u32 operands = 1;
    template <bool exact> static __device__ __forceinline__ float f(float x, float) {
        // (1 + tanh(v))/2 = sigmoid(2v): 2·sqrt(2/pi)·(x + 0.044715·x^3), without the cancellation for x < 0.
        float z = __fmul_rn(x, __fmaf_rn(__fmul_rn(x, x), 0.0713548139f, 1.59576917f));
        return __fmul_rn(fmaxf(x, -largest), sigmoid<false>(z));
    }
};
struct SiLU {
    static const u32 operands = 1;
    template <bool exact> static __device__ __forceinline__ float f(float x, float) {
        return __fmul_rn(fmaxf(x, -largest), sigmoid<exact>(x));
    }
};
struct ReLUBackward {
    static const u32 operands = 2;
    template <bool exact> static __device__ __forceinline__ float f(float dy, float x) { return x > 0 ? dy : 0.0f; }
};
struct SigmoidBackward {
    static const u32 operands = 2;
    template <bool exact> static __device__ __forceinline__ float f(float dy, float y) {
        return __fmul_rn(__fmul_rn(dy, y), __fsub_rn(1.0f, y));
    }
};

// The storage types: what they are in memory, and Op on one word of 32 bits, which is one or two elements.
struct FP32 {
    typedef u32 element;
    template <typename Op> static __device__ __forceinline__ u32 word(u32 x, u32 z) {
        return __float_as_uint(Op::template f<true>(__uint_as_float(x), __uint_as_float(z)));
    }
};

template <typename Format> struct Halves {
    typedef u16 element;
    template <typename Op> static __device__ __forceinline__ u32 word(u32 x, u32 z) {
        float low = Op::template f<false>(Format::widen(x & 0xFFFF), Format::widen(z & 0xFFFF));
        float high = Op::template f<false>(Format::widen(x >> 16), Format::widen(z >> 16));
        return Format::round(low, high);
    }
};

struct IEEE {
    static __device__ __forceinline__ float widen(u32 x) {
        float f;
        asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"((u16)x));
        return f;
    }
    static __device__ __forceinline__ u32 round(float low, float high) {
        u32 w;
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(w) : "f"(high), "f"(low));
#else
        asm("{\n\t.reg .b16 l, h;\n\tcvt.rn.f16.f32 l, %1;\n\tcvt.rn.f16.f32 h, %2;\n\tmov.b32 %0, {l, h};\n\t}" : "=r"(w) : "f"(low), "f"(high));
#endif
        return w;
    }
};

struct Brain {
    static __device__ __forceinline__ float widen(u32 x) { return __uint_as_float(x << 16); }
    static __device__ __forceinline__ u32 round(float low, float high) {
#if __CUDA_ARCH__ >= 800
        u32 w;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(w) : "f"(high), "f"(low));
        return w;
#else
        return upper(low) | upper(high) << 16;
#endif
    }
    static __device__ __forceinline__ u32 upper(float f) {
        u32 b = __float_as_uint(f);
        return f != f ? 0x7FFF : (b + 0x7FFF + (b >> 16 & 1)) >> 16;
    }
};

typedef Halves<IEEE> FP16;
typedef Halves<Brain> BF16;

template <typename T, typename Op> __device__ __forceinline__ vec16 apply(const vec16 &x, const vec16 &z) {
    vec16 y;
#pragma unroll
    for (u32 i = 0; i < 4; i++) y.w[i] = T::template word<Op>(x.w[i], z.w[i]);
    return y;
}

template <typename T, typename Op> __device__ __forceinline__ void run(void *out, const void *in, const void *other, u64 n) {
    typedef typename T::element element;
    element *y = (element *)out;
    const element *x = (const element *)in, *z = (const element *)other;
    const u32 per = 16 / sizeof(element), apart = threads * per;
    u64 start = (u64)blockIdx.x * (apart * vectors), i = start + threadIdx.x * per;
    if (start + apart * vectors <= n) {
        vec16 a[vectors], b[vectors];
#pragma unroll
        for (u32 v = 0; v < vectors; v++) {
            a[v] = load16(x + i + v * apart);
            b[v] = Op::operands == 2 ? load16(z + i + v * apart) : a[v];
        }
#pragma unroll
        for (u32 v = 0; v < vectors; v++) store16(y + i + v * apart, apply<T, Op>(a[v], b[v]));
        return;
    }
#pragma unroll 1
    for (u32 v = 0; v < vectors; v++, i += apart) {
        if (i + per <= n) {
            vec16 a = load16(x + i);
            store16(y + i, apply<T, Op>(a, Op::operands == 2 ? load16(z + i) : a));
            continue;
        }
#pragma unroll 1
        for (u64 j = i; j < n; j++) y[j] = (element)T::template word<Op>(__ldg(x + j), Op::operands == 2 ? __ldg(z + j) : 0);
    }
}

} // namespace elementwise

#define UNARY(name, suffix, T, Op)                                                                                            \
    extern "C" __global__ void __launch_bounds__(elementwise::threads, 4) name##_##suffix(void *y, const void *x, u64 n) {       \
        elementwise::run<elementwise::T, elementwise::Op>(y, x, x, n);                                                         \
    }
#define BINARY(name, suffix, T, Op)                                                                                           \
    extern "C" __global__ void __launch_bounds__(elementwise::threads, 4)                                                        \
        name##_##suffix(void *dx, const void *dy, const void *x, u64 n) {                                                     \
        elementwise::run<elementwise::T, elementwise::Op>(dx, dy, x, n);                                                       \
    }
#define EACH(suffix, T)                                                                                                       \
    UNARY(relu, suffix, T, ReLU)                                                                                              \
    UNARY(sigmoid, suffix, T, Sigmoid)                                                                                        \
    UNARY(tanh, suffix, T, Tanh)                                                                                              \
    UNARY(gelu, suffix, T, GELU)                                                                                              \
    UNARY(silu, suffix, T, SiLU)                                                                                              \
    BINARY(relu_backward, suffix, T, ReLUBackward)                                                                            \
    BINARY(sigmoid_backward, suffix, T, SigmoidBackward)

EACH(fp32, FP32)
EACH(fp16, FP16)
EACH(bf16, BF16)
