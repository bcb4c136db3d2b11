"""Contracts of score matching."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

X, IMAGES, PROBES = normal(4, 3), normal(2, 1, 3, 2), normal(2, 4, 3)
SIGNS = 2.0 * np.indices((2, 2, 2)).reshape(3, 8).T - 1
SLICED = ("sliced_loss", "variance_reduced_sliced_loss")
PRECISION = [[2.0, 0.5, -0.25], [0.5, 1.0, 0.75], [-0.25, 0.75, 3.0]]
# nodes and weights that give the mean of every polynomial of degree 23 under N(0, 1)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
WEIGHTS = WEIGHTS / (2 * np.pi) ** 0.5


def mixing(x):
    """Entries that pull at each other; entry (i, j) of the Jacobian is x_i + [i = j] sum_k x_k."""
    return x * x.sum(axis=1, keepdims=True)


def bent(x):
    """Each entry separately, for any shape."""
    return x / (1 + x * x)


def halving(x):
    """The score of N(0, 1/2)."""
    return -2 * x


def cubic(x):
    """The score of the energy x^4 / 12."""
    return -x * x * x / 3


def flat(x):
    """Another shape than that of x."""
    return x[:, 0]


def _all_signs(x):
    return np.repeat(SIGNS[:, None], len(x), axis=1)


def _axes(x):
    size = x[0].size
    return np.sqrt(size) * np.repeat(np.eye(size).reshape(size, 1, *x.shape[1:]), len(x), axis=1)


SPEC = (
    # With the divergence itself.
    Agree("explicit_loss", "regular", given(x=X, score_fn=mixing)),
    Anchor("explicit_loss", "s = (2, -1), J = (3, 2; -1, 0)", given(x=[[2.0, -1.0]], score_fn=mixing), gives=[5.5],
           source="5/2 + 3",
           near_misses={"no half": [8.0], "the divergence subtracted": [-0.5], "no divergence": [2.5], "all entries of J": [6.5],
                        "the mean over entries": [2.75], "half of both": [4.0]}),
    Law.equal("under N(0, 1) it is the Fisher divergence less half of the score's own mean square", given(x=NODES[:, None]),
              left=lambda f, x: WEIGHTS @ f.explicit_loss(x, cubic),
              right=lambda f, x: WEIGHTS @ f.fisher_divergence(-x, cubic(x)) - WEIGHTS @ x[:, 0] ** 2 / 2),
    Rejects("explicit_loss", "no batch", given(x=np.array(1.0), score_fn=bent), blames="x"),
    Rejects("explicit_loss", "a score of another shape", given(x=zeros(4, 3), score_fn=flat), blames="score_fn"),
    # With probes.
    *(row for function in SLICED for row in (
        Agree(function, "regular", given(x=X, probes=PROBES, score_fn=mixing)),
        Agree(function, "images, one probe", given(x=IMAGES, probes=normal(1, 2, 1, 3, 2), score_fn=bent)),
        Law.equal(f"{function}: the mean over all signs", given(x=X),
                  left=lambda f, x, function=function: getattr(f, function)(x, _all_signs(x), mixing),
                  right=lambda f, x: f.explicit_loss(x, mixing)),
        Law.equal(f"{function}: images, with probes along the axes", given(x=IMAGES),
                  left=lambda f, x, function=function: getattr(f, function)(x, _axes(x), bent),
                  right=lambda f, x: f.explicit_loss(x, bent)),
        Rejects(function, "no probe", given(x=zeros(4, 3), probes=zeros(0, 4, 3), score_fn=mixing), blames="probes"),
        Rejects(function, "one probe for all", given(x=zeros(4, 3), probes=zeros(2, 3), score_fn=mixing), blames="probes"),
        Rejects(function, "no batch", given(x=np.array(1.0), probes=zeros(2), score_fn=bent), blames="x"),
        Rejects(function, "a score of another shape", given(x=zeros(4, 3), probes=zeros(2, 4, 3), score_fn=flat),
                blames="score_fn"),
    )),
    Anchor("sliced_loss", "two probes: products with J 4 and 10, with s 1 and 5",
           given(x=[[2.0, -1.0]], probes=[[[1.0, 1.0]], [[2.0, -1.0]]], score_fn=mixing), gives=[13.5], source="7 + 13/2",
           near_misses={"the sum": [27.0], "no half": [20.0], "the probes averaged before the square": [11.5],
                        "the squared length of J v": [18.5], "variance reduced": [9.5], "subtracted": [-0.5]}),
    Anchor("variance_reduced_sliced_loss", "two probes: products with J 4 and 10, |s|^2 = 5",
           given(x=[[2.0, -1.0]], probes=[[[1.0, 1.0]], [[2.0, -1.0]]], score_fn=mixing), gives=[9.5], source="7 + 5/2",
           near_misses={"the sum": [16.5], "no half": [12.0], "the second term sliced, too": [13.5], "subtracted": [-4.5]}),
    # With noise.
    Agree("denoising_loss", "regular", given(x=X, noise=normal(4, 3), score_fn=mixing, sigma=0.5)),
    Agree("denoising_loss", "images", given(x=IMAGES, noise=normal(2, 1, 3, 2), score_fn=bent, sigma=2.0)),
    Agree("denoising_loss", "little noise", given(x=X, noise=normal(4, 3), score_fn=mixing, sigma=0.01)),
    Agree("denoising_loss", "noise 0", given(x=X, noise=zeros(4, 3), score_fn=mixing, sigma=0.01)),
    Anchor("denoising_loss", "from (1, 0) to (1.5, -1), s = (-3, 2), target -(2, -4)",
           given(x=[[1.0, 0.0]], noise=[[1.0, -2.0]], score_fn=halving, sigma=0.5), gives=[2.5], source="(1 + 4)/2",
           near_misses={"the sign of the target": [30.5], "over the variance": [18.5], "the score of the data": [8.0],
                        "no half": [5.0], "weighted by the variance": [0.625], "the mean over entries": [1.25]}),
    Law.equal("averaged over the noise, of a linear score", given(x=zeros(12, 1)),
              left=lambda f, x: WEIGHTS @ f.denoising_loss(x + 1.5, NODES[:, None], halving, sigma=0.25),
              right=(9 + (4 - 0.5) ** 2) / 2),
    Rejects("denoising_loss", "no noise", given(x=zeros(4, 3), noise=zeros(4, 3), score_fn=mixing, sigma=0.0), blames="sigma"),
    Rejects("denoising_loss", "one noise for all", given(x=zeros(4, 3), noise=zeros(1, 3), score_fn=mixing, sigma=0.5),
            blames="noise"),
    Rejects("denoising_loss", "no batch", given(x=np.array(1.0), noise=np.array(1.0), score_fn=bent, sigma=0.5), blames="x"),
    Rejects("denoising_loss", "a score of another shape", given(x=zeros(4, 3), noise=zeros(4, 3), score_fn=flat, sigma=0.5),
            blames="score_fn"),
    # The Gaussian model.
    Agree("gaussian_score", "regular", given(x=X, mean=normal(3), precision=np.array(PRECISION))),
    Anchor("gaussian_score", "away from the mean by (2, -1)",
           given(x=[[3.0, 1.0]], mean=[1.0, 2.0], precision=[[2.0, 1.0], [1.0, 3.0]]), gives=[[-3.0, 1.0]], source="by hand",
           near_misses={"the sign": [[3.0, -1.0]], "a covariance": [[-1.4, 0.8]], "the diagonal": [[-4.0, 3.0]],
                        "the mean added": [[-11.0, -13.0]]}),
    Law.equal("two Gaussians of one precision have one Fisher divergence everywhere",
              given(x=X, mean=normal(3), other=normal(3), precision=np.array(PRECISION)),
              left=lambda f, x, mean, other, precision: f.fisher_divergence(
                  f.gaussian_score(x, mean, precision), f.gaussian_score(x, other, precision)),
              right=lambda f, x, mean, other, precision: np.full(len(x), ((precision @ (mean - other)) ** 2).sum() / 2)),
    Rejects("gaussian_score", "numbers", given(x=zeros(4), mean=zeros(1), precision=zeros(1, 1)), blames="x"),
    Rejects("gaussian_score", "a mean for every point", given(x=zeros(4, 3), mean=zeros(4, 3), precision=np.array(PRECISION)),
            blames="mean"),
    Rejects("gaussian_score", "a precision for every coordinate", given(x=zeros(4, 3), mean=zeros(3), precision=zeros(3)),
            blames="precision"),
    Rejects("gaussian_score", "not symmetric", given(x=zeros(4, 2), mean=zeros(2), precision=np.array([[1.0, 0.5], [0.0, 1.0]])),
            blames="precision"),
    # The divergence itself.
    Agree("fisher_divergence", "regular", given(score_p=X, score_q=normal(4, 3))),
    Agree("fisher_divergence", "images", given(score_p=IMAGES, score_q=normal(2, 1, 3, 2))),
    Anchor("fisher_divergence", "scores apart by (-2, 3)", given(score_p=[[1.0, 2.0]], score_q=[[3.0, -1.0]]), gives=[6.5],
           source="(4 + 9)/2",
           near_misses={"no half": [13.0], "the mean over entries": [3.25], "the difference of squares": [-2.5],
                        "a length": [13.0**0.5], "the square of the sum": [0.5]}),
    Rejects("fisher_divergence", "shapes differ", given(score_p=zeros(4, 3), score_q=zeros(4, 2)), blames="score_q"),
    Rejects("fisher_divergence", "one score for all", given(score_p=zeros(4, 3), score_q=zeros(1, 3)), blames="score_q"),
    Rejects("fisher_divergence", "no batch", given(score_p=np.array(1.0), score_q=np.array(1.0)), blames="score_p"),
)  # fmt: skip
