"""f-divergences: one convex function of the density ratio, one measure of the distance between two distributions.

Throughout, u = p/q is the ratio, l = log u its logarithm, f the generator and D_f(p || q) = sum_k q_k f(p_k / q_k).
"""

from math import inf, log

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.draws import disjoint_distributions
from theory_jax.foundations._generators import ALL, ALPHA, FORMULAS, GENERATORS, SMOOTH, U, of_each, row_of


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [...] -> [...]
    """
    return row_of(GENERATORS, divergence, alpha).generator(jnp.asarray(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [...] -> [...]
    """
    return row_of(GENERATORS, divergence, alpha).derivative(jnp.asarray(log_ratio))


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row of log_probs_p or log_probs_q does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = row_of(GENERATORS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    log_probs_p, log_probs_q = jnp.asarray(log_probs_p), jnp.asarray(log_probs_q)
    # q f(p/q) = p f*(q/p) with the adjoint generator f*(u) = u f(1/u) (step 4 below): whichever of the two ratios is at most
    # one is used, so that a ratio of 1e60 never meets a probability of 1e-60.
    adjoint = row_of(GENERATORS, *_adjoint_of(divergence, alpha))
    p_is_zero, q_is_zero = log_probs_p == -inf, log_probs_q == -inf
    inside = ~p_is_zero & ~q_is_zero
    log_p, log_q = jnp.where(inside, log_probs_p, 0.0), jnp.where(inside, log_probs_q, 0.0)
    q_is_larger = log_p <= log_q
    from_q = jnp.exp(log_q) * row.generator(jnp.where(q_is_larger, log_p - log_q, 0.0))
    from_p = jnp.exp(log_p) * adjoint.generator(jnp.where(q_is_larger, 0.0, log_q - log_p))
    terms = jnp.where(inside, jnp.where(q_is_larger, from_q, from_p), 0.0)
    only_q, only_p = p_is_zero & ~q_is_zero, q_is_zero & ~p_is_zero
    terms += _weighted(only_q, log_probs_q, row.at_zero) + _weighted(only_p, log_probs_p, row.slope_at_infinity)
    return jnp.sum(terms, axis=-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of log_channel is not the number of probabilities, or if a row of log_probs or
    log_channel does not sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = jnp.shape(log_probs)[1], jnp.shape(log_channel)[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = jnp.asarray(log_probs)[:, :, None] + jnp.asarray(log_channel)[None, :, :]
    # An output that cannot be reached has only -inf terms: its largest one must not be subtracted, its logarithm not taken.
    reachable = joint.max(axis=1, keepdims=True) > -inf
    joint = jnp.where(reachable, joint, 0.0)
    largest = joint.max(axis=1, keepdims=True)
    total = jnp.sum(jnp.exp(joint - largest), axis=1)
    return jnp.where(reachable[:, 0, :], largest[:, 0, :] + jnp.log(total), -inf)


# ------------------------------------------------------------------------------------------- one divergence, one row


def _adjoint_of(divergence, alpha):
    """The name and the parameter of the divergence with its arguments swapped."""
    row = row_of(GENERATORS, divergence, alpha)
    return row.adjoint or divergence, None if alpha is None else 1 - alpha


def _weighted(mask, log_weight, value):
    """e^log_weight value where mask holds, else 0, without 0 * inf in the value or in its gradient."""
    if value == inf:
        return jnp.where(mask, inf, 0.0)
    return jnp.where(mask, jnp.exp(jnp.where(mask, log_weight, 0.0)) * value, 0.0)


# ------------------------------------------------------------------------------------------- the argument

derivation = Derivation(
    title="One convex function, one divergence",
    lectures=(2,),
    sources=(
        "Csiszar 1967; Ali & Silvey 1966",
        "Liese & Vajda 2006, On divergences and informations in statistics and information theory",
        "Sason & Verdu 2016, f-divergence inequalities",
        "Nowozin, Cseke & Tomioka 2016, f-GAN, table 1",
    ),
)

_random = np.random.default_rng(2)
_log_p, _log_q = (jax.nn.log_softmax(2 * jnp.array(_random.normal(size=(200, 5)))) for _ in range(2))


@derivation.symbolic(
    r"f'' = \tfrac1u,\ \tfrac1{u^2},\ 2,\ \tfrac2{u^3},\ \tfrac1{2u^{3/2}},\ \tfrac1u+\tfrac1{u^2},\ \tfrac1{2u(u+1)},"
    r"\ \tfrac1{u(u+1)},\ u^{\alpha-2}",
    because="Differentiate each generator of the table twice. Every second derivative is positive for u > 0, so every generator "
    "is strictly convex; total variation, the larger of two lines, is convex with all its curvature in the kink at u = 1.",
)
def every_generator_is_convex():
    u = U
    curvatures = [1 / u, u**-2, 2, 2 / u**3, u ** sympy.Rational(-3, 2) / 2, 1 / u + u**-2, 1 / (2 * u * (u + 1))]
    curvatures += [1 / (u * (u + 1)), u ** (ALPHA - 2)]
    return [sympy.diff(formula, u, 2) for formula in FORMULAS.values()], curvatures


@derivation.numeric(
    r"f_{\mathrm{code}}(\log u) = f(u)",
    because="The code writes each generator in l = log u with expm1 and log1p, in forms that keep their accuracy at u = 1, where "
    "the textbook's forms subtract nearly equal numbers. They are the same functions.",
)
def the_code_is_the_table():
    log_u = np.array([-3.0, -1.1, -0.4, 0.3, 0.9, 2.5])
    formulas = [FORMULAS[name].subs(ALPHA, sympy.Float(alpha or 2)) for name, alpha in SMOOTH]
    table = [sympy.lambdify(U, formula, "numpy")(np.exp(log_u)) for formula in formulas]
    return of_each(f_generator, SMOOTH, log_u), np.stack(table)


@derivation.autodiff(
    r"\frac{d}{dl} f(e^l) = e^l f'(e^l)",
    because="The chain rule: the table's column of derivatives belongs to its column of generators.",
)
def the_derivatives_belong_to_the_generators():
    log_u = jnp.linspace(-3.0, 3.0, 8)
    slopes = [jax.vmap(jax.grad(lambda x, d=d, a=a: f_generator(x, divergence=d, alpha=a)))(log_u) for d, a in ALL]
    return jnp.stack(slopes), jnp.exp(log_u) * of_each(f_generator_derivative, ALL, log_u)


@derivation.bound(
    r"D_f(p \,\|\, q) = \mathbb{E}_q f\left(\tfrac pq\right) \ge f\left(\mathbb{E}_q \tfrac pq\right) = f(1)"
    r"\quad\text{with equality at}\quad p = q",
    because="Jensen's inequality for the convex f, and E_q[p/q] = sum p = 1. All generators of the table have f(1) = 0 except "
    "that of the GAN, whose f(1) = -2 log 2 is the value of its game at equilibrium.",
)
def the_least_divergence_is_f_of_one():
    at_one = of_each(f_generator, ALL, jnp.zeros(1))
    divergences = of_each(f_divergence, ALL, _log_p, _log_q)
    smallest = jnp.array([-2 * log(2) if name == "gan" else 0.0 for name, _ in ALL])[:, None]
    return at_one * jnp.ones_like(divergences), divergences, (of_each(f_divergence, ALL, _log_p, _log_p)[:, :1], smallest)


@derivation.exact(
    r"D_{f + c(u-1)} = D_f",
    because="E_q[c (p/q - 1)] = c (sum p - sum q) = 0. A generator is known only up to a multiple of u - 1, which is why tables "
    "in the literature differ and still agree.",
)
def a_multiple_of_u_minus_one_changes_nothing():
    shifted = of_each(f_generator, ALL, _log_p - _log_q) + 1.7 * jnp.expm1(_log_p - _log_q)
    return jnp.sum(jnp.exp(_log_q) * shifted, axis=-1), of_each(f_divergence, ALL, _log_p, _log_q)


@derivation.symbolic(
    r"u f(1/u) = f^\diamond(u):\quad \mathrm{kl} \leftrightarrow \mathrm{reverse\ kl},\ \chi^2_P \leftrightarrow \chi^2_N,"
    r"\ \alpha \leftrightarrow 1 - \alpha,\ \text{the others} \leftrightarrow \text{themselves}",
    because="Put q = p/u into q f(p/q): the cell is p times f(u)/u, a function of q/p = 1/u. So u f(1/u) generates the "
    "divergence with its arguments swapped. Generators that are their own adjoints give the symmetric divergences.",
)
def swapping_the_arguments_is_the_adjoint_generator():
    def partner(name):
        formula = FORMULAS[GENERATORS[name].adjoint or name] if name != "alpha" else FORMULAS[name]
        return formula.subs(ALPHA, 1 - ALPHA)

    adjoints = [U * formula.subs(U, 1 / U) for formula in FORMULAS.values()]
    return [sympy.expand(sympy.expand_log(a - partner(name))) for a, name in zip(adjoints, FORMULAS, strict=True)], [0] * 9


@derivation.exact(
    r"\sum_k q_k f(p_k/q_k) = \sum_{p_k \le q_k} q_k f(p_k/q_k) + \sum_{p_k > q_k} p_k f^\diamond(q_k/p_k)",
    because="The same identity cell by cell. f_divergence computes each cell from the side on which the ratio is at most one, "
    "where nothing overflows.",
)
def each_cell_may_be_computed_from_either_side():
    cells = jnp.exp(_log_q) * of_each(f_generator, ALL, _log_p - _log_q)
    return cells.sum(-1), of_each(f_divergence, ALL, _log_p, _log_q)


@derivation.symbolic(
    r"f_\alpha \to u\log u - (u-1)\ (\alpha \to 1),\quad -\log u + (u-1)\ (\alpha \to 0),\quad"
    r" f_2 = \tfrac12 \chi^2_P,\ f_{-1} = \tfrac12\chi^2_N,\ f_{1/2} = 2 H^2",
    because="In the limits (u^a - 1)/a tends to log u. One parameter runs through the table: from Neyman's chi-squared at "
    "alpha = -1, over reverse KL, Hellinger and KL, to Pearson's chi-squared at alpha = 2.",
)
def the_alpha_family_runs_through_the_table():
    f = FORMULAS
    at = {a: f["alpha"].subs(ALPHA, a) for a in (2, -1, sympy.Rational(1, 2))}
    left = [sympy.limit(f["alpha"], ALPHA, 1), sympy.limit(f["alpha"], ALPHA, 0), *at.values()]
    right = [f["kl"] - (U - 1), f["reverse_kl"] + (U - 1)]
    return left, [*right, f["pearson_chi_squared"] / 2, f["neyman_chi_squared"] / 2, 2 * f["squared_hellinger"]]


@derivation.exact(
    r"D_{\mathrm{gan}} = 2\,\mathrm{JSD} - \log 4",
    because="The two generators differ by the factor 2 and by (u + 1) log 2, whose mean under q is 2 log 2. A GAN that plays to "
    "equilibrium therefore minimizes the Jensen-Shannon divergence.",
)
def the_gan_divergence_is_that_of_jensen_and_shannon():
    jsd = f_divergence(_log_p, _log_q, divergence="jensen_shannon")
    return f_divergence(_log_p, _log_q, divergence="gan"), 2 * jsd - log(4)


@derivation.exact(
    r"\mathrm{JSD}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m),\qquad m = \tfrac12(p + q)",
    because="u log u - (u+1) log((u+1)/2) = u log(u / ((u+1)/2)) + log(1 / ((u+1)/2)), and (u+1)/2 = m/q.",
)
def jensen_shannon_compares_both_with_their_mixture():
    log_m = jnp.logaddexp(_log_p, _log_q) - log(2)
    halves = f_divergence(_log_p, log_m, divergence="kl") + f_divergence(_log_q, log_m, divergence="kl")
    return f_divergence(_log_p, _log_q, divergence="jensen_shannon"), halves / 2


@derivation.bound(
    r"0 \le \mathrm{JSD} \le \log 2 \quad\text{with equality on the right iff}\quad p \perp q",
    because="p <= 2m, so log(p/m) <= log 2 wherever p has mass; the same for q. The bound is met when m = p/2 on all of p's "
    "support, that is when q has no mass there.",
)
def jensen_shannon_is_bounded():
    jsd = f_divergence(_log_p, _log_q, divergence="jensen_shannon")
    smaller, larger = jnp.stack([jnp.zeros(200), jsd]), jnp.stack([jsd, jnp.full(200, log(2))])
    return smaller, larger, (f_divergence(*disjoint_distributions(), divergence="jensen_shannon"), jnp.full(3, log(2)))


def _along(epsilon):
    """A distribution p, and p + epsilon h with sum h = 0, as log-probabilities."""
    p = jnp.array([[0.1, 0.2, 0.3, 0.4]])
    h = jnp.array([[0.5, -1.0, 0.2, 0.3]])
    return jnp.log(p + epsilon * h), jnp.log(p), jnp.sum(h**2 / p)


_CURVATURES_AT_ONE = [1.0, 1.0, 2.0, 2.0, 0.5, 2.0, 0.25, 0.5, 1.0, 1.0, 1.0]


@derivation.autodiff(
    r"\frac{d^2}{d\varepsilon^2} D_f(p + \varepsilon h \,\|\, p) = f''(1) \sum_k \frac{h_k^2}{p_k} \ \ (\varepsilon = 0)",
    because="Differentiate sum q f((p + eps h)/q) twice at q = p. All smooth f-divergences have, up to the factor f''(1), the "
    "same curvature where the distributions meet: Fisher's metric. What tells them apart lies far from there.",
)
def locally_all_divergences_agree():
    def curvature(name, alpha):
        return jax.jit(jax.hessian(lambda e: f_divergence(*_along(e)[:2], divergence=name, alpha=alpha)[0]))(0.0)

    return jnp.stack([curvature(*row) for row in SMOOTH]), jnp.array(_CURVATURES_AT_ONE) * _along(0.0)[2]


@derivation.numeric(
    r"\frac{D_f(p + \varepsilon h \,\|\, p) - f(1)}{\varepsilon^2 \sum_k h_k^2/p_k} \approx \tfrac12 f''(1)",
    because="The same statement at a finite step of one thousandth, where Taylor's next term is of order eps.",
    tolerance=1e-2,
    since="the next term of Taylor's series is of relative size eps |h/p|, 0.5% here",
)
def a_small_step_sees_the_common_metric():
    log_p, log_q, metric = _along(1e-3)
    rise = of_each(f_divergence, SMOOTH, log_p, log_q)[:, 0] - of_each(f_generator, SMOOTH, jnp.zeros(1))[:, 0]
    return rise / (1e-6 * metric), jnp.array(_CURVATURES_AT_ONE) / 2


@derivation.bound(
    r"D_f(pC \,\|\, qC) \le D_f(p \,\|\, q)",
    because="Per output m the ratio (pC)_m/(qC)_m is a weighted mean of the ratios p_k/q_k with weights q_k C_km/(qC)_m; Jensen, "
    "then sum over m. Processing data cannot make two sources easier to tell apart. A channel that only renames loses nothing.",
)
def processing_never_increases_a_divergence():
    channel = jax.nn.log_softmax(jnp.array(_random.normal(size=(5, 3))))
    rename = jnp.log(jnp.eye(5)[jnp.array([3, 0, 4, 1, 2])])
    before = of_each(f_divergence, ALL, _log_p, _log_q)
    after, renamed = (
        of_each(f_divergence, ALL, push_through_channel(_log_p, c), push_through_channel(_log_q, c)) for c in (channel, rename)
    )
    return after, before, (renamed, before)


@derivation.bound(
    r"\mathrm{TV} \le \sqrt{\tfrac12 \mathrm{KL}}",
    because="Pinsker's inequality: by data processing it is enough to see it for two outcomes, where KL - 2 TV^2 grows from 0 "
    "with the distance. Convergence in KL is therefore convergence in total variation.",
)
def pinsker():
    kl = f_divergence(_log_p, _log_q, divergence="kl")
    equal = f_divergence(_log_p, _log_p, divergence="kl")
    distance = f_divergence(_log_p, _log_q, divergence="total_variation")
    return distance, jnp.sqrt(kl / 2), (jnp.sqrt(equal / 2), f_divergence(_log_p, _log_p, divergence="total_variation"))


@derivation.bound(
    r"\tfrac12 H^2 \le \mathrm{TV} \le H \sqrt{1 - \tfrac14 H^2}",
    because="|p - q| = |sqrt p - sqrt q| (sqrt p + sqrt q). The left side follows from (sqrt p - sqrt q)^2 <= |p - q|, the right "
    "one from Cauchy and Schwarz. Both are met when the supports are disjoint, where H^2 = 2.",
)
def hellinger_and_total_variation_bound_each_other():
    def sides(log_p, log_q):
        h2 = f_divergence(log_p, log_q, divergence="squared_hellinger")
        distance = f_divergence(log_p, log_q, divergence="total_variation")
        return jnp.stack([h2 / 2, distance]), jnp.stack([distance, jnp.sqrt(h2 * (1 - h2 / 4))])

    smaller, larger = sides(_log_p, _log_q)
    return smaller, larger, sides(*disjoint_distributions())


@derivation.bound(
    r"\mathrm{KL} \le \log(1 + \chi^2_P)",
    because="KL = E_p log(p/q) <= log E_p(p/q) = log(1 + chi^2), Jensen for the concave logarithm; with equality where p/q is "
    "constant on the support of p.",
)
def the_chi_squared_divergence_bounds_kl():
    half, whole = jnp.log(jnp.array([[0.5, 0.5, 0.0, 0.0]])), jnp.full((1, 4), -log(4))
    kl, chi = (f_divergence(_log_p, _log_q, divergence=d) for d in ("kl", "pearson_chi_squared"))
    tight = tuple(f_divergence(half, whole, divergence=d) for d in ("kl", "pearson_chi_squared"))
    return kl, jnp.log1p(chi), (tight[0], jnp.log1p(tight[1]))


@derivation.exact(
    r"p \perp q \ \Rightarrow\ \mathrm{JSD} = \log 2,\ \mathrm{TV} = 1,\ H^2 = 2,\ \mathrm{KL} = \infty",
    because="Every cell has p = 0 or q = 0, so D_f = f(0) + f'(infinity) whatever p and q are: however far the supports lie "
    "apart, the divergence says the same and its gradient is zero. This is why lecture 9 turns to distances that see how far "
    "mass has to move.",
)
def disjoint_supports_give_no_signal():
    rows = [(name, None) for name in ("jensen_shannon", "total_variation", "squared_hellinger", "kl", "reverse_kl")]
    values = jnp.array([log(2), 1.0, 2.0, inf, inf])
    return of_each(f_divergence, rows, *disjoint_distributions()), jnp.repeat(values[:, None], 3, axis=1)


if __name__ == "__main__":
    derivation.main()
