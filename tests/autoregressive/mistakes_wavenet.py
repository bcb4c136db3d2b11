"""Wrong forms of WaveNet's parts that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.autoregressive import wavenet as right
from tests.support.mistakes import Mistake


def _compress(x, *, num_levels, mu=None, base=None, sign=True):
    mu = num_levels - 1 if mu is None else mu
    size = torch.log1p(mu * x.abs()) / (math.log1p(mu) if base is None else base)
    return x.sign() * size if sign else size


def _rounded_compress(x, *, num_levels):
    """log(1 + mu |x|) without log1p."""
    return torch.where(x < 0, -1.0, 1.0).to(x.dtype) * torch.log(1 + (num_levels - 1) * x.abs()) / math.log(num_levels)


def _encode(x, *, num_levels, half=0.5, steps=None, spread=lambda y: (y + 1) / 2):
    y = right.mu_law_compress(x, num_levels=num_levels)
    return (spread(y) * (num_levels - 1 if steps is None else steps) + half).floor().long()


def _looked_up(x, *, num_levels):
    right.mu_law_encode(x, num_levels=num_levels)  # for its checks
    y = (2 * torch.arange(1, num_levels) - num_levels).to(x.dtype) / (num_levels - 1)
    return torch.bucketize(x, y.sign() * torch.expm1(y.abs() * math.log(num_levels)) / (num_levels - 1), right=True)


def _unclamped(codes, *, num_levels):
    """Some levels' loudest code comes out an ulp above 1, which mu_law_encode refuses."""
    right.mu_law_decode(codes, num_levels=num_levels)  # for its checks
    steps = 2 * codes - (num_levels - 1)
    return steps.sign() * torch.expm1(steps.abs() * (math.log(num_levels) / (num_levels - 1))) / (num_levels - 1)


def _decode(codes, *, num_levels, mu=None, steps=None, minus=1.0, shift=0.0):
    right.mu_law_decode(codes, num_levels=num_levels)  # for its checks
    mu = num_levels - 1 if mu is None else mu
    y = 2 * (codes + shift) / (steps or num_levels - 1) - 1
    return (y.sign() * ((1 + mu) ** y.abs() - minus) / mu).clamp(-1, 1)


def _decode_in_their_width(codes, *, num_levels):
    """2 c - mu in the codes' own dtype: in uint8 the lower half has no negative numbers to go to."""
    right.mu_law_decode(codes, num_levels=num_levels)  # for its checks
    steps = 2 * codes - (num_levels - 1)
    magnitude = torch.expm1(steps.abs() * (math.log(num_levels) / (num_levels - 1))) / (num_levels - 1)
    return steps.sign() * magnitude.clamp(max=1.0)


def _convolve(x, weight, bias, *, dilation, pad=lambda reach: (reach, 0), flip=False):
    right.causal_convolution(x, weight, bias, dilation=dilation)  # for its checks
    reach = (weight.shape[2] - 1) * dilation
    return functional.conv1d(functional.pad(x, pad(reach)), weight.flip(2) if flip else weight, bias, dilation=dilation)


