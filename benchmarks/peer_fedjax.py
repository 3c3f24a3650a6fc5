"""FedJAX's turn in `rounds.py`: its FedAvg, its jitted loop over a client's batches. `pip install fedjax`"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

# FedJAX 0.0.17 calls it by the name that newer releases of JAX no longer have.
jax.tree_map = jax.tree_util.tree_map
import fedjax  # noqa: E402
from fedjax.algorithms import fed_avg  # noqa: E402


def forward(parameters, x):
    """Outputs of an MLP with ReLU between its layers."""
    for index, (weight, bias) in enumerate(parameters):
        x = x @ weight + bias
        x = jax.nn.relu(x) if index < len(parameters) - 1 else x
    return x


def loss(parameters, batch, key):
    """Mean cross-entropy of a batch."""
    logits = jax.nn.log_softmax(forward(parameters, batch["x"]))
    return -jnp.take_along_axis(logits, batch["y"][:, None], axis=1).mean()


def main(workloads: str, name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first two left out."""
    workload = json.loads(workloads)[name]
    data, rows = dict(np.load(path)), workload["rows"]
    x, y = data["x_train"], data["y_train"].astype(np.int32)
    clients = [
        fedjax.ClientDataset({"x": x[c * rows : (c + 1) * rows], "y": y[c * rows : (c + 1) * rows]})
        for c in range(workload["clients"])
    ]
    widths = [workload["features"], *workload["hidden"], 10]
    rng = np.random.default_rng(0)
    start = []
    for before, after in itertools.pairwise(widths):
        bound = before**-0.5
        start.append(
            (
                jnp.asarray(rng.uniform(-bound, bound, (before, after)), jnp.float32),
                jnp.asarray(rng.uniform(-bound, bound, after), jnp.float32),
            )
        )
    algorithm = fed_avg.federated_averaging(
        jax.grad(loss),
        fedjax.optimizers.sgd(0.05),
        fedjax.optimizers.sgd(1.0),
        fedjax.ShuffleRepeatBatchHParams(batch_size=workload["batch"], num_epochs=1),
    )
    state, times = algorithm.init(start), []
    for number in range(workload["rounds"]):
        started = time.perf_counter()
        cohort = random.sample(range(workload["clients"]), workload["cohort"])
        keys = jax.random.split(jax.random.PRNGKey(number), len(cohort))
        state, _ = algorithm.apply(state, [(str(c), clients[c], key) for c, key in zip(cohort, keys, strict=False)])
        jax.block_until_ready(state.params)
        times.append(time.perf_counter() - started)
    guesses = np.asarray(forward(state.params, data["x_test"])).argmax(axis=1)
    seconds = statistics.median(times[2:] or times)
    print(json.dumps({"seconds": seconds, "accuracy": float((guesses == data["y_test"]).mean())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
