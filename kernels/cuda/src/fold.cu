// fold_W(out, c, n, cols): one block a row of cols elements (the last may be shorter),
//     out[r] = sum over j of word(c[r*cols + j]) * weight(j) mod 2^64,   weight(j) = mix((j+1)*golden) | 1
// The weights are odd, so that one wrong bit anywhere changes the sum, and differ, so that elements
// that changed places do. Sums mod 2^64 have no order: the result is the same whatever the schedule.
//
// fold_bits_B takes an element's B bytes as an unsigned word; fold_int_T the value rounded to the
// nearest integer (ties to even) in two's complement, which for operands that hold integers is exact
// whatever their precision. Values beyond the range of 64 bits saturate, and NaN is what the
// conversion instruction makes of it.
#include "common.cuh"

namespace fold {

const u32 threads = 256;

template <typename T> struct Bits {
    typedef T element;
    static __device__ __forceinline__ u64 word(T v) { return v; }
};

static __device__ __forceinline__ u64 nearest(float v) { return (u64)__float2ll_rn(v); }

struct Int32 {
    typedef u32 element;
    static __device__ __forceinline__ u64 word(u32 v) { return (u64)(s64)(int)v; }
};
struct FP32 {
    typedef u32 element;
    static __device__ __forceinline__ u64 word(u32 v) { return nearest(__uint_as_float(v)); }
};
struct BF16 {
    typedef u16 element;
    static __device__ __forceinline__ u64 word(u16 v) { return nearest(__uint_as_float((u32)v << 16)); }
};
struct FP16 {
    typedef u16 element;
    static __device__ __forceinline__ u64 word(u16 v) {
        float f;
        asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v));
        return nearest(f);
    }
};

template <typename W> __device__ __forceinline__ void run(u64 *out, const void *c, u64 n, u64 cols) {
    u64 start = (u64)blockIdx.x * cols;
    u64 length = n - start < cols ? n - start : cols;
    const typename W::element *row = (const typename W::element *)c + start;
    u64 sum = 0;
#pragma unroll 4
    for (u64 j = threadIdx.x; j < length; j += threads) sum += W::word(__ldg(row + j)) * (mix((j + 1) * golden) | 1);
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

} // namespace fold

#define FOLD(name, W)                                                                                              \
    extern "C" __global__ void __launch_bounds__(fold::threads) fold_##name(u64 *out, const void *c, u64 n, u64 cols) { \
        fold::run<W>(out, c, n, cols);                                                                              \
    }

FOLD(bits_1, fold::Bits<u8>)
FOLD(bits_2, fold::Bits<u16>)
FOLD(bits_4, fold::Bits<u32>)
FOLD(bits_8, fold::Bits<u64>)
FOLD(int_fp16, fold::FP16)
FOLD(int_bf16, fold::BF16)
FOLD(int_fp32, fold::FP32)
FOLD(int_int32, fold::Int32)
