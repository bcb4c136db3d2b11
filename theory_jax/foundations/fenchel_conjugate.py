"""Convex conjugates of the generators: f*(t) = sup_{u >= 0} (u t - f(u)), and the maps of a network's output into dom f*.

u is the density ratio, t the value of a critic. The generators themselves are rows of `f_divergence`; here stand their
conjugates, on the domain whose upper end is f'(infinity).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log

import jax
import jax.numpy as jnp
import sympy
from jax.nn import softplus

from theory_jax.arguments import require, require_rank
from theory_jax.derivation import Derivation
from theory_jax.elementary import expm1, log1p
from theory_jax.foundations._generators import ALL, ALPHA, FORMULAS, GENERATORS, SMOOTH, U, log_twice_sigmoid, of_each, row_of
from theory_jax.foundations._wright import log_omega
from theory_jax.foundations.f_divergence import f_generator, f_generator_derivative


def fenchel_conjugate(t, *, divergence, alpha=None):
    r"""f*(t) = sup over u >= 0 of u t - f(u), for the generator f of the named divergence; +inf outside dom f*.

    The supremum is over u >= 0, so that f* = -f(0) for all t below f'(0). Outside dom f* the gradient is 0.

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Hiriart-Urruty & Lemarechal 2001, part E; Nowozin, Cseke & Tomioka 2016, table 5 (there without the flat parts).
    [...] -> [...]
    """
    row, edge = _conjugate_and_edge(divergence, alpha)
    t = jnp.asarray(t)
    inside = t < edge
    value = row.conjugate(jnp.where(inside, t, -1.0))  # -1 is inside every domain
    return jnp.where(inside, value, jnp.where(t == edge, row.at_edge, jnp.where(t > edge, inf, t)))


def fenchel_conjugate_derivative(t, *, divergence, alpha=None):
    r"""u*(t) = (f*)'(t) >= 0, the ratio u at which u t - f(u) is largest; +inf where no finite u is.

    For total_variation every u of [0, 1] does at t = -1/2, every u >= 1 at t = 1/2: the answer is 1 at both.

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, section 2.2.
    [...] -> [...]
    """
    row, edge = _conjugate_and_edge(divergence, alpha)
    t = jnp.asarray(t)
    inside = t < edge
    value = row.maximizer(jnp.where(inside, t, -1.0))
    return jnp.where(inside, value, jnp.where(t == edge, row.maximizer_at_edge, jnp.where(t > edge, inf, t)))


def output_activation(v, *, divergence, alpha=None):
    r"""g_f(v): a non-decreasing map of the real line into dom f*, the last layer of a critic.

    total_variation tanh(v)/2; kl, pearson_chi_squared, jeffreys and alpha > 1: v; reverse_kl -e^-v;
    neyman_chi_squared and squared_hellinger 1 - e^-v; jensen_shannon [log 2 - softplus(-v)]/2; gan -softplus(-v);
    alpha < 1: 1/(1-alpha) - softplus(-v).

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, table 2.
    [...] -> [...]
    """
    return row_of(_CONJUGATES, divergence, alpha).activation(jnp.asarray(v))


def wright_omega(x):
    r"""The omega > 0 with omega + log omega = x, that is W(e^x) with Lambert's W.

    Source: Corless & Jeffrey 2002.
    [...] -> [...]
    """
    x = jnp.asarray(x)
    log_w = log_omega(x - 1)
    # Above 1, x - log omega has the smaller relative error; below, its terms would cancel.
    return jnp.where(x > 1, x - log_w, jnp.exp(log_w))


def discrete_legendre_transform(slopes, points, values):
    r"""max_n (slope points_n - values_n): the conjugate of the function that has these values at these points, +inf elsewhere.

    Raises ValueError if an argument has not one axis, if there is no point, or if points and values differ in length.
    Source: Lucet 1997.
    [B], [N], [N] -> [B]
    """
    require_rank(1, slopes=slopes, points=points, values=values)
    count, given = jnp.shape(points)[0], jnp.shape(values)[0]
    require(count > 0, "points has length 0; it must have at least one point")
    require(given == count, f"values has length {given}; it must have one for each of the {count} points")
    return jnp.max(jnp.asarray(slopes)[:, None] * jnp.asarray(points) - jnp.asarray(values), axis=1)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Conjugate:
    """A divergence on the side of its conjugate; `conjugate` and `maximizer` hold for t < f'(infinity), the edge of dom f*."""

    conjugate: Callable  # f*(t)
    maximizer: Callable  # u*(t), where f'(u) = t
    activation: Callable  # g_f(v)
    at_edge: float = inf  # f*(f'(infinity)), finite if the domain is closed
    maximizer_at_edge: float = inf


