"""One convex function, one divergence.

The lecture on the functions of theory_jax/foundations/f_divergence.py.
"""

import functools
import math
from math import inf

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Abs, Min, Rational, Subs, limit, log, oo, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.draws import disjoint_distributions
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.typeset import latex
from theory_jax.derivation.unspecified import function
from theory_jax.foundations._generators import GENERATORS, row_of
from theory_jax.foundations.f_divergence import f_divergence, f_generator, f_generator_derivative, push_through_channel
from theory_jax.lectures.foundations._f_divergence import near_and_far
from theory_jax.lectures.foundations._formulas import ALPHA, FORMULAS, U, of_each
from theory_jax.lectures.foundations.maximum_likelihood import at_most_log_2
from theory_jax.lectures.lemmas.jensen import jensen
from theory_jax.lectures.lemmas.pinsker import pinsker

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
    question="Trained with one distance a model blurs over all of the data; with another it drops half of the modes; with a "
    "third it stops learning, because its gradient is zero. Kullback-Leibler, chi-squared, total variation, Hellinger, "
    "Jensen-Shannon: what do these distances between distributions have in common, and where do they differ in what they "
    "forgive?",
    setting=(
        "$p$ and $q$ are two distributions on finitely many points, positive in the chains below. A generator is a convex "
        "function $f$ of a positive $u$: its graph is above each of its tangents, and $B_f(u, a)$, which is $f(u) - f(a) - "
        "f'(a)(u - a)$, is how far. At a kink any slope between the left and the right one may take the place of $f'(a)$.",
        r"The f-divergence $D_f(p \,\|\, q)$ is $\mathbb{E}_q[f(p_k/q_k)]$. At the boundary it is continued by limits. A point "
        "that only the model has adds $q_k f(0)$, where $f(0)$ is the limit of $f(u)$ as $u$ goes to 0. A point that only the "
        r"data have adds $p_k f'(\infty)$, where $f'(\infty)$ is the limit of $f(u)/u$ as $u$ grows without bound, since $q_k "
        "f(p_k/q_k)$ is $p_k$ times $f(u)/u$ at that ratio. Both limits may be infinite. A point without mass adds nothing.",
    ),
    limits=(
        "General measure spaces, where the sums become integrals.",
        "Total variation has no second derivative at 1, so the local statement is not about it.",
    ),
)


@derivation.figure(
    "The heights $B_f(u, 1)$ of four generators above their tangents at 1. In Kullback-Leibler the price of a large ratio, that "
    "is of uncovered data, grows faster than the ratio; in the reverse divergence the price of a small one has no limit."
)
def heights(axes):
    ratios = np.linspace(0.02, 4, 120)
    for name in ("kl", "reverse_kl", "squared_hellinger", "jensen_shannon"):
        at, touch = (f_generator(np.log(r), divergence=name) for r in (ratios, np.ones(1)))
        tangent_at_1 = touch + f_generator_derivative(np.zeros(1), divergence=name) * (ratios - 1)
        axes.plot(ratios, at - tangent_at_1, label=name.replace("_", " "))
    axes.set(xlabel="$u = p/q$", ylabel="$B_f(u, 1)$", ylim=(-0.1, 2.6))
    axes.legend()


k = derivation.index("k", "a point")
j = derivation.index("j", "a point, next to $k$")
p = derivation.law("p", k, "the distribution of the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the distribution of the model", "exp(log_probs_q)")
half = Rational(1, 2)
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
    *(u, a),
    name=r"B_f\left({}, {}\right)",
    example={f: lambda ratio: ratio**2 - 1},
    wrong={"twice the slope": f(u) - f(a) - 2 * slope(a) * (u - a)},
)
derivation.symbol("B_f", "how far the generator is above its tangent")
central = derivation.chain(
    "An f-divergence is smallest where the distributions are equal",
    divergence,
    equals(
        Expectation(q, plus(f(1), times(slope(1), p / q - 1), convex.at(p / q, 1))),
        "the definition of $B_f$, at $p_k/q_k$ and 1",
        wrong={"averaged under the data": Expectation(p, plus(f(1), times(slope(1), p / q - 1), convex.at(p / q, 1)))},
    ),
    equals(
        plus(f(1), times(slope(1), Total(k, p)), -times(slope(1), Total(k, q)), Expectation(q, convex.at(p / q, 1))),
        prose("the expectation is linear, and {it}", it=holds(times(q, p / q - 1), "=", p - q)),
    ),
    equals(plus(f(1), Expectation(q, convex.at(p / q, 1))), "both distributions sum to one"),
    at_least(
        f(1), "leave out the mean height above the tangent, which is never negative", dropping=Expectation(q, convex.at(p / q, 1))
    ),
    central=True,
    so="Equality holds if and only if every height $B_f(p_k/q_k, 1)$ is zero. If $f$ is strictly convex at 1 (affine on no "
    r"interval around 1), that is if and only if $p$ and $q$ are equal. Without it the 'only if' is false: $\max(u - 2, 0)$ "
    "gives zero whenever no $p_k$ exceeds $2 q_k$.",
)
c = derivation.number("c", "a constant")
derivation.chain(
    "A multiple of u - 1 changes nothing",
    Expectation(q, plus(f(p / q), times(c, p / q - 1))),
    equals(
        plus(divergence, times(c, Total(k, p)), -times(c, Total(k, q))),
        prose("the expectation is linear, and {it}", it=holds(times(q, p / q - 1), "=", p - q)),
    ),
    equals(divergence, "both distributions sum to one"),
    so=r"So a generator is known only up to a multiple of $u - 1$. This is why tables in the literature differ and still agree.",
    role="lemma",
)

