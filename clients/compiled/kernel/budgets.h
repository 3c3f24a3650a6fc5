/* Budgets: after a step the regularized weights, as one vector, move to the nearest point of a ball.
 *
 * Sums run in PAD partial sums over STRIP numbers each, which are added up in double.
 */
#ifndef BUDGETS_H
#define BUDGETS_H

#include "trainer.h"

/* Which parts of a layer are regularized, as far as they are trained. */
INLINE int regularized(const Work *work, int part) {
    return part == WEIGHTS || (part == BIASES && work->regularized_biases);
}

/* For each part of a layer that is regularized. */
#define EACH_REGULARIZED \
    for (const Layer *layer = trainer->layers; layer <= trainer->layers + last_layer(trainer); layer++) \
        for (int part = WEIGHTS; part <= BIASES; part++) \
            if (layer->trains[part] && layer->from[part] >= 0 && regularized(trainer->work, part))

INLINE float *weights_of(const Trainer *trainer, const Layer *layer, int part) {
    return trainer->weights + part_at(layer, part);
}

static double sum_of_squares(const float *w, long count) {
    double total = 0;
    for (long done = 0; done < count; done += STRIP) {
        float sums[PAD] = {0};
        for (long i = done; i < least(done + STRIP, count); i += PAD)
            for (long j = 0; j < PAD; j++) sums[j] += w[i + j] * w[i + j];
        for (long j = 0; j < PAD; j++) total += (double)sums[j];
    }
    return total;
}

/* Adds up by how much numbers are larger than `size`, and how many are. */
static void sum_above(const float *w, long count, float size, double *total, double *above) {
    const Vector limit = SPLAT(size), zero = SPLAT(0.0f);
    for (long done = 0; done < count; done += STRIP) {
        Vector sums[PAD / LANES] = {0};
        Ints counts[PAD / LANES] = {0};
        for (long i = done; i < least(done + STRIP, count); i += PAD)
            for (long v = 0; v < PAD / LANES; v++) {
                const Ints bits = *(const Ints *)(w + i + v * LANES) & 0x7fffffff; /* |w| */
                const Vector rest = (Vector)bits - limit;
                const Ints over = (Ints)(rest > zero); /* all bits where it is, which is -1 */
                sums[v] += (Vector)((Ints)rest & over);
                counts[v] -= over;
            }
        for (long v = 0; v < PAD / LANES; v++)
            for (long j = 0; j < LANES; j++) *total += (double)sums[v][j], *above += (double)counts[v][j];
    }
}

/* sign(w) max(|w| - size, 0); NaN stays NaN. */
static void shrink(float *restrict w, long count, float size) {
    for (long i = 0; i < count; i++) {
        const float rest = __builtin_fabsf(w[i]) - size, left = rest < 0 ? 0 : rest;
        w[i] = w[i] > 0 ? left : -left;
    }
}

/* Adds weights that a step has just written to what the budgets need to know of them, while they are in the cache. */
static void count_weights(const Trainer *trainer, const float *w, long count) {
    Totals *totals = trainer->totals;
    if (totals->l2_budget > 0) totals->squares += sum_of_squares(w, count);
    if (totals->l1_budget > 0) sum_above(w, count, (float)totals->theta, &totals->over, &totals->above);
}

/* Sum of w^2 <= budget, from the sum of squares. */
static void keep_l2(const Trainer *trainer, double budget, double total) {
    if (!(total > budget)) return;
    const float factor = (float)__builtin_sqrt(budget / total);
    EACH_REGULARIZED {
        float *w = weights_of(trainer, layer, part);
        for (long i = 0; i < part_size(layer, part); i++) w[i] *= factor;
    }
}

/* Sum of |w| <= budget: w becomes sign(w) max(|w| - theta, 0) (Duchi et al. 2008, equation 3).
 *
 * Returns theta, which is searched from a guess as in Condat 2016, section 3.2 (after Michelot 1986). `total` is by how
 * much weights are larger than the guess, of `above` weights.
 */
static double keep_l1(const Trainer *trainer, double budget, double guess, double total, double above) {
    double theta = guess, count_before = -1;
    for (;;) {
        const double over = total - budget;
        if (!(__builtin_fabs(over) > 4 * 1.1920929e-7 * budget) || !(theta > 0 || over > 0)) break;
        double better = above > 0 ? theta + over / above : 0;
        better = better > 0 ? better : 0;
        /* From the first step on theta only rises, but for how sums round. */
        if (above == count_before || !(better > theta || count_before < 0)) break;
        theta = better, count_before = above;
        total = above = 0;
        EACH_REGULARIZED sum_above(weights_of(trainer, layer, part), part_size(layer, part), (float)theta, &total,
                                   &above);
    }
    if (theta > 0)
        EACH_REGULARIZED shrink(weights_of(trainer, layer, part), part_size(layer, part), (float)theta);
    return theta;
}

/* Keeps the budgets after a step, of which the totals tell; then they are ready for the next. */
static void keep_budgets(const Trainer *trainer) {
    Totals *totals = trainer->totals;
    if (totals->l1_budget > 0) {
        totals->theta = keep_l1(trainer, totals->l1_budget, totals->theta, totals->over, totals->above);
        if (totals->l2_budget > 0) {
            totals->squares = 0;
            EACH_REGULARIZED totals->squares += sum_of_squares(weights_of(trainer, layer, part), part_size(layer, part));
        }
    }
    if (totals->l2_budget > 0) keep_l2(trainer, totals->l2_budget, totals->squares);
    totals->squares = totals->over = totals->above = 0;
}

#undef EACH_REGULARIZED
#endif
