"""Guessing the code from the image: what regression estimates, and the information that it bounds.

The lecture on the functions of theory_jax/adversarial/latent_regression.py.
"""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from sympy import KroneckerDelta, Rational, exp, log, pi

from theory_jax.adversarial.latent_regression import (
    categorical_information_bound,
    gaussian_information_bound,
    latent_regression_loss,
    linear_generator_inverse,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, LogDensity, Normal, SquaredNorm, Total, plus, times
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Guessing the code from the image: what regression estimates, and the information that it bounds",
    lectures=(11,),
    sources=(
        "Barber & Agakov 2003, The IM algorithm: a variational approach to information maximization",
        "Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel 2016, InfoGAN",
        "Zhu, Krahenbuhl, Shechtman & Efros 2016, Generative visual manipulation on the natural image manifold",
        "Xia et al. 2022, GAN inversion: a survey",
    ),
    question="A generator makes images from codes, so pairs of both are free. A network is trained to guess the code from the "
    "image. What does it learn, when is the guess wrong although it was learned perfectly, and what has it to do with "
    "information?",
    setting=(
        "Codes $z$ have the prior $p(z)$, and the generator makes $x$ with probability $p(x|z)$; both have finitely many values "
        "and positive probabilities, or are Gaussian where stated. The network's guess is a law $q(z|x)$, positive too.",
        r"The information of $z$ and $x$ is $I = \mathbb{E}[\log p(z|x) - \log p(z)]$, the mean over both.",
        r"The linear generator is $x = W z + b$, observed with or without noise.",
    ),
    answer=r"Maximizing the mean of $\log q(z|x)$ maximizes a lower bound of the information, which is tight at the posterior. A "
    "squared error is this bound with a variance fixed at 1; its minimum is the posterior mean, which is no code at all where "
    "several codes give the same image. For a linear generator it is ridge regression.",
    limits=(
        "Real images: the network has seen only generated ones, and nothing bounds its error elsewhere.",
        "Deterministic generators of continuous codes, with infinite information: the bound stays finite, as its variance does.",
    ),
    trained="`adversarial/gan_inversion` trains such a regression and compares it with inversion by optimization.",
)

z = derivation.index("z", "a code")
x = derivation.index("x", "an image")
prior = derivation.law("p({})", z, "the prior of the codes")
like = derivation.law("p({}|{})", (x, z), "the generator: the probability of an image, given the code")
evidence = derivation.define("p({})", Total(z, prior * like), "the probability of an image", over=x, positive=True)
post = derivation.define("p({}|{})", prior * like / evidence, "the posterior of the code", over=(z, x), law=True)
q = derivation.law("q({}|{})", (z, x), "the network's guess")


def _mean(body):
    """Its expectation over codes and their images."""
    return Expectation(prior, Expectation(like, body))


information = derivation.define("I", _mean(log(post / prior)), "the information of code and image, in nats")
derivation.chain(
    "The likelihood of the guess bounds the information",
    plus(_mean(log(q)), Entropy(prior)),
    equals(
        plus(_mean(log(post / prior)), -_mean(log(post / q))),
        r"$H = -\mathbb{E}[\log p(z)]$; add and subtract $\log p(z|x)$",
        wrong={"the entropy subtracted": plus(_mean(log(post * prior)), -_mean(log(post / q)))},
    ),
    equals(
        plus(information, -Total(x, evidence * Divergence(post, q))),
        r"$p(z)\, p(x|z) = p(x)\, p(z|x)$: the second mean is one of divergences",
    ),
    at_most(
        information,
        r"leave out the divergences (Gibbs); equality if and only if $q(z|x) = p(z|x)$ everywhere",
        adding=Total(x, evidence * gibbs.at(post, q)),
    ),
    states=2,
    central=True,
    so="The entropy of the codes is known. So a network that is trained by likelihood to guess the code learns the posterior, "
    "and a generator that is trained to make the guess easy keeps more information about its code in the image: that is InfoGAN.",
)