JSD = Divergence(p, mixture) / 2 + Divergence(q, mixture) / 2
jsd = derivation.define(r"\mathrm{JSD}", JSD, "the Jensen-Shannon divergence")
_ROWS = {  # in words, f'', the limits f(0) and f'(infinity), D_f
    "kl": ("Kullback-Leibler", 1 / u, (0, oo), Divergence(p, q)),
    "reverse_kl": ("Reverse Kullback-Leibler", u**-2, (oo, 0), Divergence(q, p)),
    "pearson_chi_squared": ("Pearson's chi-squared", sympy.Integer(2), (1, oo), Total(k, (p - q) ** 2 / q)),
    "neyman_chi_squared": ("Neyman's chi-squared", 2 / u**3, (oo, 1), Total(k, (p - q) ** 2 / p)),
    "squared_hellinger": ("Squared Hellinger", u ** Rational(-3, 2) / 2, (1, 1), Total(k, (sqrt(p) - sqrt(q)) ** 2)),
    "jeffreys": ("Jeffreys", 1 / u + u**-2, (oo, oo), Divergence(p, q) + Divergence(q, p)),
    "jensen_shannon": ("Jensen-Shannon", 1 / (2 * u * (u + 1)), (log(2) / 2, log(2) / 2), JSD),
    "gan": ("The GAN's", 1 / (u * (u + 1)), (0, 0), plus(2 * jsd, -log(4))),
    "alpha": ("The alpha family's", u ** (alpha - 2), (), (Total(k, p**alpha * q ** (1 - alpha)) - 1) / (alpha * (alpha - 1))),
}
_FORMULAS = {name: formula.subs({U: u, ALPHA: alpha}) for name, formula in FORMULAS.items()}
_ENDS = r"$f(0)$ is $1/\alpha$, infinite below 0, and $f'(\infty)$ is $1/(1 - \alpha)$, infinite above 1"
_SLOPES = {name: sympy.simplify(sympy.diff(formula, u)) for name, formula in _FORMULAS.items()}

derivation.say(
    "The table. A row has the generator under the expectation, the divergence that it makes, and what decides how it behaves: "
    r"the curvature $f''$, which is positive, and the two limits $f(0)$ and $f'(\infty)$. In every row $f(1)$ is 0 but in the "
    r"GAN's, where it is $-2 \log 2$."
)
for _name, (_words, _curvature, _ends, _divergence) in _ROWS.items():
    _pairs = zip(("(0)", r"'(\infty)"), map(sympy.sympify, _ends), strict=False)
    _limits = " and ".join(rf"$f{at}$ is ${latex(end)}$" for at, end in _pairs) or _ENDS
    derivation.chain(
        f"{_words} divergence",
        Expectation(q, _FORMULAS[_name].subs(u, p / q)),
        equals(_divergence, "multiply by $q_k$ and collect", points=40 * (_name == "alpha")),
        role="definition",
        states=2,
        so=prose(
            "The generator {generator} has the slope {slope} and the curvature {curvature}; " + _limits + ".",
            generator=_FORMULAS[_name],
            slope=holds(Slope(_FORMULAS[_name], u), "=", _SLOPES[_name], named=True),
            curvature=holds(Slope(_FORMULAS[_name], u, 2), "=", _curvature, named=True),
        ),
    )
