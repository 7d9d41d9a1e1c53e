// Elementwise kernels for training, vectorised.
#ifndef TRAINING_KERNELS_H
#define TRAINING_KERNELS_H

#include <stdint.h>

#include "adamw.h"

/// y[i] += a * x[i]
void tk_axpy(float a, const float *x, float *y, int64_t count);

#endif
