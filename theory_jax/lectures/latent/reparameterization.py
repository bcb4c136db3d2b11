"""Gradients through randomness.

The lecture on the functions of theory_jax/latent/reparameterization.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Matrix, Rational, exp, gamma, log, oo, pi

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.reparameterization import (
    concrete_log_density,
    gaussian_parameter_score,
    gumbel_from_uniform,
    gumbel_softmax,
    leave_one_out_advantage,
    reparameterize,
)
from theory_jax.lectures.latent._reparameterization import (
    draw_estimators_and_densities,
    mean_square,
    variances_of_cosine,
    variances_with_and_without_the_others,
)
from theory_jax.lectures.lemmas.gumbel_max import gumbel_max
from theory_jax.lectures.lemmas.score import score as score_has_mean_zero

derivation = Derivation(
    module=__name__,
    title="Gradients through randomness",
    lectures=(19,),
    sources=(
        "Kingma & Welling 2014, Auto-encoding variational Bayes, section 2.4",
        "Williams 1992, Simple statistical gradient-following algorithms",
        "Jang, Gu & Poole 2017, Categorical reparameterization with Gumbel-softmax",
        "Maddison, Mnih & Teh 2017, The Concrete distribution",
        "Kool, van Hoof & Welling 2019, Buy 4 REINFORCE samples, get a baseline for free",
        "Mohamed, Rosca, Figurnov & Mnih 2020, Monte Carlo gradient estimation in machine learning",
    ),
    question="A loss is an average over samples, and the parameters to be trained belong to the distribution that is sampled. "
    "A sample is a number: automatic differentiation finds no trace of the parameters in it, and the gradient is zero or "
    "missing. How is such an average differentiated, when all one has is samples?",
    setting=(
        r"First $z$ is Gaussian with mean $m$ and log-variance $v$, and $f$ is a smooth function that grows no faster than a "
        r"polynomial, and neither does its derivative: then all integrals below exist, and derivatives may be taken under them.",
        r"Then $z$ is one of $K$ categories with probabilities $\mathrm{softmax}(l)$, and $f$ is any function of the category. "
        r"Samples are independent, and $u$ is uniform on $(0, 1)$.",
    ),
    limits=(
        "Densities of relaxed samples are derived for two categories; for more the formula is only stated.",
        "That the bias of the relaxation decreases with every decrease of the temperature: a few temperatures are compared.",
        "Distributions next to the Gaussian and the categorical; implicit reparameterization; control variates that are learned.",
    ),
)

z = derivation.number("z", "the sample", "z")
m = derivation.number("m", "its mean", "mean")
v = derivation.number("v", "its log-variance", "log_var")
eps = derivation.number(r"\varepsilon", "standard normal noise", "noise")
h = derivation.number("h", "an arbitrary number")
draw = derivation.define(r"\zeta", plus(m, exp(v / 2) * eps), "the path: what the noise becomes", "reparameterize")
standard, gaussian = Normal(eps, 0, 1), Normal(z, m, exp(v))

same_law = derivation.chain(
    "Shifted and scaled noise has the distribution of the sample",
    Expectation(standard, exp(h * draw)),
    equals(
        exp(plus(h * m, h**2 * exp(v) / 2)),
        prose("{mgf}, with $h e^{v/2}$ in place of $h$", mgf=holds(Expectation(standard, exp(h * eps)), "=", exp(h**2 / 2))),
        wrong={"the variance taken for the deviation": exp(h * m + h**2 * exp(2 * v) / 2)},
    ),
    equals(Expectation(gaussian, exp(h * z)), r"the same for $\mathcal{N}(m, e^v)$"),
    role="lemma",
    so=r"Two distributions with the same finite moment generating function are the same. So $m$ and $v$ have left the "
    r"distribution: they are now inputs of a deterministic function of noise.",
)
_variance = {"the variance taken for the deviation": m + exp(v) * eps}
derivation.bridge("The code's sample", draw, reparameterize, noise=[[eps]], mean=[[m]], log_var=[[v]], wrong=_variance)

density = derivation.define(r"\phi", exp(LogDensity(z, m, exp(v))), "the density of the sample", positive=True)
score_m, score_v = times(z - m, exp(-v)), times(Rational(1, 2), plus((z - m) ** 2 * exp(-v), -1))
for parameter, score, title in (
    (m, score_m, "The score in the mean is the distance from it over the variance"),
    (v, score_v, "The score in the log-variance is half of the squared distance over the variance, less 1"),
):
    derivation.chain(
        title,
        Slope(density, parameter),
        equals(times(density, Slope(log(density), parameter)), "a derivative is the function times that of its logarithm"),
        equals(
            times(density, score), prose("{log}", log=holds(log(density), "=", -plus((z - m) ** 2 * exp(-v), v, log(2 * pi)) / 2))
        ),
        role="lemma",
    )
derivation.bridge("The code's scores", (score_m, score_v), gaussian_parameter_score, z=[[z]], mean=[[m]], log_var=[[v]])
f = derivation.function("f", "what is averaged: any smooth function of polynomial growth")
slope = f(z).diff(z)
in_mean = plus(times(slope, density), -times(f(z), score_m, density))
in_log_var = plus(times(slope, Rational(1, 2), z - m, density), -times(f(z), score_v, density))
by_parts = derivation.chain(
    "Slopes and values differ by a derivative, whatever the function",
    Matrix([in_mean, in_log_var]),
    equals(
        Matrix([Slope(times(f(z), density), z), Slope(times(Rational(1, 2), z - m, f(z), density), z)]),
        prose("the product rule, with {slope}", slope=holds(Slope(density, z), "=", -times(z - m, exp(-v), density))),
    ),
    role="lemma",
    so=prose(
        r"Integrate over $z$: the right sides vanish, because $f \phi$ and $(z - m) f \phi$ go to 0 at both ends. So the mean "
        "slope of $f$ is the mean of $f$ times the score, for every such $f$. The second entry says the same for the "
        r"log-variance: $\frac{1}{2}(z - m)$ is the speed of the path, {speed}.",
        speed=holds(Slope(draw, v), "=", (draw - m) / 2),
    ),
)
n = derivation.index("n", "a power", states=5)
c = derivation.numbers("c", n, "the coefficients of a polynomial of degree 4, in place of $f$")
values, slopes = Total(n, times(c, z**n)), Total(n, times(n, c, z ** (n - 1)))
on_path, slopes_on_path = Total(n, times(c, draw**n)), Total(n, times(n, c, draw ** (n - 1)))
derivation.answer = prose(
    "The gradient of an average is an average of slopes along the path of the sample (pathwise), and it is an average of values "
    "weighted by the score of the sample's distribution. In the mean of a Gaussian, and for $f$ a polynomial, both are one "
    "number: {same}. The first needs a differentiable $f$ and a differentiable path; the second needs neither, and often pays "
    "for it with variance, which baselines lower. A relaxed category has a path, but a biased average.",
    same=holds(Expectation(gaussian, slopes), "=", Expectation(gaussian, times(values, score_m))),
)
central = derivation.chain(
    "Three faces of one gradient",
    Slope(Expectation(gaussian, values), m),
    equals(Slope(Expectation(standard, on_path), m), "the path has the distribution of $z$"),
    equals(
        Expectation(standard, slopes_on_path),
        prose(
            r"the distribution of $\varepsilon$ does not depend on $m$, so the derivative moves inside, and {speed}: the "
            "pathwise estimator",
            speed=holds(Slope(draw, m), "=", 1),
        ),
        wrong={"the value in place of the slope": Expectation(standard, on_path)},
    ),
    equals(Expectation(gaussian, slopes), r"back to $z$"),
    equals(Expectation(gaussian, times(values, score_m)), "integrate by parts (the lemma): the score-function estimator"),
    uses=(same_law, by_parts),
    central=True,
    so=r"Executed for every polynomial of degree at most 4; the lemmas hold for every $f$ of the setting. The third line "
    r"averages slopes of $f$, the last one only values: there $f$ may be a program without derivatives.",
)
derivation.chain(
    "The two estimators agree in the log-variance, too",
    Slope(Expectation(gaussian, values), v),
    equals(
        Expectation(standard, times(slopes_on_path, exp(v / 2) * eps / 2)),
        prose("{speed}", speed=holds(Slope(draw, v), "=", exp(v / 2) * eps / 2)),
    ),
    equals(Expectation(gaussian, times(values, score_v)), "by parts, as above"),
    role="lemma",
)
t = derivation.number("t", "the variance of the sample", "e^log_var", positive=True)
b = derivation.number("b", "a constant added to $f$: minus a baseline")
gauss = Normal(z, m, t)
derivation.chain(
    "For a quadratic the path is always better, whatever the baseline",
    Variance(gauss, times(z**2 + b, z - m) / t),
    equals(
        plus((b + m**2 + 3 * t) ** 2 / t, 8 * m**2, 6 * t), r"moments of a Gaussian up to the sixth, collected as a square in $b$"
    ),
    at_least(
        plus(8 * m**2, 6 * t),
        prose("the best baseline, {best}, makes the square zero", best=where(b, -plus(m**2, 3 * t))),
        dropping=(b + m**2 + 3 * t) ** 2 / t,
    ),
    at_least(4 * t, r"leave out $8 m^2 + 2t$", dropping=8 * m**2 + 2 * t),
    equals(Variance(gauss, 2 * z), r"the pathwise estimator is the slope, $2z$"),
    so=prose(
        "At {m} and {t}, without a baseline, {b}: {score} against {path}. The path knows the slope; the score has to find it by "
        "comparing values.",
        **{"m": where(m, 1), "t": where(t, 1), "b": where(b, 0)},
        score=holds(Variance(gauss, times(z**2 + b, z - m) / t), "=", 30, named=True),
        path=holds(Variance(gauss, 2 * z), "=", 4, named=True),
    ),
)


@derivation.numeric(
    r"f = \cos 20z,\ m = t = 1: \quad \mathrm{Var}[f'(z)] = 200, \quad \mathrm{Var}\left[f(z)\, (z - m)/t\right] = \tfrac12",
    because="Not for every function. The slope $-20 \\sin 20z$ of a function that wiggles has nothing to do with the slope of "
    "its average, which is almost zero; its values are bounded by 1, and the score uses only these. Integrated on a grid; terms "
    "of order $e^{-200}$ are left out.",
    role="remark",
)
def for_a_wiggling_function_the_score_is_better():
    variances = jnp.array(variances_of_cosine(20.0))
    return Sides(left=variances, right=jnp.array([200.0, 0.5]), wrong={"the two estimators exchanged": variances[::-1]})


k = derivation.index("k", "a category")
j = derivation.index("j", "a category, next to $k$")
K = derivation.count(k, "K", "the number of categories")
l = derivation.numbers("l", k, "their logits", "logits")  # noqa: E741 (the lecture's letter)
p = derivation.define("p({})", exp(l) / Total(j, exp(l.at(j))), "the softmax of the logits", over=k, law=True)
phi = derivation.numbers("f", k, "the value of $f$ at a category", "values")
derivation.say(
    r"A category has no path: it jumps as the logits move. The score-function estimator remains, since it needs nothing but "
    r"values."
)
derivation.chain(
    "The gradient of an average over categories",
    Slope(Expectation(p, phi), l.at(j)),
    equals(
        Expectation(p, phi * Slope(log(p), l.at(j))),
        "the slope of a probability is the probability times that of its logarithm: the sum is an average again, so samples "
        "estimate it",
        wrong={"averaged with the probabilities once more": Expectation(p, phi * Slope(p, l.at(j)))},
    ),
    equals(
        times(p.at(j), plus(phi.at(j), -Expectation(p, phi))),
        prose("{score}", score=holds(Slope(log(p), l.at(j)), "=", plus(KroneckerDelta(k, j), -p.at(j)))),
    ),
)
k1 = derivation.index("k_1", "the first of two sampled categories")
k2 = derivation.index("k_2", "the second")
score1, score2 = Slope(log(p.at(k1)), l.at(j)), Slope(log(p.at(k2)), l.at(j))


def _over_pairs(body):
    return Expectation(p.at(k1), Expectation(p.at(k2), body))


others = derivation.chain(
    "The other sample is a baseline that costs nothing",
    _over_pairs(times(Rational(1, 2), plus(times(phi.at(k1) - phi.at(k2), score1), times(phi.at(k2) - phi.at(k1), score2)))),
    equals(
        _over_pairs(times(Rational(1, 2), plus(phi.at(k1) * score1, phi.at(k2) * score2))),
        prose(
            "{none}: the samples are independent, and a score has mean zero",
            none=holds(_over_pairs(times(phi.at(k2), score1)), "=", 0),
        ),
    ),
    equals(Slope(Expectation(p, phi), l.at(j)), "both terms are the gradient of the line above, averaged"),
    states=2,
    uses=(score_has_mean_zero,),
    so=prose(
        "So it is with $S$ samples, each against the mean of the others. A mean that includes the sample itself is not "
        r"independent of it: the expected estimate then shrinks by the factor $(S - 1)/S$, for two samples {shrunk}.",
        shrunk=holds(
            _over_pairs(times(phi.at(k1) - (phi.at(k1) + phi.at(k2)) / 2, score1)), "=", Slope(Expectation(p, phi), l.at(j)) / 2
        ),
    ),
)
s = derivation.index("s", "a sample")
S = derivation.count(s, "S", "how many there are")
sampled = derivation.numbers("F", s, "their values", "values")
_own, _all = sampled - (Total(s, sampled) - sampled) / (S - 1), {"the mean of all samples": sampled - Total(s, sampled) / S}
derivation.bridge("The code subtracts the mean of the others", _own, leave_one_out_advantage, values=[sampled], wrong=_all)

derivation.symbol(r"\eta", "the probability of heads of a coin")
derivation.symbol(r"\mu_4", "the fourth central moment of the coin, $\\eta(1-\\eta)(1 - 3\\eta(1-\\eta))$")
derivation.symbol("f_0, f_1", "the values of $f$ at tails and at heads")


@derivation.exact(
    r"\mathrm{Var}[\mathrm{plain}] = \frac{\eta(1-\eta)}{3}\left(f_1(1-\eta) + f_0\,\eta\right)^2, \qquad "
    r"\mathrm{Var}[\mathrm{leave\ one\ out}] = \frac{\mu_4}{3} \left(f_1 - f_0\right)^2",
    because="Three samples of a coin. The plain estimate is a mean of independent terms $f(b)(b - \\eta)$. With the baseline it "
    "is $f_1 - f_0$ times the unbiased sample variance of the coin, with variance $\\mu_4/3$ for three of them: an offset of "
    "$f$ has dropped out. Here the values are 11.3 and 8, and the plain variance is 33 times larger.",
    outcomes=8,
    role="remark",
)
def leaving_one_out_forgets_the_offset():
    enumerated, plain, left_out, squared = variances_with_and_without_the_others()
    return Sides(left=enumerated, right=[plain, left_out], wrong={"the variance squared for the fourth moment": [plain, squared]})


u = derivation.number("u", "a uniform number", "uniforms", between=(0, 1))
gumbel = derivation.define("g", -log(-log(u)), "Gumbel noise", "gumbel_from_uniform")
derivation.bridge("The code's noise", gumbel, gumbel_from_uniform, uniforms=[[u]], wrong={"the noise of a minimum": log(-log(u))})
derivation.say(
    "The largest logit plus Gumbel noise is a sample of the softmax (lemmas/gumbel_max). So a sample of a category has become a "
    "deterministic function of uniform noise: an argmax. It has no useful slope, but a softmax in its place has."
)
tau = derivation.number(r"\tau", "the temperature", "temperature", positive=True)
a = derivation.number("a", "the margin of the winner over the other of two", positive=True)
derivation.chain(
    "Without temperature the winner gets all of the weight, at infinite temperature one half",
    Matrix([Limit(1 / (1 + exp(-a / tau)), tau, 0), Limit(1 / (1 + exp(-a / tau)), tau, oo)]),
    equals(
        Matrix([1, Rational(1, 2)]),
        r"the exponent grows without bound, so the relaxed sample tends to the one-hot one; then the exponent vanishes",
    ),
    role="remark",
)
w = derivation.numbers("w", k, "arbitrary numbers behind the uniform numbers")
uniform = derivation.define("u", 1 / (1 + exp(-w)), "uniform numbers", "uniforms", over=k)
relaxed = exp((l - log(-log(uniform))) / tau)
shares = relaxed / Total(j, relaxed.xreplace({k: j}))
derivation.bridge("The code's relaxed sample", shares, gumbel_softmax, uniforms=[uniform], logits=[l], temperature=tau)

y = derivation.number("y", "the first entry of a relaxed sample of two", between=(0, 1))
l1, l2 = (derivation.number(rf"\lambda_{i}", f"the {word} of two logits") for i, word in ((1, "first"), (2, "second")))
below_y = derivation.define(
    "G", 1 / (1 + exp(l1 - l2 - tau * log(y) + tau * log(1 - y))), "the probability that the first entry is at most $y$"
)
derivation.chain(
    "The density of a relaxed sample of two is the slope of a logistic function",
    Slope(below_y, y),
    equals(
        times(tau, exp(l1 + l2), exp(times(-1, plus(tau, 1), log(y))), exp(times(-1, plus(tau, 1), log(1 - y))))
        / plus(exp(l1 - tau * log(y)), exp(l2 - tau * log(1 - y))) ** 2,
        prose(
            "the first entry is at most $y$ if the difference of the two Gumbel variables is at most {threshold}. The "
            "probability of this is a logistic function: the argmax of two, above. Its slope is the density",
            threshold=plus(tau * log(y / (1 - y)), -l1, l2),
        ),
    ),
    uses=(gumbel_max,),
    so=r"Its mass is one, since $G$ rises from 0 to 1. The general formula, for $K$ entries, is $\Gamma(K)\, \tau^{K-1} "
    r"\prod_k e^{l_k} y_k^{-\tau-1} \big/ \left(\sum_k e^{l_k} y_k^{-\tau}\right)^K$.",
    role="lemma",
)
simplex = derivation.law("y", k, "a relaxed sample", "exp(log_y)")
concrete = plus(
    log(gamma(K)), (K - 1) * log(tau), Total(k, l - (tau + 1) * log(simplex)), -K * log(Total(k, exp(l - tau * log(simplex))))
)
derivation.bridge(
    "The code's log-density, for four entries",
    concrete,
    concrete_log_density,
    log_y=[log(simplex)],
    logits=[l],
    temperature=tau,
    wrong={"the exponent of a temperature, without its 1": concrete + Total(k, log(simplex))},
)
rise = derivation.number("r", r"by how much the odds $e^{\lambda_1 - \lambda_2}$ of the first of two exceed 1", positive=True)
o = 1 + rise
second_moment = derivation.define(
    "M", times(o**2 / rise**2, plus(1, -2 * log(o) / rise, 1 / o)), "the mean square of the first entry at temperature 1"
)
derivation.chain(
    "The relaxation is biased: it averages inside the simplex, not at its corners",
    Integral((o * u / plus(1, -u, o * u)) ** 2, (u, 0, 1)),
    equals(
        second_moment,
        prose(
            "{parts}, and the denominator runs from 1 to {odds}",
            parts=holds((rise * u / (1 + rise * u)) ** 2, "=", plus(1, -2 / (1 + rise * u), (1 + rise * u) ** -2)),
            odds=o,
        ),
        wrong={"the mean of the one-hot sample": o / (1 + o)},
    ),
    so=prose(
        "At temperature 1 the first entry is the root of the integrand with a uniform $u$, since the difference of two Gumbel "
        r"variables has the distribution of $\log\frac{u}{1 - u}$. An entry of a one-hot sample is its own square, with mean "
        "{mean}. At odds 9, {r}: 0.7110 against {exact}. The gradient of the relaxed average is the exact gradient of the wrong "
        "objective. As the temperature falls to 0 the samples move into the corners and the bias vanishes, while the gradient's "
        "variance grows: hence the annealing.",
        **{"mean": o / (1 + o), "r": where(rise, 8), "exact": holds(o / (1 + o), "=", Rational(9, 10), named=True)},
    ),
    role="remark",
)


@derivation.algorithm(
    "A gradient step in the mean, by slopes or by values",
    do(
        r"draw $\varepsilon_1, \dots, \varepsilon_S \sim \mathcal{N}(0, 1)$; $z_s \leftarrow m + e^{v/2} \varepsilon_s$",
        reparameterize,
        by=same_law,
    ),
    do(r"pathwise: $g \leftarrow \frac1S \sum_s f'(z_s)$", by=central),
    do(r"or by values: $A_s \leftarrow f(z_s)$ less the mean of the others", leave_one_out_advantage, by=others),
    do(r"and then $g \leftarrow \frac1S \sum_s A_s (z_s - m) e^{-v}$", gaussian_parameter_score, by=central),
    do(r"$m \leftarrow m - h g$"),
)
def two_steps():
    at, unit = 1.0, jnp.zeros((2, 1))
    for noise, path, score, moved in (((1.0, -1.0), "2", "4", "0.5"), ((2.0, 0.0), "3", "6", "-0.25")):
        z = reparameterize(jnp.array(noise)[:, None], unit + at, unit)
        advantage = leave_one_out_advantage(z.T**2)[0]
        yield rf"f = z^2, v = 0, m = {at}, \varepsilon = {noise}: \quad \text{{pathwise }} g", 2 * z.mean(), path
        yield r"\text{by values } g", advantage @ gaussian_parameter_score(z, unit + at, unit)[0][:, 0] / 2, score
        at = float(at - 2 * z.mean() / 4)
        yield r"m \text{ after the first of them, with } h = \tfrac14", at, moved


@derivation.example(
    "First $z^2$ at mean and variance 1. Then a coin with probability one quarter of heads and the values 1 at tails and 3 at "
    "heads; two samples. Then the mean square of the first entry of a relaxed sample at odds 9, by its temperature."
)
def gradients_by_hand():
    given = {m: 1, t: 1, b: 0}
    yield r"\mathrm{Var}\,2z", value(Variance(gauss, 2 * z), given), "4"
    yield r"\mathrm{Var}\,z^2 (z - m)/t", value(Variance(gauss, z**2 * (z - m) / t), given), "30"
    pairs = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    weight, values = np.prod(np.where(pairs == 1, 0.25, 0.75), axis=1), np.where(pairs == 1, 3.0, 1.0)
    for words, advantage, printed in (
        ("plain", values, "(0.375, 0.5859)"),
        ("leave one out", leave_one_out_advantage(values), "(0.375, 0.2344)"),
    ):
        estimate = np.mean(advantage * (pairs - 0.25), axis=1)
        found = weight @ estimate, weight @ (estimate - weight @ estimate) ** 2
        yield rf"\text{{mean and variance, {words}}}", found, printed
    for temperature, found in ((1.0, "0.711"), (0.3, "0.861"), (0.03, "0.897")):
        yield rf"\mathbb{{E}}\,y_1^2 \text{{ at }} \tau = {temperature:g}", mean_square(9.0, temperature), found


derivation.figure(
    "Left: the variance of both estimators for a cosine of a standard normal variable, shifted by 1, over its frequency: the "
    "path is better for a slow one, the score for one that wiggles. Right: the density of the first entry of a relaxed sample at "
    "odds 3; as the temperature falls it moves into the corners.",
    panels=2,
)(draw_estimators_and_densities)
