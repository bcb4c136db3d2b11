"""The conjugate of a generator: a critic in place of a density ratio.

The lecture on the functions of theory_jax/foundations/fenchel_conjugate.py.
"""

import functools
import math
from math import inf

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, limit, log, oo, tanh

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.unspecified import function
from theory_jax.foundations._generators import GENERATORS, row_of
from theory_jax.foundations.f_divergence import f_generator, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import (
    discrete_legendre_transform,
    fenchel_conjugate,
    fenchel_conjugate_derivative,
    output_activation,
    wright_omega,
)
from theory_jax.lectures.foundations._conjugates import CONJUGATES, T
from theory_jax.lectures.foundations._formulas import ALPHA, FORMULAS, SMOOTH, U, of_each
from theory_jax.lectures.foundations._tangents import draw_conjugates, draw_tangent
from theory_jax.lectures.foundations.f_divergence import convex

derivation = Derivation(
    module=__name__,
    title="The conjugate of a generator: a critic in place of a density ratio",
    lectures=(2, 3),
    sources=(
        "Hiriart-Urruty & Lemarechal 2001, Fundamentals of Convex Analysis, part E",
        "Nowozin, Cseke & Tomioka 2016, f-GAN, tables 2 and 5",
        "Corless, Gonnet, Hare, Jeffrey & Knuth 1996, On the Lambert W function",
    ),
    question="A GAN trained with a formula of the wrong conjugate, or a critic that leaves its domain, optimizes nothing: the "
    "bound is loose, or its loss is NaN. An f-divergence is the mean of a convex function of the density ratio, and no one "
    "knows the ratio. How can a convex function of an unknown number be written as a maximum of expressions that are linear in "
    "it?",
    setting=(
        "$f$ is a generator of the lecture on f-divergences: convex for positive $u$, continued to 0 by its limit $f(0)$, which "
        r"may be infinite. $B_f(u, a)$ is its height above the tangent at $a$, never negative. $f'(0)$ and $f'(\infty)$ are the "
        "limits of $f'$.",
        "Its conjugate $f^*(t)$ is the supremum of $u t - f(u)$ over all $u$ from 0 on. Its domain is where this is finite. The "
        r"upper end is $f'(\infty)$: for a larger $t$ the expression, $u$ times $t - f(u)/u$, grows without limit.",
        r"If $f$ is differentiable and strictly convex, $f'$ takes every value between $f'(0)$ and $f'(\infty)$ once. This "
        "holds for all generators of the table but total variation's, which is treated by itself.",
    ),
    limits=(
        "Several dimensions, where the same return to $f$ needs separating hyperplanes.",
        "Generators that are not closed: a jump at 0 would be lost in $f^{**}$.",
    ),
    trained="A conjugate is computed, not learned. `foundations/variational_divergence` trains the bounds that follow from it.",
)

u = derivation.number("u", "a density ratio", "e^log_ratio", positive=True)
t = derivation.number("t", "a value of a critic", "t")
w = derivation.number("w", r"the ratio at which the slope of $f$ is $t$", "fenchel_conjugate_derivative", positive=True)
f = derivation.function("f", "a generator", "f_generator")
slope, bend = function("f", 1), function("f", 2)
derivation.symbol("f^*", "the conjugate of $f$", "fenchel_conjugate")
derivation.symbol("B_f", "the height of $f$ above a tangent")

