// What a warp does with a stage, from Turing on: 64 x 64 elements of C, in two steps of 32 bytes of k.
//
// A step reads 64 x 32 bytes of A and 32 bytes x 64 of B from shared memory, 4 KiB, and issues 4 x 8 products of 16
// x 8: 128 bytes a product.
#pragma once
#include "gemm_panel.cuh"
#include "mma_step.cuh"

#if __CUDA_ARCH__ >= 750
namespace gemm {

const int RowTiles = 4, ColumnTiles = 8; // products of 16 x 8 in a warp's 64 x 64

// matrices loads four 8 x 16-byte matrices: lanes 8i to 8i+7 give the rows of matrix i, which goes to word i; a
// lane gets word lane%4 of row lane/4. matrices_transposed does so for fp16, with rows and columns exchanged.
__device__ __forceinline__ void matrices(u32 &w0, u32 &w1, u32 &w2, u32 &w3, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(w0), "=r"(w1), "=r"(w2), "=r"(w3) : "r"(address) : "memory");
}
__device__ __forceinline__ void matrices_transposed(u32 &w0, u32 &w1, u32 &w2, u32 &w3, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(w0), "=r"(w1), "=r"(w2), "=r"(w3) : "r"(address) : "memory");
}

// A reader reads a step's fragments of a warp's 64 rows of A or columns of B, of which `first` is the first in the
// panel. Its `at` is this lane's address at step 0, relative to the panel. A step's other addresses differ from it
// by a sum or by an exclusive or with a constant, as the swizzle takes only bits that they leave alone.
template <class Panel>
struct ReaderA {
    u32 at;
    // Matrices of 16 rows: rows 0-7 and 8-15 at the first 16 bytes of k, then at the second.
    __device__ __forceinline__ ReaderA(u32 first) { at = Panel::place(first + lane() % 16, lane() / 16); }
    __device__ __forceinline__ void read(u32 (&a)[RowTiles][4], u32 panel, int step) const {
#pragma unroll
        for (int i = 0; i < RowTiles; ++i) matrices(a[i][0], a[i][1], a[i][2], a[i][3], panel + (at ^ step * 32) + i * 16 * 64);
    }
};

template <class Panel>
struct ReaderB;

// fp16, bf16. Matrices of 16 columns: 8 columns at k 0-7 and 8-15, then the next 8.
template <int Columns, int Threads>
struct ReaderB<NMajor<unsigned short, Columns, Threads>> {
    typedef NMajor<unsigned short, Columns, Threads> Panel;
    u32 at;
    __device__ __forceinline__ ReaderB(u32 first) { at = Panel::place(lane() % 16, first / Panel::PerChunk + lane() / 16); }
    __device__ __forceinline__ void read(u32 (&b)[ColumnTiles][2], u32 panel, int step) const {
#pragma unroll
        for (int j = 0; j < ColumnTiles; j += 2)
            matrices_transposed(b[j][0], b[j][1], b[j + 1][0], b[j + 1][1], panel + (at ^ j * 16) + step * 16 * Panel::RowBytes);
    }
};

// tf32, for which ldmatrix cannot exchange rows and columns: word by word, four rows of eight columns at a time.
template <int Columns, int Threads>
struct ReaderB<NMajor<u32, Columns, Threads>> {
    typedef NMajor<u32, Columns, Threads> Panel;
    u32 at;
    __device__ __forceinline__ ReaderB(u32 first) { at = Panel::place(lane() % 4, first / Panel::PerChunk + lane() / 16) + lane() / 4 % 4 * 4; }
    __device__ __forceinline__ void read(u32 (&b)[ColumnTiles][2], u32 panel, int step) const {
#pragma unroll
        for (int j = 0; j < ColumnTiles; ++j)
#pragma unroll
            for (int r = 0; r < 2; ++r) load_shared(b[j][r], panel + (at ^ j % 4 * 32) + j / 4 * 128 + (step * 8 + r * 4) * Panel::RowBytes);
    }
};

// int8, whose B lies by columns. Matrices of 16 columns: 8 columns at the two halves of k, then the next 8.
template <int Rows, int Threads>
struct ReaderB<KMajor<unsigned char, Rows, Threads>> {
    typedef KMajor<unsigned char, Rows, Threads> Panel;
    u32 at;
    __device__ __forceinline__ ReaderB(u32 first) { at = Panel::place(first + lane() % 8 + lane() / 16 * 8, lane() / 8 % 2); }
    __device__ __forceinline__ void read(u32 (&b)[ColumnTiles][2], u32 panel, int step) const {
#pragma unroll
        for (int j = 0; j < ColumnTiles; j += 2)
            matrices(b[j][0], b[j][1], b[j + 1][0], b[j + 1][1], panel + (at ^ step * 32) + j * 8 * 64);
    }
};

// Product is the accumulators of a warp's part of C, and the fragments of two steps: one is read while the other is
// multiplied.
template <class P, class G, class PanelA, class PanelB>
struct Product {
    static const int StepsOfStage = 2;

    typename P::Acc::Register c[RowTiles][ColumnTiles][P::C];
    u32 a[2][RowTiles][P::A], b[2][ColumnTiles][P::B];
    ReaderA<PanelA> reader_a;
    ReaderB<PanelB> reader_b;

    __device__ __forceinline__ Product() : reader_a(G::row()), reader_b(G::column()) {
#pragma unroll
        for (int i = 0; i < RowTiles; ++i)
#pragma unroll
            for (int j = 0; j < ColumnTiles; ++j)
#pragma unroll
                for (int r = 0; r < P::C; ++r) c[i][j][r] = 0;
    }
    __device__ __forceinline__ void read(u32 stage, int step) {
        reader_a.read(a[step % 2], stage, step);
        reader_b.read(b[step % 2], stage + G::BytesA, step);
    }
    __device__ __forceinline__ void multiply(int step) { mma::Steps<P>::tile(c, a[step % 2], b[step % 2]); }
};

} // namespace gemm
#endif
