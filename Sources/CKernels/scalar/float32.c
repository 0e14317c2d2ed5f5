#include "sizes.h"

typedef float Value;

static float widened(Value value) { return value; }
static Value narrowed(float x) { return x; }

#include "product.h"

const KernelSet scalarKernels = SCALAR_KERNEL_SET(PrecisionFloat32, NULL);
