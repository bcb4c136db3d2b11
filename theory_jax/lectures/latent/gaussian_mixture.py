"""Gaussian mixtures: expectation-maximization climbs.

The lecture on the functions of theory_jax/latent/gaussian_mixture.py.
"""

import math
from functools import partial

import jax.numpy as jnp
from sympy import exp, log, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Product, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.gaussian_mixture import (
    component_log_density,
    expected_complete_log_likelihood,
    log_responsibilities,
    m_step,
    mixture_log_density,
    mixture_sample,
)
from theory_jax.lectures.latent._gaussian_mixture import (
    MOMENTS,
    POINTS,
    START,
    climb_to_two_clusters,
    draw_bound_and_spike,
    random_mixture,
    slopes_in_all,
)
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Gaussian mixtures: expectation-maximization climbs",
    lectures=(16,),
    sources=(
        "Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm",
        "Neal & Hinton 1998, A view of the EM algorithm that justifies incremental, sparse, and other variants",
        "Bishop 2006, Pattern Recognition and Machine Learning, 9.2 to 9.4",
    ),
    question="One Gaussian between two clusters fits neither. A mixture of them does, but its likelihood has a sum inside the "
    "logarithm, so its maximum has no formula, and gradient steps need a step size. Why does alternating "
    "between soft assignments and weighted averages never lower it, and what can go wrong?",
    setting=(
        r"A point $x$ has the density $\sum_k g_k(x)$, where $g_k(x)$, the joint density of the point and component $k$, is "
        r"$w_k\, \mathcal{N}(x; \mu_k, \Sigma_k)$. The weights $w_k$ are positive and sum to one, and the covariances "
        "are positive definite.",
        "There are $N$ points $x_n$. Numbers $r_{k,n}$, positive and summing to one over $k$, say which component a point is "
        r"counted for, and to what share. A share of zero is a limit, in which $r \log r$ is 0.",
        r"The old parameters have no mark; those that are chosen next, given the shares, have a prime.",
    ),
    limits=(
        "How fast the steps converge, and to which of the local maxima.",
        "That the maximum near the truth is consistent as the number of points grows.",
        "The number of components, which the likelihood of held-out points decides.",
    ),
)

k = derivation.index("k", "a component")
n = derivation.index("n", "a point")
N = derivation.count(n, "N", "the number of points", "len(x)")
g = derivation.numbers("g_{}(x_{})", (k, n), "the joint density of a point and a component", positive=True)
new = derivation.numbers("g'_{}(x_{})", (k, n), "the same with the next parameters", positive=True)
p = derivation.define("p(x_{})", Total(k, g), "the density of the mixture", "exp(mixture_log_density)", over=n, positive=True)
p_new = derivation.define("p'(x_{})", Total(k, new), "the same with the next parameters", over=n, positive=True)
posterior = derivation.define(
    "p({}|x_{})", g / p, "the posterior of the component", "exp(log_responsibilities)", over=(k, n), law=True
)
posterior_new = derivation.define("p'({}|x_{})", new / p_new, "the same with the next parameters", over=(k, n), law=True)
r = derivation.law("r", (k, n), "any shares", "exp(log_responsibilities)")

