"""Score matching: a model is fitted through the slope of its log-density.

The lecture on the functions of theory_jax/energy/score_matching.py.
"""

import functools
import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Rational, exp, log, oo

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.energy.score_matching import (
    denoising_loss,
    explicit_loss,
    fisher_divergence,
    gaussian_score,
    sliced_loss,
    variance_reduced_sliced_loss,
)
from theory_jax.lectures.flows.hutchinson_trace import trace

derivation = Derivation(
    module=__name__,
    title="Score matching: a model is fitted through the slope of its log-density",
    lectures=(),
    sources=(
        "Hyvärinen 2005, Estimation of non-normalized statistical models by score matching",
        "Vincent 2011, A connection between score matching and denoising autoencoders",
        "Song, Garg, Shi & Ermon 2019, Sliced score matching: a scalable approach to density and score estimation",
        "Song & Kingma 2021, How to train your energy-based models, section 3",
    ),
    question="The slope of a model's log-density does not contain its normalizer, so a model could be fitted by comparing "
    "slopes. But the slope of the data's own log-density is not known. How can one compare with it?",
    setting=(
        r"The data have a positive density $p$ with continuous slopes. Its score is $s_p = \nabla \log p$, a vector at every "
        r"point.",
        r"The model is a vector field $s$ with continuous slopes, the score of the model's density. For an energy, $s = -\nabla "
        r"E$: the normalizer is a constant of $\log p$ and has no slope.",
        r"The means $\mathbb{E}_p \|s\|^2$, $\mathbb{E}_p \|s_p\|^2$ and $\mathbb{E}_p |\mathrm{div}\, s|$ are finite, and $p\, "
        r"s$ vanishes far out, so fast that the integral of its divergence is 0.",
        "The central chain writes out two dimensions.",
    ),
    answer=r"Integration by parts moves the slope from $p$ to the model. Up to a constant of the data, half the mean squared "
    r"distance of both scores is the mean of $\frac12 \|s\|^2 + \mathrm{div}\, s$, for which samples are enough. Random "
    r"directions estimate the divergence. Noise on the data makes it unnecessary: then the regression target is known, and the "
    r"score that is learned is that of the noisy data.",
    limits=(
        "How close the fit to finitely many data is to that of the law that they come from.",
        "Far from all data the losses see nothing. Between two modes that are far apart, the score does not tell their weights.",
    ),
)

half = Rational(1, 2)
x_1 = derivation.number("x_1", "the first coordinate of a point")
x_2 = derivation.number("x_2", "the second coordinate")
_p = derivation.function("p", "the density of the data", arguments=2)(x_1, x_2)
_s1 = derivation.function("s_1", "the first entry of the model's score", "score_fn", arguments=2)(x_1, x_2)
_s2 = derivation.function("s_2", "the second entry of the model's score", "score_fn", arguments=2)(x_1, x_2)
_squares = plus(_s1**2, _s2**2)
_own = plus(Slope(log(_p), x_1) ** 2, Slope(log(_p), x_2) ** 2)
_divergence = plus(Slope(_s1, x_1), Slope(_s2, x_2))
_moved = plus(Slope(times(_p, _s1), x_1), Slope(times(_p, _s2), x_2))
central = derivation.chain(
    "The unknown score drops out",
    times(half, _p, plus(plus(_s1, -Slope(log(_p), x_1)) ** 2, plus(_s2, -Slope(log(_p), x_2)) ** 2)),
    equals(
        plus(times(half, _p, _squares), -plus(times(_s1, Slope(_p, x_1)), times(_s2, Slope(_p, x_2))), times(half, _p, _own)),
        r"expand the squares, at one point; $p\, \partial \log p = \partial p$: the density cancels in the terms of both scores",
        wrong={"those terms forgotten": times(half, _p, plus(_squares, _own))},
    ),
    equals(
        plus(times(_p, plus(times(half, _squares), _divergence)), -_moved, times(half, _p, _own)),
        r"the product rule, $s_1\, \partial p = \partial (p\, s_1) - p\, \partial s_1$, and the same for $s_2$",
    ),
    central=True,
    so=r"Integrate over the plane. The middle term is a divergence and gives 0. The last one does not contain the model. The "
    r"first is the mean of the explicit loss $\ell = \frac12 \|s\|^2 + \mathrm{div}\, s$ over the data, for which samples are "
    r"enough.",
)
derivation.symbol(r"\partial", "the derivative in a coordinate")
derivation.symbol(r"\ell", r"the explicit loss $\frac12 \|s\|^2 + \mathrm{div}\, s$ at a point", "explicit_loss")
derivation.symbol("F", r"the Fisher divergence $\frac12 \mathbb{E}_p \|s - s_p\|^2$", "fisher_divergence")
derivation.symbol("s_p", "the score of the data", "score_p")
x = derivation.number("x", "a point of the line")
c = derivation.number("c", "a constant score")
derivation.chain(
    "Where the density ends abruptly its edge counts",
    Integral(times(half, exp(-x), plus(c, 1) ** 2), (x, 0, oo)),
    equals(
        plus(c**2 / 2, c, half),
        r"here $p = e^{-x}$ on $x > 0$, with the score $-1$, and $s = c$; the second term is minus the integral of $(p\, s)'$",
        wrong={"without the edge": plus(c**2 / 2, half)},
    ),
    role="remark",
    so=r"The explicit loss alone, $\frac12 c^2$, is least at $c = 0$, and the true score is $-1$. The condition that $p\, s$ "
    r"vanishes at the border is needed.",
)

