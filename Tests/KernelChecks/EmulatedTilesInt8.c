// AMX's products of int8 on a software version of its tiles, beside plain C in the place of AVX-512.

#include "PlainVectors.h"

#define EMULATED_TILES
#define OWN_PRODUCT
#define PRODUCT_ROWS 32
#define TILE_DOT tileDotBytes
#include "../../Sources/CKernels/shared/int8.h"
#include "../../Sources/CKernels/amx/product.h"

const KernelSet emulatedTilesInt8Kernels = KERNEL_SET("emulated-tiles", PrecisionInt8, makeOperands);
