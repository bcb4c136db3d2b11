"""The beta-VAE: a price for every nat of the code.

The lecture on the functions of theory_jax/latent/beta_vae.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.latent.beta_vae import (
    beta_negative_elbo,
    capacity_objective,
    gaussian_total_correlation,
    kl_decomposition,
    pairwise_latent_log_density,
    stratified_log_importance,
)
from theory_jax.latent.vae import kl_to_standard_normal
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.lemmas.tilting import tilting

derivation = Derivation(
    module=__name__,
    title="The beta-VAE: a price for every nat of the code",
    lectures=(22,),
    sources=(
        "Higgins et al. 2017, beta-VAE: learning basic visual concepts with a constrained variational framework",
        "Burgess et al. 2018, Understanding disentangling in beta-VAE",
        "Alemi et al. 2018, Fixing a broken ELBO: the curve of rate and distortion",
        "Hoffman & Johnson 2016, ELBO surgery",
        "Chen et al. 2018, Isolating sources of disentanglement in variational autoencoders",
    ),
    question=r"The loss of a VAE is a distortion and a rate. What does multiplying the rate by $\beta$ optimize, which part of "
    "the rate makes the coordinates of a code independent, and when does the price of the rate switch a latent off?",
    setting=(
        r"An observation $x$ is fixed in the first part. Its latent variable $z$ has finitely many states with a prior $p(z) > "
        r"0$ and a likelihood $p(x|z) = e^{\ell(z)} > 0$; the encoder is $q(z|x) > 0$.",
        r"In the second part there are $N$ data of weight $\frac1N$, and a code has coordinates. The prior is the product of its "
        "coordinates' laws, and the encoder is diagonal: given the datum, its coordinates are independent.",
        r"In the last part data, decoder, encoder and prior are linear and Gaussian, as in the lecture on training a VAE.",
    ),
    answer=r"The weight is the multiplier of a constraint on the rate: along the optimal codes, $-\beta$ is the slope of the "
    r"distortion in the rate, and the best encoder is the posterior of the likelihood to the power $\frac1\beta$. The rate is "
    "the information about the datum, the total correlation of the code, and the divergences of its coordinates; only the second "
    r"measures dependence, and it can be weighted alone. A linear latent is switched off when $\beta$ times the noise reaches "
    "the variance that it explains.",
    limits=(
        "That coordinates with a small total correlation mean something to people: by itself that does not follow.",
        "Decoders that are not linear, what gradient descent finds of the optima, and the variance of the batch's estimates.",
    ),
)

z = derivation.index("z", "a state of the latent variable")
prior = derivation.law("p({})", z, "the prior")
l = derivation.numbers(r"\ell({})", z, r"the log-likelihood $\log p(x|z)$")  # noqa: E741 (the lecture's letter)
evidence = derivation.define("p(x)", Total(z, prior * exp(l)), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", prior * exp(l) / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "the encoder")
D = derivation.define("D", -Expectation(q, l), "the distortion", "negative_log_likelihood")
R = derivation.define("R", Divergence(q, prior), "the rate", "kl")
delta = derivation.number(r"\delta", "what the weight of the rate has above 1", "beta - 1", nonnegative=True)
derivation.chain(
    "With a weight above 1 the loss is still a bound",
    plus(D, times(1 + delta, R)),
    equals(
        plus(-log(evidence), Divergence(q, posterior), times(delta, R)),
        r"$D + R = -\log p(x) + \mathrm{KL}(q(z|x) \,\|\, p(z|x))$: the lecture on the evidence lower bound",
        wrong={"the whole weight once more": plus(-log(evidence), Divergence(q, posterior), times(1 + delta, R))},
    ),
    at_least(
        -log(evidence),
        r"leave out two divergences (Gibbs); for $\delta > 0$ equality needs $q(z|x) = p(z|x) = p(z)$",
        dropping=plus(gibbs.at(q, posterior), times(delta, gibbs.at(q, prior))),
    ),
    so=r"A larger weight gives a looser bound of $-\log p(x)$. Losses of different $\beta$ are no likelihoods to be compared; "
    r"compare $D + R$.",
)
T = derivation.number("T", "the inverse of the weight", "1 / beta", positive=True)
beta = derivation.define(r"\beta", 1 / T, "the weight of the rate", "beta", positive=True)
Z = derivation.define("Z", Total(z, prior * exp(T * l)), "a normalizing constant", positive=True)
tempered = derivation.define(r"q_\beta({})", prior * exp(T * l) / Z, "the tempered posterior", over=z, law=True)
central = derivation.chain(
    "The best encoder is the posterior of a tempered likelihood",
    plus(D, times(beta, R)),
    equals(
        plus(-times(beta, log(Z)), times(beta, Divergence(q, tempered))),
        r"the prior is tilted by $\ell$ at the price $\beta$: $\frac1\beta \ell = T \ell$ is the logarithm of $p(x|z)^{1/\beta}$",
        wrong={"the weight forgotten": plus(-times(beta, log(Z)), Divergence(q, tempered))},
    ),
    at_least(
        -times(beta, log(Z)),
        r"leave out the divergence; equality if and only if $q(z|x) = q_\beta(z)$",
        dropping=tilting.at(q, prior, l, beta),
    ),
    central=True,
    so=r"At $\beta = 1$ it is the posterior. As $\beta$ grows the observation counts less, and the encoder moves to the prior; "
    r"as $\beta$ falls to 0 it keeps the states of the largest likelihood alone.",
)
D_best = derivation.define("D_T", -Expectation(tempered, l), "the distortion of the best encoder")
R_best = derivation.define("R_T", Divergence(tempered, prior), "its rate")
derivation.chain(
    "The weight is the slope of the curve of distortion and rate",
    Slope(R_best, T),
    equals(
        times(T, Variance(tempered, l)),
        r"$R_T = T\, \mathbb{E}_{q_\beta} \ell - \log Z$, where $\partial_T \log Z = \mathbb{E}_{q_\beta} \ell$ and $\partial_T "
        r"\mathbb{E}_{q_\beta} \ell = \mathrm{Var}_{q_\beta} \ell$",
        wrong={"the weight for its inverse": times(beta, Variance(tempered, l))},
    ),
    equals(-times(T, Slope(D_best, T)), r"$D_T = -\mathbb{E}_{q_\beta} \ell$"),
    states=2,
    so=r"So $dD_T / dR_T = -\beta$ wherever the likelihood is not constant. And by the chain before, $D \ge D_T + \beta (R_T - "
    r"R)$ for every encoder: none with a rate of at most $R_T$ has a smaller distortion. $\beta$ is the multiplier of that "
    "constraint, and a sum over observations shares one multiplier.",
)
derivation.bridge(
    "The code's loss",
    plus(D, times(beta, R)),
    beta_negative_elbo,
    negative_log_likelihood=[D],
    kl=[R],
    beta=beta,
    wrong={"the weight on the distortion": plus(times(beta, D), R)},
)
gamma = derivation.number(r"\gamma", "how strongly the rate is drawn to the capacity", "gamma", positive=True)
C = derivation.number("C", "the capacity: the rate that is wanted", "capacity", positive=True)
derivation.bridge(
    "... and with a target for the rate, in place of a price",
    plus(D, times(gamma, Abs(R - C))),
    capacity_objective,
    negative_log_likelihood=[D],
    kl=[R],
    gamma=gamma,
    capacity=C,
    wrong={"a square": plus(D, times(gamma, (R - C) ** 2))},
)

derivation.say("Now the whole data set. The rate charges for everything in the code that is not as in the prior. What is that?")
k = derivation.index("k", "a datum", states=2)
N = derivation.count(k, "N", "how many data there are", "dataset_size")
a = derivation.index("a", "a state of the first coordinate", states=2)
b = derivation.index("b", "a state of the second coordinate", states=2)
code_1 = derivation.law("q_1({}|{})", (a, k), "the encoder of the first coordinate")
code_2 = derivation.law("q_2({}|{})", (b, k), "the encoder of the second coordinate")
prior_1 = derivation.law("p_1({})", a, "the prior of the first coordinate")
prior_2 = derivation.law("p_2({})", b, "the prior of the second coordinate")
every = derivation.define("q({},{})", Total(k, code_1 * code_2) / N, "the law of all codes", over=(a, b), positive=True)
every_1 = derivation.define("q_1({})", Total(k, code_1) / N, "the first coordinate's", over=a, law=True)
every_2 = derivation.define("q_2({})", Total(k, code_2) / N, "the second coordinate's", over=b, law=True)
given_1 = derivation.define("q({}|{})", every / every_1, "the second, given the first", over=(b, a), law=True)


def _mean(body):
    return Total(k, Expectation(code_1, Expectation(code_2, body))) / N


information = derivation.define("I", _mean(log(code_1 * code_2 / every)), "the mutual information of datum and code")
correlation = derivation.define(
    r"\mathrm{TC}", Total(a, Total(b, every * log(every / (every_1 * every_2)))), "the total correlation of the code"
)
derivation.chain(
    "The rate is information, dependence, and the divergences of the coordinates",
    Total(k, plus(Divergence(code_1, prior_1), Divergence(code_2, prior_2))) / N,
    equals(
        _mean(plus(log(code_1 * code_2 / every), log(every / (every_1 * every_2)), log(every_1 * every_2 / (prior_1 * prior_2)))),
        "the divergence of independent coordinates is a sum; multiply and divide by the law of all codes, and by the product of "
        "its coordinates' laws",
    ),
    equals(
        plus(information, correlation, Divergence(every_1, prior_1), Divergence(every_2, prior_2)),
        "the second ratio does not contain the datum, and the third is a product of one factor for each coordinate: average over "
        "the rest",
    ),
    at_least(
        correlation,
        r"leave out divergences (Gibbs); the information is one by the chain rule, of each coordinate given those before it",
        dropping=plus(
            Total(k, gibbs.at(code_1, every_1)) / N,
            Total(k, Expectation(code_1, gibbs.at(code_2, given_1))) / N,
            gibbs.at(every_1, prior_1),
            gibbs.at(every_2, prior_2),
        ),
    ),
    so=r"A weight $\beta$ multiplies every term, also the information, which the decoder needs: it is at most $\log N$, since "
    r"$q(z|k) \le N q(z)$. To ask for independent coordinates alone, give a weight to the total correlation alone.",
)
derivation.chain(
    "The total correlation is a divergence from independence",
    correlation,
    equals(
        Expectation(every_1, Divergence(given_1, every_2)),
        "$q(a, b) = q_1(a)\\, q(b|a)$: of two coordinates it is their mutual information",
    ),
    at_least(
        0,
        "leave out a mean of divergences (Gibbs); zero if and only if the coordinates are independent",
        dropping=Expectation(every_1, gibbs.at(given_1, every_2)),
    ),
    role="lemma",
)
j = derivation.index("j", "an example of a batch", states=3)
i = derivation.index("i", "an example of the same batch", states=3)
r = derivation.index("r", "a coordinate of the code", states=2)
y = derivation.numbers("y", (i, r), "a code of example $i$", "z")
m = derivation.numbers("m", (j, r), "the means of the encoder", "mean")
v = derivation.numbers("v", (j, r), "its variances", "e^log_var", positive=True)
omega = derivation.numbers(r"\omega", (i, j), "weights of the examples, for the code of $i$", "e^log_importance", positive=True)
density = LogDensity(y, m, v)
log_every = derivation.define(
    r"\hat h({})", log(Total(j, omega * exp(Total(r, density)))), "the estimated log-density of all codes", over=i
)
log_each = derivation.define(r"\hat h({},{})", log(Total(j, omega * exp(density))), "... and that of one coordinate", over=(i, r))
own = LogDensity(y, m.at(i, r), v.at(i, r))
of_prior = LogDensity(y, 0, 1)
parts = (plus(Total(r, own), -log_every), plus(log_every, -Total(r, log_each)), Total(r, plus(log_each, -of_prior)))
derivation.bridge(
    "The code's densities of each coordinate",
    density,
    pairwise_latent_log_density,
    z=y,
    mean=m,
    log_var=log(v),
    wrong={"the standard deviation for the variance": LogDensity(y, m, v**2)},
)
derivation.bridge(
    "The code's parts of one example's rate",
    parts,
    kl_decomposition,
    z=y,
    mean=m,
    log_var=log(v),
    log_importance=log(omega),
    wrong={"the total correlation's sign": (parts[0], -parts[1], parts[2])},
)
derivation.chain(
    "For every code and all weights the parts add up",
    plus(*parts),
    equals(
        Total(r, plus(own, -of_prior)),
        r"$\hat h$ is added and subtracted, and so is its sum over the coordinates: only the signs need the true density of all "
        "codes, and an average over them",
    ),
    role="remark",
    so=r"With the weights $1/N$ of a whole data set $\hat h$ is the true log-density, so the parts average to the information, "
    "the total correlation and the divergences of the coordinates, by definition.",
)
derivation.say("A batch of $B$ of $n$ data has few of these densities; that of the code's own example is always among them.")
n = derivation.number("n", "the number of data", "dataset_size", positive=True)
B = derivation.number("B", "the number of examples in a batch", "batch_size", positive=True)
u = derivation.number("u", "the density of a code, by the encoder of the same example", positive=True)
U = derivation.number("U", "the sum of its densities by the encoders of the other examples", positive=True)
derivation.chain(
    "The estimated density is right on average",
    plus(u / n, times((n - 1) / (n * (B - 1)), (B - 1) / (n - 1), U)),
    equals(
        (u + U) / n,
        r"each other example is in the batch with probability $\frac{B - 1}{n - 1}$",
        wrong={"a batch for the whole data set": plus(u, times((B - 1) / (n - 1), U)) / B},
    ),
    role="lemma",
    so="The logarithm of an estimate that is right on average is too small on average (Jensen).",
)


@derivation.exact(
    r"\mathbb{E}\left[\sum_{j} \omega_{ij}\, u_j\right] = \frac1n \sum_j u_j",
    because="The code's weights, with a density $u_j$ of example $j$: every batch of 3 among 6 that contains the first example. "
    "The first sum is over the batch, the second over all.",
    outcomes=10,
)
def every_batch():
    densities = np.array([1.0, 2.0, 6.0, 0.5, 0.1, 3.0])
    batches = np.array([densities[[0, *others]] for others in itertools.combinations(range(1, 6), 2)])
    weights = jnp.exp(stratified_log_importance(batch_size=3, dataset_size=6))[0]
    return Sides(left=jnp.mean(batches @ weights), right=densities.mean(), wrong={"the batch's mean": batches.mean()})


z_1 = derivation.number("z_1", "the first coordinate of a Gaussian code")
z_2 = derivation.number("z_2", "the second coordinate")
sigma_1 = derivation.number(r"\sigma_1", "the standard deviation of the first coordinate", positive=True)
sigma_2 = derivation.number(r"\sigma_2", "that of the second", positive=True)
rho = derivation.number(r"\rho", "their correlation", between=(-1, 1))
derivation.chain(
    "The total correlation of two Gaussian coordinates",
    Expectation(
        Normal(z_1, 0, sigma_1**2),
        Divergence(Normal(z_2, rho * sigma_2 * z_1 / sigma_1, sigma_2**2 * (1 - rho**2)), Normal(z_2, 0, sigma_2**2)),
    ),
    equals(
        plus(-log(1 - rho**2), 1 - rho**2, rho**2, -1) / 2,
        r"the divergence of two Gaussians; the square of the mean is $\rho^2 \sigma_2^2$ on average",
    ),
    equals(-log(1 - rho**2) / 2, "three terms cancel", wrong={"not halved": -log(1 - rho**2)}),
    so=r"The scales do not count. For more coordinates with the covariance $\Sigma$ the trace cancels in the same way, and half "
    r"of $\sum_r \log \Sigma_{rr} - \log \det \Sigma$ is left.",
)
derivation.bridge(
    "The code computes it",
    -log(1 - rho**2) / 2,
    gaussian_total_correlation,
    covariance=[[[sigma_1**2, rho * sigma_1 * sigma_2], [rho * sigma_1 * sigma_2, sigma_2**2]]],
    wrong={"not halved": -log(1 - rho**2), "the correlation not squared": -log(1 - rho) / 2},
)

derivation.say("When is the price too high? In the linear VAE the weight acts as more noise: a latent is given up earlier.")
lam = derivation.number(r"\lambda", "the variance of the data along one direction", positive=True)
s = derivation.number("s", "the variance of the decoder", positive=True)
w = derivation.number("w", "the decoder's weight")
V = derivation.number("V", "the encoder's weight")
t = derivation.number("t", "the encoder's variance", positive=True)
c = derivation.define("c", plus(w**2, times(beta, s)), "the variance that the model answers for", positive=True)
half = Rational(1, 2)
linear_distortion = plus(lam * (1 - w * V) ** 2, w**2 * t) / (2 * s)
linear_rate = times(half, plus(lam * V**2, t, -1, -log(t)))
slack = plus(times(beta / 2, tangent.at(t * c / (beta * s))), lam * c / (2 * s) * (V - w / c) ** 2)
derivation.chain(
    "The loss of a linear VAE with a weight, up to a constant",
    plus(linear_distortion, times(beta, linear_rate)),
    equals(
        plus(times(beta / 2, plus(lam / c, log(c / (beta * s)))), slack),
        r"complete the square in $V$; both terms in $t$ are $\frac{c}{2s} t$, and $\log t = \log \frac{ct}{\beta s} - \log "
        r"\frac{c}{\beta s}$",
    ),
    at_least(
        times(beta / 2, plus(lam / c, log(c / (beta * s)))),
        r"leave out the gaps; equality at $V = \frac wc$ and $t = \frac{\beta s}{c}$",
        dropping=slack,
    ),
    equals(
        plus(times(beta / 2, plus(1, log(lam / (beta * s)))), times(beta / 2, tangent.at(lam / c))),
        r"$\log c = \log \lambda - \log \frac \lambda c$",
    ),
    at_least(
        times(beta / 2, plus(1, log(lam / (beta * s)))),
        r"leave out a gap; equality at $c = \lambda$, that is $w^2 = \lambda - \beta s$, which needs $\beta s \le \lambda$",
        dropping=times(beta / 2, tangent.at(lam / c)),
    ),
    so=r"There the rate is $\frac12 \log \frac{\lambda}{\beta s}$ and the distortion $\frac \beta2$ up to a constant. Their "
    r"derivatives by $\beta$ are $-\frac{1}{2\beta}$ and $\frac12$: the slope is $-\beta$ again.",
)
derivation.say(
    r"Where $\beta s$ exceeds $\lambda$, no $w$ gives $c = \lambda$. What the best $V$ and $t$ leave is $\frac \beta2 "
    r"\left(\frac \lambda c + \log c\right)$ and a constant. Compare it with $w = 0$, where $c$ is $c_0 = \beta s$."
)
excess = derivation.number(r"\varepsilon", r"by how much $\beta s$ exceeds $\lambda$", nonnegative=True)
off, on = plus(lam, excess), plus(w**2, lam, excess)
derivation.chain(
    "A direction of less variance is switched off",
    plus(lam / on, log(on), -lam / off, -log(off)),
    equals(
        plus(tangent.at(off / on), w**2 * excess / (on * off)),
        r"$\log \frac{c}{c_0} = 1 - \frac{c_0}{c} + \left(\frac{c_0}{c} - 1 - \log \frac{c_0}{c}\right)$, and $c - c_0 = "
        r"w^2$, $c_0 - \lambda = \varepsilon$",
    ),
    at_least(0, r"leave out both; zero only at $w = 0$", dropping=plus(tangent.at(off / on), w**2 * excess / (on * off))),
    so=r"So $w^2 = \max(0, \lambda - \beta s)$: a latent is off exactly from $\beta = \frac \lambda s$ on, and directions are "
    "given up one after another, those of the smallest variance first.",
)

_coin = {prior: (half, half), l: (log(Rational(9, 10)), log(Rational(1, 10)))}


@derivation.example(
    r"A prior of one half each and the likelihoods 0.9 and 0.1. The best encoder is (0.9, 0.1) at $\beta = 1$ and $(\frac34, "
    r"\frac14)$ at $\beta = 2$. Then a batch of 2 among 3 data, with the densities 1, 2 and 6: its two batches that contain the "
    r"first datum, and their mean."
)
def by_hand():
    for weight, encoder, distortion, rate, loss in (
        (1, (Rational(9, 10), Rational(1, 10)), "0.3251", "0.3681", "0.6931"),
        (2, (Rational(3, 4), Rational(1, 4)), "0.6547", "0.1308", "0.9163"),
    ):
        of_coin = _coin | {q: encoder}
        yield rf"\beta = {weight}: \quad D", value(D, of_coin), distortion
        yield rf"\beta = {weight}: \quad R", value(R, of_coin), rate
        yield rf"\beta = {weight}: \quad -\beta \log Z", value(-beta * log(Z), _coin | {T: Rational(1, weight)}), loss
    weights = np.exp(stratified_log_importance(batch_size=2, dataset_size=3))[0]
    estimates = [weights @ [1.0, 2.0], weights @ [1.0, 6.0]]
    yield r"\text{estimates}", estimates, "(1.6667, 4.3333)"
    yield r"\text{their mean}", np.mean(estimates), "3.0000"


@derivation.figure(
    r"Left: distortion and rate of the best encoders of the example, from $\beta = 16$ to $\frac1{16}$, and lines of equal loss "
    r"$D + \beta R$ through four of them: tangents of slope $-\beta$. Right: the square of the decoder's weight of three "
    r"latents, with $s = 1$; each is off from $\beta = \lambda$ on.",
    panels=2,
)
def a_curve_and_three_latents(left, right):
    def best(weights):
        encoder = np.array([0.9, 0.1]) ** (1 / weights[:, None])
        encoder /= encoder.sum(1, keepdims=True)
        return -encoder @ np.log([0.9, 0.1]), (encoder * np.log(2 * encoder)).sum(1)

    distortion, rate = best(np.geomspace(1 / 16, 16, 80))
    left.plot(rate, distortion, color="gray", linewidth=3)
    for weight in (0.5, 1.0, 2.0, 4.0):
        at, of = best(np.array([weight]))
        near = of + np.array([-0.12, 0.12])
        left.plot(near, beta_negative_elbo(at, of, beta=weight) - weight * near, label=rf"$\beta = {weight:g}$")
        left.plot(of, at, "o", color="gray")
    left.set(xlabel="rate, nats", ylabel="distortion, nats")
    left.legend()
    weights = np.linspace(0, 5, 101)
    for variance in (4, 2, 1):
        right.plot(weights, np.maximum(0, variance - weights), label=rf"$\lambda = {variance}$")
    right.set(xlabel=r"$\beta$", ylabel="$w^2$")
    right.legend()


@derivation.exercise(
    "What is the total correlation of two Gaussian coordinates with variances 4 and 9 and covariance 3.6?",
    r"$\rho = 0.6$, so it is $-\frac12 \log 0.64 = 0.2231$ nats.",
)
def correlated():
    yield gaussian_total_correlation(jnp.array([[[4.0, 3.6], [3.6, 9.0]]]))[0], "0.2231"


@derivation.exercise(
    "Two data are coded without noise in two bits with a uniform prior: once by 00 and 11, once by 00 and 01. What are the rate, "
    "the information, and the total correlation?",
    "The rate is 1.3863 and the information 0.6931 both times. The total correlation is 0.6931 for 00 and 11. For 00 and 01 it "
    "is 0.0000: the other 0.6931 nats are the divergence of the first bit, which never changes.",
)
def two_bits():
    for codes, dependence in (([[0.5, 0.0], [0.0, 0.5]], "0.6931"), ([[0.5, 0.5], [0.0, 0.0]], "0.0000")):
        law = np.array(codes)
        used = law > 0
        yield np.log(1 / 0.25), "1.3863"
        yield -(law[used] * np.log(law[used])).sum(), "0.6931"
        yield (law[used] * np.log(law[used] / np.outer(law.sum(1), law.sum(0))[used])).sum(), dependence


@derivation.exercise(
    r"At which weight has the linear latent with $\lambda = 4$ and $s = 1$ half the rate that it has at $\beta = 1$, and what is "
    r"its decoder's weight there?",
    r"At $\beta = 2$: the rate falls from $\frac12 \log 4 = 0.6931$ to $\frac12 \log 2 = 0.3466$, and $w^2 = 2$.",
)
def half_the_rate():
    yield value(linear_rate, {lam: 4, V: sqrt(3) / 4, t: Rational(1, 4)}), "0.6931"
    yield kl_to_standard_normal(jnp.array([[2 * math.sqrt(2) / 4]]), jnp.log(jnp.array([[0.5]])))[0], "0.3466"
