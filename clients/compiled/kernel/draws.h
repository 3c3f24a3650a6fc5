/* common/seeds.py's draws: SplitMix64 as a hash of a key and a counter. */
#ifndef DRAWS_H
#define DRAWS_H

#include <stdint.h>
#include <string.h>

#include "lanes.h"

#define GAMMA 0x9E3779B97F4A7C15u

INLINE uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A further stream; `part` is what common.seeds.fork makes of its number. */
INLINE uint64_t forked(uint64_t key, uint64_t part) { return mix(key ^ part); }

/* Value 0, 1, … of a stream. */
INLINE uint64_t drawn(uint64_t key, uint64_t index) { return mix(key + (index + 1) * GAMMA); }

typedef struct { uint64_t draw; int64_t place; } Card;

#define RUN 32 /* cards that are sorted by counting for each how many come before it: no branch to be guessed */

/* Sorts at most RUN cards by their draws, those that are equal by their places. */
static void sort_run(Card *cards, long count) {
    int64_t draws[RUN], before[RUN];
    Card sorted[RUN];
    for (long i = 0; i < RUN; i++) draws[i] = i < count ? (int64_t)cards[i].draw : INT64_MAX, before[i] = 0;
    for (long j = 0; j < count; j++)
        for (long i = 0; i < RUN; i++) before[i] += (draws[j] < draws[i]) | ((draws[j] == draws[i]) & (j < i));
    for (long i = 0; i < count; i++) sorted[before[i]] = cards[i];
    memcpy(cards, sorted, (size_t)count * sizeof(Card));
}

/* Sorts cards by their draws, those that are equal by their places; `spare` has room for as many. */
static void sort_cards(Card *cards, Card *spare, long count) {
    for (long first = 0; first < count; first += RUN) sort_run(cards + first, least(RUN, count - first));
    for (long width = RUN; width < count; width *= 2) {
        for (long first = 0; first < count; first += 2 * width) {
            long middle = first + width < count ? first + width : count;
            long end = first + 2 * width < count ? first + 2 * width : count, a = first, b = middle;
            for (long k = first; k < end; k++)
                spare[k] = b >= end || (a < middle && cards[a].draw <= cards[b].draw) ? cards[a++] : cards[b++];
        }
        memcpy(cards, spare, (size_t)count * sizeof(Card));
    }
}

/* The order of `count` rows, as common.seeds.shuffles draws it, in the places of the cards. */
static void shuffle(uint64_t key, Card *cards, Card *spare, long count) {
    for (long i = 0; i < count; i++) cards[i] = (Card){drawn(key, (uint64_t)i) >> 1, i};
    sort_cards(cards, spare, count);
}

#define DRAWN 64 /* numbers of 16 bits that are drawn at once, four from each value of 64 bits */

/* DRAWN factors from value `from` of a stream on: 0 with probability limit / 2^16, else `up`. */
INLINE void draw_factors(uint64_t key, uint64_t from, uint32_t limit, float up, float *restrict factors) {
    uint64_t values[DRAWN / 4];
    uint16_t numbers[DRAWN];
    for (int i = 0; i < DRAWN / 4; i++) values[i] = drawn(key, from + (uint64_t)i);
    memcpy(numbers, values, sizeof numbers);
    for (int j = 0; j < DRAWN; j++) factors[j] = numbers[j] >= limit ? up : 0.0f;
}

INLINE uint32_t limit_of(double rate) { return (uint32_t)__builtin_rint(rate * 65536.0); }
INLINE float up_of(double rate) { return (float)(1.0 / (1.0 - rate)); }

/* Drops numbers of rows first, first + 1, … of a batch, scaling the others up, as clients/regularization/dropout.py does. */
static void drop(uint64_t key, double rate, long first, long rows, long width, float *values, float *slopes, long ld) {
    const long each = (width + 3) / 4; /* values for a row */
    for (long b = 0; b < rows; b++, values += ld, slopes += slopes ? ld : 0)
        for (long done = 0; done < width; done += DRAWN) {
            float factors[DRAWN];
            const long count = least(DRAWN, width - done);
            draw_factors(key, (uint64_t)((first + b) * each + done / 4), limit_of(rate), up_of(rate), factors);
            for (long j = 0; j < count; j++) values[done + j] *= factors[j];
            for (long j = 0; slopes && j < count; j++) slopes[done + j] *= factors[j];
        }
}

/* The factors of numbers first … first + count - 1, `first` a multiple of 4, of rows row … row + rows - 1 of `width`. */
static void draw_rows(uint64_t key, double rate, long row, long rows, long width, long first, long count, float *to,
                      long ld) {
    const long each = (width + 3) / 4;
    for (long b = 0; b < rows; b++)
        for (long done = 0; done < count; done += DRAWN) {
            const uint64_t from = (uint64_t)((row + b) * each + (first + done) / 4);
            float factors[DRAWN], *here = to + b * ld + done;
            draw_factors(key, from, limit_of(rate), up_of(rate), done + DRAWN <= count ? here : factors);
            for (long j = 0; done + DRAWN > count && j < count - done; j++) here[j] = factors[j];
        }
}

#endif
