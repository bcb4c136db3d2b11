"""Score prediction: to denoise is to know the slope of the log-density.

The lecture on the functions of theory_jax/diffusion/score_prediction.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sin, solve, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.score_prediction import (
    denoising_score_matching_loss,
    diffused_mixture,
    empirical_posterior_mean,
    mixture_log_prob,
    mixture_score,
    score_from_noise,
    tweedie_mean,
)
from theory_jax.energy.langevin import gaussian_stationary_variance
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
    question="No one can write down the density of noisy images. Why can a network nevertheless learn the slope of its "
    "logarithm, and what is this slope good for?",
    setting=(
        r"Data $x_0$ are noised to $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ with standard normal "
        r"noise $\epsilon$, independent of $x_0$, and $0 < \bar\alpha_t < 1$. The law of $x_t$ has the density $q_t$.",
        r"The score of a positive, differentiable density is the slope of its logarithm: a derivative on the line, a gradient "
        r"in $D$ dimensions. The lines are written for one coordinate.",
        r"The data have any law with a finite second moment. Formulas are derived for data on three points; for other laws the "
        r"sums are integrals, and the slope may be taken under the integral, because a Gaussian density and its slope are "
        r"bounded.",
        r"A model $s$ is any differentiable function of the noisy value.",
    ),
    answer=r"The score of $q_t$ is the average, over the data that may have led to $x_t$, of the score of the noise around "
    r"each. This average is $-\mathbb{E}[\epsilon|x_t] / \sqrt{1 - \bar\alpha_t}$. So a network that predicts noise by least "
    r"squares learns the score; from it follow the mean and the variance of the data given $x_t$, and a sampler.",
    limits=(
        "Langevin dynamics is shown to leave a density as it is. How fast it gets there is not shown: between distant modes it "
        "takes very long, which is why several noise levels are used.",
        "Without noise, data that are single points have no density and no score.",
        "The unrestricted minimizer of the training loss repeats the training data. What a trained network does between them "
        "(generalization) is not derived.",
    ),
)

half = Rational(1, 2)
x = derivation.number("x", "a noisy value", "x_t")
energy = derivation.function("E", "an energy: any differentiable function")
Z = derivation.number("Z", r"the integral of $e^{-E(x)}$ over all $x$, which no one can compute", positive=True)

derivation.say(
    "Why scores at all? A network can compute any number for an image, but a density must integrate to one over all images, "
    "and that integral is out of reach. The score does not contain it."
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
    so=r"Nothing is lost: if two positive densities have the same score everywhere, their logarithms differ by a constant, and "
    r"the constant is 0, because both integrate to one.",
)

q = derivation.function("q", "a positive, differentiable density")
s = derivation.function("s", "a model of its score", "score_fn")
derivation.say(
    r"How is a model $s$ fitted to a score that is not known? The lecture on score matching integrates by parts: but for a "
    r"constant, $\frac12 \mathbb{E}[(s - (\log q)')^2]$ is $\mathbb{E}[\frac12 s^2 + s']$, which needs only samples of $q$. In "
    r"$D$ dimensions $s'$ is the divergence of $s$, which costs $D$ derivatives of a network: too many for images. Noise offers "
    r"a cheaper way."
)

n = derivation.index("n", "one of the values that the data may take")
p = derivation.law("p", n, "any law of the data")
y = derivation.numbers("y", n, "the values", "data")
ell = derivation.function(r"\ell", r"$\ell(y, x)$: the log-density of the noisy value $x$ around the data $y$", arguments=2)
density = derivation.define("q_t(x)", Expectation(p, exp(ell(y, x))), "the density of the noisy data", positive=True)
posterior = derivation.define(
    "p({}|x)", p * exp(ell(y, x)) / density, "by Bayes' rule: the law of the data, given $x$", over=n, law=True
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
        r"the density does not depend on $n$, and $p_n e^{\ell} / q_t$ is the law of the data given $x$ (Bayes' rule)",
        wrong={"averaged over all data": Expectation(p, Slope(ell(y, x), x))},
    ),
    central=True,
    so=r"This holds for every law of the data and every positive, differentiable density of the noise, if the slope may be "
    r"taken under the integral. The left side is the score that no one can write down; the right side averages slopes that are "
    r"known.",
)
derivation.chain(
    "... and its own slope is the expected slope plus a variance",
    plus(Slope(density, x, 2) / density, -((Slope(density, x) / density) ** 2)),
    equals(
        plus(Expectation(posterior, plus(Slope(ell(y, x), x, 2), Slope(ell(y, x), x) ** 2)), -(_MEAN_SLOPE**2)),
        r"$(e^\ell)'' = e^\ell (\ell'' + \ell'^2)$, and Bayes' rule as above",
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
w = derivation.law("w", n, r"any law of $x_0$ given $x_t = x$")
epsilon = derivation.define(
    r"\epsilon", (x - times(sqrt(a), y)) / sqrt(1 - a), r"the noise in $x$, if the data are $y_n$", "noise", over=n
)
truth = derivation.define(
    "s^*", Expectation(w, (times(sqrt(a), y) - x) / (1 - a)), r"the score of $q_t$ at $x$, for Gaussian noise", "score"
)
derivation.say(
    r"Now the noise is Gaussian, $\ell(y, x) = \log \mathcal{N}(x; \sqrt{\bar\alpha_t}\, y, 1 - \bar\alpha_t)$, and $w$ is the "
    r"law $p(n|x)$ of the lemma."
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
        r"$x - \sqrt{\bar\alpha_t}\, y_n = \sqrt{1 - \bar\alpha_t}\, \epsilon_n$",
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
    so=r"The inner bracket is $(\log q_t)''$ by the lemma on the slope of the score, so $\mathrm{Var}(x_0|x_t) = \frac{1 - "
    r"\bar\alpha_t}{\bar\alpha_t} (1 + (1 - \bar\alpha_t) (\log q_t)'')$; in $D$ dimensions 1 is the identity and $(\log "
    r"q_t)''$ the matrix of second derivatives. Where the log-density has a strong peak the data are nearly known; in a valley "
    r"between two modes they are not.",
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
derivation.chain(
    "Denoising score matching: the known target has the unknown one as its mean",
    Expectation(w, plus(s(x), epsilon / sqrt(1 - a)) ** 2) / 2,
    equals(
        plus(half * plus(s(x), -truth) ** 2, Variance(w, epsilon) / times(2, 1 - a)),
        r"expand around the mean of the target $-\epsilon_n / \sqrt{1 - \bar\alpha_t}$, which is $s^*$; the cross term "
        r"vanishes, whatever $s(x)$ is",
    ),
    equals(
        plus(half * plus(s(x), -truth) ** 2, half * plus(Expectation(w, epsilon**2) / (1 - a), -(truth**2))),
        r"the variance is the mean square minus the squared mean",
    ),
    uses=(score_of_the_marginal,),
    so=r"Average over $x_t$, with $\mathbb{E}[\epsilon^2] = 1$: denoising minus explicit score matching is $\frac12 "
    r"(\frac{1}{1 - \bar\alpha_t} - \mathbb{E}[s^{*2}])$ for every model $s$; in $D$ dimensions the 1 in the numerator is $D$. "
    r"Both losses have the same minimizer, $s^*$.",
)
noise = derivation.number(r"\epsilon", "the noise that was drawn", "noise")
predicted = derivation.define(r"\hat\epsilon", -sqrt(1 - a) * s(x), "the noise that the model implies", "noise_pred")
sigma = derivation.number(r"\sigma", r"the deviation of the noise, where $x_0$ is not shrunk", "sigma", positive=True)
derivation.chain(
    "Weighted by its variance it is the simple loss of diffusion models",
    half * plus(times(sqrt((1 - a) / a), sqrt(a), s(x)), noise) ** 2,
    equals(
        half * plus(times(sqrt(1 - a), s(x)), noise) ** 2,
        "the roots of the share cancel",
        wrong={"the variance": half * plus(times(1 - a, s(x)), noise) ** 2},
    ),
    equals(half * plus(noise, -predicted) ** 2, r"the definition of $\hat\epsilon$"),
    so=r"In units of $x_t / \sqrt{\bar\alpha_t} = x_0 + \sigma \epsilon$ the noise has the deviation $\sigma = \sqrt{(1 - "
    r"\bar\alpha_t) / \bar\alpha_t}$, and the score is $\sqrt{\bar\alpha_t}\, s$; the first line is $\sigma^2$ times the "
    r"squared distance from the target there. Training by the simple loss is denoising score matching at $T$ noise levels at "
    r"once, each weighted by its own variance.",
)
x_0 = derivation.number("x_0", "the data", "x0")
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
    "Langevin dynamics with the score of a density keeps that density",
    times(q(x), plus(times(Slope(log(q(x)), x), Slope(phi(x), x)), Slope(phi(x), x, 2))),
    equals(
        Slope(times(q(x), Slope(phi(x), x)), x),
        r"$q\, (\log q)' = q'$; the product rule, read backward",
        wrong={"the slope of the other factor": Slope(times(phi(x), Slope(q(x), x)), x)},
    ),
    uses=(stationary,),
    so=r"If $x$ has the density $q$, the mean of $\varphi$ moves at the rate of the integral of the first line. It is that of "
    r"a derivative, so 0, since $\varphi$ vanishes far out. No mean moves, so $q$ is stationary; only its score was used. A step "
    r"of finite length settles on too large a variance.",
)

delta = derivation.numbers(r"\delta", n, "by how much a datum's squared distance exceeds that of the nearest", positive=True)
v = derivation.define("v", 1 - a, "the variance of the noise", positive=True)
_FAR = Total(n, exp(-delta / times(2, v)))
derivation.chain(
    "With little noise the nearest datum takes all the weight",
    plus(1, -1 / plus(1, _FAR)),
    equals(_FAR / plus(1, _FAR), "the common denominator: the weight of all data but the nearest"),
    at_most(_FAR, "the denominator is above 1", adding=_FAR**2 / plus(1, _FAR)),
    so=r"If the data are a finite set, each equally likely, Bayes' rule weighs them by $e^{-|x_t - \sqrt{\bar\alpha_t} y_n|^2 "
    r"/ (2v)}$, and the first line is what the nearest does not get; the sum runs over all others. As $\bar\alpha_t$ goes to "
    r"1, $v$ goes to 0 and the $\delta_n$ do not, if one datum is nearest. So the exact minimizer of the training loss returns "
    r"training data. That a diffusion model makes new images is owed to what its network cannot represent or has not learned.",
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


derivation.say(
    "For a mixture of Gaussians everything is known in closed form: noised, it is a mixture again, so its score at every level "
    "is an average over the components by the same lemma, with components in place of data. With it samplers are judged "
    "without any training."
)
derivation.bridge(
    "The code's log-density of a noised mixture",
    log(Total(k, joint)),
    _noised(mixture_log_prob),
    x=[[x]],
    weight=weight,
    m=m,
    b=b,
    alpha_bar=[1, a],
    calls=(diffused_mixture, mixture_log_prob),
    wrong={"variances not noised": log(Total(k, weight * exp(LogDensity(x, m_t, a * b))))},
)
derivation.bridge(
    "... and its score",
    Expectation(share, (m_t - x) / b_t),
    _noised(mixture_score),
    x=[[x]],
    weight=weight,
    m=m,
    b=b,
    alpha_bar=[1, a],
    calls=(diffused_mixture, mixture_score),
    wrong={"the components' own weights": Expectation(weight, (m_t - x) / b_t), "the sign": Expectation(share, (x - m_t) / b_t)},
)

_POINTS = jnp.array([-1.0, 1.0])


def _two_points(x, level):
    """E(x_0 | x_t = x), the score and its slope for data that are -1 or 1, each with probability one half."""
    schedule, one = jnp.array([1.0, level]), np.full(len(x), 1)
    means, log_vars = diffused_mixture(_POINTS[:, None], jnp.full(2, -jnp.inf), one, schedule)

    def score(x):
        return mixture_score(x[:, None], means, log_vars, jnp.full(2, -math.log(2)))[:, 0]

    return empirical_posterior_mean(x, _POINTS, one, schedule), *jax.jvp(score, (x,), (jnp.ones_like(x),))


@derivation.example(
    r"Data that are $-1$ or $1$, each with probability one half, at $\bar\alpha_t = 0.5184$, so $\sqrt{\bar\alpha_t} = 0.72$. "
    r"At $x_t = 0.5$ the mean of the data is $\tanh\frac{0.72 \cdot 0.5}{0.4816}$; the rest follows from it."
)
def two_points():
    mean, score, slope = (float(column[0]) for column in _two_points(jnp.array([0.5]), 0.5184))
    given = {w: ((1 - mean) / 2, (1 + mean) / 2), y: (-1, 1), a: 0.5184, x: 0.5}
    yield r"\mathbb{E}[x_0|x_t]", mean, "0.63366"
    yield r"s^* = \frac{0.72 \cdot 0.63366 - 0.5}{0.4816}", score, "-0.09087"
    yield r"\mathbb{E}[\epsilon|x_t] = -\sqrt{0.4816}\, s^*", value(Expectation(w, epsilon), given), "0.06306"
    yield r"\frac{0.5 + 0.4816\, s^*}{0.72}", value(plus(x, (1 - a) * truth) / sqrt(a), given), "0.63366"
    yield r"(\log q_t)''", slope, "-0.73878"
    yield r"\mathrm{Var}(x_0|x_t) = 1 - 0.63366^2", value(Variance(w, y), given), "0.59847"


@derivation.figure(
    r"Data that are $-1$ or $1$. Left: the score at three levels; at $\bar\alpha_t = 0.52$ the dashed lines are the scores of "
    r"the noise around each datum. The score changes from one line to the other as the posterior does. Right: the mean of the "
    r"data by Tweedie's formula, which becomes a step as the noise vanishes.",
    panels=2,
)
def score_and_mean(left, right):
    line = jnp.linspace(-2.5, 2.5, 161)
    for level in (0.9, 0.52, 0.1):
        _, score, _ = _two_points(line, level)
        left.plot(line, score, label=rf"$\bar\alpha_t = {level}$")
        right.plot(line, tweedie_mean(line, score, np.full(161, 1), jnp.array([1.0, level])), label=rf"$\bar\alpha_t = {level}$")
    for point in (-1, 1):
        left.plot(line, (point * math.sqrt(0.52) - line) / 0.48, linestyle="--", linewidth=0.8, color="gray")
    left.set(xlabel="$x_t$", ylabel="score", ylim=(-6, 6))
    right.set(xlabel="$x_t$", ylabel="mean of the data")
    left.legend()


@derivation.exercise(
    r"What is the score of $q_t$ for data $\mathcal{N}(0, c)$? Evaluate it at $c = \frac14$, $\bar\alpha_t = 0.5184$, $x_t = "
    r"\frac12$.",
    r"$x_t$ is $\mathcal{N}(0, V_t)$ with $V_t = 1 - \bar\alpha_t + \bar\alpha_t c = 0.6112$, so the score is $-x_t / V_t = "
    r"-0.8181$.",
)
def score_of_gaussian_data():
    mixture = diffused_mixture(jnp.zeros((1, 1)), jnp.log(jnp.array([0.25])), np.array([1]), jnp.array([1.0, 0.5184]))
    yield mixture_score(jnp.array([[0.5]]), *mixture, jnp.zeros(1))[0, 0], "-0.8181"


theta = derivation.number(r"\theta", "the slope of a linear model of the score")


@derivation.exercise(
    r"Fit the model $s(x) = -\theta x$ to samples of $\mathcal{N}(0, 4)$ by implicit score matching: minimize "
    r"$\mathbb{E}[\frac12 s^2 + s']$. What if the half is forgotten?",
    r"$\mathbb{E}[\frac12 \theta^2 x^2 - \theta] = 2 \theta^2 - \theta$ is least at $\theta = \frac14$: the true score $-x/4$. "
    r"Without the half it is $4 \theta^2 - \theta$, least at $\frac18$.",
)
def implicit_matching_by_hand():
    model = -theta * x
    for factor, best in ((half, Rational(1, 4)), (1, Rational(1, 8))):
        loss = Expectation(Normal(x, 0, 4), factor * model**2 + model.diff(x))
        yield solve(derivation.ground().expand(loss).diff(theta), theta)[0], best


@derivation.exercise(
    r"Langevin dynamics runs on $\mathcal{N}(0, 1)$ with steps of length $h = 0.1$. Which variance do the samples have? From "
    r"which $h$ on does it diverge?",
    r"$1 / (1 - \frac{h}{2}) = 1 / (1 - 0.05) = 1.0526$. It diverges from $h = 2$ on, where the factor $(1 - h)^2$ reaches 1.",
)
def langevin_on_a_gaussian():
    yield gaussian_stationary_variance(jnp.ones(()), step_size=0.1), "1.0526"
    yield (1 - 2) ** 2, "1"