TV = Total(k, Abs(p - q)) / 2
derivation.chain(
    "Total variation",
    Expectation(q, Abs(p / q - 1) / 2),
    equals(TV, "multiply by $q_k$", points=40),
    role="definition",
    so=r"The slope is $-\frac12$ below 1 and $\frac12$ above: all the curvature sits in the kink at 1; $f(0)$ and $f'(\infty)$ "
    r"are $\frac12$.",
)
derivation.say(
    "Every $f''$ of the table is positive, so $f'$ rises, and $B_f(u, a)$, with the slope $f'(u) - f'(a)$ in $u$, falls before "
    "$a$ and rises after it: every smooth generator is strictly convex. Total variation, the larger of two lines, has its kink "
    "at 1."
)


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
    table = [_ROWS[name][2] for name, at in rows if not at] + of_alpha
    code = [row_of(GENERATORS, name, None if at is None else float(at)) for name, at in rows]
    numbers = [(row.at_zero, row.slope_at_infinity) for row in code]
    wanted = np.array([*table, *table], dtype=np.float64)
    return Sides(left=np.array([*limits, *numbers], dtype=np.float64), right=wanted, wrong={"half of each": wanted / 2})


_AT = [(name, 3.0 if name == "alpha" else None) for name in _ROWS]


def _column(expressions):
    return sympy.Matrix([expression.subs(alpha, 3) for expression in expressions])


def _generators(log_ratio):
    return of_each(f_generator, _AT, log_ratio), of_each(f_generator_derivative, _AT, log_ratio)


derivation.bridge(
    "The code computes the table's generators and their derivatives, the alpha family at 3",
    (_column(_FORMULAS.values()), _column(_SLOPES.values())),
    _generators,
    log_ratio=[log(u)],
    calls=(f_generator, f_generator_derivative),
    wrong={"the derivatives in the logarithm of the ratio": (None, u * _column(_SLOPES.values()))},
)
derivation.bridge(
    "... and the divergences",
    _column([*(divergence for *_, divergence in _ROWS.values()), TV]),
    functools.partial(of_each, f_divergence, [*_AT, ("total_variation", None)]),
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    calls=(f_divergence,),
)
derivation.chain(
    "Exchanging the arguments exchanges the generator for its adjoint",
    divergence,
    equals(
        Expectation(p, times(q / p, f(1 / (q / p)))),
        prose("{it}, and $p_k/q_k$ is one over $q_k/p_k$", it=holds(q, "=", times(p, q / p))),
    ),
    so=r"This is $D_g(q \,\|\, p)$ with the adjoint generator $u f(1/u)$ for $g$.",
    role="lemma",
)
derivation.symbol("g", "the adjoint generator of $f$")


@derivation.symbolic(
    r"g(u) = u f\left(\tfrac{1}{u}\right)",
    because="Row by row: the adjoint of Kullback-Leibler's generator is the reverse one's, of Pearson's Neyman's, of the alpha "
    r"family's that of $1 - \alpha$. Hellinger's, Jeffreys', Jensen and Shannon's and the GAN's are their own adjoints, so "
    "these four divergences are symmetric, and so is total variation.",
    role="remark",
)
def swapping_the_arguments_is_the_adjoint_generator():
    adjoints = [sympy.expand_log(u * _FORMULAS[name].subs(u, 1 / u)) for name in _ROWS]
    partners = [_FORMULAS[GENERATORS[name].adjoint or name] for name in _ROWS if name != "alpha"]
    partners.append(_FORMULAS["alpha"].subs(alpha, 1 - alpha))
    return Sides(left=adjoints, right=partners, wrong={"all symmetric": list(_FORMULAS.values())})


