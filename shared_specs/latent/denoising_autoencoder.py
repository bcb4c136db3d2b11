"""Contracts of denoising autoencoders."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

# By hand: the data -1 and 1 have weights in the ratio e^(-x/s^2) : e^(x/s^2).
TWO = {"data": [[-1.0], [1.0]]}
CLOUD = {"data": normal(5, 3)}
ROW, UNIFORMS = np.full((1, 4), 0.75), [[0.1, 0.3, 0.45, 0.9]]
LOG_ROOT = np.log(2 * np.pi) / 2
HIT = {"x": zeros(4, 3), "uniforms": uniform(4, 3), "probability": 0.4}


def _gaussian(x, mean, sigma):
    squares = ((x[:, None] - mean) ** 2).sum(2) / sigma**2
    return np.exp(-squares / 2) / (2 * np.pi * sigma**2) ** (x.shape[1] / 2)


SPEC = (
    Agree("corrupt_gaussian", "regular", given(x=normal(4, 3), noise=normal(4, 3), sigma=0.3)),
    Agree("corrupt_gaussian", "no noise", given(x=normal(4, 3), noise=normal(4, 3), sigma=0.0)),
    Anchor(
        "corrupt_gaussian",
        "two entries",
        given(x=[[1.0, 2.0]], noise=[[2.0, -1.0]], sigma=0.5),
        gives=[[2.0, 1.5]],
        source="by hand",
        near_misses={"the variance": [[1.5, 1.75]], "subtracted": [[0.0, 2.5]], "scaled": [[2.0, -1.0]]},
    ),
    Rejects("corrupt_gaussian", "a negative deviation", given(x=zeros(4, 3), noise=zeros(4, 3), sigma=-0.1), blames="sigma"),
    Rejects("corrupt_gaussian", "noise for one row", given(x=zeros(4, 3), noise=zeros(1, 3), sigma=0.1), blames="noise"),
    Rejects("corrupt_gaussian", "images", given(x=zeros(4, 1, 3), noise=zeros(4, 1, 3), sigma=0.1), blames="x"),
    # Masks, salt and pepper.
    *(
        Agree(function, case, given(x=normal(4, 6), uniforms=uniform(4, 6), probability=probability), differentiate=("x",))
        for function in ("corrupt_masking", "corrupt_salt_and_pepper")
        for case, probability in (("regular", 0.4), ("nothing is hit", 0.0), ("everything is hit", 1.0))
    ),
    Agree(
        "corrupt_salt_and_pepper",
        "other values",
        given(x=normal(4, 6), uniforms=uniform(4, 6), probability=0.6, low=-1.0, high=2.0),
        differentiate=("x",),
    ),
    Anchor(
        "corrupt_masking",
        "small uniforms",
        given(x=ROW, uniforms=UNIFORMS, probability=0.5),
        gives=[[0.0, 0.0, 0.0, 0.75]],
        source="by hand",
        near_misses={"the probability of keeping": [[0.75, 0.75, 0.75, 0.0]], "rescaled": [[0.0, 0.0, 0.0, 1.5]]},
    ),
    Anchor(
        "corrupt_salt_and_pepper",
        "one low and two high",
        given(x=ROW, uniforms=UNIFORMS, probability=0.5),
        gives=[[0.0, 1.0, 1.0, 0.75]],
        source="by hand",
        near_misses={
            "salt and pepper exchanged": [[1.0, 0.0, 0.0, 0.75]],
            "the probability of each": [[0.0, 0.0, 0.0, 1.0]],
            "pepper alone": [[0.0, 0.75, 0.75, 0.75]],
            "the probability of keeping": [[0.75, 0.75, 0.75, 0.0]],
        },
    ),
    Law.equal(
        "a uniform at the probability is kept",
        given(x=ROW[:, :2], uniforms=[[0.25, 0.5]]),
        left=lambda f, x, uniforms: f.corrupt_masking(x, uniforms, probability=0.5) == [[0.0, 0.75]],
        right=True,
    ),
    Law.equal(
        "both thresholds belong to the upper side",
        given(x=ROW[:, :2], uniforms=[[0.25, 0.5]]),
        left=lambda f, x, uniforms: f.corrupt_salt_and_pepper(x, uniforms, probability=0.5) == [[1.0, 0.75]],
        right=True,
    ),
    Law.unbiased(
        "entries are corrupted at the given probability",
        given(x=np.ones((1, 1))),
        samples=lambda f, rng, draws, x: f.corrupt_masking(np.ones((draws, 1)), rng.random((draws, 1)), probability=0.3)[:, 0],
        expected=lambda f, x: 0.7,
        draws=40_000,
        detects=0.02,
    ),
    *(
        Rejects(function, case, given(**HIT | changed), blames=blames)
        for function in ("corrupt_masking", "corrupt_salt_and_pepper")
        for case, changed, blames in (
            ("a probability above 1", {"probability": 1.5}, "probability"),
            ("normal numbers for uniforms", {"uniforms": normal(4, 3, mean=2.0, scale=0.1)}, "uniforms"),
            ("one mask for the batch", {"uniforms": uniform(3)}, "uniforms"),
            ("images", {"x": zeros(4, 1, 3), "uniforms": uniform(4, 1, 3)}, "x"),
        )
    ),
    # The density of noisy data.
    Agree("smoothed_log_density", "regular", given(x=normal(4, 3), **CLOUD, sigma=0.7)),
    Agree("smoothed_log_density", "little noise", given(x=normal(4, 3), **CLOUD, sigma=0.05)),
    Agree("smoothed_log_density", "much noise, far away", given(x=normal(4, 3, mean=30.0), **CLOUD, sigma=10.0)),
    Agree("smoothed_log_density", "one datum", given(x=normal(4, 3), data=normal(1, 3), sigma=0.7)),
    Anchor(
        "smoothed_log_density",
        "two data",
        given(x=[[0.0], [1.0]], **TWO, sigma=1.0),
        gives=[-0.5 - LOG_ROOT, np.log((1 + np.exp(-2.0)) / 2) - LOG_ROOT],
        source="by hand",
        near_misses={
            "a sum for the mean": [np.log(2) - 0.5 - LOG_ROOT, np.log(1 + np.exp(-2.0)) - LOG_ROOT],
            "no constant": [-0.5, np.log((1 + np.exp(-2.0)) / 2)],
            "the nearest datum": [-0.5 - LOG_ROOT, -LOG_ROOT],
            "the square not halved": [-1.0 - LOG_ROOT, np.log((1 + np.exp(-4.0)) / 2) - LOG_ROOT],
        },
    ),
    Law.equal(
        "it is the mean of Gaussians",
        given(x=normal(4, 3), **CLOUD),
        left=lambda f, x, data: np.exp(f.smoothed_log_density(x, data, sigma=0.7)),
        right=lambda f, x, data: _gaussian(x, data, 0.7).mean(1),
    ),
    # The best denoiser.
    Agree("empirical_denoiser", "regular", given(x_noisy=normal(4, 3), **CLOUD, sigma=0.7)),
    Agree(
        "empirical_denoiser",
        "little noise: the nearest datum",
        given(x_noisy=normal(4, 3), **CLOUD, sigma=0.05),
        edge="squared distances of some thousand deviations lose the differences between them",
    ),
    Agree("empirical_denoiser", "much noise: the mean of the data", given(x_noisy=normal(4, 3), **CLOUD, sigma=10.0)),
    Agree("empirical_denoiser", "one datum", given(x_noisy=normal(4, 3), data=normal(1, 3), sigma=0.7)),
    Anchor(
        "empirical_denoiser",
        "two data",
        given(x_noisy=[[0.5], [0.0]], **TWO, sigma=0.5),
        gives=[[np.tanh(2.0)], [0.0]],
        source="by hand: tanh(x / sigma^2)",
        near_misses={
            "the deviation for the variance": [[np.tanh(1.0)], [0.0]],
            "the square not halved": [[np.tanh(4.0)], [0.0]],
            "the score": [[(np.tanh(2.0) - 0.5) * 4], [0.0]],
            "the nearest datum": [[1.0], [1.0]],
        },
    ),
    Law.equal(
        "Tweedie's formula: its step is the gradient of the log-density",
        given(x=normal(4, 3), **CLOUD),
        left=lambda f, x, data: f.denoiser_score(x, f.empirical_denoiser(x, data, sigma=0.7), sigma=0.7),
        right=lambda f, x, data: f.gradient("smoothed_log_density", x, data, sigma=0.7, wrt=0),
    ),
    Law.at_least(
        "denoising climbs the density",
        given(x=normal(4, 3), **CLOUD),
        left=lambda f, x, data: f.smoothed_log_density(f.empirical_denoiser(x, data, sigma=0.7), data, sigma=0.7),
        right=lambda f, x, data: (
            f.smoothed_log_density(x, data, sigma=0.7)
            + ((x - f.empirical_denoiser(x, data, sigma=0.7)) ** 2).sum(1) / (2 * 0.7**2)
        ),
    ),
    *(
        Rejects(function, case, given(**{x: place, "data": data, "sigma": sigma}), blames=blames or x)
        for function, x in (("smoothed_log_density", "x"), ("empirical_denoiser", "x_noisy"))
        for case, place, data, sigma, blames in (
            ("no noise", zeros(4, 3), zeros(5, 3), 0.0, "sigma"),
            ("no data", zeros(4, 3), zeros(0, 3), 0.7, "data"),
            ("data of another width", zeros(4, 3), zeros(5, 2), 0.7, "data"),
            ("no batch", zeros(3), zeros(5, 3), 0.7, ""),
        )
    ),
    # The score.
    Agree("denoiser_score", "regular", given(x_noisy=normal(4, 3), denoised=normal(4, 3), sigma=0.7)),
    Agree("denoiser_score", "little noise", given(x_noisy=normal(4, 3), denoised=normal(4, 3), sigma=0.05)),
    Anchor(
        "denoiser_score",
        "one answer",
        given(x_noisy=[[0.25, 1.0]], denoised=[[0.5, 0.0]], sigma=0.5),
        gives=[[1.0, -4.0]],
        source="by hand",
        near_misses={
            "the deviation for the variance": [[0.5, -2.0]],
            "the sign": [[-1.0, 4.0]],
            "multiplied by the variance": [[0.0625, -0.25]],
            "no scale": [[0.25, -1.0]],
        },
    ),
    Rejects("denoiser_score", "no noise", given(x_noisy=zeros(4, 3), denoised=zeros(4, 3), sigma=0.0), blames="sigma"),
    Rejects(
        "denoiser_score",
        "one answer for the batch",
        given(x_noisy=zeros(4, 3), denoised=zeros(1, 3), sigma=0.7),
        blames="denoised",
    ),
    Rejects("denoiser_score", "images", given(x_noisy=zeros(4, 1, 3), denoised=zeros(4, 1, 3), sigma=0.7), blames="x_noisy"),
)
