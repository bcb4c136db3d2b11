"""Contracts of annealed importance sampling."""

import numpy as np

from shared_specs.energy._cases import CORNERS, MACHINE, SATURATED, SMALL, softplus, states, visible_law
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, bits, given, normal, scalar, uniform, zeros

V = bits(5, 4)
BASE = {"base_bias": normal(4)}
WHOLE = MACHINE | BASE
AT = {"inverse_temperature": scalar(0.3)}
OPEN = ("inverse_temperature", *WHOLE)
UNIFORMS = {"hidden_uniforms": uniform(5, 3), "visible_uniforms": uniform(5, 4)}
TRANSITION = {"visible": V, **UNIFORMS, **AT, **WHOLE}
WALK = {"initial_uniforms": uniform(5, 4), "hidden_uniforms": uniform(3, 5, 3), "visible_uniforms": uniform(3, 5, 4)}
PATH = {"inverse_temperatures": [0.0, 0.1, 0.3, 0.7, 1.0]}
WEIGHTS = {**WALK, **PATH, **WHOLE}
JUMPS = "the walk jumps with the parameters"
ROUNDED = "the slope p (1 - p) of a probability near one is rounding"
# At 1/4 of the way this machine has weights log 2, and its visible biases are log 2 and log 3.
QUARTER = {
    "inverse_temperature": scalar(0.25),
    "weight": [[4 * LOG_2], [4 * LOG_2]],
    "visible_bias": [0.0, 4 * LOG_3],
    "hidden_bias": [0.0],
    "base_bias": [4 / 3 * LOG_2, 0.0],
}
# Half way the weights of this one are log 2; the base law is that of fair coins.
HALF = {"weight": [[2 * LOG_2], [2 * LOG_2]], "visible_bias": [0.0, 0.0], "hidden_bias": [0.0], "base_bias": [0.0, 0.0]}
COINS = {"weight": SMALL["weight"], "base_bias": [0.0, 0.0]}


def _tempered(t, weight, visible_bias, hidden_bias, base_bias):
    """p_t of every visible state, by enumeration."""
    return visible_law(t * weight, (1 - t) * base_bias + t * visible_bias, t * hidden_bias)


def _states_after(f, rng, draws, *machine):
    """Which state a transition from a draw of the intermediate law leads to, [draws, 16]."""
    weight = machine[0]
    start = states(4)[rng.choice(16, size=draws, p=_tempered(0.3, *machine))]
    uniforms = (rng.uniform(size=(draws, units)) for units in weight.shape[::-1])
    ends = f.transition(start, *uniforms, np.array(0.3), *machine) @ [8.0, 4.0, 2.0, 1.0]
    return (ends[:, None] == np.arange(16)).astype(np.float64)


def _relative_weights(f, rng, draws, *machine):
    """w / (Z_1 / Z_0) of this many walks of three factors."""
    weight, visible_bias, hidden_bias, base_bias = machine
    walk = (rng.uniform(size=shape) for shape in ((draws, 4), (2, draws, 3), (2, draws, 4)))
    log_z0 = softplus(base_bias).sum() + 3 * LOG_2
    log_z1 = np.log(np.exp(states(4) @ visible_bias + softplus(hidden_bias + states(4) @ weight).sum(1)).sum())
    return np.exp(f.log_weights(*walk, np.array([0.0, 0.3, 0.6, 1.0]), *machine) - log_z1 + log_z0)


