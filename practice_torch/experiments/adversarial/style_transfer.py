"""A classifier of images is trained; then pixels descend until its features have the content of one image and another's style."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn import functional

from practice_torch.adversarial.style_transfer import (
    content_loss,
    gram_matrix,
    quadratic_kernel_discrepancy,
    style_loss,
    total_variation,
)
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood

_PATCH = 5  # pixels on each side of the patches whose second moments are compared
_GRID = 4  # places on each side, or a few more, at which the classifier reads its last features
_LEAST = 1e-12  # of what is divided by: features that are all zero, or a style that is the content's


@dataclass(frozen=True)
class TransferRecipe(Recipe):
    """A classifier for a part of the steps; then the pixels of some images, which its features judge."""

    enlarge: Annotated[int, AtLeast(1)] = 1
    """Factor by which the sides of the data's images are enlarged."""
    channels: Annotated[tuple[int, ...], AtLeast(1)] = (16, 32, 48)
    """Channels of the classifier's convolutions; between two of them the sides are halved by averaging."""
    content_layer: Annotated[int, AtLeast(1)] = 2
    """Number of the convolution whose features are the content; all of them are the style."""
    classifier_share: Annotated[float, Above(0, below=1)] = 0.3
    """Fraction of the steps, at the beginning, in which the classifier is trained; then it is frozen."""
    transferred: Annotated[int, AtLeast(1)] = 12
    """Number of images that get another's style: the first ones of the training."""
    styles: Literal["gratings", "images"] = "gratings"
    """Styles: gratings of four directions, or the images of the training that follow."""
    wavelength: Annotated[float, AtLeast(2)] = 6.0
    """Wavelength of the gratings in pixels."""
    style_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the style loss; both losses are divided by what a black image without features would have."""
    variation_weight: Annotated[float, AtLeast(0)] = 0.05
    """Weight of the total variation of a pixel."""
    pixel_rate: Annotated[float, Above(0)] = 0.07
    """Step size of Adam for the pixels' logits."""
    metric: Fixed = "distance"

    def __post_init__(self):
        super().__post_init__()
        self._require("content_layer", self.content_layer <= len(self.channels), f"at most the {len(self.channels)} there are")

    def stages(self):
        """The classifier's steps, then those of the pixels."""
        first = math.ceil(self.classifier_share * self.steps)
        return Stage("classifier", first, ("classifier",)), Stage("pixels", self.steps - first, ("pixels",))