central = derivation.chain(
    "For a given slope, the point where the tangent has that slope is best",
    plus(times(u, slope(w)), -f(u)),
    equals(
        plus(times(u, slope(w)), times(-1, plus(f(w), times(slope(w), u - w), convex.at(u, w)))),
        r"$f(u)$ is its tangent at $w$ plus the height $B_f(u, w)$ above it",
        wrong={"the tangent at $u$": plus(times(u, slope(w)), times(-1, plus(f(w), times(slope(u), u - w), convex.at(u, w))))},
    ),
    equals(plus(times(w, slope(w)), -f(w), -convex.at(u, w)), r"the terms with $u\, f'(w)$ cancel"),
    at_most(
        plus(times(w, slope(w)), -f(w)),
        prose("leave out the height that is subtracted; equality where {touch}", touch=where(u, w)),
        adding=convex.at(u, w),
    ),
    central=True,
    so=r"The right side is reached at $w$, so it is the supremum: where $f'$ has the value $t$ at $w$, $f^*(t)$ is $w t - f(w)$.",
)
fenchel_young = derivation.chain(
    "Fenchel and Young's inequality: the price of a wrong slope is a height above a tangent",
    plus(f(u), plus(times(w, slope(w)), -f(w)), -times(u, slope(w))),
    equals(
        convex.at(u, w),
        r"the definition of $B_f(u, w)$; the second term is $f^*(t)$ at the slope $f'(w)$",
        wrong={"the arguments exchanged": convex.at(w, u)},
    ),
    at_least(0, r"heights are never negative", dropping=convex.at(u, w)),
    uses=(central,),
    so="In words: $f(u) + f^*(t)$ is at least $u t$ for all $u$ and $t$, with equality where $t$ is $f'(u)$. So $f(u)$ is the "
    "largest of $u t - f^*(t)$ over $t$: taking the conjugate twice returns to $f$. For a strictly convex differentiable $f$ "
    "equality holds only there. In general it holds if and only if $t$ is a subgradient of $f$ at $u$: for total variation at 1 "
    r"these are all $t$ from $-\frac12$ to $\frac12$.",
)
derivation.chain(
    "The slope of the conjugate is the ratio",
    Slope(plus(times(w, slope(w)), -f(w)), w) / Slope(slope(w), w),
    equals(
        times(plus(slope(w), times(w, bend(w)), -slope(w)), 1 / bend(w)),
        r"the product rule; the numerator is the change of $f^*(t)$ with $w$, the denominator that of $t$",
    ),
    equals(w, "$f''$, which is positive, cancels", wrong={"the slope of $f$": slope(w), "one over the ratio": 1 / w}),
    so=r"So the slope of the conjugate at $f'(w)$ is $w$: it is the inverse function of the slope of $f$.",
)
derivation.chain(
    "The curvature of the conjugate is one over that of the generator",
    Slope(w, w) / Slope(slope(w), w),
    equals(
        1 / bend(w),
        "differentiate the slope of the conjugate once more by $w$, and divide by the change of $t$",
        wrong={"the curvature itself": bend(w)},
    ),
    role="lemma",
)

derivation.answer = prose(
    "For a differentiable, strictly convex $f$ the conjugate at the slope $f'(w)$ is {conjugate}, and the slope of the "
    "conjugate there is {ratio} itself. So $f(u)$ is the largest of $u t - f^*(t)$ over $t$: the best $t$ is $f'(u)$, and from "
    "it the ratio is read off as the slope of $f^*$ at $t$.",
    conjugate=holds(plus(times(u, slope(w)), -f(u)), "=", plus(times(w, slope(w)), -f(w)), when={u: w}, named=True),
    ratio=holds(Slope(plus(times(w, slope(w)), -f(w)), w) / Slope(slope(w), w), "=", w, named=True, wrong={"one over it": 1 / w}),
)

r = derivation.number("r", "a slope that is in every domain", "t", between=(-2, 0))
alpha = derivation.number(r"\alpha", "the parameter of the alpha family, neither 0 nor 1", "alpha")
_ROWS = {name: row.written_in({U: w, T: t, ALPHA: alpha}) for name, row in CONJUGATES.items()}
_FORMULAS = {name: formula.subs({U: u, ALPHA: alpha}) for name, formula in FORMULAS.items()}
derivation.say(
    "The table. In every row $w f'(w) - f(w)$ is collected; then $w$ is found at which $f'$ is $t$. The domain belongs to the "
    "row: a critic must not leave it."
)
for _name, _row in _ROWS.items():
    derivation.chain(
        f"{_row.words}: the conjugate",
        plus(times(w, _row.slope), -_FORMULAS[_name].subs(u, w)),
        equals(
            _row.at_slope,
            prose("collect; the generator is {generator}", generator=_FORMULAS[_name]),
            wrong={"the generator added": plus(times(w, _row.slope), _FORMULAS[_name].subs(u, w))},
        ),
        role="definition",
        so=prose(
            f"The slope is $r$ where $w$ is {{best}}, and there $f^*(r)$ is {{conjugate}}. Domain: {_row.domain}.",
            best=_row.maximizer.subs(t, r),
            conjugate=holds(_row.at_slope, "=", _row.conjugate.subs(t, r), when={w: _row.maximizer.subs(t, r)}, named=True),
        ),
    )