SPEC = (
    # The laws between.
    Agree("intermediate_log_prob", "regular", given(visible=V, **AT, **WHOLE), differentiate=OPEN, frozen=("visible",)),
    Agree("intermediate_log_prob", "large weights", given(visible=V, inverse_temperature=scalar(0.9), **SATURATED, **BASE),
          no_gradient=ROUNDED, frozen=("visible",)),
    Anchor("intermediate_log_prob", "a quarter of the way", given(visible=CORNERS, **QUARTER),
           gives=np.log([2.0, 9.0, 6.0, 30.0]), source="by hand: 2, 3 (1 + 2), 2 (1 + 2), 2 * 3 (1 + 4)",
           frozen=("visible",),
           near_misses={"both ends exchanged": np.log([2.0, 243.0, 2 ** (1 / 3) * 9, 2 ** (1 / 3) * 27 * 65]),
                        "the base kept whole": np.log([2.0, 9.0, 3 * 2 ** (4 / 3), 15 * 2 ** (4 / 3)]),
                        "the softplus tempered, not its argument": np.log([2**0.25, 3 * 17**0.25, 2 * 17**0.25, 6 * 257**0.25]),
                        "negative": -np.log([2.0, 9.0, 6.0, 30.0])}),
    Law.equal("it begins at independent units", given(visible=V, **WHOLE),
              left=lambda f, visible, *machine: f.intermediate_log_prob(visible, np.array(0.0), *machine),
              right=lambda f, visible, weight, b, c, base: visible @ base + 3 * LOG_2),
    Law.equal("it ends at the machine", given(visible=V, **WHOLE),
              left=lambda f, visible, *machine: f.intermediate_log_prob(visible, np.array(1.0), *machine),
              right=lambda f, visible, weight, b, c, base: visible @ b + softplus(c + visible @ weight).sum(1)),
    *(Rejects("intermediate_log_prob", case, given(**{"visible": V, **AT, **WHOLE, blamed: wrong}), blames=blamed)
      for blamed, case, wrong in (
          ("visible", "half a unit", 0.5 * np.ones((5, 4))), ("inverse_temperature", "beyond the machine", scalar(1.5)),
          ("inverse_temperature", "before the base", scalar(-0.1)), ("inverse_temperature", "one for each row", zeros(5)),
          ("base_bias", "a base of the other layer", zeros(3)), ("visible_bias", "biases exchanged", zeros(3)))),
    # Transitions.
    Agree("transition", "regular", given(**TRANSITION), no_gradient="a step", frozen=tuple(TRANSITION)),
    Anchor("transition", "a quarter of the way",
           given(visible=[[0.0, 0.0], [1.0, 1.0]], hidden_uniforms=[[0.49], [0.81]],
                 visible_uniforms=[[0.79, 0.86], [0.66, 0.76]], **QUARTER),
           gives=[[1.0, 0.0], [1.0, 0.0]], frozen=tuple(TRANSITION),
           source="by hand: h = 1 (1/2), then 4/5 and 6/7; h = 0 (4/5), then 2/3 and 3/4",
           near_misses={"at the machine's temperature": [[1.0, 1.0], [1.0, 1.0]], "the base forgotten": [[0.0, 0.0], [0.0, 0.0]],
                        "the hidden unit of the machine": [[1.0, 0.0], [1.0, 1.0]]}),
    Law.equal("at the beginning it draws from the base", given(**{"visible": V, **UNIFORMS, **WHOLE}), frozen=tuple(TRANSITION),
              left=lambda f, visible, up, down, *machine: f.transition(visible, up, down, np.array(0.0), *machine),
              right=lambda f, visible, up, down, weight, b, c, base: (down < 1 / (1 + np.exp(-base))) * 1.0),
    Law.unbiased("it leaves the law of its temperature as it is", given(**WHOLE), samples=_states_after, draws=20_000,
                 detects=0.04, expected=lambda f, *machine: _tempered(0.3, *machine)),
    *(Rejects("transition", f"{blamed} {case}", given(**TRANSITION | {blamed: wrong}), blames=blamed)
      for blamed, case, wrong in (
          ("visible", "not 0 or 1", 0.5 * np.ones((5, 4))), ("hidden_uniforms", "above 1", 1.5 * np.ones((5, 3))),
          ("visible_uniforms", "below 0", -np.ones((5, 4))), ("inverse_temperature", "above 1", scalar(2.0)),
          ("base_bias", "of the other layer", zeros(3)))),
    # Weights.
    Agree("log_weights", "regular", given(**WEIGHTS), no_gradient=JUMPS, frozen=tuple(WALK)),
    Agree("log_weights", "importance sampling: no transition", given(
        initial_uniforms=uniform(5, 4), hidden_uniforms=zeros(0, 5, 3), visible_uniforms=zeros(0, 5, 4),
        inverse_temperatures=[0.0, 1.0], **WHOLE), no_gradient=JUMPS, frozen=tuple(WALK)),
    Agree("log_weights", "large weights", given(**WALK, **PATH, **SATURATED, **BASE), no_gradient=JUMPS, frozen=tuple(WALK)),
    Anchor("log_weights", "two factors", given(
        initial_uniforms=[[0.75, 0.75], [0.25, 0.25]], hidden_uniforms=[[[0.49], [0.81]]],
        visible_uniforms=[[[0.66, 0.66], [0.49, 0.51]]], inverse_temperatures=[0.0, 0.5, 1.0], **HALF),
           gives=np.log([17 / 5, 25 / 6]), frozen=tuple(WALK),
           source="by hand: 2/2 at 00, then 17/5 at 11; 5/2 at 11, then 5/3 at 10",
           near_misses={"both factors after the transition": np.log([17 / 2, 5 / 2]), "both before it": np.log([1.0, 17 / 2]),
                        "transitions at the temperature before": np.log([1.0, 25 / 6]),
                        "at the one after": np.log([17 / 5, 17 / 2]), "the last factor alone": np.log([17 / 5, 5 / 3])}),
    Law.equal("without weights all walks weigh the same", given(**WALK, **PATH, b=normal(4), c=normal(3)), frozen=tuple(WALK),
              left=lambda f, *walk: f.log_weights(*walk[:4], np.zeros((4, 3)), *walk[4:], walk[4]),
              right=lambda f, *walk: np.full(5, softplus(walk[5]).sum() - 3 * LOG_2)),
    Law.unbiased("the mean weight is the ratio of the normalizers", given(**WHOLE), samples=_relative_weights, draws=20_000,
                 detects=0.08, expected=lambda f, *machine: 1.0),
    *(Rejects("log_weights", case, given(**WEIGHTS | {blamed: wrong}), blames=blamed)
      for blamed, case, wrong in (
          ("inverse_temperatures", "the base is not visited", [0.1, 0.2, 0.3, 0.7, 1.0]),
          ("inverse_temperatures", "the machine is not reached", [0.0, 0.1, 0.3, 0.7, 0.9]),
          ("inverse_temperatures", "a step back", [0.0, 0.3, 0.1, 0.7, 1.0]),
          ("inverse_temperatures", "a temperature too few", [0.0, 0.1, 0.3, 1.0]),
          ("initial_uniforms", "above 1", 1.5 * np.ones((5, 4))), ("initial_uniforms", "of the other layer", uniform(5, 3)),
          ("hidden_uniforms", "below 0", -np.ones((3, 5, 3))), ("visible_uniforms", "a transition too many", uniform(4, 5, 4)),
          ("base_bias", "a base of the other layer", zeros(3)), ("hidden_bias", "biases exchanged", zeros(4)))),
    # The estimate.
    Agree("log_partition_estimate", "regular", given(log_weights=normal(6), weight=normal(4, 3), **BASE), smallest_batch=1),
    Agree("log_partition_estimate", "weights far apart", given(log_weights=[800.0, -800.0, 799.0], weight=normal(4, 3), **BASE)),
    Anchor("log_partition_estimate", "13", given(log_weights=np.log([1.0, 1.5, 1.5, 2.5]), **COINS), gives=np.log(13.0),
           source="by hand: 8 times the mean weight, 13/8",
           near_misses={"the hidden layer of the base forgotten": np.log(6.5), "the mean of the logarithms": np.log(8) + np.log(
               1.5 * 1.5 * 2.5) / 4, "the sum": np.log(52.0), "the base forgotten": np.log(13 / 8), "the median": np.log(12.0)}),
    Law.equal("a weight for every base state gives the normalizer", given(**MACHINE),
              left=lambda f, weight, b, c: f.log_partition_estimate(
                  states(4) @ b + softplus(c + states(4) @ weight).sum(1) - 3 * LOG_2, weight, np.zeros(4)),
              right=lambda f, weight, b, c: np.log(np.exp(states(4) @ b + softplus(c + states(4) @ weight).sum(1)).sum())),
    *(Rejects("log_partition_estimate", case, given(**{"log_weights": normal(6), "weight": zeros(4, 3), **BASE, blamed: wrong}),
              blames=blamed)
      for blamed, case, wrong in (("log_weights", "no walk", zeros(0)), ("log_weights", "two axes", zeros(6, 2)),
                                  ("base_bias", "a base of the other layer", zeros(3)))),
)  # fmt: skip