def _conjugate_and_edge(divergence, alpha):
    return row_of(_CONJUGATES, divergence, alpha), row_of(GENERATORS, divergence, alpha).slope_at_infinity


def _half_tanh(v):
    """tanh(v)/2; the derivative of jnp.tanh is 1 - tanh^2, in which small slopes cancel."""
    m = jnp.where(v < 0, -v, v)
    return jnp.where(v < 0, 0.5, -0.5) * expm1(-2 * m) / (1 + jnp.exp(-2 * m))


def _jeffreys_conjugate(t):
    log_u = -log_omega(-t)  # f'(u) = log u + 1 - 1/u = t
    return expm1(log_u) + log_u


def _gan_maximizer(t):
    return jnp.exp(t) / -expm1(t)


def _alpha_conjugate(alpha):
    def log_maximizer(t):
        """log u*, and where there is one: for alpha > 1, s = 1 + (alpha-1) t falls to 0 at f'(0), below which u* = 0."""
        rises = (alpha - 1) * t > -1
        return log1p((alpha - 1) * jnp.where(rises, t, 0.0)) / (alpha - 1), rises

    def conjugate(t):
        log_u, rises = log_maximizer(t)
        return jnp.where(rises, expm1(alpha * log_u), -1.0) / alpha

    def maximizer(t):
        log_u, rises = log_maximizer(t)
        return jnp.where(rises, jnp.exp(log_u), 0.0)

    return _Conjugate(
        conjugate,
        maximizer,
        (lambda v: v) if alpha > 1 else (lambda v: 1 / (1 - alpha) - softplus(-v)),
        at_edge=-1 / alpha if alpha < 0 else inf,
    )


_CONJUGATES = {
    "total_variation": _Conjugate(
        lambda t: jnp.where(t < -0.5, -0.5, t),
        lambda t: jnp.where(t < -0.5, 0.0, jnp.ones_like(t)),
        _half_tanh,
        at_edge=0.5,
        maximizer_at_edge=1.0,
    ),
    "kl": _Conjugate(lambda t: jnp.exp(t - 1), lambda t: jnp.exp(t - 1), lambda v: v),
    "reverse_kl": _Conjugate(lambda t: -1 - jnp.log(-t), lambda t: -1 / t, lambda v: -jnp.exp(-v)),
    "pearson_chi_squared": _Conjugate(
        lambda t: jnp.where(t < -2, -1.0, t * (1 + t / 4)), lambda t: jnp.where(t < -2, 0.0, 1 + t / 2), lambda v: v
    ),
    "neyman_chi_squared": _Conjugate(
        lambda t: 2 * t / (1 + jnp.sqrt(1 - t)),  # 2 - 2 sqrt(1-t) without its cancellation at 0
        lambda t: 1 / jnp.sqrt(1 - t),
        lambda v: -expm1(-v),
        at_edge=2.0,
    ),
    "squared_hellinger": _Conjugate(lambda t: expm1(-log1p(-t)), lambda t: 1 / (1 - t) ** 2, lambda v: -expm1(-v)),
    "jeffreys": _Conjugate(_jeffreys_conjugate, lambda t: jnp.exp(-log_omega(-t)), lambda v: v),
    "jensen_shannon": _Conjugate(
        lambda t: -log1p(-expm1(2 * t)) / 2,
        lambda t: _gan_maximizer(2 * t - log(2)),
        lambda v: log_twice_sigmoid(v) / 2,
    ),
    # log(1 + u*) is -log(1 - e^t), exact both where e^t is tiny and where it is nearly one.
    "gan": _Conjugate(lambda t: jnp.log1p(_gan_maximizer(t)), _gan_maximizer, lambda v: -softplus(-v)),
    "alpha": _alpha_conjugate,
}


# ------------------------------------------------------------------------------------------- the argument

derivation = Derivation(
    title="The conjugate of a generator: a critic in place of a density ratio",
    lectures=(2, 3),
    sources=(
        "Hiriart-Urruty & Lemarechal 2001, Fundamentals of Convex Analysis, part E",
        "Nowozin, Cseke & Tomioka 2016, f-GAN, tables 2 and 5",
        "Corless, Gonnet, Hare, Jeffrey & Knuth 1996, On the Lambert W function",
    ),
)

