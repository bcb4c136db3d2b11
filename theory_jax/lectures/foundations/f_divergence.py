"""One convex function, one divergence.

The lecture on the functions of theory_jax/foundations/f_divergence.py.
"""

import functools
import math
from dataclasses import dataclass
from math import inf

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Abs, Max, Min, Rational, Subs, limit, log, oo, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.draws import disjoint_distributions
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.typeset import latex
from theory_jax.derivation.unspecified import function
from theory_jax.foundations._generators import GENERATORS, row_of
from theory_jax.foundations.f_divergence import f_divergence, f_generator, f_generator_derivative, push_through_channel
from theory_jax.lectures.foundations._formulas import ALL, ALPHA, FORMULAS, U, of_each
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.lemmas.two_outcomes import two_outcomes

derivation = Derivation(
    module=__name__,
    title="One convex function, one divergence",
    lectures=(2,),
    sources=(
        "Csiszar 1967; Ali & Silvey 1966",
        "Liese & Vajda 2006, On divergences and informations in statistics and information theory",
        "Sason & Verdu 2016, f-divergence inequalities",
        "Nowozin, Cseke & Tomioka 2016, f-GAN, table 1",
    ),
    question="Kullback-Leibler, chi-squared, total variation, Hellinger, Jensen-Shannon: what do these distances between "
    "distributions have in common, and where do they differ in what they forgive?",
    setting=(
        r"$p$ and $q$ are two distributions on finitely many points, positive in the chains below. A generator is a convex "
        r"function $f$ on $u > 0$: its graph is above each of its tangents, $B_f(u, a) = f(u) - f(a) - f'(a)(u - a) \ge 0$. "
        r"At a kink any slope between the left and the right one may take the place of $f'(a)$.",
        r"The f-divergence is $D_f(p \,\|\, q) = \mathbb{E}_q[f(p_k/q_k)]$. At the boundary it is continued by limits. A point "
        r"with $p_k = 0 < q_k$ adds $q_k f(0)$, where $f(0)$ is the limit of $f(u)$ for $u \to 0$. A point with $q_k = 0 < "
        r"p_k$ adds $p_k f'(\infty)$, where $f'(\infty)$ is the limit of $f(u)/u$ for $u \to \infty$, since $q_k f(p_k/q_k) = "
        r"p_k f(u)/u$ at $u = p_k/q_k$. Both limits may be infinite. A point without mass adds nothing.",
    ),
    answer=r"Every convex $f$ gives a divergence that is smallest at $p = q$ and that no processing of the data increases. "
    r"Near $p = q$ all smooth ones are the same up to the factor $f''(1)$. What tells them apart is how $f$ grows far from 1: "
    r"$f'(\infty)$ is the price of data that the model does not cover, $f(0)$ the price of samples where there is no data.",
    limits=(
        "General measure spaces, where the sums become integrals.",
        "Total variation has no second derivative at 1, so the local statement is not about it.",
        "A divergence between distributions on disjoint supports does not see how far apart they are; the lecture on "
        "Wasserstein distances takes that up.",
    ),
)

k = derivation.index("k", "a point")
j = derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the distribution of the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the distribution of the model", "exp(log_probs_q)")
u = derivation.number("u", "a density ratio $p_k/q_k$", "exp(log_ratio)", positive=True)
a = derivation.number("a", "the ratio at which a tangent touches", positive=True)
f = derivation.function("f", "a generator: a convex function", "f_generator")
slope, curvature = function("f", 1), function("f", 2)
divergence = derivation.define("D_f", Expectation(q, f(p / q)), "the f-divergence of $p$ from $q$", "f_divergence")
mixture = derivation.define("m", (p + q) / 2, "half of the data, half of the model", over=k, law=True)
alpha = derivation.number(r"\alpha", "the parameter of the alpha family, neither 0 nor 1", "alpha")

