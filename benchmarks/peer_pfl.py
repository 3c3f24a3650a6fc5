"""pfl-research's turn in `rounds.py`: its simulated backend, a process for each worker. `pip install pfl torch`"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time


def main(workloads: str, name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first two left out."""
    if "LOCAL_RANK" not in os.environ:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}"]
        sys.exit(subprocess.run([*command, *sys.argv], check=False).returncode)
    import numpy as np
    import torch
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.algorithm import FederatedAveraging, NNAlgorithmParams
    from pfl.callback.base import TrainingProcessCallback
    from pfl.data.dataset import Dataset
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.sampling import get_user_sampler
    from pfl.hyperparam import NNTrainHyperParams
    from pfl.metrics import Metrics
    from pfl.model.pytorch import PyTorchModel

    torch.set_num_threads(1)
    workload = json.loads(workloads)[name]
    data, rows, times = dict(np.load(path)), workload["rows"], []
    x, y = torch.from_numpy(data["x_train"]), torch.from_numpy(data["y_train"])

    class Network(torch.nn.Sequential):
        """An MLP with its loss and metrics, as the package wants them."""

        def loss(self, x, y, is_eval: bool = False):
            self.eval() if is_eval else self.train()
            return torch.nn.functional.cross_entropy(self(x), y)

        def metrics(self, x, y):
            return {}

    class Stopwatch(TrainingProcessCallback):
        """Notes when each round ends."""

        def after_central_iteration(self, aggregate_metrics, model, *, central_iteration: int):
            times.append(time.perf_counter())
            return False, Metrics()

    widths, layers = [workload["features"], *workload["hidden"], 10], []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    torch.manual_seed(0)
    network = Network(*layers[:-1])

    def client(user: int) -> Dataset:
        part = slice(user * rows, (user + 1) * rows)
        return Dataset(raw_data=[x[part], y[part]])

    users = FederatedDataset(client, get_user_sampler("random", list(range(workload["clients"]))))
    model = PyTorchModel(
        model=network,
        local_optimizer_create=torch.optim.SGD,
        central_optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
    )
    FederatedAveraging().run(
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=workload["rounds"] + 1,
            evaluation_frequency=10**6,
            train_cohort_size=workload["cohort"],
            val_cohort_size=None,
        ),
        backend=SimulatedBackend(training_data=users, val_data=users, postprocessors=[]),
        model=model,
        model_train_params=NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=0.05, local_batch_size=workload["batch"]
        ),
        callbacks=[Stopwatch()],
        send_metrics_to_platform=False,
    )
    if os.environ["LOCAL_RANK"] == "0":
        guesses = network(torch.from_numpy(data["x_test"])).argmax(dim=1).numpy()
        rounds = [after - before for before, after in itertools.pairwise(times)]
        seconds = statistics.median(rounds[2:] or rounds)
        print(json.dumps({"seconds": seconds, "accuracy": float((guesses == data["y_test"]).mean())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