derivation.say("A plain regression guesses a number and pays the square of its error. What does it learn?")
v = derivation.numbers("v", z, "the value of a code", "z")
guess = derivation.numbers("g", x, "the network's guess, of an image", "z_predicted")
middle = derivation.define("m", Expectation(post, v), "the posterior mean", over=x)
derivation.chain(
    "A squared error learns the posterior mean",
    _mean((v - guess) ** 2),
    equals(
        plus(_mean((v - middle) ** 2), 2 * _mean((v - middle) * (middle - guess)), _mean((middle - guess) ** 2)),
        "add and subtract the posterior mean, and expand the square",
        wrong={
            "the cross term once": plus(_mean((v - middle) ** 2), _mean((v - middle) * (v - guess)), _mean((middle - guess) ** 2))
        },
    ),
    equals(
        plus(_mean((v - middle) ** 2), Total(x, evidence * (middle - guess) ** 2)),
        r"given the image, $v_z - m_x$ has the mean 0, and the rest is constant",
        wrong={"halved": plus(_mean((v - middle) ** 2), Total(x, evidence * (middle - guess) ** 2) / 2)},
    ),
    at_least(
        _mean((v - middle) ** 2),
        r"leave out a square; equality if and only if $g = m$ for every image",
        dropping=Total(x, evidence * (middle - guess) ** 2),
        wrong={"nothing is left": 2 * _mean((v - middle) ** 2)},
    ),
    states=2,
    so=r"If $z$ and $-z$ give the same image and are equally likely, the posterior mean is 0: two right answers are averaged to "
    "a wrong one, and no amount of training helps. What is left is the variance of the posterior.",
)

c = derivation.number("z", "a coordinate of the code")
mu = derivation.number(r"\mu", "the guessed mean", "mean")
s = derivation.number("s", "the guessed variance", "exp(log_var)", positive=True)
bound_c = derivation.define(
    r"\beta",
    plus(LogDensity(c, mu, s), log(2 * pi) / 2, Rational(1, 2)),
    "the bound's term, of a coordinate",
    "gaussian_information_bound",
)
derivation.chain(
    "With a Gaussian guess the bound is a squared error",
    plus(LogDensity(c, mu, s), Entropy(Normal(c, 0, 1))),
    equals(
        bound_c,
        r"the entropy of a standard Gaussian is $\frac12 \log 2\pi + \frac12$",
        wrong={"without the half": bound_c - Rational(1, 2)},
    ),
    equals(
        times(Rational(1, 2), plus(1, -log(s), -((c - mu) ** 2) / s)),
        r"$\frac12 \log 2\pi$ cancels",
        wrong={"the standard deviation": times(Rational(1, 2), plus(1, -log(s), -((c - mu) ** 2) / s**2))},
    ),
    so=r"With $s = 1$ it is $\frac12 - \frac12 (z - \mu)^2$: who minimizes the squared error maximizes the bound at a variance "
    "that is fixed at 1. Coordinates add up, each with its own half.",
)

derivation.say("How much does the fixed variance lose? Let code and image be standard Gaussians with a correlation.")
rho = derivation.number(r"\rho", "the correlation of code and image", between=(-1, 1))
rest = derivation.define(r"\nu", 1 - rho**2, "the variance of the code, given the image", positive=True)
u = derivation.number("u", "the image, a number")
a = derivation.number("a", "the slope of the guessed mean")


def _over_pairs(body):
    return Expectation(Normal(u, 0, 1), Expectation(Normal(c, rho * u, 1 - rho**2), body))


