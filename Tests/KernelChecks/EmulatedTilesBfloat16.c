// AMX's products of bfloat16 on a software version of its tiles, beside plain C in the place of AVX-512.

#include "PlainVectors.h"

#define EMULATED_TILES
#define OWN_PRODUCT
#define PRODUCT_ROWS 32
#define TILE_DOT tileDotPairs
#include "../../Sources/CKernels/shared/bfloat16.h"
#include "../../Sources/CKernels/amx/product.h"

const KernelSet emulatedTilesBfloat16Kernels = KERNEL_SET("emulated-tiles", PrecisionBfloat16, NULL);
