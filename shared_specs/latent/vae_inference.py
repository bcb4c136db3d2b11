"""Contracts of inference with a trained VAE (lecture 21)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, bits, full, given, integers, linspace, normal, uniform, zeros

STRAIGHT = "near cosines of 1 and -1 libraries interpolate in a straight line"
NAN = np.nan
START, END = [[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]], [[0.5, 0.86602540378443865, 0.0], [0.0, 0.0, 1.0]]  # 60 and 90 degrees
CHECKERED = np.array([[1, 0, 1], [0, 1, 0]])
NOTHING, EVERYTHING = np.zeros((5, 3), dtype=np.int64), np.ones((2, 3), dtype=np.int64)
GRID = np.stack(np.meshgrid(np.linspace(-12, 12, 241), np.linspace(-12, 12, 241)), axis=-1).reshape(-1, 2)
CELL = 0.01


def _unit(a):
    return a / np.linalg.norm(a, axis=-1, keepdims=True)


def _angles(path):
    """Angles between the neighbors on a path, [B, T-1]."""
    return 2 * np.arcsin(np.linalg.norm(np.diff(_unit(path), axis=1), axis=-1) / 2)


def _rotated(a):
    """a, turned in the plane of its first two axes."""
    rotation = np.eye(a.shape[-1])
    rotation[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    return a @ rotation.T


SPEC = (
    # The importance-weighted likelihood.
    Agree(
        "importance_weighted_log_likelihood",
        "regular",
        given(log_likelihood=normal(5, 4, mean=-3.0), log_prior=normal(5, 4, mean=-1.0), log_posterior=normal(5, 4)),
    ),
    Agree(
        "importance_weighted_log_likelihood",
        "one draw",
        given(log_likelihood=normal(5, 1), log_prior=normal(5, 1), log_posterior=normal(5, 1)),
    ),
    Agree(
        "importance_weighted_log_likelihood",
        "likelihoods of e^-900, which underflow",
        given(log_likelihood=normal(5, 4, mean=-900.0, scale=5.0), log_prior=normal(5, 4), log_posterior=normal(5, 4)),
    ),
    Agree(
        "importance_weighted_log_likelihood",
        "one draw has all the weight",
        given(
            log_likelihood=[[-800.0, -3.0, -700.0], [-1.0, -900.0, -900.0]], log_prior=normal(2, 3), log_posterior=normal(2, 3)
        ),
    ),
    Anchor(
        "importance_weighted_log_likelihood",
        "three draws",
        given(
            log_likelihood=[[-1.0, -2.0, -4.0], [-3.0, -2.5, -2.0]],
            log_prior=[[-0.5, -1.0, -2.0], [-1.0, -1.0, -1.5]],
            log_posterior=[[-0.25, -1.0, -3.0], [-0.75, -2.0, -1.0]],
        ),
        gives=[-1.8501788339249598, -2.1657568217893408],
        source="mpmath, 50 digits",
        near_misses={
            "sum for mean": [-0.75156654525685014, -1.0671445331212311],
            "average of logarithms": [-2.0833333333333333, -2.4166666666666667],
            "multiplies by q": [-2.7477634763993261, -4.8346897215988228],
            "forgets the prior": [-0.90954235755619066, -1.0218278136318762],
        },
    ),
    Law.equal(
        "the order of the draws is nothing",
        given(a=normal(5, 4), b=normal(5, 4), c=normal(5, 4)),
        left=lambda f, *logs: f.importance_weighted_log_likelihood(*(a[:, [2, 0, 3, 1]] for a in logs)),
        right=lambda f, *logs: f.importance_weighted_log_likelihood(*logs),
    ),
    Law.equal(
        "equal weights give the weight itself",
        given(log_prior=normal(5, 4), log_posterior=normal(5, 4), value=normal(5)),
        left=lambda f, log_prior, log_posterior, value: f.importance_weighted_log_likelihood(
            value[:, None] + log_posterior - log_prior, log_prior, log_posterior
        ),
        right=lambda f, log_prior, log_posterior, value: value,
    ),
    Law.at_least(
        "it is above the mean of the logarithms",
        given(a=normal(5, 4), b=normal(5, 4), c=normal(5, 4)),
        left=lambda f, *logs: f.importance_weighted_log_likelihood(*logs),
        right=lambda f, a, b, c: (a + b - c).mean(1),
    ),
    Rejects(
        "importance_weighted_log_likelihood",
        "shapes differ",
        given(log_likelihood=zeros(5, 3), log_prior=zeros(5, 2), log_posterior=zeros(5, 3)),
        blames="log_prior",
    ),
    Rejects(
        "importance_weighted_log_likelihood",
        "no draws",
        given(log_likelihood=zeros(5, 0), log_prior=zeros(5, 0), log_posterior=zeros(5, 0)),
        blames="log_likelihood",
    ),
    Rejects(
        "importance_weighted_log_likelihood",
        "draws without a batch",
        given(log_likelihood=zeros(3), log_prior=zeros(3), log_posterior=zeros(3)),
        blames="log_likelihood",
    ),
    # Straight paths.
    Agree("linear_interpolation", "regular", given(start=normal(5, 3), end=normal(5, 3), fractions=uniform(4))),
    Agree(
        "linear_interpolation", "beyond the ends", given(start=normal(5, 3), end=normal(5, 3), fractions=[-1.5, 0.0, 1.0, 2.5])
    ),
    Agree("linear_interpolation", "one path, one point", given(start=normal(1, 3), end=normal(1, 3), fractions=[0.3])),
    Anchor(
        "linear_interpolation",
        "a quarter of the way, and beyond",
        given(start=[[0.0, 4.0, 1.0], [1.0, 1.0, 1.0]], end=[[4.0, 0.0, 1.0], [3.0, -1.0, 2.0]], fractions=[0.25, 1.5]),
        gives=[[[1.0, 3.0, 1.0], [6.0, -2.0, 1.0]], [[1.5, 0.5, 1.25], [4.0, -2.0, 2.5]]],
        source="by hand",
        near_misses={
            "ends swapped": [[[3.0, 1.0, 1.0], [-2.0, 6.0, 1.0]], [[2.5, -0.5, 1.75], [0.0, 2.0, 0.5]]],
            "clipped at the end": [[[1.0, 3.0, 1.0], [4.0, 0.0, 1.0]], [[1.5, 0.5, 1.25], [3.0, -1.0, 2.0]]],
        },
    ),
    Law.equal(
        "fractions 0 and 1 are the ends, however unlike in size",
        given(start=normal(5, 3, scale=1e12), end=normal(5, 3)),
        left=lambda f, start, end: f.linear_interpolation(start, end, np.array([0.0, 1.0])),
        right=lambda f, start, end: np.stack([start, end], 1),
    ),
    Law.equal(
        "seen from the other end",
        given(start=normal(5, 3), end=normal(5, 3), fractions=uniform(4, low=-1.0, high=2.0)),
        left=lambda f, start, end, fractions: f.linear_interpolation(end, start, 1 - fractions),
        right=lambda f, start, end, fractions: f.linear_interpolation(start, end, fractions),
    ),
    Law.equal(
        "equal steps are equal",
        given(start=normal(5, 3), end=normal(5, 3), fractions=linspace(-1.0, 2.0, 7)),
        left=lambda f, start, end, fractions: np.diff(f.linear_interpolation(start, end, fractions), axis=1),
        right=lambda f, start, end, fractions: np.repeat((end - start)[:, None] / 2, 6, axis=1),
    ),
    Rejects("linear_interpolation", "shapes differ", given(start=zeros(5, 3), end=zeros(5, 2), fractions=zeros(4)), blames="end"),
    Rejects(
        "linear_interpolation",
        "a latent without a batch",
        given(start=zeros(3), end=zeros(3), fractions=zeros(4)),
        blames="start",
    ),
    Rejects(
        "linear_interpolation",
        "fractions for each path",
        given(start=zeros(5, 3), end=zeros(5, 3), fractions=zeros(5, 4)),
        blames="fractions",
    ),
    # Arcs.
    Agree("spherical_path", "regular", given(start=normal(5, 3), end=normal(5, 3), fractions=uniform(4))),
    Agree("spherical_path", "beyond the ends", given(start=normal(5, 3), end=normal(5, 3), fractions=[-1.5, 0.0, 1.0, 2.5])),
    Agree("spherical_path", "right angles, different norms", given(start=START, end=END, fractions=uniform(4))),
    Agree(
        "spherical_path",
        "the same direction",
        given(start=[[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]], end=[[1.0, 2.0, 3.0], [5.0, 0.0, 0.0]], fractions=[0.0, 0.25, 1.5]),
    ),
    Agree(
        "spherical_path",
        "almost the same direction",
        given(start=[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], end=[[3.0, 3e-3, 0.0], [1e-3, 1.0, 0.0]], fractions=[0.0, 0.25, 1.5]),
    ),
    Agree(
        "spherical_path",
        "just an arc, at cosines of 1 - 2e-6 and 1 - 1e-4",
        given(
            start=[[1.0, 2.0, -2.0], [3.0, 2.0, 6.0]], end=[[3.0, 6.006, -5.994], [1.5, 1.045, 2.985]], fractions=[0.0, 0.25, 1.5]
        ),
        edge=STRAIGHT,
    ),
    Agree(
        "spherical_path",
        "angles of 0.3 to 0.7, where a series may end",
        given(
            start=[[1.0, 2.0, -2.0]] * 4,
            end=[[1.6, 1.7, -2.0], [0.5, 1.7, -2.6], [2.0, 1.6, -2.0], [1.0, 3.0, -0.7]],
            fractions=[-2.0, 0.3, 1.9],
        ),
    ),
    Agree(
        "spherical_path",
        "almost opposite",
        given(start=[[1.0, 2.0, -2.0], [3.0, 2.0, 6.0]], end=[[-3.0, -6.1, 5.8], [-1.6, -0.8, -3.1]], fractions=[0.0, 0.25, 0.5]),
        edge=STRAIGHT,
    ),
    Anchor(
        "spherical_path",
        "60 and 90 degrees",
        given(start=START, end=END, fractions=[0.25, 1.5]),
        gives=[
            [[1.7824224072167943, 0.25881904510252076, 0.0], [-0.57735026918962576, 1.0, 0.0]],
            [[0.0, 2.7716385975338602, 0.38268343236508977], [0.0, -2.1213203435596426, 0.70710678118654752]],
        ],
        source="mpmath, 50 digits",
        near_misses={
            "not divided by sin w": [
                [[1.5436230849243554, 0.22414386804201338, 0.0], [-0.5, 0.86602540378443865, 0.0]],
                [[0.0, 2.7716385975338602, 0.38268343236508977], [0.0, -2.1213203435596426, 0.70710678118654752]],
            ],
            "fraction reversed": [
                [[1.0059652719092320, 0.70710678118654752, 0.0], [2.0207259421636902, -0.5, 0.0]],
                [[0.0, 1.1480502970952693, 0.92387953251128674], [0.0, 2.1213203435596426, -0.70710678118654752]],
            ],
            "straight": [
                [[1.625, 0.21650635094610966, 0.0], [-0.25, 1.2990381056766580, 0.0]],
                [[0.0, 2.25, 0.25], [0.0, -1.5, 1.5]],
            ],
        },
    ),
    Law.equal(
        "an arc's ends are the ends, however unlike in size",
        given(start=normal(5, 3, scale=1e12), end=normal(5, 3)),
        left=lambda f, start, end: f.spherical_path(start, end, np.array([0.0, 1.0])),
        right=lambda f, start, end: np.stack([start, end], 1),
    ),
    Law.equal(
        "between unit vectors it stays on the sphere",
        given(start=normal(5, 3), end=normal(5, 3), fractions=linspace(-1.0, 2.0, 7)),
        left=lambda f, start, end, fractions: np.linalg.norm(f.spherical_path(_unit(start), _unit(end), fractions), axis=-1),
        right=1.0,
    ),
    Law.equal(
        "constant angular speed",
        given(start=normal(5, 3), end=normal(5, 3), fractions=linspace(0.0, 1.0, 9)),
        left=lambda f, start, end, fractions: _angles(f.spherical_path(_unit(start), _unit(end), fractions)),
        right=lambda f, start, end, fractions: _angles(np.stack([start, end], 1)) / 8,
    ),
    Law.equal(
        "an arc seen from the other end",
        given(start=normal(5, 3), end=normal(5, 3), fractions=uniform(4)),
        left=lambda f, start, end, fractions: f.spherical_path(end, start, 1 - fractions),
        right=lambda f, start, end, fractions: f.spherical_path(start, end, fractions),
    ),
    Law.equal(
        "a rotation turns the arc along",
        given(start=normal(5, 3), end=normal(5, 3), fractions=uniform(4)),
        left=lambda f, start, end, fractions: f.spherical_path(_rotated(start), _rotated(end), fractions),
        right=lambda f, start, end, fractions: _rotated(f.spherical_path(start, end, fractions)),
    ),
    Law.equal(
        "from a vector to itself it stays",
        given(start=normal(5, 3), fractions=uniform(4)),
        left=lambda f, start, fractions: f.spherical_path(start, start, fractions),
        right=lambda f, start, fractions: np.repeat(start[:, None], 4, axis=1),
    ),
    Rejects(
        "spherical_path",
        "opposite",
        given(start=[[1.0, 2.0], [0.0, 1.0]], end=[[-2.0, -4.0], [1.0, 0.0]], fractions=[0.5]),
        blames="end",
    ),
    Rejects(
        "spherical_path",
        "from zero",
        given(start=[[0.0, 0.0], [0.0, 1.0]], end=full(2, 2, value=1.0), fractions=[0.5]),
        blames="start",
    ),
    Rejects(
        "spherical_path",
        "to zero",
        given(start=full(2, 2, value=1.0), end=[[0.0, 0.0], [0.0, 1.0]], fractions=[0.5]),
        blames="end",
    ),
    Rejects("spherical_path", "shapes differ", given(start=normal(5, 3), end=normal(5, 2), fractions=[0.5]), blames="end"),
    Rejects(
        "spherical_path",
        "a fraction without an axis",
        given(start=normal(5, 3), end=normal(5, 3), fractions=np.array(0.5)),
        blames="fractions",
    ),
    # Attributes.
    Agree("attribute_vector", "regular", given(latents=normal(7, 3), labels=[1, 0, 0, 1, 0, 1, 0]), smallest_batch=2),
    Agree("attribute_vector", "one of each", given(latents=normal(2, 3), labels=[0, 1])),
    Anchor(
        "attribute_vector",
        "two have it, three lack it",
        given(latents=[[1.0, 0.0], [2.0, 4.0], [3.0, 2.0], [4.0, 3.0], [9.0, 1.0]], labels=[1, 0, 1, 0, 0]),
        gives=[-3.0, -1.6666666666666667],
        source="by hand: (2, 1) - (5, 8/3)",
        near_misses={
            "labels swapped": [3.0, 1.6666666666666667],
            "sums, not means": [-11.0, -6.0],
            "both divided by N": [-2.2, -1.2],
            "only those that have it": [2.0, 1.0],
            "minus the mean of all": [-1.8, -1.0],
        },
    ),
    Law.equal(
        "a shift of the latents moves no attribute",
        given(latents=normal(7, 3), labels=integers(7, high=2), shift=normal(3)),
        left=lambda f, latents, labels, shift: f.attribute_vector(latents + shift, labels),
        right=lambda f, latents, labels, shift: f.attribute_vector(latents, labels),
    ),
    Law.equal(
        "the opposite attribute is the opposite vector",
        given(latents=normal(7, 3), labels=integers(7, high=2)),
        left=lambda f, latents, labels: f.attribute_vector(latents, 1 - labels),
        right=lambda f, latents, labels: -f.attribute_vector(latents, labels),
    ),
    Rejects("attribute_vector", "no 0", given(latents=zeros(3, 2), labels=[1, 1, 1]), blames="labels"),
    Rejects("attribute_vector", "no 1", given(latents=zeros(3, 2), labels=[0, 0, 0]), blames="labels"),
    Rejects("attribute_vector", "one example", given(latents=zeros(1, 2), labels=[1]), blames="labels"),
    Rejects("attribute_vector", "a label of 2", given(latents=zeros(3, 2), labels=[0, 1, 2]), blames="labels"),
    Rejects("attribute_vector", "sizes differ", given(latents=zeros(3, 2), labels=[0, 1]), blames="labels"),
    Rejects("attribute_vector", "latents of one axis", given(latents=zeros(3), labels=[0, 1, 1]), blames="latents"),
    # The aggregate posterior.
    Agree("aggregate_posterior_log_density", "regular", given(z=normal(5, 3), means=normal(4, 3), log_vars=normal(4, 3))),
    Agree("aggregate_posterior_log_density", "one posterior", given(z=normal(5, 3), means=normal(1, 3), log_vars=normal(1, 3))),
    Agree(
        "aggregate_posterior_log_density",
        "far away, where every density underflows",
        given(z=normal(2, 3, mean=60.0), means=normal(4, 3), log_vars=normal(4, 3)),
    ),
    Agree(
        "aggregate_posterior_log_density",
        "variances of e^-20 and e^5",
        given(z=normal(2, 3), means=normal(4, 3), log_vars=[[-20.0, 5.0, 0.0], [5.0, 5.0, -20.0], [0.0] * 3, [5.0] * 3]),
    ),
    Anchor(
        "aggregate_posterior_log_density",
        "two posteriors",
        given(z=[[0.0, 0.5], [2.0, -1.0], [-1.5, 0.25]], means=[[0.0, 0.0], [1.0, -0.5]], log_vars=[[0.0, -1.0], [0.5, -2.0]]),
        gives=[-2.3382386324321656, -2.9195965063071809, -3.1631085820733219],
        source="mpmath, 50 digits",
        near_misses={
            "forgets 1/N": [-1.6450914518722203, -2.2264493257472356, -2.4699614015133765],
            "average of logarithms": [-3.3816663703488567, -3.5058961946354308, -3.8046403896921305],
            "log_vars read as log standard deviations": [-2.4546562593308075, -6.8588264559558683, -2.8869318157238988],
            "one Gaussian of average parameters": [-2.5707022153258518, -3.3495029983972567, -3.3306897663444133],
        },
    ),
    Law.normalized(
        "the aggregate is a density",
        given(means=normal(4, 2), log_vars=normal(4, 2, scale=0.5)),
        total=lambda f, means, log_vars: np.exp(f.aggregate_posterior_log_density(GRID, means, log_vars)).sum() * CELL,
    ),
    Law.equal(
        "seeing every image twice changes nothing",
        given(z=normal(5, 3), means=normal(4, 3), log_vars=normal(4, 3)),
        left=lambda f, z, *posteriors: f.aggregate_posterior_log_density(z, *(np.concatenate([a, a[::-1]]) for a in posteriors)),
        right=lambda f, z, *posteriors: f.aggregate_posterior_log_density(z, *posteriors),
    ),
    Rejects(
        "aggregate_posterior_log_density",
        "other latents",
        given(z=zeros(5, 2), means=zeros(4, 3), log_vars=zeros(4, 3)),
        blames="z",
    ),
    Rejects(
        "aggregate_posterior_log_density",
        "shapes differ",
        given(z=zeros(5, 3), means=zeros(4, 3), log_vars=zeros(3, 3)),
        blames="log_vars",
    ),
    Rejects(
        "aggregate_posterior_log_density",
        "no posteriors",
        given(z=zeros(5, 3), means=zeros(0, 3), log_vars=zeros(0, 3)),
        blames="means",
    ),
    Rejects(
        "aggregate_posterior_log_density",
        "one z without a batch",
        given(z=zeros(3), means=zeros(4, 3), log_vars=zeros(4, 3)),
        blames="z",
    ),
    # Missing pixels.
    Agree("masked_bernoulli_log_likelihood", "regular", given(x=bits(5, 3), logits=normal(5, 3), mask=integers(5, 3, high=2))),
    Agree(
        "masked_bernoulli_log_likelihood",
        "NaN under the mask",
        given(x=[[1.0, NAN, 0.3], [NAN, 1.0, NAN]], logits=normal(2, 3), mask=CHECKERED),
    ),
    Agree(
        "masked_bernoulli_log_likelihood",
        "nothing is seen",
        given(x=full(2, 3, value=NAN), logits=normal(2, 3), mask=zeros(2, 3)),
        differentiate=("x", "logits"),
    ),
    Agree(
        "masked_bernoulli_log_likelihood",
        "a mask of floats",
        given(x=bits(5, 3), logits=normal(5, 3), mask=bits(5, 3)),
        frozen=("mask",),
        differentiate=("x", "logits"),
    ),
    Agree(
        "masked_bernoulli_log_likelihood",
        "logits of 50, for and against",
        given(
            x=[[1.0, 0.0, NAN], [0.0, 1.0, 0.5]], logits=[[50.0, -50.0, 50.0], [50.0, -50.0, -50.0]], mask=[[1, 1, 0], [1, 1, 1]]
        ),
    ),
    Anchor(
        "masked_bernoulli_log_likelihood",
        "three of six",
        given(x=[[1.0, NAN, 0.3], [NAN, 1.0, NAN]], logits=[[0.5, -1.2, 2.0], [1.5, 0.25, -3.0]], mask=CHECKERED),
        gives=[-2.0010049952230792, -0.57593941987884356],
        source="mpmath, 50 digits",
        near_misses={
            "NaN leaks": [NAN, NAN],
            "hidden pixels taken for 0": [-2.2642874625611104, -2.3259400494353380],
            "hidden pixels taken for coin flips": [-2.6941521757830245, -1.9622337809987342],
            "mean over the visible": [-1.0005024976115396, -0.57593941987884356],
            "mask inverted": [-0.26328246733803119, -1.7500006295564945],
        },
    ),
    Law.equal(
        "with nothing seen it is exactly 0",
        given(logits=normal(5, 3)),
        left=lambda f, logits: f.masked_bernoulli_log_likelihood(np.full((5, 3), NAN), logits, NOTHING),
        right=0.0,
    ),
    Law.equal(
        "what is seen and what is hidden add up",
        given(x=bits(5, 3), logits=normal(5, 3), mask=integers(5, 3, high=2)),
        left=lambda f, x, logits, mask: sum(f.masked_bernoulli_log_likelihood(x, logits, m) for m in (mask, 1 - mask)),
        right=lambda f, x, logits, mask: f.masked_bernoulli_log_likelihood(x, logits, mask * 0 + 1),
    ),
    Law.equal(
        "hiding a pixel sums over it",
        given(logits=normal(2, 3)),
        left=lambda f, logits: np.exp(
            f.masked_bernoulli_log_likelihood(np.array([[1.0, NAN, 0.0]] * 2), logits, np.array([[1, 0, 1]] * 2))
        ),
        right=lambda f, logits: sum(
            np.exp(f.masked_bernoulli_log_likelihood(np.array([[1.0, x, 0.0]] * 2), logits, EVERYTHING)) for x in (0, 1)
        ),
    ),
    Law.equal(
        "gradients are finite, and zero where hidden",
        given(x=[[1.0, NAN, 0.3], [NAN, 1.0, NAN]], logits=normal(2, 3), mask=CHECKERED),
        left=lambda f, x, logits, mask: np.stack(
            [
                (f.gradient("masked_bernoulli_log_likelihood", x, logits, mask, wrt=i) != 0) * 1.0
                + np.isnan(f.gradient("masked_bernoulli_log_likelihood", x, logits, mask, wrt=i))
                for i in range(2)
            ]
        ),
        right=lambda f, x, logits, mask: np.stack([mask, mask]),
        frozen=("x", "logits"),
    ),
    Rejects(
        "masked_bernoulli_log_likelihood",
        "a mask of 2",
        given(x=zeros(2, 2), logits=zeros(2, 2), mask=[[0, 1], [2, 1]]),
        blames="mask",
    ),
    Rejects(
        "masked_bernoulli_log_likelihood",
        "a mask of 1/2",
        given(x=zeros(2, 2), logits=zeros(2, 2), mask=full(2, 2, value=0.5)),
        blames="mask",
    ),
    Rejects(
        "masked_bernoulli_log_likelihood", "NaN in sight", given(x=[[NAN, 0.0]], logits=zeros(1, 2), mask=[[1, 0]]), blames="x"
    ),
    Rejects(
        "masked_bernoulli_log_likelihood",
        "a visible pixel above 1",
        given(x=[[1.5, 0.0]], logits=zeros(1, 2), mask=[[1, 0]]),
        blames="x",
    ),
    Rejects(
        "masked_bernoulli_log_likelihood",
        "shapes differ",
        given(x=zeros(2, 3), logits=zeros(2, 3), mask=zeros(2, 2)),
        blames="mask",
    ),
)
