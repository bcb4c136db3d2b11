"""Contracts of the beta-VAE (lecture 22)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Recipe, Rejects, given, log_of, log_simplex, normal, uniform, zeros


def covariances(*shape):
    """Symmetric and positive definite."""

    def draw(rng):
        factor = rng.standard_normal(shape)
        return factor @ np.swapaxes(factor, 1, 2) + 0.5 * np.eye(shape[-1])

    return Recipe(draw)


TERMS = {"negative_log_likelihood": normal(5, mean=80.0, scale=9.0), "kl": uniform(5, high=9.0)}
PAIRS = {"z": normal(4, 3), "mean": normal(5, 3), "log_var": normal(5, 3)}
CODES = {"z": normal(4, 3), "mean": normal(4, 3), "log_var": normal(4, 3), "log_importance": log_simplex(4, 4)}
# Posteriors of width e^-2.75, and a code near the mean of each.
MEANS = np.array([[0.3, -1.0, 0.8], [1.4, 0.2, -0.7], [0.25, -0.9, 0.85], [-1.1, 0.6, 0.1]])
SHARP = {
    "z": MEANS + 0.06 * np.array([[1.0, -0.5, 0.2], [-1.2, 0.3, 0.9], [0.1, -0.8, 1.1], [0.7, 1.3, -0.4]]),
    "mean": MEANS,
    "log_var": np.full((4, 3), -5.5) + 0.1 * MEANS,
    "log_importance": log_simplex(4, 4),
}
C = np.log(2 * np.pi) / 2
# Two data at (0, 0) and (2, 2), unit variances, a code at each mean: e^-2 for each coordinate of the other's density.
TWO = {
    "z": [[0.0, 0.0], [2.0, 2.0]],
    "mean": [[0.0, 0.0], [2.0, 2.0]],
    "log_var": zeros(2, 2),
    "log_importance": np.log([[0.25, 0.75], [0.5, 0.5]]),
}
JOINT = np.log([0.25 + 0.75 * np.exp(-4), 0.5 + 0.5 * np.exp(-4)])
EACH = np.log([0.25 + 0.75 * np.exp(-2), 0.5 + 0.5 * np.exp(-2)])
ACROSS = np.log([0.25 + 0.5 * np.exp(-4), 0.5 + 0.75 * np.exp(-4)])  # the weights transposed


def _parts(joint, each, prior=(0.0, 4.0)):
    """The three parts of TWO's rates, from the densities relative to their own."""
    return [(-joint).tolist(), (joint - 2 * each).tolist(), (2 * each + prior).tolist()]


def _log_ratio(z, mean, log_var):
    """log q(z|x) - log p(z)."""
    return ((z**2 - (z - mean) ** 2 * np.exp(-log_var) - log_var) / 2).sum(1)


