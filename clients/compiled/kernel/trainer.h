/* What training one client needs, in one block of memory, and weights as they lie in it.
 *
 * A layer's weights lie here as (inputs, units) in strips of PAD units, behind them the biases and, where its outputs
 * are normalized, the gain and the shift; units are padded to PAD.
 */
#ifndef TRAINER_H
#define TRAINER_H

#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "losses.h"
#include "products.h"
#include "work.h"

#define CHUNK 128  /* rows of a batch that go through the network at once */
#define STRIP 2048 /* numbers of a gradient that wait in the first-level cache for the optimizer */

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
    long in, out, wide; /* inputs, units, and units padded */
    long ldi, ld;      /* how far rows of inputs and of units lie apart */
    long at;           /* where its numbers begin here */
    long from[PARTS];  /* where each part begins in PyTorch's order; -1 for a part that it does not have */
    long running;      /* where its running statistics begin in PyTorch's order */
    const int64_t *trains;
    float *inputs;     /* (rows, ldi) */
    float *slopes;     /* the inputs' derivatives by what the activation before got, (rows, ldi) */
    float *deltas;     /* the loss's derivatives by the outputs, (rows, ld) */
    float *normal;     /* normalized outputs before gain and shift, (rows, ld) */
    float *inverse;    /* 1 / sqrt(variance + eps) of each unit (wide), or of each row (rows) */
    float *by_gain;    /* the derivatives by gain and shift, (2, wide) */
    float *mean, *variance; /* running statistics, (wide) */
} Layer;

/* What budgets need to know of a client's regularized weights. */
typedef struct {
    double l1_budget, l2_budget;
    double squares;           /* the sum of w^2 */
    double theta;             /* what the last projection onto the l1 ball took away */
    double over, above;       /* by how much weights are larger than that, and how many are */
} Totals;

typedef struct {
    const Work *work;
    Totals *totals;
    Layer *layers;
    long size;                /* numbers of a client's parameters here */
    long parameters, numbers; /* and in PyTorch's order, without and with running statistics */
    long lowest;              /* the first layer of which anything is trained */
    float *start, *weights, *states[2], *gradient, *origin, *control;
    float *factors, *dropped;        /* 0 or 1 / (1 - rate) for each weight, and the weights times these */
    float *strip, *across, *outputs; /* a part of a gradient, derivatives along a batch's rows, the outputs z */
    float *partner, *other;          /* mixup: one more row, and one more side's derivatives */
    Outcome outcome;                 /* what the losses are computed in */
    int64_t *labels;                 /* its labels, to be written */
    Card *cards, *spare, *partners;  /* the order of a client's rows, and of a batch's for mixup */
} Trainer;

/* One batch of one client. */
typedef struct {
    long client, rows;
    const Card *cards; /* its rows' places among the client's */
    int64_t first;     /* where the client's rows begin */
    float scale;       /* multiplies every derivative */
    float own;         /* mixup: how much of each example stays its own */
    uint64_t t;        /* the step, for its draws */
} Batch;

static const float zeros[CHUNK + PAD] __attribute__((aligned(64))) = {0};

INLINE long last_layer(const Trainer *trainer) { return trainer->work->layers - 1; }

/* Where a part's numbers begin here, and how many there are. */
INLINE long part_at(const Layer *layer, int part) {
    return layer->at + (part == WEIGHTS ? 0 : layer->in + part - 1) * layer->wide;
}
INLINE long part_size(const Layer *layer, int part) { return (part == WEIGHTS ? layer->in : 1) * layer->wide; }

/* Parameters from PyTorch's order. */
static void pack(const Trainer *trainer, const float *flat, float *packed) {
    for (const Layer *layer = trainer->layers; layer <= trainer->layers + last_layer(trainer); layer++) {
        for (long unit = 0; unit < layer->out; unit += PAD)
            transpose(flat + layer->from[WEIGHTS] + unit * layer->in, layer->in, least(PAD, layer->out - unit),
                      layer->in, packed + layer->at + unit * layer->in, PAD);
        for (int part = BIASES; part < PARTS; part++)
            if (layer->from[part] >= 0)
                memcpy(packed + part_at(layer, part), flat + layer->from[part], (size_t)layer->out * sizeof(float));
    }
}

/* Parameters in PyTorch's order. */
static void unpack(const Trainer *trainer, const float *packed, float *flat) {
    for (const Layer *layer = trainer->layers; layer <= trainer->layers + last_layer(trainer); layer++) {
        for (long unit = 0; unit < layer->out; unit += PAD)
            transpose(packed + layer->at + unit * layer->in, PAD, layer->in, least(PAD, layer->out - unit),
                      flat + layer->from[WEIGHTS] + unit * layer->in, layer->in);
        for (int part = BIASES; part < PARTS; part++)
            if (layer->from[part] >= 0)
                memcpy(flat + layer->from[part], packed + part_at(layer, part), (size_t)layer->out * sizeof(float));
    }
}

/* Running statistics from PyTorch's order, and back. */
static void read_running(const Trainer *trainer, const float *flat) {
    for (const Layer *layer = trainer->layers; layer < trainer->layers + last_layer(trainer); layer++) {
        memcpy(layer->mean, flat + layer->running, (size_t)layer->out * sizeof(float));
        memcpy(layer->variance, flat + layer->running + layer->out, (size_t)layer->out * sizeof(float));
    }
}

