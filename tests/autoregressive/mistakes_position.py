"""Wrong forms of positions that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.autoregressive import position as right
from tests.support.mistakes import Mistake


def _angles(positions, width, base, *, divide=None, first=0, power=2.0):
    i = torch.arange(width // 2, dtype=torch.float64)
    return (positions.double() + first)[..., None] * base ** (-power * i / (divide or width))


def _sinusoids(positions, *, width, base=10000.0, layout="interleaved", swap=False, ignore=False, single=False, **wrong):
    angles = _angles(positions, width, base, **wrong)
    if single:
        angles = angles.half().float()
    pair = (angles.cos(), angles.sin()) if swap else (angles.sin(), angles.cos())
    out = torch.stack(pair, -1).flatten(-2) if layout == "interleaved" and not ignore else torch.cat(pair, -1)
    return out.to(torch.get_default_dtype())


def _rotary_angles(positions, *, head_width, base=10000.0, scale=1.0, stretch=False, ntk=False, ignore=False, **wrong):
    angles = _angles(positions, head_width, base * scale if ntk else base, **wrong)
    factor = scale if stretch else 1.0 if ntk or ignore else 1 / scale
    return (angles * factor).to(torch.get_default_dtype())


def _rotary(x, angles, *, layout, sign=1.0, always=None, repeat=None, reflect=False, cut=False):
    layout = always or layout
    cos, sin = angles.cos(), sign * angles.sin()
    if cut:
        cos, sin = cos.detach(), sin.detach()
    if repeat:  # x cos + rotated(x) sin, with cos and sin spread over the features as the other layout wants them
        spread = (lambda t: t.repeat_interleave(2, -1)) if repeat == "interleaved" else (lambda t: torch.cat((t, t), -1))
        if layout == "half":
            a, b = x.chunk(2, -1)
            turned = torch.cat((-b, a), -1)
        else:
            turned = torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)
        return x * spread(cos) + turned * spread(sin)
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else x.chunk(2, -1)
    pair = (a * cos - b * sin, (b * cos - a * sin) if reflect else (a * sin + b * cos))
    return torch.stack(pair, -1).flatten(-2) if layout == "interleaved" else torch.cat(pair, -1)


def _slopes(heads, *, rest="odd", base=8.0):
    lower = 2 ** (heads.bit_length() - 1)
    own = [2.0 ** (-base * h / lower) for h in range(1, lower + 1)]
    doubled = [2.0 ** (-base * h / (2 * lower)) for h in range(1, 2 * lower + 1)]
    more = {"odd": doubled[::2], "even": doubled[1::2], "first": doubled}[rest][: heads - lower]
    return torch.tensor(own + more, dtype=torch.get_default_dtype())


def _bias(*, heads, query_length, key_length, sign=-1.0, start=False, causal=True, slopes=None):
    slopes = right.alibi_slopes(heads=heads) if slopes is None else slopes(heads)
    past = 0 if start else key_length - query_length
    distance = torch.arange(query_length)[:, None] + past - torch.arange(key_length)
    bias = sign * slopes[:, None, None] * distance
    return bias.masked_fill(distance < 0, -torch.inf) if causal else bias


def _bucket(
    distance, *, buckets, maximum_distance, both=False, sign=1, size=False, rounding=torch.floor, saturate=True, single=True
):
    offset = 0
    distance = sign * distance
    if both:
        buckets //= 2
        offset = (distance < 0) * buckets
    d = distance.abs() if both or size else distance.clamp(min=0)
    exact = buckets // 2
    ratio = torch.log(d.clamp(min=1).to(torch.float32 if single else torch.float64) / exact)
    ratio = ratio / torch.log(torch.tensor(maximum_distance / exact, dtype=ratio.dtype))
    far = exact + rounding(ratio * (buckets - exact)).long()
    far = far.clamp(max=buckets - 1) if saturate else far
    return offset + torch.where(d < exact, d, far)


def _learned(x, table, *, offset=0, ignore=False, one=False, last=False, cut=False):
    length = x.shape[1]
    start = 0 if ignore else len(table) - length if last else offset
    rows = table[start : start + (1 if one else length)]
    return x + (rows.detach() if cut else rows)


def _clamped(x, table, *, offset=0):
    return x + table[torch.arange(offset, offset + x.shape[1]).clamp(max=len(table) - 1)]


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _complex(x, angles, *, layout):
    right.apply_rotary(x, angles, layout=layout)  # for its checks
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else x.chunk(2, -1)
    z = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    return torch.stack((z.real, z.imag), -1).flatten(-2) if layout == "interleaved" else torch.cat((z.real, z.imag), -1)


def _permuted(x, angles, *, layout):
    """Either layout by the other one's rotation, between two permutations of the features."""
    right.apply_rotary(x, angles, layout=layout)  # for its checks
    pairs = torch.arange(x.shape[-1])
    order = pairs.reshape(2, -1).T.flatten() if layout == "half" else pairs.reshape(-1, 2).T.flatten()
    other = "interleaved" if layout == "half" else "half"
    return right.apply_rotary(x[..., order], angles, layout=other)[..., order.argsort()]


def _bloom(*, heads):
    """As the published code has it: twice as many heads are requested by the function itself."""
    right.alibi_slopes(heads=heads)  # for its checks
    if heads & (heads - 1) == 0:
        ratio = 2.0 ** -(8 / heads)
        return torch.tensor([ratio ** (h + 1) for h in range(heads)], dtype=torch.get_default_dtype())
    lower = 2 ** (heads.bit_length() - 1)
    return torch.cat((_bloom(heads=lower), _bloom(heads=2 * lower)[::2][: heads - lower]))


