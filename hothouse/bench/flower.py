"""The turn of Flower's own engine: its simulation on Ray, its FedAvg, one message per client."""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from hothouse.bench.plain import accuracy, load, network, train
from hothouse.bench.workloads import workload as named
from hothouse.running.private_ray import private_ray

logging.getLogger("flwr").setLevel(logging.ERROR)


class TimedFedAvg(FedAvg):
    """FedAvg that notes when each round begins and ends."""

    def __init__(self, fraction: float) -> None:
        super().__init__(fraction_train=fraction, fraction_evaluate=0.0)
        self.times: list[float] = []

    def configure_train(self, *arguments):  # type: ignore[no-untyped-def]
        self.started = time.perf_counter()
        return super().configure_train(*arguments)

    def aggregate_train(self, *arguments):  # type: ignore[no-untyped-def]
        result = super().aggregate_train(*arguments)
        self.times.append(time.perf_counter() - self.started)
        return result


def main(name: str, path: str, workers: str) -> None:
    """Run the workload and print the median seconds of its rounds, the first two left out."""
    workload = named(name)
    rounds = workload.rounds
    client_app, server_app = ClientApp(), ServerApp()

    @client_app.train()
    def _train(message: Message, context: Context) -> Message:
        torch.set_num_threads(1)
        data, client = load(path), int(context.node_config["partition-id"])
        model = network(workload)
        model.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
        rows = slice(client * workload.rows, (client + 1) * workload.rows)
        train(model, data["x_train"][rows], data["y_train"][rows], workload.batch)
        content = RecordDict({"arrays": ArrayRecord(model.state_dict())})
        content["metrics"] = MetricRecord({"num-examples": workload.rows})
        return Message(content, reply_to=message)

    @server_app.main()
    def _main(grid: Grid, context: Context) -> None:
        torch.set_num_threads(1)
        model = network(workload)
        strategy = TimedFedAvg(workload.cohort / workload.clients)
        result = strategy.start(grid, ArrayRecord(model.state_dict()), num_rounds=rounds)
        model.load_state_dict(result.arrays.to_torch_state_dict())
        seconds = statistics.median(strategy.times[2:] or strategy.times)
        print(json.dumps({"seconds": seconds, "accuracy": accuracy(model, load(path))}))

    with private_ray() as folder:
        run_simulation(
            server_app,
            client_app,
            num_supernodes=workload.clients,
            backend_config={
                "client_resources": {"num_cpus": 1},
                "init_args": {
                    "num_cpus": int(workers),
                    "include_dashboard": False,
                    "log_to_driver": False,
                    "logging_level": logging.ERROR,
                    "_temp_dir": str(folder / "ray"),
                },
            },
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