@derivation.numeric(
    r"f'(w) = t,\qquad (f^*)'(t) = w,\qquad f^*(t) = w f'(w) - f(w)",
    because="Each row's solution for $w$ and its $f^*(t)$ are put in and compared, in symbols, and then computed at three "
    "slopes, $-0.9$, $-0.4$ and $-0.1$ (the alpha family at $-1$). The slopes of $f$ and $f^*$ are inverse functions of each "
    "other.",
    role="lemma",
)
def the_solutions_solve():
    places = (-0.9, -0.4, -0.1)
    left, right = [], []
    for name, row in _ROWS.items():
        back = sympy.diff(_FORMULAS[name], u).subs(u, row.maximizer)
        pairs = (back, t), (sympy.diff(row.conjugate, t), row.maximizer), (row.at_slope.subs(w, row.maximizer), row.conjugate)
        for formula, wanted in pairs:
            left.append([float(formula.subs({alpha: -1, t: place})) for place in places])
            right.append([float(wanted.subs({alpha: -1, t: place})) for place in places])
    return Sides(left=np.array(left), right=np.array(right), wrong={"the sign of t": -np.array(right)})


_AT = [(name, -1.0 if name == "alpha" else None) for name in _ROWS]


def _column(of):
    return sympy.Matrix([of(row).subs({alpha: -1, t: r}) for row in _ROWS.values()])


derivation.bridge(
    "The code computes the conjugates, the alpha family's at -1",
    _column(lambda row: row.conjugate),
    functools.partial(of_each, fenchel_conjugate, _AT),
    t=[r],
    calls=(fenchel_conjugate,),
    wrong={"a term or a factor lost": _column(lambda row: row.mistake)},
)
derivation.bridge(
    "... and their slopes",
    _column(lambda row: row.maximizer),
    functools.partial(of_each, fenchel_conjugate_derivative, _AT),
    t=[r],
    calls=(fenchel_conjugate_derivative,),
    wrong={"one over the ratio": _column(lambda row: 1 / row.maximizer)},
)

derivation.say(
    "Two rows show what a supremum can do: Pearson's is flat where the best ratio would be negative; Jeffreys' is not elementary."
)
derivation.chain(
    "Pearson's conjugate is a parabola as long as the best ratio is not negative",
    plus(times(u, t), -((u - 1) ** 2)),
    equals(
        plus(t**2 / 4 + t, -((u - 1 - t / 2) ** 2)),
        r"collect the powers of $u - 1$",
        wrong={"the half lost": plus(t**2 / 4 + t, -((u - 1 - t) ** 2))},
    ),
    at_most(
        t**2 / 4 + t,
        prose("leave out the square; equality where {best}, if that is not negative", best=where(u, 1 + t / 2)),
        adding=(u - 1 - t / 2) ** 2,
    ),
    role="remark",
)
tau = derivation.number(r"\tau", "how far $t$ is below $f'(0)$", positive=True)
derivation.chain(
    "Pearson's conjugate is flat below -2, where the best ratio is zero",
    plus(times(u, -2 - tau), -((u - 1) ** 2)),
    equals(plus(-1, -(u**2), -times(u, tau)), "expand"),
    at_most(
        -1,
        prose("leave out two terms that are subtracted; equality at {zero}", zero=where(u, 0)),
        adding=plus(u**2, times(u, tau)),
    ),
    role="remark",
    so="In general $f^*(t)$ is $-f(0)$ for all $t$ up to $f'(0)$: the conjugate is flat there. Tables that "
    "forget that $u$ is not negative let Pearson's parabola rise again.",
)
derivation.bridge(
    "The code is flat below -2",
    sympy.Integer(-1),
    fenchel_conjugate,
    t=[-2 - tau],
    divergence="pearson_chi_squared",
    wrong={"the parabola": (2 + tau) ** 2 / 4 - 2 - tau},
)
omega = derivation.number(r"\omega", "one over the ratio", "wright_omega", positive=True)
jeffreys = {0: (1 / omega - 1) * log(1 / omega), 1: plus(log(1 / omega), 1, -omega)}
derivation.chain(
    "Jeffreys: the equation for the ratio is solved by Wright's omega function",
    plus(1, -jeffreys[1]),
    equals(
        plus(omega, log(omega)),
        prose(
            r"the second term is $f'$ at $1/\omega$: {slope}",
            slope=holds(Slope((u - 1) * log(u), u), "=", jeffreys[1], when={u: 1 / omega}),
        ),
        wrong={"the ratio itself": plus(1 / omega, -log(omega))},
    ),
    role="remark",
    so=r"$\omega + \log \omega$ takes every value once as $\omega$ rises, so it is $1 - t$ for one $\omega$, "
    "whatever $t$ is: the domain is the whole line.",
)
derivation.chain(
    "Jeffreys' conjugate follows from Wright's omega function",
    plus(jeffreys[1] / omega, -jeffreys[0]),
    equals(plus(omega, 1 / omega, jeffreys[1], -2), r"the first line is $t u - f(u)$ at $1/\omega$, with $t$ as above; collect"),
    role="remark",
    so=prose(
        r"That is $f^*(t)$: $\omega + 1/\omega + t - 2$. The slope of $\omega$ in $1 - t$ is {slope}, by the derivative of the "
        "inverse function.",
        slope=holds(1 / Slope(omega + log(omega), omega), "=", omega / (1 + omega)),
    ),
)
derivation.bridge(
    "The code solves the equation",
    omega,
    wright_omega,
    x=[omega + log(omega)],
    wrong={"the logarithm counted twice": omega + log(omega)},
)
derivation.bridge(
    "... and computes Jeffreys' conjugate from it",
    plus(omega, 1 / omega, jeffreys[1], -2),
    fenchel_conjugate,
    t=[jeffreys[1]],
    divergence="jeffreys",
)


