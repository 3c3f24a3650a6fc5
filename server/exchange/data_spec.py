"""What a federation agrees on before round 1: asked of the clients' hosts as sums, put together here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from common import messages
from common.data.augmentable import needs_spread
from common.data.data_spec import DataSpec, Numbers, Vocabulary, sorted_columns, sorted_labels
from common.data.median import DIGITS, MedianSearch
from common.data.moments import Moments, combine_moments
from common.data.prepared import Indices, Meta, Prepared
from common.data.text import agreed_vocabulary
from common.data.tokens import SequenceForm, TokenWindows, frequent_tokens
from common.errors import RunError
from common.extend.results import Block
from common.messages import MessageRecords
from common.scenario import Scenario
from common.scenario.objective import learned_task
from common.tasks import Label
from common.wording import first_few
from server.exchange.costs import evaluation_cost
from server.exchange.federation import Federation
from server.exchange.sending import Exchange

T = TypeVar("T")

_TEXT = 100_000
"""What counting a text's words costs, in multiply-adds."""


def agree_on_data(
    exchange: Exchange,
    federation: Federation,
    own: Prepared,
    scenario: Scenario,
) -> DataSpec:
    """Labels, categories, scaling, fills and words.

    Columns' standard deviations are in it where an augmentation goes by them, labels' training examples where the loss
    or a generative model does.

    Raises RunError where a host does not answer, or not what it was asked.
    """
    meta = federation.meta
    model: Any = scenario.model
    with_spread = needs_spread(scenario.training.augmentation)
    weighed = getattr(scenario.training.loss, "class_weights", None) == "balanced"
    # How many examples have which label is nothing that private training tells.
    with_labels = weighed or (getattr(model, "conditional", False) and scenario.federation.privacy is None)
    columns = sorted_columns(meta.columns)
    features, targets = math.prod(meta.row_shape) if meta.text is None else 0, meta.targets
    sizes = federation.training_sizes
    costs = evaluation_cost(features or _TEXT, sizes)
    everyone = federation.cut(np.arange(len(sizes)), scenario.federation.blocks, costs)
    shift, scale = np.zeros(features + targets), np.ones(features + targets)
    fill, indicators, spread = np.full(features, np.nan), [], np.empty(0)
    if meta.scaling == "bytes":
        scale[:features] = 255.0
    if features and (meta.scaling == "standardize" or meta.filling != "none" or meta.indicators or with_spread):
        moments = _moments(exchange, everyone, features + targets)
        numeric = np.array([column.categories is None for column in columns] or [True] * features)
        if meta.scaling == "standardize":
            shift, scale = moments.mean(), moments.deviation()
            shift[:features][~numeric], scale[:features][~numeric] = 0.0, 1.0
        if meta.filling != "none":
            fill = np.where(numeric, moments.mean()[:features], np.nan)
        if meta.filling == "median":
            chosen = np.flatnonzero(numeric & (moments.count[:features] > 0))
            fill[chosen] = _medians(exchange, everyone, chosen, moments.count[chosen])
        if with_spread:
            spread = np.where(numeric, moments.deviation(constant=0.0)[:features], 0.0)
        if meta.indicators:
            indicators = np.flatnonzero(moments.count[:features] < moments.rows[0]).tolist()
    labels = sorted_labels(meta.labels)
    if meta.sequence is not None:
        labels = _tokens(exchange, everyone, meta.sequence)
    return DataSpec(
        task=learned_task(model, meta.task),
        row_shape=tuple(meta.row_shape),
        labels=labels,
        columns=columns,
        shift=shift[:features],
        scale=scale[:features],
        fill=fill,
        own_fill=meta.own_fill and meta.filling != "none",
        indicators=tuple(indicators),
        target_shift=shift[features:],
        target_scale=scale[features:],
        vocabulary=_vocabulary(exchange, everyone, meta, int(sizes.sum())),
        tokens=None if meta.sequence is None else TokenWindows(meta.sequence.unit, model.context),
        spread=spread,
        unit_range=meta.unit_range,
        label_counts=_label_counts(exchange, everyone, labels) if with_labels and labels else np.empty(0),
    )