derivation.answer = prose(
    "For any shares, the log-likelihood of a point is an expectation, an entropy and a divergence that is zero if the shares are "
    "the posterior: {identity}. The E-step makes the divergence zero, the M-step raises the expectation, summed over the points, "
    "to a maximum in closed form, and so no step lowers the likelihood. With two components or more it has no largest value: one "
    "may shrink onto a single point.",
    identity=holds(log(p), "=", plus(Expectation(r, log(g)), Entropy(r), Divergence(r, posterior))),
)
identity = derivation.chain(
    "For any shares the log-likelihood is an expectation, an entropy and a divergence",
    log(p),
    equals(Expectation(r, log(p)), "a constant is its own expectation"),
    equals(
        Expectation(r, plus(log(g), -log(posterior))),
        prose("Bayes' rule: {bayes} for every $k$", bayes=holds(p, "=", g / posterior)),
    ),
    equals(plus(Expectation(r, log(g)), Entropy(r), Divergence(r, posterior)), r"add and subtract $\log r_{k,n}$"),
    at_least(
        plus(Expectation(r, log(g)), Entropy(r)),
        prose("leave out the divergence (Gibbs); equality if and only if {same} for every $k$", same=where(r, posterior)),
        dropping=gibbs.at(r, posterior),
    ),
    central=True,
    so=r"This is the evidence lower bound, written for a mixture. The E-step maximizes its right side over the shares, the "
    r"M-step over the parameters: coordinate ascent on one bound.",
)
climbs = derivation.chain(
    "A pair of steps raises the log-likelihood at least as much as Q",
    Total(n, plus(log(p_new), -log(p))),
    equals(
        Total(n, plus(Expectation(posterior, log(new)), -Expectation(posterior, log(g)), Divergence(posterior, posterior_new))),
        "the identity with the old posterior as the shares, at the new parameters and at the old: there the divergence is zero, "
        "and the entropy is the same",
    ),
    at_least(
        Total(n, plus(Expectation(posterior, log(new)), -Expectation(posterior, log(g)))),
        "leave out the divergences (Gibbs)",
        dropping=Total(n, gibbs.at(posterior, posterior_new)),
    ),
    sizes={n: 2},
    so=r"If the new parameters maximize the first term, $\sum_n \sum_k p(k|x_n) \log g'_k(x_n)$, or merely do not lower it, the "
    r"last line is not negative, and neither is the first: the likelihood never falls. Then it stays only if no posterior "
    r"changes.",
)

derivation.say(
    r"The M-step in closed form. With the soft counts $N_k$, the sums of the shares $r_{k,n}$ over the points, $Q$ falls into a "
    "part for the weights and one for each component, and each part has its own maximum."
)
c = derivation.numbers("N", k, "the soft count of a component", positive=True)
law = derivation.law("w", k, "the weights", "exp(log_weights)")
total = derivation.define(r"N_\Sigma", Total(k, c), "their sum, the number of points", positive=True)
rho = derivation.define(r"\rho", c / total, "the fraction of the points that a component has", over=k, law=True)
derivation.chain(
    "The best weights are the fractions",
    Total(k, c * log(law)),
    equals(
        -times(total, plus(Entropy(rho), Divergence(rho, law))),
        prose(
            "{count}, and {split}",
            count=holds(c, "=", times(total, rho)),
            split=holds(log(law), "=", plus(log(rho), -log(rho / law))),
        ),
    ),
    at_most(
        -times(total, Entropy(rho)),
        prose("leave out the divergence (Gibbs); equality at {best} for every $k$", best=where(law, rho)),
        adding=total * gibbs.at(rho, law),
    ),
    role="lemma",
)
i = derivation.index("i", "a coordinate", states=2)
j = derivation.index("j", "a coordinate, next to $i$", states=2)
x = derivation.numbers("x", (n, i), "the coordinates of a point")
a = derivation.numbers("a", n, "the share of one component in a point", positive=True)
mu = derivation.numbers(r"\mu", i, "the component's mean")
weight = derivation.define("A", Total(n, a), "its soft count", positive=True)
x_bar = derivation.define(r"\bar x", Total(n, a * x) / weight, "the weighted mean of the points", over=i)
S = derivation.define(
    "S", Total(n, a * (x - x_bar) * (x.at(n, j) - x_bar.at(j))) / weight, "the weighted covariance", over=(i, j)
)
spread = Total(n, a * (x - mu) * (x.at(n, j) - mu.at(j)))
best_mean = derivation.chain(
    "The best mean is the weighted mean, whatever the covariance is",
    spread,
    equals(
        times(weight, plus(S, (x_bar - mu) * (x_bar.at(j) - mu.at(j)))),
        prose(
            "add and subtract the weighted mean; the cross terms vanish, since {none}",
            none=holds(Total(n, a * (x - x_bar)), "=", 0),
        ),
        wrong={"the cross terms kept": times(weight, plus(S, (x_bar - mu) * (x_bar.at(j) - mu.at(j)), x_bar - mu))},
    ),
    role="lemma",
    sizes={n: 3},
    so=prose(
        r"In $Q$ this matrix is in $-\frac12 \mathrm{tr}\, \Sigma^{-1}(\dots)$, where the second term is "
        r"$-\frac12 A\, (\bar x - \mu)^\top \Sigma^{-1} (\bar x - \mu)$, never positive. It is zero at {mean}, where {left} is "
        "left. The mean of the old step in place of the new one makes the covariance too large.",
        mean=where(mu, x_bar),
        left=holds(spread, "=", times(weight, S), named=True),
    ),
)
e = derivation.index("d", "an eigenvalue")
D = derivation.count(e, "D", "the dimension", "x.shape[1]")
t = derivation.numbers("t", e, r"the eigenvalues of $\Sigma^{-1} S$", positive=True)
det = derivation.number(r"|S|", r"the determinant of $S$", positive=True)
derivation.chain(
    "The best covariance is the weighted covariance",
    plus(log(det / Product(e, t)), Total(e, t)),
    equals(plus(log(det), Total(e, t - log(t))), "the logarithm of a product is a sum"),
    equals(plus(log(det), D, Total(e, tangent.at(t))), "every term is 1 plus the gap of the logarithm"),
    at_least(
        plus(log(det), D),
        prose(r"leave out the gaps; equality at {ones} for every $d$: $\Sigma$ is $S$", ones=where(t, 1)),
        dropping=Total(e, tangent.at(t)),
    ),
    role="lemma",
    so=r"The first line is $\log \det \Sigma + \mathrm{tr}\, \Sigma^{-1} S$, since a determinant is the product of the "
    r"eigenvalues and a trace their sum: $-2/A$ times what is left of $Q$.",
)

