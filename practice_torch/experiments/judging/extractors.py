"""Small networks with last hidden layers that are the features for comparing sounds and texts.

Both are trained in a second or two on the training data of the run that is judged, from one seed: nothing is downloaded, and
nothing of the judged model is used.
"""

import math
from functools import lru_cache, partial

import torch
from torch import nn
from torch.nn import functional

from practice_torch.engine.experiment import Phase
from practice_torch.engine.optimizers import Player
from practice_torch.engine.step import take_turn
from practice_torch.evaluation.frechet_audio_distance import log_mel_spectrogram, mel_filterbank
from practice_torch.networks.perceptron import perceptron

_RATE = 1e-2  # the largest step size; it rises and falls within the training
_AT_ONCE = 256  # batch size, in sounds or passages, for computing features
_FEATURES = 32

# ---------------------------------------------------------------------------------------------------- sounds

_WINDOW, _FILTERS = 0.032, 20  # seconds of a frame
_SILENCE = 1e-6  # power that counts as silence, of a tone of full scale: 60 dB below, or 256 mu-law codes would sound bad
_NOISE = (1e-3, 0.1)  # deviations of the noise that is added in training: else silence between partials is all that is learned
_SOUND_STEPS, _SOUNDS = 400, 32


class ColumnClassifier(nn.Module):
    """Classes of sounds from their log-mel columns [B, M, S]: two convolutions over time, then the mean of their outputs.

    The columns are standardized by the mean and the deviation of each filter's output over `known`, the columns of real sounds.
    """

    def __init__(self, known, classes, *, width=64):
        super().__init__()
        filters = known.shape[1]
        self.center = known.mean((0, 2))[:, None]
        self.scale = known.std((0, 2), correction=0)[:, None].clamp(min=0.1)  # a filter that hears nothing is constant
        self.first = nn.Conv1d(filters, width, 3, padding=1)
        self.second = nn.Conv1d(width, _FEATURES, 3, padding=1)
        self.head = nn.Linear(_FEATURES, classes)

    def hidden(self, columns):
        """[B, M, S] -> [B, D, S]"""
        return self.second(self.first((columns - self.center) / self.scale).relu()).relu()

    def forward(self, columns):
        """[B, M, S] -> logits [B, K]"""
        return self.head(self.hidden(columns).mean(2))


def log_mel_columns(length, sample_rate):
    """The function from sounds [B, length] to their log-mel columns [B, 20, S], of frames that overlap by half."""
    size = min(2 ** round(math.log2(_WINDOW * sample_rate)), length)
    window = torch.hann_window(size)
    bank = mel_filterbank(num_filters=_FILTERS, fourier_length=size, sample_rate=sample_rate)
    full = (window.sum().item() / 2) ** 2  # |rfft|^2 of a tone of full scale, at its frequency
    shape = dict(window=window, filterbank=bank, hop=max(1, size // 2), epsilon=_SILENCE * full)
    return lambda sounds: torch.cat([log_mel_spectrogram(some, **shape) for some in sounds.split(_AT_ONCE)])


def column_classifier(columns, sounds, labels, classes):
    """A ColumnClassifier trained to tell the labels [B] of sounds [B, T] in noise; columns: the function of sounds it reads."""

    def noisy(some, generator):
        low, high = (math.log(level) for level in _NOISE)
        level = torch.exp(low + (high - low) * torch.rand(len(some), 1, generator=generator))
        return columns(some + level * torch.randn(some.shape, generator=generator))

    def loss(network, generator):
        some = torch.randint(len(sounds), (_SOUNDS,), generator=generator)
        return functional.cross_entropy(network(noisy(sounds[some], generator)), labels[some])

    make = lambda: ColumnClassifier(noisy(sounds, torch.Generator().manual_seed(0)), classes)  # noqa: E731
    return _trained(make, loss, _SOUND_STEPS)


# ---------------------------------------------------------------------------------------------------- text

CONTEXT = 8  # bytes that the network of text sees
_TEXT_STEPS, _WINDOWS, _BYTES = 1000, 8, 64


class NextByte(nn.Module):
    """The next byte from the 8 before it: a perceptron of their embeddings (Bengio et al. 2003)."""

    def __init__(self, *, embedding=16, width=64):
        super().__init__()
        self.embedding = nn.Embedding(256, embedding)
        self.layers = perceptron(CONTEXT * embedding, width, _FEATURES, 256)

    def hidden(self, text):
        """[B, T] -> [B, T - 7, D], of every 8 bytes that follow each other."""
        return self.layers[:-1](self.embedding(text).unfold(1, CONTEXT, 1).flatten(2))

    def forward(self, text):
        """[B, T] -> logits [B, T - 7, 256] of the bytes that follow."""
        return self.layers[-1](self.hidden(text))


@lru_cache(maxsize=1)  # a project judges several models of one text
def next_byte(text):
    """A NextByte that was trained on a text, at least 73 bytes."""
    stream = torch.tensor(list(text))

    def loss(network, generator):
        places = torch.randint(len(stream) - CONTEXT - _BYTES, (_WINDOWS, 1), generator=generator)
        windows = stream[places + torch.arange(CONTEXT + _BYTES)]
        return functional.cross_entropy(network(windows[:, :-1]).flatten(0, 1), windows[:, CONTEXT:].flatten())

    return _trained(NextByte, loss, _TEXT_STEPS)


def passage_features(network, passages):
    """The mean of NextByte's hidden layer over every passage: [B, T] -> [B, D]"""
    return torch.cat([network.hidden(some).mean(1) for some in passages.split(_AT_ONCE)])


# ---------------------------------------------------------------------------------------------------- both


def _trained(make, loss, steps):
    """Train make() by `steps` steps of Adam on loss(network, generator), deterministically and without torch's global generator.

    Samples are judged without gradients, in the precision of the run and with its threads. The training has gradients, float32,
    and one thread, which is enough for so small a network and always adds in the same order.
    """
    generator, threads = torch.Generator().manual_seed(0), torch.get_num_threads()
    with torch.random.fork_rng(devices=()), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        torch.manual_seed(0)
        torch.set_num_threads(1)
        try:
            network = make()
            optimizer = torch.optim.Adam(network.parameters(), fused=True)
            rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps)
            player = Player(Phase("train", ("network",)), dict(network.named_parameters()), optimizer)
            for _ in range(steps):
                take_turn(network, player, (generator,), partial(loss, network), lambda player: player.optimizer.step())
                rate.step()
        finally:
            torch.set_num_threads(threads)
    return network.requires_grad_(False)
