// copy_fp64(dst, src, n), triad_fp64(a, b, c, n): a = b + 3*c, read_fp64(out, x, n): out[block] = the sum
// mod 2^64 of the block's elements as 64-bit words, so that no load can be left out. A block takes one
// chunk; its threads have all their loads under way before the first is used.
#include "common.cuh"

namespace bandwidth {

const u32 threads = 256;

// Two doubles, or two words of 64 bits.
union Pair {
    vec16 all;
    double d[2];
    u64 w[2];
};

static __device__ __forceinline__ double scaled(double b, double c) { return __fma_rn(3.0, c, b); }

struct Copy {
    static const u32 vectors = 4, operands = 1;
    static __device__ __forceinline__ double one(double x, double) { return x; }
};
struct Triad {
    static const u32 vectors = 4, operands = 2;
    static __device__ __forceinline__ double one(double b, double c) { return scaled(b, c); }
};

// y[i] = Op::one(x[i], z[i]); z is not read by an Op of one operand.
template <typename Op> __device__ __forceinline__ void run(double *y, const double *x, const double *z, u64 n) {
    const u32 chunk = threads * Op::vectors * 2;
    u64 start = (u64)blockIdx.x * chunk + threadIdx.x * 2;
    if ((u64)blockIdx.x * chunk + chunk <= n) {
        Pair a[Op::vectors], b[Op::vectors];
#pragma unroll
        for (u32 v = 0; v < Op::vectors; v++) {
            a[v].all = load16(x + start + v * threads * 2);
            if (Op::operands == 2) b[v].all = load16(z + start + v * threads * 2);
        }
#pragma unroll
        for (u32 v = 0; v < Op::vectors; v++) {
            Pair out;
            out.d[0] = Op::one(a[v].d[0], Op::operands == 2 ? b[v].d[0] : 0);
            out.d[1] = Op::one(a[v].d[1], Op::operands == 2 ? b[v].d[1] : 0);
            store16(y + start + v * threads * 2, out.all);
        }
        return;
    }
#pragma unroll
    for (u32 v = 0; v < Op::vectors; v++)
#pragma unroll
        for (u32 j = 0; j < 2; j++) {
            u64 i = start + v * threads * 2 + j;
            if (i < n) y[i] = Op::one(__ldg(x + i), Op::operands == 2 ? __ldg(z + i) : 0);
        }
}

const u32 read_vectors = 8;

} // namespace bandwidth

extern "C" __global__ void __launch_bounds__(bandwidth::threads) copy_fp64(double *dst, const double *src, u64 n) {
    bandwidth::run<bandwidth::Copy>(dst, src, src, n);
}

extern "C" __global__ void __launch_bounds__(bandwidth::threads) triad_fp64(double *a, const double *b, const double *c, u64 n) {
    bandwidth::run<bandwidth::Triad>(a, b, c, n);
}

extern "C" __global__ void __launch_bounds__(bandwidth::threads) read_fp64(u64 *out, const u64 *x, u64 n) {
    using namespace bandwidth;
    const u32 chunk = threads * read_vectors * 2;
    u64 start = (u64)blockIdx.x * chunk + threadIdx.x * 2;
    u64 sum = 0;
    if ((u64)blockIdx.x * chunk + chunk <= n) {
        Pair a[read_vectors];
#pragma unroll
        for (u32 v = 0; v < read_vectors; v++) a[v].all = load16(x + start + v * threads * 2);
#pragma unroll
        for (u32 v = 0; v < read_vectors; v++) sum += a[v].w[0] + a[v].w[1];
    } else {
#pragma unroll
        for (u32 v = 0; v < read_vectors; v++)
#pragma unroll
            for (u32 j = 0; j < 2; j++) {
                u64 i = start + v * threads * 2 + j;
                if (i < n) sum += __ldg(x + i);
            }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}
