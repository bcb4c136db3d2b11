"""Contracts of discretized logistic mixtures (lecture 42)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Cancels, Law, Rejects, given, log_of, normal, uniform, zeros

CODES = np.array([[0, 16, 5], [8, 15, 1], [3, 12, 16], [0, 9, 7]])
X = CODES / 8 - 1  # of 17 levels
FAR = np.array([[255, 0, 254], [1, 128, 200], [3, 0, 255], [17, 90, 60]]) * 2 / 255 - 1
LAW = {"mean": uniform(4, 3, low=-1.0), "log_scale": uniform(4, 3, low=-3.0, high=0.5)}
MIXTURE = {
    "mixture_logits": normal(4, 3, 2),
    "mean": uniform(4, 3, 2, low=-1.0),
    "log_scale": uniform(4, 3, 2, low=-3.0, high=0.5),
}
DRAWS = {"component_uniform": uniform(4, 3), "value_uniform": uniform(4, 3)}
MOVES = (*DRAWS, *MIXTURE)
PARAMETERS = ("mixture_logits", "mean", "log_scale")
STEPS = "levels are a step function of everything"
ALMOST_ONE = 1 - 1e-12
# Three levels, with the edges -1/2 and 1/2. At the scale 1/(2 log 3) the odds at the edges are 1/3 and 3 for the mean 0, and
# 1 and 9 for the mean -1/2.
THREE = np.array([[-1.0, 0.0, 1.0]])
SCALE = -np.log(2 * LOG_3)
CENTRAL, LEFT = np.array([0.25, 0.5, 0.25]), np.array([0.5, 0.4, 0.1])
PAIR = {
    "mixture_logits": np.tile([LOG_3, 0.0], (1, 3, 1)),
    "mean": np.tile([0.0, -0.5], (1, 3, 1)),
    "log_scale": np.full((1, 3, 2), SCALE),
}


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _cells(half, upper_open=True):
    """The three probabilities at the mean 0 with cells of this half width."""
    edges = [(x - half, x + half) for x in (-1, 0, 1)]
    low, high = (np.array([_sigmoid(edge * 2 * LOG_3) for edge in each]) for each in zip(*edges, strict=True))
    return high - np.where([True, False, False], 0 * low, low) + np.array([0, 0, 1 - high[2] if upper_open else 0])


def _probability(f, k, mean, log_scale, num_levels=5):
    x = np.full(mean.shape, 2 * k / (num_levels - 1) - 1)
    return np.exp(f.discretized_logistic_log_prob(x, mean, log_scale, num_levels=num_levels))


def _mixed(f, k, logits, mean, log_scale, num_levels=5):
    x = np.full(mean.shape[:2], 2 * k / (num_levels - 1) - 1)
    return np.exp(f.discretized_logistic_mixture_log_prob(x, logits, mean, log_scale, num_levels=num_levels))


def _softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def _each(f, mean, log_scale):
    """The log-probabilities of X under every component."""
    return f.discretized_logistic_log_prob(np.repeat(X[..., None], mean.shape[-1], -1), mean, log_scale, num_levels=17)


def _drawn_share(f, rng, draws, logits, mean, log_scale):
    """Whether each of five levels was drawn, for one row of parameters."""
    tables = (np.broadcast_to(part[:1, :1], (draws, 1, 2)).copy() for part in (logits, mean, log_scale))
    found = f.discretized_logistic_mixture_sample(
        rng.uniform(size=(draws, 1)), rng.uniform(size=(draws, 1)), *tables, num_levels=5
    )
    return (np.abs(found - np.linspace(-1, 1, 5)) < 0.1) * 1.0


def _two(**wrong):
    return given(
        **{
            "x": zeros(2, 3),
            "mixture_logits": zeros(2, 3, 2),
            "mean": zeros(2, 3, 2),
            "log_scale": zeros(2, 3, 2),
            "num_levels": 3,
        }
        | wrong
    )


def _draw(**wrong):
    return given(**{"component_uniform": zeros(2, 3), "value_uniform": zeros(2, 3), "mixture_logits": zeros(2, 3, 2),
                    "mean": zeros(2, 3, 2), "log_scale": zeros(2, 3, 2), "num_levels": 3} | wrong)  # fmt: skip


REMOVED = log_of([[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.0, 0.0], [0.5, 0.5]]])
ONE_LEFT = log_of(np.tile([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]], (4, 1, 1)))

SPEC = (
    # One law.
    Agree("discretized_logistic_log_prob", "regular", given(x=X, **LAW, num_levels=17), differentiate=PARAMETERS[1:]),
    Agree("discretized_logistic_log_prob", "two levels",
          given(x=np.where(CODES < 8, -1.0, 1.0), **LAW, num_levels=2), differentiate=PARAMETERS[1:]),
    Agree("discretized_logistic_log_prob", "256 levels, far and narrow, and wide", given(
        x=FAR, mean=[[-1.0, 1.0, -0.9], [0.9, 0.0, -1.0], [0.9, 3.0, -3.0], [0.0, 0.5, 0.1]],
        log_scale=[[-3.0, -7.0, -7.0], [-3.0, -2.0, -3.0], [-5.0, -7.0, -7.0], [7.0, 0.0, -4.0]], num_levels=256),
        differentiate=PARAMETERS[1:]),
    Anchor(
        "discretized_logistic_log_prob", "three levels, odds of 1/3 and 3",
        given(x=THREE, mean=zeros(1, 3), log_scale=np.full((1, 3), SCALE), num_levels=3),
        gives=log_of([CENTRAL]), source="by hand",
        near_misses={
            "half a cell is 1/levels": log_of([_cells(1 / 3)]), "a cell to each side": log_of([_cells(1.0)]),
            "the highest cell closed": log_of([_cells(0.5, upper_open=False)]),
            "density times width": log_of([2 * LOG_3 * _sigmoid(THREE[0] * 2 * LOG_3) * _sigmoid(-THREE[0] * 2 * LOG_3)]),
            "bits": log_of([CENTRAL]) / LOG_2, "probabilities": [CENTRAL],
        },
    ),
    Law.normalized("over five levels", given(**LAW), total=lambda f, m, s: sum(_probability(f, k, m, s) for k in range(5))),
    Law.equal("an inner cell is a difference of distribution functions", given(**LAW),
              left=lambda f, m, s: _probability(f, 3, m, s),
              right=lambda f, m, s: _sigmoid((0.75 - m) / np.exp(s)) - _sigmoid((0.25 - m) / np.exp(s)),
              cancels=Cancels(1.0, "of two numbers up to 1")),
    Law.equal("mirrored", given(**LAW),
              left=lambda f, m, s: f.discretized_logistic_log_prob(X, m, s, num_levels=17),
              right=lambda f, m, s: f.discretized_logistic_log_prob(-X, -m, s, num_levels=17)),
    *(
        Rejects("discretized_logistic_log_prob", case, given(x=x, mean=mean, log_scale=scale, num_levels=num_levels),
                blames=blames)
        for case, x, mean, scale, num_levels, blames in (
            ("off the grid", [[0.0, 0.03]], zeros(1, 2), zeros(1, 2), 3, "x"),
            ("between two of 256", [[0.0, 1.0]], zeros(1, 2), zeros(1, 2), 256, "x"),
            ("a level too high", [[0.0, 1.25]], zeros(1, 2), zeros(1, 2), 9, "x"),
            ("pixels", [[0.0, 128.0]], zeros(1, 2), zeros(1, 2), 3, "x"),
            ("one mean for all", zeros(1, 2), zeros(1, 1), zeros(1, 2), 3, "mean"),
            ("one scale for all", zeros(1, 2), zeros(1, 2), zeros(1, 1), 3, "log_scale"),
            ("one level", [[-1.0, -1.0]], zeros(1, 2), zeros(1, 2), 1, "num_levels"),
        )
    ),
    # Mixtures.
    Agree("discretized_logistic_mixture_log_prob", "regular", given(x=X, **MIXTURE, num_levels=17), differentiate=PARAMETERS),
    Agree("discretized_logistic_mixture_log_prob", "far from every mean, some components left out", given(
        x=FAR, mixture_logits=ONE_LEFT, mean=uniform(4, 3, 2, low=3.0, high=4.0), log_scale=uniform(4, 3, 2, low=-6.0, high=-5.0),
        num_levels=256), differentiate=PARAMETERS),
    Anchor(
        "discretized_logistic_mixture_log_prob", "three levels, weights 3/4 and 1/4", given(x=THREE, **PAIR, num_levels=3),
        gives=log_of([0.75 * CENTRAL + 0.25 * LEFT]), source="by hand",
        near_misses={
            "a mixture of logarithms": [0.75 * np.log(CENTRAL) + 0.25 * np.log(LEFT)],
            "weights not normalized": log_of([3 * CENTRAL + LEFT]), "equal weights": log_of([(CENTRAL + LEFT) / 2]),
            "weights exchanged": log_of([0.25 * CENTRAL + 0.75 * LEFT]),
            "the likelier component alone": log_of([0.75 * CENTRAL]),
        },
    ),
    Law.normalized("a mixture, over five levels", given(**MIXTURE),
                   total=lambda f, *tables: sum(_mixed(f, k, *tables) for k in range(5))),
    Law.equal("an average of probabilities", given(**MIXTURE),
              left=lambda f, c, m, s: np.exp(f.discretized_logistic_mixture_log_prob(X, c, m, s, num_levels=17)),
              right=lambda f, c, m, s: (_softmax(c) * np.exp(_each(f, m, s))).sum(-1)),
    Law.at_least("an average of logarithms is less", given(**MIXTURE),
                 left=lambda f, c, m, s: f.discretized_logistic_mixture_log_prob(X, c, m, s, num_levels=17),
                 right=lambda f, c, m, s: (_softmax(c) * _each(f, m, s)).sum(-1)),
    *(
        Rejects("discretized_logistic_mixture_log_prob", case, _two(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("off the grid", {"x": np.full((2, 3), 0.5)}), ("a vector", {"x": zeros(3)}),
            ("no axis of components", {"mixture_logits": zeros(2, 3)}), ("other logits", {"mixture_logits": zeros(2, 1, 2)}),
            ("no component left", {"mixture_logits": REMOVED}), ("one mean for all", {"mean": zeros(2, 3, 1)}),
            ("another scale", {"log_scale": zeros(2, 3, 3)}), ("one level", {"num_levels": 1}),
        )
    ),
    Rejects("discretized_logistic_mixture_log_prob", "no component",
            _two(mixture_logits=zeros(2, 3, 0), mean=zeros(2, 3, 0), log_scale=zeros(2, 3, 0)), blames="mixture_logits"),
    # Draws.
    Agree("discretized_logistic_mixture_sample", "regular", given(**DRAWS, **MIXTURE, num_levels=17), no_gradient=STEPS,
          frozen=MOVES),
    Agree("discretized_logistic_mixture_sample", "uniforms at both ends", given(
        component_uniform=[[0.0, 1.0, 0.5]] * 4, value_uniform=[[0.0, 1.0, 0.5], [1e-12, ALMOST_ONE, 0.3]] * 2,
        mixture_logits=ONE_LEFT, mean=uniform(4, 3, 2, low=-1.0), log_scale=uniform(4, 3, 2, low=-0.5, high=0.5), num_levels=256),
        no_gradient=STEPS, frozen=MOVES),
    Anchor(
        "discretized_logistic_mixture_sample", "three levels, three draws of each component",
        given(component_uniform=[[0.7] * 3, [0.8] * 3], value_uniform=[[0.2, 0.7, 0.99], [0.45, 0.85, 0.95]],
              **{name: np.repeat(table, 2, 0) for name, table in PAIR.items()}, num_levels=3),
        gives=[[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]], source="the cells end at 1/4 and 3/4, and at 1/2 and 9/10", frozen=MOVES,
        near_misses={
            "not clipped": [[-1.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], "the level below": [[-1.0, 0.0, 1.0], [-1.0, 0.0, 0.0]],
            "the other component": [[-1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], "the other tail": [[1.0, 0.0, -1.0], [0.0, -1.0, -1.0]],
            "codes": [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]],
        },
    ),
    Law.unbiased("levels are drawn with their probabilities",
                 given(**MIXTURE | {"log_scale": uniform(4, 3, 2, low=-1.0, high=0.5)}), samples=_drawn_share,
                 expected=lambda f, *tables: np.array([_mixed(f, k, *tables)[0, 0] for k in range(5)]),
                 draws=10_000, detects=0.05),
    *(
        Rejects("discretized_logistic_mixture_sample", case, _draw(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("a vector", {"component_uniform": zeros(3)}), ("another number of uniforms", {"value_uniform": zeros(2, 1)}),
            ("beyond 1", {"component_uniform": np.full((2, 3), 1.5)}), ("negative", {"value_uniform": np.full((2, 3), -0.5)}),
            ("no axis of components", {"mixture_logits": zeros(2, 3)}), ("no component left", {"mixture_logits": REMOVED}),
            ("one mean for all", {"mean": zeros(2, 3, 1)}), ("another scale", {"log_scale": zeros(2, 3, 3)}),
            ("one level", {"num_levels": 1}),
        )
    ),
    Rejects("discretized_logistic_mixture_sample", "no component",
            _draw(mixture_logits=zeros(2, 3, 0), mean=zeros(2, 3, 0), log_scale=zeros(2, 3, 0)), blames="mixture_logits"),
)  # fmt: skip