_log_u = jnp.array([-2.8, -1.2, -0.3, 0.2, 0.7, 1.9])
_t = sympy.symbols("t", real=True)
_CLOSED_FORMS = {
    "kl": sympy.exp(_t - 1),
    "reverse_kl": -1 - sympy.log(-_t),
    "pearson_chi_squared": _t**2 / 4 + _t,
    "neyman_chi_squared": 2 - 2 * sympy.sqrt(1 - _t),
    "squared_hellinger": _t / (1 - _t),
    "jensen_shannon": -sympy.log(2 - sympy.exp(2 * _t)) / 2,
    "gan": -sympy.log(1 - sympy.exp(_t)),
    "alpha": ((1 + (ALPHA - 1) * _t) ** (ALPHA / (ALPHA - 1)) - 1) / ALPHA,
}
_BOUNDED = [row for row in ALL if row_of(GENERATORS, *row).slope_at_infinity < inf]


def _edges():
    """The upper ends of the domains that have one."""
    return jnp.array([row_of(GENERATORS, *row).slope_at_infinity for row in _BOUNDED])[:, None]


def _slopes():
    """t = f'(u) at u = e^_log_u, a row for every smooth divergence."""
    return of_each(f_generator_derivative, SMOOTH, _log_u)


def _at_each(function, slopes, rows=SMOOTH):
    """The function of each divergence at its own slopes."""
    return jnp.stack([function(t, divergence=name, alpha=alpha) for t, (name, alpha) in zip(slopes, rows, strict=True)])


@derivation.symbolic(
    r"f^*(f'(u)) = u f'(u) - f(u)",
    because="u t - f(u) is concave in u: where its derivative t - f'(u) vanishes, it is largest. Put t = f'(u) into each closed "
    "form of the table (Jeffreys' follows below, with Wright's function) and compare with u t - f(u).",
)
def the_closed_forms_solve_the_stationary_equation():
    left, right = [], []
    for name, conjugate in _CLOSED_FORMS.items():
        slope = sympy.simplify(sympy.diff(FORMULAS[name], U))
        left.append(sympy.simplify(conjugate.subs(_t, slope)))
        right.append(sympy.simplify(U * slope - FORMULAS[name]))
    return [sympy.expand_log(sympy.factor(side), force=True) for side in left], [sympy.expand_log(side) for side in right]


@derivation.numeric(
    r"f^*(t) = u\,t - f(u),\quad u^*(t) = u \quad\text{at}\quad t = f'(u)",
    because="The same statement about the code, for every row: what it returns at t = f'(u) is the value at the stationary u, "
    "and its maximizer is that u.",
)
def the_code_returns_the_value_at_the_maximizer():
    slopes, u = _slopes(), jnp.exp(_log_u)
    value = u * slopes - of_each(f_generator, SMOOTH, _log_u)
    left = jnp.stack([_at_each(fenchel_conjugate, slopes), _at_each(fenchel_conjugate_derivative, slopes)])
    return left, jnp.stack([value, jnp.broadcast_to(u, value.shape)])


@derivation.numeric(
    r"f^*(t) = \max\left(-f(0),\ \max_{u > 0}\, u t - f(u)\right)",
    because="The supremum over u >= 0, taken by brute force: two hundred thousand ratios from e^-12 to e^12, and the boundary "
    "u = 0. Slopes far below f'(0) are among those tried.",
    tolerance=1e-7,
    since="the ratios of the grid are 1.2e-4 apart in their logarithm; a maximum is missed by the square of that",
)
def brute_force_finds_the_same_maximum():
    log_u = jnp.linspace(-12.0, 12.0, 200_001)
    slopes = jnp.array([-4.0, -2.5, -1.5, -0.7, -0.4, -0.05])

    def brute(t, *, divergence, alpha):
        inside = discrete_legendre_transform(t, jnp.exp(log_u), f_generator(log_u, divergence=divergence, alpha=alpha))
        return jnp.maximum(inside, -row_of(GENERATORS, divergence, alpha).at_zero)

    return of_each(fenchel_conjugate, ALL, slopes), of_each(brute, ALL, slopes)


