"""WaveGAN: a Wasserstein GAN with a gradient penalty on waveforms, whose critic sees features of shuffled phase."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch

from practice_torch.adversarial.audio_gan import WaveCritic, WaveGenerator, log_magnitude_distance, short_time_fourier_magnitude
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Audio
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.evaluation.frechet_audio_distance import frechet_audio_distance
from practice_torch.experiments.adversarial.gradient_penalty import PENALTIES, Wgan
from practice_torch.experiments.codes.sound_codes import nearest_note
from practice_torch.experiments.judging.extractors import log_mel_columns
from practice_torch.experiments.media.published_data import DIGITS, PREPARE_SPEECH_COMMANDS, SPEECH_COMMANDS

_COARSEST = 64  # samples: a generator that begins with more would be a matrix, not a network of convolutions
_SHOWN = 16  # sounds in a preview
_FRAME = 256  # samples of the frames whose mean spectrum is compared


@dataclass(frozen=True)
class WaveGanRecipe(Recipe):
    """A Wasserstein GAN on waveforms, with phase shuffle in the critic."""

    modality: ClassVar[str] = "audio"
    data: str = "notes"
    """notes (synthesized), or the path of your own folder of wav and flac files."""
    sample_rate: Annotated[int, AtLeast(1)] = 8000
    """Sample rate in Hz; files of other rates are resampled."""
    length: Annotated[int, AtLeast(1)] = 1024
    """Samples in an example, at most 64 times a power of 4; a longer sound is cut, or gives several; a shorter one is padded."""
    skip_unusable: bool = False
    """Skip files that are damaged, empty or not finite, and list them, instead of stopping at the first."""
    penalty: Literal[tuple(PENALTIES)] = "two_sided"
    """Penalty on the critic's slope: wherever it is not 1 (two-sided), or where it is steeper than 1 (one-sided)."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the penalty."""
    critic_turns: Annotated[int, AtLeast(1)] = 5
    """Critic updates in every step."""
    generator_rate: Annotated[float, Above(0)] = 1.0
    """Learning rate of the generator, as a multiple of the critic's."""
    shuffle: Annotated[int, AtLeast(0)] = 2
    """Largest shift of phase shuffle, in samples of the features; 0: no shuffle."""
    kernel: Annotated[int, AtLeast(4)] = 24
    """Samples of every kernel. All layers have stride 4; a kernel of ones hums unless 4 divides its length."""
    noise: Annotated[int, AtLeast(1)] = 64
    """Dimension of the generator's noise."""
    width: Annotated[int, AtLeast(1)] = 16
    """Channels of both networks next to the sound, doubled whenever the length is divided by 4."""
    fakes: Annotated[int, AtLeast(2)] = 260
    """Generated sounds in an evaluation."""
    metric: Fixed = "frechet_audio_distance"
    direction: Direction = "lower"