derivation.chain(
    "The bound of a linear guess, and its maximum",
    _over_pairs(plus(LogDensity(c, a * u, s), log(2 * pi) / 2, Rational(1, 2))),
    equals(
        times(Rational(1, 2), plus(1, -log(s), -(1 - 2 * a * rho + a**2) / s)), r"$\mathbb{E}[(z - a u)^2] = 1 - 2 a \rho + a^2$"
    ),
    equals(times(Rational(1, 2), plus(1, -log(s), -(plus(1 - rho**2, (a - rho) ** 2)) / s)), "complete the square"),
    at_most(
        times(Rational(1, 2), plus(1, -log(s), -(1 - rho**2) / s)),
        r"leave out the square: $a = \rho$ is best",
        adding=(a - rho) ** 2 / (2 * s),
    ),
    equals(
        plus(-log(1 - rho**2) / 2, -times(Rational(1, 2), tangent.at(rest / s))),
        r"add and subtract $\log \nu$, with $\nu = 1 - \rho^2$; the rest is $t - 1 - \log t$ at $t = \nu/s$",
        wrong={
            "not halved": plus(-log(1 - rho**2) / 2, -tangent.at(rest / s)),
            "the information doubled": plus(-log(1 - rho**2), -times(Rational(1, 2), tangent.at(rest / s))),
        },
    ),
    at_most(
        -log(1 - rho**2) / 2,
        r"leave out a gap of the logarithm, zero if and only if $s = \nu$",
        adding=times(Rational(1, 2), tangent.at(rest / s)),
        wrong={"the bound at variance 1": rho**2 / 2},
    ),
    so=r"At the fixed variance $s = 1$ the best bound is $\frac12 \rho^2$, however large the information is.",
)
derivation.chain(
    "... which is the information",
    _over_pairs(plus(LogDensity(c, rho * u, 1 - rho**2), -LogDensity(c, 0, 1))),
    equals(
        plus(-log(1 - rho**2) / 2, Rational(1, 2) * _over_pairs(plus(c**2, -((c - rho * u) ** 2) / (1 - rho**2)))),
        "write out both logarithms",
    ),
    equals(
        -log(1 - rho**2) / 2, "both squares have the mean 1", wrong={"no half": -log(1 - rho**2), "the sign": log(1 - rho**2) / 2}
    ),
    role="lemma",
)
derivation.bridge(
    "The code computes the bound",
    times(Rational(1, 2), plus(1, -log(s), -((c - mu) ** 2) / s)),
    gaussian_information_bound,
    z=[[c]],
    mean=[[mu]],
    log_var=[[log(s)]],
    wrong={"the log-likelihood": LogDensity(c, mu, s)},
)
target, guessed = (
    derivation.numbers("y", z, "a code, as a vector", "z"),
    derivation.numbers(r"\hat y", z, "the guess", "z_predicted"),
)
derivation.bridge(
    "... and the squared error",
    SquaredNorm(z, target - guessed),
    latent_regression_loss,
    z=[target],
    z_predicted=[guessed],
    wrong={"half of it": SquaredNorm(z, target - guessed) / 2, "the mean": SquaredNorm(z, target - guessed) / 4},
)

derivation.say(
    "Codes can be labels, too: $K$ of them, equally likely. A network is calibrated if among the images for which it forecasts "
    r"$r(\cdot|f)$ the labels have just these frequencies."
)
k = derivation.index("k", "a label")
K = derivation.count(k, "K", "the number of labels")
f = derivation.index("f", "a forecast")
weight_f = derivation.law("w", f, "how often each forecast is made")
r = derivation.law("r({}|{})", (k, f), "the forecast, and the frequency of the label where it is made")
uniform = derivation.define(r"\eta", 1 / K, "the prior of the labels", over=k, law=True)
of_labels = plus(Expectation(weight_f, Expectation(r, log(r))), log(K))
derivation.chain(
    "Calibrated forecasts never have a negative bound",
    of_labels,
    equals(
        Expectation(weight_f, Divergence(r, uniform)),
        r"$\log K = -\log \eta_k$ for every label",
        wrong={"without log K": Expectation(weight_f, -Entropy(r))},
    ),
    at_least(
        0,
        "leave out the divergences (Gibbs), zero if every forecast is uniform",
        dropping=Expectation(weight_f, gibbs.at(r, uniform)),
    ),
    states=2,
    so="An overconfident network is not calibrated, and its bound may fall below zero without limit.",
)
derivation.chain(
    "... and never one above log K",
    of_labels,
    equals(
        plus(log(K), -Expectation(weight_f, Expectation(r, plus(1 - r, tangent.at(r))))), r"$-\log r = 1 - r + (r - 1 - \log r)$"
    ),
    at_most(
        log(K),
        "leave out what is never negative; equality for sure forecasts only, which are right since they are calibrated",
        adding=plus(Expectation(weight_f, Expectation(r, 1 - r)), Expectation(weight_f, Expectation(r, tangent.at(r)))),
    ),
    states=2,
)
logit = derivation.numbers(r"\ell", k, "the forecast's logits", "logits")
derivation.bridge(
    "The code computes the term of label 0",
    plus(logit.at(0), -log(Total(k, exp(logit))), log(K)),
    categorical_information_bound,
    labels=[0],
    logits=[logit],
)

