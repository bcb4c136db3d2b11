"""Positions: codes whose scores depend on distances, and why they are rotations.

The lecture on the functions of theory_jax/autoregressive/position.py.
"""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import cos, exp, sin

from theory_jax.autoregressive.position import (
    add_learned_positions,
    alibi_bias,
    alibi_slopes,
    apply_rotary,
    relative_position_bucket,
    rotary_angles,
    sinusoidal_positions,
)
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._distances import buckets, diagonals_and_decay, mean_sums, turned_and_biased

derivation = Derivation(
    module=__name__,
    title="Positions: codes whose scores depend on distances, and why they are rotations",
    lectures=(47,),
    sources=(
        "Vaswani et al. 2017, Attention Is All You Need",
        "Gehring et al. 2017, Convolutional Sequence to Sequence Learning (learned positions)",
        "Raffel et al. 2020, Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        "Su et al. 2021, RoFormer: Enhanced Transformer with Rotary Position Embedding",
        "Press, Smith & Lewis 2022, Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation",
        "Chen et al. 2023, Extending Context Window of Large Language Models via Positional Interpolation",
    ),
    question="Attention alone reads 'the dog bites the man' and 'the man bites the dog' as the same set of words. A number "
    "learned for each position ties what is learned to the place where it was seen. How can order be written into queries and "
    "keys so that a score depends on how far apart two tokens are, and not on where the text began? Which such codes are there?",
    setting=(
        r"A query $q$ is at position $m$ and a key $k$ at position $n$; both are vectors with an even number $D$ of entries, in "
        r"$P$ pairs. Positions may be any real numbers in the derivation; the code uses integers.",
        r"Added codes. A vector $e_m$ is added to the token at position $m$, before queries and keys are made of it. It is "
        r"either a row of a table that is learned, or fixed: the pair $i$ of a sinusoidal code is $(\sin \omega_i m, \cos "
        r"\omega_i m)$.",
        "Codes of queries and keys. A map to $f(q, m)$, the product $A_m q$, is applied to queries and keys alike, with a "
        "matrix that is differentiable in $m$ and the identity at the position 0. The wish is that for all vectors and "
        r"positions the score $\langle f(q, m), f(k, n) \rangle$ depends on the positions through their difference alone.",
    ),
    limits=(
        "Codes that are not linear in the query are not covered. For integer positions alone $A_1$ may also reflect.",
        "That an antisymmetric matrix splits into planes is the normal form of linear algebra; it is quoted here, not derived.",
        "Whether a trained network works beyond the lengths it was trained on: that is measured.",
    ),
)

m = derivation.number("m", "the position of the query", "positions")
n = derivation.number("n", "the position of the key")
w = derivation.number(r"\omega", "a frequency, in radians a token")
i = derivation.index("i", "a pair of entries")
pairs = derivation.count(i, "P", "the number of pairs")
D = derivation.define("D", 2 * pairs, "the width of a head", "head_width", positive=True)
base = derivation.number("b", "the base of the frequencies", "base", positive=True)
omega = derivation.define(r"\omega", base ** (-2 * i / D), "the frequency of pair $i$", "rotary_angles(1)", over=i)