class WaveGan(Wgan):
    """The game of adversarial/gradient_penalty, played on waveforms."""

    explains = {
        "estimate": Metric("units of the data", "critic's estimate of the Wasserstein distance from fakes to held-out sounds"),
        "frechet_audio_distance": Metric("squared nats", "Frechet distance of the log-mel columns of fakes and held-out sounds"),
        "spectrum_distance": Metric("nats", "mean distance of the logarithms of both mean spectrograms"),
        "notes_covered": Metric("fraction", "overlap of the shares of the notes, by the strongest frequency (notes only)"),
    }

    def evaluate(self, data):
        """How far fakes are from held-out sounds: by the critic, by log-mel columns, by mean spectra, and by notes."""
        real = self._inside(data.batch(torch.arange(min(len(data), 1000))))
        fakes = self._drawn(self.recipe.fakes)
        sounds = [x[:, 0].float().cpu() for x in (real, fakes)]
        columns = log_mel_columns(self.recipe.length, self.recipe.sample_rate)
        size = min(_FRAME, self.recipe.length)
        window = torch.hann_window(size)
        spectra = [short_time_fourier_magnitude(x, window, hop=max(1, size // 2)).mean(0, keepdim=True) for x in sounds]
        found = {
            "estimate": float(self._scores(real).mean() - self._scores(fakes).mean()),
            "frechet_audio_distance": float(frechet_audio_distance(*(columns(x).double() for x in sounds))),
            "spectrum_distance": float(log_magnitude_distance(*spectra, epsilon=1e-3)),
        }
        if frequencies := data.description.get("frequencies"):
            notes = [nearest_note(x, frequencies, self.recipe.sample_rate) for x in sounds]
            shares = [torch.bincount(x, minlength=len(frequencies)) / len(x) for x in notes]
            found["notes_covered"] = float(torch.minimum(*shares).sum())
        return found

    def preview(self, data):
        """Held-out sounds and fakes."""
        real = data.batch(torch.arange(min(len(data), _SHOWN)))["audio"]
        return {"held_out": self._played(real, "Held-out sounds, one after another"), **self.sample(_SHOWN)}

    def sample(self, count):
        """Fakes of fresh noise."""
        return {"sounds": self._played(self._drawn(count), "Generated from standard normal noise, one after another")}

    def _inside(self, batch):
        return batch["audio"]

    def _scores(self, x, critic=None):
        most, shape = self.recipe.shuffle, (len(x), self.critic.shuffles)
        shifts = torch.randint(-most, most + 1, shape, generator=self.generator, device=self.somewhere.device)
        return (critic or self.critic)(x, shifts).float()

    def _played(self, x, caption):
        return Audio(x[:, 0].float().cpu(), self.recipe.sample_rate, caption)


RECIPES = {
    # Measured with seeds 0 and 1, in 105 seconds of one core: 161 and 157, with 0.65 and 0.59 of the notes covered; quiet noise
    # has 401, the training part of the notes 9. The fakes are tones in noise with few harmonics, and many change their pitch.
    # Without the penalty: 373, the same hum for all noise.
    "notes": WaveGanRecipe(
        data="notes", held_out=0.2, steps=1000, batch_size=32, learning_rate=1e-3, beta1=0.5, beta2=0.9, schedule="cosine",
        penalty_weight=1.0, critic_turns=3, noise=32, target=180.0, evaluate_every=250, checkpoint_every=500,
    ),
    # The networks, the optimizer and the steps of the paper; its noise is uniform, and its sounds are those of published lists.
    "speech_commands": WaveGanRecipe(
        data="speech_commands", sample_rate=16_000, length=16_384, held_out=0.05, steps=200_000, batch_size=64,
        learning_rate=1e-4, beta1=0.5, beta2=0.9, critic_turns=5, noise=100, width=64, kernel=25, fakes=1000,
        evaluate_every=10_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "speech_commands": Published(
        SPEECH_COMMANDS,
        PREPARE_SPEECH_COMMANDS,
        "Inception score of 50,000 samples",
        None,
        "Donahue, McAuley & Puckette 2019, table 1, by a classifier of digits that comes with their code",
        facts={"classes": DIGITS},
        differences=(
            Difference("data", "published lists", "5% of all recordings held out", "not known"),
            Difference("noise", "uniform", "normal", "not known"),
        ),
    )
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where the sounds' length cannot be divided by 4 down to 64 or less.
    """
    generator = WaveGenerator(latent=recipe.noise, length=recipe.length, width=recipe.width, kernel=recipe.kernel)
    if (coarse := generator.start[1]) > _COARSEST:
        mend = f"it must be {_COARSEST} or less: choose a length such as 1024, 4096 or 16384"
        raise DataError(f"length is {recipe.length}, which can be divided by 4 down to {coarse}; {mend}")
    critic = WaveCritic(length=recipe.length, width=recipe.width, kernel=recipe.kernel)
    return WaveGan(recipe, data.description, generator, critic)
