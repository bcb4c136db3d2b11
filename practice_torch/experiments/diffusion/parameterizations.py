"""One U-Net on images, trained three times: it predicts the noise, the data or the velocity."""

import itertools
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.parameterizations import convert_prediction, loss_ratio, noise_from_x0, velocity
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.training.unet_sizes import unet_of


@dataclass(frozen=True)
class PredictionRecipe(Recipe):
    """One U-Net that predicts the noise, the data or the velocity, judged by its error of the data at the weight min(SNR, limit).

    What differs between the recipes is the form in which the network gives its answer, and nothing else.
    """

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
    prediction: Literal["noise", "x0", "velocity"] = "velocity"
    """Prediction target of the network."""
    num_steps: Annotated[int, AtLeast(3)] = 200
    """Number of noise levels, on the cosine schedule."""
    snr_limit: Annotated[float, Above(0)] = 5.0
    """Maximum weight of a squared error of the data, min(SNR, limit)."""
    sampling_steps: Annotated[int, AtLeast(1)] = 20
    """Network evaluations for a sample."""
    metric: Fixed = "weighted_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("sampling_steps", self.sampling_steps <= self.num_steps, f"at most num_steps ({self.num_steps})")


class PredictionExperiment(nn.Module):
    """Learns to see images through noise, and draws new ones by seeing less and less of it."""

    explains = {
        "weighted_error": Metric("squared error", "error of the data under the weighting of the loss, over all levels"),
        "error_clean": Metric("squared error", "error of the data in the third of the levels with the least noise"),
        "error_middle": Metric("squared error", "error of the data in the middle third of the levels"),
        "error_noisy": Metric("squared error", "error of the data in the third of the levels with the most noise"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator, self.shares = recipe, tuple(shape), None, ALONE
        self.network = unet_of(recipe, self.shape)
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_steps=recipe.num_steps))

    def forward(self, batch, phase):
        """The mean squared error of the data, weighted by min(SNR, limit), per pixel."""
        x0 = 2 * batch["image"] - 1
        t = torch.randint(1, self.recipe.num_steps + 1, x0.shape[:1], generator=self.generator, device=x0.device)
        return self._errors(x0, t, self._noise(len(x0)))[0].mean(), {}

    def evaluate(self, data):
        """The weighted error over all steps, and the plain error of the data in the clean, middle and noisy third of them."""
        thirds = torch.arange(1, self.recipe.num_steps + 1).tensor_split(3)
        sums = torch.zeros(2, 3, dtype=torch.float64)
        for number, indices in enumerate(torch.arange(len(data)).split(256)):
            x0 = 2 * data.batch(indices)["image"] - 1
            noises = [self._noise(len(x0)) for _ in thirds]
            for i, steps in enumerate(thirds) if self.shares.takes(number) else ():
                t = steps[indices % len(steps)].to(x0.device)  # every step, independent of the generator
                sums[:, i] += torch.stack(self._errors(x0, t, noises[i])).sum(1).double().cpu() / len(data)
        sums = sum(self.shares.together([sums]))
        shares = torch.tensor([len(steps) for steps in thirds]) / self.recipe.num_steps
        clean, middle, noisy = sums[1].tolist()
        return {
            "weighted_error": (sums[0] * shares).sum().item(),
            "error_clean": clean,
            "error_middle": middle,
            "error_noisy": noisy,
        }

    def preview(self, data):
        """Held-out images, noised, and what the network takes them for; and new images."""
        x0 = 2 * data.batch(torch.arange(min(len(data), 4)))["image"] - 1
        t = torch.linspace(self.recipe.num_steps / 8, self.recipe.num_steps, 5, device=x0.device).round().long().clamp(min=1)
        x0, t = x0.repeat_interleave(len(t), 0), t.repeat(len(x0))
        x_t = forward_sample(x0, t, self._noise(len(x0)), self.alpha_bar)
        seen = self._data(self.network(x_t, t), x_t, t)
        rows = torch.stack([x0, x_t, seen], 1).flatten(0, 1)
        caption = "Held-out images, each with its noised version and the predicted data; noise increases to the right"
        return {"denoised": ImageGrid((rows + 1) / 2, 15, caption), **self.sample(64)}

    def sample(self, count):
        """Images from pure noise. A step names the data, clips them, re-derives the noise from them and goes to a level below."""
        steps = torch.linspace(self.recipe.num_steps, 0, self.recipe.sampling_steps + 1).round().long().tolist()

        def draw(rows):
            x = self._noise(len(rows))
            for now, after in itertools.pairwise(steps):
                t, s = (torch.full((len(x),), step, device=x.device) for step in (now, after))
                x0 = self._data(self.network(x, t), x, t)
                x = forward_sample(x0, s, noise_from_x0(x, x0, t, self.alpha_bar), self.alpha_bar)
            return x

        x = self.shares.rows(draw, torch.arange(count))
        return {"samples": ImageGrid((x + 1) / 2, 8, f"Drawn in {self.recipe.sampling_steps} steps from noise")}

    def _errors(self, x0, t, noise):
        """Weighted and plain squared error of the data per pixel, [B] each."""
        x_t = forward_sample(x0, t, noise, self.alpha_bar)
        kind = self.recipe.prediction
        wanted = {"noise": noise, "x0": x0, "velocity": velocity(x0, noise, t, self.alpha_bar)}[kind]
        error = (self.network(x_t, t) - wanted).square().flatten(1).mean(1)
        of_data = loss_ratio(t, self.alpha_bar, target="x0") / loss_ratio(t, self.alpha_bar, target=kind)
        snr = 1 / loss_ratio(t, self.alpha_bar, target="x0")
        return snr.clamp(max=self.recipe.snr_limit) * of_data * error, of_data * error

    def _data(self, prediction, x_t, t):
        x0 = convert_prediction(prediction, x_t, t, self.alpha_bar, source=self.recipe.prediction, target="x0")
        return x0.clamp(-1, 1)

    def _noise(self, count):
        return torch.randn(count, *self.shape, generator=self.generator, device=self.alpha_bar.device)


_DIGITS = dict(
    data="digits",
    steps=1200,
    batch_size=128,
    learning_rate=2e-3,
    schedule="cosine",
    average_decay=0.995,
    held_out=0.2,
    evaluate_every=600,
    checkpoint_every=600,
    target=0.083,
)

RECIPES = {
    # measured, in two and a half minutes on one core: weighted errors of .0787, .0783 and .0777, and .109 after 100 steps. In the
    # noisy third the plain error of the data is .27 for x0 and velocity, and 260 for the noise: its x_0 divides by sqrt(a_t).
    "noise": PredictionRecipe(prediction="noise", **_DIGITS),
    "x0": PredictionRecipe(prediction="x0", **_DIGITS),
    "velocity": PredictionRecipe(prediction="velocity", **_DIGITS),
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return PredictionExperiment(recipe, data.description["shape"])