i = derivation.index("i", "a dimension")
j = derivation.index("j", "a dimension")
k = derivation.index("k", "a dimension")
n = derivation.index("n", "one of the data, or a value of a probe")
derivation.say(
    r"For a Gaussian model the fit is known in closed form. Its score is $-\Lambda (x - m)$ with the precision $\Lambda$, and "
    r"its divergence the constant $-\sum_i \Lambda_{ii}$."
)
share = derivation.law("w", n, "the law of the data")
data = derivation.numbers("y", (n, i), "the data", "x")
free = derivation.numbers("A", (i, j), "any matrix")
precision = derivation.define(r"\Lambda", (free + free.at(j, i)) / 2, "the model's precision", "precision", over=(i, j))
m = derivation.numbers("m", i, "the model's mean", "mean")
average = derivation.define(r"\bar y", Expectation(share, data), "the data's mean", over=i)
covariance = derivation.define(
    "C", Expectation(share, times(data - average, data.at(n, j) - average.at(j))), "the data's covariance", over=(i, j)
)
shift = derivation.define("r", plus(average, -m), "what the means differ by", over=i)
_away = Total(j, times(precision, plus(data.at(n, j), -m.at(j))))
_trace = Total(i, precision.at(i, i))


def _of_moments(inside):
    return Total(i, Total(j, Total(k, times(precision, precision.at(i, k), inside))))


