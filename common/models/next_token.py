"""The module of `common.networks.next_token`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.own_measures import NetworkBatch


class NextToken(nn.Module):
    """p(token | the tokens before it and the header values in force) (Bengio et al. 2003, section 2, without the
    direct connections from embeddings to outputs)."""

    def __init__(
        self,
        tokens: int,
        headers: Sequence[int],
        context: int,
        embedding: int,
        layers: Sequence[int],
        activation: Callable[[Tensor], Tensor],
        dropout: float,
    ) -> None:
        """`tokens` are known, `headers` the numbers of values that each header has; the rest as in the network."""
        super().__init__()
        self.context, self._activation = context, activation
        # Behind the known tokens stand the unknown one, which can come next, and padding, which cannot.
        self.embedding = nn.Embedding(tokens + 2, embedding)
        self.headers = nn.ModuleList(nn.Embedding(values, embedding) for values in headers)
        widths = ((context + len(headers)) * embedding, *layers)
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(widths[-1], tokens + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the next token, (examples, tokens + 1), from codes (examples, context + headers)."""
        codes = x.long()
        seen = [self.embedding(codes[..., : self.context]).flatten(-2)]
        seen += [own(codes[..., self.context + place]) for place, own in enumerate(self.headers)]
        hidden = torch.cat(seen, dim=-1) if len(seen) > 1 else seen[0]
        for layer in self.hidden:
            hidden = self.dropout(self._activation(layer(hidden)))
        logits: Tensor = self.head(hidden)
        return logits

    def loss(self, batch: NetworkBatch) -> Tensor:
        """−ln p of each token, (examples,)."""
        return F.cross_entropy(self(batch.x), batch.y, reduction="none")

    def metrics(self, batch: NetworkBatch) -> dict[str, Tensor]:
        """The loss, and whether the token is the most likely one."""
        logits = self(batch.x)
        found = F.cross_entropy(logits, batch.y, reduction="none")
        return {"loss": found, "token_accuracy": (logits.argmax(dim=-1) == batch.y).to(found.dtype)}
