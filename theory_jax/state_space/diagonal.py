r"""Diagonal state spaces, S4D (lecture 56): M complex modes per channel, each with its conjugate.

A = -e^log_negative_real + i imaginary, B = 1, C = output_weights, and the step e^log_step of a channel, during which the input is
held.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, widened
from theory_jax.state_space._hold import held
from theory_jax.state_space.convolution import causal_convolution_fft

KINDS = ("linear", "inverse", "legs")


def initial_eigenvalues(*, order, kind):
    r"""-1/2 + i omega_n for n = 0..N/2 - 1, N = order: one of each conjugate pair of N eigenvalues.

    linear: omega_n = pi n.  inverse: omega_n = N/pi (N/(2n + 1) - 1), which falls.  legs: the positive frequencies of HiPPO-LegS
    without its low rank, i.e. of S with S_nk = -1/2 sqrt((2n + 1)(2k + 1)) for n > k and S_kn = -S_nk, ascending.

    Raises ValueError if order is not a positive even number or kind is none of these.
    Source: Gu et al. 2022b, section 4 and its table of initializations.
    -> complex [M]
    """
    require(order > 0 and order % 2 == 0, f"order is {order}; it must be a positive even number: eigenvalues come in pairs")
    require(kind in KINDS, f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    modes = np.arange(order // 2)
    if kind == "linear":
        frequencies = np.pi * modes
    elif kind == "inverse":
        frequencies = order / np.pi * (order / (2 * modes + 1) - 1)
    else:
        roots = np.sqrt(2 * np.arange(order) + 1)
        below = np.tril(np.outer(roots, roots) / 2, -1)
        frequencies = np.linalg.eigvalsh(1j * (below - below.T))[order // 2 :]  # i S is Hermitian, and -i S its mirror image
    return jnp.array(-0.5 + 1j * frequencies)


def diagonal_kernel(output_weights, log_step, log_negative_real, imaginary, *, length):
    r"""K_l = 2 Re sum_m C_m (e^(step A_m) - 1)/A_m e^(step A_m l), l = 0..length-1: the response to an input of 1 at time 0.

    Raises ValueError if the shapes do not fit or length < 1.  Source: Gu et al. 2022b, section 3.
    complex [H, M], [H], [H, M], [H, M] -> [H, L]
    """
    _require_modes(output_weights, log_step=log_step, log_negative_real=log_negative_real, imaginary=imaginary)
    require_at_least(1, length=length)
    exponents, gains = _held(log_step, log_negative_real, imaginary)
    powers = jnp.exp(exponents[:, :, None] * jnp.arange(length))
    return 2 * jnp.einsum("hm,hml->hl", output_weights * gains, powers).real


def diagonal_step(inputs, state, output_weights, log_step, log_negative_real, imaginary):
    r"""x' = e^(step A) x + (e^(step A) - 1)/A u and y = 2 Re sum_m C_m x'_m: one output of every channel, and the next state.

    Raises ValueError if the shapes do not fit.  Source: Gu et al. 2022b, section 3.
    [B, H], complex [B, H, M], complex [H, M], [H], [H, M], [H, M] -> [B, H], complex [B, H, M]
    """
    require_rank(2, inputs=inputs)
    _require_modes(output_weights, log_step=log_step, log_negative_real=log_negative_real, imaginary=imaginary)
    require_shape((len(inputs), len(output_weights)), inputs=inputs)
    require_shape((len(inputs), *output_weights.shape), state=state)
    exponents, gains = _held(log_step, log_negative_real, imaginary)
    state = jnp.exp(exponents) * state + gains * inputs[:, :, None]
    return 2 * jnp.sum(output_weights * state, axis=-1).real, state


def state_space_layer(inputs, output_weights, log_step, log_negative_real, imaginary, skip):
    r"""y = K * u + skip u: the causal convolution of every channel with its diagonal_kernel, by FFT, and the input itself.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Gu et al. 2022b, section 3.
    [B, H, T], complex [H, M], [H], [H, M], [H, M], [H] -> [B, H, T]
    """
    require_rank(3, inputs=inputs)
    batch, _, steps = inputs.shape
    require(steps > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, H, T] with at least one step")
    _require_modes(output_weights, log_step=log_step, log_negative_real=log_negative_real, imaginary=imaginary)
    require_shape((batch, len(output_weights), steps), inputs=inputs)
    require_shape(log_step.shape, skip=skip)
    kernel = diagonal_kernel(output_weights, log_step, log_negative_real, imaginary, length=steps)
    return jax.vmap(causal_convolution_fft, in_axes=(1, 0), out_axes=1)(inputs, kernel) + skip[:, None] * inputs


def _held(log_step, log_negative_real, imaginary):
    """step A, and what a held step adds for each unit of input, of every mode."""
    return held(jax.lax.complex(-jnp.exp(log_negative_real), imaginary), jnp.exp(log_step)[:, None])


def _require_modes(output_weights, **parameters):
    """output_weights and eigenvalues [H, M], and a step for each of the H channels."""
    require_rank(2, output_weights=output_weights)
    for name, array in parameters.items():
        require_shape(output_weights.shape[: 1 if name == "log_step" else 2], **{name: array})


# ---------------------------------------------------------------------------------------------------- the network


class S4DBlock(nnx.Module):
    """x + W_o (S4D(u) silu(z)) + b_o, where (u, z) = W_i norm(x) + b_i: [B, T, E] -> [B, T, E], causal."""

    def __init__(self, width, *, modes=16, kind="linear", rngs: nnx.Rngs):
        common, channels = dict(param_dtype=jnp.result_type(float), rngs=rngs), 2 * width
        eigenvalues = jnp.broadcast_to(initial_eigenvalues(order=2 * modes, kind=kind), (channels, modes))
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, **common)
        self.expand = nnx.Linear(width, 2 * channels, **common)
        self.log_step = nnx.Param(jax.random.uniform(rngs.params(), (channels,), minval=np.log(1e-3), maxval=np.log(1e-1)))
        self.log_negative_real = nnx.Param(jnp.log(-eigenvalues.real))
        self.imaginary = nnx.Param(eigenvalues.imag)
        self.output_real = nnx.Param(jax.random.normal(rngs.params(), (channels, modes)) * 0.5**0.5)
        self.output_imaginary = nnx.Param(jax.random.normal(rngs.params(), (channels, modes)) * 0.5**0.5)
        self.skip = nnx.Param(jnp.ones(channels))
        self.project = nnx.Linear(channels, width, **common)

    def __call__(self, x):
        driven, gate = jnp.split(self.expand(self.norm(x)), 2, axis=-1)
        weights = jax.lax.complex(self.output_real[...], self.output_imaginary[...])
        system = weights, self.log_step[...], self.log_negative_real[...], self.imaginary[...]
        heard = jnp.swapaxes(state_space_layer(jnp.swapaxes(driven, 1, 2), *system, self.skip[...]), 1, 2)
        return x + self.project(heard * jax.nn.silu(gate))


class S4DDecoder(nnx.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: S4DBlocks between an embedding, and a norm and a linear head."""

    def __init__(self, *, vocabulary_size, width, layers, modes=16, kind="linear", rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        self.embedding = nnx.Embed(vocabulary_size, width, **common)
        self.blocks = nnx.List(S4DBlock(width, modes=modes, kind=kind, rngs=rngs) for _ in range(layers))
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, **common)
        self.head = nnx.Linear(width, vocabulary_size, **common)

    def __call__(self, tokens):
        x = self.embedding(widened(tokens))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