gaussian_loss = derivation.chain(
    "The loss of a Gaussian model depends on two moments of the data",
    Expectation(share, plus(times(half, Total(i, _away**2)), -_trace)),
    equals(
        plus(times(half, _of_moments(plus(covariance.at(j, k), times(shift.at(j), shift.at(k))))), -_trace),
        r"multiply out; $\mathbb{E}[(y_j - m_j)(y_k - m_k)] = C_{jk} + r_j r_k$",
    ),
    states=2,
    role="lemma",
)
turned = derivation.numbers("M", (i, j), "the precision in coordinates in which the covariance is diagonal")
variance = derivation.numbers("v", j, "the variances of the data there", positive=True)
apart = derivation.numbers("b", j, "what the means differ by, there")
_excess = plus(
    times(half, Total(i, Total(j, times(variance, plus(turned, -KroneckerDelta(i, j) / variance) ** 2)))),
    times(half, Total(i, Total(j, times(turned, apart)) ** 2)),
)
derivation.say("A rotation changes neither lengths nor the divergence: take coordinates in which the covariance is diagonal.")
derivation.chain(
    "Its minimum is the fit of maximum likelihood",
    plus(
        times(half, Total(i, Total(j, times(variance, turned**2)))),
        times(half, Total(i, Total(j, times(turned, apart)) ** 2)),
        -Total(i, turned.at(i, i)),
    ),
    equals(
        plus(_excess, -times(half, Total(j, 1 / variance))),
        r"complete the square: $\frac12 v_j M_{ij}^2 - M_{ij} \delta_{ij} = \frac12 v_j (M_{ij} - \delta_{ij} / v_j)^2 - "
        r"\delta_{ij} / (2 v_j)$",
        wrong={"the constant not halved": plus(_excess, -Total(j, 1 / variance))},
    ),
    at_least(
        -times(half, Total(j, 1 / variance)),
        r"leave out squares; equality if and only if $M$ has the diagonal $1/v_j$ and no other entry, and then $b = 0$",
        dropping=_excess,
    ),
    uses=(gaussian_loss,),
    so="The mean is that of the data, and the precision the inverse of their covariance, as with maximum likelihood.",
)
derivation.symbol(r"\delta_{ij}", "1 where $i = j$, and else 0")
derivation.say(
    "The divergence of a network takes one derivative for every dimension. A random direction $v$, with $\\mathbb{E}[v v^\\top] "
    "= I$, estimates it by one: that is Hutchinson's estimator. It estimates the square, too."
)
J = derivation.numbers("J", (i, j), "the Jacobian of the model's score")
score = derivation.numbers("s", i, "an entry of the model's score at a point", "score_fn")
values = derivation.numbers("q", (n, i), "an entry of a value of the probe", "probes")
derivation.chain(
    "A probe measures a squared length",
    Expectation(share, Total(i, times(values, score)) ** 2),
    equals(
        Total(i, Total(j, times(score, score.at(j), Expectation(share, times(values, values.at(n, j)))))),
        "multiply out; the score at the point does not depend on the probe",
        wrong={"the mean before the square": Total(i, times(score, Expectation(share, values))) ** 2},
    ),
    role="lemma",
    states=2,
    so=r"Probes have $\mathbb{E}[v v^\top] = I$, so only the diagonal is left: the squared length $\|s\|^2$.",
)
derivation.chain(
    "... without bias, if its second moments are the identity",
    Total(i, Total(j, times(plus(J, times(half, score, score.at(j))), KroneckerDelta(i, j)))),
    equals(plus(Total(i, J.at(i, i)), times(half, Total(i, score**2))), "only the diagonal is left"),
    uses=(trace,),
    so=r"The divergence is estimated by $v^\top J v$ in the same way. So $v^\top J v + \frac12 (v^\top s)^2$ "
    r"is unbiased for the explicit loss; and so is $v^\top J v + \frac12 \|s\|^2$, where the second term needs no estimate.",
)
point = derivation.numbers("u", i, "a point", "x")
probe = derivation.numbers("v", i, "a probe", "probes")
linear = derivation.define("a", Total(j, times(J, point.at(j))), "the linear field $J u$", over=i)
_form = Total(i, Total(j, times(probe, J, probe.at(j))))


def _of_a_field(loss):
    """The loss of the field x -> J x."""
    return lambda jacobian, **given: loss(score_fn=lambda x: x @ jacobian.T, **given)


derivation.bridge(
    "The code's explicit loss of a linear field",
    plus(times(half, Total(i, linear**2)), Total(i, J.at(i, i))),
    _of_a_field(explicit_loss),
    jacobian=J,
    x=[point],
    calls=(explicit_loss,),
)
derivation.bridge(
    "... its sliced loss, with one probe",
    plus(_form, times(half, Total(i, times(probe, linear)) ** 2)),
    _of_a_field(sliced_loss),
    jacobian=J,
    x=[point],
    probes=[[probe]],
    calls=(sliced_loss,),
    wrong={"reduced": plus(_form, times(half, Total(i, linear**2)))},
)
derivation.bridge(
    "... and with the second term in closed form",
    plus(_form, times(half, Total(i, linear**2))),
    _of_a_field(variance_reduced_sliced_loss),
    jacobian=J,
    x=[point],
    probes=[[probe]],
    calls=(variance_reduced_sliced_loss,),
)
other = derivation.numbers("t", i, "an entry of another score", "score_q")
derivation.bridge(
    "The code's Fisher divergence",
    times(half, Total(i, plus(score, -other) ** 2)),
    fisher_divergence,
    score_p=[score],
    score_q=[other],
)
derivation.bridge(
    "... and its score of a Gaussian",
    -Total(j, times(precision, plus(point.at(j), -m.at(j)))),
    gaussian_score,
    x=[point],
    mean=m,
    precision=precision,
)


