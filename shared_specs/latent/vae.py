"""Contracts of the variational autoencoder (lecture 18)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    Agree,
    Anchor,
    Cancels,
    Law,
    Model,
    Rejects,
    begins_by_inputs,
    bits,
    concatenate,
    full,
    given,
    normal,
    uniform,
    zeros,
)

TERMS_CANCEL = "where a pixel agrees with its logit l, other stable forms take l from softplus(l)"
HALVES_CANCEL = "through the standard deviation the slope in log_var is e^log_var/2 - 1/2; the terms cancel near the prior"
NEAR_PRIOR = "a divergence below the rounding of the terms of order 1 that libraries subtract"
ALL_IMAGES = np.array([[i >> d & 1 for d in range(3)] for i in range(8)], dtype=np.float64)
X = [[1.0, 0.0, 0.3], [0.0, 1.0, 0.75]]
LOGITS = [[0.5, -1.2, 2.0], [1.5, 0.25, -3.0]]
MEAN = [[1.0, 0.0, 2.0], [-0.5, 0.25, 0.0]]
LOG_VAR = [[2 * LOG_2, 0.0, 0.0], [-1.0, 0.5, -3.0]]


def _log_ratios(noise, mean, log_var):
    """log q(z) - log p(z) at z = mean + e^(log_var / 2) noise, [draws, B]."""
    z = mean + np.exp(log_var / 2) * noise
    return (z**2 - noise**2 - log_var).sum(-1) / 2


SPEC = (
    # The Bernoulli likelihood.
    Agree("bernoulli_log_likelihood", "regular", given(x=uniform(5, 3), logits=normal(5, 3, scale=2.0))),
    Agree("bernoulli_log_likelihood", "binary pixels", given(x=bits(4, 7), logits=normal(4, 7, scale=3.0))),
    Agree(
        "bernoulli_log_likelihood",
        "logits of 50, for and against",
        given(x=[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], logits=[[50.0, -50.0, 50.0], [50.0, -50.0, -50.0]]),
    ),
    Agree(
        "bernoulli_log_likelihood",
        "logits of 25, where e^-l still counts",
        given(x=[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], logits=[[25.0, -25.0]] * 3),
    ),
    Agree(
        "bernoulli_log_likelihood",
        "logits of 800, where e^l overflows",
        given(x=[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], logits=[[800.0, -800.0]] * 3),
    ),
    Agree(
        "bernoulli_log_likelihood",
        "logits of 0 and near it",
        given(x=[[1.0, 0.0, 0.3]] * 2, logits=[[0.0, 0.0, 0.0], [1e-9, -1e-9, 1e-9]]),
        differentiate=("logits",),
    ),
    Agree("bernoulli_log_likelihood", "one pixel", given(x=bits(5, 1), logits=normal(5, 1))),
    Anchor(
        "bernoulli_log_likelihood",
        "six pixels",
        given(x=X, logits=LOGITS),
        gives=[-2.2642874625611104, -4.5759400494353380],
        source="mpmath, 50 digits",
        near_misses={
            "mean over pixels": [-0.75476248752037012, -1.5253133498117793],
            "bits": [-3.2666762933839683, -6.6016860167255602],
            "sigmoid twice": [-2.2084551244785291, -2.3158861180971521],
            "x and 1 - x swapped": [-3.1642874625611104, -1.8259400494353380],
            "forgets the zeros": [-0.51215538749299843, -2.8623799335591501],
            "sign": [2.2642874625611104, 4.5759400494353380],
        },
    ),
    Anchor(
        "bernoulli_log_likelihood",
        "logits of 50, for and against",
        given(x=[[1.0, 0.0], [0.0, 1.0]], logits=[[50.0, -50.0]] * 2),
        gives=[-3.8574996959278356e-22, -100.0],
        source="2 log sigma(50) and 2 log sigma(-50), mpmath",
        near_misses={
            "logarithm of a rounded probability": [0.0, -np.inf],
            "probability clipped at 1e-7": [-2e-7, -32.236191301916639],
        },
    ),
    Law.normalized(
        "the probabilities of all images sum to one",
        given(logits=normal(3, scale=2.0)),
        total=lambda f, logits: np.exp(f.bernoulli_log_likelihood(ALL_IMAGES, np.broadcast_to(logits, (8, 3)))).sum(),
    ),
    Law.equal(
        "success and failure may swap names",
        given(x=uniform(5, 3), logits=normal(5, 3, scale=2.0)),
        left=lambda f, x, logits: f.bernoulli_log_likelihood(1 - x, -logits),
        right=lambda f, x, logits: f.bernoulli_log_likelihood(x, logits),
    ),
    Law.equal(
        "the decoder receives pixel minus probability",
        given(x=bits(5, 3), logits=normal(5, 3, scale=2.0)),
        left=lambda f, x, logits: f.gradient("bernoulli_log_likelihood", x, logits, wrt=1),
        right=lambda f, x, logits: x - 1 / (1 + np.exp(-logits)),
    ),
    Law.at_least(
        "no logit explains a gray pixel better than its own",
        given(x=uniform(5, 3, low=0.05, high=0.95), logits=normal(5, 3)),
        left=lambda f, x, logits: f.bernoulli_log_likelihood(x, np.log(x / (1 - x))),
        right=lambda f, x, logits: f.bernoulli_log_likelihood(x, logits),
    ),
    Rejects("bernoulli_log_likelihood", "a pixel above 1", given(x=[[0.5, 1.5], [0.0, 1.0]], logits=zeros(2, 2)), blames="x"),
    Rejects("bernoulli_log_likelihood", "a negative pixel", given(x=[[0.5, 1.0], [-0.1, 1.0]], logits=zeros(2, 2)), blames="x"),
    Rejects("bernoulli_log_likelihood", "shapes differ", given(x=zeros(5, 3), logits=zeros(5, 2)), blames="logits"),
    Rejects("bernoulli_log_likelihood", "one image without a batch", given(x=zeros(3), logits=zeros(3)), blames="x"),
    # The Gaussian likelihood.
    Agree("gaussian_log_likelihood", "regular", given(x=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "gaussian_log_likelihood",
        "variances of e^-30 and e^5",
        given(x=normal(2, 3), mean=normal(2, 3), log_var=[[-30.0, 5.0, 0.0], [5.0, -30.0, -30.0]]),
    ),
    Anchor(
        "gaussian_log_likelihood",
        "variance 4",
        given(x=[[1.0, 0.0], [0.0, 3.0]], mean=zeros(2, 2), log_var=full(2, 2, value=2 * LOG_2)),
        gives=[-3.3491714275292358, -4.3491714275292358],
        source="-log 2 pi - 2 log 2 - (x/2)^2 / 2, by hand",
        near_misses={
            "sign": [3.3491714275292358, 4.3491714275292358],
            "log_var read as log standard deviation": [-4.6415905886491810, -5.1415905886491810],
            "mean over pixels": [-1.6745857137646179, -2.1745857137646179],
            "forgets log 2 pi": [-1.5112943611198906, -2.5112943611198906],
        },
    ),
    Law.equal(
        "the Gaussian likelihood adds over pixels",
        given(x=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, *arrays: f.gaussian_log_likelihood(*arrays),
        right=lambda f, *arrays: sum(f.gaussian_log_likelihood(*(a[:, d : d + 1] for a in arrays)) for d in range(3)),
    ),
    Rejects(
        "gaussian_log_likelihood", "shapes differ", given(x=zeros(5, 3), mean=zeros(5, 2), log_var=zeros(5, 3)), blames="mean"
    ),
    # The divergence from the prior.
    Agree("kl_to_standard_normal", "regular", given(mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "kl_to_standard_normal",
        "log-variances of -30 and 5",
        given(mean=normal(2, 3), log_var=[[-30.0, 5.0, 0.5], [5.0, -30.0, -30.0]]),
    ),
    Agree(
        "kl_to_standard_normal",
        "a hair from the prior",
        given(
            mean=[[0.0, 1e-9], [1e-9, 0.0], [0.0, 0.0], [0.0, 0.0]],
            log_var=[[0.0, 0.0], [1e-9, 0.0], [-1e-9, 1e-9], [1e-4, -1e-4]],
        ),
        edge=NEAR_PRIOR,
    ),
    Agree(
        "kl_to_standard_normal",
        "around the seams of a series",
        given(
            mean=zeros(2, 8),
            log_var=[[-1.02, -0.99, -0.51, -0.49, 0.24, 0.26, 0.49, 0.51], [0.74, 0.76, 0.99, 1.01, -0.26, -0.24, 1.9, 2.1]],
        ),
    ),
    Agree("kl_to_standard_normal", "the prior itself", given(mean=zeros(2, 3), log_var=zeros(2, 3))),
    Agree("kl_to_standard_normal", "one latent", given(mean=normal(5, 1), log_var=normal(5, 1))),
    Anchor(
        "kl_to_standard_normal",
        "two posteriors",
        given(mean=MEAN, log_var=LOG_VAR),
        gives=[3.3068528194400547, 1.4394438901197172],
        source="by hand, (1 + 4 - 1 - log 4) / 2 + 2, and mpmath",
        near_misses={
            "forgets the half": [6.6137056388801094, 2.8788877802394344],
            "mean over latents": [1.1022842731466849, 0.47981463003990574],
            "forgets -1": [4.8068528194400547, 2.9394438901197172],
            "sign of log_var": [4.6931471805599453, -2.0605561098802828],
            "log_var read as log standard deviation": [8.6137056388801094, 3.5842979319361621],
            "sign": [-3.3068528194400547, -1.4394438901197172],
            "arguments swapped": [2.4431471805599453, 8.8139140173530736],
        },
    ),
    Anchor(
        "kl_to_standard_normal",
        "a hair from the prior",
        given(
            mean=[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1e-9, 0.0]], log_var=[[1e-9, 0.0], [-1e-9, 1e-9], [-1e-4, 0.0], [0.0, 0.0]]
        ),
        gives=[2.5000000008333333e-19, 5.0e-19, 2.4999166687499583e-9, 5.0e-19],
        source="mpmath, 50 digits",
        near_misses={
            "rounds to zero": [0.0, 0.0, 0.0, 5.0e-19],
            "exp for expm1": [-5e-10, 0.0, 2.5e-9, 5.0e-19],
            "only the second order": [2.5e-19, 5.0e-19, 2.5e-9, 5.0e-19],
        },
        edge=NEAR_PRIOR,
    ),
    Law.at_least(
        "the divergence from the prior is not negative",
        given(mean=normal(9, 3, scale=0.1), log_var=concatenate(normal(5, 3), normal(4, 3, scale=1e-6))),
        left=lambda f, mean, log_var: f.kl_to_standard_normal(mean, log_var),
        right=0.0,
    ),
    Law.equal(
        "the prior costs exactly nothing",
        given(zero=zeros(4, 3)),
        left=lambda f, zero: f.kl_to_standard_normal(zero, zero),
        right=0.0,
    ),
    Law.equal(
        "the divergence adds over latents",
        given(mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, mean, log_var: f.kl_to_standard_normal(mean, log_var),
        right=lambda f, mean, log_var: sum(f.kl_to_standard_normal(mean[:, d : d + 1], log_var[:, d : d + 1]) for d in range(3)),
    ),
    Law.equal(
        "its gradient pulls the mean to 0 and the variance to 1",
        given(mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, mean, log_var: np.stack([f.gradient("kl_to_standard_normal", mean, log_var, wrt=i) for i in range(2)]),
        right=lambda f, mean, log_var: np.stack([mean, np.expm1(log_var) / 2]),
        cancels=Cancels(0.5, HALVES_CANCEL),
    ),
    Law.unbiased(
        "the divergence is the mean of log q - log p",
        given(mean=normal(2, 3), log_var=normal(2, 3)),
        samples=lambda f, rng, draws, mean, log_var: _log_ratios(rng.standard_normal((draws, *mean.shape)), mean, log_var),
        expected=lambda f, mean, log_var: f.kl_to_standard_normal(mean, log_var),
        draws=40_000,
        detects=0.2,
    ),
    Rejects("kl_to_standard_normal", "shapes differ", given(mean=zeros(5, 3), log_var=zeros(5, 2)), blames="log_var"),
    Rejects("kl_to_standard_normal", "one example without a batch", given(mean=zeros(3), log_var=zeros(3)), blames="mean"),
    # The loss.
    Agree("negative_elbo", "regular", given(x=bits(5, 4), logits=normal(5, 4), mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "negative_elbo",
        "extreme logits and variances",
        given(
            x=bits(2, 4),
            logits=[[50.0, -50.0, 0.0, 50.0]] * 2,
            mean=normal(2, 3),
            log_var=[[-30.0, 5.0, 1e-9], [5.0, -30.0, 0.0]],
        ),
    ),
    Anchor(
        "negative_elbo",
        "six pixels, three latents",
        given(x=X, logits=LOGITS, mean=MEAN, log_var=LOG_VAR),
        gives=[5.5711402820011651, 6.0153839395550552],
        source="mpmath, 50 digits",
        near_misses={
            "the ELBO itself": [-5.5711402820011651, -6.0153839395550552],
            "without the divergence": [2.2642874625611104, 4.5759400494353380],
            "divergence subtracted": [-1.0425653568789443, 3.1364961593156208],
            "mean over pixels": [4.0616153069604248, 2.9647572399314965],
            "mean over pixels and latents": [1.8570467606670550, 2.0051279798516851],
        },
    ),
    Law.equal(
        "the loss is divergence minus likelihood",
        given(x=uniform(5, 4), logits=normal(5, 4), mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, x, logits, mean, log_var: f.negative_elbo(x, logits, mean, log_var),
        right=lambda f, x, logits, mean, log_var: f.kl_to_standard_normal(mean, log_var) - f.bernoulli_log_likelihood(x, logits),
    ),
    Law.at_least(
        "no reconstruction brings the loss below the divergence",
        given(x=bits(5, 4), mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, x, mean, log_var: f.negative_elbo(x, 40 * (2 * x - 1), mean, log_var),
        right=lambda f, x, mean, log_var: f.kl_to_standard_normal(mean, log_var),
    ),
    Rejects(
        "negative_elbo",
        "a pixel above 1",
        given(x=full(2, 4, value=1.5), logits=zeros(2, 4), mean=zeros(2, 3), log_var=zeros(2, 3)),
        blames="x",
    ),
    Rejects(
        "negative_elbo",
        "logits of another size",
        given(x=zeros(2, 4), logits=zeros(2, 5), mean=zeros(2, 3), log_var=zeros(2, 3)),
        blames="logits",
    ),
    Rejects(
        "negative_elbo",
        "log-variances of another size",
        given(x=zeros(2, 4), logits=zeros(2, 4), mean=zeros(2, 3), log_var=zeros(2, 5)),
        blames="log_var",
    ),
    Rejects(
        "negative_elbo",
        "batch sizes differ",
        given(x=zeros(2, 4), logits=zeros(2, 4), mean=zeros(1, 3), log_var=zeros(1, 3)),
        blames="mean",
    ),
    # The calibrated Gaussian.
    Agree("calibrated_gaussian_negative_log_likelihood", "regular", given(x=normal(5, 3), mean=normal(5, 3))),
    Agree("calibrated_gaussian_negative_log_likelihood", "one pixel", given(x=normal(5, 1), mean=normal(5, 1))),
    Agree(
        "calibrated_gaussian_negative_log_likelihood",
        "residuals of 0, 0.01 and 1000",
        given(x=[[0.01, 0.0, -0.01], [1e3, 0.0, 0.01], [0.0, 0.0, 3.0]], mean=zeros(3, 3)),
    ),
    Agree(
        "calibrated_gaussian_negative_log_likelihood",
        "residuals of 1e-25, with squares that underflow",
        given(x=[[1e-25, 0.0, -1e-25], [1e15, 0.0, 1e-25], [0.0, 0.0, 3.0]], mean=zeros(3, 3)),
        no_gradient="it is 1e25, beyond what a difference at any step resolves",
        edge="squares that float32 cannot hold",
    ),
    Anchor(
        "calibrated_gaussian_negative_log_likelihood",
        "errors of 5/3 and 1/12",
        given(x=[[1.0, 0.0, 2.0], [0.0, 0.0, 0.5]], mean=zeros(2, 3)),
        gives=[5.0230540352630043, 0.52945562493201776],
        source="3/2 (log 2 pi + log mse + 1), mpmath",
        near_misses={
            "forgets the 1": [3.5230540352630043, -0.97054437506798224],
            "forgets log 2 pi": [2.2662384356489860, -2.2273599746820005],
            "sum of squares for their mean": [6.6709724682651688, 2.1773740579341823],
            "forgets the half": [10.046108070526009, 1.0589112498640355],
            "one variance for the batch": [5.4136613678200914, 2.6993756535343771],
            "variance 1": [5.2568155996140182, 2.8818155996140182],
        },
    ),
    Law.at_least(
        "no shared variance is better",
        given(x=normal(5, 3), mean=normal(5, 3), log_var=normal(5)),
        left=lambda f, x, mean, log_var: -f.gaussian_log_likelihood(x, mean, np.repeat(log_var[:, None], 3, axis=1)),
        right=lambda f, x, mean, log_var: f.calibrated_gaussian_negative_log_likelihood(x, mean),
    ),
    Law.equal(
        "the variance is the mean squared error",
        given(x=normal(5, 3), mean=normal(5, 3)),
        left=lambda f, x, mean: (
            -f.gaussian_log_likelihood(x, mean, np.repeat(np.log(((x - mean) ** 2).mean(1, keepdims=True)), 3, axis=1))
        ),
        right=lambda f, x, mean: f.calibrated_gaussian_negative_log_likelihood(x, mean),
    ),
    Law.equal(
        "halving the error gains D log 2 at any scale",
        given(x=normal(5, 3), scale=[1e-6, 1e-2, 1.0, 1e2, 1e6]),
        left=lambda f, x, scale: f.calibrated_gaussian_negative_log_likelihood(x * scale[:, None], 0 * x),
        right=lambda f, x, scale: f.calibrated_gaussian_negative_log_likelihood(x * scale[:, None] / 2, 0 * x) + 3 * LOG_2,
    ),
    Rejects(
        "calibrated_gaussian_negative_log_likelihood",
        "exact reconstruction",
        given(x=[[1.0, 2.0], [3.0, 4.0]], mean=[[1.0, 0.0], [3.0, 4.0]]),
        blames="mean",
    ),
    Rejects(
        "calibrated_gaussian_negative_log_likelihood", "shapes differ", given(x=zeros(5, 3), mean=zeros(5, 2)), blames="mean"
    ),
    # The network.
    Model(
        "VariationalAutoencoder",
        "two hidden layers",
        given(x=uniform(7, 11), noise=normal(7, 3)),
        sizes={"num_pixels": 11, "hidden_dims": (6, 5), "latent_dim": 3},
        initial={"*": begins_by_inputs()},
    ),
    Model(
        "VariationalAutoencoder",
        "log-variances at their limit",
        given(x=normal(4, 6, scale=40.0), noise=normal(4, 2)),
        sizes={"num_pixels": 6, "hidden_dims": (5,), "latent_dim": 2},
    ),
)
