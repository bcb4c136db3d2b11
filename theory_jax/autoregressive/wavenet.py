"""WaveNet: sound as a sequence of codes, causal convolutions that reach far back for little, and how to generate without waste.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values, widened
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


def mu_law_compress(x, *, levels):
    r"""f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu) with mu = levels - 1: [-1, 1] onto [-1, 1], steep around zero.

    Raises ValueError if x leaves [-1, 1] or levels is less than 2.  Source: ITU-T G.711; van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    require_at_least(2, levels=levels)
    require_values("x", x, lambda a: np.abs(a) <= 1, "within [-1, 1]")
    # |x| with the slope 1 at zero, not 0: f has a slope there, the steepest of all
    sign = jnp.where(x < 0, -1.0, 1.0).astype(x.dtype)
    return sign * jnp.log1p((levels - 1) * sign * x) / math.log(levels)


def mu_law_encode(x, *, levels):
    r"""floor((f(x) + 1) / 2 mu + 1/2): the nearest of `levels` codes 0..mu, evenly spaced in f; halves go up.

    Raises ValueError as mu_law_compress does.  Source: van den Oord et al. 2016, section 2.2.
    [...] -> [...]
    """
    return jnp.floor((mu_law_compress(x, levels=levels) + 1) / 2 * (levels - 1) + 0.5).astype(int)


def mu_law_decode(codes, *, levels):
    r"""sign(y) ((1 + mu)^|y| - 1) / mu at y = 2 c / mu - 1: the inverse of f at the code's place.

    Raises ValueError if a code is outside 0..levels - 1 or levels is less than 2.  Source: ITU-T G.711.
    [...] -> [...]
    """
    require_at_least(2, levels=levels)
    mu = levels - 1
    require_values("codes", codes, lambda a: (a >= 0) & (a <= mu), f"a code, 0..{mu}")
    odd = 2 * widened(codes) - mu  # y mu, a whole number; dividing it first would round once more, before the exponential
    size = jnp.expm1(jnp.abs(odd) * (math.log(levels) / mu)) / mu
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


