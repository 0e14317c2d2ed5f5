// AMX's products of bfloat16 on a software version of its tiles, beside plain C in the place of AVX-512.

#if defined(__x86_64__)

#include "PlainVectors.h"

#include "EmulatedTiles.h"

#define OWN_PRODUCT
#define TILE_DOT tileDotPairs
#include "../../Sources/CKernels/shared/bfloat16.h"
#include "../../Sources/CKernels/amx/product.h"

const KernelSet emulatedTilesBfloat16Kernels = KERNEL_SET("emulated-tiles", PrecisionBfloat16, NULL);

#endif
