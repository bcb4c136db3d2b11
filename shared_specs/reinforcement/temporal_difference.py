"""Contracts of temporal-difference learning (lecture 49)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, full, given, log_of, log_simplex, normal, scalar, zeros

VALUE = normal(5, scale=2.0)
REWARD, ENDS = normal(4), np.array([False, True, False, False])
NEXT, OTHER, POLICY = normal(4, 3, scale=2.0), normal(4, 3, scale=2.0), log_simplex(4, 3)
TARGETS = {
    "q_learning_target": {},
    "expected_sarsa_target": {"next_log_probs": POLICY},
    "double_q_target": {"next_target_values": OTHER},
}
# The second row follows the end of an episode.
NOT_A_NUMBER = concatenate(normal(1, 3), full(1, 3, value=np.nan), normal(2, 3))
FEATURES, FOLLOWING, PAID = normal(7, 3), normal(7, 3), normal(7)
# 0 -> 1 -> 2 -> end, and 0 -> 2: rewards 1, 2, 3 and 4.
ROUTE = {
    "features": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
    "next_features": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
    "reward": [1.0, 2.0, 3.0, 4.0],
}


def _moved(case, state, next_state, terminal=False, discount=0.9, step_size=0.3, value=VALUE, **more):
    indices = {"state": np.array(state), "reward": scalar(0.7), "next_state": np.array(next_state)}
    arguments = given(value=value, **indices, terminal=np.array(terminal), discount=discount, step_size=step_size)
    return Agree("td_update", case, arguments, **more)


def _target(function, case, *, values=NEXT, terminal=ENDS, discount=0.9, differentiate=None, **changed):
    arguments = given(
        reward=REWARD, next_action_values=values, **(TARGETS[function] | changed), terminal=terminal, discount=discount
    )
    return Agree(function, case, arguments, differentiate=differentiate)


def _targets(f, reward, values, others, log_probs, terminal, discount=0.9):
    """All three, [3, B]."""
    return np.stack(
        [
            f.q_learning_target(reward, values, terminal, discount=discount),
            f.expected_sarsa_target(reward, values, log_probs, terminal, discount=discount),
            f.double_q_target(reward, values, others, terminal, discount=discount),
        ]
    )


def _certain(values):
    """log pi of the action with the largest value."""
    return np.where(values == values.max(axis=1, keepdims=True), 0.0, -np.inf)


def _summed_updates(f, value, rewards):
    """Updates of a single value by the transitions of the route."""
    steps = zip((0, 1, 2, 0), rewards, (1, 2, 0, 2), (False, False, True, False), strict=True)
    return sum(
        f.td_update(value, np.array(s), r, np.array(t), np.array(end), discount=0.5, step_size=0.1) - value
        for s, r, t, end in steps
    )


def _two_sizes(f):
    """Features 1 and 2^-8, in float64 2^-22, with a square far below 1, and 128 and 256 times the distance from 1 to the next
    number.
    """
    small = {"float32": 2.0**-8, "float64": 2.0**-22}[f.precision]
    return np.array([[1.0, 0.0], [0.0, small]])


def _rejects():
    for function, more in TARGETS.items():
        arguments = {"reward": REWARD, "next_action_values": NEXT, **more, "terminal": ENDS}
        for discount in (-0.1, 1.1):
            yield Rejects(function, f"discount {discount}", given(**arguments, discount=discount), blames="discount")
        halves = arguments | {"terminal": full(4, value=0.5)}
        yield Rejects(function, "half an end", given(**halves, discount=0.5), blames="terminal")
        counts = arguments | {"terminal": np.array([0, 1, 255, 0])}
        yield Rejects(function, "an end of 255", given(**counts, discount=0.5), blames="terminal")
        no_action = {name: zeros(4, 0) for name in arguments if name.startswith("next")}
        yield Rejects(function, "no action", given(**(arguments | no_action), discount=0.5), blames="next_action_values")
        one_more = arguments | {"terminal": np.zeros(5, bool)}
        yield Rejects(function, "an end too many", given(**one_more, discount=0.5), blames="terminal")


def _update_rejects():
    right = {
        "value": zeros(3),
        "state": np.array(0),
        "reward": scalar(1.0),
        "next_state": np.array(1),
        "terminal": np.array(False),
        "discount": 0.5,
        "step_size": 0.5,
    }
    for case, blames, wrong in (
        ("as many as there are states", "state", np.array(3)),
        ("a state before the first", "state", np.array(-1)),
        ("a next state behind the last", "next_state", np.array(3)),
        ("half a state", "state", scalar(0.5)),
        ("two states", "state", np.array([0, 1])),
        ("half an end", "terminal", scalar(0.5)),
        ("an end of 255", "terminal", np.array(255)),
        ("a discount above 1", "discount", 1.1),
        ("a negative discount", "discount", -0.1),
        ("a step beyond the target", "step_size", 1.5),
        ("a negative step", "step_size", -0.5),
    ):
        yield Rejects("td_update", case, given(**(right | {blames: wrong})), blames=blames)


SPEC = (
    _moved("regular", 3, 1),
    _moved("the episode ends", 3, 1, terminal=True),
    _moved("ends as integers", 3, 1, terminal=1),
    _moved("stays where it is", 2, 2),
    _moved("no step", 3, 1, step_size=0.0),
    _moved("all the way, nothing discounted", 3, 1, discount=1.0, step_size=1.0),
    _moved("the last of 256 states", 255, 254, value=normal(256)),
    _moved("to the last of 256 states", 254, 255, value=normal(256)),
    *(
        row
        for function in TARGETS
        for row in (
            _target(function, "regular"),
            _target(function, "ends as integers, nothing discounted", terminal=ENDS.astype(np.int64), discount=1.0),
        )
    ),
    _target("q_learning_target", "equal values", values=full(4, 3, value=2.0), differentiate=("reward",)),
    _target("q_learning_target", "NaN after the end of an episode", values=NOT_A_NUMBER),
    _target("expected_sarsa_target", "NaN after the end of an episode", values=NOT_A_NUMBER),
    _target("double_q_target", "NaN after the end of an episode", values=NOT_A_NUMBER, next_target_values=NOT_A_NUMBER),
    _target("expected_sarsa_target", "an action that is never taken has the value -inf",
            values=concatenate(normal(4, 2), full(4, 1, value=-np.inf), axis=1), differentiate=("reward", "next_log_probs"),
            next_log_probs=log_of([[0.0, 1.0, 0.0], [0.25, 0.75, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])),
    # An action that is never taken does not count, for any value.
    Agree("expected_sarsa_target", "actions that are never taken have no value",
          given(reward=normal(3), next_action_values=[[np.nan, 2.0, -1.0], [0.5, np.inf, 3.0], [1.5, -2.0, -np.inf]],
                next_log_probs=log_of([[0.0, 0.25, 0.75], [0.5, 0.0, 0.5], [0.75, 0.25, 0.0]]), terminal=np.zeros(3, bool),
                discount=0.9), differentiate=("reward", "next_log_probs")),
    Anchor("expected_sarsa_target", "the value -inf of an action that is taken, and of another",
           given(reward=[1.0, 1.0], next_action_values=[[2.0, -np.inf], [2.0, -np.inf]],
                 next_log_probs=log_of([[0.75, 0.25], [1.0, 0.0]]), terminal=np.zeros(2, bool), discount=0.5),
           gives=[-np.inf, 2.0], source="by hand",
           near_misses={"a value of -inf never counts": [1.75, 2.0], "it always counts": [-np.inf, -np.inf]}),
    Agree("least_squares_value", "regular", given(features=FEATURES, next_features=FOLLOWING, reward=PAID, discount=0.9),
          smallest_batch=3),
    Agree("least_squares_value", "a table", given(**ROUTE, discount=0.5)),
    Agree("least_squares_value", "nothing that follows counts: a regression",
          given(features=FEATURES, next_features=FOLLOWING, reward=PAID, discount=0.0)),
    Agree("least_squares_value", "nothing discounted", given(**ROUTE, discount=1.0)),
    # By hand, discount 1/2.
    Anchor(
        "td_update", "a quarter of the way", given(value=[1.0, 2.0, 4.0], state=np.array(0), reward=scalar(1.0),
        next_state=np.array(2), terminal=np.array(False), discount=0.5, step_size=0.25), gives=[1.5, 2.0, 4.0], source="by hand",
        near_misses={"the gradient through the target": [1.5, 2.0, 3.75], "not discounted": [2.0, 2.0, 4.0],
                     "the reward not seen": [1.25, 2.0, 4.0], "the wrong way": [0.5, 2.0, 4.0], "all the way": [3.0, 2.0, 4.0],
                     "the value of the next state moved": [1.0, 2.0, 4.5], "the next state's own value": [0.75, 2.0, 4.0]},
    ),
    Anchor(
        "td_update", "the episode ends", given(value=[1.0, 2.0, 4.0], state=np.array(1), reward=scalar(1.0),
        next_state=np.array(2), terminal=np.array(True), discount=0.5, step_size=0.25), gives=[1.0, 1.75, 4.0], source="by hand",
        near_misses={"bootstraps over the end": [1.0, 2.25, 4.0], "the reward of the end lost": [1.0, 1.5, 4.0],
                     "nothing learned": [1.0, 2.0, 4.0]},
    ),
    Anchor(
        "q_learning_target", "an end, and none", given(reward=[1.0, 1.0], next_action_values=[[2.0, -4.0, 6.0], [2.0, -4.0, 6.0]],
        terminal=np.array([True, False]), discount=0.5), gives=[1.0, 4.0], source="by hand",
        near_misses={"bootstraps over the end": [4.0, 4.0], "the mean over the actions": [1.0, 1.6666666667],
                     "not discounted": [1.0, 7.0],
                     "the reward discounted, too": [0.5, 3.5], "the end inverted": [4.0, 1.0], "minimum": [1.0, -1.0]},
    ),
    Anchor(
        "expected_sarsa_target", "an end, and none",
        given(reward=[1.0, 1.0], next_action_values=[[2.0, -4.0, 6.0], [2.0, -4.0, 6.0]],
              next_log_probs=log_of([[0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]), terminal=np.array([True, False]), discount=0.5),
        gives=[1.0, 2.25], source="by hand",
        near_misses={"bootstraps over the end": [2.25, 2.25], "the best action": [1.0, 4.0],
                     "the mean over the actions": [1.0, 1.6666666667], "the likeliest action": [1.0, 4.0],
                     "log-probabilities as weights": [1.0, 0.3068528]},
    ),
    Anchor(
        "double_q_target", "an end, and none; equal values in the last row",
        given(reward=[1.0, 1.0, 1.0], next_action_values=[[2.0, 6.0], [2.0, 6.0], [3.0, 3.0]],
              next_target_values=[[8.0, -2.0], [8.0, -2.0], [8.0, -2.0]], terminal=np.array([True, False, False]), discount=0.5),
        gives=[1.0, 0.0, 5.0], source="by hand",
        near_misses={"bootstraps over the end": [0.0, 0.0, 5.0], "the roles exchanged": [1.0, 2.0, 2.5],
                     "the largest of the second values": [1.0, 5.0, 5.0], "the largest of the first values": [1.0, 4.0, 2.5],
                     "the highest index": [1.0, 0.0, 0.0]},
        frozen=("next_action_values",),
    ),
    Anchor(
        "least_squares_value", "a feature (1, 2) of two states, stay or move with probability one half",
        given(features=[[1.0], [1.0], [2.0], [2.0]], next_features=[[1.0], [2.0], [2.0], [1.0]], reward=[0.0, 0.0, 1.0, 0.0],
              discount=0.5), gives=[4 / 11], source="by hand: 2 / 5.5",
        near_misses={"the gradient through the target": [2 / 7], "the features exchanged": [0.5],
                     "the regression on the rewards": [0.2], "the sign of what follows": [2 / 14.5], "not discounted": [2.0]},
    ),
    Anchor(
        "least_squares_value", "a table: mean rewards, mean values of what follows", given(**ROUTE, discount=0.5),
        gives=[(1.0 + 3.5 / 2 + 4.0 + 3.0 / 2) / 2, 3.5, 3.0], source="by hand",
        near_misses={"what follows not counted": [2.5, 2.0, 3.0], "not discounted": [6.5, 5.0, 3.0],
                     "the last transition of a state alone": [5.5, 3.5, 3.0]},
    ),
    Law.equal(
        "the value of the state moves to the target, and no other one", given(value=VALUE),
        left=lambda f, v: f.td_update(v, np.array(3), np.array(0.5), np.array(1), np.array(False), discount=0.9, step_size=1.0),
        right=lambda f, v: np.where(np.arange(5) == 3, 0.5 + 0.9 * v[1], v),
    ),
    Law.equal(
        "the least-squares value is a fixed point of TD(0)", given(reward=normal(4)),
        left=lambda f, r: _summed_updates(f, f.least_squares_value(
            np.array(ROUTE["features"]), np.array(ROUTE["next_features"]), r, discount=0.5), r),
        right=0.0,
    ),
    Law.equal(
        "behind an end nothing counts", given(reward=REWARD, values=NEXT, others=OTHER, log_probs=POLICY),
        left=lambda f, r, q, p, pi: _targets(f, r, q, p, pi, np.ones(4, bool)),
        right=lambda f, r, q, p, pi: np.stack([r, r, r]),
    ),
    Law.equal(
        "Q-learning learns of the policy that always takes the best action", given(reward=REWARD, values=NEXT),
        left=lambda f, r, q: f.q_learning_target(r, q, ENDS, discount=0.9),
        right=lambda f, r, q: f.expected_sarsa_target(r, q, _certain(q), ENDS, discount=0.9),
    ),
    Law.equal(
        "one estimate in both roles is Q-learning", given(reward=REWARD, values=NEXT),
        left=lambda f, r, q: f.double_q_target(r, q, q, ENDS, discount=0.9),
        right=lambda f, r, q: f.q_learning_target(r, q, ENDS, discount=0.9),
    ),
    Law.at_least(
        "no target promises more than the best action of the estimate that evaluates",
        given(reward=REWARD, values=NEXT, others=OTHER, log_probs=POLICY),
        left=lambda f, r, q, p, pi: np.stack([f.q_learning_target(r, q, ENDS, discount=0.9),
                                              f.q_learning_target(r, p, ENDS, discount=0.9)]),
        right=lambda f, r, q, p, pi: _targets(f, r, q, p, pi, ENDS)[1:],
    ),
    Law.equal(
        "a constant added to all values is discounted once, where the episode goes on",
        given(reward=REWARD, values=NEXT, others=OTHER, log_probs=POLICY),
        left=lambda f, r, q, p, pi: _targets(f, r, q + 2.0, p + 2.0, pi, ENDS),
        right=lambda f, r, q, p, pi: _targets(f, r, q, p, pi, ENDS) + 1.8 * ~ENDS,
    ),
    Law.equal(
        "the errors that are left are orthogonal to the features",
        given(features=FEATURES, next_features=FOLLOWING, reward=PAID),
        left=lambda f, x, y, r: x.T @ (r + (0.9 * y - x) @ f.least_squares_value(x, y, r, discount=0.9)),
        right=0.0,
    ),
    Law.equal(
        "rewards that weights explain give back the "
        "weights", given(features=FEATURES, next_features=FOLLOWING, weights=normal(3)),
        left=lambda f, x, y, w: f.least_squares_value(x, y, (x - 0.9 * y) @ w, discount=0.9),
        right=lambda f, x, y, w: w,
    ),
    Law.equal(
        "two features, one of them far smaller, are still independent", given(),
        left=lambda f: f.least_squares_value(_two_sizes(f), 0 * _two_sizes(f), _two_sizes(f) @ [3.0, 5.0], discount=0.5),
        right=np.array([3.0, 5.0]),
    ),
    *_update_rejects(),
    *_rejects(),
    Rejects("expected_sarsa_target", "probabilities in place of their logarithms",
            given(reward=zeros(2), next_action_values=zeros(2, 2), next_log_probs=full(2, 2, value=0.5),
                  terminal=np.zeros(2, bool), discount=0.5), blames="next_log_probs"),
    Rejects("double_q_target", "values of another number of actions",
            given(reward=zeros(2), next_action_values=zeros(2, 3), next_target_values=zeros(2, 4), terminal=np.zeros(2, bool),
                  discount=0.5), blames="next_target_values"),
    Rejects("least_squares_value", "the same feature twice",
            given(features=[[1.0, 2.0], [3.0, 6.0], [5.0, 10.0]], next_features=zeros(3, 2), reward=zeros(3), discount=0.5),
            blames="features"),
    Rejects("least_squares_value", "a sum of two features",
            given(features=[[1.0, 0.1, 1.1], [3.0, 0.2, 3.2], [0.5, 0.7, 1.2], [0.3, 0.9, 1.2]],
                  next_features=[[3.0, 0.2, 3.2], [0.5, 0.7, 1.2], [0.3, 0.9, 1.2], [1.0, 0.1, 1.1]], reward=zeros(4),
                  discount=0.9), blames="features"),
    Rejects("least_squares_value", "nothing discounted, and no end",
            given(features=[[1.0, 0.0], [0.0, 1.0]], next_features=[[0.0, 1.0], [1.0, 0.0]], reward=zeros(2), discount=1.0),
            blames="features"),
    Rejects("least_squares_value", "two transitions, three features",
            given(features=normal(2, 3), next_features=zeros(2, 3), reward=zeros(2), discount=0.5), blames="features"),
    Rejects("least_squares_value", "no transition",
            given(features=zeros(0, 3), next_features=zeros(0, 3), reward=zeros(0), discount=0.5), blames="features"),
    Rejects("least_squares_value", "no feature",
            given(features=zeros(3, 0), next_features=zeros(3, 0), reward=zeros(3), discount=0.5), blames="features"),
    Rejects("least_squares_value", "a discount above 1",
            given(features=normal(3, 2), next_features=zeros(3, 2), reward=zeros(3), discount=1.1), blames="discount"),
    Rejects("least_squares_value", "rewards of another number of transitions",
            given(features=normal(3, 2), next_features=zeros(3, 2), reward=zeros(4), discount=0.5), blames="reward"),
)  # fmt: skip
