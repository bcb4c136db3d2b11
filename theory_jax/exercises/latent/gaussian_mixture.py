"""Exercises on Gaussian mixtures and expectation-maximization, with the points of the lecture's example."""

import numpy as np
from sympy import symbols, sympify, tanh

from theory_jax.latent.gaussian_mixture import log_responsibilities, m_step, mixture_log_density
from theory_jax.lectures.latent._gaussian_mixture import POINTS, START
from theory_jax.lectures.latent.gaussian_mixture import derivation


@derivation.exercise(
    "What does one M-step reach if there is one component only? Take the points 0, 2 and 4.",
    "Every share is 1: the mean 2 and the variance $8/3$, divided by the number of points. That is the maximum, in one step.",
    level="easy",
    hint="With one component there is nothing to share.",
)
def one_component():
    _, mean, factor = m_step(np.array([[0.0], [2.0], [4.0]]), np.zeros((3, 1)))
    yield mean[0, 0], "2"
    yield factor[0, 0, 0] ** 2, "8/3"


@derivation.exercise(
    "Two components have the variance 1, the means -1 and 1, and the weights 0.9 and 0.1. At which point are their shares equal?",
    "At 1.0986, half of the logarithm of 9: to the right of the second mean. At this mean itself the second component has the "
    "share 0.4509 only.",
    level="easy",
    hint="Write the logarithm of the odds as a function of the point: it is linear.",
)
def a_rare_component():
    border = np.log(9) / 2
    points = np.array([[border], [1.0]])
    shares = np.exp(log_responsibilities(points, np.log([0.9, 0.1]), np.array([[-1.0], [1.0]]), np.ones((2, 1, 1))))
    yield border, "1.0986"
    yield shares[0, 0] - shares[0, 1], "0"
    yield shares[1, 1], "0.4509"


@derivation.exercise(
    "The mean of a component is one of the points, in two dimensions. By how much does the log-likelihood rise if its deviation "
    "goes from $10^{-6}$ to $10^{-12}$?",
    r"By $2 \log 10^6$, 27.63 nats, up to the terms that have vanished.",
    level="medium",
    hint="Only the density of the point on the mean changes; how does it depend on the deviation?",
)
def shrinking():
    points, means = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])

    def likelihood(deviation):
        return mixture_log_density(points, np.log([0.5, 0.5]), means, np.stack([deviation * np.eye(2), np.eye(2)])).sum()

    yield likelihood(1e-12) - likelihood(1e-6), "27.63"


@derivation.exercise(
    r"In the example, what would the next variances be with the old means in place of the new?",
    r"0.7524 instead of 0.2263: $0.2263 + (1 - 0.2747)^2$, by the lemma on the best mean.",
    level="medium",
    hint="The mean square around any point is the variance and a squared distance of two means.",
)
def the_old_mean():
    shares = np.exp(log_responsibilities(POINTS, *START))
    yield shares[:, 0] @ (POINTS[:, 0] + 1) ** 2, "0.7524"
    yield m_step(POINTS, np.log(shares))[2][0, 0, 0] ** 2, "0.2263"


@derivation.exercise(
    r"The points are $\mp a$, and EM learns the means $\mp u$ alone: both weights stay at one half, both variances at 1. Find "
    "the next $u$. From which $a$ on do the means stay apart, and where do they end for $a$ of 2?",
    r"The next $u$ is $a \tanh(a u)$. Its slope in $u$ is $a^2$ at zero, and falls from there: up to $a$ of 1, with data of no "
    "more variance than a component, the means merge. For the points of the example they shrink by the factor 0.3017 in the "
    "end. For $a$ of 2 they end at 1.9987, short of the points.",
    level="hard",
    hint="The odds of the nearer component are the exponential of twice $a u$; then ask when zero attracts.",
)
def means_that_merge():
    def after(a, u):
        points, means = np.array([[-a], [a]]), np.array([[-u], [u]])
        return m_step(points, log_responsibilities(points, np.log([0.5, 0.5]), means, np.ones((2, 1, 1))))[1][1, 0]

    a, u = symbols("a u", positive=True)
    yield (a * tanh(a * u)).diff(u).subs(u, 0), a**2
    yield sympify(round(float(after(2.0, 0.3) - 2 * np.tanh(0.6)), 9)), sympify(0.0)
    yield after(POINTS[1, 0], 1e-5) / 1e-5, "0.3017"
    reached = 0.1
    for _ in range(60):
        reached = after(2.0, reached)
    yield reached, "1.9987"
