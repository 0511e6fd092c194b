// What a warp does with a stage on Volta: 64 x 64 elements of C by mma.m8n8k4, in four steps of 8 of k.
//
// mma.m8n8k4 is four products of 8x8x4 a warp, each of a quadpair: lanes 4p to 4p+3 and 16+4p to 16+4p+3. Within
// one (PTX ISA), with s = lane%4 and h = 1 for the lanes from 16 on: A row-major, this lane's 4 of k of row s+4h; B
// row-major, this lane's 4 columns from 4h on of row s of k; fp16 accumulators, all 8 columns of row s+4h; fp32
// accumulator i, row (s&1)+(i&2)+4h, column (i&4)+(s&2)+(i&1).
//
// There is no ldmatrix, so rows and columns are dealt out to suit 16-byte loads. With P = p%2, Q = p/2:
//   row r of tile i is row 16i + 8(r/4) + 4P + r%4 of the warp's: a quarter of a warp reads 8 rows, of 8 of k: two products;
//   column c of tile 2j+e is column 32j + 16Q + 8(c/4) + 4e + c%4: a lane reads 8 columns, 4 for each of two tiles.
//
// A step reads 8 chunks a lane for 32 mma.m8n8k4 a warp: 64 x 8 of A and 8 x 64 of B, 2 KiB, 64 bytes a product, each
// read twice, by two quadpairs. 8 x 4 passes of shared memory against 64 cycles of the tensor cores.
#pragma once
#include "gemm_store.cuh"

#if __CUDA_ARCH__ == 700
namespace gemm {

const int RowTiles = 4, ColumnTiles = 4; // products of 8 x 8 in a quadpair's part

template <class P, class G, class PanelA, class PanelB>
struct Product {
    static const int StepsOfStage = 4;

    typename P::Acc::Register c[RowTiles][ColumnTiles][P::C];
    u32 a[2][RowTiles][4], b[2][2][2][4]; // a: two products' k side by side. b: k half, pair of tiles; two tiles side by side
    u32 at_a, at_b;

    __device__ __forceinline__ Product() {
        const u32 s = lane() % 4, h = lane() / 16, p = lane() / 4 % 4;
        at_a = PanelA::place(G::row() + 8 * h + 4 * (p % 2) + s, 0);
        at_b = PanelB::place(s, G::column() / 8 + 2 * (p / 2) + h);
#pragma unroll
        for (int i = 0; i < RowTiles; ++i)
#pragma unroll
            for (int j = 0; j < ColumnTiles; ++j)
#pragma unroll
                for (int r = 0; r < P::C; ++r) c[i][j][r] = 0;
    }

    __device__ __forceinline__ void read(u32 stage, int step) {
#pragma unroll
        for (int i = 0; i < RowTiles; ++i) load_shared(a[step % 2][i], stage + (at_a ^ step * 16) + i * 16 * 64);
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int j = 0; j < 2; ++j) // row 4 and pair 1 both exchange bit 2 of the chunk
                load_shared(b[step % 2][half][j], stage + G::BytesA + (at_b ^ (half ^ j) * 64) + (step * 8 + half * 4) * PanelB::RowBytes);
    }

    __device__ __forceinline__ void multiply(int step) {
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int i = 0; i < RowTiles; ++i)
#pragma unroll
                for (int j = 0; j < ColumnTiles; ++j) {
                    const u32 *wa = a[step % 2][i] + 2 * half, *wb = b[step % 2][half][j / 2] + 2 * (j % 2);
                    const u32 fa[2] = {wa[0], wa[1]}, fb[2] = {wb[0], wb[1]};
                    P::template step<0>(c[i][j], fa, fb);
                }
    }
};

// Pairs16 is for fp16 elements. Where n is a multiple of 8, a lane stores 8 neighbouring columns; else it stores
// two of a product of 8 x 8 at a time, or one where n is odd.
template <class To>
struct Pairs16 {
    typedef unsigned short Element;

