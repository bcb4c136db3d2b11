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
from theory_jax.derivation.typeset import latex
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
    question="An f-divergence is the mean of a convex function of the density ratio, and no one knows the ratio. How can a "
    "convex function of an unknown number be written as a maximum of expressions that are linear in it?",
    setting=(
        r"$f$ is a generator of the lecture on f-divergences: convex on $u > 0$, continued to $u = 0$ by its limit $f(0)$, "
        r"which may be infinite. $B_f(u, a) \ge 0$ is its height above the tangent at $a$. $f'(0)$ and $f'(\infty)$ are the "
        r"limits of $f'$.",
        r"Its conjugate is $f^*(t) = \sup_{u \ge 0} (u t - f(u))$. Its domain $\mathrm{dom} f^*$ is where this is finite. Its "
        r"upper end is $f'(\infty)$: for $t > f'(\infty)$ the expression $u t - f(u) = u\,(t - f(u)/u)$ grows without limit.",
        r"If $f$ is differentiable and strictly convex, $f'(u) = t$ has one solution for every $t$ between $f'(0)$ and "
        r"$f'(\infty)$. This holds for all generators of the table but total variation's, which is treated by itself.",
    ),
    answer=r"At $t = f'(w)$ the conjugate is $w f'(w) - f(w)$, and the slope of the conjugate is $w$ itself. So $f(u) = \sup_t "
    r"(u t - f^*(t))$: the best $t$ is $f'(u)$, and from it the ratio is read off as $(f^*)'(t)$.",
    limits=(
        "Several dimensions, where the same return to $f$ needs separating hyperplanes.",
        "Generators that are not closed: a jump at $u = 0$ would be lost in $f^{**}$.",
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
    "No line of a given slope is higher than the tangent of that slope",
    plus(times(u, slope(w)), -f(u)),
    equals(
        plus(times(u, slope(w)), times(-1, plus(f(w), times(slope(w), u - w), convex.at(u, w)))),
        r"$f(u)$ is its tangent at $w$ plus the height $B_f(u, w)$ above it",
        wrong={"the tangent at $u$": plus(times(u, slope(w)), times(-1, plus(f(w), times(slope(u), u - w), convex.at(u, w))))},
    ),
    equals(plus(times(w, slope(w)), -f(w), -convex.at(u, w)), r"the terms with $u\, f'(w)$ cancel"),
    at_most(
        plus(times(w, slope(w)), -f(w)), r"leave out the height that is subtracted; it is zero at $u = w$", adding=convex.at(u, w)
    ),
    central=True,
    so=r"The right side is reached at $u = w$, so it is the supremum: $f^*(t) = w t - f(w)$ where $t = f'(w)$.",
)
fenchel_young = derivation.chain(
    "Fenchel and Young's inequality: the price of a wrong slope is a height above a tangent",
    plus(f(u), plus(times(w, slope(w)), -f(w)), -times(u, slope(w))),
    equals(
        convex.at(u, w),
        r"the definition of $B_f(u, w)$; the second term is $f^*(t)$ at $t = f'(w)$",
        wrong={"the arguments exchanged": convex.at(w, u)},
    ),
    at_least(0, r"heights are never negative", dropping=convex.at(u, w)),
    uses=(central,),
    so=r"In words: $f(u) + f^*(t) \ge u t$ for all $u$ and $t$, with equality at $t = f'(u)$. So $f(u)$ is the largest of $u t "
    r"- f^*(t)$ over $t$: taking the conjugate twice returns to $f$. For a strictly convex differentiable $f$ equality holds "
    r"only there. In general it holds if and only if $t$ is a subgradient of $f$ at $u$: for total variation at $u = 1$ these "
    r"are all $t$ from $-\frac12$ to $\frac12$.",
)
derivation.chain(
    "The slope of the conjugate is the ratio",
    Slope(plus(times(w, slope(w)), -f(w)), w) / Slope(slope(w), w),
    equals(
        times(plus(slope(w), times(w, bend(w)), -slope(w)), 1 / bend(w)),
        r"the product rule; the numerator is the change of $f^*(t)$ with $w$, the denominator that of $t$",
    ),
    equals(w, r"$f'' > 0$ cancels", wrong={"the slope of $f$": slope(w), "one over the ratio": 1 / w}),
    so=r"So $(f^*)'(f'(w)) = w$: the slope of the conjugate is the inverse function of the slope of $f$.",
)
derivation.chain(
    "... and its curvature is one over that of the generator",
    Slope(w, w) / Slope(slope(w), w),
    equals(
        1 / bend(w),
        r"differentiate $(f^*)'(f'(w)) = w$ once more by $w$, and divide by the change of $t$",
        wrong={"the curvature itself": bend(w)},
    ),
    role="lemma",
)

# ---------------------------------------------------------------------------------------------------- the table

