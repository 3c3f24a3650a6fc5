"""The app's ServerApp."""

import json
from pathlib import Path

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from quickstart.task import Net

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Stock FedAvg over all nodes; the model and its metrics are saved."""
    torch.manual_seed(0)
    arrays = ArrayRecord(Net().state_dict())
    strategy = FedAvg(fraction_train=1.0, fraction_evaluate=1.0)
    result = strategy.start(
        grid=grid,
        initial_arrays=arrays,
        train_config=ConfigRecord({"lr": context.run_config["lr"]}),
        num_rounds=context.run_config["num-server-rounds"],
    )
    torch.save(result.arrays.to_torch_state_dict(), context.run_config["out"])
    metrics = {
        "train": {number: dict(record) for number, record in result.train_metrics_clientapp.items()},
        "evaluate": {number: dict(record) for number, record in result.evaluate_metrics_clientapp.items()},
    }
    Path(context.run_config["out"] + ".json").write_text(json.dumps(metrics))
