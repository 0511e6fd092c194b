// What kernels of other shapes than ours are compiled to: run by ../snippets_test.go.
// snippets.compute_50.ptx and snippets.compute_80.ptx are NVRTC 12.9's output for --gpu-architecture=compute_50 and
// compute_80, with --std=c++17 --device-as-default-execution-space and no other option.

typedef unsigned long long u64;

__constant__ int primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};

// reduce leaves the sum of n values in out[block], by way of shuffles and shared memory.
extern "C" __global__ void reduce(u64 *out, const int *x, u64 n) {
  __shared__ int part[32];
  int sum = 0;
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < n; i += (u64)gridDim.x * blockDim.x) sum += x[i];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffff, sum, step);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0;
    for (int step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffff, sum, step);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
  }
}

// digits counts the digits of x[i] by value, in an array that lies in local memory, and leaves the digit that is there most,
// the lowest of several.
extern "C" __global__ void digits(int *y, const unsigned *x, u64 n) {
  u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
  if (i >= n) return;
  int count[10];
  for (int d = 0; d < 10; d++) count[d] = 0;
  for (unsigned v = x[i]; v; v /= 10) count[v % 10]++;
  int best = 0;
  for (int d = 1; d < 10; d++)
    if (count[d] > count[best]) best = d;
  y[i] = best;
}

// choose takes one of several ways by the value of x[i], with a table in constant memory.
extern "C" __global__ void choose(int *y, const int *x, u64 n) {
  u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
  if (i >= n) return;
  int v = x[i];
  switch (v & 7) {
    case 0: v = primes[(v >> 3) & 7]; break;
    case 1: v = -v; break;
    case 2: v = v * v; break;
    case 3: v = __popc(v); break;
    case 4: v = __clz(v); break;
    case 5: v = v / 7; break;
    case 6: v = v % 7; break;
    default:
      while ((v & 1) && v != -1) v >>= 1;
  }
  y[i] = v;
}

// histogram counts bytes, first in dynamic shared memory, then in out.
extern "C" __global__ void histogram(unsigned *out, const unsigned char *x, u64 n) {
  extern __shared__ unsigned bins[];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) bins[b] = 0;
  __syncthreads();
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < n; i += (u64)gridDim.x * blockDim.x) atomicAdd(&bins[x[i]], 1u);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&out[b], bins[b]);
}

// functions leaves several functions of x[i], as the compiler's own library computes them.
extern "C" __global__ void functions(float *y, const float *x, u64 n) {
  u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i];
  y[i] = expf(v);
  y[n + i] = tanhf(v);
  y[2 * n + i] = sqrtf(fabsf(v)) / (1 + v * v);
  y[3 * n + i] = logf(1 + fabsf(v));
  y[4 * n + i] = sinf(v);
  y[5 * n + i] = (float)(1.0 / (1.0 + exp((double)-v)));
  y[6 * n + i] = floorf(v) + rintf(v) + truncf(v) + (float)(int)v;
  y[7 * n + i] = erff(v);
}
