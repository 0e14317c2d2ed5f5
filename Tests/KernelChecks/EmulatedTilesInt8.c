// AMX's products of int8 on a software version of its tiles, beside plain C in the place of AVX-512.

#if defined(__x86_64__)

#include "PlainVectors.h"

#include "EmulatedTiles.h"

#define OWN_PRODUCT
#define TILE_DOT tileDotBytes
#include "../../Sources/CKernels/shared/int8.h"
#include "../../Sources/CKernels/amx/product.h"

const KernelSet emulatedTilesInt8Kernels = KERNEL_SET("emulated-tiles", PrecisionInt8, makeOperands);

#endif