convex = derivation.assume(
    "The graph of a generator is above each of its tangents",
    f(u) - f(a) - slope(a) * (u - a),
    u,
    a,
    name=r"B_f\left({}, {}\right)",
)
derivation.symbol("B_f", "how far the generator is above its tangent")
central = derivation.chain(
    "An f-divergence is smallest where the distributions are equal",
    divergence,
    equals(
        Expectation(q, plus(f(1), times(slope(1), p / q - 1), convex.at(p / q, 1))),
        r"the definition of $B_f$, at $u = p_k/q_k$ and $a = 1$",
        wrong={
            "the ratio turned over": Expectation(q, plus(f(1), times(slope(1), q / p - 1), convex.at(q / p, 1))),
            "averaged under the data": Expectation(p, plus(f(1), times(slope(1), p / q - 1), convex.at(p / q, 1))),
        },
    ),
    equals(
        plus(f(1), times(slope(1), Total(k, p)), -times(slope(1), Total(k, q)), Expectation(q, convex.at(p / q, 1))),
        r"the expectation is linear, and $q_k (p_k/q_k - 1) = p_k - q_k$",
    ),
    equals(
        plus(f(1), Expectation(q, convex.at(p / q, 1))),
        "both distributions sum to one",
        wrong={"half of the heights": plus(f(1), Expectation(q, convex.at(p / q, 1)) / 2)},
    ),
    at_least(
        f(1),
        "leave out the mean height above the tangent, which is never negative",
        dropping=Expectation(q, convex.at(p / q, 1)),
        wrong={"the heights counted twice": plus(f(1), 2 * Expectation(q, convex.at(p / q, 1)))},
    ),
    central=True,
    so=r"Equality holds if and only if every height $B_f(p_k/q_k, 1)$ is zero. If $f$ is strictly convex at 1 (affine on no "
    r"interval around 1), that is if and only if $p = q$. Without it the 'only if' is false: $f(u) = \max(u - 2, 0)$ gives "
    r"zero whenever $p \le 2q$.",
)
c = derivation.number("c", "a constant")
derivation.chain(
    "A multiple of u - 1 changes nothing",
    Expectation(q, plus(f(p / q), times(c, p / q - 1))),
    equals(
        plus(divergence, times(c, Total(k, p)), -times(c, Total(k, q))),
        r"the expectation is linear, and $q_k (p_k/q_k - 1) = p_k - q_k$",
    ),
    equals(divergence, "both distributions sum to one", wrong={"the constant kept": divergence + c}),
    so=r"So a generator is known only up to a multiple of $u - 1$. This is why tables in the literature differ and still agree.",
)

# ---------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class _Row:
    """A row of the table as it is printed: in words, f', f'', f(0), f'(infinity), D_f, and what a mistake puts in its place."""

    words: str
    slope: sympy.Expr
    curvature: sympy.Expr
    ends: tuple
    divergence: sympy.Expr
    mistake: sympy.Expr
    mistaken: str = "the arguments exchanged"


JSD = Divergence(p, mixture) / 2 + Divergence(q, mixture) / 2
jsd = derivation.define(r"\mathrm{JSD}", JSD, "the Jensen-Shannon divergence")
_ROWS = {
    "kl": _Row("Kullback-Leibler", 1 + log(u), 1 / u, (0, oo), Divergence(p, q), Divergence(q, p)),
    "reverse_kl": _Row("Reverse Kullback-Leibler", -1 / u, u**-2, (oo, 0), Divergence(q, p), Divergence(p, q)),
    "pearson_chi_squared": _Row(
        "Pearson's chi-squared", 2 * (u - 1), sympy.Integer(2), (1, oo), Total(k, (p - q) ** 2 / q), Total(k, (p - q) ** 2 / p)
    ),
    "neyman_chi_squared": _Row(
        "Neyman's chi-squared", 1 - u**-2, 2 / u**3, (oo, 1), Total(k, (p - q) ** 2 / p), Total(k, (p - q) ** 2 / q)
    ),
    "squared_hellinger": _Row(
        "Squared Hellinger",
        1 - 1 / sqrt(u),
        u ** Rational(-3, 2) / 2,
        (1, 1),
        Total(k, (sqrt(p) - sqrt(q)) ** 2),
        Total(k, (sqrt(p) - sqrt(q)) ** 2) / 2,
        "halved, as some authors do",
    ),
    "jeffreys": _Row(
        "Jeffreys",
        log(u) + 1 - 1 / u,
        1 / u + u**-2,
        (oo, oo),
        Divergence(p, q) + Divergence(q, p),
        (Divergence(p, q) + Divergence(q, p)) / 2,
        "the mean in place of the sum",
    ),
    "jensen_shannon": _Row(
        "Jensen-Shannon",
        log(2 * u / (1 + u)) / 2,
        1 / (2 * u * (u + 1)),
        (log(2) / 2, log(2) / 2),
        JSD,
        2 * JSD,
        "the sum in place of the mean",
    ),
    "gan": _Row(
        "The GAN's",
        log(u / (1 + u)),
        1 / (u * (u + 1)),
        (0, 0),
        plus(2 * jsd, -log(4)),
        plus(2 * jsd, -2 * log(4)),
        "the constant doubled",
    ),
    "alpha": _Row(
        "The alpha family's",
        (u ** (alpha - 1) - 1) / (alpha - 1),
        u ** (alpha - 2),
        (),
        (Total(k, p**alpha * q ** (1 - alpha)) - 1) / (alpha * (alpha - 1)),
        (Total(k, p ** (1 - alpha) * q**alpha) - 1) / (alpha * (alpha - 1)),
    ),
}
_FORMULAS = {name: formula.subs({U: u, ALPHA: alpha}) for name, formula in FORMULAS.items()}

