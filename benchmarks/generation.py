"""How good generated examples are: images that a classifier recognizes, rows that a classifier learns from.

    hothouse run scenarios/papers/mcmahan2017-2nn.yaml --set data.source.path=FOLDER --out classifier
    hothouse run scenarios/mnist-generator.yaml --set data.source.path=FOLDER --seed 1 --out one
    python benchmarks/generation.py images classifier one …

    hothouse run scenarios/heart-generator.yaml --set 'data.source.path=FOLDER/processed.*.data' --seed 1 --out rows
    python benchmarks/generation.py rows rows …

Of images, the share of 300 for each label that the classifier gives the label that was asked for, by temperature. Of
rows, the accuracy on the run's real test examples of a logistic regression that learned from as many generated rows as
there are training examples, beside one that learned from these.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import hothouse
from common.data import prepare
from common.models.generator import Generator

TEMPERATURES = (0.5, 0.7, 1.0)
EACH = 300


def main() -> None:
    """A line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["images", "rows"])
    parser.add_argument("runs", nargs="+", type=Path, help="runs of generative models; of images a classifier's first")
    chosen = parser.parse_args()
    if chosen.what == "images":
        images(chosen.runs[0], chosen.runs[1:])
    else:
        rows(chosen.runs)


def images(judge: Path, runs: list[Path]) -> None:
    """Recognized shares of each run's samples."""
    classifier = hothouse.load(judge)
    accuracy = classifier.metrics.test_accuracy.iloc[-1]
    print(f"classifier: test accuracy {accuracy:.4f}\n\n| run | {' | '.join(f'T = {t:g}' for t in TEMPERATURES)} |")
    print("|---|" + "--:|" * len(TEMPERATURES))
    for run in runs:
        model, shares = _generator(run), []
        for temperature in TEMPERATURES:
            right = 0
            for seed, label in enumerate(model.data_spec.labels):
                made = model.generate(EACH, label, temperature, seed).round().clamp(0, 255).to(torch.uint8)
                right += classifier.model.predict(made).count(label)
            shares.append(right / (EACH * len(model.data_spec.labels)))
        print(f"| {run.name} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


def rows(runs: list[Path]) -> None:
    """Accuracies on real test examples."""
    print("| run | learned from real rows | learned from generated rows |\n|---|--:|--:|")
    for run in runs:
        model, prepared = _generator(run), prepare(hothouse.load(run).scenario)
        training = np.concatenate([prepared.training_examples(client) for client in range(len(prepared.clients))])
        test = np.array(prepared.test)
        real, tested = (_seen(model, torch.from_numpy(np.array(prepared.x[at]))) for at in (training, test))
        made, labels = model.generate_labelled(len(training), seed=1)
        names = np.array([str(label) for label in prepared.meta.labels])
        wanted = names[prepared.y[test]]
        found = []
        for x, y in ((real, names[prepared.y[training]]), (_seen(model, made), np.array([str(one) for one in labels]))):
            learned = LogisticRegression(max_iter=5000).fit(x, y)
            found.append(float((learned.predict(tested) == wanted).mean()))
        print(f"| {run.name} | {found[0]:.3f} | {found[1]:.3f} |", flush=True)


def _generator(run: Path) -> Generator:
    model = hothouse.load(run).model
    if not isinstance(model, Generator):
        sys.exit(f"{run}: expected a run of a generative model")
    return model


def _seen(model: Generator, raw: Any) -> NDArray[np.float64]:
    """Rows as networks see them: gaps filled, columns scaled, categories spread out."""
    seen: NDArray[np.float64] = model.inputs(raw).double().numpy()
    return seen


if __name__ == "__main__":
    main()