derivation.say(r"The functions of this page, in one dimension: there the factor of a covariance is a standard deviation.")
y = derivation.number("x", "a point on the line", "x")
m = derivation.numbers("m", k, "the means on the line", "means")
s = derivation.numbers("s", k, "the standard deviations", "scale_tril", positive=True)
half_square = (y - m) ** 2 / (2 * s**2)
density = derivation.define(
    "g_{}(x)", law * exp(-half_square) / (sqrt(2 * pi) * s), "the joint density on the line", over=k, positive=True
)
share = derivation.define("p({}|x)", density / Total(k, density), "the posterior on the line", over=k, law=True)
line = {"x": [[y]], "means": [[m.at(c)] for c in range(4)], "scale_tril": [[[s.at(c)]] for c in range(4)]}
derivation.bridge(
    "The code computes the density of every component",
    -plus(half_square, log(s), log(2 * pi) / 2),
    component_log_density,
    **line,
    wrong={
        "the determinant forgotten": -plus(half_square, log(2 * pi) / 2),
        "the factor read as a variance": -plus((y - m) ** 2 / (2 * s), log(s) / 2, log(2 * pi) / 2),
    },
)
whole, plain = Total(k, density), density / law
weighted, alike = {"log_weights": log(law), **line}, {"no weights": log(Total(k, plain))}
derivation.bridge("... that of the mixture", log(whole), mixture_log_density, **weighted, wrong=alike)
derivation.bridge(
    "... and the posterior", log(share), log_responsibilities, **weighted, wrong={"no weights": log(plain / Total(k, plain))}
)
z = derivation.numbers("x", n, "points on the line", "x")
soft = Total(n, r)
center = Total(n, r * z) / soft
deviation = sqrt(Total(n, r * (z - center) ** 2) / soft)
derivation.bridge(
    "The M-step computes the weights, the means and the deviations",
    (log(soft / N), center, deviation),
    m_step,
    x=[[z.at(point)] for point in range(4)],
    log_responsibilities=[log(r.at(k, point)) for point in range(4)],
    wrong={
        "the means divided by the number of points": (log(soft / N), Total(n, r * z) / N, deviation),
        "the variance in place of the deviation": (log(soft / N), center, deviation**2),
    },
)
u = derivation.law("u", k, "shares of one point", "exp(log_responsibilities)")
derivation.bridge(
    "... and Q is the expected log-likelihood of points with their components",
    Expectation(u, log(density)),
    expected_complete_log_likelihood,
    log_responsibilities=[log(u)],
    log_weights=log(law),
    **line,
    wrong={"the log-likelihood of the point": log(Total(k, density))},
)


derivation.symbol(r"\ell", "the log-likelihood of all points", "mixture_log_density(...).sum()")
derivation.symbol("Q", "the expected log-likelihood of points with their components", "expected_complete_log_likelihood")
derivation.symbol(r"\theta", "all parameters: weights, means and factors")
derivation.symbol("L", "the factor of a covariance", "scale_tril")
derivation.symbol(r"\Sigma", "a covariance")


