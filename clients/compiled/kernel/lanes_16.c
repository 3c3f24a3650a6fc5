/* For x86 processors with AVX-512. */
#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx2,fma")
#endif
#define LANES 16
#include "train.h"

int train_16(const Work *work) { return train(work); }

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