derivation.symbol(r"\mathrm{Var}_v", "the variance over a probe of independent random signs")


@derivation.exact(
    r"\mathrm{Var}_v[v^\top J v] = \sum_{i < j} \left(J_{ij} + J_{ji}\right)^2, \quad "
    r"\mathrm{Var}_v\!\left[v^\top J v + \tfrac{1}{2} (v^\top s)^2\right] = \sum_{i < j} \left(J_{ij} + J_{ji} + s_i "
    r"s_j\right)^2",
    because=r"All eight vectors of three signs, by the code's two losses. $v_i^2 = 1$, so that only the products $v_i v_j$ with "
    r"$i < j$ are random; each has variance 1, and they are uncorrelated.",
    outcomes=8,
)
def variance_of_one_probe():
    rng = np.random.default_rng(1)
    jacobian, at = rng.standard_normal((3, 3)), rng.standard_normal(3)
    signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    points = jnp.tile(at, (8, 1))
    losses = [loss(points, signs[None], lambda x: x @ jacobian.T) for loss in (variance_reduced_sliced_loss, sliced_loss)]
    upper = np.triu_indices(3, 1)
    both, products = (jacobian + jacobian.T)[upper], np.outer(jacobian @ at, jacobian @ at)[upper]
    wanted = np.array([both @ both, (both + products) @ (both + products)])
    wrong = {"variances added": np.array([both @ both, both @ both + products @ products])}
    return Sides(left=np.array([each.var() for each in losses]), right=wanted, wrong=wrong)


derivation.say(
    r"So the second form has less noise where the score is long, far from the data, but not always: where $J_{ij} + J_{ji}$ and "
    r"$s_i s_j$ have opposite signs, one may cancel the other."
)
derivation.say(
    r"The third way needs no divergence: it learns the score of noisy data $y = x + \sigma \xi$ with $\xi \sim \mathcal{N}(0, "
    r"1)$. The data are finitely many points of the line."
)
y = derivation.number("y", "a noisy value")
sigma = derivation.number(r"\sigma", "the deviation of the noise", "sigma", positive=True)
clean = derivation.numbers("x", n, "the data without noise", "x")
density = derivation.define(
    r"p_\sigma", Expectation(share, exp(LogDensity(y, clean, sigma**2))), r"the density of the noisy data at $y$", positive=True
)
given_y = derivation.define(
    "p({}|y)", share * exp(LogDensity(y, clean, sigma**2)) / density, "the law of the data, given $y$ (Bayes)", over=n, law=True
)
xi = derivation.define(r"\xi", (y - clean) / sigma, "the noise in $y$, if the data are $x_n$", "noise", over=n)
noisy_score = derivation.chain(
    "The score of the noisy data is the mean of a known one",
    Slope(log(density), y),
    equals(
        Expectation(share, Slope(exp(LogDensity(y, clean, sigma**2)), y)) / density, "the derivative of a logarithm, and of a sum"
    ),
    equals(
        -Expectation(given_y, xi) / sigma,
        r"the slope of $\log \mathcal{N}(y; x_n, \sigma^2)$ is $-(y - x_n)/\sigma^2 = -\xi_n/\sigma$; Bayes' rule",
        wrong={"over the variance": -Expectation(given_y, xi) / sigma**2, "over all data": -Expectation(share, xi) / sigma},
    ),
    states=2,
)
best = derivation.define("s^*", -Expectation(share, xi) / sigma, r"the score of the noisy data, where $w$ is the law given $y$")
s = derivation.number("s", "the model's score at $y$", "score_fn")
_denoised = times(half, Expectation(share, plus(s, xi / sigma) ** 2))
_rest = Variance(share, xi) / (2 * sigma**2)
derivation.chain(
    "Regression on the noise finds it",
    _denoised,
    equals(plus(times(half, plus(s, -best) ** 2), _rest), r"a mean square is the square of the mean and a variance"),
    at_least(_rest, r"leave out the square; equality if and only if $s = s^*$", dropping=times(half, plus(s, -best) ** 2)),
    uses=(noisy_score,),
    so=r"So the minimizer is the score of $p_\sigma$, not that of $p$. Where the model does not reach it, the excess is the "
    r"Fisher divergence from the noisy data. The integral of a divergence is not needed, nor its condition.",
)
noise = derivation.number(r"\xi", "the noise that was drawn", "noise")
start = derivation.number("x_0", "the data without noise", "x")
lam = derivation.number(r"\lambda", r"the factor of a linear model, $s(y) = -\lambda y$")
derivation.bridge(
    "The code's loss, of a linear model",
    times(half, plus(-lam * plus(start, sigma * noise), noise / sigma) ** 2),
    denoising_loss,
    x=[[start]],
    noise=[[noise]],
    score_fn=function_of(start, -lam * start),
    sigma=sigma,
    wrong={"over the variance": times(half, plus(-lam * plus(start, sigma * noise), noise / sigma**2) ** 2)},
)

