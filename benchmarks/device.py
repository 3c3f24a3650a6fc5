"""What a card gives: equality with the processor, the same bits again, speed, memory. Ends in four minutes.

    python benchmarks/device.py [--device cuda] [--seconds 200] [--clients 10 100 1000]

Needs a card, PyTorch with CUDA and what Hothouse imports on a client's side, but starts neither Ray nor Flower; the
examples are drawn. With `--device cpu` it compares the processor with itself, which shows that the script works.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor
from torch.nn import functional

from clients.blocks.blocks import train_blocks
from clients.compiled.library import library
from common import devices
from common.arrays import NamedArrays
from common.data import Prepared, prepare
from common.data.data_spec import DataSpec
from common.data.examples import open_examples
from common.data.tokens import TokenWindows
from common.messages import BUFFERS, Blocks, TrainOrder, TrainReply
from common.models import Network, build
from common.models.own import OwnNetwork
from common.models.own_measures import NetworkBatch
from common.scenario import Scenario, load_scenario
from common.scenario.objective import learned_task
from common.settings import ClientSettings

CLASSES, EXAMPLES = 10, 60
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """A network and the clients that train it."""

    side: int
    """Of square images, in pixels."""
    model: dict[str, Any]
    batch: int
    examples: int = EXAMPLES
    """Of each client."""


CASES = {
    "W1": Case(28, {"layers": [200, 200]}, 10),
    "W3": Case(8, {"layers": [32]}, 16),
    "batch normalization": Case(8, {"layers": [32], "normalization": "batch"}, 16),
    "cnn": Case(28, {"name": "cnn"}, 10),
}


class Federation:
    """Clients with drawn examples, and orders for some of them."""

    def __init__(self, case: Case, clients: int, folder: Path, uses: Sequence[str] = (), stacked: str = "auto") -> None:
        """`uses` are files with parts of a user's own, `stacked` is `training.stacked`."""
        documents = case.model.get("name") == "next_token"
        source = _documents(case, clients, folder) if documents else _images(case, clients, folder)
        self.scenario = load_scenario(
            {
                "uses": list(uses),
                "data": {"source": source, "partition": {"scheme": "iid", "clients": clients}},
                "model": case.model,
                "training": {"batch_size": case.batch, "trainer": "torch", "stacked": stacked},
            }
        )
        self.clients, self.prepared = clients, prepare(self.scenario)
        self.data_spec = _data_spec(self.scenario, self.prepared)

    @cached_property
    def network(self) -> Network:
        """The network with its first weights."""
        return build(self.scenario.model, self.data_spec, self.scenario.seed, self.scenario.training.stacking)

    def order(
        self, device: str, trainer: str = "torch", start: NamedArrays | None = None, steps: int = 0
    ) -> TrainOrder:
        """Train all clients for an epoch, or for so many steps, from `start` or else from the first weights."""
        chosen = self.scenario
        if steps:
            training = chosen.training.model_copy(update={"steps": steps, "epochs": None})
            chosen = chosen.model_copy(update={"training": training})
        arrays = dict(start or {name: tensor.numpy() for name, tensor in self.network.arrays().items()})
        buffers = {name: arrays.pop(name) for name, _ in self.network.named_buffers()}
        settings = ClientSettings.of(chosen).with_trainer(trainer, device=device)  # type: ignore[arg-type]
        return TrainOrder(
            round=2 if start else 1,
            blocks=Blocks(np.arange(self.clients), np.array([self.clients])),
            settings=settings.model_dump_json(),
            data_spec=self.data_spec,
            parameters=arrays,
            records={BUFFERS: buffers} if buffers else {},
        )


def _images(case: Case, clients: int, folder: Path) -> dict[str, Any]:
    """A source of drawn images."""
    rng, count = np.random.default_rng(1), clients * case.examples
    path = folder / f"{case.side}-{count}.npz"
    if not path.exists():
        x = rng.integers(0, 256, (count, case.side, case.side, 1), dtype=np.uint8)
        np.savez(path, x_train=x, y_train=rng.integers(0, CLASSES, count))
    return {"kind": "npz", "path": str(path)}


