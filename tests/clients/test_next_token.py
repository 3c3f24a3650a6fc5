"""The network that tells the next token, beside plain PyTorch; what it writes, beside definitions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hothouse
from clients.batches import batches
from common import seeds
from common.data import prepare
from common.data.documents import document_texts
from common.errors import InputError
from common.models import build
from common.models.own import OwnNetwork
from common.models.token_generator import TokenGenerator, sampled
from common.scenario import Scenario, load_scenario
from tests.command import command
from tests.common.test_sequences import PLAY, SPEAKERS, TUNES, scenario
from tests.resuming import assert_resumes, assert_same

CONTEXT = 4


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "play.txt").write_text(PLAY)
    (tmp_path / "tunes.abc").write_text(TUNES)
    return tmp_path


def play(**data: Any) -> dict[str, Any]:
    return scenario({"path": "play.txt", "clients": SPEAKERS}, **data)


def tunes(**source: Any) -> dict[str, Any]:
    given = {"path": "tunes.abc", "clients": "^X:", "headers": ["M", "K"], **source}
    return scenario(given, partition={"scheme": "iid", "clients": 3}, test_fraction=0.25)


class Plain(nn.Module):
    """Bengio et al. 2003 as anyone would write it, with the same names."""

    def __init__(self, tokens: int, headers: list[int], context: int, width: int) -> None:
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(tokens + 2, 3)
        self.headers = nn.ModuleList(nn.Embedding(values, 3) for values in headers)
        self.hidden = nn.ModuleList([nn.Linear(3 * (context + len(headers)), width)])
        self.head = nn.Linear(width, tokens + 1)

    def forward(self, windows: Tensor, values: Tensor) -> Tensor:
        seen = [self.embedding(windows).flatten(1)]
        seen += [own(values[:, place]) for place, own in enumerate(self.headers)]
        found: Tensor = self.head(F.relu(self.hidden[0](torch.cat(seen, dim=1))))
        return found


def windows_of(texts: list[str], tokens: list[str]) -> tuple[Tensor, Tensor, list[list[str]]]:
    """Windows and targets of documents, character by character; and of each place its document's beginning."""
    rows, targets, before = [], [], []
    for text in texts:
        codes = [tokens.index(one) for one in text] + [tokens.index("")]
        for at, code in enumerate(codes):
            row = codes[max(0, at - CONTEXT) : at]
            rows.append([len(tokens) + 1] * (CONTEXT - len(row)) + row)
            targets.append(code)
            before.append(list(text[:at]))
    return torch.tensor(rows), torch.tensor(targets), before


def in_force(before: list[str], names: list[str], categories: list[tuple[str, ...]]) -> list[int]:
    """The codes of the last complete header lines, found by splitting lines."""
    complete = "".join(before).split("\n")[:-1]
    found = []
    for name, known in zip(names, categories, strict=True):
        values = [line[len(name) + 1 :].partition("%")[0].strip() for line in complete if line.startswith(f"{name}:")]
        found.append(known.index(values[-1]) if values else 0)
    return found


def plain(chosen: Scenario, module: Plain, model: TokenGenerator) -> dict[str, Tensor]:
    """FedAvg with `torch.optim.Adam` over the clients' own documents, client after client."""
    prepared, spec = prepare(chosen), model.data_spec
    names = [column.name for column in spec.columns[1:]]
    categories = [tuple(column.categories or ()) for column in spec.columns[1:]]
    for number in (1, 2):
        begun = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        total = {name: torch.zeros_like(tensor) for name, tensor in begun.items()}
        for client in prepared.clients.tolist():
            positions = prepared.training_examples(client)
            windows, targets, before = windows_of(list(document_texts(prepared, positions)), model.tokens)
            values = torch.tensor([in_force(one, names, categories) for one in before]).view(len(before), len(names))
            module.load_state_dict(begun)
            optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
            keys = seeds.streams(chosen.seed, "batches", number, np.array([client]))
            for batch in batches([np.arange(len(targets))], chosen.training, keys, torch.float64):
                at = batch.positions[0][batch.shares[0] > 0]
                optimizer.zero_grad()
                F.cross_entropy(module(windows[at], values[at]), targets[at]).backward()
                optimizer.step()
            for name, tensor in module.state_dict().items():
                total[name] += len(targets) * tensor
        module.load_state_dict({name: tensor / int(prepared.training_sizes.sum()) for name, tensor in total.items()})
    return module.state_dict()


@pytest.mark.parametrize("made", [play, tunes], ids=["play", "tunes with headers"])
def test_clients_train_as_a_plain_loop_trains_them(made: Any, here: Path) -> None:
    chosen = load_scenario(made())
    done = hothouse.run(chosen, engine="local", out="run")
    assert "one_by_one" not in done.summary
    model = done.model
    assert isinstance(model, TokenGenerator)
    own = build(chosen.model, model.data_spec, chosen.seed)
    assert isinstance(own, OwnNetwork)
    sizes = [len(column.categories or ()) for column in model.data_spec.columns[1:]]
    module = Plain(len(model.tokens), sizes, CONTEXT, 5).double()
    module.load_state_dict({name: tensor.clone() for name, tensor in own.module.state_dict().items()})
    for name, tensor in plain(chosen, module, model).items():
        assert torch.allclose(model.network.state_dict()[name], tensor, rtol=0, atol=1e-10), name