derivation.say(
    r"The table. A row has the generator under the expectation, the divergence that it makes, and what decides how it behaves: "
    r"the curvature $f''$, which is positive, and the two limits $f(0)$ and $f'(\infty)$. In every row $f(1) = 0$ but in the "
    r"GAN's, where it is $-2 \log 2$."
)
for _name, _row in _ROWS.items():
    _ends = ", ".join(
        rf"$f{place} = {latex(end)}$" for place, end in zip(("(0)", r"'(\infty)"), map(sympy.sympify, _row.ends), strict=False)
    )
    _ends = _ends or (
        r"$f(0) = 1/\alpha$ for $\alpha > 0$ and infinite for $\alpha < 0$, $f'(\infty) = 1/(1 - \alpha)$ for $\alpha < 1$ and "
        r"infinite for $\alpha > 1$"
    )
    derivation.chain(
        f"{_row.words} divergence",
        Expectation(q, _FORMULAS[_name].subs(u, p / q)),
        equals(
            _row.divergence, "multiply by $q_k$ and collect", points=40 * (_name == "alpha"), wrong={_row.mistaken: _row.mistake}
        ),
        role="definition",
        states=2,
        so=rf"$f = {latex(_FORMULAS[_name])}$, $f' = {latex(_row.slope)}$, $f'' = {latex(_row.curvature)}$; {_ends}.",
    )
TV = Total(k, Abs(p - q)) / 2
derivation.chain(
    "Total variation",
    Expectation(q, Abs(p / q - 1) / 2),
    equals(TV, "multiply by $q_k$", points=40),
    role="definition",
    so=r"$f' = -\frac12$ for $u < 1$ and $\frac12$ for $u > 1$: all the curvature sits in the kink at 1; $f(0) = \frac12$, "
    r"$f'(\infty) = \frac12$.",
)


@derivation.symbolic(
    r"\left(f'\right)' = f'' > 0 \quad\text{in every row but total variation}",
    because="Each generator of the table is differentiated twice and compared with the row's $f'$ and $f''$. A positive $f''$ "
    "makes $f'$ rise, so $B_f(u, a)$, whose derivative in $u$ is $f'(u) - f'(a)$, falls before $a$ and rises after it: every "
    "smooth generator is strictly convex. Total variation, the larger of two lines, has its kink at 1.",
    role="lemma",
)
def every_generator_is_convex():
    twice = [sympy.diff(_FORMULAS[name], u, order) for order in (1, 2) for name in _ROWS]
    rows = [getattr(row, column) for column in ("slope", "curvature") for row in _ROWS.values()]
    return Sides(left=twice, right=rows, wrong={"no 1 in the slope of the first row": [log(u), *rows[1:]]})


@derivation.exact(
    r"\lim_{u \to 0} f(u) = f(0),\qquad \lim_{u \to \infty} \frac{f(u)}{u} = f'(\infty) \quad\text{as in the table}",
    because="Both limits of every row are taken in symbols (of the alpha family at -1, 1/2 and 3), and compared with the "
    "numbers of the table, and with those that the code adds where a probability is zero.",
    role="lemma",
    outcomes=44,
    scale=1.0,
)
def the_ends_of_the_generators():
    rows = [(name, None) for name in _ROWS if name != "alpha"] + [("alpha", Rational(at)) for at in ("-1", "1/2", "3")]
    formulas = [_FORMULAS[name].subs(alpha, at) if at else _FORMULAS[name] for name, at in rows]
    limits = [(limit(formula, u, 0), limit(formula / u, u, oo)) for formula in formulas]
    of_alpha = [(1 / at if at > 0 else oo, 1 / (1 - at) if at < 1 else oo) for _, at in rows if at]
    table = [_ROWS[name].ends for name, at in rows if not at] + of_alpha
    code = [row_of(GENERATORS, name, None if at is None else float(at)) for name, at in rows]
    numbers = [(row.at_zero, row.slope_at_infinity) for row in code]
    wanted = np.array([*table, *table], dtype=np.float64)
    return Sides(left=np.array([*limits, *numbers], dtype=np.float64), right=wanted, wrong={"half of each": wanted / 2})


_ONE_OF_EACH = [*(name for name in _ROWS if name != "alpha"), "alpha"]
_AT = [(name, 3.0 if name == "alpha" else None) for name in _ONE_OF_EACH]


def _column(of):
    return sympy.Matrix([of(name).subs(alpha, 3) for name in _ONE_OF_EACH])


derivation.bridge(
    "The code computes the table's generators, the alpha family at 3",
    _column(lambda name: _FORMULAS[name]),
    functools.partial(of_each, f_generator, _AT),
    log_ratio=[log(u)],
    calls=(f_generator,),
    wrong={"the ratio turned over": _column(lambda name: _FORMULAS[name].subs(u, 1 / u))},
)
derivation.bridge(
    "... and their derivatives",
    _column(lambda name: _ROWS[name].slope),
    functools.partial(of_each, f_generator_derivative, _AT),
    log_ratio=[log(u)],
    calls=(f_generator_derivative,),
    wrong={"the derivatives in the logarithm of the ratio": _column(lambda name: u * _ROWS[name].slope)},
)
derivation.bridge(
    "... and the divergences",
    _column(lambda name: _ROWS[name].divergence),
    functools.partial(of_each, f_divergence, _AT),
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    calls=(f_divergence,),
    wrong={"the arguments exchanged, or a factor": _column(lambda name: _ROWS[name].mistake)},
)
derivation.bridge(
    "... and total variation", TV, f_divergence, log_probs_p=[log(p)], log_probs_q=[log(q)], divergence="total_variation"
)

