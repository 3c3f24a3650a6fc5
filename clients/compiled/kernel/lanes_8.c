/* For x86 processors with AVX2 and FMA. */
#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#include "train.h"

int train_8(const Work *work) { return train(work); }

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
