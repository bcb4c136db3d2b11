"""Contracts of maximum likelihood (lecture 1)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    Agree,
    Anchor,
    Law,
    Rejects,
    concatenate,
    full,
    given,
    integers,
    log_of,
    log_simplex,
    normal,
    zeros,
)

HALF_ZEROS = log_of([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
OTHER_ZEROS = log_of([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.9, 0.1, 0.0], [0.1, 0.0, 0.9]])
FAIR, BIASED = log_of([[0.5, 0.5, 0.0]] * 2), log_of([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])

SPEC = (
    # The empirical distribution.
    Agree("empirical_distribution", "regular", given(labels=integers(50, high=4), num_categories=4), smallest_batch=1),
    Agree("empirical_distribution", "labels at both ends only", given(labels=[0, 0, 5, 5, 5], num_categories=6)),
    Agree("empirical_distribution", "one category", given(labels=[0, 0, 0], num_categories=1)),
    Anchor(
        "empirical_distribution",
        "three of five",
        given(labels=[2, 0, 2, 1, 2], num_categories=4),
        gives=[0.2, 0.2, 0.6, 0.0],
        source="by hand",
        near_misses={"counts, not frequencies": [1.0, 1.0, 3.0, 0.0], "divides by K": [0.25, 0.25, 0.75, 0.0]},
    ),
    Law.normalized(
        "the empirical distribution sums to one",
        given(labels=integers(17, high=5)),
        total=lambda f, labels: f.empirical_distribution(labels, num_categories=5).sum(),
    ),
    Anchor(
        "empirical_distribution",
        "256 categories",
        given(labels=[255, 0, 255, 1], num_categories=256),
        gives=[0.25, 0.25] + [0.0] * 253 + [0.5],
        source="by hand",
    ),
    Rejects("empirical_distribution", "a label above K-1", given(labels=[0, 4], num_categories=4), blames="labels"),
    Rejects("empirical_distribution", "a negative label", given(labels=[0, -1], num_categories=4), blames="labels"),
    Rejects("empirical_distribution", "no labels", given(labels=np.zeros(0, dtype=np.int64), num_categories=4), blames="labels"),
    # The categorical likelihood.
    Agree("categorical_negative_log_likelihood", "regular", given(labels=integers(5, high=3), logits=normal(5, 3, scale=2.0))),
    Agree(
        "categorical_negative_log_likelihood",
        "logits of 800, labels at both ends",
        given(labels=[0, 2, 0, 2], logits=[[800.0, -800.0, 0.0], [800.0, -800.0, 0.0], [-800.0, 800.0, 3.0], [0.0, 1.0, 800.0]]),
    ),
    Agree("categorical_negative_log_likelihood", "one category", given(labels=[0, 0], logits=[[3.0], [-7.0]])),
    Anchor(
        "categorical_negative_log_likelihood",
        "odds of 3 to 1",
        given(labels=[0, 1], logits=[[1.0986122886681098, 0.0], [1.0986122886681098, 0.0]]),
        gives=[0.2876820724517809, 1.3862943611198906],
        source="log 4/3 and log 4",
        near_misses={
            "labels flipped": [1.3862943611198906, 0.2876820724517809],
            "bits": [0.4150374992788438, 2.0],
            "sign": [-0.2876820724517809, -1.3862943611198906],
            "no normalizer": [-1.0986122886681098, 0.0],
        },
    ),
    Law.equal(
        "a shift of the logits changes nothing",
        given(labels=integers(6, high=4), logits=normal(6, 4), shift=normal(6)),
        left=lambda f, labels, logits, shift: f.categorical_negative_log_likelihood(labels, logits + shift[:, None]),
        right=lambda f, labels, logits, shift: f.categorical_negative_log_likelihood(labels, logits),
    ),
    Law.equal(
        "the gradient is model minus data",
        given(labels=integers(6, high=4), logits=normal(6, 4)),
        left=lambda f, labels, logits: f.gradient("categorical_negative_log_likelihood", labels, logits, wrt=1),
        right=lambda f, labels, logits: np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(4)[labels],
    ),
    Anchor(
        "categorical_negative_log_likelihood",
        "256 categories",
        given(labels=[255, 0], logits=np.log([[*range(1, 257)], [*range(1, 257)]])),
        gives=[np.log(257 / 2), np.log(257 * 128)],
        source="1 + 2 + .. + 256 = 257 x 128",
    ),
    Rejects(
        "categorical_negative_log_likelihood", "a label above K-1", given(labels=[0, 3], logits=zeros(2, 3)), blames="labels"
    ),
    Rejects(
        "categorical_negative_log_likelihood", "a negative label", given(labels=[0, -1], logits=zeros(2, 3)), blames="labels"
    ),
    Rejects(
        "categorical_negative_log_likelihood", "batch sizes differ", given(labels=[0, 1, 1], logits=zeros(2, 3)), blames="labels"
    ),
    # Entropy and cross entropy.
    Agree("entropy", "regular", given(log_probs=log_simplex(5, 3))),
    Agree("entropy", "exact zeros", given(log_probs=HALF_ZEROS)),
    Agree("entropy", "one category", given(log_probs=log_simplex(2, 1))),
    Anchor(
        "entropy",
        "a fair coin among three",
        given(log_probs=log_of([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]])),
        gives=[LOG_2, 1.5 * LOG_2],
        source="Cover & Thomas, example 2.1.2",
        near_misses={"bits": [1.0, 1.5], "sign": [-LOG_2, -1.5 * LOG_2], "mean over categories": [LOG_2 / 3, 0.5 * LOG_2]},
    ),
    Law.equal(
        "the gradient is finite at probability zero",
        given(log_probs=HALF_ZEROS[:2]),
        left=lambda f, log_probs: np.isfinite(f.gradient("entropy", log_probs)),
        right=1.0,
    ),
    Law.at_least(
        "entropy is at most log K",
        given(log_probs=log_simplex(7, 4, scale=3.0)),
        left=lambda f, log_probs: np.full(7, np.log(4.0)),
        right=lambda f, log_probs: f.entropy(log_probs),
    ),
    Rejects("entropy", "a row that sums to 2", given(log_probs=full(2, 2, value=0.0)), blames="log_probs"),
    Agree("cross_entropy", "regular", given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3, scale=2.0))),
    Agree("cross_entropy", "p has zeros where q has mass", given(log_probs_p=HALF_ZEROS, log_probs_q=log_simplex(4, 3))),
    Agree(
        "cross_entropy",
        "q has zeros",
        given(log_probs_p=HALF_ZEROS, log_probs_q=OTHER_ZEROS),
        no_gradient="the value is infinite in a row where q = 0 < p",
    ),
    Anchor(
        "cross_entropy",
        "coins",
        given(log_probs_p=FAIR, log_probs_q=BIASED),
        gives=[2 * LOG_2, 1.5 * LOG_2],
        source="by hand",
        near_misses={"arguments swapped": [np.inf, np.inf], "bits": [2.0, 1.5], "the divergence": [LOG_2, 0.5 * LOG_2]},
    ),
    Rejects(
        "cross_entropy",
        "shapes differ",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 2)),
        blames="log_probs_q",
    ),
    Rejects(
        "cross_entropy",
        "q does not sum to one",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=zeros(5, 3)),
        blames="log_probs_q",
    ),
    # The Kullback-Leibler divergence.
    Agree("kl_divergence", "regular", given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3))),
    Agree("kl_divergence", "p has zeros where q has mass", given(log_probs_p=HALF_ZEROS, log_probs_q=log_simplex(4, 3))),
    Agree(
        "kl_divergence",
        "q has zeros",
        given(log_probs_p=HALF_ZEROS, log_probs_q=OTHER_ZEROS),
        no_gradient="the value is infinite in a row where q = 0 < p",
    ),
    Agree(
        "kl_divergence",
        "probabilities down to e^-700",
        given(log_probs_p=log_simplex(4, 3, scale=300.0), log_probs_q=log_simplex(4, 3)),
    ),
    Anchor(
        "kl_divergence",
        "coins",
        given(log_probs_p=FAIR, log_probs_q=BIASED),
        gives=[LOG_2, 0.5 * LOG_2],
        source="by hand",
        near_misses={
            "arguments swapped": [np.inf, np.inf],
            "bits": [1.0, 0.5],
            "mean over categories": [LOG_2 / 3, LOG_2 / 6],
            "the cross entropy": [2 * LOG_2, 1.5 * LOG_2],
            "NaN at p = 0": [np.nan, np.nan],
        },
    ),
    Anchor(
        "kl_divergence",
        "biased coins, both ways finite",
        given(log_probs_p=log_of([[0.75, 0.25]]), log_probs_q=log_of([[0.5, 0.5]])),
        gives=[0.13081203594113694],
        source="3/4 log 3/2 + 1/4 log 1/2",
        near_misses={"arguments swapped": [0.14384103622589045], "bits": [0.18872187554086717]},
    ),
    Law.at_least(
        "Gibbs: the divergence is not negative",
        given(log_probs_p=log_simplex(9, 4, scale=2.0), log_probs_q=log_simplex(9, 4, scale=2.0)),
        left=lambda f, log_probs_p, log_probs_q: f.kl_divergence(log_probs_p, log_probs_q),
        right=0.0,
    ),
    Law.equal(
        "the divergence of p from itself is zero",
        given(log_probs_p=concatenate(HALF_ZEROS, log_simplex(3, 3))),
        left=lambda f, log_probs_p: f.kl_divergence(log_probs_p, log_probs_p),
        right=0.0,
    ),
    Law.equal(
        "cross entropy = entropy + divergence",
        given(log_probs_p=HALF_ZEROS, log_probs_q=log_simplex(4, 3)),
        left=lambda f, log_probs_p, log_probs_q: f.cross_entropy(log_probs_p, log_probs_q),
        right=lambda f, log_probs_p, log_probs_q: f.entropy(log_probs_p) + f.kl_divergence(log_probs_p, log_probs_q),
    ),
    Law.equal(
        "renaming the categories changes nothing",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3)),
        left=lambda f, log_probs_p, log_probs_q: f.kl_divergence(log_probs_p[:, [2, 0, 1]], log_probs_q[:, [2, 0, 1]]),
        right=lambda f, log_probs_p, log_probs_q: f.kl_divergence(log_probs_p, log_probs_q),
    ),
    Rejects(
        "kl_divergence",
        "shapes differ",
        given(log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 2)),
        blames="log_probs_q",
    ),
    Rejects(
        "kl_divergence",
        "p does not sum to one",
        given(log_probs_p=zeros(5, 3), log_probs_q=log_simplex(5, 3)),
        blames="log_probs_p",
    ),
    # Gaussians.
    Agree("gaussian_negative_log_likelihood", "regular", given(x=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "gaussian_negative_log_likelihood",
        "variances of e^-20 and e^10",
        given(x=normal(2, 3), mean=normal(2, 3), log_var=[[-20.0, 10.0, 0.0], [10.0, -20.0, -20.0]]),
    ),
    Anchor(
        "gaussian_negative_log_likelihood",
        "variance 4",
        given(x=[[1.0, 0.0], [0.0, 3.0]], mean=zeros(2, 2), log_var=full(2, 2, value=2 * LOG_2)),
        gives=[3.3491714275292358, 4.3491714275292358],
        source="log 2 pi + 2 log 2 + (x/2)^2 / 2, by hand",
        near_misses={
            "log_var read as log standard deviation": [4.6415905886491810, 5.1415905886491810],
            "mean over dimensions": [1.6745857137646179, 2.1745857137646179],
            "forgets log 2 pi": [1.5112943611198906, 2.5112943611198906],
        },
    ),
    Rejects(
        "gaussian_negative_log_likelihood",
        "shapes differ",
        given(x=zeros(5, 3), mean=zeros(5, 3), log_var=zeros(5, 2)),
        blames="log_var",
    ),
    Agree("gaussian_maximum_likelihood", "regular", given(x=normal(7, 3, mean=2.0, scale=3.0)), smallest_batch=2),
    Agree("gaussian_maximum_likelihood", "two points", given(x=normal(2, 3))),
    Anchor(
        "gaussian_maximum_likelihood",
        "biased variance",
        given(x=[[1.0, 0.0], [3.0, 0.0], [5.0, 6.0]]),
        gives=([3.0, 2.0], [0.98082925301172624, 2.0794415416798359]),
        source="log 8/3 and log 8",
        near_misses={
            "divides by N - 1": ([3.0, 2.0], [1.3862943611198906, 2.4849066497880004]),
            "standard deviation": ([3.0, 2.0], [0.49041462650586312, 1.0397207708399180]),
        },
    ),
    Law.equal(
        "the likelihood is stationary in both parameters",
        given(x=normal(7, 3, scale=2.0)),
        left=lambda f, x: f.gradient(
            "gaussian_negative_log_likelihood", x, *(np.broadcast_to(a, x.shape) for a in f.gaussian_maximum_likelihood(x)), wrt=2
        ).sum(0),
        right=0.0,
    ),
    Rejects("gaussian_maximum_likelihood", "a constant column", given(x=[[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]), blames="x"),
    Rejects("gaussian_maximum_likelihood", "one row", given(x=[[1.0, 2.0]]), blames="x"),
    Agree(
        "gaussian_kl_divergence",
        "regular",
        given(mean_p=normal(5, 3), log_var_p=normal(5, 3), mean_q=normal(5, 3), log_var_q=normal(5, 3)),
    ),
    Agree(
        "gaussian_kl_divergence",
        "variances of e^-20 and e^10",
        given(
            mean_p=normal(2, 3),
            log_var_p=[[-20.0, 10.0, 0.0], [10.0, 1.0, -20.0]],
            mean_q=normal(2, 3),
            log_var_q=[[10.0, -2.0, 10.0], [0.0, -20.0, -20.0]],
        ),
    ),
    Anchor(
        "gaussian_kl_divergence",
        "by hand",
        given(mean_p=[[1.0, 0.0, 2.0]] * 2, log_var_p=[[2 * LOG_2, 0.0, 0.0]] * 2, mean_q=zeros(2, 3), log_var_q=zeros(2, 3)),
        gives=[3.3068528194400546] * 2,
        source="(1 + 4 - 1 - log 4) / 2 + 2",
        near_misses={
            "forgets the half": [6.6137056388801092] * 2,
            "mean for sum": [1.1022842731466849] * 2,
            "arguments swapped": [1.4431471805599453] * 2,
            "forgets -1": [4.8068528194400546] * 2,
            "log_var read as log standard deviation": [8.6137056388801092] * 2,
        },
    ),
    Law.at_least(
        "the Gaussian divergence is not negative",
        given(mean_p=normal(9, 3), log_var_p=normal(9, 3), mean_q=normal(9, 3), log_var_q=normal(9, 3)),
        left=lambda f, *gaussians: f.gaussian_kl_divergence(*gaussians),
        right=0.0,
    ),
    Law.equal(
        "the Gaussian divergence of p from itself is exactly zero",
        given(mean_p=normal(4, 3), log_var_p=normal(4, 3, scale=5.0)),
        left=lambda f, mean_p, log_var_p: f.gaussian_kl_divergence(mean_p, log_var_p, mean_p, log_var_p),
        right=0.0,
    ),
    Law.equal(
        "the Gaussian divergence adds over dimensions",
        given(mean_p=normal(5, 3), log_var_p=normal(5, 3), mean_q=normal(5, 3), log_var_q=normal(5, 3)),
        left=lambda f, *gaussians: f.gaussian_kl_divergence(*gaussians),
        right=lambda f, *gaussians: sum(f.gaussian_kl_divergence(*(a[:, d : d + 1] for a in gaussians)) for d in range(3)),
    ),
    Rejects(
        "gaussian_kl_divergence",
        "shapes differ",
        given(mean_p=zeros(5, 3), log_var_p=zeros(5, 3), mean_q=zeros(5, 3), log_var_q=zeros(5, 2)),
        blames="log_var_q",
    ),
)