derivation.say(
    r"What does it cost to let $\sigma$ go to 0, where $p_\sigma$ is $p$? Take data of the law $\mathcal{N}(0, V)$ and the best "
    "model: the score of the noisy data."
)
V = derivation.number("V", "the variance of the data", positive=True)
tau = derivation.define(r"\tau", plus(1 / sigma**2, -1 / plus(V, sigma**2)), "the variance of what is squared in the loss")


def _mean(body):
    return Expectation(Normal(start, 0, V), Expectation(Normal(noise, 0, 1), body))


_at_best = times(half, plus(-plus(start, times(sigma, noise)) / plus(V, sigma**2), noise / sigma) ** 2)
derivation.chain(
    "The loss at its optimum",
    _mean(_at_best),
    equals(
        tau / 2,
        r"data and noise are independent, with variances $V$ and 1: $\frac{V}{(V + \sigma^2)^2} + \left(\frac{1}{\sigma} - "
        r"\frac{\sigma}{V + \sigma^2}\right)^2 = \tau$",
        wrong={"the noise alone": 1 / (2 * sigma**2)},
    ),
    role="lemma",
)
derivation.chain(
    "... has a variance that explodes",
    _mean(plus(_at_best, -tau / 2) ** 2),
    equals(
        tau**2 / 2, r"what is squared is normal with variance $\tau$, and the square of a standard normal variable has variance 2"
    ),
    so=r"$\sigma^2 \tau$ goes to 1 as $\sigma$ goes to 0, so the standard deviation grows as $1/(\sqrt2\, \sigma^2)$.",
)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _of_linear_models(factors, sigma):
    """Mean explicit loss, Fisher divergence and denoising loss of -factor x under N(0, 1), by quadrature, [3, factors]."""
    x, noise = (jnp.asarray(grid.reshape(-1, 1)) for grid in np.meshgrid(_NODES, _NODES))
    chance = np.outer(_WEIGHTS, _WEIGHTS).ravel()
    fields = [functools.partial(jnp.multiply, -factor) for factor in factors]
    losses = [(explicit_loss(x, s), fisher_divergence(-x, s(x)), denoising_loss(x, noise, s, sigma=sigma)) for s in fields]
    return (np.array(losses) @ chance).T