@derivation.exact(
    r"f^*(t) = \max\left(t, -\tfrac12\right) \quad\text{for}\quad t \le \tfrac12",
    because=r"Total variation: $u t - \frac12 |u - 1|$ consists of two straight lines in $u$, of slopes $t + \frac12$ up to 1 "
    r"and $t - \frac12$ after it. If the second slope is positive the supremum is infinite; otherwise it is reached at 0 or 1, "
    r"where the values are $-\frac12$ and $t$. Both are compared with the code, and with the largest value at seven ratios from "
    "0 to 3.",
    role="lemma",
    outcomes=14,
)
def total_variation():
    slopes, ratios = jnp.array([-2.0, -0.75, -0.5, -0.3, 0.1, 0.3, 0.5]), jnp.linspace(0.0, 3.0, 7)
    found = discrete_legendre_transform(slopes, ratios, jnp.abs(ratios - 1) / 2)
    code = fenchel_conjugate(slopes, divergence="total_variation")
    wanted = jnp.maximum(slopes, -0.5)
    wrong = {"without the flat part": jnp.stack([slopes, slopes])}
    return Sides(left=jnp.stack([found, code]), right=jnp.stack([wanted, wanted]), wrong=wrong)


_log_u = np.array([-2.8, -1.2, -0.3, 0.2, 0.7, 1.9])


def _slopes():
    """t = f'(u) at u = e^_log_u, a row for every smooth divergence."""
    return of_each(f_generator_derivative, SMOOTH, _log_u)


@derivation.numeric(
    r"f^{**} = f",
    because="The largest of $u t - f^*(t)$ over the slopes of the tangents at six ratios, in every smooth row, by the discrete "
    "transform applied twice. For a function that is not convex the result is the envelope of its tangents from below, its "
    "convex hull: $(x^2 - 1)^2$ loses its hump between -1 and 1.",
    role="remark",
    scale=1.0,
)
def transforming_twice():
    ratios, values = jnp.exp(_log_u), of_each(f_generator, SMOOTH, _log_u)
    pairs = zip(_slopes(), values, strict=True)
    twice = [discrete_legendre_transform(ratios, s, discrete_legendre_transform(s, ratios, v)) for s, v in pairs]
    x = jnp.linspace(-2.0, 2.0, 21)
    hump, outside = (x**2 - 1) ** 2, jnp.abs(x) >= 1
    slopes = jnp.where(outside, 4 * x * (x**2 - 1), 0.0)
    hull = discrete_legendre_transform(x, slopes, discrete_legendre_transform(slopes, x, hump))
    wanted = jnp.concatenate([values.ravel(), jnp.where(outside, hump, 0.0)])
    left, wrong = jnp.concatenate([jnp.ravel(jnp.stack(twice)), hull]), jnp.concatenate([values.ravel(), hump])
    return Sides(left=left, right=wanted, wrong={"the hump kept": wrong})


derivation.symbol("x", "a number on the line")

