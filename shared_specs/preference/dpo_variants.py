"""Contracts of the variants of direct preference optimization (lecture 55)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, normal, scalar, uniform, zeros

POLICY = ("policy_chosen", "policy_rejected")  # the reference is a constant
PAIR_NAMES = (*POLICY, "reference_chosen", "reference_rejected")
LENGTH_NAMES = ("chosen_length", "rejected_length")
NEG = -np.inf
# h = 3: the chosen one gained 3/2, the rejected one lost 3/2.
PAIR = {"policy_chosen": [-10.0], "policy_rejected": [-12.0], "reference_chosen": [-11.5], "reference_rejected": [-10.5]}
JUDGED = np.array([True, False, False, True, True])
LENGTHS = {"chosen_length": [10, 3, 1, 255, 40], "rejected_length": [4, 7, 256, 2, 300]}
# Means of -2 and -3 a token; and of log 1/2 and log 1/4.
MEANS = {"policy_chosen": [-20.0], "policy_rejected": [-12.0], "chosen_length": [10], "rejected_length": [4]}
HALVES = {"policy_chosen": [-3 * LOG_2], "policy_rejected": [-4 * LOG_2], "chosen_length": [3], "rejected_length": [2]}
# One completion with l = 2 log 2 at z_0 = log 2, once desirable and once not.
JUDGEMENT = {
    "policy_log_probs": [-LOG_2, -2 * LOG_2],
    "reference_log_probs": [-3 * LOG_2, -4 * LOG_2],
    "desirable": np.array([True, False]),
    "reference_point": scalar(LOG_2),
}
PAIRED = {"ipo_loss": {"regularization": 0.5}, "hinge_loss": {"kl_coefficient": 0.5}}
COUNTED = {"simpo_loss": {"scale": 2.0, "margin": 1.0}, "orpo_loss": {"odds_weight": 0.5}}


def _pairs(mean=-20.0, scale=1.0):
    return {name: normal(5, mean=mean, scale=scale) for name in PAIR_NAMES}


def _judged(mean=-20.0, scale=1.0):
    return {
        "policy_log_probs": normal(5, mean=mean, scale=scale),
        "reference_log_probs": normal(5, mean=mean, scale=scale),
        "desirable": JUDGED,
        "reference_point": scalar(0.3),
    }


def _counted(low, high):
    return {name: uniform(5, low=low, high=high) for name in POLICY} | LENGTHS


def _agrees():
    for case, pairs, tau, beta in (
        ("regular", _pairs(), 0.7, 0.7),
        ("long completions", _pairs(-500.0, 20.0), 0.01, 0.1),
        ("far from the reference", _pairs(-100.0, 60.0), 3.0, 1.0),
    ):
        yield Agree("ipo_loss", case, given(**pairs, regularization=tau), differentiate=POLICY)
        yield Agree("hinge_loss", case, given(**pairs, kl_coefficient=beta), differentiate=POLICY)
    for case, judged, more, edge in (
        ("regular", _judged(), {"desirable_weight": 1.5, "undesirable_weight": 0.5}, ""),
        ("equal weights", _judged(-200.0), {}, ""),
        ("far from the reference", _judged(-100.0, 30.0), {}, "float32 has no slope of a sigmoid that rounds to 1"),
    ):
        yield Agree("kto_loss", case, given(**judged, kl_coefficient=0.7, **more), differentiate=("policy_log_probs",), edge=edge)
    yield Agree("simpo_loss", "regular", given(**_counted(-9.0, -1.0), scale=2.0, margin=0.5))
    yield Agree("simpo_loss", "log-probabilities near -200, no margin", given(**_counted(-210.0, -190.0), scale=2.5, margin=0.0))
    yield Agree("orpo_loss", "regular", given(**_counted(-9.0, -1.0), odds_weight=0.7))
    yield Agree("orpo_loss", "log-probabilities near -200", given(**_counted(-210.0, -190.0), odds_weight=0.1))
    yield Agree("orpo_loss", "almost certain", given(**_counted(-1e-3, -1e-5), odds_weight=1.0))
    yield Agree("orpo_loss", "supervised alone", given(**_counted(-9.0, -1.0), odds_weight=0.0))


def _at(h):
    """The log-probabilities of pairs with margin h."""
    return h, np.zeros_like(h), np.zeros_like(h), np.zeros_like(h)


def _judge(f, ratio, desirable, point=0.3, **more):
    return f.kto_loss(ratio, 0 * ratio, np.full(ratio.shape, desirable), np.array(point), kl_coefficient=0.6, **more)


def _expected(f, h, often, tau):
    """The mean loss of a pair of which the first is preferred so often."""
    return often * f.ipo_loss(*_at(h), regularization=tau) + (1 - often) * f.ipo_loss(*_at(-h), regularization=tau)


def _twice(function, **more):
    return lambda f, c, r, n, m: getattr(f, function)(2 * c, 2 * r, 2 * n, 2 * m, **more)


SPEC = (
    *_agrees(),
    Anchor(
        "ipo_loss", "a margin of 3 where 5 is requested", given(**PAIR, regularization=0.1), gives=[4.0], source="(3 - 1/0.2)^2",
        near_misses={"asks for 1 / tau": [49.0], "swapped": [64.0], "reference forgotten": [9.0], "reference swapped": [16.0],
                     "tau times the margin": [22.09], "asks for tau": [8.41], "half of the square": [2.0]},
    ),
    Anchor(
        "ipo_loss", "the same margin beyond what was requested", given(**PAIR, regularization=0.25), gives=[1.0],
        source="(3 - 2)^2", near_misses={"one-sided": [0.0]},
    ),
    Anchor(
        "hinge_loss", "a margin of 3, beta = 1/5", given(**PAIR, kl_coefficient=0.2), gives=[0.4], source="1 - 3/5",
        near_misses={"coefficient forgotten": [0.0], "swapped": [1.6], "reference forgotten": [0.6], "reference swapped": [0.8],
                     "squared": [0.16], "coefficient outside": [0.0], "kink at 0": [0.0]},
    ),
    Anchor(
        "hinge_loss", "a margin beyond 1", given(**PAIR, kl_coefficient=0.5), gives=[0.0], source="1 < 3/2",
        near_misses={"not clipped": [-0.5], "smooth": [0.2014132780]},
    ),
    Anchor(
        "kto_loss", "log 2 beyond the reference point", given(**JUDGEMENT, kl_coefficient=1.0), gives=[1 / 3, 2 / 3],
        source="sigma(-log 2) and sigma(log 2)",
        near_misses={"desirable and undesirable swapped": [2 / 3, 1 / 3], "reference point forgotten": [0.2, 0.8],
                     "reference point added": [1 / 9, 8 / 9], "reference forgotten": [0.8, 8 / 9],
                     "a logarithm": [0.4054651081, LOG_3]},
    ),
    Anchor(
        "kto_loss", "the same at beta = 2, weights 5 and 10",
        given(**JUDGEMENT, kl_coefficient=2.0, desirable_weight=5.0, undesirable_weight=10.0), gives=[1.0, 8.0],
        source="5 sigma(-2 log 2) and 10 sigma(2 log 2)",
        near_misses={"weights swapped": [2.0, 4.0], "coefficient forgotten": [5 / 3, 20 / 3],
                     "coefficient on the ratio alone": [5 / 9, 80 / 9]},
    ),
    Anchor(
        "simpo_loss", "means of -2 and -3 a token", given(**MEANS, scale=2.0, margin=1.0), gives=[0.31326168751822286],
        source="log(1 + e^-1)",
        near_misses={"margin inside the scale": [LOG_2], "lengths forgotten": [17.0000000414], "margin added": [0.0485873516],
                     "no margin": [0.1269280110], "scale forgotten": [LOG_2], "swapped": [3.0485873516]},
    ),
    Anchor(
        "orpo_loss", "means of log 1/2 and log 1/4", given(**HALVES, odds_weight=0.5), gives=[0.8369882167858358],
        source="log 2 + 1/2 log(4/3)",
        near_misses={"probabilities for odds": [0.8958797346], "odds of sums": [0.8846433067], "supervised sum": [2.2232825779],
                     "supervised term forgotten": [0.1438410362], "swapped": [3 * LOG_2], "sign of the odds": [0.5493061443],
                     "weight on the other term": [0.6342556627]},
    ),
    Law.equal("the expected squared margin of labels that are right with probability 3/4: least at 1/(4 tau)",
              given(h=normal(5, scale=2.0)),
              left=lambda f, h: _expected(f, h, 0.75, 0.5), right=lambda f, h: (h - 0.5) ** 2 + 0.75),
    Law.at_least("the hinge bounds the share of pairs in the wrong order", given(h=normal(5, scale=2.0)),
                 left=lambda f, h: f.hinge_loss(*_at(h), kl_coefficient=0.7), right=lambda f, h: 1.0 * (h <= 0), frozen=("h",)),
    *(
        Law.equal(f"{function}: only the difference counts", given(shift=normal(5, scale=0.5), **_pairs()),
                  left=lambda f, a, c, r, *rest, function=function: getattr(f, function)(c - a, r - a, *rest, **PAIRED[function]),
                  right=lambda f, a, *pairs, function=function: getattr(f, function)(*pairs, **PAIRED[function]))
        for function in PAIRED
    ),
    Law.equal("the two judgements of a completion add up to the weight", given(ratio=normal(5, scale=3.0)),
              left=lambda f, ratio: (_judge(f, ratio, True, desirable_weight=2.0)
                                     + _judge(f, ratio, False, undesirable_weight=2.0)), right=2.0),
    Law.equal("half of the weight at the reference point", given(point=normal(5, scale=3.0)),
              left=lambda f, point: np.stack([_judge(f, point, kind, point[0])[0] for kind in (True, False)]), right=0.5),
    Law.equal("the reference point is a constant", given(ratio=normal(5), point=scalar(0.4)),
              left=lambda f, ratio, point: f.gradient("kto_loss", ratio, 0 * ratio, JUDGED, point, kl_coefficient=0.6, wrt=3),
              right=0.0),
    Law.equal("twice as long at twice the log-probability is the same without a reference", given(**_counted(-9.0, -1.0)),
              left=_twice("simpo_loss", scale=2.0, margin=0.5),
              right=lambda f, *pairs: f.simpo_loss(*pairs, scale=2.0, margin=0.5)),
    Law.equal("... and with odds", given(**_counted(-9.0, -1.0)), left=_twice("orpo_loss", odds_weight=0.5),
              right=lambda f, *pairs: f.orpo_loss(*pairs, odds_weight=0.5)),
    Law.equal("equal completions have odds of 1: the supervised loss, and log 2 times the weight",
              given(c=uniform(5, low=-9.0, high=-1.0)),
              left=lambda f, c: f.orpo_loss(c, c, np.full(5, 3), np.full(5, 3), odds_weight=0.5),
              right=lambda f, c: -c / 3 + 0.5 * LOG_2),
    *(
        Rejects(function, f"{name} is {number}", given(**PAIR | {name: [number]}, **more), blames=name)
        for function, more in PAIRED.items() for name in PAIR_NAMES for number in (NEG, np.nan)
    ),
    *(
        Rejects(function, f"{name} {number:g}", given(**PAIR, **{name: number}), blames=name)
        for function, more in PAIRED.items() for name in more for number in (0.0, -0.5)
    ),
    *(
        Rejects("kto_loss", f"{name} is {number}", given(**JUDGEMENT | {name: [-1.0, number]}, kl_coefficient=0.5), blames=name)
        for name in ("policy_log_probs", "reference_log_probs") for number in (NEG, np.nan)
    ),
    Rejects("kto_loss", "no reference point", given(**JUDGEMENT | {"reference_point": scalar(np.nan)}, kl_coefficient=0.5),
            blames="reference_point"),
    Rejects("kto_loss", "a reference point for each", given(**JUDGEMENT | {"reference_point": zeros(2)}, kl_coefficient=0.5),
            blames="reference_point"),
    Rejects("kto_loss", "coefficient 0", given(**JUDGEMENT, kl_coefficient=0.0), blames="kl_coefficient"),
    *(
        Rejects("kto_loss", f"negative {name}", given(**JUDGEMENT, kl_coefficient=0.5, **{name: -1.0}), blames=name)
        for name in ("desirable_weight", "undesirable_weight")
    ),
    *(
        Rejects(function, f"{name} is {number}", given(**HALVES | {name: [number]}, **more), blames=name)
        for function, more in COUNTED.items() for name in POLICY for number in (NEG, np.nan)
    ),
    *(
        Rejects(function, f"{name} is {number}", given(**HALVES | {name: [number]}, **more), blames=name)
        for function, more in COUNTED.items() for name in LENGTH_NAMES for number in (0, -2, 2.5)
    ),
    *(
        Rejects("orpo_loss", f"{name} of a certain completion", given(**HALVES | {name: [0.0]}, odds_weight=0.5), blames=name)
        for name in POLICY
    ),
    Rejects("orpo_loss", "a negative weight", given(**HALVES, odds_weight=-0.5), blames="odds_weight"),
    Rejects("simpo_loss", "scale 0", given(**HALVES, scale=0.0, margin=1.0), blames="scale"),
)  # fmt: skip