def residual_block(
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
    """Codes [B, T], classes [B] -> logits [B, T, V] of every code given those before it: residual blocks, whose skips add up."""

    def __init__(self, *, levels, residual_channels, skip_channels, dilations, kernel_size=2, classes=0, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        self.silence = levels // 2
        self.embedding = nnx.Embed(levels, residual_channels, **common)
        self.blocks = nnx.List(
            _Block(residual_channels, skip_channels, kernel_size, dilation, classes, common) for dilation in dilations
        )
        first, last = nnx.Linear(skip_channels, skip_channels, **common), nnx.Linear(skip_channels, levels, **common)
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
    """residual_block with parameters of its own, whose gates' biases are an example's: its class adds to them."""

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
            return [part[0] for part in residual_block(x[None], *given, dilation=self.dilation)]

        return jax.vmap(of_one)(x, biases)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="WaveNet: codes that hear as we do, a past that doubles with every layer, and a queue instead of a second look",
    lectures=(42,),
    sources=(
        "ITU-T Recommendation G.711, Pulse code modulation of voice frequencies",
        "van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio",
        "Paine et al. 2016, Fast Wavenet Generation Algorithm",
    ),
)

_LEVELS = 256
_MU = _LEVELS - 1
_DILATIONS = (1, 2, 4, 8)


def _compress(x):
    return mu_law_compress(x, levels=_LEVELS)


def _quantized(x):
    return mu_law_decode(mu_law_encode(x, levels=_LEVELS), levels=_LEVELS)


@derivation.symbolic(
    r"\frac{(1 + \mu)^{f(x)} - 1}{\mu} = x, \qquad f'(x) = \frac{\mu}{(1 + \mu x) \ln(1 + \mu)} \qquad (x \ge 0)",
    because="f is a logarithm to base 1 + mu, so a power of 1 + mu undoes it. Its slope says how finely a loudness is resolved: "
    "nearly evenly below 1/mu, and above that in proportion to 1/x, as the ear does. Negative x mirror this.",
)
def compression_is_a_logarithm():
    x, mu = sympy.symbols("x mu", positive=True)
    f = sympy.log(1 + mu * x) / sympy.log(1 + mu)
    return [((1 + mu) ** f - 1) / mu, sympy.diff(f, x)], [x, mu / ((1 + mu * x) * sympy.log(1 + mu))]


@derivation.numeric(
    r"\mathrm{sign}(f) \frac{(1 + \mu)^{|f|} - 1}{\mu} = x, \qquad f'(x) = \frac{\mu}{(1 + \mu |x|) \ln(1 + \mu)}",
    because="The same for the function itself, on both sides of zero and at zero, where the slope mu / ln(1 + mu) is largest: "
    "46 at 256 levels, against 0.18 at full loudness.",
)
def compression_is_undone():
    x = jnp.linspace(-1.0, 1.0, 201)
    f = _compress(x)
    slope = jax.vmap(jax.grad(_compress))(x)
    formula = _MU / ((1 + _MU * jnp.abs(x)) * np.log(_LEVELS))
    return jnp.stack([jnp.sign(f) * (_LEVELS ** jnp.abs(f) - 1) / _MU, slope]), jnp.stack([x, formula])


@derivation.bound(
    r"|x - \mathrm{dec}(\mathrm{enc}(x))| \;\le\; \frac{1 + \mu |x|}{\mu} \left( (1 + \mu)^{1 / \mu} - 1 \right)",
    because="A code is the nearest of a grid of spacing 2/mu in f, so f moves by at most 1/mu, and 1 + mu |x| by a factor of at "
    "most (1 + mu)^(1/mu): the error is relative to 1/mu + |x|. It is attained at the lower ends of the cells of positive x; the "
    "first of them is x = 0, which no code of an even number of levels meets.",
)
def quantization_error_is_relative():
    def allowed(x):
        return (1 + _MU * jnp.abs(x)) / _MU * (_LEVELS ** (1 / _MU) - 1)

    x = jnp.linspace(-1.0, 1.0, 20001)
    lower_ends = (_LEVELS ** (2 * jnp.arange(128) / _MU) - 1) / _MU
    ends = lower_ends * (1 + 1e-13)  # just inside the cell
    return jnp.abs(x - _quantized(x)), allowed(x), (jnp.abs(ends - _quantized(ends)), allowed(ends))


@derivation.numeric(
    r"\mathrm{SNR} \approx \frac{\mathbb{E} x^2}{\mathbb{E} \Delta(x)^2 / 12}, \qquad"
    r" \Delta_\mu = \frac{2}{\mu f'(x)}, \qquad \Delta_{\mathrm{linear}} = \frac{2}{255}",
    tolerance=0.07,
    since="Delta^2/12 holds for cells small against the signal; at amplitude 0.01 a linear 8-bit signal has three cells left",
    because="Inside a cell of width Delta the error is nearly uniform, with variance Delta^2/12. Linear cells are all alike, so "
    "a sine ten times as quiet loses 20 dB: 50, 30, 9. The cells of mu-law shrink with the signal: 38, 38, 34 dB at amplitudes "
    "1, 0.1 and 0.01. The same eight bits serve loud and quiet.",
)
def noise_follows_the_signal():
    sine = jnp.sin(2 * np.pi * (jnp.arange(20_000) + 0.5) / 20_000)
    x = jnp.array([1.0, 0.1, 0.01])[:, None] * sine
    linear = jnp.round((x + 1) / 2 * _MU) / _MU * 2 - 1

    def decibels(noise):
        return 10 * jnp.log10(jnp.mean(x * x, axis=1) / noise)

    measured = [decibels(jnp.mean((x - y) ** 2, axis=1)) for y in (_quantized(x), linear)]
    slope = jax.vmap(jax.grad(_compress))(x.ravel()).reshape(x.shape)
    cells = [jnp.mean((2 / (_MU * slope)) ** 2, axis=1), jnp.full(3, (2 / _MU) ** 2)]
    return jnp.stack(measured), jnp.stack([decibels(cell / 12) for cell in cells])


@derivation.exact(
    r"x = e_s \;\Rightarrow\; y_t \ne 0 \iff s \le t \le s + R - 1, \qquad R = 1 + (k - 1) \textstyle\sum_l d_l",
    because="A layer passes an impulse on by 0 or d steps. With dilations 1, 2, 4, 8 the sums of delays are the numbers 0..15, "
    "each reached along one path, as in binary: nothing earlier than s is touched (causality), nothing between is left out, and "
    "nothing beyond R - 1 hears of it. Every start s is tried.",
)
def an_impulse_reaches_the_receptive_field():
    length, weight, bias = 40, jnp.array([[[0.5, 2.0]]]), jnp.zeros(1)
    reach = receptive_field(kernel_size=2, dilations=_DILATIONS)
    y = jnp.eye(length)[:, None]
    for dilation in _DILATIONS:
        y = causal_convolution(y, weight, bias, dilation=dilation)
    delay = np.arange(length) - np.arange(length)[:, None]
    return jnp.where(y[:, 0] != 0, 1, 0), np.where((delay >= 0) & (delay < reach), 1, 0)


@derivation.symbolic(
    r"k = 2, \; d_l = 2^l: \quad R = 1 + \sum_{l=0}^{L-1} 2^l = 2^L",
    because="Doubling dilations form a geometric series: the past that is heard doubles with every layer of two taps, while "
    "undilated layers add one step each. Nine layers reach 512 samples, 64 ms at 8 kHz.",
)
def doubling_dilations_double_the_past():
    layer, layers = sympy.symbols("l L", integer=True, positive=True)
    counted = [sympy.Integer(receptive_field(kernel_size=2, dilations=[2**i for i in range(count)])) for count in (4, 9)]
    return [1 + sympy.summation(2**layer, (layer, 0, layers - 1)), *counted], [2**layers, 16, 512]


def _block(channels=3, gates=2, skips=4, taps=2):
    convolution = (gates, channels, taps), (gates,)
    shapes = (*convolution, *convolution, (channels, gates), (channels,), (skips, gates), (skips,))
    return [draw(*shape, seed=i + 1) for i, shape in enumerate(shapes)]


@derivation.autodiff(
    r"\frac{\partial x'_t}{\partial x_s} \ne 0 \iff s \in \{t, t - d\}, \qquad \frac{\partial x'_t}{\partial x_s} = 0"
    r" \;\text{ for } s > t",
    because="Gates, 1x1 convolutions and the sum of the residual path act within one time step, so only the two convolutions "
    "move anything through time, and they move it forward. The Jacobian of a block over time is block lower triangular, and so "
    "is that of any stack: with the input shifted by one step, a single pass scores every conditional p(x_t | x_<t).",
)
def a_block_keeps_causality():
    x, parameters = draw(1, 3, 7), _block()

    def both(x):
        return jnp.concatenate(residual_block(x, *parameters, dilation=2), axis=1)[0]

    size = jnp.max(jnp.abs(jax.jacobian(both)(x)[:, :, 0]), axis=(0, 2))
    return jnp.where(size > 0, 1, 0), np.eye(7, dtype=int) + np.eye(7, k=-2, dtype=int)


@derivation.numeric(
    r"(y_t, q_{t+1}) = \mathrm{step}(x_t, q_t), \; q_0 = 0 \quad\Rightarrow\quad y = w * x",
    because="An output needs k inputs and no other output. Keeping the last (k - 1) d inputs of every layer is thus "
    "enough to go on: a new sample costs O(k) work a layer, while looking at the whole past again costs O(T), and O(T^2) in all. "
    "Three dilations, one of them longer than the sequence.",
)
def queues_reproduce_the_convolution():
    x, weight, bias = draw(2, 3, 9), draw(4, 3, 3, seed=1), draw(4, seed=2)

    def stepwise(dilation):
        def step(queue, x_t):
            y_t, queue = convolution_step(x_t, queue, weight, bias, dilation=dilation)
            return queue, y_t

        return jnp.moveaxis(jax.lax.scan(step, jnp.zeros((2, 3, 2 * dilation)), jnp.moveaxis(x, 2, 0))[1], 0, 2)

    whole = [causal_convolution(x, weight, bias, dilation=dilation) for dilation in (1, 2, 10)]
    return jnp.stack([stepwise(dilation) for dilation in (1, 2, 10)]), jnp.stack(whole)


if __name__ == "__main__":
    derivation.main()
