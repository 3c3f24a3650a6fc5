"""The model card: what a model is, how it was made and how to use it, in Markdown."""

from __future__ import annotations

from typing import Any

from common.data.data_spec import DataSpec
from common.models.predictor import Predictor
from common.wording import first_few
from hothouse.results.records import RunRecords
from hothouse.results.run_folder import RunFolder
from hothouse.results.table import result_rows


def model_card(run: RunFolder, model: Predictor) -> str:
    """A card for the run's final model, or a client's own, from what the run recorded."""
    records, summary = RunRecords(run.folder), run.summary
    scenario = records.scenario
    own, data = scenario["model"], scenario["data"]
    clients, agreed = summary["clients"], model.data_spec
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    what = " ".join(str(data["source"][name]) for name in ("kind", "name") if name in data["source"])
    kind, use = str(agreed.task), "predict(examples)"
    match agreed.task:
        case "classification":
            outputs = f"logits of {agreed.outputs} classes, in this order: {first_few(agreed.labels, 20)}"
        case "regression":
            outputs = f"{agreed.outputs} number(s), in the target's own unit"
        case "generation":
            kind, use = "generative", "generate(64)"
            outputs = "examples: `model.generate(64)`, `encode`, `decode`, `score`"
    if agreed.tokens is not None:
        use, outputs = 'generate("How it begins")', "texts: `model.generate(prompt)`, `score(text)`"
    return f"""# {scenario["name"]}

A {kind} model trained by {scenario["federation"]["strategy"]["name"]} on {clients} clients in
{summary["rounds"]} rounds, with Hothouse {summary["versions"]["hothouse"]}. The run is {summary["status"]}.

## The model

- {_network(own, parameters)}
- In: {_inputs(agreed)}; what the federation agreed on (scaling, categories, words) is part of the model.
- Out: {outputs}.

{_not_global(model)}## How it did

{_table(summary)}

`test` is measured on the server's test examples, `validation` on the examples it judges by, `holdout` on examples
that the clients kept to themselves, and so is `personal`, but of the clients' own models, which are not in this
archive.

## The data

{what}, cut by {data["partition"]["scheme"]}; seed {scenario["seed"]}. The examples are not in this archive.

## How to use it

```python
import hothouse

model = hothouse.load("FOLDER").model  # after: hothouse import ARCHIVE --out FOLDER
model.{use}
```

`model: {{from: ARCHIVE}}` in a scenario starts a new federation from these weights.

## How it was made

```yaml
{records.scenario_text.rstrip()}
```

Versions: {", ".join(f"{name} {number}" for name, number in summary["versions"].items())}.
"""


def _not_global(model: Predictor) -> str:
    """Whose model it is, where it is not all of the final global one."""
    if model.client is not None:
        return f"**This is the own model of client {model.client}**, not the global one.\n\n"
    if model.untrained:
        names = ", ".join(f"`{name}`" for name in model.untrained)
        return f"**Not for use as it is**: clients keep {names} to themselves; here these were never trained.\n\n"
    return ""


def _network(own: dict[str, Any], parameters: int) -> str:
    """What the network is."""
    if own.get("name", "mlp") == "mlp":
        hidden = f"hidden layers {own['layers'] or 'none'},\n  {own['activation']['name']}, {own['dtype']}"
        return f"A multilayer perceptron with {parameters:,} parameters, {hidden}."
    options = [f"{name} {value}" for name, value in own.items() if name not in ("name", "from", "output", "frozen")]
    return f"The network `{own['name']}` with {parameters:,} parameters, {', '.join(options)}."


def _inputs(agreed: DataSpec) -> str:
    if agreed.tokens is not None:
        headers = [column.name for column in agreed.columns[1:]]
        told = f", and the values of {first_few(headers, 20)} in force" if headers else ""
        return f"the last {agreed.tokens.context} tokens of a document ({agreed.tokens.unit}){told}"
    if agreed.vocabulary is not None:
        return f"texts, as {agreed.vocabulary.features} of {agreed.vocabulary.width} terms"
    if agreed.columns and len(agreed.row_shape) == 1:
        return f"examples of {len(agreed.columns)} columns: {first_few([column.name for column in agreed.columns], 20)}"
    return f"examples of {len(agreed.shift)} raw numbers (shape {list(agreed.row_shape)})"


def _table(summary: dict[str, Any]) -> str:
    heads, rows = result_rows(summary)
    lines = ["| " + " | ".join(cells) + " |" for cells in (["metric", *heads[1:]], ["---"] * len(heads), *rows)]
    return "\n".join(lines) if rows else "Nothing was measured."