@derivation.autodiff(
    r"\nabla \ell(\theta) = \nabla_{\theta'} Q(\theta'; p(k|x_n)), \quad \theta' = \theta",
    because=r"The divergence in the identity has its minimum there, so its gradient is zero. Both gradients, in the logarithms "
    "of the weights, the means and the factors, by automatic differentiation of the code, for three components in two "
    "dimensions. So a fixed point of EM, where $Q$ has slope zero, is a stationary point of the likelihood.",
    role="remark",
)
def the_bound_touches_with_the_same_slope():
    points, *given = random_mixture()
    fixed = log_responsibilities(points, *given)
    alike = jnp.full_like(fixed, -math.log(3))
    exact = slopes_in_all(partial(mixture_log_density, points), *given)
    of_q = lambda shares: slopes_in_all(partial(expected_complete_log_likelihood, points, shares), *given)  # noqa: E731
    return Sides(left=exact, right=of_q(fixed), wrong={"equal shares": of_q(alike)})


@derivation.autodiff(
    r"\nabla_{\theta'} Q(\theta'; r) = 0",
    because="At what the code's M-step returns for random shares of 12 points in two dimensions. So the closed forms above are "
    "its maximum, in the weights, the means and every entry of the factors.",
    scale=1.0,
    role="lemma",
)
def the_m_step_is_stationary():
    points, *given = random_mixture(1)
    shares = log_responsibilities(points, *given)
    best = m_step(points, shares)
    slopes = partial(slopes_in_all, partial(expected_complete_log_likelihood, points, shares))
    wrong = {"the old means": slopes(best[0], given[1], best[2]), "N - 1": slopes(*best[:2], 1.05 * best[2])}
    return Sides(left=slopes(*best), right=jnp.zeros(3 + 6 + 12), wrong=wrong)


derivation.say(
    "What can go wrong. The likelihood has many local maxima; components can be permuted without changing it; and it has no "
    "largest value, as soon as there are two components."
)
scale = derivation.number("s", "the standard deviation of a component with its mean at the first point", positive=True)
size = derivation.number("D", "the dimension", positive=True)
at_own = derivation.number("A", r"$w_1 (2\pi)^{-D/2}$: its density at this point, times $s^D$", positive=True)
rest_here = derivation.number("B", "what the other components contribute at the first point", positive=True)
rest_there = derivation.number("E", "... at a second point", positive=True)
own_there = derivation.number("C", "what the component contributes at the second point", positive=True)
unbounded = plus(log(plus(at_own / scale**size, rest_here)), log(plus(own_there, rest_there)))
derivation.chain(
    "A component that shrinks onto one point raises the likelihood without limit",
    unbounded,
    equals(
        plus(
            log(at_own),
            -times(size, log(scale)),
            log(rest_there),
            log(1 + rest_here * scale**size / at_own),
            log(1 + own_there / rest_there),
        ),
        "take the larger term out of each sum",
    ),
    at_least(
        plus(log(at_own), -times(size, log(scale)), log(rest_there)),
        "leave out two logarithms of numbers above 1",
        dropping=plus(log(1 + rest_here * scale**size / at_own), log(1 + own_there / rest_there)),
    ),
    so=r"As $s$ falls to 0 this grows like $-D \log s$: the other components explain the other points, and this one a single "
    "point ever better. A maximum-likelihood estimate does not exist; in practice one takes a good local maximum, and adds a "
    "small multiple of the identity to every covariance.",
)
far = derivation.number(
    "d_2", "the squared distance of a point from the farther of two centers, less that from the nearer", positive=True
)
odds = derivation.number("o", r"the quotient $w_2 / w_1$ of the weights of the farther and the nearer", positive=True)
width = derivation.number("v", "the variance that all components share, in every direction", positive=True)
derivation.chain(
    "With narrow components EM is k-means",
    Limit(1 / (1 + odds * exp(-far / (2 * width))), width, 0),
    equals(1, "the odds of the farther center vanish"),
    role="remark",
    so=r"The share of the nearer center tends to one, whatever the weights: every point belongs to its nearest center (if there "
    r"is only one), and the M-step moves each center to the mean of its points.",
)


