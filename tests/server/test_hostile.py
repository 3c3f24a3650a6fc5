"""Hostile clients: whatever one answers, it is refused and named, and the round completes with the others."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from common.data import Prepared
from common.scenario import Scenario
from common.scenario.privacy import Privacy
from server.grid.local import LocalGrid
from server.record.resume import Resumed
from server.rounds import Rounds
from tests.federations import Watcher, federation, scenario

LIAR = 3
"""The client that lies; it lives on a node of its own."""
SIZES = [23, 5, 40, 11, 16, 17]


class LyingGrid(LocalGrid):
    """A grid whose last node changes its replies before they leave it."""

    def __init__(self, prepared: Prepared, lie: str, kind: str = "train") -> None:
        # Clients 0, 1, 2, … live on nodes 0, 1, …: the liar alone on node 3.
        hosts: list[dict[str, Any]] = [
            {"data-dir": str(prepared.folder), "partition-id": node, "num-partitions": len(SIZES)}
            for node in range(len(SIZES))
        ]
        super().__init__("clients.app:app", hosts, {})
        self._lie, self._kind, self._liar = globals()[lie], kind, self.get_node_ids()[LIAR]

    def wait(self, message_ids: Any, timeout: float | None = None) -> list[Message]:
        replies = super().wait(message_ids, timeout)
        for reply in replies:
            if reply.metadata.src_node_id == self._liar and reply.metadata.message_type == self._kind:
                self._lie(reply.content)
        return replies


def bytes_of(array: np.ndarray) -> Array:
    """An array as it comes over a network."""
    return Array(array)


def change(content: RecordDict, record: str, **arrays: np.ndarray) -> None:
    content[record] = ArrayRecord({**content.array_records[record], **{n: bytes_of(a) for n, a in arrays.items()}})


def weight(content: RecordDict) -> tuple[str, np.ndarray]:
    """One of the arrays of weights that a reply brings."""
    name = "layers.0.weight"
    return name, content.array_records["sum.parameters"][name].numpy()


def wrong_shape(content: RecordDict) -> None:
    name, array = weight(content)
    change(content, "sum.parameters", **{name: array[..., :-1]})


def other_dtype(content: RecordDict) -> None:
    name, array = weight(content)
    change(content, "sum.parameters", **{name: array.astype(np.float64)})


def complex_numbers(content: RecordDict) -> None:
    change(content, "metrics", train_loss=np.array([1j]))


def nan(content: RecordDict) -> None:
    name, array = weight(content)
    change(content, "sum.parameters", **{name: np.full_like(array, np.nan)})


def nan_of_nobody(content: RecordDict) -> None:
    nan(content)
    change(content, "metrics", examples=np.zeros(1))
    change(content, "weights", weights=np.zeros(1))
    content["excluded"] = ConfigRecord({str(LIAR): "its training raised an error"})


def huge_numbers(content: RecordDict) -> None:
    name, array = weight(content)
    change(content, "sum.parameters", **{name: np.full_like(array, 1e9)})


def too_many_numbers(content: RecordDict) -> None:
    name, _ = weight(content)
    change(content, "sum.parameters", **{name: np.zeros((1, 10**6), np.float32)})


def a_billion_numbers_claimed(content: RecordDict) -> None:
    """A header that claims 10⁹ numbers, with nothing behind it."""
    name, array = weight(content)
    honest_bytes = bytes_of(array)
    head = honest_bytes.data.replace(str(array.shape).encode(), b"(1, 1000000000)"[: len(str(array.shape))])
    lying = Array(dtype="float32", shape=(1, 10**9), stype="numpy.ndarray", data=head)
    content["sum.parameters"] = ArrayRecord({**content.array_records["sum.parameters"], name: lying})


def rubbish(content: RecordDict) -> None:
    name, array = weight(content)
    lying = Array(dtype="float32", shape=array.shape, stype="numpy.ndarray", data=b"\x00" * 64)
    content["sum.parameters"] = ArrayRecord({**content.array_records["sum.parameters"], name: lying})


def a_pickle(content: RecordDict) -> None:
    name, array = weight(content)
    buffer = BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    lying = Array(dtype="float32", shape=array.shape, stype="numpy.ndarray", data=buffer.getvalue())
    content["sum.parameters"] = ArrayRecord({**content.array_records["sum.parameters"], name: lying})


def another_record(content: RecordDict) -> None:
    content["extra"] = ConfigRecord({"command": "rm"})


def another_sum(content: RecordDict) -> None:
    content["sum.more"] = content.array_records["sum.parameters"]


def no_sum(content: RecordDict) -> None:
    del content["sum.parameters"]


def another_round(content: RecordDict) -> None:
    content["config"] = ConfigRecord({"round": 77, "too_wide": 0})


def a_full_card(content: RecordDict) -> None:
    content["config"] = ConfigRecord({"round": 1, "too_wide": 3})


def a_trillion_examples(content: RecordDict) -> None:
    change(content, "metrics", examples=np.array([1e12]))
    change(content, "weights", weights=np.array([1e12]))


def another_client(content: RecordDict) -> None:
    change(content, "blocks", clients=np.array([0]))


def excludes_another(content: RecordDict) -> None:
    content["excluded"] = ConfigRecord({"0": "it is mine now"})


def endless_reason(content: RecordDict) -> None:
    content["excluded"] = ConfigRecord({str(LIAR): "x" * (1 << 22)})


def half_a_bit(content: RecordDict) -> None:
    change(content, "metrics", unclipped=np.array([0.5]))


def no_scores(content: RecordDict) -> None:
    del content["scores"]


def scores_of_many(content: RecordDict) -> None:
    change(content, "scores", examples=np.full((1, 1), 1e12))


def scores_of_other_shape(content: RecordDict) -> None:
    change(content, "scores", loss=np.zeros((1, 5)))


REFUSED = {
    "wrong_shape": "shape",
    "other_dtype": "float64",
    "complex_numbers": "no numbers",
    "nan": "not finite",
    "nan_of_nobody": "not finite",
    "huge_numbers": "update_norm",
    "too_many_numbers": "message_mb",
    "a_billion_numbers_claimed": "cannot be read",
    "rubbish": "cannot be read",
    "a_pickle": "cannot be read",
    "another_record": "'extra'",
    "another_sum": "sums of more",
    "no_sum": "no sums of parameters",
    "another_round": "round 77",
    "a_full_card": "a card's memory is full",
    "a_trillion_examples": "other numbers of examples",
    "another_client": "other clients",
    "excludes_another": "not requested",
    "endless_reason": "message_mb",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return federation(tmp_path_factory.mktemp("federation") / "data", SIZES, held=[2] * len(SIZES))


@pytest.fixture(scope="module")
def chosen() -> Scenario:
    return scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": len(SIZES)}},
        model={"layers": [7]},
        training={"optimizer": {"name": "sgd", "lr": 0.1}},
        federation={"rounds": 1, "limits": {"update_norm": 1000.0}},
    )


def ran(chosen: Scenario, grid: LocalGrid) -> Watcher:
    watcher = Watcher()
    Rounds(grid, chosen, grid_data(grid), [watcher]).run()
    return watcher


def grid_data(grid: LocalGrid) -> Prepared:
    return Prepared(str(next(iter(grid.contexts.values())).node_config["data-dir"]))


@pytest.fixture(scope="module")
def without_the_liar(chosen: Scenario, prepared: Prepared) -> dict[str, np.ndarray]:
    """The model of the same round in which the liar never answered."""

    watcher = Watcher()
    grid = LyingGrid(prepared, "nan", kind="nothing")
    away = Resumed(None, [], [], excluded={1: {LIAR: "it is away"}})
    Rounds(grid, chosen, prepared, [watcher], resumed=away).run()
    assert watcher.rounds[-1]["clients"] == len(SIZES) - 1
    return weights(watcher)


def weights(watcher: Watcher) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in watcher.model.network.state_dict().items()}


@pytest.mark.parametrize("lie", REFUSED)
def test_a_lying_reply_is_refused_and_named(
    lie: str, chosen: Scenario, prepared: Prepared, without_the_liar: dict[str, np.ndarray]
) -> None:
    watcher = ran(chosen, LyingGrid(prepared, lie))
    (excluded,) = [details for event, details in watcher.events if event == "excluded"]
    assert excluded["clients"] == [LIAR]
    assert REFUSED[lie] in excluded["reason"]
    assert len(excluded["reason"]) <= 2000
    assert watcher.rounds[-1]["clients"] == len(SIZES) - 1
    for name, array in weights(watcher).items():
        assert np.array_equal(array, without_the_liar[name]), "what the liar sent left no trace"


@pytest.mark.parametrize("lie", ["no_scores", "scores_of_many", "scores_of_other_shape"])
def test_lies_about_held_out_examples_are_refused_and_named(lie: str, chosen: Scenario, prepared: Prepared) -> None:
    watcher = ran(chosen, LyingGrid(prepared, lie, "evaluate"))
    told = [details for event, details in watcher.events if event == "not measured"]
    assert [details["clients"] for details in told] == [[LIAR], [LIAR]], "before the first round and after it"
    assert watcher.rounds[-1]["clients"] == len(SIZES)
    assert np.isfinite(watcher.rounds[-1]["holdout_loss"])


def negative_variance(content: RecordDict) -> None:
    kind = "rows.buffers" if "rows.buffers" in content.array_records else "sum.buffers"
    name = "norms.0.running_var"
    change(content, kind, **{name: -content.array_records[kind][name].numpy()})


@pytest.mark.parametrize("strategy", ["fedavg", "fedmedian", "krum"])
def test_a_negative_variance_is_refused_and_its_client_named(prepared: Prepared, strategy: str) -> None:
    chosen = scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": len(SIZES)}},
        model={"layers": [7], "normalization": "batch"},
        federation={"rounds": 1, "strategy": strategy},
    )
    watcher = ran(chosen, LyingGrid(prepared, "negative_variance"))
    (excluded,) = [details for event, details in watcher.events if event == "excluded"]
    assert excluded["clients"] == [LIAR]
    assert "its norms.0.running_var, a variance, is negative" in excluded["reason"]
    assert watcher.rounds[-1]["clients"] == len(SIZES) - 1
    assert (weights(watcher)["norms.0.running_var"] >= 0).all()


def test_a_lie_about_clipping_is_refused_and_named(chosen: Scenario, prepared: Prepared) -> None:
    privacy = Privacy(noise_multiplier=0.0)
    private = chosen.model_copy(update={"federation": chosen.federation.model_copy(update={"privacy": privacy})})
    watcher = ran(private, LyingGrid(prepared, "half_a_bit"))
    (excluded,) = [details for event, details in watcher.events if event == "excluded"]
    assert excluded["clients"] == [LIAR]
    assert "its unclipped are not 0 or 1" in excluded["reason"]


def test_a_host_that_claims_a_trillion_examples_has_no_part(chosen: Scenario, prepared: Prepared) -> None:
    limited = chosen.model_copy(
        update={
            "federation": chosen.federation.model_copy(
                update={"limits": chosen.federation.limits.model_copy(update={"examples": 37})}
            )
        }
    )
    watcher = ran(limited, LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder)}], {}))
    (refused,) = [details for event, details in watcher.events if event == "refused"]
    assert refused["clients"] == [2]
    assert "38 examples" in refused["reason"]
    assert watcher.rounds[-1]["clients"] == len(SIZES) - 1