# ---------------------------------------------------------------------------------------------------- relations in the table

derivation.chain(
    "Exchanging the arguments exchanges the generator for its adjoint",
    divergence,
    equals(Expectation(p, times(q / p, f(1 / (q / p)))), r"$q_k = p_k \cdot q_k/p_k$, and $p_k/q_k$ is one over $q_k/p_k$"),
    so=r"This is $D_g(q \,\|\, p)$ with the adjoint generator $g(u) = u f(1/u)$.",
)
derivation.symbol("g", "the adjoint generator of $f$")


@derivation.symbolic(
    r"g(u) = u f\left(\tfrac{1}{u}\right)",
    because=r"Row by row: the adjoint of Kullback-Leibler's generator is the reverse one's, of Pearson's Neyman's, of the "
    r"alpha family's that of $1 - \alpha$. Hellinger's, Jeffreys', Jensen and Shannon's and the GAN's are their own adjoints, "
    r"so these four divergences are symmetric, and so is total variation.",
)
def swapping_the_arguments_is_the_adjoint_generator():
    def partner(name):
        formula = _FORMULAS[GENERATORS[name].adjoint or name] if name != "alpha" else _FORMULAS[name]
        return formula.subs(alpha, 1 - alpha)

    adjoints = [sympy.expand_log(u * _FORMULAS[name].subs(u, 1 / u)) for name in _ROWS]
    return Sides(left=adjoints, right=[partner(name) for name in _ROWS], wrong={"all symmetric": list(_FORMULAS.values())})


of_alpha = _FORMULAS["alpha"]
for _at, _end, _words in ((1, u * log(u) - (u - 1), "Kullback and Leibler's"), (0, -log(u) + (u - 1), "the reverse one's")):
    derivation.chain(
        f"At {_at} the alpha family's generator becomes {_words}",
        Limit(of_alpha, alpha, _at),
        equals(
            plus(*_end.args),
            r"$(u^s - 1)/s$ tends to $\log u$ as $s \to 0$; the multiple of $u - 1$ changes nothing",
            wrong={"the other end": -log(u) + (u - 1) if _at else u * log(u) - (u - 1)},
        ),
        role="remark",
    )


@derivation.symbolic(
    r"f_{-1} = \tfrac12 f_{\text{Neyman}},\quad f_{1/2} = 2 f_{\text{Hellinger}},\quad f_2 = \tfrac12 f_{\text{Pearson}}",
    because=r"Put $\alpha = -1$, 1/2 and 2 into the alpha family's generator. One parameter runs through the table.",
    role="remark",
)
def the_alpha_family_runs_through_the_table():
    left = [of_alpha.subs(alpha, at) for at in (-1, Rational(1, 2), 2)]
    names = ("neyman_chi_squared", "squared_hellinger", "pearson_chi_squared")
    right = [factor * _FORMULAS[name] for factor, name in zip((Rational(1, 2), 2, Rational(1, 2)), names, strict=True)]
    return Sides(left=left, right=right, wrong={"no factors": [_FORMULAS[name] for name in names]})


# ---------------------------------------------------------------------------------------------------- near and far

epsilon = derivation.number(r"\varepsilon", "a small step")
h = derivation.numbers("h", k, "a direction whose entries sum to zero")
derivation.chain(
    "Near equality all smooth divergences are the same up to a factor",
    Subs(Slope(Total(k, q * f((q + epsilon * h) / q)), epsilon, 2), epsilon, 0),
    equals(
        Subs(Total(k, h**2 / q * curvature((q + epsilon * h) / q)), epsilon, 0),
        r"the chain rule, twice: each derivative brings a factor $h_k/q_k$",
        wrong={"once": Subs(Total(k, h * curvature((q + epsilon * h) / q)), epsilon, 0)},
    ),
    equals(
        times(curvature(1), Total(k, h**2 / q)),
        r"at $\varepsilon = 0$ every ratio is 1",
        wrong={"half of it": times(curvature(1), Total(k, h**2 / q)) / 2},
    ),
    states=2,
    so=r"So $D_f(q + \varepsilon h \,\|\, q) - f(1)$ is $\frac12 \varepsilon^2 f''(1) \sum_k h_k^2/q_k$ up to terms of order "
    r"$\varepsilon^3$: Fisher's metric, whatever the generator.",
)


