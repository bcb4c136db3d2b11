"""Contracts of density ratios and of the classifiers that estimate them (lecture 7)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Rejects,
    concatenate,
    given,
    integers,
    log_of,
    log_simplex,
    normal,
    scalar,
    uniform,
    zeros,
)

LABELS = integers(7, high=2)
K_P, K_Q = uniform(6, 4, high=2.0), uniform(5, 4, high=2.0)
# p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2), as four draws from each; the features are the indicators of the three points.
OF_P, OF_Q = np.eye(3)[[0, 0, 1, 2]], np.eye(3)[[0, 1, 2, 2]]


def _objective(k_p, k_q, weights, ridge):
    return np.mean((k_q @ weights) ** 2) / 2 - np.mean(k_p @ weights) + ridge / 2 * weights @ weights


def _expected_loss(f, log_p, log_q, logits, odds):
    """The mean logistic loss over all points and both labels, where draws from p are `odds` times as frequent."""
    size, share = len(logits), odds / (1 + odds)
    as_p, as_q = (f.logistic_ratio_loss(logits, np.full(size, label)) for label in (1, 0))
    return np.sum(share * np.exp(log_p) * as_p + (1 - share) * np.exp(log_q) * as_q)


SPEC = (
    Agree("log_ratio_from_classifier", "unequal priors", given(logits=normal(7), log_prior_odds=1.5)),
    Agree("log_ratio_from_classifier", "equal priors, sure", given(logits=concatenate(normal(5), [200.0, -200.0]))),
    Anchor("log_ratio_from_classifier", "three times as many data as samples",
           given(logits=np.log([6.0, 3.0, 1.5]), log_prior_odds=LOG_3), gives=[LOG_2, 0.0, -LOG_2],
           source="odds 3 r, r = 2, 1, 1/2",
           near_misses={"prior odds added": np.log([18.0, 9.0, 4.5]), "prior odds left in": np.log([6.0, 3.0, 1.5]),
                        "turned over": [-LOG_2, 0.0, LOG_2], "the ratio, not its logarithm": [2.0, 1.0, 0.5]}),
    Rejects("log_ratio_from_classifier", "two axes", given(logits=zeros(3, 2)), blames="logits"),
    Agree("logistic_ratio_loss", "regular", given(logits=normal(7), labels=LABELS)),
    Agree("logistic_ratio_loss", "sure and wrong", given(
        logits=[200.0, -200.0, 40.0, 25.0, -4000.0], labels=np.array([0, 1, 0, 0, 1]))),
    Agree("logistic_ratio_loss", "labels as numbers", given(logits=normal(4), labels=[0.0, 1.0, 1.0, 0.0]),
          differentiate=("logits",), frozen=("labels",)),
    Anchor("logistic_ratio_loss", "odds 3 and 1/3", given(logits=[LOG_3, LOG_3, -LOG_3], labels=np.array([1, 0, 0])),
           gives=[np.log(4 / 3), np.log(4.0), np.log(4 / 3)], source="sigma(log 3) = 3/4",
           near_misses={"labels exchanged": np.log([4.0, 4 / 3, 4.0]), "sign": -np.log([4 / 3, 4.0, 4 / 3]),
                        "averaged": [np.log(64 / 9) / 3] * 3}),
    Law.at_least("no logit beats the log-ratio and the prior odds", given(p=log_simplex(5), q=log_simplex(5), other=normal(5)),
                 left=lambda f, p, q, other: _expected_loss(f, p, q, p - q + LOG_3 + other, 3.0),
                 right=lambda f, p, q, other: _expected_loss(f, p, q, p - q + LOG_3, 3.0)),
    Law.equal("its slope is zero there", given(p=log_simplex(5), q=log_simplex(5)),
              left=lambda f, p, q: 1 + np.exp(p) * f.gradient("logistic_ratio_loss", p - q, np.ones(5, int), wrt=0)
              + np.exp(q) * f.gradient("logistic_ratio_loss", p - q, np.zeros(5, int), wrt=0), right=1.0),
    Rejects("logistic_ratio_loss", "a third label", given(logits=zeros(3), labels=np.array([0, 1, 2])), blames="labels"),
    Rejects("logistic_ratio_loss", "labels of -1 and 1", given(logits=zeros(3), labels=np.array([1, -1, 1])), blames="labels"),
    Rejects("logistic_ratio_loss", "sizes differ", given(logits=zeros(3), labels=np.array([0, 1])), blames="labels"),
    Agree("least_squares_ratio_loss", "regular", given(ratio_numerator=normal(7), ratio_denominator=normal(7))),
    Anchor("least_squares_ratio_loss", "ratios 2 and 1/2", given(ratio_numerator=[2.0, 0.5], ratio_denominator=[0.5, 2.0]),
           gives=[-1.875, 1.5], source="by hand",
           near_misses={"no half": [-1.75, 3.5], "p and q exchanged": [1.5, -1.875], "sign": [1.875, -1.5],
                        "averaged": [-0.1875, -0.1875]}),
    Law.at_least("no ratio beats p/q", given(p=log_simplex(5), q=log_simplex(5), other=normal(5)),
                 left=lambda f, p, q, other: np.exp(q) @ f.least_squares_ratio_loss(0 * p, np.exp(p - q) + other)
                 + np.exp(p) @ f.least_squares_ratio_loss(np.exp(p - q) + other, 0 * p),
                 right=lambda f, p, q, other: -np.sum(np.exp(2 * p - q)) / 2),
    Rejects("least_squares_ratio_loss", "sizes differ", given(ratio_numerator=zeros(3), ratio_denominator=zeros(2)),
            blames="ratio_denominator"),
    Agree("kernel_ratio_fit", "regular", given(kernel_numerator=K_P, kernel_denominator=K_Q, ridge=0.5), smallest_batch=1),
    Agree("kernel_ratio_fit", "more features than draws", given(
        kernel_numerator=K_P, kernel_denominator=uniform(2, 4), ridge=0.1)),
    *(Agree("kernel_ratio_fit", f"ridge {ridge}", given(kernel_numerator=K_P, kernel_denominator=K_Q, ridge=ridge))
      for ridge in (1e-3, 100.0)),
    Anchor("kernel_ratio_fit", "indicators", given(kernel_numerator=OF_P, kernel_denominator=OF_Q, ridge=0.25),
           gives=[1.0, 0.5, 1 / 3], source="p/(q + ridge)",
           near_misses={"ridge over M": [1.6, 0.8, 4 / 9],
                        "no ridge": [2.0, 1.0, 0.5], "p and q exchanged": [1 / 3, 0.5, 1.0]}),
    Law.at_least("no weights have a smaller penalized loss", given(k_p=K_P, k_q=K_Q, other=normal(4)),
                 left=lambda f, k_p, k_q, other: _objective(
                     k_p, k_q, f.kernel_ratio_fit(k_p, k_q, ridge=0.5) + other, 0.5),
                 right=lambda f, k_p, k_q, other: _objective(k_p, k_q, f.kernel_ratio_fit(k_p, k_q, ridge=0.5), 0.5)),
    Law.equal("draws twice over change nothing", given(k_p=K_P, k_q=K_Q),
              left=lambda f, k_p, k_q: f.kernel_ratio_fit(np.repeat(k_p, 2, 0), np.repeat(k_q, 3, 0), ridge=0.5),
              right=lambda f, k_p, k_q: f.kernel_ratio_fit(k_p, k_q, ridge=0.5)),
    Rejects("kernel_ratio_fit", "columns differ", given(kernel_numerator=zeros(3, 2), kernel_denominator=zeros(3, 4), ridge=1.0),
            blames="kernel_denominator"),
    Rejects("kernel_ratio_fit", "no draw from p", given(kernel_numerator=zeros(0, 2), kernel_denominator=zeros(3, 2), ridge=1.0),
            blames="kernel_numerator"),
    Rejects("kernel_ratio_fit", "no draw from q", given(kernel_numerator=zeros(3, 2), kernel_denominator=zeros(0, 2), ridge=1.0),
            blames="kernel_denominator"),
    Rejects("kernel_ratio_fit", "ridge 0", given(kernel_numerator=zeros(3, 2), kernel_denominator=zeros(3, 2), ridge=0.0),
            blames="ridge"),
    Agree("rejection_log_acceptance", "regular", given(log_ratio=normal(7), log_bound=2.5)),
    Agree("rejection_log_acceptance", "capped", given(log_ratio=concatenate(normal(5), [300.0, -300.0]), log_bound=0.3)),
    Anchor("rejection_log_acceptance", "r = 2, 1, 1/2 and 0, M = 2",
           given(log_ratio=log_of([2.0, 1.0, 0.5, 0.0]), log_bound=LOG_2),
           gives=[0.0, -LOG_2, -2 * LOG_2, -np.inf], source="r/M",
           near_misses={"M on the wrong side": [0.0, 0.0, 0.0, -np.inf], "probabilities": [1.0, 0.5, 0.25, 0.0],
                        "the ratio turned over": [-2 * LOG_2, -LOG_2, 0.0, 0.0]}),
    Anchor("rejection_log_acceptance", "M below the largest ratio", given(log_ratio=log_of([2.0, 1.0, 0.5]), log_bound=0.0),
           gives=[0.0, 0.0, -LOG_2], source="no probability exceeds 1", near_misses={"not capped": [LOG_2, 0.0, -LOG_2]}),
    Law.equal("the kept draws follow p, at the rate 1/M", given(p=log_simplex(5), q=log_simplex(5)),
              left=lambda f, p, q: np.exp(q + f.rejection_log_acceptance(p - q, log_bound=float((p - q).max()))),
              right=lambda f, p, q: np.exp(p - (p - q).max())),
    Rejects("rejection_log_acceptance", "no axis", given(log_ratio=scalar(0.5), log_bound=1.0), blames="log_ratio"),
)  # fmt: skip