of_alpha = _FORMULAS["alpha"]
neyman, root, square = (_FORMULAS[name] for name in ("neyman_chi_squared", "squared_hellinger", "pearson_chi_squared"))
derivation.chain(
    "The alpha family runs through the table",
    sympy.Matrix([Limit(of_alpha, alpha, 1), Limit(of_alpha, alpha, 0), *(of_alpha.subs(alpha, at) for at in (-1, half, 2))]),
    equals(
        sympy.Matrix([u * log(u) - (u - 1), -log(u) + (u - 1), neyman / 2, 2 * root, square / 2]),
        r"$(u^s - 1)/s$ tends to $\log u$ as $s$ goes to 0; then $-1$, $\frac12$ and 2 for $\alpha$",
    ),
    role="remark",
    so="At 1 it is Kullback and Leibler's generator, at 0 the reverse one's: the multiple of $u - 1$ changes nothing. Then half "
    "of Neyman's, twice Hellinger's and half of Pearson's.",
)
epsilon = derivation.number(r"\varepsilon", "a small step")
h = derivation.numbers("h", k, "a direction: its entries sum to zero")
_SECOND = Subs(Slope(Total(k, q * f((q + epsilon * h) / q)), epsilon, 2), epsilon, 0)
derivation.chain(
    "Near equality all smooth divergences are the same up to a factor",
    _SECOND,
    equals(
        Subs(Total(k, h**2 / q * curvature((q + epsilon * h) / q)), epsilon, 0),
        r"the chain rule, twice: each derivative brings a factor $h_k/q_k$",
    ),
    equals(times(curvature(1), Total(k, h**2 / q)), "at the step 0 every ratio is 1"),
    states=2,
    so=r"So $D_f(q + \varepsilon h \,\|\, q) - f(1)$ is $\frac12 \varepsilon^2$ times this, up to terms of order "
    r"$\varepsilon^3$: Fisher's metric, whatever the generator.",
)


@derivation.exact(
    r"D_f(p \,\|\, q) = f(0) + f'(\infty) \quad\text{if}\quad p \text{ and } q \text{ have disjoint supports}",
    because=r"At every point one of $p_k$ and $q_k$ is zero, so the sum is $f(0) \sum_k q_k + f'(\infty) \sum_k p_k$, whatever "
    r"$p$ and $q$ are: Jensen-Shannon gives $\log 2$ (its largest value: the lecture on maximum likelihood bounds both of its "
    "divergences), total variation 1, squared Hellinger 2, Kullback-Leibler infinity. However far apart the supports are, the "
    "divergence is the same, and its gradient is zero: a later lecture turns to distances that see how far mass has to move.",
    outcomes=15,
    scale=1.0,
    uses=(at_most_log_2,),
)
def disjoint_supports_give_no_signal():
    rows = [(name, None) for name in ("jensen_shannon", "total_variation", "squared_hellinger", "kl", "reverse_kl")]
    values = jnp.repeat(jnp.array([math.log(2), 1.0, 2.0, inf, inf])[:, None], 3, axis=1)
    found = of_each(f_divergence, rows, *disjoint_distributions())
    return Sides(left=found, right=values, wrong={"points without data dropped": values / 2})


derivation.figure(
    prose(
        r"Left: divergences of $q + \varepsilon h$ from $q$ on three points, over $\varepsilon^2/2$ times {second}: near "
        "equality the generators cannot be told apart. Right: of two Gaussians with variance 1 that move apart. Squared "
        "Hellinger and Jensen-Shannon level off and stop telling the distance; both Kullback-Leibler divergences coincide here "
        "and rise.",
        second=holds(
            _SECOND, "=", times(curvature(1), Total(k, h**2 / q)), named=True, wrong={"slope": slope(1) * Total(k, h**2 / q)}
        ),
    ),
    panels=2,
)(near_and_far)


derivation.say(
    r"Between the two extremes the ends decide. Where $f'(\infty)$ is infinite (Kullback-Leibler, Pearson), data that the model "
    "leaves uncovered cost without limit, so a model that cannot fit everything spreads over all of the data: it covers the "
    r"modes. Where $f(0)$ is infinite and $f'(\infty)$ finite (reverse Kullback-Leibler, Neyman), samples where there is no "
    "data cost without limit, and uncovered data cost little: the model keeps to one mode. Total variation, Hellinger, "
    "Jensen-Shannon and the GAN's have two finite ends."
)

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
        prose("the definition of $B_f$; {one}", one=holds(Total(k, origin), "=", 1)),
    ),
    equals(
        plus(Total(o, q_out * Total(k, origin * f(p / q))), -lost),
        prose(
            "{mean}: the ratio of the outputs is the mean of the ratios of the inputs",
            mean=holds(Total(k, origin * (p / q)), "=", ratio_out),
        ),
    ),
    at_most(Total(o, q_out * Total(k, origin * f(p / q))), "add the mean of heights, which are never negative", adding=lost),
    equals(divergence, prose("{joint}; outputs sum to one", joint=holds(q_out * origin, "=", q * channel))),
    states=2,
    so="No processing makes two sources easier to tell apart. Nothing is lost if every output comes from inputs of one ratio "
    "$p_k/q_k$, as when points are only renamed.",
)
derivation.bridge(
    "The code computes the logarithm of a channel's output",
    log(p_out),
    push_through_channel,
    log_probs=[log(p)],
    log_channel=log(channel),
)

