"""What a federation agrees on before round 1: asked of the clients' hosts as sums, put together here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from common import messages
from common.data.agreement import Agreement, Numbers, Vocabulary, label_set, merged_columns
from common.data.labels import Label
from common.data.median import DIGITS, Selection
from common.data.moments import Moments, combined
from common.data.prepared import Indices, Meta, Prepared
from common.data.text import agreed_vocabulary
from common.errors import RunError
from server.exchange.blocks import Block
from server.exchange.costs import looking
from server.exchange.federation import Federation
from server.exchange.sending import Exchange

_TEXT = 100_000
"""What counting a text's words costs, in multiply-adds."""


def agree(
    exchange: Exchange,
    federation: Federation,
    blocks: int,
    own: Prepared,
    with_spread: bool = False,
    with_labels: bool = False,
) -> Agreement:
    """Labels, categories, scaling, fills and words; `own` are the server's rows, whose labels count too.

    Columns' standard deviations are in it `with_spread`, labels' training rows `with_labels`.

    Raises RunError where hosts' data does not go together.
    """
    meta = federation.metas[0]
    try:
        columns = merged_columns([each.columns for each in (*federation.metas, own.meta)])
    except ValueError as error:
        raise RunError(str(error)) from None
    features, targets = math.prod(meta.row_shape) if meta.text is None else 0, meta.targets
    sizes = federation.training_sizes
    everyone = federation.cut(np.arange(len(sizes)), blocks, looking(features or _TEXT, sizes))
    shift, scale = np.zeros(features + targets), np.ones(features + targets)
    fill, indicators, spread = np.full(features, np.nan), [], np.empty(0)
    if meta.scaling == "bytes":
        scale[:features] = 255.0
    if features and (meta.scaling == "standardize" or meta.filling != "none" or meta.indicators or with_spread):
        moments = _moments(exchange, everyone)
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
    labels = label_set([*(each.labels for each in federation.metas), own.meta.labels])
    return Agreement(
        task=meta.task,
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
        spread=spread,
        label_counts=_label_counts(exchange, everyone, labels) if with_labels else np.empty(0),
    )


def _moments(exchange: Exchange, blocks: list[Block]) -> Moments:
    """The moments of all clients' training rows, added up in block order."""
    found: dict[int, Moments] = {}
    for arrival in exchange.ask(messages.MOMENTS, {}, blocks):
        if arrival.content is None:
            raise RunError(f"the columns' scaling could not be agreed: {arrival.error}")
        indices = [block.index for block in arrival.blocks]
        found.update(zip(indices, messages.read_moments(arrival.content), strict=True))
    return combined(found[index] for index in sorted(found))


def _label_counts(exchange: Exchange, blocks: list[Block], labels: Sequence[Label]) -> Numbers:
    """All clients' training rows of each label, (classes,)."""
    total: Counter[str] = Counter()
    for arrival in exchange.ask(messages.LABELS, {}, blocks):
        if arrival.content is None:
            raise RunError(f"the labels' weights could not be agreed: {arrival.error}")
        for counts in messages.read_terms(arrival.content):
            total.update(counts)
    return np.array([float(total[str(label)]) for label in labels])


def _medians(exchange: Exchange, blocks: list[Block], columns: Indices, numbers: Numbers) -> Numbers:
    """The medians of raw features of all clients' training rows, which have so many numbers each."""
    search = Selection(numbers.astype(np.int64))
    while len(columns) and search.known < DIGITS:
        counted = np.zeros((2, len(columns), 256), np.int64)
        order = messages.DigitsOrder(columns, search.prefixes, search.known)
        for arrival in exchange.ask(messages.DIGITS, order.write(), blocks):
            if arrival.content is None:
                raise RunError(f"the columns' medians could not be agreed: {arrival.error}")
            counted += messages.read_digits(arrival.content)
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
    for arrival in exchange.ask(messages.TERMS, {}, blocks):
        if arrival.content is None:
            raise RunError(f"the vocabulary could not be agreed: {arrival.error}")
        for counts in messages.read_terms(arrival.content):
            frequencies.update(counts)
    vocabulary = agreed_vocabulary(form.features, form.width, form.rule, frequencies, documents, form.least)
    if not vocabulary.terms:
        raise RunError(f"no term occurs in {form.least} of the clients' texts; lower data.text.min_texts")
    return vocabulary
