"""Cohorts, blocks and messages follow from the scenario; a client travels once."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import RecordDict

from common.messages import Blocks
from server.blocks import cut
from server.exchange import Exchange
from server.grid.local import LocalGrid
from server.selection import select


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


def messages_for(nodes: int, rows: list[int], owners: np.ndarray | None = None) -> list[tuple[int, list[int]]]:
    """For each message, in the order of sending, its node and its clients."""
    grid = LocalGrid("tests.apps:echo", [{} for _ in range(nodes)], {})
    exchange = Exchange(grid, grid.get_node_ids())
    blocks = cut(np.arange(len(rows)), np.array(rows), len(rows), owners)
    sent = []
    for arrival in exchange.ask("query", {}, blocks):
        assert isinstance(arrival.content, RecordDict)
        carried = Blocks.read(arrival.content.array_records["blocks"])
        assert carried.sizes.tolist() == [len(block.clients) for block in arrival.blocks]
        node = int(arrival.content.config_records["node"]["id"])  # type: ignore[arg-type]
        sent.append((node, carried.clients.tolist()))
    return sent


def test_blocks_that_anyone_can_do_are_packed_by_cost_and_the_heaviest_leave_first() -> None:
    rows = [100, 1, 1, 1, 50, 50, 1, 1]
    sent = messages_for(1, rows)
    assert sorted(client for _, clients in sent for client in clients) == list(range(8))
    loads = [sum(rows[client] for client in clients) for _, clients in sent]
    assert loads == sorted(loads, reverse=True)
    assert max(loads) - min(loads) <= 10


def test_blocks_with_an_owner_travel_to_it_in_one_message() -> None:
    sent = messages_for(3, [1] * 6, np.array([0, 1, 0, 2, 1, 0]))
    assert {node - 2: sorted(clients) for node, clients in sent} == {0: [0, 2, 5], 1: [1, 4], 2: [3]}
    assert len(sent) == 3
