"""VQ-VAEs of images and of sounds: a convolutional autoencoder with discrete codes, and a transformer that is their prior."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Audio, ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.codes import image_codes, sound_layers
from practice_torch.experiments.codes.quantized_codes import QuantizedCodes
from practice_torch.experiments.codes.sound_codes import nearest_note, one_of_each, strongest_frequency, varied
from practice_torch.experiments.codes.sound_layers import spectral_error
from practice_torch.experiments.media.published_data import DIGITS, SPEECH_COMMANDS

_SHOWN = 16  # sounds in a preview
_ASKED = 40  # sounds of every note, of which the pitch is judged


@dataclass(frozen=True)
class VectorQuantizationRecipe(Recipe):
    """An autoencoder of images with discrete codes, and an autoregressive prior over them. The loss is a sum over pixels."""

    hidden: Annotated[int, AtLeast(1)] = 64
    """Channels of the convolutions."""
    codes: Annotated[int, AtLeast(2)] = 32
    """Number of codes."""
    code_dim: Annotated[int, AtLeast(1)] = 16
    """Dimension of a code."""
    commitment: Annotated[float, AtLeast(0)] = 0.25
    """Weight of the encoder's distance from its code."""
    decay: Annotated[float, AtLeast(0, below=1)] = 0.95
    """Decay of the moving averages that are the codes."""
    restart_below: Annotated[float, AtLeast(0)] = 0.1
    """A code with an average count per batch below this is replaced by an encoding of the batch; 0: never."""
    prior_width: Annotated[int, AtLeast(1)] = 64
    """Width of the prior's transformer."""
    prior_layers: Annotated[int, AtLeast(1)] = 2
    """Layers of the prior's transformer."""
    prior_heads: Annotated[int, AtLeast(1)] = 1
    """Attention heads of the prior's transformer."""
    prior_dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate of the prior's transformer."""
    halvings: Annotated[int, AtLeast(0)] = 1
    """Number of times that the encoder halves the sides of an image; every remaining cell has codes."""
    codes_at_cell: Annotated[int, AtLeast(1)] = 1
    """Number of codes of every cell."""
    blocks: Annotated[int, AtLeast(0)] = 0
    """Residual blocks between the convolutions with a stride and the codes, in the encoder and the decoder."""
    num_levels: Annotated[int, AtLeast(0)] = 0
    """Levels of a pixel, for the bits per dimension; 0: these are not measured."""
    metric: Fixed = "squared_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("halvings", self.halvings > 0 or not self.blocks, "at least 1 with residual blocks")
        self._require("prior_heads", self.prior_width % self.prior_heads == 0, f"a divisor of prior_width ({self.prior_width})")