derivation.say("What is added. First the sinusoidal code: how similar are the codes of two positions?")
added = derivation.chain(
    "The inner product of two sinusoidal codes knows the distance alone",
    plus(times(sin(w * m), sin(w * n)), times(cos(w * m), cos(w * n))),
    equals(cos(w * (m - n)), "the addition theorem of the cosine, for one pair"),
    role="lemma",
    so=r"Over all pairs the inner product is $\sum_i \cos \omega_i (m - n)$, and every code has the length $\sqrt{P}$.",
)
place = derivation.number("p", "a position, a whole number", "positions", integer=True)
derivation.bridge(
    "The code's vector at one position",
    [wave(omega.at(e) * place) for e in range(4) for wave in (sin, cos)],
    sinusoidal_positions,
    positions=[place],
    width=8,
    base=base,
    wrong={"the exponent i/D": [wave(base ** (-sympy.Rational(e, 8)) * place) for e in range(4) for wave in (sin, cos)]},
)
shift = derivation.number(r"\Delta", "a shift of all positions")
derivation.chain(
    "A shift is one linear map for all positions",
    sin(w * (m + shift)),
    equals(
        plus(times(cos(w * shift), sin(w * m)), times(sin(w * shift), cos(w * m))),
        "the addition theorem: factors that do not contain $m$",
    ),
    role="lemma",
    so=prose(
        r"Likewise {cosine}: a rotation by the angle $\omega \Delta$. To look $\Delta$ tokens back is a linear map, which a "
        "head can learn.",
        cosine=holds(cos(w * (m + shift)), "=", plus(-times(sin(w * shift), sin(w * m)), times(cos(w * shift), cos(w * m)))),
    ),
)
W = [[derivation.number(f"W_{{{a}{c}}}", f"entry {a}, {c} of the map of a head") for c in (1, 2)] for a in (1, 2)]
(w11, w12), (w21, w22) = W
half = sympy.Rational(1, 2)
_product = plus(
    times(w11, sin(w * m), sin(w * n)),
    times(w12, sin(w * m), cos(w * n)),
    times(w21, cos(w * m), sin(w * n)),
    times(w22, cos(w * m), cos(w * n)),
)
derivation.chain(
    "Behind a learned map, absolute positions come back",
    _product,
    equals(
        plus(
            times(half, w11 + w22, cos(w * (m - n))),
            times(half, w12 - w21, sin(w * (m - n))),
            times(half, w22 - w11, cos(w * (m + n))),
            times(half, w12 + w21, sin(w * (m + n))),
        ),
        "the products of two sines or cosines as sums",
        wrong={"no sums of positions": plus(times(half, w11 + w22, cos(w * (m - n))), times(half, w12 - w21, sin(w * (m - n))))},
    ),
    so=prose(
        r"The score of two codes is $e_m^\top W e_n$, with $W_Q^\top W_K$ for $W$. It depends on $m - n$ alone only if {equal} "
        r"and {opposite}, when it is {alone} (or if $\omega$ is a multiple of $\pi$ and positions are whole): a head may learn "
        "this, and nothing enforces it.",
        equal=where(w11, w22),
        opposite=where(w12, -w21),
        alone=holds(_product, "=", plus(times(w22, cos(w * (m - n))), -times(w21, sin(w * (m - n)))), named=True),
    ),
)
d = derivation.index("d", "an entry of a vector")
c = derivation.index("c", "an entry of a vector, next to $d$")
j = derivation.index("j", "a token, counted from 0")
tokens = derivation.numbers("x", (j, d), "the tokens", "x")
rows = derivation.numbers("t", (j, d), "the rows of the table", "table")
derivation.bridge(
    "The code adds to each token the row of its position",
    [plus(tokens.at(e, d), rows.at(e, d)) for e in range(3)],
    add_learned_positions,
    x=[[tokens.at(e, d) for e in range(3)]],
    table=[rows.at(e, d) for e in range(4)],
    wrong={"the first row for all": [plus(tokens.at(e, d), rows.at(0, d)) for e in range(3)]},
)

