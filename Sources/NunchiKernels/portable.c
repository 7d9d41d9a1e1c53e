// Plain C for any processor: the reference that the other sets must equal bit by bit.
#include "internal.h"

#define LOAD_HALF16(p) load_half16(p)
static inline float __attribute__((ext_vector_type(16))) load_half16(const uint16_t *p) {
  float __attribute__((ext_vector_type(16))) v;
  for (int i = 0; i < 16; i++) v[i] = nk_half_to_float(nk_load16(p + i));
  return v;
}
#define REGISTERS 16
#include "layers.inc"

// A block of 32 columns of one row of a packed panel, decoded.
static void decode_packed(nk_type type, const uint8_t *header, const uint8_t *p, int row,
                          nk_decoded *o) {
  bool super = nk_super_bytes(type) > 0;
  float d = nk_half_to_float(nk_load16((super ? header : p) + 2 * row));
  float dmin = 0;
  const uint8_t *high = p + 32;
  o->scale[0] = o->scale[1] = d;
  switch (type) {
    case NK_Q4_0: o->minimum[0] = -8 * d; break;
    case NK_Q5_0: o->minimum[0] = -16 * d; break;
    case NK_Q4_1: case NK_Q5_1:
      o->minimum[0] = nk_half_to_float(nk_load16(p + 32 + 2 * row));
      high = p + 64;
      break;
    case NK_Q4_K: case NK_Q5_K:
      dmin = nk_half_to_float(nk_load16(header + 32 + 2 * row));
      o->scale[0] = d * (float)p[row];
      o->minimum[0] = -dmin * (float)p[16 + row];
      break;
    case NK_Q6_K:
      o->scale[0] = d * (float)(int8_t)p[row];
      o->scale[1] = d * (float)(int8_t)p[16 + row];
      break;
    default: break;
  }
  const uint8_t *codes = high;
  bool five = type == NK_Q5_0 || type == NK_Q5_1 || type == NK_Q5_K;
  if (five) codes += NK_FIFTH;
  if (type == NK_Q6_K) codes += NK_SIXTH;
  for (int k = 0; k < 32; k++) {
    int i = k & 3, g = k >> 2;
    if (type == NK_Q8_0) {
      o->codes[k] = codes[64 * g + 4 * row + i];
      continue;
    }
    uint8_t nibble = codes[64 * (g & 3) + 4 * row + i];
    o->codes[k] = g < 4 ? nibble & 15 : nibble >> 4;
    if (five) o->codes[k] |= (uint8_t)((high[4 * row + i] >> g & 1) << 4);
    if (type == NK_Q6_K)
      o->codes[k] |= (uint8_t)((high[64 * (g >> 2) + 4 * row + i] >> 2 * (g & 3) & 3) << 4);
  }
}

static void quantized_panels(const nk_linear_call *call, nk_type type, int64_t begin,
                             int64_t end) {
  const nk_matrix *w = call->product->matrix;
  int64_t blocks = w->columns / 32, super = nk_super_bytes(type);
  enum { CHUNK = 8 };
  for (int64_t panel = begin; panel < end; panel++)
    for (int64_t first = 0; first < call->M; first += CHUNK) {
      int64_t count = call->M - first < CHUNK ? call->M - first : CHUNK;
      float sums[CHUNK][16] = {{0}};
      const uint8_t *p = (const uint8_t *)w->data + panel * nk_panel_bytes(type, w->columns);
      const uint8_t *header = p;
      for (int64_t b = 0; b < blocks; b++, p += nk_panel_block_bytes(type)) {
        if (super && (b & 7) == 0) {
          header = p;
          p += super;
        }
        for (int row = 0; row < 16; row++) {
          nk_decoded o;
          decode_packed(type, header, p, row, &o);
          for (int64_t m = 0; m < count; m++) {
            const nk_qblock *x = call->quantized + (first + m) * blocks + b;
            int32_t dots[2] = {0, 0};
            if (type == NK_Q8_0) dots[0] = x->n[0], dots[1] = x->n[1];
            for (int k = 0; k < 32; k++) dots[k / 16] += o.codes[k] * x->q[k];
            float *sum = &sums[m][row];
            if (type == NK_Q6_K) {
              for (int h = 0; h < 2; h++)
                *sum = fmaf(fmaf((float)dots[h], x->a[h], -32 * x->s[h]), o.scale[h], *sum);
            } else {
              float f = fmaf((float)dots[1], x->a[1], (float)dots[0] * x->a[0]);
              *sum = fmaf(f, o.scale[0], *sum);
              if (type != NK_Q8_0) *sum = fmaf(o.minimum[0], x->s01, *sum);
            }
          }
        }
      }
      for (int64_t m = 0; m < count; m++)
        finish_panel(call->product, panel, first + m, load16(sums[m]));
    }
}

static double int8_work(int64_t rounds) {
  volatile int32_t keep = 0;
  int32_t sum = 0;
  for (int64_t r = 0; r < rounds; r++) sum += (int8_t)(r + sum) * 3;
  keep = sum;
  (void)keep;
  return (double)rounds;
}

#include "operations.inc"

const nk_operations nk_portable_operations = {
    NK_PORTABLE, linear, quantize, rms_norm, gated, add,
    attention, argmax, next_above, log_sum_exp, race, read_all, int8_work};
