"""A vocoder: waveforms drawn by diffusion, given their log-mel spectrograms, in as many steps as one likes."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from practice_torch.diffusion.ancestral_sampling import ddpm_sample
from practice_torch.diffusion.audio_diffusion import Vocoder, noise_at_level, sample_noise_level
from practice_torch.diffusion.dpm_solver import half_log_snr
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.engine.artifacts import Audio
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.evaluation.frechet_audio_distance import log_mel_spectrogram, mel_filterbank
from practice_torch.experiments.codes.sound_codes import nearest_note
from practice_torch.experiments.media.published_data import LJ_SPEECH, PREPARE_LJ_SPEECH
from practice_torch.experiments.media.published_differences import DIFFWAVE_VOCODER

_FLOOR = 1e-6  # power of a mel band below which there is silence; a tone at full scale has 1/4
_KEPT = 16  # spectrograms of training sounds that a model keeps, to be sampled without its data


@dataclass(frozen=True)
class VocoderRecipe(Recipe):
    """A diffusion model of waveforms, given their log-mel spectrograms (DiffWave), told the noise level (WaveGrad)."""

    modality: ClassVar[str] = "audio"
    data: str = "notes"
    """notes (synthesized), or the path of your own folder of wav and flac files."""
    sample_rate: Annotated[int, AtLeast(1)] = 4000
    """Sample rate in Hz; files of other rates are resampled."""
    length: Annotated[int, AtLeast(1)] = 512
    """Samples in an example; a longer sound is cut, or gives several; a shorter one is padded with silence."""
    skip_unusable: bool = False
    """Skip files that are damaged, empty or not finite, and list them, instead of stopping at the first."""
    window: Annotated[int, AtLeast(2)] = 256
    """Samples in a frame of the spectrogram; even."""
    num_filters: Annotated[int, AtLeast(1)] = 32
    """Mel bands of the spectrogram."""
    strides: Annotated[tuple[int, ...], AtLeast(2)] = (4, 8)
    """Upsampling factors, even; frames are their product apart."""
    width: Annotated[int, AtLeast(1)] = 24
    """Channels of every block."""
    layers: Annotated[int, AtLeast(1)] = 7
    """Number of blocks."""
    cycle: Annotated[int, AtLeast(1)] = 7
    """Blocks after which the dilations 1, 2, 4, ... begin again at 1."""
    gain: Annotated[float, Above(0)] = 4.0
    """Factor applied to sounds; the schedule assumes a mean square near 1."""
    num_steps: Annotated[int, AtLeast(2)] = 50
    """Number of noise levels of the schedule, whose betas are linear; training draws levels between them."""
    beta_end: Annotated[float, Above(0, below=1)] = 0.2
    """Last beta of the schedule; the first is 0.0001."""
    quick_steps: Annotated[int, AtLeast(2)] = 6
    """Number of steps of the quick sampler, evenly spaced in the log-SNR."""
    measured_sounds: Annotated[int, AtLeast(2)] = 52
    """Number of held-out sounds in an evaluation."""
    metric: Fixed = "relative_error"

    def __post_init__(self):
        super().__post_init__()
        hop = math.prod(self.strides)
        self._require("strides", all(stride % 2 == 0 for stride in self.strides), "even numbers")
        self._require("length", self.length % hop == 0, f"a multiple of the product of strides ({hop})")
        self._require("window", self.window % 2 == 0 and self.window >= hop, f"even, and at least the product of strides ({hop})")

    def alpha_bar(self):
        """The schedule, [T+1]."""
        return linear_alpha_bar(num_steps=self.num_steps, beta_start=1e-4, beta_end=self.beta_end)

    def quick_alpha_bar(self):
        """The schedule of the quick sampler: from the last level to the first, none of the levels between of the other one."""
        first, last = half_log_snr(self.alpha_bar()[[1, -1]])
        levels = torch.lerp(first, last, torch.linspace(0, 1, self.quick_steps))
        return torch.cat([torch.ones(1), (2 * levels).sigmoid()])


class VocoderExperiment(nn.Module):
    """Learns the noise in a sound at any level, given the spectrogram of the sound."""

    explains = {
        "relative_error": Metric("ratio", "mean distance of the log-mel spectrograms of a held-out sound and of the vocoder's, "
                                 "over the distance of two held-out sounds"),
        "quick_error": Metric("ratio", "the same for the quick sampler"),
        "pitch_accuracy": Metric("fraction", "held-out notes whose vocoded sound is nearest to their own note"),
    }  # fmt: skip
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.frequencies = description.get("frequencies")  # of the classes, where they are notes
        self.network = Vocoder(
            width=recipe.width, layers=recipe.layers, cycle=recipe.cycle, bands=recipe.num_filters, strides=recipe.strides
        )
        hann = torch.hann_window(recipe.window)
        filters = mel_filterbank(num_filters=recipe.num_filters, fourier_length=recipe.window, sample_rate=recipe.sample_rate)
        constants = {
            "alpha_bar": recipe.alpha_bar(),
            "quick": recipe.quick_alpha_bar(),
            "hann": hann / hann.sum(),
            "filters": filters,
        }
        for name, values in constants.items():
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("kept", torch.zeros(_KEPT, recipe.num_filters, recipe.length // math.prod(recipe.strides)))

    def start(self, batch):
        """Keeps the spectrograms of a few training sounds, for samples."""
        sounds = batch["audio"]
        self.kept.copy_(self._spectrogram(sounds[torch.arange(_KEPT) % len(sounds)]))

    def forward(self, batch, phase):
        """The mean squared error of the noise, at levels drawn between those of the schedule."""
        x0 = self.recipe.gain * batch["audio"]
        of_step, of_level = torch.rand(2, len(x0), generator=self.generator, device=x0.device)
        t = timesteps_from_uniforms(of_step, num_steps=self.recipe.num_steps)
        level, noise = sample_noise_level(of_level, t, self.alpha_bar), self._noise(x0.shape)
        answer = self.network(noise_at_level(x0, noise, level), level, self._spectrogram(batch["audio"]))
        return (answer.float() - noise).square().mean(), {}

    def evaluate(self, data):
        """Distances of spectrograms, relative to those of two held-out sounds; and whether vocoded notes are their own."""
        batch = data.batch(torch.arange(min(len(data), self.recipe.measured_sounds)))
        heard = self._spectrogram(batch["audio"])
        slow, quick = (self._vocoded(heard, schedule) for schedule in (self.alpha_bar, self.quick))
        apart = (heard - heard.roll(1, 0)).abs().mean()
        errors = [((self._spectrogram(sounds) - heard).abs().mean() / apart).item() for sounds in (slow, quick)]
        metrics = dict(zip(("relative_error", "quick_error"), errors, strict=True))
        if self.frequencies:
            notes = nearest_note(slow[:, 0].cpu(), self.frequencies, self.recipe.sample_rate)
            metrics["pitch_accuracy"] = (notes == batch["label"].cpu()).double().mean().item()
        return metrics

    def preview(self, data):
        """Held-out sounds, and what the vocoder makes of their spectrograms in many steps and in few."""
        sounds = data.batch(torch.arange(min(len(data), 8)))["audio"]
        heard = self._spectrogram(sounds)
        return {"held_out": self._audio(sounds, "Held-out sounds, one after another"), **self._both(heard)}

    def sample(self, count):
        """Sounds of the spectrograms that the model has kept, in turn."""
        return self._both(self.kept[torch.arange(count) % _KEPT])

    def _both(self, heard):
        words = (
            f"Drawn from noise, given a spectrogram each, in {self.recipe.num_steps} steps",
            f"In {self.recipe.quick_steps} steps",
        )
        names, schedules = ("vocoded", "quick"), (self.alpha_bar, self.quick)
        return {
            name: self._audio(self._vocoded(heard, schedule), caption)
            for name, schedule, caption in zip(names, schedules, words, strict=True)
        }

    def _spectrogram(self, sounds):
        """[B, 1, T] -> [B, M, F]: 0 in silence, and 1 where a band has the power 1."""
        hop = math.prod(self.recipe.strides)
        padded = functional.pad(sounds[:, 0], ((self.recipe.window - hop) // 2,) * 2)
        return 1 - log_mel_spectrogram(padded, self.hann, self.filters, hop=hop, epsilon=_FLOOR) / math.log(_FLOOR)

    def _vocoded(self, heard, alpha_bar):
        """Sounds [B, 1, T] within -1..1 for spectrograms [B, M, F], drawn along this schedule."""
        shape = len(heard), 1, self.recipe.length
        noises = self._noise((len(alpha_bar), *shape))

        def denoise(x, t):
            return self.network(x, alpha_bar[t].sqrt(), heard).float()

        sounds = ddpm_sample(noises[0], noises[1:], denoise, alpha_bar, variance="small", clip=self.recipe.gain)
        return sounds / self.recipe.gain

    def _noise(self, shape):
        return torch.randn(shape, generator=self.generator, device=self.alpha_bar.device)

    def _audio(self, sounds, caption):
        return Audio(sounds[:, 0].cpu(), self.recipe.sample_rate, caption)


RECIPES = {
    # measured with seeds 0 and 1, in 73 CPU seconds: 0.472 and 0.465, in 6 steps 0.503 and 0.489, and 73% and 81% of the pitches;
    # with spectrograms of zeros 0.982 and 6%. Three or four harmonics are there, over a hiss of about -40 dB.
    "notes": VocoderRecipe(
        data="notes", steps=3000, batch_size=4, learning_rate=4e-3, schedule="cosine", average_decay=0.99, clip_norm=1.0,
        held_out=0.2, target=0.6, evaluate_every=3000, checkpoint_every=1000,
    ),
    # The larger of DiffWave's vocoders: blocks, schedule, frames, batches, steps and learning rate are the published ones.
    "ljspeech": VocoderRecipe(
        data="ljspeech", held_out=0.01, sample_rate=22_050, length=16_384, window=1024, num_filters=80, strides=(16, 16),
        width=128, layers=30, cycle=10, gain=1.0, num_steps=200, beta_end=0.02, steps=1_000_000, batch_size=16,
        learning_rate=2e-4, average_decay=0.999, precision="bfloat16", evaluate_every=50_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "ljspeech": Published(
        LJ_SPEECH, PREPARE_LJ_SPEECH, "mean opinion score of listeners, 1 to 5, for vocoded held-out sentences", 4.44,
        "Kong et al. 2021, DiffWave, table 1: the larger of its two vocoders",
        quoted="DiffWave LARGE: T 200, layers 30, res. channels 128, 6.91M parameters, MOS 4.44 +- 0.07",
        differences=DIFFWAVE_VOCODER,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for sounds of the data's form."""
    return VocoderExperiment(recipe, data.description)