@derivation.autodiff(
    r"\frac{\partial^2}{\partial \varepsilon^2} D_f(q + \varepsilon h \,\|\, q) = f''(1) \sum_k \frac{h_k^2}{q_k} "
    r"\quad\text{at}\quad \varepsilon = 0",
    because=r"The module's own functions, differentiated twice, for Kullback-Leibler and Hellinger, whose $f''(1)$ are 1 and "
    r"1/2.",
    role="remark",
)
def the_code_has_the_common_metric():
    base, direction = jnp.array([[0.1, 0.2, 0.3, 0.4]]), jnp.array([[0.5, -1.0, 0.2, 0.3]])

    def second(name):
        def along(e):
            return f_divergence(jnp.log(base + e * direction), jnp.log(base), divergence=name)[0]

        return jax.hessian(along)(0.0)

    metric = jnp.sum(direction**2 / base)
    seconds = jnp.stack([second(name) for name in ("kl", "squared_hellinger")])
    return Sides(left=seconds, right=metric * jnp.array([1.0, 0.5]), wrong={"one factor for all": metric * jnp.ones(2)})


@derivation.exact(
    r"D_f(p \,\|\, q) = f(0) + f'(\infty) \quad\text{if}\quad p \text{ and } q \text{ have disjoint supports}",
    because=r"At every point one of $p_k$ and $q_k$ is zero, so the sum is $f(0) \sum_k q_k + f'(\infty) \sum_k p_k$, whatever "
    r"$p$ and $q$ are: Jensen-Shannon gives $\log 2$, total variation 1, squared Hellinger 2, Kullback-Leibler infinity. "
    r"However far the supports lie apart, the divergence is the same, and its gradient is zero: this is why a later lecture "
    r"turns to distances that see how far mass has to move.",
    outcomes=15,
    scale=1.0,
)
def disjoint_supports_give_no_signal():
    rows = [(name, None) for name in ("jensen_shannon", "total_variation", "squared_hellinger", "kl", "reverse_kl")]
    values = jnp.repeat(jnp.array([math.log(2), 1.0, 2.0, inf, inf])[:, None], 3, axis=1)
    wrong = {"points without data dropped": values / 2}
    return Sides(left=of_each(f_divergence, rows, *disjoint_distributions()), right=values, wrong=wrong)


derivation.say(
    r"Between the two extremes the ends decide. Where $f'(\infty)$ is infinite (Kullback-Leibler, Pearson), data that the "
    r"model leaves uncovered cost without limit, so a model that cannot fit everything spreads over all of the data: it covers "
    r"the modes. Where $f(0)$ is infinite and $f'(\infty)$ finite (reverse Kullback-Leibler, Neyman), samples where there is "
    r"no data cost without limit, and uncovered data cost little: the model keeps to one mode. Total variation, Hellinger, "
    r"Jensen-Shannon and the GAN's have two finite ends."
)

# ---------------------------------------------------------------------------------------------------- data processing

o = derivation.index("o", "an output of a channel")
channel = derivation.law("C", (o, k), "a channel: the probability of output $o$ at input $k$", "exp(log_channel)")
p_out = derivation.define("p'", Total(k, p * channel), "the output of $p$", "push_through_channel", over=o, law=True)
q_out = derivation.define("q'", Total(k, q * channel), "the output of $q$", over=o, law=True)
origin = derivation.define("w", q * channel / q_out, "where an output came from, under $q$", over=(k, o), law=True)
ratio_out = p_out / q_out
lost = Total(o, q_out * Total(k, origin * convex.at(p / q, ratio_out)))
derivation.chain(
    "Processing never increases a divergence",
    Total(o, q_out * f(ratio_out)),
    equals(
        Total(
            o,
            q_out
            * Total(k, times(origin, plus(f(p / q), -times(slope(ratio_out), p / q - ratio_out), -convex.at(p / q, ratio_out)))),
        ),
        r"the definition of $B_f$ at $u = p_k/q_k$ and $a = p'_o/q'_o$, and $\sum_k w_{k,o} = 1$",
        wrong={
            "the tangent at 1": Total(
                o, q_out * Total(k, times(origin, plus(f(p / q), -times(slope(1), p / q - 1), -convex.at(p / q, 1))))
            )
        },
    ),
    equals(
        plus(Total(o, q_out * Total(k, origin * f(p / q))), -lost),
        r"$\sum_k w_{k,o}\, p_k/q_k = p'_o/q'_o$: the ratio of the outputs is the mean of the ratios of the inputs",
        wrong={"the loss counted twice": plus(Total(o, q_out * Total(k, origin * f(p / q))), -2 * lost)},
    ),
    at_most(Total(o, q_out * Total(k, origin * f(p / q))), "add the mean of heights, which are never negative", adding=lost),
    equals(
        divergence,
        r"$q'_o\, w_{k,o} = q_k C_{o,k}$, and $\sum_o C_{o,k} = 1$",
        wrong={"averaged under the data": Expectation(p, f(p / q))},
    ),
    states=2,
    so=r"No processing makes two sources easier to tell apart. Nothing is lost if every output comes from inputs of one ratio "
    r"$p_k/q_k$, as when points are only renamed.",
)
derivation.bridge(
    "The code computes the logarithm of a channel's output",
    log(p_out),
    push_through_channel,
    log_probs=[log(p)],
    log_channel=log(channel),
    wrong={"inputs and outputs exchanged": log(Total(k, p * channel.at(k, o)))},
)

# ---------------------------------------------------------------------------------------------------- inequalities

