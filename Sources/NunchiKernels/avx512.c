#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

#pragma clang attribute push(                                                    \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
    apply_to = function)

#define USE_VNNI 0
#include "avx512.inc"

#pragma clang attribute pop

const nk_operations nk_avx512_operations = {
    NK_AVX512, linear, quantize, rms_norm, gated, add,
    attention, argmax, next_above, log_sum_exp, race, read_all, int8_work};
#endif