derivation.say(
    "From the wish to rotations. Now look for a code that makes it impossible to see absolute positions. At equal positions "
    r"the score $\langle A_m q, A_m k \rangle$ is the same for every $m$, and at 0 it is $\langle q, k \rangle$: every $A_m$ "
    r"keeps lengths and angles. Move both positions by $m$: $\langle A_m q, A_{m+n} k \rangle$ is $\langle q, A_n k \rangle$, "
    r"which is $\langle A_m q, A_m A_n k \rangle$, for every $q$, so $A_{m+n}$ is the product $A_m A_n$. Differentiate this in "
    r"$m$ at 0: with $G$, the derivative of $A_m$ there, the code moves by $\frac{d}{dn} f(k, n)$, which is $G f(k, n)$. It "
    "remains to find $G$."
)
q = derivation.numbers("q", d, "the query", "x")
k = derivation.numbers("k", d, "the key", "x")
G = derivation.numbers("G", (d, c), "the derivative of the code at position 0")
antisymmetric = derivation.chain(
    "The derivative of the code is antisymmetric",
    plus(Total(d, Total(c, times(G, q.at(c), k))), Total(d, Total(c, times(q, G, k.at(c))))),
    equals(Total(d, Total(c, times(q, plus(G.at(c, d), G), k.at(c)))), "the first sum with the names of its indices exchanged"),
    role="lemma",
    so=r"The first line is $\langle G q, k \rangle + \langle q, G k \rangle$, which is how $\langle f(q, m), f(k, n) \rangle$ "
    r"changes at the positions 0 when both move alike: it is zero, since $m - n$ stays. The second line is zero for all $q$ and "
    r"$k$ only if $G$ is antisymmetric.",
)
derivation.say(
    r"With two entries, an antisymmetric matrix has one number in it: $-\omega$ above the diagonal, and $\omega$ below. So $F'$ "
    r"is $-\omega H$ and $H'$ is $\omega F$, and we have to show that nothing but a rotation does this. Turn the solution back "
    "and see that it does not move."
)
F = derivation.function("F", "the first entry of the code of a query, as its position moves")
H = derivation.function("H", "the second entry")
derivation.chain(
    "Turned back by its angle, the code does not move",
    Slope(plus(times(cos(w * m), F(m)), times(sin(w * m), H(m))), m),
    equals(
        plus(times(cos(w * m), plus(F(m).diff(m), times(w, H(m)))), times(sin(w * m), plus(H(m).diff(m), -times(w, F(m))))),
        r"the product rule; the cosine's derivative goes to the sine and the sine's to the cosine",
    ),
    so=prose(
        r"Both brackets are zero by the two equations, so $F \cos \omega m + H \sin \omega m$ keeps its value at the position "
        r"0, which is $q_1$. By {other}, $H \cos \omega m - F \sin \omega m$ keeps $q_2$. Solved for $F$ and $H$: the code is "
        r"the rotation of $q$ by $\omega m$. With more entries an antisymmetric matrix is, in a suitable orthonormal basis, "
        "made of such pairs (or zeros), and the basis belongs to the learned maps. Every linear code that fulfils the wish is "
        "therefore a set of rotations.",
        other=holds(
            Slope(plus(times(cos(w * m), H(m)), -times(sin(w * m), F(m))), m),
            "=",
            plus(times(cos(w * m), plus(H(m).diff(m), -times(w, F(m)))), -times(sin(w * m), plus(F(m).diff(m), times(w, H(m))))),
        ),
    ),
    uses=(antisymmetric,),
)

