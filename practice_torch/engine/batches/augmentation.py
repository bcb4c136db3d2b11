"""Training examples changed at random on their device: images mirrored or moved, sounds softened.

What happens to an example follows from the seed and from its place in the stream of all examples (see draws.py). A run that goes
on, and several processes, therefore see the examples that one uninterrupted process would.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from practice_torch.data.permutation import uniforms
from practice_torch.engine.batches.order import Order, seed_of
from practice_torch.engine.recipe import Recipe


class Augmented:
    """Batches with every example augmented according to the recipe."""

    def __init__(self, batches: Any, order: Order, recipe: Recipe) -> None:
        self.batches, self.order, self.recipe, self.seed = batches, order, recipe, seed_of(recipe.seed, "augment")

    def __getitem__(self, number: int) -> Mapping[str, Tensor]:
        batch = self.batches[number]
        name = "audio" if self.recipe.augment_gain else "image"
        draws = self.order.draws(number, device=batch[name].device)
        return batch | {name: augmented(batch[name], uniforms(draws, 4, self.seed), self.recipe)}

    def close(self) -> None:
        self.batches.close()


def augmented(examples: Tensor, u: Tensor, recipe: Recipe) -> Tensor:
    """The examples, changed by these uniform numbers; the result is a new tensor.

    [B, C, H, W] or [B, ..., T], [B, 4] -> as the examples
    """
    if recipe.augment_flip:
        examples = torch.where(_beside(u[:, 0] < 0.5, examples), examples.flip(-1), examples)
    if recipe.augment_shift:
        down, right = ((u[:, 1:3] * (2 * recipe.augment_shift + 1)).long() - recipe.augment_shift).unbind(1)
        examples = _shifted(examples, down, right, recipe.augment_shift)
    if recipe.augment_gain:
        decibels = -recipe.augment_gain * u[:, 3]
        examples = examples * _beside(10 ** (decibels / 20), examples).to(examples.dtype)
    return examples


def _shifted(images, down, right, most):
    """Images moved by whole pixels, with zeros where nothing was: [B, C, H, W], int64 [B], int64 [B] -> [B, C, H, W]."""
    B, C, H, W = images.shape
    padded = pad(images, (most,) * 4)
    rows = torch.arange(H, device=images.device) + (most - down)[:, None]
    columns = torch.arange(W, device=images.device) + (most - right)[:, None]
    padded = padded.gather(2, rows[:, None, :, None].expand(B, C, H, W + 2 * most))
    return padded.gather(3, columns[:, None, None, :].expand(B, C, H, W))


def _beside(each, examples):
    """A value for each example, in a shape that broadcasts over the examples."""
    return each.view(-1, *(1,) * (examples.ndim - 1))
