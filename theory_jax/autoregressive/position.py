"""Positions: how a sum over a set learns where its members stand, and how to let it know only how far apart they are.

The functions come first; the derivation below them executes the argument on these very functions.
"""

from bisect import bisect_left

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_shape,
    widened,
)
from theory_jax.autoregressive.attention import attention_weights, causal_mask, scaled_dot_product_attention
from theory_jax.derivation import Derivation
from theory_jax.draws import draw


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
    # d/e >= (M/e)^(k/L) says d^L >= M^k e^(L-k), which integers decide exactly; a rounded logarithm misplaces whole powers.
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


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Positions: clocks, rotations and slopes, and why only differences should count",
    lectures=(47,),
    sources=(
        "Vaswani et al. 2017, Attention Is All You Need",
        "Raffel et al. 2020, Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        "Su et al. 2021, RoFormer: Enhanced Transformer with Rotary Position Embedding",
        "Press, Smith & Lewis 2022, Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation",
        "Chen et al. 2023, Extending Context Window of Large Language Models via Positional Interpolation",
    ),
)

_WIDTH = 8
_PLACES = jnp.array([0, 1, 2, 5, 11, 40])


def _rotated(x, positions, layout):
    return apply_rotary(x, rotary_angles(positions, head_width=x.shape[-1]), layout=layout)


def _scores(query, key, query_positions, key_positions, layout, key_layout=None):
    turned = _rotated(query, query_positions, layout), _rotated(key, key_positions, key_layout or layout)
    return jnp.einsum("bhqd,bhkd->bhqk", *turned)


@derivation.numeric(
    r"\langle e_p, e_q \rangle = \sum_i \cos \omega_i (p - q)",
    because="A pair contributes sin(wp) sin(wq) + cos(wp) cos(wq) = cos w(p - q): the inner product of two position vectors "
    "knows their distance and nothing else. Every vector has the same length, the root of half the width.",
)
def inner_products_know_the_distance_alone():
    vectors = sinusoidal_positions(_PLACES, width=_WIDTH)
    distances = _PLACES[:, None] - _PLACES
    return vectors @ vectors.T, jnp.sum(jnp.cos(rotary_angles(distances, head_width=_WIDTH)), axis=-1)


