#ifndef TK_INTERNAL_H
#define TK_INTERNAL_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "TrainingKernels.h"

// One version of a function per instruction set, chosen when the program is loaded. The loops are
// plain C that the compiler vectorises.
#if defined(__x86_64__) && defined(__linux__)
#define TK __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define TK
#endif

// Lets the compiler add in as many lanes as it likes. Goes first in a function's body.
#define REASSOCIATE _Pragma("clang fp reassociate(on)")

// exp to 2.2e-7 of its value, without branches. Below e^-80 the result stays about 1.8e-35: small
// enough to be nothing, large enough that products with it are no denormal numbers.
static inline __attribute__((always_inline)) float exponential(float x) {
#pragma clang fp reassociate(off)
  x = x < -80.0f ? -80.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float shifted = x * 1.44269504f + 12582912.0f;  // rounds to an integer in the low bits
  int32_t power;
  memcpy(&power, &shifted, 4);
  float n = shifted - 12582912.0f;
  float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  power = (power - 0x4B400000 + 127) << 23;
  float scale;
  memcpy(&scale, &power, 4);
  return p * scale;
}

static inline __attribute__((always_inline)) float sigmoid(float x) {
  return 1.0f / (1.0f + exponential(-x));
}

#endif
