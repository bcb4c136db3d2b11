"""Contracts of contrastive divergence."""

import numpy as np

from shared_specs.energy._cases import CORNERS, MACHINE, SATURATED, SMALL, states, visible_law
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, bits, given, log_simplex, normal, uniform, zeros

V, OTHERS = bits(5, 4), bits(6, 4)
PARAMETERS = {name: MACHINE[name] for name in ("weight", "hidden_bias")}
SMALL_PARAMETERS = {name: SMALL[name] for name in ("weight", "hidden_bias")}
UNIFORMS = {"hidden_uniforms": uniform(2, 5, 3), "visible_uniforms": uniform(2, 5, 4)}
CHAIN = {"visible": V, **UNIFORMS, **MACHINE}
ROUNDED = "the slope p (1 - p) of a probability near one is rounding"
JUMPS = {"no_gradient": "a step", "frozen": tuple(CHAIN)}
# Two visible units and a hidden one without biases, weights log 2 and log 3: rows from 00, 01, 10 and 11.
TWO_AND_THREE = {"weight": [[LOG_2], [LOG_3]], "visible_bias": [0.0, 0.0], "hidden_bias": [0.0]}
STEPS = np.array([[4, 6, 5, 9], [3, 6, 4.5, 10.5], [10 / 3, 6, 14 / 3, 10], [18 / 7, 6, 30 / 7, 78 / 7]]) / 24


def _gradient(f, *arguments):
    """The three gradients in one row; in a law f.gradient is that of automatic differentiation."""
    return np.hstack([part.ravel() for part in f.__getattr__("gradient")(*arguments)])


def _rows_of_states(f, rng, draws, weight, visible_bias, hidden_bias):
    """The final state of each of this many chains of two steps from 1010, [draws, 16]."""
    visible, hidden = (rng.uniform(size=(2, draws, units)) for units in weight.shape)
    start = np.tile([1.0, 0.0, 1.0, 0.0], (draws, 1))
    ends = f.chain(start, hidden, visible, weight, visible_bias, hidden_bias) @ [8.0, 4.0, 2.0, 1.0]
    return (ends[:, None] == np.arange(16)).astype(np.float64)


def _divergence(p, q):
    return (p * (np.log(p) - np.log(q))).sum()


def _falls(f, log_probs, *machine):
    """KL(d || p) - KL(dP || p), and the same of dP, for a law d of the data."""
    matrix, law, model = f.gibbs_matrix(*machine), np.exp(log_probs), visible_law(*machine)
    distances = [_divergence(one, model) for one in (law, law @ matrix, law @ matrix @ matrix)]
    return -np.diff(distances)


def _errors(f, log_probs, weight, visible_bias, hidden_bias):
    """The hidden unit's mean after 0, 1 and 2 steps from a law of the data, less its mean in the machine."""
    matrix = f.gibbs_matrix(weight, visible_bias, hidden_bias)
    on = f.sufficient_statistics(states(len(weight)), weight, hidden_bias)[2][:, 0]
    law = np.exp(log_probs)
    means = np.array([law @ on, law @ matrix @ on, law @ matrix @ matrix @ on])
    return means - visible_law(weight, visible_bias, hidden_bias) @ on


