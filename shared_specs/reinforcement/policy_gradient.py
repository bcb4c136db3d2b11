"""Contracts of policy gradients (lecture 50)."""

import numpy as np

from shared_specs.reinforcement._cases import REWARD, STAY_OR_MOVE, probabilities
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, log_of, normal, scalar, zeros

START, P, R, LOGITS = probabilities(4), probabilities(4, 3, 4), normal(4, 3), normal(4, 3)
PROCESS = {"initial": START, "transition": P, "reward": R}
# The running example, from state 0, with both actions as likely.
EVEN = {"initial": [1.0, 0.0], "transition": STAY_OR_MOVE, "reward": REWARD, "policy_logits": zeros(2, 2), "discount": 0.5}
PROCESSES = {
    "regular": PROCESS | {"policy_logits": LOGITS, "discount": 0.9},
    "logits far apart": PROCESS
    | {"policy_logits": [[50.0, 0.0, -20.0], [0.0, 0.0, -1.0], [-30.0, 10.0, 10.0], [1.0, 2.0, 3.0]], "discount": 0.9},
    "logits near 1000": PROCESS | {"policy_logits": normal(4, 3, mean=1000.0), "discount": 0.9},
    "discount 0.999": PROCESS | {"policy_logits": LOGITS, "discount": 0.999},
    "one state, one action": {
        "initial": [1.0],
        "transition": [[[1.0]]],
        "reward": [[0.75]],
        "policy_logits": [[2.0]],
        "discount": 0.6,
    },
}
THREE = np.log([0.5, 0.3, 0.2])
MASK = np.array([[True, True, False, False], [True, False, True, True], [False, False, False, False]])


