"""Short names: as few words as tell keys apart, and values that keep theirs whatever is added later."""

from __future__ import annotations

from hothouse.sweeps.names import distinct_values, folder_name, short_keys, value_name


def test_a_key_is_called_by_as_few_words_as_tell_it_apart() -> None:
    assert short_keys(["training.optimizer.lr", "model.layers", "seed"]) == {
        "training.optimizer.lr": "lr",
        "model.layers": "layers",
        "seed": "seed",
    }
    assert list(short_keys(["training.optimizer.lr", "federation.strategy.lr"]).values()) == [
        "optimizer.lr",
        "strategy.lr",
    ]
    assert short_keys(["training.optimizer.name"])["training.optimizer.name"] == "optimizer.name"


def test_a_value_is_called_as_people_would_say_it() -> None:
    names = [value_name(value) for value in (0.1, 1e-5, 3, True, None, [64, 32], [], "relu", {"name": "fedavg"}, {})]
    assert names == ["0.1", "1e-05", "3", "true", "null", "64x32", "none", "relu", "fedavg", "none"]
    assert value_name({"name": "fedprox", "mu": 0.1}) == "fedprox mu=0.1"
    long = [value_name({"name": "dirichlet", "clients": clients, "why": "x" * 50}) for clients in (1, 2)]
    assert len(set(long)) == 2
    assert {name[:10] for name in long} == {"dirichlet~"}


def test_values_that_differ_have_names_that_differ() -> None:
    values = [1, 1.0, {"name": "a", "mu": 1}, {"name": "a", "mu": 2}, "a", "/x/rows.csv", "/y/rows.csv", "b c", "b/c"]
    names = distinct_values(values)
    assert list(names.values()) == values
    assert len(names) == len(values)
    assert names["1"] == 1
    assert isinstance(names["1.0"], float)


def test_a_value_keeps_its_name_when_others_join() -> None:
    first = {"name": "fedprox", "mu": 0.1}
    (alone,) = distinct_values([first])
    assert alone in distinct_values([first, {"name": "fedprox", "mu": 1.0}, "fedprox"])


def test_a_folders_name_is_safe_and_short() -> None:
    assert folder_name({"lr": "0.1", "seed": "7"}) == "lr=0.1,seed=7"
    assert folder_name({"path": "../a b"}) == "path=.._a_b"
    long = [folder_name({"key": "x" * 200 + end}) for end in "ab"]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 100
