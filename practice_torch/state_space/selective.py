r"""Selective state spaces: the scan of Mamba, its mixer and its block, on whole sequences or one token at a time.

D channels of N states each. a [D, N]: the diagonal of A in every channel; step_size [B, T, D], b and c [B, T, N]: from tokens.
"""

from practice_torch.arguments import require, require_rank, require_shape, require_values
from practice_torch.state_space._mamba import MambaBlock as MambaBlock
from practice_torch.state_space._mamba import MambaDecoder as MambaDecoder
from practice_torch.state_space._selective_mixer import discretized, inverse_of_softplus, mixed, scanned, stepped


def inverse_softplus(x):
    r"""x + log(1 - e^-x), of which the softplus log(1 + e^y) is x: the bias at which a step begins.

    Raises ValueError if x is not positive.  Source: Gu & Dao 2023, section 3.6.
    [...] -> [...]
    """
    require_values("x", x, lambda x: x > 0, "positive")
    return inverse_of_softplus(x)


def discretize_selective(inputs, step_size, b, a):
    r"""e^(step_d a_dn) and step_d b_n u_d: what is kept of each state at each token, and what is added to it.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, section 3.1 and algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [D, N] -> [B, T, D, N], [B, T, D, N]
    """
    require_rank(3, inputs=inputs)
    _require_system(inputs, step_size, a, b=b)
    return discretized(inputs, step_size, b, a)


def selective_step(inputs, step_size, b, c, state, a, skip):
    r"""h' = e^(step_size a) h + step_size b u,  y_d = sum_n c_n h'_dn + skip_d u_d: one token.

    Raises ValueError if the shapes do not fit or step_size is negative.  Source: Gu & Dao 2023, algorithm 2.
    [B, D], [B, D], [B, N], [B, N], [B, D, N], [D, N], [D] -> [B, D], [B, D, N]
    """
    require_rank(2, inputs=inputs)
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((*inputs.shape, a.shape[1]), state=state)
    require_shape(a.shape[:1], skip=skip)
    return stepped(inputs, step_size, b, c, state, a, skip)


def selective_scan(inputs, step_size, b, c, initial, a, skip):
    r"""selective_step for t = 1, ..., T: all outputs, and the last state, with which to go on.

    Gradients are computed by hand, and states again, so that none is kept. In half precision the states are float32.

    Raises ValueError if the shapes do not fit, inputs has no step in time, or step_size is negative.
    Source: Gu & Dao 2023, algorithm 2.
    [B, T, D], [B, T, D], [B, T, N], [B, T, N], [B, D, N], [D, N], [D] -> [B, T, D], [B, D, N]
    """
    require_rank(3, inputs=inputs)
    require(inputs.shape[1] > 0, f"inputs has shape {list(inputs.shape)}; it must be [B, T, D] with at least one step in time")
    _require_system(inputs, step_size, a, b=b, c=c)
    require_shape((len(inputs), *a.shape), initial=initial)
    require_shape(a.shape[:1], skip=skip)
    return scanned(inputs, step_size, b, c, initial, a, skip)


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
    return mixed(x, parameters)


def _require_system(inputs, step_size, a, **projections):
    """inputs and step_size [..., D], a [D, N], and projections [..., N]."""
    require_shape(inputs.shape, step_size=step_size)
    require_rank(2, a=a)
    require(len(a) == inputs.shape[-1], f"a has shape {list(a.shape)}; it must have {inputs.shape[-1]} rows, one a channel")
    require_shape((*inputs.shape[:-1], a.shape[1]), **projections)
    require_values("step_size", step_size, lambda step_size: step_size >= 0, "at least 0")


def _require_mixer(x, parameters):
    require_rank(3, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must be [B, T, E] with at least one step in time")
    axes = {"skip": 1, "convolution_weight": 2, "step_weight": 2, "log_negative_a": 2}
    for name in (*axes, "input_weight", "convolution_bias", "projection_weight", "step_bias", "output_weight"):
        require(name in parameters, f"{name} is missing; parameters has {', '.join(sorted(parameters)) or 'nothing'}")
    for name, rank in axes.items():
        require_rank(rank, **{name: parameters[name]})
    skip, taps, rank, states = (parameters[name].shape[-1] for name in axes)
    require(taps > 0, "convolution_weight has no tap; it must have at least one")
    for name, shape in {
        "input_weight": (2 * skip, x.shape[2]),
        "convolution_weight": (skip, taps),
        "convolution_bias": (skip,),
        "projection_weight": (rank + 2 * states, skip),
        "step_weight": (skip, rank),
        "step_bias": (skip,),
        "log_negative_a": (skip, states),
        "output_weight": (x.shape[2], skip),
    }.items():
        require_shape(shape, **{name: parameters[name]})
