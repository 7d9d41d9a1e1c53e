// The quantized blocks of GGUF files, and the layout of packed panels.
#ifndef NK_BLOCKS_H
#define NK_BLOCKS_H

#include <string.h>

#include "NunchiKernels.h"

static inline float nk_half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff, bits;
  if (rest >= 0x7c00) {  // infinity, NaN (made quiet, as the instructions do)
    bits = 0x7f800000u | (rest & 0x3ff) << 13 | (rest > 0x7c00 ? 0x400000u : 0);
  } else if (rest >= 0x0400) {
    bits = (rest << 13) + 0x38000000u;
  } else {  // subnormal: exact in float
    float value = (float)rest * 0x1p-24f;
    memcpy(&bits, &value, 4);
  }
  bits |= sign;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

// Rounds to nearest, ties to even, as the conversion instructions do.
static inline uint16_t nk_float_to_half(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return sign | 0x7e00;
  if (bits >= 0x477ff000) return sign | 0x7c00;  // rounds past 65504
  if (bits < 0x38800000) {                       // subnormal: let float addition round
    float value, magic = 0.5f;
    memcpy(&value, &bits, 4);
    value += magic;
    uint32_t rounded, base;
    memcpy(&rounded, &value, 4);
    memcpy(&base, &magic, 4);
    return sign | (uint16_t)(rounded - base);
  }
  uint32_t odd = bits >> 13 & 1;
  return sign | (uint16_t)((bits - 0x38000000u + 0xfff + odd) >> 13);
}

