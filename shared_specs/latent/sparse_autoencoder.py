"""Contracts of sparse autoencoders."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Model, Rejects, begins_as, begins_at, given, normal, uniform, zeros

PROBLEM = {"x": normal(4, 3), "code": normal(4, 5), "dictionary": normal(3, 5, scale=0.5)}
SMALL = {"penalty": 0.2, "step_size": 0.1}
SIGMOID = {"x": normal(4, 3), "weight": normal(5, 3), "bias": normal(5)}
ONE = {"x": [[3.0]], "code": [[0.5]], "dictionary": [[2.0]]}  # the slope is 2 (2 * 0.5 - 3) = -4


def _objective(code, x, dictionary, penalty=0.2):
    return ((code @ dictionary.T - x) ** 2).sum(1) / 2 + penalty * np.abs(code).sum(1)


def _divergence(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def _directions(rng, shape, axis):
    """Unit vectors along this axis, each in a direction drawn at random."""
    drawn = rng.standard_normal(shape)
    return drawn / np.linalg.norm(drawn, axis=axis, keepdims=True)


# No entry within 0.1 of a kink.
APART = np.array(
    [[1.5, -0.3, 0.2, -2.0, 0.9], [0.1, 1.1, -1.3, 0.3, -0.2], [2.5, -0.6, 0.35, 3.1, -1.7], [-0.15, 0.8, 1.9, -0.9, 0.25]]
)

SPEC = (
    Agree(
        "bernoulli_sparsity_penalty",
        "regular",
        given(activations=uniform(6, 4, low=0.1, high=0.8), target=0.05),
        smallest_batch=1,
    ),
    Agree(
        "bernoulli_sparsity_penalty",
        "nearly always on",
        given(activations=1 - uniform(6, 4, low=1e-3, high=2e-3).draw(np.random.default_rng(0)), target=0.3),
    ),
    Agree("bernoulli_sparsity_penalty", "nearly never on", given(activations=uniform(6, 4, low=1e-3, high=2e-3), target=0.01)),
    Anchor(
        "bernoulli_sparsity_penalty",
        "a rate of 0.2",
        given(activations=[[0.1, 0.5], [0.3, 0.5]], target=0.05),
        gives=[_divergence(0.05, 0.2), _divergence(0.05, 0.5)],
        source="by hand",
        near_misses={
            "turned over": [_divergence(0.2, 0.05), _divergence(0.5, 0.05)],
            "the mean of the examples' penalties": [
                (_divergence(0.05, 0.1) + _divergence(0.05, 0.3)) / 2,
                _divergence(0.05, 0.5),
            ],
            "the silent half forgotten": [0.05 * np.log(0.25), 0.05 * np.log(0.1)],
            "bits": [_divergence(0.05, 0.2) / np.log(2), _divergence(0.05, 0.5) / np.log(2)],
        },
    ),
    *(
        Rejects("bernoulli_sparsity_penalty", case, given(activations=activations, target=target), blames=blames)
        for case, activations, target, blames in (
            ("a unit that is never on", zeros(4, 3), 0.1, "activations"),
            ("no batch", zeros(0, 3), 0.1, "activations"),
            ("a unit that is always on", np.ones((4, 3)), 0.1, "activations"),
            ("one axis", uniform(4), 0.1, "activations"),
            ("a target of 0", uniform(4, 3), 0.0, "target"),
            ("a target of 1", uniform(4, 3), 1.0, "target"),
        )
    ),
    # Absolute values and thresholds.
    Agree("l1_penalty", "regular", given(code=APART)),
    Anchor(
        "l1_penalty",
        "two codes",
        given(code=[[1.0, -2.0], [-0.25, 0.5]]),
        gives=[3.0, 0.75],
        source="by hand",
        near_misses={"the sum": [-1.0, 0.25], "squares": [5.0, 0.3125], "the mean": [1.5, 0.375]},
    ),
    Rejects("l1_penalty", "one axis", given(code=zeros(3)), blames="code"),
    Agree("soft_threshold", "regular", given(x=APART, threshold=0.5)),
    Agree("soft_threshold", "no threshold", given(x=APART, threshold=0.0)),
    Agree("soft_threshold", "above all", given(x=APART, threshold=10.0)),
    Anchor(
        "soft_threshold",
        "three pulls",
        given(x=[[3.0, -0.5, 1.25, -2.0]], threshold=1.0),
        gives=[[2.0, 0.0, 0.25, -1.0]],
        source="by hand",
        near_misses={
            "hard": [[3.0, 0.0, 1.25, -2.0]],
            "of one sign": [[2.0, 0.0, 0.25, 0.0]],
            "shifted": [[2.0, -1.5, 0.25, -3.0]],
            "squares": [[1.5, -0.25, 0.625, -1.0]],
        },
    ),
    Law.equal(
        "what is taken away is the pull within the threshold",
        given(x=APART),
        left=lambda f, x: x - f.soft_threshold(x, threshold=0.5),
        right=lambda f, x: np.clip(x, -0.5, 0.5),
    ),
    Law.equal(
        "odd",
        given(x=APART),
        left=lambda f, x: f.soft_threshold(-x, threshold=0.5),
        right=lambda f, x: -f.soft_threshold(x, threshold=0.5),
    ),
    Rejects("soft_threshold", "a negative threshold", given(x=zeros(4, 3), threshold=-0.1), blames="threshold"),
    Rejects("soft_threshold", "one axis", given(x=zeros(3), threshold=0.1), blames="x"),
    # The largest entries.
    Agree("top_k_activation", "regular", given(x=APART, k=2)),
    Agree("top_k_activation", "all", given(x=APART, k=5)),
    Agree("top_k_activation", "none", given(x=APART, k=0)),
    Agree(
        "top_k_activation",
        "equal entries",
        given(x=[[1.0, 2.0, 2.0, 2.0], [0.0, 0.0, -1.0, 0.0]], k=2),
        no_gradient="which of equal entries is kept is a choice",
        frozen=("x",),
    ),
    Anchor(
        "top_k_activation",
        "with signs",
        given(x=[[0.5, -2.0, 1.0], [-1.0, -2.0, -3.0]], k=2),
        gives=[[0.5, 0.0, 1.0], [-1.0, -2.0, 0.0]],
        source="by hand",
        near_misses={
            "by magnitude": [[0.0, -2.0, 1.0], [0.0, -2.0, -3.0]],
            "the smallest": [[0.5, -2.0, 0.0], [0.0, -2.0, -3.0]],
            "over the batch": [[0.5, -2.0, 1.0], [-1.0, -2.0, -3.0]],
            "no signs": [[0.5, 0.0, 1.0], [1.0, 2.0, 0.0]],
        },
    ),
    Law.equal(
        "of equal entries the first",
        given(x=[[2.0, 2.0, 2.0, 1.0]]),
        left=lambda f, x: f.top_k_activation(x, k=2) == [[2.0, 2.0, 0.0, 0.0]],
        right=True,
    ),
    Rejects("top_k_activation", "more than there are", given(x=zeros(4, 3), k=4), blames="k"),
    Rejects("top_k_activation", "a negative number", given(x=zeros(4, 3), k=-1), blames="k"),
    Rejects("top_k_activation", "one axis", given(x=zeros(3), k=1), blames="x"),
    # Shrinkage.
    Agree("iterative_shrinkage_step", "regular", given(**PROBLEM, **SMALL)),
    Agree("iterative_shrinkage_step", "no penalty", given(**PROBLEM, penalty=0.0, step_size=0.1)),
    Agree("iterative_shrinkage_step", "a penalty that leaves nothing", given(**PROBLEM, penalty=100.0, step_size=0.1)),
    Anchor(
        "iterative_shrinkage_step",
        "one unit",
        given(**ONE, penalty=1.0, step_size=0.25),
        gives=[[1.25]],
        source="by hand: 0.5 + 0.25 * 4 - 0.25",
        near_misses={
            "the threshold without the step": [[0.5]],
            "against the gradient": [[-0.25]],
            "no dictionary in the slope": [[0.75]],
            "the slope doubled": [[2.25]],
            "no threshold": [[1.5]],
        },
    ),
    Law.at_least(
        "the objective does not rise",
        given(**PROBLEM),
        left=lambda f, x, code, d: _objective(code, x, d),
        right=lambda f, x, code, d: _objective(
            f.iterative_shrinkage_step(x, code, d, penalty=0.2, step_size=1 / float(np.linalg.norm(d, 2)) ** 2), x, d
        ),
    ),
    *(
        Rejects("iterative_shrinkage_step", case, given(**PROBLEM | SMALL | changed), blames=blames)
        for case, changed, blames in (
            ("dictionary transposed", {"dictionary": normal(5, 3)}, "dictionary"),
            ("one code for all", {"code": normal(1, 5)}, "code"),
            ("a negative penalty", {"penalty": -0.1}, "penalty"),
            ("no step", {"step_size": 0.0}, "step_size"),
            ("one axis", {"x": normal(3)}, "x"),
        )
    ),
    # The Jacobian of a sigmoid layer.
    Agree("contractive_penalty", "regular", given(**SIGMOID)),
    Agree("contractive_penalty", "saturated", given(**SIGMOID | {"bias": normal(5, mean=20.0)})),
    Anchor(
        "contractive_penalty",
        "one unit",
        given(x=[[0.0, 0.0], [np.log(3.0), 0.0]], weight=[[1.0, 2.0]], bias=[0.0]),
        gives=[5 / 16, 5 * 9 / 256],
        source="by hand: s = 1/2 and 3/4",
        near_misses={
            "the slope not squared": [5 / 4, 15 / 16],
            "half": [5 / 32, 45 / 512],
            "the norm": [5**0.5 / 4, 5**0.5 * 3 / 16],
            "of the unit, not of its slope": [5 / 4, 45 / 16],
        },
    ),
    *(
        Rejects("contractive_penalty", case, given(**SIGMOID | changed), blames=blames)
        for case, changed, blames in (
            ("weight transposed", {"weight": normal(3, 5)}, "weight"),
            ("one bias for all", {"bias": zeros(1)}, "bias"),
            ("one axis", {"x": normal(3)}, "x"),
        )
    ),
    Model(
        "SparseAutoencoder",
        "three of nine units",
        given(x=normal(6, 4)),
        sizes={"dim": 4, "units": 9, "k": 3},
        initial={
            "encoder.weight": begins_as(lambda rng, shape: _directions(rng, shape, 1)),
            "decoder.weight": begins_as(lambda rng, shape: _directions(rng, shape, 0)),
            "*.bias": begins_at(0.0),
        },
    ),
    Model("SparseAutoencoder", "all units", given(x=normal(5, 3, scale=3.0)), sizes={"dim": 3, "units": 8, "k": 8}),
)
