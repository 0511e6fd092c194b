// Matrix products on the tensor cores by mma.sync: C[m][n] = A[m][k] * B[k][n], row-major; of int8, B lies n x k.
//
// gemm_panel.cuh says how operands lie in shared memory, gemm_warp.cuh and gemm_volta.cuh what a warp multiplies,
// gemm_store.cuh how C is stored. There are two ways to bring operands in, each with one barrier a stage:
//   copied  from sm_80 on: cp.async, of which all stages but one are on their way while that one is multiplied;
//   staged  before that, and where a chunk of 16 bytes may lie anywhere: through registers, two stages.
//
// Each product has three forms:
//   NAME       128 x 128 of C a block, 2 blocks a multiprocessor: for few tiles
//   NAME_wide  128 x 256, 1 block: a quarter less traffic with the L2, which limits large products: 64 bytes of k
//              of a tile are 24 KiB for twice the work for which NAME moves 16
//   NAME_any   as NAME, for every shape: the others need chunks that are inside of an operand or outside as
//              a whole, so n and k multiples of 16 bytes, of int8 only k
//
// What a warp issues for a stage, 64 bytes of k, in the loops of NAME_wide (NAME: about 13 more); the cycles for
// which that holds the tensor core of its scheduler, of datasheet rates; and the share of those cycles if nothing
// else were issued beside them, which a scheduler does:
//
//                      products              all  tensor core       share
//   sm_70   fp16       512 HMMA.884 steps    642  512 x 2 = 1024    0.89   (fp16/fp16: 256 steps of 4, of 375: 0.90)
//   sm_75   fp16       128 HMMA.1688         227  128 x 8 = 1024    0.91   (int8: 256 IMMA.8816 of 4, of 354: 0.91)
//   sm_80   fp16 bf16   64 HMMA.16816        137   64 x 8 =  512    0.88   (tf32: of 161, 0.84; int8: of 142, 0.87)
//   sm_86, sm_89        64                   137   64 x 16 = 1024   0.93   (GeForce, fp32 accumulators: 32 cycles, 0.97)
//   sm_90a              64                   137   64 x 4 =  256    0.78   (mma.sync reaches 0.63 of that rate: 0.85)
//
// Shared memory: 128 bytes read a product of 16 x 8 (gemm_warp.cuh), and 48 written for NAME_wide, 64 for the others.
// At the rate of sm_80, 2 cycles a product and multiprocessor, that is 176 or 192 of the 256 bytes it can move.
#include "gemm_store.cuh"
#include "gemm_volta.cuh"

#if __CUDA_ARCH__ >= 700
extern __shared__ __align__(128) unsigned char gemm_stages[];

