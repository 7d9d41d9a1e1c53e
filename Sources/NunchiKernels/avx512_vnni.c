#if defined(__x86_64__)
#include <immintrin.h>

#include "internal.h"

// The tests compile this file once more, with the instruction emulated.
#ifndef VNNI_TARGET
#define VNNI_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#endif
#pragma clang attribute push(__attribute__((target(VNNI_TARGET))), apply_to = function)

#define USE_VNNI 1
#include "avx512.inc"

#pragma clang attribute pop

const nk_operations nk_avx512_vnni_operations = {
    NK_AVX512_VNNI, linear, quantize, rms_norm, gated, add,
    attention, argmax, next_above, log_sum_exp, race, read_all, int8_work};
#endif
