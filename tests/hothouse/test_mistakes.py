"""Every mistake a user can make in a scenario or a data file is one message that says where and what was expected.

Each row of the table is a scenario (and files beside it) with one mistake, and what is said about it. FILE is
the scenario's own path, HERE its folder.
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InputError
from hothouse.inspect.check import check

IRIS = "data: {source: {kind: sklearn, name: iris}}\n"
DIGITS = "data:\n  source: {kind: sklearn}\n"


def csv(text: str | bytes, rest: str = "") -> tuple[str, Callable[[Path], None]]:
    """A scenario on a CSV file with this content."""
    content = text if isinstance(text, bytes) else text.encode()
    return (
        f"data:\n  source:\n    kind: csv\n    path: t.csv\n    target: y\n{rest}",
        lambda here: (here / "t.csv").write_bytes(content) and None,
    )


def npz(**arrays: Any) -> tuple[str, Callable[[Path], None]]:
    """A scenario on an archive of these arrays."""
    return "data:\n  source:\n    kind: npz\n    path: a.npz\n", lambda here: np.savez(here / "a.npz", **arrays)


def idx(name: str, content: bytes) -> tuple[str, Callable[[Path], None]]:
    """A scenario on a folder of idx files, one of them with this content."""

    def write(here: Path) -> None:
        for split, rows in (("train", 4), ("t10k", 2)):
            images = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (rows, 2, 2)) + bytes(rows * 4)
            labels = b"\0\0\x08\x01" + rows.to_bytes(4, "big") + bytes(rows)
            (here / f"{split}-images-idx3-ubyte").write_bytes(images)
            (here / f"{split}-labels-idx1-ubyte").write_bytes(labels)
        if name.endswith(".gz"):
            (here / name.removesuffix(".gz")).unlink()
        (here / name).write_bytes(content)

    return "data:\n  source:\n    kind: idx\n    path: .\n", write


def plain(text: str) -> tuple[str, Callable[[Path], None]]:
    """A scenario without files."""
    return text, lambda here: None


def with_file(
    data: tuple[str, Callable[[Path], None]], rest: str, content: str, name: str = "s.txt"
) -> tuple[str, Callable[[Path], None]]:
    """A scenario on this data that names a further file with this content."""

    def write(here: Path) -> None:
        data[1](here)
        (here / name).write_text(content)

    return data[0] + rest, write


def boasting(path: Path) -> None:
    """An archive with an array of a header alone, which promises 800 terabytes."""
    promise = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 1000), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x01\0" + len(promise).to_bytes(2, "little") + promise)


X, Y = np.zeros((20, 3)), np.arange(20) % 2
TEXTS = (
    "data: {source: {kind: text, path: m.tsv}}\n",
    lambda here: (here / "m.tsv").write_text("a\thello\nb\tbye\n" * 9) and None,
)

MISTAKES: dict[str, tuple[tuple[str, Callable[[Path], None]], str]] = {
    # The document.
    "unknown key": (plain(IRIS + "modle: {}"), "FILE:2: modle: unknown key; did you mean model?"),
    "unknown key below": (
        plain(IRIS + "model:\n  layer: [3]"),
        "FILE:3: model.layer: unknown key; did you mean layers?",
    ),
    "duplicate key": (plain(IRIS + "seed: 1\nseed: 2"), "FILE:3: seed: given twice, first on line 2"),
    "duplicate key below": (plain("data:\n  source: iris\n  source: digits"), "FILE:3: data.source: given twice"),
    "nothing at all": (plain(""), "FILE: data: this key is required"),
    "a list": (plain("- a\n- b"), "FILE: expected keys and values, such as `data:`"),
    "broken YAML": (plain(IRIS + "model: {layers: [1, 2}"), "FILE:2: not valid YAML"),
    "tabs": (plain("data:\n\tsource: x"), "FILE:2: not valid YAML"),
    "python tag": (plain(IRIS + "name: !!python/name:os.system x"), "FILE:2: the tag"),
    "python object": (plain(IRIS + "name: !!python/object/apply:os.system [ls]"), "FILE:2: the tag"),
    "binary tag": (plain(IRIS + "name: !!binary aGk="), "FILE:2: the tag"),
    "a tag that does not fit": (plain(IRIS + "seed: !!int abc"), "FILE:2: 'abc' does not fit the tag"),
    "a number without end": (plain(IRIS + "seed: " + "9" * 5000), "FILE:2: seed: expected a whole number, got inf"),
    "a key that is no word": (plain(IRIS + "3: x"), "FILE:2: 3: expected a word as key, got 3"),
    "two documents": (plain(IRIS + "---\n" + IRIS), "FILE:2: not valid YAML: but found another document"),
    "an alias of nothing": (plain(IRIS + "name: *nope"), "FILE:2: not valid YAML: found undefined alias 'nope'"),
    "an alias of itself": (plain("data: &d {source: *d}"), "FILE: not valid YAML: nested too deeply"),
    "a control character": (plain(IRIS + "name: \x01"), "FILE: not valid YAML: character"),
    "deep nesting": (plain("data: " + "{a: " * 3000), "FILE: not valid YAML: nested too deeply"),
    "alias bomb": (
        plain(
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "\n".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in zip("abcdef", "bcdefg", strict=True))
        ),
        "FILE: more than 100000 values; do aliases refer to aliases?",
    ),
    "more than a scenario": (plain(IRIS + "#" * (1 << 20)), "FILE: larger than 1 MiB, the most that a scenario may be"),
    "items without end": (plain("- 1\n" * 200_000), "FILE: more than 100000 values, the most that a scenario may have"),
    "a user's home that is none": (
        plain("data: {source: {kind: npz, path: ~nosuchuser/x.npz}}"),
        "FILE:1: data.source.path: expected a path; ~nosuchuser is the home of no user here",
    ),
    # Types and limits.
    "text for a number": (plain(IRIS + "seed: one"), "FILE:2: seed: expected a whole number, got 'one'"),
    "fraction for a whole number": (plain(IRIS + "seed: 1.5"), "FILE:2: seed: expected a whole number, got 1.5"),
    "number for a text": (plain(IRIS + "name: 3"), "FILE:2: name: expected text, got 3"),
    "text for true": (plain(IRIS + "checkpoints: {best: ja}"), "expected true or false, got 'ja'"),
    "list for keys": (plain(IRIS + "model: [1]"), "FILE:2: model: expected keys and values, got [1]"),
    "keys for a list": (plain(IRIS + "model: {layers: {a: 1}}"), "FILE:2: model.layers: expected a list"),
    "NaN rate": (
        plain(IRIS + "training: {optimizer: {name: sgd, lr: .nan}}"),
        "FILE:2: training.optimizer.lr: expected a finite number, got nan",
    ),
    "infinite rate": (
        plain(IRIS + "training: {optimizer: {name: sgd, lr: .inf}}"),
        "FILE:2: training.optimizer.lr: expected a finite number, got inf",
    ),
    "zero rate": (
        plain(IRIS + "training: {optimizer: {name: sgd, lr: 0}}"),
        "training.optimizer.lr: expected a number greater than 0, got 0",
    ),
    "zero clients": (
        plain(DIGITS + "  partition: {scheme: iid, clients: 0}"),
        "FILE:3: data.partition.clients: expected a number of at least 1, got 0",
    ),
    "absurdly many clients": (
        plain(DIGITS + "  partition: {scheme: iid, clients: 1000000000000}"),
        "data.partition.clients: expected a number of at most 1",
    ),
    "absurdly wide layer": (
        plain(IRIS + "model: {layers: [8, 1000000000]}"),
        "FILE:2: model.layers.1: expected a number of at most 65536",
    ),
    "absurdly many weights": (
        plain(IRIS + "model: {layers: [65536, 65536]}"),
        "FILE:2: model.layers: expected at most 1,073,741,824 weights, not 4,294,967,296 between hidden layers",
    ),
    "too many weights for the data's width": (
        plain(
            "data: {source: {kind: teacher, rows: 9, features: 100000}, partition: {scheme: iid, clients: 2}}\n"
            "model:\n  layers: [65536]"
        ),
        "FILE:3: model.layers: 100000-65536-10 are 6,554,255,360 weights; expected at most 1,073,741,824",
    ),
    "absurdly many rounds": (
        plain(IRIS + "federation: {rounds: 100000000000}"),
        "FILE:2: federation.rounds: expected a number of at most 1",
    ),
    "absurdly many epochs": (
        plain(IRIS + "training: {epochs: 100000000000}"),
        "FILE:2: training.epochs: expected a number of at most 1",
    ),
    "an absurd teacher": (
        plain("data: {source: {kind: teacher, features: 1000000, classes: 100000}}"),
        "FILE:1: data.source.classes: expected features times classes of at most 268435456",
    ),
    "absurdly large table": (
        plain("data: {source: {kind: teacher, rows: 10000000000, features: 1000000}}"),
        "data.source.rows: expected a table of at most 1 TiB",
    ),
    "negative rounds": (plain(IRIS + "federation: {rounds: -1}"), "federation.rounds: expected a number of at least 1"),
    "momentum of one": (
        plain(IRIS + "training: {optimizer: {name: sgd, momentum: 1.0}}"),
        "training.optimizer.momentum: expected a number below 1, got 1.0",
    ),
    "batch of nothing": (
        plain(IRIS + "training: {batch_size: 0}"),
        "training.batch_size: expected a whole number of examples, at least 1, or full, got 0",
    ),
    "share above one": (
        plain(IRIS + "federation: {clients_per_round: 1.1}"),
        "a decimal fraction above 0 up to 1.0, got 1.1",
    ),
    "name with a slash": (
        plain(IRIS + "name: ../x"),
        "FILE:2: name: expected letters, digits, dot, dash and underscore",
    ),
    # Names.
    "unknown source": (plain("data: {source: {kind: cvs}}"), "got 'cvs'; did you mean csv?"),
    "unknown data set": (plain("data: {source: {kind: sklearn, name: irsi}}"), "got 'irsi'; did you mean iris?"),
    "unknown partition": (
        plain(DIGITS + "  partition: {scheme: dirichlt}"),
        "FILE:3: data.partition: expected one of continuous, dirichlet, distribution",
    ),
    "unknown activation": (plain(IRIS + "model: {activation: rely}"), "got 'rely'; did you mean relu?"),
    "unknown strategy": (plain(IRIS + "federation: {strategy: fedavgs}"), "got 'fedavgs'; did you mean fedavg?"),
    "option of another kind": (
        plain(DIGITS + "  partition: {scheme: iid, alpha: 0.5}"),
        "FILE:3: data.partition.alpha: unknown key; known here: scheme, clients",
    ),
    # Keys that exclude or need each other.
    "epochs and steps": (
        plain(IRIS + "training:\n  epochs: 1\n  steps: 2"),
        "FILE:4: training.steps: expected either epochs or steps, not both",
    ),
    "cohort beyond the federation": (
        plain(DIGITS + "  partition: {scheme: iid, clients: 5}\nfederation:\n  clients_per_round: 6"),
        "FILE:5: federation.clients_per_round: expected at most the 5 clients of data.partition.clients",
    ),
    "too few clients for krum": (
        plain(DIGITS + "federation:\n  clients_per_round: 8\n  strategy: {name: krum, malicious_clients: 3}"),
        "FILE:5: federation.strategy: expected options that 8 clients a round allow: these need 9, since n ≥ 2f + 3",
    ),
    "too few clients for multi-krum": (
        plain(DIGITS + "federation: {strategy: {name: multikrum, malicious_clients: 3, selected_clients: 8}}"),
        "FILE:3: federation.strategy: expected options that 10 clients a round allow: these need 11, since n ≥ 2f + 3 and n ≥ m + f",
    ),
    "too few clients for bulyan": (
        plain(DIGITS + "federation: {strategy: {name: bulyan, malicious_clients: 2}}"),
        "FILE:3: federation.strategy: expected options that 10 clients a round allow: these need 11, since n ≥ 4f + 3",
    ),
    "privacy for a strategy that sees more than the mean": (
        plain(DIGITS + "federation:\n  strategy: fedmedian\n  privacy: {noise_multiplier: 1.0}"),
        "FILE:4: federation.strategy: expected one that sees clients only through their mean, for privacy: fedadagrad, fedadam, fedavg",
    ),
    "privacy and running statistics": (
        plain(DIGITS + "model: {normalization: batch}\nfederation: {privacy: {}}"),
        "FILE:3: model.normalization: expected none or layer, for privacy: running statistics leave clients without noise",
    ),
    "adaptive clipping with local noise": (
        plain(DIGITS + "federation: {privacy: {noise: local, adaptive: {}}}"),
        "FILE:3: federation.privacy.adaptive: expected noise: central, since the server learns how many changes were",
    ),
    "amplification that local noise has not": (
        plain(DIGITS + "federation: {privacy: {noise: local, accounting: without-replacement}}"),
        "FILE:3: federation.privacy.accounting: expected no-amplification with local noise, since the server knows",
    ),
    "too little noise in the count of clipped changes": (
        plain(DIGITS + "federation: {privacy: {adaptive: {}}}"),
        "FILE:3: federation.privacy.adaptive.count_noise: expected more than half the noise_multiplier 1; it is 0.5 for 10 clients",
    ),
    "privacy and selection by what clients lose": (
        plain(DIGITS + "federation:\n  selection: oort\n  privacy: {noise_multiplier: 1.0}"),
        "FILE:4: federation.selection: expected a rule that does not use clients' losses, for privacy",
    ),
    "amplification without a uniform draw": (
        plain(DIGITS + "federation: {selection: by_size, privacy: {accounting: without-replacement}}"),
        "FILE:3: federation.privacy.accounting: expected no-amplification: by_size is no uniform draw",
    ),
    "fewer candidates than take part": (
        plain(DIGITS + "federation: {selection: {name: power_of_choice, candidates: 4}}"),
        "FILE:3: federation.selection.candidates: expected at least the 10 clients of a round's cohort",
    ),
    "a schedule that is not there": (
        plain(DIGITS + "federation: {selection: {name: schedule, path: nobody.yaml}}"),
        "HERE/nobody.yaml: no such file",
    ),
    "a mistake in a schedule": (
        with_file(
            plain(DIGITS),
            "federation: {selection: {name: schedule, path: who.yaml}}",
            "1: [2]\n2: [x]\n",
            "who.yaml",
        ),
        "HERE/who.yaml:2: client: expected a whole number of at least 0, got 'x'",
    ),
    "trimming everybody": (
        plain(DIGITS + "federation: {strategy: {name: fedtrimmedavg, beta: 0.5}}"),
        "FILE:3: federation.strategy.beta: expected a number below 0.5, got 0.5",
    ),
    "steps that are no gradients": (
        plain(DIGITS + "training: {optimizer: adam}\nfederation: {strategy: {name: scaffold, control: option_2}}"),
        "FILE:4: federation.strategy.control: expected auto or option_1 with adam, whose steps are no weighted sums",
    ),
    "steps that nothing normalizes": (
        plain(DIGITS + "training: {optimizer: rmsprop}\nfederation: {strategy: fednova}"),
        "FILE:3: training.optimizer: expected sgd, momentum or averaged_momentum with fednova",
    ),
    "sums that are not robust": (
        plain(
            DIGITS + "model: {normalization: {name: batch, statistics: recomputed}}\nfederation: {strategy: fedmedian}"
        ),
        "FILE:3: model.normalization.statistics: expected averaged with fedmedian: what is recomputed comes as sums",
    ),
    "more needed than asked": (
        plain(DIGITS + "federation: {clients_per_round: 2, min_clients: 3}"),
        "FILE:3: federation.min_clients: expected at most the 2 clients of a round's cohort",
    ),
    "nothing left to train on": (
        plain(DIGITS + "  test_fraction: 0.6\n  validation_fraction: 0.4"),
        "FILE:4: data.validation_fraction: expected test_fraction and validation_fraction together below 1",
    ),
    "no names and no header": (
        csv("1,2\n", "    header: false"),
        "FILE:2: data.source.names: expected the columns' names",
    ),
    "a rate too many": (
        plain(IRIS + "model:\n  layers: [8]\n  dropout: [0.1, 0.2]"),
        "FILE:4: model.dropout: expected one number, or a list of 1: one for each hidden layer",
    ),
    "every unit dropped": (
        plain(IRIS + "model: {dropout: 1.0}"),
        "FILE:2: model.dropout: expected a number of at least 0 and below 1, or a list of one for each hidden layer",
    ),
    "every input dropped": (
        plain(IRIS + "model: {input_dropout: 1.0}"),
        "FILE:2: model.input_dropout: expected a number below 1, got 1.0",
    ),
    "inputs by layer": (
        plain(IRIS + "model: {input_dropout: [0.1, 0.2]}"),
        "FILE:2: model.input_dropout: expected a number, got [0.1, 0.2]",
    ),
    "a negative share of connections": (
        plain(IRIS + "model: {drop_connect: -0.1}"),
        "FILE:2: model.drop_connect: expected a number of at least 0, got -0.1",
    ),
    "unknown normalization": (
        plain(IRIS + "model: {normalization: batchnorm}"),
        "FILE:2: model.normalization: expected one of none, batch, layer, got 'batchnorm'; did you mean batch?",
    ),
    "unknown statistics": (
        plain(IRIS + "model: {normalization: {name: batch, statistics: recompute}}"),
        "expected one of averaged, recomputed, got 'recompute'; did you mean recomputed?",
    ),
    "statistics that never move": (
        plain(IRIS + "model: {normalization: {name: batch, momentum: 0}}"),
        "FILE:2: model.normalization.momentum: expected a number greater than 0, got 0",
    ),
    "unknown initialization": (
        plain(IRIS + "model: {initialization: xavier}"),
        "model.initialization: expected one of default, zeros, normal, xavier_uniform",
    ),
    "an option of another initialization": (
        plain(IRIS + "model: {initialization: {name: he_normal, gain: 2}}"),
        "FILE:2: model.initialization.gain: unknown key; known here: name",
    ),
    "a slope that is none": (
        plain(IRIS + "model: {activation: {name: relu, slope: 0.1}}"),
        "FILE:2: model.activation.slope: unknown key; known here: name",
    ),
    "unknown output": (
        plain(IRIS + "model: {output: sofmax}"),
        "FILE:2: model.output: expected one of auto, softmax, sigmoid, linear, got 'sofmax'; did you mean softmax?",
    ),
    "unknown optimizer": (
        plain(IRIS + "training: {optimizer: adm}"),
        "FILE:2: training.optimizer: expected one of sgd, momentum, averaged_momentum, adagrad, rmsprop, adam, adamw, "
        "got 'adm'; did you mean adam?",
    ),
    "a constant of another optimizer": (
        plain(IRIS + "training: {optimizer: {name: adam, momentum: 0.9}}"),
        "FILE:2: training.optimizer.momentum: unknown key; known here: name, lr, beta1, beta2, eps",
    ),
    "Nesterov without momentum": (
        plain(IRIS + "training:\n  optimizer:\n    name: sgd\n    nesterov: true"),
        "FILE:5: training.optimizer.nesterov: expected a momentum above 0 beside it",
    ),
    "state for a while": (
        plain(IRIS + "training: {optimizer_state: rounds}"),
        "training.optimizer_state: expected one of round, client, got 'rounds'; did you mean round?",
    ),
    "unknown schedule": (
        plain(IRIS + "training:\n  schedule:\n  - warmup\n  - cosin"),
        "FILE:5: training.schedule.1: expected one of constant, step, exponential, cosine, linear, warmup, "
        "inverse_sqrt, got 'cosin'; did you mean cosine?",
    ),
    "a schedule by something else": (
        plain(IRIS + "training: {schedule: [{name: cosine, by: epoch}]}"),
        "FILE:2: training.schedule.0.by: expected one of round, step, got 'epoch'",
    ),
    "a schedule of no length": (
        plain(IRIS + "training: {schedule: [{name: warmup, length: 0}]}"),
        "training.schedule.0.length: expected a number of at least 1, got 0",
    ),
    "a gradient of no length": (
        plain(IRIS + "training: {clip_norm: 0}"),
        "FILE:2: training.clip_norm: expected a number greater than 0, got 0",
    ),
    "a gradient of no size": (
        plain(IRIS + "training: {clip_value: -1}"),
        "FILE:2: training.clip_value: expected a number greater than 0, got -1",
    ),
    "more layers of their own than there are": (
        plain(IRIS + "federation: {strategy: {name: fedper, personal_layers: 3}}"),
        "FILE:2: federation.strategy.personal_layers: expected fewer than the model's 3 dense layers",
    ),
    "a lambda of no sense": (
        plain(IRIS + "federation: {strategy: {name: ditto, lambda: -1}}"),
        "FILE:2: federation.strategy.lambda: expected a number of at least 0, got -1",
    ),
    "unknown loss": (
        plain(IRIS + "training: {loss: crossentropy}"),
        "got 'crossentropy'; did you mean cross_entropy?",
    ),
    "a loss of no size": (
        plain(IRIS + "training: {loss: {name: huber, delta: 0}}"),
        "FILE:2: training.loss.delta: expected a number greater than 0, got 0",
    ),
    "labels smoothed away": (
        plain(IRIS + "training: {loss: {name: cross_entropy, label_smoothing: 1.0}}"),
        "FILE:2: training.loss.label_smoothing: expected a number below 1, got 1.0",
    ),
    "a class of no weight": (
        plain(IRIS + "training:\n  loss:\n    name: cross_entropy\n    class_weights: {setosa: 0}"),
        "FILE:5: training.loss.class_weights: expected balanced, or numbers above 0 by label, got",
    ),
    "a mixture of nothing": (
        plain(IRIS + "training: {mixup: 0}"),
        "FILE:2: training.mixup: expected a number greater than 0, got 0",
    ),
    "a budget of nothing": (
        plain(IRIS + "training:\n  regularization:\n    l1_budget: 0"),
        "FILE:4: training.regularization.l1_budget: expected a number greater than 0, got 0",
    ),
    "unknown regularization": (
        plain(IRIS + "training: {regularization: {ridge: 0.1}}"),
        "FILE:2: training.regularization.ridge: unknown key; known here: l1, l2, l1_budget, l2_budget",
    ),
    "a negative penalty": (
        plain(IRIS + "training: {regularization: {l2: -1}}"),
        "FILE:2: training.regularization.l2: expected a number of at least 0, got -1",
    ),
    "early stopping without rows of one's own": (
        plain(IRIS + "training:\n  early_stopping: {patience: 2}"),
        "FILE:3: training.early_stopping: expected data.client_holdout above 0: examples of its own",
    ),
    "early stopping by steps": (
        plain(DIGITS + "  client_holdout: 0.2\ntraining: {steps: 5, early_stopping: {}}"),
        "FILE:4: training.early_stopping: expected training by epochs beside it, not by steps",
    ),
    "no patience": (
        plain(DIGITS + "  client_holdout: 0.2\ntraining: {early_stopping: {patience: 0}}"),
        "FILE:4: training.early_stopping.patience: expected a number of at least 1, got 0",
    ),
    # What the data does not allow.
    "a loss of classes for numbers": (
        plain("data: {source: {kind: sklearn, name: diabetes}}\ntraining: {loss: cross_entropy}"),
        "FILE:2: training.loss: the data is a regression; expected auto, mse, half_mse or huber, not cross_entropy",
    ),
    "a loss of another output": (
        plain(IRIS + "model: {output: linear}\ntraining:\n  loss: cross_entropy"),
        "FILE:4: training.loss: cross_entropy goes with model.output softmax; expected mse, half_mse or huber with "
        "linear",
    ),
    "a loss of two classes for an output of many": (
        plain(IRIS + "training: {loss: binary_cross_entropy}"),
        "FILE:2: training.loss: binary_cross_entropy goes with model.output sigmoid; expected cross_entropy, mse, "
        "half_mse or huber with softmax",
    ),
    "a weight for a class that is not there": (
        plain(IRIS + "training:\n  loss:\n    name: cross_entropy\n    class_weights: {setos: 2}"),
        "FILE:5: training.loss.class_weights: no example has the label 'setos'; the labels are setosa, versicolor, "
        "virginica; did you mean setosa?",
    ),
    "more clients than rows": (
        plain("data:\n  source: {kind: sklearn, name: iris}\n  partition: {scheme: iid, clients: 151}"),
        "FILE:3: data.partition.clients: 151 clients, but only 150 examples to train on",
    ),
    "an impossible cut": (
        plain(
            "data:\n  source: {kind: sklearn, name: iris}\n  partition: {scheme: dirichlet, clients: 60, alpha: 0.01}"
        ),
        "FILE:3: data.partition: cannot partition 150 examples",
    ),
    "more pieces than rows": (
        plain("data:\n  source: {kind: sklearn, name: iris}\n  partition: {scheme: shards, clients: 80}"),
        "FILE:3: data.partition.clients: 160 pieces, but only 150 examples to train on; use fewer clients or fewer",
    ),
    "a share of no row": (
        plain("data:\n  source: {kind: sklearn, name: iris}\n  test_fraction: 0.001"),
        "FILE:3: data.test_fraction: this fraction of 150 examples rounds to zero",
    ),
    "labels of a regression": (
        plain("data:\n  source: {kind: sklearn, name: diabetes}\n  partition: {scheme: shards}"),
        "FILE:3: data.partition.scheme: shards needs labels, but the task is a regression; use iid or continuous",
    ),
    "test examples twice": (
        (
            npz(x_train=X, y_train=Y, x_test=X, y_test=Y)[0] + "  test_fraction: 0.5",
            npz(x_train=X, y_train=Y, x_test=X, y_test=Y)[1],
        ),
        "FILE:5: data.test_fraction: the source has 20 test examples of its own; leave this out",
    ),
    "no such column to cut by": (
        csv("a,y\n1,u\n2,v\n", "  partition: {scheme: natural, by: town}"),
        "FILE:6: data.partition.by: no column 'town'",
    ),
    "images turned that are none": (
        plain(
            "data:\n  source: {kind: sklearn, name: iris}\n  partition: {clients: 3, scheme: iid}\n  skew: [rotation]"
        ),
        "FILE:4: data.skew: this skew is for images; examples here have the shape (4,)",
    ),
    # Files.
    "no such file": (
        plain("data:\n  source: {kind: npz, path: rows.npz}"),
        "FILE:2: data.source.path: no file HERE/rows.npz",
    ),
    "a folder for a file": (
        plain("data: {source: {kind: npz, path: .}}"),
        "data.source.path: expected a file, HERE is a folder",
    ),
    "a file for a folder": (
        plain("data: {source: {kind: idx, path: s.yaml}}"),
        "data.source.path: expected a folder, HERE/s.yaml is a file",
    ),
    "a name nearly right": (
        ("data: {source: {kind: npz, path: b.npz}}", npz(x_train=X, y_train=Y)[1]),
        "no file HERE/b.npz; did you mean a.npz?",
    ),
    "no file fits": (
        plain("data: {source: {kind: csv, path: '*.csv', target: y}}"),
        "data.source.path: no file fits HERE/*.csv",
    ),
    "archive without rows": (npz(x=X), "HERE/a.npz: expected an array x_train; found x"),
    "archive of objects": (
        npz(x_train=X, y_train=np.array([{}] * 20)),
        "y_train: an array of Python objects is never read",
    ),
    "archive with infinite numbers": (
        npz(x_train=np.full((20, 3), np.inf), y_train=Y),
        "HERE/a.npz: x_train: row 0, column 0: the number is infinite; a missing value is NaN",
    ),
    "archive with a missing number": (
        npz(x_train=np.where(np.eye(20, 3), np.nan, X), y_train=Y),
        "HERE/a.npz: x_train: row 0, column 0: a value is missing (NaN); mean, median or indicator takes its place",
    ),
    "archive with bytes to train on and fractions to test on": (
        npz(x_train=X.astype(np.uint8), y_train=Y, x_test=X, y_test=Y),
        "HERE/a.npz: x_test: expected uint8 as in x_train, found float64; uint8 is divided by 255",
    ),
    "labels in no alphabet": (
        npz(x_train=X, y_train=np.array([b"caf\xe9"] * 20)),
        "HERE/a.npz: y_train: row 0: b'caf\\xe9' is no UTF-8 text",
    ),
    "archive of one value": (
        npz(x_train=np.float64(3), y_train=Y),
        "HERE/a.npz: x_train: expected an array of rows, found a single value",
    ),
    "archive that promises more than it has": (
        (npz()[0], lambda here: boasting(here / "a.npz")),
        "HERE/a.npz: x_train: the header promises 800000000000000 bytes for (100000000000, 1000), there are 0",
    ),
    "archive cut short": (
        ("data: {source: {kind: npz, path: a.npz}}", lambda here: (here / "a.npz").write_bytes(b"PK\3\4 no") and None),
        "HERE/a.npz: damaged or not an .npz archive",
    ),
    "labels for other rows": (
        npz(x_train=X, y_train=Y[:9]),
        "y_train: expected one for each of the 20 rows of x_train, found 9",
    ),
    "idx with a wrong magic": (
        idx("train-images-idx3-ubyte", b"GIF89a"),
        "HERE/train-images-idx3-ubyte: not an idx file (it starts with 47 49 46 38)",
    ),
    "idx with fewer rows than promised": (
        idx("train-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x04\0"),
        "train-labels-idx1-ubyte: the header promises 4 bytes for (4,), the file has 1",
    ),
    "idx with more rows than promised": (
        idx("train-labels-idx1-ubyte.gz", gzip.compress(b"\0\0\x08\x01\0\0\0\x04" + bytes(1 << 24))),
        "train-labels-idx1-ubyte.gz: the header promises 4 bytes for (4,), the file has more",
    ),
    "idx of absurd size": (
        idx("train-images-idx3-ubyte", b"\0\0\x08\x03" + b"\xff" * 12),
        "train-images-idx3-ubyte: the header promises 7.92281624589241e+28 bytes for",
    ),
    "idx of other rows": (
        idx("t10k-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x03\0\0\0"),
        "t10k-labels-idx1-ubyte: expected 2 labels, one per image",
    ),
    "truncated gzip": (
        idx("t10k-images-idx3-ubyte.gz", gzip.compress(bytes(100))[:-10]),
        "t10k-images-idx3-ubyte.gz: damaged gzip file",
    ),
    "another separator": (
        csv("a;y\n1;2\n"),
        "FILE:2: data.source.separator: HERE/t.csv:1: expected ',' between values; is it ';'?",
    ),
    "ragged rows": (csv("a,y\n1,2\n1\n"), "HERE/t.csv:3: expected 2 values, found 1"),
    "a text where numbers were promised": (
        csv("a,y\n1,u\nx,v\n", "    numeric: [a]"),
        "HERE/t.csv:3: a: expected a number, found 'x'",
    ),
    "an infinite number": (
        csv("a,y\n1,u\ninf,v\n"),
        "HERE/t.csv:3: a: expected a finite number, found 'inf'; data.source.missing says what stands for",
    ),
    "a target that names clients": (
        csv("a,y\n1,2\n", "    client: y"),
        "FILE:6: data.source.client: expected another column than the target",
    ),
    "numbers and categories at once": (
        csv("a,y\n1,2\n", "    numeric: [a]\n    categorical: [a]"),
        "FILE:6: data.source.numeric: expected columns that are not categorical, too; a is",
    ),
    "a separator that quotes": (
        csv("a,y\n1,2\n", "    separator: '\"'"),
        "FILE:6: data.source.separator: expected a character that neither quotes nor ends a line",
    ),
    "no such target": (csv("a,b\n1,2\n"), "FILE:5: data.source.target: no column 'y'; the file has a, b"),
    "not UTF-8": (csv(b"a,y\n\xff,1\n"), "HERE/t.csv:2: expected UTF-8 text"),
    "a binary file": (csv(b"a,y\n\0,1\n"), "HERE/t.csv:2: a NUL byte; is this a text file?"),
    "open quote": (csv('a,y\n"1,2\n'), "HERE/t.csv:3: not a CSV file"),
    "an empty file": (csv(""), "HERE/t.csv: no rows in it"),
    "names for categories": (
        csv("a,y\n" + "".join(f"n{n},u\n" for n in range(1200))),
        "1200 different texts in 1200 rows",
    ),
    "a text without label": (
        ("data: {source: {kind: text, path: m.tsv}}", lambda here: (here / "m.tsv").write_text("hello\n") and None),
        "HERE/m.tsv:1: expected 2 values with '\\t' between them, found 1",
    ),
    "a data set that is nowhere": (
        plain("data: {source: {kind: hub, name: ./nowhere}}"),
        "FILE:1: data.source.name: ./nowhere cannot be loaded",
    ),
    # Augmentation.
    "unknown augmentation": (
        plain(DIGITS + "training:\n  augmentation: [{kind: rotatoin}]"),
        "FILE:4: training.augmentation.0: expected one of blur, brightness, character_noise",
    ),
    "nearly an augmentation": (plain(DIGITS + "training: {augmentation: [shfit]}"), "got 'shfit'; did you mean shift?"),
    "colour as the British write it": (
        plain(DIGITS + "training: {augmentation: [colour_jitter]}"),
        "got 'colour_jitter'; did you mean color_jitter?",
    ),
    "an augmentation without kind": (
        plain(DIGITS + "training:\n  augmentation:\n  - {degrees: 3}"),
        "FILE:5: training.augmentation.0: expected the key kind, one of blur, brightness",
    ),
    "an augmentation that is no list": (
        plain(DIGITS + "training: {augmentation: rotation}"),
        "FILE:3: training.augmentation: expected a list, got 'rotation'",
    ),
    "option of another augmentation": (
        plain(DIGITS + "training: {augmentation: [{kind: shift, degrees: 3}]}"),
        "FILE:3: training.augmentation.0.degrees: unknown key; known here: kind, probability, fraction",
    ),
    "negative probability": (
        plain(DIGITS + "training:\n  augmentation:\n  - flip\n  - {kind: flip, probability: -0.1}"),
        "FILE:6: training.augmentation.1.probability: expected a number of at least 0, got -0.1",
    ),
    "probability above one": (
        plain(DIGITS + "training: {augmentation: [{kind: flip, probability: 2}]}"),
        "training.augmentation.0.probability: expected a number of at most 1, got 2",
    ),
    "an unknown direction": (
        plain(DIGITS + "training: {augmentation: [{kind: flip, direction: horizontaly}]}"),
        "training.augmentation.0.direction: expected one of horizontal, vertical, got 'horizontaly'; did you mean horizontal?",
    ),
    "half a pixel of padding": (
        plain(DIGITS + "training: {augmentation: [{kind: crop, padding: 0.5}]}"),
        "training.augmentation.0.padding: expected a whole number, got 0.5",
    ),
    "the larger area first": (
        plain(DIGITS + "training: {augmentation: [{kind: erasing, area: [0.5, 0.1]}]}"),
        "training.augmentation.0.area: expected the smaller number first",
    ),
    "more than the image": (
        plain(DIGITS + "training: {augmentation: [{kind: erasing, area: [0.5, 1.5]}]}"),
        "training.augmentation.0.area: expected numbers of at most 1, the whole image",
    ),
    "one number for two": (
        plain(DIGITS + "training: {augmentation: [{kind: erasing, area: [0.5]}]}"),
        "training.augmentation.0.area",
    ),
    "images augmented that are none": (
        plain(IRIS + "training:\n  augmentation:\n  - feature_noise\n  - rotation"),
        "FILE:5: training.augmentation.1.kind: the data are a table; use one of feature_dropout, feature_noise",
    ),
    "images augmented that are texts": (
        (TEXTS[0] + "training:\n  augmentation:\n  - kind: noise\n    probability: 1.0", TEXTS[1]),
        "FILE:4: training.augmentation.0.kind: the data are texts; use one of character_noise, clause_shuffle, synonyms",
    ),
    "texts augmented that are images": (
        plain(DIGITS + "training: {augmentation: [typos]}"),
        "FILE:3: training.augmentation.0.kind: the data are images; use one of blur, brightness, color_jitter",
    ),
    "colours of grey images": (
        plain(DIGITS + "training: {augmentation: [color_jitter]}"),
        "FILE:3: training.augmentation.0.kind: the images are not of red, green and blue; use brightness or contrast",
    ),
    "colours below black": (
        (
            npz(x_train=-np.ones((20, 4, 5, 3)), y_train=Y)[0] + "training: {augmentation: [color_jitter]}",
            npz(x_train=-np.ones((20, 4, 5, 3)), y_train=Y)[1],
        ),
        "FILE:5: training.augmentation.0.kind: the images' values go below 0, which is black for color_jitter",
    ),
    "no synonyms": (
        (TEXTS[0] + "training: {augmentation: [synonyms]}", TEXTS[1]),
        "FILE:2: training.augmentation.0.path: expected a file of synonyms, or in its place `words`",
    ),
    "synonyms twice": (
        (TEXTS[0] + "training: {augmentation: [{kind: synonyms, path: a.txt, words: {a: [b]}}]}", TEXTS[1]),
        "training.augmentation.0.path: expected a file of synonyms, or in its place `words`",
    ),
    "a word without synonyms": (
        (TEXTS[0] + "training: {augmentation: [{kind: synonyms, words: {a: []}}]}", TEXTS[1]),
        "training.augmentation.0.words.a: expected at least 1 entries, got []",
    ),
    "a table of synonyms that is nowhere": (
        (TEXTS[0] + "training:\n  augmentation:\n  - kind: synonyms\n    path: m.tvs", TEXTS[1]),
        "FILE:5: training.augmentation.0.path: no file HERE/m.tvs; did you mean m.tsv?",
    ),
    "a table of synonyms that is none": (
        (TEXTS[0] + "training: {augmentation: [{kind: synonyms, path: m.tsv}]}", TEXTS[1]),
        "HERE/m.tsv:1: expected a word and its synonyms with commas between",
    ),
    "synonyms on two lines": (
        with_file(TEXTS, "training: {augmentation: [{kind: synonyms, path: s.txt}]}", "buy, get\nBuy, order\n"),
        "HERE/s.txt:2: 'Buy' was there before; put all its synonyms on one line",
    ),
    "an empty table of synonyms": (
        with_file(TEXTS, "training: {augmentation: [{kind: synonyms, path: s.txt}]}", "\n\n"),
        "HERE/s.txt: no words in it",
    ),
    "a model that is nowhere": (plain(IRIS + "model: {from: old}"), "FILE:2: model.from: expected a run's folder"),
}


def test_there_are_at_least_sixty() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scenario, write), expected = MISTAKES[name]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = tmp_path / "s.yaml"
    path.write_text(scenario)
    write(tmp_path)
    with pytest.raises(InputError) as caught:
        check(path)
    said = str(caught.value).replace(str(path) + ":", "FILE:").replace(str(tmp_path), "HERE")
    assert expected in said
    assert len(said.splitlines()) == 1


def test_a_scenario_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(InputError, match="expected UTF-8 text; byte 6 is not"):
        check(tmp_path / "s.yaml")