namespace gemm {

// Both ways go on past the last stage: panels are empty there, so that zeros are brought in and nothing is
// read from global memory. Without branches in the loop, the compiler is free to mix copies, barrier and products.

#if __CUDA_ARCH__ >= 800
template <int Count, class G, class PanelA, class PanelB, class Product>
__device__ __forceinline__ void copied(PanelA &a, PanelB &b, Product &product, u32 stages) {
    const u32 first = (u32)__cvta_generic_to_shared(gemm_stages), end = first + Count * G::StageBytes;
    const u32 own_a = PanelA::own_place(), own_b = G::BytesA + PanelB::own_place();

#pragma unroll
    for (u32 stage = first; stage < end - G::StageBytes; stage += G::StageBytes) {
        copy(stage + own_a, a), copy(stage + own_b, b);
        copies_commit();
    }
    copies_wait<Count - 2>();
    __syncthreads();
    product.read(first, 0);

    u32 now = first, free = end - G::StageBytes;
#pragma unroll 1
    for (u32 s = 0; s < stages; ++s) {
        product.read(now, 1);
        // What lay in the free stage was multiplied in the last turn, and all warps have been past a barrier since
        // they read it.
        copy(free + own_a, a), copy(free + own_b, b);
        copies_commit();
        product.multiply(0);

        free = now;
        now = now + G::StageBytes == end ? first : now + G::StageBytes;
        copies_wait<Count - 2>();
        __syncthreads();
        product.read(now, 0);
        product.multiply(1);
    }
}
#endif

// The last step of a stage is multiplied while the next stage is stored and its first step read: but not with Any,
// whose loads of single elements leave no registers for it (nor, on sm_100, for having them where nothing is
// loaded).
template <bool Any, class G, class PanelA, class PanelB, class Product>
__device__ __forceinline__ void staged(PanelA &a, PanelB &b, Product &product, u32 stages) {
    u32 now = (u32)__cvta_generic_to_shared(gemm_stages), next = now + G::StageBytes;
    const u32 own_a = PanelA::own_place(), own_b = G::BytesA + PanelB::own_place();
    const int last = Product::StepsOfStage - 1;
    Staged<PanelA, Any> held_a;
    Staged<PanelB, Any> held_b;

    held_a.load(a), held_b.load(b);
    held_a.store(now + own_a), held_b.store(now + own_b);
    __syncthreads();
    if (!Any) product.read(now, 0);
#pragma unroll 1
    for (u32 s = 0; s < stages; ++s) {
        if (!Any || s + 1 < stages) held_a.load(a), held_b.load(b);
        if (Any) product.read(now, 0);
#pragma unroll
        for (int step = 0; step < last; ++step) {
            product.read(now, step + 1);
            product.multiply(step);
        }
        if (Any) product.multiply(last);
        // What lay in the next stage was read in the last turn, before its barrier.
        held_a.store(next + own_a), held_b.store(next + own_b);
        __syncthreads();
        if (!Any) product.read(next, 0);
        if (!Any) product.multiply(last);

        const u32 done = now;
        now = next;
        next = done;
    }
}

// block computes a block's part of C. P is the product (mma_step.cuh), PanelB how B lies, Store what becomes of
// accumulators.
template <class P, template <class, int, int> class B, class Store, class G, int Count, bool Any>
__device__ __forceinline__ void block(void *c, const void *a, const void *b, u64 m, u64 n, u64 k) {
    typedef typename P::In In;
    typedef KMajor<In, G::TileM, G::Threads> PanelA;
    typedef B<In, G::TileN, G::Threads> PanelB;
    const Tile tile = grouped_tile(blockIdx.x, (u32)((m + G::TileM - 1) / G::TileM), (u32)((n + G::TileN - 1) / G::TileN));
    const u64 row = (u64)tile.row * G::TileM, column = (u64)tile.column * G::TileN;

    PanelA panel_a((const In *)a, m, row, k);
    PanelB panel_b((const In *)b, n, column, k);
    Product<P, G, PanelA, PanelB> product;
    const u32 stages = (u32)((k + PanelA::Depth - 1) / PanelA::Depth);
#if __CUDA_ARCH__ >= 800
    if (!Any)
        copied<Count, G>(panel_a, panel_b, product, stages);
    else
#endif
        staged<Any, G>(panel_a, panel_b, product, stages);
    Store::template store<Any, G>(product, Place<typename Store::Element>{(typename Store::Element *)c, row, column, m, n});
}

typedef Geometry<2, 2> Square;
typedef Geometry<2, 4> Wide;

} // namespace gemm

// The last number of a form is its stages of cp.async.
#define GEMM_FORM(name, threads, blocks, ...)                                                                                         \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(void *c, const void *a, const void *b, u64 m, u64 n, u64 k) { \
        gemm::block<__VA_ARGS__>(c, a, b, m, n, k);                                                                                   \
    }
#define GEMM(name, ...)                                                    \
    GEMM_FORM(name, 128, 2, __VA_ARGS__, gemm::Square, 3, false)           \
    GEMM_FORM(name##_wide, 256, 1, __VA_ARGS__, gemm::Wide, 4, false)      \
    GEMM_FORM(name##_any, 128, 2, __VA_ARGS__, gemm::Square, 3, true)

#if __CUDA_ARCH__ == 700
GEMM(gemm_fp16_fp32, mma::VoltaFP16, gemm::NMajor, gemm::Pairs16<gemm::ToHalf>)
GEMM(gemm_fp16_fp16, mma::VoltaFP16FP16, gemm::NMajor, gemm::Pairs16<gemm::ToHalf>)
#else
GEMM(gemm_fp16_fp32, mma::FP16, gemm::NMajor, gemm::Pairs16<gemm::ToHalf>)
GEMM(gemm_fp16_fp16, mma::FP16FP16, gemm::NMajor, gemm::Pairs16<gemm::ToHalf>)
GEMM(gemm_int8_int32, mma::INT8, gemm::KMajor, gemm::Pairs32)
#endif
#if __CUDA_ARCH__ >= 800
GEMM(gemm_bf16_fp32, mma::BF16, gemm::NMajor, gemm::Pairs16<gemm::ToBfloat>)
GEMM(gemm_tf32_fp32, mma::TF32, gemm::NMajor, gemm::Pairs32)
#endif
#undef GEMM
#undef GEMM_FORM
#endif
