"""Sounds as mu-law codes: learned and generated code by code, conditional on their classes where the data has classes."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.autoregressive.wavenet import mu_law_decode, mu_law_encode
from practice_torch.engine.artifacts import Audio
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.codes.pixel_codes import conditioning_classes
from practice_torch.experiments.language.generation import generate_from_state
from practice_torch.networks.wavenet import waves

_ROWS = 2**17  # samples with logits in memory at once, in an evaluation
_SHOWN = 16  # classes in a preview
_ASKED = 8  # sounds of every class, of which the pitch is judged


class SoundExperiment(nn.Module):
    """Learns the codes of sounds and generates sounds of the same length.

    network(codes [B, T], label [B]) gives the logits [B, T, V] of each code, given those before it;
    network.generate(uniforms [B, T], label) draws codes one by one. label is None where there are no classes.
    """

    explains = {
        "bits_per_sample": Metric("bits per sample", "-log2 p of held-out mu-law codes, per audio sample"),
        "unigram_bits": Metric("bits per sample", "entropy of the held-out codes: the best model without context"),
        "pitch_accuracy": Metric("fraction", "generated notes whose nearest note is the requested one"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description, network):
        super().__init__()
        self.recipe, self.generator, self.shares, self.network = recipe, None, ALONE, network
        self.classes = conditioning_classes(recipe, description)
        self.frequencies = description.get("frequencies")  # of the classes, where they are notes

    def forward(self, batch, phase):
        """Nats per sample of a batch of sounds."""
        codes = mu_law_encode(varied(batch["audio"][:, 0], self.recipe.loudness, self.generator), num_levels=self.recipe.levels)
        nats = self._nats(codes, batch).mean() / codes.shape[1]
        return nats, {"bits_per_sample": nats.detach() / math.log(2)}

    def evaluate(self, data):
        """Bits per held-out sample; of the best unigram model in hindsight; and how often a generated note has its pitch."""
        nats, counts = 0.0, 0
        for number, indices in enumerate(torch.arange(len(data)).split(max(1, _ROWS // self.recipe.length))):
            if self.shares.takes(number):
                batch = data.batch(indices)
                codes = mu_law_encode(batch["audio"][:, 0], num_levels=self.recipe.levels)
                nats += self._nats(codes, batch).double().sum().item()
                counts = counts + torch.bincount(codes.flatten(), minlength=self.recipe.levels).double()
        nats, counts = (sum(self.shares.together([part])) for part in (nats, counts))
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
        if not self.classes:
            real = data.batch(torch.arange(min(len(data), _SHOWN)))["audio"][:, 0]
            return {"held_out": self._audio(real, "Held-out sounds"), **self.sample(len(real))}
        real = data.batch(one_of_each(data, _SHOWN))
        label = real["label"].cpu()
        names = ", ".join(self.classes[k] for k in label.tolist())
        return {
            "held_out": self._audio(real["audio"][:, 0], f"Held-out sounds, one after another: {names}"),
            "drawn": self._audio(self._generate(len(label), label), f"Generated for classes: {names}"),
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
        return -sequence_log_prob(codes, self._logits(codes, batch["label"] if self.classes else None), None)

    def _logits(self, codes, label):
        """Logits of each code, given those before it and the class: [B, T], [B] or None -> [B, T, V]"""
        return self.network(codes, label)

    def _codes(self, uniforms, label):
        """Drawn one by one, by inverse CDF of the uniforms: [B, T], [B] or None -> [B, T]"""
        return self.network.generate(uniforms, label)

    def _generate(self, count, labels=None):
        """`count` sounds [B, T], one for each label where there are classes."""
        device = self.network.embedding.weight.device

        def draw(rows):
            uniforms = torch.rand(len(rows), self.recipe.length, generator=self.generator, device=device)
            codes = self._codes(uniforms, None if labels is None else labels[rows].to(device))
            return mu_law_decode(codes, num_levels=self.recipe.levels).cpu()

        return self.shares.rows(draw, torch.arange(count))

    def _audio(self, sounds, caption):
        return Audio(sounds.cpu(), self.recipe.sample_rate, caption)


class StateSoundExperiment(SoundExperiment):
    """The same with a decoder of tokens that has a state: the tokens are the codes, after silence; its condition is the class.

    make(vocabulary_size) gives the decoder; experiments/language/byte_language.py describes it and the rates. Its
    embedding starts as WaveNet's does, in which neighboring codes are close, since they sound alike.
    """

    def __init__(self, recipe, description, make, *, rates):
        network = make(recipe.levels + len(conditioning_classes(recipe, description)))
        super().__init__(recipe, description, network)
        self.phases = (Phase("train", moves=("network",), rates=rates),)
        with torch.no_grad():
            network.embedding.weight[: recipe.levels] = waves(recipe.levels, recipe.width)

    def _logits(self, codes, label):
        before = functional.pad(as_int64(codes), (1, 0), value=self._silence)[:, :-1]
        return self.network(before, self._condition(label))[..., : self.recipe.levels]

    def _codes(self, uniforms, label):
        first = torch.full_like(uniforms[:, 0], self._silence, dtype=torch.int64)
        options = dict(kinds=self.recipe.levels, condition=self._condition(label))
        return generate_from_state(self.network, first, uniforms, **options)

    @property
    def _silence(self):
        """The code that precedes the first one."""
        return self.recipe.levels // 2

    def _condition(self, label):
        """The tokens of the classes follow the codes; None where there are no classes."""
        return label if label is None else self.recipe.levels + as_int64(label)


def one_of_each(data, most):
    """The index of the first example of every class, in the order of the classes and at most `count`."""
    first = {label: place for place, label in reversed(list(enumerate(data.batch()["label"].tolist())))}
    return torch.tensor([first[label] for label in sorted(first)[:most]])


def varied(sounds, loudness, generator):
    """Other takes of the same notes or words [B, ..., T]: louder or quieter, and half of them with the opposite sign.

    The ear hears no difference. loudness: the maximum absolute log gain; 0: the sounds as they are.
    """
    if not loudness:
        return sounds
    draws = torch.rand(2, len(sounds), *[1] * (sounds.ndim - 1), generator=generator, device=sounds.device)
    gain = torch.exp((2 * draws[0] - 1) * loudness)
    loudest = sounds.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(sounds.dtype).tiny)
    gain = torch.minimum(gain, 1 / loudest)
    return (sounds * torch.where(draws[1] < 0.5, -gain, gain)).clamp(-1, 1)


def strongest_frequency(sounds, sample_rate):
    """Hertz of the strongest bin of each sound's spectrum, the mean left out: [B, T] -> [B]"""
    strongest = torch.fft.rfft(sounds).abs()[:, 1:].argmax(1) + 1
    return strongest * (sample_rate / sounds.shape[1])


def nearest_note(sounds, frequencies, sample_rate):
    """The note, of those with these frequencies, that is nearest to the strongest frequency of each sound."""
    hertz = strongest_frequency(sounds, sample_rate)
    return (hertz[:, None].log2() - torch.tensor(frequencies).log2()).abs().argmin(1)
