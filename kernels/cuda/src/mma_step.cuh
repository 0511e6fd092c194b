// The mma.sync instructions of each precision, behind one shape of policy. A policy multiplies a 16 x 32-byte piece
// of A by a 32-byte x 8 piece of B (fp16, bf16: k = 16; tf32: k = 8; int8: k = 32), in the register layout of
// mma.m16n8k16, .m16n8k8 (tf32) and .m16n8k32. Where an architecture has only a smaller instruction, the same
// registers feed several of it: Steps counts them, and step<S> issues one, so that a caller can put independent
// ones between two that share an accumulator.
//
// With g = lane/4, q = lane%4 and w one 32-bit word of operands (PTX ISA, "Warp Level Matrix
// Multiply-Accumulate Instructions"):
//   a[0] (row g, word q)   a[1] (row g+8, word q)   a[2] (row g, word q+4)   a[3] (row g+8, word q+4)
//   b[0] (word q, column g)                         b[1] (word q+4, column g)
//   accumulators of 32 bits: c[0], c[1] (row g, columns 2q, 2q+1)   c[2], c[3] (row g+8, the same)
//   accumulators of 16 bits: c[0] both of row g                     c[1] both of row g+8
//
// Volta is different in kind (four independent 8x8x4 products a warp): see gemm_volta.cuh.
#pragma once
#include "common.cuh"

namespace mma {

// half2 rounds two numbers to fp16, to nearest even; half_low and half_high take them back.
__device__ __forceinline__ u32 half2(float lo, float hi) {
    u32 w;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(w) : "f"(lo), "f"(hi));
#else
    asm("{\n\t.reg .b16 l, h;\n\tcvt.rn.f16.f32 l, %1;\n\tcvt.rn.f16.f32 h, %2;\n\tmov.b32 %0, {l, h};\n\t}"
        : "=r"(w) : "f"(lo), "f"(hi));
#endif
    return w;
}

__device__ __forceinline__ float half_low(u32 w) {
    float f;
    asm("{\n\t.reg .b16 l, h;\n\tmov.b32 {l, h}, %1;\n\tcvt.f32.f16 %0, l;\n\t}" : "=f"(f) : "r"(w));
    return f;
}

__device__ __forceinline__ float half_high(u32 w) {
    float f;
    asm("{\n\t.reg .b16 l, h;\n\tmov.b32 {l, h}, %1;\n\tcvt.f32.f16 %0, h;\n\t}" : "=f"(f) : "r"(w));
    return f;
}

// Accumulators: the register that holds Width of them, and, while they are whole numbers of
// at most Exact, what they add up to.
struct Float {
    typedef float Register;
    static const int Width = 1;
    static const u32 Exact = 1 << 24;
    static __device__ __forceinline__ u64 count(float c) { return (u32)c; }
};
struct Int {
    typedef int Register;
    static const int Width = 1;
    static const u32 Exact = 1 << 30;
    static __device__ __forceinline__ u64 count(int c) { return (u32)c; }
};
struct Half2 {
    typedef u32 Register;
    static const int Width = 2;
    static const u32 Exact = 1 << 11;
    static __device__ __forceinline__ u64 count(u32 c) { return (u32)(half_low(c) + half_high(c)); }
};