derivation.say(
    "A linear generator can be inverted exactly. The best code is the solution of a linear system, here for two codes."
)
d = derivation.index("d", "a pixel")
l = derivation.index("l", "a code's coordinate", states=2)  # noqa: E741 (the lecture's letter)
j = derivation.index("j", "another coordinate", states=2)
W = derivation.numbers("W", (d, l), "the generator's matrix", "weight")
o = derivation.numbers("o", d, "the image less the bias", "x - bias")
zeta = derivation.numbers(r"\zeta", l, "any code")
ridge = derivation.number(r"\kappa", "the price of a long code", "ridge", positive=True)
A = derivation.define(
    "A",
    Total(d, W * W.at(d, j)) + ridge * KroneckerDelta(l, j),
    r"the matrix $W^\top W + \kappa "
    r"I$",
    over=(l, j),
)
b = derivation.define("b", Total(d, W * o), r"the vector $W^\top o$", over=l)
trace = derivation.define(r"\mathrm{tr}", Total(l, A.at(l, l)), "the trace of $A$")
det = derivation.define("D", (trace**2 - Total(l, Total(j, A**2))) / 2, "its determinant")
best = derivation.define(
    r"\hat z", (trace * b - Total(j, A * b.at(j))) / det, "the solution of $A \\hat z = b$", "linear_generator_inverse", over=l
)
step = derivation.define(r"\delta", zeta - best, "how far a code is from it", over=l)
derivation.chain(
    "It solves the normal equations",
    Total(j, A * best.at(j)),
    equals(
        b,
        r"of two columns the inverse is $(\mathrm{tr}\, I - A)/D$, since $A^2 - \mathrm{tr}\, A + D I = 0$ (Cayley and Hamilton)",
        wrong={"without the ridge": b - ridge * best},
    ),
    role="lemma",
)
derivation.chain(
    "No code does better",
    plus(SquaredNorm(d, o - Total(l, W * zeta)), ridge * SquaredNorm(l, zeta)),
    equals(
        plus(
            SquaredNorm(d, o - Total(l, W * best)),
            ridge * SquaredNorm(l, best),
            SquaredNorm(d, Total(l, W * step)),
            ridge * SquaredNorm(l, step),
        ),
        r"expand around $\hat z$: the terms that are linear in $\delta$ are $-2 \delta^\top (b - A \hat z) = 0$",
        wrong={
            "not squared in the ridge": plus(
                SquaredNorm(d, o - Total(l, W * best)),
                ridge * SquaredNorm(l, best),
                SquaredNorm(d, Total(l, W * step)),
                ridge**2 * SquaredNorm(l, step),
            )
        },
    ),
    at_least(
        plus(SquaredNorm(d, o - Total(l, W * best)), ridge * SquaredNorm(l, best)),
        r"leave out squares; zero for $\delta = 0$ only",
        dropping=plus(SquaredNorm(d, Total(l, W * step)), ridge * SquaredNorm(l, step)),
        wrong={"without the price": SquaredNorm(d, o - Total(l, W * best)) + 2 * ridge * SquaredNorm(l, best)},
    ),
    sizes={d: 2},
    so=r"Divided by $2 \kappa$ the left side is $-\log p(x|\zeta) - \log p(\zeta)$ up to a constant, for noise of variance "
    r"$\kappa$ and the prior $\mathcal{N}(0, I)$: $\hat z$ is the most likely code, and for Gaussians also the posterior mean. "
    "Without noise and ridge the residual is orthogonal to the columns of $W$, and a code is found again exactly.",
)
derivation.bridge(
    "The code computes it",
    best,
    linear_generator_inverse,
    x=[o],
    weight=W,
    bias=[0.0] * 4,
    ridge=ridge,
    wrong={"not divided by the determinant": best * det, "the image itself": b},
)


