"""Exercises of the lecture: Positions: codes whose scores depend on distances, and why they are rotations."""

import jax.numpy as jnp
import numpy as np
import sympy
from scipy.optimize import brentq
from sympy import cos, exp

from theory_jax.autoregressive.position import apply_rotary, rotary_angles
from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive.position import (
    _product,
    derivation,
    half,
    k1,
    k2,
    m,
    mean_distance,
    mu,
    n,
    q1,
    q2,
    rho,
    score,
    w,
    w11,
    w12,
    w21,
    w22,
)


@derivation.exercise(
    prose(
        "A query is at {m} and a key at {n}, with {w}. By which angle does the score turn the key against the query, and what "
        "is the score of $(1, 0)$ and $(0, 1)$?",
        m=where(m, half),
        n=where(n, sympy.Rational(3, 2)),
        w=where(w, sympy.pi / 3),
    ),
    prose(
        "By {angle}. The score is {score}, or $-0.8660$.",
        angle=holds(w * (n - m), "=", sympy.pi / 3, named=True),
        score=holds(score, "=", -sympy.sqrt(3) / 2, when={q1: 1, q2: 0, k1: 0, k2: 1}, named=True),
    ),
    level="easy",
    hint="The score contains the difference of the positions: mind its sign.",
)
def an_angle():
    yield sympy.pi / 3 * (sympy.Rational(3, 2) - half), sympy.pi / 3
    yield value(score, {w: sympy.pi / 3, m: half, n: sympy.Rational(3, 2), q1: 1, q2: 0, k1: 0, k2: 1}), "-0.8660"


@derivation.exercise(
    r"How far back does an ALiBi head of slope $\frac14$ look in the mean where all scores are equal? Which slope looks back "
    "by 100 tokens?",
    prose(
        r"By {mean}: 3.52 tokens. It is 100 at the slope $\log 1.01$, or 0.00995: nearly one over the "
        "distance.",
        mean=holds(mean_distance, "=", 1 / (exp(mu) - 1), when={rho: exp(-mu)}, named=True),
    ),
    level="easy",
    hint="Which factor leads from one distance to the next? Insert it in the mean distance, and solve for the slope.",
)
def two_slopes():
    yield value(mean_distance, {rho: np.exp(-0.25)}), "3.52"
    yield brentq(lambda slope: value(mean_distance, {rho: np.exp(-slope)}) - 100, 1e-3, 1), "0.00995"


@derivation.exercise(
    r"A head has 1 for $W_{11}$ and 0 for all other entries. Which scores $e_m^\top W e_n$ does it give at the positions $(0, "
    r"1)$ and $(1, 2)$ for the frequency $\frac{\pi}{2}$?",
    prose(
        "They are {score}: 0 and 0, but 1 at $(1, 1)$ and 0 at $(2, 2)$. Equal distances, other scores: absolute positions "
        "remain.",
        score=holds(
            _product, "=", half * plus(cos(w * (m - n)), -cos(w * (m + n))), when={w11: 1, w12: 0, w21: 0, w22: 0}, named=True
        ),
    ),
    level="medium",
    hint="Write the product of two sines as a difference of two cosines.",
)
def a_map_that_sees_positions():
    given = {w: sympy.pi / 2, w11: 1, w12: 0, w21: 0, w22: 0}
    for (a, c), said in (((0, 1), "0"), ((1, 2), "0"), ((1, 1), "1"), ((2, 2), "0")):
        yield value(_product, given | {m: a, n: c}), said


@derivation.exercise(
    "Query and key are both (0, 1, 0, 0), at neighboring positions, and the two pairs have the frequencies 1 and 0.01. Which "
    "score does the layout 'interleaved' give, and which one the layout 'half'? How can one notice that weights were loaded in "
    "the wrong layout?",
    "Interleaved, the second entry is in the fast pair: cos 1, or 0.5403. In halves it is in the slow one: cos 0.01, or "
    "0.99995. At distance zero both scores are 1, and all shapes are the same: no error is raised, and only the scores at "
    "other distances are wrong.",
    level="medium",
    hint="In which pair is the second entry, in either layout?",
)
def the_other_layout():
    x = jnp.array([[[[0.0, 1.0, 0.0, 0.0]] * 2]])
    angles = rotary_angles(jnp.arange(2), head_width=4)
    for layout, stated in (("interleaved", "0.5403"), ("half", "0.99995")):
        turned = apply_rotary(x, angles, layout=layout)[0, 0]
        yield turned[0] @ turned[1], stated
        yield turned[1] @ turned[1], "1"


@derivation.exercise(
    "After how many tokens has the slowest of 64 pairs turned once, with the base 10000? How many pairs do not turn once "
    "within the 4096 tokens of the training texts, and why does that matter for longer ones?",
    "After 54410 tokens. Of the 64 pairs 18 do not turn once within 4096 tokens: on longer texts they come to angles that the "
    "model has never seen, while the fast pairs have seen all of theirs.",
    level="medium",
    hint="A pair has turned once when its angle is a full circle; solve for its number.",
)
def pairs_that_never_turn():
    turns = 2 * np.pi / rotary_angles(jnp.ones(1, int), head_width=128)[0]
    yield round(float(turns[-1])), "54410"
    yield np.count_nonzero(turns > 4096), "18"


@derivation.exercise(
    "A model with 64 pairs and the base 10000 is to read texts four times as long as before. Position interpolation by 4 "
    "divides all angles: how similar are neighbors in the fastest pair then, and before? Which other base divides the slowest "
    "frequency by 4 and leaves the fastest as it is?",
    "The cosine of their angle is 0.9689, and was 0.5403: interpolation makes neighbors hard to tell apart. The slowest "
    "frequency is the base to the power -126/128, so the base grows by 4 to the power 128/126, to 40890. The pairs between are "
    "slowed by factors from 1 to 4.",
    level="hard",
    hint="The first pair has the frequency 1 for every base; compare the frequencies of the last one.",
)
def another_base():
    for scale, stated in ((4.0, "0.9689"), (1.0, "0.5403")):
        yield jnp.cos(rotary_angles(jnp.ones(1, int), head_width=128, scale=scale)[0, 0]), stated
    wanted = rotary_angles(jnp.ones(1, int), head_width=128, scale=4.0)[0, -1]
    found = brentq(lambda base: float(rotary_angles(jnp.ones(1, int), head_width=128, base=base)[0, -1] / wanted) - 1, 1e4, 1e5)
    yield round(found), "40890"
    slower = rotary_angles(jnp.ones(1, int), head_width=128)[0] / rotary_angles(jnp.ones(1, int), head_width=128, base=found)[0]
    yield jnp.array([slower.min(), slower.max()]), "1 to 4"
