"""Contracts of Jensen's inequality (lecture 5)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, full, given, log_of, log_simplex, normal, uniform, zeros

# Most arrays share one shape for values and one for laws: a compiler is called once a shape.
ZEROS = log_of([[0.25, 0.75, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.625, 0.375], [0.25, 0.25, 0.5]])
ONE_HOT = log_of([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
SAME_POINT = [[1.0, 0.5, -2.0], [0.0, 3.0, -0.25], [1.5, 1.5, 2.0], [-0.75, 0.1, 0.3], [2.0, -1.0, 0.0]]
OFF_SIMPLEX = log_of([[0.5, 0.6], [0.5, 0.5]])

EXPONENTIALS = {"curvature_lower": 0.36787944117144233, "curvature_upper": 2.718281828459045}  # of e^x on [-1, 1]


# Callables have names, so that each is compiled once.
def line(u):
    return 3 * u - 2


def square(u):
    return u * u


def cube(u):
    return u**3


def fourth_power(u):
    return u**4


def tilted_fourth_power(u):
    return u**4 + 7 * u - 3


def inverse(u):
    return 1 / u


def exponential(u):
    return 2.718281828459045**u


def squared_length(x):
    return (x * x).sum(-1)


def fourth_powers(x):
    return (x**4).sum(-1)


def exponentials(x):
    return (2.718281828459045**x).sum(-1)


def coupled(x):
    """A convex potential that is no sum over coordinates."""
    return (x**4).sum(-1) + x.sum(-1) ** 2


def tilted_coupled(x):
    return coupled(x) + 3 * x.sum(-1) - 2


def weighted_mean(x, log_weights):
    return (np.exp(log_weights) * x).sum(1, keepdims=True)


def weighted_variance(x, log_weights):
    return weighted_mean((x - weighted_mean(x, log_weights)) ** 2, log_weights)[:, 0]


def softmax(x):
    return np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)


SPEC = (
    # ------------------------------------------------------------------------------------------------ the gap
    Agree("jensen_gap", "regular", given(x=normal(5, 3), log_weights=log_simplex(5, 3), convex_fn=fourth_power)),
    Agree("jensen_gap", "exponential", given(x=normal(5, 3), log_weights=log_simplex(5, 3, scale=2.0), convex_fn=exponential)),
    Agree("jensen_gap", "weights with zeros", given(x=normal(5, 3), log_weights=ZEROS, convex_fn=fourth_power)),
    Agree("jensen_gap", "one-hot weights", given(x=normal(5, 3), log_weights=ONE_HOT, convex_fn=fourth_power)),
    Agree("jensen_gap", "one point", given(x=normal(4, 1), log_weights=log_simplex(4, 1), convex_fn=fourth_power)),
    Agree("jensen_gap", "a constant", given(x=full(5, 3, value=1.7), log_weights=log_simplex(5, 3), convex_fn=exponential)),
    Agree(
        "jensen_gap", "points of 1000", given(x=normal(5, 3, scale=1000.0), log_weights=log_simplex(5, 3), convex_fn=fourth_power)
    ),
    Agree(
        "jensen_gap",
        "a pole where there is no weight",
        given(
            x=[[2.0, 4.0, 0.0], [0.0, 3.0, np.inf], [0.5, 0.0, 2.0], [np.inf, 0.25, 8.0], [1.0, 2.0, 3.0]],
            log_weights=ZEROS,
            convex_fn=inverse,
        ),
    ),
    Anchor(
        "jensen_gap",
        "cubes",
        given(x=[[1.0, 3.0], [3.0, 1.0]], log_weights=log_of([[0.25, 0.75]] * 2), convex_fn=cube),
        gives=[4.875, 4.125],
        source="(1 + 3 27)/4 - 2.5^3 and (27 + 3)/4 - 1.5^3",
        near_misses={
            "sign": [-4.875, -4.125],
            "uniform weights": [6.0, 6.0],
            "half": [2.4375, 2.0625],
            "weights not exponentiated": [2.2269026531359354, 50.199597136019135],
        },
    ),
    Anchor(
        "jensen_gap",
        "fourth powers",
        given(x=[[2.0, -1.0, 1.0], [0.0, 2.0, 2.0]], log_weights=log_of([[0.5, 0.25, 0.25]] * 2), convex_fn=fourth_power),
        gives=[7.5, 7.0],
        source="17/2 - 1 and 8 - 1",
        near_misses={"sign": [-7.5, -7.0], "without the second term": [8.5, 8.0]},
    ),
    Law.at_least(
        "Jensen's inequality",
        given(x=normal(12, 5, scale=2.0), log_weights=log_simplex(12, 5, scale=2.0)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, fourth_power),
        right=0.0,
    ),
    Law.equal(
        "a line has no gap",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, line),
        right=0.0,
    ),
    Law.equal(
        "a line added to f changes nothing",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, tilted_fourth_power),
        right=lambda f, x, log_weights: f.jensen_gap(x, log_weights, fourth_power),
    ),
    Law.equal(
        "the gap of the square is the variance",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, square),
        right=lambda f, x, log_weights: weighted_variance(x, log_weights),
    ),
    Law.equal(
        "the gap of the square is homogeneous of degree two",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(-3 * x, log_weights, square),
        right=lambda f, x, log_weights: 9 * f.jensen_gap(x, log_weights, square),
    ),
    Law.equal(
        "the order of the points does not matter",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x[:, ::-1], log_weights[:, ::-1], fourth_power),
        right=lambda f, x, log_weights: f.jensen_gap(x, log_weights, fourth_power),
    ),
    Law.equal(
        "the slope in x is the weight times the change of slope",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.gradient("jensen_gap", x, log_weights, fourth_power, wrt=0),
        right=lambda f, x, log_weights: 4 * np.exp(log_weights) * (x**3 - weighted_mean(x, log_weights) ** 3),
    ),
    Rejects(
        "jensen_gap",
        "weights off the simplex",
        given(x=zeros(2, 2), log_weights=OFF_SIMPLEX, convex_fn=square),
        blames="log_weights",
    ),
    Rejects(
        "jensen_gap",
        "probabilities for their logarithms",
        given(x=zeros(2, 3), log_weights=full(2, 3, value=1 / 3), convex_fn=square),
        blames="log_weights",
    ),
    Rejects(
        "jensen_gap", "shapes differ", given(x=zeros(2, 3), log_weights=log_simplex(2, 4), convex_fn=square), blames="log_weights"
    ),
    Rejects(
        "jensen_gap",
        "weights for one row only",
        given(x=zeros(2, 3), log_weights=log_simplex(1, 3), convex_fn=square),
        blames="log_weights",
    ),
    Rejects("jensen_gap", "no batch", given(x=zeros(3), log_weights=log_simplex(3), convex_fn=square), blames="x"),
    Rejects("jensen_gap", "no points", given(x=zeros(2, 0), log_weights=zeros(2, 0), convex_fn=square), blames="x"),
    # ------------------------------------------------------------------------------------------------ log of a mean
    Agree("log_mean_exp", "regular", given(x=normal(5, 3))),
    Agree("log_mean_exp", "one entry", given(x=normal(4, 1))),
    Agree("log_mean_exp", "a constant", given(x=full(5, 3, value=-2.3))),
    Agree("log_mean_exp", "entries of 1000", given(x=normal(5, 3, scale=1000.0))),
    Agree("log_mean_exp", "a shift of 1000", given(x=concatenate(normal(3, 3, mean=1000.0), normal(2, 3, mean=-1000.0)))),
    Agree("log_mean_exp", "entries of -inf", given(x=concatenate([[-np.inf, 0.5, 2.0], [-np.inf, -np.inf, -3.0]], normal(3, 3)))),
    Agree(
        "log_mean_exp",
        "nothing but -inf",
        given(x=concatenate([[-np.inf, -np.inf, -np.inf]], normal(4, 3))),
        no_gradient="the constant -inf has no slope",
    ),
    Anchor(
        "log_mean_exp",
        "odd numbers",
        given(x=log_of([[1.0, 3.0, 5.0], [2.0, 4.0, 7.5]])),
        gives=[1.0986122886681098, 1.5040773967762741],
        source="log 3 and log 9/2",
        near_misses={
            "without -log K": [2.1972245773362196, 2.6026896854443838],
            "the mean of the logarithms": [0.9026834003674034, 1.3647815207407002],
            "divided by the batch": [1.5040773967762741, 1.9095425048844385],
            "the mean": [3.0, 4.5],
        },
    ),
    Anchor(
        "log_mean_exp",
        "far beyond overflow",
        given(x=[[1000.0, 1000.0, -1000.0, -np.inf], [-1000.0, -1000.0, -2000.0, -np.inf]]),
        gives=[999.3068528194401, -1000.6931471805599],
        source="log(e^1000 / 2) and log(e^-1000 / 2)",
        near_misses={
            "overflow": [np.inf, -np.inf],
            "without -log K": [1000.6931471805599, -999.3068528194401],
            "the maximum": [1000.0, -1000.0],
        },
    ),
    Law.equal(
        "a shift of the entries shifts the result",
        given(x=normal(12, 5), shift=normal(12, 1, scale=50.0)),
        left=lambda f, x, shift: f.log_mean_exp(x + shift),
        right=lambda f, x, shift: f.log_mean_exp(x) + shift[:, 0],
    ),
    Law.equal(
        "every entry twice changes nothing",
        given(x=normal(12, 5)),
        left=lambda f, x: f.log_mean_exp(np.concatenate([x, x], axis=1)),
        right=lambda f, x: f.log_mean_exp(x),
    ),
    Law.at_least(
        "at least the mean", given(x=normal(12, 5, scale=3.0)), left=lambda f, x: f.log_mean_exp(x), right=lambda f, x: x.mean(1)
    ),
    Law.at_least(
        "at most the maximum", given(x=normal(12, 5, scale=3.0)), left=lambda f, x: x.max(1), right=lambda f, x: f.log_mean_exp(x)
    ),
    Law.equal(
        "the gradient is the softmax, also far out",
        given(x=concatenate(normal(7, 5), normal(5, 5, mean=1000.0))),
        left=lambda f, x: f.gradient("log_mean_exp", x),
        right=lambda f, x: softmax(x),
    ),
    Rejects("log_mean_exp", "no entries", given(x=zeros(2, 0)), blames="x"),
    Rejects("log_mean_exp", "no batch", given(x=zeros(3)), blames="x"),
    # ------------------------------------------------------------------------------------------------ the gap of the logarithm
    Agree("log_jensen_gap", "regular", given(log_x=normal(5, 3), log_weights=log_simplex(5, 3))),
    Agree("log_jensen_gap", "weights with zeros", given(log_x=normal(5, 3), log_weights=ZEROS)),
    Agree("log_jensen_gap", "one-hot weights", given(log_x=normal(5, 3), log_weights=ONE_HOT)),
    Agree("log_jensen_gap", "one point", given(log_x=normal(4, 1), log_weights=log_simplex(4, 1))),
    Agree("log_jensen_gap", "a constant", given(log_x=full(5, 3, value=0.9), log_weights=log_simplex(5, 3))),
    Agree("log_jensen_gap", "x from e^-1000 to e^1000", given(log_x=normal(5, 3, scale=1000.0), log_weights=log_simplex(5, 3))),
    Agree("log_jensen_gap", "weights down to e^-300", given(log_x=normal(5, 3), log_weights=log_simplex(5, 3, scale=150.0))),
    Agree(
        "log_jensen_gap",
        "x = 0 where there is no weight",
        given(
            log_x=[[0.3, 1.0, -np.inf], [-np.inf, 2.5, 0.5], [1.5, -np.inf, -0.5], [-np.inf, 0.2, -0.6], [0.3, -0.7, 2.0]],
            log_weights=ZEROS,
        ),
    ),
    Agree(
        "log_jensen_gap",
        "x = 0 where there is weight",
        given(log_x=concatenate([[0.3, -np.inf, 1.0], [-np.inf, 0.0, 0.0]], normal(3, 3)), log_weights=log_simplex(5, 3)),
        no_gradient="the value is infinite",
    ),
    Agree(
        "log_jensen_gap",
        "x = 0 wherever there is weight",
        given(log_x=concatenate(normal(1, 3), [[2.0, -np.inf, 1.0]], normal(3, 3)), log_weights=ZEROS),
        no_gradient="the constant 0 has no slope",
    ),
    Anchor(
        "log_jensen_gap",
        "one, two, four",
        given(log_x=log_of([[1.0, 4.0, 8.0], [1.0, 4.0, 2.0]]), log_weights=log_of([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]])),
        gives=[0.22314355131420976, 0.17328679513998633],
        source="log 5/4 and log(2)/4",
        near_misses={
            "sign": [-0.22314355131420976, -0.17328679513998633],
            "bits": [0.32192809488736235, 0.25],
            "uniform weights": [0.31109176786018486, 0.1541506798272583],
            "without the logarithm": [0.5, 0.31820716949257092],
        },
    ),
    Law.at_least(
        "the mean logarithm is at most the logarithm of the mean",
        given(log_x=normal(12, 5, scale=3.0), log_weights=log_simplex(12, 5, scale=2.0)),
        left=lambda f, log_x, log_weights: f.log_jensen_gap(log_x, log_weights),
        right=0.0,
    ),
    Law.equal(
        "the unit of x does not matter",
        given(log_x=normal(12, 5), log_weights=log_simplex(12, 5), log_unit=normal(12, 1, scale=20.0)),
        left=lambda f, log_x, log_weights, log_unit: f.log_jensen_gap(log_x + log_unit, log_weights),
        right=lambda f, log_x, log_weights, log_unit: f.log_jensen_gap(log_x, log_weights),
    ),
    Law.equal(
        "the gap is the divergence to the reweighted weights",
        given(log_x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, log_x, log_weights: f.log_jensen_gap(log_x, log_weights),
        right=lambda f, log_x, log_weights: weighted_mean(log_weights - np.log(softmax(log_x + log_weights)), log_weights)[:, 0],
    ),
    Law.equal(
        "equal weights: the logarithm of the mean minus the mean logarithm",
        given(log_x=normal(12, 5)),
        left=lambda f, log_x: f.log_jensen_gap(log_x, np.full((12, 5), -np.log(5.0))),
        right=lambda f, log_x: f.log_mean_exp(log_x) - log_x.mean(1),
    ),
    Law.equal(
        "the slope in log x is the reweighted weight minus the weight",
        given(log_x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, log_x, log_weights: f.gradient("log_jensen_gap", log_x, log_weights, wrt=0),
        right=lambda f, log_x, log_weights: softmax(log_x + log_weights) - np.exp(log_weights),
    ),
    Law.limit(
        "small noise costs half its variance",
        given(y=uniform(12, 5, low=-1.0), log_weights=log_simplex(12, 5)),
        value=lambda f, h, y, log_weights: f.log_jensen_gap(np.log1p(h * y), log_weights) / h**2,
        at=(0.04, 0.02, 0.01, 0.005),
        order=1,
        limit=lambda f, y, log_weights: weighted_variance(y, log_weights) / 2,
    ),
    Rejects("log_jensen_gap", "weights off the simplex", given(log_x=zeros(2, 2), log_weights=OFF_SIMPLEX), blames="log_weights"),
    Rejects("log_jensen_gap", "shapes differ", given(log_x=zeros(2, 3), log_weights=log_simplex(2, 4)), blames="log_weights"),
    Rejects(
        "log_jensen_gap",
        "weights for one row only",
        given(log_x=zeros(2, 3), log_weights=log_simplex(1, 3)),
        blames="log_weights",
    ),
    Rejects("log_jensen_gap", "no batch", given(log_x=zeros(3), log_weights=log_simplex(3)), blames="log_x"),
    Rejects("log_jensen_gap", "no points", given(log_x=zeros(2, 0), log_weights=zeros(2, 0)), blames="log_x"),
    # ------------------------------------------------------------------------------------------------ heights above a tangent
    Agree("bregman_divergence", "regular", given(x=normal(5, 3), y=normal(5, 3), potential_fn=coupled)),
    Agree("bregman_divergence", "exponentials", given(x=normal(5, 3), y=normal(5, 3), potential_fn=exponentials)),
    Agree("bregman_divergence", "one dimension", given(x=normal(4, 1), y=normal(4, 1), potential_fn=coupled)),
    Agree("bregman_divergence", "far apart", given(x=normal(5, 3, scale=100.0), y=normal(5, 3), potential_fn=coupled)),
    Agree("bregman_divergence", "the same point", given(x=SAME_POINT, y=SAME_POINT, potential_fn=coupled)),
    Anchor(
        "bregman_divergence",
        "whole numbers",
        given(x=[[2.0, 1.0, 0.0], [1.0, 1.0, 2.0]], y=[[1.0, -1.0, 3.0], [0.0, 2.0, 1.0]], potential_fn=coupled),
        gives=[262.0, 30.0],
        source="by hand: the gradient at y is (10, 2, 114) and (6, 38, 10)",
        near_misses={
            "the slope at x": [-106.0, -32.0],
            "arguments swapped": [106.0, 32.0],
            "the slope added": [-394.0, -14.0],
            "without the slope": [-66.0, 8.0],
            "the squared distance": [14.0, 3.0],
        },
    ),
    Anchor(
        "bregman_divergence",
        "the square",
        given(x=[[1.0, 2.0], [0.5, 4.0]], y=[[3.0, -1.0], [0.0, 1.0]], potential_fn=squared_length),
        gives=[13.0, 9.25],
        source="the squared distance",
        near_misses={"half": [6.5, 4.625], "the distance": [13**0.5, 9.25**0.5]},
    ),
    Law.at_least(
        "no convex potential is below its tangent",
        given(x=normal(12, 5), y=normal(12, 5)),
        left=lambda f, x, y: f.bregman_divergence(x, y, exponentials),
        right=0.0,
    ),
    Law.at_least(
        "strict convexity keeps different points apart",
        given(x=normal(12, 5), y=normal(12, 5)),
        left=lambda f, x, y: f.bregman_divergence(x, y, coupled),
        right=lambda f, x, y: (x - y).sum(1) ** 2,
    ),
    Law.equal(
        "the tangent touches at its point",
        given(y=normal(12, 5)),
        left=lambda f, y: f.bregman_divergence(y, y, coupled),
        right=0.0,
    ),
    Law.equal(
        "a line added to the potential changes nothing",
        given(x=normal(12, 5), y=normal(12, 5)),
        left=lambda f, x, y: f.bregman_divergence(x, y, tilted_coupled),
        right=lambda f, x, y: f.bregman_divergence(x, y, coupled),
    ),
    Law.equal(
        "three points",
        given(x=normal(12, 5), y=normal(12, 5), z=normal(12, 5)),
        left=lambda f, x, y, z: f.bregman_divergence(x, z, exponentials),
        right=lambda f, x, y, z: (
            f.bregman_divergence(x, y, exponentials)
            + f.bregman_divergence(y, z, exponentials)
            + ((np.exp(y) - np.exp(z)) * (x - y)).sum(1)
        ),
    ),
    Law.at_least(
        "convex in x",
        given(a=normal(12, 5), b=normal(12, 5), y=normal(12, 5)),
        left=lambda f, a, b, y: (f.bregman_divergence(a, y, coupled) + f.bregman_divergence(b, y, coupled)) / 2,
        right=lambda f, a, b, y: f.bregman_divergence((a + b) / 2, y, coupled),
    ),
    Law.equal(
        "the gap is the mean height above the tangent at the mean",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, fourth_power),
        right=lambda f, x, log_weights: weighted_mean(
            f.bregman_divergence(x.reshape(-1, 1), np.repeat(weighted_mean(x, log_weights), 5)[:, None], fourth_powers).reshape(
                12, 5
            ),
            log_weights,
        )[:, 0],
    ),
    Law.equal(
        "the slope in y is minus the curvature times the step",
        given(x=normal(12, 5), y=normal(12, 5)),
        left=lambda f, x, y: f.gradient("bregman_divergence", x, y, coupled, wrt=1),
        right=lambda f, x, y: -12 * y**2 * (x - y) - 2 * (x - y).sum(1, keepdims=True),
    ),
    Rejects("bregman_divergence", "shapes differ", given(x=zeros(2, 3), y=zeros(2, 4), potential_fn=coupled), blames="y"),
    Rejects("bregman_divergence", "y for one row only", given(x=zeros(2, 3), y=zeros(1, 3), potential_fn=coupled), blames="y"),
    Rejects("bregman_divergence", "no batch", given(x=zeros(3), y=zeros(3), potential_fn=coupled), blames="x"),
    # ------------------------------------------------------------------------------------------------ between two parabolas
    Agree(
        "jensen_gap_bounds",
        "regular",
        given(x=normal(5, 3), log_weights=log_simplex(5, 3), curvature_lower=0.3, curvature_upper=2.7),
    ),
    Agree(
        "jensen_gap_bounds",
        "a concave lower side",
        given(x=normal(5, 3), log_weights=log_simplex(5, 3, scale=2.0), curvature_lower=-1.5, curvature_upper=0.0),
    ),
    Agree(
        "jensen_gap_bounds",
        "equal curvatures, one-hot weights",
        given(x=normal(5, 3), log_weights=ONE_HOT, curvature_lower=2.0, curvature_upper=2.0),
    ),
    Agree(
        "jensen_gap_bounds",
        "infinity where there is no weight",
        given(
            x=[[2.0, 4.0, np.inf], [-np.inf, 3.0, np.inf], [0.5, 0.0, 2.0], [np.inf, 0.25, 8.0], [1.0, 2.0, 3.0]],
            log_weights=ZEROS,
            curvature_lower=0.3,
            curvature_upper=2.7,
        ),
    ),
    Agree(
        "jensen_gap_bounds",
        "one point",
        given(x=normal(4, 1), log_weights=log_simplex(4, 1), curvature_lower=0.3, curvature_upper=2.7),
    ),
    Agree(
        "jensen_gap_bounds",
        "a far shift",
        given(x=normal(5, 3, mean=1000.0), log_weights=log_simplex(5, 3), curvature_lower=0.3, curvature_upper=2.7),
    ),
    Anchor(
        "jensen_gap_bounds",
        "two points, two apart",
        given(x=[[1.0, 3.0], [7.0, 5.0]], log_weights=log_of([[0.25, 0.75]] * 2), curvature_lower=1.0, curvature_upper=4.0),
        gives=([0.375, 0.375], [1.5, 1.5]),
        source="the variance is 3/4",
        near_misses={
            "without the half": ([0.75, 0.75], [3.0, 3.0]),
            "the sides swapped": ([1.5, 1.5], [0.375, 0.375]),
            "uniform weights": ([0.5, 0.5], [2.0, 2.0]),
            "the unbiased variance": ([1.0, 1.0], [4.0, 4.0]),
            "the second moment": ([3.5, 15.5], [14.0, 62.0]),
        },
    ),
    Law.at_least(
        "the gap is above the lower bound: exponentials on [-1, 1]",
        given(x=uniform(12, 5, low=-1.0), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap(x, log_weights, exponential),
        right=lambda f, x, log_weights: f.jensen_gap_bounds(x, log_weights, **EXPONENTIALS)[0],
    ),
    Law.at_least(
        "the gap is below the upper bound: exponentials on [-1, 1]",
        given(x=uniform(12, 5, low=-1.0), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: f.jensen_gap_bounds(x, log_weights, **EXPONENTIALS)[1],
        right=lambda f, x, log_weights: f.jensen_gap(x, log_weights, exponential),
    ),
    Law.equal(
        "both bounds are tight for a parabola",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5)),
        left=lambda f, x, log_weights: np.stack(f.jensen_gap_bounds(x, log_weights, curvature_lower=2.0, curvature_upper=2.0)),
        right=lambda f, x, log_weights: f.jensen_gap(x, log_weights, square),
    ),
    Law.equal(
        "a shift of the points changes nothing",
        given(x=normal(12, 5), log_weights=log_simplex(12, 5), shift=normal(12, 1, scale=9.0)),
        left=lambda f, x, log_weights, shift: np.stack(f.jensen_gap_bounds(x + shift, log_weights, **EXPONENTIALS)),
        right=lambda f, x, log_weights, shift: np.stack(f.jensen_gap_bounds(x, log_weights, **EXPONENTIALS)),
    ),
    Rejects(
        "jensen_gap_bounds",
        "curvatures in the wrong order",
        given(x=zeros(2, 3), log_weights=log_simplex(2, 3), curvature_lower=2.0, curvature_upper=1.0),
        blames="curvature_lower",
    ),
    Rejects(
        "jensen_gap_bounds",
        "a curvature that is not a number",
        given(x=zeros(2, 3), log_weights=log_simplex(2, 3), curvature_lower=0.0, curvature_upper=float("nan")),
        blames="curvature_upper",
    ),
    Rejects(
        "jensen_gap_bounds",
        "weights off the simplex",
        given(x=zeros(2, 2), log_weights=OFF_SIMPLEX, curvature_lower=0.0, curvature_upper=1.0),
        blames="log_weights",
    ),
    Rejects(
        "jensen_gap_bounds",
        "shapes differ",
        given(x=zeros(2, 3), log_weights=log_simplex(2, 4), curvature_lower=0.0, curvature_upper=1.0),
        blames="log_weights",
    ),
    Rejects(
        "jensen_gap_bounds",
        "no batch",
        given(x=zeros(3), log_weights=log_simplex(3), curvature_lower=0.0, curvature_upper=1.0),
        blames="x",
    ),
    Rejects(
        "jensen_gap_bounds",
        "no points",
        given(x=zeros(2, 0), log_weights=zeros(2, 0), curvature_lower=0.0, curvature_upper=1.0),
        blames="x",
    ),
)