def _moments(exchange: Exchange, blocks: list[Block], columns: int) -> Moments:
    """The moments of all clients' training examples, added up in block order."""

    def read(content: RecordDict, asked: list[Block]) -> list[tuple[int, Moments]]:
        found = messages.read_moments(content)
        for one in found:
            if not (one.count.shape == one.total.shape == one.spread.shape == (columns,) and one.rows.shape == (1,)):
                raise ValueError(f"sums over {one.count.shape} columns, expected ({columns},)")
            if not (np.isfinite(one.total).all() and np.isfinite(one.spread).all() and (one.spread >= 0).all()):
                raise ValueError("sums that are negative, infinite or not a number")
            if not ((one.count >= 0) & (one.count <= one.rows)).all():
                raise ValueError("counts that are negative or more than there are examples")
        return [(block.index, moments) for block, moments in zip(asked, found, strict=True)]

    found = dict(_answers(exchange, messages.MOMENTS, {}, blocks, read, "the columns' scaling"))
    return combine_moments(found[index] for index in sorted(found))


def _label_counts(exchange: Exchange, blocks: list[Block], labels: Sequence[Label]) -> Numbers:
    """All clients' training examples of each label, (classes,)."""
    total: Counter[str] = Counter()
    for counts in _answers(exchange, messages.LABELS, {}, blocks, _counts, "the labels' weights"):
        total.update(counts)
    return np.array([float(total[str(label)]) for label in labels])


def _tokens(exchange: Exchange, blocks: list[Block], form: SequenceForm) -> tuple[Label, ...]:
    """The tokens that occur most often in the clients' training documents, and the end of one; among equals by name."""
    total: Counter[str] = Counter()
    for counts in _answers(exchange, messages.LABELS, {}, blocks, _counts, "the vocabulary"):
        total.update(counts)
    try:
        return frequent_tokens(total, form)
    except ValueError as error:
        raise RunError(str(error)) from None


def _medians(exchange: Exchange, blocks: list[Block], columns: Indices, numbers: Numbers) -> Numbers:
    """The medians of raw features of all clients' training examples, which have so many numbers each."""
    search, shape = MedianSearch(numbers.astype(np.int64)), (2, len(columns), 256)

    def read(content: RecordDict, asked: list[Block]) -> list[NDArray[np.int64]]:
        found = messages.read_digits(content)
        if found.shape != shape or found.dtype != np.int64 or (found < 0).any():
            raise ValueError(f"{found.dtype} counts of shape {found.shape}, expected {shape} from 0 on")
        return [found]

    while len(columns) and search.known < DIGITS:
        counted = np.zeros(shape, np.int64)
        order = messages.DigitsOrder(columns, search.prefixes, search.known).write()
        for found in _answers(exchange, messages.DIGITS, order, blocks, read, "the columns' medians"):
            counted += found
        search.narrow(counted)
    return search.median()


def _vocabulary(exchange: Exchange, blocks: list[Block], meta: Meta, documents: int) -> Vocabulary | None:
    """How texts become numbers: the terms that occur in most of the clients' training texts, `documents` in all."""
    form = meta.text
    if form is None:
        return None
    if form.features == "hashed":
        return Vocabulary("hashed", form.width, form.rule)
    frequencies: Counter[str] = Counter()
    for counts in _answers(exchange, messages.TERMS, {}, blocks, _counts, "the vocabulary"):
        frequencies.update(counts)
    vocabulary = agreed_vocabulary(form.features, form.width, form.rule, frequencies, documents, form.least)
    if not vocabulary.terms:
        raise RunError(f"no term occurs in {form.least} of the clients' texts; lower data.text.min_texts")
    return vocabulary


def _counts(content: RecordDict, asked: list[Block]) -> list[dict[str, int]]:
    """How often each term or label occurs in the blocks."""
    found = messages.read_terms(content)
    if not isinstance(found, list) or len(found) != len(asked):
        raise ValueError(f"counts for other blocks than the {len(asked)} that were asked for")
    for counts in found:
        if not isinstance(counts, dict) or any(type(count) is not int or count < 0 for count in counts.values()):
            raise ValueError("counts that are no whole numbers from 0 on")
    return found


def _answers(
    exchange: Exchange,
    question: str,
    order: MessageRecords,
    blocks: list[Block],
    read: Callable[[RecordDict, list[Block]], Iterable[T]],
    what: str,
) -> Iterator[T]:
    """What `read` finds in the replies. Raises RunError, naming the clients, where a reply is missing or no answer."""
    for arrival in exchange.ask(question, order, blocks):
        error = arrival.error
        if arrival.content is not None:
            try:
                found = read(arrival.content, arrival.blocks)
            except Exception as problem:  # whatever a stranger's bytes do to a parser
                error = f"a reply is refused: {type(problem).__name__}: {problem}"
            else:
                yield from found
                continue
        clients = np.concatenate([block.clients for block in arrival.blocks]).tolist()
        raise RunError(f"{what} could not be agreed with the host of clients {first_few(clients)}: {error}")
