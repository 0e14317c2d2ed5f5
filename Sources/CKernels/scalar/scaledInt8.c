// The oracle of AVX2's int8: a scale for each 128 columns.

#define SCALE_COLUMNS 128
#define INT8_KERNELS scalarScaledInt8Kernels
#include "int8.c"
