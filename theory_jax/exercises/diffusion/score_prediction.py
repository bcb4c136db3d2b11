"""Exercises of the lecture: Score prediction: to denoise is to know the slope of the log-density."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, solve

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.score_prediction import (
    diffused_mixture,
    mixture_log_prob,
    mixture_score,
    score_from_noise,
    tweedie_mean,
)
from theory_jax.energy.langevin import gaussian_stationary_variance
from theory_jax.lectures.diffusion.score_prediction import derivation, half, theta, x


@derivation.exercise(
    r"What is the score of $q_t$ for data $\mathcal{N}(0, c)$? Evaluate it at one half for data of variance one quarter and a "
    "share of 0.5184 of signal.",
    r"$x_t$ is Gaussian of variance $1 - \bar\alpha_t + \bar\alpha_t c$, here 0.6112. The score is $-x_t$ over that, here "
    "-0.8181.",
    level="easy",
    hint="Add the variances of signal and noise; a Gaussian's score is a line.",
)
def score_of_gaussian_data():
    mixture = diffused_mixture(jnp.zeros((1, 1)), jnp.log(jnp.array([0.25])), np.array([1]), jnp.array([1.0, 0.5184]))
    yield mixture_score(jnp.array([[0.5]]), *mixture, jnp.zeros(1))[0, 0], "-0.8181"


@derivation.exercise(
    r"Fit the model $-\theta x$ to samples of $\mathcal{N}(0, 4)$ by implicit score matching: minimize $\mathbb{E}[\frac12 s^2 "
    "+ s']$. What if the half is forgotten?",
    prose(
        r"The loss is {loss}, least at $\frac14$: the true score $-x/4$. Without the half it is $4 \theta^2 - \theta$, least at "
        r"$\frac18$.",
        loss=holds(Expectation(Normal(x, 0, 4), half * (theta * x) ** 2 - theta), "=", 2 * theta**2 - theta),
    ),
    level="medium",
    hint="Insert the model; only the second moment of the data is needed.",
)
def implicit_matching_by_hand():
    model = -theta * x
    for factor, best in ((half, Rational(1, 4)), (1, Rational(1, 8))):
        loss = Expectation(Normal(x, 0, 4), factor * model**2 + model.diff(x))
        yield solve(derivation.ground().expand(loss).diff(theta), theta)[0], best


@derivation.exercise(
    r"Langevin dynamics runs on $\mathcal{N}(0, 1)$ with steps of length 0.1 for $h$. Which variance do the samples have? From "
    "which $h$ on does it diverge?",
    r"It is $1 / (1 - \frac{h}{2})$, here 1.0526. It diverges from a length of 2 on, where the factor $(1 - h)^2$ reaches 1.",
    level="medium",
    hint="A step multiplies by a factor and adds noise; which variance stays as it is?",
)
def langevin_on_a_gaussian():
    yield gaussian_stationary_variance(jnp.ones(()), step_size=0.1), "1.0526"
    yield (1 - 2) ** 2, "1"


@derivation.exercise(
    "A network's predicted noise is off by 0.1 at every level. How wrong is the score at the shares 0.5184 and 0.9999 of signal, "
    r"and how wrong is the mean of the data by Tweedie's formula?",
    "The score is off by 0.1441 and by 10: the division by the deviation of the noise blows the error up where little noise is "
    "left. The mean of the data is off by 0.0964 and by only 0.0010.",
    level="easy",
    hint="The score is the noise over a deviation, and the mean of the data is the score times a variance, over a root.",
)
def errors_by_level():
    one = np.array([1])
    for level, of_score, of_mean in ((0.5184, "0.1441", "0.0964"), (0.9999, "10", "0.0010")):
        levels = jnp.array([1.0, level])
        score = score_from_noise(jnp.array([-0.1]), one, levels)
        yield score[0], of_score
        yield tweedie_mean(jnp.zeros(1), score, one, levels)[0], of_mean


@derivation.exercise(
    "Data are 1 with probability 0.9 and else -1. A network has learned the score for probabilities of one half, at every level. "
    r"By how much does its expected squared error of the noise exceed the least, at the shares 0.9, 0.5 and 0.1 of signal? How "
    "large is the divergence of the two distributions at the share 0.9?",
    "By 0.0161, 0.2377 and 0.0617. The divergence is 0.3664 nats at the share 0.9, nearly all of the 0.3681 of the data "
    "themselves, and yet the score hardly notices: it is wrong only between the points, where there are hardly any samples at "
    "little noise. How probable each point is must be learned at middle levels; a Langevin sampler at low noise would hardly "
    "ever correct it.",
    level="hard",
    hint=r"The excess is the variance of the noise times the expected squared difference of the scores; integrate on a grid.",
)
def blind_to_the_weights():
    line = jnp.linspace(-8.0, 8.0, 1601)[:, None]
    data, guess = jnp.log(jnp.array([0.1, 0.9])), jnp.log(jnp.array([0.5, 0.5]))
    excess = {}
    for level in (0.9, 0.5, 0.1):
        mixture = diffused_mixture(jnp.array([[-1.0], [1.0]]), jnp.full(2, -jnp.inf), np.array([1]), jnp.array([1.0, level]))
        means, log_vars = (part[0] for part in mixture)
        log_true, log_guess = (mixture_log_prob(line, means, log_vars, weights) for weights in (data, guess))
        gap = mixture_score(line, means, log_vars, data) - mixture_score(line, means, log_vars, guess)
        excess[level] = (1 - level) * (jnp.exp(log_true) @ gap[:, 0] ** 2) * 0.01
        if level == 0.9:
            yield jnp.exp(log_true) @ (log_true - log_guess) * 0.01, "0.3664"
    yield excess[0.9], "0.0161"
    yield excess[0.5], "0.2377"
    yield excess[0.1], "0.0617"
    yield 0.9 * np.log(1.8) + 0.1 * np.log(0.2), "0.3681"
