// The optimizer's arithmetic. Every function gives the same bits on all instruction sets: the
// order of each sum is fixed and nothing is fused.
#ifndef TRAINING_ADAMW_H
#define TRAINING_ADAMW_H

#include <stdint.h>

/// The factors of one step.
typedef struct {
  float decay;            // value *= decay, before the update
  float gradient_scale;   // gradient *= gradient_scale, as it is read
  float beta1, beta2;
  float step_size;        // rate / (1 - beta1^step)
  float root_correction;  // sqrt(1 - beta2^step)
  float epsilon;
} tk_adamw_factors;

/// One step of AdamW (Loshchilov & Hutter, arXiv 1711.05101) on `count` numbers, in the order of
/// PyTorch's: value *= decay; first += (1 - beta1) (g - first); second = beta2 second + (1 -
/// beta2) g g; value -= step_size first / (sqrt(second) / root_correction + epsilon).
/// Sets the gradient to zero.
void tk_adamw(const tk_adamw_factors *factors, float *value, float *gradient, float *first,
              float *second, int64_t count);

/// The sum of x[i]^2: infinite or NaN where an x[i] is.
double tk_sum_of_squares(const float *x, int64_t count);

#endif
