"""Evaluation of image samples against real data: distances, and a small classifier."""

import torch

from practice_torch.engine.experiment import Metric
from practice_torch.evaluation.frechet_distance import frechet_feature_distance
from practice_torch.evaluation.memorization import nearest_distance

_REFERENCES = 5000  # largest number of training examples used: the time of a support vector machine is quadratic
_COMPONENTS = 20  # of the principal components in which means and covariances are compared
_SEEN = 64  # principal components that the classifier uses: all the pixels of an 8x8 image


# What Judge.verdict measures.
JUDGED = {
    "frechet_distance": Metric("squared distance", "Frechet distance between Gaussians fitted to samples and to held-out data"),
    "nearest": Metric("distance", "mean distance from a sample to the nearest training example; copies if far below the next"),
    "nearest_real": Metric("distance", "mean distance from a held-out example to the nearest training example"),
    "class_accuracy": Metric("fraction", "samples recognized as the requested class"),
    "class_accuracy_real": Metric("fraction", "held-out examples whose class is recognized"),
    "rarest_class": Metric("fraction", "share of the least frequent class among the samples"),
}


class Judge:
    """Knows some training data [N, ...], and their labels if they have any.

    Frechet distances are between Gaussians fitted in the training data's first principal components. Classes are recognized by a
    support vector machine with a Gaussian kernel. The distance to the training data distinguishes copies from samples.
    """

    def __init__(self, examples, labels=None):
        some = references(len(examples))
        self.examples, self.classifier = _rows(examples[some]), None
        from sklearn.decomposition import PCA
        from sklearn.svm import SVC

        self.axes = PCA(min(_SEEN, *self.examples.shape), random_state=0).fit(self.examples)
        if labels is not None:
            self.classifier = SVC(C=10.0).fit(self.axes.transform(self.examples), labels[some].cpu().numpy())

    def features(self, x):
        """The first principal components of each, [N, D]."""
        return torch.from_numpy(self.axes.transform(_rows(x))[:, :_COMPONENTS])

    def frechet_distance(self, samples, real):
        """Between samples and real data."""
        return frechet_feature_distance(self.features(samples), self.features(real)).item()

    def verdict(self, samples, held_out, asked=None, labels=None, num_classes=0):
        """Metrics of samples and of held-out examples; `asked`: the requested classes of the samples, if there are classes."""
        found = {
            "frechet_distance": self.frechet_distance(samples, held_out),
            "nearest": self.nearest(samples),
            "nearest_real": self.nearest(held_out),
        }
        if num_classes:
            called = self.classify(samples)
            found["class_accuracy"] = (called == asked.cpu()).double().mean().item()
            found["class_accuracy_real"] = (self.classify(held_out) == labels.cpu()).double().mean().item()
            found["rarest_class"] = torch.bincount(called, minlength=num_classes).min().item() / len(called)
        return found

    def nearest(self, samples):
        """Mean distance from a sample to the nearest training example."""
        return nearest_distance(torch.from_numpy(_rows(samples)), torch.from_numpy(self.examples)).mean().item()

    def classify(self, samples):
        """The class of each, [N]."""
        return torch.from_numpy(self.classifier.predict(self.axes.transform(_rows(samples))))

    def evidence(self, samples):
        """Scores of every class against the others, [N, K]."""
        return torch.from_numpy(self.classifier.decision_function(self.axes.transform(_rows(samples))))


def references(count):
    """Indices, among `count`, of the examples that a Judge uses: all, or evenly spaced ones up to its limit."""
    return torch.linspace(0, count - 1, min(count, _REFERENCES)).round().long()


def spread_within(x, label):
    """Mean distance between two examples of one class."""
    distances = torch.cdist(x.flatten(1), x.flatten(1))
    pairs = label[:, None] == label
    return (distances[pairs].sum() / (pairs.sum() - len(label))).item()  # an example's distance from itself is 0


def probe_accuracy(code, label):
    """Accuracy of a logistic regression on codes [N, L], fitted to one half and tested on the other, both ways."""
    from sklearn.linear_model import LogisticRegression

    code, label = _rows(code), label.cpu().numpy()
    halves = slice(None, None, 2), slice(1, None, 2)
    probes = [LogisticRegression(max_iter=1000).fit(code[half], label[half]) for half in halves]
    scores = [probe.score(code[half], label[half]) for probe, half in zip(probes, reversed(halves), strict=True)]
    return float(sum(scores) / len(scores))


def _rows(x):
    return x.detach().flatten(1).double().cpu().numpy()
