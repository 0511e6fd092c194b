// How a gemm's operands lie in shared memory, and how they get there.
//
// A warp computes 64 x 64 elements of C, a block 2 x 2 or 2 x 4 warps of them, 64 bytes of k at a time: 32 of k for
// fp16 and bf16, 16 for tf32, 64 for int8. The part of an operand for that is a panel, of 4 KiB a row or column of
// warps; a panel of A and one of B are a stage.
//
// ldmatrix, LDS.128 and the stores of chunks each serve 8 lanes at a time: they do so without conflict if
// the 8 chunks lie in different sixteen-byte columns of the 128-byte width of shared memory. So a chunk's
// place in its row is the exclusive or of its index and some bits of its row's.
//
// Panels know the edges: valid(i) is how many elements of chunk i are inside the operand; the rest count as 0.
#pragma once
#include "common.cuh"

namespace gemm {

const int ChunkBytes = 16;

__device__ __forceinline__ u32 lane() { return threadIdx.x & 31; }
__device__ __forceinline__ u32 warp() { return threadIdx.x >> 5; }

// clamp limits a count of elements to 0..limit.
__device__ __forceinline__ int clamp(s64 count, int limit) { return count < 0 ? 0 : count < limit ? (int)count : limit; }

// Geometry is how a block's warps share its part of C.
template <int Rows, int Columns>
struct Geometry {
    static const int TileM = 64 * Rows, TileN = 64 * Columns, Threads = 32 * Rows * Columns;
    static const int BytesA = TileM * 64, BytesB = TileN * 64, StageBytes = BytesA + BytesB;
    // The first row and column of this warp's part.
    static __device__ __forceinline__ u32 row() { return warp() / Columns * 64; }
    static __device__ __forceinline__ u32 column() { return warp() % Columns * 64; }
};

// KMajor is a panel of Rows rows (of C's rows for A, of its columns for a transposed B) of 64 bytes of k, brought
// in by Threads threads.
template <class T, int Rows, int Threads>
struct KMajor {
    static const int PerChunk = ChunkBytes / sizeof(T), Depth = 64 / sizeof(T);
    static const int PassRows = Threads / 4, Chunks = Rows / PassRows; // a thread's
    static const int PassBytes = PassRows * 64;

    const T *source; // chunk 0, at the present depth
    u64 stride;      // elements from one chunk to the next
    s64 depth_left;  // elements of k from source on
    int rows_left;   // rows from that of chunk 0 on, if fewer than Rows

    __device__ __forceinline__ KMajor(const T *base, u64 rows, u64 first, u64 k) {
        const u32 row = threadIdx.x / 4, chunk = threadIdx.x % 4;
        source = base + (first + row) * k + chunk * PerChunk;
        stride = PassRows * k;
        depth_left = (s64)k - (s64)(chunk * PerChunk);
        rows_left = clamp((s64)(rows - first) - (s64)row, Rows);
    }
    __device__ __forceinline__ const T *chunk(int i) const { return source + i * stride; }
    __device__ __forceinline__ int valid(int i) const { return PassRows * i < rows_left ? clamp(depth_left, PerChunk) : 0; }
    __device__ __forceinline__ void advance() {
        source += Depth;
        depth_left -= Depth;
    }
    // Where in the panel a chunk of a row lies. Two rows are 128 bytes.
    static __device__ __forceinline__ u32 place(u32 row, u32 chunk) { return row * 64 + (chunk ^ (row / 2 % 4)) * ChunkBytes; }
    static __device__ __forceinline__ u32 own_place() { return place(threadIdx.x / 4, threadIdx.x % 4); }
};

// NMajor is a panel of B as it lies in memory: Depth rows of k, each Columns columns.
template <class T, int Columns, int Threads>
struct NMajor {
    static const int PerChunk = ChunkBytes / sizeof(T), Depth = 64 / sizeof(T);
    static const int RowBytes = Columns * sizeof(T), RowChunks = RowBytes / ChunkBytes;
    static const int PassRows = Threads / RowChunks, Chunks = Depth / PassRows;
    static const int PassBytes = PassRows * RowBytes;

