"""A second computation of the judges of samples: by loops over pairs, eigenvalues, scikit-learn on rows of numbers."""

import math

import numpy as np
import torch
from sklearn.svm import SVC


def nearest(points, others):
    """The distance from each point to the nearest of the others, in float64."""
    points, others = points.flatten(1).double(), others.flatten(1).double()
    return [float((others - point).norm(dim=1).min()) for point in points]


def back_and_forth(real, fakes):
    """The mean distance to the nearest, from fakes to real points and back, halved."""
    there, back = nearest(fakes, real), nearest(real, fakes)
    return (sum(there) / len(there) + sum(back) / len(back)) / 2


def covered(fakes, mixture, radius):
    """The counts of `modes`, one fake after another."""
    good, squares = {}, []
    for fake in fakes.double():
        away = [float((fake - torch.tensor(center, dtype=torch.float64)).norm()) for center in mixture["means"]]
        mode = min(range(len(away)), key=away.__getitem__)
        if away[mode] <= radius:
            good[mode] = good.get(mode, 0) + 1
            squares.append(away[mode] ** 2 / len(fake) / mixture["stds"][mode] ** 2)
    modes = sum(good.get(k, 0) / len(fakes) >= weight / 4 for k, weight in enumerate(mixture["weights"]))
    quality = sum(good.values()) / len(fakes)
    spread = math.sqrt(sum(squares) / len(squares)) if squares else 0.0
    share = modes / len(mixture["means"])
    return {"modes": modes, "high_quality": quality, "quality_times_coverage": quality * share, "spread": spread}


def spread_within(x, label):
    """The mean distance between two of one class."""
    total = pairs = 0.0
    for k, row in enumerate(x.flatten(1)):
        of_class = x.flatten(1)[label == label[k]]
        total, pairs = total + float((of_class - row).norm(dim=1).sum()), pairs + len(of_class) - 1
    return total / pairs


def energy_distance(x, y):
    """2 E|x - y| - E|x - x'| - E|y - y'| over pairs of different examples."""
    x, y = x.double(), y.double()

    def within(rows):
        return sum(float((a - b).norm()) for a in rows for b in rows) / len(rows) / (len(rows) - 1)

    between = sum(float((a - b).norm()) for a in x for b in y) / len(x) / len(y)
    return 2 * between - within(x) - within(y)


class Judge:
    """Principal components of known examples by a singular value decomposition, and the verdicts based on them."""

    def __init__(self, examples, labels=None):
        self.known = _rows(examples)
        self.center = self.known.mean(0)
        _, _, axes = np.linalg.svd(self.known - self.center, full_matrices=False)
        self.axes = axes[:64]
        if labels is not None:
            self.classifier = SVC(C=10.0).fit(self.places(examples), labels.numpy())

    def places(self, x):
        return (_rows(x) - self.center) @ self.axes.T

    def classify(self, x):
        return torch.from_numpy(self.classifier.predict(self.places(x)))

    def frechet_distance(self, x, y):
        """|m - n|^2 + tr S + tr T - 2 tr (S T)^(1/2) in the first twenty components; the last by eigenvalues of S T."""
        return frechet_distance(self.places(x)[:, :20], self.places(y)[:, :20])

    def verdict(self, samples, held_out, asked=None, labels=None, classes=0):
        known = torch.from_numpy(self.known)
        to_known = [nearest(each, known) for each in (samples, held_out)]
        found = {
            "frechet_distance": self.frechet_distance(samples, held_out),
            "nearest": sum(to_known[0]) / len(samples),
            "nearest_real": sum(to_known[1]) / len(held_out),
        }
        if classes:
            called, of_real = self.classify(samples).tolist(), self.classify(held_out).tolist()
            found["class_accuracy"] = sum(a == b for a, b in zip(called, asked.tolist(), strict=True)) / len(called)
            found["class_accuracy_real"] = sum(a == b for a, b in zip(of_real, labels.tolist(), strict=True)) / len(of_real)
            found["rarest_class"] = min(called.count(k) for k in range(classes)) / len(called)
        return found


def frechet_distance(x, y):
    """Between Gaussians fitted to rows."""
    s, t = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (x, y))
    cross = np.linalg.eigvals(s @ t).real.clip(0)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * np.sqrt(cross).sum())


def _rows(x):
    return x.detach().flatten(1).double().numpy() if isinstance(x, torch.Tensor) else x
