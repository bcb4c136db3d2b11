"""Contracts of restricted Boltzmann machines."""

import numpy as np

from shared_specs.energy._cases import CORNERS, MACHINE, SATURATED, SMALL, states
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, bits, given, normal, uniform, zeros

BIASED = {"weight": [[LOG_2], [LOG_2]], "visible_bias": [0.0, LOG_3], "hidden_bias": [LOG_2]}
V, H = bits(5, 4), bits(5, 3)
PARAMETERS = ("weight", "visible_bias", "hidden_bias")
UNITS = ("visible", "hidden")
CHANCES = ("hidden_uniforms", "visible_uniforms")
OF_VISIBLE = ("free_energy", "log_likelihood")


def _every(states, others):
    """All pairs of a state of one layer and one of the other."""
    return np.repeat(states, len(others), 0), np.tile(others, (len(states), 1))


def _joint(f, *parameters):
    """e^-E of every pair of states, [2^V, 2^H]."""
    visible, hidden = (states(size) for size in parameters[0].shape)
    return np.exp(-f.energy(*_every(visible, hidden), *parameters)).reshape(len(visible), len(hidden))


def _gibbs(f, weight, visible_bias, hidden_bias):
    """The matrix of a block Gibbs step, [2^V, 2^V], from the logits of both layers."""
    visible, hidden = (states(size) for size in weight.shape)

    def conditional(logits, states):
        return np.exp((states * logits[:, None] - np.logaddexp(0, logits)[:, None]).sum(2))

    up = conditional(f.hidden_logits(visible, weight, hidden_bias), hidden)
    return up @ conditional(f.visible_logits(hidden, weight, visible_bias), visible)


def _rows_of_free_energies():
    """The same cases for the free energy and the likelihood."""
    for function in OF_VISIBLE:
        wanted = {"differentiate": PARAMETERS, "frozen": ("visible",)}
        yield Agree(function, "regular", given(visible=V, **MACHINE), **wanted)
        yield Agree(
            function,
            "more hidden than visible units",
            given(visible=H, weight=normal(3, 4), visible_bias=normal(3), hidden_bias=normal(4)),
            **wanted,
        )
        yield Agree(function, "large weights", given(visible=V, **SATURATED), **wanted)
        yield Rejects(function, "half a unit", given(visible=[[0.5, 1.0, 0.0, 0.0]], **MACHINE), blames="visible")
        yield Rejects(function, "too few units", given(visible=zeros(5, 3), **MACHINE), blames="visible")
        yield Rejects(function, "a bias too many", given(visible=V, **MACHINE | {"hidden_bias": zeros(4)}), blames="hidden_bias")