SPEC = (
    # Statistics.
    Agree("sufficient_statistics", "regular", given(visible=V, **PARAMETERS), differentiate=tuple(PARAMETERS),
          frozen=("visible",)),
    Agree("sufficient_statistics", "large weights", given(visible=V, **{name: SATURATED[name] for name in PARAMETERS}),
          no_gradient=ROUNDED, frozen=("visible",)),
    Anchor("sufficient_statistics", "all four states", given(visible=CORNERS, **SMALL_PARAMETERS), frozen=("visible",),
           gives=([[[0.0], [0.0]], [[0.0], [2 / 3]], [[2 / 3], [0.0]], [[0.8], [0.8]]], CORNERS,
                  [[0.5], [2 / 3], [2 / 3], [0.8]]),
           source="by hand: the hidden unit is on with probability 1/2, 2/3, 2/3, 4/5",
           near_misses={"the likelier state of the hidden unit": (
                            [[[0.0], [0.0]], [[0.0], [1.0]], [[1.0], [0.0]], [[1.0], [1.0]]], CORNERS,
                            [[0.5], [1.0], [1.0], [1.0]]),
                        "logits": ([[[0.0], [0.0]], [[0.0], [LOG_2]], [[LOG_2], [0.0]], [[2 * LOG_2], [2 * LOG_2]]], CORNERS,
                                   [[0.0], [LOG_2], [LOG_2], [2 * LOG_2]])}),
    Rejects("sufficient_statistics", "half a unit", given(visible=[[0.5, 1.0, 0.0, 0.0]], **PARAMETERS), blames="visible"),
    Rejects("sufficient_statistics", "a bias of the other layer", given(visible=V, weight=zeros(4, 3), hidden_bias=zeros(4)),
            blames="hidden_bias"),
    # Their gradient.
    Agree("gradient", "regular", given(positive_visible=V, negative_visible=OTHERS, **PARAMETERS),
          differentiate=tuple(PARAMETERS), smallest_batch=1),
    Anchor("gradient", "11 against 00 and 01",
           given(positive_visible=CORNERS[3:], negative_visible=CORNERS[:2], **SMALL_PARAMETERS),
           gives=([[4 / 5], [4 / 5 - 1 / 3]], [1.0, 1 / 2], [4 / 5 - 7 / 12]), source="by hand",
           frozen=("positive_visible", "negative_visible"),
           near_misses={"descent": ([[-4 / 5], [1 / 3 - 4 / 5]], [-1.0, -1 / 2], [7 / 12 - 4 / 5]),
                        "sums over the batches": ([[4 / 5], [4 / 5 - 2 / 3]], [1.0, 0.0], [4 / 5 - 7 / 6]),
                        "the data's hidden units in both": ([[4 / 5], [4 / 5 - 2 / 5]], [1.0, 1 / 2], [0.0]),
                        "the data alone": ([[4 / 5], [4 / 5]], [1.0, 1.0], [4 / 5])}),
    Law.equal("of the same states there is none", given(visible=V, **PARAMETERS), right=0.0,
              left=lambda f, visible, *parameters: _gradient(f, visible, visible, *parameters)),
    Law.equal("both batches exchanged", given(visible=V, others=OTHERS, **PARAMETERS),
              left=lambda f, visible, others, *parameters: _gradient(f, visible, others, *parameters),
              right=lambda f, visible, others, *parameters: -_gradient(f, others, visible, *parameters)),
    Law.equal("it is the difference of the mean statistics", given(visible=V, others=OTHERS, **PARAMETERS),
              left=lambda f, visible, others, *parameters: _gradient(f, visible, others, *parameters)[:12],
              right=lambda f, visible, others, *parameters: (
                  f.sufficient_statistics(visible, *parameters)[0].mean(0)
                  - f.sufficient_statistics(others, *parameters)[0].mean(0)).ravel()),
    *(Rejects("gradient", case, given(**{"positive_visible": V, "negative_visible": OTHERS, **PARAMETERS, blamed: wrong}),
              blames=blamed)
      for blamed, case, wrong in (("positive_visible", "no data", zeros(0, 4)), ("negative_visible", "no chain", zeros(0, 4)),
                                  ("positive_visible", "data of 2", 2.0 * np.ones((5, 4))),
                                  ("negative_visible", "probabilities at the end of a chain", 0.5 * np.ones((6, 4))))),
    # Chains.
    Agree("chain", "regular", given(**CHAIN), **JUMPS),
    Agree("chain", "no step", given(**CHAIN | {"hidden_uniforms": zeros(0, 5, 3), "visible_uniforms": zeros(0, 5, 4)}), **JUMPS),
    Anchor("chain", "two steps", given(visible=[[0.0, 0.0], [1.0, 1.0]], hidden_uniforms=[[[0.49], [0.79]], [[0.7], [0.6]]],
                                       visible_uniforms=[[[0.6, 0.7], [0.6, 0.7]], [[0.4, 0.6], [0.66, 0.67]]], **SMALL),
           gives=[[1.0, 0.0], [1.0, 0.0]], frozen=tuple(CHAIN),
           source="by hand: 00 -> h = 1 -> 10 -> h = 0 (0.7 > 2/3) -> 10; 11 -> h = 1 -> 10 -> h = 1 -> 10",
           near_misses={"restarted": [[1.0, 1.0], [1.0, 0.0]], "a probability is passed on": [[0.0, 0.0], [0.0, 0.0]]}),
    Law.equal("a chain continues where it stopped", given(**CHAIN), frozen=tuple(CHAIN),
              left=lambda f, visible, up, down, *machine: f.chain(visible, up, down, *machine),
              right=lambda f, visible, up, down, *machine: f.chain(
                  f.chain(visible, up[:1], down[:1], *machine), up[1:], down[1:], *machine)),
    Law.unbiased("chains of two steps have the law of two steps", given(**MACHINE), samples=_rows_of_states, draws=20_000,
                 detects=0.04, expected=lambda f, *machine: np.linalg.matrix_power(f.gibbs_matrix(*machine), 2)[10]),
    *(Rejects("chain", f"{blamed} {case}", given(**CHAIN | {blamed: wrong}), blames=blamed)
      for blamed, case, wrong in (
          ("visible", "not 0 or 1", 0.5 * np.ones((5, 4))), ("hidden_uniforms", "above 1", 1.5 * np.ones((2, 5, 3))),
          ("visible_uniforms", "below 0", -np.ones((2, 5, 4))), ("visible_uniforms", "of another step", uniform(3, 5, 4)),
          ("hidden_uniforms", "of one step", uniform(5, 3)), ("visible_bias", "of the other layer", zeros(3)))),
    # The matrix of a step.
    Agree("gibbs_matrix", "regular", given(**MACHINE)),
    Agree("gibbs_matrix", "more hidden than visible units",
          given(weight=normal(3, 4), visible_bias=normal(3), hidden_bias=normal(4))),
    Agree("gibbs_matrix", "large weights", given(**SATURATED), no_gradient=ROUNDED),
    Anchor("gibbs_matrix", "weights log 2 and log 3", given(**TWO_AND_THREE), gives=STEPS,
           source="by hand: 1/2 and 1/2, 1/4 and 3/4, 1/3 and 2/3, 1/7 and 6/7 of (1, 1, 1, 1)/4 and (1, 3, 2, 6)/12",
           near_misses={"transposed": STEPS.T, "the first unit the least significant": STEPS[[0, 2, 1, 3]][:, [0, 2, 1, 3]],
                        "two steps": STEPS @ STEPS}),
    Law.normalized("the probabilities of the steps from a state sum to one", given(**MACHINE),
                   total=lambda f, *machine: f.gibbs_matrix(*machine).sum(1)),
    Law.equal("block Gibbs is reversible", given(**MACHINE), right=0.0, left=lambda f, *machine: (
        lambda flow: flow - flow.T)(visible_law(*machine)[:, None] * f.gibbs_matrix(*machine))),
    Law.equal("without weights a step forgets", given(b=normal(4), c=normal(3)),
              left=lambda f, b, c: f.gibbs_matrix(np.zeros((4, 3)), b, c),
              right=lambda f, b, c: np.tile(visible_law(np.zeros((4, 3)), b, c), (16, 1))),
    Law.at_least("every step comes closer", given(log_probs=log_simplex(16), **MACHINE), left=_falls, right=0.0),
    Law.equal("one hidden unit: a step leaves the same share of its error", given(log_probs=log_simplex(8), weight=normal(3, 1),
                                                                                  visible_bias=normal(3), hidden_bias=normal(1)),
              left=lambda f, log_probs, *machine: _errors(f, log_probs, *machine)[1:],
              right=lambda f, log_probs, *machine: _errors(f, log_probs, *machine)[:-1] * (
                  np.trace(f.gibbs_matrix(*machine)) - 1)),
    Rejects("gibbs_matrix", "too large a layer", given(weight=zeros(11, 3), visible_bias=zeros(11), hidden_bias=zeros(3)),
            blames="weight"),
    Rejects("gibbs_matrix", "biases exchanged", given(weight=zeros(4, 3), visible_bias=zeros(3), hidden_bias=zeros(4)),
            blames="visible_bias"),
)  # fmt: skip
