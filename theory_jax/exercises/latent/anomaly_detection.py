"""Exercises of the lecture: Anomaly detection: a score, a threshold, and a ranking."""

import numpy as np
import scipy.special
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.anomaly_detection import threshold_at_false_positive_rate
from theory_jax.lectures.latent._anomaly_detection import most_power
from theory_jax.lectures.latent.anomaly_detection import _THREE, _UNIFORM, M, derivation, epsilon, fresh


@derivation.exercise(
    r"Anomalies have scores $\mathcal N(1, 1)$, normal observations $\mathcal N(0, 1)$. How large is the area under the curve?",
    r"$s_1 - s_0$ is $\mathcal N(1, 2)$, so the area is its probability of a positive number, 0.7602.",
)
def two_gaussians():
    yield scipy.special.ndtr(1 / np.sqrt(2)), "0.7602"


@derivation.exercise(
    "A reference has 20 scores, and the rate is 0.1. How often is a fresh normal observation flagged?",
    prose(
        "{often}, which is 0.1429.", often=holds(fresh, "=", Rational(1, 7), when={M: 20, epsilon: Rational(1, 10)}, named=True)
    ),
)
def twenty_scores():
    scores = np.arange(21.0)  # each in turn is the fresh one
    thresholds = [threshold_at_false_positive_rate(np.delete(scores, fresh), rate=0.1) for fresh in range(21)]
    yield np.mean(scores > np.array(thresholds)), "0.1429"


@derivation.exercise(
    "On the three states of the example, which test of size 0.6 has the largest power?",
    r"The third and the second state have size 0.5; a fifth of the first adds 0.1. The power is $\frac23 + \frac{1}{15}$, "
    "0.7333.",
)
def size_six_tenths():
    yield most_power(0.6, _THREE, _UNIFORM), "0.7333"
