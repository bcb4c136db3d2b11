"""WaveNet: mu-law codes, causal dilated convolutions with gates and skips, and their queues for generation one step at a time."""

import math

import torch
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_shape, require_values
from practice_torch.networks.wavenet import WaveNet as WaveNet


def mu_law_compress(x, *, num_levels):
    r"""f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu) with mu = num_levels - 1: [-1, 1] onto [-1, 1], steep around zero.

    Raises ValueError if x leaves [-1, 1] or num_levels < 2.  Source: ITU-T G.711; van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    require_at_least(2, num_levels=num_levels)
    require_values("x", x, lambda x: x.abs() <= 1, "within [-1, 1]")
    # sign(x) |x| has the slope 0 at x = 0 in torch, where f is steepest: each side is written out instead
    negative = x < 0
    magnitude = torch.log1p((num_levels - 1) * torch.where(negative, -x, x)) / math.log(num_levels)
    return torch.where(negative, -magnitude, magnitude)


def mu_law_encode(x, *, num_levels):
    r"""floor((f(x) + 1) / 2 mu + 1/2): the nearest of `num_levels` codes 0..mu, evenly spaced in f; halves go up.

    Raises ValueError as mu_law_compress does.  Source: van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    half = (num_levels - 1) / 2
    return (mu_law_compress(x, num_levels=num_levels) * half + (half + 0.5)).floor().long()


def mu_law_decode(codes, *, num_levels):
    r"""sign(y) ((1 + mu)^|y| - 1) / mu at y = 2 c / mu - 1: the inverse of f at the code's place.

    Raises ValueError if a code is outside 0..num_levels - 1 or num_levels is less than 2.  Source: ITU-T G.711.
    [...] -> [...]
    """
    require_at_least(2, num_levels=num_levels)
    mu = num_levels - 1
    require_values("codes", codes, lambda codes: (codes >= 0) & (codes <= mu), f"a code, 0..{mu}")
    steps = 2 * as_int64(codes) - mu  # y in units of 1/mu: exact
    magnitude = torch.expm1(steps.abs() * (math.log(num_levels) / mu)) / mu
    return steps.sign() * magnitude.clamp(max=1.0)  # without it the loudest code of some levels decodes to 1 + u


def causal_convolution(x, weight, bias, *, dilation):
    r"""y_t = b + sum_j w_j x_(t - (k - 1 - j) d), x = 0 before its beginning: the last tap sees the present, none the future.

    Raises ValueError if the shapes do not fit, weight has no tap, or dilation is less than 1.
    Source: van den Oord et al. 2016, section 2.1.
    [B, I, T], [O, I, K], [O] -> [B, O, T]
    """
    require_rank(3, x=x)
    require_at_least(1, dilation=dilation)
    _require_convolution(x.shape[1], weight=weight, bias=bias)
    past = (weight.shape[2] - 1) * dilation
    return functional.conv1d(functional.pad(x, (past, 0)), weight, bias, dilation=dilation)


def receptive_field(*, kernel_size, dilations):
    r"""1 + (k - 1) sum_l d_l: how many steps of the input one output of the stacked causal convolutions depends on.

    Raises ValueError if kernel_size or a dilation is less than 1.  Source: van den Oord et al. 2016, section 2.1.
    -> []
    """
    require_at_least(1, kernel_size=kernel_size)
    require(min(dilations, default=1) >= 1, f"dilations holds {min(dilations, default=1)}; each must be at least 1")
    return 1 + sum((kernel_size - 1) * dilation for dilation in dilations)


def gated_residual_block(
    x, filter_weight, filter_bias, gate_weight, gate_bias, residual_weight, residual_bias, skip_weight, skip_bias, *, dilation
):
    r"""z = tanh(W_f * x) sigma(W_g * x), causal and dilated; the next block gets x + W_r z, the output W_s z.

    Raises ValueError if the shapes do not fit or dilation is less than 1.  Source: van den Oord et al. 2016, eq. 2 and figure 4.
    [B, R, T], [G, R, K], [G], [G, R, K], [G], [R, G], [R], [S, G], [S] -> [B, R, T], [B, S, T]
    """
    require_rank(3, x=x)
    channels, gates = x.shape[1], filter_weight.shape[0]
    _require_convolution(channels, filter_weight=filter_weight, filter_bias=filter_bias)
    _require_convolution(channels, gate_weight=gate_weight, gate_bias=gate_bias)
    require_shape(filter_weight.shape, gate_weight=gate_weight)
    _require_linear(channels, gates, residual_weight=residual_weight, residual_bias=residual_bias)
    _require_linear(len(skip_weight), gates, skip_weight=skip_weight, skip_bias=skip_bias)
    content = causal_convolution(x, filter_weight, filter_bias, dilation=dilation)
    gate = causal_convolution(x, gate_weight, gate_bias, dilation=dilation)
    z = content.tanh() * gate.sigmoid()
    residual = residual_weight @ z + residual_bias.unsqueeze(1)
    return x + residual, skip_weight @ z + skip_bias.unsqueeze(1)


def convolution_step(x, queue, weight, bias, *, dilation):
    r"""causal_convolution one step at a time: y from the newest input x and a queue of the (k - 1) d before it, oldest first.

    Returns y and the queue for the next step: the oldest input leaves, x joins. The first queue is zeros.

    Raises ValueError if the shapes do not fit, queue is not (K - 1) dilation long, or dilation is less than 1.
    Source: Paine et al. 2016.
    [B, I], [B, I, Q], [O, I, K], [O] -> [B, O], [B, I, Q]
    """
    require_rank(2, x=x)
    require_at_least(1, dilation=dilation)
    _require_convolution(x.shape[1], weight=weight, bias=bias)
    require_shape((*x.shape, (weight.shape[2] - 1) * dilation), queue=queue)
    seen = torch.cat([queue, x.unsqueeze(2)], dim=2)
    taps = seen[:, :, ::dilation]  # the last of them is x
    return functional.linear(taps.flatten(1), weight.flatten(1), bias), seen[:, :, 1:]


def _require_convolution(inputs, **parameters):
    """A weight [O, inputs, K] with K >= 1 and its bias [O], by their names."""
    (weight_name, weight), (bias_name, bias) = parameters.items()
    require_rank(3, **{weight_name: weight})
    outputs, given, taps = weight.shape
    require(given == inputs, f"{weight_name} has {given} inputs (its second axis); it must have {inputs}, the channels of x")
    require(taps >= 1, f"{weight_name} has no tap; it must have at least one")
    require_shape((outputs,), **{bias_name: bias})


def _require_linear(outputs, inputs, **parameters):
    """A weight [outputs, inputs] and its bias [outputs], by their names."""
    (weight_name, weight), (bias_name, bias) = parameters.items()
    require_shape((outputs, inputs), **{weight_name: weight})
    require_shape((outputs,), **{bias_name: bias})
