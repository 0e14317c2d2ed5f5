#include "bfloat16.h"
#include "product.h"

const KernelSet scalarBfloat16Kernels = SCALAR_KERNEL_SET(PrecisionBfloat16, NULL);