q1, q2 = (derivation.number(f"q_{e}", f"entry {e} of a pair of the query") for e in (1, 2))
k1, k2 = (derivation.number(f"k_{e}", f"entry {e} of a pair of the key") for e in (1, 2))
f1 = derivation.define("f_1(q,m)", q1 * cos(w * m) - q2 * sin(w * m), "the first entry of the turned query", "apply_rotary")
f2 = derivation.define("f_2(q,m)", q1 * sin(w * m) + q2 * cos(w * m), "the second entry of the turned query", "apply_rotary")
h1 = derivation.define("f_1(k,n)", k1 * cos(w * n) - k2 * sin(w * n), "the first entry of the turned key", "apply_rotary")
h2 = derivation.define("f_2(k,n)", k1 * sin(w * n) + k2 * cos(w * n), "the second entry of the turned key", "apply_rotary")
score = plus(
    times(plus(times(q1, k1), times(q2, k2)), cos(w * (m - n))), times(plus(times(q1, k2), -times(q2, k1)), sin(w * (m - n)))
)
central = derivation.chain(
    "Conversely, rotations fulfil the wish",
    plus(times(f1, h1), times(f2, h2)),
    equals(
        plus(
            times(plus(times(q1, k1), times(q2, k2)), plus(times(cos(w * m), cos(w * n)), times(sin(w * m), sin(w * n)))),
            times(plus(times(q1, k2), -times(q2, k1)), plus(times(sin(w * m), cos(w * n)), -times(cos(w * m), sin(w * n)))),
        ),
        "multiply out, and collect",
    ),
    equals(score, "the addition theorems: angles subtract", wrong={"query and key turned oppositely": score.xreplace({n: -n})}),
    central=True,
    so=prose(
        "At {same} it is {inner}: lengths and angles are kept. Moving all positions by the same number changes no score. "
        "Values are not turned: their average would carry absolute positions into the stream.",
        same=where(m, n),
        inner=holds(score, "=", plus(times(q1, k1), times(q2, k2)), named=True),
    ),
)

qa = derivation.numbers("q^a", i, "the first entries of all pairs", "x")
qb = derivation.numbers("q^b", i, "the second entries", "x")
angle = derivation.numbers(r"\theta", i, "an angle for each pair", "angles")
turned_a = derivation.define("f^a", plus(times(qa, cos(angle)), -times(qb, sin(angle))), "... after the turn", over=i)
turned_b = derivation.define("f^b", plus(times(qa, sin(angle)), times(qb, cos(angle))), "... after the turn", over=i)
derivation.bridge(
    "The code turns each pair, in the layout 'interleaved'",
    [entry.at(e) for e in range(4) for entry in (turned_a, turned_b)],
    apply_rotary,
    x=[[[[entry.at(e) for e in range(4) for entry in (qa, qb)]]]],
    angles=[angle],
    layout="interleaved",
)
derivation.bridge(
    "... and in the layout 'half'",
    [entry.at(e) for entry in (turned_a, turned_b) for e in range(4)],
    apply_rotary,
    x=[[[[entry.at(e) for entry in (qa, qb) for e in range(4)]]]],
    angles=[angle],
    layout="half",
    wrong={"the pairs of the other layout": [entry.at(e) for e in range(4) for entry in (turned_a, turned_b)]},
)
derivation.say(
    r"The layouts differ in the order of the entries alone. Permuting the rows of $W_Q$ and $W_K$ alike turns a model of one "
    r"layout into one of the other, score for score. Weights that are loaded without the permutation give other scores and no "
    r"error message. Each pair is a complex number, $(q_1 + \mathrm{i}\, q_2)\, e^{\mathrm{i} \omega m}$ after the turn. "
    "Far tokens. Each pair contributes $h_i e^{\\mathrm{i} \\Delta \\omega_i}$ to a score at distance $\\Delta$, where the "
    "complex number $h_i$ depends on query and key alone. Fast pairs have turned many times at a large distance, slow ones "
    "hardly, so the phases disagree. How large can the score still be? Sum by parts, with $S_i$ the sum of the phases up to "
    "pair $i$."
)
h = [derivation.number(f"h_{e}", f"pair {e} of query times key (complex in general)") for e in (1, 2, 3, 4)]
S = [derivation.number(f"S_{e}", f"the sum of the phases up to pair {e}") for e in (1, 2, 3, 4)]
derivation.chain(
    "Summation by parts: a score is a sum of partial sums of phases times differences",
    plus(times(h[0], S[0]), times(h[1], S[1] - S[0]), times(h[2], S[2] - S[1]), times(h[3], S[3] - S[2])),
    equals(
        plus(times(h[0] - h[1], S[0]), times(h[1] - h[2], S[1]), times(h[2] - h[3], S[2]), times(h[3], S[3])),
        "each phase is the difference of two sums; collect by the sums",
    ),
    role="lemma",
    so=r"An identity of products and sums, so it holds for complex numbers and any number of pairs. By the triangle inequality "
    r"the score is at most $\max_i |h_{i+1} - h_i| \sum_i |S_i|$, with 0 for the pair after the last.",
)