def _centered(x, weight, bias, *, dilation):
    return _convolve(x, weight, bias, dilation=dilation, pad=lambda reach: (reach - reach // 2, reach // 2))


def _dilation_forgotten(x, weight, bias, *, dilation):
    """The padding of dilation 1; the missing beginning filled up at the end, so that the length is right."""
    reach = weight.shape[2] - 1
    return _convolve(x, weight, bias, dilation=dilation, pad=lambda whole: (reach, whole - reach))


def _by_taps(x, weight, bias, *, dilation):
    right.causal_convolution(x, weight, bias, dilation=dilation)  # for its checks
    taps, length = weight.shape[2], x.shape[2]
    out = bias[:, None].expand(len(x), -1, length)
    for j in range(taps):
        delay = min((taps - 1 - j) * dilation, length)
        out = out + weight[:, :, j] @ functional.pad(x, (delay, 0))[:, :, :length]
    return out


def _field(*, kernel_size, dilations, taps=-1, start=1):
    return start + (kernel_size + taps) * sum(dilations)


def _block(
    x, filter_weight, filter_bias, gate_weight, gate_bias, residual_weight, residual_bias, skip_weight, skip_bias, *, dilation,
    swap=False, onto="x", skip_of="z", scale=1.0, conv=right.causal_convolution, biases=True, joined=False,
):  # fmt: skip
    right.gated_residual_block(
        x,
        filter_weight,
        filter_bias,
        gate_weight,
        gate_bias,
        residual_weight,
        residual_bias,
        skip_weight,
        skip_bias,
        dilation=dilation,
    )  # for its checks
    if joined:
        weight, bias = torch.cat([filter_weight, gate_weight]), torch.cat([filter_bias, gate_bias])
        content, gate = conv(x, weight, bias, dilation=dilation).chunk(2, 1)
    else:
        content = conv(x, filter_weight, filter_bias, dilation=dilation)
        gate = conv(x, gate_weight, gate_bias, dilation=dilation)
    if swap:
        content, gate = gate, content
    z = content.tanh() * gate.sigmoid()
    ahead = residual_weight @ z + (residual_bias[:, None] if biases else 0)
    below = {"x": x, "z": z if z.shape == x.shape else 0, "nothing": 0}[onto]  # z may have another width
    next_x = (below + ahead) * scale
    return next_x, skip_weight @ {"z": z, "content": content.tanh()}[skip_of] + skip_bias[:, None]


def _step(x, queue, weight, bias, *, dilation, pushed_first=False, newest_first=False, flip=False, apart=None, keep=False):
    right.convolution_step(x, queue, weight, bias, dilation=dilation)  # for its checks
    length, taps = queue.shape[2], weight.shape[2]
    seen = torch.cat([queue, x[:, :, None]], 2)
    read = torch.cat([seen[:, :, 1:], x[:, :, None]], 2) if pushed_first else seen
    at = torch.arange(taps) * (dilation if apart is None else apart) + (0 if apart is None else length - (taps - 1) * apart)
    y = torch.einsum("oij,bij->bo", weight.flip(2) if flip else weight, read[:, :, at]) + bias
    pushed = torch.cat([x[:, :, None], queue], 2)[:, :, :length] if newest_first else seen[:, :, 1:]
    return y, queue.clone() if keep else pushed


MISTAKES = (
    Mistake("mu_law_compress", "mu = levels", lambda x, *, num_levels: _compress(x, num_levels=num_levels, mu=num_levels)),
    Mistake("mu_law_compress", "divided by ln mu",
            lambda x, *, num_levels: _compress(x, num_levels=num_levels, base=math.log(max(num_levels - 1, 1.5)))),
    Mistake("mu_law_compress", "no sign", lambda x, *, num_levels: _compress(x, num_levels=num_levels, sign=False)),
    Mistake("mu_law_compress", "no slope at zero", lambda x, *, num_levels: _compress(x, num_levels=num_levels)),
    Mistake("mu_law_compress", "log(1 + x) for log1p", _rounded_compress),
    Mistake("mu_law_compress", "no check of loudness",
            lambda x, *, num_levels: torch.where(x < 0, -1.0, 1.0).to(x.dtype)
            * torch.log1p((num_levels - 1) * torch.where(x < 0, -x, x)) / math.log(num_levels), only_checks=True),
    Mistake("mu_law_encode", "the half forgotten", lambda x, *, num_levels: _encode(x, num_levels=num_levels, half=0.0)),
    Mistake("mu_law_encode", "rounded up", lambda x, *, num_levels: _encode(x, num_levels=num_levels, half=1 - 1e-9)),
    Mistake("mu_law_encode", "levels steps for levels - 1",
            lambda x, *, num_levels: _encode(x, num_levels=num_levels, half=0.0, steps=num_levels).clamp(max=num_levels - 1)),
    Mistake("mu_law_encode", "y mu rounded, not spread over the codes",
            lambda x, *, num_levels: _encode(x, num_levels=num_levels, spread=lambda y: y)),
    Mistake("mu_law_encode", "halves to even",
            lambda x, *, num_levels: (
                (right.mu_law_compress(x, num_levels=num_levels) + 1) / 2 * (num_levels - 1)).round().long()),
    Mistake("mu_law_encode", "linear", lambda x, *, num_levels: ((x + 1) / 2 * (num_levels - 1) + 0.5).floor().long()),
    Mistake("mu_law_decode", "levels steps for levels - 1",
            lambda codes, *, num_levels: _decode(codes, num_levels=num_levels, steps=num_levels)),
    Mistake("mu_law_decode", "middles of levels cells",
            lambda codes, *, num_levels: _decode(codes, num_levels=num_levels, steps=num_levels, shift=0.5)),
    Mistake("mu_law_decode", "in the width of the codes", _decode_in_their_width, narrow=True),
    Mistake("mu_law_decode", "mu = levels", lambda codes, *, num_levels: _decode(codes, num_levels=num_levels, mu=num_levels)),
    Mistake("mu_law_decode", "the 1 not subtracted",
            lambda codes, *, num_levels: _decode(codes, num_levels=num_levels, minus=0.0)),
    Mistake("mu_law_decode", "not clamped", _unclamped),
    Mistake("mu_law_decode", "no check of codes",
            lambda codes, *, num_levels: _decode(codes.clamp(0, num_levels - 1), num_levels=num_levels), only_checks=True),
    Mistake("causal_convolution", "symmetric padding", _centered),
    Mistake("causal_convolution", "anticausal",
            lambda *given, **named: _convolve(*given, **named, pad=lambda reach: (0, reach))),
    Mistake("causal_convolution", "strictly before",
            lambda *given, **named: _convolve(*given, **named, pad=lambda reach: (reach + 1, -1))),
    Mistake("causal_convolution", "kernel flipped", lambda *given, **named: _convolve(*given, **named, flip=True)),
    Mistake("causal_convolution", "dilation forgotten in the padding", _dilation_forgotten),
    Mistake("causal_convolution", "dilation forgotten in the kernel",
            lambda x, weight, bias, *, dilation: right.causal_convolution(x, weight, bias, dilation=1)),
    Mistake("causal_convolution", "wraps around", lambda x, weight, bias, *, dilation: sum(
        weight[:, :, j] @ x.roll((weight.shape[2] - 1 - j) * dilation, 2) for j in range(weight.shape[2])) + bias[:, None]),
    Mistake("receptive_field", "k for k - 1", lambda **named: _field(**named, taps=0)),
    Mistake("receptive_field", "without the present", lambda **named: _field(**named, start=0)),
    Mistake("receptive_field", "the largest dilation alone", lambda *, kernel_size, dilations: 1
            + (kernel_size - 1) * max(dilations, default=0)),
    Mistake("receptive_field", "repeated dilations once", lambda *, kernel_size, dilations: 1
            + (kernel_size - 1) * sum(set(dilations))),
    Mistake("receptive_field", "no checks", _field, only_checks=True),
    Mistake("gated_residual_block", "filter and gate swapped", lambda *given, **named: _block(*given, **named, swap=True)),
    Mistake("gated_residual_block", "residual from z", lambda *given, **named: _block(*given, **named, onto="z")),
    Mistake("gated_residual_block", "no residual", lambda *given, **named: _block(*given, **named, onto="nothing")),
    Mistake("gated_residual_block", "skip without the gate",
            lambda *given, **named: _block(*given, **named, skip_of="content")),
    Mistake("gated_residual_block", "sum scaled by the root of one half",
            lambda *given, **named: _block(*given, **named, scale=math.sqrt(0.5))),
    Mistake("gated_residual_block", "no residual bias", lambda *given, **named: _block(*given, **named, biases=False)),
    Mistake("gated_residual_block", "sees the future", lambda *given, **named: _block(*given, **named, conv=_centered)),
    Mistake("convolution_step", "pushed before reading",
            lambda *given, **named: _step(*given, **named, pushed_first=True)),
    Mistake("convolution_step", "newest first", lambda *given, **named: _step(*given, **named, newest_first=True)),
    Mistake("convolution_step", "kernel flipped", lambda *given, **named: _step(*given, **named, flip=True)),
    Mistake("convolution_step", "the newest taps, whatever the dilation",
            lambda *given, **named: _step(*given, **named, apart=1)),
    Mistake("convolution_step", "the queue never moves", lambda *given, **named: _step(*given, **named, keep=True)),
    Mistake("convolution_step", "the queue carries no gradient", lambda x, queue, weight, bias, *, dilation: _step(
        x, queue.detach(), weight, bias, dilation=dilation)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("mu_law_encode", "by a table of the cells' lower ends", _looked_up),
    Mistake("mu_law_decode", "by a table", lambda codes, *, num_levels: right.mu_law_decode(
        torch.arange(num_levels), num_levels=num_levels)[codes] if bool(((codes >= 0) & (codes < num_levels)).all())
        else right.mu_law_decode(codes, num_levels=num_levels)),
    Mistake("causal_convolution", "tap by tap", _by_taps),
    Mistake("receptive_field", "layer by layer", lambda *, kernel_size, dilations: right.receptive_field(
        kernel_size=kernel_size, dilations=()) + sum(
            right.receptive_field(kernel_size=kernel_size, dilations=(d,)) - 1 for d in dilations)),
    Mistake("gated_residual_block", "filter and gate as one convolution",
            lambda *given, **named: _block(*given, **named, joined=True)),
    Mistake("convolution_step", "taps gathered one by one", _step),
)  # fmt: skip