@derivation.example(
    r"Data of the law $\mathcal{N}(0, 1)$ and the model $s = -2x$. Then a point with $s = (1, 2)$ and $J = \begin{pmatrix} -1 & "
    r"\frac12 \\ \frac12 & -2 \end{pmatrix}$, so $\ell = \frac52 - 3$: the four pairs of signs give $v^\top J v = -2$ or $-4$."
)
def by_hand():
    explicit, fisher, _ = _of_linear_models([2.0], 0.5)
    yield r"\mathbb{E}[\ell], \quad F", [explicit, fisher], "(0, 1/2)"
    yield r"\tfrac12 \mathbb{E}[s_p^2]", fisher - explicit, "1/2"
    jacobian = np.array([[-1.0, 0.5], [0.5, -2.0]])
    field = lambda x: x @ jacobian.T + np.array([1.0, 2.0])  # noqa: E731
    signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    yield r"\ell", explicit_loss(jnp.zeros((1, 2)), field), "-0.5"
    yield r"\text{sliced}", sliced_loss(jnp.zeros((4, 2)), signs[None], field), "(2.5, -3.5, -3.5, 2.5)"
    reduced = variance_reduced_sliced_loss(jnp.zeros((4, 2)), signs[None], field)
    yield r"\text{variance-reduced}", reduced, "(0.5, -1.5, -1.5, 0.5)"


@derivation.figure(
    r"Left: three losses of the model $-\lambda x$ on data of the law $\mathcal{N}(0, 1)$. The explicit loss and the Fisher "
    r"divergence, $\frac12$ above it, are least at $\lambda = 1$; the denoising loss, without its least value, at $1/(1 + "
    r"\sigma^2) = 0.8$ for $\sigma = \frac12$. Right: the standard deviation of the denoising loss at its optimum against "
    r"$\sigma$, from 4000 draws (dots), and $\tau/\sqrt2$ (line).",
    panels=2,
)
def losses_and_their_noise(losses, spread):
    factors = np.linspace(0, 2, 13)
    explicit, fisher, noisy = _of_linear_models(factors, 0.5)
    losses.plot(factors, fisher, label="Fisher divergence")
    losses.plot(factors, explicit, label="explicit")
    losses.plot(factors, noisy - 1.6, label="denoising")
    losses.vlines([0.8, 1.0], -0.5, 0.5, color="gray", linewidth=0.8)
    losses.set(xlabel=r"$\lambda$", ylabel="mean loss")
    losses.legend()
    x, e = jnp.asarray(np.random.default_rng(3).standard_normal((2, 4000, 1)))
    sigmas = np.geomspace(0.01, 1, 9)
    found = [denoising_loss(x, e, lambda y, s=s: -y / (1 + s**2), sigma=float(s)).std() for s in sigmas]
    spread.loglog(sigmas, (1 / sigmas**2 - 1 / (1 + sigmas**2)) / math.sqrt(2))
    spread.loglog(sigmas, found, "o", color="gray", markersize=4)
    spread.set(xlabel=r"$\sigma$", ylabel="standard deviation of the loss")


@derivation.exercise(
    r"Data with mean 0 and variance 1, and the model $-\lambda x$. Where is the mean explicit loss least, and what is it there?",
    r"It is $\frac12 \lambda^2 - \lambda$: least at $\lambda = 1$, the inverse variance, where it is $-\frac12$. So -0.5 is what "
    r"a training curve tends to, and a negative loss is no mistake.",
)
def least_explicit_loss():
    yield _of_linear_models([1.0], 0.5)[0], "-0.5"


@derivation.exercise(
    r"The same data and model with the denoising loss, $\sigma = \frac12$. What cannot be trained away?",
    r"The best factor is $\lambda = 1/(1 + \sigma^2) = 0.8$, and the loss there is $\frac12 \tau = \frac12 (4 - 0.8) = 1.6$. It "
    r"says nothing about the fit.",
)
def least_denoising_loss():
    yield _of_linear_models([0.8], 0.5)[2], "1.6"


@derivation.exercise(
    r"An energy is a network of linear layers and ReLUs, so its score is constant on pieces. Which constant does the explicit "
    r"loss prefer on a piece?",
    r"0. The divergence is 0 wherever it is computed, and what is left is $\frac12 \|s\|^2$, for $s = (3, 4)$ say 12.5. The "
    r"jumps between the pieces, which hold the divergence, are never seen: the setting requires continuous slopes.",
)
def piecewise_linear_energy():
    yield explicit_loss(jnp.zeros((1, 2)), lambda x: 0 * x + jnp.array([3.0, 4.0])), "12.5"
