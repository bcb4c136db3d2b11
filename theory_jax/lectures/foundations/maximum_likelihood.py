"""Maximum likelihood is minimum Kullback-Leibler divergence.

The lecture on the functions of theory_jax/foundations/maximum_likelihood.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log, pi

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Product, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.foundations.maximum_likelihood import (
    categorical_negative_log_likelihood,
    cross_entropy,
    empirical_distribution,
    entropy,
    gaussian_kl_divergence,
    gaussian_maximum_likelihood,
    gaussian_negative_log_likelihood,
    kl_divergence,
)
from theory_jax.lectures.foundations._maximum_likelihood import draw_fit_and_price, expected_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Maximum likelihood is minimum Kullback-Leibler divergence",
    lectures=(1,),
    sources=(
        "Cover & Thomas 2006, Elements of Information Theory, chapter 2",
        "Bishop 2006, Pattern Recognition and Machine Learning, sections 1.6 and 2.3",
        "Wilks 1938, for the price of estimation: 2N KL tends to chi-squared with K-1 degrees of freedom",
    ),
    question="A sample does not say what makes a model good: many models give it a positive probability, and often none of a "
    "family is right. Maximum likelihood takes the one under which the observed sample is most probable. In which sense is "
    "this model the nearest to the data, and what does it do when no model of the family fits?",
    setting=(
        r"A sample of $N$ labels is given, each one of $K$ categories, drawn independently. In the model category $k$ "
        r"has probability $q_k$. All probabilities are positive in the chains below; where $p_k = 0$ the term $p_k \log p_k$ "
        r"is its limit 0, and where $q_k = 0 < p_k$ the divergence is infinite.",
        r"Logarithms are natural, so everything is measured in nats.",
    ),
    limits=(
        "That the empirical distribution converges to the true one as the sample grows (the law of large numbers) is not shown.",
        "Of Wilks' theorem only the mean of the limit is checked here, not its chi-squared distribution.",
        "The best single Gaussian in reverse divergence is found numerically. It is not unique: there is one near each mode.",
    ),
)


@derivation.figure(
    "Left: the loss of the four labels over the model $q_1$. It touches its floor, the entropy of the sample, at $q_1 = 3/4$. "
    "Right: two modes, the Gaussian that matches their moments (forward divergence) and the Gaussian on one mode (reverse "
    "divergence).",
    panels=2,
)
def loss_and_two_fits(left, right):
    first = np.linspace(0.02, 0.98, 97)
    sample = np.log(np.tile([0.75, 0.25], (97, 1)))
    left.plot(first, cross_entropy(jnp.array(sample), jnp.log(np.stack([first, 1 - first], axis=1))), label="loss of the sample")
    left.axhline(float(entropy(jnp.array(sample[:1]))[0]), linestyle="--", color="gray", label="entropy of the sample")
    left.set(xlabel="$q_1$", ylabel="nats", ylim=(0.4, 2.0))
    left.legend()
    line = np.linspace(-9, 9, 400)
    right.fill_between(line, (_normal(line, -3, 0.5) + _normal(line, 3, 0.5)) / 2, alpha=0.3, label="data")
    right.plot(line, _normal(line, 0, 9.5), label="forward")
    right.plot(line, _normal(line, 3, 0.5), label="reverse")
    right.set(xlabel="$y$", ylabel="density", ylim=(0, 0.65))
    right.legend()


k = derivation.index("k", "a category")
j = derivation.index("j", "a category, next to $k$")
K = derivation.count(k, "K", "the number of categories", "num_categories")
c = derivation.numbers("c", k, "how often category $k$ occurs in the sample", positive=True)
N = derivation.define("N", Total(k, c), "the size of the sample", positive=True)
p_hat = derivation.define(r"\hat p", c / N, "the empirical distribution", "empirical_distribution", over=k, law=True)
p = derivation.law("p", k, "any distribution", "log_probs_p")
q = derivation.law("q", k, "the model", "log_probs_q")
derivation.symbol("t", "a positive number")

derivation.say(
    "Two lemmas carry the lecture, and most of this course. The graph of the logarithm is below its tangent at 1, by the gap "
    r"$t - 1 - \log t$ (lemmas/tangent). Averaged over the ratio of two distributions, this gap is their divergence, so a "
    "divergence is never negative: Gibbs' inequality (lemmas/gibbs)."
)

derivation.answer = prose(
    r"The average negative log-likelihood of a sample is an entropy plus a divergence, {sum}, where $\hat p$ is the empirical "
    "distribution. The entropy does not contain the model, so maximum likelihood minimizes the divergence from the data to the "
    "model. For a Gaussian that means matching the mean and the variance.",
    sum=holds(
        -Total(k, p_hat * log(q)),
        "=",
        plus(Entropy(p_hat), Divergence(p_hat, q)),
        wrong={"the divergence turned over": Entropy(p_hat) + Divergence(q, p_hat)},
    ),
)

central = derivation.chain(
    "The average negative log-likelihood of a sample is its entropy plus a divergence",
    -log(Product(k, q**c)) / N,
    equals(
        -Total(k, c * log(q)) / N,
        r"category $k$ contributes the factor $q_k$ as often as it occurs, and the logarithm of a product is a sum",
    ),
    equals(
        -Total(k, p_hat * log(q)),
        prose("{share}: the sample enters through its frequencies alone", share=holds(p_hat, "=", c / N)),
    ),
    equals(
        -Total(k, p_hat * plus(log(p_hat), -log(p_hat / q))),
        prose("{split}", split=holds(log(q), "=", plus(log(p_hat), -log(p_hat / q)))),
    ),
    equals(
        plus(Entropy(p_hat), Divergence(p_hat, q)),
        "the two sums are the entropy and the divergence",
        wrong={"the entropy of the model": Entropy(q) + Divergence(p_hat, q)},
    ),
    at_least(
        Entropy(p_hat),
        prose("leave out the divergence (Gibbs); equality if and only if {same} for all $k$", same=where(q, p_hat)),
        dropping=gibbs.at(p_hat, q),
    ),
    central=True,
    so=r"Only the divergence contains the model: to maximize the likelihood over a family of models is to minimize "
    r"$\mathrm{KL}(\hat p \,\|\, q)$ over it. If the family contains $\hat p$, the minimum is the entropy of the sample itself.",
)


_COUNTS = (3, 1, 2)
derivation.bridge(
    "The code's empirical distribution, of a sample in which three categories occur 3 times, once and twice",
    [Rational(round(6 * share), 6) for share in value(p_hat, {c: _COUNTS})],
    empirical_distribution,
    labels=jnp.array([0, 2, 0, 1, 0, 2]),
    num_categories=3,
    wrong={"the counts": list(_COUNTS), "every category alike": [Rational(1, 3)] * 3},
)


def _both_terms(log_probs_p, log_probs_q):
    return entropy(log_probs_p) + kl_divergence(log_probs_p, log_probs_q)


derivation.bridge(
    "The code computes the two terms",
    -Expectation(p, log(q)),
    _both_terms,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    calls=(entropy, kl_divergence),
    wrong={"the divergence alone": Divergence(p, q)},
)
derivation.bridge(
    "... and their sum is the cross entropy",
    -Total(k, p * log(q)),
    cross_entropy,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    wrong={"arguments swapped": -Total(k, q * log(p))},
)

l = derivation.numbers("l", k, r"the logits", "logits")  # noqa: E741 (the lecture's letter)
soft = derivation.define(r"\sigma", exp(l) / Total(j, exp(l.at(j))), "the softmax of the logits", over=k, law=True)
loss = derivation.define("L", -Total(k, p * log(soft)), "the cross entropy of the softmax from $p$")

derivation.chain(
    "The gradient in the logits is model minus data",
    Slope(loss, l.at(j)),
    equals(
        Slope(plus(log(Total(k, exp(l))), -Total(k, p * l)), l.at(j)),
        prose(
            "{softmax}, and {one}",
            softmax=holds(log(soft), "=", plus(l, -log(Total(j, exp(l.at(j)))))),
            one=holds(Total(k, p), "=", 1),
        ),
    ),
    equals(
        soft.at(j) - p.at(j),
        r"the derivative of $\log \sum_k e^{l_k}$ is the softmax",
        wrong={"data minus model": p.at(j) - soft.at(j), "weighted by the model once more": soft.at(j) * (soft.at(j) - p.at(j))},
    ),
    so=r"The gradient is zero where the softmax is $p$, and only there.",
)
v = derivation.numbers("v", k, "a direction in the space of logits")
derivation.chain(
    "The loss is convex, and flat only along a shift of all logits",
    Total(j, Total(k, v.at(j) * Slope(Slope(loss, l.at(j)), l) * v)),
    equals(
        Variance(soft, v),
        r"$\partial \sigma_j / \partial l_k$ is $\sigma_j(1 - \sigma_j)$ for $j = k$ and $-\sigma_j \sigma_k$ otherwise: the "
        r"covariance of a one-hot draw",
        wrong={"the square of the mean forgotten": Expectation(soft, v**2), "half of it": Variance(soft, v) / 2},
    ),
    at_least(0, "a variance is never negative", dropping=Variance(soft, v)),
    so=r"It is zero only if $v_k$ is the same for every $k$. A minimizer is therefore unique up to a shift of all logits, "
    r"which the softmax ignores. It exists if every category occurs; otherwise the logits of the missing ones run to $-\infty$.",
    role="lemma",
)

n = derivation.index("n", "a point of the sample of real numbers")
x = derivation.numbers("x", n, "the points", "x")
M = derivation.count(n, "M", "how many points there are")
m = derivation.number("m", "the mean of the model", "mean")
s = derivation.number("s", "the variance of the model", "e^log_var", positive=True)
x_bar = derivation.define(r"\bar x", Total(n, x) / M, "the mean of the points")
s_hat = derivation.define(r"\hat s", Total(n, (x - x_bar) ** 2) / M, "their variance, with $1/M$", positive=True)
nll = Rational(1, 2) * log(2 * pi * s) + Total(n, (x - m) ** 2) / (2 * s * M)
derivation.chain(
    "Of all Gaussians, the one with the mean and the variance of the sample is the most likely",
    nll,
    equals(
        plus(Rational(1, 2) * log(2 * pi * s), (s_hat + (x_bar - m) ** 2) / (2 * s)),
        prose(
            r"$x_n - m$ is {parts}, and the cross term sums to zero: {cross}",
            parts=plus(x - x_bar, x_bar - m),
            cross=holds(Total(n, times(x - x_bar, x_bar - m)), "=", 0),
        ),
        wrong={"the cross term kept": Rational(1, 2) * log(2 * pi * s) + (s_hat + (x_bar - m)) / (2 * s)},
    ),
    at_least(
        plus(Rational(1, 2) * log(2 * pi * s), s_hat / (2 * s)),
        prose("leave out a square, which is zero at {mean}", mean=where(m, x_bar)),
        dropping=(x_bar - m) ** 2 / (2 * s),
    ),
    equals(
        plus(Rational(1, 2) * log(2 * pi * s_hat), Rational(1, 2), tangent.at(s_hat / s) / 2),
        prose(
            r"{ratio} is 1 plus its logarithm plus the gap $t - 1 - \log t$ at $t = \hat s / s$",
            ratio=s_hat / s,
            said=(r"t = \hat s / s",),
        ),
    ),
    at_least(
        plus(Rational(1, 2) * log(2 * pi * s_hat), Rational(1, 2)),
        prose("leave out the gap of the logarithm, which is zero at {variance}", variance=where(s, s_hat)),
        dropping=tangent.at(s_hat / s) / 2,
    ),
    sizes={n: 3},
    so="The variance divides by $M$, not by $M - 1$: the estimate of the variance is biased downward, by the factor $(M - "
    "1)/M$ on average over independent points.",
)


def _of_one_coordinate(x):
    return gaussian_maximum_likelihood(x[:, None])


derivation.bridge(
    "The code returns this mean and the logarithm of this variance",
    (x_bar, log(s_hat)),
    _of_one_coordinate,
    x=x,
    calls=(gaussian_maximum_likelihood,),
    wrong={"the unbiased variance": (x_bar, log(s_hat * M / (M - 1)))},
)
derivation.bridge(
    "... and the loss of the model",
    M * nll,
    gaussian_negative_log_likelihood,
    x=[x],
    mean=[[m] * 4],
    log_var=[[log(s)] * 4],
    wrong={"the logarithm of the standard deviation": M * nll - log(s), "no constant": M * (nll - log(2 * pi) / 2)},
)

y = derivation.number("y", "a point on the line")
m_star = derivation.number(r"m^*", "the mean of the data")
s_star = derivation.number(r"s^*", "the variance of the data", positive=True)
data, model = Normal(y, m_star, s_star), Normal(y, m, s)
derivation.chain(
    "For any data, what another Gaussian loses is a divergence between Gaussians",
    Expectation(data, -model.log_density(y)) - Expectation(data, -data.log_density(y)),
    equals(
        plus(Rational(1, 2) * log(s / s_star), (s_star + (m_star - m) ** 2) / (2 * s), -Rational(1, 2)),
        r"both terms are quadratic in $y$: of the data they see the mean and the variance alone, so this line holds for every "
        r"distribution with these two moments, not for Gaussian data only",
        wrong={
            "the squared distance counted twice": log(s / s_star) / 2
            + (s_star + 2 * (m_star - m) ** 2) / (2 * s)
            - Rational(1, 2)
        },
    ),
    equals(Divergence(data, model), "the same two expectations once more, under the Gaussian with the moments of the data"),
    so=r"Forward divergence matches moments: a model that can have one bump only spreads it over everything that was seen.",
)
derivation.bridge(
    "The code computes the divergence",
    Divergence(data, model),
    gaussian_kl_divergence,
    mean_p=[[m_star]],
    log_var_p=[[log(s_star)]],
    mean_q=[[m]],
    log_var_q=[[log(s)]],
    wrong={"the half forgotten": 2 * Divergence(data, model)},
)

half = Rational(1, 2)
mixture = derivation.define(r"\mu", half * q + half * p, r"half of the model, half of $p$", over=k, law=True)
at_most_log_2 = derivation.chain(
    "The other direction forgives: a model pays at most log 2 for leaving out half of the data",
    Divergence(q, mixture),
    equals(plus(log(2), -Expectation(q, log(1 + p / q))), r"$q_k / (\frac12 q_k + \frac12 p_k) = 2 / (1 + p_k / q_k)$"),
    equals(
        plus(log(2), -Expectation(q, p / (p + q)), -Expectation(q, tangent.at(q / (p + q)))),
        r"$\log(1 + p_k/q_k) = -\log t$ at $t = q_k/(p_k + q_k)$, and $-\log t = 1 - t + (t - 1 - \log t)$",
    ),
    role="remark",
    uses=(tangent,),
    so=r"Both terms that are subtracted are never negative, so $\mathrm{KL}(q \,\|\, \frac12 q + \frac12 p) \le \log 2$ "
    r"whatever $p$ is: reverse divergence lets a model ignore a mode of the data, forward divergence makes it pay without "
    r"limit.",
)
derivation.chain(
    "The expected chi-squared distance of the frequencies is the number of categories less one, over that of draws",
    Total(k, Variance(p.at(j), KroneckerDelta(j, k)) / (2 * p)),
    equals(
        Total(k, (1 - p) / 2),
        r"one draw has variance $p_k (1 - p_k)$ in its indicator of $k$; $N$ draws have $1/N$ of it, and the factor $N$ "
        r"cancels it",
    ),
    equals((K - 1) / 2, "the distributions sum to one"),
    role="lemma",
)


@derivation.exact(
    r"\lim_{N \to \infty} N\, \mathbb{E}\left[\mathrm{KL}(\hat p \,\|\, p)\right] = \frac{K - 1}{2}",
    because="To second order $N$ times the divergence is half the chi-squared distance of the lemma above. Every count table "
    "of three categories is enumerated at $N = 40, 80, 160$, and the terms in $1/N$ and $1/N^2$ are extrapolated away.",
    outcomes=861 + 3321 + 13041,
    tolerance=1e-4,
    since="two extrapolations leave terms of order $1/N^3$",
    role="remark",
)
def the_price_of_estimation():
    at_40, at_80, at_160 = (n * expected_divergence(n, np.array([0.2, 0.3, 0.5])) for n in (40, 80, 160))
    once = 2 * at_80 - at_40, 2 * at_160 - at_80
    return Sides(left=(4 * once[1] - once[0]) / 3, right=1.0, wrong={"K for K - 1": 1.5, "a chi-squared without its half": 2.0})


derivation.figure(
    prose(
        "Left: the mean loss of six points over a Gaussian's mean and variance. Its least value, {least}, is at the mean and the "
        "variance of the points (dot). Right: how far the frequencies of $N$ labels are on average from their distribution on "
        "three categories. $N$ times it approaches half the expected chi-squared distance, {half}.",
        least=holds(nll, "=", plus(Rational(1, 2) * log(2 * pi * s_hat), Rational(1, 2)), when={m: x_bar, s: s_hat}, named=True),
        half=holds(Total(k, Variance(p.at(j), KroneckerDelta(j, k)) / (2 * p)), "=", (K - 1) / 2, named=True, wrong={"K": K / 2}),
    ),
    panels=2,
)(draw_fit_and_price)


@derivation.example("Four labels 1, 1, 1, 2 and the model that thinks both categories equally likely.")
def four_labels():
    given = {p: (0.75, 0.25), q: (0.5, 0.5)}
    yield r"\mathrm{NLL}", categorical_negative_log_likelihood(jnp.array([0, 0, 0, 1]), jnp.zeros((4, 2))).mean(), "0.6931"
    yield Entropy(p), value(Entropy(p), given), "0.5623"
    yield Divergence(p, q), value(Divergence(p, q), given), "0.1308"
    yield r"\hat m, \hat s\ \text{of the points}\ 0, 2", (value(x_bar, {x: (0, 2)}), value(s_hat, {x: (0, 2)})), "(1, 1)"


def _normal(x, mean, variance):
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