v = derivation.number("v", "the output of a network", "v")
derivation.symbol("g_f", r"a map of the line into $\mathrm{dom} f^*$", "output_activation")
softplus_ = log(1 + exp(-v))
_MAPS = {
    "kl": v,
    "reverse_kl": -exp(-v),
    "pearson_chi_squared": v,
    "neyman_chi_squared": 1 - exp(-v),
    "squared_hellinger": 1 - exp(-v),
    "jeffreys": v,
    "jensen_shannon": (log(2) - softplus_) / 2,
    "gan": -softplus_,
    "alpha": Rational(1, 2) - softplus_,
    "total_variation": tanh(v) / 2,
}
derivation.say(
    "A network's output is any real number, and a critic's values must stay in the domain. The last layer is therefore a "
    "non-decreasing map $g_f$ into it: the identity where the domain is the line, $-e^{-v}$ for the reverse divergence, $1 - "
    r"e^{-v}$ for Neyman and Hellinger, $-\log(1 + e^{-v})$ for the GAN, where it is the logarithm of a sigmoid."
)
derivation.chain(
    "The GAN's map rises",
    Slope(-softplus_, v),
    equals(1 / (1 + exp(v)), "the chain rule; multiply by $e^v$", wrong={"the other sigmoid": 1 / (1 + exp(-v))}),
    at_least(0, "an exponential is positive", dropping=1 / (1 + exp(v))),
    role="lemma",
)
_BY_NAME = [(name, -1.0 if name == "alpha" else None) for name in _MAPS]
derivation.bridge(
    "The code computes the maps, the alpha family's at -1",
    sympy.Matrix(list(_MAPS.values())),
    functools.partial(of_each, output_activation, _BY_NAME),
    v=[v],
    calls=(output_activation,),
    wrong={"the sign of v": sympy.Matrix([part.subs(v, -v) for part in _MAPS.values()])},
)


@derivation.exact(
    r"\lim_{v \to \infty} g_f(v) = f'(\infty),\qquad \lim_{v \to -\infty} g_f(v) = -\infty",
    because=r"In symbols, for the rows with an upper end of the domain. Total variation is the exception: $\frac12 \tanh v$ "
    r"stays between $-\frac12$ and $\frac12$. Nothing is lost: below $-\frac12$ the conjugate is flat, so $-\frac12$ is at "
    "least as good in $u t - f^*(t)$; but the two ends, which are a best critic's values, are only approached.",
    role="lemma",
    outcomes=14,
    scale=1.0,
)
def the_maps_reach_the_ends():
    names = ("reverse_kl", "neyman_chi_squared", "squared_hellinger", "jensen_shannon", "gan", "alpha", "total_variation")
    ends = [[limit(_MAPS[name].rewrite(exp), v, place) for place in (oo, -oo)] for name in names]
    upper = [row_of(GENERATORS, name, -1.0 if name == "alpha" else None).slope_at_infinity for name in names]
    wanted = np.array([upper, [-inf] * 6 + [-0.5]]).T
    return Sides(
        left=np.array(ends, dtype=np.float64), right=wanted, wrong={"ends at 1": np.where(np.isfinite(wanted), 1.0, wanted)}
    )


@derivation.example("Kullback-Leibler at the ratio 2: a wrong slope, 1, and the right one, $1 + \\log 2$. Then three other rows.")
def the_ratio_two():
    two = math.log(2)
    yield r"2 t \text{ at } t = 1", 2.0, "2"
    yield r"f(2) + f^*(1)", f_generator(two, divergence="kl") + fenchel_conjugate(1.0, divergence="kl"), "2.3863"
    yield r"2 t \text{ at } t = 1 + \log 2", 2 * (1 + two), "3.3863"
    yield (r"f(2) + f^*(1 + \log 2)", f_generator(two, divergence="kl") + fenchel_conjugate(1 + two, divergence="kl"), "3.3863")
    yield r"f^*(1),\ (f^*)'(1) \text{ of Pearson}", _both(1.0, "pearson_chi_squared"), "1.25, 1.5"
    yield r"f^*(-4),\ (f^*)'(-4) \text{ of Pearson}", _both(-4.0, "pearson_chi_squared"), "-1, 0"
    yield r"f^*(0),\ (f^*)'(0) \text{ of Jeffreys}", _both(0.0, "jeffreys"), "0, 1"


def _both(t, name):
    return jnp.stack([fenchel_conjugate(t, divergence=name), fenchel_conjugate_derivative(t, divergence=name)])


@derivation.figure(
    "Left: Kullback-Leibler's generator and the tangent of slope 1.4; it meets the vertical axis at $-f^*(t)$. Right: three "
    r"conjugates. Pearson's is flat below -2, total variation's below $-\frac12$; total variation's ends at $\frac12$, and "
    "Hellinger's grows without limit at 1.",
    panels=2,
)
def a_tangent_and_three_conjugates(left, right):
    draw_tangent(left, f_generator, fenchel_conjugate)
    draw_conjugates(right, fenchel_conjugate)
