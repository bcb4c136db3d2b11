"""Contracts of Gaussian mixtures and of expectation-maximization (lecture 16)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Recipe,
    Rejects,
    given,
    log_of,
    log_simplex,
    normal,
    uniform,
    zeros,
)


def factors(*shape, least=0.5, junk=0.0):
    """Lower triangular factors with diagonals of at least `least`; above them `junk`, which nothing may read."""

    def draw(rng):
        lower = np.tril(rng.standard_normal(shape), -1)
        upper = junk * np.triu(np.ones(shape[-2:]), 1)
        return lower + upper + (least + rng.uniform(size=shape)) * np.eye(shape[-1])

    return Recipe(draw)


MIXTURE = {"log_weights": log_simplex(3), "means": normal(3, 2), "scale_tril": factors(3, 2, 2)}
POINTS = {"x": normal(5, 2, scale=1.5)}
SHARES = {"log_responsibilities": log_simplex(6, 3)}
HARD = {"x": [[0.0], [2.0], [5.0], [9.0]], "log_responsibilities": log_of([[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2)}
# Two clusters of deviations 0.001 and 1, 28 apart.
NARROW = [[-10.001, -9.0], [-9.9993, -10.5], [-9.9996, -10.0], [10.0005, 9.5], [9.998, 10.25], [10.001, 11.0]]
TWO_NARROW = {"means": [[-10.0, -10.0], [10.0, 10.0]], "scale_tril": [[[1e-3, 0.0], [0.4, 1.0]], [[2e-3, 0.0], [-0.5, 0.7]]]}
DRAWS = {"uniforms": uniform(5), "noise": normal(5, 2)}
# By hand: points at -a and a with a = log(3) / 2 have the odds 3 between components at -1 and 1 with variance 1.
A = LOG_3 / 2
DENSITY = np.log((np.exp(-((1 - A) ** 2) / 2) + np.exp(-((1 + A) ** 2) / 2)) / 2) - np.log(2 * np.pi) / 2
ENTROPY = 2 * LOG_2 - 0.75 * LOG_3
TWO = {"log_weights": log_of([0.5, 0.5]), "means": [[-1.0], [1.0]], "scale_tril": np.ones((2, 1, 1))}
CORNER = {"log_weights": log_of([1.0]), "means": zeros(1, 2), "scale_tril": [[[1.0, 7.0], [1.0, 2.0]]]}
NEAR = {**MIXTURE, "x": [[0.1, 0.2], [-0.5, 1.0], [30.0, -30.0], [0.3, -25.0]]}
ONLY = ("noise", "means", "scale_tril")


def _swapped(log_weights, means, scale_tril):
    order = [2, 0, 1]
    return log_weights[order], means[order], scale_tril[order]


def _densities():
    """The same cases for the three densities of a mixture."""
    for function in ("component_log_density", "mixture_log_density", "log_responsibilities"):
        weighted = function != "component_log_density"
        for case, changed in (
            ("regular", {}),
            (
                "one dimension, one component",
                {"x": normal(5, 1), "log_weights": log_of([1.0]), "means": normal(1, 1), "scale_tril": factors(1, 1, 1)},
            ),
            ("far away, and other numbers above the diagonal", NEAR | {"scale_tril": factors(3, 2, 2, junk=7.0)}),
            ("an empty component", {"x": normal(5, 2, scale=0.3), "log_weights": log_of([0.5, 0.0, 0.5])}),
        ):
            arguments = POINTS | MIXTURE | changed
            if not weighted:
                arguments.pop("log_weights")
            if weighted or "empty" not in case:
                yield Agree(function, case, given(**arguments))
        yield from _refused(function, POINTS | MIXTURE, weighted)


def _refused(function, arguments, weighted, points="x"):
    bad = [
        ("means of other length", {"means": zeros(3, 4)}, "means"),
        ("a factor too few", {"scale_tril": factors(2, 2, 2)}, "scale_tril"),
        ("a diagonal entry of zero", {"scale_tril": np.array([[[1.0, 0.0], [2.0, 0.0]]] * 3)}, "scale_tril"),
        ("one axis", {points: zeros(5)}, points),
    ]
    if weighted:
        bad += [
            ("weights off the simplex", {"log_weights": zeros(3)}, "log_weights"),
            ("a weight too many", {"log_weights": log_simplex(4)}, "log_weights"),
        ]
    for case, changed, blames in bad:
        given_all = arguments | changed
        if not weighted:
            given_all.pop("log_weights", None)
        yield Rejects(function, case, given(**given_all), blames=blames)


SPEC = (
    *_densities(),
    Agree("component_log_density", "narrow clusters far apart", given(x=NARROW, **TWO_NARROW)),
    Anchor(
        "component_log_density",
        "the lower triangle alone, at a corner",
        given(x=[[1.0, 0.0]], means=zeros(1, 2), scale_tril=CORNER["scale_tril"]),
        gives=[[-(1 + 0.25) / 2 - np.log(2) - np.log(2 * np.pi)]],
        source="by hand: L^-1 x = (1, -1/2), det L = 2",
        near_misses={
            "L transposed": [[-0.5 - np.log(2) - np.log(2 * np.pi)]],
            "no determinant": [[-0.625 - np.log(2 * np.pi)]],
            "no constant": [[-0.625 - np.log(2)]],
            "the determinant of the covariance": [[-0.625 - 2 * np.log(2) - np.log(2 * np.pi)]],
        },
    ),
    Anchor(
        "mixture_log_density",
        "two points, by hand",
        given(x=[[-A], [A]], **TWO),
        gives=[DENSITY, DENSITY],
        source="by hand: half the sum of the densities at the distances 1 - a and 1 + a",
        near_misses={
            "the sum of the densities": [DENSITY + LOG_2] * 2,
            "the nearest alone": [DENSITY - np.log(2 / 3)] * 2,
            "the mean of the logarithms": [-(1 + A**2 + np.log(2 * np.pi)) / 2] * 2,
        },
    ),
    Anchor(
        "log_responsibilities",
        "odds of three",
        given(x=[[-A], [A]], **TWO),
        gives=np.log([[0.75, 0.25], [0.25, 0.75]]),
        source="by hand: e^(2a) = 3",
        near_misses={"no halves in the exponent": np.log([[0.9, 0.1], [0.1, 0.9]]), "even": np.log([[0.5, 0.5]] * 2)},
    ),
    Anchor(
        "log_responsibilities",
        "uneven weights",
        given(x=[[-A], [A]], **TWO | {"log_weights": log_of([0.25, 0.75])}),
        gives=np.log([[0.5, 0.5], [0.1, 0.9]]),
        source="by hand: the odds 3 and 1/3, times 1/3",
        near_misses={
            "no weights": np.log([[0.75, 0.25], [0.25, 0.75]]),
            "normalized over the points": np.log([[0.9, 0.25], [0.1, 0.75]]),
        },
    ),
    Law.normalized(
        "the posteriors of each point sum to one",
        given(**NEAR),
        total=lambda f, w, m, s, x: np.exp(f.log_responsibilities(x, w, m, s)).sum(1),
    ),
    Law.equal(
        "Bayes' rule",
        given(**POINTS, **MIXTURE),
        left=lambda f, x, w, m, s: f.log_responsibilities(x, w, m, s) + f.mixture_log_density(x, w, m, s)[:, None],
        right=lambda f, x, w, m, s: w + f.component_log_density(x, m, s),
    ),
    Law.equal(
        "the order of the components does not count",
        given(**POINTS, **MIXTURE),
        left=lambda f, x, *mixture: f.mixture_log_density(x, *_swapped(*mixture)),
        right=lambda f, x, *mixture: f.mixture_log_density(x, *mixture),
    ),
    Law.normalized(
        "the density integrates to one",
        given(means=[[-1.0], [0.5]], scale_tril=[[[0.7]], [[1.2]]], log_weights=log_of([0.3, 0.7])),
        total=lambda f, m, s, w: np.exp(f.mixture_log_density(np.linspace(-14, 14, 281)[:, None], w, m, s)).sum() * 0.1,
    ),
    Law.equal(
        "the gradient of the mixture is the posterior mean of the components'",
        given(**POINTS, **MIXTURE),
        left=lambda f, x, w, m, s: f.gradient("mixture_log_density", x, w, m, s, wrt=2),
        right=lambda f, x, w, m, s: np.einsum(
            "nk,kij,nkj->ki", np.exp(f.log_responsibilities(x, w, m, s)), np.linalg.inv(s @ np.swapaxes(s, 1, 2)), x[:, None] - m
        ),
    ),
    # The M-step.
    Agree("m_step", "regular", given(x=normal(6, 2), **SHARES, regularization=0.1), smallest_batch=1),
    Agree("m_step", "without regularization, far from the origin", given(x=normal(6, 2, mean=100.0), **SHARES), smallest_batch=1),
    Agree(
        "m_step",
        "narrow clusters far apart",
        given(x=NARROW, log_responsibilities=log_of([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)),
        smallest_batch=1,
    ),
    Agree("m_step", "hard responsibilities", given(**HARD), smallest_batch=1),
    Agree("m_step", "one component", given(x=normal(6, 2), log_responsibilities=zeros(6, 1)), smallest_batch=1),
    Agree(
        "m_step",
        "a component of e^-60 points",
        given(x=normal(6, 2), log_responsibilities=np.log([[1.0, np.exp(-60.0 - i)] for i in range(6)]), regularization=0.5),
        smallest_batch=1,
        no_gradient="on the simplex the large share cannot move by so little",
    ),
    Anchor(
        "m_step",
        "two pairs of points",
        given(**HARD),
        gives=([np.log(0.5)] * 2, [[1.0], [7.0]], [[[1.0]], [[2.0]]]),
        source="by hand: variances 1 and 4",
        near_misses={
            "weights not divided": ([np.log(2.0)] * 2, [[1.0], [7.0]], [[[1.0]], [[2.0]]]),
            "N - 1": ([np.log(0.5)] * 2, [[1.0], [7.0]], [[[np.sqrt(2.0)]], [[np.sqrt(8.0)]]]),
            "covariances for factors": ([np.log(0.5)] * 2, [[1.0], [7.0]], [[[1.0]], [[4.0]]]),
        },
    ),
    Anchor(
        "m_step",
        "soft shares and a floor",
        given(x=[[-1.0], [1.0]], log_responsibilities=np.log([[0.75, 0.25], [0.25, 0.75]]), regularization=0.25),
        gives=([np.log(0.5)] * 2, [[-0.5], [0.5]], [[[1.0]], [[1.0]]]),
        source="by hand: variances 3/4 + 1/4",
        near_misses={
            "the floor on the factor": ([np.log(0.5)] * 2, [[-0.5], [0.5]], [[[np.sqrt(0.75) + 0.25]]] * 2),
            "around the origin": ([np.log(0.5)] * 2, [[-0.5], [0.5]], [[[np.sqrt(1.25)]]] * 2),
        },
    ),
    Law.equal(
        "the moments of the mixture are those of the data",
        given(x=normal(6, 2), **SHARES),
        left=lambda f, x, r: _moments(*f.m_step(x, r)),
        right=lambda f, x, r: np.vstack([x.mean(0), np.cov(x.T, ddof=0)]),
    ),
    Law.at_least(
        "expectation-maximization never lowers the likelihood",
        given(x=normal(12, 2, scale=2.0), **MIXTURE),
        left=lambda f, x, *mixture: f.mixture_log_density(x, *f.m_step(x, f.log_responsibilities(x, *mixture))).sum(),
        right=lambda f, x, *mixture: f.mixture_log_density(x, *mixture).sum(),
    ),
    *(
        Rejects("m_step", case, given(**{"x": normal(6, 2)} | SHARES | changed), blames=blames)
        for case, changed, blames in (
            ("a row too few", {"log_responsibilities": log_simplex(5, 3)}, "log_responsibilities"),
            ("shares off the simplex", {"log_responsibilities": zeros(6, 3)}, "log_responsibilities"),
            ("an empty component", {"log_responsibilities": log_of([[1.0, 0.0]] * 6)}, "log_responsibilities"),
            ("no point", {"x": zeros(0, 2), "log_responsibilities": zeros(0, 3)}, "x"),
            ("a negative floor", {"regularization": -0.1}, "regularization"),
            ("points that coincide", {"x": zeros(6, 2)}, "regularization"),
            ("one axis", {"x": zeros(6)}, "x"),
        )
    ),
    # What is maximized.
    Agree("expected_complete_log_likelihood", "regular", given(**POINTS, log_responsibilities=log_simplex(5, 3), **MIXTURE)),
    Agree(
        "expected_complete_log_likelihood",
        "hard responsibilities and an empty component",
        given(
            **POINTS,
            log_responsibilities=log_of([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]] * 2 + [[0.5, 0.0, 0.5]]),
            **MIXTURE | {"log_weights": log_of([0.5, 0.0, 0.5])},
        ),
    ),
    Anchor(
        "expected_complete_log_likelihood",
        "two points, by hand",
        given(x=[[-A], [A]], log_responsibilities=np.log([[0.75, 0.25], [0.25, 0.75]]), **TWO),
        gives=[DENSITY - ENTROPY] * 2,
        source="the log-density less the entropy of (3/4, 1/4), since the shares are the posterior",
        near_misses={
            "the log-density": [DENSITY] * 2,
            "no weights": [DENSITY - ENTROPY + LOG_2] * 2,
            "not weighted by the shares": [-(1 + A**2 + np.log(2 * np.pi)) - 2 * LOG_2] * 2,
        },
    ),
    Law.at_least(
        "Q and the entropy lie below the log-likelihood",
        given(**POINTS, r=log_simplex(5, 3), **MIXTURE),
        left=lambda f, x, r, *mixture: f.mixture_log_density(x, *mixture),
        right=lambda f, x, r, *mixture: f.expected_complete_log_likelihood(x, r, *mixture) - (np.exp(r) * r).sum(1),
    ),
    Law.equal(
        "... and touch it at the posterior",
        given(**POINTS, **MIXTURE),
        left=lambda f, x, *mixture: f.mixture_log_density(x, *mixture),
        right=lambda f, x, *mixture: _surrogate(f, x, f.log_responsibilities(x, *mixture), mixture),
    ),
    *_refused("expected_complete_log_likelihood", POINTS | {"log_responsibilities": log_simplex(5, 3)} | MIXTURE, True),
    *(
        Rejects(
            "expected_complete_log_likelihood",
            case,
            given(**POINTS, log_responsibilities=shares, **MIXTURE),
            blames="log_responsibilities",
        )
        for case, shares in (
            ("a row too few", log_simplex(4, 3)),
            ("a column too many", log_simplex(5, 4)),
            ("shares off the simplex", zeros(5, 3)),
        )
    ),
    # Draws.
    Agree("mixture_sample", "regular", given(**DRAWS, **MIXTURE), differentiate=ONLY, frozen=("uniforms", "log_weights")),
    Agree(
        "mixture_sample",
        "other numbers above the diagonal",
        given(**DRAWS, **MIXTURE | {"scale_tril": factors(3, 2, 2, junk=7.0)}),
        differentiate=ONLY,
        frozen=("uniforms", "log_weights"),
    ),
    Anchor(
        "mixture_sample",
        "the ends of the unit interval, and a tie",
        given(
            uniforms=[0.0, 0.25, 0.2499, 0.99999],
            noise=zeros(4, 1),
            log_weights=log_of([0.0, 0.25, 0.75, 0.0]),
            means=[[1.0], [2.0], [3.0], [4.0]],
            scale_tril=np.ones((4, 1, 1)),
        ),
        gives=[[2.0], [3.0], [2.0], [3.0]],
        source="the first cumulative weight above u",
        frozen=("uniforms", "log_weights"),
        near_misses={"at least u": [[1.0], [2.0], [2.0], [3.0]], "the next one": [[3.0], [4.0], [3.0], [4.0]]},
    ),
    Anchor(
        "mixture_sample",
        "the lower triangle alone",
        given(uniforms=[0.5], noise=[[1.0, -1.0]], **CORNER),
        gives=[[1.0, -1.0]],
        source="by hand: L e = (1, 1 - 2)",
        frozen=("uniforms", "log_weights"),
        near_misses={"L transposed": [[0.0, -2.0]], "the whole matrix": [[-6.0, -1.0]]},
    ),
    Law.unbiased(
        "draws have the mean of the mixture",
        given(log_weights=log_of([0.3, 0.7]), means=[[-1.0], [2.0]], scale_tril=[[[0.5]], [[1.0]]]),
        samples=lambda f, rng, draws, *mixture: f.mixture_sample(
            rng.uniform(size=draws), rng.standard_normal((draws, 1)), *mixture
        )[:, 0],
        expected=1.1,
        draws=20_000,
        detects=0.1,
    ),
    *_refused("mixture_sample", DRAWS | MIXTURE, True, points="noise"),
    *(
        Rejects("mixture_sample", case, given(**DRAWS | {"uniforms": uniforms}, **MIXTURE), blames="uniforms")
        for case, uniforms in (("a number of 1", np.ones(5)), ("a negative number", -np.ones(5)), ("too few numbers", uniform(4)))
    ),
)


def _moments(log_weights, means, scale_tril):
    """Mean, above covariance, of a mixture."""
    weights = np.exp(log_weights)
    mean = weights @ means
    away = means - mean
    within, between = scale_tril @ np.swapaxes(scale_tril, 1, 2), away[:, :, None] * away[:, None]
    within, between = scale_tril @ np.swapaxes(scale_tril, 1, 2), away[:, :, None] * away[:, None]
    return np.vstack([mean, np.einsum("k,kij->ij", weights, within + between)])


def _surrogate(f, x, log_responsibilities, mixture):
    entropy = -(np.exp(log_responsibilities) * log_responsibilities).sum(1)
    return f.expected_complete_log_likelihood(x, log_responsibilities, *mixture) + entropy