def _documents(case: Case, clients: int, folder: Path) -> dict[str, Any]:
    """A source of drawn documents, one for each client, of 64 characters; an example is a character, or the end."""
    rng, path = np.random.default_rng(1), folder / f"{clients}-{case.examples}.txt"
    letters = np.array([chr(64 + code) for code in range(64)])
    texts = ["".join(letters[rng.integers(0, 64, case.examples - 2)]) for _ in range(clients)]
    path.write_text("".join(f"#{text}" for text in texts))
    return {"kind": "sequence", "path": str(path), "clients": "#"}


def _data_spec(scenario: Scenario, prepared: Prepared) -> DataSpec:
    """Pixels in [0, 1], or the characters that there are."""
    features, nothing = int(np.prod(prepared.meta.row_shape)), np.empty(0)
    return DataSpec(
        task=learned_task(scenario.model, "classification"),
        row_shape=tuple(prepared.meta.row_shape),
        labels=tuple(prepared.meta.labels),
        columns=tuple(prepared.meta.columns),
        shift=np.zeros(features),
        scale=np.full(features, 255.0),
        tokens=None if prepared.meta.sequence is None else TokenWindows("characters", scenario.model.context),
        fill=np.full(features, np.nan),
        own_fill=False,
        indicators=(),
        target_shift=nothing,
        target_scale=nothing,
        unit_range=True,
    )


def mean(reply: TrainReply) -> NamedArrays:
    """The weights that a round ends with. Raises SystemExit where a client could not be trained."""
    if reply.excluded or reply.too_wide:
        sys.exit(next(iter(reply.excluded.values()), f"a stack of {reply.too_wide} clients does not fit"))
    return {
        name: (array[0] / reply.weights[0]).astype(array.dtype)
        for kind in ("parameters", BUFFERS)
        for name, array in reply.sums.get(kind, {}).items()
    }


def differ(one: NamedArrays, other: NamedArrays) -> float:
    """The largest difference between two models."""
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def check_equality(device: str, folder: Path) -> None:
    """After ten steps the card is where the processor is. Exits with 1 where it is not."""
    for name, case in CASES.items():
        clients = Federation(case, 10, folder)
        there, here = (mean(train_blocks(clients.prepared, clients.order(on, steps=10))) for on in (device, "cpu"))
        difference = differ(there, here)
        print(f"{name}: differs from the processor by {difference:.2g} after 10 steps")
        if not difference <= TOLERANCE:
            sys.exit(f"{name}: expected at most {TOLERANCE:g}")


def check_bits(device: str, folder: Path) -> None:
    """Two runs have the same bits, and so has one that goes on in another process. Exits with 1 where they have not."""
    for name, case in CASES.items():
        clients = Federation(case, 10, folder)
        first, again = (mean(train_blocks(clients.prepared, clients.order(device))) for _ in range(2))
        second = mean(train_blocks(clients.prepared, clients.order(device, start=first)))
        save_file(first, folder / "first.safetensors")
        command = [sys.executable, __file__, "--device", device, "--resume", name, "--folder", str(folder)]
        subprocess.run(command, check=True)
        resumed = load_file(folder / "second.safetensors")
        same = differ(first, again) == 0 and differ(second, resumed) == 0
        print(f"{name}: {'the same bits again and when resumed' if same else 'OTHER BITS'}")
        if not same:
            sys.exit(1)


def resume(name: str, device: str, folder: Path) -> None:
    """The second round of a case, in a process of its own."""
    clients = Federation(CASES[name], 10, folder)
    first = load_file(folder / "first.safetensors")
    save_file(mean(train_blocks(clients.prepared, clients.order(device, start=first))), folder / "second.safetensors")


def train(clients: Federation, device: str, trainer: str) -> None:
    """A round of all clients."""
    mean(train_blocks(clients.prepared, clients.order(device, trainer)))