SPEC = (
    # A price, and a target.
    Agree("beta_negative_elbo", "regular", given(**TERMS, beta=4.0)),
    Anchor("beta_negative_elbo", "by hand", given(negative_log_likelihood=[80.0, 100.0], kl=[5.0, 10.0], beta=4.0),
           gives=[100.0, 140.0], source="by hand",
           near_misses={"the weight on the reconstruction": [325.0, 410.0], "no weight": [85.0, 110.0],
                        "the mean": [120.0, 120.0], "the inverse weight": [81.25, 102.5], "subtracted": [60.0, 60.0]}),
    Law.equal("a weight of 0 leaves the reconstruction", given(**TERMS),
              left=lambda f, loss, kl: f.beta_negative_elbo(loss, kl, beta=0.0), right=lambda f, loss, kl: loss),
    Agree("capacity_objective", "regular", given(**TERMS, gamma=10.0, capacity=4.0)),
    Agree("capacity_objective", "at the capacity", given(
        negative_log_likelihood=[80.0, 90.0], kl=[5.0, 5.0], gamma=10.0, capacity=5.0), frozen=("kl",), no_gradient="a kink"),
    Anchor("capacity_objective", "below, at and above", given(
               negative_log_likelihood=[80.0, 80.0, 80.0], kl=[3.0, 5.0, 8.0], gamma=10.0, capacity=5.0),
           gives=[100.0, 80.0, 110.0], source="by hand",
           near_misses={"no absolute value": [60.0, 80.0, 110.0], "a square": [120.0, 80.0, 170.0],
                        "only above": [80.0, 80.0, 110.0], "only below": [100.0, 80.0, 80.0],
                        "the weight on the rate alone": [105.0, 125.0, 155.0]}),
    Law.equal("without a capacity it is a weight", given(**TERMS),
              left=lambda f, loss, kl: f.capacity_objective(loss, kl, gamma=3.0, capacity=0.0),
              right=lambda f, loss, kl: f.beta_negative_elbo(loss, kl, beta=3.0)),
    *(
        Rejects(function, case, given(**TERMS | changed), blames=blames)
        for function, hyper in (("beta_negative_elbo", {"beta": 4.0}), ("capacity_objective", {"gamma": 1.0, "capacity": 4.0}))
        for case, changed, blames in (
            ("a rate of other length", hyper | {"kl": zeros(4)}, "kl"),
            ("two axes", hyper | {"negative_log_likelihood": zeros(5, 3)}, "negative_log_likelihood"),
            *((f"a negative {name}", hyper | {name: -0.5}, name) for name in hyper),
        )
    ),
    # Densities of each coordinate.
    Agree("pairwise_latent_log_density", "sharp and wide", given(**PAIRS | {"log_var": normal(5, 3, scale=4.0)})),
    Anchor("pairwise_latent_log_density", "one point, two Gaussians",
           given(z=[[0.0, 1.0]], mean=[[0.0, 0.0], [1.0, 1.0]], log_var=[[0.0, 2 * LOG_2], [0.0, 0.0]]),
           gives=[[[-C, -C - LOG_2 - 0.125], [-C - 0.5, -C]]], source="by hand: variances 1, 4, 1 and 1",
           near_misses={"a deviation for the variance": [[[-C, -C - 2 * LOG_2 - 1 / 32], [-C - 0.5, -C]]],
                        "no constant": [[[0.0, -LOG_2 - 0.125], [-0.5, 0.0]]],
                        "no half": [[[-2 * C, -2 * C - 2 * LOG_2 - 0.25], [-2 * C - 1, -2 * C]]],
                        "Gaussians and latents exchanged": [[[-C, -C - 0.5], [-C - LOG_2 - 0.125, -C]]]}),
    *(
        Rejects("pairwise_latent_log_density", case, given(**PAIRS | changed), blames=blames)
        for case, changed, blames in (
            ("means of other width", {"mean": zeros(5, 2), "log_var": zeros(5, 2)}, "mean"),
            ("a variance for all", {"log_var": zeros(1, 3)}, "log_var"), ("one axis", {"z": zeros(3)}, "z"),
        )
    ),
    # Weights of a batch.
    Agree("stratified_log_importance", "regular", given(batch_size=3, dataset_size=7)),
    Agree("stratified_log_importance", "many data", given(batch_size=3, dataset_size=10**9)),
    Anchor("stratified_log_importance", "three of six", given(batch_size=3, dataset_size=6),
           gives=np.log(np.full((3, 3), 5 / 12) - np.eye(3) / 4), source="by hand: 1/6 and 5/12",
           near_misses={"a batch for the whole data set": np.full((3, 3), -np.log(3)),
                        "divided by both sizes": np.full((3, 3), -np.log(18)),
                        "not a logarithm": np.full((3, 3), 5 / 12) - np.eye(3) / 4}),
    Anchor("stratified_log_importance", "the whole data set", given(batch_size=2, dataset_size=2),
           gives=np.full((2, 2), -LOG_2), source="by hand: 1/N", near_misses={"not normalized": np.zeros((2, 2))}),
    Rejects("stratified_log_importance", "one example", given(batch_size=1, dataset_size=6), blames="batch_size"),
    Rejects("stratified_log_importance", "a batch larger than the data set", given(batch_size=7, dataset_size=6),
            blames="batch_size"),
    # The parts of the rate.
    Agree("kl_decomposition", "regular", given(**CODES), smallest_batch=2),
    Agree("kl_decomposition", "sharp posteriors", given(**SHARP), smallest_batch=2),
    Agree("kl_decomposition", "examples without weight", given(**CODES | {"log_importance": log_of(
        [[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0], [0.2, 0.0, 0.0, 0.8]])}), smallest_batch=2),
    Anchor("kl_decomposition", "two data at a distance", given(**TWO), gives=tuple(_parts(JOINT, EACH)),
           source="by hand: with weights 1/4, 3/4 and 1/2, 1/2 the densities are sums of 1 and e^-2 or e^-4",
           near_misses={"information and dependence exchanged": tuple(_parts(JOINT, EACH)[at] for at in (1, 0, 2)),
                        "the weights transposed": tuple(_parts(ACROSS, EACH)),
                        "no weights": tuple(_parts(np.log1p(np.exp([-4.0, -4.0])), np.log1p(np.exp([-2.0, -2.0])))),
                        "1/B for every weight": tuple(_parts(JOINT[[1, 1]], EACH[[1, 1]])),
                        "coordinates summed before the data are": tuple(_parts(2 * EACH, EACH)),
                        "the prior forgotten": tuple(_parts(JOINT, EACH, prior=(-2 * C, -2 * C)))}),
    Law.equal("for every code and all weights the parts add up", given(**CODES),
              left=lambda f, *g: np.sum(f.kl_decomposition(*g), axis=0), right=lambda f, z, m, v, w: _log_ratio(z, m, v)),
    Law.at_least("no code tells more than the weight of its example allows", given(**SHARP),
                 left=lambda f, z, m, v, w: -np.diagonal(w), right=lambda f, *g: f.kl_decomposition(*g)[0]),
    Law.equal("the order of the coordinates does not count", given(**CODES),
              left=lambda f, z, m, v, w: np.stack(f.kl_decomposition(*(x[:, [2, 0, 1]] for x in (z, m, v)), w)),
              right=lambda f, *g: np.stack(f.kl_decomposition(*g))),
    Law.equal("one coordinate depends on no other", given(**CODES),
              left=lambda f, z, m, v, w: f.kl_decomposition(z[:, :1], m[:, :1], v[:, :1], w)[1], right=0.0),
    *(
        Rejects("kl_decomposition", case, given(**CODES | changed), blames=blames)
        for case, changed, blames in (
            ("one axis", {"z": zeros(4)}, "z"), ("a mean of other width", {"mean": zeros(4, 2)}, "mean"),
            ("a variance too few", {"log_var": zeros(3, 3)}, "log_var"),
            ("a row of weights too few", {"log_importance": log_simplex(3, 4)}, "log_importance"),
            ("one row of weights for all", {"log_importance": log_simplex(4)}, "log_importance"),
            ("one example", {name: zeros(1, 3) for name in ("z", "mean", "log_var")} | {"log_importance": zeros(1, 1)}, "z"),
        )
    ),
    # The total correlation of a Gaussian.
    Agree("gaussian_total_correlation", "regular", given(covariance=covariances(4, 3, 3))),
    Agree("gaussian_total_correlation", "nearly singular", given(
        covariance=[[[1.0, 0.999], [0.999, 1.0]], [[0.25, -0.498], [-0.498, 1.0]]]),
        ),
    Anchor("gaussian_total_correlation", "a correlation of 0.6", given(covariance=[[[4.0, 3.6], [3.6, 9.0]]]),
           gives=[-np.log(0.64) / 2], source="by hand: -log(1 - 0.36) / 2",
           near_misses={"not halved": [-np.log(0.64)], "the entropy": [np.log(36 * 0.64) / 2 + 2 * C + 1],
                        "no variances": [-np.log(36 * 0.64) / 2], "the sign": [np.log(0.64) / 2],
                        "the correlation not squared": [-np.log(0.4) / 2]}),
    Law.equal("the scales do not count", given(covariance=covariances(4, 3, 3)),
              left=lambda f, s: f.gaussian_total_correlation(s * np.array([4.0, 0.125, 32.0])[:, None] * [4.0, 0.125, 32.0]),
              right=lambda f, s: f.gaussian_total_correlation(s)),
    Law.equal("independent coordinates have none", given(variances=uniform(4, 3, low=0.1)),
              left=lambda f, v: f.gaussian_total_correlation(v[:, :, None] * np.eye(3)), right=0.0),
    *(
        Rejects("gaussian_total_correlation", case, given(covariance=covariance), blames="covariance")
        for case, covariance in (
            ("a correlation of 2", [[[1.0, 2.0], [2.0, 1.0]]]), ("not symmetric", [[[1.0, 0.5], [0.1, 1.0]]]),
            ("a variance of 0", [[[1.0, 0.0], [0.0, 0.0]]]), ("not square", zeros(4, 3, 2)), ("two axes", np.eye(3)),
        )
    ),
)  # fmt: skip
