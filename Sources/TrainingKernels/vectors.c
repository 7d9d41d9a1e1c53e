#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

uint32_t tk_flush_denormals(void) {
  uint32_t state = _mm_getcsr();
  _mm_setcsr(state | 0x8040);
  return state;
}

void tk_restore(uint32_t state) { _mm_setcsr(state); }
#else
uint32_t tk_flush_denormals(void) { return 0; }
void tk_restore(uint32_t state) { (void)state; }
#endif

TK void tk_axpy(float a, const float *x, float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] += a * x[i];
}

TK void tk_combine(float a, const float *x, float b, const float *y, float *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) out[i] = a * x[i] + b * y[i];
}

TK void tk_scale(float a, const float *x, float *out, int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++) out[i] = (add ? out[i] : 0) + a * x[i];
}

TK void tk_multiply(const float *x, const float *y, float *out, int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++) out[i] = (add ? out[i] : 0) + x[i] * y[i];
}

// Blocks are added in float, and their sums in double.
enum { BLOCK = 4096 };

TK double tk_dot(const float *x, const float *y, int64_t count) {
  REASSOCIATE
  double total = 0;
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t end = first + BLOCK < count ? first + BLOCK : count;
    float sum = 0;
    for (int64_t i = first; i < end; i++) sum += x[i] * y[i];
    total += sum;
  }
  return total;
}

double tk_sum_squares(const float *x, int64_t count) { return tk_dot(x, x, count); }

TK void tk_column_sums(const float *x, int64_t rows, int64_t columns, int64_t begin, int64_t end,
                       float *out) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = begin; c < end; c++) out[c] += x[r * columns + c];
}

TK void tk_from_bf16(const uint16_t *x, float *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(&out[i], &bits, 4);
  }
}

TK void tk_to_bf16(const float *x, uint16_t *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], 4);
    uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    uint32_t nan = (bits >> 16) | 0x40;
    out[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded);
  }
}

TK double tk_smooth_l1(const float *x, const float *y, int64_t count) {
  REASSOCIATE
  double total = 0;
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t end = first + BLOCK < count ? first + BLOCK : count;
    float sum = 0;
    for (int64_t i = first; i < end; i++) {
      float d = fabsf(x[i] - y[i]);
      sum += d < 1 ? 0.5f * d * d : d - 0.5f;
    }
    total += sum;
  }
  return total;
}

TK void tk_smooth_l1_gradient(const float *x, const float *y, float factor, float *dx,
                              int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++) {
    float d = x[i] - y[i];
    d = d > 1 ? 1 : d;
    d = d < -1 ? -1 : d;
    dx[i] = (add ? dx[i] : 0) + factor * d;
  }
}

TK void tk_adamw(const tk_adam_options *options, float *value, const float *gradient, float *mean,
                 float *square, int64_t count) {
  const tk_adam_options o = *options;
  const float kept = 1 - o.rate * o.decay, step = o.rate / o.correction1;
  const float spread = 1 / sqrtf(o.correction2);
  for (int64_t i = 0; i < count; i++) {
    float g = gradient[i] * o.gradient_scale;
    float m = o.beta1 * mean[i] + (1 - o.beta1) * g;
    float v = o.beta2 * square[i] + (1 - o.beta2) * g * g;
    mean[i] = m;
    square[i] = v;
    value[i] = kept * value[i] - step * m / (__builtin_elementwise_sqrt(v) * spread + o.epsilon);
  }
}