ratio = derivation.define("r", p / q, "the ratio at a point", over=k, positive=True)
pearson = Total(k, (p - q) ** 2 / q)
derivation.chain(
    "The logarithm of one plus Pearson's divergence is at least Kullback and Leibler's",
    plus(log(1 + pearson), -Divergence(p, q)),
    equals(
        plus(log(Total(k, p**2 / q)), -Divergence(p, q)),
        prose("{square}", square=holds(pearson, "=", plus(Total(k, p**2 / q), -1))),
        wrong={"the one forgotten": plus(log(pearson), -Divergence(p, q))},
    ),
    equals(plus(log(Expectation(p, ratio)), -Expectation(p, log(ratio))), "both are averages under $p$"),
    at_least(
        0,
        prose("Jensen's inequality; equality if and only if {same} for every $k$", same=where(p, q)),
        dropping=jensen.at(p, ratio),
    ),
    states=2,
    uses=(pinsker,),
    so=prose(
        "Pinsker's inequality bounds it from below: {pinsker}. So convergence in divergence is convergence in total variation.",
        pinsker=holds(2 * TV**2, "<=", Divergence(p, q), wrong={"not squared": TV**2 / 8}),
    ),
    role="remark",
)
apart, together = Abs(sqrt(p) - sqrt(q)), sqrt(p) + sqrt(q)
hellinger = Total(k, (sqrt(p) - sqrt(q)) ** 2)
derivation.chain(
    "Total variation is at least half the squared Hellinger distance",
    TV,
    equals(
        plus(hellinger / 2, Total(k, apart * Min(sqrt(p), sqrt(q)))),
        prose(
            "{product}, and the sum of two numbers is their distance plus twice the smaller",
            product=holds(Abs(p - q), "=", times(apart, together)),
        ),
        points=40,
    ),
    at_least(hellinger / 2, "leave out what is never negative", dropping=Total(k, apart * Min(sqrt(p), sqrt(q)))),
    role="remark",
)
lagrange = Total(k, Total(j, (apart * together.subs(k, j) - apart.subs(k, j) * together) ** 2)) / 8
derivation.chain(
    "Total variation is at most the Hellinger distance times a root",
    plus(times(hellinger, 1 - hellinger / 4), -(TV**2)),
    equals(lagrange, prose("{sum}, and Lagrange's identity", sum=holds(Total(k, together**2), "=", 4 - hellinger)), points=40),
    at_least(0, "a sum of squares is never negative", dropping=lagrange, points=40),
    role="remark",
    so="So total variation is between half of the squared Hellinger distance and the root of the product above. Both bounds are "
    "reached by disjoint supports, where the squared distance is 2 and the total variation 1.",
)
_given = {p: (0.75, 0.25), q: (0.5, 0.5)}
derivation.answer = prose(
    "Every convex $f$ gives a divergence that is smallest where $p$ and $q$ are equal, where it is {least}, and that no "
    "processing of the data increases. Near equality all smooth ones are the same to second order, up to the factor $f''(1)$: "
    r"{near}. What tells them apart is how $f$ grows far from 1: $f'(\infty)$ is the price of data that the model does not "
    "cover, $f(0)$ the price of samples where there is no data.",
    least=holds(divergence, "=", f(1), when={p: q}, named=True),
    near=holds(_SECOND, "=", times(curvature(1), Total(k, h**2 / q)), wrong={"the slope": slope(1) * Total(k, h**2 / q)}),
)


@derivation.example("The data have the probabilities 0.75 and 0.25, the model has twice 0.5: the ratios are 1.5 and 0.5.")
def two_points():
    printed = ("0.1308", "0.1438", "0.25", "0.3333", "0.0681", "0.2747", "0.0338", "-1.3187")
    for name, shown in zip(_ROWS, printed, strict=False):
        yield _ROWS[name][3], value(_ROWS[name][3], _given), shown
    yield TV, value(TV, _given), "0.25"
    yield r"2\,\mathrm{TV}^2", 2 * value(TV, _given) ** 2, "0.125"
    flip = jnp.log(jnp.array([[0.75, 0.25], [0.25, 0.75]]))
    pair = (jnp.log(jnp.array([_given[law]])) for law in (p, q))
    exchanged = f_divergence(*(push_through_channel(law, flip) for law in pair), divergence="pearson_chi_squared")[0]
    yield r"\text{Pearson's, after each point was exchanged with probability } \tfrac14", exchanged, "0.0625"
