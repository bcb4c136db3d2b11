"""Contracts of inversion by latent regression (lecture 11)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, integers, normal, zeros

Z, GUESS = normal(4, 3), normal(4, 3)
# three pixels of two codes, with least squares solved by hand
WEIGHT, IMAGES = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[2.0, 3.0, 1.0], [1.0, 0.0, 0.0]]
SQUARE = [[2.0, -1.0], [0.5, 1.5]]
DEFICIENT = [[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]]


def _linear(weight, bias, codes):
    return codes @ weight.T + bias


SPEC = (
    Agree("latent_regression_loss", "regular", given(z=Z, z_predicted=GUESS)),
    Agree("latent_regression_loss", "far from the origin", given(z=normal(4, 3, mean=1e3), z_predicted=normal(4, 3, mean=1e3))),
    Agree("latent_regression_loss", "found", given(z=np.ones((2, 3)), z_predicted=np.ones((2, 3)))),
    Anchor("latent_regression_loss", "two codes", given(z=[[1.0, 2.0], [0.0, -1.0]], z_predicted=[[0.0, 4.0], [0.5, -1.0]]),
           gives=[5.0, 0.25], source="by hand",
           near_misses={"the mean": [2.5, 0.125], "half": [2.5, 0.125], "the norm": [5**0.5, 0.5], "absolute": [3.0, 0.5],
                        "over the batch": [2.625, 2.625]}),
    Rejects("latent_regression_loss", "codes of other length", given(z=zeros(2, 3), z_predicted=zeros(2, 4)),
            blames="z_predicted"),
    Rejects("latent_regression_loss", "one axis", given(z=zeros(3), z_predicted=zeros(3)), blames="z"),
    # The bound with a Gaussian guess.
    Agree("gaussian_information_bound", "regular", given(z=Z, mean=GUESS, log_var=normal(4, 3))),
    Agree("gaussian_information_bound", "sure and right",
          given(z=np.ones((2, 3)), mean=np.ones((2, 3)), log_var=np.full((2, 3), -10.0))),
    Agree("gaussian_information_bound", "sure and wrong", given(z=Z, mean=GUESS, log_var=normal(4, 3, mean=-10.0))),
    Agree("gaussian_information_bound", "nothing known", given(z=Z, mean=zeros(4, 3), log_var=zeros(4, 3))),
    Anchor("gaussian_information_bound", "variances 1 and 1/4", given(
               z=[[1.0, 2.0], [0.5, 0.0]], mean=[[0.0, 1.5], [0.5, 0.0]], log_var=[[0.0, -2 * LOG_2], [0.0, -2 * LOG_2]]),
           gives=[LOG_2, 1 + LOG_2], source="by hand: (2 + 2 log 2 - 1 - 1) / 2, and (2 + 2 log 2) / 2",
           near_misses={"the log-likelihood alone": [LOG_2 - 1 - np.log(2 * np.pi), LOG_2 - np.log(2 * np.pi)],
                        "entropy without its half": [LOG_2 - 1, LOG_2], "no half": [2 * LOG_2, 2 + 2 * LOG_2],
                        "the log-variance added": [-LOG_2, 1 - LOG_2], "a standard deviation": [LOG_2 + 0.25, 1 + LOG_2]}),
    Law.equal("with variance 1 it is half of L less half of the squared error", given(z=Z, mean=GUESS),
              left=lambda f, z, mean: f.gaussian_information_bound(z, mean, np.zeros((4, 3))),
              right=lambda f, z, mean: 1.5 - f.latent_regression_loss(z, mean) / 2),
    Law.equal("coordinates add up", given(z=Z, mean=GUESS, log_var=normal(4, 3)),
              left=lambda f, *given: sum(f.gaussian_information_bound(*(a[:, k : k + 1] for a in given)) for k in range(3)),
              right=lambda f, *given: f.gaussian_information_bound(*given)),
    Law.equal("the prior knows nothing: its mean is zero", given(z=[[1.0], [-1.0]]),
              left=lambda f, z: 1 + f.gaussian_information_bound(z, np.zeros((2, 1)), np.zeros((2, 1))).mean(), right=1.0),
    Law.equal("correlation 0.8: the information", given(z=[[0.6], [-0.6]]),
              left=lambda f, z: f.gaussian_information_bound(z, np.zeros((2, 1)), np.full((2, 1), np.log(0.36))),
              right=-np.log(0.36) / 2),
    Rejects("gaussian_information_bound", "another mean", given(z=zeros(2, 3), mean=zeros(2, 2), log_var=zeros(2, 3)),
            blames="mean"),
    Rejects("gaussian_information_bound", "one variance", given(z=zeros(2, 3), mean=zeros(2, 3), log_var=zeros(2, 1)),
            blames="log_var"),
    Rejects("gaussian_information_bound", "one axis", given(z=zeros(3), mean=zeros(3), log_var=zeros(3)), blames="z"),
    # The bound with labels.
    Agree("categorical_information_bound", "regular", given(labels=integers(5, high=3), logits=normal(5, 3))),
    Agree("categorical_information_bound", "256 labels", given(labels=np.array([255, 0, 7]), logits=normal(3, 256))),
    Agree("categorical_information_bound", "sure and wrong",
          given(labels=np.array([0, 1]), logits=[[-40.0, 40.0], [400.0, -400.0]])),
    Agree("categorical_information_bound", "one label", given(labels=np.array([0, 0]), logits=normal(2, 1))),
    Anchor("categorical_information_bound", "odds of 3, and none", given(
               labels=np.array([0, 1, 1]), logits=[[LOG_3, 0.0], [LOG_3, 0.0], [0.0, 0.0]]),
           gives=[LOG_3 - LOG_2, -LOG_2, 0.0], source="by hand: log 3/4 + log 2, log 1/4 + log 2, 0",
           near_misses={"log K forgotten": [LOG_3 - 2 * LOG_2, -2 * LOG_2, -LOG_2],
                        "log K subtracted": [LOG_3 - 3 * LOG_2, -3 * LOG_2, -2 * LOG_2],
                        "the sign": [LOG_2 - LOG_3, LOG_2, 0.0], "bits": [np.log2(1.5), -1.0, 0.0]}),
    Law.at_least("never above log K", given(logits=normal(5, 3, scale=3.0), labels=integers(5, high=3)),
                 left=lambda f, logits, labels: np.full(5, np.log(3)),
                 right=lambda f, logits, labels: f.categorical_information_bound(labels, logits)),
    Law.equal("a uniform guess knows nothing", given(logits=zeros(4, 3)),
              left=lambda f, logits: 1 + f.categorical_information_bound(np.array([0, 1, 2, 0]), logits), right=1.0),
    Rejects("categorical_information_bound", "a label too large", given(labels=np.array([0, 2]), logits=zeros(2, 2)),
            blames="labels"),
    Rejects("categorical_information_bound", "a negative label", given(labels=np.array([0, -1]), logits=zeros(2, 2)),
            blames="labels"),
    Rejects("categorical_information_bound", "another batch", given(labels=np.array([0]), logits=zeros(2, 2)), blames="labels"),
    Rejects("categorical_information_bound", "no label", given(labels=np.zeros(0, int), logits=zeros(0, 0)), blames="logits"),
    # The inverse of a linear generator.
    Agree("linear_generator_inverse", "regular", given(x=normal(4, 5), weight=normal(5, 3), bias=normal(5), ridge=0.3)),
    Agree("linear_generator_inverse", "least squares", given(x=normal(4, 3), weight=WEIGHT, bias=normal(3))),
    Agree("linear_generator_inverse", "as many codes as pixels", given(x=normal(4, 2), weight=SQUARE, bias=normal(2))),
    Agree("linear_generator_inverse", "more codes than pixels",
          given(x=normal(4, 2), weight=normal(2, 3), bias=normal(2), ridge=1.0)),
    Agree("linear_generator_inverse", "a large ridge", given(x=normal(4, 3), weight=WEIGHT, bias=zeros(3), ridge=1e4)),
    Agree("linear_generator_inverse", "not of full rank", given(x=normal(4, 3), weight=DEFICIENT, bias=zeros(3), ridge=0.5)),
    Anchor("linear_generator_inverse", "three pixels", given(x=IMAGES, weight=WEIGHT, bias=[0.0, 0.0, 0.0]),
           gives=[[2.0, 1.0], [2 / 3, -1 / 3]], source="by hand: W^T W = [[2, 1], [1, 2]]",
           near_misses={"W^T x": [[5.0, 4.0], [1.0, 0.0]], "swapped": [[1.0, 2.0], [-1 / 3, 2 / 3]]}),
    Anchor("linear_generator_inverse", "with a bias and a ridge", given(
               x=[[3.0, 2.0, 1.0]], weight=WEIGHT, bias=[1.0, -1.0, 0.0], ridge=1.0),
           gives=[[1.375, 0.875]], source="by hand: [[3, 1], [1, 3]] z = (5, 4)",
           near_misses={"no ridge": [[2.0, 1.0]], "the bias added": [[1.875, -0.125]], "twice the ridge": [[16 / 15, 11 / 15]]}),
    Law.equal("a code is found again without noise", given(codes=normal(4, 2)),
              left=lambda f, z: f.linear_generator_inverse(_linear(np.array(WEIGHT), 0.5, z), np.array(WEIGHT), np.full(3, 0.5)),
              right=lambda f, z: z),
    Law.equal("the residual is orthogonal to what the generator can make", given(x=normal(4, 3)),
              left=lambda f, x: 1 + (
                  x - f.linear_generator_inverse(x, np.array(WEIGHT), np.zeros(3)) @ np.transpose(WEIGHT)) @ WEIGHT,
              right=1.0),
    *(
        Rejects("linear_generator_inverse", case, given(**{
            "x": zeros(2, 3), "weight": np.array(WEIGHT), "bias": zeros(3), "ridge": 0.0} | wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("images of other length", {"x": zeros(2, 4)}),
            ("a bias of other length", {"bias": zeros(2)}),
            ("one axis", {"weight": zeros(3)}),
            ("a negative ridge", {"ridge": -0.1}),
            ("not of full rank", {"weight": np.array(DEFICIENT)}),
            ("more codes than pixels", {"weight": np.eye(3, 4)}),
        )
    ),
)  # fmt: skip