static inline float nk_bfloat_to_float(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

static inline uint16_t nk_load16(const void *p) {
  uint16_t value;
  memcpy(&value, p, 2);
  return value;
}

static inline uint32_t nk_load32(const void *p) {
  uint32_t value;
  memcpy(&value, p, 4);
  return value;
}

// Packed panels. One panel holds 16 rows; below, "32 d" means sixteen half-precision scales, one
// a row. "codes" are unsigned integers of 4, 5, 6 or 8 bits; value = scale * code + minimum.
//
// Nibbles of 32 columns by 16 rows, 256 bytes: byte 64*j + 4*row + i holds in its low half the
// code of column 4*j + i and in its high half that of column 16 + 4*j + i.
// Fifth bits, 64 bytes: bit g of byte 4*row + i belongs to column 4*g + i.
// Fifth and sixth bits, 128 bytes: bits 2*g and 2*g+1 of byte 64*h + 4*row + i belong to column
// 16*h + 4*g + i.
// Bytes (Q8_0), 512 bytes: byte 64*j + 4*row + i is column 4*j + i plus 128.
//
//   Q4_0  a block of 32: 32 d, nibbles              Q4_1  32 d, 32 m, nibbles
//   Q5_0  32 d, fifth bits, nibbles                 Q5_1  32 d, 32 m, fifth bits, nibbles
//   Q8_0  32 d, bytes
//   Q4_K  a block of 256: 32 d, 32 dmin, then 8 times (16 scale, 16 min, nibbles)
//   Q5_K  the same with (16 scale, 16 min, fifth bits, nibbles)
//   Q6_K  32 d, then 8 times (16 scale, 16 scale, fifth and sixth bits, nibbles)
//   F32, F16, BF16: sixteen values a column
enum { NK_NIBBLES = 256, NK_FIFTH = 64, NK_SIXTH = 128, NK_BYTES = 512 };

// Bytes before the blocks of 32 of a block of 256 (K kinds), or 0.
static inline int64_t nk_super_bytes(nk_type type) {
  return type == NK_Q4_K || type == NK_Q5_K ? 64 : type == NK_Q6_K ? 32 : 0;
}

// Bytes of 32 columns of a panel, without the above.
static inline int64_t nk_panel_block_bytes(nk_type type) {
  switch (type) {
    case NK_F32: return 32 * 64;
    case NK_F16: case NK_BF16: return 32 * 32;
    case NK_Q4_0: return 32 + NK_NIBBLES;
    case NK_Q4_1: return 64 + NK_NIBBLES;
    case NK_Q5_0: return 32 + NK_FIFTH + NK_NIBBLES;
    case NK_Q5_1: return 64 + NK_FIFTH + NK_NIBBLES;
    case NK_Q8_0: return 32 + NK_BYTES;
    case NK_Q4_K: return 32 + NK_NIBBLES;
    case NK_Q5_K: return 32 + NK_FIFTH + NK_NIBBLES;
    case NK_Q6_K: return 32 + NK_SIXTH + NK_NIBBLES;
  }
  return 0;
}

// Bytes of one panel of `columns`.
static inline int64_t nk_panel_bytes(nk_type type, int64_t columns) {
  switch (type) {
    case NK_F32: return columns * 64;
    case NK_F16: case NK_BF16: return columns * 32;
    default:
      return columns / 32 * nk_panel_block_bytes(type) + columns / 256 * nk_super_bytes(type);
  }
}

// 32 quantized activations: one cache line. x[i] is close to q[i] * a[i / 16].
typedef struct {
  int8_t q[32];
  float a[2];     // scale of each 16
  float s[2];     // a * sum of q: what a minimum is multiplied with
  float s01;      // s[0] + s[1]
  int32_t n[2];   // -128 * sum of q: makes up for the 128 in bytes
  int32_t unused;
} nk_qblock;

// One block of 32 weights of one row, decoded: value = scale[k / 16] * code[k] + minimum[k / 16].
typedef struct {
  uint8_t codes[32];
  float scale[2], minimum[2];
  // as packed
  uint16_t d, dmin;
  uint8_t s[2];
} nk_decoded;

// Decodes block `b` (of 32) of a row in file format. K kinds and the 32-element kinds alike.
static inline void nk_decode(nk_type type, const uint8_t *row, int64_t b, nk_decoded *o) {
  const uint8_t *p;
  switch (type) {
    case NK_Q4_0: case NK_Q4_1: {
      bool one = type == NK_Q4_1;
      p = row + b * (one ? 20 : 18);
      o->d = nk_load16(p);
      o->dmin = one ? nk_load16(p + 2) : 0;
      const uint8_t *q = p + (one ? 4 : 2);
      for (int i = 0; i < 16; i++) {
        o->codes[i] = q[i] & 15;
        o->codes[16 + i] = q[i] >> 4;
      }
      o->scale[0] = o->scale[1] = nk_half_to_float(o->d);
      o->minimum[0] = o->minimum[1] = one ? nk_half_to_float(o->dmin) : -8 * o->scale[0];
      return;
    }
    case NK_Q5_0: case NK_Q5_1: {
      bool one = type == NK_Q5_1;
      p = row + b * (one ? 24 : 22);
      o->d = nk_load16(p);
      o->dmin = one ? nk_load16(p + 2) : 0;
      uint32_t high = nk_load32(p + (one ? 4 : 2));
      const uint8_t *q = p + (one ? 8 : 6);
      for (int i = 0; i < 16; i++) {
        o->codes[i] = (uint8_t)((q[i] & 15) | (high >> i & 1) << 4);
        o->codes[16 + i] = (uint8_t)(q[i] >> 4 | (high >> (16 + i) & 1) << 4);
      }
      o->scale[0] = o->scale[1] = nk_half_to_float(o->d);
      o->minimum[0] = o->minimum[1] = one ? nk_half_to_float(o->dmin) : -16 * o->scale[0];
      return;
    }
    case NK_Q8_0: {
      p = row + b * 34;
      o->d = nk_load16(p);
      for (int i = 0; i < 32; i++) o->codes[i] = p[2 + i] ^ 0x80;
      o->scale[0] = o->scale[1] = nk_half_to_float(o->d);
      o->minimum[0] = o->minimum[1] = -128 * o->scale[0];
      return;
    }
    case NK_Q4_K: case NK_Q5_K: {
      bool five = type == NK_Q5_K;
      p = row + (b >> 3) * (five ? 176 : 144);
      int j = (int)(b & 7);
      o->d = nk_load16(p);
      o->dmin = nk_load16(p + 2);
      const uint8_t *s = p + 4;
      if (j < 4) {
        o->s[0] = s[j] & 63;
        o->s[1] = s[j + 4] & 63;
      } else {
        o->s[0] = (uint8_t)((s[j + 4] & 15) | s[j - 4] >> 6 << 4);
        o->s[1] = (uint8_t)(s[j + 4] >> 4 | s[j] >> 6 << 4);
      }
      const uint8_t *q = p + (five ? 48 : 16) + (j >> 1) * 32;
      int shift = (j & 1) * 4;
      for (int i = 0; i < 32; i++) o->codes[i] = q[i] >> shift & 15;
      if (five)
        for (int i = 0; i < 32; i++) o->codes[i] |= (uint8_t)((p[16 + i] >> j & 1) << 4);
      o->scale[0] = o->scale[1] = nk_half_to_float(o->d) * o->s[0];
      o->minimum[0] = o->minimum[1] = -(nk_half_to_float(o->dmin) * o->s[1]);
      return;
    }
    case NK_Q6_K: {
      p = row + (b >> 3) * 210;
      int j = (int)(b & 7), quarter = j & 3;
      const uint8_t *low = p + (j >> 2) * 64 + (quarter & 1) * 32;
      const uint8_t *high = p + 128 + (j >> 2) * 32;
      int low_shift = (quarter >> 1) * 4, high_shift = quarter * 2;
      for (int i = 0; i < 32; i++)
        o->codes[i] =
            (uint8_t)((low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4);
      o->d = nk_load16(p + 208);
      for (int h = 0; h < 2; h++) {
        o->s[h] = p[192 + 2 * j + h];
        o->scale[h] = nk_half_to_float(o->d) * (float)(int8_t)o->s[h];
        o->minimum[h] = -32 * o->scale[h];
      }
      return;
    }
    default: return;
  }
}

#endif
