/* Training clients one after the other, so that one client's weights stay in a core's cache for all of its steps. */
#ifndef TRAIN_H
#define TRAIN_H

#include "steps.h"

/* What client c begins with, as it lies here; what is the same for all is laid out once. */
static void begin_client(const Trainer *trainer, long c) {
    const Work *work = trainer->work;
    const float *start = work->start + c * work->start_stride;
    if (c == 0 || work->start_stride) pack(trainer, start, trainer->start);
    if (work->origin && (c == 0 || work->origin_stride))
        pack(trainer, work->origin + c * work->origin_stride, trainer->origin);
    if (work->control && (c == 0 || work->control_stride))
        pack(trainer, work->control + c * work->control_stride, trainer->control);
    memcpy(trainer->weights, trainer->start, (size_t)trainer->size * sizeof(float));
    if (work->normalization == BATCH_NORMALIZATION) read_running(trainer, start);
    for (long s = 0; s < work->states; s++) {
        float *state = trainer->states[s];
        if (work->state[s]) pack(trainer, work->state[s] + c * trainer->parameters, state);
        else for (long i = 0; i < trainer->size; i++) state[i] = (float)work->constants[c * CONSTANTS + INITIAL];
    }
}

/* What has become of it. */
static void end_client(const Trainer *trainer, long c) {
    const Work *work = trainer->work;
    unpack(trainer, trainer->weights, work->trained + c * trainer->numbers);
    if (work->normalization == BATCH_NORMALIZATION) write_running(trainer, work->trained + c * trainer->numbers);
    if (work->follow > 0) unpack(trainer, trainer->origin, work->origin + c * work->origin_stride);
    for (long s = 0; s < work->states; s++)
        if (work->state[s]) unpack(trainer, trainer->states[s], work->state[s] + c * trainer->parameters);
}

/* Does the work; returns 0, or 1 where there is not enough memory. */
static int train(const Work *work) {
    Totals totals = {0};
    Trainer trainer = {.work = work, .totals = &totals};
    const size_t bytes = lay_out(&trainer, NULL);
    char *memory = aligned_alloc(64, bytes);
    if (!memory) return 1;
    memset(memory, 0, bytes);
    lay_out(&trainer, memory);
    for (long c = 0; c < work->clients; c++) {
        const int finished = work->first && work->first[c] >= work->steps[c]; /* what it trained stands */
        if (finished && c) continue;
        begin_client(&trainer, c);
        if (finished) continue;
        if (work->measures) {
            work->losses[c] = measure_client(&trainer, c);
            continue;
        }
        work->losses[c] = train_client(&trainer, c);
        end_client(&trainer, c);
    }
    ALLOW(memory, bytes);
    free(memory);
    return 0;
}

#endif
