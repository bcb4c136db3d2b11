"""Translation of images: pix2pix for pairs of an input and its output, CycleGAN for two sets of images without pairs."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn import functional

from practice_torch.adversarial.gan import discriminator_loss
from practice_torch.adversarial.image_translation import (
    cycle_generator_loss,
    mean_absolute_error,
    patch_discriminator_loss,
    patch_receptive_field,
    pix2pix_generator_loss,
)
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.experiments.media.blur import blurred
from practice_torch.foundations.training_practice import scale_to_range
from practice_torch.networks.translation import PatchDiscriminator, ResidualTranslator, UnetTranslator

_KEPT = 8  # images that are kept to show translations without the data
_AT_ONCE = 64  # held-out images that pass a network together


def _coarse(images):
    """Every block of 2 x 2 pixels has its mean."""
    return functional.interpolate(functional.avg_pool2d(images, 2), scale_factor=2, mode="nearest")


# From images to the inputs and the outputs that belong to them: the images are the outputs of coarse and of blurred ones, and the
# inputs of inverted ones; or every image of the data shows both, side by side.
MADE = {
    "coarse": lambda images: (_coarse(images), images),
    "blurred": lambda images: (blurred(images), images),
    "inverted": lambda images: (images, 1 - images),
}
SIDES = {"left_to_right": lambda left, right: (left, right), "right_to_left": lambda left, right: (right, left)}
DOMAINS = (*MADE, *SIDES)


@dataclass(frozen=True)
class PairedRecipe(Recipe):
    """pix2pix: a U-Net that translates images, trained with pairs and a discriminator of patches."""

    domains: Literal[DOMAINS] = "coarse"
    """Inputs and outputs: coarse or blurred images and images; images and inverted ones; or halves of images that show both."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of the first layer; doubled from layer to layer, up to eight times as many."""
    depth: Annotated[int, AtLeast(1)] = 2
    """How often the translator halves an image."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout in the first three layers of the way up."""
    patch_width: Annotated[int, AtLeast(1)] = 32
    """Channels of the discriminator's first layer."""
    strides: Annotated[tuple[int, ...], AtLeast(1)] = (1,)
    """Strides of the discriminator's layers but the last: 1 sees patches of 7 x 7 pixels, 2 1 of 16 x 16, 2 2 2 1 of 70 x 70."""
    absolute_weight: Annotated[float, AtLeast(0)] = 100.0
    """Weight of the absolute error, for pixels in -1..1."""
    metric: Fixed = "absolute_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("strides", len(self.strides) > 0, "at least one number")
        self._require(_mixing(self), not _mixing(self), "off where images show both domains")