// fp16 operands, fp32 accumulators.
struct FP16 {
    typedef unsigned short In;
    typedef Float Acc;
    static const int A = 4, B = 2, C = 4; // registers a lane
    static const int K = 16;
    static __device__ __forceinline__ u32 word(float one) { return half2(one, one); }
#if __CUDA_ARCH__ >= 800
    static const int Steps = 1;
    template <int S>
    static __device__ __forceinline__ void step(float (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
#elif __CUDA_ARCH__ >= 750
    static const int Steps = 2; // k halves
    template <int S>
    static __device__ __forceinline__ void step(float (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[2 * S]), "r"(a[2 * S + 1]), "r"(b[S]));
    }
#endif
};

// fp16 operands, fp16 accumulators.
struct FP16FP16 {
    typedef unsigned short In;
    typedef Half2 Acc;
    static const int A = 4, B = 2, C = 2;
    static const int K = 16;
    static __device__ __forceinline__ u32 word(float one) { return half2(one, one); }
#if __CUDA_ARCH__ >= 800
    static const int Steps = 1;
    template <int S>
    static __device__ __forceinline__ void step(u32 (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
                     : "+r"(c[0]), "+r"(c[1])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
#elif __CUDA_ARCH__ >= 750
    static const int Steps = 2;
    template <int S>
    static __device__ __forceinline__ void step(u32 (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3}, {%4}, {%0,%1};"
                     : "+r"(c[0]), "+r"(c[1])
                     : "r"(a[2 * S]), "r"(a[2 * S + 1]), "r"(b[S]));
    }
#endif
};

#if __CUDA_ARCH__ >= 800
// bf16 operands, fp32 accumulators.
struct BF16 {
    typedef unsigned short In;
    typedef Float Acc;
    static const int A = 4, B = 2, C = 4;
    static const int K = 16;
    static const int Steps = 1;
    static __device__ __forceinline__ u32 word(float one) {
        const u32 upper = __float_as_uint(one) >> 16;
        return upper << 16 | upper;
    }
    template <int S>
    static __device__ __forceinline__ void step(float (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

// fp32 operands of which the tensor core reads the upper 19 bits, fp32 accumulators.
struct TF32 {
    typedef u32 In;
    typedef Float Acc;
    static const int A = 4, B = 2, C = 4;
    static const int K = 8;
    static const int Steps = 1;
    static __device__ __forceinline__ u32 word(float one) { return __float_as_uint(one); }
    template <int S>
    static __device__ __forceinline__ void step(float (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};
#endif

#if __CUDA_ARCH__ >= 750
// int8 operands, int32 accumulators that wrap.
struct INT8 {
    typedef unsigned char In;
    typedef Int Acc;
    static const int A = 4, B = 2, C = 4;
    static const int K = 32;
    static __device__ __forceinline__ u32 word(float one) { return (u32)one * 0x01010101u; }
#if __CUDA_ARCH__ >= 800
    static const int Steps = 1;
    template <int S>
    static __device__ __forceinline__ void step(int (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
#else
    static const int Steps = 4; // k halves by row halves: a[S], with b of its half of k
    template <int S>
    static __device__ __forceinline__ void step(int (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        const int rows = 2 * (S & 1);
        asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
                     : "+r"(c[rows]), "+r"(c[rows + 1])
                     : "r"(a[S]), "r"(b[S >> 1]));
    }
#endif
};
#endif

#if __CUDA_ARCH__ == 700
// Volta's mma.m8n8k4 with A and B row-major, in Acc of C registers: four 8x8x4 products a warp.
// Assembled for a later architecture it would become FFMA: hence the guard.
struct VoltaFP16 {
    typedef unsigned short In;
    typedef Float Acc;
    static const int A = 2, B = 2, C = 8;
    static const int K = 4;
    static const int Steps = 1;
    static __device__ __forceinline__ u32 word(float one) { return half2(one, one); }
    template <int S>
    static __device__ __forceinline__ void step(float (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m8n8k4.row.row.f32.f16.f16.f32 {%0,%1,%2,%3,%4,%5,%6,%7}, {%8,%9}, {%10,%11}, {%0,%1,%2,%3,%4,%5,%6,%7};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7])
                     : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(b[1]));
    }
};

struct VoltaFP16FP16 {
    typedef unsigned short In;
    typedef Half2 Acc;
    static const int A = 2, B = 2, C = 4;
    static const int K = 4;
    static const int Steps = 1;
    static __device__ __forceinline__ u32 word(float one) { return half2(one, one); }
    template <int S>
    static __device__ __forceinline__ void step(u32 (&c)[C], const u32 (&a)[A], const u32 (&b)[B]) {
        asm volatile("mma.sync.aligned.m8n8k4.row.row.f16.f16.f16.f16 {%0,%1,%2,%3}, {%4,%5}, {%6,%7}, {%0,%1,%2,%3};"
                     : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(b[1]));
    }
};
#endif

// Steps<P> issues all steps of a product for many accumulators: step 0 for each of them, then step 1.
template <class P, int S = 0, bool More = (S < P::Steps)>
struct Steps {
    template <int Chains>
    static __device__ __forceinline__ void all(typename P::Acc::Register (&c)[Chains][P::C], const u32 (&a)[P::A], const u32 (&b)[P::B]) {
#pragma unroll
        for (int j = 0; j < Chains; ++j) P::template step<S>(c[j], a, b);
        Steps<P, S + 1>::all(c, a, b);
    }
    template <int I, int J>
    static __device__ __forceinline__ void tile(typename P::Acc::Register (&c)[I][J][P::C], const u32 (&a)[I][P::A], const u32 (&b)[J][P::B]) {
#pragma unroll
        for (int i = 0; i < I; ++i)
#pragma unroll
            for (int j = 0; j < J; ++j) {
                const int turn = i % 2 ? J - 1 - j : j; // back and forth: b's registers are met again while still at hand
                P::template step<S>(c[i][turn], a[i], b[turn]);
            }
        Steps<P, S + 1>::tile(c, a, b);
    }
};
template <class P, int S>
struct Steps<P, S, false> {
    template <int Chains>
    static __device__ __forceinline__ void all(typename P::Acc::Register (&)[Chains][P::C], const u32 (&)[P::A], const u32 (&)[P::B]) {}
    template <int I, int J>
    static __device__ __forceinline__ void tile(typename P::Acc::Register (&)[I][J][P::C], const u32 (&)[I][P::A], const u32 (&)[J][P::B]) {}
};

} // namespace mma
