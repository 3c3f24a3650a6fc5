"""A page of every kind that Hothouse makes, small, each from a real run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import hothouse
from hothouse.inspect.check import check
from hothouse.inspect.preview import Preview
from hothouse.report.page import write_page
from tests.common.test_sources import idx_bytes

CLIENTS = {"scheme": "dirichlet", "clients": 8, "alpha": 0.5}
JUDGED = {"test_fraction": 0.2, "validation_fraction": 0.1, "client_holdout": 0.2}


def scenario(source: dict[str, Any], rounds: int = 3, **more: Any) -> dict[str, Any]:
    """Eight clients and a small network."""
    scheme = {"scheme": "iid", "clients": 8} if source.get("name") == "diabetes" else CLIENTS
    return {
        "name": "looked-at",
        "data": {"source": source, **JUDGED, "partition": scheme},
        "model": {"layers": [16]},
        "federation": {"rounds": rounds, **more},
    }


def run(made: dict[str, Any], folder: Path) -> Path:
    """The report of a run."""
    return hothouse.run(made, engine="local", out=folder / "run").folder / "report.html"


def classification(folder: Path) -> Path:
    """Rows of a table, two labels."""
    return run(scenario({"kind": "sklearn", "name": "breast_cancer"}), folder)


def images(folder: Path) -> Path:
    """Handwritten digits in MNIST's format."""
    x, y = load_digits(return_X_y=True)
    pixels = (x.reshape(-1, 8, 8) * 15).astype(np.uint8)
    parts = {"train": slice(None, 600), "t10k": slice(600, 800)}
    (folder / "digits").mkdir()
    for part, rows in parts.items():
        (folder / "digits" / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(pixels[rows]))
        (folder / "digits" / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y[rows].astype(np.uint8)))
    made = scenario({"kind": "idx", "path": str(folder / "digits")})
    del made["data"]["test_fraction"]
    return run(made, folder)


def generation(folder: Path) -> Path:
    """Digits are made."""
    made = scenario({"kind": "sklearn", "name": "digits"})
    return run(made | {"model": {"name": "vae", "latent": 2, "layers": [8], "conditional": True}}, folder)


def documents(folder: Path) -> Path:
    """What people say, letter by letter."""
    lines = [f"{('ANNE', 'BOB')[n % 2]}:\nIt is {n} o'clock, {('my friend', 'is it')[n % 2]}." for n in range(60)]
    (folder / "play.txt").write_text("\n\n".join(lines))
    made = scenario({"kind": "sequence", "path": str(folder / "play.txt"), "clients": r"(?:\A|\n\n)([A-Z]+):$"})
    made["data"] |= {"partition": "natural"}
    return run(made | {"model": {"name": "next_token", "context": 8, "embedding": 4, "layers": [8]}}, folder)


def texts(folder: Path) -> Path:
    """Messages, of which some look like what they are not."""
    words = ("win a prize now", "see you at lunch", "call us now", "home at seven")
    lines = [f"{('spam', 'ham')[n % 2]}\t{words[n % 4]} {n % 7}" if n % 9 else f"ham\t{words[0]}" for n in range(200)]
    (folder / "texts.tsv").write_text("\n".join(lines) + "\n")
    return run(scenario({"kind": "text", "path": str(folder / "texts.tsv")}), folder)


def regression(folder: Path) -> Path:
    """Numbers to be foretold."""
    return run(scenario({"kind": "sklearn", "name": "diabetes"}), folder)


def competition(folder: Path) -> Path:
    """Networks compete."""
    strategy = {"name": "competition", "mode": "best"}
    return run(scenario({"kind": "sklearn", "name": "digits"}, strategy=strategy), folder)


def personal(folder: Path) -> Path:
    """Clients have models of their own."""
    return run(scenario({"kind": "sklearn", "name": "digits"}, strategy="ditto"), folder)


def preview(folder: Path) -> Path:
    """A table with categories and gaps, before anything is trained, and what augmentation makes of it."""
    rows = [f"{n % 60},{'ab'[n % 2]},{'' if n % 3 else n},{'uv'[n % 2]}" for n in range(160)]
    (folder / "t.csv").write_text("age,town,pressure,ill\n" + "\n".join(rows) + "\n")
    made = scenario({"kind": "csv", "path": str(folder / "t.csv"), "target": "ill"})
    checked = check(made | {"training": {"augmentation": ["feature_noise"]}})
    page = folder / "preview.html"
    page.write_text(Preview(checked.scenario, checked.prepared).page().html(), encoding="utf-8")
    return page


def _sweep(folder: Path, **more: Any) -> hothouse.Sweep:
    made = scenario({"kind": "sklearn", "name": "iris"}) | more
    return hothouse.sweep(made, engine="local", out=folder / "sweep")


LR = "training.optimizer.lr"


def sweep(folder: Path) -> Path:
    """Two rates, two seeds."""
    return _sweep(folder, matrix={LR: [0.01, 0.1]}, seeds=2).folder / "report.html"


def search(folder: Path) -> Path:
    """The best rate is looked for."""
    space = {LR: {"low": 1e-3, "high": 1.0, "log": True}, "federation.clients_per_round": {"low": 2, "high": 8}}
    return _sweep(folder, search={"trials": 6, "startup": 3, "space": space}).folder / "report.html"


def comparison(folder: Path) -> Path:
    """Two rates, two seeds, beside each other."""
    runs = _sweep(folder, matrix={LR: [0.01, 0.1]}, seeds=2).folder
    return write_page(hothouse.compare(runs).page(), folder / "comparison.html")


ALWAYS = ("At a glance", "Learning", "Data by client", "Fairness", "Participation", "Communication", "Time")
ENDED = ("Errors", "Worst mistakes", "Events", "Scenario", "Reproduce")
SWEPT = ("At a glance", "Parallel coordinates", "Importance", "Key by key", "Curves")

PAGES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "classification": (classification, (*ALWAYS, *ENDED)),
    "images": (images, (*ALWAYS, *ENDED)),
    "generation": (generation, (*ALWAYS[:2], "Generated examples", *ALWAYS[2:], *ENDED[2:])),
    "documents": (documents, (*ALWAYS[:2], "Generated examples", *ALWAYS[2:], *ENDED[2:])),
    "texts": (texts, (*ALWAYS, *ENDED)),
    "regression": (regression, (*ALWAYS, *ENDED)),
    "competition": (competition, (*ALWAYS[:5], "Competition", *ALWAYS[5:], *ENDED)),
    "personal": (personal, (*ALWAYS, *ENDED)),
    "preview": (preview, ("At a glance", "Data by client", "A few examples", "Augmented examples", "Scenario")),
    "sweep": (sweep, (*SWEPT, "Over seeds", "Runs", "Scenario", "Reproduce")),
    "search": (search, (*SWEPT, "Trials", "Runs", "Scenario", "Reproduce")),
    "comparison": (
        comparison,
        (
            "Results",
            "Curves",
            "Cost",
            "Seed by seed",
            "Paired tests",
            "Differences",
            "Runs",
            "For papers",
        ),
    ),
}
"""How each kind of page is made, and the sections that it promises, in order."""
