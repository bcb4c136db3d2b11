"""Contracts of finite decision processes (lecture 49)."""

import numpy as np

from shared_specs.reinforcement._cases import EVEN, REWARD, STAY_OR_MOVE, probabilities
from shared_specs.rows import Agree, Anchor, Law, Rejects, full, given, log_of, log_simplex, normal, zeros

P, R, PI, V = probabilities(4, 3, 4), normal(4, 3), log_simplex(4, 3), normal(4, scale=2.0)
START = probabilities(4)
# From 0 to 1 to 2, where every action stays: deterministic, with an absorbing state that pays nothing.
CHAIN = [[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]
CHAIN_REWARD = [[-1.0, -2.0], [5.0, 0.5], [0.0, 0.0]]
CERTAIN = log_of([[1.0, 0.0], [1.0, 0.0], [0.25, 0.75]])
SOFT = log_of([[0.2, 0.8], [0.5, 0.5]])
TILTED = log_of([[0.9, 0.1], [0.75, 0.25]])  # mostly stay


PROCESSES = {
    "regular": (0.9, START, V, {"transition": P, "reward": R, "policy_log_probs": PI}),
    "a chain that ends": (
        0.95,
        [0.7, 0.3, 0.0],
        [0.5, -1.5, 0.25],
        {"transition": CHAIN, "reward": CHAIN_REWARD, "policy_log_probs": CERTAIN},
    ),
    "one state, one action": (0.6, [1.0], [2.0], {"transition": [[[1.0]]], "reward": [[0.75]], "policy_log_probs": [[0.0]]}),
    "only today counts": (0.0, START, V, {"transition": P, "reward": R, "policy_log_probs": PI}),
    "discount 0.999": (0.999, START, V, {"transition": P, "reward": R, "policy_log_probs": PI}),
}


def _agrees():
    for case, (discount, initial, value, process) in PROCESSES.items():
        moves = {"transition": process["transition"], "policy_log_probs": process["policy_log_probs"]}
        paid = {"value": value, "transition": process["transition"], "reward": process["reward"]}
        yield Agree("policy_value", case, given(**process, discount=discount))
        yield Agree("state_occupancy", case, given(initial=initial, **moves, discount=discount))
        if discount in (0.0, 0.999):
            continue  # nothing is solved below
        yield Agree("policy_transition", case, given(**moves))
        yield Agree("action_value", case, given(**paid, discount=discount))
        yield Agree("bellman_operator", case, given(**paid, policy_log_probs=process["policy_log_probs"], discount=discount))
        yield Agree("bellman_optimality_operator", case, given(**paid, discount=discount))


def _soft(case, temperature, **changed):
    arguments = {"value": V, "transition": P, "reward": R, "reference_log_probs": PI} | changed
    return Agree("soft_bellman_operator", case, given(**arguments, discount=0.9, temperature=temperature))


def _farthest(a, b):
    return np.abs(a - b).max()


SPEC = (
    *_agrees(),
    _soft("regular", 0.5),
    _soft("temperature 0.01", 0.01),
    _soft("values near 1000", 0.5, value=normal(4, mean=1000.0)),
    _soft("temperature 100", 100.0),
    _soft("the reference never takes the best action", 0.001, value=[0.5, -1.5, 0.25], transition=CHAIN, reward=CHAIN_REWARD,
          reference_log_probs=log_of([[0.0, 1.0], [0.0, 1.0], [0.25, 0.75]])),
    # The running example: stay or move, only staying in state 1 is rewarded, discount 1/2.
    Anchor(
        "policy_transition", "mostly stay", given(transition=STAY_OR_MOVE, policy_log_probs=TILTED),
        gives=[[0.9, 0.1], [0.25, 0.75]], source="by hand",
        near_misses={"transposed": [[0.9, 0.25], [0.1, 0.75]], "log-probabilities as weights":
                     [[-0.1053605157, -2.3025850930], [-1.3862943611, -0.2876820725]]},
    ),
    Anchor(
        "policy_value", "each action with probability one half",
        given(transition=STAY_OR_MOVE, reward=REWARD, policy_log_probs=EVEN, discount=0.5), gives=[0.25, 0.75], source="by hand",
        near_misses={"no discounting of the first step": [0.125, 0.375], "reward of the next state": [0.5, 0.5],
                     "best action": [1.0, 2.0], "summed over actions": [0.5, 1.5]},
    ),
    Anchor(
        "policy_value", "the best policy: move, then stay",
        given(transition=STAY_OR_MOVE, reward=REWARD, policy_log_probs=log_of([[0.0, 1.0], [1.0, 0.0]]), discount=0.5),
        gives=[1.0, 2.0], source="by hand",
        near_misses={"P_pi transposed": [0.0, 2.0], "the next reward not discounted": [2.0, 2.0]},
    ),
    Anchor(
        "action_value", "of the even policy's value",
        given(value=[0.25, 0.75], transition=STAY_OR_MOVE, reward=REWARD, discount=0.5),
        gives=[[0.125, 0.375], [1.375, 0.125]], source="by hand",
        near_misses={"moved the wrong way": [[0.375, 0.125], [1.125, 0.375]], "not discounted": [[0.25, 0.75], [1.75, 0.25]],
                     "no reward": [[0.125, 0.375], [0.375, 0.125]]},
    ),
    Anchor(
        "bellman_operator", "a sweep from (2, 4)",
        given(value=[2.0, 4.0], transition=STAY_OR_MOVE, reward=REWARD, policy_log_probs=TILTED, discount=0.5),
        gives=[1.1, 2.5], source="by hand",
        near_misses={"maximum": [2.0, 3.0], "mean over the actions": [1.5, 2.0], "reward forgotten": [1.1, 1.75]},
    ),
    Anchor(
        "bellman_optimality_operator", "a sweep from (0, 1)",
        given(value=[0.0, 1.0], transition=STAY_OR_MOVE, reward=REWARD, discount=0.5), gives=[0.5, 1.5], source="by hand",
        near_misses={"mean over the actions": [0.25, 0.75], "maximum of the rewards alone": [0.0, 1.5], "minimum": [0.0, 0.0]},
    ),
    Anchor(
        "soft_bellman_operator", "one state, two actions, temperature 2",
        given(value=[0.0], transition=[[[1.0], [1.0]]], reward=[[1.0, 0.0]], reference_log_probs=log_of([[0.5, 0.5]]),
              discount=0.5, temperature=2.0),
        gives=[2 * np.log((np.exp(0.5) + 1) / 2)], source="2 log((sqrt(e) + 1) / 2)",
        near_misses={"temperature outside only": [1.2402290139], "temperature inside only": [0.2809298],
                     "reference forgotten": [1.9481540], "hard maximum": [1.0], "mean": [0.5]},
    ),
    Anchor(
        "state_occupancy", "the best policy from state 0",
        given(initial=[1.0, 0.0], transition=STAY_OR_MOVE, policy_log_probs=log_of([[0.0, 1.0], [1.0, 0.0]]), discount=0.5),
        gives=[0.5, 0.5], source="by hand",
        near_misses={"without the transpose": [0.5, 0.0], "without 1 - discount": [1.0, 1.0], "the stationary law": [0.0, 1.0]},
    ),
    Law.equal(
        "a policy's value is the fixed point of its operator", given(transition=P, reward=R, log_probs=PI),
        left=lambda f, p, r, pi: f.bellman_operator(f.policy_value(p, r, pi, discount=0.9), p, r, pi, discount=0.9),
        right=lambda f, p, r, pi: f.policy_value(p, r, pi, discount=0.9),
    ),
    Law.equal(
        "the value is the mean of the action values", given(transition=P, reward=R, log_probs=PI, value=V),
        left=lambda f, p, r, pi, v: f.bellman_operator(v, p, r, pi, discount=0.7),
        right=lambda f, p, r, pi, v: (np.exp(pi) * f.action_value(v, p, r, discount=0.7)).sum(axis=1),
    ),
    Law.at_least(
        "the optimality operator contracts by the discount", given(transition=P, reward=R, v=V, w=normal(4)),
        left=lambda f, p, r, v, w: 0.8 * _farthest(v, w),
        right=lambda f, p, r, v, w: _farthest(*(f.bellman_optimality_operator(u, p, r, discount=0.8) for u in (v, w))),
    ),
    Law.equal(
        "... and exactly by it between values that differ by a constant", given(transition=P, reward=R, v=V),
        left=lambda f, p, r, v: np.stack([f.bellman_optimality_operator(v + 3, p, r, discount=0.8),
                                          f.soft_bellman_operator(v + 3, p, r, np.log(np.full((4, 3), 1 / 3)), discount=0.8,
                                                                  temperature=0.5)]),
        right=lambda f, p, r, v: 2.4 + np.stack([f.bellman_optimality_operator(v, p, r, discount=0.8),
                                                 f.soft_bellman_operator(v, p, r, np.log(np.full((4, 3), 1 / 3)), discount=0.8,
                                                                         temperature=0.5)]),
    ),
    Law.at_least(
        "acting greedily on a policy's values is at least as good at every state", given(transition=P, reward=R, log_probs=PI),
        left=lambda f, p, r, pi: f.policy_value(p, r, _greedy(f, p, r, pi), discount=0.9),
        right=lambda f, p, r, pi: f.policy_value(p, r, pi, discount=0.9),
    ),
    Law.at_least(
        "a lower temperature is worth more, the maximum most", given(value=V, transition=P, reward=R, log_probs=PI),
        left=lambda f, *given: np.stack([f.bellman_optimality_operator(*given[:3], discount=0.9),
                                         *(f.soft_bellman_operator(*given, discount=0.9, temperature=t) for t in (0.1, 1.0))]),
        right=lambda f, *given: np.stack([*(f.soft_bellman_operator(*given, discount=0.9, temperature=t) for t in (0.1, 1.0)),
                                          f.bellman_operator(*given, discount=0.9)]),
    ),
    Law.equal(
        "the slope of the soft operator in the reward is the tilted policy",
        given(value=V, transition=P, reward=R, log_probs=PI),
        left=lambda f, *given: f.gradient("soft_bellman_operator", *given, discount=0.9, temperature=0.5, wrt=2),
        right=lambda f, v, p, r, pi: _softmax(pi + f.action_value(v, p, r, discount=0.9) / 0.5),
    ),
    Law.normalized(
        "an occupancy sums to one", given(initial=START, transition=P, log_probs=PI),
        total=lambda f, *given: f.state_occupancy(*given, discount=0.9).sum(),
    ),
    Law.equal(
        "an occupancy is where it starts and where it came from", given(initial=START, transition=P, log_probs=PI),
        left=lambda f, *given: f.state_occupancy(*given, discount=0.9),
        right=lambda f, start, p, pi: (
            0.1 * start + 0.9 * f.policy_transition(p, pi).T @ f.state_occupancy(start, p, pi, discount=0.9)
        ),
    ),
    Law.equal(
        "the return is the reward of the states that are occupied",
        given(initial=START, transition=P, reward=R, log_probs=PI),
        left=lambda f, start, p, r, pi: start @ f.policy_value(p, r, pi, discount=0.9),
        right=lambda f, start, p, r, pi: (
            f.state_occupancy(start, p, pi, discount=0.9) @ (np.exp(pi) * r).sum(axis=1) / (1 - 0.9)
        ),
    ),
    *(
        Rejects(function, f"discount {discount}", given(**arguments, discount=discount), blames="discount")
        for function, arguments in {
            "policy_value": {"transition": P, "reward": R, "policy_log_probs": PI},
            "action_value": {"value": V, "transition": P, "reward": R},
            "bellman_operator": {"value": V, "transition": P, "reward": R, "policy_log_probs": PI},
            "bellman_optimality_operator": {"value": V, "transition": P, "reward": R},
            "state_occupancy": {"initial": START, "transition": P, "policy_log_probs": PI},
        }.items()
        for discount in (1.0, -0.1)
    ),
    Rejects("policy_transition", "rows that do not sum to one", given(transition=full(2, 2, 2, value=0.6), policy_log_probs=EVEN),
            blames="transition"),
    Rejects("policy_transition", "a negative probability",
            given(transition=[[[1.5, -0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]], policy_log_probs=EVEN), blames="transition"),
    Rejects("policy_transition", "probabilities in place of their logarithms",
            given(transition=STAY_OR_MOVE, policy_log_probs=full(2, 2, value=0.5)), blames="policy_log_probs"),
    Rejects("policy_transition", "more states after than before",
            given(transition=full(2, 2, 4, value=0.25), policy_log_probs=EVEN), blames="transition"),
    Rejects("policy_value", "no state at all", given(transition=zeros(0, 2, 0), reward=zeros(0, 2), policy_log_probs=zeros(0, 2),
            discount=0.5), blames="transition"),
    Rejects("policy_value", "rewards of another number of actions",
            given(transition=STAY_OR_MOVE, reward=zeros(2, 3), policy_log_probs=EVEN, discount=0.5), blames="reward"),
    Rejects("bellman_operator", "a value of another number of states",
            given(value=zeros(3), transition=STAY_OR_MOVE, reward=REWARD, policy_log_probs=EVEN, discount=0.5), blames="value"),
    Rejects("soft_bellman_operator", "temperature 0",
            given(value=zeros(2), transition=STAY_OR_MOVE, reward=REWARD, reference_log_probs=EVEN, discount=0.5,
                  temperature=0.0), blames="temperature"),
    Rejects("soft_bellman_operator", "a reference that does not sum to one",
            given(value=zeros(2), transition=STAY_OR_MOVE, reward=REWARD, reference_log_probs=zeros(2, 2), discount=0.5,
                  temperature=1.0), blames="reference_log_probs"),
    Rejects("soft_bellman_operator", "discount 1",
            given(value=zeros(2), transition=STAY_OR_MOVE, reward=REWARD, reference_log_probs=EVEN, discount=1.0,
                  temperature=1.0), blames="discount"),
    Rejects("state_occupancy", "an initial law that does not sum to one",
            given(initial=[0.5, 0.25], transition=STAY_OR_MOVE, policy_log_probs=SOFT, discount=0.5), blames="initial"),
)  # fmt: skip


def _greedy(f, transition, reward, log_probs):
    """The deterministic policy that is best for one step, as log-probabilities."""
    values = f.action_value(f.policy_value(transition, reward, log_probs, discount=0.9), transition, reward, discount=0.9)
    return np.where(values == values.max(axis=1, keepdims=True), 0.0, -np.inf)


def _softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
