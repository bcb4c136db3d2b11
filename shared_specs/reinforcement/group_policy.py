"""Contracts of group-relative policies (lectures 51 and 52)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, normal, zeros

REWARDS = normal(3, 4, scale=2.0)
ADVANTAGES = ("leave_one_out_advantages", "group_normalized_advantages")
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 1, 0]], dtype=bool)
TOKENS = {"log_probs": normal(4, 5, mean=-2.0, scale=0.4), "old_log_probs": normal(4, 5, mean=-2.0, scale=0.4)}
LOSS = TOKENS | {"reference_log_probs": normal(4, 5, mean=-2.0, scale=0.4), "advantages": normal(4), "mask": MASK}
CLIPS = {"clip_low": 0.2, "clip_high": 0.28, "kl_coefficient": 0.04}
LEARNED = {"differentiate": ("log_probs",)}  # the others are constants: the caller stops their gradient
PADDED = np.array([[True, False, True], [False, True, False]])
MEANINGLESS = np.array([[0.0, np.nan, 0.0], [np.inf, 0.0, -np.inf]])  # added to values at masked tokens
# Ratios 1/2, 1, 5/4, 3/2; the reference is the new policy, or half as likely in the last column but one.
FOUR = {
    "log_probs": np.log([[0.25, 0.5, 0.625, 0.75]] * 2),
    "old_log_probs": np.log(np.full((2, 4), 0.5)),
    "reference_log_probs": np.log([[0.25, 0.5, 0.3125, 0.75]] * 2),
    "advantages": [1.0, -1.0],
    "mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]]),
}
K3 = LOG_2 - 0.5  # of a reference that is half as likely
# The ratio e^100, which float32 does not hold, where it does not count: a positive advantage, or none.
FAR = {
    "log_probs": full(2, 3, value=-1.0),
    "old_log_probs": full(2, 3, value=-101.0),
    "reference_log_probs": full(2, 3, value=-1.5),
    "advantages": [2.0, 0.0],
    "mask": np.ones((2, 3), bool),
}
LOSSES = {"losses": normal(4, 5), "mask": MASK}
MODES = (("sequence_mean", None), ("token_mean", None), ("constant", 5), ("constant", 8.0))


def _distances(rewards):
    return rewards - rewards.mean(axis=1, keepdims=True)


SPEC = (
    *(
        Agree(function, case, given(rewards=rewards))
        for function in ADVANTAGES
        for case, rewards in (
            ("regular", REWARDS),
            ("two answers", normal(3, 2)),
            ("rewards near 1000", normal(3, 4, mean=1000.0)),
            ("right or wrong", [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]]),
        )
    ),
    *(Agree(function, "all answers are worth the same", given(rewards=[[0.1] * 3, [0.7] * 3, [0.0] * 3]))
      for function in ADVANTAGES),
    *(Agree("group_normalized_advantages", f"correction {correction}, epsilon {epsilon}",
            given(rewards=REWARDS, correction=correction, epsilon=epsilon))
      for correction, epsilon in ((0, 1e-4), (1, 0.5))),
    Anchor("leave_one_out_advantages", "one of four is right", given(rewards=[[1.0, 0.0, 0.0, 0.0], [3.0, 1.0, 2.0, 6.0]]),
           gives=[[1.0, -1 / 3, -1 / 3, -1 / 3], [0.0, -8 / 3, -4 / 3, 4.0]], source="by hand",
           near_misses={"the mean of all": [[0.75, -0.25, -0.25, -0.25], [0.0, -2.0, -1.0, 3.0]],
                        "divided by G": [[1.0, -0.25, -0.25, -0.25], [0.75, -1.75, -0.5, 4.5]],
                        "the mean of the batch": [[-0.625, -1.625, -1.625, -1.625], [1.375, -0.625, 0.375, 4.375]],
                        "the sum of the others": [[1.0, -1.0, -1.0, -1.0], [-6.0, -10.0, -8.0, 0.0]]}),
    Anchor("group_normalized_advantages", "one of four is right: correction 1 and epsilon 1e-4 unless another is given",
           given(rewards=[[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]),
           gives=[[1.4997000599880024] + [-0.4999000199960008] * 3, [0.4999000199960008] * 3 + [-1.4997000599880024]],
           source="3/4 / (1/2 + epsilon), and 1/4 / (1/2 + epsilon)",
           near_misses={"correction 0": [[1.7316508] + [-0.5772169] * 3, [0.5772169] * 3 + [-1.7316508]],
                        "the deviation of the batch": [[1.4029067] + [-0.4676356] * 3, [0.4676356] * 3 + [-1.4029067]],
                        "mean and deviation of the batch": [[0.9352711] + [-0.9352711] * 3, [0.9352711] * 3 + [-0.9352711]],
                        "the variance": [[2.9988005] + [-0.9996002] * 3, [0.9996002] * 3 + [-2.9988005]],
                        "not centered": [[1.9996001, 0.0, 0.0, 0.0], [1.9996001] * 3 + [0.0]]}),
    Anchor("group_normalized_advantages", "one of four is right, correction 0",
           given(rewards=[[1.0, 0.0, 0.0, 0.0]], correction=0, epsilon=1e-12),
           gives=[[1.7320508075648775] + [-0.5773502691882925] * 3], source="the square roots of 3 and 1/3, less epsilon",
           near_misses={"correction 1": [[1.5, -0.5, -0.5, -0.5]]}),
    Law.equal("equal rewards give exactly 0", given(rewards=[[0.1] * 7, [1e3 + 0.1] * 7, [-0.3] * 7]),
              left=lambda f, rewards: all((getattr(f, name)(rewards) == 0).all() for name in ADVANTAGES), right=True,
              edge="the mean of equal numbers is rounded"),
    Law.equal("leave one out is G/(G-1) times the distance from the mean", given(rewards=REWARDS),
              left=lambda f, rewards: f.leave_one_out_advantages(rewards), right=lambda f, rewards: 4 / 3 * _distances(rewards)),
    Law.equal("normalized, it is leave one out by the deviation", given(rewards=REWARDS),
              left=lambda f, rewards: f.group_normalized_advantages(rewards, correction=0, epsilon=1e-12),
              right=lambda f, rewards: 0.75 * f.leave_one_out_advantages(rewards)
              / (np.sqrt((_distances(rewards) ** 2).mean(axis=1, keepdims=True)) + 1e-12)),
    Law.equal("a group is on its own, and its answers in any order", given(rewards=REWARDS),
              left=lambda f, rewards: np.stack([getattr(f, name)(rewards[1:, ::-1])[:, ::-1] for name in ADVANTAGES]),
              right=lambda f, rewards: np.stack([getattr(f, name)(rewards)[1:] for name in ADVANTAGES])),
    Agree("group_token_loss", "regular", given(**LOSS, **CLIPS), **LEARNED),
    Agree("group_token_loss", "four ratios", given(**FOUR, **CLIPS), **LEARNED),
    Agree("group_token_loss", "no price", given(**LOSS, clip_low=0.3, clip_high=0.1, kl_coefficient=0.0), **LEARNED),
    Agree("group_token_loss", "a clip above 1", given(**LOSS, clip_low=0.5, clip_high=4.0, kl_coefficient=1.0), **LEARNED),
    Agree("group_token_loss", "padding holds what has no meaning",
          given(log_probs=np.array([[-1.0, 0.0, -2.0], [0.0, -1.5, 0.0]]) + MEANINGLESS,
                old_log_probs=np.array([[-1.5, 0.0, -2.1], [0.0, -1.0, 0.0]]) - MEANINGLESS,
                reference_log_probs=np.array([[-1.2, 0.0, -2.0], [0.0, -2.0, 0.0]]) + MEANINGLESS,
                advantages=[1.0, -0.5], mask=PADDED, **CLIPS), **LEARNED),
    Agree("group_token_loss", "the ratio e^100, where it does not count", given(**FAR, **CLIPS),
          edge="e^100 is infinite, and infinity times 0 is not a number", **LEARNED),
    Anchor("group_token_loss", "four ratios", given(**FOUR, clip_low=0.2, clip_high=0.28, kl_coefficient=0.5),
           gives=[[-0.5, -1.0, -1.25 + K3 / 2, -1.28], [0.8, 1.0, 1.25 + K3 / 2, 0.0]], source="by hand",
           near_misses={"the lower clip for both": [[-0.5, -1.0, -1.2 + K3 / 2, -1.2], [0.8, 1.0, 1.25 + K3 / 2, 0.0]],
                        "the clips exchanged": [[-0.5, -1.0, -1.2 + K3 / 2, -1.2], [0.72, 1.0, 1.25 + K3 / 2, 0.0]],
                        "k3 turned over": [[-0.5, -1.0, -1.25 + 0.1534264, -1.28], [0.8, 1.0, 1.25 + 0.1534264, 0.0]],
                        "the sign of the price": [[-0.5, -1.0, -1.25 - K3 / 2, -1.28], [0.8, 1.0, 1.25 - K3 / 2, 0.0]],
                        "padding counted": [[-0.5, -1.0, -1.25 + K3 / 2, -1.28], [0.8, 1.0, 1.25 + K3 / 2, 1.5]],
                        "the smaller": [[-0.8, -1.0, -1.25 + K3 / 2, -1.5], [0.5, 1.0, 1.25 + K3 / 2, 0.0]],
                        "k1": [[-0.5, -1.0, -1.25 + LOG_2 / 2, -1.28], [0.8, 1.0, 1.25 + LOG_2 / 2, 0.0]]}),
    Law.equal("at the old policy, without a price, the slope is minus the advantage",
              given(log_probs=TOKENS["log_probs"], advantages=LOSS["advantages"]),
              left=lambda f, p, advantages: f.gradient(
                  "group_token_loss", p, p, p, advantages, MASK, clip_low=0.2, clip_high=0.28, kl_coefficient=0.0, wrt=0),
              right=lambda f, p, advantages: -advantages[:, None] * MASK),
    Law.equal("the price's slope is beta (1 - reference / policy)",
              given(log_probs=TOKENS["log_probs"], reference=LOSS["reference_log_probs"]),
              left=lambda f, p, q: f.gradient(
                  "group_token_loss", p, p, q, 0 * p[:, 0], MASK, clip_low=0.2, clip_high=0.28, kl_coefficient=0.5, wrt=0),
              right=lambda f, p, q: 0.5 * (1 - np.exp(q - p)) * MASK),
    *(Agree("aggregate_tokens", mode if length is None else f"{mode} {length:g}",
            given(**LOSSES, mode=mode, constant_length=length), smallest_batch=1)
      for mode, length in MODES),
    *(Agree("aggregate_tokens", f"padding holds what has no meaning, {mode}",
            given(losses=np.array([[1.0, 0.0, -2.0], [0.0, 0.5, 0.0]]) + MEANINGLESS, mask=PADDED.astype(np.int64), mode=mode,
                  constant_length=3), smallest_batch=1)
      for mode in ("sequence_mean", "token_mean", "constant")),
    *(
        Anchor("aggregate_tokens", mode,
               given(losses=[[1.0, 3.0, 9.0], [6.0, 9.0, 9.0]], mask=np.array([[True, True, False], [True, False, False]]),
                     mode=mode, constant_length=4), gives=gives, source="by hand", near_misses=misses)
        for mode, gives, misses in (
            ("sequence_mean", 4.0, {"by tokens": 10 / 3, "padding counted": 37 / 6, "by length": 5 / 3}),
            ("token_mean", 10 / 3, {"by answers": 4.0, "padding counted": 37 / 6, "by length": 5 / 3}),
            ("constant", 1.25, {"not by answers": 2.5, "by the width": 5 / 3, "padding counted": 4.625}),
        )
    ),
    *(
        Law.equal(f"the weight of each token: {mode}", given(losses=LOSSES["losses"]),
                  left=lambda f, losses, mode=mode: (
                      f.gradient("aggregate_tokens", losses, MASK, mode=mode, constant_length=6, wrt=0)),
                  right=lambda f, losses, weight=weight: MASK * weight)
        for mode, weight in (("sequence_mean", 1 / MASK.sum(axis=1, keepdims=True) / 4), ("token_mean", 1 / MASK.sum()),
                             ("constant", 1 / 24))
    ),
    *(
        Agree("sequence_ratio", f"{case}, {'geometric mean' if normalized else 'product'}",
              given(**tokens, length_normalized=normalized), **LEARNED)
        for normalized in (True, False)
        for case, tokens in (
            ("regular", TOKENS | {"mask": MASK}),
            ("padding holds what has no meaning",
             {"log_probs": np.array([[-1.0, 0.0, -2.0], [0.0, -1.5, 0.0]]) + MEANINGLESS,
              "old_log_probs": np.array([[-1.5, 0.0, -2.1], [0.0, -1.0, 0.0]]) - MEANINGLESS, "mask": PADDED.astype(np.int64)}),
        )
    ),
    *(
        Anchor("sequence_ratio", "geometric mean" if normalized else "product",
               given(log_probs=np.log([[0.5, 0.25, 0.75, 0.9]]), old_log_probs=np.log([[0.25, 0.5, 0.0625, 0.1]]),
                     mask=np.array([[True, False, True, False]]), length_normalized=normalized),
               gives=gives, source="by hand", near_misses=misses)
        for normalized, gives, misses in (
            (True, [24**0.5], {"the arithmetic mean": [7.0], "by the width": [24**0.25], "the product": [24.0]}),
            (False, [24.0], {"the geometric mean": [24**0.5], "masked tokens counted": [108.0], "turned over": [1 / 24]}),
        )
    ),
    Law.equal("the geometric mean is the root of the product", given(**TOKENS),
              left=lambda f, new, old: f.sequence_ratio(new, old, MASK, length_normalized=True) ** MASK.sum(axis=1),
              right=lambda f, new, old: f.sequence_ratio(new, old, MASK, length_normalized=False)),
    *(
        Rejects(function, case, given(rewards=rewards), blames="rewards")
        for function in ADVANTAGES
        for case, rewards in (("one answer", zeros(3, 1)), ("no group", zeros(3)), ("NaN", [[0.0, np.nan], [0.0, 1.0]]))
    ),
    Rejects("group_normalized_advantages", "epsilon 0", given(rewards=zeros(2, 3), epsilon=0.0), blames="epsilon"),
    Rejects("group_normalized_advantages", "correction 2", given(rewards=zeros(2, 3), correction=2), blames="correction"),
    *(
        Rejects("group_token_loss", case,
                given(**{"log_probs": zeros(2, 3), "old_log_probs": zeros(2, 3), "reference_log_probs": zeros(2, 3),
                         "advantages": zeros(2), "mask": np.ones((2, 3), bool)} | CLIPS | {name: wrong}), blames=name)
        for case, name, wrong in (
            ("an advantage for each token", "advantages", zeros(2, 3)),
            ("an advantage that is NaN", "advantages", [0.0, np.nan]),
            ("a token of probability 0", "old_log_probs", [[0.0, -np.inf, 0.0], [0.0, 0.0, 0.0]]),
            ("what the reference never does", "reference_log_probs", [[0.0, -np.inf, 0.0], [0.0, 0.0, 0.0]]),
            ("a row without a token", "mask", np.array([[1, 1, 0], [0, 0, 0]])),
            ("weights", "mask", full(2, 3, value=0.5)),
            ("no clip below", "clip_low", 0.0),
            ("a clip below of 1", "clip_low", 1.0),
            ("no clip above", "clip_high", 0.0),
            ("a negative price", "kl_coefficient", -0.1),
        )
    ),
    *(
        Rejects("aggregate_tokens", case,
                given(**{"losses": zeros(2, 3), "mask": np.ones((2, 3), bool), "mode": "token_mean"} | wrong), blames=name)
        for case, name, wrong in (
            ("an unknown mode", "mode", {"mode": "mean"}),
            ("no length", "constant_length", {"mode": "constant"}),
            ("length 0", "constant_length", {"mode": "constant", "constant_length": 0}),
            ("a row without a token", "mask", {"mask": np.array([[1, 1, 0], [0, 0, 0]])}),
            ("no answer", "losses", {"losses": zeros(0, 3), "mask": np.ones((0, 3), bool)}),
            ("a loss that is NaN", "losses", {"losses": [[0.0, np.nan, 0.0], [0.0, 0.0, 0.0]]}),
        )
    ),
    Rejects("sequence_ratio", "a row without a token",
            given(log_probs=zeros(2, 3), old_log_probs=zeros(2, 3), mask=np.array([[1, 1, 0], [0, 0, 0]]),
                  length_normalized=True), blames="mask"),
    Rejects("sequence_ratio", "a token of probability 0",
            given(log_probs=zeros(1, 2), old_log_probs=[[0.0, -np.inf]], mask=np.ones((1, 2), bool), length_normalized=True),
            blames="old_log_probs"),
)  # fmt: skip
