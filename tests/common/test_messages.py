"""Messages say the same after travelling through Flower's wire format."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from common import messages
from common.arrays import pack, unpack
from common.data.moments import Moments
from common.data.prepared import TextForm
from common.data.table import Column
from common.messages import Blocks, EvaluateOrder, Hosting, TrainOrder, TrainReply
from tests.federations import data_spec, plain_meta

AGREEMENT = data_spec("classification", 2, ("a", "b"))
BLOCKS = Blocks(np.array([3, 5, 9]), np.array([2, 1]))
WEIGHTS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(3).reshape(())}


def over_the_network(content: RecordDict) -> RecordDict:
    """What arrives on the other side of Flower's object store."""
    wire = {name: item.deflate() for name, item in get_all_nested_objects(content).items()}
    arrived = inflate_object_from_contents(content.object_id, wire)
    assert isinstance(arrived, RecordDict)
    return arrived


def over_ray(content: RecordDict) -> RecordDict:
    """What arrives in another process of the same machine."""
    arrived: RecordDict = pickle.loads(pickle.dumps(content, protocol=5))
    return arrived


Travel = Callable[[RecordDict], RecordDict]

both_ways = pytest.mark.parametrize("travel", [over_the_network, over_ray], ids=["network", "ray"])


@both_ways
def test_named_arrays(travel: Travel) -> None:
    content = RecordDict({"x": pack(WEIGHTS)})
    arrived = unpack(travel(content).array_records["x"])
    for name, array in WEIGHTS.items():
        assert arrived[name].dtype == array.dtype
        assert arrived[name].shape == array.shape
        assert np.array_equal(arrived[name], array)


def test_a_live_array_has_the_bytes_that_flowers_own_has() -> None:
    theirs = ArrayRecord({"w": Array(WEIGHTS["w"])})
    assert pack({"w": WEIGHTS["w"]}).object_id == theirs.object_id


@both_ways
def test_a_train_order(travel: Travel) -> None:
    shared = messages.train_records(4, "{}", AGREEMENT, pack(WEIGHTS), {"variate": WEIGHTS})
    content = RecordDict({**shared, "blocks": BLOCKS.write(), "values": pack({"optimizer.lr": np.array([0.1, 0.2])})})
    order = TrainOrder.read(travel(content))
    assert (order.round, order.settings, len(order.starts.places)) == (4, "{}", 0)
    assert order.data_spec.labels == ("a", "b")
    assert np.array_equal(order.parameters["w"], WEIGHTS["w"])
    assert np.array_equal(order.records["variate"]["w"], WEIGHTS["w"])
    assert order.values["optimizer.lr"].tolist() == [0.1, 0.2]
    assert [order.blocks.clients[part].tolist() for part in order.blocks.slices()] == [[3, 5], [9]]


@both_ways
def test_a_train_reply(travel: Travel) -> None:
    sums = {"w": np.ones((2, 2, 3))}
    reply = TrainReply(BLOCKS, np.array([7.0, 8.0]), {"parameters": sums}, {}, {"loss": np.zeros(3)}, {5: "it is NaN"})
    arrived = TrainReply.read(travel(reply.write()))
    assert arrived.weights.tolist() == [7.0, 8.0]
    assert arrived.excluded == {5: "it is NaN"}
    assert np.array_equal(arrived.sums["parameters"]["w"], sums["w"])
    assert arrived.metrics["loss"].shape == (3,)


@both_ways
def test_an_evaluate_order_and_its_scores(travel: Travel) -> None:
    shared = messages.evaluate_records("{}", AGREEMENT, {"w": np.ones((2, 3))})
    order = EvaluateOrder.read(travel(RecordDict({**shared, "blocks": BLOCKS.write()})))
    assert order.parameters["w"].shape == (2, 3)
    scores = [{"examples": np.array([1.0, 2.0])}, {"examples": np.array([3.0, 4.0])}]
    arrived = messages.read_scores(travel(messages.write_scores(scores)))
    assert [one["examples"].tolist() for one in arrived] == [[1.0, 2.0], [3.0, 4.0]]


@both_ways
def test_queries(travel: Travel) -> None:
    meta = replace(
        plain_meta("regression", [], 2, 1),
        columns=[Column("a"), Column("b", ("x", "y"))],
        text=TextForm("bag", 10, (1, 2), True, 2),
    )
    hosting = Hosting(np.array([1, 4]), np.array([10, 20]), np.array([0, 5]), meta)
    arrived = Hosting.read(travel(hosting.write()))
    assert arrived.meta == meta
    assert arrived.training_sizes.tolist() == [10, 20]
    moments = [Moments.of(np.arange(4.0).reshape(2, 2)), Moments.of(np.ones((1, 2)))]
    back = messages.read_moments(travel(messages.write_moments(moments)))
    assert back[0].spread.tolist() == [2.0, 2.0]
    assert [part.rows.tolist() for part in back] == [[2.0], [1.0]]
    terms = [Counter({"word": 3, "ütf": 1}), Counter()]
    assert messages.read_terms(travel(messages.write_terms(terms))) == [dict(part) for part in terms]