SPEC = (
    # The derivatives of values in the process itself are held by the rows of decision processes.
    *(Agree("policy_objective", case, given(**arguments), differentiate=("policy_logits",))
      for case, arguments in PROCESSES.items()),
    # No method follows the gradient of this gradient; that in the rewards shows that it is linear in them.
    *(Agree("policy_gradient", case, given(**PROCESSES[case]), differentiate=("reward",))
      for case in ("regular", "logits far apart", "discount 0.999", "one state, one action")),
    Anchor("policy_objective", "stay or move, evenly", given(**EVEN), gives=0.25, source="by hand",
           near_misses={"mean over the states": 0.5, "the other state": 0.75, "the best policy": 1.0, "per step": 0.125}),
    Anchor(
        "policy_gradient", "stay or move, evenly", given(**EVEN), gives=[[-3 / 32, 3 / 32], [5 / 32, -5 / 32]], source="by hand",
        near_misses={"without 1/(1 - discount)": [[-3 / 64, 3 / 64], [5 / 64, -5 / 64]],
                     "the initial law for the occupancy": [[-1 / 8, 1 / 8], [0.0, 0.0]],
                     "Q in place of the advantage": [[3 / 32, 9 / 32], [11 / 32, 1 / 32]],
                     "minimized": [[3 / 32, -3 / 32], [-5 / 32, 5 / 32]],
                     "without the policy": [[-3 / 16, 3 / 16], [5 / 16, -5 / 16]]},
    ),
    Law.equal(
        "the theorem: autodiff through the values", given(**PROCESS, policy_logits=LOGITS),
        left=lambda f, *process: f.gradient("policy_objective", *process, discount=0.9, wrt=3),
        right=lambda f, *process: f.policy_gradient(*process, discount=0.9),
    ),
    Law.equal(
        "a gradient's rows sum to zero: a constant in the logits changes nothing", given(**PROCESS, policy_logits=LOGITS),
        left=lambda f, *process: f.policy_gradient(*process, discount=0.9).sum(axis=1), right=0.0,
    ),
    Law.equal(
        "a constant in the rewards changes no gradient", given(**PROCESS, policy_logits=LOGITS),
        left=lambda f, start, p, r, logits: f.policy_gradient(start, p, r + 2.0, logits, discount=0.9),
        right=lambda f, *process: f.policy_gradient(*process, discount=0.9),
    ),
    # One decision.
    Agree("bandit_gradient_samples", "regular", given(rewards=normal(4), logits=normal(4), baseline=scalar(0.3))),
    Agree("bandit_gradient_samples", "one action", given(rewards=[2.0], logits=[0.5], baseline=scalar(0.3))),
    Anchor(
        "bandit_gradient_samples", "three actions", given(rewards=[1.0, 0.0, 2.0], logits=THREE, baseline=scalar(0.5)),
        gives=[[0.25, -0.15, -0.1], [0.25, -0.35, 0.1], [-0.75, -0.45, 1.2]], source="by hand",
        near_misses={"baseline added": [[0.75, -0.45, -0.3], [-0.25, 0.35, -0.1], [-1.25, -0.75, 2.0]],
                     "no baseline": [[0.5, -0.3, -0.2], [0.0, 0.0, 0.0], [-1.0, -0.6, 1.6]],
                     "weighed by the policy": [[0.125, -0.075, -0.05], [0.075, -0.105, 0.03], [-0.15, -0.09, 0.24]],
                     "transposed": [[0.25, 0.25, -0.75], [-0.15, -0.35, -0.45], [-0.1, 0.1, 1.2]],
                     "the slope in the probability": [[1.0, 0.0, 0.0], [0.0, -5 / 3, 0.0], [0.0, 0.0, 7.5]]},
    ),
    Law.equal(
        "their mean is the gradient of the expected reward, whatever the baseline", given(rewards=normal(4), logits=normal(4)),
        left=lambda f, r, logits: np.stack([
            _softmax(logits) @ f.bandit_gradient_samples(r, logits, np.array(b)) for b in (-1.0, 0.0, 2.0)
        ]),
        right=lambda f, r, logits: np.tile(_softmax(logits) * (r - _softmax(logits) @ r), (3, 1)),
    ),
    Agree("optimal_constant_baseline", "regular", given(rewards=normal(4), logits=normal(4))),
    Agree("optimal_constant_baseline", "two actions", given(rewards=normal(2), logits=normal(2))),
    Agree("optimal_constant_baseline", "a policy that is nearly certain",
          given(rewards=[1.0, -2.0, 0.5], logits=[60.0, 0.0, 1.0])),
    Agree("optimal_constant_baseline", "logits near 1000", given(rewards=normal(3), logits=normal(3, mean=1000.0))),
    Anchor(
        "optimal_constant_baseline", "three actions", given(rewards=[1.0, 0.0, 2.0], logits=THREE),
        gives=0.9387096774193548, source="by hand: the squared norms are 0.38, 0.78, 0.98, so 0.582 / 0.62",
        near_misses={"the mean reward": 0.9, "the mean of all rewards": 1.0, "weighed by the norm, not squared": 0.9131663599,
                     "weighed by the squared policy": 0.8684210526},
    ),
    Anchor("optimal_constant_baseline", "two actions: each reward by the other's probability",
           given(rewards=[1.0, 0.0], logits=log_of([0.9, 0.1])), gives=0.1, source="by hand",
           near_misses={"the mean reward": 0.9, "the middle": 0.5}),
    Law.at_least(
        "no baseline has less variance", given(rewards=normal(4), logits=normal(4)),
        left=lambda f, r, logits: np.array([_spread(f, r, logits, b) for b in (-1.0, 0.0, 0.5, _softmax(logits) @ r)]),
        right=lambda f, r, logits: _spread(f, r, logits, f.optimal_constant_baseline(r, logits)),
    ),
    # The loss.
    Agree("score_function_loss", "regular", given(log_probs=normal(3, 4, mean=-2.0), weights=normal(3, 4), mask=MASK),
          differentiate=("log_probs",)),
    Agree("score_function_loss", "nothing to learn", given(log_probs=normal(3, 4, mean=-2.0), weights=zeros(3, 4), mask=MASK),
          differentiate=("log_probs",)),
    Agree("score_function_loss", "a mask of integers",
          given(log_probs=normal(3, 4, mean=-2.0), weights=normal(3, 4), mask=MASK.astype(np.int64)),
          differentiate=("log_probs",)),
    Agree("score_function_loss", "impossible padding, with NaN weights",
          given(log_probs=[[-1.0, -2.0, -np.inf], [-0.5, -np.inf, -np.inf]], weights=[[1.0, -1.5, np.nan], [2.0, np.inf, 0.0]],
                mask=np.array([[True, True, False], [True, False, False]])), differentiate=("log_probs",)),
    Anchor(
        "score_function_loss", "two rows", given(
            log_probs=[[-1.0, -2.0, -0.5], [-0.25, -3.0, -1.0]], weights=[[1.0, -0.5, 2.0], [4.0, 1.0, 1.0]],
            mask=np.array([[True, True, True], [True, True, False]])),
        gives=[1.0, 4.0], source="by hand",
        near_misses={"the mean over the steps": [1 / 3, 2.0], "maximized": [-1.0, -4.0], "the mask ignored": [1.0, 5.0],
                     "mean over the row's length": [1 / 3, 4 / 3], "not weighed": [3.5, 3.25]},
    ),
    Law.equal(
        "its gradient is minus the weights", given(log_probs=normal(3, 4, mean=-2.0), weights=normal(3, 4)),
        left=lambda f, log_probs, weights: f.gradient("score_function_loss", log_probs, weights, MASK, wrt=0),
        right=lambda f, log_probs, weights: np.where(MASK, -weights, 0.0),
    ),
    # Entropy.
    Agree("policy_entropy", "regular", given(logits=normal(3, 4, scale=2.0))),
    Agree("policy_entropy", "two axes before the actions", given(logits=normal(3, 2, 4))),
    Agree("policy_entropy", "logits near 1000", given(logits=normal(3, 4, mean=1000.0))),
    Agree("policy_entropy", "the best two equal",
          given(logits=[[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, -5.0, 0.0, -1.0]])),
    Agree("policy_entropy", "logits far apart", given(logits=[[50.0, 0.0, -20.0, 3.0], [0.0, -40.0, -30.0, -35.0]])),
    Agree("policy_entropy", "one action", given(logits=normal(3, 1))),
    Agree("policy_entropy", "actions that are never taken",
          given(logits=[[0.5, -np.inf, 1.0, 0.0], [-np.inf, 2.0, -np.inf, -np.inf], [1.0, 0.0, -1.0, -np.inf]])),
    Anchor("policy_entropy", "even, uneven, certain",
           given(logits=log_of([[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.125, 0.125], [0.0, 1.0, 0.0, 0.0]])),
           gives=[2 * LOG_2, 1.75 * LOG_2, 0.0], source="by hand",
           near_misses={"bits": [2.0, 1.75, 0.0], "negative": [-2 * LOG_2, -1.75 * LOG_2, 0.0],
                        "mean over the actions": [0.5 * LOG_2, 0.4375 * LOG_2, 0.0]}),
    Anchor("policy_entropy", "nearly certain: 51 e^-50", given(logits=[[50.0, 0.0]]), gives=[9.836624224615981e-21],
           source="mpmath",
           near_misses={"log pi of the best action rounded to 0": [9.643749239819589e-21], "none": [0.0]}),
    Law.equal(
        "the slope of the entropy", given(logits=normal(3, 4)),
        left=lambda f, logits: f.gradient("policy_entropy", logits, wrt=0),
        right=lambda f, logits: -_softmax(logits) * (np.log(_softmax(logits)) + f.policy_entropy(logits)[:, None]),
    ),
    *(
        Rejects(function, case, given(**EVEN | changed), blames=blames)
        for function in ("policy_objective", "policy_gradient")
        for case, changed, blames in (
            ("discount 1", {"discount": 1.0}, "discount"),
            ("discount -0.1", {"discount": -0.1}, "discount"),
            ("an initial law that does not sum to one", {"initial": [0.5, 0.25]}, "initial"),
            ("rows that do not sum to one", {"transition": full(2, 2, 2, value=0.6)}, "transition"),
            ("logits of another number of actions", {"policy_logits": zeros(2, 3)}, "policy_logits"),
            ("a reward for each state", {"reward": zeros(2)}, "reward"),
        )
    ),
    Rejects("bandit_gradient_samples", "a baseline for each action",
            given(rewards=zeros(3), logits=zeros(3), baseline=zeros(3)), blames="baseline"),
    Rejects("bandit_gradient_samples", "other rewards", given(rewards=zeros(2), logits=zeros(3), baseline=scalar(0.0)),
            blames="rewards"),
    Rejects("optimal_constant_baseline", "one action", given(rewards=zeros(1), logits=zeros(1)), blames="logits"),
    Rejects("score_function_loss", "a mask of weights",
            given(log_probs=zeros(2, 3), weights=zeros(2, 3), mask=full(2, 3, value=0.5)), blames="mask"),
    Rejects("score_function_loss", "a weight for each row",
            given(log_probs=zeros(2, 3), weights=zeros(2), mask=np.ones((2, 3), bool)), blames="weights"),
    Rejects("policy_entropy", "no action is ever taken", given(logits=full(2, 3, value=-np.inf)), blames="logits"),
)  # fmt: skip


def _softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _spread(f, rewards, logits, baseline):
    """The mean squared norm of the samples, which is their variance and a constant."""
    return _softmax(logits) @ (f.bandit_gradient_samples(rewards, logits, np.array(baseline)) ** 2).sum(axis=1)