derivation.say(
    r"A slope on the distance. ALiBi leaves queries and keys alone and subtracts $\mu (m - j)$ from the score of a key at "
    r"position $j$ before the query."
)
mu = derivation.number(r"\mu", "the slope of a head", "alibi_slopes", positive=True)
z = derivation.numbers("s", j, "the scores of one query")
l = derivation.index("l", "a token, next to $j$")  # noqa: E741
biased = derivation.chain(
    "ALiBi contains no absolute position",
    exp(z - mu * (m - j)) / Total(l, exp(z.at(l) - mu * (m - l))),
    equals(
        exp(z + mu * j) / Total(l, exp(z.at(l) + mu * l)),
        prose("the factor {common} is common to all keys of the query, and cancels", common=exp(-mu * m)),
        wrong={"the slope's sign": exp(z - mu * j) / Total(l, exp(z.at(l) - mu * l))},
    ),
    so=r"Where scores are equal the weights rise by the factor $e^\mu$ from each key to the next, wherever the text began.",
)
rho = derivation.number(r"\rho", r"$e^{-\mu}$, the factor from one distance to the next", between=(0, 1))
mean_distance = derivation.define(r"\bar d", rho / (1 - rho), "the mean distance that a head looks back")
derivation.chain(
    "Where all scores are equal, the mean distance is the factor over one minus the factor",
    times(rho, plus(1, mean_distance)),
    equals(mean_distance, "one fraction"),
    role="remark",
    so=prose(
        r"The weights of a long past are $(1 - \rho) \rho^d$ at distance $d$. With probability $1 - \rho$ the head attends to "
        "the token itself; otherwise it is one token back and the past looks the same again: the mean distance is {mean}. The "
        r"slopes $\frac12, \frac14, \dots, \frac1{256}$ of 8 heads give from 1.54 to 255.5 tokens.",
        mean=holds(mean_distance, "=", rho * (1 + mean_distance), named=True),
    ),
)

derivation.bridge(
    "The code's slopes of 8 heads are a geometric sequence",
    [half**head for head in range(1, 9)],
    alibi_slopes,
    heads=8,
    wrong={"heads counted from 0": [half**head for head in range(8)]},
)

derivation.say(
    "A table over distances. T5 learns one number for each range of distances instead, added to the score: each near distance "
    "has its own range, and beyond half the table the ranges grow by a constant factor."
)
derivation.symbol(r"\beta", "the bucket of a distance", "relative_position_bucket")


@derivation.exact(
    r"\beta(\Delta) = \min\left(16 + \left\lfloor 16 \log_8 \frac{\Delta}{16} \right\rfloor, 31\right) \quad\text{for}\ \Delta "
    r"\ge 16",
    because="With 32 buckets and a maximum of 128: below 16 the bucket is the distance itself, and the future shares bucket 0 "
    "with the token. From 16 on each bucket holds distances up to $8^{1/16}$, or 1.14, times its first, and sixteen such factors "
    "lead from 16 to 128. The last begins at 113 and is open.",
    outcomes=2003,
    role="definition",
)
def buckets_are_exact_then_logarithmic():
    found, first, counted = buckets()
    return Sides(left=np.append(found, first), right=np.append(counted, [19, 21, 46, 113]))


def _bucket(distance):
    """Of 32 buckets up to 128, by the formula."""
    logarithmic = 16 + sympy.floor(16 * sympy.log(sympy.Rational(distance, 16)) / sympy.log(8))
    return sympy.Min(logarithmic, 31) if distance >= 16 else max(distance, 0)


