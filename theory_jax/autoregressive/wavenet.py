"""WaveNet: sound as a sequence of codes, causal convolutions with a long reach at low cost, generation without waste."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values, widened


def mu_law_compress(x, *, num_levels):
    r"""f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu) with mu = num_levels - 1: [-1, 1] onto [-1, 1], steep around zero.

    Raises ValueError if x leaves [-1, 1] or num_levels < 2.  Source: ITU-T G.711; van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    require_at_least(2, num_levels=num_levels)
    require_values("x", x, lambda a: np.abs(a) <= 1, "within [-1, 1]")
    # |x| with the slope 1 at zero, not 0: f has a slope there, the steepest of all
    sign = jnp.where(x < 0, -1.0, 1.0).astype(x.dtype)
    return sign * jnp.log1p((num_levels - 1) * sign * x) / math.log(num_levels)


def mu_law_encode(x, *, num_levels):
    r"""floor((f(x) + 1) / 2 mu + 1/2): the nearest of `num_levels` codes 0..mu, evenly spaced in f; halves go up.

    Raises ValueError as mu_law_compress does.  Source: van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    return jnp.floor((mu_law_compress(x, num_levels=num_levels) + 1) / 2 * (num_levels - 1) + 0.5).astype(int)


def mu_law_decode(codes, *, num_levels):
    r"""sign(y) ((1 + mu)^|y| - 1) / mu at y = 2 c / mu - 1: the inverse of f at the code's place.

    Raises ValueError if a code is outside 0..num_levels - 1 or num_levels is less than 2.  Source: ITU-T G.711.
    [...] -> [...]
    """
    require_at_least(2, num_levels=num_levels)
    mu = num_levels - 1
    require_values("codes", codes, lambda a: (a >= 0) & (a <= mu), f"a code, 0..{mu}")
    odd = 2 * widened(codes) - mu  # y mu, a whole number; dividing it first would round once more, before the exponential
    size = jnp.expm1(jnp.abs(odd) * (math.log(num_levels) / mu)) / mu
    return jnp.sign(odd) * jnp.minimum(size, 1.0)  # rounding may leave the interval that the encoder takes


def causal_convolution(x, weight, bias, *, dilation):
    r"""y_t = b + sum_j w_j x_(t - (k - 1 - j) d), x = 0 before its beginning: the last tap sees the present, none the future.

    Raises ValueError if the shapes do not fit, weight has no tap, or dilation is less than 1.
    Source: van den Oord et al. 2016, section 2.1.
    [B, I, T], [O, I, K], [O] -> [B, O, T]
    """
    require_rank(3, x=x)
    require_at_least(1, dilation=dilation)
    _require_kernel(x.shape[1], weight=weight, bias=bias)
    (_, _, length), taps = x.shape, weight.shape[2]
    padded = jnp.pad(x, ((0, 0), (0, 0), ((taps - 1) * dilation, 0)))
    delayed = jnp.stack([padded[:, :, j * dilation : j * dilation + length] for j in range(taps)])
    return jnp.einsum("jbit,oij->bot", delayed, weight) + bias[:, None]


def receptive_field(*, kernel_size, dilations):
    r"""1 + (k - 1) sum_l d_l: how many steps of the input one output of the stacked causal convolutions depends on.

    Raises ValueError if kernel_size or a dilation is less than 1.  Source: van den Oord et al. 2016, section 2.1.
    -> []
    """
    require_at_least(1, kernel_size=kernel_size)
    require(all(d >= 1 for d in dilations), f"dilations is {tuple(dilations)}; each must be at least 1")
    return 1 + (kernel_size - 1) * sum(dilations)


def gated_residual_block(
    x, filter_weight, filter_bias, gate_weight, gate_bias, residual_weight, residual_bias, skip_weight, skip_bias, *, dilation
):
    r"""z = tanh(W_f * x) sigma(W_g * x), causal and dilated; the next block gets x + W_r z, the output W_s z.

    Raises ValueError if the shapes do not fit or dilation is less than 1.  Source: van den Oord et al. 2016, eq. 2 and figure 4.
    [B, R, T], [G, R, K], [G], [G, R, K], [G], [R, G], [R], [S, G], [S] -> [B, R, T], [B, S, T]
    """
    require_rank(3, x=x)
    _require_kernel(x.shape[1], filter_weight=filter_weight, filter_bias=filter_bias)
    _require_kernel(x.shape[1], gate_weight=gate_weight, gate_bias=gate_bias)
    require_shape(filter_weight.shape, gate_weight=gate_weight)
    gates = filter_weight.shape[0]
    _require_matrix(x.shape[1], gates, residual_weight=residual_weight, residual_bias=residual_bias)
    _require_matrix(skip_weight.shape[0], gates, skip_weight=skip_weight, skip_bias=skip_bias)
    content = causal_convolution(x, filter_weight, filter_bias, dilation=dilation)
    gate = causal_convolution(x, gate_weight, gate_bias, dilation=dilation)
    z = jnp.tanh(content) * jax.nn.sigmoid(gate)
    residual, skip = (
        jnp.einsum("og,bgt->bot", weight, z) + bias[:, None]
        for weight, bias in ((residual_weight, residual_bias), (skip_weight, skip_bias))
    )
    return x + residual, skip


def convolution_step(x, queue, weight, bias, *, dilation):
    r"""causal_convolution one step at a time: y from the newest input x and a queue of the (k - 1) d before it, oldest first.

    Returns y and the queue for the next step: the oldest input leaves, x joins. The first queue is zeros.

    Raises ValueError if the shapes do not fit, queue is not (K - 1) dilation long, or dilation is less than 1.
    Source: Paine et al. 2016.
    [B, I], [B, I, Q], [O, I, K], [O] -> [B, O], [B, I, Q]
    """
    require_rank(2, x=x)
    require_at_least(1, dilation=dilation)
    _require_kernel(x.shape[1], weight=weight, bias=bias)
    require_shape((*x.shape, (weight.shape[2] - 1) * dilation), queue=queue)
    seen = jnp.concatenate([queue, x[:, :, None]], axis=2)
    return jnp.einsum("bij,oij->bo", seen[:, :, ::dilation], weight) + bias, seen[:, :, 1:]


def _require_kernel(inputs, **parameters):
    """A weight [O, inputs, K] with K >= 1, and its bias [O]."""
    (name, weight), (bias_name, bias) = parameters.items()
    require_rank(3, **{name: weight})
    shape = list(weight.shape)
    require(weight.shape[1] == inputs, f"{name} has shape {shape}; its second axis must be the {inputs} channels of x")
    require(weight.shape[2] >= 1, f"{name} has shape {shape}; it must have at least one tap")
    require_shape(weight.shape[:1], **{bias_name: bias})


def _require_matrix(outputs, inputs, **parameters):
    """A weight [outputs, inputs] and its bias [outputs]."""
    (name, weight), (bias_name, bias) = parameters.items()
    require_shape((outputs, inputs), **{name: weight})
    require_shape((outputs,), **{bias_name: bias})


# ---------------------------------------------------------------------------------------------------- the network


class WaveNet(nnx.Module):
    """Codes [B, T], classes [B] -> logits [B, T, V] of every code given those before it: residual blocks with summed skips."""

    def __init__(self, *, num_levels, residual_channels, skip_channels, dilations, kernel_size=2, classes=0, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        self.silence = num_levels // 2
        self.embedding = nnx.Embed(num_levels, residual_channels, **common)
        self.blocks = nnx.List(
            _Block(residual_channels, skip_channels, kernel_size, dilation, classes, common) for dilation in dilations
        )
        first, last = nnx.Linear(skip_channels, skip_channels, **common), nnx.Linear(skip_channels, num_levels, **common)
        self.head = nnx.List([jax.nn.relu, first, jax.nn.relu, last])

    def __call__(self, codes, label=None):
        codes = widened(codes)
        before = jnp.concatenate([jnp.full_like(codes[:, :1], self.silence), codes[:, :-1]], axis=1)
        x, skips = jnp.swapaxes(self.embedding(before), 1, 2), 0.0
        for block in self.blocks:
            x, skip = block(x, label)
            skips += skip
        h = jnp.swapaxes(skips, 1, 2)
        for layer in self.head:
            h = layer(h)
        return h


class _Block(nnx.Module):
    """gated_residual_block with its own parameters; the class of an example adds to the gates' biases."""

    def __init__(self, channels, skip_channels, taps, dilation, classes, common):
        self.taps, self.dilation = taps, dilation
        self.gates = nnx.Linear(taps * channels, 2 * channels, **common)
        self.out = nnx.Linear(channels, channels + skip_channels, **common)
        self.condition = nnx.Embed(classes, 2 * channels, **common) if classes else nnx.data(None)

    def __call__(self, x, label):
        channels = x.shape[1]
        kernel = self.gates.kernel[...].reshape(self.taps, channels, 2 * channels)
        weights = jnp.split(jnp.moveaxis(kernel, (0, 2), (2, 0)), 2)
        outward = jnp.split(self.out.kernel[...].T, [channels])
        outward_bias = jnp.split(self.out.bias[...], [channels])
        biases = jnp.broadcast_to(self.gates.bias[...], (len(x), 2 * channels))
        biases = biases if self.condition is None else biases + self.condition(widened(label))

        def of_one(x, bias):
            content, gate = jnp.split(bias, 2)
            given = (weights[0], content, weights[1], gate, outward[0], outward_bias[0], outward[1], outward_bias[1])
            return [part[0] for part in gated_residual_block(x[None], *given, dilation=self.dilation)]

        return jax.vmap(of_one)(x, biases)
