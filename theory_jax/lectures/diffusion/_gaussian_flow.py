"""The probability flow on the clock lambda: of Gaussian data, exactly and in steps; integrals, and which steps are best."""

import functools

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Symbol, exp, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.dpm_solver import first_order_step, multistep_sample, singlestep_second_order_step


def share(level):
    """alpha^2, and sigma^2 at minus the level."""
    return 1 / (1 + jnp.exp(-2 * level))


def data_of(c):
    """The prediction of the data, for data N(0, c)."""
    return lambda x, level: (c * jnp.sqrt(share(level)) / noised_variance(c, share(level)))[:, None] * x


def noise_of(c):
    """The prediction of the noise."""
    return lambda x, level: (jnp.sqrt(share(-level)) / noised_variance(c, share(level)))[:, None] * x


def exact(begin, end, c=4.0):
    """Where the path from x = 1 ends."""
    return np.sqrt(noised_variance(c, share(end)) / noised_variance(c, share(begin)))


def order_one(levels, c=4.0):
    """The end of the way from x = 1 on data N(0, c), by steps of order one: these are linear, so their factors are multiplied."""
    ones = jnp.ones((len(levels) - 1, 1))
    return jnp.prod(first_order_step(ones, data_of(c)(ones, levels[:-1]), levels[:-1], levels[1:]))


def order_two(levels, c=4.0):
    """... by 2M."""
    return multistep_sample(jnp.ones((1, 1)), levels, data_of(c), lower_order_final=False)[0, 0]


def midpoints(levels, c=4.0):
    """... by the midpoint, which is linear, too."""
    return jnp.prod(singlestep_second_order_step(jnp.ones((len(levels) - 1, 1)), levels[:-1], levels[1:], noise_of(c)))


@functools.cache
def errors(steps):
    """Of the three ways, from lambda = -3 to 3."""
    levels = jnp.linspace(-3.0, 3.0, steps + 1)
    return np.array([way(levels) for way in (order_one, order_two, midpoints)]) - exact(-3.0, 3.0)


def draw_areas_and_errors(areas, panel):
    """What a step adds, exactly and by its guesses; and the errors by the number of steps."""
    way = np.linspace(-1.0, 1.0, 101)
    weight, on_path = np.exp(-(1 - way)), data_of(4.0)(exact(-1.0, way)[:, None], way)[:, 0]
    earlier = data_of(4.0)(exact(-1.0, np.full((1, 1), -3.0)), np.full(1, -3.0))[0, 0]
    areas.fill_between(way + 1, weight * on_path, color=BLUE, alpha=0.25)
    areas.plot(way + 1, weight * on_path, color=BLUE, label="exact")
    areas.plot(way + 1, weight * on_path[0], color="gray", label="order one")
    areas.plot(way + 1, weight * (1.5 * on_path[0] - 0.5 * earlier), "--", color="C1", label="2M")
    areas.set(xlabel="$u$", ylabel="weight times prediction")
    areas.legend()
    counts = (5, 10, 20, 40, 80)
    found = np.abs(np.array([errors(count) for count in counts]))
    for name, column in zip(("order one", "2M", "midpoint"), found.T, strict=True):
        panel.loglog(counts, column, "o-", label=name)
    panel.minorticks_off()
    panel.set(xlabel="steps", ylabel="error", xticks=counts, xticklabels=counts)
    panel.legend()


