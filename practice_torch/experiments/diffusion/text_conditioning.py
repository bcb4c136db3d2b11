"""Text to image: a diffusion model of captioned pictures; pixels attend to the words of the caption."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
from torch import nn
from torch.nn.functional import interpolate

from practice_torch.data.errors import DataError
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.simple_loss import simple_loss
from practice_torch.diffusion.text_conditioning import CaptionedUNet, CrossAttention
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.judging.image_judge import references
from practice_torch.experiments.media.captions import PLACES, STROKES, CaptionJudge, Captions, canvas, picture
from practice_torch.experiments.sampling.diffusion_sampling import chain, draw, guided
from practice_torch.experiments.training.unet_sizes import unet_of
from practice_torch.pictures.captions import attended, captioned

ATTRIBUTES = ("class", "stroke", "place")


@dataclass(frozen=True)
class TextRecipe(Recipe):
    """Text to image, on captions like "a thin seven to the left", made from images and their classes."""

    base_channels: Annotated[int, AtLeast(1)] = 24
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""
    num_steps: Annotated[int, AtLeast(2)] = 200
    """Number of noise levels."""
    text_width: Annotated[int, AtLeast(1)] = 32
    """Width of the transformer that reads the caption."""
    text_layers: Annotated[int, AtLeast(1)] = 1
    """Layers of the transformer that reads the caption."""
    drop_probability: Annotated[float, AtLeast(0, at_most=1)] = 0.1
    """Share of the captions that are left out in training, for guidance."""
    guidance: Annotated[float, AtLeast(0)] = 2.0
    """Classifier-free guidance scale of the samples; 1: none."""
    judged_samples: Annotated[int, AtLeast(2)] = 500
    """Number of samples in an evaluation."""
    judged_steps: Annotated[int, AtLeast(1)] = 20
    """DDIM steps for the samples."""
    metric: Fixed = "attribute_accuracy"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        self._require("judged_steps", self.judged_steps <= self.num_steps, f"at most num_steps ({self.num_steps})")


class TextExperiment(nn.Module):
    """Strokes, places and captions are drawn at random for every batch."""

    explains = {
        "attribute_accuracy": Metric("fraction", "of class, stroke and place, as requested; 0.31 by chance"),
        **{f"{name}_accuracy": Metric("fraction", f"samples with the {name} that was requested") for name in ATTRIBUTES},
        "all_accuracy": Metric("fraction", "samples with all three"),
        "attribute_accuracy_unguided": Metric("fraction", "of class, stroke and place, as requested, without guidance"),
        "attribute_accuracy_real": Metric("fraction", "of held-out pictures, by the same judge"),
        "loss": Metric("squared error", "mean squared error of the noise in held-out pictures"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__()
        if not description["classes"]:
            raise DataError(f"{description['name']} has no classes, which captions are made of")
        self.recipe, self.generator, self.shape = recipe, None, canvas(description["shape"])
        self.captions = Captions(description["classes"])
        try:
            self.network = unet_of(
                recipe,
                self.shape,
                kind=CaptionedUNet,
                vocabulary_size=len(self.captions.words),
                words=self.captions.length,
                text_width=recipe.text_width,
                text_layers=recipe.text_layers,
            )
        except ValueError as error:
            raise DataError(f"pictures of {description['name']} do not fit the network: {error}") from None
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_steps=recipe.num_steps))
        self.register_buffer("tokens", self.captions.tokens, persistent=False)
        self.register_buffer("nothing", self.captions.nothing(), persistent=False)

    @cached_property
    def _judge(self):
        train = load_data(self.recipe)[0]
        train = train.batch(references(len(train)))
        return CaptionJudge(train["image"], train["label"])

    def forward(self, batch, phase):
        """The mean squared error of the noise in pictures with captions, some of which are left out."""
        x0, tokens, _ = self._captioned(batch)
        dropped = torch.rand(len(x0), 1, generator=self.generator, device=x0.device) < self.recipe.drop_probability
        return self._losses(x0, torch.where(dropped, self.nothing, tokens)).mean(), {}

    def evaluate(self, data):
        """Share of samples that match their captions, and the loss on held-out pictures."""
        batch = data.batch(torch.arange(min(len(data), 1000)))
        x0, tokens, asked = self._captioned(batch)
        real = self._right((x0 + 1) / 2, asked)
        metrics = {"loss": self._losses(x0, tokens).mean().item(), "attribute_accuracy_real": real.mean().item()}
        asked = self._asked(self.recipe.judged_samples)
        tokens = self._tokens(asked)
        right = self._right(self._drawn(tokens, self.recipe.guidance), asked)
        unguided = self._right(self._drawn(tokens, 1.0), asked)
        metrics |= {f"{name}_accuracy": each for name, each in zip(ATTRIBUTES, right.mean(1).tolist(), strict=True)}
        return metrics | {
            "attribute_accuracy": right.mean().item(),
            "all_accuracy": right.prod(0).mean().item(),
            "attribute_accuracy_unguided": unguided.mean().item(),
        }

    def preview(self, data):
        """Samples with their captions; and which words the pixels of noisy pictures attend to."""
        x0, tokens, _ = self._captioned(data.batch(torch.arange(min(len(data), 4))))
        t = torch.full((len(x0),), max(1, self.recipe.num_steps // 2), device=x0.device)
        maps = self._attention(forward_sample(x0, t, self._noise(len(x0)), self.alpha_bar), t, tokens)
        words = [[self.captions.words[token] for token in row if token] for row in tokens.tolist()]
        caption = (
            "Held-out pictures, and how much their pixels attend to each word of the caption when they are half noise: the mean "
            "over all layers and heads, brightest at 1"
        )
        shown = attended(((x0 + 1) / 2).clamp(0, 1).cpu(), maps.cpu(), words)
        return {**self.sample(24), "attention": Figure(shown, caption, (8.0, 5.0))}

    def sample(self, count):
        """Pictures of captions drawn at random."""
        tokens = self._tokens(self._asked(count))
        pictures = self._drawn(tokens, self.recipe.guidance).cpu()
        texts = [self.captions.text(row) for row in tokens.cpu()]
        caption = f"Drawn for the captions, in {self.recipe.judged_steps} steps with guidance {self.recipe.guidance:g}"
        return {"samples": Figure(captioned(pictures, texts, 4), caption, (8.0, 1.1 * math.ceil(count / 4)))}

    def _captioned(self, batch):
        """Pictures on [-1, 1], the tokens of their captions, and class, stroke and place."""
        label = batch["label"]
        stroke, place = self._attributes(len(label))
        asked = torch.stack([label, stroke, place])
        return 2 * picture(batch["image"], stroke, place) - 1, self._tokens(asked), asked

    def _attributes(self, count):
        of_stroke, of_place = torch.rand(2, count, generator=self.generator, device=self.alpha_bar.device)
        return (of_stroke * len(STROKES)).long(), (of_place * len(PLACES)).long()

    def _asked(self, count):
        """Class, stroke and place, [3, count], the classes in turn."""
        label = torch.arange(count, device=self.alpha_bar.device) % len(self.captions.names)
        return torch.stack([label, *self._attributes(count)])

    def _tokens(self, asked):
        """Captions of these attributes, each in a form drawn at random: [3, B] -> [B, M]."""
        forms = torch.rand(asked.shape[1], generator=self.generator, device=asked.device) * self.tokens.shape[3]
        return self.tokens[*asked, forms.long()]

    def _losses(self, x0, tokens):
        """The squared error of the noise, per pixel, [B], at a level drawn for each."""
        uniforms = torch.rand(len(x0), generator=self.generator, device=x0.device)
        t = timesteps_from_uniforms(uniforms, num_steps=self.recipe.num_steps)

        def denoise(x, t):
            return self.network(x, t, tokens).float()

        return simple_loss(x0, t, self._noise(len(x0)), denoise, self.alpha_bar) / x0[0].numel()

    def _drawn(self, tokens, scale):
        """Pictures in [0, 1], one for each caption."""
        steps = chain(self.alpha_bar, steps=self.recipe.judged_steps, prediction="noise", sampler="ddim")
        drawn = []
        for rows in tokens.split(300):
            predict = guided(self.network, rows, self.nothing, scale)
            drawn.append(draw(predict, self._noise(len(rows)), steps, limit=1.0, generator=self.generator))
        return ((torch.cat(drawn).clone() + 1) / 2).clamp(0, 1)

    def _right(self, pictures, asked):
        """Whether class, stroke and place are as requested, [3, N] of 0 and 1."""
        judged = self._judge.tell(pictures)
        return torch.stack([each == wanted for each, wanted in zip(judged, asked.cpu(), strict=True)]).double()

    def _attention(self, x, t, tokens):
        """The weights of the words at every pixel, [B, M, H, W]: the mean over the layers, coarse ones repeated."""
        seen = []

        def keep(layer, given, _):
            seen.append(interpolate(layer.weights(*given), size=x.shape[2:]))

        layers = [module for module in self.network.modules() if isinstance(module, CrossAttention)]
        hooks = [layer.register_forward_hook(keep) for layer in layers]
        try:
            self.network(x, t, tokens)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack(seen).mean(0)

    def _noise(self, count):
        return torch.randn(count, *self.shape, generator=self.generator, device=self.alpha_bar.device)


RECIPES = {
    # Measured with seed 0, in three and a half minutes of one core: 0.975 (held-out pictures: 0.992), of which class 0.95, stroke
    # 1.00 and place 0.98, and all three right in 93%; without guidance 0.885. 1200 steps had 0.908. The digit attends to the
    # words for class and stroke, the empty side of the canvas to that for the place.
    "digits": TextRecipe(
        data="digits",
        steps=2000,
        batch_size=64,
        blocks=1,
        attention_at=(8, 4),
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.99,
        clip_norm=1.0,
        held_out=0.2,
        target=0.93,
        evaluate_every=2000,
        checkpoint_every=1000,
    ),
    # sized for one H100 and not yet trained there
    "mnist": TextRecipe(
        data="mnist",
        num_steps=1000,
        base_channels=64,
        multipliers=(1, 2, 2),
        attention_at=(14, 7),
        compact=False,
        text_width=128,
        text_layers=2,
        steps=20_000,
        batch_size=256,
        learning_rate=4e-4,
        warmup_steps=500,
        schedule="cosine",
        average_decay=0.999,
        clip_norm=1.0,
        judged_steps=50,
        precision="bfloat16",
        evaluate_every=5000,
        checkpoint_every=2500,
    ),
}


def build(recipe, data):
    """The experiment of a recipe for images with classes."""
    return TextExperiment(recipe, data.description)
