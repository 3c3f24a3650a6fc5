"""Autoencoders of dense layers, for images and tables: a network that learns the examples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from common.scenario.activations import Activation, Relu
from common.scenario.base import key, refuse
from common.scenario.model import ModelPart, NetworkData, Width

if TYPE_CHECKING:
    from torch import nn


class DenseAutoencoder(ModelPart):
    """What both have: an encoder to a code, and a decoder back to the example."""

    generates: ClassVar[bool] = True

    latent: Width = key("Numbers in a code.", 16, unit="numbers")
    layers: tuple[Width, ...] = key(
        "Widths of the encoder's hidden layers, in order; the decoder has them in reverse. An empty list is linear.",
        (256, 128),
        unit="units",
        strict=False,
    )
    activation: Activation = key("What follows each hidden layer.", Relu())
    conditional: bool = key("Whether encoder and decoder are given the label, so that it can be chosen later.", False)
    likelihood: Literal["auto", "bernoulli", "gaussian"] = key(
        "How the decoder's outputs are compared with an example: bernoulli takes each number for a probability and "
        "needs numbers between 0 and 1, gaussian takes outputs for means. auto is bernoulli for images with numbers "
        "between 0 and 1, else gaussian. Categories and missing values of a table have probabilities in either case.",
        "auto",
    )
    binarize: Literal["threshold", "sampled"] | None = key(
        "For bernoulli: numbers become 0 or 1, by whether they are above ½, or each time by a chance of "
        "that size. Only then is the loss a likelihood in nats that can be compared with published values.",
        None,
    )
    sigma: float | Literal["learned"] = key(
        "For gaussian: the standard deviation of an example's numbers around the decoder's, after scaling; learned is "
        "one for all of them, learned with the weights.",
        1.0,
        unit="none",
    )

    def _options(self, data: NetworkData) -> dict[str, Any]:
        """What a module is made of, by the names that it has there."""
        from common.models.likelihoods import Likelihood

        likelihood = Likelihood(data, self.likelihood, self.binarize, self.sigma)
        return {
            "data": data,
            "latent": self.latent,
            "layers": self.layers,
            "activation": self.activation.function(),
            "conditional": self.conditional,
            "likelihood": likelihood,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> DenseAutoencoder:
        if self.output != "auto":
            raise refuse("output", f"it left out: the likelihood says what {self.name} gives")
        if not isinstance(self.sigma, str) and self.sigma <= 0:
            raise refuse("sigma", "a number above 0, or learned")
        if self.binarize is not None and self.likelihood == "gaussian":
            raise refuse("binarize", "it left out with likelihood: gaussian")
        return self


class Autoencoder(DenseAutoencoder, name="autoencoder"):
    """An encoder to a code and a decoder back; the loss is the reconstruction's (Hinton and Salakhutdinov 2006)."""

    def build(self, data: NetworkData) -> nn.Module:
        """The module."""
        from common.models import autoencoders

        return autoencoders.Autoencoder(**self._options(data))


class Vae(DenseAutoencoder, name="vae"):
    """A variational autoencoder: reconstruction + β·KL (Kingma and Welling 2014, equation 10)."""

    beta: float = key("β, what the KL divergence counts in training (Higgins et al. 2017).", 1.0, unit="none", ge=0)
    free_bits: float = key(
        "λ: for each number of a code the loss counts at least so much KL divergence, averaged over the batch "
        "(Kingma et al. 2016, free bits).",
        0.0,
        unit="nats",
        ge=0,
    )
    importance_samples: int = key(
        "Measure a tighter bound too, from so many codes for each example (Burda et al. 2016, equation 8).",
        0,
        unit="codes",
        ge=0,
        le=10_000,
    )

    def build(self, data: NetworkData) -> nn.Module:
        """The module."""
        from common.models import autoencoders

        return autoencoders.Vae(
            **self._options(data), beta=self.beta, free_bits=self.free_bits, samples=self.importance_samples
        )
