// What the files of the AVX-512 sets begin with, before the target region.

#pragma once

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../KernelSets.h"

#define AVX512_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"
#define AVX512_VNNI_TARGET AVX512_TARGET ",avx512vnni"
#define AVX512_BF16_TARGET AVX512_VNNI_TARGET ",avx512bf16"
#define AMX_TARGET AVX512_BF16_TARGET ",amx-tile,amx-bf16,amx-int8"
