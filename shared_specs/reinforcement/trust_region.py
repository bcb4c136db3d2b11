"""Contracts of trust regions (lecture 53)."""

import numpy as np

from shared_specs.reinforcement._cases import EVEN, REWARD, STAY_OR_MOVE, probabilities
from shared_specs.rows import LOG_3, Agree, Anchor, Law, Rejects, full, given, log_of, log_simplex, normal, zeros

START, P, R, NEW, OLD = probabilities(4), probabilities(4, 3, 4), normal(4, 3), log_simplex(4, 3), log_simplex(4, 3)
PROCESS = {"initial": START, "transition": P, "reward": R}
# The running example, from state 0: the old policy is even, the new one moves from 0 and stays in 1 with probability 3/4.
BETTER = log_of([[0.25, 0.75], [0.75, 0.25]])
EXAMPLE = {
    "initial": [1.0, 0.0],
    "transition": STAY_OR_MOVE,
    "reward": REWARD,
    "policy_log_probs": BETTER,
    "old_log_probs": EVEN,
    "discount": 0.5,
}
GIVES_UP = log_of([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])
CASES = {
    "regular": PROCESS | {"policy_log_probs": NEW, "old_log_probs": OLD, "discount": 0.9},
    "the old policy gives actions up": PROCESS | {"policy_log_probs": NEW, "old_log_probs": GIVES_UP, "discount": 0.9},
    "discount 0.99": PROCESS | {"policy_log_probs": NEW, "old_log_probs": OLD, "discount": 0.99},
    "only today counts": PROCESS | {"policy_log_probs": NEW, "old_log_probs": OLD, "discount": 0.0},
}
ONE = {
    "initial": [1.0],
    "transition": [[[1.0]]],
    "reward": [[0.75]],
    "policy_log_probs": [[0.0]],
    "old_log_probs": [[0.0]],
    "discount": 0.6,
}
BEFORE, AFTER = log_of([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]]), log_of([[0.1, 0.15, 0.35, 0.4], [0.4, 0.35, 0.15, 0.1]])
RETURNS = ("surrogate_objective", "performance_difference", "improvement_bound")


def _agrees(function):
    yield Agree(function, "regular", given(**CASES["regular"]), differentiate=("reward", "policy_log_probs", "old_log_probs"))
    for case in list(CASES)[1:]:
        yield Agree(function, case, given(**CASES[case]), differentiate=("policy_log_probs",))
    yield Agree(function, "one state, one action", given(**ONE), differentiate=("reward",))