def train_plainly(clients: Federation, case: Case, device: torch.device) -> None:
    """FedAvg's round in a loop over clients as anyone would write it; examples are moved once."""
    x = torch.from_numpy(np.asarray(clients.prepared.x)).to(device)
    tokens = clients.data_spec.tokens is not None
    if tokens:
        # Cut beforehand, which takes as many times the memory as a window is long.
        x = open_examples(clients.prepared, clients.data_spec, torch.float32).inputs(torch.arange(len(x))).long()
    y = torch.from_numpy(np.asarray(clients.prepared.y)).to(device)
    network = deepcopy(clients.network)
    start = {name: tensor.clone().to(device) for name, tensor in network.arrays().items()}
    network.to(device)
    total = {name: torch.zeros_like(tensor) for name, tensor in start.items()}
    for client in range(clients.clients):
        network.assign(start)
        shard = torch.from_numpy(clients.prepared.training_examples(client)).to(device)
        optimizer, order = torch.optim.SGD(network.parameters(), lr=0.1), torch.randperm(len(shard), device=device)
        for first in range(0, len(order), case.batch):
            batch = order[first : first + case.batch]
            optimizer.zero_grad()
            inputs = x[shard[batch]] if tokens else x[shard[batch]].view(len(batch), -1).float() / 255
            torch.autograd.backward(_loss(network.train(), inputs, y[shard[batch]]))
            optimizer.step()
        with torch.no_grad():
            for name, tensor in network.arrays().items():
                total[name] += len(shard) * tensor
    for tensor in total.values():
        tensor /= len(x)
    if device.type == "cuda":
        torch.cuda.synchronize()


def _loss(network: Network, inputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over a batch: cross-entropy, or the network's own, for which the loop draws what it takes."""
    if not isinstance(network, OwnNetwork) or not network.own_loss:
        return functional.cross_entropy(network(inputs), targets)
    module: Any = network.module
    normals = torch.randn(len(inputs), getattr(module, "normals", 0), device=inputs.device)
    uniforms = torch.rand(len(inputs), getattr(module, "uniforms", 0), device=inputs.device)
    loss: Tensor = module.loss(NetworkBatch(network.shaped(inputs), targets, normals, uniforms)).mean()
    return loss


def speeds(device: str, folder: Path, counts: list[int], end: float) -> None:
    """Clients per second by each way, the faster of two turns, as a table; what would end too late is left out."""
    print(f"\n| clients of {EXAMPLES} examples | clients/s, card | plain loop, card | CPU | memory, MB |")
    print("|---|--:|--:|--:|--:|")
    for name in ("W1", "W3", "cnn"):
        case, slowest = CASES[name], {"card": 0.0, "plain": 0.0, "cpu": 0.0}
        compiled = name != "cnn" and library() is not None
        for count in counts:
            clients = Federation(case, count, folder)
            ways: dict[str, Callable[[], object]] = {
                "card": partial(train, clients, device, "torch"),
                "plain": partial(train_plainly, clients, case, torch.device(device)),
                "cpu": partial(train, clients, "cpu", "compiled" if compiled else "torch"),
            }
            told = []
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            for way, do in ways.items():
                if time.monotonic() + 2 * slowest[way] * count > end:
                    told.append("–")
                    continue
                took = min(_seconds(do) for _ in range(2))
                slowest[way] = max(slowest[way], took / count)
                told.append(f"{count / took:,.0f}")
            memory = f"{torch.cuda.max_memory_allocated() / 1e6:,.0f}" if device == "cuda" else "–"
            print(f"| {name}, {count:,} | {' | '.join(told)} | {memory} |", flush=True)


def _seconds(do: Callable[[], object]) -> float:
    started = time.monotonic()
    do()
    return time.monotonic() - started


def main() -> None:
    """All of it, or the part that another process asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=200.0, help="after so long nothing more is measured")
    parser.add_argument("--clients", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--resume", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cuda" and not devices.card():
        sys.exit(f"{devices.NO_CARD}; --device cpu tries the script")
    torch.set_num_threads(1)
    if options.resume:
        resume(options.resume, options.device, options.folder)
        return
    end = time.monotonic() + options.seconds
    print(devices.card() or "the processor in the card's place", f"· PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        check_equality(options.device, Path(folder))
        check_bits(options.device, Path(folder))
        speeds(options.device, Path(folder), options.clients, end)


if __name__ == "__main__":
    main()
