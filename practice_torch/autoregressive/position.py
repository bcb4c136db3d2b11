"""Positions for attention: added, rotated, or as a slope on the scores.

Angles are computed in float64 whatever the network's precision: in float32 those at position 100,000 would be off by 0.004.
"""

import math

import torch
from torch import nn

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_shape,
)
from practice_torch.autoregressive.attention import causal_mask
from practice_torch.networks.open_decoder import Positions


def sinusoidal_positions(positions, *, width, base=10000.0, layout="interleaved"):
    r"""sin and cos of p base^(-2i/width), i = 0..width/2 - 1: one clock a pair, each slower than the one before.

    layout: 'interleaved' is sin, cos, sin, cos, ...; 'half' is all sines, then all cosines.

    Raises ValueError for an odd width, a base that is not positive, another layout, or positions that are no integers.
    Source: Vaswani et al. 2017, section 3.5.
    [T] -> [T, E]
    """
    require_rank(1, positions=positions)
    angles = _clocks("width", positions, width, base)
    return _join(angles.sin(), angles.cos(), layout).to(torch.get_default_dtype())


def rotary_angles(positions, *, head_width, base=10000.0, scale=1.0):
    r"""p/scale base^(-2i/D), i = 0..D/2 - 1, in radians: by how much apply_rotary turns pair i of a token at p.

    scale > 1 is position interpolation: positions up to scale times the trained length give angles that were trained.

    Raises ValueError for an odd head_width, a base or scale that is not positive, or positions that are no integers.
    Source: Su et al. 2021, section 3.2.2; Chen et al. 2023 (scale).
    [...] -> [..., D/2]
    """
    require_positive(scale=scale)
    return (_clocks("head_width", positions, head_width, base) / scale).to(torch.get_default_dtype())


def apply_rotary(x, angles, *, layout):
    r"""(a cos t - b sin t, a sin t + b cos t) for every pair (a, b) of features of x and its angle t.

    layout: 'interleaved' pairs features 2i and 2i+1, 'half' pairs i and i + D/2.

    Raises ValueError if D is odd, if angles is not [T, D/2], or for another layout.  Source: Su et al. 2021, section 3.2.2.
    [B, H, T, D], [T, D/2] -> [B, H, T, D]
    """
    require_rank(4, x=x)
    length, width = x.shape[2:]
    require(width % 2 == 0, f"x has {width} features; it must have an even number")
    require_shape((length, width // 2), angles=angles)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else x.chunk(2, -1)
    return _join(a * cos - b * sin, a * sin + b * cos, layout)


def alibi_slopes(*, heads):
    r"""m_h = 2^(-8h/H), h = 1..H, for a power of two; else those of the next lower power, and every other one of the next higher.

    Raises ValueError unless heads is at least 1.  Source: Press et al. 2022, section 3 and its published code.
    -> [H]
    """
    require_at_least(1, heads=heads)

    def geometric(count):
        return [2.0 ** (-8.0 * h / count) for h in range(1, count + 1)]

    lower = 1
    while 2 * lower <= heads:
        lower *= 2
    return torch.tensor(geometric(lower) + geometric(2 * lower)[::2][: heads - lower], dtype=torch.get_default_dtype())


def alibi_bias(*, heads, query_length, key_length):
    r"""-m_h (i - j), added to the score of query i and key j, with m of alibi_slopes; -inf for j > i. Both end at the same time.

    Raises ValueError unless heads >= 1 and 1 <= query_length <= key_length.  Source: Press et al. 2022, section 3.
    -> [H, Q, K]
    """
    slopes = alibi_slopes(heads=heads)
    future = ~causal_mask(query_length=query_length, key_length=key_length)
    query_time = torch.arange(key_length - query_length, key_length)
    ahead = torch.arange(key_length) - query_time[:, None]  # j - i
    return (slopes[:, None, None] * ahead).masked_fill(future, -torch.inf)


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
    first = [*range(1, exact + 1), *_logarithmic_starts(exact, buckets - exact, maximum_distance)]
    return torch.bucketize(as_int64(distance), torch.tensor(first, device=distance.device), right=True)


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
    """[..., width/2] angles in float64."""
    require(width >= 2 and width % 2 == 0, f"{name} is {width}; it must be even and at least 2")
    require_positive(base=base)
    require_integers(positions=positions)
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / -width
    return positions.to(torch.float64)[..., None] * torch.pow(base, exponents)


def _join(first, second, layout):
    """The two members of every pair side by side ('interleaved'), or all first ones before all second ones ('half')."""
    require(layout in ("interleaved", "half"), f"layout is {layout!r}; it must be 'interleaved' or 'half'")
    return torch.stack((first, second), -1).flatten(-2) if layout == "interleaved" else torch.cat((first, second), -1)


def _logarithmic_starts(exact, count, maximum):
    """The least d with (d/exact)^count >= (maximum/exact)^k, k = 1..count - 1.

    A rounded logarithm would put whole powers into the bucket before theirs; here it is a guess that integers correct.
    """
    starts = []
    for k in range(1, count):
        power = maximum**k * exact ** (count - k)
        d = max(exact, int(exact * (maximum / exact) ** (k / count)) - 1)
        while d**count < power:
            d += 1
        starts.append(d)
    return starts


class LearnedPositions(Positions):
    """A vector for every position that was trained, and none for the others."""

    def __init__(self, length, width):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(length, width))

    def add(self, x):
        return add_learned_positions(x, self.table)


class SinusoidalPositions(Positions):
    """Next to embeddings times sqrt(E), as Vaswani et al. have it: nothing trains the clocks, which would soon be drowned."""

    def add(self, x):
        length, width = x.shape[1:]
        positions = torch.arange(length, device=x.device)
        return math.sqrt(width) * x + sinusoidal_positions(positions, width=width, layout="half")


class RotaryPositions(Positions):
    """Queries and keys turned by their positions over scale: the interpolation, which the caller sets."""

    scale = 1.0

    def __init__(self, base=10000.0):
        super().__init__()
        self.base = base

    def turn(self, x, start=0):
        positions = torch.arange(start, start + x.shape[2], device=x.device)
        angles = rotary_angles(positions, head_width=x.shape[3], base=self.base, scale=self.scale)
        return apply_rotary(x, angles, layout="half")

    def turning(self, positions, width):
        """A function that turns queries or keys [B, H, T, D], of one token a row at positions [B], or at [B, T]; width is D."""
        angles = rotary_angles(positions.flatten(), head_width=width, base=self.base, scale=self.scale)
        if positions.ndim == 1:
            cos, sin = angles.cos(), angles.sin()  # once for all blocks
            cos, sin = (torch.cat(parts, dim=-1)[:, None, None] for parts in ((cos, cos), (-sin, sin)))
            return lambda x: x * cos + x.roll(width // 2, -1) * sin  # apply_rotary's "half"
        shape = positions.shape  # all tokens of all rows are its times

        def turn(x):
            heads = x.transpose(0, 1).flatten(1, 2)
            return apply_rotary(heads[None], angles, layout="half")[0].unflatten(1, shape).transpose(0, 1)

        return turn


class AlibiPositions(Positions):
    """Scores that fall with the distance."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads
        self.register_buffer("longest", torch.empty(heads, 0, 0), persistent=False)  # bias so far: copied to the device once

    def bias(self, length):
        if length > self.longest.shape[-1]:
            self.longest = alibi_bias(heads=self.heads, query_length=length, key_length=length).to(self.longest)
        return self.longest[:, :length, :length]
