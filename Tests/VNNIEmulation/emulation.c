// Compiles the VNNI kernels' own source with the instruction vpdpbusd put together from others.
#include "VNNIEmulation.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Adds to each 32-bit lane the products of its four unsigned bytes of u and signed bytes of s.
static inline
    __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl"))) __m512i
    emulated_dpbusd(__m512i sum, __m512i u, __m512i s) {
  __m512i even = _mm512_madd_epi16(_mm512_and_si512(u, _mm512_set1_epi16(255)),
                                   _mm512_srai_epi16(_mm512_slli_epi16(s, 8), 8));
  __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(u, 8), _mm512_srai_epi16(s, 8));
  return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
}

#define _mm512_dpbusd_epi32 emulated_dpbusd
#define VNNI_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
#define nk_avx512_vnni_operations emulated_operations
#include "../../Sources/NunchiKernels/avx512_vnni.c"

bool vnni_emulation_runs(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

void vnni_emulation_linear(const nk_product *product, const void *quantized, int64_t M) {
  nk_linear_call call = {product, NULL, quantized, M};
  emulated_operations.linear(&call, 0, (product->matrix->rows + NK_PANEL - 1) / NK_PANEL);
}
#else
bool vnni_emulation_runs(void) { return false; }
void vnni_emulation_linear(const nk_product *product, const void *quantized, int64_t M) {
  (void)product, (void)quantized, (void)M;
}
#endif
