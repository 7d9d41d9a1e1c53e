#include "adamw.h"

// The same C for each instruction set; the best one is taken when the program starts.
#if defined(__x86_64__) && defined(__linux__)
#define FOR_EACH_SET __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_SET
#endif

FOR_EACH_SET
void tk_adamw(const tk_adamw_factors *factors, float *restrict value, float *restrict gradient,
              float *restrict first, float *restrict second, int64_t count) {
#pragma clang fp contract(off)
  const tk_adamw_factors f = *factors;
  const float share1 = 1 - f.beta1, share2 = 1 - f.beta2;
  for (int64_t i = 0; i < count; i++) {
    float g = gradient[i] * f.gradient_scale;
    float m = first[i] + share1 * (g - first[i]);
    float v = f.beta2 * second[i] + share2 * g * g;
    first[i] = m;
    second[i] = v;
    value[i] = value[i] * f.decay - f.step_size * (m / (__builtin_elementwise_sqrt(v) / f.root_correction + f.epsilon));
    gradient[i] = 0;
  }
}

FOR_EACH_SET
double tk_sum_of_squares(const float *x, int64_t count) {
#pragma clang fp contract(off)
  enum { LANES = 16 };
  double sums[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) {
      double value = x[i + lane];
      sums[lane] += value * value;
    }
  double sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
  for (; i < count; i++) sum += (double)x[i] * x[i];
  return sum;
}
