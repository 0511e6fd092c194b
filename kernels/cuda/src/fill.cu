// fill_B(dst, table, n, seed): dst[i] = table[mix(seed + (i+1)*golden) >> 48], elements of B bytes,
// a table of 65536 of them. The host draws the table (quantiles of a normal distribution,
// integers, zeros), so that it knows every element of an operand without reading it back.
#include "common.cuh"

namespace fill {

const u32 threads = 256, vectors = 4; // of 16 bytes a thread

template <typename T> __device__ __forceinline__ T element(const T *table, u64 seed, u64 i) {
    return __ldg(table + (mix(seed + (i + 1) * golden) >> 48));
}

template <typename T> __device__ __forceinline__ void run(T *dst, const T *table, u64 n, u64 seed) {
    const u32 per = 16 / sizeof(T);
    u64 start = (u64)blockIdx.x * (threads * vectors * per);
#pragma unroll 1
    for (u32 v = 0; v < vectors; v++) {
        u64 i = start + (v * threads + threadIdx.x) * per;
        if (i + per <= n) {
            union {
                vec16 all;
                T one[per];
            } out;
#pragma unroll
            for (u32 j = 0; j < per; j++) out.one[j] = element(table, seed, i + j);
            store16(dst + i, out.all);
        } else {
            for (; i < n; i++) dst[i] = element(table, seed, i);
        }
    }
}

} // namespace fill

#define FILL(bytes, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(fill::threads) fill_##bytes(void *dst, const void *table, u64 n, u64 seed) { \
        fill::run((T *)dst, (const T *)table, n, seed);                                                                       \
    }

FILL(1, u8)
FILL(2, u16)
FILL(4, u32)
FILL(8, u64)
