"""Variational divergence (lecture 3): an f-divergence as the best a critic can do, and what weaker critics still tell.

Local names: T is the critic, u = p/q the density ratio, T_opt = f'(u) the best critic, u_T = (f*)'(T) the ratio it stands for.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, log

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.foundations._generators import ALL, of_each, row_of
from theory_jax.foundations._wright import log_omega
from theory_jax.foundations.f_divergence import f_divergence, f_generator, f_generator_derivative
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate, fenchel_conjugate_derivative, output_activation
from theory_jax.foundations.jensen import log_mean_exp


def variational_lower_bound(critic_p, critic_q, *, divergence, alpha=None):
    r"""mean T(x_p) - mean f*(T(x_q)), from samples x_p of p and x_q of q; -inf where a T(x_q) lies outside the domain of f*.

    An unbiased estimate of E_p T - E_q f*(T) <= D_f(p || q): the reduction is inherent, and the sample sizes may differ.
    Raises ValueError for an empty sample critic_p or critic_q, an unknown divergence or an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, eq. 4.
    [N], [M] -> []
    """
    _require_samples(critic_p, critic_q)
    return critic_p.mean() - fenchel_conjugate(critic_q, divergence=divergence, alpha=alpha).mean()


def donsker_varadhan_bound(critic_p, critic_q):
    r"""mean T(x_p) - log mean e^T(x_q), from samples x_p of p and x_q of q: a lower bound on KL(p || q) in the limit, nats.

    The logarithm of a mean: biased upwards at every finite sample of q.  Raises ValueError for an empty sample critic_p or
    critic_q.  Source: Donsker & Varadhan 1983; Belghazi et al. 2018, eq. 10.
    [N], [M] -> []
    """
    _require_samples(critic_p, critic_q)
    return critic_p.mean() - log_mean_exp(critic_q[None])[0]


def exact_variational_bound(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k p_k T_k - q_k f*(T_k): E_p T - E_q f*(T) <= D_f(p || q) over a finite space; -inf where T leaves the domain of f*.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.  Source: Nowozin et al. 2016, eq. 4.
    [B, K], [B, K], [B, K] -> [B]
    """
    _require_game(log_probs_p, log_probs_q, critic)
    conjugate = fenchel_conjugate(critic, divergence=divergence, alpha=alpha)
    # Outside the domain a critic is not admissible, even where q has no mass to punish it: there 0 * inf counts as inf.
    admissible = conjugate < jnp.inf
    penalty = jnp.where(admissible, jnp.exp(log_probs_q) * jnp.where(admissible, conjugate, 0.0), jnp.inf)
    return jnp.sum(jnp.exp(log_probs_p) * critic - penalty, axis=-1)


