/* A client's steps: each batch's gradient, what is done to it, and the optimizer's step. */
#ifndef STEPS_H
#define STEPS_H

#include "budgets.h"
#include "optimizers.h"
#include "passes.h"

/* How a gradient gets into the weights. */
typedef enum {
    FUSED,    /* straight: plain gradient descent */
    PIECES,   /* piece by piece through the optimizer */
    WHOLE     /* as a whole: where its norm matters, or a batch goes through the network in several parts */
} Way;

/* The gradient by the biases, gain or shift of a layer, added to what is in `to`, or anew. */
static void small_gradient(const Layer *layer, int part, long rows, float *to, int anew) {
    const long wide = layer->wide;
    for (long j = 0; anew && j < wide; j++) to[j] = 0;
    if (part == BIASES) {
        for (long b = 0; b < rows; b++)
            for (long j = 0; j < wide; j++) to[j] += layer->deltas[b * layer->ld + j];
    } else {
        const float *restrict own = layer->by_gain + (part == SHIFT ? wide : 0);
        for (long j = 0; j < wide; j++) to[j] += own[j];
    }
}

/* The whole gradient by a part of a layer, added to what is in `to`, or anew. */
static void gradient(const Layer *layer, int part, long rows, float *to, int anew) {
    if (part != WEIGHTS) small_gradient(layer, part, rows, to, anew);
    else outer(layer->inputs, layer->ldi, rows, layer->deltas, layer->ld, to, layer->in * PAD, layer->in, layer->wide, anew);
}

/* Weights that were dropped have no gradient. */
static void mask(const Trainer *trainer, int part, long at, long count, float *restrict g) {
    if (!(trainer->work->drop_connect > 0) || part != WEIGHTS) return;
    const float *restrict factors = trainer->factors + at;
    for (long i = 0; i < count; i++) g[i] *= factors[i];
}

/* What is done to the gradient g of `count` numbers from `at` on, all of one part, before its norm is known. */
static void shape(const Trainer *trainer, const Step *step, int part, long at, long count, float *restrict g) {
    const Work *work = trainer->work;
    const float *restrict w = trainer->weights + at;
    if (work->origin) {
        const float strength = (float)work->proximal, *restrict origin = trainer->origin + at;
        for (long i = 0; i < count; i++) g[i] += strength * (w[i] - origin[i]);
    }
    shape_gradient(step, regularized(work, part), w, g, count);
}

/* And then the optimizer's step. */
static void step_on(const Trainer *trainer, const Step *step, int part, long at, long count, float *restrict g) {
    const Work *work = trainer->work;
    if (work->control) {
        const float *restrict control = trainer->control + at;
        for (long i = 0; i < count; i++) g[i] += control[i];
    }
    descend(work, step, regularized(work, part), trainer->weights + at, g,
            work->states > 0 ? trainer->states[0] + at : NULL, work->states > 1 ? trainer->states[1] + at : NULL, count);
    if (regularized(work, part)) count_weights(trainer, trainer->weights + at, count);
}

/* w - rate (g + l2 w + proximal (w - origin) + control) in one go, for gradient descent with nothing else. */
#define DESCEND(pulled, corrected) \
    for (long i = 0; i < count; i++) { \
        float gi = g[i]; \
        if (pulled) gi += strength * (w[i] - origin[i]); \
        gi += l2 * w[i]; \
        if (corrected) gi += control[i]; \
        w[i] = w[i] * keep - rate * gi; \
    }

static void descend_plainly(const Trainer *trainer, const Step *step, int part, long at, long count,
                            const float *restrict g) {
    const Work *work = trainer->work;
    const int penalized = regularized(work, part);
    const float rate = step->rate, strength = (float)work->proximal;
    const float l2 = penalized ? step->l2 : 0, keep = penalized ? step->keep : 1;
    const float *restrict origin = trainer->origin + at, *restrict control = trainer->control + at;
    float *restrict w = trainer->weights + at;
    if (work->origin && work->control) DESCEND(1, 1)
    else if (work->origin) DESCEND(1, 0)
    else if (work->control) DESCEND(0, 1)
    else DESCEND(0, 0)
    if (penalized) count_weights(trainer, w, count);
}

#undef DESCEND

