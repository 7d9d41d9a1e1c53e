#include "internal.h"

TK void tk_silu(const float *x, float *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) out[i] = x[i] * sigmoid(x[i]);
}

TK void tk_silu_gradient(const float *x, const float *dy, float *dx, int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++) {
    float s = sigmoid(x[i]);
    dx[i] = (add ? dx[i] : 0) + dy[i] * s * (1 + x[i] * (1 - s));
  }
}

// 0.5 (1 + tanh(u)) = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
static inline __attribute__((always_inline)) float gelu_gate(float x) {
  return sigmoid(1.5957691216f * (x + 0.044715f * x * x * x));
}

TK void tk_gelu(const float *x, float *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) out[i] = x[i] * gelu_gate(x[i]);
}

TK void tk_gelu_gradient(const float *x, const float *dy, float *dx, int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++) {
    float s = gelu_gate(x[i]);
    float slope = 1.5957691216f * (1 + 3 * 0.044715f * x[i] * x[i]);
    dx[i] = (add ? dx[i] : 0) + dy[i] * (s + x[i] * s * (1 - s) * slope);
  }
}

TK void tk_swiglu(const float *gate, const float *up, float *out, int64_t count) {
  for (int64_t i = 0; i < count; i++) out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

TK void tk_swiglu_gradient(const float *gate, const float *up, const float *dy, float *dgate,
                           bool add_gate, float *dup, bool add_up, int64_t count) {
  if (dgate)
    for (int64_t i = 0; i < count; i++) {
      float s = sigmoid(gate[i]);
      dgate[i] = (add_gate ? dgate[i] : 0) + dy[i] * up[i] * s * (1 + gate[i] * (1 - s));
    }
  if (dup)
    for (int64_t i = 0; i < count; i++)
      dup[i] = (add_up ? dup[i] : 0) + dy[i] * gate[i] * sigmoid(gate[i]);
}

TK void tk_rms_norm(const float *x, const float *weight, float epsilon, int64_t rows,
                    int64_t columns, float *out, float *inverse) {
  REASSOCIATE
  for (int64_t r = 0; r < rows; r++, x += columns, out += columns) {
    float sum = 0;
    for (int64_t c = 0; c < columns; c++) sum += x[c] * x[c];
    float factor = 1 / sqrtf(sum / (float)columns + epsilon);
    inverse[r] = factor;
    for (int64_t c = 0; c < columns; c++) out[c] = x[c] * factor * weight[c];
  }
}

TK void tk_rms_norm_gradient(const float *x, const float *weight, const float *inverse,
                             const float *dy, int64_t rows, int64_t columns, float *dx,
                             bool add) {
  REASSOCIATE
  for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    float sum = 0, factor = inverse[r];
    for (int64_t c = 0; c < columns; c++) sum += dy[c] * weight[c] * x[c];
    float shrink = sum * factor * factor * factor / (float)columns;
    for (int64_t c = 0; c < columns; c++)
      dx[c] = (add ? dx[c] : 0) + (dy[c] * weight[c] * factor - x[c] * shrink);
  }
}

TK void tk_rms_norm_weight_gradient(const float *x, const float *inverse, const float *dy,
                                    int64_t rows, int64_t columns, int64_t begin, int64_t end,
                                    float *dweight) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = begin; c < end; c++)
      dweight[c] += dy[r * columns + c] * x[r * columns + c] * inverse[r];
}

TK void tk_rotate(const float *x, const float *cosines, const float *sines, float sign,
                  int64_t rows, int64_t heads, int64_t dim, bool interleaved, float *out,
                  bool add) {
  int64_t pairs = dim / 2;
  for (int64_t r = 0; r < rows; r++, cosines += pairs, sines += pairs)
    for (int64_t h = 0; h < heads; h++, x += dim, out += dim)
      if (interleaved)
        for (int64_t i = 0; i < pairs; i++) {
          float a = x[2 * i], b = x[2 * i + 1], s = sign * sines[i];
          float u = a * cosines[i] - b * s, v = b * cosines[i] + a * s;
          out[2 * i] = (add ? out[2 * i] : 0) + u;
          out[2 * i + 1] = (add ? out[2 * i + 1] : 0) + v;
        }
      else
        for (int64_t i = 0; i < pairs; i++) {
          float a = x[i], b = x[i + pairs], s = sign * sines[i];
          float u = a * cosines[i] - b * s, v = b * cosines[i] + a * s;
          out[i] = (add ? out[i] : 0) + u;
          out[i + pairs] = (add ? out[i + pairs] : 0) + v;
        }
}
