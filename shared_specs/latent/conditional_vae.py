"""Contracts of the conditional variational autoencoder."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    bits,
    given,
    integers,
    normal,
    uniform,
    zeros,
)

LABELS = np.array([2, 0, 3, 2])
BOUND = {
    "x": bits(4, 5),
    "logits": normal(4, 5),
    "mean": normal(4, 3),
    "log_var": normal(4, 3),
    "prior_mean": normal(4, 3),
    "prior_log_var": normal(4, 3),
}
FLAT = {"x": [[1.0, 0.0]], "logits": zeros(1, 2), "mean": [[1.0]], "log_var": [[0.0]]}
FILM = {"h": normal(2, 3, 4, 5), "scale": normal(2, 3), "shift": normal(2, 3)}
INPUTS = {"one_hot": {}, "concatenate_condition": {"x": normal(4, 3)}, "condition_channels": {"image": normal(4, 2, 3, 5)}}


def _encodings():
    """The same cases for the three ways of writing a label."""
    for function, inputs in INPUTS.items():
        none = {"no_gradient": "labels have none"} if function == "one_hot" else {}
        yield Agree(function, "regular", given(**inputs, labels=LABELS, num_classes=5), **none)
        yield Agree(function, "256 classes", given(**inputs, labels=np.array([255, 0, 3, 128]), num_classes=256), **none)
        yield Agree(
            function, "more classes than uint8 holds", given(**inputs, labels=np.array([255, 1, 0, 43]), num_classes=300), **none
        )
        yield Agree(function, "one class", given(**inputs, labels=np.zeros(4, dtype=np.int64), num_classes=1), **none)
        for case, labels, classes, blames in (
            ("a label too large", np.array([0, 5, 1, 1]), 5, "labels"),
            ("a negative label", np.array([0, -1, 1, 1]), 5, "labels"),
            ("no integers", zeros(4), 5, "labels"),
            ("no class", np.zeros(4, dtype=np.int64), 0, "num_classes"),
            ("labels on two axes", np.array([[0, 1], [1, 0]]), 5, "labels"),
        ):
            yield Rejects(function, case, given(**inputs, labels=labels, num_classes=classes), blames=blames)
        if inputs:
            ((name, _),) = inputs.items()
            few = given(**inputs, labels=np.array([0, 1, 2]), num_classes=5)
            yield Rejects(function, "a label too few", few, blames="labels")
            yield Rejects(function, "one axis", given(**{name: zeros(4)}, labels=LABELS, num_classes=5), blames=name)


SPEC = (
    *_encodings(),
    Anchor("one_hot", "by hand", given(labels=np.array([1, 0, 2]), num_classes=4),
           gives=[[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], source="by hand",
           near_misses={"counted from 1": [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]]}),
    Anchor("concatenate_condition", "by hand", given(x=[[5.0, 6.0], [7.0, 8.0]], labels=np.array([1, 0]), num_classes=2),
           gives=[[5.0, 6.0, 0.0, 1.0], [7.0, 8.0, 1.0, 0.0]], source="by hand",
           near_misses={"the label first": [[0.0, 1.0, 5.0, 6.0], [1.0, 0.0, 7.0, 8.0]]}),
    Anchor("condition_channels", "by hand", given(image=[[[[5.0, 6.0]]], [[[7.0, 8.0]]]], labels=np.array([1, 0]), num_classes=2),
           gives=[[[[5.0, 6.0]], [[0.0, 0.0]], [[1.0, 1.0]]], [[[7.0, 8.0]], [[1.0, 1.0]], [[0.0, 0.0]]]], source="by hand",
           near_misses={"planes before the channels": [[[[0.0, 0.0]], [[1.0, 1.0]], [[5.0, 6.0]]],
                                                       [[[1.0, 1.0]], [[0.0, 0.0]], [[7.0, 8.0]]]]}),
    Agree("condition_channels", "images of one pixel", given(image=normal(4, 2, 1, 1), labels=LABELS, num_classes=4)),
    Law.equal("permuted labels permute the planes", given(image=normal(4, 2, 3, 5)),
              left=lambda f, image: f.condition_channels(image, np.array([1, 2, 0])[[2, 0, 1, 2]], num_classes=3)[:, 2:],
              right=lambda f, image: f.condition_channels(image, np.array([2, 0, 1, 2]), num_classes=3)[:, 2:][:, [2, 0, 1]]),
    Law.equal("a layer of the concatenation adds a vector for each label", given(x=normal(4, 3), weight=normal(2, 8)),
              left=lambda f, x, w: f.concatenate_condition(x, LABELS, num_classes=5) @ w.T,
              right=lambda f, x, w: x @ w[:, :3].T + w[:, 3 + LABELS].T),
    # The bound.
    Agree("conditional_negative_elbo", "regular", given(**BOUND)),
    Agree("conditional_negative_elbo", "confident logits, narrow and wide Gaussians", given(**BOUND | {
        "logits": normal(4, 5, scale=50.0), "log_var": normal(4, 3, mean=-6.0), "prior_log_var": normal(4, 3, mean=3.0)})),
    Agree("conditional_negative_elbo", "gray pixels", given(**BOUND | {"x": uniform(4, 5)})),
    Anchor("conditional_negative_elbo", "the prior is the posterior", given(**FLAT, prior_mean=[[1.0]], prior_log_var=[[0.0]]),
           gives=[2 * LOG_2], source="by hand: no rate, two even pixels",
           near_misses={"to the standard normal": [2 * LOG_2 + 0.5], "the likelihood added": [-2 * LOG_2],
                        "the mean over pixels": [LOG_2]}),
    Anchor("conditional_negative_elbo", "a wider prior", given(**FLAT, prior_mean=[[2.0]], prior_log_var=[[2 * LOG_2]]),
           gives=[3 * LOG_2 - 0.25], source="by hand: (log 4 + (1 + 1) / 4 - 1) / 2 and two even pixels",
           near_misses={"turned over": [2 * LOG_2 + (4 + 1 - 1 - 2 * LOG_2) / 2], "to the standard normal": [2 * LOG_2 + 0.5],
                        "a deviation for the variance": [2 * LOG_2 + (4 * LOG_2 + 2 / 16 - 1) / 2]}),
    Law.equal("a standard normal prior gives the bound without labels",
              given(**{name: BOUND[name] for name in ("x", "logits", "mean", "log_var")}),
              left=lambda f, x, logits, m, v: f.conditional_negative_elbo(x, logits, m, v, 0 * m, 0 * v),
              right=lambda f, x, logits, m, v: (
                  (m**2 + np.exp(v) - 1 - v).sum(1) / 2 + (np.logaddexp(0, logits) - x * logits).sum(1))),
    Law.equal("prior and posterior move together", given(**BOUND, by=normal(3)),
              left=lambda f, x, at, m, v, n, w, by: f.conditional_negative_elbo(x, at, m + by, v, n + by, w),
              right=lambda f, x, at, m, v, n, w, by: f.conditional_negative_elbo(x, at, m, v, n, w)),
    *(
        Rejects("conditional_negative_elbo", case, given(**BOUND | changed), blames=blames)
        for case, changed, blames in (
            ("logits of other shape", {"logits": zeros(4, 4)}, "logits"), ("a pixel above 1", {"x": 1.5 * np.ones((4, 5))}, "x"),
            ("variances of other shape", {"log_var": zeros(4, 2)}, "log_var"),
            ("prior means of other shape", {"prior_mean": zeros(4, 2)}, "prior_mean"),
            ("prior variances of other shape", {"prior_log_var": zeros(3, 3)}, "prior_log_var"),
            ("a row of latents too "
            "few", {name: zeros(3, 3) for name in ("mean", "log_var", "prior_mean", "prior_log_var")}, "mean"),
        )
    ),
    # Modulation.
    Agree("feature_wise_modulation", "regular", given(**FILM)),
    Agree("feature_wise_modulation", "a scale of -1 leaves the shift", given(**FILM | {"scale": -np.ones((2, 3))})),
    Agree("feature_wise_modulation", "one pixel", given(**FILM | {"h": normal(2, 3, 1, 1)})),
    Anchor("feature_wise_modulation", "by hand", given(h=[[[[1.0, 2.0]], [[3.0, 4.0]]]], scale=[[0.0, 1.0]], shift=[[10.0, 0.0]]),
           gives=[[[[11.0, 12.0]], [[6.0, 8.0]]]], source="by hand",
           near_misses={"without the 1": [[[[10.0, 10.0]], [[3.0, 4.0]]]]}),
    Law.equal("at 0 and 0 nothing is changed", given(h=normal(2, 3, 4, 5)),
              left=lambda f, h: f.feature_wise_modulation(h, np.zeros((2, 3)), np.zeros((2, 3))), right=lambda f, h: h),
    *(Rejects("feature_wise_modulation", case, given(**FILM | changed), blames=blames) for case, changed, blames in (
        ("three axes", {"h": zeros(2, 3, 4)}, "h"), ("a scale for all images", {"scale": zeros(3)}, "scale"),
        ("a shift of other channels", {"shift": zeros(2, 4)}, "shift"))),
    Model(
        "ConditionalAutoencoder", "a prior for each class",
        given(x=uniform(7, 11), labels=integers(7, high=4), noise=normal(7, 3)),
        sizes={"num_pixels": 11, "num_classes": 4, "hidden_dims": (6, 5), "latent_dim": 3, "learned_prior": True},
        initial={"prior_*": begins_at(0), "*": begins_by_inputs()},
    ),
)  # fmt: skip
