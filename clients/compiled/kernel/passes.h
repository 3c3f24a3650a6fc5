/* A batch's way through the network and back, as far as the derivatives by each layer's outputs. */
#ifndef PASSES_H
#define PASSES_H

#include "activations.h"
#include "normalization.h"
#include "rows.h"
#include "trainer.h"

/* Drops some of `values` before layer l: the inputs, or the units of the layer before. */
static void drop_before(const Work *work, long l, const Batch *batch, long done, long rows, const Layer *layer) {
    if (work->dropout[l] <= 0) return;
    const uint64_t key = forked(forked(work->dropout_keys[batch->client], work->forks[l]), work->forks[batch->t]);
    drop(key, work->dropout[l], done, rows, layer->in, layer->inputs, l ? layer->slopes : NULL, layer->ldi);
}

/* The weights with some dropped and the others scaled up, and by what each was multiplied. */
static void drop_connections(const Trainer *trainer, const Batch *batch) {
    const Work *work = trainer->work;
    float *flat = trainer->strip; /* rows of units, as they are drawn, STRIP numbers at least */
    const long wide = STRIP / PAD;
    for (long l = 0; l < work->layers; l++) {
        const Layer *layer = trainer->layers + l;
        const uint64_t key = forked(forked(work->connection_keys[batch->client], work->forks[l]), work->forks[batch->t]);
        float *factors = trainer->factors + layer->at, *dropped = trainer->dropped + layer->at;
        const float *weights = trainer->weights + layer->at;
        const Form form = in_strips(layer->in);
        for (long unit = 0; unit < layer->out; unit += PAD)
            for (long first = 0; first < layer->in; first += wide) {
                const long rows = least(PAD, layer->out - unit), count = least(wide, layer->in - first);
                const long at = place(form, first, unit);
                draw_rows(key, work->drop_connect, unit, rows, layer->in, first, count, flat, wide);
                transpose(flat, wide, rows, count, factors + at, PAD);
                for (long i = at; i < at + count * PAD; i++) dropped[i] = weights[i] * factors[i];
            }
    }
}

/* A layer's weights as they are used in this step. */
INLINE const float *used_weights(const Trainer *trainer, const Layer *layer) {
    return (trainer->work->drop_connect > 0 ? trainer->dropped : trainer->weights) + layer->at;
}

/* Where a row of a batch is among all; for mixup, where its partner is. */
INLINE int64_t row_of(const Trainer *trainer, const Batch *batch, long b, int partner) {
    return batch->first + batch->cards[partner ? trainer->partners[b].place : b].place;
}

/* Row b of a batch as the network sees it, for mixup mixed with its partner (Zhang et al. 2018, equation 1). */
static void read_example(const Trainer *trainer, const Batch *batch, long b, float *restrict out) {
    const Work *work = trainer->work;
    read_row(work, batch->client, work->rows[row_of(trainer, batch, b, 0)], out);
    if (!work->mixup) return;
    const float *restrict partner = trainer->partner;
    read_row(work, batch->client, work->rows[row_of(trainer, batch, b, 1)], trainer->partner);
    for (long k = 0; k < work->widths[0]; k++) out[k] = batch->own * out[k] + (1 - batch->own) * partner[k];
}

/* The targets of rows `done` … of a batch, as the losses want them: classes, or numbers along the rows. */
static void aim(const Trainer *trainer, const Batch *batch, long done, const Outcome *outcome, int partner) {
    const Work *work = trainer->work;
    const long width = outcome->width, ld = outcome->ld;
    for (long b = 0; b < outcome->rows; b++) {
        const int64_t row = row_of(trainer, batch, done + b, partner);
        if (work->labels) trainer->labels[b] = work->labels[row];
        if (work->labels && work->loss == CROSS_ENTROPY) continue;
        for (long j = 0; j < width; j++)
            outcome->targets[j * ld + b] = !work->labels ? work->targets[row * width + j]
                                           : width == 1  ? (float)work->labels[row]
                                                         : (float)(j == work->labels[row]);
    }
}