/* What is done with a piece of a gradient. */
static void step_with(const Trainer *trainer, const Step *step, int part, long at, long count, float *g) {
    const Work *work = trainer->work;
    const int plain = work->optimizer == SGD && !work->states && step->l1 == 0 && step->clip_value <= 0;
    mask(trainer, part, at, count, g);
    if (plain) {
        descend_plainly(trainer, step, part, at, count, g);
        return;
    }
    shape(trainer, step, part, at, count, g);
    step_on(trainer, step, part, at, count, g);
}

/* A part's gradient and what is done with it, a piece at a time that stays in the first-level cache. */
static void step_by_pieces(const Trainer *trainer, const Step *step, const Layer *layer, int part, long rows) {
    float *piece = trainer->strip;
    if (part != WEIGHTS) {
        small_gradient(layer, part, rows, piece, 1);
        step_with(trainer, step, part, part_at(layer, part), layer->wide, piece);
        return;
    }
    const long both = 2 * PAD; /* the columns of a tile of the widest vectors: pieces are the same for all widths */
    for (long column = 0; column < layer->wide; column += both)
        for (long first = 0, columns = least(both, layer->wide - column); first < layer->in; first += STRIP / both) {
            const long inputs = least(STRIP / both, layer->in - first), count = inputs * PAD;
            outer(layer->inputs + first, layer->ldi, rows, layer->deltas + column, layer->ld, piece, count, inputs,
                  columns, 1);
            for (long strip = 0; strip < columns / PAD; strip++) {
                const long at = layer->at + place(in_strips(layer->in), first, column + strip * PAD);
                step_with(trainer, step, part, at, count, piece + strip * count);
            }
        }
}

static void clip(float *g, long count, double limit) {
    float sums[PAD] = {0}, sum = 0;
    for (long i = 0; i < count; i += PAD)
        for (long j = 0; j < PAD; j++) sums[j] += g[i + j] * g[i + j];
    for (long j = 0; j < PAD; j++) sum += sums[j];
    const float factor = (float)limit / (__builtin_sqrtf(sum) + 1e-6f);
    if (!(factor >= 1))
        for (long i = 0; i < count; i++) g[i] *= factor;
}

/* For each trained part of a layer. */
#define EACH_PART(layer) \
    for (int part = WEIGHTS; part < PARTS; part++) \
        if ((layer)->trains[part] && (layer)->from[part] >= 0)

/* The gradients of a part of a batch by all that is trained, and as far as that is its `way` into the weights. */
static void backward(const Trainer *trainer, const Step *step, Way way, long done, long rows) {
    for (long l = last_layer(trainer); l >= trainer->lowest; l--) {
        const Layer *layer = &trainer->layers[l];
        if (l > trainer->lowest) pull_back(trainer, layer, rows);
        EACH_PART(layer) {
            const long at = part_at(layer, part);
            switch (way) {
            case FUSED: gradient(layer, part, rows, trainer->weights + at, 0); break;
            case WHOLE: gradient(layer, part, rows, trainer->gradient + at, done == 0); break;
            case PIECES: step_by_pieces(trainer, step, layer, part, rows); break;
            }
        }
    }
}

/* What is done to a whole gradient. */
static void step_whole(const Trainer *trainer, const Step *step, double clip_norm) {
    const Layer *end = trainer->layers + trainer->work->layers;
    for (const Layer *layer = trainer->layers; layer < end; layer++)
        EACH_PART(layer) {
            const long at = part_at(layer, part);
            mask(trainer, part, at, part_size(layer, part), trainer->gradient + at);
            shape(trainer, step, part, at, part_size(layer, part), trainer->gradient + at);
        }
    if (trainer->work->clipped) clip(trainer->gradient, trainer->size, clip_norm);
    for (const Layer *layer = trainer->layers; layer < end; layer++)
        EACH_PART(layer) {
            const long at = part_at(layer, part);
            step_on(trainer, step, part, at, part_size(layer, part), trainer->gradient + at);
        }
}

/* What the losses of a batch are divided by: its rows, or the weights of their classes. */
static double total_of(const Work *work, const Batch *batch) {
    if (!work->class_weights) return (double)batch->rows;
    double total = 0;
    for (long b = 0; b < batch->rows; b++)
        total += (double)work->class_weights[work->labels[batch->first + batch->cards[b].place]];
    return total;
}

