#include "NunchiKernels.h"
