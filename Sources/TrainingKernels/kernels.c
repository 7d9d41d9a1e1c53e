#include "TrainingKernels.h"

void tk_axpy(float a, const float *x, float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] += a * x[i];
}