@dataclass(frozen=True)
class UnpairedRecipe(Recipe):
    """CycleGAN: two residual networks translate back and forth between two sets of images, of which no pairs are used."""

    domains: Literal[DOMAINS] = "blurred"
    """The two sets: coarse or blurred images and images; images and inverted ones; or the halves of images that show one of each.
    """
    width: Annotated[int, AtLeast(1)] = 16
    """Channels of the translators at full resolution; doubled whenever the size is halved."""
    halvings: Annotated[int, AtLeast(0)] = 0
    """How often a translator halves an image."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of a translator."""
    patch_width: Annotated[int, AtLeast(1)] = 32
    """Channels of a discriminator's first layer."""
    strides: Annotated[tuple[int, ...], AtLeast(1)] = (1,)
    """Strides of a discriminator's layers but the last: 1 sees patches of 7 x 7 pixels, 2 1 of 16 x 16, 2 2 2 1 of 70 x 70."""
    cycle_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the absolute error of a cycle."""
    identity_weight: Annotated[float, AtLeast(0)] = 5.0
    """Weight of the absolute error of images that are in the domain of the outputs already."""
    history: Annotated[int, AtLeast(1)] = 50
    """Former translations of which a discriminator is shown one in place of every second new one."""
    metric: Fixed = "recognized"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        self._require("strides", len(self.strides) > 0, "at least one number")
        self._require(_mixing(self), not _mixing(self), "off where images show both domains")
        made = self.domains in MADE
        self._require("batch_size", not made or self.batch_size > 1, "at least 2, since every second image is made one of Y")


def _mixing(recipe):
    """The augmentation that is for one image and would mix two halves; an empty string if there is none."""
    found = [name for name in ("augment_flip", "augment_shift") if recipe.domains in SIDES and getattr(recipe, name)]
    return found[0] if found else ""


class Pix2pix(nn.Module):
    """A translator, and a discriminator of inputs with their outputs. Images are in [0, 1] outside, in [-1, 1] inside."""

    explains = {
        "absolute_error": Metric("1", "mean absolute error of translated held-out images, for pixels in 0..1"),
        "absolute_error_of_inputs": Metric("1", "the same for the inputs themselves"),
        "frechet_distance": JUDGED["frechet_distance"],
    }
    phases = (Phase("discriminator", ("discriminator",)), Phase("translator", ("translator",)))

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.generator = recipe, None
        sizes = {"channels": shape[0], "width": recipe.width, "halvings": recipe.depth}
        self.translator = UnetTranslator(dropout=recipe.dropout, **sizes)
        patches = {"width": recipe.patch_width, "strides": recipe.strides}
        self.discriminator = PatchDiscriminator(channels=2 * shape[0], **patches)
        self.register_buffer("kept", torch.zeros(_KEPT, *shape))

    def start(self, batch):
        """Keep the first inputs, for samples."""
        _keep(self.kept, _pairs(self.recipe, batch["image"])[0])

    def forward(self, batch, phase):
        """The mean loss of one player."""
        x, y = map(_inside, _pairs(self.recipe, batch["image"]))
        fakes = self.translator(x)
        if phase == "translator":
            losses = pix2pix_generator_loss(self._logits(x, fakes), fakes, y, absolute_weight=self.recipe.absolute_weight)
            return losses.mean(), {"absolute_error": mean_absolute_error(fakes.detach(), y).mean() / 2}
        real, fake = self._logits(x, y), self._logits(x, fakes.detach())
        seen = {"real": real.detach().sigmoid().mean(), "fake": fake.detach().sigmoid().mean()}
        return discriminator_loss(real.flatten(), fake.flatten()).mean() / 2, seen

    def evaluate(self, data):
        """How far translations are from the outputs that belong to them, and from images like them."""
        x, y = _pairs(self.recipe, data.batch(torch.arange(min(len(data), 1000)))["image"])
        translated = _translated(self.translator, x)
        return {
            "absolute_error": float(mean_absolute_error(translated, y).mean()),
            "absolute_error_of_inputs": float(mean_absolute_error(x, y).mean()),
            "frechet_distance": Judge(y).frechet_distance(translated, y),
        }

    def preview(self, data):
        """Held-out inputs, their translations, and the outputs that belong to them."""
        x, y = _pairs(self.recipe, data.batch(torch.arange(min(len(data), 12)))["image"])
        words = f"Inputs, translations, outputs; the discriminator's patches have {_size(self.discriminator)}"
        return {"translations": ImageGrid(torch.cat([x, _translated(self.translator, x), y]), len(x), words)}

    def sample(self, count):
        """Translations of the first inputs of the training, in turn."""
        return _samples(self.translator, self.kept, count)

    def _logits(self, x, y):
        return self.discriminator(torch.cat([x, y], dim=1)).float()


class CycleGan(nn.Module):
    """Translators from X to Y and back, each with a discriminator. Images are in [0, 1] outside, in [-1, 1] inside."""

    explains = {
        "recognized": Metric("fraction", "translated held-out images that a classifier of real outputs gives their class"),
        "recognized_real": Metric("fraction", "the same for the true translations"),
        "absolute_error": Metric("1", "mean absolute error of translations from the true ones, for pixels in 0..1"),
        "cycle_error": Metric("1", "mean absolute error of held-out images after a cycle, for pixels in 0..1"),
        "frechet_distance": JUDGED["frechet_distance"],
    }
    phases = (Phase("discriminators", ("of_x", "of_y")), Phase("translators", ("to_x", "to_y")))

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.generator = recipe, None
        sizes = {"channels": shape[0], "width": recipe.width, "halvings": recipe.halvings, "blocks": recipe.blocks}
        patches = {"channels": shape[0], "width": recipe.patch_width, "strides": recipe.strides}
        self.to_x, self.to_y = ResidualTranslator(**sizes), ResidualTranslator(**sizes)
        self.of_x, self.of_y = PatchDiscriminator(**patches), PatchDiscriminator(**patches)
        self.former_x, self.former_y = (_History(recipe.history, shape) for _ in range(2))
        self.register_buffer("kept", torch.zeros(_KEPT, *shape))

    def start(self, batch):
        """Keep the first images of X, for samples."""
        _keep(self.kept, _unpaired(self.recipe, batch["image"])[0])

    def forward(self, batch, phase):
        """The mean loss of both discriminators, or of both translators."""
        x, y = map(_inside, _unpaired(self.recipe, batch["image"]))
        if phase == "discriminators":
            with torch.no_grad():
                fake_x, fake_y = self.to_x(y), self.to_y(x)
            fake_x, fake_y = self.former_x(fake_x, self.generator), self.former_y(fake_y, self.generator)
            losses = [
                patch_discriminator_loss(judge(real).float(), judge(fake).float()).mean()
                for judge, real, fake in ((self.of_x, x, fake_x), (self.of_y, y, fake_y))
            ]
            return sum(losses), {"of_x": losses[0].detach(), "of_y": losses[1].detach()}
        fake_y, same_y = self.to_y(torch.cat([x, y])).chunk(2)
        fake_x, same_x = self.to_x(torch.cat([y, x])).chunk(2)
        weights = {"cycle_weight": self.recipe.cycle_weight, "identity_weight": self.recipe.identity_weight}
        there = cycle_generator_loss(self.of_y(fake_y).float(), x, self.to_x(fake_y), y, same_y, **weights)
        back = cycle_generator_loss(self.of_x(fake_x).float(), y, self.to_y(fake_x), x, same_x, **weights)
        return (there + back).mean(), {}

    def evaluate(self, data):
        """How far translations are from real outputs, and, where these are known, from their own; what a cycle gives back."""
        batch = data.batch(torch.arange(min(len(data), 1000)))
        x, y = _unpaired(self.recipe, batch["image"])
        translated, judge = _translated(self.to_y, x), Judge(y)
        found = {
            "cycle_error": float(mean_absolute_error(_translated(self.to_x, translated), x).mean()),
            "frechet_distance": judge.frechet_distance(translated, y),
        }
        if self.recipe.domains in SIDES:
            return found
        true = _pairs(self.recipe, batch["image"])[1][: 2 * len(x) : 2]
        found["absolute_error"] = float(mean_absolute_error(translated, true).mean())
        if "label" not in batch:
            return found
        labels, of_y = batch["label"][: 2 * len(x) : 2].cpu(), batch["label"][1::2]
        judge = Judge(y, of_y)
        shown = {"recognized": translated, "recognized_real": true}
        return found | {name: float((judge.classify(images) == labels).double().mean()) for name, images in shown.items()}

    def preview(self, data):
        """Held-out images of both sets, their translations, and what comes back."""
        x, y = (images[:12] for images in _unpaired(self.recipe, data.batch(torch.arange(min(len(data), 24)))["image"]))
        shown = {}
        for name, images, there, back in (("from_x", x, self.to_y, self.to_x), ("from_y", y, self.to_x, self.to_y)):
            translated = _translated(there, images)
            words = f"Inputs, translations, cycles; the discriminators' patches have {_size(self.of_y)}"
            shown[name] = ImageGrid(torch.cat([images, translated, _translated(back, translated)]), len(images), words)
        return shown

    def sample(self, count):
        """Translations of the first images of X, in turn."""
        return _samples(self.to_y, self.kept, count)

    def into_x(self, images):
        """Images of Y, translated into X."""
        return _translated(self.to_x, images)


class _History(nn.Module):
    """Former translations. Once it is full, every second image, drawn, is exchanged for a former one that is drawn, too.

    Of a batch of more images only as many take part as the history has.
    """

    def __init__(self, size, shape):
        super().__init__()
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def forward(self, images, generator):
        """What a discriminator is shown in place of the images."""
        size, device = len(self.images), images.device
        new, rest = images[:size], images[size:]
        drawn = torch.randperm(size, generator=generator, device=device)[: len(new)]
        exchanged = torch.rand(len(new), generator=generator, device=device) < 0.5
        full = self.filled >= size
        places = torch.where(full, drawn, (self.filled + torch.arange(len(new), device=device)) % size)
        former, apart = self.images[places], (slice(None), None, None, None)
        self.images[places] = torch.where((exchanged | ~full)[apart], new.to(former.dtype), former)
        self.filled += len(new)
        return torch.cat([torch.where((exchanged & full)[apart], former.to(new.dtype), new), rest])


def _pairs(recipe, images):
    """Inputs and the outputs that belong to them, in [0, 1]."""
    if recipe.domains in MADE:
        return MADE[recipe.domains](images)
    return SIDES[recipe.domains](*images.chunk(2, dim=3))


def _unpaired(recipe, images):
    """As many images of X as of Y. Of an image from which both could be made only one is: no pair is ever seen."""
    x, y = _pairs(recipe, images)
    return (x, y) if recipe.domains in SIDES else (x[: len(x) // 2 * 2 : 2], y[1::2])


def _inside(images):
    return scale_to_range(images, minimum=0.0, maximum=1.0)


def _translated(translator, images):
    """Translations in [0, 1] of images in [0, 1], some at a time."""
    found = [translator(_inside(some)).float() for some in images.split(_AT_ONCE)]
    return scale_to_range(torch.cat(found), minimum=-1.0, maximum=1.0, low=0.0, high=1.0)


def _keep(kept, images):
    """Fill `kept` with the images, in turn."""
    kept.copy_(images[torch.arange(len(kept)) % len(images)])


def _samples(translator, kept, count):
    inputs = kept[torch.arange(count, device=kept.device) % len(kept)]
    both = torch.stack([inputs, _translated(translator, inputs)], dim=1).flatten(0, 1)
    return {"translations": ImageGrid(both, 8, "Inputs, each with its translation to the right of it")}


def _size(discriminator):
    """Of its patches."""
    side = patch_receptive_field(kernels=discriminator.kernels, strides=discriminator.strides)
    return f"{side} x {side} pixels"


def _scores(shape, strides):
    """Scores of a discriminator along both sides of an image, 0 or less if there are none."""
    sides = shape[1:]
    for stride in (*strides, 1):
        sides = [(side - 2) // stride + 1 for side in sides]
    return sides


def build(recipe, data):
    """The players that a recipe describes.

    Raises DataError where images cannot be halved as often as the translator does, or are too small for the discriminator.
    """
    paired, parts = isinstance(recipe, PairedRecipe), 1 if recipe.domains in MADE else 2
    channels, height, width = data.description["shape"]
    given = f"{data.description['name']} has images of {height} x {width} pixels" + (", each of two halves" if parts == 2 else "")
    step = max(2 ** (recipe.depth if paired else recipe.halvings), 2 if recipe.domains == "coarse" else 1)
    if height % step or width % (parts * step):
        raise DataError(f"{given}; what is translated must have sides that {step} divides: crop or resize, or halve less often")
    shape = channels, height, width // parts
    if min(_scores(shape, recipe.strides)) < 1:
        raise DataError(f"{given}, too small for a discriminator with strides {recipe.strides}: choose fewer or smaller ones")
    return Pix2pix(recipe, shape) if paired else CycleGan(recipe, shape)


_DIGITS = {"data": "digits", "held_out": 0.2, "learning_rate": 1e-3, "beta1": 0.5, "evaluate_every": 500, "checkpoint_every": 500}
_SIXTY_FOUR = {"learning_rate": 2e-4, "beta1": 0.5, "batch_size": 1, "width": 64, "patch_width": 64, "strides": (2, 2, 2, 1)}
_RARELY = {"evaluate_every": 10_000, "checkpoint_every": 10_000}
RECIPES = {
    # Measured with seeds 0 and 1, in 22 seconds of one core: 0.059 and 0.060; the coarse digits themselves: 0.15. With the
    # absolute error from the target of another example: 0.15.
    "digits": PairedRecipe(steps=1500, batch_size=64, target=0.066, **_DIGITS),
    # Measured with seeds 0 and 1, in a minute of one core: 0.89 and 0.88 (after half of the steps 0.88 already); of the blurred
    # digits themselves 0.44 and 0.60. Translators with the label of fakes for their target, after 1000 steps: 0.35. Inverted
    # digits, as long: a cycle gives them back with an error of 0.06, but 0.04 are recognized, and 0.07 without the identity loss.
    # The cycle is that of an unintended translation.
    "digits_unpaired": UnpairedRecipe(steps=2000, batch_size=32, target=0.82, **_DIGITS),
    # The networks, losses and optimizer of Isola et al. 2017, 200 epochs, without the random crops and mirror images. Dropout is
    # off in evaluations.
    "facades": PairedRecipe(
        data="facades", domains="right_to_left", steps=80_000, depth=8, dropout=0.5, held_out=0.34, **_SIXTY_FOUR, **_RARELY
    ),
    # Those of Zhu et al. 2017, about 200 epochs, with a constant learning rate where theirs falls to 0 in the second half, and
    # without crops and mirror images.
    "horse2zebra": UnpairedRecipe(
        data="horse2zebra", domains="left_to_right", steps=240_000, halvings=2, blocks=9, metric="frechet_distance",
        direction="lower", **_SIXTY_FOUR, **_RARELY,
    ),
}  # fmt: skip

_BERKELEY = "https://efrosgans.eecs.berkeley.edu"
_SIDE_BY_SIDE = {"shape": [3, 256, 512]}
_PARTS = Difference("augmentation", "random parts of enlarged images, half of them mirrored", "whole images", "not known")
PUBLISHED = {
    "facades": Published(
        f"CMP Facades, 606 photographs, each to the left of its labels ({_BERKELEY}/pix2pix/datasets/facades.tar.gz)",
        "",
        "absolute error",
        None,
        "Isola et al. 2017 show facades, and measure other data: people, and a network that reads labels from photographs",
        facts=_SIDE_BY_SIDE,
        differences=(_PARTS, Difference("dropout", "also in evaluations", "in training alone", "not known")),
    ),
    "horse2zebra": Published(
        f"1067 horses and 1334 zebras of ImageNet ({_BERKELEY}/cyclegan/datasets/horse2zebra.zip), one of each in an image",
        "mkdir horse2zebra; paste <(ls trainA/* trainA/* | head -n 1334) <(ls trainB/*) | nl | "
        "while read n a b; do convert $a $b +append horse2zebra/$n.png; done",
        "FID of the zebras made of 120 test horses",
        77.2,
        "CycleGAN in Park et al. 2020, table 1, as a survey's notes on the paper give it",
        facts=_SIDE_BY_SIDE,
        quoted="horse -> zebra FID: CycleGAN 77.2 vs CUT 45.5 vs FastCUT 73.4",
        differences=(
            _PARTS,
            Difference("schedule", "a learning rate that falls to 0 in the second half", "a constant one", "not known"),
        ),
    ),
}
