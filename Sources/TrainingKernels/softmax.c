#include "internal.h"

static inline __attribute__((always_inline)) float largest(const float *x, int64_t count) {
  // Lanes by hand: a maximum that cares about NaN isn't vectorised. NaN is never chosen here.
  enum { LANES = 32 };
  float best[LANES], top = -INFINITY;
  for (int l = 0; l < LANES; l++) best[l] = -INFINITY;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int l = 0; l < LANES; l++) best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
  for (; i < count; i++) top = x[i] > top ? x[i] : top;
  for (int l = 0; l < LANES; l++) top = best[l] > top ? best[l] : top;
  return top;
}

TK float tk_log_sum_exp(const float *x, float scale, int64_t count) {
  REASSOCIATE
  float top = largest(x, count) * scale, sum = 0;
  if (!(top > -INFINITY)) return -INFINITY;
  for (int64_t i = 0; i < count; i++) sum += exponential(scale * x[i] - top);
  return top + logf(sum);
}

TK void tk_exp_scaled(float *x, float scale, float log_sum, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    x[i] = x[i] > -INFINITY ? exponential(scale * x[i] - log_sum) : 0;
}

TK void tk_softmax_gradient(const float *x, float scale, float log_sum, float factor, float *dx,
                            int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++)
    dx[i] = (add ? dx[i] : 0) + factor * exponential(scale * x[i] - log_sum);
}

TK void tk_attention_gradient(const float *p, const float *dp, float delta, float scale,
                              float *ds, int64_t count) {
  for (int64_t i = 0; i < count; i++) ds[i] = p[i] * (dp[i] - delta) * scale;
}

TK int64_t tk_argmax(const float *x, int64_t count) {
  float top = largest(x, count);
  for (int64_t i = 0; i < count; i++)
    if (x[i] == top) return i;
  return 0;
}

TK tk_distance tk_distill(const float *t, float t_log_sum, const float *s, float s_log_sum,
                          float scale, int64_t count) {
  REASSOCIATE
  float cross = 0, entropy = 0, overlap = 0;
  for (int64_t i = 0; i < count; i++) {
    float lp = scale * t[i] - t_log_sum, lq = scale * s[i] - s_log_sum;
    float p = exponential(lp), q = exponential(lq);
    cross -= p * lq;
    entropy -= p * lp;
    overlap += p < q ? p : q;
  }
  return (tk_distance){cross, entropy, overlap};
}

TK void tk_distill_gradient(const float *t, float t_log_sum, const float *s, float s_log_sum,
                            float scale, float factor, float *ds, int64_t count, bool add) {
  for (int64_t i = 0; i < count; i++)
    ds[i] = (add ? ds[i] : 0) + factor * (exponential(scale * s[i] - s_log_sum) -
                                          exponential(scale * t[i] - t_log_sum));
}

TK void tk_head_gradient(const float *t, float t_scaled, const float *s, float s_log_sum,
                         float s_scaled, float scale, float a, float b, float *ds,
                         int64_t count) {
  if (scale == 1)  // at temperature 1 both softmaxes of the student are the same
    for (int64_t i = 0; i < count; i++)
      ds[i] = (a + b) * exponential(s[i] - s_log_sum) - b * exponential(t[i] - t_scaled);
  else
    for (int64_t i = 0; i < count; i++)
      ds[i] = a * exponential(s[i] - s_log_sum) +
              b * (exponential(scale * s[i] - s_scaled) - exponential(scale * t[i] - t_scaled));
}
