// For editors, which read a header alone: what a kernel set's file defines before it includes one of
// this folder. A test has the compiler read each so.

#pragma once

#if defined(AVX512_TARGET)
#error "the set's own vector.h comes first"
#elif defined(__x86_64__)
#define SCALE_COLUMNS 128
#include "../avx2/vector.h"
#include "../avx2/groups.h"
#elif defined(__aarch64__)
#include "../neon/vector.h"
#endif

#ifndef GATE_DEGREE
#define GATE_DEGREE FINE_GATE_DEGREE
#endif
