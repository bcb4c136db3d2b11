"""Wrong forms of waveform diffusion that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive.wavenet import causal_convolution
from practice_torch.diffusion import audio_diffusion as right
from tests.support.mistakes import Mistake, after_checks

DRAW, NOISE, CONVOLUTION, BLOCK = "sample_noise_level", "noise_at_level", "dilated_convolution", "conditioned_residual_block"


def _level(u, t, alpha_bar, *, root=True, late=False, shift=0, turned=False, ends=0.0):
    levels = alpha_bar.sqrt() if root else alpha_bar
    t = t.long()
    first = torch.where(t > 1, levels[(t - 1 - shift).clamp(min=0)], torch.ones_like(u))
    share = (1 - u if turned else u) * (1 - 2 * ends) + ends
    drawn = levels[t - shift] * (1 - share) + first * share
    return drawn.sqrt() if late else drawn


def _noised(x0, noise, level, *, weight=lambda level: level, deviation=lambda level: (1 - level.square()).sqrt(), last=False):
    shape = (1,) * (x0.ndim - 1) + (-1,) if last else (-1,) + (1,) * (x0.ndim - 1)
    return weight(level).reshape(shape) * x0 + deviation(level).reshape(shape) * noise


def _causal(x, weight, bias, *, dilation):
    """By the causal convolution of a signal that goes on: its outputs come (K-1)/2 d later."""
    late = weight.shape[2] // 2 * dilation
    return causal_convolution(functional.pad(x, (0, late)), weight, bias, dilation=dilation)[..., late:]


def _wrapped(x, weight, bias, *, dilation):
    """Around the end of the signal, as by torch's padding_mode="circular"."""
    taps = range(-(weight.shape[2] // 2), weight.shape[2] // 2 + 1)
    shifted = torch.stack([x.roll(-j * dilation, 2) for j in taps], 3)
    return torch.einsum("bitj,oij->bot", shifted, weight) + bias[:, None]


def _block(x, embedding, condition, weight, bias, condition_weight, output_weight, output_bias, *, dilation, swapped=False,
           scale=2**0.5, exchanged=False, kept=False, embedded=True, late=False, gate=torch.sigmoid, wave=torch.tanh,
           conditioned=True, convolution=right.dilated_convolution, out_bias=True):  # fmt: skip
    inside = x + embedding[..., None] if embedded else x
    gates = convolution(x if late else inside, weight, bias, dilation=dilation)
    if late:
        gates = gates + torch.cat([embedding, embedding], 1)[..., None]
    if conditioned:
        gates = gates + torch.einsum("om,bmt->bot", condition_weight, condition)
    first, second = gates.split(x.shape[1], 1)
    z = wave(second) * gate(first) if swapped else wave(first) * gate(second)
    out = torch.einsum("oc,bct->bot", output_weight, z) + (output_bias[:, None] if out_bias else 0)
    residual, skip = out.split(x.shape[1], 1)
    residual, skip = (skip, residual) if exchanged else (residual, skip)
    return ((inside if kept else x) + residual) / scale, skip


def _wrong(function, name, form, **how):
    return Mistake(function, name, after_checks(right, function, lambda **given: form(**given, **how)))


def _unchecked(u, t, alpha_bar):
    return right.sample_noise_level(u.clamp(0, 1), t, alpha_bar)


def _even(x, weight, bias, *, dilation):
    """An even kernel gets a tap of zero."""
    return right.dilated_convolution(x, functional.pad(weight, (0, 1 - weight.shape[2] % 2)), bias, dilation=dilation)


MISTAKES = (
    _wrong(DRAW, "interpolated in a, then the root", _level, root=False, late=True),
    _wrong(DRAW, "a for its root", _level, root=False),
    _wrong(DRAW, "from the other end", _level, turned=True),
    _wrong(DRAW, "the piece before", _level, shift=1),
    _wrong(DRAW, "not to the ends", _level, ends=0.01),
    Mistake(DRAW, "any uniform", _unchecked, only_checks=True),
    _wrong(NOISE, "sqrt(1 - l)", _noised, deviation=lambda level: (1 - level).sqrt()),
    _wrong(NOISE, "the variance for the deviation", _noised, deviation=lambda level: 1 - level.square()),
    _wrong(NOISE, "1 - l", _noised, deviation=lambda level: 1 - level),
    _wrong(NOISE, "the level taken for a", _noised, weight=torch.sqrt, deviation=lambda level: (1 - level).sqrt()),
    _wrong(NOISE, "weights exchanged", _noised, weight=lambda level: (1 - level.square()).sqrt(), deviation=lambda level: level),
    Mistake(NOISE, "any level", lambda x0, noise, level: right.noise_at_level(x0, noise, level.clamp(0, 1)), only_checks=True),
    _wrong(CONVOLUTION, "causal", causal_convolution),
    _wrong(CONVOLUTION, "around the end", _wrapped),
    _wrong(CONVOLUTION, "kernel flipped", lambda x, weight, bias, *, dilation: _causal(
        x, weight.flip(2), bias, dilation=dilation)),
    _wrong(CONVOLUTION, "dilation 1", lambda x, weight, bias, *, dilation: _causal(x, weight, bias, dilation=1)),
    _wrong(CONVOLUTION, "dilations that are powers of two", lambda x, weight, bias, *, dilation: _causal(
        x, weight, bias, dilation=2 ** (dilation.bit_length() - 1))),
    _wrong(CONVOLUTION, "without bias", lambda x, weight, bias, *, dilation: _causal(x, weight, 0 * bias, dilation=dilation)),
    Mistake(CONVOLUTION, "padded by K//2", lambda x, weight, bias, *, dilation: functional.conv1d(
        x, weight, bias, padding=weight.shape[2] // 2, dilation=dilation)),
    Mistake(CONVOLUTION, "even kernels", _even, only_checks=True),
    _wrong(BLOCK, "halves of the gate exchanged", _block, swapped=True),
    _wrong(BLOCK, "not divided by sqrt(2)", _block, scale=1.0),
    _wrong(BLOCK, "divided by 2", _block, scale=2.0),
    _wrong(BLOCK, "residual and skip exchanged", _block, exchanged=True),
    _wrong(BLOCK, "the embedding kept in the residual", _block, kept=True),
    _wrong(BLOCK, "the embedding forgotten", _block, embedded=False),
    _wrong(BLOCK, "the embedding added to the gates", _block, late=True),
    _wrong(BLOCK, "the condition forgotten", _block, conditioned=False),
    _wrong(BLOCK, "causal", _block, convolution=causal_convolution),
    _wrong(BLOCK, "a sigmoid for the tanh", _block, wave=torch.sigmoid),
    _wrong(BLOCK, "a tanh for the sigmoid", _block, gate=torch.tanh),
    _wrong(BLOCK, "without the output's bias", _block, out_bias=False),
    Mistake(BLOCK, "even kernels", lambda weight, **rest: right.conditioned_residual_block(
        weight=functional.pad(weight, (0, 1 - weight.shape[2] % 2)), **rest), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(DRAW, "by a weighted mean", after_checks(right, DRAW, _level)),
    Mistake(NOISE, "of its two parts", after_checks(right, NOISE, _noised)),
    Mistake(CONVOLUTION, "causal, and late", after_checks(right, CONVOLUTION, _causal)),
    Mistake(BLOCK, "of its parts", after_checks(right, BLOCK, _block)),
)  # fmt: skip
