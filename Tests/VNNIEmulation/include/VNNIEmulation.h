// The VNNI kernels with their one instruction emulated, for machines that lack it.
#ifndef VNNI_EMULATION_H
#define VNNI_EMULATION_H

#include "../../../Sources/NunchiKernels/include/NunchiKernels.h"

/// Whether this machine has the other instructions that the kernels use.
bool vnni_emulation_runs(void);
/// nk_linear of one product with quantized rows (M, nk_quantized_bytes(columns)), on one thread.
void vnni_emulation_linear(const nk_product *product, const void *quantized, int64_t M);

#endif
