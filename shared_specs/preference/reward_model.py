"""Contracts of reward models (lecture 54)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_normal,
    given,
    integers,
    normal,
    scalar,
    zeros,
)

# A prompt before and padding behind, one token that counts, padding in front, all tokens.
MASK = np.array([[0, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]], dtype=bool)
BEHIND = MASK[[0, 1, 1, 0]]  # with room for one more position in front
HIDDEN, WEIGHT, BIAS = normal(4, 5, 3), normal(3), scalar(0.25)
UNKNOWN = np.where(MASK[..., None], np.linspace(-2.0, 2.0, 60).reshape(4, 5, 3), [np.nan, np.inf, -np.inf])
CHOSEN, REJECTED = normal(5, scale=2.0), normal(5, scale=2.0)
FAR = dict(reward_chosen=[300.0, -300.0, 300.0, -150.0, 0.0], reward_rejected=[-300.0, 300.0, 299.0, 150.0, 0.0])
ENSEMBLE, SCORES, REFERENCE = normal(3, 5), normal(5, mean=2.0), normal(7, mean=1.0, scale=3.0)
NAN = float("nan")
ROUNDED = "the mean of equal numbers is rounded, and the deviation has a kink at 0"


def _moved(hidden, mask):
    """Other numbers wherever the head does not look."""
    last = np.array([np.flatnonzero(row)[-1] for row in mask])
    there = np.arange(hidden.shape[1]) == last[:, None]
    return np.where(there[..., None], hidden, 7.0 - hidden)


SPEC = (
    Agree("sequence_reward", "regular", given(hidden=HIDDEN, mask=MASK, weight=WEIGHT, bias=BIAS)),
    Agree("sequence_reward", "padding holds what has no meaning",
          given(hidden=UNKNOWN, mask=MASK, weight=WEIGHT, bias=BIAS)),
    Agree("sequence_reward", "one token",
          given(hidden=normal(3, 1, 2), mask=np.ones((3, 1), bool), weight=normal(2), bias=BIAS)),
    Anchor(
        "sequence_reward", "a prompt, two tokens, padding",
        given(hidden=[[[1.0, 2.0], [3.0, -1.0], [0.5, 4.0], [9.0, 8.0]]], mask=np.array([[False, True, True, False]]),
              weight=[2.0, -1.0], bias=scalar(0.5)),
        gives=[-2.5], source="by hand: 2 (1/2) - 4 + 1/2",
        near_misses={"the last position": [10.5], "the mean over tokens": [2.5], "the number of tokens as an index": [7.5],
                     "the first token": [7.5], "bias forgotten": [-3.0], "the position behind": [10.5]},
    ),
    Law.equal("only the last token that counts is read", given(hidden=HIDDEN, weight=WEIGHT),
              left=lambda f, hidden, weight: f.sequence_reward(hidden, MASK, weight, np.zeros(())),
              right=lambda f, hidden, weight: f.sequence_reward(_moved(hidden, MASK), MASK, weight, np.zeros(()))),
    Law.equal("padding in front or behind", given(hidden=HIDDEN, weight=WEIGHT),
              left=lambda f, hidden, weight: f.sequence_reward(
                  np.roll(hidden, 1, axis=1), np.roll(BEHIND, 1, axis=1), weight, np.ones(())),
              right=lambda f, hidden, weight: f.sequence_reward(hidden, BEHIND, weight, np.ones(()))),
    *(
        Agree("pairwise_reward_loss", case, given(reward_chosen=CHOSEN, reward_rejected=REJECTED, **settings))
        for case, settings in (("regular", {}), ("with a margin, centered", {"margin": 1.5, "center_coefficient": 0.1}))
    ),
    Agree("pairwise_reward_loss", "rewards of 300", given(**FAR)),
    Agree("pairwise_reward_loss", "rewards of 300, centered", given(**FAR, margin=2.0, center_coefficient=0.01)),
    # Frozen, because rounding a softplus of 1e25 makes its slope, e^(x - softplus(x)), anything.
    Agree("pairwise_reward_loss", "rewards with squares that overflow in float32, not centered",
          given(reward_chosen=[1e25, -1e25, 0.0, 3e25, 0.0], reward_rejected=[2e25, -2e25, 1e25, 0.0, -2e25]),
          frozen=("reward_chosen", "reward_rejected")),
    Anchor("pairwise_reward_loss", "odds of three", given(reward_chosen=[1.0 + LOG_3], reward_rejected=[1.0]),
           gives=[0.28768207245178085], source="log(4/3)",
           near_misses={"swapped": [2 * LOG_2], "the probability": [-0.75], "a hinge": [0.0], "squared": [0.0625]}),
    Anchor("pairwise_reward_loss", "a margin of log 3 at odds of three",
           given(reward_chosen=[1.0 + LOG_3], reward_rejected=[1.0], margin=LOG_3), gives=[LOG_2], source="by hand",
           near_misses={"margin added": [0.10536051565782628], "forgotten": [0.28768207245178085],
                        "outside of the logarithm": [0.28768207245178085 + LOG_3]}),
    Anchor("pairwise_reward_loss", "centered, rewards 4 and 1",
           given(reward_chosen=[4.0], reward_rejected=[1.0], center_coefficient=0.1),
           gives=[2.548587351573742], source="log(1 + e^-3) + 25 / 10",
           near_misses={"on the difference": [0.948587351573742], "of the mean": [0.673587351573742],
                        "of each": [1.748587351573742], "the absolute value": [0.548587351573742],
                        "subtracted": [-2.451412648426258]}),
    Law.equal("a shift of both rewards changes nothing without centering", given(c=CHOSEN, r=REJECTED, shift=normal(5)),
              left=lambda f, c, r, shift: f.pairwise_reward_loss(c + shift, r + shift, margin=0.5),
              right=lambda f, c, r, shift: f.pairwise_reward_loss(c, r, margin=0.5)),
    Law.equal("with centering the best shift leaves the loss of the difference", given(c=CHOSEN, r=REJECTED),
              left=lambda f, c, r: f.pairwise_reward_loss((c - r) / 2, (r - c) / 2, center_coefficient=3.0),
              right=lambda f, c, r: f.pairwise_reward_loss(c, r)),
    Law.equal("the gradient is minus the probability of the other verdict, a margin away", given(c=CHOSEN, r=REJECTED),
              left=lambda f, c, r: f.gradient("pairwise_reward_loss", c, r, margin=0.5),
              right=lambda f, c, r: -1 / (1 + np.exp(c - r - 0.5))),
    Law.equal("the gradients of both rewards are opposite", given(c=CHOSEN, r=REJECTED),
              left=lambda f, c, r: f.gradient("pairwise_reward_loss", c, r, margin=0.5, wrt=1),
              right=lambda f, c, r: -f.gradient("pairwise_reward_loss", c, r, margin=0.5, wrt=0)),
    Law.at_least("a margin never lowers the loss", given(c=CHOSEN, r=REJECTED),
                 left=lambda f, c, r: f.pairwise_reward_loss(c, r, margin=0.5),
                 right=lambda f, c, r: f.pairwise_reward_loss(c, r)),
    Agree("preference_accuracy", "regular", given(reward_chosen=CHOSEN, reward_rejected=REJECTED), no_gradient="a step"),
    Agree("preference_accuracy", "won, tied and lost by one part in a million",
          given(reward_chosen=[300.0003, 2.0, -1.0], reward_rejected=[300.0, 2.0, -0.999999]), no_gradient="a step",
          frozen=("reward_chosen", "reward_rejected")),
    Anchor("preference_accuracy", "won, tied, lost", given(reward_chosen=[2.0, -1.0, 0.5], reward_rejected=[1.0, -1.0, 3.0]),
           gives=[1.0, 0.5, 0.0], source="by definition", frozen=("reward_chosen", "reward_rejected"),
           near_misses={"ties lost": [1.0, 0.0, 0.0], "ties won": [1.0, 1.0, 0.0], "swapped": [0.0, 0.5, 1.0],
                        "the probability": [0.7310585786, 0.5, 0.0758581800]}),
    Law.equal("accuracy does not see shift and scale", given(c=CHOSEN, r=REJECTED),
              left=lambda f, c, r: f.preference_accuracy(0.01 * c + 2, 0.01 * r + 2),
              right=lambda f, c, r: f.preference_accuracy(c, r)),
    Law.equal("both orders of a pair sum to one", given(c=np.array([1.0, 2.0, 3.0]), r=np.array([3.0, 2.0, 1.0])),
              left=lambda f, c, r: f.preference_accuracy(c, r) + f.preference_accuracy(r, c), right=1.0, frozen=("c", "r")),
    Agree("pessimistic_reward", "regular", given(rewards=ENSEMBLE, pessimism=0.7)),
    Agree("pessimistic_reward", "around 300", given(rewards=normal(3, 5, mean=300.0), pessimism=2.0)),
    Agree("pessimistic_reward", "one model", given(rewards=normal(1, 5), pessimism=2.0)),
    *(
        Agree("pessimistic_reward", f"models that agree on {number}",
              given(rewards=[[number, -2.0, 1.0, 0.0, 4.0]] * 3, pessimism=2.0), frozen=("rewards",), edge=edge)
        for number, edge in ((0.5, ""), (0.1, ROUNDED))
    ),
    Anchor("pessimistic_reward", "two models", given(rewards=[[1.0, 2.0, 4.0], [5.0, 4.0, 4.0]], pessimism=0.5),
           gives=[2.0, 2.5, 4.0], source="by hand: (3 - 2/2, 3 - 1/2, 4)",
           near_misses={"sample deviation": [1.5857864376, 2.2928932188, 4.0], "variance": [1.0, 2.5, 4.0],
                        "optimistic": [4.0, 3.5, 4.0], "the least": [1.0, 2.0, 4.0], "the mean": [3.0, 3.0, 4.0]}),
    Law.at_least("never above the mean", given(rewards=ENSEMBLE), left=lambda f, r: r.mean(axis=0),
                 right=lambda f, r: f.pessimistic_reward(r, pessimism=0.3)),
    Law.equal("an ensemble counted twice is as sure", given(rewards=ENSEMBLE),
              left=lambda f, r: f.pessimistic_reward(np.concatenate([r, r]), pessimism=0.7),
              right=lambda f, r: f.pessimistic_reward(r, pessimism=0.7)),
    Law.equal("shift and scale pass through", given(rewards=ENSEMBLE),
              left=lambda f, r: f.pessimistic_reward(3 * r - 1, pessimism=0.7),
              right=lambda f, r: 3 * f.pessimistic_reward(r, pessimism=0.7) - 1),
    Agree("standardize_rewards", "regular", given(rewards=SCORES, reference_rewards=REFERENCE, epsilon=0.1)),
    Agree("standardize_rewards", "around 300", given(rewards=normal(5, mean=300.0), reference_rewards=normal(7, mean=300.0),
                                                     epsilon=1e-3)),
    *(
        Agree("standardize_rewards", f"references of {number}",
              given(rewards=SCORES, reference_rewards=[number] * 7, epsilon=0.5), frozen=("reference_rewards",), edge=edge)
        for number, edge in ((0.5, ""), (0.1, ROUNDED))
    ),
    Agree("standardize_rewards", "one reference", given(rewards=SCORES, reference_rewards=[0.5], epsilon=0.5)),
    Anchor("standardize_rewards", "mean 2, deviation 2", given(rewards=[3.0, 5.0], reference_rewards=[0.0, 4.0], epsilon=0.5),
           gives=[0.4, 1.2], source="by hand",
           near_misses={"sample deviation": [0.3004412, 0.9013236], "epsilon below the root": [0.4714045208, 1.4142135624],
                        "epsilon forgotten": [0.5, 1.5], "not centered": [1.2, 2.0],
                        "by their own mean and deviation": [-2 / 3, 2 / 3], "variance": [1 / 4.5, 3 / 4.5]}),
    Law.equal("the references themselves have mean 0", given(reference=REFERENCE),
              left=lambda f, r: 1 + f.standardize_rewards(r, r, epsilon=0.1).mean(), right=1.0),
    Law.equal("shift and scale of the model disappear", given(rewards=SCORES, reference=REFERENCE),
              left=lambda f, r, n: f.standardize_rewards(3 * r - 1, 3 * n - 1, epsilon=0.3),
              right=lambda f, r, n: f.standardize_rewards(r, n, epsilon=0.1)),
    Model("RewardModel", "a prompt and padding, all tokens, one token",
          given(tokens=integers(3, 5, high=11), mask=MASK[[0, 3, 1]]),
          sizes=dict(vocabulary_size=11, context_length=7, width=12, layers=1, heads=3), training=dict(dropout=0.5),
          steps=0,  # the trunk's own row compares a trajectory
          initial={"*norm.weight": begins_at(1), "*.bias": begins_at(0), "head.weight": begins_normal(13**-0.5),
                   "*.output.weight": begins_normal(0.02 / 2**0.5), "*.down.weight": begins_normal(0.02 / 2**0.5),
                   "*.weight": begins_normal(0.02)}),
    Rejects("sequence_reward", "a row without a token",
            given(hidden=zeros(2, 3, 4), mask=np.array([[True, True, False], [False, False, False]]), weight=zeros(4),
                  bias=scalar(0.0)), blames="mask"),
    Rejects("sequence_reward", "texts without positions",
            given(hidden=zeros(2, 0, 4), mask=np.zeros((2, 0), bool), weight=zeros(4), bias=scalar(0.0)), blames="hidden"),
    Rejects("sequence_reward", "two rewards a text",
            given(hidden=zeros(2, 3, 4), mask=np.ones((2, 3), bool), weight=zeros(4, 2), bias=zeros(2)), blames="weight"),
    Rejects("sequence_reward", "a bias for each text",
            given(hidden=zeros(2, 3, 4), mask=np.ones((2, 3), bool), weight=zeros(4), bias=zeros(2)), blames="bias"),
    *(
        Rejects(function, f"{name} is {number}", given(**{"reward_chosen": [0.5], "reward_rejected": [0.5], name: [number]}),
                blames=name)
        for function in ("pairwise_reward_loss", "preference_accuracy")
        for name in ("reward_chosen", "reward_rejected") for number in (NAN, np.inf)
    ),
    *(
        Rejects(function, case, given(reward_chosen=zeros(*chosen), reward_rejected=zeros(*rejected)), blames=blamed)
        for function in ("pairwise_reward_loss", "preference_accuracy")
        for case, chosen, rejected, blamed in (("shapes differ", (3,), (2,), "reward_rejected"),
                                               ("rewards of tokens", (2, 3), (2, 3), "reward_chosen"))
    ),
    Rejects("pairwise_reward_loss", "centering away from 0",
            given(reward_chosen=zeros(2), reward_rejected=zeros(2), center_coefficient=-0.1), blames="center_coefficient"),
    Rejects("pessimistic_reward", "optimism", given(rewards=zeros(2, 3), pessimism=-0.5), blames="pessimism"),
    Rejects("pessimistic_reward", "no model", given(rewards=zeros(0, 3), pessimism=0.5), blames="rewards"),
    Rejects("pessimistic_reward", "not a number", given(rewards=[[0.0, 1.0], [NAN, 1.0]], pessimism=0.5), blames="rewards"),
    Rejects("pessimistic_reward", "one model without its axis", given(rewards=zeros(3), pessimism=0.5), blames="rewards"),
    Rejects("standardize_rewards", "no reference", given(rewards=zeros(2), reference_rewards=zeros(0), epsilon=0.1),
            blames="reference_rewards"),
    Rejects("standardize_rewards", "epsilon 0", given(rewards=zeros(2), reference_rewards=normal(3), epsilon=0.0),
            blames="epsilon"),
    *(
        Rejects("standardize_rewards", f"{name} not finite",
                given(**{"rewards": [0.0, 1.0], "reference_rewards": [2.0, 0.0, 1.0], name: [NAN, np.inf]}, epsilon=0.1),
                blames=name)
        for name in ("rewards", "reference_rewards")
    ),
)  # fmt: skip
