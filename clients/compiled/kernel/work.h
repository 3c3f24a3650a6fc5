/* What one call is asked to do. clients/compiled/library.py has the same structure for ctypes. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

enum { RELU, LEAKY_RELU, TANH, SIGMOID, GELU, SILU };                     /* activation */
enum { SOFTMAX_OUTPUT, SIGMOID_OUTPUT, LINEAR_OUTPUT };                   /* output */
enum { CROSS_ENTROPY, BINARY_CROSS_ENTROPY, MSE, HALF_MSE, HUBER };       /* loss */
enum { SGD, MOMENTUM, AVERAGED_MOMENTUM, ADAGRAD, RMSPROP, ADAM, ADAMW }; /* optimizer */
enum { NO_NORMALIZATION, BATCH_NORMALIZATION, LAYER_NORMALIZATION };      /* normalization */
enum { WEIGHTS, BIASES, GAIN, SHIFT, PARTS };                             /* parts of a layer */
enum { BYTES, FLOATS, DOUBLES };                                          /* kind of raw rows */

enum { /* a client's constants */
    FIRST,  /* the share of its first state that an optimizer keeps: momentum, decay, beta1 */
    SECOND, /* of its second: RMSProp's momentum, beta2 */
    EPS, INITIAL, OPTIMIZER_DECAY, L1, L2, WEIGHT_DECAY, CLIP_VALUE, CLIP_NORM, L1_BUDGET, L2_BUDGET,
    CONSTANTS
};

typedef struct {
    int64_t measures; /* whether `losses` gets each client's mean loss over its rows as they come, and nothing is trained */

    /* The network: widths[0] features, then each dense layer's units. */
    int64_t layers;
    const int64_t *widths;
    int64_t activation;
    double slope;
    const double *dropout; /* the share that is dropped of the inputs, and behind each hidden layer */
    double drop_connect;   /* the share of the dense layers' weights that is dropped in a step */
    int64_t normalization; /* of hidden layers, before their activation */
    double norm_eps, norm_momentum;
    const int64_t *trains; /* (layers, PARTS): which parts of a layer are trained; no gradient is needed of others */

    int64_t output, loss;
    double smoothing, delta;
    const float *class_weights; /* (classes), or NULL where all count alike */

    int64_t optimizer, states; /* states: how many numbers it keeps for each parameter */
    int64_t nesterov, regularized_biases;
    int64_t fused;           /* whether gradients are subtracted from the weights with nothing between */
    int64_t clipped;         /* whether gradients are clipped by their norm */
    const double *constants; /* (clients, CONSTANTS) */
    const double *rates;     /* (clients, rate_steps): learning rates */
    int64_t rate_steps;      /* 1 where they do not change from step to step */
    int64_t repeats;         /* steps of the optimizer on each batch */

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
    const uint64_t *dropout_keys, *connection_keys, *mixup_keys, *forks;
    const double *mixup;    /* how much of each example stays its own, (clients, mixup_steps), or NULL */
    int64_t mixup_steps;

    /* Numbers in PyTorch's order: each layer's (units, inputs) weights and its biases, which it has none of before
     * batch normalization; then each normalization's gain and shift. Those are the parameters. Behind them each batch
     * normalization's running mean and variance. */
    const float *start;  /* (1 or clients, numbers) */
    int64_t start_stride;
    float *trained;      /* out: (clients, numbers); may be `start` */
    float *state[2];     /* in and out where clients keep them from round to round: (clients, parameters), or NULL */

    /* g + proximal (w - origin) before penalties and clipping, g + control after them; NULL where there is none. */
    double proximal, follow; /* after each batch origin + follow (w - origin) takes the origin's place */
    float *origin;           /* (1 or clients, parameters); in and out where it follows */
    int64_t origin_stride;
    const float *control;    /* (1 or clients, parameters) */
    int64_t control_stride;
    const double *taken; /* steps that clients took in earlier rounds, (clients), or NULL */
    double *losses;      /* out: the sum over steps of the batches' mean losses, (clients) */
} Work;

#endif
