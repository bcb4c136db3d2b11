r"""Selective state spaces (lecture 56): a recurrence with step, input and output matrices chosen by each token, as in Mamba.

D channels of N states each. a [D, N]: the diagonal of A in every channel; step_size [B, T, D], b and c [B, T, N]: from tokens.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_rank, require_shape, require_values, widened

MIXER = (
    "input_weight",
    "convolution_weight",
    "convolution_bias",
    "projection_weight",
    "step_weight",
    "step_bias",
    "log_negative_a",
    "skip",
    "output_weight",
)


def inverse_softplus(x):
    r"""x + log(1 - e^-x), of which the softplus log(1 + e^y) is x: the bias at which a step begins.

    Raises ValueError if x is not positive.  Source: Gu & Dao 2023, section 3.6.
    [...] -> [...]
    """
    require_values("x", x, lambda a: a > 0, "positive")
    return x + jnp.log(-jnp.expm1(-x))


def discretize_selective(inputs, step_size, b, a):
    r"""e^(step_d a_dn) and step_d b_n u_d: what is kept of each state at each token, and what is added to it.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, section 3.1 and algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [D, N] -> [B, T, D, N], [B, T, D, N]
    """
    require_rank(3, inputs=inputs)
    _require_system(inputs, step_size, a, b=b)
    return _discretized(inputs, step_size, b, a)


def selective_step(inputs, step_size, b, c, state, a, skip):
    r"""h' = e^(step_size a) h + step_size b u,  y_d = sum_n c_n h'_dn + skip_d u_d: one token.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, algorithm 2.
    [B, D], [B, D], [B, N], [B, N], [B, D, N], [D, N], [D] -> [B, D], [B, D, N]
    """
    require_rank(2, inputs=inputs)
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((*inputs.shape, a.shape[1]), state=state)
    require_shape(a.shape[:1], skip=skip)
    kept, added = _discretized(inputs, step_size, b, a)
    state = kept * state + added
    return jnp.einsum("bdn,bn->bd", state, c) + skip * inputs, state


def selective_scan(inputs, step_size, b, c, initial, a, skip):
    r"""selective_step for t = 1, ..., T: all outputs, and the last state, with which to go on.

    Raises ValueError if the shapes do not fit, inputs has no step in time, or step_size is negative.
    Source: Gu & Dao 2023, algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [B, T, N], [B, D, N], [D, N], [D] -> [B, T, D], [B, D, N]
    """
    require_rank(3, inputs=inputs)
    batch, steps, channels = inputs.shape
    require(steps > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, T, D] with at least one step in time")
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((batch, *a.shape), initial=initial)
    require_shape((channels,), skip=skip)

    # One token's states are few: computed in the loop, and there again for gradients, they are never written to memory. On a CPU
    # that takes a tenth of the time of discretizing all of them first.
    @jax.checkpoint
    def token(state, now):
        outputs, state = selective_step(*now, state, a, skip)
        return state, outputs

    last, outputs = jax.lax.scan(token, initial, [jnp.swapaxes(part, 0, 1) for part in (inputs, step_size, b, c)])
    return jnp.swapaxes(outputs, 0, 1), last


def mamba_mixer(x, parameters):
    r"""W_o (selective_scan(u) silu(z)): what a Mamba block does between its norm and its skip path.

    (u, z) = W_i x; u = silu(causal convolution of u, channel by channel); (r, b, c) = W_p u; step = softplus(W_s r + bias);
    a = -e^log_negative_a. Parameters: input_weight [2D, E], convolution_weight [D, K], convolution_bias [D], projection_weight
    [R+2N, D], step_weight [D, R], step_bias [D], log_negative_a [D, N], skip [D], output_weight [E, D].

    Raises ValueError if x has not three axes or no step in time, or one of the parameters is missing or has another shape: the
    message names input_weight, say.  Source: Gu & Dao 2023, section 3.4 and figure 3.
    [B, T, E], {[...]} -> [B, T, E]
    """
    _require_mixer(x, parameters)
    p = parameters
    steps, taps = x.shape[1], p["convolution_weight"].shape[1]
    content, gate = jnp.split(x @ p["input_weight"].T, 2, axis=-1)
    padded = jnp.pad(content, ((0, 0), (taps - 1, 0), (0, 0)))
    delayed = jnp.stack([padded[:, tap : tap + steps] for tap in range(taps)])
    content = jax.nn.silu(jnp.einsum("kbtd,dk->btd", delayed, p["convolution_weight"]) + p["convolution_bias"])
    (channels, rank), states = p["step_weight"].shape, p["log_negative_a"].shape[1]
    low, b, c = jnp.split(content @ p["projection_weight"].T, [rank, rank + states], axis=-1)
    step = jax.nn.softplus(low @ p["step_weight"].T + p["step_bias"])
    start = jnp.zeros((len(x), channels, states), x.dtype)
    outputs, _ = selective_scan(content, step, b, c, start, -jnp.exp(p["log_negative_a"]), p["skip"])
    return (outputs * jax.nn.silu(gate)) @ p["output_weight"].T


def _discretized(inputs, step_size, b, a):
    return jnp.exp(step_size[..., None] * a), (step_size * inputs)[..., None] * b[..., None, :]


def _require_system(inputs, step_size, a, **projections):
    """inputs and step_size [..., D], a [D, N], and projections [..., N]."""
    require_shape(inputs.shape, step_size=step_size)
    require_rank(2, a=a)
    require(a.shape[0] == inputs.shape[-1], f"a has shape {list(a.shape)}; it must have {inputs.shape[-1]} rows, one a channel")
    require_shape((*inputs.shape[:-1], a.shape[1]), **projections)
    require_values("step_size", step_size, lambda s: s >= 0, "at least 0")


def _require_mixer(x, parameters):
    require_rank(3, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must be [B, T, E] with at least one step in time")
    for name in MIXER:
        require(name in parameters, f"{name} is missing; parameters has {', '.join(sorted(parameters)) or 'nothing'}")
    for name in ("convolution_weight", "step_weight", "log_negative_a"):
        require_rank(2, **{name: parameters[name]})
    (channels, states), width = parameters["log_negative_a"].shape, x.shape[2]
    taps, rank = parameters["convolution_weight"].shape[1], parameters["step_weight"].shape[1]
    require(taps > 0, "convolution_weight has no tap; it must have at least one")
    wanted = (2 * channels, width), (channels, taps), (channels,), (rank + 2 * states, channels), (channels, rank), (channels,)
    wanted += (channels, states), (channels,), (width, channels)
    for name, shape in zip(MIXER, wanted, strict=True):
        require_shape(shape, **{name: parameters[name]})


# ---------------------------------------------------------------------------------------------------- the network


class MambaBlock(nnx.Module):
    """[B, T, E] -> [B, T, E]: x + mamba_mixer(RMSNorm(x))."""

    def __init__(self, *, width, expand=2, states=16, taps=4, rank=None, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        channels, rank = expand * width, rank or -(-width // 16)
        self.norm = nnx.RMSNorm(width, epsilon=1e-5, **common)
        self.input = nnx.Linear(width, 2 * channels, use_bias=False, **common)
        self.convolution = nnx.Conv(channels, channels, (taps,), feature_group_count=channels, **common)
        self.projection = nnx.Linear(channels, rank + 2 * states, use_bias=False, **common)
        self.step = nnx.Linear(rank, channels, **common)
        self.log_negative_a = nnx.Param(jnp.zeros((channels, states)))
        self.skip = nnx.Param(jnp.ones(channels))
        self.output = nnx.Linear(channels, width, use_bias=False, **common)

    def __call__(self, x):
        kernels = {name: getattr(self, name).kernel[...] for name in ("input", "convolution", "projection", "step", "output")}
        weights = {f"{name}_weight": kernel.T for name, kernel in kernels.items()}
        weights["convolution_weight"] = kernels["convolution"][:, 0].T
        biases = {f"{name}_bias": getattr(self, name).bias[...] for name in ("convolution", "step")}
        return x + mamba_mixer(
            self.norm(x), weights | biases | {"log_negative_a": self.log_negative_a[...], "skip": self.skip[...]}
        )


class MambaDecoder(nnx.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: MambaBlocks between an embedding, and a norm and a linear head."""

    def __init__(self, *, vocabulary_size, width, layers, expand=2, states=16, taps=4, rank=None, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        sizes = dict(width=width, expand=expand, states=states, taps=taps, rank=rank)
        self.embedding = nnx.Embed(vocabulary_size, width, **common)
        self.blocks = nnx.List(MambaBlock(**sizes, rngs=rngs) for _ in range(layers))
        self.norm = nnx.RMSNorm(width, epsilon=1e-5, **common)
        self.head = nnx.Linear(width, vocabulary_size, **common)

    def __call__(self, tokens):
        x = self.embedding(widened(tokens))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
