"""The model card: what a model is, how it was made and how to use it, in Markdown."""

from __future__ import annotations

from typing import Any

from common.scenario import dump_scenario
from hothouse.result import Run


def model_card(run: Run) -> str:
    """A card for the run's final model, from what the run recorded."""
    scenario, summary, model = run.scenario, run.summary, run.model
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    source = scenario.data.source.model_dump()
    what = " ".join(str(source[name]) for name in ("kind", "name") if name in source)
    outputs = (
        f"logits of {len(model.labels)} classes, in this order: {_some(model.labels)}"
        if model.task == "classification"
        else f"{model.output_shift.numel()} number(s), in the target's own unit"
    )
    return f"""# {scenario.name}

A {model.task} model grown by {scenario.federation.strategy.name} out of {scenario.data.partition.clients} clients in
{summary["rounds"]} rounds, with Hothouse {summary["versions"]["hothouse"]}. The run is {summary["status"]}.

## The model

- A multilayer perceptron with {parameters:,} parameters, hidden layers {list(scenario.model.layers) or "none"},
  {scenario.model.activation}, {scenario.model.dtype}.
- In: rows of {model.input_shift.numel()} raw numbers (shape {list(model.row_shape)}); the agreed scaling is part of
  the model.
- Out: {outputs}.

## How it did

{_table(summary)}

`test` is measured on the server's test rows, `validation` on the rows it judges by, `holdout` on rows that the
clients kept to themselves.

## The data

{what}, cut by {scenario.data.partition.scheme}; seed {scenario.seed}. The rows are not in this archive.

## How to use it

```python
import hothouse

model = hothouse.load("FOLDER").model  # after: hothouse import ARCHIVE --out FOLDER
model.predict(rows)
```

`model: {{from: ARCHIVE}}` in a scenario starts a new federation from these weights.

## How it was made

```yaml
{dump_scenario(scenario).rstrip()}
```

Versions: {", ".join(f"{name} {number}" for name, number in summary["versions"].items())}.
"""


def _table(summary: dict[str, Any]) -> str:
    final, best = summary["final"], summary["best"]
    measured = [name for name in final if name.startswith(("test_", "validation_", "holdout_")) and final[name]]
    head = "| metric | last round |" + (f" round {best['round']}, best by {best['by']} |" if best else "")
    lines = [head, "|---|---|" + ("---|" if best else "")]
    for name in measured:
        lines.append(f"| {name} | {final[name]:.4f} |" + (f" {best.get(name) or float('nan'):.4f} |" if best else ""))
    return "\n".join(lines) if measured else "Nothing was measured."


def _some(labels: tuple[Any, ...]) -> str:
    shown = ", ".join(map(str, labels[:20]))
    return f"{shown} and {len(labels) - 20} more" if len(labels) > 20 else shown