def test_what_is_measured_is_what_the_definitions_say(here: Path) -> None:
    """By the probabilities that the model gives, token by token; an unknown word among them."""
    words = ["data.source.unit=words", "data.source.min_count=4"]
    chosen = load_scenario(play(test_fraction=0.3) | {"evaluation": {"batch_size": 7}}, words)
    done = hothouse.run(chosen, engine="local", out="run")
    model, prepared = done.model, prepare(chosen)
    assert isinstance(model, TokenGenerator)
    bits, hits, characters, unknown = [], [], 0, 0
    for text in document_texts(prepared, prepared.test):
        score, p = model.score(text), model.probabilities(text)
        ended = p[-1, model.tokens.index("")]
        bits += [*score.bits, -math.log2(ended)]
        codes = [model.tokens.index(one) if one in model.tokens else len(model.tokens) for one in score.tokens]
        hits += [*(p[:-1].argmax(axis=1) == codes), p[-1].argmax() == model.tokens.index("")]
        characters += len(text)
        unknown += sum(code == len(model.tokens) for code in codes)
    assert unknown
    last = done.metrics.iloc[-1]
    assert last["test_bits_per_token"] == pytest.approx(np.mean(bits), rel=1e-9)
    assert last["test_perplexity"] == pytest.approx(2 ** np.mean(bits), rel=1e-9)
    assert last["test_bits_per_character"] == pytest.approx(np.sum(bits) / characters, rel=1e-9)
    assert last["test_token_accuracy"] == pytest.approx(np.mean(hits), rel=1e-9)


def test_bits_of_fixed_probabilities_by_hand(here: Path) -> None:
    """A network that gives ½, ¼, ⅛ … to tokens in their order, whatever it sees."""
    done = hothouse.run(play(), engine="local", out="run")
    model = done.model
    assert isinstance(model, TokenGenerator)
    for parameter in model.network.parameters():
        parameter.data.zero_()
    count = len(model.tokens) + 1
    p = torch.tensor([*(0.5 ** (n + 1) for n in range(count - 1)), 0.5 ** (count - 1)], dtype=torch.float64)
    model.network.state_dict()["head.bias"].copy_(p.log())
    score = model.score("day?")
    expected = [model.tokens.index(one) + 1 for one in "day"]
    unknown = count - 1 + math.log2(0x110000 - len(model.tokens) + 1)
    np.testing.assert_allclose(score.bits, [*expected, unknown])
    assert score.bits_per_token == pytest.approx(np.mean([*expected, unknown]))
    assert score.perplexity == pytest.approx(2 ** np.mean([*expected, unknown]))


def test_draws_are_what_top_k_top_p_and_temperature_say() -> None:
    p = np.array([0.1, 0.4, 0.05, 0.25, 0.2])

    def shares(*options: Any) -> list[float]:
        draw = np.random.default_rng(1)
        places = [sampled(np.log(p), *options, draw) for _ in range(4000)]
        return list(np.bincount(places, minlength=5) / 4000)

    def close(*expected: float) -> Any:
        return pytest.approx(expected, abs=0.03)

    assert shares(1.0, None, 1.0) == close(*p)
    assert shares(0.5, None, 1.0) == close(*(p**2 / (p**2).sum()))
    assert shares(1.0, 2, 1.0) == close(0, 0.4 / 0.65, 0, 0.25 / 0.65, 0)
    # 0.4 and 0.25 are less than 0.7, so that the next, 0.2, belongs to it.
    assert shares(1.0, None, 0.7) == close(0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85)
    assert shares(1.0, None, 0.65) == close(0, 0.4 / 0.65, 0, 0.25 / 0.65, 0)
    assert shares(1.0, 2, 0.6) == [0, 1, 0, 0, 0]
    assert shares(0.0, None, 1.0) == [0, 1, 0, 0, 0]
    assert shares(1.0, None, 1e-9) == [0, 1, 0, 0, 0]