SPEC = (
    Agree("energy", "regular", given(visible=V, hidden=H, **MACHINE), differentiate=PARAMETERS, frozen=UNITS),
    Anchor("energy", "all units on, and all but one", given(visible=[[1.0, 1.0], [0.0, 1.0]], hidden=[[1.0], [1.0]], **BIASED),
           gives=[-LOG_3 - 3 * LOG_2, -LOG_3 - 2 * LOG_2], source="by hand", frozen=UNITS,
           near_misses={"the sign": [LOG_3 + 3 * LOG_2, LOG_3 + 2 * LOG_2],
                        "no hidden bias": [-LOG_3 - 2 * LOG_2, -LOG_3 - LOG_2],
                        "no visible bias": [-3 * LOG_2, -2 * LOG_2], "biases alone": [-LOG_3 - LOG_2, -LOG_3 - LOG_2]}),
    Rejects("energy", "another batch", given(visible=V, hidden=zeros(4, 3), **MACHINE), blames="hidden"),
    Rejects("energy", "weights transposed", given(visible=V, hidden=H, **MACHINE | {"weight": zeros(3, 4)}), blames="visible"),
    Rejects("energy", "a unit of 2", given(visible=V, hidden=2.0 * np.ones((5, 3)), **MACHINE), blames="hidden"),
    *_rows_of_free_energies(),
    Anchor("free_energy", "all four states", given(visible=CORNERS, **BIASED), gives=-np.log([3.0, 15.0, 5.0, 27.0]),
           source="by hand: 1 + 2, 3 (1 + 4), 1 + 4, 3 (1 + 8)", frozen=UNITS[:1],
           near_misses={"no hidden bias": -np.log([2.0, 9.0, 3.0, 15.0]), "no visible bias": -np.log([3.0, 5.0, 5.0, 9.0]),
                        "the sign": np.log([3.0, 15.0, 5.0, 27.0]), "a hinge for the softplus": -np.log([2.0, 12.0, 4.0, 24.0])}),
    Law.equal("the free energy sums over the hidden states", given(**MACHINE),
              left=lambda f, *machine: np.exp(-f.free_energy(states(4), *machine)),
              right=lambda f, *machine: _joint(f, *machine).sum(1)),
    # Conditional probabilities.
    Agree("hidden_logits", "regular", given(visible=V, weight=normal(4, 3), hidden_bias=normal(3)),
          differentiate=("weight", "hidden_bias"), frozen=UNITS[:1]),
    Agree("visible_logits", "regular", given(hidden=H, weight=normal(4, 3), visible_bias=normal(4)),
          differentiate=("weight", "visible_bias"), frozen=UNITS[1:]),
    Law.equal("the conditional of a hidden unit", given(**MACHINE),
              left=lambda f, weight, b, c: 1 / (1 + np.exp(-f.hidden_logits(states(4), weight, c))),
              right=lambda f, *machine: (lambda joint: joint @ states(3) / joint.sum(1, keepdims=True))(_joint(f, *machine))),
    Law.equal("the conditional of a visible unit", given(**MACHINE),
              left=lambda f, weight, b, c: 1 / (1 + np.exp(-f.visible_logits(states(3), weight, b))),
              right=lambda f, *machine: (lambda joint: joint.T @ states(4) / joint.sum(0)[:, None])(_joint(f, *machine))),
    Law.equal("block Gibbs is reversible", given(**MACHINE), right=0.0, left=lambda f, *machine: (
        lambda flow: flow - flow.T)(np.exp(f.log_likelihood(states(4), *machine))[:, None] * _gibbs(f, *machine))),
    Rejects("hidden_logits", "half a unit", given(visible=[[0.5, 1.0]], weight=zeros(2, 3), hidden_bias=zeros(3)),
            blames="visible"),
    Rejects("hidden_logits", "a bias of the other layer", given(visible=V, weight=zeros(4, 3), hidden_bias=zeros(4)),
            blames="hidden_bias"),
    Rejects("visible_logits", "half a unit", given(hidden=[[0.5, 1.0, 0.0]], weight=zeros(2, 3), visible_bias=zeros(2)),
            blames="hidden"),
    Rejects("visible_logits", "a bias of the other layer", given(hidden=H, weight=zeros(4, 3), visible_bias=zeros(3)),
            blames="visible_bias"),
    # A Gibbs step.
    Agree("gibbs_step", "regular", given(visible=V, hidden_uniforms=uniform(5, 3), visible_uniforms=uniform(5, 4), **MACHINE),
          no_gradient="a step", frozen=("visible", *CHANCES, *PARAMETERS)),
    Anchor("gibbs_step", "a sample is passed on, not a probability",
           given(visible=[[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]], hidden_uniforms=[[0.49], [0.51], [0.79]],
                 visible_uniforms=[[0.66, 0.67], [0.49, 0.51], [0.6, 0.7]], **SMALL),
           gives=([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [[1.0], [0.0], [1.0]]), frozen=("visible", *CHANCES, *PARAMETERS),
           source="by hand: 1/2 and 4/5 for the hidden unit, then 2/3 or 1/2",
           near_misses={"the probability": ([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]], [[1.0], [0.0], [1.0]]),
                        "turned over": ([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0], [0.0]])}),
    Anchor("gibbs_step", "both ends of the uniform numbers",
           given(visible=[[0.0, 0.0], [1.0, 1.0]], hidden_uniforms=[[0.0], [1.0]], visible_uniforms=[[0.0, 1.0], [1.0, 0.0]],
                 **SMALL),
           gives=([[1.0, 0.0], [0.0, 1.0]], [[1.0], [0.0]]), source="0 is below every probability, 1 below none",
           frozen=("visible", *CHANCES, *PARAMETERS)),
    *(
        Rejects("gibbs_step", f"{blamed} {case}", given(**{
            "visible": zeros(2, 4), "hidden_uniforms": zeros(2, 3), "visible_uniforms": zeros(2, 4), **MACHINE, blamed: wrong}),
            blames=blamed)
        for blamed, case, wrong in (
            ("visible", "not 0 or 1", 0.5 * np.ones((2, 4))), ("hidden_uniforms", "above 1", 1.5 * np.ones((2, 3))),
            ("visible_uniforms", "below 0", -np.ones((2, 4))), ("hidden_uniforms", "of another batch", zeros(1, 3)))
    ),
    # The exact likelihood.
    Agree("exact_log_partition", "regular", given(**MACHINE)),
    Agree("exact_log_partition", "more hidden than visible units", given(weight=normal(3, 4), visible_bias=normal(3),
                                                                   hidden_bias=normal(4))),
    Agree("exact_log_partition", "large weights", given(**SATURATED)),
    Anchor("exact_log_partition", "13", given(**SMALL), gives=np.log(13.0), source="2 + 3 + 3 + 5 = 4 + 9",
           near_misses={"the other layer forgotten": LOG_2, "two per hidden unit": np.log(8.0), "Z": 13.0,
                        "the mean": np.log(13.0 / 4), "the largest": np.log(9.0)}),
    Law.equal("both layers exchanged", given(**MACHINE),
              left=lambda f, weight, b, c: f.exact_log_partition(weight.T.copy(), c, b),
              right=lambda f, *machine: np.log(_joint(f, *machine).sum())),
    Law.equal("without weights all units are independent", given(b=normal(30), c=normal(3)),
              left=lambda f, b, c: f.exact_log_partition(np.zeros((30, 3)), b, c),
              right=lambda f, b, c: np.logaddexp(0, b).sum() + np.logaddexp(0, c).sum()),
    Rejects("exact_log_partition", "two large layers", given(weight=zeros(21, 22), visible_bias=zeros(21), hidden_bias=zeros(22)),
            blames="weight"),
    Rejects("exact_log_partition", "biases exchanged", given(weight=zeros(4, 3), visible_bias=zeros(3), hidden_bias=zeros(4)),
            blames="visible_bias"),
    Anchor("log_likelihood", "all four states", given(visible=CORNERS, **SMALL),
           gives=np.log(np.array([2.0, 3.0, 3.0, 5.0]) / 13), source="by hand", frozen=UNITS[:1],
           near_misses={"not normalized": np.log([2.0, 3.0, 3.0, 5.0]), "the sign": -np.log(np.array([2.0, 3.0, 3.0, 5.0]) / 13),
                        "the normalizer added": np.log(13 * np.array([2.0, 3.0, 3.0, 5.0]))}),
    Law.normalized("the likelihoods of all states sum to one", given(**MACHINE),
                   total=lambda f, *machine: np.exp(f.log_likelihood(states(4), *machine)).sum()),
    Law.equal("the gradient is data less model", given(visible=V, **MACHINE),
              left=lambda f, visible, *machine: f.gradient("log_likelihood", visible, *machine, wrt=1),
              right=lambda f, visible, weight, b, c: visible.T @ (1 / (1 + np.exp(-f.hidden_logits(visible, weight, c))))
              - len(visible) * (lambda joint: states(4).T @ joint @ states(3) / joint.sum())(_joint(f, weight, b, c))),
    Rejects("log_likelihood", "two large layers", given(visible=zeros(2, 21), weight=zeros(21, 22), visible_bias=zeros(21),
                                                        hidden_bias=zeros(22)), blames="weight"),
)  # fmt: skip
