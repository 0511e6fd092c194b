// How a gemm's results get from accumulators to C: rounded once to what C holds, masked at its edges, in
// the widest stores that the alignment of its rows allows.
#pragma once
#include "gemm_warp.cuh"

namespace gemm {

// Place is an element of C, from which a thread counts those that it stores.
template <class T>
struct Place {
    T *c;
    u64 row, column, m, n;

    __device__ __forceinline__ Place moved(u32 rows, u32 columns) const { return Place{c, row + rows, column + columns, m, n}; }

    // put stores the elements of W words at neighbouring columns, those that are inside of C. Aligned says that
    // one store of all W words is possible.
    template <int W>
    __device__ __forceinline__ void put(u32 rows, u32 columns, const u32 (&w)[W], bool aligned) const {
        const int per_word = 4 / sizeof(T), count = W * per_word;
        if (row + rows >= m) return;
        T *at = c + (row + rows) * n + column + columns;
        const s64 inside = (s64)(n - column) - (s64)columns;
        if (aligned && inside >= count) {
            if (W == 1) asm volatile("st.global.u32 [%0], %1;" ::"l"(at), "r"(w[0]) : "memory");
            if (W == 2) asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(at), "r"(w[0]), "r"(w[1 % W]) : "memory");
            if (W == 4) asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(w[0]), "r"(w[1 % W]), "r"(w[2 % W]), "r"(w[3 % W]) : "memory");
            return;
        }
#pragma unroll
        for (int e = 0; e < count; ++e)
            if (e < inside) at[e] = (T)(w[e / per_word] >> (int)(e % per_word * 8 * sizeof(T)));
    }
};

__device__ __forceinline__ u32 bits(float c) { return __float_as_uint(c); }
__device__ __forceinline__ u32 bits(int c) { return (u32)c; }

// What becomes of accumulators: pair is two results as a word of two 16-bit elements.
struct ToHalf {
    static __device__ __forceinline__ u32 pair(const float *c) { return mma::half2(c[0], c[1]); }
    static __device__ __forceinline__ u32 pair(const u32 *c) { return c[0]; } // are fp16 already
};
struct ToBfloat {
    static __device__ __forceinline__ u32 pair(const float *c) {
        u32 w = 0;
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(w) : "f"(c[0]), "f"(c[1]));
#endif
        return w;
    }
};

#if __CUDA_ARCH__ >= 750

// transpose exchanges, among the four lanes of a quad, word j of lane i with word i of lane j.
__device__ __forceinline__ void transpose(u32 (&w)[4]) {
    const bool odd = lane() & 1, upper = lane() & 2;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        const u32 got = __shfl_xor_sync(~0u, odd ? w[i] : w[i + 1], 1);
        w[i] = odd ? got : w[i];
        w[i + 1] = odd ? w[i + 1] : got;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const u32 got = __shfl_xor_sync(~0u, upper ? w[i] : w[i + 2], 2);
        w[i] = upper ? got : w[i];
        w[i + 2] = upper ? w[i + 2] : got;
    }
}

// Pairs16 is for 16-bit elements. Where n is a multiple of 8 the words of four tiles change hands, so that each
// lane has 8 neighbouring columns and a quad stores 64 bytes; else a word at a time, or an element where n is odd.
template <class To>
struct Pairs16 {
    typedef unsigned short Element;
    template <bool Any, class G, class Product>
    static __device__ __forceinline__ void store(const Product &p, const Place<Element> &block) {
        const Place<Element> at = block.moved(G::row() + lane() / 4, G::column() + (Any ? lane() % 4 * 2 : lane() % 4 * 8));
        const bool even = at.n % 2 == 0;
        const int half = sizeof(p.c[0][0]) / 8; // registers of a row
#pragma unroll
        for (int i = 0; i < RowTiles; ++i)
#pragma unroll
            for (int r = 0; r < 2; ++r)
#pragma unroll
                for (int j = 0; j < ColumnTiles; j += 4) {
                    u32 w[4];
#pragma unroll
                    for (int t = 0; t < 4; ++t) w[t] = To::pair(&p.c[i][j + t][r * half]);
                    if (!Any) {
                        transpose(w);
                        at.put(i * 16 + r * 8, j * 8, w, true);
                    } else {
#pragma unroll
                        for (int t = 0; t < 4; ++t) {
                            const u32 one[1] = {w[t]};
                            at.put(i * 16 + r * 8, (j + t) * 8, one, even);
                        }
                    }
                }
    }
};

// Pairs32 is for 32-bit elements: the two columns of a lane at a time, which are 32 bytes a quad.
struct Pairs32 {
    typedef u32 Element;
    template <bool Any, class G, class Product>
    static __device__ __forceinline__ void store(const Product &p, const Place<Element> &block) {
        const Place<Element> at = block.moved(G::row() + lane() / 4, G::column() + lane() % 4 * 2);
        const bool even = at.n % 2 == 0;
#pragma unroll
        for (int i = 0; i < RowTiles; ++i)
#pragma unroll
            for (int j = 0; j < ColumnTiles; ++j)
#pragma unroll
                for (int r = 0; r < 2; ++r) {
                    const u32 w[2] = {bits(p.c[i][j][r * 2]), bits(p.c[i][j][r * 2 + 1])};
                    at.put(i * 16 + r * 8, j * 8, w, even);
                }
    }
};

#endif

} // namespace gemm