    const T *source;
    u64 row_stride;
    s64 depth_left; // rows from that of chunk 0 on
    int in_chunk;   // valid columns of this thread's chunks

    __device__ __forceinline__ NMajor(const T *base, u64 n, u64 first, u64 k) {
        const u32 row = threadIdx.x / RowChunks, column = threadIdx.x % RowChunks * PerChunk;
        source = base + row * n + first + column;
        row_stride = n;
        depth_left = (s64)k - (s64)row;
        in_chunk = clamp((s64)(n - first) - (s64)column, PerChunk);
    }
    __device__ __forceinline__ const T *chunk(int i) const { return source + i * PassRows * row_stride; }
    __device__ __forceinline__ int valid(int i) const { return i * PassRows < depth_left ? in_chunk : 0; }
    __device__ __forceinline__ void advance() {
        source += Depth * row_stride;
        depth_left -= Depth;
    }
    // fp16: ldmatrix meets 8 rows at one chunk, so all 3 bits of the row count. tf32: a warp reads
    // words of 4 rows at 2 neighbouring chunks, so 2 bits of the row, above the lowest of the chunk.
    static __device__ __forceinline__ u32 place(u32 row, u32 chunk) {
        return row * RowBytes + (chunk ^ (sizeof(T) == 2 ? row % 8 : row % 4 * 2)) * ChunkBytes;
    }
    static __device__ __forceinline__ u32 own_place() { return place(threadIdx.x / RowChunks, threadIdx.x % RowChunks); }
};

// load reads a chunk of which the first `valid` elements exist; 0 for the others. With Any, elements are read one
// by one, since a chunk can lie at any element and end anywhere; without, a chunk is valid as a whole or not at all.
template <bool Any, class T>
__device__ __forceinline__ vec16 load(const T *chunk, int valid) {
    vec16 v = {{0, 0, 0, 0}};
    if (!Any) {
        if (valid > 0) v = load16(chunk);
        return v;
    }
    const int per_word = 4 / sizeof(T);
#pragma unroll
    for (int e = 0; e < 4 * per_word; ++e)
        if (e < valid) v.w[e / per_word] |= (u32)chunk[e] << e % per_word * 8 * (int)sizeof(T) % 32;
    return v;
}

__device__ __forceinline__ void store_shared(u32 address, const vec16 &v) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3]) : "memory");
}

__device__ __forceinline__ void load_shared(u32 &w, u32 address) { asm volatile("ld.shared.u32 %0, [%1];" : "=r"(w) : "r"(address) : "memory"); }

__device__ __forceinline__ void load_shared(u32 (&w)[4], u32 address) {
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3]) : "r"(address) : "memory");
}

// Staged holds one thread's chunks of a panel in registers, on their way from global to shared memory.
template <class Panel, bool Any>
struct Staged {
    vec16 held[Panel::Chunks];

    __device__ __forceinline__ void load(Panel &p) {
#pragma unroll
        for (int i = 0; i < Panel::Chunks; ++i) held[i] = gemm::load<Any>(p.chunk(i), p.valid(i));
        p.advance();
    }
    __device__ __forceinline__ void store(u32 panel) const {
#pragma unroll
        for (int i = 0; i < Panel::Chunks; ++i) store_shared(panel + i * Panel::PassBytes, held[i]);
    }
};

#if __CUDA_ARCH__ >= 800
// copy starts the copies of one thread's chunks of a panel. A chunk outside the operand is not read: its
// size is 0, and cp.async fills with zeros what is missing from 16 bytes.
template <class Panel>
__device__ __forceinline__ void copy(u32 panel, Panel &p) {
#pragma unroll
    for (int i = 0; i < Panel::Chunks; ++i) {
        const int size = p.valid(i) > 0 ? ChunkBytes : 0;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(panel + i * Panel::PassBytes), "l"(p.chunk(i)), "r"(size) : "memory");
    }
    p.advance();
}
__device__ __forceinline__ void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// copies_wait returns when all groups but the last `pending` have landed.
template <int Pending>
__device__ __forceinline__ void copies_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"); }
#endif

} // namespace gemm
