// fma_T(out, iterations, one): the issue limit of the CUDA cores, ptx-simt. Each thread carries eight
// independent chains x = x*a + b from 0 with a = b = one. The host passes one = 1, which the compiler
// cannot know, so that nothing folds and every chain counts its own multiply-adds exactly;
// out[thread] is their sum, 256*iterations. One iteration is 256 multiply-adds a thread.
//
// a and b are one register: an instruction then reads two, which no bank conflict can slow. Eight
// chains a warp and eight warps a scheduler cover the latency (4 cycles) many times over.
// The chains start from one >> 1, one >> 2, ...: zeros that are not provably the same zero, or they would be one chain.
#include "common.cuh"

namespace chain {

const u32 threads = 256, chains = 8;

struct FP32 {
    typedef float type;
    // Before they are emptied chains count 2^16 iterations of 32: far from 2^24, where fp32 ends counting.
    static const u32 batch = 1 << 16, lanes = 1;
    static __device__ __forceinline__ float from(u64 v) { return (float)(u32)v; }
    static __device__ __forceinline__ float step(float x, float a) { return __fmaf_rn(x, a, a); }
    static __device__ __forceinline__ u64 count(float x) { return __float2uint_rz(x); }
};

struct FP64 {
    typedef double type;
    static const u32 batch = 1 << 16, lanes = 1;
    static __device__ __forceinline__ double from(u64 v) { return (double)(u32)v; }
    static __device__ __forceinline__ double step(double x, double a) { return __fma_rn(x, a, a); }
    static __device__ __forceinline__ u64 count(double x) { return __double2uint_rz(x); }
};

// Two halves a register: an instruction is two multiply-adds.
struct FP16 {
    typedef u32 type;
    // 128 iterations of 16 reach 2048, the last integer up to which halves count.
    static const u32 batch = 128, lanes = 2;
    static __device__ __forceinline__ u32 from(u64 v) {
        u32 x;
        asm("{\n\t.reg .b16 h;\n\tcvt.rn.f16.u32 h, %1;\n\tmov.b32 %0, {h, h};\n\t}" : "=r"(x) : "r"((u32)v));
        return x;
    }
    static __device__ __forceinline__ u32 step(u32 x, u32 a) {
        asm("fma.rn.f16x2 %0, %0, %1, %1;" : "+r"(x) : "r"(a));
        return x;
    }
    static __device__ __forceinline__ u64 count(u32 x) {
        u32 low, high;
        asm("{\n\t.reg .b16 l, h;\n\tmov.b32 {l, h}, %2;\n\tcvt.rzi.u32.f16 %0, l;\n\tcvt.rzi.u32.f16 %1, h;\n\t}" : "=r"(low), "=r"(high) : "r"(x));
        return low + high;
    }
};

template <typename T> __device__ __forceinline__ void run(u64 *out, u64 iterations, u64 one) {
    const u32 steps = 256 / (chains * T::lanes);
    const typename T::type a = T::from(one);
    u64 counted = 0;
    while (iterations > 0) {
        typename T::type x[chains];
#pragma unroll
        for (u32 c = 0; c < chains; c++) x[c] = T::from(one >> (c + 1));
        u32 batch = iterations < T::batch ? (u32)iterations : T::batch;
        iterations -= batch;
#pragma unroll 1
        for (u32 i = batch / 2; i > 0; i--) // two iterations at once: half the loop's own cost
#pragma unroll
            for (u32 s = 0; s < 2 * steps; s++)
#pragma unroll
                for (u32 c = 0; c < chains; c++) x[c] = T::step(x[c], a);
        if (batch % 2 != 0)
#pragma unroll
            for (u32 s = 0; s < steps; s++)
#pragma unroll
                for (u32 c = 0; c < chains; c++) x[c] = T::step(x[c], a);
#pragma unroll
        for (u32 c = 0; c < chains; c++) counted += T::count(x[c]);
    }
    out[(u64)blockIdx.x * threads + threadIdx.x] = counted;
}

} // namespace chain

extern "C" __global__ void __launch_bounds__(chain::threads) fma_fp32(u64 *out, u64 iterations, u64 one) {
    chain::run<chain::FP32>(out, iterations, one);
}

extern "C" __global__ void __launch_bounds__(chain::threads) fma_fp64(u64 *out, u64 iterations, u64 one) {
    chain::run<chain::FP64>(out, iterations, one);
}

#if __CUDA_ARCH__ >= 700
extern "C" __global__ void __launch_bounds__(chain::threads) fma_fp16(u64 *out, u64 iterations, u64 one) {
    chain::run<chain::FP16>(out, iterations, one);
}
#endif