derivation.bridge(
    "The code's buckets of the distances -1, 7, 16, 18, 40, 112 and 5000",
    [_bucket(distance) for distance in (-1, 7, 16, 18, 40, 112, 5000)],
    relative_position_bucket,
    distance=jnp.array([-1, 7, 16, 18, 40, 112, 5000]),
    buckets=32,
    maximum_distance=128,
    wrong={"the distances": [0, 7, 16, 18, 31, 31, 31]},
)
derivation.say(
    r"Longer than trained. Position interpolation divides all positions by a factor, so that a longer text is within the "
    r"angles that were trained."
)
derivation.bridge(
    "The code's angles at scale two",
    times(half, omega, 2 * place + 1),
    rotary_angles,
    positions=2 * place + 1,
    head_width=8,
    base=base,
    scale=2.0,
    wrong={
        "multiplied by the scale": times(2, omega, 2 * place + 1),
        "the exponent i/D": half * base ** (-i / D) * (2 * place + 1),
    },
)


derivation.answer = prose(
    "Of all linear codes that are differentiable in the position, the wish leaves rotations by an angle proportional to $m$ in "
    "each of $P$ planes, of which a score sees the difference of the angles alone, as in {angles}: rotary embedding is the "
    "only answer, and only its frequencies can be chosen. Codes that are added allow scores by distance but do not enforce "
    "them. A slope on the distance (ALiBi) is another way: it leaves queries and keys alone, and adds to the score.",
    angles=holds(plus(times(cos(w * m), cos(w * n)), times(sin(w * m), sin(w * n))), "=", cos(w * (m - n))),
)


derivation.algorithm(
    "Attention with rotary positions, or with slopes",
    do(r"take the angles $m \omega_i$ of every position and pair", rotary_angles, by=antisymmetric),
    do("turn the pairs of every query and every key by the angles of its position; leave the values", apply_rotary, by=central),
    do("or leave queries and keys, and subtract the slope of the head times the distance from the scores", alibi_bias, by=biased),
    do("go on as without positions: softmax of the scores, average of the values"),
)(turned_and_biased)


@derivation.example(
    r"One pair with the frequency $\pi/3$, and $(1, 0)$ for query and key; a sinusoidal code of width 4; and the "
    r"mean of $|S_i|$ over the 64 pairs of a width of 128."
)
def by_hand():
    given = {w: sympy.pi / 3, q1: 1, q2: 0, k1: 1, k2: 0}
    yield (
        r"\langle f(q,m), f(k,n) \rangle\ \text{at distances}\ 0, 1, 2, 3",
        [value(score, given | {m: 4 + a, n: 4}) for a in range(4)],
        "(1, 0.5, -0.5, -1)",
    )
    codes = sinusoidal_positions(jnp.array([7, 8]), width=4)
    yield r"\langle e_7, e_8 \rangle = \cos 1 + \cos 0.01", codes[0] @ codes[1], "1.5403"
    yield (
        r"\text{mean of}\ |S_i|\ \text{at}\ \Delta = 0;\ 10..50;\ 100..200;\ 1000..2000",
        [mean_sums(jnp.arange(*ends)).mean() for ends in ((0, 1), (10, 51), (100, 201), (1000, 2001))],
        "(32.50, 13.82, 8.91, 5.33)",
    )
    yield r"\text{... and at}\ \Delta = 18, 19", mean_sums(jnp.array([18, 19])), "(15.35, 15.39)"


derivation.say(
    "So far tokens are limited to smaller scores in the mean over a range of distances. The limit does not fall at every step: "
    "from distance 18 to 19 it rises. It is a tendency, not a window."
)


derivation.figure(
    r"Left: the inner products of sinusoidal codes of width 32 are constant along diagonals: they know the distance alone. "
    r"Right: the mean of $|S_i|$, which limits a rotary score, against the distance, for a width of 128.",
    panels=2,
)(diagonals_and_decay)
