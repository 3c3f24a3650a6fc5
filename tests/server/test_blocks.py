"""Cohorts, blocks and messages follow from the scenario; a client travels once."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import RecordDict

from common.messages import Blocks
from common.selection.rules import select
from server.exchange.blocks import cut
from server.exchange.costs import training_cost as costs_of_training
from server.exchange.sending import Exchange, _packed
from server.grid.local import LocalGrid
from tests.federations import scenario


def test_a_cohort_is_drawn_from_the_seed_and_the_round() -> None:
    cohort = select(1, 5, 1000, 100)
    assert len(set(cohort.tolist())) == 100
    assert cohort.tolist() == sorted(cohort.tolist())
    assert select(1, 5, 1000, 100).tolist() == cohort.tolist()
    assert select(1, 6, 1000, 100).tolist() != cohort.tolist()
    assert select(2, 5, 1000, 100).tolist() != cohort.tolist()
    assert select(1, 5, 7, 7).tolist() == list(range(7))


def test_every_client_is_drawn_equally_often() -> None:
    counts = np.bincount(np.concatenate([select(3, number, 20, 5) for number in range(4000)]), minlength=20)
    assert np.abs(counts - 1000).max() < 150


@pytest.mark.parametrize(("clients", "blocks"), [(100, 16), (10, 16), (1, 16), (33, 4)])
def test_blocks_keep_the_cohorts_order_and_are_nearly_equal(clients: int, blocks: int) -> None:
    cohort = np.arange(clients) * 3
    made = cut(cohort, np.ones(clients, np.int64), blocks)
    assert len(made) == min(clients, blocks)
    assert np.concatenate([block.clients for block in made]).tolist() == cohort.tolist()
    sizes = [len(block.clients) for block in made]
    assert max(sizes) - min(sizes) <= 1


def test_clients_with_owners_are_cut_by_owner() -> None:
    owners = np.array([0, 1, 0, 2, 1, 0])
    made = cut(np.arange(6), np.ones(6, np.int64), 6, owners)
    for block in made:
        assert set(owners[block.places]) == {block.node}
    assert sorted(np.concatenate([block.clients for block in made]).tolist()) == list(range(6))


def messages_for(
    nodes: int, costs: list[float], owners: np.ndarray | None = None, kept: int = 0
) -> list[tuple[int, list[int]]]:
    """For each message, in the order of sending, its node and its clients."""
    grid = LocalGrid("tests.apps:echo", [{} for _ in range(nodes)], {})
    exchange = Exchange(grid, grid.get_node_ids())
    blocks = cut(np.arange(len(costs)), np.array(costs), len(costs), owners)
    sent = []
    for arrival in exchange.ask("query", {}, blocks, kept=kept):
        assert isinstance(arrival.content, RecordDict)
        carried = Blocks.read(arrival.content.array_records["blocks"])
        assert carried.sizes.tolist() == [len(block.clients) for block in arrival.blocks]
        node = int(arrival.content.config_records["node"]["id"])  # type: ignore[arg-type]
        sent.append((node, carried.clients.tolist()))
    return sent


def test_blocks_that_anyone_can_do_are_packed_by_cost_and_the_heaviest_leave_first() -> None:
    costs = [0.2, 0.001, 0.001, 0.001, 0.1, 0.1, 0.001, 0.001]
    sent = messages_for(2, costs)
    assert sorted(client for _, clients in sent for client in clients) == list(range(8))
    loads = [sum(costs[client] for client in clients) for _, clients in sent]
    assert loads == sorted(loads, reverse=True)
    assert loads[0] == 0.2


@pytest.mark.parametrize(("seconds", "messages"), [(0.001, 2), (0.2, 4), (10.0, 8)])
def test_the_longer_a_round_the_more_messages_it_is_cut_into(seconds: float, messages: int) -> None:
    assert len(messages_for(2, [2 * seconds / 16] * 16)) == messages


@pytest.mark.parametrize(("kept", "messages"), [(1, 2), (40_000_000, 5), (1 << 40, 16)])
def test_what_clients_keep_travels_in_moderate_messages_however_much_it_is(kept: int, messages: int) -> None:
    assert len(messages_for(2, [0.0001] * 16, kept=kept)) == messages


def test_two_workers_get_nearly_the_same_work_however_skewed_the_federation() -> None:
    rows = np.random.default_rng(3).permutation((5000 / np.arange(1, 301) ** 0.8).astype(np.int64) + 1)
    costs = costs_of_training(scenario(training={"batch_size": 16}).training, 10_000, rows)
    for number in range(20):
        cohort = select(4, number, 300, 100)
        packs = _packed(cut(cohort, costs[cohort], 16), 2)
        loads = [sum(block.cost for block in pack) for pack in packs]
        assert max(loads) <= 1.05 * min(loads)


def test_blocks_with_an_owner_travel_to_it_in_one_message() -> None:
    sent = messages_for(3, [1] * 6, np.array([0, 1, 0, 2, 1, 0]))
    assert {node - 2: sorted(clients) for node, clients in sent} == {0: [0, 2, 5], 1: [1, 4], 2: [3]}
    assert len(sent) == 3