static void write_running(const Trainer *trainer, float *flat) {
    for (const Layer *layer = trainer->layers; layer < trainer->layers + last_layer(trainer); layer++) {
        memcpy(flat + layer->running, layer->mean, (size_t)layer->out * sizeof(float));
        memcpy(flat + layer->running + layer->out, layer->variance, (size_t)layer->out * sizeof(float));
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

static Card *take_cards(char *memory, size_t *used, long count) {
    return (Card *)(void *)take(memory, used, (size_t)count * sizeof(Card) / sizeof(float));
}

/* Lays out the layers; returns how many numbers the widest one's rows have. */
static long lay_out_layers(Trainer *trainer, char *memory, size_t *used, long at_once) {
    const Work *work = trainer->work;
    const int64_t normalization = work->normalization;
    long widest = 0, size = 0, from = 0;
    trainer->lowest = work->layers;
    trainer->layers = (Layer *)(void *)take(memory, used, (size_t)work->layers * sizeof(Layer) / sizeof(float) + 1);
    for (long l = 0; l < work->layers; l++) {
        const int normalized = normalization != NO_NORMALIZATION && l < last_layer(trainer);
        const int biased = !normalized || normalization != BATCH_NORMALIZATION;
        Layer layer = {.in = work->widths[l], .out = work->widths[l + 1], .at = size, .trains = work->trains + l * PARTS};
        layer.ldi = lead(layer.in), layer.ld = lead(layer.out), layer.wide = padded(layer.out);
        layer.from[WEIGHTS] = from, from += layer.in * layer.out;
        layer.from[BIASES] = biased ? from : -1, from += biased ? layer.out : 0;
        layer.from[GAIN] = layer.from[SHIFT] = -1;
        layer.inputs = take(memory, used, (size_t)(at_once * layer.ldi));
        layer.slopes = l ? take(memory, used, (size_t)(at_once * layer.ldi)) : NULL;
        layer.deltas = take(memory, used, (size_t)(at_once * layer.ld));
        const size_t own = normalized ? (size_t)layer.wide : 0, rows = (size_t)padded(at_once);
        layer.normal = take(memory, used, normalized ? (size_t)(at_once * layer.ld) : 0);
        layer.inverse = take(memory, used, own > rows || !own ? own : rows);
        layer.by_gain = take(memory, used, 2 * own);
        layer.mean = take(memory, used, own);
        layer.variance = take(memory, used, own);
        widest = layer.ld > widest ? layer.ld : widest;
        size += (layer.in + 1 + (normalized ? 2 : 0)) * layer.wide;
        for (int part = 0; part < PARTS; part++)
            if (layer.trains[part] && trainer->lowest > l) trainer->lowest = l;
        if (memory) trainer->layers[l] = layer;
    }
    for (long l = 0; normalization != NO_NORMALIZATION && l < last_layer(trainer); l++) {
        const long units = work->widths[l + 1];
        if (memory) trainer->layers[l].from[GAIN] = from, trainer->layers[l].from[SHIFT] = from + units;
        from += 2 * units;
    }
    trainer->size = size, trainer->parameters = from;
    for (long l = 0; normalization == BATCH_NORMALIZATION && l < last_layer(trainer); l++) {
        if (memory) trainer->layers[l].running = from;
        from += 2 * work->widths[l + 1];
    }
    trainer->numbers = from;
    return widest;
}

/* Lays out a trainer in `memory`, and returns how many bytes that takes; `memory` may be NULL to ask. */
static size_t lay_out(Trainer *trainer, char *memory) {
    const Work *work = trainer->work;
    size_t used = 0;
    long longest = 0;
    for (long c = 0; c < work->clients; c++) {
        const long rows = work->starts[c + 1] - work->starts[c];
        longest = rows > longest ? rows : longest;
    }
    const long at_once = least(CHUNK, work->batch ? least(work->batch, longest) : longest);
    const long widest = lay_out_layers(trainer, memory, &used, at_once);
    const size_t size = (size_t)trainer->size;
    trainer->start = take(memory, &used, size);
    trainer->weights = take(memory, &used, size);
    for (long s = 0; s < 2; s++) trainer->states[s] = take(memory, &used, s < work->states ? size : 0);
    trainer->gradient = take(memory, &used, work->clipped || !work->batch || work->batch > CHUNK ? size : 0);
    trainer->origin = take(memory, &used, work->origin ? size : 0);
    trainer->control = take(memory, &used, work->control ? size : 0);
    trainer->factors = take(memory, &used, work->drop_connect > 0 ? size : 0);
    trainer->dropped = take(memory, &used, work->drop_connect > 0 ? size : 0);
    trainer->strip = take(memory, &used, (size_t)(widest > STRIP ? widest : STRIP));
    trainer->across = take(memory, &used, (size_t)(2 * widest * lead(at_once)));
    trainer->outputs = take(memory, &used, (size_t)(at_once * widest));
    const long rows = lead(at_once), width = work->widths[work->layers];
    float *columns[3], *each[4];
    for (int i = 0; i < 3; i++) columns[i] = take(memory, &used, (size_t)(width * rows));
    for (int i = 0; i < 4; i++) each[i] = take(memory, &used, (size_t)rows);
    trainer->labels = (int64_t *)(void *)take(memory, &used, (size_t)rows * sizeof(int64_t) / sizeof(float));
    trainer->outcome = (Outcome){.width = width, .z = columns[0], .d = columns[1], .targets = columns[2],
                                 .labels = trainer->labels, .losses = each[0], .largest = each[1], .sums = each[2],
                                 .own = each[3]};
    trainer->cards = take_cards(memory, &used, longest);
    trainer->spare = take_cards(memory, &used, longest);
    trainer->partners = take_cards(memory, &used, work->mixup ? longest : 0);
    trainer->partner = take(memory, &used, work->mixup ? (size_t)padded(work->widths[0]) : 0);
    trainer->other = take(memory, &used, work->mixup ? (size_t)(width * rows) : 0);
    return used;
}

#endif