@dataclass(frozen=True)
class SoundQuantizationRecipe(Recipe):
    """An autoencoder of sounds with discrete codes, and an autoregressive prior over them, given the class where there is one."""

    modality: ClassVar[str] = "audio"
    data: str = "notes"
    """notes (synthesized), or the path of your own folder of wav and flac files, with a sub-folder for each label."""
    sample_rate: Annotated[int, AtLeast(1)] = 8000
    """Sample rate in Hz; files of other rates are resampled."""
    length: Annotated[int, AtLeast(1)] = 1024
    """Samples in an example; a longer sound is cut, or gives several; a shorter one is padded with silence."""
    skip_unusable: bool = False
    """Skip files that are damaged, empty or not finite, and list them, instead of stopping at the first."""
    hidden: Annotated[int, AtLeast(1)] = 64
    """Channels of the convolutions."""
    codes: Annotated[int, AtLeast(2)] = 32
    """Number of codes."""
    code_dim: Annotated[int, AtLeast(1)] = 16
    """Dimension of a code."""
    commitment: Annotated[float, AtLeast(0)] = 0.25
    """Weight of the encoder's distance from its code."""
    decay: Annotated[float, AtLeast(0, below=1)] = 0.95
    """Decay of the moving averages that are the codes."""
    restart_below: Annotated[float, AtLeast(0)] = 0.1
    """A code with an average count per batch below this is replaced by an encoding of the batch; 0: never."""
    prior_width: Annotated[int, AtLeast(1)] = 64
    """Width of the prior's transformer."""
    prior_layers: Annotated[int, AtLeast(1)] = 2
    """Layers of the prior's transformer."""
    prior_heads: Annotated[int, AtLeast(1)] = 1
    """Attention heads of the prior's transformer."""
    prior_dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate of the prior's transformer."""
    strides: Annotated[tuple[int, ...], AtLeast(2)] = (8, 4, 2)
    """Even strides of the encoder's convolutions; a code covers as many samples as their product."""
    spectral_weight: Annotated[float, AtLeast(0)] = 1.0
    """Weight of the squared error of spectra without their phases, next to the squared error of the samples."""
    loudness: Annotated[float, AtLeast(0)] = 0.3
    """Augmentation: maximum absolute log gain; half of the sounds also change sign. 0: no augmentation."""
    metric: Fixed = "squared_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("prior_heads", self.prior_width % self.prior_heads == 0, f"a divisor of prior_width ({self.prior_width})")
        self._require("strides", self.strides and not any(stride % 2 for stride in self.strides), "one or more even numbers")


class ImageQuantization(QuantizedCodes):
    """Vector quantization of images, with an unconditional prior."""

    medium = "image"
    explains = QuantizedCodes.explains | {
        "peak_signal_to_noise": Metric("decibel", "-10 log10 of the mean squared error of a pixel in [0, 1]"),
        "bits_per_dimension": Metric(
            "bits per dimension",
            "bound for held-out images: the prior's bits of the codes, and those of dequantized pixels under a Gaussian around "
            "their reconstruction, of one variance, the best for these images",
        ),
    }

    def __init__(self, recipe, shape):
        sizes, several = {"width": recipe.hidden, "halvings": recipe.halvings}, recipe.codes_at_cell
        if recipe.blocks:
            sizes["blocks"] = recipe.blocks
        of_encoder, of_decoder = (
            (image_codes.residual_encoder, image_codes.residual_decoder)
            if recipe.blocks
            else (image_codes.encoder, image_codes.decoder)
        )
        encoder = of_encoder(shape[0], several * recipe.code_dim, **sizes)
        decoder = of_decoder(several * recipe.code_dim, shape[0], **sizes)
        grid = image_codes.grid_of(shape, recipe.halvings)
        if several > 1:  # one axis of the grid more
            grid = several, *grid
            encoder = nn.Sequential(encoder, nn.Unflatten(1, (recipe.code_dim, several)))
            decoder = nn.Sequential(nn.Flatten(1, 2), decoder)
        super().__init__(recipe, encoder, decoder, grid)
        self.shape = tuple(shape)

    def evaluate(self, data):
        """And the ratio of signal and noise, and the bits of codes and pixels."""
        found, pixels = super().evaluate(data), math.prod(self.shape)
        error = found["squared_error"]
        found["peak_signal_to_noise"] = 10 * math.log10(pixels / error) if error else math.inf
        if levels := self.recipe.num_levels:
            variance = (levels - 1) ** 2 * error / pixels + 1 / 12  # of what is uniform within a level
            of_codes = math.prod(self.grid) * found["prior_bits"] / pixels
            found["bits_per_dimension"] = of_codes + math.log2(2 * math.pi * math.e * variance) / 2
        return found

    def preview(self, data):
        """Reconstructions, the codes' frequencies, and what codes of the prior and uniform ones are decoded to."""
        image = data.batch(torch.arange(min(len(data), 1000)))["image"]
        codes = self._codes(image)
        pairs = torch.stack([image[:16], self._of_codes(codes[:16])], 1).flatten(0, 1)
        drawn, uniform = self.sample(64), self._of_codes(self._uniform_codes(64))
        return {
            "reconstructions": ImageGrid(pairs.clamp(0, 1), 8, "Held-out images, each next to its reconstruction from its codes"),
            "usage": self._usage(codes),
            **drawn,
            "uniform_samples": ImageGrid(uniform.clamp(0, 1), 8, "Codes drawn uniformly: what the prior is for"),
        }

    def sample(self, count):
        """Images of codes that the prior draws, one after another."""
        drawn = self._of_codes(self._drawn_codes(torch.zeros(count, dtype=torch.int64)))
        return {"prior_samples": ImageGrid(drawn.clamp(0, 1), 8, "Drawn from the prior over codes, and decoded")}


