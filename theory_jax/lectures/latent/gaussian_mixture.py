"""Gaussian mixtures: expectation-maximization climbs.

The lecture on the functions of theory_jax/latent/gaussian_mixture.py.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Product, Total, plus, times
from theory_jax.latent.gaussian_mixture import (
    component_log_density,
    expected_complete_log_likelihood,
    log_responsibilities,
    m_step,
    mixture_log_density,
    mixture_sample,
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
    question="The likelihood of a mixture has a sum inside its logarithm, so its maximum has no formula. Why does alternating "
    "between soft assignments and weighted averages never lower it, and what can go wrong?",
    setting=(
        r"A point $x$ has the density $p(x) = \sum_k g_k(x)$, where $g_k(x) = w_k\, \mathcal{N}(x; \mu_k, \Sigma_k)$ is the "
        r"joint density of the point and component $k$. The weights $w_k$ are positive and sum to one, and the covariances "
        "are positive definite.",
        "There are $N$ points $x_n$. Numbers $r_{k,n}$, positive and summing to one over $k$, say which component a point is "
        r"counted for, and to what share. A share of zero is a limit: $0 \log 0 = 0$.",
        r"The old parameters have no mark; those that are chosen next, given the shares, have a prime.",
    ),
    answer=r"For any shares, the log-likelihood is a sum $Q + H$ that has a closed maximum, plus a divergence that is zero if "
    "the shares are the posterior. The E-step makes the divergence zero, the M-step raises $Q$, and so no step lowers the "
    "likelihood. It has no largest value: a component may shrink onto one point.",
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

identity = derivation.chain(
    "For any shares the log-likelihood is an expectation, an entropy and a divergence",
    log(p),
    equals(Expectation(r, log(p)), "a constant is its own expectation"),
    equals(Expectation(r, plus(log(g), -log(posterior))), r"Bayes' rule: $p(x_n) = g_k(x_n) / p(k|x_n)$ for every $k$"),
    equals(plus(Expectation(r, log(g)), Entropy(r), Divergence(r, posterior)), r"add and subtract $\log r_{k,n}$"),
    at_least(
        plus(Expectation(r, log(g)), Entropy(r)),
        r"leave out the divergence (Gibbs); equality if and only if $r_{k,n} = p(k|x_n)$ for every $k$",
        dropping=gibbs.at(r, posterior),
    ),
    central=True,
    so=r"This is the evidence lower bound, written for a mixture. The E-step maximizes its right side over the shares, the "
    r"M-step over the parameters: coordinate ascent on one bound.",
)
derivation.chain(
    "A pair of steps raises the log-likelihood at least as much as Q",
    Total(n, plus(log(p_new), -log(p))),
    equals(
        Total(n, plus(Expectation(posterior, log(new)), -Expectation(posterior, log(g)), Divergence(posterior, posterior_new))),
        "the identity with the shares $r = p(k|x_n)$, at the new parameters and at the old: there the divergence is zero, and "
        "the entropy is the same",
    ),
    at_least(
        Total(n, plus(Expectation(posterior, log(new)), -Expectation(posterior, log(g)))),
        "leave out the divergences (Gibbs)",
        dropping=Total(n, gibbs.at(posterior, posterior_new)),
    ),
    sizes={n: 2},
    so=r"If the new parameters maximize $Q' = \sum_n \sum_k p(k|x_n) \log g'_k(x_n)$, or merely do not lower it, the last line "
    r"is not negative, and neither is the first: the likelihood never falls. It is constant only if no posterior changes.",
)

derivation.say(
    r"The M-step in closed form. With the soft counts $N_k = \sum_n r_{k,n}$, $Q$ falls into a part for the weights and one for "
    "each component, and each part has its own maximum."
)
c = derivation.numbers("N", k, "the soft count of a component", positive=True)
law = derivation.law(r"w", k, "the weights", "exp(log_weights)")
total = derivation.define(r"N_\Sigma", Total(k, c), "their sum, the number of points", positive=True)
rho = derivation.define(r"\rho", c / total, "the fraction of the points that a component has", over=k, law=True)
derivation.chain(
    "The best weights are the fractions",
    Total(k, c * log(law)),
    equals(
        -times(total, plus(Entropy(rho), Divergence(rho, law))),
        r"$N_k = N \rho_k$, and $\log w_k = \log \rho_k - \log(\rho_k / w_k)$",
    ),
    at_most(
        -times(total, Entropy(rho)),
        r"leave out the divergence (Gibbs); equality at $w = \rho$",
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
derivation.chain(
    "The best mean is the weighted mean, whatever the covariance is",
    Total(n, a * (x - mu) * (x.at(n, j) - mu.at(j))),
    equals(
        times(weight, plus(S, (x_bar - mu) * (x_bar.at(j) - mu.at(j)))),
        r"$x_n - \mu = (x_n - \bar x) + (\bar x - \mu)$; the cross terms vanish, since $\sum_n a_n (x_n - \bar x) = 0$",
        wrong={"the cross terms kept": times(weight, plus(S, (x_bar - mu) * (x_bar.at(j) - mu.at(j)), x_bar - mu))},
    ),
    role="lemma",
    sizes={n: 3},
    so=r"In $Q$ this matrix is in $-\frac12 \mathrm{tr}\, \Sigma^{-1}(\dots)$, where the second term is "
    r"$-\frac12 A\, (\bar x - \mu)^\top \Sigma^{-1} (\bar x - \mu) \le 0$: it is zero at $\mu = \bar x$. The mean of the old "
    "step in place of the new one makes the covariance too large.",
)
e = derivation.index("d", "an eigenvalue")
D = derivation.count(e, "D", "the dimension", "x.shape[1]")
t = derivation.numbers("t", e, r"the eigenvalues of $\Sigma^{-1} S$", positive=True)
det = derivation.number(r"|S|", r"the determinant of $S$", positive=True)
derivation.chain(
    "The best covariance is the weighted covariance",
    plus(log(det / Product(e, t)), Total(e, t)),
    equals(plus(log(det), Total(e, t - log(t))), "the logarithm of a product is a sum"),
    equals(plus(log(det), D, Total(e, tangent.at(t))), r"$t - \log t = 1 + (t - 1 - \log t)$"),
    at_least(
        plus(log(det), D),
        r"leave out the gaps of the logarithm; equality if all eigenvalues are 1, that is $\Sigma = S$",
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
derivation.bridge(
    "... that of the mixture",
    log(Total(k, density)),
    mixture_log_density,
    log_weights=log(law),
    **line,
    wrong={"the components' weights forgotten": log(Total(k, density / law))},
)
derivation.bridge(
    "... and the posterior of the component",
    log(share),
    log_responsibilities,
    log_weights=log(law),
    **line,
    wrong={"the components' weights forgotten": log(density / law / Total(k, density / law))},
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


def _mixture(seed=0):
    """Twelve points in two dimensions, and the weights, means and factors of three components."""
    drawn = np.random.default_rng(seed)
    factor = np.tril(drawn.normal(size=(3, 2, 2)) / 2)
    factor[:, range(2), range(2)] = drawn.uniform(0.5, 1.5, size=(3, 2))
    weights = drawn.dirichlet(np.ones(3))
    drawn = drawn.normal(size=(12, 2)) * 1.5, np.log(weights), drawn.normal(size=(3, 2)), factor
    return tuple(map(jnp.asarray, drawn))


derivation.symbol(r"\ell", "the log-likelihood of all points", "mixture_log_density(...).sum()")
derivation.symbol("Q", "the expected log-likelihood of points with their components", "expected_complete_log_likelihood")
derivation.symbol(r"\theta", "all parameters: weights, means and factors")
derivation.symbol("L", "the factor of a covariance", "scale_tril")
derivation.symbol(r"\Sigma", "a covariance")


def _slopes(total, weights, *rest):
    """The gradient of a total in the logits of the weights, the means and the factors."""
    of_logits = lambda logits, *others: total(jax.nn.log_softmax(logits), *others).sum()  # noqa: E731
    return jnp.concatenate([part.ravel() for part in jax.grad(of_logits, argnums=(0, 1, 2))(weights, *rest)])


@derivation.autodiff(
    r"\nabla \ell(\theta) = \nabla_{\theta'} Q(\theta'; p(k|x_n)), \quad \theta' = \theta",
    because=r"The divergence in the identity has its minimum there, so its gradient is zero. Both gradients, in the logarithms "
    "of the weights, the means and the factors, by automatic differentiation of the code, for three components in two "
    "dimensions. So a fixed point of EM, where $Q$ has slope zero, is a stationary point of the likelihood.",
)
def the_bound_touches_with_the_same_slope():
    points, *given = _mixture()
    fixed = log_responsibilities(points, *given)
    alike = jnp.full_like(fixed, -math.log(3))
    exact = _slopes(partial(mixture_log_density, points), *given)
    of_q = lambda shares: _slopes(partial(expected_complete_log_likelihood, points, shares), *given)  # noqa: E731
    return Sides(left=exact, right=of_q(fixed), wrong={"equal shares": of_q(alike)})


@derivation.autodiff(
    r"\nabla_{\theta'} Q(\theta'; r) = 0",
    because="At what the code's M-step returns for random shares of 12 points in two dimensions. So the closed forms above are "
    "its maximum, in the weights, the means and every entry of the factors.",
    scale=1.0,
)
def the_m_step_is_stationary():
    points, *given = _mixture(1)
    shares = log_responsibilities(points, *given)
    best = m_step(points, shares)
    slopes = partial(_slopes, partial(expected_complete_log_likelihood, points, shares))
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
    so=r"As $s \to 0$ this grows like $-D \log s$: the other components explain the other points, and this one a single point "
    "ever better. A maximum-likelihood estimate does not exist; in practice one takes a good local maximum, and adds a small "
    "multiple of the identity to every covariance.",
)
far = derivation.number(
    "d_2", "the squared distance of a point from the farther of two centers, less that from the nearer", positive=True
)
odds = derivation.number("o", r"the quotient $w_2 / w_1$ of the weights of the farther and the nearer", positive=True)
width = derivation.number("v", r"the variance that all components share: $\Sigma_k = v I$", positive=True)
derivation.chain(
    "With narrow components EM is k-means",
    Limit(1 / (1 + odds * exp(-far / (2 * width))), width, 0),
    equals(1, r"the odds of the farther center vanish"),
    role="remark",
    so=r"The share of the nearer center tends to one, whatever the weights: every point belongs to its nearest center (if there "
    r"is only one), and the M-step moves each center to the mean of its points.",
)


e_1, e_2 = (derivation.number(f"e_{at}", "standard normal noise", "noise") for at in (1, 2))
l_11, l_21, l_22 = (
    derivation.number(f"L_{{{at}}}", "an entry of the factor, $\\Sigma = L L^\\top$", "scale_tril", positive=True)
    for at in (11, 21, 22)
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

_a = math.log(3) / 2
_points, _start = np.array([[-_a], [_a]]), (np.log([0.5, 0.5]), np.array([[-1.0], [1.0]]), np.ones((2, 1, 1)))


@derivation.example(
    r"Two points at $\mp \frac12 \log 3$, and two components of weight one half at $\mp 1$ with variance 1: the odds at a point "
    r"are $e^{2a} = 3$ with $a = \frac12 \log 3$. One step of EM."
)
def one_step():
    shares = log_responsibilities(_points, *_start)
    after = m_step(_points, shares)
    likelihoods = [mixture_log_density(_points, *given).sum() for given in (_start, after)]
    q = [expected_complete_log_likelihood(_points, shares, *given).sum() for given in (_start, after)]
    yield r"p(k|x_1)", jnp.exp(shares[0]), "(0.75, 0.25)"
    yield r"\text{next means}", after[1].ravel(), "(-0.274653, 0.274653)"
    yield r"\text{next variances}", after[2].ravel() ** 2, "(0.226303, 0.226303)"
    yield r"\ell\ \text{before, after}", jnp.array(likelihoods), "(-2.851932, -1.603699)"
    yield r"Q(\theta), Q(\theta')", jnp.array(q), "(-3.976603, -2.738291)"
    yield r"H", -jnp.sum(jnp.exp(shares) * shares), "1.124670"
    yield r"\text{the gain by the divergence}", likelihoods[1] - likelihoods[0] - (q[1] - q[0]), "0.009921"


@derivation.figure(
    r"Left: the example's log-likelihood over means at $\mp u$ with variance 1, and the bound $Q + H$ with the shares of $u = "
    "1$: they touch at $u = 1$, where they have the same slope, and the top of the bound is the next step. Right: two points "
    r"with one component on the first of them: as its deviation $s$ shrinks, the log-likelihood rises by $\log 10$ a decade.",
    panels=2,
)
def a_bound_that_touches_and_a_likelihood_without_bound(left, right):
    shares = log_responsibilities(_points, *_start)
    entropy_of_shares = -jnp.sum(jnp.exp(shares) * shares)
    at = np.linspace(-0.4, 1.8, 45)

    def of(mean):
        given = _start[0], mean * _start[1], _start[2]
        return mixture_log_density(_points, *given).sum(), expected_complete_log_likelihood(_points, shares, *given).sum()

    likelihood, q = jax.vmap(of)(at)
    left.plot(at, likelihood, label=r"$\ell$")
    left.plot(at, q + entropy_of_shares, "--", label="$Q + H$")
    for place in (1.0, _a / 2):
        left.axvline(place, color="gray", linewidth=0.7, linestyle=":")
    left.set(xlabel="$u$", ylabel="nats")
    left.legend()
    scales = np.logspace(-6, 0, 13)

    def shrunk(scale):
        factor = jnp.stack([scale, 1.0])[:, None, None]
        return mixture_log_density(np.array([[0.0], [2.0]]), np.log([0.5, 0.5]), np.array([[0.0], [2.0]]), factor).sum()

    right.semilogx(scales, jax.vmap(shrunk)(scales), "o-", markersize=3)
    right.set(xlabel="$s$", ylabel=r"$\ell$, nats")


@derivation.exercise(
    "What does one M-step reach if there is one component only? Take the points 0, 2 and 4.",
    "Every share is 1: the mean 2 and the variance $8/3$, divided by the number of points. That is the maximum, in one step.",
)
def one_component():
    _, mean, factor = m_step(np.array([[0.0], [2.0], [4.0]]), np.zeros((3, 1)))
    yield mean[0, 0], "2"
    yield factor[0, 0, 0] ** 2, "8/3"


@derivation.exercise(
    "The mean of a component is one of the points, in two dimensions. By how much does the log-likelihood rise if its deviation "
    "goes from $10^{-6}$ to $10^{-12}$?",
    r"By $2 \log 10^6 = 27.63$ nats, up to the terms that have vanished.",
)
def shrinking():
    points, means = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])

    def likelihood(deviation):
        return mixture_log_density(points, np.log([0.5, 0.5]), means, np.stack([deviation * np.eye(2), np.eye(2)])).sum()

    yield likelihood(1e-12) - likelihood(1e-6), "27.63"


@derivation.exercise(
    r"In the example, what would the next variances be with the old means in place of the new?",
    r"0.7524 instead of 0.2263: $0.2263 + (1 - 0.2747)^2$, by the lemma on the best mean.",
)
def the_old_mean():
    shares = np.exp(log_responsibilities(_points, *_start))
    yield shares[:, 0] @ (_points[:, 0] + 1) ** 2, "0.7524"
    yield m_step(_points, np.log(shares))[2][0, 0, 0] ** 2, "0.2263"
