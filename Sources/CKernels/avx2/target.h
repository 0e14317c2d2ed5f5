// What the files of this folder begin with, before the target region.

#pragma once

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../KernelSets.h"

#define AVX2_TARGET "avx2,fma,f16c"
