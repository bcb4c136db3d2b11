"""The hierarchical VAE: a second level is a prior for the first.

The lecture on the functions of theory_jax/latent/hierarchical_vae.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, cosh, exp, log, tanh

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, LogDensity, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.hierarchical_vae import (
    hierarchical_kl,
    hierarchical_negative_elbo,
    precision_weighted_product,
    residual_gaussian_kl,
    soft_clip,
)
from theory_jax.lectures.latent._hierarchical_vae import draw_priors_and_gains, gain, top_down
from theory_jax.lectures.latent.elbo import central as elbo_and_gap
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The hierarchical VAE: a second level is a prior for the first",
    sources=(
        "Sonderby, Raiko, Maaloe, Sonderby & Winther 2016, Ladder variational autoencoders",
        "Vahdat & Kautz 2020, NVAE: a deep hierarchical variational autoencoder",
        "Hoffman & Johnson 2016, ELBO surgery",
        "Child 2021, Very deep VAEs generalize autoregressive models",
    ),
    question="The codes of a VAE do not fill its simple prior, and samples from the gaps are bad. A second level of latents "
    "learns a better prior, but training often leaves it unused. How much can it gain, why is it left, and how are evidence from "
    "below and a prior from above combined?",
    setting=(
        r"The model draws $z_2$ from $p(z_2)$, then $z_1$ from $p(z_1|z_2)$, then $x$ from $p(x|z_1)$: only $z_1$ acts on $x$. "
        r"In the first chains $z_1$ and $z_2$ have finitely many states, and all probabilities are positive; for densities sums "
        "become integrals.",
        r"The encoder is any distribution of both, in either order of the factors: $q(z_2|x)\, q(z_1|z_2,x)$, or $q(z_1|x)\, "
        r"q(z_2|z_1,x)$. For both levels together the lecture on the evidence lower bound holds without a change.",
        r"For averages over data, the datum $k$ has the weight $w_k$, and $\bar q(z_1)$ is the distribution of all codes.",
        "Then the levels are Gaussians, given by mean and log-variance.",
    ),
    limits=(
        r"Decoders in which $x$ depends on $z_2$, too: the bound of the gain is then false as stated. Count the levels that $x$ "
        "depends on as one.",
        r"That training finds the best encoder, and what depth adds to the flexibility of $q(z_1|x)$. A network learns its "
        "message from below, and nothing forces it to be a likelihood.",
        "A skewed second level, which moves the third moment: its gain begins at third order.",
    ),
)

z_1 = derivation.index("z_1", "a state of the first level", states=2)
z_2 = derivation.index("z_2", "a state of the second level", states=2)
p_2 = derivation.law("p({})", z_2, "the prior of the second level")
p_1 = derivation.law("p({}|{})", (z_1, z_2), "the prior of the first level, given the second")
likelihood = derivation.numbers("p(x|{})", z_1, "the likelihood of the observation", positive=True)
q_2 = derivation.law("q({}|x)", z_2, "the encoder of the second level")
q_1 = derivation.law("q({}|{},x)", (z_1, z_2), "the encoder of the first level, given the second")


def _mean(body):
    return Expectation(q_2, Expectation(q_1, body))


levels = derivation.chain(
    "The rate has one term for each level",
    _mean(log(q_2 * q_1 / (p_2 * p_1))),
    equals(
        _mean(plus(log(q_2 / p_2), log(q_1 / p_1))),
        "the logarithm of a product; above and below there is one factor for each level",
    ),
    equals(
        plus(Divergence(q_2, p_2), Expectation(q_2, Divergence(q_1, p_1))),
        "the first term does not contain $z_1$; in the second, sum over $z_1$ first",
        wrong={"$z_2$ drawn from the prior": plus(Divergence(q_2, p_2), Expectation(p_2, Divergence(q_1, p_1)))},
    ),
    role="lemma",
    so="The second term is estimated with one sample of $z_2$ from the encoder, and the divergence of Gaussians "
    "$z_1$ in closed form: the code has one column for each level.",
)

prior = derivation.define("p({})", Total(z_2, p_2 * p_1), "the prior of the first level", over=z_1, law=True)
prior_top = derivation.define("p({}|{})", p_2 * p_1 / prior, "the second level, given the first", over=(z_2, z_1), law=True)
q = derivation.define("q({}|x)", Total(z_2, q_2 * q_1), "the encoder of the first level", over=z_1, law=True)
q_top = derivation.define(
    "q({}|{},x)", q_2 * q_1 / q, "the encoder of the second level, given the first", over=(z_2, z_1), law=True
)
two_levels = derivation.define(
    r"\mathrm{ELBO}_2",
    _mean(log(p_2 * p_1 * likelihood / (q_2 * q_1))),
    "the bound with two levels",
    "-hierarchical_negative_elbo",
)
one_level = plus(Expectation(q, log(likelihood)), -Divergence(q, prior))
price = Expectation(q, Divergence(q_top, prior_top))
derivation.answer = prose(
    r"A hierarchy is a VAE with one level whose prior is the mixture $p(z_1)$ of $p(z_1|z_2)$, minus a price for coding $z_2$: "
    "{bound}. So, with the encoder and the decoder of $z_1$ as they are, a second level gains on average at most the mismatch "
    "between the codes and the simple prior, a divergence. For a second level of two symmetric states the gain begins at fourth "
    "order in the dependence of $z_1$ on $z_2$: the collapsed model is flat. A prior from above and a likelihood from below are "
    "combined by adding precisions.",
    bound=holds(two_levels, "=", plus(one_level, -price), wrong={"the price forgotten": one_level}),
)
central = derivation.chain(
    "A hierarchy is a prior, and a price for coding the second level",
    two_levels,
    equals(
        Expectation(q, Expectation(q_top, plus(log(likelihood * prior / q), log(prior_top / q_top)))),
        prose(
            "both products in the other order, {order}, and the same for $q$",
            order=holds(times(p_2, p_1), "=", times(prior, prior_top)),
        ),
    ),
    equals(
        plus(one_level, -price),
        r"the first logarithm does not contain $z_2$; the second gives a divergence",
        wrong={"the price forgotten": one_level},
    ),
    at_most(one_level, "leave out the divergence (Gibbs)", adding=Expectation(q, gibbs.at(q_top, prior_top))),
    uses=(elbo_and_gap,),
    central=True,
    so=r"The last line is the bound of a VAE with one level and the prior $p(z_1)$. Equality needs $q(z_2|z_1,x)$ to be "
    r"$p(z_2|z_1)$: the best encoder of the second level does not use $x$, once it knows $z_1$.",
)

k = derivation.index("k", "a datum", states=2)
weight = derivation.law("w", k, "the weight of a datum")
code = derivation.law("q({}|{})", (z_1, k), "the encoder of the first level, for every datum")
decoder = derivation.numbers("p({}|{})", (k, z_1), "the likelihood of every datum", positive=True)
simple = derivation.law("p_0({})", z_1, "the simple prior of a VAE with one level")
codes = derivation.define(r"\bar q({})", Total(k, weight * code), "the distribution of all codes", over=z_1, law=True)


def _bound(of):
    return plus(Expectation(code, log(decoder)), -Divergence(code, of))


derivation.chain(
    "A better prior gains at most the mismatch of the codes and the simple prior",
    Expectation(weight, plus(_bound(prior), times(-1, _bound(simple)))),
    equals(Expectation(weight, plus(Divergence(code, simple), -Divergence(code, prior))), "the reconstructions cancel"),
    equals(
        plus(Divergence(codes, simple), -Divergence(codes, prior)),
        r"each rate is the information of datum and code plus a divergence of $\bar q$ (multiply and divide by $\bar q$); the "
        "information cancels",
        wrong={"the divergence of each datum": plus(Expectation(weight, Divergence(code, simple)), -Divergence(codes, prior))},
    ),
    at_most(
        Divergence(codes, simple),
        r"leave out a divergence (Gibbs); equality if and only if the prior $p(z_1)$ is $\bar q(z_1)$",
        adding=gibbs.at(codes, prior),
    ),
    so=r"With the chain before, $\mathrm{ELBO}_2$ exceeds the bound of one level by at most $\mathrm{KL}(\bar q \,\|\, p_0)$ "
    r"on average, for the same encoder and decoder of $z_1$. If the codes fill the simple prior, a second level gains nothing.",
)

flat = derivation.law(r"\pi({})", z_1, "a prior of the first level that does not depend on the second")
of_state = Total(z_1, p_2 * flat * likelihood)
derivation.chain(
    "A second level that the first does not use has no posterior of its own",
    of_state / Total(z_2, of_state),
    equals(
        p_2 * Total(z_1, flat * likelihood) / (Total(z_2, p_2) * Total(z_1, flat * likelihood)),
        r"the first line is $p(z_2|x)$ by Bayes' rule; neither $\pi$ nor the likelihood contains $z_2$, so their sum cancels",
    ),
    equals(p_2, "the prior sums to one", wrong={"a uniform one": Rational(1, 2)}),
    role="lemma",
    so=r"If $p(z_1|z_2)$ ignores $z_2$, the exact posterior of $z_2$ is its prior. The collapsed model is consistent. How "
    "strongly does training leave it?",
)
z = derivation.number("z", "a code of the first level, now a number")
theta = derivation.number(r"\theta", "the dependence of the first level on the second", between=(0, 1))
rest = 1 - theta**2
two_humps = (exp(LogDensity(z, theta, rest)) + exp(LogDensity(z, -theta, rest))) / 2
log_ratio = plus(-log(rest) / 2, z**2 / 2, -(z**2 + theta**2) / (2 * rest), log(cosh(theta * z / rest)))
derivation.say(
    r"Let $z_2$ be 1 or $-1$ with equal chances, and $z_1$ given $z_2$ normal with mean $\theta z_2$ and variance $1 - "
    r"\theta^2$. The variance of $z_1$ is 1 for every $\theta$, and without dependence the prior is the simple one, "
    r"$\mathcal{N}(0, 1)$."
)
ratio = derivation.chain(
    "The prior of two states above, relative to the simple one",
    plus(log(two_humps), -LogDensity(z, 0, 1)),
    equals(
        log_ratio,
        r"take out $\frac{1}{\sqrt{1 - \theta^2}}$ and the even part of the exponents",
        points=40,
        wrong={"the variance 1 in each state": plus(-(theta**2) / 2, log(cosh(theta * z)))},
    ),
    role="lemma",
)
derivation.chain(
    "The gain begins at fourth order",
    Limit(log_ratio / theta**4, theta, 0),
    equals(
        times(-Rational(1, 12), plus(z**4, -6 * z**2, 3)),
        r"the series of the last line in $\theta$: the orders 1 to 3 vanish",
        wrong={"the second order": -(z**2 - 1) / 2},
    ),
    uses=(ratio,),
    so=prose(
        r"Average over codes of mean 0 and variance 1: the gain is $-\frac{\kappa_4}{12} \theta^4$ at first, where $\kappa_4$, "
        "the mean of $z^4$ less 3, is their excess kurtosis; for Gaussian codes {none}. Even with a perfect $q(z_2|z_1)$ the "
        "collapsed model has zero slope and curvature in this direction, and at fourth order only codes with less kurtosis "
        "than a Gaussian gain.",
        none=holds(Expectation(Normal(z, 0, 1), plus(z**4, -6 * z**2, 3)), "=", 0),
    ),
)

m_a = derivation.number("m_a", "the mean of the first Gaussian", "mean_a")
m_b = derivation.number("m_b", "the mean of the second", "mean_b")
v_a = derivation.number("v_a", "the variance of the first Gaussian", "e^log_var_a", positive=True)
v_b = derivation.number("v_b", "that of the second", "e^log_var_b", positive=True)
m = (m_a / v_a + m_b / v_b) / (1 / v_a + 1 / v_b)
v = 1 / (1 / v_a + 1 / v_b)
both = plus(LogDensity(z, m_a, v_a), LogDensity(z, m_b, v_b))
product = derivation.chain(
    "The product of two Gaussians is a Gaussian, and precisions add",
    both,
    equals(
        plus(LogDensity(z, m, v), LogDensity(m_a, m_b, v_a + v_b)),
        prose(
            "complete the square: in the sum, $z^2$ has the factor {square}, and $z$ has {linear}",
            square=holds(Slope(both, z, 2) / 2, "=", -plus(1 / v_a, 1 / v_b) / 2, named=True),
            linear=holds(Slope(both, z), "=", plus(m_a / v_a, m_b / v_b), when={z: 0}, named=True),
        ),
        wrong={
            "variances added": plus(LogDensity(z, m, v_a + v_b), LogDensity(m_a, m_b, v_a + v_b)),
            "the mean of the means": plus(LogDensity(z, (m_a + m_b) / 2, v), LogDensity(m_a, m_b, v_a + v_b)),
            "a constant with one variance": plus(LogDensity(z, m, v), LogDensity(m_a, m_b, v_a)),
        },
    ),
    so=r"The last term does not contain $z$: the product is a Gaussian. Precisions add, and each mean counts by its precision.",
)
factors = {"mean_a": [[m_a]], "log_var_a": [[log(v_a)]], "mean_b": [[m_b]], "log_var_b": [[log(v_b)]]}
other_mean = {"the mean of the means": ((m_a + m_b) / 2, log(v)), "variances added": (m, log(v_a + v_b))}
derivation.bridge("The code's product", (m, log(v)), precision_weighted_product, **factors, wrong=other_mean)
y = derivation.number("y", "the second level, now a number")
x = derivation.number("x", "the observation, now a number")
s = derivation.number("s", "the variance of the first level, given the second", positive=True)
r = derivation.number("r", "the variance of the observation", positive=True)
derivation.chain(
    "A prior from above times a likelihood from below gives the exact posterior",
    plus(LogDensity(z, y, s), LogDensity(x, z, r)),
    equals(
        plus(LogDensity(z, (r * y + s * x) / (r + s), r * s / (r + s)), LogDensity(x, y, r + s)),
        prose("the product of two Gaussians, as {turned}", turned=holds(LogDensity(x, z, r), "=", LogDensity(z, x, r))),
        wrong={
            "the prior counted twice": plus(
                LogDensity(z, (2 * r * y + s * x) / (2 * r + s), r * s / (2 * r + s)), LogDensity(x, y, r + s)
            )
        },
    ),
    uses=(product,),
    role="remark",
    so="By Bayes' rule the two factors are $p(z_1|z_2,x)$ and $p(x|z_2)$, at $y$ for $z_2$: the product of "
    "prior and likelihood is the exact posterior. A message from below that is already a posterior contains the prior, which "
    "then counts twice.",
)

mu = derivation.number(r"\mu", "the mean of a prior", "prior_means")
t = derivation.number("v", "its variance", "e^prior_log_var", positive=True)
delta = derivation.number(r"\delta", "what the posterior's mean has above it", "delta_mean")
w = derivation.number(r"\omega", "the logarithm of the ratio of the variances", "delta_log_var")
residual = times(Rational(1, 2), plus(delta**2 / t, exp(w), -1, -w))
derivation.chain(
    "A level that adds nothing to its prior costs nothing",
    Divergence(Normal(z, mu + delta, t * exp(w)), Normal(z, mu, t)),
    equals(
        times(Rational(1, 2), plus(log(t / (t * exp(w))), (t * exp(w) + delta**2) / t, -1)), "the divergence of two Gaussians"
    ),
    equals(
        residual,
        r"$v$ cancels but below $\delta^2$, and $\mu$ is gone",
        wrong={"the posterior's variance below the mean": times(Rational(1, 2), plus(delta**2 / (t * exp(w)), exp(w), -1, -w))},
    ),
    at_least(
        0,
        prose(
            r"leave out a square and the gap at $e^\omega$; zero if and only if {mean} and {width}",
            mean=where(delta, 0),
            width=where(w, 0),
        ),
        dropping=times(Rational(1, 2), plus(delta**2 / t, tangent.at(exp(w)))),
    ),
    role="remark",
    so=r"A level that adds nothing costs nothing, and the network need not copy $\mu$ for that: outputs of zero "
    "suffice.",
)
changes = {"delta_mean": [[delta]], "delta_log_var": [[w]], "prior_log_var": [[log(t)]]}
other_width = {"the posterior's variance below the mean": plus(delta**2 / (t * exp(w)), exp(w), -1, -w) / 2}
derivation.bridge("The code's residual form", residual, residual_gaussian_kl, **changes, wrong=other_width)
i = derivation.index("i", "a level", states=2)
means = derivation.numbers("m", i, "the mean of a level's posterior", "posterior_means")
variances = derivation.numbers("v", i, "its variance", "e^posterior_log_vars", positive=True)
prior_means = derivation.numbers("n", i, "the mean of the level's prior", "prior_means")
prior_variances = derivation.numbers("u", i, "its variance", "e^prior_log_vars", positive=True)
rate = plus(log(prior_variances / variances), (variances + (means - prior_means) ** 2) / prior_variances, -1) / 2


def _levels(entry, of=lambda number: number):
    return tuple([[of(entry.at(level))]] for level in (0, 1))


derivation.bridge(
    "The code's column for each level",
    rate,
    hierarchical_kl,
    **{"posterior_means": _levels(means), "posterior_log_vars": _levels(variances, log)},
    **{"prior_means": _levels(prior_means), "prior_log_vars": _levels(prior_variances, log)},
    wrong={"the standard normal for a level's prior": (variances + means**2 - 1 - log(variances)) / 2},
)
cost = derivation.number("C", "the negative log-likelihood of an example", "negative_log_likelihood")
rates = derivation.numbers("R", i, "the rate of a level", "kl_levels")
prices = derivation.numbers(r"\lambda", i, "the weight of a level", "level_weights", positive=True)
weighted, on_cost = plus(cost, Total(i, prices * rates)), plus(times(Total(i, prices), cost), Total(i, rates))
terms = {"negative_log_likelihood": [cost], "kl_levels": [rates], "level_weights": prices}
derivation.bridge("The code's loss", weighted, hierarchical_negative_elbo, **terms, wrong={"weights on the cost": on_cost})


@derivation.numeric(
    r"\mathrm{KL}(q(z_2)\, q(z_1|z_2) \,\|\, p(z_2)\, p(z_1|z_2)) = \mathrm{KL}(q(z_2) \,\|\, p(z_2)) + \mathbb{E}_{q(z_2)} "
    r"\mathrm{KL}(q(z_1|z_2) \,\|\, p(z_1|z_2))",
    because="The code's two columns, averaged over $z_2$ by Gauss-Hermite quadrature, compared with the divergence of the joint "
    "Gaussians in two dimensions, by their covariance matrices.",
    uses=(levels,),
    role="remark",
)
def a_joint_gaussian():
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    mean = np.array([0.7, 0.7 / 2 + 1])
    covariance = np.array([[0.5, 0.25], [0.25, 0.25 + 0.5 / 4]])
    of_prior = np.linalg.inv(np.array([[1.0, 1.0], [1.0, 3.0]]))
    joint = np.trace(of_prior @ covariance) + mean @ of_prior @ mean - 2 - np.linalg.slogdet(of_prior @ covariance)[1]
    return Sides(
        left=top_down(0.7 + np.sqrt(0.5) * nodes, weights).sum(),
        right=joint / 2,
        wrong={"$z_2$ drawn from the prior": top_down(nodes, weights).sum()},
    )


L = derivation.number("L", "the limit of the soft clip", "limit", positive=True)
a = derivation.number("a", "what is clipped", "x")
clipped = L * tanh(a / L)
derivation.chain(
    "A soft clip keeps a slope everywhere",
    Slope(clipped, a),
    equals(
        1 - (clipped / L) ** 2,
        prose("{slope}", slope=holds(Slope(tanh(a), a), "=", 1 - tanh(a) ** 2)),
        wrong={"the slope of a clamp": 1},
    ),
    role="remark",
    so=prose(
        "Since {within}, a log-variance stays within $(-L, L)$ and its slope is never zero; at 0 it is 1.",
        within=holds(tanh(a / L) ** 2, "<", 1),
    ),
)
derivation.bridge("The code's soft clip", clipped, soft_clip, x=[a], limit=L, wrong={"no limit in front": tanh(a / L)})


@derivation.algorithm(
    r"A top-down pass of two levels, here from 3: the message is $\mathcal{N}(3, \frac12)$ and $q(z_2|x)$ is "
    r"$\mathcal{N}(\frac12, \frac12)$",
    do(r"from $x$: a message $m_b, v_b$ to the first level, and $q(z_2|x)$"),
    do(r"$z_2 \sim q(z_2|x)$, which gives the prior $m_a, v_a$ of the first level"),
    do(r"$q(z_1|z_2,x) \leftarrow$ the product of both; $z_1 \sim q(z_1|z_2,x)$", precision_weighted_product, by=product),
    do(r"$R_i \leftarrow$ the rate of each level", hierarchical_kl, by=levels),
    do(r"a gradient step on $-\log p(x|z_1) + \sum_i \lambda_i R_i$", hierarchical_negative_elbo, by=central),
)
def two_passes():
    zero, half = jnp.zeros((1, 1)), jnp.log(jnp.full((1, 1), 0.5))
    for top, found, loss in ((0.0, "2, 0.2216, 2.2160", "3.8565"), (1.0, "2.3333, 0.2216, 1.1049", "2.4676")):
        mean, log_var = precision_weighted_product(zero + top, zero, zero + 3, half)
        kl = hierarchical_kl((zero + 0.5, mean), (half, log_var), (zero, zero + top), (zero, zero))
        yield rf"z_2 = {top:g}: \quad \text{{mean, }} R_2, R_1", [*mean[0], *kl[0]], found
        cost = ((3 - mean[0]) ** 2 + jnp.log(2 * jnp.pi)) / 2  # at the mean of z_1, with noise 1
        yield r"\text{the loss, } z_1 \text{ at its mean}", hierarchical_negative_elbo(cost, kl, jnp.ones(2)), loss


@derivation.example(
    r"Levels: $q(z_2|x)$ is (0.9, 0.1) with a uniform prior; $q(z_1|z_2,x)$ is (0.8, 0.2) or (0.2, 0.8), and $p(z_1|z_2)$ is "
    r"(0.6, 0.4) or (0.5, 0.5). Residual: 1 above a prior's mean, and half of its variance of 4. Product: $\mathcal{N}(0, 1)$ "
    r"and $\mathcal{N}(3, \frac12)$. Gain: two data of weights $\frac34$ and $\frac14$ with the codes (0.9, 0.1) and (0.1, 0.9), "
    "and a uniform simple prior. Then codes with two humps, 0.9 on either side of 0 with the variance 0.19 each."
)
def by_hand():
    top = value(Divergence(q_2, p_2), {q_2: (Rational(9, 10), Rational(1, 10)), p_2: (Rational(1, 2), Rational(1, 2))})
    below = np.array([0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.2 / 0.4), 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.5)])
    yield r"\mathrm{KL}(q(z_2|x) \,\|\, p(z_2))", top, "0.3681"
    yield r"\text{first level, on average}", below @ [0.9, 0.1], "0.1016"
    yield r"\text{first level, by the prior's}\ z_2", below.mean(), "0.1421"
    yield r"\text{rate}", top + below @ [0.9, 0.1], "0.4697"
    yield residual, value(residual, {delta: 1, t: 4, w: -log(2)}), "0.2216"
    mean, log_var = precision_weighted_product(*(jnp.array([[of]]) for of in (0.0, 0.0, 3.0, np.log(0.5))))
    yield r"\text{product: mean and variance}", [mean[0, 0], np.exp(log_var[0, 0])], "(2.0000, 0.3333)"
    yield r"\text{most that a second level gains}", 0.7 * np.log(0.7 / 0.5) + 0.3 * np.log(0.3 / 0.5), "0.0823"
    yield r"\text{gain at}\ \theta = 0.1, 0.3, 0.9", gain([0.1, 0.3, 0.9]), "(0.000011, 0.00103, 0.1893)"


derivation.figure(
    "Left: codes with two humps (gray), and the prior of two states above for four strengths of their dependence; at 0.9 it is "
    "the distribution of the codes. Right: what it gains, and the leading term: flat where there is no dependence.",
    panels=2,
)(draw_priors_and_gains)
