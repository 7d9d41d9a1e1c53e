#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define LOAD_HALF16(p) load_half16(p)
typedef float f32x8 __attribute__((ext_vector_type(8)));
static inline __attribute__((always_inline)) float __attribute__((ext_vector_type(16)))
load_half16(const uint16_t *p) {
  f32x8 low = (f32x8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
  f32x8 high = (f32x8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                 15);
}
#define REGISTERS 16
#include "layers.inc"

#define LANES 8
#define USE_VNNI 0
#include "linear_x86.inc"
#include "operations.inc"

#pragma clang attribute pop

const nk_operations nk_avx2_operations = {
    NK_AVX2, linear, quantize, rms_norm, gated, add,
    attention, argmax, next_above, log_sum_exp, race, read_all, int8_work};
#endif
