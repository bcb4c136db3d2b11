"""Waveforms in an adversarial game: phase shuffle, magnitudes of spectra and their distances, upsampling, and both players.

x is a batch of waveforms, [B, C, T] with channels, [B, T] without; a frame is as many samples as the window.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)


def phase_shuffle(x, shifts):
    r"""y_t = x_(t - n), n the shift of the example: where t - n is outside of 0..T-1, x is mirrored at its first or last sample.

    The sample at the border itself is not repeated. All channels of an example have the same shift.

    Raises ValueError unless x has 3 axes and shifts is one integer for each example, with |n| < T.
    Source: Donahue, McAuley & Puckette 2019, section 3.3.
    [B, C, T], [B] -> [B, C, T]
    """
    require_rank(3, x=x)
    require_one_each(x, shifts=shifts)
    require_integers(shifts=shifts)
    samples = x.shape[2]
    allowed = f"in {1 - samples}..{samples - 1} (x has {samples} samples)"
    require_values("shifts", shifts, lambda n: n.abs() < samples, allowed)
    # a mirrored wave repeats after 2 (T - 1) samples, of which the second half is the first one backwards
    period = max(2 * (samples - 1), 1)
    place = (torch.arange(samples, device=x.device) - as_int64(shifts)[:, None]) % period
    place = torch.minimum(place, period - place) if samples > 1 else place
    return x.gather(2, place[:, None].expand(x.shape))


def short_time_fourier_magnitude(x, window, *, hop):
    r"""A_k = |sum_t v_t x_t e^(-2 pi i k t / W)|, k = 0..W // 2, of frames of W samples that begin hop samples apart, window v.

    The first frame begins at the first sample, nothing is padded, and the last samples may be in no frame.

    Raises ValueError if hop < 1, window is empty, or x is shorter than window.  Source: Griffin & Lim 1984.
    [B, T], [W] -> [B, F, N]
    """
    require_rank(2, x=x)
    require_rank(1, window=window)
    require_at_least(1, hop=hop)
    samples, length = x.shape[1], len(window)
    require(length > 0, "window has 0 samples; it must have at least 1")
    require(samples >= length, f"x has {samples} samples; it must have at least those of window, {length}")
    frames = x.unfold(1, length, hop) * window
    if not len(x):  # MKL transforms no empty batch
        return frames[..., : length // 2 + 1].mT
    return torch.linalg.vector_norm(torch.view_as_real(torch.fft.rfft(frames)), dim=3).mT


def spectral_convergence(magnitude, magnitude_generated):
    r"""|A - A'| / |A|, the magnitude A and the generated one A', with the root of the sum of squares over bins and frames.

    1 for a silent A', whatever A is. Its slope is 0 where A' = A.

    Raises ValueError if the shapes differ, magnitude has no bin or no frame or a silent example, or an entry of magnitude or
    magnitude_generated is negative.  Source: Arik, Jun & Diamos 2019.
    [B, F, N], [B, F, N] -> [B]
    """
    _require_spectra(magnitude, magnitude_generated)
    sounds = lambda a: (a > 0).flatten(1).any(1)[:, None, None]  # noqa: E731
    require_values("magnitude", magnitude, sounds, "positive somewhere in each example")
    missed, length = (torch.linalg.vector_norm(a, dim=(1, 2)) for a in (magnitude - magnitude_generated, magnitude))
    return missed / length


def log_magnitude_distance(magnitude, magnitude_generated, *, epsilon=1e-5):
    r"""mean |log(A + epsilon) - log(A' + epsilon)| over bins and frames, the magnitude A and the generated one A'.

    Raises ValueError if the shapes differ, magnitude has no bin or no frame, an entry of magnitude or magnitude_generated is
    negative, or epsilon is not positive.  Source: Arik, Jun & Diamos 2019.
    [B, F, N], [B, F, N] -> [B]
    """
    _require_spectra(magnitude, magnitude_generated)
    require_positive(epsilon=epsilon)
    return ((magnitude + epsilon).log() - (magnitude_generated + epsilon).log()).abs().mean(dim=(1, 2))


def transposed_convolution1d(x, weight, bias, *, stride=1, padding=0):
    r"""y_on = bias_o + sum of weight_cok x_ct over all c, t, k with s t + k - p = n: stride s, padding p.

    Every sample of x adds a kernel to the output, s samples apart; padding cuts p samples off at either end.
    L = (T - 1) s + K - 2 p.

    Raises ValueError if x or weight has not 3 axes, weight has not a first axis of x's channels, bias is not [O], stride is
    below 1, padding below 0, or so large that nothing is left.  Source: Dumoulin & Visin 2016, relationship 14.
    [B, C, T], [C, O, K], [O] -> [B, O, L]
    """
    require_rank(3, x=x, weight=weight)
    _, outputs, length = weight.shape
    require_shape((x.shape[1], outputs, length), weight=weight)
    require_shape((outputs,), bias=bias)
    require_at_least(1, stride=stride)
    require_at_least(0, padding=padding)
    whole = (x.shape[2] - 1) * stride + length
    require(whole > 2 * padding, f"padding is {padding}; it must leave one of the {whole} samples that are made")
    return functional.conv_transpose1d(x, weight, bias, stride, padding)


def _require_spectra(magnitude, magnitude_generated):
    require_rank(3, magnitude=magnitude)
    require_same_shape(magnitude=magnitude, magnitude_generated=magnitude_generated)
    _, bins, frames = magnitude.shape
    require(bins > 0 and frames > 0, f"magnitude has {bins} bins and {frames} frames; it must have at least one of each")
    for name, array in (("magnitude", magnitude), ("magnitude_generated", magnitude_generated)):
        require_values(name, array, lambda a: a >= 0, "0 or more")


# ---------------------------------------------------------------------------------------------------- both players


def _quarterings(length):
    """(how often, what is left): a length is divided by 4 while it is more than 16 and 4 divides it."""
    count = 0
    while length % 4 == 0 and length > 16:
        count, length = count + 1, length // 4
    return count, length


class WaveGenerator(nn.Module):
    """Noise to sounds in (-1, 1): a few samples of many channels, four times as many in each layer, of half as many channels.

    [B, Z] -> [B, 1, T]
    """

    def __init__(self, *, latent, length, width, kernel):
        super().__init__()
        count, coarse = _quarterings(length)
        widths = [*(width << level for level in reversed(range(count))), 1]
        self.start = widths[0], coarse
        self.project = nn.Linear(latent, widths[0] * coarse)
        odd = kernel % 2  # one sample more has to be cut at the beginning
        shape = dict(kernel_size=kernel, stride=4, padding=(kernel - 4 + odd) // 2, output_padding=odd)
        self.layers = nn.ModuleList(nn.ConvTranspose1d(*pair, **shape) for pair in itertools.pairwise(widths))
        nn.init.normal_(self.project.weight, std=latent**-0.5)
        for layer in self.layers:  # every sample is reached by a quarter of the kernel's entries, and half of them are cut to 0
            nn.init.normal_(layer.weight, std=(8 / (layer.in_channels * kernel)) ** 0.5)
        for layer in (self.project, *self.layers):
            nn.init.zeros_(layer.bias)

    def forward(self, z):
        """Sounds in (-1, 1)."""
        x = self.project(z).unflatten(1, self.start)
        for layer in self.layers:
            x = layer(x.relu())
        return x.tanh()


class WaveCritic(nn.Module):
    """Sounds to scores: the generator mirrored, its features shuffled in phase before every layer but the first.

    [B, 1, T], [B, S] -> [B]
    """

    def __init__(self, *, length, width, kernel):
        super().__init__()
        count, coarse = _quarterings(length)
        widths = [1, *(width << level for level in range(count))]
        shape = dict(kernel_size=kernel, stride=4, padding=(kernel - 3) // 2)
        self.layers = nn.ModuleList(nn.Conv1d(*pair, **shape) for pair in itertools.pairwise(widths))
        self.score = nn.Linear(widths[-1] * coarse, 1)
        for layer in (*self.layers, self.score):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            nn.init.zeros_(layer.bias)

    @property
    def shuffles(self):
        """The number of shifts that an example needs."""
        return max(len(self.layers) - 1, 0)

    def forward(self, x, shifts):
        """One score a sound."""
        for level, layer in enumerate(self.layers):
            x = phase_shuffle(x, shifts[:, level - 1]) if level else x
            x = functional.leaky_relu(layer(x), 0.2)
        return self.score(x.flatten(1))[:, 0]