@derivation.numeric(
    r"e_{p + \Delta} = R_\Delta\, e_p \quad\text{for every } p",
    because="The addition theorems write sin and cos of w(p + D) as a rotation by wD of those of wp. One matrix of 2x2 blocks, "
    "which does not depend on p, moves every position by D: 'look D tokens back' is a linear map that a head can learn. (A pair "
    "here is (sin, cos), the reverse of (cos, sin), so that it turns the other way.)",
)
def a_shift_is_a_rotation():
    shift = 7
    turns = jnp.broadcast_to(rotary_angles(jnp.array(-shift), head_width=_WIDTH), (len(_PLACES), _WIDTH // 2))

    def both(layout):
        at = [sinusoidal_positions(places, width=_WIDTH, layout=layout) for places in (_PLACES, _PLACES + shift)]
        return apply_rotary(at[0][None, None], turns, layout=layout)[0, 0], at[1]

    return tuple(jnp.stack(sides) for sides in zip(*map(both, ("interleaved", "half")), strict=True))


@derivation.symbolic(
    r"R_p^\top R_q = R_{q - p}",
    because="Turning by wq and then back by wp is turning by w(q - p): rotations of the plane commute and their angles add. "
    "Hence <R_p x, R_q y> = <x, R_(q-p) y>.",
)
def rotations_subtract():
    w, p, q = sympy.symbols("omega p q", real=True)

    def turn(angle):
        return sympy.Matrix([[sympy.cos(angle), -sympy.sin(angle)], [sympy.sin(angle), sympy.cos(angle)]])

    return turn(w * p).T * turn(w * q), turn(w * (q - p))


@derivation.numeric(
    r"\langle R_p x, R_q y \rangle = \langle x, R_{q - p}\, y \rangle, \qquad \lVert R_p x \rVert = \lVert x \rVert",
    because="So queries and keys that are turned by their own positions meet in scores that depend on the distance alone: all "
    "positions may be moved by any number. Values are left as they are; had they been turned too, the outputs would turn with "
    "their positions, and the head would see absolute ones again.",
)
def rotary_scores_know_the_distance_alone():
    query, key, value = (draw(1, 2, 6, _WIDTH, seed=seed) for seed in range(3))

    def attend(shift, layout, values=lambda v, places: v):
        turned = (_rotated(x, _PLACES + shift, layout) for x in (query, key))
        return scaled_dot_product_attention(*turned, values(value, _PLACES + shift), None)

    left, right = [], []
    for layout in ("interleaved", "half"):
        still = jnp.zeros_like(_PLACES)
        one_by_one = [_scores(query[:, :, p : p + 1], key, still[:1], _PLACES - _PLACES[p], layout) for p in range(6)]
        left += [_scores(query, key, _PLACES, _PLACES, layout), attend(100, layout)]
        right += [jnp.concatenate(one_by_one, axis=2), attend(0, layout)]
        left.append(jnp.linalg.norm(_rotated(query, _PLACES, layout), axis=-1))
        right.append(jnp.linalg.norm(query, axis=-1))
    turning = [attend(shift, "half", lambda v, places: _rotated(v, places, "half")) for shift in (0, 100)]
    turned_values_tell = jnp.max(jnp.abs(turning[1] - turning[0])) > 0.1
    return _flat([*left, turned_values_tell]), _flat([*right, 1.0])


def _flat(parts):
    return jnp.concatenate([jnp.ravel(part) for part in parts])


@derivation.numeric(
    r"R^{\mathrm{half}} = \Pi^\top R^{\mathrm{interleaved}}\, \Pi, \qquad"
    r" \langle \Pi^\top x, \Pi^\top y \rangle = \langle x, y \rangle",
    because="The layouts differ in the order of the features: Pi takes i and i + D/2 to 2i and 2i+1. Permuting the rows of W_Q "
    "and W_K alike turns a model of one layout into one of the other, score for score. Queries of one layout against keys of the "
    "other, or weights loaded without the permutation, give other scores and no error message.",
)
def layouts_differ_by_a_permutation():
    query, key = draw(1, 2, 6, _WIDTH), draw(1, 2, 6, _WIDTH, seed=1)
    order = jnp.arange(_WIDTH).reshape(2, -1).T.ravel()  # 0, 4, 1, 5, ...: where feature 2i or 2i+1 comes from
    interleaved = _scores(query[..., order], key[..., order], _PLACES, _PLACES, "interleaved")
    half = _scores(query, key, _PLACES, _PLACES, "half")
    conjugate = _rotated(query[..., order], _PLACES, "interleaved")[..., jnp.argsort(order)]
    rivals = _scores(query, key, _PLACES, _PLACES, "interleaved"), _scores(query, key, _PLACES, _PLACES, "interleaved", "half")
    mixing_matters = min(jnp.max(jnp.abs(rival - half)) for rival in rivals) > 0.1
    return _flat([conjugate, interleaved, mixing_matters]), _flat([_rotated(query, _PLACES, "half"), half, 1.0])


@derivation.numeric(
    r"(a, b) \mapsto z\, e^{i p \omega} \quad\text{with } z = a + i b",
    because="A rotation of the plane is a multiplication by a number of modulus one. The score of two pairs is "
    "Re(z_q conj(z_k)), and e^(ip) conj(e^(iq)) = e^(i(p - q)).",
)
def rotary_is_a_complex_phase():
    query, key = draw(1, 2, 6, _WIDTH), draw(1, 2, 6, _WIDTH, seed=1)
    phase = jnp.exp(1j * rotary_angles(_PLACES, head_width=_WIDTH))
    z_q, z_k = ((x[..., 0::2] + 1j * x[..., 1::2]) * phase for x in (query, key))
    turned = jnp.stack([z_q.real, z_q.imag], axis=-1).reshape(query.shape)
    left = _rotated(query, _PLACES, "interleaved"), _scores(query, key, _PLACES, _PLACES, "interleaved")
    return _flat(left), _flat([turned, jnp.einsum("bhqi,bhki->bhqk", z_q, jnp.conj(z_k)).real])


def _partial_sums(distances, head_width):
    """|sum over the pairs j <= k of e^(i D w_j)|, [distances, head_width/2]."""
    return jnp.abs(jnp.cumsum(jnp.exp(1j * rotary_angles(distances, head_width=head_width)), axis=-1))


@derivation.bound(
    r"\bigl| \textstyle\sum_j h_j e^{i \Delta \omega_j} \bigr| \;\le\; \max_j |h_{j+1} - h_j|\, \sum_k |S_k|,"
    r" \qquad S_k = \textstyle\sum_{j \le k} e^{i \Delta \omega_j}, \; h_{\mathrm{end}} = 0",
    because="Summation by parts: the score of a rotated query and key, h_j = q_j conj(k_j), is -sum_k S_k (h_(k+1) - h_k). How "
    "large it can be at a distance is thus limited by the partial sums of the phases. At distance 0 and with equal steps of h "
    "nothing is lost.",
)
def partial_sums_limit_the_score():
    distances = jnp.array([0, 1, 3, 10, 100])
    h = draw(5, _WIDTH // 2) + 1j * draw(5, _WIDTH // 2, seed=1)
    steepest = jnp.max(jnp.abs(jnp.diff(h, append=0)), axis=-1)
    scores = jnp.abs(jnp.sum(h * jnp.exp(1j * rotary_angles(distances, head_width=_WIDTH)), axis=-1))
    falling = jnp.arange(_WIDTH // 2, 0, -1.0)
    tight = jnp.sum(falling), jnp.sum(_partial_sums(jnp.array(0), _WIDTH))
    return scores, steepest * jnp.sum(_partial_sums(distances, _WIDTH), axis=-1), tight


@derivation.numeric(
    r"\mathrm{mean}_k |S_k| = 32.5,\; 13.9,\; 8.9,\; 5.3 \quad\text{at } \Delta = 0,\; 10..50,\; 100..200,\; 1000..2000"
    r" \quad (D = 128)",
    because="At distance 0 all phases agree and the sums are 1, 2, ..., 64. With distance more and more of the clocks have gone "
    "round and cancel, so that far tokens are limited to smaller scores: a slow decay, not a window.",
    tolerance=0.01,
    since="the claim gives one decimal",
)
def far_tokens_are_attenuated():
    ranges = (0, 1), (10, 51), (100, 201), (1000, 2001)
    means = [jnp.mean(_partial_sums(jnp.arange(*ends), 128)) for ends in ranges]
    return jnp.stack(means), jnp.array([32.5, 13.9, 8.9, 5.3])


@derivation.numeric(
    r"\mathrm{softmax}_j\bigl(s_{ij} - m (i - j)\bigr) = \mathrm{softmax}_j(s_{ij} + m j), \qquad"
    r" m = \tfrac{1}{2}, \tfrac{1}{4}, \dots, \tfrac{1}{256} \text{ for 8 heads}",
    because="-m i is the same for all keys of a query, and the softmax forgets it. What is left rises by m from each key to the "
    "next, wherever the sequence begins: no absolute position is in it. The slopes fall geometrically, so that one head sees a "
    "few tokens and another some hundreds.",
)
def alibi_is_a_ramp_over_the_keys():
    heads, queries, keys = 8, 3, 5
    bias = alibi_bias(heads=heads, query_length=queries, key_length=keys)
    scores = draw(heads, queries, keys)
    ramp = 0.5 ** jnp.arange(1.0, heads + 1)[:, None, None] * jnp.arange(keys)
    # The weights of attention, with scores for queries and one-hot keys.
    one_hot = jnp.broadcast_to(jnp.eye(keys), (1, heads, keys, keys))
    mask = causal_mask(query_length=queries, key_length=keys)
    plain = attention_weights((scores + ramp)[None], one_hot, mask, scale=1.0)[0]
    slopes = alibi_slopes(heads=heads)
    return _flat([jax.nn.softmax(scores + bias), slopes]), _flat([plain, 1 / 2.0 ** np.arange(1, 9)])


@derivation.numeric(
    r"\theta_{2p}(\text{scale } 2) = \theta_p(\text{scale } 1), \qquad"
    r" \theta_{2p + 1}(\text{scale } 2) = \tfrac{1}{2} (\theta_p + \theta_{p + 1})(\text{scale } 1)",
    because="Dividing positions by s packs s times as many of them into the range of angles that training has seen: every s-th "
    "token stands exactly where one stood before, the others in between. A network interpolates better than it extrapolates.",
)
def interpolated_positions_are_old_ones():
    wide = rotary_angles(2 * _PLACES, head_width=_WIDTH, scale=2.0)
    between = rotary_angles(2 * _PLACES + 1, head_width=_WIDTH, scale=2.0)
    old, following = (rotary_angles(places, head_width=_WIDTH) for places in (_PLACES, _PLACES + 1))
    return jnp.stack([wide, between]), jnp.stack([old, (old + following) / 2])


@derivation.exact(
    r"b(d) = d \text{ for } d < 16, \qquad 0 \le b(d + 1) - b(d) \le 1, \qquad"
    r" b(d) = 31 \iff d \ge \lceil 16 \cdot 8^{15/16} \rceil = 113",
    because="Near tokens each have a bucket of their own. From 16 on, each of the 16 others holds distances up to "
    "8^(1/16) = 1.14 times its first, and sixteen such factors lead from 16 to 128; the last is open. All the future shares "
    "bucket 0 with the token itself.",
)
def buckets_are_exact_then_logarithmic():
    distances = np.arange(-3, 2000)
    found = np.array(relative_position_bucket(distances, buckets=32, maximum_distance=128))
    # by counting up, ratio by ratio: the k-th bucket begins where log_8 (d/16) reaches k/16; no d but 16 is at such a place
    ratio = np.log(np.maximum(distances, 16) / 16) / np.log(8)
    counted = np.where(distances < 16, np.maximum(distances, 0), 16 + np.minimum(np.floor(16 * ratio), 15))
    steps = np.diff(found)
    left = [found, steps.min(), steps.max(), distances[found == 31].min()]
    return _flat(left), _flat([counted, 0, 1, 113])


if __name__ == "__main__":
    derivation.main()
