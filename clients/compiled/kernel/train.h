/* Training clients one after the other, so that one client's weights stay in a core's cache for all of its steps.
 *
 * A client's weights lie here as (inputs, units) per layer, a row for the biases behind them, rows padded to PAD.
 */
#ifndef TRAIN_H
#define TRAIN_H

#include <stdlib.h>
#include <string.h>

#include "activations.h"
#include "draws.h"
#include "losses.h"
#include "optimizers.h"
#include "products.h"
#include "rows.h"
#include "work.h"

#define CHUNK 128        /* rows of a batch that go through the network at once */
#define STRIP 4096       /* numbers of a gradient that wait in the first-level cache for the optimizer */

#ifdef __SANITIZE_ADDRESS__ /* the address sanitizer watches between the parts of a block of memory, too */
#include <sanitizer/asan_interface.h>
#define FENCE 64
#define FORBID(from, bytes) ASAN_POISON_MEMORY_REGION(from, bytes)
#define ALLOW(from, bytes) ASAN_UNPOISON_MEMORY_REGION(from, bytes)
#else
#define FENCE 0
#define FORBID(from, bytes) ((void)(from))
#define ALLOW(from, bytes) ((void)(from))
#endif

typedef struct {
    long in, out;      /* inputs and units */
    long ldi, ld;      /* both padded */
    long at, from;     /* where its weights begin here, and in PyTorch's order */
    float *inputs;     /* (rows, ldi) */
    float *slopes;     /* the inputs' derivatives by what the activation before got, (rows, ldi) */
    float *deltas;     /* the loss's derivatives by the outputs, (rows, ld) */
} Layer;

typedef struct {
    const Work *work;
    Layer *layers;
    long size, parameters; /* numbers of a client's weights here, and in PyTorch's order */
    float *start, *weights, *states[2], *gradient;
    float *strip, *across, *outputs; /* a part of a gradient, derivatives along a batch's rows, the outputs z */
    Outcome outcome;               /* what the losses are computed in */
    int64_t *labels;               /* its labels, to be written */
    Card *cards, *spare;           /* the order of a client's rows */
} Trainer;

/* How a gradient gets into the weights. */
typedef enum {
    FUSED,    /* straight: plain gradient descent */
    STRIPS,   /* strip by strip through the optimizer */
    WHOLE     /* as a whole: where its norm matters, or a batch goes through the network in several parts */
} Way;

/* One batch of one client. */
typedef struct {
    long client, rows;
    const Card *cards; /* its rows' places among the client's */
    int64_t first;     /* where the client's rows begin */
    float scale;       /* multiplies every derivative */
    uint64_t t;        /* the step, for its masks */
} Batch;

static const float zeros[CHUNK] __attribute__((aligned(64))) = {0};

/* Weights from PyTorch's order. */
static void pack(const Trainer *trainer, const float *flat, float *packed) {
    for (const Layer *layer = trainer->layers; layer < trainer->layers + trainer->work->layers; layer++) {
        const float *from = flat + layer->from;
        float *to = packed + layer->at;
        transpose(from, layer->in, layer->out, layer->in, to, layer->ld);
        memcpy(to + layer->in * layer->ld, from + layer->in * layer->out, (size_t)layer->out * sizeof(float));
    }
}

/* Weights in PyTorch's order. */
static void unpack(const Trainer *trainer, const float *packed, float *flat) {
    for (const Layer *layer = trainer->layers; layer < trainer->layers + trainer->work->layers; layer++) {
        const float *from = packed + layer->at;
        float *to = flat + layer->from;
        transpose(from, layer->ld, layer->in, layer->out, to, layer->in);
        memcpy(to + layer->in * layer->out, from + layer->in * layer->ld, (size_t)layer->out * sizeof(float));
    }
}

/* Drops some of `values` before layer l: the inputs, or the units of the layer before. */
static void drop_before(const Work *work, long l, const Batch *batch, long done, long rows, const Layer *layer) {
    if (work->dropout[l] <= 0) return;
    const uint64_t key = forked(forked(work->dropout_keys[batch->client], work->forks[l]), work->forks[batch->t]);
    drop(key, work->dropout[l], done, rows, layer->in, layer->inputs, l ? layer->slopes : NULL, layer->ldi);
}

