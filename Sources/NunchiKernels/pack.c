// Reading the file formats: dequantizing, and repacking into panels.
#include <math.h>

#include "blocks.h"
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

int64_t nk_block_elements(nk_type type) {
  switch (type) {
    case NK_F32: case NK_F16: case NK_BF16: return 1;
    case NK_Q4_0: case NK_Q4_1: case NK_Q5_0: case NK_Q5_1: case NK_Q8_0: return 32;
    case NK_Q4_K: case NK_Q5_K: case NK_Q6_K: return 256;
  }
  return 0;
}

int64_t nk_block_bytes(nk_type type) {
  switch (type) {
    case NK_F32: return 4;
    case NK_F16: case NK_BF16: return 2;
    case NK_Q4_0: return 18;
    case NK_Q4_1: return 20;
    case NK_Q5_0: return 22;
    case NK_Q5_1: return 24;
    case NK_Q8_0: return 34;
    case NK_Q4_K: return 144;
    case NK_Q5_K: return 176;
    case NK_Q6_K: return 210;
  }
  return 0;
}

bool nk_wants_quantized(nk_type type) { return nk_block_elements(type) > 1; }

void nk_dequantize(nk_type type, const void *source, float *output, int64_t count) {
  switch (type) {
    case NK_F32: memcpy(output, source, (size_t)count * 4); return;
    case NK_F16:
      for (int64_t i = 0; i < count; i++)
        output[i] = nk_half_to_float(nk_load16((const uint8_t *)source + 2 * i));
      return;
    case NK_BF16:
      for (int64_t i = 0; i < count; i++)
        output[i] = nk_bfloat_to_float(nk_load16((const uint8_t *)source + 2 * i));
      return;
    default: break;
  }
  nk_decoded block;
  for (int64_t b = 0; b < count / 32; b++) {
    nk_decode(type, source, b, &block);
    for (int i = 0; i < 32; i++)
      output[32 * b + i] = block.scale[i / 16] * block.codes[i] + block.minimum[i / 16];
  }
}

void nk_encode_q8_0(const float *source, void *output, int64_t count) {
  uint8_t *block = output;
  for (const float *x = source; x < source + count; x += 32, block += 34) {
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[i]));
    uint16_t d = nk_float_to_half(fminf(largest / 127, 65504));
    // The codes are those of the scale as it is stored.
    float scale = nk_half_to_float(d);
    float inverse = scale > 0 ? 1 / scale : 0;
    memcpy(block, &d, 2);
    for (int i = 0; i < 32; i++) {
      float code = fminf(fmaxf(rintf(x[i] * inverse), -127), 127);
      block[2 + i] = (uint8_t)(int8_t)code;
    }
  }
}

size_t nk_packed_bytes(nk_type type, int64_t rows, int64_t columns) {
  int64_t elements = nk_block_elements(type);
  if (elements == 0 || rows <= 0 || columns <= 0 || columns % elements) return 0;
  // 64 more: the kernels may prefetch and load past the last panel.
  return (size_t)((rows + NK_PANEL - 1) / NK_PANEL * nk_panel_bytes(type, columns)) + 64;
}

typedef struct {
  const nk_matrix *matrix;
  const uint8_t *source;
  int64_t first_panel;
} pack_context;

static void pack_floats(const nk_matrix *m, const uint8_t *source, int64_t first, uint8_t *out) {
  int64_t size = nk_block_bytes(m->type);
  for (int64_t k = 0; k < m->columns; k++)
    for (int r = 0; r < NK_PANEL; r++, out += size)
      if (first + r < m->rows)
        memcpy(out, source + ((first + r) * m->columns + k) * size, (size_t)size);
      else
        memset(out, 0, (size_t)size);
}

static void pack_blocks(const nk_matrix *m, const uint8_t *source, int64_t first, uint8_t *out) {
  nk_type type = m->type;
  int64_t row_bytes = m->columns / nk_block_elements(type) * nk_block_bytes(type);
  int64_t super = nk_super_bytes(type);
  uint8_t *header = out;
  for (int64_t b = 0; b < m->columns / 32; b++) {
    if (super && (b & 7) == 0) {
      header = out;
      out += super;
    }
    uint8_t *scales = super ? header : out, *high = out + (super ? 32 : 0), *codes;
    switch (type) {
      case NK_Q4_0: case NK_Q5_0: case NK_Q8_0: high = out + 32; break;
      case NK_Q4_1: case NK_Q5_1: high = out + 64; break;
      default: break;
    }
    codes = high;
    if (type == NK_Q5_0 || type == NK_Q5_1 || type == NK_Q5_K) codes += NK_FIFTH;
    if (type == NK_Q6_K) codes += NK_SIXTH;
    for (int r = 0; r < NK_PANEL; r++) {
      nk_decoded block;
      if (first + r < m->rows)
        nk_decode(type, source + (first + r) * row_bytes, b, &block);
      else
        memset(&block, 0, sizeof block);
      memcpy(scales + 2 * r, &block.d, 2);
      if (type == NK_Q4_1 || type == NK_Q5_1 || type == NK_Q4_K || type == NK_Q5_K)
        memcpy(scales + 32 + 2 * r, &block.dmin, 2);
      if (super) {
        out[r] = block.s[0];
        out[16 + r] = block.s[1];
      }
      uint32_t w[8];
      memcpy(w, block.codes, 32);
      if (type == NK_Q8_0) {
        for (int g = 0; g < 8; g++) memcpy(codes + 64 * g + 4 * r, &w[g], 4);
        continue;
      }
      for (int j = 0; j < 4; j++) {
        uint32_t nibbles = (w[j] & 0x0f0f0f0f) | (w[4 + j] & 0x0f0f0f0f) << 4;
        memcpy(codes + 64 * j + 4 * r, &nibbles, 4);
      }
      if (codes - high == NK_FIFTH) {
        uint32_t bits = 0;
        for (int g = 0; g < 8; g++) bits |= (w[g] >> 4 & 0x01010101) << g;
        memcpy(high + 4 * r, &bits, 4);
      } else if (codes - high == NK_SIXTH) {
        for (int h = 0; h < 2; h++) {
          uint32_t bits = 0;
          for (int g = 0; g < 4; g++) bits |= (w[4 * h + g] >> 4 & 0x03030303) << 2 * g;
          memcpy(high + 64 * h + 4 * r, &bits, 4);
        }
      }
    }
    out += nk_panel_block_bytes(type);
  }
}

static void pack_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const pack_context *c = context;
  const nk_matrix *m = c->matrix;
  for (int64_t p = c->first_panel + begin; p < c->first_panel + end; p++) {
    uint8_t *out = (uint8_t *)m->data + p * nk_panel_bytes(m->type, m->columns);
    if (nk_wants_quantized(m->type))
      pack_blocks(m, c->source, p * NK_PANEL, out);
    else
      pack_floats(m, c->source, p * NK_PANEL, out);
  }
}

void nk_pack(nk_pool *pool, const nk_matrix *matrix, const void *source, int64_t first,
             int64_t count) {
  pack_context context = {matrix, source, first / NK_PANEL};
  nk_pool_run(pool, (count + NK_PANEL - 1) / NK_PANEL, 4, pack_task, &context);
}
