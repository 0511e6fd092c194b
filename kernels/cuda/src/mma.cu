// The issue limit of the tensor cores by mma.sync: operands and accumulators stay in registers.
//
// One iteration is 768 multiply-adds a thread in every entry: 12 mma.m16n8k16, 24 of the instructions
// half as large (m16n8k8, m8n8k16, m8n8k4), 6 mma.m16n8k32. They form at most 12 chains, so that few
// warps suffice to hide the latency of an accumulator (18 to 35 cycles).
//
// A and B hold `one` everywhere, which is 1 and known only at run time: a product adds its k to each
// accumulator, and the accumulators of a thread count its multiply-adds. They are counted out before they
// stop being exact: fp16 at 2048, fp32 at 2^24.
//
// In the loop, per warp and iteration, beside the products: 3 instructions (add, compare, branch).
// Issue slots that are products, where a product holds the tensor core of its scheduler for c cycles and
// any other instruction issues in 1 beside it: 12 x c against 12 + 3. From c = 2 on, the tensor core is the limit.
#include "mma_step.cuh"

#if __CUDA_ARCH__ >= 700
namespace mma {

template <class P>
__device__ __forceinline__ void chains(u64 *out, u64 iterations, u64 one) {
    const int each = P::K * P::C * P::Acc::Width; // multiply-adds of a product, a thread
    const int products = 768 / each;              // an iteration
    const int count = products < 12 ? products : 12;
    const int rounds = products / count;
    static_assert(rounds * count * each == 768, "an iteration is 768 multiply-adds a thread");
    const u32 exact = P::Acc::Exact / (P::K * rounds); // iterations before accumulators are full

    // The bits of one above the lowest are 0, which the compiler cannot know: operands that it can prove
    // equal it keeps in one register and copies, in the loop, to where an instruction wants them.
    u32 a[P::A], b[P::B];
#pragma unroll
    for (int i = 0; i < P::A; ++i) a[i] = P::word((float)one) ^ (u32)(one >> (8 + i));
#pragma unroll
    for (int i = 0; i < P::B; ++i) b[i] = P::word((float)one) ^ (u32)(one >> (16 + i));

    u64 counted = 0;
#pragma unroll 1
    while (iterations > 0) {
        typename P::Acc::Register c[count][P::C];
#pragma unroll
        for (int j = 0; j < count; ++j)
#pragma unroll
            for (int i = 0; i < P::C; ++i) c[j][i] = 0;

        const u32 turns = iterations < exact ? (u32)iterations : exact;
#pragma unroll 1
        for (u32 turn = 0; turn < turns; ++turn) {
#pragma unroll
            for (int r = 0; r < rounds; ++r) Steps<P>::all(c, a, b);
        }
        iterations -= turns;

#pragma unroll
        for (int j = 0; j < count; ++j)
#pragma unroll
            for (int i = 0; i < P::C; ++i) counted += P::Acc::count(c[j][i]);
    }
    out[(u64)blockIdx.x * blockDim.x + threadIdx.x] = counted;
}

} // namespace mma

// 256 threads, 2 blocks a multiprocessor: 4 warps a scheduler.
#define MMA_LIMIT(name, P) \
    extern "C" __global__ void __launch_bounds__(256, 2) name(u64 *out, u64 iterations, u64 one) { mma::chains<mma::P>(out, iterations, one); }

#if __CUDA_ARCH__ == 700
MMA_LIMIT(mma_fp16_fp32, VoltaFP16)
MMA_LIMIT(mma_fp16_fp16, VoltaFP16FP16)
#else
MMA_LIMIT(mma_fp16_fp32, FP16)
MMA_LIMIT(mma_fp16_fp16, FP16FP16)
MMA_LIMIT(mma_int8_int32, INT8)
#endif
#if __CUDA_ARCH__ >= 800
MMA_LIMIT(mma_bf16_fp32, BF16)
MMA_LIMIT(mma_tf32_fp32, TF32)
#endif
#undef MMA_LIMIT
#endif
