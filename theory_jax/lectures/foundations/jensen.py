"""Jensen's inequality, with its exact gap.

The lecture on the functions of theory_jax/foundations/jensen.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from sympy import Subs, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.unspecified import function
from theory_jax.foundations.jensen import bregman_divergence, jensen_gap, jensen_gap_bounds, log_jensen_gap, log_mean_exp
from theory_jax.lectures.foundations._heights import draw_heights
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.more_samples import leave_one_out, two_samples

derivation = Derivation(
    module=__name__,
    title="Jensen's inequality, with its exact gap",
    lectures=(5,),
    sources=(
        "Jensen 1906, Sur les fonctions convexes et les inegalites entre les valeurs moyennes",
        "Boyd & Vandenberghe 2004, Convex Optimization, section 3.1",
        "Banerjee, Merugu, Dhillon & Ghosh 2005, Clustering with Bregman divergences",
        "Liao & Berg 2019, Sharpening Jensen's inequality",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, theorem 1",
    ),
    question="The logarithm of an average is not the average of the logarithms: who estimates a log-likelihood by the logarithm "
    "of a noisy estimate is too low on average, and more so, the noisier it is. The mean of a convex function is at least the "
    "function of the mean. Why, and by exactly how much? Most bounds of this course are this inequality, and the size of its "
    "gap is their tightness.",
    setting=(
        "A random variable takes the values $x_k$ of an interval with positive probabilities $w_k$ that sum to one; a point of "
        "weight zero does not count. $f$ is a differentiable function on the interval.",
        "$f$ is convex if its graph is above each of its tangents. The height above the tangent at $a$ is its Bregman "
        "divergence $B_f(u, a)$, which is $f(u) - f(a) - f'(a)(u - a)$. At a kink inside the interval any slope between the "
        "left and the right one may take the place of $f'(a)$. $f$ is strictly convex if this height is zero at the point of "
        "contact only.",
    ),
    limits=(
        "The values are finitely many. The same lines hold on any probability space on which $X$ and $f(X)$ have means.",
        "That more samples tighten the bound for any number of samples rests on two lemmas and Jensen's inequality, in words; "
        "it is enumerated for up to four samples of one distribution.",
        r"How fast the gap of a given $f$ closes beyond the second order in the noise.",
    ),
)

k = derivation.index("k", "a value of the random variable")
w = derivation.law("w", k, "its probabilities", "exp(log_weights)")
x = derivation.numbers("x", k, "the values", "x")
mu = derivation.define(r"\mu", Expectation(w, x), "their mean")
u = derivation.number("u", "a point of the interval")
v = derivation.number("v", "a point, next to $u$")
z = derivation.number("z", "a third point")
a = derivation.number("a", "the point at which a tangent touches")
lam = derivation.number(r"\lambda", "the weight of a point", between=(0, 1))
kappa = derivation.number(r"\kappa", "the weight of another point", between=(0, 1))
f = derivation.function("f", "a differentiable convex function", "convex_fn")
slope = function("f", 1)

_PARABOLA = {f: lambda number: number**2}
convex = derivation.assume(
    "The graph of f is above each of its tangents",
    f(u) - f(a) - slope(a) * (u - a),
    *(u, a),
    name=r"B_f\left({}, {}\right)",
    example=_PARABOLA,
    wrong={"twice the slope": f(u) - f(a) - 2 * slope(a) * (u - a)},
)

derivation.chain(
    "A first case: the fourth power is above its tangents",
    u**4 - a**4 - 4 * a**3 * (u - a),
    equals(
        (u - a) ** 2 * (u**2 + 2 * a * u + 3 * a**2),
        r"divide by $(u - a)^2$: value and slope of the two sides agree at $a$, so the quotient is a polynomial",
        wrong={"the tangent at $u$": (u - a) ** 2 * (3 * u**2 + 2 * a * u + a**2)},
    ),
    equals(times((u - a) ** 2, plus((u + a) ** 2, 2 * a**2)), "complete the square in the second factor"),
    at_least(
        0,
        prose("leave out products of squares; equality if and only if {touch}", touch=where(u, a)),
        dropping=times((u - a) ** 2, plus((u + a) ** 2, 2 * a**2)),
    ),
    role="lemma",
)
between = plus(times(1 - lam, u), times(lam, v))
heights = plus(times(1 - lam, convex.at(u, between)), times(lam, convex.at(v, between)))
_SHRUNK = Subs(Slope(plus(times(1 - lam, f(u)), times(lam, f(v)), -f(between)), lam), lam, 0)
chord = derivation.chain(
    "The graph of a convex function is below its chords",
    plus(times(1 - lam, f(u)), times(lam, f(v)), -f(between)),
    equals(
        heights,
        prose(
            "touch the graph between the two points. The tangent's slope has the factor {none}",
            none=holds(plus(times(1 - lam, u - between), times(lam, v - between)), "=", 0),
        ),
        wrong={"the weights exchanged": plus(times(lam, convex.at(u, between)), times(1 - lam, convex.at(v, between)))},
    ),
    at_least(0, "both heights are never negative", dropping=heights),
    about=(u, v, lam),
    name=r"G_f\left({}, {}; {}\right)",
    role="lemma",
    so=prose(
        "Many books define convexity by the chord. For a differentiable function the two definitions agree: where the chord "
        "shrinks to a point, its gap is 0 and never negative beside it, so its slope there is not negative, and that is the "
        "height above the tangent, {slope}.",
        slope=holds(_SHRUNK, "=", convex.at(v, u), wrong={"the arguments exchanged": convex.at(u, v)}),
    ),
)

central = derivation.chain(
    "Jensen's inequality: the gap is the mean height above the tangent at the mean",
    Expectation(w, f(x)),
    equals(
        Expectation(w, plus(f(mu), times(slope(mu), x - mu), convex.at(x, mu))),
        r"the definition of $B_f$, at $x_k$ and $\mu$",
        wrong={"the tangent at the value": Expectation(w, plus(f(mu), times(slope(x), x - mu), convex.at(x, mu)))},
    ),
    equals(
        plus(f(mu), times(slope(mu), Expectation(w, x) - mu), Expectation(w, convex.at(x, mu))),
        "the expectation is linear, and the probabilities sum to one",
    ),
    equals(
        plus(f(mu), Expectation(w, convex.at(x, mu))),
        prose(
            "{mean}: whatever its slope, the tangent at the mean has no part in the gap",
            mean=holds(Expectation(w, x - mu), "=", 0),
        ),
        wrong={"the height of the mean above the tangents at the values": plus(f(mu), Expectation(w, convex.at(mu, x)))},
    ),
    at_least(f(mu), "leave out the mean height, which is never negative", dropping=Expectation(w, convex.at(x, mu))),
    central=True,
    so="A mean of heights is zero only if every height is: equality holds if and only if $f$ runs along its tangent from the "
    "smallest value to the largest, that is if $f$ is affine on the hull of the values (a single value is such a hull). For a "
    "strictly convex $f$ only a constant gives equality. If $-f$ is convex, the inequality is turned over.",
)
derivation.bridge(
    "The code computes the gap, here of the exponential",
    Expectation(w, exp(x)) - exp(mu),
    jensen_gap,
    x=[x],
    log_weights=[log(w)],
    convex_fn=jnp.exp,
    wrong={"the sign": exp(mu) - Expectation(w, exp(x)), "no weights": Expectation(w, exp(x)) - exp(Total(k, x) / 4)},
)
inner = plus(times(1 - kappa, u), times(kappa, v))
derivation.chain(
    "By chords alone: two points make three, and by induction any number",
    plus(
        times(1 - lam, plus(times(1 - kappa, f(u)), times(kappa, f(v)))),
        times(lam, f(z)),
        -f(plus(times(1 - lam, inner), times(lam, z))),
    ),
    equals(
        plus(times(1 - lam, chord.at(u, v, kappa)), chord.at(inner, z, lam)),
        r"average the first two points at their mean $c$, then $c$ with the third: $(1 - \lambda) f(c)$ is subtracted in the "
        "first chord's gap $G_f$ and added in the second",
        wrong={"weighted by the last point": plus(times(lam, chord.at(u, v, kappa)), chord.at(inner, z, lam))},
    ),
    at_least(0, "both are gaps of chords", dropping=plus(times(1 - lam, chord.at(u, v, kappa)), chord.at(inner, z, lam))),
    role="remark",
    so="With the mean of the first $n - 1$ points in place of $c$ the same two lines lead from $n - 1$ points to $n$, so the "
    "inequality holds for any finite number of points, for convex functions with kinks, too.",
)

m = derivation.number("m", "a lower bound of $f''$", "curvature_lower")
M = derivation.number("M", "an upper bound of $f''$", "curvature_upper")
derivation.say(
    "How large is the gap? For a quadratic function it is a variance. Every other function is between two quadratics with "
    "second derivatives that bound its own."
)
derivation.chain(
    "A quadratic part of a function takes a quadratic part of the height with it",
    plus(f(u), -m * u**2 / 2, -plus(f(a), -m * a**2 / 2), -times(plus(slope(a), -m * a), u - a)),
    equals(
        plus(convex.at(u, a), -m * (u - a) ** 2 / 2),
        r"the height of $\frac12 m u^2$ above its tangent at $a$ is $\frac12 m (u - a)^2$",
    ),
    role="lemma",
    so=r"If $f''$ is at least $m$ between the points, then $f(u) - \frac12 m u^2$ is convex and this height is never negative. "
    r"If $f''$ is at most $M$, then $\frac12 M u^2 - f(u)$ is convex, and the height with $M$ for $m$ is never positive.",
)
steep = derivation.assume(
    "The second derivative of f is at least m",
    plus(convex.at(u, a), -m * (u - a) ** 2 / 2),
    *(u, a),
    example=_PARABOLA | {m: 2},
    wrong={"m without its half": plus(convex.at(u, a), -m * (u - a) ** 2)},
)
flat = derivation.assume(
    "The second derivative of f is at most M",
    plus(M * (u - a) ** 2 / 2, -convex.at(u, a)),
    *(u, a),
    example=_PARABOLA | {M: 2},
    wrong={"half of M": plus(M * (u - a) ** 2 / 4, -convex.at(u, a))},
)
gap = derivation.define(r"\Delta", plus(Expectation(w, f(x)), -f(mu)), "Jensen's gap", "jensen_gap")
derivation.chain(
    "The gap is at least the variance times half the least curvature",
    gap,
    equals(Expectation(w, convex.at(x, mu)), "Jensen's inequality, with its gap"),
    equals(
        plus(m * Variance(w, x) / 2, Expectation(w, steep.at(x, mu))),
        r"add and subtract $\frac12 m (x_k - \mu)^2$, with the mean $\frac12 m$ times the variance",
        wrong={"the second moment": plus(m * Expectation(w, x**2) / 2, Expectation(w, steep.at(x, mu)))},
    ),
    at_least(m * Variance(w, x) / 2, r"leave out what is assumed to be never negative", dropping=Expectation(w, steep.at(x, mu))),
    uses=(central,),
    states=2,
)
derivation.chain(
    "The gap is at most the variance times half the largest curvature",
    gap,
    equals(plus(M * Variance(w, x) / 2, -Expectation(w, flat.at(x, mu))), r"the same with $M$"),
    at_most(M * Variance(w, x) / 2, "add what is assumed to be never negative", adding=Expectation(w, flat.at(x, mu))),
    uses=(central,),
    states=2,
    so="Both are equalities for a quadratic. What makes $X$ less noisy makes Jensen's inequality tighter, in proportion to the "
    "variance.",
    role="lemma",
)
derivation.answer = prose(
    "The gap of Jensen's inequality is the mean height of the graph above its tangent at the mean, {gap}. It is never negative. "
    "If $f''$ is between $m$ and $M$, it is between $m/2$ and $M/2$ times the variance of the values; for the logarithm it is a "
    "Kullback-Leibler divergence.",
    gap=holds(gap, "=", Expectation(w, convex.at(x, mu)), wrong={"the tangents at the values": Expectation(w, convex.at(mu, x))}),
)
derivation.bridge(
    "The code computes both bounds at the curvatures 1 and 3",
    (Variance(w, x) / 2, 3 * Variance(w, x) / 2),
    jensen_gap_bounds,
    x=[x],
    log_weights=[log(w)],
    curvature_lower=1.0,
    curvature_upper=3.0,
    wrong={"no half": (Variance(w, x), 3 * Variance(w, x)), "the bounds exchanged": (3 * Variance(w, x) / 2, Variance(w, x) / 2)},
)

d = derivation.index("d", "a coordinate")
c = derivation.index("c", "a coordinate, next to $d$")
g = derivation.numbers("g", d, "a point of several coordinates", "x")
h = derivation.numbers("h", d, "the point at which the tangent plane touches", "y")
s_g = derivation.define(r"\sigma", exp(g) / Total(c, exp(g.at(c))), "the softmax of $g$", over=d, law=True)
s_h = derivation.define(r"\tau", exp(h) / Total(c, exp(h.at(c))), "the softmax of $h$", over=d, law=True)
derivation.say(
    r"In several dimensions the tangent line becomes a tangent plane, the height above it $\varphi(g) - \varphi(h) - \langle "
    r"\nabla\varphi(h), g - h \rangle$, and nothing else in the argument changes: along the segment from $h$ to $g$ a convex "
    r"$\varphi$ is a convex function of one variable."
)
derivation.symbol(r"\varphi", "a convex function of several coordinates", "potential_fn")
log_sum_exp = plus(log(Total(d, exp(g))), -log(Total(d, exp(h))), -Total(d, s_h * (g - h)))
derivation.chain(
    "For log-sum-exp the height above the tangent plane is a divergence between softmaxes",
    log_sum_exp,
    equals(
        Total(d, s_h * plus(h - log(Total(c, exp(h.at(c)))), -(g - log(Total(c, exp(g.at(c))))))),
        prose(
            r"the gradient of log-sum-exp is the softmax, $\tau_d$ at $h$; {one} takes the two constants inside",
            one=holds(Total(d, s_h), "=", 1),
        ),
    ),
    equals(
        Total(d, s_h * plus(log(s_h), -log(s_g))),
        prose(r"{it}, and for $\sigma_d$", it=holds(log(s_h), "=", plus(h, -log(Total(c, exp(h.at(c))))))),
    ),
    equals(Divergence(s_h, s_g), "the definition of the divergence: the point of contact comes first"),
    at_least(0, "Gibbs' inequality", dropping=gibbs.at(s_h, s_g)),
    states=2,
    so="So log-sum-exp is convex. It is not strictly convex: the divergence is zero whenever $g - h$ is the same in every "
    "coordinate.",
    role="remark",
)
derivation.bridge(
    "The code computes this height by automatic differentiation",
    Divergence(s_h, s_g),
    bregman_divergence,
    x=[g],
    y=[h],
    potential_fn=lambda y: logsumexp(y, axis=-1),
    wrong={"the gradient at the other point": -Divergence(s_g, s_h)},
)
r = derivation.numbers("r", k, "positive values", "exp(log_x)", positive=True)
j = derivation.index("j", "a value, next to $k$")
tilted = derivation.define(
    r"\tilde{w}", w * r / Total(j, w.at(j) * r.at(j)), "the weights, tilted by the values", over=k, law=True
)
log_gap = derivation.chain(
    "For the logarithm the gap is a Kullback-Leibler divergence",
    plus(log(Total(j, w.at(j) * r.at(j))), -Total(k, w * log(r))),
    equals(
        Total(k, w * log(Total(j, w.at(j) * r.at(j)) / r)),
        prose("{one} takes the constant inside the sum", one=holds(Total(k, w), "=", 1)),
    ),
    equals(
        Total(k, w * log(w / tilted)),
        prose("the definition of the tilted weights: {ratio}", ratio=holds(tilted / w, "=", r / Total(j, w.at(j) * r.at(j)))),
        wrong={"averaged under the tilted weights": Total(k, tilted * log(w / tilted))},
    ),
    equals(Divergence(w, tilted), "the definition of the divergence"),
    at_least(
        0,
        prose("Gibbs' inequality; equality if and only if {equal} for every $k$", equal=where(r, r.at(0))),
        dropping=gibbs.at(w, tilted),
    ),
    so=r"With the exponential taken on both sides, the arithmetic mean $\sum_k w_k r_k$ is at least the geometric mean $\prod_k "
    "r_k^{w_k}$.",
)
derivation.bridge(
    "The code computes the gap of the logarithm",
    Divergence(w, tilted),
    log_jensen_gap,
    log_x=[log(r)],
    log_weights=[log(w)],
    wrong={"the sign": -Divergence(w, tilted)},
)
q = derivation.law("q({})", k, "a distribution over a latent state $k$, in place of the weights", "exp(log_q)")
joint = derivation.numbers("p(y,{})", k, "the probability of an observation $y$ together with the state", positive=True)
posterior = derivation.define("p({}|y)", joint / Total(j, joint.at(j)), "the posterior of the state", over=k, law=True)
derivation.chain(
    "With importance weights for values it is what the evidence lower bound leaves out",
    plus(log(Expectation(q, joint / q)), -Expectation(q, log(joint / q))),
    equals(
        Divergence(q, posterior),
        prose(
            "the last theorem; the tilted weights are the posterior, {it}",
            it=holds(q * (joint / q) / Total(j, joint.at(j)), "=", posterior),
        ),
    ),
    at_least(0, "Gibbs' inequality", dropping=gibbs.at(q, posterior)),
    uses=(log_gap,),
    so="The mean of the importance weights $p(y,k)/q(k)$ is the evidence $p(y)$, and the second term of the first line is the "
    "evidence lower bound; the lecture on latent variables starts here.",
)
delta = derivation.number(r"\delta", "the size of the noise", positive=True)
noisy = plus(log(1 + delta * mu), -Expectation(w, log(1 + delta * x)))
derivation.chain(
    "Small noise costs half its variance",
    Subs(Slope(noisy, delta, 2), delta, 0),
    equals(
        Subs(plus(Expectation(w, (x / (1 + delta * x)) ** 2), -((mu / (1 + delta * mu)) ** 2)), delta, 0),
        r"the second derivative of $\log(1 + \delta x_k)$ is $-x_k^2 / (1 + \delta x_k)^2$",
    ),
    equals(Variance(w, x), r"without noise both denominators are 1: the mean of the square minus the square of the mean"),
    so=prose(
        r"Without noise the gap itself is zero, and so is its slope, {slope}. By Taylor's theorem the gap is $\frac12 \delta^2$ "
        r"times the variance, up to terms of order $\delta^3$: to this order the logarithm of a noisy estimate is too small by "
        "half its relative variance.",
        slope=holds(Subs(Slope(noisy, delta), delta, 0), "=", 0),
    ),
    role="remark",
)

derivation.say(
    "The logarithm of a sample mean is too small on average. More samples make the mean less noisy. That the bias then shrinks "
    "at every step, and not only in the end, is Jensen's inequality once more."
)
y = derivation.numbers(r"\ell", i := derivation.index("i", "a sample"), "logarithms of samples")
n = derivation.count(i, "n", "the number of samples")
SUPPORT, PROBABILITIES = np.array([0.1, 0.4, 1.0, 1.7, 3.0, 8.0]), np.array([0.25, 0.2, 0.2, 0.15, 0.15, 0.05])


def _expected_log_mean(count, support=SUPPORT, probabilities=PROBABILITIES):
    """E log of the mean of `count` draws, over every tuple."""
    indices = np.array(list(itertools.product(range(len(support)), repeat=count)))
    return probabilities[indices].prod(axis=1) @ log_mean_exp(jnp.log(support)[indices])


derivation.symbol("X_i", "independent draws of one positive variable $X$")


@derivation.bound(
    r"\mathbb{E} \log \frac{1}{n} \sum_{i=1}^{n} X_i \le \mathbb{E} \log \frac{1}{n+1} \sum_{i=1}^{n+1} X_i \le \log \mathbb{E} "
    "X",
    because="The lemma, for any $n$; the right side is Jensen's inequality for the mean itself. Every tuple of up to four draws "
    "from a distribution on six values is enumerated. It is tight if $X$ is constant: more samples then change nothing.",
    uses=(leave_one_out, two_samples),
    role="remark",
)
def more_samples_tighten():
    def sides(support):
        bounds = jnp.stack([_expected_log_mean(count, support) for count in (1, 2, 3, 4)])
        return bounds, jnp.append(bounds[1:], math.log(PROBABILITIES @ support))

    wrong = {
        "the logarithm of the sum": lambda s: (sides(s)[0] + jnp.log(jnp.arange(1.0, 5)), sides(s)[1]),
        "fewer samples are better": lambda s: sides(s)[::-1],
    }
    return BoundSides(sides=sides, points=(SUPPORT,), tight=(np.full(6, 2.5),), wrong=wrong)


derivation.bridge(
    "The code computes the logarithm of a mean from logarithms",
    log(Total(i, exp(y)) / n),
    log_mean_exp,
    x=[y],
    wrong={"the mean of the logarithms": Total(i, y) / n},
)

_given = {w: (0.5, 0.5), x: (1, 4), r: (1, 4)}
_one_and_four = np.array([1.0, 4.0]), np.array([0.5, 0.5])


@derivation.example("A variable that is 1 or 4 with probability one half each; its mean is 2.5.")
def one_or_four():
    yield mu, value(mu, _given), "2.5"
    yield Variance(w, x), value(Variance(w, x), _given), "2.25"
    yield tilted, value(tilted, _given), "(0.2, 0.8)"
    yield Divergence(w, tilted), value(Divergence(w, tilted), _given), "0.2231"
    yield r"\log 2.5 - \frac12 \log 4", math.log(2.5) - math.log(4) / 2, "0.2231"
    pair, fair = jnp.array([[1.0, 4.0]]), jnp.log(jnp.full((1, 2), 0.5))
    bounds = jensen_gap_bounds(pair, fair, curvature_lower=1 / 16, curvature_upper=1.0)  # -log has f'' = 1/x^2
    yield r"\frac12 \cdot \frac{1}{16} \cdot 2.25,\ \frac12 \cdot 1 \cdot 2.25", jnp.stack(bounds), "(0.0703, 1.125)"
    several = [_expected_log_mean(count, *_one_and_four) for count in (1, 2, 3, 4)]
    yield r"\mathbb{E} \log \frac{1}{n} \sum_i X_i", several, "0.6931, 0.8047, 0.8452, 0.8648"


@derivation.figure(
    "Left: $e^x$ and its tangent at the mean 1 of a variable that is -0.5, 1 or 2.5 with equal probability. The bars are the "
    r"heights $B_f(x_k, \mu)$; their mean is Jensen's gap, the distance of the mean of $f$ (dot) from the graph. Right: the "
    r"expected logarithm of the mean of $n$ draws from the example rises to $\log 2.5$.",
    panels=2,
)
def heights_and_samples(left, right):
    draw_heights(left, bregman_divergence)
    counts = range(1, 9)
    right.plot(counts, [_expected_log_mean(count, *_one_and_four) for count in counts], "o-", label="expected log of the mean")
    right.axhline(math.log(2.5), linestyle="--", color="gray", label="log of the expected value")
    right.set(xlabel="$n$ samples", ylabel="nats")
    right.legend()