/* A step of one client; returns its batch's mean loss. */
static double take_step(const Trainer *trainer, Batch *batch, const Step *step, double clip_norm) {
    const Work *work = trainer->work;
    const Way way = batch->rows > CHUNK || work->clipped ? WHOLE : work->fused ? FUSED : PIECES;
    const double total = total_of(work, batch);
    double loss = 0;
    batch->scale = (float)((way == FUSED ? -(double)step->rate : 1.0) / total);
    if (work->drop_connect > 0) drop_connections(trainer, batch);
    for (long done = 0; done < batch->rows; done += CHUNK) {
        const long rows = least(CHUNK, batch->rows - done);
        loss += forward(trainer, batch, done, rows);
        backward(trainer, step, way, done, rows);
    }
    if (way == WHOLE) step_whole(trainer, step, clip_norm);
    return loss / total;
}

/* After a batch the origin follows the weights. */
static void follow(const Trainer *trainer, double share) {
    const float by = (float)share;
    for (const Layer *layer = trainer->layers; layer <= trainer->layers + last_layer(trainer); layer++)
        EACH_PART(layer) {
            const long at = part_at(layer, part);
            const float *restrict w = trainer->weights + at;
            float *restrict origin = trainer->origin + at;
            for (long i = 0; i < part_size(layer, part); i++) origin[i] += by * (w[i] - origin[i]);
        }
}

/* What mixup draws for a batch: how much of each example stays its own, and the partners. */
static void pair(const Trainer *trainer, Batch *batch) {
    const Work *work = trainer->work;
    const uint64_t key = forked(work->mixup_keys[batch->client], work->forks[batch->t]);
    batch->own = (float)work->mixup[batch->client * work->mixup_steps + (long)batch->t];
    shuffle(forked(key, work->forks[0]), trainer->partners, trainer->spare, batch->rows);
}

/* The mean loss over all of a client's rows. */
static double measure_client(const Trainer *trainer, long c) {
    const Work *work = trainer->work;
    const long size = work->starts[c + 1] - work->starts[c];
    for (long i = 0; i < size; i++) trainer->cards[i].place = i;
    const Batch batch = {.client = c, .rows = size, .cards = trainer->cards, .first = work->starts[c], .scale = 1};
    double loss = 0;
    for (long done = 0; done < size; done += CHUNK) loss += forward(trainer, &batch, done, least(CHUNK, size - done));
    return loss / total_of(work, &batch);
}

INLINE long first_step(const Work *work, long c) { return work->first ? work->first[c] : 0; }

/* All steps of one client; returns the sum of its batches' mean losses. */
static double train_client(const Trainer *trainer, long c) {
    const Work *work = trainer->work;
    const double *own = work->constants + c * CONSTANTS, *rates = work->rates + c * work->rate_steps;
    const long size = work->starts[c + 1] - work->starts[c], full = work->batch ? least(work->batch, size) : size;
    const long per_epoch = (size + full - 1) / full;
    const int64_t taken = work->taken ? (int64_t)work->taken[c] : 0;
    const long first = first_step(work, c);
    double losses = 0;
    *trainer->totals = (Totals){.l1_budget = own[L1_BUDGET], .l2_budget = own[L2_BUDGET]};
    for (long i = 0; !work->order_keys && i < size; i++) trainer->cards[i].place = i;
    for (long t = first; t < work->steps[c]; t++) {
        const long at = (t - first) % per_epoch * full;
        if (at == 0 && work->order_keys)
            shuffle(forked(work->order_keys[c], work->forks[t / per_epoch]), trainer->cards, trainer->spare, size);
        Batch batch = {.client = c, .rows = least(full, size - at), .cards = trainer->cards + at,
                       .first = work->starts[c], .t = (uint64_t)t};
        if (work->mixup) pair(trainer, &batch);
        for (long repeat = 0; repeat < work->repeats; repeat++) {
            const int64_t before = taken + t * work->repeats + repeat;
            const Step step = step_of(work, own, rates[work->rate_steps > 1 ? t : 0], before);
            const double loss = take_step(trainer, &batch, &step, own[CLIP_NORM]);
            losses += repeat ? 0 : loss;
            keep_budgets(trainer);
        }
        if (work->follow > 0) follow(trainer, work->follow);
    }
    return losses;
}

#undef EACH_PART
#endif