alpha = derivation.number(r"\alpha", "the parameter of the alpha family, neither 0 nor 1", "alpha")
_ROWS = {name: row.written_in({U: w, T: t, ALPHA: alpha}) for name, row in CONJUGATES.items()}
_FORMULAS = {name: formula.subs({U: u, ALPHA: alpha}) for name, formula in FORMULAS.items()}
derivation.say(
    r"The table. In every row $w f'(w) - f(w)$ is collected; then $f'(w) = t$ is solved for $w$. The domain belongs to the "
    r"row: a critic must not leave it."
)
for _name, _row in _ROWS.items():
    derivation.chain(
        f"{_row.words}: the conjugate",
        plus(times(w, _row.slope), -_FORMULAS[_name].subs(u, w)),
        equals(
            _row.at_slope,
            rf"$w f'(w) - f(w)$ with $f = {latex(_FORMULAS[_name])}$: collect",
            wrong={"the generator added": plus(times(w, _row.slope), _FORMULAS[_name].subs(u, w))},
        ),
        role="definition",
        so=rf"$f'(w) = t$ at $w = {latex(_row.maximizer)}$, so $f^*(t) = {latex(_row.conjugate)}$. Domain: {_row.domain}.",
    )


@derivation.numeric(
    r"f'(w) = t,\qquad (f^*)'(t) = w,\qquad f^*(t) = w f'(w) - f(w)",
    because=r"Each row's solution for $w$ and its $f^*(t)$ are put in and compared, in symbols, and then computed at $t = "
    r"-0.9, -0.4, -0.1$ (the alpha family at $\alpha = -1$). The slopes of $f$ and $f^*$ are inverse functions of each other.",
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


r = derivation.number("r", "a value of a critic that is in every domain", "t", between=(-2, 0))
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
    r"Two rows show what a supremum can do: Pearson's, by completing a square, with a flat part where the best ratio would be "
    r"negative; and Jeffreys', where the equation has no elementary solution."
)
derivation.chain(
    "Pearson: a square is completed",
    plus(times(u, t), -((u - 1) ** 2)),
    equals(
        plus(t**2 / 4 + t, -((u - 1 - t / 2) ** 2)),
        r"collect the powers of $u - 1$",
        wrong={"the half lost": plus(t**2 / 4 + t, -((u - 1 - t) ** 2))},
    ),
    at_most(
        t**2 / 4 + t, r"leave out the square; it is zero at $u = 1 + t/2$, if that is not negative", adding=(u - 1 - t / 2) ** 2
    ),
)
tau = derivation.number(r"\tau", "how far $t$ is below $f'(0)$", positive=True)
derivation.chain(
    "... and below -2 the best ratio is zero",
    plus(times(u, -2 - tau), -((u - 1) ** 2)),
    equals(plus(-1, -(u**2), -times(u, tau)), r"expand at $t = -2 - \tau$"),
    at_most(-1, r"leave out two terms that are subtracted; both are zero at $u = 0$", adding=plus(u**2, times(u, tau))),
    so=r"In general $f^*(t) = -f(0)$ for all $t \le f'(0)$: the conjugate is flat there. Tables that drop the constraint $u "
    r"\ge 0$ let Pearson's parabola rise again.",
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
        r"$f'(u) = \log u + 1 - 1/u$ at $u = 1/\omega$",
        wrong={"the ratio itself": plus(1 / omega, -log(omega))},
    ),
    so=r"$\omega + \log \omega$ rises from $-\infty$ to $\infty$, so $\omega + \log \omega = 1 - t$ has one solution for every "
    r"$t$: the domain is the whole line.",
)
derivation.chain(
    "... which gives the conjugate",
    plus(jeffreys[1] / omega, -jeffreys[0]),
    equals(plus(omega, 1 / omega, jeffreys[1], -2), r"$t u - f(u)$ at $u = 1/\omega$, with $\log \omega = 1 - t - \omega$"),
    so=r"That is $f^*(t) = \omega + 1/\omega + t - 2$.",
)
derivation.chain(
    "... and the slope of omega",
    1 / Slope(omega + log(omega), omega),
    equals(omega / (1 + omega), "the derivative of the inverse function"),
    role="lemma",
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
    because=r"Total variation: $u t - \frac12 |u - 1|$ consists of two straight lines in $u$, of slopes $t + \frac12$ up to $u "
    r"= 1$ and $t - \frac12$ after it. If the second slope is positive the supremum is infinite; otherwise it is reached at $u "
    r"= 0$ or $u = 1$, where the values are $-\frac12$ and $t$. Both are compared with the code, and with the largest value at "
    r"$u = 0, \frac12, \dots, 3$.",
    role="lemma",
    outcomes=14,
)
def total_variation():
    slopes, ratios = jnp.array([-2.0, -0.75, -0.5, -0.3, 0.1, 0.3, 0.5]), jnp.linspace(0.0, 3.0, 7)
    found = discrete_legendre_transform(slopes, ratios, jnp.abs(ratios - 1) / 2)
    code = fenchel_conjugate(slopes, divergence="total_variation")
    wanted = jnp.maximum(slopes, -0.5)
    return Sides(
        left=jnp.stack([found, code]),
        right=jnp.stack([wanted, wanted]),
        wrong={"without the flat part": jnp.stack([slopes, slopes])},
    )


