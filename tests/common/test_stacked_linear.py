"""Dense layers of stacks, beside `torch.nn.functional.linear` network by network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import vmap

from common.models.stacked_linear import set_stackable, stacked_linear

GENERATOR = torch.Generator().manual_seed(3)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64).requires_grad_()


def gradients(outputs: Tensor, *inputs: Tensor | None) -> list[Tensor]:
    return list(torch.autograd.grad(outputs.square().sum(), [one for one in inputs if one is not None]))


def one_by_one(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    biases = [None] * len(x) if bias is None else list(bias)
    return torch.stack([F.linear(*one) for one in zip(x, weight, biases, strict=True)])


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("stack", [1, 3])
def test_a_stack_gives_what_its_layers_give(stack: int, biased: bool) -> None:
    x, weight, bias = drawn(stack, 5, 4), drawn(stack, 6, 4), drawn(stack, 6) if biased else None
    mine, theirs = stacked_linear(x, weight, bias), one_by_one(x, weight, bias)
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradients(mine, x, weight, bias), gradients(theirs, x, weight, bias), rtol=1e-12, atol=1e-12
    )


def test_gradients_of_weights_lie_in_memory_as_weights_do() -> None:
    x, weight = drawn(3, 5, 4), drawn(3, 6, 4)
    assert all(gradient.is_contiguous() for gradient in gradients(stacked_linear(x, weight, None), weight))


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (4,)], ids=["rows", "sequences", "one row"])
@pytest.mark.parametrize("biased", [True, False])
def test_an_own_networks_layer_gives_the_same_under_vmap(shape: tuple[int, ...], biased: bool) -> None:
    layer = nn.Linear(4, 6, bias=biased, dtype=torch.float64)
    set_stackable(layer, True)
    x, weight, bias = drawn(3, *shape), drawn(3, 6, 4), drawn(3, 6) if biased else None

    def called(own: dict[str, Tensor], inputs: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(layer, own, (inputs,))
        return result

    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    mine, theirs = vmap(called)(arrays, x), one_by_one(x, weight, bias)
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradients(mine, x, weight, bias), gradients(theirs, x, weight, bias), rtol=1e-12, atol=1e-12
    )
    set_stackable(layer, False)
    assert type(layer) is nn.Linear


def test_an_input_that_all_networks_share() -> None:
    """An embedding that no example changes, say."""
    layer = nn.Linear(4, 6, dtype=torch.float64)
    set_stackable(layer, True)
    x, weight = drawn(5, 4), drawn(3, 6, 4)
    mine = vmap(lambda own: torch.func.functional_call(layer, own, (x,)))({"weight": weight})
    torch.testing.assert_close(mine, one_by_one(x.expand(3, 5, 4), weight, layer.bias.expand(3, 6)))


def test_gradients_of_gradients() -> None:
    """A network's own loss may take some: a penalty on its gradients."""
    layer = nn.Linear(4, 6, dtype=torch.float64)
    set_stackable(layer, True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).square(), drawn(2, 4))
