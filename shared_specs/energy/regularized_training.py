"""Contracts of the regularized training of energy networks."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Model, Rejects, begins_by_inputs, given, normal, zeros

DATA, SAMPLES = normal(5), normal(5)
DIAGONAL = {"weight": [[3.0, 0.0], [0.0, 1.0]], "u": [1.0, 1.0]}
SHEAR = {"weight": [[1.0, 2.0], [0.0, 1.0]], "u": [1.0, 0.0]}
RANKS = "a rank has no slope"
STOPPED = "u' and v are constants"


def _slope(f, weight, u):
    """The gradient of the sum of the entries of W / s, with that of s being u' v^T."""
    normalized, new, sigma = f.spectral_normalization_step(weight, u)
    v = weight.T @ u / np.linalg.norm(weight.T @ u)
    return 1 / sigma - normalized.sum() / sigma * np.outer(new, v)


def _rows_of_losses():
    """The same cases for the loss and its penalty."""
    for function in ("energy_regularization", "energy_loss"):
        yield Agree(function, "regular", given(data_energy=DATA, sample_energy=SAMPLES))
        yield Agree(function, "several chains, equal energies", given(data_energy=normal(4, 3), sample_energy=np.ones((4, 3))))
        yield Rejects(function, "shapes differ", given(data_energy=zeros(4), sample_energy=zeros(3)), blames="sample_energy")
        yield Rejects(function, "one sample for all", given(data_energy=zeros(4), sample_energy=zeros(1)), blames="sample_energy")


def _both_orders(f, e):
    """The loss of energies and of their negatives exchanged, at a = 0.3."""
    return f.energy_loss(e, -e[::-1], regularization=0.3), f.energy_loss(e[::-1], -e, regularization=0.3)