class SoundQuantization(QuantizedCodes):
    """Vector quantization of sounds; the prior is conditioned on the class, the autoencoder is not."""

    medium = "audio"
    explains = QuantizedCodes.explains | {
        "spectral_error": Metric("per example", "of reconstructions, as the squared error, of spectra without their phases"),
        "within_semitone": Metric("fraction", "drawn notes whose strongest frequency is within a semitone of the requested note"),
        "within_semitone_real": Metric("fraction", "the same of held-out notes"),
        "pitch_accuracy": Metric("fraction", "drawn notes whose nearest note is the requested one"),
    }

    def __init__(self, recipe, description):
        self.classes, self.frequencies = description["classes"] or [], description.get("frequencies")
        if recipe.metric == "within_semitone" and not self.frequencies:
            mend = "take another recipe for it, such as speech_commands"
            raise DataError(f"{description['name']} has no notes of known frequencies, which this recipe is judged by: {mend}")
        sizes = {"width": recipe.hidden, "strides": recipe.strides}
        grid = (sound_layers.steps_of(recipe.length, recipe.strides),)
        encoder, decoder = sound_layers.encoder(recipe.code_dim, **sizes), sound_layers.decoder(recipe.code_dim, **sizes)
        super().__init__(recipe, encoder, decoder, grid, classes=len(self.classes))

    def evaluate(self, data):
        """And the error of spectra; and where the classes are notes, whether drawn ones have their pitch."""
        found, error = super().evaluate(data), 0.0
        for indices in torch.arange(len(data)).split(500):
            sound = data.batch(indices)["audio"]
            error += float(spectral_error(self._of_codes(self._codes(sound))[:, 0], sound[:, 0]).sum())
        found["spectral_error"] = error / len(data)
        if self.frequencies:
            asked, real = torch.arange(len(self.classes)).repeat_interleave(_ASKED), data.batch()
            drawn, sounds = self._drawn(asked), real["audio"][:, 0].cpu()
            found["within_semitone"] = self._within_semitone(drawn, asked)
            found["within_semitone_real"] = self._within_semitone(sounds, real["label"].cpu())
            heard = nearest_note(drawn, self.frequencies, self.recipe.sample_rate)
            found["pitch_accuracy"] = (heard == asked).double().mean().item()
        return found

    def preview(self, data):
        """Real sounds, their reconstructions, drawn ones of the same classes, decoded uniform codes; the codes' frequencies."""
        real = data.batch(one_of_each(data, _SHOWN) if self.classes else torch.arange(min(len(data), _SHOWN)))
        sound = real["audio"]
        label = real["label"].cpu() if self.classes else torch.zeros(len(sound), dtype=torch.int64)
        names = f": {', '.join(self.classes[k] for k in label.tolist())}" if self.classes else ""
        again, uniform = (self._of_codes(codes)[:, 0] for codes in (self._codes(sound), self._uniform_codes(len(sound))))
        spread = torch.linspace(0, len(data) - 1, min(len(data), 500)).round().long()  # a folder's sounds are in order of classes
        return {
            "held_out": self._audio(sound[:, 0], f"Held-out sounds, one after another{names}"),
            "reconstructions": self._audio(again, "The same, reconstructed from their codes"),
            "drawn": self._audio(self._drawn(label), f"Drawn from the prior over codes, and decoded{names}"),
            "uniform_samples": self._audio(uniform, "Codes drawn uniformly: what the prior is for"),
            "usage": self._usage(self._codes(data.batch(spread)["audio"])),
        }

    def sample(self, count):
        """`count` sounds of codes that the prior draws: the classes in turn, a file for each class."""
        label = torch.arange(count) % max(1, len(self.classes))
        drawn = self._drawn(label)
        if not self.classes:
            return {"sounds": self._audio(drawn, "Drawn from the prior over codes, and decoded")}
        return {
            f"class_{k:02d}": self._audio(drawn[label == k], f"Generated for class {self.classes[k]}")
            for k in label.unique().tolist()
        }

    def _varied(self, x):
        return varied(x, self.recipe.loudness, self.generator)

    def _penalty(self, reconstruction, x):
        if not self.recipe.spectral_weight:
            return 0.0
        return self.recipe.spectral_weight * spectral_error(reconstruction[:, 0], x[:, 0]).mean()

    def _drawn(self, label):
        """A sound for each class, [B, T]; where there are no classes, their labels are 0."""
        return self._of_codes(self._drawn_codes(label if self.classes else torch.zeros_like(label)))[:, 0].cpu()

    def _within_semitone(self, sounds, asked):
        away = 12 * (strongest_frequency(sounds, self.recipe.sample_rate) / torch.tensor(self.frequencies)[asked]).log2().abs()
        return (away <= 1).double().mean().item()

    def _audio(self, sounds, caption):
        return Audio(sounds.cpu(), self.recipe.sample_rate, caption)