SPEC = (
    *(row for function in RETURNS for row in _agrees(function)),
    *(Agree(function, "the new policy gives actions up",
            given(**PROCESS, policy_log_probs=GIVES_UP, old_log_probs=OLD, discount=0.9), differentiate=("policy_log_probs",))
      for function in RETURNS[:2]),
    Agree("improvement_bound", "the new policy gives actions up: nothing is certain",
          given(**PROCESS, policy_log_probs=GIVES_UP, old_log_probs=OLD, discount=0.9), differentiate=("policy_log_probs",),
          no_gradient="the bound is -inf"),
    Agree("improvement_bound", "... but at discount 0",
          given(**PROCESS, policy_log_probs=GIVES_UP, old_log_probs=OLD, discount=0.0), differentiate=("policy_log_probs",)),
    Anchor("surrogate_objective", "3/4 in place of 1/2", given(**EXAMPLE), gives=0.5,
           source="by hand: 1/4 + 2 (3/4 1/16 + 1/4 5/16)",
           near_misses={"the new policy's states": 0.5625, "without 1/(1 - discount)": 0.375, "without the old return": 0.25,
                        "the initial law for the occupancy": 0.375, "Q in place of the advantage": 1.25}),
    Anchor("performance_difference", "3/4 in place of 1/2", given(**EXAMPLE), gives=0.3125, source="by hand: 9/16 - 1/4",
           near_misses={"the old policy's states": 0.25, "without 1/(1 - discount)": 0.15625, "the new policy's advantages": 0.0,
                        "old less new": -0.3125, "the new return": 0.5625}),
    Anchor("improvement_bound", "3/4 in place of 1/2", given(**EXAMPLE), gives=0.5 - 2.5 * (2 * np.log(2) - LOG_3),
           source="by hand: 1/2 - 5 max KL, KL = 1/2 log 4/3",
           near_misses={"KL of the new from the old": 0.5 - 5 * 0.1308120359, "the mean |A|": 0.5 - 3 * 0.1438410362,
                        "1 - discount not squared": 0.5 - 2.5 * 0.1438410362, "no factor 4": 0.5 - 1.25 * 0.1438410362,
                        "the square of the total variation": 0.1875, "the sum over the states": 0.5 - 10 * 0.1438410362,
                        "the new policy's states": 0.5625 - 5 * 0.1438410362, "the penalty added": 0.5 + 5 * 0.1438410362}),
    Law.equal(
        "the performance difference lemma", given(**PROCESS, new=NEW, old=OLD),
        left=lambda f, *process: f.performance_difference(*process, discount=0.9),
        right=lambda f, *process: _return(*process[:4], 0.9) - _return(*process[:3], process[4], 0.9),
    ),
    Law.equal(
        "the surrogate is the old return at the old policy, and so is the bound", given(**PROCESS, old=OLD),
        left=lambda f, *process: np.stack([
            f.surrogate_objective(*process, process[3], discount=0.9), f.improvement_bound(*process, process[3], discount=0.9)]),
        right=lambda f, *process: np.full(2, _return(*process, 0.9)),
    ),
    Law.equal(
        "there it has the gradient of the return", given(**PROCESS, old=OLD),
        left=lambda f, *process: f.gradient("surrogate_objective", *process, process[3], discount=0.9, wrt=3),
        right=lambda f, *process: f.gradient("performance_difference", *process, process[3], discount=0.9, wrt=3),
    ),
    Law.equal(
        "if only today counts, surrogate and bound are the return", given(**PROCESS, new=NEW, old=OLD),
        left=lambda f, *process: np.stack([
            f.surrogate_objective(*process, discount=0.0), f.improvement_bound(*process, discount=0.0)]),
        right=lambda f, *process: np.full(2, _return(*process[:4], 0.0)),
    ),
    Law.at_least(
        "no policy returns less than its bound", given(**PROCESS, new=NEW, old=OLD),
        left=lambda f, *process: np.stack([_return(*process[:3], _between(*process[3:], share), 0.9) for share in SHARES]),
        right=lambda f, *process: np.stack([
            f.improvement_bound(*process[:3], _between(*process[3:], share), process[4], discount=0.9) for share in SHARES]),
    ),
    # Distances of policies, state by state.
    *(Agree(function, case, given(log_probs=new, old_log_probs=old), **more)
      for function, kink in (("policy_kl", ""), ("policy_total_variation", "|pi - o| has a kink where both are equal"))
      for case, new, old, more in (
          ("regular", NEW, OLD, {}),
          ("the same policy", OLD, OLD, {"no_gradient": kink}),
          ("the old policy gives actions up", NEW, GIVES_UP, {}),
      )),
    Agree("policy_kl", "the new policy gives actions up", given(log_probs=GIVES_UP, old_log_probs=OLD),
          differentiate=("log_probs",), no_gradient="the divergence is infinite"),
    Agree("policy_total_variation", "the new policy gives actions up", given(log_probs=GIVES_UP, old_log_probs=OLD)),
    Anchor("policy_kl", "two states", given(log_probs=AFTER, old_log_probs=BEFORE),
           gives=[0.5119093049168662, 0.1551601224432993],
           source="mpmath",
           near_misses={"new || old": [0.5077817570, 0.1375138178], "the mean over the actions": [0.1279773262, 0.0387900306],
                        "bits": [0.7385290156, 0.2238487392], "the total variation": [0.45, 0.25]}),
    Anchor("policy_kl", "even against certain", given(log_probs=log_of([[1.0, 0.0], [0.5, 0.5]]), old_log_probs=log_of(
        [[0.5, 0.5], [1.0, 0.0]])), gives=[np.inf, np.log(2.0)], source="by hand",
           near_misses={"new || old": [np.log(2.0), np.inf], "0 log 0 dropped": [np.log(2.0) / 2, np.log(2.0)]}),
    Anchor("policy_total_variation", "two states", given(log_probs=AFTER, old_log_probs=BEFORE), gives=[0.45, 0.25],
           source="by hand",
           near_misses={"without 1/2": [0.9, 0.5], "the largest difference of one action": [0.3, 0.15],
                        "the Euclidean distance": [0.4743416490, 0.2549509757], "the mean": [0.225, 0.125]}),
    Law.equal("total variation is symmetric", given(new=NEW, old=OLD),
              left=lambda f, new, old: f.policy_total_variation(new, old),
              right=lambda f, new, old: f.policy_total_variation(old, new)),
    Law.at_least("Pinsker: the divergence is at least twice the square of the total variation", given(new=NEW, old=OLD),
                 left=lambda f, new, old: f.policy_kl(new, old),
                 right=lambda f, new, old: 2 * f.policy_total_variation(new, old) ** 2),
    *(
        Rejects(function, case, given(**EXAMPLE | changed), blames=blames)
        for function in RETURNS
        for case, changed, blames in (
            ("discount 1", {"discount": 1.0}, "discount"),
            ("discount -0.1", {"discount": -0.1}, "discount"),
            ("an initial law that does not sum to one", {"initial": [0.5, 0.25]}, "initial"),
            ("rows that do not sum to one", {"transition": full(2, 2, 2, value=0.6)}, "transition"),
            ("probabilities in place of their logarithms", {"policy_log_probs": full(2, 2, value=0.5)}, "policy_log_probs"),
            ("an old policy of another number of actions", {"old_log_probs": full(2, 3, value=-LOG_3)}, "old_log_probs"),
            ("an old policy that does not sum to one", {"old_log_probs": zeros(2, 2)}, "old_log_probs"),
            ("a reward for each state", {"reward": zeros(2)}, "reward"),
        )
    ),
    *(
        Rejects(function, case, given(**{"log_probs": EVEN, "old_log_probs": EVEN} | changed), blames=blames)
        for function in ("policy_kl", "policy_total_variation")
        for case, changed, blames in (
            ("probabilities in place of their logarithms", {"log_probs": full(2, 2, value=0.5)}, "log_probs"),
            ("an old policy that does not sum to one", {"old_log_probs": zeros(2, 2)}, "old_log_probs"),
            ("another number of states", {"old_log_probs": EVEN[:1]}, "old_log_probs"),
        )
    ),
)  # fmt: skip

SHARES = (0.02, 0.1, 1.0)


def _return(initial, transition, reward, log_probs, discount):
    """The expected discounted return, by NumPy's solver."""
    policy = np.exp(log_probs)
    moves = np.einsum("sa,sat->st", policy, transition)
    return initial @ np.linalg.solve(np.eye(len(moves)) - discount * moves, (policy * reward).sum(axis=1))


def _between(new, old, share):
    """A policy that has gone this share of the way from the old one to the new."""
    return np.log((1 - share) * np.exp(old) + share * np.exp(new))
