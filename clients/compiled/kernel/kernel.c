/* The way in: the widest vectors that this processor has. */
#include "work.h"

#define EXPORT __attribute__((visibility("default")))

int train_4(const Work *work);
#ifdef __x86_64__
int train_8(const Work *work);
int train_16(const Work *work);
#endif

#ifndef SOURCES
#define SOURCES "unknown"
#endif

/* Which sources it was compiled from: read from the file by common/software.py. */
__attribute__((used)) static const char sources[] = "hothouse-kernel:" SOURCES;

/* How large the caller's Work must be: one that was compiled from other sources than the caller's is not called. */
EXPORT int64_t hothouse_work_bytes(void) { return sizeof(Work); }

/* How many numbers the widest usable vectors hold. */
EXPORT int hothouse_lanes(void) {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return 16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
    return 4;
}

/* Does the work with vectors of `lanes` numbers; returns 0, or 1 where there is not enough memory. */
EXPORT int hothouse_train(const Work *work, int lanes) {
#ifdef __x86_64__
    if (lanes == 16) return train_16(work);
    if (lanes == 8) return train_8(work);
#endif
    (void)lanes;
    return train_4(work);
}

/* totals[owners[r], :] += weights[r] rows[r, :], row after row: totals (any, numbers), rows (count, numbers). */
EXPORT void hothouse_add(float *totals, const float *rows, const float *weights, const int64_t *owners, int64_t count,
                         int64_t numbers) {
    for (int64_t r = 0; r < count; r++) {
        float *restrict total = totals + owners[r] * numbers;
        const float *restrict row = rows + r * numbers;
        for (int64_t i = 0; i < numbers; i++) total[i] += weights[r] * row[i];
    }
}