RECIPES = {
    # measured with seeds 0 and 1, in a minute of one core: 0.34 and 0.29, from 16 codes of 5 bits; the mean image has 4.7
    "digits": VectorQuantizationRecipe(
        data="digits", steps=2000, batch_size=64, hidden=32, learning_rate=2e-3, held_out=0.2, evaluate_every=1000,
        checkpoint_every=1000, target=0.45,
    ),
    # Not run here. On 9,000 of MNIST's test digits, with --hidden 32 --prior-width 64 --prior-layers 2 --batch-size 32
    # --learning-rate 1e-3 --decay 0.95 --steps 600, in 53 CPU seconds: an error of 4.0 a digit (the mean one: 53), 22.9 dB, from
    # 49 codes of 7 bits, of which as many as 80 used alike; 3.3 bits a code for the prior, 6.3 without context. Reconstructions
    # are hard to tell from the digits; about a third of what the prior draws looks like a digit.
    "mnist": VectorQuantizationRecipe(
        data="mnist", steps=20_000, batch_size=128, hidden=128, halvings=2, codes=128, code_dim=32, prior_width=256,
        prior_layers=6, decay=0.99, learning_rate=5e-4, evaluate_every=5000, checkpoint_every=5000,
    ),
    # Encoder, decoder, Adam, batches and steps of van den Oord et al. 2017, section 4.1, with codes of their size: 5,074,563
    # parameters next to the prior's. Not run here.
    "cifar10": VectorQuantizationRecipe(
        data="cifar10", steps=250_000, batch_size=128, learning_rate=2e-4, hidden=256, halvings=2, blocks=2, codes=512,
        code_dim=64, codes_at_cell=10, num_levels=256, decay=0.99, prior_width=256, prior_layers=6, prior_heads=4,
        metric="bits_per_dimension", evaluate_every=25_000, checkpoint_every=5000,
    ),
    # Measured with seeds 0 and 1, in 130 CPU seconds: of 520 drawn notes 98% and 99% are within a semitone of the requested note
    # (held-out notes: all), 89% and 92% nearest to it. Reconstructions, from 16 codes of 8 bits, have a squared error of 6.8 and
    # 6.7 (the mean note: 62.5 and 67.8) and show most of the eight partials; drawn notes show the first few, over noise at
    # -50 dB. The prior needs 4.2 and 4.7 bits of the 7.5 that the codes have without context.
    # Pilots with residual blocks, 400 to 1500 steps: codes of 32 samples reach an error of 4.6, but the prior loses the
    # phase (6.4 bits of 7.5, 9% nearest to the note); codes of 128 samples have an error of 9.8. Without the spectral error
    # the squared error is lower (9.1 for 10.9) and the spectral error twice as large (6.5 for 3.3): upper partials are missing,
    # since the codes have no capacity for their phases. Conditioning the decoder on the class gained nothing.
    "notes": SoundQuantizationRecipe(
        data="notes", held_out=0.2, codes=256, code_dim=32, decay=0.97, restart_below=0.03, prior_heads=4, prior_dropout=0.1,
        steps=2000, batch_size=32, learning_rate=2e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0,
        metric="within_semitone", direction="higher", target=0.9, evaluate_every=1000, checkpoint_every=500,
    ),
    # Whole recordings of a second. Strides, codes and their dimension are the published ones, of speech at 16 kHz; its decoder
    # is a WaveNet, which draws sample by sample what the codes leave open, and this one is convolutions with a spectral loss. Not
    # run here. On 3,000 recordings of digits at 8 kHz (--data FOLDER), with --length 4096 --held-out 0.1 --loudness 0.3
    # --strides 8 4 2 --hidden 64 --codes 256 --code-dim 32 --decay 0.97 --prior-width 64 --prior-layers 2 --prior-heads 4
    # --prior-dropout 0.2 --batch-size 16 --learning-rate 2e-3 --warmup-steps 30 --steps 400, in 57 CPU seconds, the squared error
    # of a batch falls from 19 to 9.4 (held out 9.1, of the mean recording 12.5). That is loudness and the lowest partials and no
    # word yet, and the prior is still behind the codes' frequencies (7.4 bits for 6.7).
    "speech_commands": SoundQuantizationRecipe(
        data="speech_commands", held_out=0.05, length=8000, strides=(2,) * 6, hidden=256, codes=512, code_dim=64, decay=0.99,
        prior_width=512, prior_layers=12, prior_heads=8, prior_dropout=0.1, steps=100_000, batch_size=64, learning_rate=3e-4,
        schedule="cosine", warmup_steps=1000, clip_norm=1.0, loudness=0.0, evaluate_every=10_000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "cifar10": Published(
        "CIFAR-10, downloaded by torchvision",
        "",
        "bits per dimension of held-out images, at most",
        4.67,
        "van den Oord et al. 2017, section 4.1",
        quoted="The VAE, VQ-VAE and VIMCO models obtain 4.51 bits/dim, 4.67 bits/dim and 5.14 respectively.",
        differences=(
            Difference("architecture", "8 x 8 x 10 codes, of numbers that are varied", "8 x 8 x 10 of 512 codes", "not known"),
            Difference(
                "codebook",
                "learned by gradients",
                "moving averages; codes that are not used begin anew at encodings",
                "not known",
            ),
            Difference("decoder", "its law is not said", "a Gaussian of one variance for all pixels", "not known"),
            Difference(
                "prior", "uniform in training; that of the result is not said", "a transformer, trained along", "not known"
            ),
            Difference("loss", "the commitment averaged over codes", "summed over codes, as the error over pixels", "not known"),
        ),
    ),
    "speech_commands": Published(
        SPEECH_COMMANDS,
        "python -m practice_torch prepare audio digits --sample-rate 8000 --out speech_commands",
        "squared error of held-out recordings",
        None,
        "van den Oord et al. 2017, section 4.3, has the encoder and the 512 codes, and gives no number but of phonemes",
        facts={"classes": DIGITS},
        differences=(
            Difference("decoder", "a WaveNet", "convolutions, with a spectral loss", "no comparison: no number is given"),
        ),
    ),
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape, or for sounds of its classes."""
    if isinstance(recipe, VectorQuantizationRecipe):
        return ImageQuantization(recipe, data.description["shape"])
    return SoundQuantization(recipe, data.description)
