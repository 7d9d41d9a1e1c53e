// Elementwise kernels for training, vectorised: everything between the matrix products.
//
// A kernel works on the calling thread, on the piece it is given; callers split the outputs among
// threads. Reductions add in an order that depends on the count alone, so that a piece gives the
// same bits on every run on one kind of CPU. Matrices are row-major. With `add` a kernel adds to
// its output, otherwise it writes it; a gradient's output may be NULL, then it is not wanted.
#ifndef TRAINING_KERNELS_H
#define TRAINING_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

// ---------------------------------------------------------------- floating-point environment

/// Makes this thread treat denormal numbers as zero, which would otherwise slow products down a
/// hundredfold; returns what tk_restore needs.
uint32_t tk_flush_denormals(void);
void tk_restore(uint32_t state);

// ---------------------------------------------------------------- vectors

/// y[i] += a * x[i]
void tk_axpy(float a, const float *x, float *y, int64_t count);
/// out[i] = a * x[i] + b * y[i]
void tk_combine(float a, const float *x, float b, const float *y, float *out, int64_t count);
/// out[i] (+)= a * x[i]
void tk_scale(float a, const float *x, float *out, int64_t count, bool add);
/// out[i] (+)= x[i] * y[i]
void tk_multiply(const float *x, const float *y, float *out, int64_t count, bool add);
double tk_dot(const float *x, const float *y, int64_t count);
double tk_sum_squares(const float *x, int64_t count);
/// out[c] += sum over rows of x[r][c], for columns [begin, end).
void tk_column_sums(const float *x, int64_t rows, int64_t columns, int64_t begin, int64_t end,
                    float *out);

/// bf16, as the upper halves of floats.
void tk_from_bf16(const uint16_t *x, float *out, int64_t count);
/// Rounds to nearest, ties to even.
void tk_to_bf16(const float *x, uint16_t *out, int64_t count);

// ---------------------------------------------------------------- activations

/// x * sigmoid(x)
void tk_silu(const float *x, float *out, int64_t count);
void tk_silu_gradient(const float *x, const float *dy, float *dx, int64_t count, bool add);
/// GELU in its tanh form.
void tk_gelu(const float *x, float *out, int64_t count);
void tk_gelu_gradient(const float *x, const float *dy, float *dx, int64_t count, bool add);
/// silu(gate) * up
void tk_swiglu(const float *gate, const float *up, float *out, int64_t count);
void tk_swiglu_gradient(const float *gate, const float *up, const float *dy, float *dgate,
                        bool add_gate, float *dup, bool add_up, int64_t count);

// ---------------------------------------------------------------- norm, rotary

/// out[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * weight; the factor 1 / sqrt(...) of each row goes
/// to inverse[r].
void tk_rms_norm(const float *x, const float *weight, float epsilon, int64_t rows,
                 int64_t columns, float *out, float *inverse);
void tk_rms_norm_gradient(const float *x, const float *weight, const float *inverse,
                          const float *dy, int64_t rows, int64_t columns, float *dx, bool add);
/// dweight[c] += sum over rows of dy[r][c] * x[r][c] * inverse[r], for columns [begin, end).
void tk_rms_norm_weight_gradient(const float *x, const float *inverse, const float *dy,
                                 int64_t rows, int64_t columns, int64_t begin, int64_t end,
                                 float *dweight);
/// Rotates pairs of each head: (2i, 2i+1) when interleaved, otherwise (i, i + dim/2). cosines and
/// sines (rows, dim / 2). `sign` -1 rotates back.
void tk_rotate(const float *x, const float *cosines, const float *sines, float sign,
               int64_t rows, int64_t heads, int64_t dim, bool interleaved, float *out, bool add);

// ---------------------------------------------------------------- softmax

/// log(sum(exp(scale * x))); -inf for no values at all.
float tk_log_sum_exp(const float *x, float scale, int64_t count);
/// x[i] = exp(scale * x[i] - log_sum); 0 where x[i] is -inf.
void tk_exp_scaled(float *x, float scale, float log_sum, int64_t count);
/// dx[i] (+)= factor * exp(scale * x[i] - log_sum)
void tk_softmax_gradient(const float *x, float scale, float log_sum, float factor, float *dx,
                         int64_t count, bool add);
/// ds[i] = p[i] * (dp[i] - delta) * scale; ds may be dp.
void tk_attention_gradient(const float *p, const float *dp, float delta, float scale, float *ds,
                           int64_t count);
int64_t tk_argmax(const float *x, int64_t count);

/// Sums over one row of a teacher's logits t and a student's s, both divided by a temperature:
/// p = exp(scale * t - t_log_sum), q = exp(scale * s - s_log_sum).
typedef struct {
  float cross_entropy;  // sum p * -log q
  float entropy;        // sum p * -log p
  float overlap;        // sum min(p, q)
} tk_distance;
tk_distance tk_distill(const float *t, float t_log_sum, const float *s, float s_log_sum,
                       float scale, int64_t count);
/// ds[i] (+)= factor * (q[i] - p[i]), p and q as above; ds may be s.
void tk_distill_gradient(const float *t, float t_log_sum, const float *s, float s_log_sum,
                         float scale, float factor, float *ds, int64_t count, bool add);
/// Cross-entropy's and distillation's gradient in one pass, ds may be s:
/// ds[i] = a * exp(s - s_log_sum) + b * (exp(scale * s - s_scaled) - exp(scale * t - t_scaled))
void tk_head_gradient(const float *t, float t_scaled, const float *s, float s_log_sum,
                      float s_scaled, float scale, float a, float b, float *ds, int64_t count);

// ---------------------------------------------------------------- regression

/// Sum of smooth L1 (Huber, beta 1) of x - y.
double tk_smooth_l1(const float *x, const float *y, int64_t count);
/// dx[i] (+)= factor * clamp(x - y, -1, 1)
void tk_smooth_l1_gradient(const float *x, const float *y, float factor, float *dx, int64_t count,
                           bool add);

// ---------------------------------------------------------------- optimizer

/// One AdamW update (Loshchilov and Hutter, arXiv 1711.05101) of `count` values.
typedef struct {
  float rate, beta1, beta2, epsilon, decay;
  float gradient_scale;        // multiplies the gradient first: clipping, accumulation
  float correction1, correction2;  // 1 - beta^step
} tk_adam_options;
void tk_adamw(const tk_adam_options *options, float *value, const float *gradient, float *mean,
              float *square, int64_t count);

#endif
