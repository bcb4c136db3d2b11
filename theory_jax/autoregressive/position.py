"""Positions: how a sum over a set learns where its members stand, and how to let it know only how far apart they are."""

from bisect import bisect_left

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_shape,
    widened,
)
from theory_jax.autoregressive.attention import causal_mask


def sinusoidal_positions(positions, *, width, base=10000.0, layout="interleaved"):
    r"""sin and cos of p base^(-2i/width), i = 0..width/2 - 1: one clock a pair, each slower than the one before.

    layout: 'interleaved' is sin, cos, sin, cos, ...; 'half' is all sines, then all cosines.

    Raises ValueError for an odd width, a base that is not positive, another layout, or positions that are no integers.
    Source: Vaswani et al. 2017, section 3.5.
    [T] -> [T, E]
    """
    require_rank(1, positions=positions)
    _require_layout(layout)
    angles = _clocks("width", positions, width, base)
    pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)])  # [2, T, E/2]
    order = "pti->tip" if layout == "interleaved" else "pti->tpi"
    return jnp.einsum(order, pairs).reshape(len(angles), width)


def rotary_angles(positions, *, head_width, base=10000.0, scale=1.0):
    r"""p/scale base^(-2i/D), i = 0..D/2 - 1, in radians: by how much apply_rotary turns pair i of a token at p.

    scale > 1 is position interpolation: positions up to scale times the trained length give angles that were trained.

    Raises ValueError for an odd head_width, a base or scale that is not positive, or positions that are no integers.
    Source: Su et al. 2021, section 3.2.2; Chen et al. 2023 (scale).
    [...] -> [..., D/2]
    """
    require_positive(scale=scale)
    return _clocks("head_width", positions, head_width, base) / scale


def apply_rotary(x, angles, *, layout):
    r"""(a cos t - b sin t, a sin t + b cos t) for every pair (a, b) of features of x and its angle t.

    layout: 'interleaved' pairs features 2i and 2i+1, 'half' pairs i and i + D/2.

    Raises ValueError if D is odd, if angles is not [T, D/2], or for another layout.  Source: Su et al. 2021, section 3.2.2.
    [B, H, T, D], [T, D/2] -> [B, H, T, D]
    """
    require_rank(4, x=x)
    _require_layout(layout)
    length, width = x.shape[2:]
    require(width % 2 == 0, f"x has {width} features; it must have an even number")
    require_shape((length, width // 2), angles=angles)
    cos, sin = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    rotation = jnp.array([[cos, -sin], [sin, cos]])  # [new, old, T, D/2]
    if layout == "interleaved":
        turned = jnp.einsum("noti,bhtio->bhtin", rotation, x.reshape(*x.shape[:3], width // 2, 2))
    else:
        turned = jnp.einsum("noti,bhtoi->bhtni", rotation, x.reshape(*x.shape[:3], 2, width // 2))
    return turned.reshape(x.shape)


def alibi_slopes(*, heads):
    r"""m_h = 2^(-8h/H), h = 1..H, for a power of two; else those of the next lower power, and every other one of the next higher.

    Raises ValueError unless heads is at least 1.  Source: Press et al. 2022, section 3 and its published code.
    -> [H]
    """
    require_at_least(1, heads=heads)
    lower = 2 ** (heads.bit_length() - 1)
    rest = range(1, 2 * (heads - lower), 2)  # of twice as many heads: the first, the third, ...
    exponents = [8 * h / lower for h in range(1, lower + 1)] + [4 * h / lower for h in rest]
    return jnp.array([2.0**-exponent for exponent in exponents])


def alibi_bias(*, heads, query_length, key_length):
    r"""-m_h (i - j), added to the score of query i and key j, with m of alibi_slopes; -inf for j > i. Both end at the same time.

    Raises ValueError unless heads >= 1 and 1 <= query_length <= key_length.  Source: Press et al. 2022, section 3.
    -> [H, Q, K]
    """
    slopes, visible = alibi_slopes(heads=heads), causal_mask(query_length=query_length, key_length=key_length)
    time = jnp.arange(key_length)
    distance = time[key_length - query_length :, None] - time
    return jnp.where(visible, -slopes[:, None, None] * distance, -jnp.inf)


def relative_position_bucket(distance, *, buckets, maximum_distance):
    r"""T5's bucket of a causal distance d = query - key: d itself below e = buckets/2, then logarithmic, the last one open.

    For d >= e:  min(e + floor((buckets - e) log(d/e) / log(maximum_distance/e)), buckets - 1);  d < 0, the future, is 0.

    Raises ValueError unless buckets >= 2, maximum_distance > e (rounded down) and distance holds integers.
    Source: Raffel et al. 2020, section 2.1 and its published code.
    [...] -> [...]
    """
    require_at_least(2, buckets=buckets)
    exact = buckets // 2
    require(maximum_distance > exact, f"maximum_distance is {maximum_distance}; it must be above {exact}, half the buckets")
    require_integers(distance=distance)
    logarithmic = buckets - exact
    # d/e >= (M/e)^(k/L) is d^L >= M^k e^(L-k), which is exact in integers; a rounded logarithm misplaces whole powers.
    starts = [
        bisect_left(range(maximum_distance), maximum_distance**k * exact ** (logarithmic - k), key=lambda d: d**logarithmic)
        for k in range(1, logarithmic)
    ]
    distance = widened(distance)
    near = jnp.clip(distance, 0, exact)
    return near + jnp.sum(jnp.expand_dims(distance, -1) >= jnp.array(starts, dtype=int), axis=-1)


def add_learned_positions(x, table, *, offset=0):
    r"""x_t + table_(offset + t): a vector for every position; offset is the number of tokens before x.

    Raises ValueError if offset is negative, if offset + T exceeds the table, or if the widths differ.
    Source: Gehring et al. 2017, section 3.1.
    [B, T, E], [L, E] -> [B, T, E]
    """
    require_rank(3, x=x)
    require_rank(2, table=table)
    (length, width), (rows, columns) = x.shape[1:], table.shape
    require(columns == width, f"table has {columns} columns; it must have the width of x, {width}")
    allowed = rows - length
    require(0 <= offset <= allowed, f"offset is {offset}; with {length} tokens and {rows} positions it must be in 0..{allowed}")
    return x + table[offset : offset + length]


def _clocks(name, positions, width, base):
    """[..., width/2] angles, in the default precision: their integers carry none."""
    require(width >= 2 and width % 2 == 0, f"{name} is {width}; it must be even and at least 2")
    require_positive(base=base)
    require_integers(positions=positions)
    frequencies = base ** (-np.arange(0, width, 2) / width)
    return jnp.multiply(jnp.expand_dims(widened(positions), -1), frequencies)


def _require_layout(layout):
    require(layout in ("interleaved", "half"), f"layout is {layout!r}; it must be 'interleaved' or 'half'")