/* The targets of rows `done` … of a batch, as the losses want them: classes, or numbers along the rows. */
static void aim(const Trainer *trainer, const Batch *batch, long done, const Outcome *outcome) {
    const Work *work = trainer->work;
    const long width = outcome->width, ld = outcome->ld;
    for (long b = 0; b < outcome->rows; b++) {
        const int64_t row = batch->first + batch->cards[done + b].place;
        if (work->labels) trainer->labels[b] = work->labels[row];
        if (work->labels && work->loss == CROSS_ENTROPY) continue;
        for (long j = 0; j < width; j++)
            outcome->targets[j * ld + b] = !work->labels ? work->targets[row * width + j]
                                           : width == 1  ? (float)work->labels[row]
                                                         : (float)(j == work->labels[row]);
    }
}

/* The losses of rows `done` … of a batch from their outputs, and the derivatives by these; returns the losses' sum. */
static double judge(const Trainer *trainer, const Batch *batch, long done, long rows) {
    const Layer *last = trainer->layers + trainer->work->layers - 1;
    Outcome outcome = trainer->outcome;
    outcome.rows = rows, outcome.ld = padded(rows);
    aim(trainer, batch, done, &outcome);
    transpose(trainer->outputs, last->ld, rows, last->out, outcome.z, outcome.ld);
    losses_of(trainer->work, &outcome, batch->scale);
    transpose(outcome.d, outcome.ld, last->out, rows, last->deltas, last->ld);
    double sum = 0;
    for (long b = 0; b < rows; b++) sum += (double)outcome.losses[b];
    return sum;
}