@derivation.bound(
    r"u\,t \le f(u) + f^*(t) \quad\text{with equality iff}\quad t = f'(u)",
    because="f*(t) is the largest of all u t - f(u), so no single one exceeds it (Fenchel and Young). Equality holds where u is "
    "the maximizer. Every critic value t gives a lower bound on f(u): this is what lecture 3 builds on.",
)
def fenchel_and_young():
    tried = jnp.linspace(-3.0, 3.0, 7)
    inside = jnp.isfinite(of_each(fenchel_conjugate, ALL, tried))
    slopes = jnp.where(inside, tried, -1.0)  # outside the domain the bound reads u t <= infinity
    products = jnp.exp(_log_u)[:, None, None] * slopes
    generators = of_each(f_generator, ALL, _log_u).T[:, :, None]
    tight = _slopes()
    equal = of_each(f_generator, SMOOTH, _log_u) + _at_each(fenchel_conjugate, tight)
    return products, generators + _at_each(fenchel_conjugate, slopes, ALL), (jnp.exp(_log_u) * tight, equal)


@derivation.autodiff(
    r"(f^*)' = (f')^{-1}",
    because="Differentiate f*(t) = u*(t) t - f(u*(t)): the terms with du*/dt cancel, because t = f'(u*). What remains is u*. "
    "The slope of the conjugate at the critic's value is the density ratio.",
)
def the_slope_of_the_conjugate_is_the_density_ratio():
    def slope(t, *, divergence, alpha):
        return jax.jit(jax.grad(lambda t: fenchel_conjugate(t, divergence=divergence, alpha=alpha).sum()))(t)

    slopes = _slopes()
    return _at_each(slope, slopes), jnp.broadcast_to(jnp.exp(_log_u), slopes.shape)


@derivation.numeric(
    r"\frac{f^*(t + h) - f^*(t - h)}{2h} \approx u \quad\text{at}\quad t = f'(u)",
    because="The same slope by central differences, which know nothing of how the conjugate is written.",
    tolerance=1e-8,
    since="central differences have an error of order h^2, with h = 1e-6 of the distance to the end of the domain",
)
def central_differences_see_the_density_ratio():
    slopes = _slopes()
    edges = jnp.array([row_of(GENERATORS, *row).slope_at_infinity for row in SMOOTH])[:, None]
    h = 1e-6 * jnp.minimum(1.0, edges - slopes)
    quotient = (_at_each(fenchel_conjugate, slopes + h) - _at_each(fenchel_conjugate, slopes - h)) / (2 * h)
    return quotient, jnp.broadcast_to(jnp.exp(_log_u), slopes.shape)


@derivation.numeric(
    r"f^{**} = f",
    because="A closed convex function is the upper envelope of its tangents, and f** is that envelope: the largest t u - f*(t) "
    "at u is the tangent at u itself. Nothing is lost in passing to the conjugate.",
)
def transforming_twice_returns_a_convex_function():
    u, values = jnp.exp(_log_u), of_each(f_generator, SMOOTH, _log_u)
    pairs = zip(_slopes(), values, strict=True)
    twice = [discrete_legendre_transform(u, t, discrete_legendre_transform(t, u, f)) for t, f in pairs]
    return jnp.stack(twice), values


@derivation.numeric(
    r"f^{**} = \mathrm{conv}\, f",
    because="For a function that is not convex, the envelope of the tangents from below is its convex hull: (x^2 - 1)^2 loses "
    "its hump between -1 and 1, where the hull is flat.",
)
def transforming_twice_makes_the_convex_hull():
    x = jnp.linspace(-2.0, 2.0, 81)
    outside = jnp.abs(x) >= 1
    values = (x**2 - 1) ** 2
    slopes = jnp.where(outside, 4 * x * (x**2 - 1), 0.0)
    once = discrete_legendre_transform(slopes, x, values)
    return discrete_legendre_transform(x, slopes, once), jnp.where(outside, values, 0.0)


@derivation.numeric(
    r"f^*(t) = -f(0) \quad\text{for}\quad t \le f'(0)",
    because="Below the slope at u = 0, u t - f(u) falls from the start: the best ratio is u = 0. Tables that drop the constraint "
    "u >= 0 let Pearson's parabola rise again there. Checked at f'(0), which is -2 for Pearson and -1/2 for total variation and "
    "alpha = 3, and to either side of it.",
    tolerance=1e-8,
    since="the points lie 1e-9 to either side",
)
def below_the_first_slope_the_conjugate_is_flat():
    rows = [("pearson_chi_squared", None, -2.0), ("total_variation", None, -0.5), ("alpha", 3.0, -0.5)]
    around = jnp.array([-1.0, -1e-9, 0.0, 1e-9])
    values = [fenchel_conjugate(first + around, divergence=name, alpha=alpha) for name, alpha, first in rows]
    floors = [-row_of(GENERATORS, name, alpha).at_zero for name, alpha, _ in rows]
    return jnp.stack(values), jnp.tile(jnp.array(floors)[:, None], (1, 4))