/* The losses by one side's targets and, in outcome.d, the derivatives by the outputs, times `scale`. */
static double judge_by(const Trainer *trainer, const Batch *batch, long done, Outcome *outcome, float scale,
                       int partner) {
    const Layer *last = trainer->layers + last_layer(trainer);
    aim(trainer, batch, done, outcome, partner);
    transpose(trainer->outputs, last->ld, outcome->rows, last->out, outcome->z, outcome->ld);
    losses_of(trainer->work, outcome, scale);
    double sum = 0;
    for (long b = 0; b < outcome->rows; b++) sum += (double)outcome->losses[b];
    return sum;
}

/* The losses of rows `done` … of a batch from their outputs, and the derivatives by these; returns the losses' sum. */
static double judge(const Trainer *trainer, const Batch *batch, long done, long rows) {
    const Layer *last = trainer->layers + last_layer(trainer);
    Outcome outcome = trainer->outcome;
    outcome.rows = rows, outcome.ld = lead(rows);
    double sum;
    if (!trainer->work->mixup) {
        sum = judge_by(trainer, batch, done, &outcome, batch->scale, 0);
    } else {
        const float own = batch->own, theirs = 1 - own;
        float *restrict other = trainer->other, *restrict d = outcome.d;
        sum = (double)theirs * judge_by(trainer, batch, done, &outcome, theirs * batch->scale, 1);
        memcpy(other, d, (size_t)(outcome.width * outcome.ld) * sizeof(float));
        sum += (double)own * judge_by(trainer, batch, done, &outcome, own * batch->scale, 0);
        for (long i = 0; i < outcome.width * outcome.ld; i++) d[i] += other[i];
    }
    transpose(outcome.d, outcome.ld, last->out, rows, last->deltas, last->ld);
    return sum;
}

/* Rows `done` … of a batch through the network, up to the derivatives by its outputs; returns their losses' sum. */
static double forward(const Trainer *trainer, const Batch *batch, long done, long rows) {
    const Work *work = trainer->work;
    const Layer *layer = trainer->layers, *last = layer + last_layer(trainer);
    for (long b = 0; b < rows; b++) read_example(trainer, batch, done + b, layer->inputs + b * layer->ldi);
    for (long l = 0;; l++, layer++) {
        float *to = layer == last ? trainer->outputs : layer[1].inputs;
        drop_before(work, l, batch, done, rows, layer);
        product(layer->inputs, in_rows(layer->ldi), rows, used_weights(trainer, layer), in_strips(layer->in), layer->in,
                layer->wide, trainer->weights + part_at(layer, BIASES), 0, to, layer->ld);
        if (layer == last) break;
        if (work->normalization != NO_NORMALIZATION) normalize(trainer, layer, to, rows);
        activate(work->activation, (float)work->slope, to, layer[1].slopes, rows * layer->ld);
    }
    return judge(trainer, batch, done, rows);
}

/* The derivatives by the outputs of the layer before, from those by `layer`'s.
 *
 * They are computed with the batch's rows along the vectors: so the weights are read as they lie, and only what is
 * small is transposed.
 */
static void pull_back(const Trainer *trainer, const Layer *layer, long rows) {
    const long ld = lead(rows);
    const int last = layer == trainer->layers + last_layer(trainer);
    float *to = layer[-1].deltas, *deltas = last ? trainer->outcome.d : trainer->across;
    float *pulled = trainer->across + layer->out * ld;
    if (!last) transpose(layer->deltas, layer->ld, rows, layer->out, deltas, ld);
    product(used_weights(trainer, layer), in_strips(layer->in), layer->in, deltas, in_rows(ld), layer->out,
            padded(rows), zeros, 0, pulled, ld);
    transpose(pulled, ld, layer->in, rows, to, layer->ldi);
    for (long i = 0; i < rows * layer->ldi; i++) to[i] *= layer->slopes[i];
    if (trainer->work->normalization != NO_NORMALIZATION) normalize_back(trainer, layer - 1, rows);
}

#endif
