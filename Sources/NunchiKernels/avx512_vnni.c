#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#pragma clang attribute push(                                                           \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#define LOAD_HALF16(p) ((f32x16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p))))
#include "layers.inc"

#define LANES 16
#define USE_VNNI 1
#define PREFETCH_BLOCK(p, bytes) prefetch_block(p, bytes)
INLINE void prefetch_block(const uint8_t *p, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) _mm_prefetch((const char *)p + 3072 + i, _MM_HINT_T0);
}
#include "linear_x86.inc"
#include "operations.inc"

#pragma clang attribute pop

const nk_operations nk_avx512_vnni_operations = {linear, quantize, rms_norm, gated, add, attention,
                                            argmax, log_sum_exp, read_all, int8_work};
#endif
