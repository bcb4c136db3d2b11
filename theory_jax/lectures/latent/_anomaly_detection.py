"""What the lecture on anomaly detection counts, and its figure."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from theory_jax.latent.anomaly_detection import area_under_roc, average_precision, false_positive_rate_at_recall

SCORES, LABELS = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 1.0]), np.array([1, 1, 0, 0, 1, 0])


def most_power(size, normal, anomalous):
    """The power of the likelihood ratio test of a size; between two whole states the next one is flagged at random."""
    order = np.argsort(-anomalous / normal)
    sizes, powers = (np.append(0.0, np.cumsum(law[order])) for law in (normal, anomalous))
    return np.interp(size, sizes, powers)


def rankings_of_four():
    """The three measures of four observations with three scores: the code's, by counts, and with mistakes: [3, 1134] each."""
    scores = np.repeat(list(product((0.0, 1.0, 2.0), repeat=4)), 14, axis=0)
    labels = np.tile([bits for bits in product((0.0, 1.0), repeat=4) if 0 < sum(bits) < 4], (81, 1))
    at_60 = partial(false_positive_rate_at_recall, recall=0.6)
    found = jnp.stack([jax.vmap(function)(scores, labels) for function in (area_under_roc, average_precision, at_60)])

    up_to, false_up_to = (np.stack([(kind * (scores >= t)).sum(1) for t in (3, 2, 1, 0)]) for kind in (labels, 1 - labels))
    recall, rate = up_to / up_to[-1], false_up_to / false_up_to[-1]
    precision = up_to / np.maximum(up_to + false_up_to, 1)
    area = (np.diff(rate, axis=0) * (recall[1:] + recall[:-1])).sum(0) / 2
    average = (np.diff(recall, axis=0) * precision[1:]).sum(0)
    reached = np.where(recall >= 0.6, rate, 1).min(0)
    by_trapezoids = (np.diff(recall, axis=0) * (precision[1:] + precision[:-1])).sum(0) / 2
    wrong = {
        "steps above the curve": [(np.diff(rate, axis=0) * recall[1:]).sum(0), average, reached],
        "trapezoids of precision": [area, by_trapezoids, reached],
        "recall not reached": [area, average, np.where(recall < 0.6, rate, 0).max(0)],
        "true for false": [area, average, 1 - reached],
    }
    return found, np.stack([area, average, reached]), {name: np.stack(form) for name, form in wrong.items()}


def draw_curve_and_shell(curve, radius):
    """The curve of the six scores, and the density of a Gaussian's radius."""
    thresholds = (6, 5, 4, 3, 2, 1)
    points = [[(SCORES[label == LABELS] >= t).mean() for t in thresholds] for label in (0, 1)]
    curve.plot(*points, "o-", label=f"area {float(area_under_roc(SCORES, LABELS)):.2f}")
    curve.plot([0, 1], [0, 1], "--", color="gray")
    curve.set(xlabel="false positive rate", ylabel="recall")
    curve.legend(loc="lower right")
    r = np.linspace(1e-3, 13, 400)
    for d in (1, 10, 100):
        log_density = (d - 1) * np.log(r) - r**2 / 2 - (d / 2 - 1) * np.log(2) - scipy.special.gammaln(d / 2)
        radius.plot(r, np.exp(log_density), label=f"$D = {d}$")
    radius.plot(0, 0, "o", color="black", clip_on=False)
    radius.set(xlabel="radius", ylabel="density", ylim=(0, None))
    radius.legend()