def variational_gap(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k q_k [f*(T_k) - f*(T_opt_k) - u_k (T_k - T_opt_k)] = D_f(p || q) - bound >= 0, with u = p/q, T_opt = f'(u).

    What the critic leaves on the table: the Bregman divergence of f* from the best critic to this one, averaged under q. It is
    computed as the difference on the right (step 3 below is their equality), which needs no T_opt where u is 0 or infinite.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010, section II; Banerjee et al. 2005 for Bregman divergences.
    [B, K], [B, K], [B, K] -> [B]
    """
    row = {"divergence": divergence, "alpha": alpha}
    reached = exact_variational_bound(log_probs_p, log_probs_q, critic, **row)
    return f_divergence(log_probs_p, log_probs_q, **row) - reached


def log_ratio_from_critic(critic, *, divergence, alpha=None):
    r"""log (f*)'(T), the log-ratio log p/q for which the critic T would be the best one.

    -inf where T is below every slope of f (on the flat part of f*), +inf where it is above (outside the domain of f*).

    Raises ValueError for total_variation (whose best critic holds only the sign of p - q), for an unknown divergence or an
    alpha it does not take.  Source: Nguyen, Wainwright & Jordan 2010, section II (T_opt = f'(p/q), inverted).
    [B] -> [B]
    """
    require_rank(1, critic=critic)
    require(divergence != "total_variation", "divergence is total_variation; its critic tells the sign of p - q, not their ratio")
    row = row_of(_SLOPES, divergence, alpha)
    below, above = critic <= row.lowest, critic >= row.highest
    # The excluded values are replaced before the formula sees them, so that its NaN does not come back through the gradient.
    inside = jnp.where(below | above, row.at_one, critic)
    return jnp.where(below, -jnp.inf, jnp.where(above, jnp.inf, row.log_ratio(inside)))


def _require_samples(critic_p, critic_q):
    require_rank(1, critic_p=critic_p, critic_q=critic_q)
    for name, critic in (("critic_p", critic_p), ("critic_q", critic_q)):
        require(critic.shape[0] > 0, f"{name} is empty; a mean needs at least one sample")


def _require_game(log_probs_p, log_probs_q, critic):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, critic=critic)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


# ------------------------------------------------------------------------------------------- the slopes of f, inverted


@dataclass(frozen=True)
class _Slopes:
    """The slopes t = f'(u) that f takes on 0 < u < infinity, and the way back."""

    log_ratio: Callable  # log u of t
    at_one: float = 0.0  # f'(1)
    lowest: float = -inf  # f'(0)
    highest: float = inf  # f'(infinity)


def _alpha_slopes(alpha):
    edge = 1 / (1 - alpha)
    limits = {"highest": edge} if alpha < 1 else {"lowest": edge}
    return _Slopes(lambda t: jnp.log1p((alpha - 1) * t) / (alpha - 1), **limits)


_SLOPES = {
    "kl": _Slopes(lambda t: t - 1, at_one=1.0),
    "reverse_kl": _Slopes(lambda t: -jnp.log(-t), at_one=-1.0, highest=0.0),
    "pearson_chi_squared": _Slopes(lambda t: jnp.log1p(t / 2), lowest=-2.0),
    "neyman_chi_squared": _Slopes(lambda t: -jnp.log1p(-t) / 2, highest=1.0),
    "squared_hellinger": _Slopes(lambda t: -2 * jnp.log1p(-t), highest=1.0),
    "jeffreys": _Slopes(lambda t: -log_omega(-t)),
    # e^2t / (2 - e^2t), with 2 - e^2t = 1 - (e^2t - 1) for the sake of t near 0, where the ratio is near 1.
    "jensen_shannon": _Slopes(lambda t: 2 * t - jnp.log1p(-jnp.expm1(2 * t)), highest=log(2) / 2),
    "gan": _Slopes(lambda t: t - jnp.log(-jnp.expm1(t)), at_one=-log(2), highest=0.0),
    "alpha": _alpha_slopes,
}


derivation = Derivation(
    title="An f-divergence is what the best critic earns",
    lectures=(3,),
    sources=(
        "Nguyen, Wainwright & Jordan 2010, Estimating divergence functionals by convex risk minimization",
        "Nowozin, Cseke & Tomioka 2016, eqs. 4-5",
        "Donsker & Varadhan 1983; Belghazi et al. 2018 (MINE); Poole et al. 2019",
    ),
)

_random = np.random.default_rng(3)
_log_p, _log_q = (jax.nn.log_softmax(jnp.array(_random.normal(size=(40, 5)))) for _ in range(2))
_raw = jnp.array(_random.normal(size=(40, 5)))  # what a network puts out; the output map makes it an admissible critic


def _critic(raw, divergence, alpha=None):
    return output_activation(raw.ravel(), divergence=divergence, alpha=alpha).reshape(raw.shape)


def _best_critic(log_p, log_q, divergence, alpha=None):
    return f_generator_derivative((log_p - log_q).ravel(), divergence=divergence, alpha=alpha).reshape(log_p.shape)


def _over_generators(function):
    """function(divergence=..., alpha=...) for the twelve generators, stacked."""
    return of_each(function, ALL)


@derivation.bound(
    r"D_f(p \,\|\, q) = \sum_k q_k \sup_t\,\bigl(t\,\tfrac{p_k}{q_k} - f^*(t)\bigr) \ \ge\ E_p T - E_q f^*(T)"
    r" \quad\text{for every}\quad T: \mathcal{X} \to \mathrm{dom} f^*",
    because="f is convex and closed, so f = f**: at every point it is the highest of its supporting lines, t u - f*(t). Naming "
    "one slope T(x) for each x can only fall short of the highest line. p and q now stand in expectations alone, where samples "
    "can take their place. The constant critic f'(1) is tight where p = q.",
)
def every_critic_gives_a_lower_bound():
    bounds = _over_generators(lambda **row: exact_variational_bound(_log_p, _log_q, _critic(_raw, **row), **row))
    divergences = _over_generators(lambda **row: f_divergence(_log_p, _log_q, **row))
    constant = _over_generators(lambda **row: exact_variational_bound(_log_p, _log_p, _best_critic(_log_p, _log_p, **row), **row))
    at_one = _over_generators(lambda **row: jnp.tile(f_generator(jnp.zeros(1), **row), 40))
    return bounds, divergences, (constant, at_one)


@derivation.exact(
    r"E_p T^\circ - E_q f^*(T^\circ) = D_f(p \,\|\, q), \qquad T^\circ = f'(p/q)",
    because="The line that touches f at u = p/q has the slope f'(u): there the supremum over t is attained, for all points at "
    "once.",
)
def the_slope_at_the_ratio_is_the_best_critic():
    tight = _over_generators(lambda **row: exact_variational_bound(_log_p, _log_q, _best_critic(_log_p, _log_q, **row), **row))
    return tight, _over_generators(lambda **row: f_divergence(_log_p, _log_q, **row))


@derivation.exact(
    r"D_f(p\,\|\,q) - \bigl(E_p T - E_q f^*(T)\bigr) = E_q\bigl[f^*(T) - f^*(T^\circ) - \tfrac{p}{q}(T - T^\circ)\bigr]",
    because="Subtract the two bounds and write E_p as E_q p/q. Since p/q = (f*)'(T_opt), the bracket is the Bregman divergence "
    "of f* between T and T_opt: how far f* rises above its own tangent, never below.",
)
def the_gap_is_a_bregman_divergence():
    def bregman(divergence, alpha):
        row = {"divergence": divergence, "alpha": alpha}
        critic, best = _critic(_raw, **row), _best_critic(_log_p, _log_q, **row)
        rise = (fenchel_conjugate(critic.ravel(), **row) - fenchel_conjugate(best.ravel(), **row)).reshape(critic.shape)
        return jnp.sum(jnp.exp(_log_q) * rise - jnp.exp(_log_p) * (critic - best), axis=-1)

    gaps = _over_generators(lambda **row: variational_gap(_log_p, _log_q, _critic(_raw, **row), **row))
    return gaps, _over_generators(bregman)


@derivation.autodiff(
    r"\frac{d^2}{d\varepsilon^2}\,\mathrm{gap}(T^\circ + \varepsilon h)\Big|_{\varepsilon = 0}"
    r" = E_q\Bigl[\frac{h^2}{f''(p/q)}\Bigr]",
    because="At T_opt the gap is zero and so is its slope; what is left is quadratic, with the curvature (f*)'' = 1/f'' of the "
    "inverse function. A critic that is off by epsilon costs the bound epsilon squared. (f'' = 1/u for kl, 1/(u(1+u)) for gan, "
    "u^(-3/2)/2 for squared Hellinger.)",
)
def a_small_error_of_the_critic_costs_its_square():
    u = jnp.exp(_log_p - _log_q)
    curvatures = {"kl": 1 / u, "gan": 1 / (u * (1 + u)), "squared_hellinger": u**-1.5 / 2}

    def second_derivative(divergence):
        best = _best_critic(_log_p, _log_q, divergence)
        along = partial(_gap_along, best, divergence)
        return jax.jacfwd(jax.jacfwd(along))(0.0)

    formula = jnp.stack([jnp.sum(jnp.exp(_log_q) * _raw**2 / curvature, axis=-1) for curvature in curvatures.values()])
    return jnp.stack([second_derivative(divergence) for divergence in curvatures]), formula


def _gap_along(best, divergence, epsilon):
    return variational_gap(_log_p, _log_q, best + epsilon * _raw, divergence=divergence)


@derivation.autodiff(
    r"\frac{\partial}{\partial T(x)}\bigl(E_p T - E_q f^*(T)\bigr) = p(x) - q(x)\,(f^*)'(T(x)), \quad\text{zero at}\quad T^\circ",
    because="The critic climbs where data outweighs the model as it sees it, and falls where the model does. It rests exactly "
    "where (f*)'(T) = p/q, that is where T = f'(p/q): gradient ascent on the bound looks for the density ratio.",
)
def the_critic_climbs_towards_the_ratio():
    left, right = [], []
    for divergence in ("kl", "gan", "squared_hellinger"):
        gradient = jax.grad(lambda critic, d=divergence: exact_variational_bound(_log_p, _log_q, critic, divergence=d).sum())
        critic, best = _critic(_raw, divergence), _best_critic(_log_p, _log_q, divergence)
        ratio = fenchel_conjugate_derivative(critic.ravel(), divergence=divergence).reshape(critic.shape)
        left += [gradient(critic), gradient(best)]
        right += [jnp.exp(_log_p) - jnp.exp(_log_q) * ratio, jnp.zeros_like(best)]
    return jnp.stack(left), jnp.stack(right)


@derivation.exact(
    r"\sup_{c \in \mathbb{R}}\ c - f^*(c) = f(1), \quad\text{attained at}\quad c = f'(1)",
    because="A poor class of critics gives a poor bound. Constants see nothing of where p and q differ: the best they reach is "
    "f**(1) = f(1), what equal distributions would have, whatever p and q are.",
)
def constant_critics_see_nothing():
    def constant(**row):
        slope = f_generator_derivative(jnp.zeros(1), **row)
        return exact_variational_bound(_log_p, _log_q, jnp.broadcast_to(slope, _log_p.shape), **row)

    return _over_generators(constant), _over_generators(lambda **row: jnp.tile(f_generator(jnp.zeros(1), **row), 40))


@derivation.bound(
    r"c - f^*(c) \le f(1) \quad\text{for every}\quad c",
    because="It is Fenchel-Young at u = 1, tight at the slope f'(1) (and, for total variation with its kink, at every slope "
    "between -1/2 and 1/2): no other constant does better.",
)
def no_other_constant_does_better():
    raw = jnp.linspace(-4.0, 4.0, 40)[:, None] * jnp.ones(5)
    elsewhere = _over_generators(lambda **row: exact_variational_bound(_log_p, _log_q, _critic(raw, **row), **row))
    at_one = _over_generators(lambda **row: jnp.tile(f_generator(jnp.zeros(1), **row), 40))
    slope = f_generator_derivative(jnp.zeros(1), divergence="jensen_shannon")
    at_slope = exact_variational_bound(_log_p, _log_q, jnp.broadcast_to(slope, _log_p.shape), divergence="jensen_shannon")
    return elsewhere, at_one, (at_slope, jnp.zeros(40))


@derivation.numeric(
    r"\sup_c\ E_p(T + c) - E_q e^{T + c - 1} = E_p T - \log E_q e^T",
    because="For kl, f*(t) = e^(t-1). The shift enters as c - e^(c-1) E_q e^T, whose derivative vanishes at c = 1 - log E_q "
    "e^T; put back, the exponential becomes 1 and the 1 cancels. The bound of Donsker and Varadhan is the bound of Nguyen, "
    "Wainwright and Jordan (NWJ) with the best shift already made, so it does not care about the critic's own.",
)
def the_best_shift_gives_donsker_varadhan():
    critic_p, critic_q = _raw[:7, 0], _raw[:, 1]

    def shifted(c):
        return -float(variational_lower_bound(critic_p + c, critic_q + c, divergence="kl"))

    best = minimize_scalar(shifted, bracket=(-1.0, 2.0), tol=1e-10)
    return -best.fun, donsker_varadhan_bound(critic_p, critic_q)


@derivation.bound(
    r"E_p T - E_q e^{T-1} \ \le\ E_p T - \log E_q e^T \ \le\ \mathrm{KL}(p \,\|\, q)",
    because="The first: any shift is at most the best shift. The second: the best-shifted critic is a critic, and every critic "
    "is below KL. Both are tight at T = 1 + log p/q.",
)
def three_bounds_in_order():
    def both(critic):
        nwj = exact_variational_bound(_log_p, _log_q, critic, divergence="kl")
        dv = jnp.sum(jnp.exp(_log_p) * critic, axis=-1) - jax.nn.logsumexp(_log_q + critic, axis=-1)
        return nwj, dv

    kl = f_divergence(_log_p, _log_q, divergence="kl")
    (nwj, dv), tight = both(_raw), both(_best_critic(_log_p, _log_q, "kl"))
    return jnp.stack([nwj, dv]), jnp.stack([dv, kl]), (jnp.stack(tight), jnp.stack([kl, kl]))


@derivation.exact(
    r"\log\,(f^*)'(T^\circ) = \log\frac{p}{q}",
    because="(f*)' is the inverse function of f', so the best critic carries the density ratio whichever divergence trained "
    "it. Total variation is the exception: f' takes only the values +-1/2, and what is left of the ratio is whether it exceeds "
    "1.",
)
def the_critic_is_a_density_ratio_estimator():
    left = [
        log_ratio_from_critic(_best_critic(_log_p, _log_q, divergence, alpha).ravel(), divergence=divergence, alpha=alpha)
        for divergence, alpha in ALL
        if divergence != "total_variation"
    ]
    return jnp.stack(left), jnp.tile((_log_p - _log_q).ravel(), (11, 1))


def _over_minibatches(estimate, critic):
    """The expectation of estimate(critic at 1 point of p, critic at 3 points of q) over all 5 x 5^3 draws."""
    draws = jnp.array(list(itertools.product(range(5), repeat=4)))
    log_weights = _log_p[0][draws[:, 0]] + _log_q[0][draws[:, 1:]].sum(axis=1)
    return jnp.exp(log_weights) @ jax.vmap(lambda draw: estimate(critic[draw[:1]], critic[draw[1:]]))(draws)


@derivation.exact(
    r"E\Bigl[\tfrac{1}{N}\sum_i T(x_i) - \tfrac{1}{M}\sum_j e^{T(y_j) - 1}\Bigr] = E_p T - E_q e^{T-1}",
    because="The estimate from a minibatch is linear in the two empirical distributions, so its expectation is the bound "
    "itself: an honest number, and an honest gradient, at any batch size.",
)
def minibatches_do_not_bias_nwj():
    expected = _over_minibatches(partial(variational_lower_bound, divergence="kl"), _raw[0])
    return expected, exact_variational_bound(_log_p[:1], _log_q[:1], _raw[:1], divergence="kl")[0]


@derivation.bound(
    r"E\Bigl[\tfrac{1}{N}\sum_i T(x_i) - \log\tfrac{1}{M}\sum_j e^{T(y_j)}\Bigr] \ \ge\ E_p T - \log E_q e^T",
    because="The logarithm is concave: the mean of the logs is below the log of the mean (Jensen), and the estimate subtracts "
    "it. With the best critic the right side is KL(p || q) itself, so the average Donsker-Varadhan estimate exceeds the "
    "divergence it is said to bound from below. Only a constant critic has nothing to be biased about.",
)
def minibatches_bias_donsker_varadhan_upwards():
    best = (_log_p - _log_q)[0]
    kl = f_divergence(_log_p[:1], _log_q[:1], divergence="kl")[0]
    constant = _over_minibatches(donsker_varadhan_bound, jnp.full(5, 0.8))
    return kl, _over_minibatches(donsker_varadhan_bound, best), (constant, jnp.zeros(()))


if __name__ == "__main__":
    derivation.main()
