"""Contracts of the hierarchical VAE."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    full,
    given,
    linspace,
    normal,
    uniform,
    zeros,
)

PAIR = {"mean_a": normal(4, 3), "log_var_a": normal(4, 3), "mean_b": normal(4, 3), "log_var_b": normal(4, 3)}
FAR = PAIR | {"log_var_a": uniform(4, 3, low=-8.0, high=8.0), "log_var_b": uniform(4, 3, low=-8.0, high=8.0)}
RESIDUAL = {"delta_mean": normal(4, 3), "delta_log_var": normal(4, 3), "prior_log_var": normal(4, 3)}
NAMES = ("posterior_means", "posterior_log_vars", "prior_means", "prior_log_vars")


def levels(*widths, rows=4, scale=1.0):
    """Four tuples of arrays, one of each for every level of these widths."""
    return {name: tuple(normal(rows, width, scale=scale if "log" in name else 1.0) for width in widths) for name in NAMES}


TWO = levels(3, 2)
TERMS = {"negative_log_likelihood": normal(5, mean=80.0, scale=9.0), "kl_levels": uniform(5, 3, high=9.0)}
# Level 1: N(1, 2) to N(0, 4). Level 2: N((0, 3), (1, 1)) to N((0, 0), (1, 9)).
BY_HAND = {
    "posterior_means": (np.array([[1.0]]), np.array([[0.0, 3.0]])),
    "posterior_log_vars": (np.array([[LOG_2]]), np.array([[0.0, 0.0]])),
    "prior_means": (np.array([[0.0]]), np.array([[0.0, 0.0]])),
    "prior_log_vars": (np.array([[2 * LOG_2]]), np.array([[0.0, 2 * LOG_3]])),
}
FIRST, SECOND = (LOG_2 - 1 / 4) / 2, LOG_3 + 1 / 18


def _both(f, mean_a, log_var_a, mean_b, log_var_b):
    return np.stack(f.precision_weighted_product(mean_a, log_var_a, mean_b, log_var_b))


def _constant(z, mean_a, log_var_a, mean_b, log_var_b, product):
    """log N(z; a) + log N(z; b) - log N(z; product)."""

    def log_density(mean, log_var):
        return -(np.log(2 * np.pi) + log_var + (z - mean) ** 2 * np.exp(-log_var)) / 2

    return log_density(mean_a, log_var_a) + log_density(mean_b, log_var_b) - log_density(*product)


def _drawn(network, x, noise):
    """A draw of the model with two levels, and the same by its prior."""
    first, second = noise.split((3, 2), 1)
    mean, log_var = network.prior(0, second)
    return network.draw(noise), mean + (log_var / 2).exp() * first


def _unread(network, x, noise):
    """The law of the network's own draw, and that of latents drawn with posteriors that differ in nothing from their priors."""
    for layer in network.get_submodule("posteriors"):
        layer.weight.zero_()
        layer.bias.zero_()
    law, rates = network(x, noise)
    return (network.draw(noise), 0 * rates), (law, rates)


