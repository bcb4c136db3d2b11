"""Guessing the code from the image: what regression estimates, and the information that it bounds.

The lecture on the functions of theory_jax/adversarial/latent_regression.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
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
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
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
    question="Nobody knows the code of a given photograph, but a generator makes as many images with their codes as one likes. A "
    "network that is trained on them to guess the code may answer with a code that makes quite another image. What does it "
    "learn, when is the guess wrong although it was learned perfectly, and what has it to do with information?",
    setting=(
        "Codes $z$ have the prior $p(z)$, and the generator makes $x$ with probability $p(x|z)$; both have finitely many values "
        "and positive probabilities, or are Gaussian where stated. The network's guess is a distribution $q(z|x)$, positive too.",
        r"The information $I$ of $z$ and $x$ is $\mathbb{E}[\log p(z|x) - \log p(z)]$, the mean over both.",
        "The linear generator makes $W z$ and a bias, observed with or without noise.",
    ),
    limits=(
        "Real images: the network has seen only generated ones, and nothing bounds its error elsewhere.",
        "Deterministic generators of continuous codes, with infinite information: the bound is finite as long as the guessed "
        "variance is positive.",
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
derivation.answer = prose(
    "Maximizing the mean of {log} maximizes a lower bound of the information, {bound}, which at the posterior is {tight}. A "
    "squared error is this bound with a Gaussian of variance 1; its minimum is the posterior mean, which need not make the "
    "image, nor be a code at all, where several codes give the same image. For a linear generator with Gaussian noise and "
    "codes the best guess is ridge regression.",
    log=log(q),
    bound=plus(_mean(log(q)), Entropy(prior)),
    tight=holds(plus(_mean(log(q)), Entropy(prior)), "=", information, when={q: post}, named=True),
)
central = derivation.chain(
    "The likelihood of the guess bounds the information",
    plus(_mean(log(q)), Entropy(prior)),
    equals(
        plus(_mean(log(post / prior)), -_mean(log(post / q))),
        prose(r"{entropy}; add and subtract $\log p(z|x)$", entropy=holds(Entropy(prior), "=", -_mean(log(prior)))),
        wrong={"the entropy subtracted": plus(_mean(log(post * prior)), -_mean(log(post / q)))},
    ),
    equals(
        plus(information, -Total(x, evidence * Divergence(post, q))),
        prose("{bayes}: the second mean is one of divergences", bayes=holds(times(prior, like), "=", times(evidence, post))),
    ),
    at_most(
        information,
        prose("leave out the divergences (Gibbs); equality if and only if {same} everywhere", same=where(q, post)),
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
regression = derivation.chain(
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
        prose("given the image, {zero}, and the rest is constant", zero=holds(Expectation(post, v - middle), "=", 0)),
        wrong={"halved": plus(_mean((v - middle) ** 2), Total(x, evidence * (middle - guess) ** 2) / 2)},
    ),
    at_least(
        _mean((v - middle) ** 2),
        prose("leave out a square; equality if and only if {mean} for every image", mean=where(guess, middle)),
        dropping=Total(x, evidence * (middle - guess) ** 2),
        wrong={"nothing is left": 2 * _mean((v - middle) ** 2)},
    ),
    states=2,
    so="If $z$ and $-z$ give the same image and are equally likely, the posterior mean is 0: two right answers are averaged to a "
    "wrong one, and no amount of training helps. What is left is the variance of the posterior.",
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
gaussian = derivation.chain(
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
    so=prose(
        "With {fixed} it is {half}: who minimizes the squared error maximizes the bound at a variance that is fixed at 1. "
        "Coordinates add up, each with its own half.",
        fixed=where(s, 1),
        half=holds(bound_c, "=", plus(Rational(1, 2), -((c - mu) ** 2) / 2), named=True),
    ),
)

derivation.say("How much does the fixed variance lose? Let code and image be standard Gaussians with a correlation.")
rho = derivation.number(r"\rho", "the correlation of code and image", between=(-1, 1))
rest = derivation.define(r"\nu", 1 - rho**2, "the variance of the code, given the image", positive=True)
u = derivation.number("u", "the image, a number")
a = derivation.number("a", "the slope of the guessed mean")


def _over_pairs(body):
    return Expectation(Normal(u, 0, 1), Expectation(Normal(c, rho * u, 1 - rho**2), body))


derivation.chain(
    "Of two Gaussians the best linear guess with its best variance attains the information",
    _over_pairs(plus(LogDensity(c, a * u, s), log(2 * pi) / 2, Rational(1, 2))),
    equals(
        times(Rational(1, 2), plus(1, -log(s), -(1 - 2 * a * rho + a**2) / s)),
        prose(
            "the mean square of the error is {square}",
            square=holds(_over_pairs((c - a * u) ** 2), "=", 1 - 2 * a * rho + a**2, named=True),
        ),
    ),
    equals(times(Rational(1, 2), plus(1, -log(s), -(plus(1 - rho**2, (a - rho) ** 2)) / s)), "complete the square"),
    at_most(
        times(Rational(1, 2), plus(1, -log(s), -(1 - rho**2) / s)),
        prose("leave out the square: {best} is best", best=where(a, rho)),
        adding=(a - rho) ** 2 / (2 * s),
    ),
    equals(
        plus(-log(1 - rho**2) / 2, -times(Rational(1, 2), tangent.at(rest / s))),
        r"add and subtract $\log \nu$; the rest is $t - 1 - \log t$ at the ratio $\nu/s$",
        wrong={
            "not halved": plus(-log(1 - rho**2) / 2, -tangent.at(rest / s)),
            "the information doubled": plus(-log(1 - rho**2), -times(Rational(1, 2), tangent.at(rest / s))),
        },
    ),
    at_most(
        -log(1 - rho**2) / 2,
        prose("leave out a gap of the logarithm, zero if and only if {known}", known=where(s, rest)),
        adding=times(Rational(1, 2), tangent.at(rest / s)),
        wrong={"the bound at variance 1": rho**2 / 2},
    ),
    so=prose(
        "At the fixed variance 1 the best bound is {best}, however large the information is.",
        best=holds(times(Rational(1, 2), plus(1, -log(s), -(1 - rho**2) / s)), "=", rho**2 / 2, when={s: 1}, named=True),
    ),
    role="remark",
)
derivation.chain(
    r"The information of two Gaussians is $-\frac12 \log(1 - \rho^2)$",
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
        prose("{prior} for every label", prior=holds(log(K), "=", -log(uniform))),
        wrong={"without log K": Expectation(weight_f, -Entropy(r))},
    ),
    at_least(
        0,
        "leave out the divergences (Gibbs), zero if every forecast is uniform",
        dropping=Expectation(weight_f, gibbs.at(r, uniform)),
    ),
    states=2,
    so="An overconfident network is not calibrated, and its bound may fall below zero without limit.",
    role="remark",
)
derivation.chain(
    "Calibrated forecasts never have a bound above log K",
    of_labels,
    equals(
        plus(log(K), -Expectation(weight_f, Expectation(r, plus(1 - r, tangent.at(r))))),
        prose("{log}", log=holds(-log(r), "=", plus(1 - r, r - 1 - log(r)))),
    ),
    at_most(
        log(K),
        "leave out what is never negative; equality for sure forecasts only, which are right since they are calibrated",
        adding=plus(Expectation(weight_f, Expectation(r, 1 - r)), Expectation(weight_f, Expectation(r, tangent.at(r)))),
    ),
    states=2,
    role="remark",
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
    "A", Total(d, W * W.at(d, j)) + ridge * KroneckerDelta(l, j), r"the matrix $W^\top W + \kappa I$", over=(l, j)
)
b = derivation.define("b", Total(d, W * o), r"the vector $W^\top o$", over=l)
trace = derivation.define(r"\mathrm{tr}", Total(l, A.at(l, l)), "the trace of $A$")
det = derivation.define("D", (trace**2 - Total(l, Total(j, A**2))) / 2, "its determinant")
best = derivation.define(
    r"\hat z", (trace * b - Total(j, A * b.at(j))) / det, "the best code, $b$ divided by $A$", "linear_generator_inverse", over=l
)
step = derivation.define(r"\delta", zeta - best, "how far a code is from it", over=l)
derivation.chain(
    "It solves the normal equations",
    Total(j, A * best.at(j)),
    equals(
        b,
        r"of two columns the inverse is $(\mathrm{tr}\, I - A)/D$ (Cayley and Hamilton)",
        wrong={"without the ridge": b - ridge * best},
    ),
    role="lemma",
)
inversion = derivation.chain(
    "No code does better",
    plus(SquaredNorm(d, o - Total(l, W * zeta)), ridge * SquaredNorm(l, zeta)),
    equals(
        plus(
            SquaredNorm(d, o - Total(l, W * best)),
            ridge * SquaredNorm(l, best),
            SquaredNorm(d, Total(l, W * step)),
            ridge * SquaredNorm(l, step),
        ),
        r"expand around $\hat z$: the terms that are linear in $\delta$ are $-2 \delta^\top (b - A \hat z)$, which is 0",
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
        prose("leave out squares; zero for {same} only", same=where(zeta, best)),
        dropping=plus(SquaredNorm(d, Total(l, W * step)), ridge * SquaredNorm(l, step)),
        wrong={"without the price": SquaredNorm(d, o - Total(l, W * best)) + 2 * ridge * SquaredNorm(l, best)},
    ),
    sizes={d: 2},
    so=r"Divided by $2 \kappa$ the first line is $-\log p(x|\zeta) - \log p(\zeta)$ up to a constant, for noise of variance "
    r"$\kappa$ and the prior $\mathcal{N}(0, I)$: $\hat z$ is the most likely code, and for Gaussians also the posterior mean. "
    "Without ridge the residual is orthogonal to the columns of $W$; if these are linearly independent and there is no noise, "
    "a code is found again exactly.",
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


@derivation.algorithm(
    "Guessing codes, by regression and by InfoGAN",
    do("draw codes $z$ and make their images $x$"),
    do(r"regression: step the network down $|z - g(x)|^2$, or", latent_regression_loss, by=regression),
    do(r"InfoGAN: step it, and the generator, up $\log q(z|x)$ of a Gaussian guess", gaussian_information_bound, by=gaussian),
    do("... or of a forecast of labels", categorical_information_bound, by=central),
    do("of a linear generator, solve for the best code instead", linear_generator_inverse, by=inversion),
)
def two_steps():
    code, slope, size = jnp.array([[1.0]]), jnp.zeros(()), jnp.zeros(())
    start = (
        r"z = 1, x = 2 z, \text{ guess } w x \text{ from } w = 0, \log s \text{ from } 0, \text{ steps of } \tfrac1{16}: \quad "
    )
    for loss, moved, at in (("1", "0.25", "-0.0234"), ("0.25", "0.375", "-0.0527")):
        yield start + r"|z - g|^2", latent_regression_loss(code, slope * 2 * code), loss
        slope = slope - jax.grad(lambda w: latent_regression_loss(code, w * 2 * code)[0])(slope) / 16
        size = (
            size + jax.grad(lambda t, w=slope: gaussian_information_bound(code, w * 2 * code, t * jnp.ones((1, 1)))[0])(size) / 16
        )
        yield "w", slope, moved
        yield r"\log s", size, at
        start = ""
    yield (
        r"\text{bound of the forecast } \tfrac12, \tfrac12",
        categorical_information_bound(np.array([0]), jnp.zeros((1, 2))),
        "0",
    )
    yield r"\text{solved}", linear_generator_inverse(2 * code, jnp.array([[2.0]]), jnp.zeros(1), ridge=0.0), "1"


@derivation.example(
    "Two Gaussians with the correlation 0.8, at the best variance 0.36 and at variance 1. A label of two, forecast with 0.9: "
    "calibrated, and overconfident with 0.99. Last, a generator of three pixels without bias, with the image $(2, 3, 1)$, "
    "without ridge and with 1."
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
    "Left: images $z^2$ with a little noise, and the regression of $z$ on $x$: it runs through the empty middle. Right: the "
    "bound against the guessed variance, for two correlations. Its maximum is the information (dots); at variance 1 it is "
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
