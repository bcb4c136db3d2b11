"""Base of generative models of images or sounds with judged samples, independent of the training objective."""

from functools import cached_property

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.experiments.judging.image_judge import Judge, references


class MediaModel(nn.Module):
    """A network for the recipe's medium, and for its labels where the recipe is conditional and the data have some.

    recipe.backbone(shape, classes) -> the network.  Raises DataError where the data do not fit it.
    """

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.shares, self.shape = recipe, None, ALONE, tuple(description["shape"])
        self.medium = recipe.medium()
        self.classes = (recipe.conditional and description["classes"]) or []
        try:
            self.network = recipe.backbone(self.shape, len(self.classes) or None)
        except ValueError as error:
            raise DataError(f"{description['name']} does not fit the network: {error}") from None

    @cached_property
    def judge(self):
        """Someone who knows the training data."""
        train = load_data(self.recipe)[0]
        train = train.batch(references(len(train)))
        return Judge(self.medium.judged_as(self.examples(train)[0]), train.get("label"))

    def examples(self, batch):
        """Examples in the network's units, and their labels where there are any."""
        return self.medium.units(batch), batch.get("label") if self.classes else None

    def mirrored_half(self, x0):
        """Examples, half of which are mirrored."""
        chance = torch.rand(len(x0), *[1] * len(self.shape), generator=self.generator, device=x0.device)
        return torch.where(chance < 0.5, self.medium.mirrored(x0), x0)

    def some(self, data, count):
        """The first examples of a data set, as a batch."""
        return data.batch(torch.arange(min(len(data), count)))

    def noise(self, count):
        """Standard normal noise in the shape of `count` examples."""
        return torch.randn(count, *self.shape, generator=self.generator, device=self.device)

    def labels(self, count):
        """`count` labels, the classes one after the other; zeros where there are no classes."""
        return (torch.arange(count) % max(1, len(self.classes))).sort().values.to(self.device)

    def verdict(self, data, samples, label):
        """Quality of samples compared with held-out data."""
        held_out, real_label = self.examples(self.some(data, 2000))
        drawn, held_out = self.medium.judged_as(samples), self.medium.judged_as(held_out)
        return self.judge.verdict(drawn, held_out, label, real_label, len(self.classes))

    @property
    def device(self):
        """Device of the network."""
        return next(self.network.parameters()).device
