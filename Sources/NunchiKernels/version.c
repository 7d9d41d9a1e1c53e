// What this build of the kernels is.
#include "NunchiKernels.h"

// The checksum of all other files of this folder. The test "the kernels' version is the checksum of
// their sources" says what it must be.
const char *nk_version(void) { return "7cd59c90a2b8427d"; }

bool nk_is_optimized(void) {
#ifdef __OPTIMIZE__
  return true;
#else
  return false;
#endif
}
