// Types, launch indices and the hash that the kernels share. Sources include nothing else:
// no toolkit header is needed to compile them, and what reaches the GPU is what stands here.
//
// Every parameter of an entry point is 8 bytes: a pointer or a u64. Operands start on
// multiples of 256 bytes and do not overlap; nothing outside them is read or written.
// Floating-point expressions are written with the intrinsics that round once (__fmaf_rn,
// __fmul_rn, ...), and the build forbids contraction, so that a value never depends on
// how the compiler schedules it.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

// One access of 16 bytes.
struct __align__(16) vec16 {
    u32 w[4];
};

static __device__ __forceinline__ vec16 load16(const void *p) {
    vec16 v;
    asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3]) : "l"(p));
    return v;
}

static __device__ __forceinline__ void store16(void *p, const vec16 &v) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" : : "l"(p), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3]) : "memory");
}

// The increment and the finaliser of splitmix64: element i of a stream is mix(seed + (i+1)*golden).
static const u64 golden = 0x9E3779B97F4A7C15ull;

static __device__ __forceinline__ u64 mix(u64 z) {
    z ^= z >> 30;
    z *= 0xBF58476D1CE4E5B9ull;
    z ^= z >> 27;
    z *= 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

// Which tile of C a block computes. Blocks run in about the order of their index; eight rows
// of tiles together, column by column, so that the blocks on the GPU at one time share rows of A and
// columns of B in its L2.
struct Tile {
    u32 row, column;
};

static __device__ __forceinline__ Tile grouped_tile(u32 block, u32 rows, u32 columns) {
    u32 group_rows = rows < 8 ? rows : 8; // group_rows * columns is then no more than the blocks that there are
    u32 first = block / (group_rows * columns) * group_rows, within = block % (group_rows * columns);
    u32 height = rows - first < group_rows ? rows - first : group_rows;
    return Tile{first + within % height, within / height};
}

// The sum of v over the 256 threads of a block, for thread 0.
static __device__ __forceinline__ u64 block_sum(u64 v) {
    __shared__ u64 of_warp[8];
    for (u32 offset = 16; offset > 0; offset /= 2) v += __shfl_down_sync(~0u, v, offset);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x == 0)
        for (u32 w = 1; w < 8; w++) v += of_warp[w];
    return v;
}
