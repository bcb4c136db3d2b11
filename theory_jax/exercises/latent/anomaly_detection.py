"""Exercises of the lecture: Anomaly detection: a score, a threshold, and a ranking."""

import numpy as np
import scipy.special
import scipy.stats
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.latent.anomaly_detection import area_under_roc, average_precision, threshold_at_false_positive_rate
from theory_jax.lectures.latent._anomaly_detection import most_power
from theory_jax.lectures.latent.anomaly_detection import _THREE, _UNIFORM, M, derivation, epsilon, fresh


@derivation.exercise(
    r"Anomalies have scores $\mathcal N(1, 1)$, normal observations $\mathcal N(0, 1)$. How large is the area under the curve?",
    r"$s_1 - s_0$ is $\mathcal N(1, 2)$, so the area is its probability of a positive number, 0.7602.",
    level="easy",
    hint="The area is the probability that a difference is positive; how is the difference distributed?",
)
def two_gaussians():
    yield scipy.special.ndtr(1 / np.sqrt(2)), "0.7602"


@derivation.exercise(
    "A reference has 20 scores, and the rate is 0.1. How often is a fresh normal observation flagged?",
    prose(
        "{often}, which is 0.1429.", often=holds(fresh, "=", Rational(1, 7), when={M: 20, epsilon: Rational(1, 10)}, named=True)
    ),
    level="easy",
    hint="How many of the reference scores may be above the threshold?",
)
def twenty_scores():
    scores = np.arange(21.0)  # each in turn is the fresh one
    thresholds = [threshold_at_false_positive_rate(np.delete(scores, fresh), rate=0.1) for fresh in range(21)]
    yield np.mean(scores > np.array(thresholds)), "0.1429"


@derivation.exercise(
    "On the three states of the example, which test of size 0.6 has the largest power?",
    r"The third and the second state have size 0.5; a fifth of the first adds 0.1. The power is $\frac23 + \frac{1}{15}$, "
    "0.7333.",
    level="medium",
    hint="Flag states in the order of their ratio, until the size is used up.",
)
def size_six_tenths():
    yield most_power(0.6, _THREE, _UNIFORM), "0.7333"


@derivation.exercise(
    "The example's six observations are tested again, and every normal one now occurs ten times, with the same score. What "
    "happens to the area under the curve and to average precision?",
    "The area stays 0.7222, as it is a share of pairs. Average precision falls from 0.7556 to 0.4324, since ten times as many "
    "normal observations stand above each anomaly. Values of the latter from test sets of another mix cannot be compared.",
    level="medium",
    hint="Which of the two divides by counts of normal observations only?",
)
def ten_times_as_many():
    scores, labels = np.array([5.0, 4, 4, 3, 2, 1]), np.array([1, 1, 0, 0, 1, 0])
    more = np.repeat(np.arange(6), np.where(labels == 1, 1, 10))
    for which, precision in ((np.arange(6), "0.7556"), (more, "0.4324")):
        yield area_under_roc(scores[which], labels[which]), "0.7222"
        yield average_precision(scores[which], labels[which]), precision


@derivation.exercise(
    "Normal observations are standard normal in 100 dimensions, anomalies are normal with the variance 0.64 in each coordinate. "
    r"How large is the area under the curve for the score $-\log p$, and how large for its distance from its mean?",
    "0.0133 and 0.9658. Anomalies are nearer to the origin and so have the higher likelihood: the first score ranks nearly all "
    "pairs the wrong way around. The second one asks whether the likelihood is typical, and flags both sides.",
    level="hard",
    hint="Both scores depend on the squared radius alone, which has a chi-squared distribution, scaled for the anomalies.",
)
def too_likely():
    normal = scipy.stats.chi2(100)
    radius = np.linspace(0, 250, 50001)  # squared, of an anomaly
    density = normal.pdf(radius / 0.64) / 0.64 * (radius[1] - radius[0])
    yield density @ normal.cdf(radius), "0.0133"
    distance = np.abs(radius - 100)
    yield density @ (normal.cdf(100 + distance) - normal.cdf(100 - distance)), "0.9658"