@derivation.numeric(
    r"\sup\,\mathrm{dom}\, f^* = f'(\infty) = \lim_{u \to \infty} f(u)/u",
    because="u t - f(u) stays bounded as u grows only if t does not exceed the slope with which f finally grows. Measured at "
    "u = e^700, for the divergences where that slope is finite.",
)
def the_domain_ends_at_the_last_slope():
    return of_each(f_generator_derivative, _BOUNDED, jnp.array([700.0])), _edges()


@derivation.exact(
    r"f^*(t) = \infty \quad\text{for}\quad t > f'(\infty)",
    because="One billionth above the edge the supremum is infinite; one billionth below, it is not. A critic must not leave the "
    "domain: there its bound says nothing.",
)
def beyond_the_domain_the_conjugate_is_infinite():
    values = _at_each(fenchel_conjugate, _edges() + jnp.array([-1e-9, 1e-9]), _BOUNDED)
    return jnp.where(jnp.isfinite(values), 0.0, values), jnp.tile(jnp.array([0.0, inf]), (len(_BOUNDED), 1))


@derivation.numeric(
    r"\omega + \log\omega = 1 - t,\ u = 1/\omega \ \Rightarrow\ f'(u) = t \quad(\text{Jeffreys})",
    because="With omega = 1/u the equation log u + 1 - 1/u = t reads omega + log omega = 1 - t: its solution is Wright's omega "
    "function at 1 - t, which is W(e^{1-t}) without the overflow.",
)
def jeffreys_is_solved_by_wrights_function():
    x = jnp.linspace(-5.0, 20.0, 26)
    omega = wright_omega(x)
    slope = f_generator_derivative(-jnp.log(omega), divergence="jeffreys")
    return jnp.stack([omega + jnp.log(omega), slope]), jnp.stack([x, 1 - x])


@derivation.numeric(
    r"\omega'(x) = \frac{\omega}{1 + \omega}",
    because="Differentiate omega + log omega = x: omega' (1 + 1/omega) = 1. The code returns this instead of differentiating its "
    "iteration; central differences of its values agree.",
    tolerance=1e-8,
    since="central differences with h = 1e-5 have an error of order h^2 = 1e-10, and rounding adds u/h = 1e-11 times omega",
)
def wrights_function_has_a_simple_slope():
    x, h = jnp.linspace(-5.0, 20.0, 26), 1e-5
    omega = wright_omega(x)
    return (wright_omega(x + h) - wright_omega(x - h)) / (2 * h), omega / (1 + omega)


@derivation.symbolic(
    r"f^*(t) = \omega + \tfrac1\omega + t - 2 = u t - f(u) \quad(\text{Jeffreys})",
    because="Insert u = 1/omega and t = 1 - omega - log omega: the products u omega = 1 and the logarithms cancel.",
)
def the_conjugate_of_jeffreys():
    omega = 1 / U
    t = 1 - omega - sympy.log(omega)
    return sympy.expand_log(omega + 1 / omega + t - 2), sympy.expand(sympy.expand_log(U * t - FORMULAS["jeffreys"]))


@derivation.bound(
    r"g_f(v) \in \mathrm{dom}\, f^*",
    because="Each output map ends where the domain ends: squashed below f'(infinity) by e^-v or softplus(-v), or the identity "
    "where every t is allowed. It comes as close to the edge as one likes, so nothing of the domain is lost.",
)
def every_output_is_in_the_domain():
    outputs = of_each(output_activation, _BOUNDED, jnp.linspace(-15.0, 15.0, 61))
    far = of_each(output_activation, _BOUNDED, jnp.array([40.0]))
    return outputs, jnp.tile(_edges(), (1, 61)), (far, _edges())


@derivation.bound(
    r"v \le w \ \Rightarrow\ g_f(v) \le g_f(w)",
    because="Each map is a composition of increasing functions: a larger output of the network always means a larger ratio. "
    "Only the pair v = w gives equal outputs.",
)
def output_maps_do_not_decrease():
    v = jnp.linspace(-15.0, 15.0, 61)
    outputs = of_each(output_activation, ALL, v)
    again = of_each(output_activation, ALL, v[::-1])[:, ::-1]
    return outputs[:, :-1], outputs[:, 1:], (outputs, again)


if __name__ == "__main__":
    derivation.main()
