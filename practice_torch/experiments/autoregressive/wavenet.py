"""A WaveNet on the mu-law codes of sounds, conditional on their classes where the data has classes."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.autoregressive.wavenet import mu_law_decode, mu_law_encode
from practice_torch.engine.artifacts import Audio
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Published
from practice_torch.engine.recipe import AudioRecipe, Fixed
from practice_torch.experiments.parts.published_data import (
    DIGITS,
    LJ_SPEECH,
    PREPARE_LJ_SPEECH,
    PREPARE_SPEECH_COMMANDS,
    SPEECH_COMMANDS,
)
from practice_torch.networks.wavenet import WaveNet

_ROWS = 2**17  # samples whose logits are in memory at once, in an evaluation
_SHOWN = 16  # classes in a preview
_ASKED = 8  # sounds of every class, of which the pitch is judged


@dataclass(frozen=True)
class WavenetRecipe(AudioRecipe):
    """A WaveNet on mu-law codes, conditional on the class where the data has classes."""

    levels: Annotated[int, AtLeast(2)] = 256
    """Number of mu-law codes."""
    residual_channels: Annotated[int, AtLeast(1)] = 32
    """Channels of every block."""
    skip_channels: Annotated[int, AtLeast(1)] = 64
    """Channels of the skip connections."""
    doublings: Annotated[int, AtLeast(1)] = 9
    """Blocks in a stack, with dilations 1, 2, 4, ...; the receptive field of a stack is 2^doublings samples."""
    stacks: Annotated[int, AtLeast(1)] = 1
    """Number of stacks."""
    conditional: bool = True
    """Condition on the class of a sound, where the data has classes."""
    loudness: Annotated[float, AtLeast(0)] = 0.3
    """Augmentation: maximum absolute log gain; half of the sounds also change sign. 0: no augmentation."""
    metric: Fixed = "bits_per_sample"

    @property
    def dilations(self):
        """Of every block."""
        return tuple(2**i for i in range(self.doublings)) * self.stacks


class WavenetExperiment(nn.Module):
    """Learns the codes of sounds and generates sounds of the same length."""

    explains = {
        "bits_per_sample": Metric("bits per sample", "-log2 p of held-out mu-law codes, per audio sample"),
        "unigram_bits": Metric("bits per sample", "entropy of the held-out codes: the best model without context"),
        "pitch_accuracy": Metric("fraction", "generated notes whose nearest note is the requested one"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.classes = (recipe.conditional and description["classes"]) or []
        self.frequencies = description.get("frequencies")  # of the classes, where they are notes
        self.network = WaveNet(
            levels=recipe.levels, residual_channels=recipe.residual_channels, skip_channels=recipe.skip_channels,
            dilations=recipe.dilations, classes=len(self.classes),
        )  # fmt: skip

    def forward(self, batch, phase):
        """Nats per sample of a batch of sounds."""
        codes = mu_law_encode(self._varied(batch["audio"][:, 0]), levels=self.recipe.levels)
        nats = self._nats(codes, batch).mean() / codes.shape[1]
        return nats, {"bits_per_sample": nats.detach() / math.log(2)}

    def evaluate(self, data):
        """Bits per held-out sample; of the best unigram model in hindsight; and how often a generated note has its pitch."""
        nats, counts = 0.0, 0
        for indices in torch.arange(len(data)).split(max(1, _ROWS // self.recipe.length)):
            batch = data.batch(indices)
            codes = mu_law_encode(batch["audio"][:, 0], levels=self.recipe.levels)
            nats += self._nats(codes, batch).double().sum().item()
            counts = counts + torch.bincount(codes.flatten(), minlength=self.recipe.levels).double()
        share = counts / counts.sum()
        metrics = {
            "bits_per_sample": nats / counts.sum().item() / math.log(2),
            "unigram_bits": torch.special.entr(share).sum().item() / math.log(2),
        }
        if self.classes and self.frequencies:
            asked = torch.arange(len(self.classes)).repeat_interleave(_ASKED)
            heard = nearest_note(self._generate(len(asked), asked), self.frequencies, self.recipe.sample_rate)
            metrics["pitch_accuracy"] = (heard == asked).double().mean().item()
        return metrics

    def preview(self, data):
        """Real sounds and drawn ones, of the same classes in the same order."""
        real = data.batch(torch.arange(min(len(data), _SHOWN)))
        if not self.classes:
            return {"held_out": self._audio(real["audio"][:, 0], "Held-out sounds"), **self.sample(min(len(data), _SHOWN))}
        every = data.batch()["label"].cpu()
        first = {label: index for index, label in reversed(list(enumerate(every.tolist())))}
        shown = sorted(first)[:_SHOWN]
        names = ", ".join(self.classes[label] for label in shown)
        real = data.batch(torch.tensor([first[label] for label in shown]))["audio"][:, 0]
        return {
            "held_out": self._audio(real, f"Held-out sounds, one after another: {names}"),
            "drawn": self._audio(self._generate(len(shown), torch.tensor(shown)), f"Generated for classes: {names}"),
        }

    def sample(self, count):
        """`count` sounds, drawn sample by sample: the classes in turn, a file for each class."""
        if not self.classes:
            return {"sounds": self._audio(self._generate(count), "Drawn sample by sample")}
        labels = torch.arange(count) % len(self.classes)
        sounds = self._generate(count, labels)
        return {
            f"class_{label:02d}": self._audio(sounds[labels == label], f"Generated for class {self.classes[label]}")
            for label in labels.unique().tolist()
        }

    def _nats(self, codes, batch):
        """-log p of each sound, [B]."""
        return -sequence_log_prob(codes, self.network(codes, batch["label"] if self.classes else None), None)

    def _varied(self, sound):
        """Other takes of the same notes or words: louder or quieter, and with the opposite sign. The ear hears no difference."""
        if not self.recipe.loudness:
            return sound
        draws = torch.rand(2, len(sound), 1, generator=self.generator, device=sound.device)
        gain = torch.exp((2 * draws[0] - 1) * self.recipe.loudness)
        loudest = sound.abs().amax(1, keepdim=True).clamp(min=torch.finfo(sound.dtype).tiny)
        gain = torch.minimum(gain, 1 / loudest)
        return (sound * torch.where(draws[1] < 0.5, -gain, gain)).clamp(-1, 1)

    def _generate(self, count, labels=None):
        """`count` sounds [B, T], one for each label where there are classes."""
        device = self.network.embedding.weight.device
        uniforms = torch.rand(count, self.recipe.length, generator=self.generator, device=device)
        codes = self.network.generate(uniforms, None if labels is None else labels.to(device))
        return mu_law_decode(codes, levels=self.recipe.levels).cpu()

    def _audio(self, sounds, caption):
        return Audio(sounds.cpu(), self.recipe.sample_rate, caption)


def nearest_note(sounds, frequencies, sample_rate):
    """The note, of those with these frequencies, that is nearest to the strongest bin of each sound's spectrum."""
    strongest = torch.fft.rfft(sounds).abs()[:, 1:].argmax(1) + 1
    hertz = strongest * (sample_rate / sounds.shape[1])
    return (hertz[:, None].log2() - torch.tensor(frequencies).log2()).abs().argmin(1)


