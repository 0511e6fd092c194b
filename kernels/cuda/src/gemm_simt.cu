// gemm_fp32_fp32(c, a, b, m, n, k) and gemm_fp32_fp32_any: row-major C = A·B on the CUDA cores, ptx-simt.
// m, n and k are below 2^31. The vector form needs n and k to be multiples of 4 and loads 16
// bytes at a time; _any takes every shape and loads one element at a time into the same tiles.
//
// A block of 256 threads computes 128x128 of C in steps of 8 along k, eight warps of 32x64, 8x8 a
// thread. Tiles lie twice in shared memory: while one is multiplied the next waits in registers,
// and one barrier a step suffices. A lies transposed, so that both fragments of a thread are 16-byte
// loads; lanes are numbered two rows by four columns within each eight, so that neighbours read one address
// and a load of a warp is two passes over the banks, not four.
// A step is 512 multiply-adds and 32 shared loads a thread.
#include "common.cuh"

namespace simt {

const u32 threads = 256, tile = 128, step = 8;
const u32 pitch = tile + 4; // of A transposed: the rows that a warp writes at once fall into 32 banks

struct Problem {
    float *c;
    const float *a, *b;
    u32 m, n, k;
};

struct Buffer {
    float a[step][pitch], b[step][tile];
};

// Two buffers, apart by a power of two: an address passes to the other by one exclusive or.
const u32 apart = 16384, shared_bytes = apart + sizeof(Buffer);
static_assert(sizeof(Buffer) <= apart, "a buffer ends before the next");
const u32 b_at = step * pitch; // of b in a Buffer, in floats
const int never = 0x7FFFFFFF;

// Loads of one thread: four elements of A's tile and four of B's, zero outside the matrices. left
// is what remains of k from the start of the tile on.
struct Vector {
    const float *a, *b;
    int first_a, first_b; // k of the elements in a tile, or beyond every k outside m and n
    u32 place_a, place_b; // where in a buffer they go, in floats

    __device__ __forceinline__ Vector(const Problem &p, u32 row, u32 column) {
        u32 a_row = threadIdx.x / 2, a_k = threadIdx.x % 2 * 4;
        u32 b_k = threadIdx.x / 32, b_column = threadIdx.x % 32 * 4;
        first_a = row + a_row < p.m ? (int)a_k : never;
        first_b = column + b_column < p.n ? (int)b_k : never;
        place_a = a_k * pitch + a_row, place_b = b_at + b_k * tile + b_column;
        a = p.a + (u64)(row + a_row) * p.k + a_k;
        b = p.b + (u64)b_k * p.n + column + b_column;
    }
    __device__ __forceinline__ void load(const Problem &p, int left, float4 &x, float4 &y) {
        x = y = make_float4(0, 0, 0, 0);
        if (first_a < left) x = __ldg((const float4 *)a);
        if (first_b < left) y = __ldg((const float4 *)b);
        a += step, b += (u64)step * p.n;
    }
    static __device__ __forceinline__ void store(float *to_a, float *to_b, const float4 &x, const float4 &y) {
        to_a[0 * pitch] = x.x, to_a[1 * pitch] = x.y, to_a[2 * pitch] = x.z, to_a[3 * pitch] = x.w;
        *(float4 *)to_b = y;
    }
    static __device__ __forceinline__ void out(float *c, u32 column, u32 n, const float (&v)[4]) {
        if (column < n) *(float4 *)c = make_float4(v[0], v[1], v[2], v[3]);
    }
};

// A thread's elements are 32 rows of A and 32 columns of B apart.
struct Scalar {
    const float *a, *b;
    int rows, columns; // of the matrices from the thread's first element on
    int a_k, b_k;
    u32 place_a, place_b;