e_1, e_2 = (derivation.number(f"e_{at}", "standard normal noise", "noise") for at in (1, 2))
l_11, l_21, l_22 = (
    derivation.number(f"L_{{{at}}}", "an entry of the factor of a covariance", "scale_tril", positive=True) for at in (11, 21, 22)
)
derivation.bridge(
    "The code draws $\\mu_k + L_k e$ from the component that a uniform number chooses: 0.3 the second, at weights 1/4, 3/4",
    [plus(mu.at(0), l_11 * e_1), plus(mu.at(1), l_21 * e_1, l_22 * e_2)],
    mixture_sample,
    uniforms=jnp.array([0.3]),
    noise=[[e_1, e_2]],
    log_weights=jnp.log(jnp.array([0.25, 0.75])),
    means=[[0, 0], [mu.at(0), mu.at(1)]],
    scale_tril=[[[1, 0], [0, 1]], [[l_11, 0], [l_21, l_22]]],
    wrong={
        "the factor transposed": [plus(mu.at(0), l_11 * e_1, l_21 * e_2), plus(mu.at(1), l_22 * e_2)],
        "the first component": [e_1, e_2],
    },
)


@derivation.algorithm(
    "Expectation-maximization, here on the example",
    do("repeat, from weights, means and covariances:"),
    do(r"E: $r_{k,n} \leftarrow p(k|x_n)$ for every component and point", log_responsibilities, by=identity, indent=1),
    do(r"M: $w_k \leftarrow N_k / N$, $\mu_k \leftarrow \bar x_k$, $\Sigma_k \leftarrow S_k$", m_step, by=best_mean, indent=1),
    do(r"until $\ell$, which no step lowers, rises no more", mixture_log_density, by=climbs),
)
def two_steps():
    given = START
    for step, means, variances, reached in ((1, "0.2747", "0.2263", "-1.603699"), (2, "0.3201", "0.1993", "-1.558581")):
        given = m_step(POINTS, log_responsibilities(POINTS, *given))
        yield rf"\mu_2, \Sigma_2 \text{{ after step {step}}}", [given[1][1, 0], given[2][1, 0, 0] ** 2], f"{means}, {variances}"
        yield r"\ell", mixture_log_density(POINTS, *given).sum(), reached


@derivation.example(
    r"Two points at $\mp \frac12 \log 3$, and two components of weight one half at $\mp 1$ with variance 1: the odds of the "
    "nearer component are 3 at each point. One step of EM."
)
def one_step():
    shares = log_responsibilities(POINTS, *START)
    after = m_step(POINTS, shares)
    likelihoods = [mixture_log_density(POINTS, *given).sum() for given in (START, after)]
    q = [expected_complete_log_likelihood(POINTS, shares, *given).sum() for given in (START, after)]
    yield r"p(k|x_1)", jnp.exp(shares[0]), "(0.75, 0.25)"
    yield r"\text{next means}", after[1].ravel(), "(-0.274653, 0.274653)"
    yield r"\text{next variances}", after[2].ravel() ** 2, "(0.226303, 0.226303)"
    yield r"\ell\ \text{before, after}", jnp.array(likelihoods), "(-2.851932, -1.603699)"
    yield r"Q(\theta), Q(\theta')", jnp.array(q), "(-3.976603, -2.738291)"
    yield r"H", -jnp.sum(jnp.exp(shares) * shares), "1.124670"
    yield r"\text{the gain by the divergence}", likelihoods[1] - likelihoods[0] - (q[1] - q[0]), "0.009921"


derivation.figure(
    "80 points in two clusters, and a mixture of two Gaussians that begins across them. Left: each point has the colors of both "
    "components to its shares; the ellipses are two deviations wide. Right: the log-likelihood, which no step lowers; dashed, "
    "the largest one of a single Gaussian. After one step it hardly rises for a while, as both components share both clusters; "
    "in the end each has one.",
    panels=2,
    frames=["start", *(f"step {moment}" for moment in MOMENTS[1:])],
)(climb_to_two_clusters)
derivation.figure(
    r"Left: the example's log-likelihood over means at $\mp u$ with variance 1, and the bound $Q + H$ with the posterior at $u$ "
    "of 1 as shares: they touch there, with the same slope, and the top of the bound is the next mean. Right: two points with "
    r"one component on the first of them: as its deviation $s$ shrinks, the log-likelihood rises by $\log 10$ a decade.",
    panels=2,
)(draw_bound_and_spike)