RECIPES = {
    # measured: 3.04 bits, and 77% of the notes asked for; the best unigram model needs 7.34 bits
    "notes": WavenetRecipe(
        data="notes", held_out=0.2, steps=2000, batch_size=4, learning_rate=1e-2, schedule="cosine", warmup_steps=50,
        clip_norm=1.0, target=3.5, evaluate_every=500, checkpoint_every=500,
    ),
    # a folder, given by --data: recordings of spoken digits at 8 kHz, a sub-folder for each; half a second of each
    "spoken_digits": WavenetRecipe(
        data="spoken_digits", held_out=0.1, length=4000, residual_channels=64, skip_channels=256, doublings=10, stacks=3,
        steps=40_000, batch_size=16, learning_rate=1e-3, schedule="cosine", warmup_steps=500, clip_norm=1.0, average_decay=0.999,
        precision="bfloat16", evaluate_every=5000, checkpoint_every=5000,
    ),
    # Whole recordings of a second. Given the digit, where the published model is not: all it can tell is 3.3 bits of 16,000
    # samples. Blocks, codes and parameters (4.9 million) are about those of the published one, the training is our own.
    "speech_commands": WavenetRecipe(
        data="speech_commands", held_out=0.05, sample_rate=16_000, length=16_000, residual_channels=64, skip_channels=1024,
        doublings=10, stacks=4, loudness=0.0, steps=200_000, batch_size=16, learning_rate=1e-3, schedule="cosine",
        warmup_steps=1000, clip_norm=1.0, average_decay=0.999, precision="bfloat16", evaluate_every=10_000,
        checkpoint_every=5000,
    ),
    # Random crops of three quarters of a second, without the text: babble in one voice.
    "ljspeech": WavenetRecipe(
        data="ljspeech", held_out=0.01, sample_rate=22_050, length=16_384, conditional=False, residual_channels=64,
        skip_channels=256, doublings=10, stacks=3, loudness=0.0, steps=200_000, batch_size=16, learning_rate=1e-3,
        schedule="cosine", warmup_steps=1000, clip_norm=1.0, average_decay=0.999, precision="bfloat16", evaluate_every=10_000,
        checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "speech_commands": Published(
        SPEECH_COMMANDS, PREPARE_SPEECH_COMMANDS, "bits a sample of held-out recordings, 256 codes, unconditional", 1.925,
        "WaveNet in Goel et al. 2022, It's raw!, SC09", facts={"classes": DIGITS},
    ),
    "ljspeech": Published(
        LJ_SPEECH, PREPARE_LJ_SPEECH, "bits a sample of held-out crops, 256 codes", None,
        "WaveNets of this voice were published as vocoders, which are given a spectrogram",
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for sounds of the data's classes."""
    return WavenetExperiment(recipe, data.description)
