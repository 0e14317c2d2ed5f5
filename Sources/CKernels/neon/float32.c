// Advanced SIMD, which every 64-bit ARM CPU has: 32 registers of 4 floats. The tile of 12 × 8
// keeps 24 of them as sums.

#if defined(__aarch64__)

#include "vector.h"
#include "../shared/vector.h"

static bool isSupported(void) { return true; }

// Two terms at a time: a load that fills all lanes with one value takes a vector unit from the
// multiply-adds, a multiply-add by one lane of a register does not. By llvm-mca 19 the loop of
// the 12 × 8 tile so keeps 100 % of the units of Neoverse N1 and N2 busy and 99 % of V1's and
// V2's, instead of 68 % and 65 %.
#define OWN_TERMS
INLINE void addTerms(const size_t rows, size_t start, size_t end, const float *x, size_t ldx,
                     const float *panel, const TileContext *context,
                     vec sums[TILE_ROWS][2]) {
  size_t k = start;
  for (; k + 2 <= end; k += 2) {
    const float *terms = panel + k * PanelColumns;
    __builtin_prefetch(context->ahead + k * context->aheadStep);
    __builtin_prefetch(context->ahead + (k + 1) * context->aheadStep);
    const vec left0 = vload(terms), right0 = vload(terms + LANES);
    const vec left1 = vload(terms + 2 * LANES), right1 = vload(terms + 3 * LANES);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      const float32x2_t values = vld1_f32(x + r * ldx + k);
      sums[r][0] = vfmaq_lane_f32(sums[r][0], left0, values, 0);
      sums[r][1] = vfmaq_lane_f32(sums[r][1], right0, values, 0);
      sums[r][0] = vfmaq_lane_f32(sums[r][0], left1, values, 1);
      sums[r][1] = vfmaq_lane_f32(sums[r][1], right1, values, 1);
    }
  }
  if (k < end) {
    const vec left = vload(panel + k * PanelColumns);
    const vec right = vload(panel + k * PanelColumns + LANES);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      const vec value = vset(x[r * ldx + k]);
      sums[r][0] = vfma(value, left, sums[r][0]);
      sums[r][1] = vfma(value, right, sums[r][1]);
    }
  }
}

#include "../shared/float32.h"

const KernelSet neonKernels = KERNEL_SET("neon", PrecisionFloat32, NULL);

#endif