P = derivation.number("P", "the probability of an event under $p$", between=(0, 1))
Q = derivation.number("Q", "its probability under $q$", between=(0, 1))
binary = plus(P * log(P / Q), (1 - P) * log((1 - P) / (1 - Q)))
inside_p = derivation.law("r", k, "the law of $p$ given the event", "")
inside_q = derivation.law("s", k, "the law of $q$ given the event", "")
outside_p = derivation.law(r"\bar r", k, "the law of $p$ given its complement", "")
outside_q = derivation.law(r"\bar s", k, "the law of $q$ given its complement", "")
within = plus(P * gibbs.at(inside_p, inside_q), (1 - P) * gibbs.at(outside_p, outside_q))
pinsker = derivation.chain(
    "Pinsker's inequality: total variation is at most the square root of half the divergence",
    plus(
        Total(k, P * inside_p * log(P * inside_p / (Q * inside_q))),
        Total(k, (1 - P) * outside_p * log((1 - P) * outside_p / ((1 - Q) * outside_q))),
    ),
    equals(
        plus(binary, within),
        r"this is $\mathrm{KL}(p \,\|\, q)$, summed over an event and its complement. The logarithm of a product is a sum",
        wrong={
            "the inner divergences not weighted": plus(binary, Divergence(inside_p, inside_q), Divergence(outside_p, outside_q))
        },
    ),
    at_least(binary, "leave out the divergences within the event and within its complement (Gibbs)", dropping=within),
    equals(
        plus(2 * (P - Q) ** 2, two_outcomes.at(P, Q)),
        "add and subtract twice the squared distance",
        wrong={"the distance": plus(2 * (P - Q), two_outcomes.at(P, Q))},
    ),
    at_least(
        2 * (P - Q) ** 2, r"leave out the difference of the lemma, which is zero for $P = Q$ only", dropping=two_outcomes.at(P, Q)
    ),
    states=2,
    so=r"For the event that $p_k > q_k$ the difference $P - Q$ is the total variation, as the next line shows. So "
    r"$\mathrm{KL}(p \,\|\, q) \ge 2\, \mathrm{TV}^2$: convergence in divergence is convergence in total variation. If the "
    r"event is empty, $p = q$ and both sides are zero.",
)
derivation.chain(
    "Total variation is the largest difference of the probabilities of an event",
    TV,
    equals(plus(Total(k, Max(p - q, 0)), -Total(k, p - q) / 2), r"$|t| = 2 \max(t, 0) - t$ for every number $t$", points=40),
    equals(Total(k, Max(p - q, 0)), "both distributions sum to one; what is left is the sum over the event", points=40),
    role="lemma",
)
derivation.symbol("t", "a number")
half = Rational(1, 2)
derivation.chain(
    "The factor 2 is the best",
    Limit(binary.subs({P: half, Q: half + epsilon}) / epsilon**2, epsilon, 0),
    equals(
        Limit(-log(1 - 4 * epsilon**2) / (2 * epsilon**2), epsilon, 0),
        r"$\frac12 \log \frac{1/2}{1/2 + \varepsilon} + \frac12 \log \frac{1/2}{1/2 - \varepsilon} = -\frac12 \log(1 - "
        r"4\varepsilon^2)$",
        wrong={"the factor 4 lost": Limit(-log(1 - epsilon**2) / (2 * epsilon**2), epsilon, 0)},
    ),
    equals(2, r"$-\log(1 - s)/s$ tends to 1 as $s \to 0$"),
    role="remark",
)
derivation.symbol("s", "a small number")
derivation.chain(
    "The Jensen-Shannon divergence is at most log 2",
    JSD,
    equals(
        plus(log(2), Expectation(p, log(p / (p + q))) / 2, Expectation(q, log(q / (p + q))) / 2),
        r"$p_k/m_k = 2 p_k/(p_k + q_k)$",
        wrong={"log 4": plus(log(4), Expectation(p, log(p / (p + q))) / 2, Expectation(q, log(q / (p + q))) / 2)},
    ),
    at_most(
        log(2),
        r"add $-\log t = 1 - t + (t - 1 - \log t)$ at $t = p_k/(p_k + q_k)$ and at $t = q_k/(p_k + q_k)$, both below 1",
        adding=plus(
            Expectation(p, plus(q / (p + q), tangent.at(p / (p + q)))) / 2,
            Expectation(q, plus(p / (p + q), tangent.at(q / (p + q)))) / 2,
        ),
        wrong={"half of it": log(2) / 2},
    ),
    states=2,
    so=r"Equality is reached at the boundary only, where the supports are disjoint.",
)
squared = derivation.define("v", (p**2 / q) / Total(j, p.at(j) ** 2 / q.at(j)), "$p$, tilted by the ratio", over=k, law=True)
pearson = Total(k, (p - q) ** 2 / q)
derivation.chain(
    "The logarithm of one plus Pearson's divergence is at least Kullback and Leibler's",
    plus(log(1 + pearson), -Divergence(p, q)),
    equals(
        plus(log(Total(j, p.at(j) ** 2 / q.at(j))), -Divergence(p, q)),
        r"$\sum_k (p_k - q_k)^2/q_k = \sum_k p_k^2/q_k - 2 + 1$",
        wrong={"the one forgotten": plus(log(pearson), -Divergence(p, q))},
    ),
    equals(
        Divergence(p, squared),
        r"$\log(p_k/v_k) = \log \sum_j p_j^2/q_j - \log(p_k/q_k)$: the gap of Jensen's inequality for the logarithm",
    ),
    at_least(
        0,
        r"Gibbs' inequality; equality if and only if $p_k/q_k$ is constant on the support of $p$",
        dropping=gibbs.at(p, squared),
    ),
    states=2,
)
apart, together = Abs(sqrt(p) - sqrt(q)), sqrt(p) + sqrt(q)
hellinger = Total(k, (sqrt(p) - sqrt(q)) ** 2)
derivation.chain(
    "Total variation is at least half the squared Hellinger distance",
    TV,
    equals(
        plus(hellinger / 2, Total(k, apart * Min(sqrt(p), sqrt(q)))),
        r"$|p_k - q_k| = |\sqrt{p_k} - \sqrt{q_k}|\,(\sqrt{p_k} + \sqrt{q_k})$, and the sum of two numbers is their distance "
        r"plus twice the smaller",
        points=40,
        wrong={"twice the second term": plus(hellinger / 2, 2 * Total(k, apart * Min(sqrt(p), sqrt(q))))},
    ),
    at_least(hellinger / 2, "leave out what is never negative", dropping=Total(k, apart * Min(sqrt(p), sqrt(q)))),
    role="remark",
)
cross = apart * together.subs(k, j) - apart.subs(k, j) * together
lagrange = Total(k, Total(j, cross**2)) / 8
derivation.chain(
    "... and at most the distance times a root",
    plus(times(hellinger, 1 - hellinger / 4), -(TV**2)),
    equals(
        plus(Total(k, apart**2) * Total(k, together**2) / 4, -(Total(k, apart * together) ** 2) / 4),
        r"$\sum_k (\sqrt{p_k} + \sqrt{q_k})^2 = 4 - \sum_k (\sqrt{p_k} - \sqrt{q_k})^2$",
        points=40,
    ),
    equals(
        lagrange, "Lagrange's identity, which proves Cauchy and Schwarz's inequality", points=40, wrong={"no half": 2 * lagrange}
    ),
    at_least(0, "a sum of squares is never negative", dropping=lagrange, points=40),
    role="remark",
    so=r"So $\frac12 H^2 \le \mathrm{TV} \le H \sqrt{1 - H^2/4}$, where $H^2$ is the squared Hellinger distance. Both are "
    r"equalities for disjoint supports, where $H^2 = 2$ and $\mathrm{TV} = 1$.",
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_given = {p: (0.75, 0.25), q: (0.5, 0.5)}


@derivation.example("$p = (0.75, 0.25)$ and $q = (0.5, 0.5)$: the ratios are 1.5 and 0.5.")
def two_points():
    printed = ("0.1308", "0.1438", "0.25", "0.3333", "0.0681", "0.2747", "0.0338", "-1.3187")
    for name, said in zip(_ONE_OF_EACH, printed, strict=False):
        yield _ROWS[name].divergence, value(_ROWS[name].divergence, _given), said
    yield TV, value(TV, _given), "0.25"
    yield r"2\,\mathrm{TV}^2", 2 * value(TV, _given) ** 2, "0.125"
    flip = jnp.log(jnp.array([[0.75, 0.25], [0.25, 0.75]]))
    pair = (jnp.log(jnp.array([_given[law]])) for law in (p, q))
    outputs = (push_through_channel(law, flip) for law in pair)
    yield (
        r"\text{Pearson's, after each point was exchanged with probability } \tfrac14",
        f_divergence(*outputs, divergence="pearson_chi_squared")[0],
        "0.0625",
    )


_bimodal = jnp.array([0.49, 0.02, 0.49])
_wide, _narrow = jnp.full(3, 1 / 3), jnp.array([0.96, 0.02, 0.02])


@derivation.figure(
    r"Left: the heights $B_f(u, 1)$ of four generators above their tangents at 1. In Kullback-Leibler the price of a large "
    r"ratio, that is of uncovered data, grows faster than the ratio; in the reverse divergence the price of a small one has no "
    r"limit. Right: data with two modes, and the Gaussian nearest to it in either divergence: one covers both modes, the other "
    r"keeps to one.",
    panels=2,
)
def heights_and_modes(left, right):
    ratios = np.linspace(0.02, 4, 120)
    for name in ("kl", "reverse_kl", "squared_hellinger", "jensen_shannon"):
        at, touch = (f_generator(np.log(r), divergence=name) for r in (ratios, np.ones(1)))
        tangent_at_1 = touch + f_generator_derivative(np.zeros(1), divergence=name) * (ratios - 1)
        left.plot(ratios, at - tangent_at_1, label=name.replace("_", " "))
    left.set(xlabel="$u = p/q$", ylabel="$B_f(u, 1)$", ylim=(-0.1, 2.6))
    left.legend()
    line = np.linspace(-6, 6, 61)
    log_data = jax.nn.log_softmax(jnp.logaddexp(-((line - 2) ** 2), -((line + 2) ** 2)))[None]
    means, deviations = np.meshgrid(np.linspace(0, 2.2, 12), np.linspace(0.5, 2.5, 21))
    models = jax.nn.log_softmax(-((line - means.reshape(-1, 1)) ** 2) / (2 * deviations.reshape(-1, 1) ** 2), axis=1)
    right.plot(line, np.exp(log_data[0]) / 0.2, color="gray", label="data")
    for name in ("kl", "reverse_kl"):
        best = jnp.argmin(f_divergence(jnp.broadcast_to(log_data, models.shape), models, divergence=name))
        right.plot(line, np.exp(models[best]) / 0.2, label=f"nearest in {name.replace('_', ' ')}")
    right.set(xlabel="$x$", ylabel="density", ylim=(0, 0.75))
    right.legend()


@derivation.exercise(
    r"Show that Pearson's divergence is $\sum_k p_k^2/q_k - 1$. What is it in the example?",
    r"Expand the square: $\sum_k (p_k^2/q_k - 2 p_k + q_k)$, and the last two sums are -2 and 1. In the example $1.125 + 0.125 "
    r"- 1 = 0.25$.",
)
def pearson_expanded():
    yield value(Total(k, p**2 / q) - 1, _given), "0.25"
    yield tuple(value(p**2 / q, _given)), "1.125 + 0.125"


@derivation.exercise(
    r"Which $f$-divergence is zero in the example although $p$ is not $q$?",
    r"That of $f(u) = \max(u - 2, 0)$: both ratios, 1.5 and 0.5, are at most 2, so its value is 0. It is convex, but it is "
    r"affine around 1.",
)
def not_only_if():
    yield value(p / q, _given), "1.5 and 0.5"
    yield value(Expectation(q, Max(p / q - 2, 0)), _given), "0"


@derivation.exercise(
    "Data are distributed as $(0.49, 0.02, 0.49)$. Which of the models $(1/3, 1/3, 1/3)$ and $(0.96, 0.02, 0.02)$ is nearer in "
    "Kullback-Leibler divergence, and which in the reverse one?",
    "Kullback-Leibler prefers the wide model, 0.321 against 1.238, since the narrow one misses a mode. The reverse divergence "
    "prefers the narrow one, 0.582 against 0.681, since the wide one puts a third of its mass where there is almost no data.",
)
def two_modes():
    def both(name):
        data = jnp.log(jnp.stack([_bimodal, _bimodal]))
        return f_divergence(data, jnp.log(jnp.stack([_wide, _narrow])), divergence=name)

    yield both("kl"), "0.321 against 1.238"
    yield both("reverse_kl")[::-1], "0.582 against 0.681"


# ---------------------------------------------------------------------------------------------------- the code

_random = np.random.default_rng(2)
_log_p, _log_q = (jax.nn.log_softmax(2 * jnp.array(_random.normal(size=(20, 5)))) for _ in range(2))


@derivation.exact(
    r"D_f(p \,\|\, q) = \sum_{p_k \le q_k} q_k f\left(\frac{p_k}{q_k}\right) + \sum_{p_k > q_k} p_k "
    r"g\left(\frac{q_k}{p_k}\right)",
    because="The adjoint identity point by point. The code computes each point from the side on which the ratio is at most "
    "one, where nothing overflows.",
    role="appendix",
    outcomes=1200,
)
def each_point_may_be_computed_from_either_side():
    points = jnp.exp(_log_q) * of_each(f_generator, ALL, _log_p - _log_q)
    computed = of_each(f_divergence, ALL, _log_p, _log_q)
    return Sides(
        left=points.sum(-1), right=computed, wrong={"the arguments exchanged": of_each(f_divergence, ALL, _log_q, _log_p)}
    )


@derivation.numeric(
    r"\frac{B_f(u, 1)}{(u - 1)^2} \approx \frac{f''(1)}{2} \quad\text{at}\quad u = 1 + 10^{-7}",
    because=r"The code writes the generators of $\log u$ with functions that keep their digits at 1. Written in $u$, as in the "
    r"table, the terms cancel: at this ratio no digit of the result would be left.",
    tolerance=1e-6,
    since="the next term of Taylor's series is of relative size $10^{-7}$",
    role="appendix",
)
def generators_keep_their_digits_at_one():
    names = ("pearson_chi_squared", "neyman_chi_squared", "squared_hellinger", "jeffreys", "jensen_shannon")
    log_u = math.log1p(1e-7)
    heights = jnp.stack([f_generator(log_u, divergence=name) for name in names])
    halves = jnp.array([1.0, 1.0, 0.25, 1.0, 0.125])
    return Sides(left=heights / 1e-14, right=halves, wrong={"twice": 2 * halves})