def with_a_linear_network(derivation, x, start, h, r):
    """Adds to the lecture the code's midpoint and its sampler, compared with a network that is linear."""
    a_s, s_s = 1 / sqrt(1 + exp(-2 * start)), 1 / sqrt(1 + exp(2 * start))
    a_t, s_t = (weight.subs(start, start + h) for weight in (a_s, s_s))
    k, l = derivation.number("k", "the slope of a network in the point"), derivation.number("l", "... and in the level")  # noqa: E741
    point, level = Symbol("y"), Symbol("v")
    network = function_of(point, level, k * point + l * level)
    a_m, s_m = 1 / sqrt(1 + exp(-2 * start - h)), 1 / sqrt(1 + exp(2 * start + h))
    half = derivation.define("x_m", a_m / a_s * x - s_m * (exp(h / 2) - 1) * (k * x + l * start), "half a step with that network")
    derivation.bridge(
        "The code's midpoint, with a linear network",
        a_t / a_s * x - s_t * (exp(h) - 1) * (k * half + l * (start + h / 2)),
        singlestep_second_order_step,
        x=[[x]],
        lambda_from=[start],
        lambda_to=[start + h],
        denoise_fn=network,
        wrong={"the first level again": a_t / a_s * x - s_t * (exp(h) - 1) * (k * half + l * start)},
    )
    first = s_s * sqrt(1 + exp(2 * (start - r * h))) * x + a_s * (1 - exp(-r * h)) * (k * x + l * (start - r * h))
    first = derivation.define("x_1", first, r"the step of order one that ends at $\lambda_s$, from $x$ at $\lambda_s - r h$")
    second = (1 + 1 / (2 * r)) * (k * first + l * start) - (k * x + l * (start - r * h)) / (2 * r)
    derivation.bridge(
        "The code's sampler, with a linear network: a step of order one, and one of 2M",
        s_t / s_s * first + a_t * (1 - exp(-h)) * second,
        multistep_sample,
        x=[[x]],
        lambdas=[start - r * h, start, start + h],
        denoise_fn=network,
        lower_order_final=False,
        wrong={"order one at the end": s_t / s_s * first + a_t * (1 - exp(-h)) * (k * first + l * start)},
    )


def taylor_integrals(derivation, series, h, u):
    """Adds to the lecture the integrals of a series against the weights of both forms; returns both."""
    p, b, c = series
    by_data = derivation.define(
        "J", plus(times(p - b + c, 1 - exp(-h)), times(b - c, h), c * h**2 / 2), "the data form's integral"
    )
    by_noise = derivation.define(
        "I", plus(times(p + b + c, exp(h) - 1), -times(b + c, h), -c * h**2 / 2), "the noise form's integral"
    )
    derivation.chain(
        "In the data form a prediction with slope and curvature has a closed integral",
        Integral(exp(-(h - u)) * (p + b * u + c * u**2 / 2), (u, 0, h)),
        equals(by_data, "by parts, once and twice", wrong={"a mean for the weight": p * h + b * h**2 / 2 + c * h**3 / 6}),
        role="lemma",
    )
    derivation.chain(
        "... and in the noise form, too",
        Integral(exp(h - u) * (p + b * u + c * u**2 / 2), (u, 0, h)),
        equals(by_noise, "in the same way", wrong={"the data form's": by_data}),
        role="lemma",
        so=prose(
            "A prediction that is frozen at the start of the step has {slope} and {second}: the integrals are {data} and "
            "{noise}.",
            slope=where(b, 0),
            second=where(c, 0),
            data=holds(by_data, "=", p * (1 - exp(-h)), named=True),
            noise=holds(by_noise, "=", p * (exp(h) - 1), named=True),
        ),
    )
    return by_data, by_noise


def equal_steps(derivation):
    """Adds to the lecture that equal steps have the least sum of cubes."""
    i = derivation.index("i", "a step")
    lengths = derivation.numbers("h", i, r"the lengths of the steps in $\lambda$", "diff(lambdas)", positive=True)
    S = derivation.count(i, "S", "the number of steps", "len(lambdas) - 1")
    mean = derivation.define(r"\bar h", Total(i, lengths) / S, "their mean", positive=True)
    derivation.chain(
        "Equal steps have the least sum of cubes",
        Total(i, lengths**3),
        equals(
            plus(S * mean**3, Total(i, times((lengths - mean) ** 2, lengths + 2 * mean))),
            prose(
                "{cube}, and the middle terms add up to 0",
                cube=holds(
                    lengths**3,
                    "=",
                    plus(mean**3, times(3 * mean**2, lengths - mean), times((lengths - mean) ** 2, lengths + 2 * mean)),
                ),
            ),
        ),
        at_least(
            S * mean**3,
            prose(
                "leave out squares times positive numbers; equality where {equal} for every step",
                equal=where(lengths, lengths.at(0)),
            ),
            dropping=Total(i, times((lengths - mean) ** 2, lengths + 2 * mean)),
        ),
        role="remark",
        so=prose(
            "If the local error were $h^3$ times one constant, a grid that is uniform in $\\lambda$ would be best, with {sum}: "
            "over a given way it falls as $1/S^2$. The factor is not constant, so other grids may win (exercise 5).",
            sum=holds(S * mean**3, "=", Total(i, lengths) ** 3 / S**2),
        ),
    )

    # ---------------------------------------------------------------------------------------------------- numbers