    template <bool Any, class G, class P, class PanelA, class PanelB>
    static __device__ __forceinline__ void store(const Product<P, G, PanelA, PanelB> &p, const Place<Element> &block) {
        const u32 s = lane() % 4, h = lane() / 16, quadpair = lane() / 4 % 4;
        const bool whole_rows = P::Acc::Width == 2; // of fp16 accumulators, a lane has all columns of a row
        const Place<Element> at = block.moved(G::row() + 8 * h + 4 * (quadpair % 2) + (whole_rows ? s : s & 1), G::column() + 16 * (quadpair / 2));
#pragma unroll
        for (int i = 0; i < RowTiles; ++i)
#pragma unroll
            for (int j = 0; j < ColumnTiles; j += 2)
                if (Any)
                    pairs<P>(p.c[i][j], p.c[i][j + 1], at.moved(0, whole_rows ? 0 : s & 2), i * 16, j * 16);
                else if (whole_rows)
                    runs_of_rows<P>(p.c[i][j], p.c[i][j + 1], at, i * 16, j * 16);
                else
                    runs<P>(p.c[i][j], p.c[i][j + 1], at.moved(0, 4 * (s & 2)), s & 2, i * 16, j * 16);
    }

    // Word w of a product: of fp16, columns 2w and 2w+1; of fp32, those of 4(w/2) and 4(w/2)+1 from the lane's own
    // on, 2(w%2) rows down.
    template <class P>
    static __device__ __forceinline__ u32 word(const typename P::Acc::Register (&c)[P::C], int w) {
        return To::pair(&c[w * (2 / P::Acc::Width)]);
    }
    template <class P>
    static __device__ __forceinline__ void pairs(const typename P::Acc::Register (&even)[P::C], const typename P::Acc::Register (&odd)[P::C],
                                                 const Place<Element> &at, int row, int column) {
        const bool rows = P::Acc::Width == 2, aligned = at.n % 2 == 0;
#pragma unroll
        for (int w = 0; w < 4; ++w) {
            const u32 first[1] = {word<P>(even, w)}, second[1] = {word<P>(odd, w)};
            const int down = rows ? 0 : w % 2 * 2, right = w / 2 * 8 + (rows ? w % 2 * 2 : 0);
            at.put(row + down, column + right, first, aligned);
            at.put(row + down, column + right + 4, second, aligned);
        }
    }
    template <class P>
    static __device__ __forceinline__ void runs_of_rows(const typename P::Acc::Register (&even)[P::C], const typename P::Acc::Register (&odd)[P::C],
                                                        const Place<Element> &at, int row, int column) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 run[4] = {word<P>(even, 2 * half), word<P>(even, 2 * half + 1), word<P>(odd, 2 * half), word<P>(odd, 2 * half + 1)};
            at.put(row, column + half * 8, run, true);
        }
    }
    // Lanes s and s^2 have the columns 0, 1 and 2, 3 of every 4 of a row: of 16, the first takes the lower 8, the
    // second the upper.
    template <class P>
    static __device__ __forceinline__ void runs(const typename P::Acc::Register (&even)[P::C], const typename P::Acc::Register (&odd)[P::C],
                                                const Place<Element> &at, bool upper, int row, int column) {
#pragma unroll
        for (int w = 0; w < 2; ++w) {
            const u32 lower_even = word<P>(even, w), upper_even = word<P>(even, w + 2), lower_odd = word<P>(odd, w), upper_odd = word<P>(odd, w + 2);
            const u32 got_even = __shfl_xor_sync(~0u, upper ? lower_even : upper_even, 2), got_odd = __shfl_xor_sync(~0u, upper ? lower_odd : upper_odd, 2);
            const u32 run[4] = {upper ? got_even : lower_even, upper ? upper_even : got_even, upper ? got_odd : lower_odd, upper ? upper_odd : got_odd};
            at.put(row + w * 2, column, run, true);
        }
    }
};

} // namespace gemm
#endif