def _counted(distance, *, buckets, maximum_distance):
    """T5's formula in float64, with a logarithm that is nudged over whole powers before it is rounded down."""
    right.relative_position_bucket(distance, buckets=buckets, maximum_distance=maximum_distance)  # for its checks
    return _bucket(
        distance, buckets=buckets, maximum_distance=maximum_distance, single=False, rounding=lambda t: torch.floor(t + 1e-9)
    )


MISTAKES = (
    Mistake("sinusoidal_positions", "exponent i/width", _wrong(_sinusoids, power=1.0)),
    Mistake("sinusoidal_positions", "cosine first", _wrong(_sinusoids, swap=True)),
    Mistake("sinusoidal_positions", "always halves", _wrong(_sinusoids, ignore=True)),
    Mistake("sinusoidal_positions", "positions from 1", _wrong(_sinusoids, first=1)),
    Mistake("sinusoidal_positions", "angles in half precision", _wrong(_sinusoids, single=True)),
    Mistake(
        "sinusoidal_positions",
        "the base of the paper, whatever is given",
        lambda positions, *, width, base=10000.0, layout="interleaved": _sinusoids(positions, width=width, layout=layout),
    ),
    Mistake(
        "sinusoidal_positions",
        "an odd width rounded down",
        lambda positions, *, width, base=10000.0, layout="interleaved": right.sinusoidal_positions(
            positions, width=width // 2 * 2, base=base, layout=layout
        ),
        only_checks=True,
    ),
    Mistake("rotary_angles", "exponent i/D", _wrong(_rotary_angles, power=1.0)),
    Mistake(
        "rotary_angles",
        "exponent 2i/(D - 2)",
        lambda positions, *, head_width, base=10000.0, scale=1.0: _rotary_angles(
            positions, head_width=head_width, base=base, scale=scale, divide=head_width - 2
        ),
    ),
    Mistake("rotary_angles", "positions from 1", _wrong(_rotary_angles, first=1)),
    Mistake("rotary_angles", "positions stretched, not packed", _wrong(_rotary_angles, stretch=True)),
    Mistake("rotary_angles", "the base scaled", _wrong(_rotary_angles, ntk=True)),
    Mistake("rotary_angles", "scale ignored", _wrong(_rotary_angles, ignore=True)),
    Mistake("apply_rotary", "sign of the sine", _wrong(_rotary, sign=-1.0)),
    Mistake("apply_rotary", "always neighbors", _wrong(_rotary, always="interleaved")),
    Mistake("apply_rotary", "always halves", _wrong(_rotary, always="half")),
    Mistake(
        "apply_rotary",
        "halves with the neighbors' angles",
        lambda x, angles, *, layout: _rotary(x, angles, layout=layout, repeat="interleaved"),
    ),
    Mistake(
        "apply_rotary",
        "neighbors with the halves' angles",
        lambda x, angles, *, layout: _rotary(x, angles, layout=layout, repeat="half"),
    ),
    Mistake("apply_rotary", "a reflection", _wrong(_rotary, reflect=True)),
    Mistake("apply_rotary", "no gradient for the angles", _wrong(_rotary, cut=True)),
    Mistake("apply_rotary", "no check of the angles", _rotary, only_checks=True),
    Mistake("alibi_slopes", "the first of the next power", lambda *, heads: _slopes(heads, rest="first")),
    Mistake("alibi_slopes", "the even ones of the next power", lambda *, heads: _slopes(heads, rest="even")),
    Mistake(
        "alibi_slopes",
        "2^(-8h/H) for every H",
        lambda *, heads: 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.get_default_dtype()) / heads),
    ),
    Mistake(
        "alibi_slopes",
        "from 1, not from 2^(-8/H)",
        lambda *, heads: right.alibi_slopes(heads=heads) * 2 ** (8 / 2 ** (heads.bit_length() - 1)),
    ),
    Mistake("alibi_bias", "positive", _wrong(_bias, sign=1.0)),
    Mistake("alibi_bias", "aligned at the start", _wrong(_bias, start=True)),
    Mistake("alibi_bias", "the future is seen", _wrong(_bias, causal=False)),
    Mistake("alibi_bias", "one slope for all heads", _wrong(_bias, slopes=lambda heads: torch.full((heads,), 0.5))),
    Mistake("relative_position_bucket", "half of the buckets for the future", _wrong(_bucket, both=True)),
    Mistake("relative_position_bucket", "key less query", _wrong(_bucket, sign=-1)),
    Mistake("relative_position_bucket", "the distance's size", _wrong(_bucket, size=True)),
    Mistake("relative_position_bucket", "rounded up", _wrong(_bucket, rounding=torch.ceil)),
    Mistake("relative_position_bucket", "not saturating", _wrong(_bucket, saturate=False)),
    Mistake("relative_position_bucket", "a float64 logarithm rounded down", _wrong(_bucket, single=False)),
    Mistake("add_learned_positions", "offset ignored", _wrong(_learned, ignore=True)),
    Mistake("add_learned_positions", "one position for all tokens", _wrong(_learned, one=True)),
    Mistake("add_learned_positions", "the last positions of the table", _wrong(_learned, last=True)),
    Mistake("add_learned_positions", "the table does not learn", _wrong(_learned, cut=True)),
    Mistake("add_learned_positions", "indices clamped to the table", _clamped, only_checks=True),
)

EQUIVALENT = (
    Mistake("apply_rotary", "complex phases", _complex),
    Mistake("apply_rotary", "the other layout between permutations", _permuted),
    Mistake("alibi_slopes", "the published recursion", _bloom),
    Mistake("relative_position_bucket", "T5's formula, nudged", _counted),
)
