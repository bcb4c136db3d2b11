"""Contracts of direct preference optimization (lecture 55)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, normal, zeros

POLICY = ("policy_chosen", "policy_rejected")  # the reference is a constant
NAMES = (*POLICY, "reference_chosen", "reference_rejected")
OTHER = {
    "dpo_loss": {},
    "robust_dpo_loss": {"flip_probability": 0.1},
    "preference_logits": {},
    "gradient_weight": {},
    "implicit_reward_margin": {},
}
# Three completions, pi_0 = (1/2, 1/4, 1/4), and the optimum (1/4, 1/4, 1/2) for rewards (0, log 2, log 4) at beta = 1. The pair
# "the third rather than the first" has h = 2 log 2.
PAIR = {
    "policy_chosen": [-LOG_2],
    "policy_rejected": [-2 * LOG_2],
    "reference_chosen": [-2 * LOG_2],
    "reference_rejected": [-LOG_2],
}


def _pairs(mean=-20.0, scale=3.0, count=5):
    return {name: normal(count, mean=mean, scale=scale) for name in NAMES}


def _moved(margin):
    """Pairs at which h is the given margin, of a policy that is uniform on two completions."""
    return {
        "policy_chosen": [-LOG_2],
        "policy_rejected": [-LOG_2],
        "reference_chosen": [-LOG_2 - margin],
        "reference_rejected": [-LOG_2],
    }


def _agrees():
    for function, more in OTHER.items():
        for case, pairs, beta in (
            ("regular", _pairs(scale=1.0), 0.7),
            ("long completions", _pairs(-500.0, 20.0), 0.1),
            ("far from the reference", _pairs(-100.0, 60.0), 1.0),
        ):
            yield Agree(function, case, given(**pairs, kl_coefficient=beta, **more), differentiate=POLICY)
    yield Agree("dpo_loss", "smoothed", given(**_pairs(scale=1.0), kl_coefficient=0.7, label_smoothing=0.2), differentiate=POLICY)
    yield Agree(
        "dpo_loss",
        "smoothed, far from the reference",
        given(**_pairs(-100.0, 60.0), kl_coefficient=1.0, label_smoothing=0.01),
        differentiate=POLICY,
    )
    yield Agree(
        "robust_dpo_loss", "no flips", given(**_pairs(scale=1.0), kl_coefficient=0.7, flip_probability=0.0), differentiate=POLICY
    )
    yield Agree(
        "robust_dpo_loss",
        "almost half of the labels flipped",
        given(**_pairs(scale=1.0), kl_coefficient=0.7, flip_probability=0.45),
        differentiate=POLICY,
    )


def _flipped(loss, pairs, epsilon):
    c, r, c_0, r_0 = pairs
    return (1 - epsilon) * loss(c, r, c_0, r_0) + epsilon * loss(r, c, r_0, c_0)


SPEC = (
    *_agrees(),
    Anchor(
        "preference_logits", "of the optimum, the third rather than the first, beta = 1/2", given(**PAIR, kl_coefficient=0.5),
        gives=[LOG_2], source="beta h = (1/2) 2 log 2",
        near_misses={"coefficient forgotten": [2 * LOG_2], "reference forgotten": [LOG_2 / 2], "reference swapped": [0.0],
                     "swapped": [-LOG_2], "divided by the coefficient": [4 * LOG_2]},
    ),
    Anchor(
        "dpo_loss", "of the optimum, the third rather than the first, beta = 1/2", given(**PAIR, kl_coefficient=0.5),
        gives=[0.4054651081081644], source="log(3/2)",
        near_misses={"coefficient outside": [0.11157177565710488], "coefficient forgotten": [0.22314355131420976],
                     "reference forgotten": [0.5347999967395703], "reference swapped": [LOG_2], "swapped": [LOG_3]},
    ),
    Anchor(
        "dpo_loss", "smoothed, at its minimum: odds of nine", given(**_moved(2 * LOG_3), kl_coefficient=1.0, label_smoothing=0.1),
        gives=[0.3250829733914482], source="the entropy of 1/10",
        near_misses={"not smoothed": [0.10536051565782628], "turned over": [2.0828625367], "for unbiasedness": [-0.1354340451]},
    ),
    Anchor(
        "robust_dpo_loss", "odds of nine, a tenth of the labels flipped",
        given(**_moved(2 * LOG_3), kl_coefficient=1.0, flip_probability=0.1),
        gives=[(0.9 * np.log(10 / 9) - 0.1 * np.log(10)) / 0.8],
        source="(0.9 log(10/9) - 0.1 log 10) / 0.8",
        near_misses={"plus": [0.4063537167], "not divided": [-0.1354340451], "divided by 1 - epsilon": [-0.1504822724],
                     "smoothed": [0.3250829734]},
    ),
    Anchor(
        "gradient_weight", "odds of three, at beta = 1 and 2", given(**_moved(LOG_3), kl_coefficient=1.0), gives=[0.25],
        source="sigma(-log 3)", near_misses={"of the chosen": [0.75], "at the start": [0.5], "of sigma": [0.1875]},
    ),
    Anchor(
        "gradient_weight", "at the start, beta = 1/10", given(**_moved(0.0), kl_coefficient=0.1), gives=[0.05], source="beta / 2",
        near_misses={"coefficient forgotten": [0.5]},
    ),
    Anchor(
        "implicit_reward_margin", "won, tied and lost",
        given(policy_chosen=[-1.0, -2.0, -3.0], policy_rejected=[-4.0, -5.0, -1.0], reference_chosen=[-2.0, -2.5, -2.5],
              reference_rejected=[-3.0, -5.5, -2.0], kl_coefficient=0.5),
        gives=([0.5, 0.25, -0.25], [-0.5, 0.25, 0.5], [1.0, 0.5, 0.0]), source="by hand", frozen=NAMES,
        near_misses={"ties lost": ([0.5, 0.25, -0.25], [-0.5, 0.25, 0.5], [1.0, 0.0, 0.0]),
                     "coefficient forgotten": ([1.0, 0.5, -0.5], [-1.0, 0.5, 1.0], [1.0, 0.5, 0.0]),
                     "by the policy alone": ([0.5, 0.25, -0.25], [-0.5, 0.25, 0.5], [1.0, 1.0, 0.0])},
    ),
    Law.equal("log 2 at the reference", given(chosen=normal(5, mean=-20.0), rejected=normal(5, mean=-20.0)),
              left=lambda f, c, r: f.dpo_loss(c, r, c, r, kl_coefficient=0.3), right=LOG_2),
    Law.equal("only the difference counts", given(shift=normal(5, scale=7.0), **_pairs(scale=1.0)),
              left=lambda f, a, c, r, c_0, r_0: f.dpo_loss(c - a, r - a, c_0, r_0, kl_coefficient=0.3),
              right=lambda f, a, *pairs: f.dpo_loss(*pairs, kl_coefficient=0.3)),
    Law.equal("the logit is the difference of implicit rewards", given(**_pairs(scale=1.0)),
              left=lambda f, *pairs: f.preference_logits(*pairs, kl_coefficient=0.3),
              right=lambda f, *pairs: np.subtract(*f.implicit_reward_margin(*pairs, kl_coefficient=0.3)[:2])),
    Law.equal("the gradient in the chosen log-probability is minus the weight", given(**_pairs(scale=1.0)),
              left=lambda f, *pairs: f.gradient("dpo_loss", *pairs, kl_coefficient=0.3, wrt=0),
              right=lambda f, *pairs: -f.gradient_weight(*pairs, kl_coefficient=0.3)),
    Law.equal("... and in the rejected one the weight", given(**_pairs(scale=1.0)),
              left=lambda f, *pairs: f.gradient("dpo_loss", *pairs, kl_coefficient=0.3, wrt=1),
              right=lambda f, *pairs: f.gradient_weight(*pairs, kl_coefficient=0.3)),
    Law.equal("the robust loss is unbiased under flips", given(**_pairs(scale=1.0)),
              left=lambda f, *pairs: _flipped(
                  lambda *p: f.robust_dpo_loss(*p, kl_coefficient=0.3, flip_probability=0.2), pairs, 0.2),
              right=lambda f, *pairs: f.dpo_loss(*pairs, kl_coefficient=0.3)),
    Law.equal("the smoothed loss is the mean over flips", given(**_pairs(scale=1.0)),
              left=lambda f, *pairs: f.dpo_loss(*pairs, kl_coefficient=0.3, label_smoothing=0.2),
              right=lambda f, *pairs: _flipped(lambda *p: f.dpo_loss(*p, kl_coefficient=0.3), pairs, 0.2)),
    *(
        Rejects(function, f"coefficient {coefficient:g}", given(**PAIR, kl_coefficient=coefficient, **more),
                blames="kl_coefficient")
        for function, more in OTHER.items() for coefficient in (0.0, -0.5)
    ),
    *(
        Rejects(function, f"{name} is {number}", given(**PAIR | {name: [number]}, kl_coefficient=0.5, **more), blames=name)
        for function, more in OTHER.items() for name in NAMES for number in (-np.inf, np.nan)
    ),
    *(
        Rejects("dpo_loss", f"smoothing {smoothing:g}", given(**PAIR, kl_coefficient=0.5, label_smoothing=smoothing),
                blames="label_smoothing")
        for smoothing in (0.5, 1.0, -0.1)
    ),
    *(
        Rejects("robust_dpo_loss", f"flips {flips:g}", given(**PAIR, kl_coefficient=0.5, flip_probability=flips),
                blames="flip_probability")
        for flips in (0.5, 0.9, -0.1)
    ),
    Rejects("preference_logits", "log-probabilities of tokens", given(**dict.fromkeys(NAMES, zeros(2, 3)), kl_coefficient=0.5),
            blames="policy_chosen"),
    Rejects("dpo_loss", "shapes differ", given(**PAIR | {"reference_rejected": zeros(2)}, kl_coefficient=0.5),
            blames="reference_rejected"),
)  # fmt: skip