class Transfer(nn.Module):
    """Pixels are sigmoids of logits, which begin as noise: content and style both come from the losses."""

    explains = {
        "distance": Metric("ratio", "style and content, added: 1 for the content images, 1 for the style images"),
        "style": Metric("ratio", "style loss over that of the content images, mean over the images"),
        "content": Metric("ratio", "content loss over that of the style images, mean over the images"),
        "patches": Metric(
            "ratio", f"squared difference of second moments of {_PATCH}x{_PATCH} patches from the style's, over the content's"
        ),
        "resemblance": Metric("correlation", "with the content, of averages over squares as wide as a pixel was"),
        "accuracy": Metric("fraction", "held-out images whose class the classifier recognizes"),
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.place = place_at(recipe.stages(), 0)
        self.phases = Phase("classifier", ("layers", "head")), Phase("pixels", ("pixels",), learning_rate=recipe.pixel_rate)
        colors, *sides = description["shape"]
        shape = (recipe.transferred, colors, *(side * recipe.enlarge for side in sides))
        inputs = (colors, *recipe.channels)
        self.layers = nn.ModuleList(
            _layer(*pair, first=k == 0) for k, pair in enumerate(zip(inputs, recipe.channels, strict=False))
        )
        coarse = [side // 2 ** (len(recipe.channels) - 1) for side in shape[2:]]
        self.pooled = tuple(max(1, side // _GRID) for side in coarse)
        places = math.prod(side // width for side, width in zip(coarse, self.pooled, strict=True))
        self.head = nn.Linear(recipe.channels[-1] * places, len(description["classes"]))
        self.pixels = nn.Parameter(torch.randn(shape))
        self.register_buffer("content", torch.zeros(shape))
        self.register_buffer("style", _gratings(shape, recipe.wavelength))

    def start(self, batch):
        """Choose the images: the first ones, and, if they are the styles, those that follow."""
        count, images = self.recipe.transferred, self.enlarged(batch["image"])
        chosen = torch.arange(2 * count) % len(images)
        self.content.copy_(images[chosen[:count]])
        if self.recipe.styles == "images":
            self.style.copy_(images[chosen[count:]])

    def forward(self, batch, phase):
        """The classifier's negative log-likelihood in nats; or the mean loss of the images."""
        if phase == "classifier":
            logits = self._logits(self.enlarged(batch["image"]))
            right = (logits.argmax(1) == batch["label"]).to(logits.dtype).mean()
            return categorical_negative_log_likelihood(batch["label"], logits).mean(), {"accuracy": right}
        images, recipe = self.images(), self.recipe
        found = self._features(images)
        style, content = self._style_loss(found, self.style), self._content_loss(found, self.content)
        variation = total_variation(images) / images[0].numel()
        loss = content + recipe.style_weight * style + recipe.variation_weight * variation
        logs = {"style": style, "content": content, "variation": variation}
        return loss.mean(), {name: part.detach().mean() for name, part in logs.items()}

    def evaluate(self, data):
        """Both losses relative to those of the images themselves; the same without a network; the accuracy."""
        batch = data.batch(torch.arange(min(len(data), 1000)))
        right = self._logits(self.enlarged(batch["image"])).argmax(1) == batch["label"]
        images = self.images()
        found, of_content, of_style = (self._features(some) for some in (images, self.content, self.style))
        style = _ratio(self._style_loss(found, self.style), self._style_loss(of_content, self.style))
        content = _ratio(self._content_loss(found, self.content), self._content_loss(of_style, self.content))
        return {
            "distance": style + content,
            "style": style,
            "content": content,
            **{name: float(values.mean()) for name, values in self.judged(images).items()},
            "accuracy": right.double().mean().item(),
        }

    def judged(self, images):
        """What no network sees of any images [K, C, H, W]: name -> [K]."""
        patches, of_content, of_style = (_patches(some) for some in (images, self.content, self.style))
        far, reference = (quadratic_kernel_discrepancy(some, of_style) for some in (patches, of_content))
        pooled = (functional.avg_pool2d(some, self.recipe.enlarge).flatten(1) for some in (images, self.content))
        one, other = (functional.normalize(some - some.mean(1, keepdim=True), dim=1, eps=_LEAST) for some in pooled)
        return {"patches": far / reference.clamp(min=_LEAST), "resemblance": (one * other).sum(1)}

    def preview(self, data):
        """The images with both that they come from."""
        return self.sample(self.recipe.transferred)

    def sample(self, count):
        """Contents, styles below them, and the images; `count` of them, from the first again if there are fewer."""
        chosen = torch.arange(count, device=self.content.device) % self.recipe.transferred
        columns = max(1, min(count, 12))
        parts = zip(*(some[chosen].split(columns) for some in (self.content, self.style, self.images())), strict=True)
        caption = "Rows of contents, below them their styles, and below these the images with both"
        return {"transfer": ImageGrid(torch.cat([part for row in parts for part in row]), columns, caption)}

    def enlarged(self, images):
        """Images of the data in the size of the pixels."""
        return functional.interpolate(images, scale_factor=self.recipe.enlarge, mode="bilinear", align_corners=False)

    def images(self):
        """The images that are optimized, [K, C, H, W] in 0..1."""
        return self.pixels.sigmoid()

    def _features(self, images):
        """The features of every layer, in the precision of the pixels: Gram matrices are sums over all positions."""
        found = []
        for layer in self.layers:
            images = layer(images)
            found.append(images.to(self.content.dtype))
        return found

    def _logits(self, images):
        pooled = functional.avg_pool2d(self._features(images)[-1], self.pooled)
        return self.head(pooled.flatten(1)).to(self.content.dtype)

    def _style_loss(self, found, style):
        """The mean over the layers, [K]; 1 without features."""
        with torch.no_grad():
            targets = [gram_matrix(features) for features in self._features(style)]
        losses = [
            style_loss(features, target) / target.square().sum((1, 2)).clamp(min=_LEAST)
            for features, target in zip(found, targets, strict=True)
        ]
        return sum(losses) / len(losses)

    def _content_loss(self, found, content):
        """Of the features of one layer, [K]; 1 without features."""
        layer = self.recipe.content_layer - 1
        with torch.no_grad():
            target = self._features(content)[layer]
        return content_loss(found[layer], target) / target.square().mean((1, 2, 3)).clamp(min=_LEAST)


def _layer(inputs, outputs, *, first):
    # periodic: a border of zeros, or a mirror, has features of its own, which would be transferred as a frame
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="circular")
    return nn.Sequential(*([] if first else [nn.AvgPool2d(2)]), convolution, nn.ReLU())


def _gratings(shape, wavelength):
    """Waves of four directions in turn, between 0 and 1, [K, C, H, W]."""
    count, _, height, width = shape
    angle = (math.pi / 4 * (torch.arange(count) % 4))[:, None, None]
    along = angle.cos() * (torch.arange(width) + 0.5) + angle.sin() * (torch.arange(height) + 0.5)[:, None]
    return (0.5 + 0.5 * torch.sin(2 * math.pi / wavelength * along))[:, None].expand(shape).clone()


def _patches(images):
    """All square patches, less the mean of their image, [K, N, D]."""
    return functional.unfold(images - images.mean((1, 2, 3), keepdim=True), _PATCH).mT


def _ratio(loss, reference):
    """The mean over the images."""
    return float((loss / reference.clamp(min=_LEAST)).mean())


def build(recipe, data):
    """The classifier and the pixels that a recipe describes, for images of the data's shape and classes.

    Raises DataError where the data have no labels, or their images are too small to be halved between the convolutions.
    """
    name, shape = data.description["name"], data.description["shape"]
    if data.description["classes"] is None:
        raise DataError(f"{name} has no labels, which the classifier needs: give each class a sub-folder, or add labels")
    least, side = max(2 ** len(recipe.channels), _PATCH), min(shape[1:]) * recipe.enlarge
    if side < least:
        raise DataError(f"{name} has images with sides of {side} pixels; they must have {least}: enlarge them more")
    return Transfer(recipe, data.description)


_DIGITS = {
    "data": "digits", "enlarge": 4, "batch_size": 64, "learning_rate": 2e-3, "held_out": 0.2, "evaluate_every": 500,
    "checkpoint_every": 500,
}  # fmt: skip
RECIPES = {
    # Measured in 18 CPU seconds, seeds 0 and 1: a distance of 0.39 and 0.35; the style loss falls to 4.2% and 4.7% of the content
    # images', patches differ from the style's by 34% and 36% of what the content's do. With the channels of the target's Gram
    # matrix exchanged 1.58, with the Gram matrix of the content image for the style's 1.00.
    "digits": TransferRecipe(steps=1000, target=0.5, **_DIGITS),
    # More of the style, and less of the content. Measured with seed 0: 0.3% of the style loss and 66% of the content loss.
    "digits_more_style": TransferRecipe(steps=1000, style_weight=100.0, **_DIGITS),
    # The features of a classifier that was trained for one step. Measured with seed 0: a distance of 0.44; patches differ by 31%.
    "digits_untrained": TransferRecipe(steps=701, classifier_share=1e-3, **_DIGITS),
}
