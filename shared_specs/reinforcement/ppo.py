"""Contracts of proximal policy optimization (lecture 52)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, full, given, log_simplex, normal, zeros

NEW, OLD, ADVANTAGES = normal(3, 4, mean=-2.0, scale=0.4), normal(3, 4, mean=-2.0, scale=0.4), normal(3, 4)
STEPS = {"log_probs": NEW, "old_log_probs": OLD, "advantages": ADVANTAGES}
V, V_OLD, RETURNS = normal(3, 4), normal(3, 4), normal(3, 4, scale=2.0)
FITTED = {"values": V, "old_values": V_OLD, "returns": RETURNS}
MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)
WHOLE = STEPS | FITTED | {"entropy": normal(3, 4, mean=1.0, scale=0.3), "mask": MASK}
NUMBERS = {"clip": 0.2, "value_clip": 0.3, "value_coefficient": 0.5, "entropy_coefficient": 0.01}
# Ratios 1/2, 1, 3/2 with the advantages 1 and -1; the second row of the table is the loss's slope in the log-probability.
SIX = {
    "log_probs": np.log([[0.25, 0.5, 0.75]] * 2),
    "old_log_probs": np.log(np.full((2, 3), 0.5)),
    "advantages": [[1.0] * 3, [-1.0] * 3],
}
SLOPES = np.array([[-0.5, -1.0, 0.0], [0.0, 1.0, 1.5]])
# The ratio e^100, which float32 does not hold, where it does not count, and where the advantage is 0; and e^-100.
FAR = {
    "log_probs": [[-1.0, -1.0, -1.0], [-101.0, -101.0, -101.0]],
    "old_log_probs": [[-101.0] * 3, [-1.0] * 3],
    "advantages": [[2.0, 0.0, 0.5], [2.0, 0.0, -0.5]],
}
OVERFLOWS = "e^100 is infinite, and infinity times 0 is not a number"
BOOLEAN = "a truth value has no slope"
LEARNED = {"differentiate": ("log_probs",)}  # the others are constants: the caller stops their gradient
PADDED = {
    "log_probs": [[-1.0, np.nan, -0.5], [-np.inf, -2.0, np.inf]],
    "old_log_probs": [[-1.5, 0.0, -0.5], [-1.0, -2.5, np.nan]],
    "advantages": [[1.0, np.inf, -1.0], [np.nan, 0.5, 1.0]],
    "values": [[0.5, np.nan, 1.0], [np.inf, 2.0, 0.0]],
    "old_values": [[0.0, 1.0, 1.5], [0.0, np.nan, 0.0]],
    "returns": [[1.0, np.inf, 0.0], [0.0, 3.0, np.nan]],
    "entropy": [[1.0, np.nan, 0.5], [np.nan, 0.25, np.inf]],
    "mask": np.array([[1, 0, 1], [0, 1, 0]]),
}
PADDED["old_values"][1][1] = 1.9


def _parts(f, log_probs, old_log_probs, advantages, values, old_values, returns, entropy):
    """The three terms of every step, added."""
    policy = f.clipped_policy_loss(log_probs, old_log_probs, advantages, clip=0.2)
    return policy + 0.5 * f.clipped_value_loss(values, old_values, returns, clip=0.3) - 0.01 * entropy


ARRAYS = {name: array for name, array in WHOLE.items() if name != "mask"}

SPEC = (
    *(
        row
        for function in ("clipped_policy_loss", "clipped_indicator")
        for row in (
            Agree(function, "regular", given(**STEPS, clip=0.2), no_gradient="" if "loss" in function else BOOLEAN, **LEARNED),
            Agree(function, "half", given(**STEPS, clip=0.5), no_gradient="" if "loss" in function else BOOLEAN, **LEARNED),
            Agree(function, "six cases", given(**SIX, clip=0.2), no_gradient="" if "loss" in function else BOOLEAN, **LEARNED),
            Agree(function, "ratios e^10 and e^-10",
                  given(log_probs=normal(2, 3, scale=0.1), old_log_probs=[[10.0, -10.0, 10.0], [-10.0, 10.0, -10.0]],
                        advantages=[[1.0, 0.5, -2.0], [-1.0, 0.0, 0.0]], clip=0.2),
                  no_gradient="" if "loss" in function else BOOLEAN, **LEARNED),
        )
    ),
    Agree("clipped_policy_loss", "the ratio e^100, where it does not count", given(**FAR, clip=0.2), edge=OVERFLOWS, **LEARNED),
    Anchor("clipped_policy_loss", "six cases", given(**SIX, clip=0.2), gives=[[-0.5, -1.0, -1.2], [0.8, 1.0, 1.5]],
           source="by hand",
           near_misses={"the smaller of both": [[-0.8, -1.0, -1.5], [0.5, 1.0, 1.2]],
                        "clipped, whatever the advantage": [[-0.8, -1.0, -1.2], [0.8, 1.0, 1.2]],
                        "not clipped": [[-0.5, -1.0, -1.5], [0.5, 1.0, 1.5]],
                        "clipped above alone": [[-0.5, -1.0, -1.2], [0.5, 1.0, 1.5]],
                        "the logarithm clipped at 0.2": [[-0.5, -1.0, -1.2214028], [0.8187308, 1.0, 1.5]],
                        "to be maximized": [[0.5, 1.0, 1.2], [-0.8, -1.0, -1.5]]}),
    Anchor("clipped_indicator", "six cases", given(**SIX, clip=0.2), gives=[[False, False, True], [True, False, False]],
           source="by hand",
           near_misses={"every ratio out of range": [[True, False, True], [True, False, True]],
                        "the other side": [[True, False, False], [False, False, True]],
                        "above alone": [[False, False, True], [False, False, False]]}),
    Anchor("clipped_indicator", "just inside and just outside, without an advantage",
           given(log_probs=np.log([[0.79, 0.81, 1.19, 1.21], [0.79, 0.81, 1.19, 1.21], [0.5, 0.9, 1.1, 2.0]]),
                 old_log_probs=zeros(3, 4), advantages=np.array([[1.0] * 4, [-1.0] * 4, [0.0] * 4]), clip=0.2),
           gives=[[False, False, False, True], [True, False, False, False], [False] * 4], source="by hand",
           near_misses={"the logarithm clipped at 0.2": [[False] * 4, [True, True, False, False], [False] * 4],
                        "an advantage of 0 counted": [[False, False, False, True], [True, False, False, False],
                                                      [False, False, False, True]]}),
    # e^(log 3/2) and e^(log 1/2) are rounded to 3/2 and 1/2, so it is the same for ratios and for their logarithms.
    Anchor("clipped_indicator", "exactly at the clip",
           given(log_probs=np.log([[1.5, 0.5]]), old_log_probs=zeros(1, 2), advantages=[[1.0, -1.0]], clip=0.5),
           gives=[[False, False]], source="the comparisons are strict", near_misses={"from the clip on": [[True, True]]},
           frozen=("log_probs", "old_log_probs")),
    Law.equal("the gradient is that of the surrogate, or 0 where the indicator is 0", given(**STEPS),
              left=lambda f, *steps: f.gradient("clipped_policy_loss", *steps, clip=0.2, wrt=0),
              right=lambda f, new, old, advantages: np.where(
                  f.clipped_indicator(new, old, advantages, clip=0.2), 0.0, -np.exp(new - old) * advantages)),
    Law.equal("the six slopes", given(**SIX), left=lambda f, *steps: f.gradient("clipped_policy_loss", *steps, clip=0.2, wrt=0),
              right=lambda f, *steps: SLOPES),
    Law.at_least("a pessimistic bound on the surrogate", given(**STEPS),
                 left=lambda f, *steps: f.clipped_policy_loss(*steps, clip=0.2),
                 right=lambda f, new, old, advantages: -np.exp(new - old) * advantages),
    Law.equal("at the old policy it is the advantage, and so is its slope", given(log_probs=NEW, advantages=ADVANTAGES),
              left=lambda f, new, advantages: bool(
                  (f.clipped_policy_loss(new, new, advantages, clip=0.2) == -advantages).all()
                  and (f.gradient("clipped_policy_loss", new, new, advantages, clip=0.2, wrt=0) == -advantages).all()),
              right=True),
    *(
        Agree("clipped_value_loss", case, given(**FITTED, clip=clip), differentiate=("values",))
        for case, clip in (("regular", 0.3), ("not clipped", float("inf")), ("a narrow range", 0.01))
    ),
    Agree("clipped_value_loss", "values near 1000",
          given(values=normal(3, 4, mean=1000.0), old_values=normal(3, 4, mean=1000.0), returns=normal(3, 4, mean=1000.0),
                clip=0.3), differentiate=("values",)),
    # From the old value 0 towards the return 1, which is as far from 0.2 as from 1.8; and from -0.5, the wrong way.
    Anchor("clipped_value_loss", "along a line",
           given(values=[[-0.5, 0.1, 0.5], [1.0, 1.5, 2.5]], old_values=zeros(2, 3), returns=full(2, 3, value=1.0), clip=0.2),
           gives=[[1.125, 0.405, 0.32], [0.32, 0.32, 1.125]], source="by hand",
           near_misses={"the smaller of both": [[0.72, 0.405, 0.125], [0.0, 0.125, 0.32]],
                        "without the half": [[2.25, 0.81, 0.64], [0.64, 0.64, 2.25]],
                        "not clipped, or around the return": [[1.125, 0.405, 0.125], [0.0, 0.125, 1.125]],
                        "clipped alone": [[0.72, 0.405, 0.32], [0.32, 0.32, 0.32]]}),
    Law.equal("the slope is 0 from the end of the range to its mirror image beyond the return",
              given(values=[[-0.5, 0.1, 0.3, 1.0, 1.7, 1.9]]),
              left=lambda f, v: f.gradient("clipped_value_loss", v, 0 * v, 0 * v + 1, clip=0.2, wrt=0),
              right=lambda f, v: np.where((v > 0.2) & (v < 1.8), 0.0, v - 1)),
    Law.at_least("never less than half the squared error", given(**FITTED),
                 left=lambda f, *fitted: f.clipped_value_loss(*fitted, clip=0.3),
                 right=lambda f, v, old, returns: (v - returns) ** 2 / 2),
    *(
        Agree("kl_penalty_loss", case, given(**steps, kl_coefficient=beta), **LEARNED)
        for case, steps, beta in (
            ("regular", STEPS, 0.7),
            ("no price", STEPS, 0.0),
            ("ratios e^10 and e^-10", {"log_probs": normal(2, 3, scale=0.1), "advantages": normal(2, 3),
                                       "old_log_probs": [[10.0, -10.0, 10.0], [-10.0, 10.0, -10.0]]}, 2.0),
        )
    ),
    Agree("kl_penalty_loss", "policies 1e-6 apart",
          given(log_probs=np.array([[-1.0, -2.0], [-0.5, -3.0]]) + 1e-6, old_log_probs=[[-1.0, -2.0], [-0.5, -3.0]],
                advantages=zeros(2, 2), kl_coefficient=0.5), edge="rho - 1 - log rho cancels", **LEARNED),
    Anchor("kl_penalty_loss", "ratios 1/2 and 2",
           given(log_probs=np.log([[0.25, 0.5]]), old_log_probs=np.log([[0.5, 0.25]]), advantages=[[1.0, -2.0]],
                 kl_coefficient=0.5),
           gives=[[-0.5 + 0.5 * 0.1931471805599453, 4.0 + 0.5 * 0.3068528194400547]], source="log 2 - 1/2 and 1 - log 2",
           near_misses={"samples of the new policy": [[-0.5 + 0.5 * 0.3068528, 4.0 + 0.5 * 0.1931472]],
                        "the log-ratio alone": [[-0.5 + 0.3465736, 4.0 - 0.3465736]],
                        "half its square": [[-0.5 + 0.1201132, 4.0 + 0.1201132]],
                        "not weighed": [[-0.5 + 0.1931472, 4.0 + 0.3068528]],
                        "a reward for leaving": [[-0.5 - 0.0965736, 4.0 - 0.1534264]]}),
    Law.equal("its mean is the surrogate and KL(old || new)",
              given(old=log_simplex(2, 5), new=log_simplex(2, 5), advantages=normal(2, 5)),
              left=lambda f, old, new, advantages: (
                  np.exp(old) * f.kl_penalty_loss(new, old, advantages, kl_coefficient=0.5)).sum(1),
              right=lambda f, old, new, advantages: (0.5 * np.exp(old) * (old - new) - np.exp(new) * advantages).sum(1)),
    Agree("ppo_loss", "regular", given(**WHOLE, **NUMBERS), differentiate=("log_probs", "values", "entropy")),
    Agree("ppo_loss", "padding holds what has no meaning", given(**PADDED, **NUMBERS),
          differentiate=("log_probs", "values", "entropy")),
    Agree("ppo_loss", "values not clipped, no bonus",
          given(**WHOLE | {"mask": np.ones((3, 4))}, clip=0.1, value_clip=float("inf"), value_coefficient=1.0,
                entropy_coefficient=0.0),
          differentiate=("log_probs", "values")),
    Anchor("ppo_loss", "two steps of three",
           given(log_probs=[[0.0, np.log(1.5), 0.0]], old_log_probs=zeros(1, 3), advantages=[[1.0, 1.0, 7.0]],
                 values=[[1.0, 0.5, 9.0]], old_values=zeros(1, 3), returns=full(1, 3, value=1.0), entropy=[[0.5, 1.5, 3.0]],
                 mask=np.array([[True, True, False]]), clip=0.2, value_clip=0.2, value_coefficient=0.5, entropy_coefficient=0.1),
           gives=[-1.04], source="(-1 - 1.2)/2 + 0.32/2 - 0.1",
           near_misses={"mean over padding": [-0.6933333], "sum over the steps": [-2.08], "the entropy's sign": [-0.84],
                        "the values' loss not weighed": [-0.88], "its sign": [-1.36], "padding counted": [2.2066667]}),
    Law.equal("the mean over the steps that count of the three terms", given(**ARRAYS),
              left=lambda f, *steps: f.ppo_loss(*steps, MASK, **NUMBERS),
              right=lambda f, *steps: (_parts(f, *steps) * MASK).sum(1) / MASK.sum(1)),
    Law.equal("rows are independent: another mask for one changes no other", given(**ARRAYS),
              left=lambda f, *steps: f.ppo_loss(*steps, np.ones_like(MASK), **NUMBERS)[1:],
              right=lambda f, *steps: f.ppo_loss(*steps, np.concatenate([MASK[:1], np.ones_like(MASK[1:])]), **NUMBERS)[1:]),
    *(
        Rejects(function, case,
                given(**{"log_probs": zeros(2, 3), "old_log_probs": zeros(2, 3), "advantages": zeros(2, 3), name: wrong},
                      **({"kl_coefficient": 0.1} if function == "kl_penalty_loss" else {"clip": 0.2})),
                blames=name)
        for function in ("clipped_policy_loss", "clipped_indicator", "kl_penalty_loss")
        for case, name, wrong in (
            ("a step taken with probability 0", "old_log_probs", [[0.0, -np.inf, 0.0], [0.0, 0.0, 0.0]]),
            ("NaN", "log_probs", [[0.0, np.nan, 0.0], [0.0, 0.0, 0.0]]),
            ("an infinite advantage", "advantages", [[0.0, np.inf, 0.0], [0.0, 0.0, 0.0]]),
            ("one advantage for each row", "advantages", zeros(2)),
            ("other steps", "old_log_probs", zeros(2, 4)),
        )
    ),
    *(
        Rejects(function, f"clip {clip}",
                given(log_probs=zeros(2, 3), old_log_probs=zeros(2, 3), advantages=zeros(2, 3), clip=clip), blames="clip")
        for function in ("clipped_policy_loss", "clipped_indicator") for clip in (0.0, 1.0, -0.2)
    ),
    Rejects("kl_penalty_loss", "a negative price",
            given(log_probs=zeros(2, 3), old_log_probs=zeros(2, 3), advantages=zeros(2, 3), kl_coefficient=-0.1),
            blames="kl_coefficient"),
    Rejects("clipped_value_loss", "no range", given(values=zeros(2, 3), old_values=zeros(2, 3), returns=zeros(2, 3), clip=0.0),
            blames="clip"),
    *(
        Rejects("clipped_value_loss", f"{name} that are not finite",
                given(**{"values": zeros(2, 3), "old_values": zeros(2, 3), "returns": zeros(2, 3),
                         name: [[0.0, 0.0, np.nan], [0.0, 0.0, 0.0]]}, clip=0.2), blames=name)
        for name in FITTED
    ),
    *(
        Rejects("ppo_loss", case,
                given(**dict.fromkeys(ARRAYS, zeros(2, 3)) | {"mask": np.ones((2, 3), bool)} | NUMBERS | {name: wrong}),
                blames=name)
        for case, name, wrong in (
            ("a row without a step", "mask", np.array([[1, 1, 0], [0, 0, 0]])),
            ("weights", "mask", full(2, 3, value=0.5)),
            ("a mask of another shape", "mask", np.ones((2, 4), bool)),
            ("an entropy for each row", "entropy", zeros(2)),
            ("an entropy that is NaN", "entropy", [[0.0, np.nan, 0.0], [0.0, 0.0, 0.0]]),
            ("a value that is NaN", "values", [[0.0, np.nan, 0.0], [0.0, 0.0, 0.0]]),
            ("clip 1", "clip", 1.0),
            ("no range for the values", "value_clip", 0.0),
            ("values that are unlearned", "value_coefficient", -0.5),
            ("a bonus for certainty", "entropy_coefficient", -0.01),
        )
    ),
    Rejects("ppo_loss", "no step", given(**dict.fromkeys(ARRAYS, zeros(2, 0)), mask=np.ones((2, 0), bool), **NUMBERS),
            blames="mask"),
)  # fmt: skip