@derivation.example(
    r"Two Gaussians with $\rho = 0.8$, at the best variance 0.36 and at variance 1. A label of two, forecast with 0.9: "
    "calibrated, and overconfident with 0.99. Last, a generator of three pixels, with $x = (2, 3, 1)$ and $b = 0$, without "
    "ridge and with 1."
)
def numbers_by_hand():
    rho, log_k = 0.8, np.log([[0.9, 0.1]])
    yield "I", -np.log(1 - rho**2) / 2, "0.510826"
    # the mean of a quadratic over a standard Gaussian is that over -1 and 1
    residual = np.sqrt([[1 - rho**2], [1 - rho**2]]) * np.array([[1.0], [-1.0]])
    for s, said in ((0.36, "0.510826"), (1.0, "0.32")):
        found = gaussian_information_bound(residual, np.zeros((2, 1)), np.full((2, 1), np.log(s)))
        yield rf"\beta \text{{ at }} s = {s:g}", found.mean(), said
    for forecast, said in ((0.9, "0.368064"), (0.99, "0.223585")):
        terms = categorical_information_bound(np.array([0, 1]), np.log([[forecast, 1 - forecast]] * 2))
        yield rf"\text{{forecast }} {forecast:g}", np.exp(log_k[0]) @ terms, said
    for kappa, said in ((0.0, "(2, 1)"), (1.0, "(1.375, 0.875)")):
        yield rf"\hat z \text{{ at }} \kappa = {kappa:g}", _inverse_of_three(kappa), said


def _inverse_of_three(kappa):
    matrix = jnp.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return linear_generator_inverse(jnp.array([[2.0, 3.0, 1.0]]), matrix, jnp.zeros(3), ridge=kappa)[0]


@derivation.figure(
    "Left: images $x = z^2$ with a little noise, and the regression of $z$ on $x$: it runs through the empty middle. Right: "
    "the bound against the guessed variance, for two correlations. Its maximum is the information (dots); at variance 1 it is "
    r"$\frac12 \rho^2$.",
    panels=2,
)
def two_answers_and_the_bound(codes, bounds):
    drawn = np.random.default_rng(0)
    code = drawn.standard_normal(400)
    image = code**2 + 0.1 * drawn.standard_normal(400)
    edges = np.quantile(image, np.linspace(0, 1, 9))
    inside = [(image >= low) & (image <= high) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    codes.plot(image, code, ".", markersize=3, label="pairs")
    codes.plot([image[part].mean() for part in inside], [code[part].mean() for part in inside], "o-", label="mean code")
    codes.set(xlabel="image, $x$", ylabel="code, $z$", xlim=(-0.5, 6))
    codes.legend()
    variances = np.linspace(0.08, 1.6, 60)
    for rho in (0.8, 0.5):
        residual = np.full((60, 1), np.sqrt(1 - rho**2))
        found = gaussian_information_bound(residual, np.zeros((60, 1)), np.log(variances)[:, None])
        (line,) = bounds.plot(variances, found, label=rf"$\rho = {rho:g}$")
        bounds.plot(1 - rho**2, -np.log(1 - rho**2) / 2, "o", color=line.get_color())
    bounds.axvline(1, color="gray", linewidth=1, linestyle=":")
    bounds.set(xlabel="guessed variance, $s$", ylabel="bound, nats", ylim=(-0.5, 0.6))
    bounds.legend()


@derivation.exercise(
    r"A network recovers a code of two coordinates without any error, and its variance is fixed at 1. What is the bound?",
    "1 nat, half a nat a coordinate, although the information of an invertible generator of continuous codes is infinite.",
)
def perfect_recovery():
    codes = jnp.array([[0.3, -1.2]])
    yield gaussian_information_bound(codes, codes, jnp.zeros((1, 2)))[0], "1"


@derivation.exercise(
    r"The code is 1 with probability $\frac34$ and otherwise $-1$, given the image. Which guess has the least squared error, "
    "and how large is it?",
    "The mean, 0.5, which is no code; the error is the variance, 0.75.",
)
def the_mean_of_two_codes():
    codes, weights = jnp.array([[1.0], [-1.0]]), np.array([0.75, 0.25])
    guesses = np.linspace(-1, 1, 9)
    errors = [weights @ latent_regression_loss(codes, jnp.full((2, 1), guess)) for guess in guesses]
    yield guesses[np.argmin(errors)], "0.5"
    yield min(errors), "0.75"


@derivation.exercise(
    r"For which variances is the bound zero, with $a = \rho = 0.8$?",
    r"$\log s + 0.36/s = 1$ at $s = 0.1133$ and at $s = 2.3290$: between them the guess is better than none.",
)
def no_better_than_nothing():
    def bound(s):
        return gaussian_information_bound(np.full((1, 1), 0.6), np.zeros((1, 1)), np.full((1, 1), np.log(s)))[0]

    for low, high, said in ((0.05, 0.3, "0.1133"), (1.0, 4.0, "2.3290")):
        yield brentq(bound, low, high), said
