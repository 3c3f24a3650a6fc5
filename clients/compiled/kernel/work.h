/* What one call is asked to do. clients/compiled/library.py has the same structure for ctypes. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

enum { RELU, LEAKY_RELU, TANH, SIGMOID, GELU, SILU };                     /* activation */
enum { SOFTMAX_OUTPUT, SIGMOID_OUTPUT, LINEAR_OUTPUT };                   /* output */
enum { CROSS_ENTROPY, BINARY_CROSS_ENTROPY, MSE, HALF_MSE, HUBER };       /* loss */
enum { SGD, MOMENTUM, AVERAGED_MOMENTUM, ADAGRAD, RMSPROP, ADAM, ADAMW }; /* optimizer */
enum { BYTES, FLOATS, DOUBLES };                                          /* kind of raw rows */

enum { /* a client's constants */
    FIRST,  /* the share of its first state that an optimizer keeps: momentum, decay, beta1 */
    SECOND, /* of its second: RMSProp's momentum, beta2 */
    EPS, INITIAL, OPTIMIZER_DECAY, L1, L2, WEIGHT_DECAY, CLIP_VALUE, CLIP_NORM, CONSTANTS
};

typedef struct {
    /* The network: widths[0] features, then each dense layer's units. */
    int64_t layers;
    const int64_t *widths;
    int64_t activation;
    double slope;
    const double *dropout; /* the share that is dropped of the inputs, and behind each hidden layer */

    int64_t output, loss;
    double smoothing, delta;
    const float *class_weights; /* (classes), or NULL where all count alike */

    int64_t optimizer, states; /* states: how many numbers it keeps for each parameter */
    int64_t nesterov, regularized_biases;
    int64_t fused;           /* whether this is gradient descent and nothing else */
    int64_t clipped;         /* whether gradients are clipped by their norm */
    const double *constants; /* (clients, CONSTANTS) */
    const double *rates;     /* (clients, rate_steps): learning rates */
    int64_t rate_steps;      /* 1 where they do not change from step to step */

    /* Client c has the rows starts[c] … starts[c + 1] − 1 of `rows`, and of `labels` or `targets`. */
    int64_t clients;
    const int64_t *starts, *steps;
    const int64_t *first;   /* the step that each client goes on from, or NULL where all begin with step 0 */
    int64_t batch;          /* rows in a step; 0 for all */
    const int64_t *rows;    /* positions in x */
    const int64_t *labels;  /* class codes, or NULL */
    const float *targets;   /* (rows, outputs) numbers, or NULL */
    const void *x;          /* raw rows, (any, features) */
    int64_t kind;
    const double *fill;     /* what takes a NaN's place, (1 or clients, features), or NULL */
    int64_t fill_stride;    /* from one client's to the next */
    const double *shift, *scale; /* the network sees (x − shift) / scale; (features) each, or NULL */

    /* Draws: the clients' keys, and what common.seeds.fork makes of 0, 1, …: of epochs, layers and steps. */
    const uint64_t *order_keys; /* NULL where rows are taken as they come, which are then those of one epoch */
    const uint64_t *dropout_keys, *forks;

    /* Parameters in PyTorch's order: a layer's (units, inputs) weights, then its biases. */
    const float *start;  /* (1 or clients, parameters) */
    int64_t start_stride;
    float *trained;      /* out: (clients, parameters) */
    float *state[2];     /* in and out where clients keep them from round to round: (clients, parameters), or NULL */
    const double *taken; /* steps that clients took in earlier rounds, (clients), or NULL */
    double *losses;      /* out: the sum over steps of the batches' mean losses, (clients) */
} Work;

#endif
