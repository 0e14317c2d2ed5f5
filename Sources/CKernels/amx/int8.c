// AMX: products in tiles of bytes, attention in bfloat16.

#if defined(__x86_64__)

#include "../avx512/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AMX) && x86PermitTiles(); }

#pragma clang attribute push(__attribute__((target(AMX_TARGET))), apply_to = function)

#define HAS_BF16 1
#define HAS_VNNI 1
#define OWN_PRODUCT
#define TILE_DOT tileDotBytes
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/int8.h"
#include "product.h"

#pragma clang attribute pop

const KernelSet amxInt8Kernels = KERNEL_SET("amx", PrecisionInt8, makeOperands);

#endif
