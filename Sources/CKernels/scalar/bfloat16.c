#include <math.h>
#include <string.h>

#include "../KernelSets.h"

enum { TileRows = 4, PanelColumns = 16 };

#include "bfloat16.h"
#include "product.h"

const KernelSet scalarBfloat16Kernels = SCALAR_KERNEL_SET(PrecisionBfloat16, NULL);
