"""Exercises of the lecture: Classifier guidance: Bayes' rule for scores."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, oo

from theory_jax.derivation.notation import Limit, Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient
from theory_jax.lectures.diffusion.classifier_guidance import _EQUAL, _SIGNS, P_0, P_t, a, derivation, half, r, w, x

_EVEN = 1 / (1 + exp(-2 * x))


@derivation.exercise(
    r"At a level where nothing of the data is left, what are the classifier and its slope, for classes of "
    r"weight 0.25 and 0.75?",
    r"$x_T$ is independent of the class, so the classifier gives the weights, 0.25 and 0.75, for every $x$, and its slope is 0.",
)
def pure_noise():
    def log_probs(x):
        return class_log_probs(x, np.array([1]), _SIGNS, jnp.zeros(2), jnp.log(jnp.array([0.25, 0.75])), jnp.array([1.0, 0.0]))

    x = jnp.array([[1.7]])
    yield jnp.exp(log_probs(x))[0], "0.25 and 0.75"
    yield classifier_gradient(x, np.array([0]), log_probs)[0, 0], "0"


@derivation.exercise(
    r"Two Gaussian classes of equal variance have log-odds that are a line with slope 2. What is the bend $H$ of $\log "
    r"q_t(y|x)$? Evaluate it at even odds.",
    prose(
        r"$\log q_t(y|x)$ is the logarithm of a logistic function of the line, so its slope is {slope} and its bend {bend}, "
        r"which is never positive: the guided variance $v$ always exists and is at most $\sigma^2$. At even odds the bend is "
        "$-1$.",
        slope=holds(Slope(-log(1 + exp(-2 * x)), x), "=", 2 * (1 - _EVEN), named=True),
        bend=holds(Slope(-log(1 + exp(-2 * x)), x, 2), "=", -4 * _EVEN * (1 - _EVEN), named=True),
    ),
)
def two_gaussian_classes():
    # means 1 and -1 at unit variance: log-odds 2x
    def log_prob(x):
        return class_log_probs(
            x[None, None], np.array([1]), jnp.array([[1.0], [-1.0]]) / 0.6, jnp.zeros(2), _EQUAL, jnp.array([1.0, 0.36])
        )[0, 0]

    yield jax.grad(jax.grad(log_prob))(0.0), "-1"


@derivation.exercise(
    r"Where $r$ and $\bar\alpha_t$ are one half, how large is the gap between the two variances at $w = 3$, and which scale "
    "makes it largest?",
    prose(
        "The gap is {gap}: 0.125 at scale 3. Its derivative has the sign of $5 w^2 + 6 w - 3$, which is positive above scale "
        "1: the gap grows toward {limit} and has no maximum.",
        gap=holds(
            plus(times(a, 1 - r) / P_0, 1 - a, -(1 - a * r) / P_t),
            "=",
            w * (w - 1) / times(2, w + 1, w + 3),
            when={a: half, r: half},
            named=True,
        ),
        limit=holds(Limit(w * (w - 1) / (2 * (w + 1) * (w + 3)), w, oo), "=", half, named=True),
    ),
)
def the_gap():
    gap = w * (w - 1) / (2 * (w + 1) * (w + 3))
    yield float(gap.subs(w, 3)), "0.125"
    yield derivation.ground().expand(-(1 - a * r) / P_t + a * (1 - r) / P_0 + 1 - a).subs({a: half, r: half}), gap
    yield gap.diff(w) * (w + 1) ** 2 * (w + 3) ** 2 * 2, 5 * w**2 + 6 * w - 3