    __device__ __forceinline__ Scalar(const Problem &p, u32 row, u32 column) {
        u32 a_row = threadIdx.x / 8, b_column = threadIdx.x % 32;
        a_k = threadIdx.x % 8, b_k = threadIdx.x / 32;
        place_a = a_k * pitch + a_row, place_b = b_at + b_k * tile + b_column;
        rows = (int)(p.m - row - a_row), columns = (int)(p.n - column - b_column);
        a = p.a + (u64)(row + a_row) * p.k + a_k;
        b = p.b + (u64)b_k * p.n + column + b_column;
    }
    __device__ __forceinline__ void load(const Problem &p, int left, float4 &x, float4 &y) {
        x = y = make_float4(0, 0, 0, 0);
        if (a_k < left) {
            if (rows > 0) x.x = __ldg(a);
            if (rows > 32) x.y = __ldg(a + (u64)32 * p.k);
            if (rows > 64) x.z = __ldg(a + (u64)64 * p.k);
            if (rows > 96) x.w = __ldg(a + (u64)96 * p.k);
        }
        if (b_k < left) {
            if (columns > 0) y.x = __ldg(b);
            if (columns > 32) y.y = __ldg(b + 32);
            if (columns > 64) y.z = __ldg(b + 64);
            if (columns > 96) y.w = __ldg(b + 96);
        }
        a += step, b += (u64)step * p.n;
    }
    static __device__ __forceinline__ void store(float *to_a, float *to_b, const float4 &x, const float4 &y) {
        to_a[0] = x.x, to_a[32] = x.y, to_a[64] = x.z, to_a[96] = x.w;
        to_b[0] = y.x, to_b[32] = y.y, to_b[64] = y.z, to_b[96] = y.w;
    }
    static __device__ __forceinline__ void out(float *c, u32 column, u32 n, const float (&v)[4]) {
#pragma unroll
        for (u32 j = 0; j < 4; j++)
            if (column + j < n) c[j] = v[j];
    }
};

// Eight values of a row of a tile: four at p, four at p + second.
static __device__ __forceinline__ void fragment(float (&f)[8], const float *p, u32 second) {
    float4 low = *(const float4 *)p, high = *(const float4 *)(p + second);
    f[0] = low.x, f[1] = low.y, f[2] = low.z, f[3] = low.w;
    f[4] = high.x, f[5] = high.y, f[6] = high.z, f[7] = high.w;
}

template <typename Loads> __device__ __forceinline__ void run(const Problem &p) {
    __shared__ __align__(16) char shared[shared_bytes];
    Tile at = grouped_tile(blockIdx.x, (p.m + tile - 1) / tile, (p.n + tile - 1) / tile);
    u32 row = at.row * tile, column = at.column * tile;
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;

    float acc[8][8] = {};
    float4 next_a, next_b;
    Loads loads(p, row, column);
    u32 write_a = loads.place_a * 4, write_b = loads.place_b * 4;
    u32 read_a = (warp / 2 * 32 + (lane / 16 * 2 + lane % 2) * 4) * 4;
    u32 read_b = (b_at + warp % 2 * 64 + lane / 2 % 8 * 4) * 4;
    loads.load(p, (int)p.k, next_a, next_b);
    loads.store((float *)(shared + write_a), (float *)(shared + write_b), next_a, next_b);
    __syncthreads();

#pragma unroll 1
    for (int left = (int)p.k; left > 0; left -= step) {
        loads.load(p, left - (int)step, next_a, next_b); // beyond k, zeros that nobody reads
        const float *fragments_a = (const float *)(shared + read_a), *fragments_b = (const float *)(shared + read_b);
#pragma unroll
        for (u32 kk = 0; kk < step; kk++) {
            float fa[8], fb[8];
            fragment(fa, fragments_a + kk * pitch, 16);
            fragment(fb, fragments_b + kk * tile, 32);
#pragma unroll
            for (u32 i = 0; i < 8; i++)
#pragma unroll
                for (u32 j = 0; j < 8; j++) acc[i][j] = __fmaf_rn(fa[i], fb[j], acc[i][j]);
        }
        // The other buffer was last read before the previous barrier.
        write_a ^= apart, write_b ^= apart, read_a ^= apart, read_b ^= apart;
        loads.store((float *)(shared + write_a), (float *)(shared + write_b), next_a, next_b);
        __syncthreads();
    }

    // The thread's rows are r..r+3 and r+16..r+19 of the tile, its columns c..c+3 and c+32..c+35:
    // taken from the addresses, so that the loop keeps no registers for them.
    u32 r = read_a % apart / 4, c = read_b % apart / 4 - b_at;
#pragma unroll
    for (u32 i = 0; i < 8; i++) {
        u32 in_row = row + r + i % 4 + i / 4 * 16;
        if (in_row >= p.m) continue;
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            u32 in_column = column + c + half * 32;
            float v[4] = {acc[i][half * 4], acc[i][half * 4 + 1], acc[i][half * 4 + 2], acc[i][half * 4 + 3]};
            Loads::out(p.c + (u64)in_row * p.n + in_column, in_column, p.n, v);
        }
    }
}

} // namespace simt

// Two blocks a multiprocessor: without the second bound the compiler takes a 129th register and with it half the occupancy.
extern "C" __global__ void __launch_bounds__(simt::threads, 2)
    gemm_fp32_fp32(float *c, const float *a, const float *b, u64 m, u64 n, u64 k) {
    simt::run<simt::Vector>(simt::Problem{c, a, b, (u32)m, (u32)n, (u32)k});
}

extern "C" __global__ void __launch_bounds__(simt::threads, 2)
    gemm_fp32_fp32_any(float *c, const float *a, const float *b, u64 m, u64 n, u64 k) {
    simt::run<simt::Scalar>(simt::Problem{c, a, b, (u32)m, (u32)n, (u32)k});
}
