"""Contracts of bits per dimension and of the underlying likelihoods (lecture 14)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Cancels, Law, Rejects, bits, given, integers, log_of, normal, uniform, zeros

VALUES = integers(4, 3, high=17)
LOGISTIC = {"mean": uniform(4, 3, low=-1.0, high=1.0), "log_scale": uniform(4, 3, low=-3.0, high=0.5)}
X, SAMPLES = normal(4, 3), normal(5, 3)
PRIOR, TARGET = normal(4, 3), normal(4, 3)
BETA = np.array([0.0, 0.25, 0.5, 1.0])
PATHS = ("log_prior_path", "log_target_path")
# Of three levels, with mean and scale 1/2: the edges -1/2 and 1/2 are at -2 and 0.
BELOW = 1 / (1 + np.exp(2.0))
THREE = given(values=np.array([[0, 1, 2]]), mean=[[0.5] * 3], log_scale=[[-LOG_2] * 3], num_levels=3)


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _probability(f, v, mean, log_scale, num_levels=5):
    return np.exp(f.discretized_logistic_log_probs(np.full(mean.shape, v), mean, log_scale, num_levels=num_levels))


def _mean_weight(f, prior, target):
    """Over all nine paths of two steps on three states, with the second state drawn anew at temperature 1/2."""
    states = np.indices((3, 3)).reshape(2, 9).T
    first, second = (np.exp(part) / np.exp(part).sum() for part in (prior, (prior + target) / 2))
    weights = np.exp(f.annealed_log_weights(prior[states], target[states], np.array([0.0, 0.5, 1.0])))
    return np.sum(first[states[:, 0]] * second[states[:, 1]] * weights)


SPEC = (
    Agree("bits_per_dimension", "regular", given(log_prob=normal(5, scale=20.0), dim=3)),
    Agree("bits_per_dimension", "a density of 256 levels", given(log_prob=normal(5, scale=20.0), dim=3, num_levels=256)),
    Agree("bits_per_dimension", "no probability", given(log_prob=[-np.inf, -3.0, 0.0], dim=2),
          no_gradient="there is no slope at infinity"),
    Agree("uniform_dequantize", "regular", given(x=VALUES, u=uniform(4, 3), num_levels=17)),
    Agree("uniform_dequantize", "256 levels",
          given(x=np.array([[255, 0, 254]]), u=[[0.0, 0.25, 0.875]], num_levels=256)),
    Agree("uniform_dequantize", "one level", given(x=integers(4, 3, high=1), u=uniform(4, 3), num_levels=1)),
    Agree("discretized_logistic_log_probs", "regular", given(values=VALUES, **LOGISTIC, num_levels=17)),
    Agree("discretized_logistic_log_probs", "two levels",
          given(values=integers(4, 3, high=2), **LOGISTIC, num_levels=2)),
    Agree("discretized_logistic_log_probs", "256 levels, with the mean at the other end", given(
        values=np.array([[255, 0, 254, 1, 128]]), mean=[[-1.0, 1.0, -0.9, 0.9, 0.0]],
        log_scale=[[-3.0, -7.0, -7.0, -3.0, -2.0]], num_levels=256)),
    Agree("discretized_logistic_log_probs", "cells of one scale to seven", given(
        values=np.array([[1, 2, 3, 1, 2]]), mean=[[0.1, -0.2, 0.3, 0.6, -0.4]],
        log_scale=[[-0.7, -1.2, -0.5, -2.0, -2.6]], num_levels=5)),
    Agree("parzen_log_likelihood", "regular", given(x=X, samples=SAMPLES, bandwidth=1.5)),
    Agree("parzen_log_likelihood", "narrow", given(x=X, samples=SAMPLES, bandwidth=0.01)),
    Agree("parzen_log_likelihood", "wide", given(x=X, samples=SAMPLES, bandwidth=10.0)),
    Agree("parzen_log_likelihood", "far from the origin",
          given(x=normal(4, 3, mean=1000.0), samples=normal(5, 3, mean=1000.0), bandwidth=1.0)),
    Agree("parzen_log_likelihood", "equal points", given(x=np.ones((4, 3)), samples=np.ones((5, 3)), bandwidth=0.5)),
    Agree("parzen_log_likelihood", "one sample", given(x=X, samples=normal(1, 3), bandwidth=0.5)),
    Agree("annealed_log_weights", "regular", given(log_prior_path=PRIOR, log_target_path=TARGET, temperatures=BETA)),
    Agree("annealed_log_weights", "one step",
          given(log_prior_path=normal(4, 1), log_target_path=normal(4, 1), temperatures=[0.0, 1.0])),
    Agree("annealed_log_weights", "a repeated temperature, where the target is 0", given(
        log_prior_path=[[-1.0, -0.5, -2.0], [-1.0, -3.0, -0.25]],
        log_target_path=[[-0.5, -np.inf, -0.125], [-0.75, -1.5, -2.5]], temperatures=[0.0, 0.5, 0.5, 1.0]),
        differentiate=PATHS),
    Agree("annealed_log_weights", "a path that the target does not have",
          given(log_prior_path=[[-1.0, -0.5], [-1.0, -3.0]], log_target_path=[[-np.inf, -0.5], [-0.75, -1.5]],
                temperatures=[0.0, 0.5, 1.0]), differentiate=PATHS, no_gradient="there is no slope at infinity"),
    Anchor(
        "bits_per_dimension", "densities of 256 levels: uniform, and twice as large in each of four dimensions",
        given(log_prob=[0.0, 4 * LOG_2], dim=4, num_levels=256), gives=[8.0, 7.0], source="by hand",
        near_misses={"log levels subtracted": [-8.0, -9.0], "log levels left out": [0.0, -1.0], "nats": [8 * LOG_2, 7 * LOG_2],
                     "levels - 1": [np.log2(255), np.log2(255) - 1], "log levels divided by the dimensions": [2.0, 1.0],
                     "not divided by the dimensions": [8.0, 4.0]},
    ),
    Anchor("bits_per_dimension", "a probability of 1/64 in three dimensions",
           given(log_prob=[-6 * LOG_2], dim=3), gives=[2.0], source="by hand",
           near_misses={"nats": [2 * LOG_2], "log 2 twice": [2 / LOG_2], "all dimensions": [6.0]}),
    Anchor("uniform_dequantize", "four levels", given(x=np.array([[0, 3]]), u=[[0.5, 0.75]], num_levels=4),
           gives=[[0.125, 0.9375]], source="by hand",
           near_misses={"divided by levels - 1": [[0.5 / 3, 1.25]], "around the value": [[0.0, 0.8125]],
                        "no noise": [[0.0, 0.75]], "the noise is not divided": [[0.5, 1.5]]}),
    Anchor(
        "discretized_logistic_log_probs", "three levels, mean and scale 1/2", THREE, gives=log_of([[BELOW, 0.5 - BELOW, 0.5]]),
        source="the logistic function at -2 and at 0",
        near_misses={
            "both ends closed": log_of([[BELOW - _sigmoid(-4.0), 0.5 - BELOW, 0.5 - BELOW]]),
            "the last cell closed": log_of([[BELOW, 0.5 - BELOW, 0.5 - BELOW]]),
            "half a cell is 1/levels": log_of([[_sigmoid(-7 / 3), _sigmoid(-1 / 3) - _sigmoid(-5 / 3), _sigmoid(-1 / 3)]]),
            "bits": log_of([[BELOW, 0.5 - BELOW, 0.5]]) / LOG_2, "probabilities": [[BELOW, 0.5 - BELOW, 0.5]],
            "density times width": log_of([[2 * p * (1 - p) for p in (_sigmoid(-3.0), _sigmoid(-1.0), _sigmoid(1.0))]]),
        },
    ),
    Anchor(
        "parzen_log_likelihood", "distances 0 and 2, bandwidth 2, in two dimensions",
        given(x=[[0.0, 0.0]], samples=[[0.0, 0.0], [0.0, 2.0]], bandwidth=2.0),
        gives=[np.log((1 + np.exp(-0.5)) / 2) - np.log(8 * np.pi)], source="by hand",
        near_misses={
            "the sum": [np.log(1 + np.exp(-0.5)) - np.log(8 * np.pi)], "mean of logarithms": [-0.25 - np.log(8 * np.pi)],
            "normalized in one dimension": [np.log((1 + np.exp(-0.5)) / 2) - np.log(8 * np.pi) / 2],
            "bandwidth for its square": [np.log((1 + np.exp(-1.0)) / 2) - np.log(4 * np.pi)],
            "the bandwidth does not normalize": [np.log((1 + np.exp(-0.5)) / 2) - np.log(2 * np.pi)],
        },
    ),
    Anchor(
        "annealed_log_weights", "ratios of 4 at the first state, and at the second",
        given(log_prior_path=[[LOG_2, 0.0], [0.0, LOG_2]], log_target_path=[[3 * LOG_2, 0.0], [0.0, 3 * LOG_2]],
              temperatures=[0.0, 0.25, 1.0]), gives=[LOG_2 / 2, 1.5 * LOG_2], source="by hand",
        near_misses={"the ratio turned over": [-LOG_2 / 2, -1.5 * LOG_2], "the prior added": [LOG_2, 3 * LOG_2],
                     "temperatures for their steps": [LOG_2 / 2, 2 * LOG_2], "the state after the step": [1.5 * LOG_2, 0.0],
                     "the target alone": [0.75 * LOG_2, 2.25 * LOG_2]},
    ),
    Law.equal("a density of scaled data is one of integers times levels^D", given(log_prob=normal(5, scale=20.0)),
              left=lambda f, a: f.bits_per_dimension(a, dim=3, num_levels=17),
              right=lambda f, a: f.bits_per_dimension(a - 3 * np.log(17), dim=3)),
    Law.inverse("the integers can be read back", given(values=VALUES, uniforms=uniform(4, 3, low=0.01, high=0.99)),
                round_trip=lambda f, v, u: np.floor(17 * f.uniform_dequantize(v, u, num_levels=17)), start=lambda f, v, u: v),
    Law.normalized("over five levels", given(**LOGISTIC), total=lambda f, m, s: sum(_probability(f, v, m, s) for v in range(5))),
    Law.equal("an inner cell is a difference of distribution functions", given(**LOGISTIC),
              left=lambda f, m, s: _probability(f, 3, m, s),
              right=lambda f, m, s: _sigmoid((0.75 - m) / np.exp(s)) - _sigmoid((0.25 - m) / np.exp(s)),
              cancels=Cancels(1.0, "of two numbers up to 1")),
    Law.equal("mirrored", given(values=VALUES, **LOGISTIC),
              left=lambda f, v, m, s: f.discretized_logistic_log_probs(v, m, s, num_levels=17),
              right=lambda f, v, m, s: f.discretized_logistic_log_probs(16 - v, -m, s, num_levels=17)),
    Law.normalized("a window integrates to one", given(samples=uniform(5, 1, low=-2.0, high=2.0)), total=lambda f, s: (
        np.exp(f.parzen_log_likelihood(np.linspace(-12.0, 12.0, 49)[:, None], s, bandwidth=1.0)).sum() / 2)),
    Law.equal("in other units", given(x=X, samples=SAMPLES),
              left=lambda f, x, s: f.parzen_log_likelihood(2 * x, 2 * s, bandwidth=3.0),
              right=lambda f, x, s: f.parzen_log_likelihood(x, s, bandwidth=1.5) - 3 * LOG_2),
    Law.equal("every sample twice", given(x=X, samples=SAMPLES),
              left=lambda f, x, s: f.parzen_log_likelihood(x, np.concatenate([s, s[::-1]]), bandwidth=1.5),
              right=lambda f, x, s: f.parzen_log_likelihood(x, s, bandwidth=1.5)),
    Law.equal("at one state, all steps are one", given(log_prior_path=normal(4, 1), log_target_path=normal(4, 1)),
              left=lambda f, a, b: f.annealed_log_weights(np.tile(a, 3), np.tile(b, 3), BETA),
              right=lambda f, a, b: (b - a)[:, 0]),
    Law.equal("the mean weight is the ratio of the sums", given(prior=normal(3), target=normal(3)),
              left=_mean_weight, right=lambda f, a, b: np.exp(b).sum() / np.exp(a).sum()),
    Rejects("bits_per_dimension", "a table", given(log_prob=zeros(2, 3), dim=3), blames="log_prob"),
    Rejects("bits_per_dimension", "no dimension", given(log_prob=zeros(2), dim=0), blames="dim"),
    Rejects("bits_per_dimension", "no level", given(log_prob=zeros(2), dim=3, num_levels=0), blames="num_levels"),
    *(
        Rejects("uniform_dequantize", case, given(x=values, u=uniforms, num_levels=num_levels), blames=blames)
        for case, values, uniforms, num_levels, blames in (
            ("a value beyond", np.array([[0, 4]]), zeros(1, 2), 4, "x"),
            ("a negative value", np.array([[0, -1]]), zeros(1, 2), 4, "x"),
            ("no integers", [[0.5, 1.0]], zeros(1, 2), 4, "x"),
            ("noise of 1", np.array([[0, 1]]), [[0.0, 1.0]], 4, "u"),
            ("negative noise", np.array([[0, 1]]), [[0.0, -0.5]], 4, "u"),
            ("shapes differ", np.array([[0, 1]]), zeros(1, 3), 4, "u"),
            ("no level", np.array([[0, 0]]), zeros(1, 2), 0, "num_levels"),
        )
    ),
    *(
        Rejects("discretized_logistic_log_probs", case, given(values=values, mean=mean, log_scale=scale, num_levels=num_levels),
                blames=blames)
        for case, values, mean, scale, num_levels, blames in (
            ("a value beyond", np.array([[0, 4]]), zeros(1, 2), zeros(1, 2), 4, "values"),
            ("a negative value", np.array([[0, -1]]), zeros(1, 2), zeros(1, 2), 4, "values"),
            ("no integers", bits(1, 2), zeros(1, 2), zeros(1, 2), 4, "values"),
            ("one mean for all", np.array([[0, 1]]), zeros(1, 1), zeros(1, 2), 4, "mean"),
            ("one scale for all", np.array([[0, 1]]), zeros(1, 2), zeros(1, 1), 4, "log_scale"),
            ("one level", np.array([[0, 0]]), zeros(1, 2), zeros(1, 2), 1, "num_levels"),
        )
    ),
    *(
        Rejects("parzen_log_likelihood", case, given(x=x, samples=samples, bandwidth=h), blames=blames)
        for case, x, samples, h, blames in (
            ("other dimensions", zeros(4, 3), zeros(5, 2), 1.0, "samples"),
            ("no sample", zeros(4, 3), zeros(0, 3), 1.0, "samples"),
            ("a vector", zeros(3), zeros(5, 3), 1.0, "x"), ("bandwidth 0", zeros(4, 3), zeros(5, 3), 0.0, "bandwidth"),
            ("a negative bandwidth", zeros(4, 3), zeros(5, 3), -1.0, "bandwidth"),
        )
    ),
    *(
        Rejects("annealed_log_weights", case,
                given(log_prior_path=zeros(*prior), log_target_path=zeros(*target), temperatures=beta), blames=blames)
        for case, prior, target, beta, blames in (
            ("shapes differ", (4, 2), (4, 3), [0.0, 0.5, 1.0], "log_target_path"),
            ("a vector", (2,), (2,), [0.0, 0.5, 1.0], "log_prior_path"),
            ("one for each state", (4, 2), (4, 2), [0.0, 1.0], "temperatures"),
            ("not from 0", (4, 2), (4, 2), [0.25, 0.5, 1.0], "temperatures"),
            ("not to 1", (4, 2), (4, 2), [0.0, 0.25, 0.5], "temperatures"),
            ("falling", (4, 3), (4, 3), [0.0, 0.75, 0.5, 1.0], "temperatures"),
            ("from the target to the prior", (4, 2), (4, 2), [1.0, 0.5, 0.0], "temperatures"),
            ("no state", (4, 0), (4, 0), [0.0], "temperatures"),
        )
    ),
)  # fmt: skip
