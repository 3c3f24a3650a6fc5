"""Draws depend on what they are for and on nothing else."""

import numpy as np

from common import seeds
from common.draws import normals_and_uniforms


def test_equal_names_give_equal_draws_and_different_names_different_ones() -> None:
    draw = seeds.generator(7, "selection", 3).integers(0, 2**60, 4).tolist()
    assert seeds.generator(7, "selection", 3).integers(0, 2**60, 4).tolist() == draw
    for other in (seeds.generator(8, "selection", 3), seeds.generator(7, "split", 3), seeds.generator(7, "selection")):
        assert other.integers(0, 2**60, 4).tolist() != draw


def test_a_clients_stream_does_not_depend_on_who_else_is_drawn() -> None:
    everyone = seeds.streams(1, "batches", 5, np.arange(100))
    some = seeds.streams(1, "batches", 5, np.array([42, 7]))
    assert some.tolist() == everyone[[42, 7]].tolist()
    assert len(set(everyone.tolist())) == 100


def test_bits_are_splitmix64() -> None:
    # The first outputs for the seed 1234567, as published with the reference implementation.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert seeds.bits(np.array([1234567], dtype=np.uint64), 3)[0].tolist() == published


def test_shuffles_are_orders_of_each_clients_own_rows() -> None:
    keys = seeds.streams(0, "batches", 1, np.arange(50))
    sizes = np.arange(50) % 7 + 1
    orders = seeds.shuffles(keys, sizes)
    for order, size in zip(orders, sizes, strict=True):
        assert sorted(order[:size]) == list(range(size))


def test_shuffles_are_uniform() -> None:
    keys = seeds.streams(0, "batches", 1, np.arange(24_000))
    orders = seeds.shuffles(keys, np.full(24_000, 4))
    _, counts = np.unique(orders @ np.array([64, 16, 4, 1]), return_counts=True)
    assert len(counts) == 24
    # Chi-squared with 23 degrees of freedom: 49.7 is exceeded once in a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 49.7


def test_uniforms_lie_in_the_unit_interval_evenly() -> None:
    values = seeds.uniforms(seeds.streams(3, "noise", 0, np.arange(100)), 1000)
    assert values.min() >= 0
    assert values.max() < 1
    histogram, _ = np.histogram(values, 10, (0, 1))
    assert np.abs(histogram - 10_000).max() < 500


def test_forks_differ_from_their_stream_and_from_each_other() -> None:
    keys = seeds.streams(0, "batches", 1, np.arange(5))
    together = np.concatenate([keys, seeds.fork(keys, 0), seeds.fork(keys, 1)])
    assert len(set(together.tolist())) == 15


def test_a_stream_can_be_had_by_its_number() -> None:
    keys, numbers = seeds.streams(0, "batches", 1, np.arange(5)), np.array([3, 0, 7, 7, 1])
    assert seeds.nth(keys, numbers).tolist() == seeds.numbered(keys, 0, 8)[np.arange(5), numbers].tolist()


def test_normal_and_uniform_numbers_of_a_stream_are_independent() -> None:
    """20,000 pairs: correlations and moments lie within 5 standard errors of what they should be."""
    keys = seeds.streams(1, "test", 0, np.arange(20_000))
    normal, uniform = (numbers.double().numpy() for numbers in normals_and_uniforms(keys, 3, 6))
    assert np.abs(np.corrcoef(normal.T, uniform.T)[:3, 3:]).max() < 5 / np.sqrt(len(keys))
    assert np.abs(normal.mean(axis=0)).max() < 5 / np.sqrt(len(keys))
    assert np.abs(normal.var(axis=0) - 1).max() < 5 * np.sqrt(2 / len(keys))
    assert np.abs(uniform.mean(axis=0) - 0.5).max() < 5 * np.sqrt(1 / 12 / len(keys))
