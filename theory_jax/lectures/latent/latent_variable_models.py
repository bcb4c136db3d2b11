"""Latent variables: a likelihood that needs the posterior.

The lecture on the functions of theory_jax/latent/latent_variable_models.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import exp, log, pi

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Limit, LogDensity, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.latent.latent_variable_models import (
    discrete_log_marginal,
    discrete_log_posterior,
    linear_gaussian_log_marginal,
    linear_gaussian_maximum_likelihood_covariance,
    linear_gaussian_posterior,
    monte_carlo_log_marginal,
)
from theory_jax.lectures.lemmas.jensen import jensen
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Latent variables: a likelihood that needs the posterior",
    lectures=(15,),
    sources=(
        "Tipping & Bishop 1999, Probabilistic principal component analysis",
        "Bishop 2006, Pattern Recognition and Machine Learning, 9.2 and 12.2",
        "Chib 1995, Marginal likelihood from the Gibbs output (the likelihood at any one state)",
    ),
    question="A model explains an observation by a cause that is never seen. What is the likelihood of such a model, why does "
    "learning it need the law of the cause given the observation, and when can all of it be written down?",
    setting=(
        "An observation $x$ is fixed. A latent variable $z$ has finitely many states with prior probabilities $p(z)$, and "
        "gives $x$ the likelihood $p(x|z)$. All are positive in the chains; a state of probability zero is left out of every "
        r"sum. The parameters of the model are collected in $\theta$.",
        r"The linear-Gaussian model: $z$ is a standard Gaussian vector, and $x$ given $z$ is Gaussian with the mean $Wz + \mu$ "
        r"and the covariance $s I$, $s > 0$. With $y = x - \mu$, the mean can be left out of the formulas.",
    ),
    answer=r"The likelihood is a sum over the states of $z$, and its gradient is the posterior mean of the gradient of "
    r"$\log p(x, z)$. In the linear-Gaussian model the sum is an integral that can be done: $x$ is Gaussian with the covariance "
    r"$W W^\top + s I$, the posterior is Gaussian, too, and the best $W$ holds the leading principal components.",
    limits=(
        "A decoder that is not linear: the posterior then has no closed form. That is what the evidence lower bound is for.",
        "That in more than two dimensions the best covariance shares its eigenvectors with the data's: von Neumann's trace "
        "inequality, stated only.",
        "How many latent dimensions to take, which held-out likelihood decides.",
    ),
    trained="The exact likelihoods of this page exist for models too small to need training. `latent/gaussian_mixture` "
    "trains the first that does, `latent/vae` the first whose likelihood is only bounded.",
)

z = derivation.index("z", "a state of the latent variable")
other = derivation.index("x'", "a value that the observation may take")
prior = derivation.law("p({})", z, "the prior", "exp(log_prior)")
emission = derivation.law("p({}|{})", (other, z), "the likelihood of every value")
likelihood = derivation.numbers("p(x|{})", z, "the likelihood of the observation", "exp(log_likelihood)", positive=True)
joint = derivation.define("p(x,{})", prior * likelihood, "the joint probability", over=z, positive=True)
evidence = derivation.define("p(x)", Total(z, joint), "the marginal likelihood", positive=True)
posterior = derivation.define("p({}|x)", joint / evidence, "the posterior: Bayes' rule", over=z, law=True)

derivation.chain(
    "Summing over the states gives a law of the observation",
    Total(other, Total(z, times(prior, emission))),
    equals(Total(z, times(prior, Total(other, emission))), "exchange the sums"),
    equals(1, "each likelihood sums to one over the values, and the prior over the states"),
    role="lemma",
)
theta = derivation.number(r"\theta", "a parameter of the model")
f = derivation.function("f", r"the logarithm of the joint probability, $f(z, \theta) = \log p_\theta(x, z)$", arguments=2)
joint_at = derivation.define(r"p_\theta(x,{})", exp(f(z, theta)), "the joint probability at a parameter", over=z, positive=True)
evidence_at = derivation.define(r"p_\theta(x)", Total(z, joint_at), "the marginal likelihood at a parameter", positive=True)
posterior_at = derivation.define(r"p_\theta({}|x)", joint_at / evidence_at, "the posterior at a parameter", over=z, law=True)
derivation.chain(
    "Fisher's identity: the gradient of the likelihood is a posterior mean",
    Slope(log(evidence_at), theta),
    equals(
        Total(z, Slope(joint_at, theta)) / evidence_at,
        "the derivative of a logarithm, and of a finite sum",
        wrong={"the logarithm inside the sum": Total(z, Slope(log(joint_at), theta))},
    ),
    equals(
        Total(z, times(joint_at / evidence_at, Slope(log(joint_at), theta))),
        r"the derivative of a positive function is the function times that of its logarithm",
    ),
    equals(
        Expectation(posterior_at, Slope(log(joint_at), theta)),
        "Bayes' rule: the quotient is the posterior",
        wrong={"all states weighted alike": Total(z, Slope(log(joint_at), theta)) / 3},
    ),
    central=True,
    so=r"The sum is inside the logarithm, so its gradient mixes all states, each with the share that the posterior gives it. "
    r"Learning without the posterior would have to guess which cause to blame.",
)
derivation.chain(
    "The likelihood at any one state",
    plus(log(likelihood), log(prior), -log(posterior)),
    equals(plus(log(joint), -log(joint / evidence)), "$p(x|z)\\, p(z) = p(x,z)$, and Bayes' rule"),
    equals(log(evidence), "the joint probability cancels", wrong={"the posterior forgotten": log(joint)}),
    role="remark",
    so=r"Each of the three terms depends on $z$; together they do not. If the posterior can be evaluated at one point, so can "
    r"the likelihood.",
)
derivation.bridge(
    "The code computes the marginal likelihood",
    log(evidence),
    discrete_log_marginal,
    log_likelihood=[log(likelihood)],
    log_prior=log(prior),
    wrong={"the logarithm inside the sum": Total(z, prior * log(likelihood))},
)
derivation.bridge(
    "... and the posterior",
    log(posterior),
    discrete_log_posterior,
    log_likelihood=[log(likelihood)],
    log_prior=log(prior),
    wrong={"the prior forgotten": log(likelihood / Total(z, likelihood))},
)

derivation.say(
    "If there are too many states for a sum, one may draw some of them from the prior and average their likelihoods. The "
    "average is right in the mean. Its logarithm is not."
)
outcome = derivation.index("a", "an outcome of the draws")
chance = derivation.law("q({})", outcome, "the law of the outcomes")
estimate = derivation.numbers(r"\hat p({})", outcome, "the mean likelihood of the draws", positive=True)
derivation.chain(
    "An unbiased estimate of the likelihood has a logarithm that is too small in the mean",
    plus(log(Expectation(chance, estimate)), -Expectation(chance, log(estimate))),
    at_least(
        0,
        "leave out the gap of Jensen's inequality; it is zero only if the estimate does not vary",
        dropping=jensen.at(chance, estimate),
    ),
    role="lemma",
    so=r"The first logarithm is $\log p(x)$, because each draw has the mean $\sum_z p(z)\, p(x|z)$. To second order the gap of "
    r"$S$ draws is $\mathrm{Var}[p(x|z)] / (2 S\, p(x)^2)$. If $x$ is likely under few states only, the prior seldom draws one "
    "of them, and the variance is large: a reason to draw from something nearer the posterior.",
)
derivation.symbol("S", "how many states are drawn from the prior")
derivation.symbol(r"\hat p_S", "the mean of their likelihoods", "exp(monte_carlo_log_marginal)")
_likelihood, _prior = np.array([0.8, 0.4, 0.2]), np.array([0.5, 0.25, 0.25])  # the worked example's numbers


@derivation.exact(
    r"\mathbb{E}\, \hat p_S = p(x)",
    because="By the code, for one, two and three draws of three states; every outcome is enumerated.",
    outcomes=3 + 9 + 27,
    role="lemma",
)
def the_estimate_is_unbiased():
    means = jnp.array([_over_samples(lambda a: jnp.exp(monte_carlo_log_marginal(a)), size) for size in (1, 2, 3)])
    of_logarithms = jnp.array([math.exp(_over_samples(monte_carlo_log_marginal, size)) for size in (1, 2, 3)])
    return Sides(left=means, right=jnp.full(3, _likelihood @ _prior), wrong={"the mean of the logarithms": of_logarithms})


derivation.say(
    "Now the model in which $z$ is a vector and nothing has to be drawn. First with a single latent dimension: $W$ is then one "
    "vector $w$, and a completed square separates what depends on $z$ from what does not."
)
d = derivation.index("d", "a coordinate of the observation")
D = derivation.count(d, "D", "how many there are", "x.shape[1]")
y = derivation.numbers("y", d, r"the observation less the mean, $x - \mu$", "x - mean")
w = derivation.numbers("w", d, "the weight of the latent variable", "weight")
s = derivation.number("s", "the variance of the noise", "e^log_var", positive=True)
u = derivation.number("z", "the latent variable, now a number")
M = derivation.define("M", SquaredNorm(d, w) + s, r"$W^\top W + sI$, here a number", positive=True)
m = derivation.define("m", Inner(d, w, y) / M, "the mean of the posterior", "linear_gaussian_posterior")
rest = (SquaredNorm(d, y) - Inner(d, w, y) ** 2 / M) / s
constant = plus(D * log(2 * pi), times(D - 1, log(s)), log(M))
derivation.chain(
    "One completed square gives the posterior and the marginal",
    plus(SquaredNorm(d, y - w * u) / s, u**2, times(D, log(2 * pi * s)), log(2 * pi)),
    equals(
        plus(times(M / s, (u - m) ** 2), rest, times(D, log(2 * pi * s)), log(2 * pi)),
        r"collect $z$: $\frac{|w|^2 + s}{s} z^2 - \frac{2}{s} \langle w, y \rangle z$, and complete the square",
    ),
    equals(
        plus(-2 * LogDensity(u, m, s / M), rest, constant),
        r"$-2 \log \mathcal{N}(z; m, s/M) = \frac{M}{s}(z - m)^2 + \log 2\pi + \log s - \log M$",
        wrong={"the determinant forgotten": plus(-2 * LogDensity(u, m, s / M), rest, D * log(2 * pi), times(D, log(s)))},
    ),
    so=r"The first line is $-2 \log p(x|z) - 2 \log p(z)$. In the last one $z$ is in a Gaussian density only, which "
    r"integrates to one for every $x$: it is the posterior $\mathcal{N}(m, s/M)$, and the rest is $-2 \log p(x)$.",
)
derivation.symbol(r"W, z, y, \mu", "the matrix and the vectors of the model with several latent variables")
derivation.symbol("C, M, I", r"$W W^\top + s I$, $W^\top W + s I$, and the identity")
derivation.symbol("L", "the number of latent variables", "weight.shape[1]")
derivation.symbol("R", "a rotation of the latent variables")


@derivation.symbolic(
    r"\det C = s^{D-L} \det M, \qquad C \left(I - W M^{-1} W^\top\right) = s I, \qquad (W R)(W R)^\top = W W^\top",
    because=r"With several latent variables the same square is completed with a matrix, $m = M^{-1} W^\top y$, and the first two "
    r"identities show that the rest is a Gaussian of the covariance $C$ (Sylvester, Woodbury). Here for every $W$ of two columns "
    r"and two rows, times $\det M$; the determinant for three rows and one column, too. The third holds since $R R^\top = I$: "
    r"the law of $x$ contains $W$ through $C$ alone, so no amount of data can tell $W$ from $W R$. Only the space that the "
    r"latent axes span is identified.",
)
def several_latent_variables():
    weight, column = sympy.Matrix(2, 2, sympy.symbols("w:4")), sympy.Matrix(sympy.symbols("v:3"))
    scale, angle = sympy.Symbol("s", positive=True), sympy.Symbol("a", real=True)
    turn = sympy.Matrix([[sympy.cos(angle), -sympy.sin(angle)], [sympy.sin(angle), sympy.cos(angle)]])
    inner, outer = weight.T * weight + scale * sympy.eye(2), weight * weight.T + scale * sympy.eye(2)
    tall = (column * column.T + scale * sympy.eye(3)).det()
    volume = inner.det()
    product = outer * (volume * sympy.eye(2) - weight * inner.adjugate() * weight.T)
    left = [outer.det(), tall, *product, *(weight * turn * (weight * turn).T)]
    right = [volume, scale**2 * ((column.T * column)[0] + scale), *(scale * volume * sympy.eye(2)), *(weight * weight.T)]
    wrong = {
        "one power of s too few": [right[0], right[1] / scale, *right[2:]],
        "W^T W in the last": [*right[:6], *(weight.T * weight)],
    }
    return Sides(left=left, right=right, wrong=wrong)


linear_model = {"x": [y], "weight": [[w.at(entry)] for entry in range(4)], "mean": jnp.zeros(4), "log_var": log(s)}
derivation.bridge(
    "The code computes the marginal",
    -plus(rest, constant) / 2,
    linear_gaussian_log_marginal,
    **linear_model,
    wrong={"the determinant forgotten": -plus(rest, D * log(2 * pi)) / 2},
)
derivation.bridge(
    "... and the posterior's mean and variance",
    (m, s / M),
    linear_gaussian_posterior,
    **linear_model,
    wrong={"no noise in the mean": (Inner(d, w, y) / SquaredNorm(d, w), s / M), "the variance not times the noise": (m, 1 / M)},
)


@derivation.numeric(
    r"m = W^\top C^{-1} y, \qquad s M^{-1} = I - W^\top C^{-1} W",
    because=r"The other way to the posterior: $z$ and $x$ are jointly Gaussian with the covariances $I$, $C$ and $W^\top$ "
    "between them, and the right sides are what conditioning a Gaussian gives. By the code, with five observed and two latent "
    "variables.",
)
def conditioning_the_joint_gaussian():
    random, variance = np.random.default_rng(1), 0.7
    x, weight, mean = random.normal(size=(3, 5)), random.normal(size=(5, 2)) / 2, random.normal(size=5)
    center, spread = linear_gaussian_posterior(x, weight, mean, np.log(variance))
    inverse = np.linalg.inv(weight @ weight.T + variance * np.eye(5))
    right = [((x - mean) @ inverse @ weight).ravel(), (np.eye(2) - weight.T @ inverse @ weight).ravel()]
    wrong = {"the inverse of M without s": np.concatenate([right[0], right[1] / variance])}
    return Sides(left=jnp.concatenate([center.ravel(), spread.ravel()]), right=np.concatenate(right), wrong=wrong)


derivation.say(
    r"Which $W$ and $s$ make data most likely? Let $\lambda_1 \ge \lambda_2 \ge \dots$ be the eigenvalues of the data's "
    r"covariance, divided by $N$. Up to constants, $-2/N$ times the log-likelihood is $\log \det C$ plus the trace of $C^{-1}$ "
    "times that covariance. First the directions, then the sizes, then which directions to keep."
)
low = derivation.number(r"\lambda_2", "the smaller of two eigenvalues of the data's covariance", positive=True)
more = derivation.number("a", "by how much the other one, $\\lambda_1 = \\lambda_2 + a$, is larger", positive=True)
small = derivation.number("c_2", "the smaller of two eigenvalues of $C$", positive=True)
extra = derivation.number("b", "by how much the other one, $c_1 = c_2 + b$, is larger", positive=True)
t = derivation.number("t", "the squared sine of the angle between their axes", between=(0, 1))
derivation.chain(
    "The axes of the model are those of the data",
    plus(((1 - t) * (low + more) + t * low) / (small + extra), (t * (low + more) + (1 - t) * low) / small),
    equals(
        plus((low + more) / (small + extra), low / small, times(t, more * extra / (small * (small + extra)))),
        r"collect $t$; $\frac{1}{c_2} - \frac{1}{c_1} = \frac{b}{c_1 c_2}$",
    ),
    at_least(
        plus((low + more) / (small + extra), low / small),
        "leave out a product of positive numbers, which is zero without an angle",
        dropping=times(t, more * extra / (small * (small + extra))),
    ),
    role="lemma",
    so="The trace in two dimensions is least where large meets large and small meets small.",
)
rest_of = derivation.index("r", "a direction that shares the noise")
n = derivation.count(rest_of, "n", r"how many there are, $D - L$")
left_over = derivation.numbers(r"\lambda", rest_of, "its eigenvalue in the data", positive=True)
average = derivation.define(r"\bar\lambda", Total(rest_of, left_over) / n, "their mean", positive=True)
derivation.chain(
    "The noise is the mean of the eigenvalues that are left",
    Total(rest_of, plus(log(s), left_over / s)),
    equals(
        times(n, plus(log(s), average / s)),
        r"the eigenvalues sum to $n \bar\lambda$",
        wrong={"the sum in place of the mean": times(n, plus(log(s), n * average / s))},
    ),
    equals(
        times(n, plus(1, log(average), tangent.at(average / s))), r"$t = 1 + \log t + (t - 1 - \log t)$ at $t = \bar\lambda / s$"
    ),
    at_least(
        times(n, plus(1, log(average))), r"leave out the gap; equality at $s = \bar\lambda$", dropping=n * tangent.at(average / s)
    ),
    role="lemma",
    so="The same lines with one direction say that a direction of the model that is free copies its eigenvalue.",
)
noise = derivation.number("s'", "the mean of the discarded eigenvalues after an exchange", positive=True)
delta = derivation.number(r"\delta", "by how much a discarded eigenvalue exceeds one that is kept", positive=True)
count = derivation.number("n", "the number of discarded directions", positive=True)
excess = derivation.number(r"\eta", "by how much the kept eigenvalue exceeds the noise", positive=True)
before = derivation.define("s", noise + delta / count, "their mean before the exchange", positive=True)
kept = derivation.define(r"\lambda_a", before + excess, "the eigenvalue that is kept at first", positive=True)
derivation.chain(
    "Exchanging a kept direction for a larger one that was discarded never hurts",
    plus(log(kept + delta), times(count, log(noise)), -log(kept), -times(count, log(before))),
    equals(plus(log((kept + delta) / kept), times(count, log(noise / before))), "logarithms of quotients"),
    equals(
        plus(delta / kept, -delta / before, -tangent.at((kept + delta) / kept), -times(count, tangent.at(noise / before))),
        r"$\log t = t - 1 - (t - 1 - \log t)$, twice; $s' = s - \delta / n$",
    ),
    at_most(
        plus(delta / kept, -delta / before),
        "leave out the gaps of the logarithm",
        adding=tangent.at((kept + delta) / kept) + count * tangent.at(noise / before),
    ),
    equals(-delta * excess / (kept * before), r"over a common denominator; $\lambda_a - s = \eta$"),
    at_most(0, r"$w^2 = \lambda_a - s$ is never negative, as $W W^\top$ is not", adding=delta * excess / (kept * before)),
    so=r"So the largest eigenvalues are kept, and the best covariance is $U_L(\Lambda_L - sI)U_L^\top + sI$ with the mean $s$ of "
    "the others: principal component analysis, with a likelihood. That a kept eigenvalue is at least $s$ is needed: without it "
    "keeping a small one could look better.",
)
derivation.symbol("N", "the number of observations", "len(x)")
derivation.symbol(r"\ell", "their mean log-likelihood")


@derivation.autodiff(
    r"\frac{\partial \ell}{\partial W} = 0, \qquad \frac{\partial \ell}{\partial \log s} = 0",
    because=r"At the covariance that the code returns for 20 points in four dimensions, split into two columns of $W$ and the "
    "noise; the slopes by automatic differentiation of the code's likelihood.",
    scale=1.0,
)
def the_optimum_is_stationary():
    x = np.random.default_rng(0).normal(size=(20, 4)) * np.array([3.0, 2.0, 1.0, 0.5])
    found = np.asarray(linear_gaussian_maximum_likelihood_covariance(x, latent_dim=2))
    values, vectors = np.linalg.eigh(found)
    weight = vectors[:, 2:] * np.sqrt(values[2:] - values[0])

    def slopes(scale_weight, noise):
        mean_log_likelihood = lambda w, v: jnp.mean(linear_gaussian_log_marginal(x, w, x.mean(0), v))  # noqa: E731
        of_weight, of_noise = jax.grad(mean_log_likelihood, argnums=(0, 1))(scale_weight * weight, jnp.log(noise))
        return jnp.append(of_weight.ravel(), of_noise)

    wrong = {"divided by N - 1": slopes(np.sqrt(20 / 19), values[0] * 20 / 19), "the smallest eigenvalue": slopes(1.0, 0.1)}
    return Sides(left=slopes(1.0, values[0]), right=jnp.zeros(9), wrong=wrong)


derivation.chain(
    "Without noise the posterior mean is the projection of principal component analysis",
    Limit(m, s, 0),
    equals(Inner(d, w, y) / SquaredNorm(d, w), r"$M \to |w|^2$"),
    states=2,
    role="remark",
    so=r"In several dimensions it is the pseudo-inverse of $W$ applied to $y$. With noise the mean is drawn towards zero, the "
    r"mean of the prior, by the factor $|w|^2 / (|w|^2 + s)$.",
)


@derivation.example(
    "Three states with the prior one half, one quarter, one quarter and the likelihoods 0.8, 0.4, 0.2. Then one latent "
    r"variable with $W = (2, 1)^\top$, noise of variance 5, no mean, and the observation $(3, 4)$."
)
def by_hand():
    given = {prior: tuple(_prior), likelihood: tuple(_likelihood)}
    yield evidence, value(evidence, given), "0.55"
    yield posterior, value(posterior, given), "(8/11, 2/11, 1/11)"
    yield r"\log p(x)", discrete_log_marginal(jnp.log(_likelihood)[None], jnp.log(_prior))[0], "-0.5978"
    for size, said in ((1, "-0.7430"), (2, "-0.6651"), (3, "-0.6404")):
        yield rf"\mathbb{{E}} \log \hat p_{size}", _over_samples(monte_carlo_log_marginal, size), said
    x, weight, mean = jnp.array([[3.0, 4.0]]), jnp.array([[2.0], [1.0]]), jnp.zeros(2)
    center, spread = linear_gaussian_posterior(x, weight, mean, jnp.log(5.0))
    yield r"m,\ s / M", (center[0, 0], spread[0, 0]), "(1, 0.5)"
    yield r"y^\top C^{-1} y", value(rest, {y: (3, 4), w: (2, 1), s: 5}), "3"
    yield r"\log p(x)", linear_gaussian_log_marginal(x, weight, mean, jnp.log(5.0))[0], "-5.2939"


@derivation.figure(
    r"Left: the law of $x$ for $W = (2, 1)^\top$ (its ellipse of two standard deviations at $s = 1$), the line $Wz$, and the "
    r"observation $(3, 4)$ with its posterior means on the line: noise draws them towards the origin. Right: the mean of $\log "
    r"\hat p_S$ in the example rises to $\log p(x)$ with the number of draws.",
    panels=2,
)
def a_line_and_a_bias(left, right):
    weight, at = np.array([[2.0], [1.0]]), np.array([[3.0, 4.0]])
    angles = np.linspace(0, 2 * np.pi, 100)
    ellipse = 2 * np.linalg.cholesky(weight @ weight.T + np.eye(2)) @ np.stack([np.cos(angles), np.sin(angles)])
    left.plot(*ellipse, color="gray", linewidth=1)
    left.plot(*(weight * np.array([-2.4, 2.4])), color="gray", linestyle="--", linewidth=1, label="$Wz$")
    left.plot(*at[0], "k*", markersize=9, label="$x$")
    for variance in (0.01, 1.0, 5.0):
        center, _ = linear_gaussian_posterior(at, weight, np.zeros(2), np.log(variance))
        left.plot(*(weight @ np.asarray(center)[0]), "o", label=f"$s = {variance:g}$")
    left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    left.legend(fontsize=8)
    sizes = range(1, 7)
    right.plot(
        sizes, [_over_samples(monte_carlo_log_marginal, size) for size in sizes], "o-", label=r"$\mathbb{E} \log \hat p_S$"
    )
    right.axhline(math.log(0.55), linestyle="--", color="gray", label=r"$\log p(x)$")
    right.set(xlabel="$S$ draws from the prior", ylabel="nats")
    right.legend()


@derivation.exercise(
    r"What are the posterior and the marginal if $W = 0$?",
    r"The observation says nothing of $z$: the posterior is the prior, with mean 0 and variance 1, and $x$ is $\mathcal{N}(\mu, "
    "sI)$; at $y = (3, 4)$ and $s = 5$ its logarithm is -5.9473.",
)
def no_weight():
    x, weight = jnp.array([[3.0, 4.0]]), jnp.zeros((2, 1))
    center, spread = linear_gaussian_posterior(x, weight, jnp.zeros(2), jnp.log(5.0))
    yield (center[0, 0], spread[0, 0]), "0 and variance 1"
    yield linear_gaussian_log_marginal(x, weight, jnp.zeros(2), jnp.log(5.0))[0], "-5.9473"


@derivation.exercise(
    "How large is the gap of three draws in the example, and how large is it to second order?",
    "The gap is 0.0425 nats. The likelihoods have the variance 0.0675 under the prior, which gives 0.0372.",
)
def three_draws():
    variance = _prior @ _likelihood**2 - (_prior @ _likelihood) ** 2
    yield math.log(0.55) - _over_samples(monte_carlo_log_marginal, 3), "0.0425"
    yield variance, "0.0675"
    yield variance / (2 * 3 * 0.55**2), "0.0372"


@derivation.exercise(
    "The data have the eigenvalues 5, 2 and 1 and the model one latent variable. May it keep 2 and discard 5 and 1?",
    "No: the noise would be 3, and the squared weight $2 - 3 = -1$. It keeps 5, and the noise is 1.5.",
)
def which_to_keep():
    # three axes with these variances, divided by N = 6
    x = np.sqrt(3 * np.array([5.0, 2.0, 1.0])) * np.concatenate([np.eye(3), -np.eye(3)])
    yield np.mean([5.0, 1.0]), "3"
    yield 2 - np.mean([5.0, 1.0]), "-1"
    yield jnp.linalg.eigvalsh(linear_gaussian_maximum_likelihood_covariance(x, latent_dim=1))[0], "1.5"


def _over_samples(estimate_of, size):
    """The mean of what is computed from the likelihoods of `size` draws of the example's prior, over all outcomes."""
    states = np.stack(np.meshgrid(*[np.arange(3)] * size, indexing="ij"), axis=-1).reshape(-1, size)
    return float(_prior[states].prod(1) @ np.asarray(estimate_of(jnp.log(_likelihood)[states])))