def test_texts_go_on_from_their_prompt_and_follow_from_the_seed(here: Path) -> None:
    model = hothouse.run(tunes(), engine="local", out="run").model
    assert isinstance(model, TokenGenerator)
    prompt = "X:1\nM:3/4\n"
    texts = model.generate(prompt, 40, count=3, seed=5)
    assert all(text.startswith(prompt) and len(text) <= len(prompt) + 40 for text in texts)
    assert model.generate(prompt, 40, count=1, seed=5) == texts[:1]
    assert model.generate(prompt, 40, count=3, seed=6) != texts
    assert model.generate(prompt, 12, temperature=1e-6) == model.generate(prompt, 12, temperature=0)
    # Each next token is the most likely one behind what has been written, headers in force included.
    text = prompt
    for _ in range(12):
        token = model.tokens[int(model.probabilities(text)[-1, :-1].argmax())]
        if not token:
            break
        text += token
    assert model.generate(prompt, 12, temperature=0) == [text]
    for wrong in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}):
        with pytest.raises(InputError, match="expected temperature"):
            model.generate(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_early_stopping_keeps_the_best_epoch(optimizer: str, here: Path) -> None:
    """Its held-out loss is the least of those after 0, 1, 2 and 3 epochs, whatever its optimizer carries."""
    made = scenario({"path": "play.txt", "clients": SPEAKERS}, partition={"scheme": "iid", "clients": 1})
    made["data"]["client_holdout"], made["federation"]["rounds"] = 0.4, 1
    made["training"]["optimizer"] = {"name": optimizer, "lr": 0.1}
    losses = []
    for epochs in (1, 2, 3):
        done = hothouse.run(made, overrides=[f"training.epochs={epochs}"], engine="local", out=f"run-{epochs}")
        losses += done.metrics["holdout_loss"].tolist()
    changed = ["training.epochs=3", "training.early_stopping={patience: 3}"]
    best = hothouse.run(made, overrides=changed, engine="local", out="best").metrics["holdout_loss"].iloc[-1]
    assert best == pytest.approx(min(losses), rel=1e-9)


def test_blocks_workers_and_resuming_change_nothing(here: Path) -> None:
    one = hothouse.run(play(test_fraction=0.2), overrides=["federation.blocks=1"], engine="local", out="one")
    many = hothouse.run(play(test_fraction=0.2), overrides=["federation.blocks=3"], engine="local", out="many")
    assert many.metrics["test_loss"].iloc[-1] == pytest.approx(one.metrics["test_loss"].iloc[-1], rel=1e-9)
    assert_resumes(play(), here / "resumed", killed_after=[1])


@pytest.mark.slow
@pytest.mark.ray
def test_they_have_the_same_bits_on_ray(here: Path) -> None:
    assert_same(
        hothouse.run(tunes(), engine="local", out="here"),
        hothouse.run(tunes(), workers=2, out="ray"),
    )


def test_the_command_writes_documents(here: Path) -> None:
    hothouse.run(tunes(), engine="local", out="run")
    given = ("--prompt", "X:1\n", "--length", "30", "--seed", "2", "--count", "2")
    shown = command("generate", "run", *given, cwd=here)
    assert (shown.returncode, shown.stdout.count("X:1\n")) == (0, 2)
    assert command("generate", "run", *given, "--out", "t.abc", cwd=here).returncode == 0
    assert (here / "t.abc").read_text().split("\n\n")[0] in shown.stdout
    for wrong, message in (
        (("--label", "3"), "--label is for other models than next_token; leave it out"),
        (("--out", "x.png"), "--out: expected a file .txt"),
        (("--top-p", "0"), "expected temperature ≥ 0, top_k ≥ 1 and 0 < top_p ≤ 1"),
    ):
        refused = command("generate", "run", *wrong, cwd=here)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr


def test_the_record_has_samples_and_how_a_held_out_document_reads(here: Path) -> None:
    done = hothouse.run(play(test_fraction=0.2), engine="local", out="run")
    made = json.loads((done.folder / "generated.json").read_text())
    text = next(document_texts(prepare(done.scenario), prepare(done.scenario).test))
    assert text.startswith(made["prompt"])
    assert all(one.startswith(made["prompt"]) for one in made["texts"])
    line, model = made["line"], done.model
    assert isinstance(model, TokenGenerator)
    assert "".join(line["tokens"]) == text[:160]
    np.testing.assert_allclose(line["bits"], model.score(text[:160]).bits, rtol=1e-5)
    page = (done.folder / "report.html").read_text()
    for words in ("Samples after round 1", "How it reads a test document", "How much is given back", "⏎"):
        assert words in page


def test_what_is_given_back_is_found(here: Path) -> None:
    """Every run of 50 characters of a text that some client has, and none of another's."""
    from server.evaluation.documents import _runs, _share

    known = np.unique(np.concatenate([_runs(PLAY), _runs(TUNES)]))
    assert _share([PLAY[20:140]], known) == 1
    assert _share(["z" * 80], known) == 0
    # 51 of the 101 runs of this one begin in its second half and are changed.
    half = PLAY[100:200] + "z" * 50
    assert _share([half], known) == pytest.approx(51 / 101)
    assert _share(["short"], known) is None


def test_onnx_gives_the_next_token(here: Path) -> None:
    from onnxruntime import InferenceSession

    from hothouse.archives.onnx import onnx_files

    model = hothouse.run(tunes(), engine="local", out="run").model
    assert isinstance(model, TokenGenerator)
    session = InferenceSession(onnx_files(model)["model.onnx"])
    windows = model.windows("X:1\nM:3/4\nab")
    found = session.run(None, {"windows": windows.numpy()})[0]
    np.testing.assert_allclose(found, model(windows).detach().numpy(), rtol=1e-9)
    assert windows.shape[0] == len("X:1\nM:3/4\nab") + 1
