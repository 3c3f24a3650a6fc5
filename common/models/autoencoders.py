"""The modules of `common.networks.autoencoder`: what they encode, decode, minimize and measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import InputError
from common.models.likelihoods import Likelihood
from common.models.own_measures import NetworkBatch
from common.scenario.model import NetworkData

Function = Callable[[Tensor], Tensor]


class Autoencoder(nn.Module):
    """Encoder, decoder and the likelihood of what was encoded. Codes are (examples, latent)."""

    codes_have_spread = False
    """Whether codes are distributions, from which examples can be drawn."""

    def __init__(
        self,
        data: NetworkData,
        latent: int,
        layers: Sequence[int],
        activation: Function,
        conditional: bool,
        likelihood: Likelihood,
    ) -> None:
        """The options are those of `DenseAutoencoder`. Raises InputError where the data has no labels to go by."""
        super().__init__()
        if conditional and not data.classes:
            raise InputError("expected false: the examples have no classes", "model.conditional")
        features, self.latent = math.prod(data.shape), latent
        self.classes = data.classes if conditional else 0
        """How many labels are told apart; 0 where none are given."""
        per_code = 2 if self.codes_have_spread else 1
        self.encoder = _dense((features + self.classes, *layers, per_code * latent), activation)
        self.decoder = _dense((latent + self.classes, *reversed(layers), features), activation)
        self.likelihood = likelihood

    @property
    def normals(self) -> int:
        """Standard normal numbers that are drawn for an example."""
        return 0

    @property
    def uniforms(self) -> int:
        """Uniform numbers that are drawn for an example."""
        return self.likelihood.uniforms

    @property
    def sigma(self) -> float:
        """The standard deviation of an example's numbers around the decoder's; 0 where they are probabilities."""
        return 0.0 if self.likelihood.bernoulli else float(self.likelihood.sigma())

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Codes, and the logarithms of their variances: x (examples, …), y (examples,) → (examples, latent) both."""
        code = self.encoder(self._with_label(x.flatten(1), y))
        return code, torch.full_like(code, -math.inf)

    def outputs(self, z: Tensor, y: Tensor) -> Tensor:
        """What the decoder makes of codes, before the likelihood reads it: (examples, features)."""
        found: Tensor = self.decoder(self._with_label(z, y))
        return found

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """The means of examples with these codes and labels, (examples, features)."""
        return self.likelihood.mean(self.outputs(z, y))

    def loss(self, batch: NetworkBatch) -> Tensor:
        """−log p(x | code), (examples,)."""
        x = self._target(batch)
        return self.likelihood.negative_log(self.outputs(self.encode(x, batch.y)[0], batch.y), x)

    def metrics(self, batch: NetworkBatch) -> dict[str, Tensor]:
        """The reconstruction's mean squared error over the numbers of an example."""
        x = self._target(batch)
        return {"error": (self.decode(self.encode(x, batch.y)[0], batch.y) - x).square().mean(dim=-1)}

    def _target(self, batch: NetworkBatch) -> Tensor:
        return self.likelihood.target(batch.x.flatten(1), batch.uniforms)

    def _with_label(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.classes:
            return x
        one_hot = y.unsqueeze(-1) == torch.arange(self.classes, device=y.device)
        return torch.cat([x, one_hot.to(x.dtype)], dim=-1)


class Vae(Autoencoder):
    """A variational autoencoder: q(z | x) is a diagonal normal distribution, p(z) the standard one."""

    codes_have_spread = True

    def __init__(self, *, beta: float, free_bits: float, samples: int, **options: Any) -> None:
        """`options` are those of `Autoencoder`, `samples` the importance_samples of the network `vae`."""
        super().__init__(**options)
        self.beta, self.free_bits, self.samples = beta, free_bits, samples

    @property
    def normals(self) -> int:
        """Standard normal numbers that are drawn for an example: a code's, and in use those of further codes."""
        return self.latent if self.training else self.latent * (1 + self.samples)

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The means of q(z | x), and the logarithms of its variances."""
        mean, log_variance = self.encoder(self._with_label(x.flatten(1), y)).chunk(2, dim=-1)
        return mean, log_variance

    def loss(self, batch: NetworkBatch) -> Tensor:
        """Reconstruction + β·KL of one code for each example, (examples,) (Kingma and Welling 2014, equation 10)."""
        reconstruction, divergence = self.terms(batch)
        return self._objective(reconstruction, divergence)

    def metrics(self, batch: NetworkBatch) -> dict[str, Tensor]:
        """The loss with β = 1, which is the negative ELBO where the likelihood is one, its two parts, and more."""
        reconstruction, divergence = self.terms(batch)
        found = {"loss": reconstruction + divergence.sum(dim=-1)}
        if self.beta != 1 or self.free_bits:
            found["objective"] = self._objective(reconstruction, divergence)
        if self.likelihood.in_nats:
            found["negative_elbo"] = found["loss"]
        found |= {"reconstruction": reconstruction, "kl": divergence.sum(dim=-1), **super().metrics(batch)}
        if self.samples:
            found["importance_bound"] = self.importance_bound(batch)
        return found

    def terms(self, batch: NetworkBatch) -> tuple[Tensor, Tensor]:
        """−log p(x | z) for one z ~ q(z | x), (examples,), and KL(q(z | x) ‖ p(z)) by number of z, (examples, latent).

        The KL divergence is Kingma and Welling 2014, appendix B: ½ (μ² + σ² − log σ² − 1).
        """
        x = self._target(batch)
        mean, log_variance = self.encode(x, batch.y)
        z = mean + torch.exp(0.5 * log_variance) * batch.normals[..., : self.latent]
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
        return self.likelihood.negative_log(self.outputs(z, batch.y), x), divergence

    def importance_bound(self, batch: NetworkBatch) -> Tensor:
        """−log (1/K) Σ p(x, z_k) / q(z_k | x) for K codes, (examples,) (Burda et al. 2016, equation 8)."""
        x = self._target(batch)
        mean, log_variance = self.encode(x, batch.y)
        weights = []
        for noise in torch.split(batch.normals[..., self.latent :], self.latent, dim=-1):
            z = mean + torch.exp(0.5 * log_variance) * noise
            # log p(z) − log q(z | x): what both have of 2π falls out.
            ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(dim=-1)
            weights.append(ratio - self.likelihood.negative_log(self.outputs(z, batch.y), x))
        return math.log(self.samples) - torch.stack(weights).logsumexp(dim=0)

    def _objective(self, reconstruction: Tensor, divergence: Tensor) -> Tensor:
        if not self.free_bits:
            return reconstruction + self.beta * divergence.sum(dim=-1)
        # λ is compared with the mean over the batch, which every example then has its share of.
        return reconstruction + self.beta * divergence.mean(dim=0).clamp(min=self.free_bits).sum()


def _dense(widths: tuple[int, ...], activation: Function) -> nn.Sequential:
    """Dense layers with an activation behind all but the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), _Activation(activation)]
    return nn.Sequential(*layers[:-1])


class _Activation(nn.Module):
    """An activation as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor) -> Tensor:
        """Number by number."""
        return self.function(z)