/* Rows `done` … of a batch through the network, up to the derivatives by its outputs; returns their losses' sum. */
static double forward(const Trainer *trainer, const Batch *batch, long done, long rows) {
    const Work *work = trainer->work;
    const Layer *layer = trainer->layers, *last = layer + work->layers - 1;
    const Card *cards = batch->cards + done;
    for (long b = 0; b < rows; b++)
        read_row(work, batch->client, work->rows[batch->first + cards[b].place], layer->inputs + b * layer->ldi);
    for (long l = 0;; l++, layer++) {
        const float *weights = trainer->weights + layer->at;
        float *to = layer == last ? trainer->outputs : layer[1].inputs;
        drop_before(work, l, batch, done, rows, layer);
        product(layer->inputs, layer->ldi, rows, weights, layer->ld, layer->in, layer->ld,
                weights + layer->in * layer->ld, 0, to, layer->ld);
        if (layer == last) break;
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
    const long ld = padded(rows);
    const int last = layer == trainer->layers + trainer->work->layers - 1;
    float *to = layer[-1].deltas, *deltas = last ? trainer->outcome.d : trainer->across;
    float *pulled = trainer->across + layer->out * ld;
    if (!last) transpose(layer->deltas, layer->ld, rows, layer->out, deltas, ld);
    product(trainer->weights + layer->at, layer->ld, layer->in, deltas, ld, layer->out, ld, zeros, 0, pulled, ld);
    transpose(pulled, ld, layer->in, rows, to, layer->ldi);
    for (long i = 0; i < rows * layer->ldi; i++) to[i] *= layer->slopes[i];
}

/* The gradient by a layer's rows first … end − 1 (row `in` are the biases), added to what is in `to`, or anew. */
static void gradient(const Layer *layer, long rows, long first, long end, float *to, int anew) {
    const long inputs = least(end, layer->in) - first;
    if (inputs > 0)
        outer(layer->inputs + first, layer->ldi, rows, layer->deltas, layer->ld, to, layer->ld, inputs, layer->ld, anew);
    if (end <= layer->in) return;
    float *biases = to + (layer->in - first) * layer->ld;
    for (long j = 0; anew && j < layer->ld; j++) biases[j] = 0;
    for (long b = 0; b < rows; b++)
        for (long j = 0; j < layer->ld; j++) biases[j] += layer->deltas[b * layer->ld + j];
}

/* For a layer's rows first … end − 1 with their gradient g: the penalties, and then the optimizer's step. */
static void update(const Trainer *trainer, const Step *step, const Layer *layer, long first, long end, float *g,
                   int shapes, int descends) {
    const Work *work = trainer->work;
    const long ends[] = {first, least(end, layer->in), end};
    for (int biases = 0; biases < 2; biases++) {
        const long from = ends[biases], at = layer->at + from * layer->ld, count = (ends[biases + 1] - from) * layer->ld;
        const int regularized = !biases || work->regularized_biases;
        float *w = trainer->weights + at, *own = g + (from - first) * layer->ld;
        float *s = work->states > 0 ? trainer->states[0] + at : NULL;
        float *r = work->states > 1 ? trainer->states[1] + at : NULL;
        if (shapes) shape_gradient(step, regularized, w, own, count);
        if (descends) descend(work, step, regularized, w, own, s, r, count);
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

/* A step of one client; returns its batch's mean loss. */
static double take_step(const Trainer *trainer, Batch *batch, const Step *step, double clip_norm) {
    const Work *work = trainer->work;
    const Way way = batch->rows > CHUNK || work->clipped ? WHOLE : work->fused ? FUSED : STRIPS;
    double total = (double)batch->rows, loss = 0;
    if (work->class_weights) {
        total = 0;
        for (long b = 0; b < batch->rows; b++)
            total += (double)work->class_weights[work->labels[batch->first + batch->cards[b].place]];
    }
    batch->scale = (float)((way == FUSED ? -(double)step->rate : 1.0) / total);
    for (long done = 0; done < batch->rows; done += CHUNK) {
        const long rows = least(CHUNK, batch->rows - done);
        loss += forward(trainer, batch, done, rows);
        for (long l = work->layers - 1; l >= 0; l--) {
            const Layer *layer = &trainer->layers[l];
            const long all = layer->in + 1, each = STRIP / layer->ld > 1 ? STRIP / layer->ld : 1;
            if (l) pull_back(trainer, layer, rows);
            if (way == FUSED) gradient(layer, rows, 0, all, trainer->weights + layer->at, 0);
            if (way == WHOLE) gradient(layer, rows, 0, all, trainer->gradient + layer->at, done == 0);
            for (long first = 0; way == STRIPS && first < all; first += each) {
                gradient(layer, rows, first, least(first + each, all), trainer->strip, 1);
                update(trainer, step, layer, first, least(first + each, all), trainer->strip, 1, 1);
            }
        }
    }
    if (way == WHOLE) {
        const Layer *end = trainer->layers + work->layers;
        for (const Layer *layer = trainer->layers; layer < end; layer++)
            update(trainer, step, layer, 0, layer->in + 1, trainer->gradient + layer->at, 1, 0);
        if (work->clipped) clip(trainer->gradient, trainer->size, clip_norm);
        for (const Layer *layer = trainer->layers; layer < end; layer++)
            update(trainer, step, layer, 0, layer->in + 1, trainer->gradient + layer->at, 0, 1);
    }
    return loss / total;
}

static long first_step(const Work *work, long c) { return work->first ? work->first[c] : 0; }

/* All steps of one client; returns the sum of its batches' mean losses. */
static double train_client(const Trainer *trainer, long c) {
    const Work *work = trainer->work;
    const double *own = work->constants + c * CONSTANTS, *rates = work->rates + c * work->rate_steps;
    const long size = work->starts[c + 1] - work->starts[c], full = work->batch ? least(work->batch, size) : size;
    const long per_epoch = (size + full - 1) / full;
    const int64_t taken = work->taken ? (int64_t)work->taken[c] : 0;
    const long first = first_step(work, c);
    double losses = 0;
    for (long i = 0; !work->order_keys && i < size; i++) trainer->cards[i].place = i;
    for (long t = first; t < work->steps[c]; t++) {
        const long at = (t - first) % per_epoch * full;
        if (at == 0 && work->order_keys)
            shuffle(forked(work->order_keys[c], work->forks[t / per_epoch]), trainer->cards, trainer->spare, size);
        Batch batch = {.client = c, .rows = least(full, size - at), .cards = trainer->cards + at,
                       .first = work->starts[c], .t = (uint64_t)t};
        const Step step = step_of(work, own, rates[work->rate_steps > 1 ? t : 0], taken + t);
        losses += take_step(trainer, &batch, &step, own[CLIP_NORM]);
    }
    return losses;
}

/* Every client of the work, one after the other. */
static void train_all(const Trainer *trainer) {
    const Work *work = trainer->work;
    const size_t bytes = (size_t)trainer->size * sizeof(float);
    for (long c = 0; c < work->clients; c++) {
        if (c == 0 || work->start_stride) pack(trainer, work->start + c * work->start_stride, trainer->start);
        if (work->first && work->first[c] >= work->steps[c]) continue; /* has finished: what it trained stands */
        memcpy(trainer->weights, trainer->start, bytes);
        for (long s = 0; s < work->states; s++) {
            float *state = trainer->states[s];
            if (work->state[s]) pack(trainer, work->state[s] + c * trainer->parameters, state);
            else for (long i = 0; i < trainer->size; i++) state[i] = (float)work->constants[c * CONSTANTS + INITIAL];
        }
        work->losses[c] = train_client(trainer, c);
        unpack(trainer, trainer->weights, work->trained + c * trainer->parameters);
        for (long s = 0; s < work->states; s++)
            if (work->state[s]) unpack(trainer, trainer->states[s], work->state[s] + c * trainer->parameters);
    }
}

/* The next `count` numbers of a block of memory; with no block yet, only how much of it is needed. */
static float *take(char *memory, size_t *used, size_t count) {
    float *here = memory ? (float *)(memory + *used) : NULL;
    const size_t bytes = count * sizeof(float), next = *used + (bytes + 63) / 64 * 64 + FENCE;
    if (memory) FORBID(memory + *used + bytes, next - *used - bytes);
    *used = next;
    return here;
}

/* Lays out a trainer in `memory`, and returns how many bytes that takes; `memory` may be NULL to ask. */
static size_t lay_out(Trainer *trainer, char *memory) {
    const Work *work = trainer->work;
    size_t used = 0;
    long widest = 0, longest = 0, size = 0, parameters = 0;
    for (long c = 0; c < work->clients; c++) {
        const long rows = work->starts[c + 1] - work->starts[c];
        longest = rows > longest ? rows : longest;
    }
    const long at_once = least(CHUNK, work->batch ? least(work->batch, longest) : longest);
    trainer->layers = (Layer *)(void *)take(memory, &used, (size_t)work->layers * sizeof(Layer) / sizeof(float) + 1);
    for (long l = 0; l < work->layers; l++) {
        Layer layer = {.in = work->widths[l], .out = work->widths[l + 1], .at = size, .from = parameters};
        layer.ldi = padded(layer.in), layer.ld = padded(layer.out);
        layer.inputs = take(memory, &used, (size_t)(at_once * layer.ldi));
        layer.slopes = l ? take(memory, &used, (size_t)(at_once * layer.ldi)) : NULL;
        layer.deltas = take(memory, &used, (size_t)(at_once * layer.ld));
        widest = layer.ld > widest ? layer.ld : widest;
        size += (layer.in + 1) * layer.ld;
        parameters += (layer.in + 1) * layer.out;
        if (memory) trainer->layers[l] = layer;
    }
    trainer->size = size, trainer->parameters = parameters;
    trainer->start = take(memory, &used, (size_t)size);
    trainer->weights = take(memory, &used, (size_t)size);
    for (long s = 0; s < 2; s++) trainer->states[s] = take(memory, &used, s < work->states ? (size_t)size : 0);
    trainer->gradient = take(memory, &used, work->clipped || !work->batch || work->batch > CHUNK ? (size_t)size : 0);
    trainer->strip = take(memory, &used, (size_t)(widest > STRIP ? widest : STRIP));
    trainer->across = take(memory, &used, (size_t)(2 * widest * padded(at_once)));
    trainer->outputs = take(memory, &used, (size_t)(at_once * widest));
    const long rows = padded(at_once), width = work->widths[work->layers];
    float *columns[3], *each[4];
    for (int i = 0; i < 3; i++) columns[i] = take(memory, &used, (size_t)(width * rows));
    for (int i = 0; i < 4; i++) each[i] = take(memory, &used, (size_t)rows);
    trainer->labels = (int64_t *)(void *)take(memory, &used, (size_t)rows * sizeof(int64_t) / sizeof(float));
    trainer->outcome = (Outcome){.width = width, .z = columns[0], .d = columns[1], .targets = columns[2],
                                 .labels = trainer->labels, .losses = each[0], .largest = each[1], .sums = each[2],
                                 .own = each[3]};
    trainer->cards = (Card *)(void *)take(memory, &used, (size_t)longest * sizeof(Card) / sizeof(float));
    trainer->spare = (Card *)(void *)take(memory, &used, (size_t)longest * sizeof(Card) / sizeof(float));
    return used;
}

/* Does the work; returns 0, or 1 where there is not enough memory. */
static int train(const Work *work) {
    Trainer trainer = {.work = work};
    const size_t bytes = lay_out(&trainer, NULL);
    char *memory = aligned_alloc(64, bytes);
    if (!memory) return 1;
    memset(memory, 0, bytes);
    lay_out(&trainer, memory);
    train_all(&trainer);
    ALLOW(memory, bytes);
    free(memory);
    return 0;
}

#endif
