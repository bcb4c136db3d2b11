"""A perceptron that classifies, by scikit-learn: the same classifier for all examples that a project compares."""

import math
import warnings
from collections.abc import Callable

import torch

BATCH = 64


def fitted(x: torch.Tensor, labels: torch.Tensor, *, hidden: tuple[int, ...], updates: int, seed: int) -> Callable:
    """classify(x) -> classes [M], of a perceptron that learned from examples [N, ...] and their labels [N].

    It takes at least this many steps of Adam, in whole passes, however many examples there are: what learns from twice as many
    does not also learn twice as long. The seed draws its first weights and the order of the examples.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    passes = math.ceil(updates / math.ceil(len(x) / BATCH))
    # without an early stop: the training loss never fails to improve in more passes than there are
    network = MLPClassifier(
        hidden, batch_size=min(BATCH, len(x)), max_iter=passes, n_iter_no_change=passes + 1, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(flat(x), labels.cpu().numpy())
    return lambda x: torch.from_numpy(network.predict(flat(x)))


def flat(x):
    """Examples as rows."""
    return x.detach().flatten(1).double().cpu().numpy()
