"""Contracts of the multi-scale architecture: squeezes and priors of halves that leave early."""

import numpy as np

from shared_specs.flows._cases import layer, shift, stretch
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, normal, zeros

IMAGES, SQUEEZED = normal(2, 3, 4, 6), normal(2, 12, 2, 3)
VECTORS, HALVES = normal(5, 6), normal(2, 6, 4, 5)
PRIOR = {"mean_fn": shift, "log_var_fn": stretch}
LOG_2_PI = np.log(2 * np.pi)
TWO = [[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]]
LEAVES = -2.5 - LOG_2_PI - LOG_2


def _same(kept):
    """The mean of what leaves is what stays."""
    return kept


def _fourfold(kept):
    """The log-variances 2 log 2 and 0 of what stays = (1, 2)."""
    return 2 * LOG_2 * (2 - kept)


def _tiny(kept):
    return 0 * kept - 20.0


def _standardized(f, x):
    """log N(e; 0, 1) - log-variance / 2 of the noise e of the half that left."""
    kept, left = x[:, :3], x[:, 3:]
    log_var = stretch(kept)
    noise = (left - shift(kept)) * np.exp(-log_var / 2)
    return -((noise**2 + log_var + LOG_2_PI) / 2).sum(1)


SPEC = (
    Agree("squeeze", "regular", given(x=IMAGES)),
    Agree("unsqueeze", "regular", given(x=SQUEEZED)),
    Anchor("squeeze", "two channels of 2 x 2", given(x=TWO), gives=np.arange(1.0, 9.0).reshape(1, 8, 1, 1), source="by hand",
           near_misses={"space to depth": np.array([1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0]).reshape(1, 8, 1, 1),
                        "columns first": np.array([1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]).reshape(1, 8, 1, 1)}),
    Anchor("unsqueeze", "eight channels of one place", given(x=np.arange(1.0, 9.0).reshape(1, 8, 1, 1)), gives=TWO,
           source="by hand", near_misses={"columns first": [[[[1.0, 3.0], [2.0, 4.0]], [[5.0, 7.0], [6.0, 8.0]]]],
                                          "depth to space": [[[[1.0, 3.0], [5.0, 7.0]], [[2.0, 4.0], [6.0, 8.0]]]]}),
    *layer("squeeze", given(x=normal(2, 1, 2, 4)), "squeeze", "unsqueeze"),
    Law.equal("the entries come back to the last bit", given(x=IMAGES),
              left=lambda f, x: f.unsqueeze(f.squeeze(x)) == x.astype(f.precision), right=True),
    Rejects("squeeze", "an odd height", given(x=zeros(2, 3, 3, 4)), blames="x"),
    Rejects("squeeze", "an odd width", given(x=zeros(2, 3, 4, 5)), blames="x"),
    Rejects("squeeze", "no images", given(x=zeros(2, 4, 4)), blames="x"),
    Rejects("unsqueeze", "six channels", given(x=zeros(2, 6, 2, 3)), blames="x"),
    Rejects("unsqueeze", "no images", given(x=zeros(4, 2, 3)), blames="x"),
    # The prior of the half that leaves.
    Agree("split_prior_log_prob", "vectors", given(x=VECTORS, **PRIOR)),
    Agree("split_prior_log_prob", "images", given(x=HALVES, **PRIOR)),
    Agree("split_prior_log_prob", "hardly any variance", given(x=VECTORS, mean_fn=_same, log_var_fn=_tiny)),
    Anchor(
        "split_prior_log_prob", "two channels leave", given(x=[[1.0, 2.0, 3.0, 4.0]], mean_fn=_same, log_var_fn=_fourfold),
        gives=([[1.0, 2.0]], [LEAVES]), source="by hand",
        near_misses={"the prior of what stays": ([[1.0, 2.0]], [-LOG_2_PI - LOG_2]),
                     "the second half stays": ([[3.0, 4.0]], [LEAVES]), "no log-determinant": ([[1.0, 2.0]], [LEAVES + LOG_2]),
                     "the log-variance for its half": ([[1.0, 2.0]], [LEAVES - LOG_2]),
                     "a variance of its square": ([[1.0, 2.0]], [-0.125 - 2 - LOG_2_PI - 2 * LOG_2])},
    ),
    Law.equal("the log-density is that of the noise less half the log-variance", given(x=VECTORS),
              left=lambda f, x: f.split_prior_log_prob(x, shift, stretch)[1], right=_standardized),
    Rejects("split_prior_log_prob", "an odd number of channels", given(x=zeros(4, 5), **PRIOR), blames="x"),
    Rejects("split_prior_log_prob", "no channels", given(x=zeros(4), **PRIOR), blames="x"),
    Rejects("split_prior_log_prob", "one mean for all", given(x=VECTORS, mean_fn=lambda a: a[:, :1], log_var_fn=stretch),
            blames="mean_fn"),
    Rejects("split_prior_log_prob", "one variance for all", given(x=VECTORS, mean_fn=shift, log_var_fn=lambda a: a[:, :1]),
            blames="log_var_fn"),
    Agree("split_prior_sample", "vectors", given(kept=normal(5, 3), noise=normal(5, 3), **PRIOR)),
    Agree("split_prior_sample", "images", given(kept=normal(2, 3, 4, 5), noise=normal(2, 3, 4, 5), **PRIOR)),
    Anchor("split_prior_sample", "two channels are drawn",
           given(kept=[[1.0, 2.0]], noise=[[1.0, 2.0]], mean_fn=_same, log_var_fn=_fourfold), gives=[[1.0, 2.0, 3.0, 4.0]],
           source="by hand", near_misses={"scaled by the variance": [[1.0, 2.0, 5.0, 4.0]], "no mean": [[1.0, 2.0, 2.0, 2.0]],
                                          "what was drawn first": [[3.0, 4.0, 1.0, 2.0]],
                                          "divided": [[1.0, 2.0, 1.5, 4.0]]}),
    Law.inverse("the half that left is drawn from its own noise", given(x=VECTORS),
                round_trip=lambda f, x: f.split_prior_sample(
                    x[:, :3], (x[:, 3:] - shift(x[:, :3])) * np.exp(-stretch(x[:, :3]) / 2), shift, stretch),
                start=lambda f, x: x),
    Rejects("split_prior_sample", "noise of another shape", given(kept=zeros(4, 3), noise=zeros(4, 2), **PRIOR), blames="noise"),
    Rejects("split_prior_sample", "no channels", given(kept=zeros(4), noise=zeros(4), **PRIOR), blames="kept"),
    Rejects("split_prior_sample", "one mean for all",
            given(kept=zeros(4, 3), noise=zeros(4, 3), mean_fn=lambda a: a[:, :1], log_var_fn=stretch), blames="mean_fn"),
)  # fmt: skip
