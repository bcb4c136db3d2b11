"""Latent variables: a likelihood that needs the posterior.

The lecture on the functions of theory_jax/latent/latent_variable_models.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, pi

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Limit, LogDensity, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.latent_variable_models import (
    discrete_log_marginal,
    discrete_log_posterior,
    linear_gaussian_log_marginal,
    linear_gaussian_posterior,
    monte_carlo_log_marginal,
)
from theory_jax.lectures.latent._latent_variable_models import (
    LIKELIHOOD,
    PRIOR,
    draw_line_and_bias,
    identities,
    over_samples,
    slopes_of_optimum,
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
    question="A model explains an observation by a cause that is never seen, so no cause can be credited for it: averaging over "
    "what the cause might have been, before the data are seen, teaches the model nothing about which it was. What is the "
    "likelihood of such a model, why does learning it need the distribution of the cause given the observation, and when can all "
    "of it be written down?",
    setting=(
        "An observation $x$ is fixed. A latent variable $z$ has finitely many states with prior probabilities $p(z)$, and "
        "gives $x$ the likelihood $p(x|z)$. All are positive in the chains; a state of probability zero is left out of every "
        r"sum. The parameters of the model are collected in $\theta$.",
        r"The linear-Gaussian model: $z$ is a standard Gaussian vector, and $x$ given $z$ is Gaussian with the mean $Wz + \mu$ "
        r"and the covariance $s I$, with a positive $s$. The formulas contain the observation less the mean, $y$.",
    ),
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
    "Summing over the states gives a distribution of the observation",
    Total(other, Total(z, times(prior, emission))),
    equals(Total(z, times(prior, Total(other, emission))), "exchange the sums"),
    equals(1, "each likelihood sums to one over the values, and the prior over the states"),
    role="lemma",
)
theta = derivation.number(r"\theta", "a parameter of the model")
f = derivation.function("f", r"the logarithm of the joint probability, of $z$ and $\theta$", arguments=2)
joint_at = derivation.define(r"p_\theta(x,{})", exp(f(z, theta)), "the joint probability at a parameter", over=z, positive=True)
evidence_at = derivation.define(r"p_\theta(x)", Total(z, joint_at), "the marginal likelihood at a parameter", positive=True)
posterior_at = derivation.define(r"p_\theta({}|x)", joint_at / evidence_at, "the posterior at a parameter", over=z, law=True)
derivation.answer = prose(
    r"The likelihood is a sum over the states of $z$, and the gradient of its logarithm is a posterior mean: {fisher}. In the "
    r"linear-Gaussian model the sum is an integral that can be done: $x$ is Gaussian with the covariance $W W^\top + s I$, the "
    r"posterior is Gaussian, too, and the columns of the best $W$ span the leading principal axes.",
    fisher=holds(Slope(log(evidence_at), theta), "=", Expectation(posterior_at, Slope(log(joint_at), theta))),
)
central = derivation.chain(
    "Fisher's identity: the gradient of the log-likelihood is a posterior mean",
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
    "The likelihood can be read off at any one state, if the posterior is known there",
    plus(log(likelihood), log(prior), -log(posterior)),
    equals(
        plus(log(joint), -log(joint / evidence)),
        prose("{joint}, and Bayes' rule", joint=holds(times(likelihood, prior), "=", joint)),
    ),
    equals(log(evidence), "the joint probability cancels", wrong={"the posterior forgotten": log(joint)}),
    role="remark",
    so=r"Each of the three terms depends on $z$; together they do not. If the posterior can be evaluated at one point, so can "
    r"the likelihood.",
)
discrete = {"log_likelihood": [log(likelihood)], "log_prior": log(prior)}
inside, flat = Total(z, prior * log(likelihood)), log(likelihood / Total(z, likelihood))
derivation.bridge(
    "The code's likelihood", log(evidence), discrete_log_marginal, **discrete, wrong={"the logarithm inside the sum": inside}
)
derivation.bridge("... and the posterior", log(posterior), discrete_log_posterior, **discrete, wrong={"no prior": flat})

derivation.say(
    "If there are too many states for a sum, one may sample some of them from the prior and average their likelihoods. The "
    "average is right in the mean. Its logarithm is not."
)
outcome = derivation.index("a", "an outcome of the sampling")
chance = derivation.law("q({})", outcome, "their distribution")
estimate = derivation.numbers(r"\hat p({})", outcome, "the mean likelihood of the samples", positive=True)
derivation.chain(
    "The logarithm of an unbiased estimate of the likelihood is never too large in the mean",
    plus(log(Expectation(chance, estimate)), -Expectation(chance, log(estimate))),
    at_least(
        0,
        prose(
            "leave out the gap of Jensen's inequality; equality where {same} for every $a$", same=where(estimate, estimate.at(0))
        ),
        dropping=jensen.at(chance, estimate),
    ),
    role="lemma",
    so=prose(
        r"The first logarithm is $\log p(x)$, because for each sample {mean}. To second order the gap of $S$ samples is {gap}, "
        "divided by $S$. If $x$ is likely under few states only, the prior seldom gives one of them, and this variance is large: "
        "a reason to sample from something nearer the posterior.",
        mean=holds(Expectation(prior, likelihood), "=", evidence),
        gap=Variance(prior, likelihood) / (2 * evidence**2),
    ),
)
derivation.symbol("S", "how many states are drawn from the prior")
derivation.symbol(r"\hat p_S", "the mean of their likelihoods", "exp(monte_carlo_log_marginal)")


@derivation.exact(
    r"\mathbb{E}\, \hat p_S = p(x)",
    because="By the code, for one, two and three samples of three states; every outcome is enumerated.",
    outcomes=3 + 9 + 27,
    role="lemma",
)
def the_estimate_is_unbiased():
    means = jnp.array([over_samples(lambda a: jnp.exp(monte_carlo_log_marginal(a)), size) for size in (1, 2, 3)])
    of_logarithms = jnp.array([math.exp(over_samples(monte_carlo_log_marginal, size)) for size in (1, 2, 3)])
    return Sides(left=means, right=jnp.full(3, LIKELIHOOD @ PRIOR), wrong={"the mean of the logarithms": of_logarithms})


derivation.say(
    "Now the model in which $z$ is a vector and nothing has to be sampled. First with a single latent dimension: $W$ is then one "
    "vector $w$, and a completed square separates what depends on $z$ from what does not."
)
d = derivation.index("d", "a coordinate of the observation")
D = derivation.count(d, "D", "how many there are", "x.shape[1]")
y = derivation.numbers("y", d, "the observation less the mean", "x - mean")
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
        prose("{density}", density=holds(-2 * LogDensity(u, m, s / M), "=", plus(M / s * (u - m) ** 2, log(2 * pi * s / M)))),
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
    because=r"With several latent variables the same square is completed, around $M^{-1} W^\top y$, and the first two "
    r"identities show that the rest is a Gaussian of the covariance $C$ (Sylvester, Woodbury). Here for every $W$ of two columns "
    r"and two rows, times $\det M$; the determinant for three rows and one column, too. The third holds since $R$ is "
    r"orthogonal: the distribution of $x$ contains $W$ through $C$ alone, so no data can tell $W$ from $W R$. The space of the "
    r"latent axes is identified, the axes themselves are not.",
)
def several_latent_variables():
    left, right, wrong = identities()
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
    role="remark",
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
    r"Which $W$ and $s$ make data most likely? Let $\lambda_1, \lambda_2, \dots$ be the eigenvalues, in falling order, of the "
    r"data's covariance (with $1/N$). Up to constants, $-2/N$ times the log-likelihood is $\log \det C$ plus the trace of "
    "$C^{-1}$ times that covariance. First the directions, then the sizes, then which directions to keep."
)
low = derivation.number(r"\lambda_2", "the smaller of two eigenvalues of the data's covariance", positive=True)
more = derivation.number("a", "by how much the other one, $\\lambda_1$, is larger", positive=True)
small = derivation.number("c_2", "the smaller of two eigenvalues of $C$", positive=True)
extra = derivation.number("b", "by how much the other one, $c_1$, is larger", positive=True)
t = derivation.number("t", "the squared sine of the angle between their axes", between=(0, 1))
derivation.chain(
    "The axes of the model are those of the data",
    plus(((1 - t) * (low + more) + t * low) / (small + extra), (t * (low + more) + (1 - t) * low) / small),
    equals(
        plus((low + more) / (small + extra), low / small, times(t, more * extra / (small * (small + extra)))),
        prose("collect $t$; {axes}", axes=holds(plus(1 / small, -1 / (small + extra)), "=", extra / (small * (small + extra)))),
    ),
    at_least(
        plus((low + more) / (small + extra), low / small),
        prose("leave out a product of positive numbers; equality at {none}, without an angle", none=where(t, 0)),
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
        prose("{sum}", sum=holds(Total(rest_of, left_over), "=", times(n, average))),
        wrong={"the sum in place of the mean": times(n, plus(log(s), n * average / s))},
    ),
    equals(
        times(n, plus(1, log(average), tangent.at(average / s))),
        prose("{ratio} is 1 plus its logarithm plus the gap of the logarithm", ratio=average / s),
    ),
    at_least(
        times(n, plus(1, log(average))),
        prose("leave out the gap; equality at {mean}", mean=where(s, average)),
        dropping=n * tangent.at(average / s),
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
        prose(r"a logarithm is $t - 1$ less its gap, twice; {noise}", noise=holds(noise, "=", before - delta / count)),
    ),
    at_most(
        plus(delta / kept, -delta / before),
        "leave out the gaps of the logarithm",
        adding=tangent.at((kept + delta) / kept) + count * tangent.at(noise / before),
    ),
    equals(
        -delta * excess / (kept * before),
        prose("over a common denominator; {excess}", excess=holds(kept - before, "=", excess)),
        wrong={"over one of them": -delta * excess / kept},
    ),
    at_most(0, r"the squared weight $\lambda_a - s$ is positive", adding=delta * excess / (kept * before)),
    so=r"So the largest eigenvalues are kept, and the best covariance is $U_L(\Lambda_L - sI)U_L^\top + sI$ with the mean $s$ of "
    "the others: principal component analysis, with a likelihood. That a kept eigenvalue is at least $s$ is needed: without it "
    "keeping a small one could look better.",
)
derivation.symbol(r"U_L, \Lambda_L", "the leading eigenvectors of the data's covariance, and the diagonal of their eigenvalues")
derivation.symbol("N", "the number of observations", "len(x)")
derivation.symbol(r"\ell", "their mean log-likelihood")


@derivation.autodiff(
    r"\frac{\partial \ell}{\partial W} = 0, \qquad \frac{\partial \ell}{\partial \log s} = 0",
    because=r"At the covariance that the code returns for 20 points in four dimensions, split into two columns of $W$ and the "
    "noise; the slopes by automatic differentiation of the code's likelihood.",
    scale=1.0,
    role="remark",
)
def the_optimum_is_stationary():
    slopes, noise = slopes_of_optimum()
    wrong = {"divided by N - 1": slopes(np.sqrt(20 / 19), noise * 20 / 19), "the smallest eigenvalue": slopes(1.0, 0.1)}
    return Sides(left=slopes(1.0, noise), right=jnp.zeros(9), wrong=wrong)


derivation.chain(
    "Without noise the posterior mean is the projection of principal component analysis",
    Limit(m, s, 0),
    equals(Inner(d, w, y) / SquaredNorm(d, w), prose("{weight}", weight=holds(Limit(M, s, 0), "=", SquaredNorm(d, w)))),
    states=2,
    role="remark",
    so=prose(
        r"In several dimensions it is the pseudo-inverse of $W$ applied to $y$. With noise the projection shrinks towards zero, "
        "the mean of the prior: {shrunk}.",
        shrunk=holds(m, "=", times(SquaredNorm(d, w) / M, Inner(d, w, y) / SquaredNorm(d, w))),
    ),
)


@derivation.algorithm(
    "Learning by Fisher's identity, here of a prior that is the softmax of logits",
    do(r"repeat: for the observation $x$, with parameters $\theta$:"),
    do(r"$p_\theta(z|x) \leftarrow$ the posterior of every state", discrete_log_posterior, by=central, indent=1),
    do(r"$g \leftarrow \sum_z p_\theta(z|x)\, \nabla_\theta \log p_\theta(x, z)$", by=central, indent=1),
    do(r"$\theta \leftarrow \theta + h g$, which raises $\log p_\theta(x)$ if $h$ is small", discrete_log_marginal, indent=1),
)
def two_steps():
    log_prior = jnp.log(PRIOR)
    for words, shares, reached in (("1", "(0.727, 0.182, 0.091)", "-0.5209"), ("2", "(0.787, 0.146, 0.067)", "-0.4617")):
        found = jnp.exp(discrete_log_posterior(jnp.log(LIKELIHOOD)[None], log_prior))[0]
        yield rf"p_\theta(z|x) \text{{ at step }} {words}", found, shares
        log_prior = jax.nn.log_softmax(log_prior + found - jnp.exp(log_prior))  # the gradient of a log-softmax
        yield (
            r"\log p_\theta(x) \text{ after it, with } h = 1",
            discrete_log_marginal(jnp.log(LIKELIHOOD)[None], log_prior),
            reached,
        )


@derivation.example(
    "Three states with the prior one half, one quarter, one quarter and the likelihoods 0.8, 0.4, 0.2. Then one latent "
    "variable with the weights (2, 1), noise of variance 5, no mean, and the observation (3, 4)."
)
def by_hand():
    given = {prior: tuple(PRIOR), likelihood: tuple(LIKELIHOOD)}
    yield evidence, value(evidence, given), "0.55"
    yield posterior, value(posterior, given), "(8/11, 2/11, 1/11)"
    yield r"\log p(x)", discrete_log_marginal(jnp.log(LIKELIHOOD)[None], jnp.log(PRIOR))[0], "-0.5978"
    for size, said in ((1, "-0.7430"), (2, "-0.6651"), (3, "-0.6404")):
        yield rf"\mathbb{{E}} \log \hat p_{size}", over_samples(monte_carlo_log_marginal, size), said
    x, weight, mean = jnp.array([[3.0, 4.0]]), jnp.array([[2.0], [1.0]]), jnp.zeros(2)
    center, spread = linear_gaussian_posterior(x, weight, mean, jnp.log(5.0))
    yield r"m,\ s / M", (center[0, 0], spread[0, 0]), "(1, 0.5)"
    yield r"y^\top C^{-1} y", value(rest, {y: (3, 4), w: (2, 1), s: 5}), "3"
    yield r"\log p(x)", linear_gaussian_log_marginal(x, weight, mean, jnp.log(5.0))[0], "-5.2939"


derivation.figure(
    "Left: the model with the weights (2, 1) (its ellipse of two standard deviations with noise 1), the line on which the latent "
    "moves it, and the observation (3, 4) with its posterior means on the line: noise pulls them towards the origin. Right: the "
    "mean logarithm of an estimate from samples of the prior rises to the log-likelihood with their number.",
    panels=2,
)(draw_line_and_bias)
