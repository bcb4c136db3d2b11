"""The beta-VAE: a price for every nat of the code.

The lecture on the functions of theory_jax/latent/beta_vae.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Rational, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.beta_vae import (
    beta_negative_elbo,
    capacity_objective,
    gaussian_total_correlation,
    kl_decomposition,
    pairwise_latent_log_density,
    stratified_log_importance,
)
from theory_jax.lectures.latent._beta_vae import draw_curve_and_latents
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
    question="The code of a VAE mixes what a person would keep apart. The usual remedy, a weight on the rate, blurs the "
    "reconstructions and switches latents off. What does the weighted loss optimize, which part of the rate makes the "
    "coordinates of a code independent, and when does the price of the rate switch a latent off?",
    setting=(
        r"An observation $x$ is fixed in the first part. Its latent variable $z$ has finitely many states with a prior $p(z)$, a "
        r"likelihood $e^{\ell(z)}$ of the observation, and an encoder $q(z|x)$, all positive.",
        r"In the second part there are $N$ data of weight $\frac1N$, and a code has coordinates. The prior is the product of its "
        "coordinates' distributions, and the encoder is diagonal: given the datum, its coordinates are independent.",
        r"In the last part data, decoder, encoder and prior are linear and Gaussian, as in the lecture on training a VAE.",
    ),
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
        prose(
            "{elbo}: the lecture on the evidence lower bound",
            elbo=holds(plus(D, R), "=", plus(-log(evidence), Divergence(q, posterior))),
        ),
        wrong={"the whole weight once more": plus(-log(evidence), Divergence(q, posterior), times(1 + delta, R))},
    ),
    at_least(
        -log(evidence),
        prose(
            r"leave out divergences (Gibbs); with $\delta$, equality only for {q} and {l}", q=where(q, prior), l=where(l, l.at(0))
        ),
        dropping=plus(gibbs.at(q, posterior), times(delta, gibbs.at(q, prior))),
    ),
    so=r"A larger weight gives a looser bound of $-\log p(x)$. Losses of different $\beta$ are no likelihoods to be compared; "
    r"compare $D + R$.",
    role="remark",
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
        r"the prior is tilted by $\ell$ at the price $\beta$: $T \ell$ is the logarithm of $p(x|z)^{1/\beta}$",
        wrong={"the weight forgotten": plus(-times(beta, log(Z)), Divergence(q, tempered))},
    ),
    at_least(
        -times(beta, log(Z)),
        prose("leave out the divergence; equality if and only if {best} for every $z$", best=where(q, tempered)),
        dropping=tilting.at(q, prior, l, beta),
    ),
    central=True,
    so=prose(
        r"At weight 1 it is the posterior, {posterior}. As $\beta$ grows the observation counts less, and the encoder moves to "
        r"the prior; as $\beta$ falls to 0 it keeps the states of the largest likelihood alone.",
        posterior=holds(tempered, "=", posterior, when={T: 1}),
    ),
)
D_best = derivation.define("D_T", -Expectation(tempered, l), "the distortion of the best encoder")
R_best = derivation.define("R_T", Divergence(tempered, prior), "its rate")
frontier = Slope(D_best, T) / Slope(R_best, T)
derivation.chain(
    "The weight is the slope of the curve of distortion and rate",
    Slope(R_best, T),
    equals(
        times(T, Variance(tempered, l)),
        prose(
            "{rate}, where {first} and {second}",
            rate=holds(R_best, "=", -plus(times(T, D_best), log(Z))),
            first=holds(Slope(log(Z), T), "=", -D_best),
            second=holds(Slope(D_best, T), "=", -Variance(tempered, l)),
        ),
        wrong={"the weight for its inverse": times(beta, Variance(tempered, l))},
    ),
    equals(-times(T, Slope(D_best, T)), "the last of these once more"),
    states=2,
    so=prose(
        "So the slope of the distortion in the rate is {slope} wherever the likelihood is not constant. And by the chain before, "
        r"{tangent} for every encoder: none with a rate of at most $R_T$ has a smaller distortion. $\beta$ is the multiplier of "
        "that constraint, and a sum over observations shares one multiplier.",
        slope=holds(frontier, "=", -beta, named=True),
        tangent=holds(D, ">=", plus(D_best, times(beta, R_best - R))),
    ),
)
terms, other_weight = {"negative_log_likelihood": [D], "kl": [R]}, {"the weight on the distortion": plus(times(beta, D), R)}
derivation.bridge("The code's loss", plus(D, times(beta, R)), beta_negative_elbo, **terms, beta=beta, wrong=other_weight)
derivation.answer = prose(
    "The weight is the multiplier of a constraint on the rate: along the best encoders the slope of the distortion in the rate "
    r"is {slope}, and the best encoder is the posterior of the likelihood to the power $\frac1\beta$. Averaged over data, the "
    "rate is the information about the datum, the total correlation of the code, and the divergences of its coordinates; only "
    r"the second measures dependence, and it can be weighted alone. A linear latent is switched off when $\beta$ times the noise "
    "reaches the variance that it explains.",
    slope=holds(frontier, "=", -beta, wrong={"its inverse": -T}, named=True),
)
gamma = derivation.number(r"\gamma", "how strongly the rate is drawn to the capacity", "gamma", positive=True)
C = derivation.number("C", "the capacity: the rate that is wanted", "capacity", positive=True)
aimed, square = plus(D, times(gamma, Abs(R - C))), {"a square": plus(D, times(gamma, (R - C) ** 2))}
derivation.bridge("... and with a target for the rate", aimed, capacity_objective, **terms, gamma=gamma, capacity=C, wrong=square)

derivation.say("Now the whole data set. The rate charges for everything in the code that is not as in the prior. What is that?")
k = derivation.index("k", "a datum", states=2)
N = derivation.count(k, "N", "how many data there are", "dataset_size")
a = derivation.index("a", "a state of the first coordinate", states=2)
b = derivation.index("b", "a state of the second coordinate", states=2)
code_1 = derivation.law("q_1({}|{})", (a, k), "the encoder of the first coordinate")
code_2 = derivation.law("q_2({}|{})", (b, k), "the encoder of the second coordinate")
prior_1 = derivation.law("p_1({})", a, "the prior of the first coordinate")
prior_2 = derivation.law("p_2({})", b, "the prior of the second coordinate")
every = derivation.define("q({},{})", Total(k, code_1 * code_2) / N, "the distribution of all codes", over=(a, b), positive=True)
every_1 = derivation.define("q_1({})", Total(k, code_1) / N, "the first coordinate's", over=a, law=True)
every_2 = derivation.define("q_2({})", Total(k, code_2) / N, "the second coordinate's", over=b, law=True)
given_1 = derivation.define("q({}|{})", every / every_1, "the second, given the first", over=(b, a), law=True)


def _mean(body):
    return Total(k, Expectation(code_1, Expectation(code_2, body))) / N


information = derivation.define("I", _mean(log(code_1 * code_2 / every)), "the mutual information of datum and code")
correlation = derivation.define(
    r"\mathrm{TC}", Total(a, Total(b, every * log(every / (every_1 * every_2)))), "the total correlation of the code"
)
surgery = derivation.chain(
    "The rate is information, dependence, and the divergences of the coordinates",
    Total(k, plus(Divergence(code_1, prior_1), Divergence(code_2, prior_2))) / N,
    equals(
        _mean(plus(log(code_1 * code_2 / every), log(every / (every_1 * every_2)), log(every_1 * every_2 / (prior_1 * prior_2)))),
        "the divergence of independent coordinates is a sum; multiply and divide by the distribution of all codes, and by the "
        "product of those of its coordinates",
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
    so=prose(
        r"A weight $\beta$ multiplies every term, also the information, which the decoder needs, and which is at most $\log N$, "
        "since {each}. To ask for independent coordinates alone, give a weight to the total correlation alone.",
        each=holds(code_1 * code_2, "<=", times(N, every)),
    ),
)
derivation.chain(
    "The total correlation is a divergence from independence",
    correlation,
    equals(
        Expectation(every_1, Divergence(given_1, every_2)),
        prose("{chain}: of two coordinates it is their mutual information", chain=holds(every, "=", times(every_1, given_1))),
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
codes, squared = {"z": y, "mean": m, "log_var": log(v)}, {"the variance squared": LogDensity(y, m, v**2)}
derivation.bridge("The code's densities of each coordinate", density, pairwise_latent_log_density, **codes, wrong=squared)
turned = {"the total correlation's sign": (parts[0], -parts[1], parts[2])}
derivation.bridge("The parts of one example's rate", parts, kl_decomposition, **codes, log_importance=log(omega), wrong=turned)
add_up = derivation.chain(
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
stratified = derivation.chain(
    "The estimated density is right on average",
    plus(u / n, times((n - 1) / (n * (B - 1)), (B - 1) / (n - 1), U)),
    equals(
        (u + U) / n,
        r"each other example is in the batch with probability $\frac{B - 1}{n - 1}$",
        wrong={"a batch for the whole data set": plus(u, times((B - 1) / (n - 1), U)) / B},
    ),
    role="lemma",
    so="The logarithm of an estimate that is right on average is never too large on average (Jensen).",
)


@derivation.exact(
    r"\mathbb{E}\left[\sum_{j} \omega_{ij}\, u_j\right] = \frac1n \sum_j u_j",
    because="The code's weights, with a density $u_j$ of example $j$: every batch of 3 among 6 that contains the first example. "
    "The first sum is over the batch, the second over all.",
    outcomes=10,
    role="lemma",
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
first, mean_2 = Normal(z_1, 0, sigma_1**2), rho * sigma_2 * z_1 / sigma_1
covariance = [[sigma_1**2, rho * sigma_1 * sigma_2], [rho * sigma_1 * sigma_2, sigma_2**2]]
not_squared = {"not halved": -log(1 - rho**2), "the correlation not squared": -log(1 - rho) / 2}
derivation.chain(
    "The total correlation of two Gaussian coordinates depends on their correlation alone",
    Expectation(first, Divergence(Normal(z_2, mean_2, sigma_2**2 * (1 - rho**2)), Normal(z_2, 0, sigma_2**2))),
    equals(
        plus(-log(1 - rho**2), 1 - rho**2, rho**2, -1) / 2,
        prose("the divergence of two Gaussians; {mean}", mean=holds(Expectation(first, mean_2**2), "=", rho**2 * sigma_2**2)),
    ),
    equals(-log(1 - rho**2) / 2, "three terms cancel", wrong={"not halved": -log(1 - rho**2)}),
    so=r"The scales do not count. For more coordinates with the covariance $\Sigma$ the trace cancels in the same way, and half "
    r"of $\sum_r \log \Sigma_{rr} - \log \det \Sigma$ is left.",
    role="remark",
)
derivation.bridge(
    "The code computes it", -log(1 - rho**2) / 2, gaussian_total_correlation, covariance=[covariance], wrong=not_squared
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
    "With a weight, the loss of a linear VAE is a constant and its gaps",
    plus(linear_distortion, times(beta, linear_rate)),
    equals(
        plus(times(beta / 2, plus(lam / c, log(c / (beta * s)))), slack),
        prose(
            "complete the square in $V$; of both terms in $t$, {both}", both=holds(plus(w**2 * t, times(beta, s, t)), "=", c * t)
        ),
    ),
    at_least(
        times(beta / 2, plus(lam / c, log(c / (beta * s)))),
        prose("leave out the gaps; equality at {V} and {t}", V=where(V, w / c), t=where(t, beta * s / c)),
        dropping=slack,
    ),
    equals(
        plus(times(beta / 2, plus(1, log(lam / (beta * s)))), times(beta / 2, tangent.at(lam / c))),
        prose("{split}", split=holds(log(c), "=", plus(log(lam), -log(lam / c)))),
    ),
    at_least(
        times(beta / 2, plus(1, log(lam / (beta * s)))),
        prose(r"leave out a gap; equality at {same}, for which $\beta s$ is at most $\lambda$", same=where(lam, c)),
        dropping=times(beta / 2, tangent.at(lam / c)),
    ),
    so=prose(
        "With {V}, {t} and {lam} the rate is {rate} and the distortion {distortion}, up to a constant. Their derivatives by "
        r"$\beta$ are $-\frac{1}{2\beta}$ and $\frac12$: the slope is $-\beta$ again.",
        **{"V": where(V, w / c), "t": where(t, beta * s / c), "lam": where(lam, c)},
        rate=holds(linear_rate, "=", log(lam / (beta * s)) / 2, named=True),
        distortion=holds(linear_distortion, "=", beta / 2, named=True),
    ),
    role="lemma",
)
derivation.say(
    r"Where $\beta s$ exceeds $\lambda$, no $w$ makes $c$ equal to $\lambda$. What the best $V$ and $t$ leave is $\frac \beta2 "
    r"\left(\frac \lambda c + \log c\right)$ and a constant. Compare it with the weight 0, where $c$ is $\beta s$."
)
excess = derivation.number(r"\varepsilon", r"by how much $\beta s$ exceeds $\lambda$", nonnegative=True)
off, on = plus(lam, excess), plus(w**2, lam, excess)
more = plus(tangent.at(off / on), w**2 * excess / (on * off))
derivation.chain(
    "A direction of less variance than the weight times the noise is switched off",
    plus(lam / on, log(on), -lam / off, -log(off)),
    equals(more, prose("{gap}", gap=holds(log(on / off), "=", plus(1, -off / on, tangent.at(off / on))))),
    at_least(0, prose("leave out both; zero only at {off}", off=where(w, 0)), dropping=more),
    so=prose(
        "So the best squared weight of the decoder is {best}: a latent is off exactly from the weight {last} of the rate on, and "
        "directions are given up one after another, those of the smallest variance first.",
        **{"best": Max(0, lam - beta * s), "last": lam / s},
    ),
)

_coin = {prior: (half, half), l: (log(Rational(9, 10)), log(Rational(1, 10)))}


@derivation.algorithm(
    "A training step with a weight on the total correlation alone",
    do(r"take a batch of $B$ of $n$ data; $y_i \sim q(\cdot|x_i)$, a code of each"),
    do(r"$\omega_{ij} \leftarrow$ the weights of the batch", stratified_log_importance, by=stratified),
    do(r"$\hat I_i, \widehat{\mathrm{TC}}_i, \hat K_i \leftarrow$ the three parts of the rate", kl_decomposition, by=add_up),
    do(r"a gradient step on the mean of $-\ell_i + \hat I_i + \beta\, \widehat{\mathrm{TC}}_i + \hat K_i$", by=surgery),
    do(
        r"with a weight on all of the rate: on that of $-\ell_i + \beta (\hat I_i + \widehat{\mathrm{TC}}_i + \hat K_i)$",
        beta_negative_elbo,
        by=central,
    ),
)
def two_batches():
    weights = stratified_log_importance(batch_size=2, dataset_size=3)
    for other, found, losses in (
        ((1.0, 1.0), "1.0974, 1.0028, 0.3998", "6.5084, 11"),
        ((1.0, 0.0), "1.0501, 0.0000, 1.1999", "3.25, 10"),
    ):
        codes = jnp.array([(0.0, 0.0), other])
        shares = jnp.array([part.mean() for part in kl_decomposition(codes, codes, jnp.full((2, 2), -2.0), weights)])
        yield rf"B = 2, n = 3, \text{{ codes }} (0, 0), {other}: \quad \hat I, \widehat{{\mathrm{{TC}}}}, \hat K", shares, found
        whole = beta_negative_elbo(jnp.ones(1), shares.sum()[None], beta=4.0)
        yield r"\beta = 4, -\ell = 1: \quad \text{both losses}", [1 + shares @ jnp.array([1.0, 4.0, 1.0]), *whole], losses


@derivation.example(
    r"A prior of one half each and the likelihoods 0.9 and 0.1. The best encoder is (0.9, 0.1) at weight 1 and $(\frac34, "
    r"\frac14)$ at weight 2. Then a batch of 2 among 3 data, with the densities 1, 2 and 6: its two batches that contain the "
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


derivation.figure(
    "Left: distortion and rate of the best encoders of the example, for weights of the rate from 16 to one sixteenth, and lines "
    "of equal loss through four of them: tangents, with minus the weight as slope. Right: the square of the decoder's weight of "
    "three latents with noise 1; each is off from the weight on that equals its variance.",
    panels=2,
)(draw_curve_and_latents)