SPEC = (
    *_rows_of_losses(),
    Anchor("energy_regularization", "two pairs", given(data_energy=[1.0, -3.0], sample_energy=[2.0, -1.0]), gives=[5.0, 10.0],
           source="1 + 4, 9 + 1", near_misses={"of the difference": [1.0, 4.0], "half": [2.5, 5.0], "of the sum": [9.0, 16.0],
                                               "the mean": [7.5, 7.5], "data alone": [1.0, 9.0]}),
    Agree("energy_loss", "no penalty", given(data_energy=DATA, sample_energy=SAMPLES, regularization=0.0)),
    Anchor("energy_loss", "a = 1/2", given(data_energy=[1.0, -3.0, -1.0], sample_energy=[2.0, -1.0, 1.0], regularization=0.5),
           gives=[1.5, 3.0, -1.0], source="-1 + 5/2, -2 + 10/2, and the least, -2 + 2/2",
           near_misses={"turned over": [3.5, 7.0, 3.0], "the penalty of the difference": [-0.5, 0.0, 0.0],
                        "a within the square": [0.25, 0.5, -1.5], "a = 1": [4.0, 8.0, 0.0], "no penalty": [-1.0, -2.0, -2.0],
                        "the penalty subtracted": [-3.5, -7.0, -3.0]}),
    Law.at_least("no pair has less than -1/(2 a)", given(data_energy=normal(4, 3, scale=3.0), sample_energy=normal(4, 3)),
                 left=lambda f, e, s: f.energy_loss(e, s, regularization=0.4), right=-1 / 0.8),
    Law.equal("data and samples exchanged, and the sign", given(e=DATA), left=lambda f, e: np.sort(_both_orders(f, e)[0]),
              right=lambda f, e: np.sort(_both_orders(f, e)[1])),
    Rejects("energy_loss", "a negative penalty", given(data_energy=zeros(4), sample_energy=zeros(4), regularization=-0.1),
            blames="regularization"),
    # One power iteration.
    Agree("spectral_normalization_step", "regular", given(weight=normal(4, 3), u=normal(4)), no_gradient=STOPPED),
    Agree("spectral_normalization_step", "one number, negative, and u of another length", given(weight=[[-2.0]], u=[3.0]),
          no_gradient=STOPPED),
    Anchor("spectral_normalization_step", "diag(3, 1), u = (1, 1)", given(**DIAGONAL),
           gives=(np.array([[3.0, 0.0], [0.0, 1.0]]) / 8.2**0.5, np.array([9.0, 1.0]) / 82**0.5, 8.2**0.5), source="by hand",
           near_misses={
               "exact": (np.array([[1.0, 0.0], [0.0, 1 / 3]]), np.array([1.0, 0.0]), 3.0),
               "u as it was": (np.array([[3.0, 0.0], [0.0, 1.0]]) / 8.2**0.5, np.array([1.0, 1.0]), 8.2**0.5),
               "with the old u": (np.array([[3.0, 0.0], [0.0, 1.0]]) / 5**0.5, np.array([9.0, 1.0]) / 82**0.5, 5**0.5),
               "Frobenius": (np.array([[3.0, 0.0], [0.0, 1.0]]) / 10**0.5, np.array([9.0, 1.0]) / 82**0.5, 10**0.5)}),
    Anchor("spectral_normalization_step", "a shear", given(**SHEAR),
           gives=(np.array([[1.0, 2.0], [0.0, 1.0]]) / 5.8**0.5, np.array([5.0, 2.0]) / 29**0.5, 5.8**0.5),
           source="v = (1, 2)/sqrt 5, W v = (5, 2)/sqrt 5",
           near_misses={"v by W for its transpose": (np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, 0.0]), 1.0)}),
    Law.equal("the slope with u' and v held", given(weight=normal(4, 3), u=normal(4)), right=_slope,
              left=lambda f, weight, u: f.gradient("spectral_normalization_step", weight, u, wrt=0)),
    Law.equal("no slope in u", given(weight=normal(4, 3), u=normal(4)), right=1.0,
              left=lambda f, weight, u: 1 + f.gradient("spectral_normalization_step", weight, u, wrt=1)),
    Law.equal("u needs no unit length", given(weight=normal(4, 3), u=normal(4)),
              left=lambda f, weight, u: f.spectral_normalization_step(weight, 7 * u)[0],
              right=lambda f, weight, u: f.spectral_normalization_step(weight, u)[0]),
    Law.at_least("never above the largest singular value", given(weight=normal(4, 3), u=normal(4)),
                 left=lambda f, weight, u: np.linalg.norm(weight, 2),
                 right=lambda f, weight, u: f.spectral_normalization_step(weight, u)[2]),
    Law.at_least("it grows from call to call", given(weight=normal(4, 3), u=normal(4)),
                 left=lambda f, weight, u: f.spectral_normalization_step(weight, f.spectral_normalization_step(weight, u)[1])[2],
                 right=lambda f, weight, u: f.spectral_normalization_step(weight, u)[2]),
    Rejects("spectral_normalization_step", "a zero weight", given(weight=zeros(4, 3), u=np.ones(4)), blames="weight"),
    Rejects("spectral_normalization_step", "u at right angles to all columns",
            given(weight=[[1.0, 2.0], [0.0, 0.0]], u=[0.0, 1.0]), blames="u"),
    Rejects("spectral_normalization_step", "an entry for each column", given(weight=np.ones((4, 3)), u=np.ones(3)), blames="u"),
    Rejects("spectral_normalization_step", "a vector", given(weight=np.ones(4), u=np.ones(4)), blames="weight"),
    Rejects("spectral_normalization_step", "no rows", given(weight=zeros(0, 3), u=zeros(0)), blames="weight"),
    # The energy in a classifier.
    Agree("classifier_energy", "regular", given(logits=normal(5, 3))),
    Agree("classifier_energy", "logits of 900 and -900, and an impossible class",
          given(logits=[[900.0, 899.0, -900.0], [-900.0, -900.5, -899.0], [-np.inf, 0.5, 1.0], [2.0, -np.inf, -np.inf]])),
    Anchor("classifier_energy", "(log 3, 0)", given(logits=[[LOG_3, 0.0], [LOG_2, LOG_2]]), gives=[-2 * LOG_2, -2 * LOG_2],
           source="3 + 1 and 2 + 2", near_misses={"the sign": [2 * LOG_2, 2 * LOG_2], "the largest": [-LOG_3, -LOG_2],
                                                  "the mean": [-LOG_2, -LOG_2], "normalized": [0.0, 0.0]}),
    Law.equal("a constant added to all logits is taken from the energy", given(logits=normal(5, 3), constant=normal(5)),
              left=lambda f, logits, constant: f.classifier_energy(logits + constant[:, None]),
              right=lambda f, logits, constant: f.classifier_energy(logits) - constant),
    Law.equal("minus its slope is p(y|x)", given(logits=normal(5, 3)),
              left=lambda f, logits: -f.gradient("classifier_energy", logits),
              right=lambda f, logits: np.exp(logits) / np.exp(logits).sum(1, keepdims=True)),
    Rejects("classifier_energy", "no classes", given(logits=zeros(4, 0)), blames="logits"),
    Rejects("classifier_energy", "a row", given(logits=zeros(4)), blames="logits"),
    Rejects("classifier_energy", "every class impossible", given(logits=[[0.0, 1.0], [-np.inf, -np.inf]]), blames="logits"),
    Rejects("classifier_energy", "not a number", given(logits=[[0.0, np.nan]]), blames="logits"),
    # The energy as a score of anomalies.
    Agree("anomaly_auc", "regular", given(normal_energy=normal(5), anomaly_energy=normal(4, mean=1.0)), no_gradient=RANKS,
          smallest_batch=1),
    Agree("anomaly_auc", "all ties", given(normal_energy=np.ones(5), anomaly_energy=np.ones(4)), no_gradient=RANKS,
          frozen=("normal_energy", "anomaly_energy")),
    Anchor("anomaly_auc", "four of six pairs, and two ties", given(normal_energy=[0.0, 1.0, 1.0], anomaly_energy=[1.0, 2.0]),
           gives=5 / 6, source="by hand", frozen=("normal_energy", "anomaly_energy"),
           near_misses={"exchanged": 1 / 6, "ties won": 1.0, "ties lost": 2 / 3, "the share above the median": 0.5,
                        "without the number of pairs": 5.0}),
    Law.equal("what rises keeps it", given(normal_energy=normal(5), anomaly_energy=normal(4)),
              frozen=("normal_energy", "anomaly_energy"),
              left=lambda f, one, other: f.anomaly_auc(np.exp(one), np.exp(other)),
              right=lambda f, one, other: 1 - f.anomaly_auc(other, one)),
    Rejects("anomaly_auc", "nothing normal", given(normal_energy=zeros(0), anomaly_energy=zeros(4)), blames="normal_energy"),
    Rejects("anomaly_auc", "no anomaly", given(normal_energy=zeros(4), anomaly_energy=zeros(0)), blames="anomaly_energy"),
    Rejects("anomaly_auc", "not a number", given(normal_energy=zeros(4), anomaly_energy=[0.0, np.nan]), blames="anomaly_energy"),
    Rejects("anomaly_auc", "a table", given(normal_energy=zeros(4, 1), anomaly_energy=zeros(4)), blames="normal_energy"),
    # The network.
    Model("EnergyMLP", "small images, confined", given(x=normal(5, 2, 3)),
          sizes=dict(shape=(2, 3), hidden_dims=(7, 4), confinement=0.25), steps=0, initial={"*": begins_by_inputs()}),
)  # fmt: skip
