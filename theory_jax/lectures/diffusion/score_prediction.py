"""Score prediction: to denoise is to know the slope of the log-density.

The lecture on the functions of theory_jax/diffusion/score_prediction.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sin, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.score_prediction import (
    denoising_score_matching_loss,
    diffused_mixture,
    empirical_posterior_mean,
    mixture_log_prob,
    mixture_score,
    score_from_noise,
    tweedie_mean,
)
from theory_jax.lectures.diffusion._scores import draw_fields, draw_scores, of_two_points
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.energy.langevin import stationary

derivation = Derivation(
    module=__name__,
    title="Score prediction: to denoise is to know the slope of the log-density",
    lectures=(33, 34),
    sources=(
        "Vincent 2011, A Connection Between Score Matching and Denoising Autoencoders",
        "Hyvärinen 2005, Estimation of Non-Normalized Statistical Models by Score Matching",
        "Song & Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution",
        "Efron 2011, Tweedie's Formula and Selection Bias",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 3.2",
        "Luo 2022, Understanding Diffusion Models: A Unified Perspective",
    ),
    question="A network can give any image a number, but to be a density these numbers must integrate to one over all images, "
    "and no one can compute that integral. Why can a network nevertheless learn the slope of the log-density, and what is this "
    "slope good for?",
    setting=(
        r"Data $x_0$ are noised to $\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, called $x_t$, with "
        r"standard normal noise $\epsilon$, independent of $x_0$, and $\bar\alpha_t$ between 0 and 1. The distribution of $x_t$ "
        "has the density $q_t$.",
        "The score of a positive, differentiable density is the slope of its logarithm: a derivative on the line, a gradient in "
        "$D$ dimensions. The lines are written for one coordinate.",
        "The data have any distribution with a finite second moment. Formulas are derived for data on three points; for others "
        "the sums are integrals, and the slope may be taken under the integral, because a Gaussian density and its slope are "
        "bounded.",
        r"A model $s$ is any differentiable function of the noisy value.",
    ),
    limits=(
        "Langevin dynamics is shown to leave a density as it is. How fast it gets there is not shown: between distant modes it "
        "takes very long, which is why several noise levels are used.",
        "Without noise, data that are single points have no density and no score.",
        "The unrestricted minimizer of the training loss repeats the training data. What a trained network does between them "
        "(generalization) is not derived.",
    ),
)


@derivation.figure(
    "Data that are $-1$ or $1$. Left: the score at three levels; at the level 0.52 the dashed lines are the scores of the noise "
    "around each datum. The score changes from one line to the other as the posterior does. Right: the mean of the data by "
    "Tweedie's formula, which becomes a step as the noise vanishes.",
    panels=2,
)
def score_and_mean(left, right):
    draw_scores(left, right, tweedie_mean)


half = Rational(1, 2)
x = derivation.number("x", "a noisy value", "x_t")
energy = derivation.function("E", "an energy: any differentiable function")
Z = derivation.number("Z", r"the integral of $e^{-E(x)}$ over all $x$, which no one can compute", positive=True)

derivation.say(
    "Why scores at all? A network can compute any number for an image, but a density must integrate to one over all images, and "
    "that integral is out of reach. The score does not contain it."
)
derivation.chain(
    "The normalizing constant has no slope",
    Slope(log(exp(-energy(x)) / Z), x),
    equals(Slope(plus(-energy(x), -log(Z)), x), "the logarithm of a ratio"),
    equals(
        -Slope(energy(x), x),
        r"$Z$ does not depend on $x$",
        wrong={"the constant kept": plus(-Slope(energy(x), x), -log(Z)), "divided by it": -Slope(energy(x), x) / Z},
    ),
    role="lemma",
    so="Nothing is lost: if two positive densities have the same score everywhere, their logarithms differ by a constant, and "
    "the constant is 0, because both integrate to one.",
)

q = derivation.function("q", "a positive, differentiable density")
s = derivation.function("s", "a model of its score", "score_fn")
derivation.say(
    "How is a model $s$ fitted to a score that is not known? The lecture on score matching integrates by parts: but for a "
    r"constant, $\frac12 \mathbb{E}[(s - (\log q)')^2]$ is $\mathbb{E}[\frac12 s^2 + s']$, which needs only samples of $q$. In "
    "$D$ dimensions $s'$ is the divergence of $s$, which costs $D$ derivatives of a network: too many for images. Noise offers "
    "a cheaper way."
)

n = derivation.index("n", "one of the values that the data may take")
p = derivation.law("p", n, "any distribution of the data")
y = derivation.numbers("y", n, "the values", "data")
ell = derivation.function(r"\ell", r"$\ell(y, x)$: the log-density of the noisy value $x$ around the data $y$", arguments=2)
density = derivation.define("q_t(x)", Expectation(p, exp(ell(y, x))), "the density of the noisy data", positive=True)
posterior = derivation.define(
    "p({}|x)", p * exp(ell(y, x)) / density, "by Bayes' rule: the distribution of the data, given $x$", over=n, law=True
)
_MEAN_SLOPE = Expectation(posterior, Slope(ell(y, x), x))
score_of_the_marginal = derivation.chain(
    "The score of the noisy data is the expected score of the noise",
    Slope(log(density), x),
    equals(Slope(Expectation(p, exp(ell(y, x))), x) / density, "the derivative of a logarithm"),
    equals(
        Expectation(p, exp(ell(y, x)) * Slope(ell(y, x), x)) / density,
        "the derivative of a sum; that of an exponential is the exponential times the derivative of its exponent",
    ),
    equals(
        Expectation(posterior, Slope(ell(y, x), x)),
        r"the density does not depend on $n$, and $p_n e^{\ell} / q_t$ is the distribution of the data given $x$ (Bayes' rule)",
        wrong={"averaged over all data": Expectation(p, Slope(ell(y, x), x))},
    ),
    central=True,
    so="This holds for every distribution of the data and every positive, differentiable density of the noise, if the slope may "
    "be taken under the integral. The left side is the score that no one can write down; the right side averages slopes that "
    "are known.",
)
derivation.chain(
    "The slope of the score is the expected slope plus a variance",
    plus(Slope(density, x, 2) / density, -((Slope(density, x) / density) ** 2)),
    equals(
        plus(Expectation(posterior, plus(Slope(ell(y, x), x, 2), Slope(ell(y, x), x) ** 2)), -(_MEAN_SLOPE**2)),
        r"the second derivative of $e^\ell$ is $e^\ell (\ell'' + \ell'^2)$; Bayes' rule as above",
    ),
    equals(
        plus(Expectation(posterior, Slope(ell(y, x), x, 2)), Variance(posterior, Slope(ell(y, x), x))),
        "a mean square minus the squared mean is a variance",
    ),
    states=2,
    role="lemma",
    uses=(score_of_the_marginal,),
    so=r"By the quotient rule the first line is $(\log q_t)''$, the slope of the score.",
)

a = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal", "alpha_bar[t]", between=(0, 1))
w = derivation.law("w", n, "any distribution of $x_0$ given $x_t$, at $x$")
epsilon = derivation.define(
    r"\epsilon", (x - times(sqrt(a), y)) / sqrt(1 - a), r"the noise in $x$, if the data are $y_n$", "noise", over=n
)
truth = derivation.define(
    "s^*", Expectation(w, (times(sqrt(a), y) - x) / (1 - a)), r"the score of $q_t$ at $x$, for Gaussian noise", "score"
)
derivation.say(
    r"Now the noise is Gaussian: $\ell(y, x)$ is $\log \mathcal{N}(x; \sqrt{\bar\alpha_t}\, y, 1 - \bar\alpha_t)$, and $w$ is "
    "the distribution $p(n|x)$ of the lemma."
)
derivation.chain(
    "For Gaussian noise the score is minus the expected noise, rescaled",
    Expectation(w, Slope(LogDensity(x, times(sqrt(a), y), 1 - a), x)),
    equals(
        Expectation(w, (times(sqrt(a), y) - x) / (1 - a)),
        r"a Gaussian's log-density is a parabola; this is $s^*$",
        wrong={"divided by the deviation": Expectation(w, (times(sqrt(a), y) - x) / sqrt(1 - a))},
    ),
    equals(
        -Expectation(w, epsilon) / sqrt(1 - a),
        prose("{noise}", noise=holds(plus(x, -times(sqrt(a), y)), "=", times(sqrt(1 - a), epsilon))),
        wrong={"the sign": Expectation(w, epsilon) / sqrt(1 - a)},
    ),
    uses=(score_of_the_marginal, marginal_law),
    so="The score points against the noise. The best prediction of the noise in mean square is its mean given $x_t$, so the "
    "network of a diffusion model is a model of the score.",
)
tweedie = derivation.chain(
    "Tweedie's formula: the score tells the mean of the data",
    plus(x, times(1 - a, truth)) / sqrt(a),
    equals(
        plus(x, times(sqrt(a), Expectation(w, y)), -x) / sqrt(a),
        r"the definition of $s^*$; $x$ is a constant under $w$",
        wrong={"the deviation in place of the variance": plus(x, sqrt(1 - a) * truth) / sqrt(a)},
    ),
    equals(Expectation(w, y), r"what is seen cancels", wrong={"not scaled up": sqrt(a) * Expectation(w, y)}),
    so="To say what was there before the noise, only the density of what is seen is needed.",
)
derivation.figure(
    prose(
        r"The score of three data points in the plane (orange, shrunk by $\sqrt{\bar\alpha_t}$), with less noise and with more; "
        "the density is shaded. An arrow is a quarter of the variance of the noise times the score: it points to the mean of "
        "the data, shrunk as they are, by Tweedie's formula {tweedie}. With less noise that is nearly always the nearest "
        "datum, with more a mixture of all.",
        tweedie=holds(
            plus(x, times(1 - a, truth)) / sqrt(a),
            "=",
            Expectation(w, y),
            wrong={"the deviation": plus(x, sqrt(1 - a) * truth) / sqrt(a)},
        ),
    ),
    panels=2,
)(draw_fields)
derivation.chain(
    "The slope of the score tells the variance of the data",
    times(
        (1 - a) / a,
        plus(1, times(1 - a, plus(Slope(LogDensity(x, 0, 1 - a), x, 2), Variance(w, (times(sqrt(a), y) - x) / (1 - a))))),
    ),
    equals(
        times((1 - a) / a, plus(1, times(1 - a, plus(-1 / (1 - a), a * Variance(w, y) / (1 - a) ** 2)))),
        r"the second derivative of a Gaussian's log-density is minus its precision; constants leave a variance, factors squared",
    ),
    equals(Variance(w, y), "multiply out", wrong={"the share of the signal kept": a * Variance(w, y)}),
    so=r"The inner bracket is $(\log q_t)''$ by the lemma on the slope of the score, so the first line is "
    r"$\mathrm{Var}(x_0|x_t)$; in $D$ dimensions 1 is the identity and $(\log q_t)''$ the matrix of second derivatives. Where "
    "the log-density has a strong peak the data are nearly known; in a valley between two modes they are not.",
    role="lemma",
)
derivation.answer = prose(
    "The score of $q_t$ is the average, over the data that may have led to $x_t$, of the score of the noise around each. For "
    "Gaussian noise this average is minus the expected noise, rescaled, {score}. So a network that predicts noise by least "
    "squares learns the score; from it follow the mean of the data given $x_t$, {mean}, their variance, and a sampler.",
    score=holds(truth, "=", -Expectation(w, epsilon) / sqrt(1 - a), named=True, wrong={"the sign": Expectation(w, epsilon)}),
    mean=holds(Expectation(w, y), "=", plus(x, times(1 - a, truth)) / sqrt(a), wrong={"the score alone": truth}),
)
derivation.bridge(
    "The score of a predicted noise in the code",
    -epsilon / sqrt(1 - a),
    score_from_noise,
    noise=[epsilon],
    t=[1],
    alpha_bar=[1, a],
    wrong={"the sign": epsilon / sqrt(1 - a), "the variance": -epsilon / (1 - a)},
)
derivation.bridge(
    "... and the mean of the data",
    plus(x, times(1 - a, s(x))) / sqrt(a),
    tweedie_mean,
    x_t=[x],
    score=[s(x)],
    t=np.array([1]),
    alpha_bar=[1, a],
    wrong={"the deviation": plus(x, sqrt(1 - a) * s(x)) / sqrt(a)},
)

derivation.say(
    "The same lemma trains the model. Take as the target the score of the noise around the very data that were noised: it is "
    "known for every example, and right on average."
)
matching = derivation.chain(
    "Denoising score matching: the known target has the unknown one as its mean",
    Expectation(w, plus(s(x), epsilon / sqrt(1 - a)) ** 2) / 2,
    equals(
        plus(half * plus(s(x), -truth) ** 2, Variance(w, epsilon) / times(2, 1 - a)),
        r"expand around the mean of the target $-\epsilon_n / \sqrt{1 - \bar\alpha_t}$, which is $s^*$; the cross term "
        "vanishes, whatever $s(x)$ is",
    ),
    equals(
        plus(half * plus(s(x), -truth) ** 2, half * plus(Expectation(w, epsilon**2) / (1 - a), -(truth**2))),
        r"the variance is the mean square minus the squared mean",
    ),
    uses=(score_of_the_marginal,),
    so=r"Averaged over $x_t$, with the mean square 1 of the noise, denoising minus explicit score matching is $\frac12 "
    r"(\frac{1}{1 - \bar\alpha_t} - \mathbb{E}[s^{*2}])$ for every model $s$; in $D$ dimensions the 1 in the numerator is $D$. "
    "Both losses have the same minimizer, $s^*$.",
)
noise = derivation.number(r"\epsilon", "the noise that was drawn", "noise")
predicted = derivation.define(r"\hat\epsilon", -sqrt(1 - a) * s(x), "the noise that the model implies", "noise_pred")
sigma = derivation.number(r"\sigma", r"the deviation of the noise, where $x_0$ is not shrunk", "sigma", positive=True)
x_0 = derivation.number("x_0", "the data", "x0")
simple = derivation.chain(
    "Weighted by its variance, denoising score matching is the simple loss of diffusion models",
    half * plus(times(sqrt((1 - a) / a), sqrt(a), s(x)), noise) ** 2,
    equals(
        half * plus(times(sqrt(1 - a), s(x)), noise) ** 2,
        "the roots of the share cancel",
        wrong={"the variance": half * plus(times(1 - a, s(x)), noise) ** 2},
    ),
    equals(half * plus(noise, -predicted) ** 2, r"the definition of $\hat\epsilon$"),
    so=prose(
        r"In units of $x_t / \sqrt{\bar\alpha_t}$, where the data are not shrunk, the noise has the deviation {deviation}, and "
        r"the score is $\sqrt{\bar\alpha_t}\, s$; the first line is half of $\sigma^2$ times the squared distance from the "
        "target there, {target}. Training by the simple loss is denoising score matching at $T$ noise levels at once, each "
        "weighted by its own variance.",
        deviation=where(sigma, sqrt((1 - a) / a)),
        target=-noise / sigma,
    ),
    role="lemma",
)
derivation.bridge(
    "The code's loss, for the model that is a sine",
    half * plus(times(sigma, sin(plus(x_0, times(sigma, noise)))), noise) ** 2,
    denoising_score_matching_loss,
    x0=[x_0],
    noise=[noise],
    sigma=[sigma],
    score_fn=lambda x, sigma: jnp.sin(x),
)

phi = derivation.function(r"\varphi", "a test function, smooth and zero outside of an interval")
derivation.say(
    r"What is a score good for? It samples. For the energy $-\log q$ at temperature 1 a Langevin step is $x \leftarrow x + h\, "
    r"s(x) + \sqrt{2h}\, z$ with standard normal $z$. By the lecture on Langevin sampling it moves the mean of a test function "
    r"$\varphi$ at the rate $s \varphi' + \varphi''$ per unit of $h$."
)
derivation.chain(
    "Langevin dynamics with the score of a density keeps that density, in the limit of small steps",
    times(q(x), plus(times(Slope(log(q(x)), x), Slope(phi(x), x)), Slope(phi(x), x, 2))),
    equals(
        Slope(times(q(x), Slope(phi(x), x)), x),
        prose("{score}; the product rule, read backward", score=holds(times(q(x), Slope(log(q(x)), x)), "=", Slope(q(x), x))),
        wrong={"the slope of the other factor": Slope(times(phi(x), Slope(q(x), x)), x)},
    ),
    uses=(stationary,),
    so=r"If $x$ has the density $q$, the mean of $\varphi$ moves at the rate of the integral of the first line. It is that of a "
    r"derivative, so 0, since $\varphi$ vanishes far out. No mean moves, so $q$ is stationary; only its score was used. A step "
    "of finite length settles on too large a variance.",
    role="remark",
)

delta = derivation.numbers(r"\delta", n, "by how much a datum's squared distance exceeds that of the nearest", positive=True)
v = derivation.define("v", 1 - a, "the variance of the noise", positive=True)
_FAR = Total(n, exp(-delta / times(2, v)))
derivation.chain(
    "With little noise the nearest datum takes all the weight",
    plus(1, -1 / plus(1, _FAR)),
    equals(_FAR / plus(1, _FAR), "the common denominator: the weight of all data but the nearest"),
    at_most(_FAR, "the denominator is above 1", adding=_FAR**2 / plus(1, _FAR)),
    so=r"If the data are a finite set, each equally likely, Bayes' rule weighs them by $e^{-|x_t - \sqrt{\bar\alpha_t} y_n|^2 / "
    r"(2v)}$, and the first line is what the nearest does not get; the sum runs over all others. As $\bar\alpha_t$ goes to 1, "
    r"$v$ goes to 0 and the $\delta_n$ do not, if one datum is nearest. So the exact minimizer of the training loss returns "
    "training data. That a diffusion model makes new images is owed to what its network cannot represent or has not learned.",
    role="remark",
)
soft = derivation.define(
    r"\omega",
    exp(-((x - times(sqrt(a), y)) ** 2) / (2 * v)) / Total(n, exp(-((x - times(sqrt(a), y)) ** 2) / (2 * v))),
    "these weights",
    over=n,
    law=True,
)
derivation.bridge(
    "The code's denoiser of a finite set",
    Expectation(soft, y),
    empirical_posterior_mean,
    x_t=[[x]],
    data=[[y.at(number)] for number in range(4)],
    t=[1],
    alpha_bar=[1, a],
    wrong={"the plain mean": Total(n, y) / 4, "the nearest weighted by the root": sqrt(a) * Expectation(soft, y)},
)

k = derivation.index("k", "a component of a mixture of Gaussians")
weight = derivation.law("u", k, "the components' weights", "exp(log_weights)")
m = derivation.numbers("m", k, "their means", "means")
b = derivation.numbers("b", k, "their variances", "exp(log_vars)", positive=True)
m_t = derivation.define("m^t", times(sqrt(a), m), "their means after the noise", "diffused_mixture", over=k)
b_t = derivation.define("b^t", plus(a * b, 1 - a), "their variances after the noise", "diffused_mixture", over=k, positive=True)
joint = weight * exp(LogDensity(x, m_t, b_t))
share = derivation.define("p({}|x)", joint / Total(k, joint), "the share of a component in the density at $x$", over=k, law=True)


def _noised(function):
    """A function of the mixture after one step."""

    def of_mixture(x, weight, m, b, alpha_bar):
        return function(x, *diffused_mixture(m[:, None], jnp.log(b), np.array([1]), alpha_bar), jnp.log(weight))

    return of_mixture


_mixture = {"x": [[x]], "weight": weight, "m": m, "b": b, "alpha_bar": [1, a]}
derivation.say(
    "For a mixture of Gaussians everything is known in closed form: noised, it is a mixture again, so its score at every level "
    "is an average over the components by the same lemma, with components in place of data. With it samplers are judged without "
    "any training."
)
derivation.bridge(
    "The code's log-density of a noised mixture",
    log(Total(k, joint)),
    _noised(mixture_log_prob),
    **_mixture,
    calls=(diffused_mixture, mixture_log_prob),
    wrong={"variances not noised": log(Total(k, weight * exp(LogDensity(x, m_t, a * b))))},
)
derivation.bridge(
    "... and its score",
    Expectation(share, (m_t - x) / b_t),
    _noised(mixture_score),
    **_mixture,
    calls=(diffused_mixture, mixture_score),
    wrong={"the components' own weights": Expectation(weight, (m_t - x) / b_t), "the sign": Expectation(share, (x - m_t) / b_t)},
)


@derivation.algorithm(
    "Denoising score matching, and the data that a score implies",
    do(r"draw $x_0$ from the data and $\epsilon \sim \mathcal{N}(0, 1)$; $x \leftarrow x_0 + \sigma \epsilon$"),
    do(r"descend the gradient of $\frac12 \left(\sigma\, s(x) + \epsilon\right)^2$", denoising_score_matching_loss, by=simple),
    do(
        r"for a noisy $x_t$: $\hat x_0 \leftarrow (x_t + (1 - \bar\alpha_t)\, s(x_t)) / \sqrt{\bar\alpha_t}$",
        tweedie_mean,
        by=tweedie,
    ),
)
def two_samples():
    one, sloped = jnp.ones(1), lambda x, sigma=None: -x / 2
    for noise, stated in ((0.5, "0.0313"), (-1.0, "0.5")):
        loss = denoising_score_matching_loss(one, noise * one, one, sloped)[0]
        yield rf"\text{{loss of}}\ s(x) = -x/2,\ x_0 = \sigma = 1,\ \epsilon = {noise:g}", loss, stated
    data = tweedie_mean(one, sloped(one), np.array([1]), jnp.array([1, 0.5]))
    yield r"\hat x_0\ \text{at}\ x_t = 1,\ \bar\alpha_t = \tfrac12", data[0], "1.0607"


@derivation.example(
    "Data that are $-1$ or $1$, each with probability one half, with a share of 0.5184 of signal, of which the root is 0.72. At "
    r"0.5 the mean of the data is $\tanh\frac{0.72 \cdot 0.5}{0.4816}$; the rest follows from it."
)
def two_points():
    mean, score, slope = (float(column[0]) for column in of_two_points(jnp.array([0.5]), 0.5184))
    given = {w: ((1 - mean) / 2, (1 + mean) / 2), y: (-1, 1), a: 0.5184, x: 0.5}
    yield r"\mathbb{E}[x_0|x_t]", mean, "0.63366"
    yield r"s^* = \frac{0.72 \cdot 0.63366 - 0.5}{0.4816}", score, "-0.09087"
    yield r"\mathbb{E}[\epsilon|x_t] = -\sqrt{0.4816}\, s^*", value(Expectation(w, epsilon), given), "0.06306"
    yield r"\frac{0.5 + 0.4816\, s^*}{0.72}", value(plus(x, (1 - a) * truth) / sqrt(a), given), "0.63366"
    yield r"(\log q_t)''", slope, "-0.73878"
    yield r"\mathrm{Var}(x_0|x_t) = 1 - 0.63366^2", value(Variance(w, y), given), "0.59847"


theta = derivation.number(r"\theta", "the slope of a linear model of the score")
