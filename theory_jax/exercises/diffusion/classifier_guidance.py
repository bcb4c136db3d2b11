"""Exercises of the lecture: Classifier guidance: Bayes' rule for scores."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, oo

from theory_jax.derivation.notation import Limit, Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.classifier_guidance import class_log_probs, classifier_gradient
from theory_jax.lectures.diffusion.classifier_guidance import _EQUAL, _POINTS, _SIGNS, P_0, P_t, a, derivation, half, r, w, x

_EVEN = 1 / (1 + exp(-2 * x))


def _at(level):
    """The exact classifier of the example's two points at this share of signal."""
    return lambda x: class_log_probs(x, np.full(len(x), 1), _SIGNS, _POINTS, _EQUAL, jnp.array([1.0, level]))


@derivation.exercise(
    r"At a level where nothing of the data is left, what are the classifier and its slope, for classes of "
    r"weight 0.25 and 0.75?",
    r"$x_T$ is independent of the class, so the classifier gives the weights, 0.25 and 0.75, for every $x$, and its slope is 0.",
    level="easy",
    hint="Is the class independent of the noisy value there?",
)
def pure_noise():
    def log_probs(x):
        return class_log_probs(x, np.array([1]), _SIGNS, jnp.zeros(2), jnp.log(jnp.array([0.25, 0.75])), jnp.array([1.0, 0.0]))

    x = jnp.array([[1.7]])
    yield jnp.exp(log_probs(x))[0], "0.25 and 0.75"
    yield classifier_gradient(x, np.array([0]), log_probs)[0, 0], "0"


@derivation.exercise(
    "In the example the class is the other sign, -1, at the same point 0.5. How steep is its log-probability there, by the "
    "numbers of the class 1 alone?",
    "-2.4423: weighted by the probabilities, the slopes of the two classes cancel. The unlikely class pulls harder.",
    level="easy",
    hint="Weighted by the probabilities the slopes sum to zero, and 0.81683 and 0.54768 are known.",
)
def the_other_sign():
    yield classifier_gradient(jnp.array([[0.5]]), np.array([0]), _at(0.5184))[0, 0], "-2.4423"
    (minus, plus_), slope = (
        jnp.exp(_at(0.5184)(jnp.array([[0.5]])))[0],
        classifier_gradient(jnp.array([[0.5]]), np.array([1]), _at(0.5184)),
    )
    yield -plus_ * slope[0, 0] / minus, "-2.4423"


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
    level="medium",
    hint="Write the classifier as a logistic function of the log-odds, and differentiate its logarithm twice.",
)
def two_gaussian_classes():
    # means 1 and -1 at unit variance: log-odds 2x
    def log_prob(x):
        return class_log_probs(
            x[None, None], np.array([1]), jnp.array([[1.0], [-1.0]]) / 0.6, jnp.zeros(2), _EQUAL, jnp.array([1.0, 0.36])
        )[0, 0]

    yield jax.grad(jax.grad(log_prob))(0.0), "-1"


@derivation.exercise(
    r"The classifier of the example was trained on nearly clean pictures, at 0.81 as $\bar\alpha$, and guides at 0.5184. What "
    "are the probability and the slope for the class 1 at 0.5, and what is the slope at -0.5?",
    "The probability is 0.9913 in place of 0.8168, and the slope 0.0823 in place of 0.5477: too sure of itself, the classifier "
    "hardly guides. On the other side its slope is 9.3914 in place of 2.4423: it pushes far too hard.",
    level="medium",
    hint="The log-odds of the two points are a line in $x$; how steep is it at each of the two levels?",
)
def a_clean_classifier():
    here, there, sign = jnp.array([[0.5]]), jnp.array([[-0.5]]), np.array([1])
    clean, noisy = _at(0.81), _at(0.5184)
    yield jnp.exp(clean(here))[0, 1], "0.9913"
    yield jnp.exp(noisy(here))[0, 1], "0.8168"
    for at, name, printed in (
        (here, clean, "0.0823"),
        (here, noisy, "0.5477"),
        (there, clean, "9.3914"),
        (there, noisy, "2.4423"),
    ):
        yield classifier_gradient(at, sign, name)[0, 0], printed


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
    level="hard",
    hint="Insert one half for both into the closed form, and ask for the sign of its derivative above scale 1.",
)
def the_gap():
    gap = w * (w - 1) / (2 * (w + 1) * (w + 3))
    yield float(gap.subs(w, 3)), "0.125"
    yield derivation.ground().expand(-(1 - a * r) / P_t + a * (1 - r) / P_0 + 1 - a).subs({a: half, r: half}), gap
    yield gap.diff(w) * (w + 1) ** 2 * (w + 3) ** 2 * 2, 5 * w**2 + 6 * w - 3
