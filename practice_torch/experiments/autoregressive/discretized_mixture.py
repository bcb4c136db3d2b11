"""A gated PixelCNN with discretized logistic mixtures in place of a softmax over levels, as in PixelCNN++."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from practice_torch.arguments import as_int64
from practice_torch.autoregressive.decoding import categorical_from_uniform
from practice_torch.autoregressive.discretized_mixture import discretized_logistic_log_prob, discretized_logistic_mixture_sample
from practice_torch.autoregressive.pixelcnn import GatedStacks
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.codes.pixel_codes import PixelExperiment, conditioning_classes

_NARROWEST = -7.0  # log-scale: below it a component is one level


@dataclass(frozen=True)
class MixtureRecipe(Recipe):
    """A gated PixelCNN with mixtures of logistic laws, conditional on the class where the data has classes."""

    num_levels: Annotated[int, AtLeast(2)] = 17
    """Number of gray levels, or of the levels of a color."""
    conditional: bool = True
    """Condition on the class of an image, where the data has classes."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of every layer."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate behind every gate."""
    layers: Annotated[int, AtLeast(1)] = 6
    """Gated layers, of both stacks."""
    reach: Annotated[int, AtLeast(2)] = 2
    """Rows of a layer's window above and columns before, the pixel's own included; the window is 2 reach - 1 columns wide."""
    components: Annotated[int, AtLeast(1)] = 5
    """Logistic laws of a pixel, which its colors share."""
    metric: Fixed = "bits_per_dimension"


class MixturePixelCNN(GatedStacks):
    """p(x_p | x_<p): a mixture of K components, in each of which a color has a discretized logistic law.

    Its mean depends linearly on the values of the earlier colors of the same pixel, in -1..1; the coefficients are in (-1, 1).
    """

    uniforms = 2  # that a draw of one code takes; of the first, which draws the component, only the first color's is used

    def __init__(self, *, num_levels, colors, components, width, layers, kernel_size=3, classes=0, dropout=0.0):
        super().__init__(  # inputs are the values, and a 1 that distinguishes pixels of value 0 from the padding
            inputs=colors + 1, width=width, layers=layers, kernel_size=kernel_size, classes=classes, dropout=dropout
        )
        self.levels, self.colors, self.components = num_levels, colors, components
        self.pairs = [(later, earlier) for later in range(colors) for earlier in range(later)]
        self.hidden = nn.Conv2d(width, width, 1)
        self.laws = nn.Conv2d(width, components * (1 + 2 * colors + len(self.pairs)), 1)

    def forward(self, codes, label=None):
        """[B, C, H, W], [B] -> logits [B, H, W, K], means and log-scales [B, C, H, W, K] of the laws of the codes."""
        logits, means, log_scales, coefficients = self._laws(self.seen(codes, label))
        x = self._values(codes)
        moved = [self._mean(means, coefficients, x, color) for color in range(self.colors)]
        return logits, torch.stack(moved, 1), torch.stack(log_scales, 1)

    def log_prob(self, codes, label=None):
        """log p of every image in nats: [B, C, H, W], [B] -> [B]"""
        logits, means, log_scales = self(codes, label)
        x, total = self._values(codes), logits.log_softmax(-1)
        for color in range(self.colors):
            law = x[:, color, ..., None].expand_as(total), means[:, color], log_scales[:, color]
            total = total + discretized_logistic_log_prob(*law, num_levels=self.levels)
        return total.logsumexp(-1).flatten(1).sum(1)

    def _laws(self, before):
        """Logits [B, H, W, K]; means and log-scales of the colors and coefficients of the pairs, [B, H, W, K] each."""
        outputs = self.laws(self.hidden(before.relu()).relu())
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))  # bfloat16 has too few digits for a mean
        outputs = outputs.unflatten(1, (-1, self.components)).movedim(2, -1)
        logits, means, log_scales, coefficients = outputs.split([1, self.colors, self.colors, len(self.pairs)], 1)
        return logits[:, 0], means.unbind(1), log_scales.clamp(min=_NARROWEST).unbind(1), coefficients.tanh().unbind(1)

    def _mean(self, means, coefficients, x, color):
        """Means of one color, given the values x [B, C, H, W] of the earlier ones."""
        mean = means[color]
        for (later, earlier), coefficient in zip(self.pairs, coefficients, strict=True):
            if later == color:
                mean = mean + coefficient * x[:, earlier, ..., None]
        return mean

    def _values(self, codes):
        return (2 * as_int64(codes) / (self.levels - 1) - 1).to(self.above.weight.dtype)

    def _read(self, codes):
        x = self._values(codes)
        return torch.cat([x, torch.ones_like(x[:, :1])], 1)

    def _draw(self, before, uniforms):
        """One pixel: its component, and then color by color: [B, width, 1, 1], [B, C, 2] -> [B, C]"""
        logits, means, log_scales, coefficients = self._laws(before)
        chosen = categorical_from_uniform(logits[:, 0, 0], uniforms[:, 0, 0])[:, None, None, None]
        x = torch.zeros_like(uniforms[..., :1]).unsqueeze(3)
        for color in range(self.colors):
            mean, log_scale = (
                part.gather(-1, chosen)[:, 0] for part in (self._mean(means, coefficients, x, color), log_scales[color])
            )
            each = uniforms[:, color, :, None].to(mean.dtype)
            x[:, color, 0] = discretized_logistic_mixture_sample(
                each[:, 0], each[:, 1], torch.zeros_like(mean), mean, log_scale, num_levels=self.levels
            )
        return ((x[:, :, 0, 0] + 1) * ((self.levels - 1) / 2)).round().long()


RECIPES = {
    # measured with two seeds: 1.80 and 1.82 bits per dimension, given the class; independent pixels need 2.42, a probability for
    # every level 1.72 and 1.75. Most pixels are black or white, which a mixture of few smooth densities fits less exactly.
    "digits": MixtureRecipe(
        data="digits", steps=300, batch_size=64, learning_rate=3e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0,
        dropout=0.1, held_out=0.2, layers=4, target=1.9, evaluate_every=300, checkpoint_every=300,
    ),
    # Channels, components, dropout, step size and averaging are those of the authors' code. The network is not: theirs has
    # residual blocks at three resolutions, with shortcuts between them.
    "cifar10": MixtureRecipe(
        data="cifar10", num_levels=256, conditional=False, width=160, layers=30, reach=3, components=10, dropout=0.5,
        steps=400_000, batch_size=128, learning_rate=1e-3, clip_norm=1.0, warmup_steps=1000, average_decay=0.9995,
        precision="bfloat16", evaluate_every=10_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "cifar10": Published(
        "CIFAR-10, downloaded by torchvision",
        "",
        "bits per dimension of the test images, unconditional",
        2.92,
        "PixelCNN++, Salimans et al. 2017, table 1; repeated in Gu et al. 2022, S4, table 7",
        quoted="| PixelCNN++ | 2.92 | 2D conv. | 19.19 (59.97 x) |",
        differences=(
            Difference(
                "architecture",
                "residual blocks at three resolutions, with shortcuts between them",
                "30 gated layers at one",
                "not known",
            ),
            Difference("schedule", "a learning rate that falls by 0.0005% in every step", "a constant one", "not known"),
        ),
    )
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape and classes."""
    description = data.description
    network = MixturePixelCNN(
        num_levels=recipe.num_levels,
        colors=description["shape"][0],
        components=recipe.components,
        width=recipe.width,
        layers=recipe.layers,
        kernel_size=2 * recipe.reach - 1,
        classes=len(conditioning_classes(recipe, description)),
        dropout=recipe.dropout,
    )
    return PixelExperiment(recipe, description, network)