_log_u = np.array([-2.8, -1.2, -0.3, 0.2, 0.7, 1.9])


def _slopes():
    """t = f'(u) at u = e^_log_u, a row for every smooth divergence."""
    return of_each(f_generator_derivative, SMOOTH, _log_u)


@derivation.numeric(
    r"f^{**} = f",
    because=r"The largest of $u t - f^*(t)$ over the slopes of the tangents at six ratios, in every smooth row, by the "
    r"discrete transform applied twice. For a function that is not convex the result is the envelope of its tangents from "
    r"below, its convex hull: $(x^2 - 1)^2$ loses its hump between -1 and 1.",
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
    return Sides(
        left=jnp.concatenate([jnp.ravel(jnp.stack(twice)), hull]),
        right=wanted,
        wrong={"the hump kept": jnp.concatenate([values.ravel(), hump])},
    )


derivation.symbol("x", "a number on the line")

# ---------------------------------------------------------------------------------------------------- output maps

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
    r"A network's output is any real number, and a critic's values must stay in the domain. The last layer is therefore a "
    r"non-decreasing map $g_f$ into it: the identity where the domain is the line, $-e^{-v}$ for the reverse divergence, $1 - "
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
    r"stays between $-\frac12$ and $\frac12$. Nothing is lost: for $t < -\frac12$ the conjugate is flat, so $t = -\frac12$ is "
    r"at least as good in $u t - f^*(t)$; but the two ends, which are a best critic's values, are only approached.",
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


# ---------------------------------------------------------------------------------------------------- example, figure, exercises


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
    r"Left: Kullback-Leibler's generator and the tangent of slope $t = 1.4$; it meets the vertical axis at $-f^*(t)$. Right: "
    r"three conjugates. Pearson's is flat below -2, total variation's below $-\frac12$; total variation's ends at $\frac12$, "
    r"and Hellinger's grows without limit at 1.",
    panels=2,
)
def a_tangent_and_three_conjugates(left, right):
    ratios, touching = np.linspace(0.01, 3, 120), 1.4
    left.plot(ratios, f_generator(np.log(ratios), divergence="kl"), label="$f(u) = u \\log u$")
    intercept = -float(fenchel_conjugate(touching, divergence="kl"))
    line = np.linspace(0, 3, 2)
    left.plot(line, touching * line + intercept, "--", color="gray", label="tangent of slope 1.4")
    left.plot(0, intercept, "o", color="gray")
    left.annotate("$-f^*(t)$", (0, intercept), xytext=(0.2, intercept - 0.15))
    left.set(xlabel="$u$", ylabel="$f(u)$")
    left.legend()
    for name, end in (("pearson_chi_squared", 2.0), ("total_variation", 0.5), ("squared_hellinger", 0.75)):
        places = np.linspace(-4, end, 120)
        right.plot(places, fenchel_conjugate(places, divergence=name), label=name.replace("_", " "))
    right.set(xlabel="$t$", ylabel="$f^*(t)$")
    right.legend()


@derivation.exercise(
    r"What is the conjugate of the alpha family's generator at $\alpha = 3$, for $t \ge -\frac12$? What is it at $t = 1$, and "
    r"below $-\frac12$?",
    r"$\frac13 \left((1 + 2t)^{3/2} - 1\right)$; 1.3987 at $t = 1$; and $-\frac13$, that is -0.3333, below.",
)
def alpha_three():
    yield _ROWS["alpha"].conjugate.subs(alpha, 3), ((1 + 2 * t) ** Rational(3, 2) - 1) / 3
    yield fenchel_conjugate(1.0, divergence="alpha", alpha=3.0), "1.3987"
    yield fenchel_conjugate(-2.0, divergence="alpha", alpha=3.0), "-0.3333"


@derivation.exercise(
    r"What is $f^*(f'(1))$ for any generator, and what is it for the GAN's?",
    r"$f'(1) - f(1)$, by the result at $w = 1$. For the GAN's, $f'(1) = -\log 2$ and $f(1) = -2 \log 2$, so it is $\log 2$, "
    r"0.6931.",
)
def at_equality():
    yield fenchel_conjugate(-math.log(2), divergence="gan"), "0.6931"
    yield f_generator_derivative(0.0, divergence="gan") - f_generator(0.0, divergence="gan"), "0.6931"


@derivation.exercise(
    r"A friend uses $e^t$ as the conjugate of $u \log u$. Which part of the theory still holds, and what fails?",
    r"$e^t$ is larger than $e^{t-1}$, so the inequality $u t \le f(u) + f^*(t)$ still holds, but it is never an equality: at "
    r"$t = f'(u)$ the two sides differ by $u (e - 1)$, at $u = 2$ by 3.4366. Every bound built on it is too low.",
)
def without_the_one():
    right = 1 + math.log(2)
    yield 2 * math.log(2) + math.exp(right) - 2 * right, "3.4366"
    yield 2 * (math.e - 1), "3.4366"