SPEC = (
    # The product of two Gaussians.
    Agree("precision_weighted_product", "regular", given(**PAIR)),
    Agree("precision_weighted_product", "precisions far apart", given(**FAR)),
    Anchor("precision_weighted_product", "variances 1 and 1/2, then 4 and 4/3", given(
               mean_a=[[0.0, 2.0]], log_var_a=[[0.0, 2 * LOG_2]], mean_b=[[3.0, -2.0]], log_var_b=[[-LOG_2, 2 * LOG_2 - LOG_3]]),
           gives=([[2.0, -1.0]], [[-LOG_3, 0.0]]), source="by hand: precisions 1 + 2 and 1/4 + 3/4",
           near_misses={"the mean of the means": ([[1.5, 0.0]], [[-LOG_3, 0.0]]),
                        "variances added": ([[2.0, -1.0]], [[LOG_3 - LOG_2, np.log(16 / 3)]]),
                        "weights exchanged": ([[1.0, 1.0]], [[-LOG_3, 0.0]]),
                        "weights by standard deviations": (
                            [[3 * 2**0.5 / (1 + 2**0.5), (2 - 2 * 3**0.5) / (1 + 3**0.5)]], [[-LOG_3, 0.0]]),
                        "precisions averaged": ([[2.0, -1.0]], [[LOG_2 - LOG_3, LOG_2]]),
                        "the precision for the variance": ([[2.0, -1.0]], [[LOG_3, 0.0]])}),
    Law.equal("the order does not count", given(**PAIR), left=_both, right=lambda f, m, v, n, w: _both(f, n, w, m, v)),
    Law.equal("the grouping of three does not count", given(**PAIR, mean_c=normal(4, 3), log_var_c=normal(4, 3)),
              left=lambda f, *g: _both(f, *f.precision_weighted_product(*g[:4]), *g[4:]),
              right=lambda f, *g: _both(f, *g[:2], *f.precision_weighted_product(*g[2:]))),
    Law.equal("the product of the densities over the result is the same everywhere", given(**PAIR),
              left=lambda f, *g: _constant(0.7, *g, f.precision_weighted_product(*g)),
              right=lambda f, *g: _constant(-0.4, *g, f.precision_weighted_product(*g))),
    Law.equal("a Gaussian with itself keeps its mean and halves its variance", given(mean=normal(4, 3), log_var=normal(4, 3)),
              left=lambda f, m, v: _both(f, m, v, m, v), right=lambda f, m, v: np.stack([m, v - LOG_2])),
    *(
        Rejects("precision_weighted_product", f"{name} of other width", given(**PAIR | {name: zeros(4, 2)}), blames=name)
        for name in ("log_var_a", "mean_b", "log_var_b")
    ),
    Rejects("precision_weighted_product", "one axis", given(**{name: zeros(3) for name in PAIR}), blames="mean_a"),
    # Relative to the prior.
    Agree("residual_gaussian_kl", "regular", given(**RESIDUAL)),
    Agree("residual_gaussian_kl", "wide and narrow priors", given(**RESIDUAL | {
        "prior_log_var": uniform(4, 3, low=-8.0, high=8.0), "delta_log_var": uniform(4, 3, low=-8.0, high=8.0)})),
    Agree("residual_gaussian_kl", "almost unused", given(**RESIDUAL | {
        "delta_mean": normal(4, 3, scale=1e-6), "delta_log_var": normal(4, 3, scale=1e-6)})),
    Anchor("residual_gaussian_kl", "by hand", given(
               delta_mean=[[1.0, 0.0], [0.0, 2.0]], delta_log_var=[[-LOG_2, 0.0], [LOG_2, 0.0]],
               prior_log_var=[[2 * LOG_2, 3.0], [5.0, 0.0]]),
           gives=[(LOG_2 - 1 / 4) / 2, (1 - LOG_2) / 2 + 2],
           source="by hand: (1/4 + 1/2 - 1 + log 2) / 2 and (2 - 1 - log 2 + 4) / 2",
           near_misses={"the posterior's variance below the mean": [LOG_2 / 2, (1 - LOG_2) / 2 + 2],
                        "not halved": [LOG_2 - 1 / 4, 5 - LOG_2],
                        "the log-variance for the variance": [(LOG_2 - 1 / 2 + 1 / 4 / LOG_2 / 2) / 2, 2.0],
                        "divergence turned over": [(3 - LOG_2 - 1 / 2) / 2, (LOG_2 - 1 / 2) / 2 + 2],
                        "the mean over the latents": [(LOG_2 - 1 / 4) / 4, (5 - LOG_2) / 4]}),
    Law.equal("nothing added costs nothing", given(prior_log_var=uniform(4, 3, low=-8.0, high=8.0)),
              left=lambda f, v: f.residual_gaussian_kl(0 * v, 0 * v, v), right=0.0),
    Law.equal("near the prior it is quadratic", given(delta=normal(4, 3), log_ratio=normal(4, 3), prior_log_var=normal(4, 3)),
              left=lambda f, d, w, v: f.residual_gaussian_kl(d * 2.0**-30, w * 2.0**-30, v) * 2.0**60,
              right=lambda f, d, w, v: (
                  (d**2 * np.exp(-v) / 2 + w**2 / 4 * (1 + w * 2.0**-30 / 3)).sum(1))),
    Law.equal("whatever the prior's mean", given(**RESIDUAL, prior_mean=normal(4, 3)),
              left=lambda f, d, w, v, m: f.residual_gaussian_kl(d, w, v),
              right=lambda f, d, w, v, m: f.hierarchical_kl((m + d,), (v + w,), (m,), (v,))[:, 0]),
    *(
        Rejects("residual_gaussian_kl", f"{name} of other width", given(**RESIDUAL | {name: zeros(4, 2)}), blames=name)
        for name in ("delta_log_var", "prior_log_var")
    ),
    Rejects("residual_gaussian_kl", "one axis", given(**{name: zeros(3) for name in RESIDUAL}), blames="delta_mean"),
    # A column for each level.
    Agree("hierarchical_kl", "two levels", given(**TWO)),
    Agree("hierarchical_kl", "one level", given(**levels(3))),
    Agree("hierarchical_kl", "three levels of log-variances to 8", given(**levels(5, 3, 2, scale=3.0))),
    Anchor("hierarchical_kl", "by hand", given(**BY_HAND), gives=[[FIRST, SECOND]],
           source="by hand: (log 2 + 3/4 - 1) / 2, and (log 9 + 10/9 - 1) / 2 in the second coordinate of the second level",
           near_misses={"levels exchanged": [[SECOND, FIRST]],
                        "the divergence to a standard normal": [[(2 - LOG_2) / 2, 9 / 2]],
                        "divergence turned over": [[(5 / 2 - 1 - LOG_2) / 2, (17 - 2 * LOG_3) / 2]],
                        "the mean over the latents": [[FIRST, SECOND / 2]],
                        "means divided by the posterior's variance": [[LOG_2 / 2, (2 * LOG_3 + 1 / 9 + 8) / 2]]}),
    Law.equal("the order of the levels is that of the columns", given(**TWO),
              left=lambda f, *g: f.hierarchical_kl(*(part[::-1] for part in g)),
              right=lambda f, *g: f.hierarchical_kl(*g)[:, ::-1]),
    Law.equal("independent levels are one wide level", given(**TWO),
              left=lambda f, *g: f.hierarchical_kl(*g).sum(1),
              right=lambda f, *g: f.hierarchical_kl(*((np.concatenate(part, axis=1),) for part in g))[:, 0]),
    Law.equal("a level equal to its prior costs nothing", given(
              means=(normal(4, 3), normal(4, 2)), log_vars=(normal(4, 3), normal(4, 2))),
              left=lambda f, m, v: f.hierarchical_kl(m, v, m, v), right=0.0),
    *(
        Rejects("hierarchical_kl", case, given(**TWO | changed), blames=blames)
        for case, changed, blames in (
            *((f"{name} lack a level", {name: (zeros(4, 3),)}, name) for name in NAMES[1:]),
            *((f"{name} of other width", {name: (zeros(4, 3), zeros(4, 5))}, name) for name in NAMES[1:]),
            ("a level of another batch", {name: (zeros(4, 3), zeros(5, 2)) for name in NAMES}, "posterior_means"),
            ("one axis", {name: (zeros(4, 3), zeros(4)) for name in NAMES}, "posterior_means"),
            ("no level", dict.fromkeys(NAMES, ()), "posterior_means"),
        )
    ),
    # The loss.
    Agree("hierarchical_negative_elbo", "regular", given(**TERMS, level_weights=uniform(3))),
    Agree("hierarchical_negative_elbo", "a level without weight", given(**TERMS, level_weights=[1.0, 0.0, 0.25])),
    Anchor("hierarchical_negative_elbo", "by hand", given(
               negative_log_likelihood=[80.0, 100.0], kl_levels=[[4.0, 2.0], [8.0, 0.0]], level_weights=[1.0, 0.5]),
           gives=[85.0, 108.0], source="by hand",
           near_misses={"no weights": [86.0, 108.0], "the mean over the levels": [82.5, 104.0],
                        "the mean over the batch": [96.5, 96.5], "weights in reverse": [84.0, 104.0],
                        "the weights' mean on every level": [84.5, 106.0], "subtracted": [75.0, 92.0],
                        "the weights on the likelihood": [126.0, 158.0]}),
    Law.equal("weights of 0 leave the reconstruction", given(**TERMS),
              left=lambda f, loss, kl: f.hierarchical_negative_elbo(loss, kl, np.zeros_like(kl[0])),
              right=lambda f, loss, kl: loss),
    *(
        Rejects("hierarchical_negative_elbo", case, given(**TERMS | {"level_weights": zeros(3)} | changed), blames=blames)
        for case, changed, blames in (
            ("a negative weight", {"level_weights": [1.0, -0.5, 1.0]}, "level_weights"),
            ("a weight too few", {"level_weights": zeros(2)}, "level_weights"),
            ("weights of each example", {"level_weights": zeros(5, 3)}, "level_weights"),
            ("a rate too few", {"kl_levels": zeros(4, 3)}, "kl_levels"),
            ("levels already added", {"kl_levels": zeros(5)}, "kl_levels"),
            ("two axes", {"negative_log_likelihood": zeros(5, 3)}, "negative_log_likelihood"),
        )
    ),
    # A bound with a slope everywhere.
    Agree("soft_clip", "regular", given(x=normal(4, 3, scale=5.0), limit=5.0)),
    Agree("soft_clip", "images, another limit", given(x=normal(3, 2, 4, 5, scale=3.0), limit=2.0)),
    Agree("soft_clip", "saturated", given(x=linspace(-60.0, 60.0, 8), limit=5.0)),
    Anchor("soft_clip", "atanh(1/2) and atanh(4/5)", given(x=[0.0, 2 * LOG_3, -4 * LOG_3], limit=4.0),
           gives=[0.0, 2.0, -3.2], source="by hand: tanh(log(3) / 2) = 1/2 and tanh(log 3) = 4/5",
           near_misses={"a clamp": [0.0, 2 * LOG_3, -4.0], "no limit in front": [0.0, 0.5, -0.8],
                        "no limit inside": (4 * np.tanh([0.0, 2 * LOG_3, -4 * LOG_3])).tolist(),
                        "softsign": [0.0, 2 * LOG_3 / (1 + LOG_3 / 2), -4 * LOG_3 / (1 + LOG_3)]}),
    Law.equal("the slope at 0 is 1", given(x=zeros(4)),
              left=lambda f, x: f.gradient("soft_clip", x, wrt=0), right=1.0),
    Law.equal("it is odd", given(x=normal(4, 3, scale=9.0)),
              left=lambda f, x: f.soft_clip(-x), right=lambda f, x: -f.soft_clip(x)),
    Law.at_least("it stays below its limit", given(x=full(4, value=1e4)), left=3.0,
                 right=lambda f, x: f.soft_clip(x, limit=3.0)),
    Rejects("soft_clip", "a limit of 0", given(x=zeros(4), limit=0.0), blames="limit"),
    Rejects("soft_clip", "a negative limit", given(x=zeros(4), limit=-5.0), blames="limit"),
    # The network.
    Model("LadderVariationalAutoencoder", "two levels", given(x=uniform(7, 11), noise=normal(7, 5)),
          sizes={"num_pixels": 11, "hidden_dim": 6, "latent_dims": (3, 2)}, initial={"*": begins_by_inputs()},
          relations={"the first level is drawn from its prior, given the second": _drawn}),
    Model("LadderVariationalAutoencoder", "three levels", given(x=uniform(5, 8), noise=normal(5, 9)),
          sizes={"num_pixels": 8, "hidden_dim": 6, "latent_dims": (4, 3, 2)}),
    Model("ResidualLadder", "two levels of two cells", given(x=normal(3, 2, 4, 6), noise=normal(3, 2, 5, 2, 3)), steps=5,
          sizes={"colors": 2, "outputs": 7, "width": 4, "latent_dim": 5, "groups": 2, "cells": 2},
          initial={"start": begins_at(0), "*": begins_by_inputs()},
          relations={"a posterior equal to its prior is drawn like the prior": _unread}),
)  # fmt: skip
