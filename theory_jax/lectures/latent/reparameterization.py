"""Gradients through randomness.

The lecture on the functions of theory_jax/latent/reparameterization.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Matrix, Rational, exp, gamma, log, oo
from sympy import limit as limit_of

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.latent.reparameterization import (
    concrete_log_density,
    gaussian_parameter_score,
    gumbel_from_uniform,
    gumbel_softmax,
    leave_one_out_advantage,
    reparameterize,
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
    "How is such an average differentiated, when all one has is samples?",
    setting=(
        r"First $z$ is Gaussian with mean $m$ and log-variance $v$, and $f$ is a smooth function that grows no faster than a "
        r"polynomial, and neither does its derivative: then all integrals below exist, and derivatives may be taken under them.",
        r"Then $z$ is one of $K$ categories with probabilities $\mathrm{softmax}(l)$, and $f$ is any function of the category.",
        r"Samples are independent. $u$ is uniform on $(0, 1)$.",
    ),
    answer=r"The gradient of $\mathbb{E} f(z)$ is an average of slopes along the path of the sample (pathwise), and it is an "
    r"average of values weighted by the score $\nabla \log p(z)$. The first needs a differentiable $f$ and a differentiable "
    r"path; the second needs neither, and pays for it with variance, which baselines lower. A relaxed category has a path, but "
    r"a biased average.",
    limits=(
        "Densities of relaxed draws are derived for two categories; for more the formula is only stated.",
        "That the bias of the relaxation decreases with every decrease of the temperature: a few temperatures are compared.",
        "Distributions next to the Gaussian and the categorical; implicit reparameterization; control variates that are learned.",
    ),
)

z = derivation.number("z", "the sample", "z")
m = derivation.number("m", "its mean", "mean")
v = derivation.number("v", "its log-variance", "log_var")
eps = derivation.number(r"\varepsilon", "a standard normal draw", "noise")
h = derivation.number("h", "an arbitrary number")
draw = derivation.define(r"\zeta", plus(m, exp(v / 2) * eps), "the path: what the noise becomes", "reparameterize")
standard, gaussian = Normal(eps, 0, 1), Normal(z, m, exp(v))

same_law = derivation.chain(
    "Shifted and scaled noise has the law of the sample",
    Expectation(standard, exp(h * draw)),
    equals(
        exp(plus(h * m, h**2 * exp(v) / 2)),
        r"$\mathbb{E} e^{a \varepsilon} = e^{a^2/2}$ at $a = h e^{v/2}$",
        wrong={"the variance taken for the deviation": exp(h * m + h**2 * exp(2 * v) / 2)},
    ),
    equals(Expectation(gaussian, exp(h * z)), r"the same for $\mathcal{N}(m, e^v)$"),
    role="lemma",
    so=r"Two laws with the same finite moment generating function are the same law. So $m$ and $v$ have left the distribution: "
    r"they are now inputs of a deterministic function of noise.",
)
derivation.bridge(
    "The code's draw",
    draw,
    reparameterize,
    noise=[[eps]],
    mean=[[m]],
    log_var=[[v]],
    wrong={"the variance taken for the deviation": m + exp(v) * eps},
)

density = derivation.define(r"\phi", exp(LogDensity(z, m, exp(v))), "the density of the sample", positive=True)
score_m, score_v = times(z - m, exp(-v)), times(Rational(1, 2), plus((z - m) ** 2 * exp(-v), -1))
for parameter, score in ((m, score_m), (v, score_v)):
    derivation.chain(
        f"The score in the {'mean' if parameter == m else 'log-variance'}: how fast the density changes, relative to itself",
        Slope(density, parameter),
        equals(times(density, Slope(log(density), parameter)), r"$p' = p\, (\log p)'$"),
        equals(times(density, score), r"$\log \phi = -\frac12\left((z - m)^2 e^{-v} + v + \log 2\pi\right)$"),
        role="lemma",
    )
derivation.bridge("The code's scores", (score_m, score_v), gaussian_parameter_score, z=[[z]], mean=[[m]], log_var=[[v]])
f = derivation.function("f", "what is averaged: any smooth function of polynomial growth")
by_parts = derivation.chain(
    "Slopes and values differ by a derivative, whatever the function",
    Matrix(
        [
            plus(times(f(z).diff(z), density), -times(f(z), score_m, density)),
            plus(times(f(z).diff(z), Rational(1, 2), z - m, density), -times(f(z), score_v, density)),
        ]
    ),
    equals(
        Matrix([Slope(times(f(z), density), z), Slope(times(Rational(1, 2), z - m, f(z), density), z)]),
        r"the product rule, with $\phi' = -(z - m) e^{-v} \phi$",
    ),
    role="lemma",
    so=r"Integrate over $z$: the right sides vanish, because $f \phi$ and $(z - m) f \phi$ go to 0 at both ends. So $\mathbb{E} "
    r"f'(z) = \mathbb{E}[f(z)\, (z - m) e^{-v}]$ for every such $f$. The second entry says the same for the log-variance: "
    r"$\frac{1}{2}(z - m)$ is $\partial \zeta / \partial v = \frac{1}{2} e^{v/2} \varepsilon$, the speed of the path.",
)
n = derivation.index("n", "a power", states=5)
c = derivation.numbers("c", n, "the coefficients of a polynomial of degree 4, in place of $f$")
values, slopes = Total(n, times(c, z**n)), Total(n, times(n, c, z ** (n - 1)))
on_path, slopes_on_path = Total(n, times(c, draw**n)), Total(n, times(n, c, draw ** (n - 1)))
central = derivation.chain(
    "Three faces of one gradient",
    Slope(Expectation(gaussian, values), m),
    equals(Slope(Expectation(standard, on_path), m), r"$z = \zeta$ has the same law"),
    equals(
        Expectation(standard, slopes_on_path),
        r"the law of $\varepsilon$ does not depend on $m$, so the derivative moves inside; $\partial \zeta / \partial m = 1$: "
        r"the pathwise estimator",
        wrong={"the value in place of the slope": Expectation(standard, on_path)},
    ),
    equals(Expectation(gaussian, slopes), r"back to $z$"),
    equals(
        Expectation(gaussian, times(values, score_m)),
        r"integrate by parts (the lemma); the boundary vanishes: the score-function estimator",
    ),
    uses=(same_law, by_parts),
    central=True,
    so=r"Executed for every polynomial of degree 4; the lemmas hold for every $f$ of the setting. The third line averages "
    r"slopes of $f$, the last one only values: there $f$ may be a program without derivatives.",
)
derivation.chain(
    "... and in the log-variance",
    Slope(Expectation(gaussian, values), v),
    equals(
        Expectation(standard, times(slopes_on_path, exp(v / 2) * eps / 2)),
        r"$\partial \zeta / \partial v = \frac12 e^{v/2} \varepsilon$",
    ),
    equals(Expectation(gaussian, times(values, score_v)), "by parts, as above"),
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
        r"the best baseline, $b = -(m^2 + 3t)$, makes the square zero",
        dropping=(b + m**2 + 3 * t) ** 2 / t,
    ),
    at_least(4 * t, r"leave out $8 m^2 + 2t$", dropping=8 * m**2 + 2 * t),
    equals(Variance(gauss, 2 * z), r"the pathwise estimator of $f = z^2 + b$ is $2z$"),
    so=r"At $m = t = 1$ and $b = 0$: 30 against 4. The path knows the slope; the score has to find it by comparing values.",
)


@derivation.numeric(
    r"f = \cos 20z,\ m = t = 1: \quad \mathrm{Var}[f'(z)] = 200, \quad \mathrm{Var}\left[f(z)\, (z - m)/t\right] = \tfrac12",
    because="It is no law. The slope $-20 \\sin 20z$ of a function that wiggles has nothing to do with the slope of its "
    "average, which is almost zero; its values are bounded by 1, and the score uses only these. Integrated on a grid; terms of "
    "order $e^{-200}$ are left out.",
    role="remark",
)
def for_a_wiggling_function_the_score_is_better():
    variances = jnp.array(_variances_of_cosine(20.0))
    return Sides(left=variances, right=jnp.array([200.0, 0.5]), wrong={"the two estimators exchanged": variances[::-1]})


def _variances_of_cosine(frequency):
    """The variances of the two one-sample estimators of d E cos(frequency z) / d mean at mean and variance 1."""
    noise = np.linspace(-12.0, 12.0, 3001)
    weight = np.exp(-(noise**2) / 2)
    weight /= weight.sum()
    z, mean, log_var = (jnp.array(a)[:, None] for a in (1.0 + noise, np.ones_like(noise), np.zeros_like(noise)))
    estimates = -frequency * jnp.sin(frequency * z), jnp.cos(frequency * z) * gaussian_parameter_score(z, mean, log_var)[0]
    return [weight @ (a[:, 0] - weight @ a[:, 0]) ** 2 for a in estimates]


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
        r"$p_k' = p_k\, (\log p_k)'$: the sum has become an average again, so samples estimate it",
        wrong={"averaged with the probabilities once more": Expectation(p, phi * Slope(p, l.at(j)))},
    ),
    equals(times(p.at(j), plus(phi.at(j), -Expectation(p, phi))), r"$\partial \log p_k / \partial l_j = \delta_{kj} - p_j$"),
)
k1 = derivation.index("k_1", "the first of two sampled categories")
k2 = derivation.index("k_2", "the second")
score1, score2 = Slope(log(p.at(k1)), l.at(j)), Slope(log(p.at(k2)), l.at(j))


def _over_pairs(body):
    return Expectation(p.at(k1), Expectation(p.at(k2), body))


derivation.chain(
    "The other sample is a baseline that costs nothing",
    _over_pairs(times(Rational(1, 2), plus(times(phi.at(k1) - phi.at(k2), score1), times(phi.at(k2) - phi.at(k1), score2)))),
    equals(
        _over_pairs(times(Rational(1, 2), plus(phi.at(k1) * score1, phi.at(k2) * score2))),
        r"$\mathbb{E}[f_{k_2} \nabla \log p_{k_1}] = \mathbb{E}[f_{k_2}]\, \mathbb{E}[\nabla \log p_{k_1}] = 0$: the samples "
        r"are independent, and a score has mean zero",
    ),
    equals(Slope(Expectation(p, phi), l.at(j)), "both terms are the gradient of the line above, averaged"),
    states=2,
    uses=(score_has_mean_zero,),
    so=r"So it is with $S$ samples, each against the mean of the others. A mean that includes the sample itself is not "
    r"independent of it: the estimate then shrinks by $(S - 1)/S$, which the first line refuses at $S = 2$.",
)
s = derivation.index("s", "a sample")
S = derivation.count(s, "S", "how many there are")
sampled = derivation.numbers("F", s, "their values", "values")
derivation.bridge(
    "The code subtracts the mean of the others",
    sampled - (Total(s, sampled) - sampled) / (S - 1),
    leave_one_out_advantage,
    values=[sampled],
    wrong={"the mean of all samples, not of the others": sampled - Total(s, sampled) / S},
)

# Three draws of a coin with logit 0.4, and a function with f(0) = 11.3, f(1) = 8.
_coin = 1 / (1 + math.exp(-0.4))
_draws = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
_probabilities = np.prod(np.where(_draws == 1, _coin, 1 - _coin), axis=1)

derivation.symbol(r"\eta", "the probability of heads of a coin")
derivation.symbol(r"\mu_4", "the fourth central moment of the coin, $\\eta(1-\\eta)(1 - 3\\eta(1-\\eta))$")
derivation.symbol("f_0, f_1", "the values of $f$ at tails and at heads")


@derivation.exact(
    r"\mathrm{Var}[\mathrm{plain}] = \frac{\eta(1-\eta)}{3}\left(f_1(1-\eta) + f_0\,\eta\right)^2, \qquad "
    r"\mathrm{Var}[\mathrm{leave\ one\ out}] = \frac{\mu_4}{3} \left(f_1 - f_0\right)^2",
    because="Three draws of a coin. The plain estimate is a mean of independent terms $f(b)(b - \\eta)$. With the baseline it "
    "is $f_1 - f_0$ times the unbiased sample variance of the coin, with variance $\\mu_4/3$ for three draws: an offset of "
    "$f$ has dropped out. Here $f_0 = 11.3$, $f_1 = 8$, and the plain variance is 33 times larger.",
    outcomes=8,
)
def leaving_one_out_forgets_the_offset():
    values, score = np.where(_draws == 1, 8.0, 11.3), _draws - _coin
    estimates = np.mean(values * score, axis=1), np.mean(leave_one_out_advantage(values) * score, axis=1)
    enumerated = np.array([_probabilities @ (e - _probabilities @ e) ** 2 for e in estimates])
    variance = _coin * (1 - _coin)
    plain, fourth = variance / 3 * (8.0 * (1 - _coin) + 11.3 * _coin) ** 2, variance * (1 - 3 * variance)
    wrong = {"the variance squared for the fourth moment": np.array([plain, 3.3**2 * variance**2 / 3])}
    return Sides(left=enumerated, right=np.array([plain, 3.3**2 * fourth / 3]), wrong=wrong)


u = derivation.number("u", "a uniform draw", "uniforms", between=(0, 1))
gumbel = derivation.define("g", -log(-log(u)), "Gumbel noise", "gumbel_from_uniform")
derivation.bridge("The code's noise", gumbel, gumbel_from_uniform, uniforms=[[u]], wrong={"the noise of a minimum": log(-log(u))})
derivation.say(
    "The largest logit plus Gumbel noise is a draw from the softmax (lemmas/gumbel_max). So a draw of a category has become a "
    "deterministic function of uniform noise: an argmax. It has no useful slope, but a softmax in its place has."
)
tau = derivation.number(r"\tau", "the temperature", "temperature", positive=True)
a = derivation.number("a", "the margin of the winner over the other of two", positive=True)
derivation.chain(
    "Without temperature the winner gets all of the weight, at infinite temperature one half",
    Matrix([Limit(1 / (1 + exp(-a / tau)), tau, 0), Limit(1 / (1 + exp(-a / tau)), tau, oo)]),
    equals(
        Matrix([1, Rational(1, 2)]),
        r"$a / \tau \to \infty$, so the exponential vanishes and the relaxed draw tends to the one-hot draw; $a / \tau \to 0$",
    ),
    role="remark",
)
w = derivation.numbers("w", k, "arbitrary numbers behind the uniform draws")
uniform = derivation.define("u", 1 / (1 + exp(-w)), "uniform draws", "uniforms", over=k)
relaxed = exp((l - log(-log(uniform))) / tau)
derivation.bridge(
    "The code's relaxed draw",
    relaxed / Total(j, relaxed.xreplace({k: j})),
    gumbel_softmax,
    uniforms=[uniform],
    logits=[l],
    temperature=tau,
)

y = derivation.number("y", "the first entry of a relaxed draw of two", between=(0, 1))
l1, l2 = (derivation.number(rf"\lambda_{i}", f"the {word} of two logits") for i, word in ((1, "first"), (2, "second")))
below_y = derivation.define(
    "G", 1 / (1 + exp(l1 - l2 - tau * log(y) + tau * log(1 - y))), "the probability that the first entry is at most $y$"
)
derivation.chain(
    "The density of a relaxed draw of two",
    Slope(below_y, y),
    equals(
        times(tau, exp(l1 + l2), exp(times(-1, plus(tau, 1), log(y))), exp(times(-1, plus(tau, 1), log(1 - y))))
        / plus(exp(l1 - tau * log(y)), exp(l2 - tau * log(1 - y))) ** 2,
        r"the first entry is at most $y$ if $g_1 - g_2 \le \tau \log\frac{y}{1 - y} - \lambda_1 + \lambda_2$. The "
        r"probability of this is a logistic function: the argmax of two, above. Its slope is the density",
    ),
    uses=(gumbel_max,),
    so=r"Its mass is one, since $G$ rises from 0 to 1. The general formula, for $K$ entries, is $\Gamma(K)\, \tau^{K-1} "
    r"\prod_k e^{l_k} y_k^{-\tau-1} \big/ \left(\sum_k e^{l_k} y_k^{-\tau}\right)^K$.",
)
simplex = derivation.law("y", k, "a relaxed draw", "exp(log_y)")
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
rise = derivation.number("r", r"by how much the odds $o = e^{\lambda_1 - \lambda_2}$ of the first of two exceed 1", positive=True)
o = 1 + rise
second_moment = derivation.define(
    "M", times(o**2 / rise**2, plus(1, -2 * log(o) / rise, 1 / o)), "the mean square of the first entry at temperature 1"
)
derivation.chain(
    "The relaxation is biased: it averages inside the simplex, not at its corners",
    Integral((o * u / plus(1, -u, o * u)) ** 2, (u, 0, 1)),
    equals(
        second_moment,
        r"with $D = 1 + r u$: $\frac{o^2 u^2}{D^2} = \frac{o^2}{r^2} \left(1 - \frac{2}{D} + \frac{1}{D^2}\right)$, and $D$ runs "
        r"from 1 to $o$",
        wrong={"the mean of the one-hot draw": o / (1 + o)},
    ),
    so=r"At $\tau = 1$ the first entry is $\frac{o u}{1 - u + o u}$ with a uniform $u$, since $g_1 - g_2$ has the law of "
    r"$\log\frac{u}{1 - u}$. A one-hot draw $b$ has $b_1^2 = b_1$, with mean $\frac{o}{1 + o}$. At $o = 9$: 0.7110 against 0.9. "
    r"The gradient of the relaxed average is the exact gradient of the wrong objective. As $\tau \to 0$ the draws move into "
    r"the corners and the bias vanishes, while the gradient's variance grows: hence the annealing of $\tau$.",
)


def _mean_square(odds, temperature):
    """E y_1^2 of a relaxed draw of two, over 4000 evenly spaced quantiles of the noise."""
    quantiles = (np.arange(4000) + 0.5) / 4000
    # The draw sees only the difference of the two Gumbel variables, which is logistic: half of it goes to either side.
    half = np.log(quantiles / (1 - quantiles)) / 2
    uniforms = jnp.array(np.exp(-np.exp(np.stack([-half, half], axis=1))))
    logits = jnp.tile(jnp.array([math.log(odds), 0.0]), (4000, 1))
    return jnp.mean(gumbel_softmax(uniforms, logits, temperature=temperature)[:, 0] ** 2)


@derivation.example(
    r"First $f = z^2$ at $m = t = 1$. Then a coin with probability $\frac14$ of heads and $f_0 = 1$, $f_1 = 3$; two draws. "
    r"Then the mean square of the first entry of a relaxed draw at odds 9, by its temperature."
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
        yield rf"\mathbb{{E}}\,y_1^2 \text{{ at }} \tau = {temperature:g}", _mean_square(9.0, temperature), found


@derivation.figure(
    r"Left: the variance of both estimators for $f = \cos \omega z$ at $m = t = 1$: the path is better for a smooth function, "
    r"the score for one that wiggles. Right: the density of the first entry of a relaxed draw at odds 3; as the temperature "
    r"falls it moves into the corners.",
    panels=2,
)
def two_estimators_and_relaxed_draws(left, right):
    frequencies = np.geomspace(0.2, 20, 15)
    pathwise, score = zip(*map(_variances_of_cosine, frequencies), strict=True)
    left.loglog(frequencies, pathwise, label="pathwise")
    left.loglog(frequencies, score, label="score function")
    left.set(xlabel=r"$\omega$", ylabel="variance")
    left.legend()
    first = np.linspace(0.005, 0.995, 200)
    log_y, logits = jnp.log(jnp.stack([first, 1 - first], axis=1)), jnp.tile(jnp.array([math.log(3.0), 0.0]), (200, 1))
    for temperature in (2.0, 1.0, 0.5, 0.2):
        curve = jnp.exp(concrete_log_density(log_y, logits, temperature=temperature))
        right.plot(first, curve, label=rf"$\tau = {temperature:g}$")
    right.set(xlabel="$y_1$", ylabel="density", ylim=(0, 3.2))
    right.legend(loc="upper center")


@derivation.exercise(
    r"Find the gradient of $\mathbb{E} z^2$ in $m$ and in $v$.",
    r"$\mathbb{E} z^2 = m^2 + e^v$, so it is $2m$ and $e^v$. The path gives $2z$ and $2z \cdot \frac12 e^{v/2} \varepsilon$, "
    r"with these means.",
)
def the_gradient_of_a_square():
    ground = derivation.ground()
    yield ground.expand(Slope(Expectation(gaussian, z**2), m)), 2 * m
    yield ground.expand(Expectation(standard, 2 * draw * exp(v / 2) * eps / 2)), exp(v)


@derivation.exercise(
    r"Which constant should be subtracted from $f = z^2$ at $m = t = 1$, and how much variance is left?",
    r"The square in $b$ vanishes at $b = -4$: subtract 4, not the mean of $f$, which is 2. The variance is then 14, still "
    r"above 4; with the mean it is 18.",
)
def the_best_baseline():
    variance = Variance(gauss, (z**2 + b) * (z - m) / t)
    yield value(variance, {m: 1, t: 1, b: -4}), "14"
    yield value(variance, {m: 1, t: 1, b: -2}), "18"


@derivation.exercise(
    r"Both of two categories are equally likely. What are $\mathbb{E} y_1^2$ at temperature 1 and $\mathbb{E} b_1^2$ of the "
    r"one-hot draw?",
    r"$\lim_{r \to 0} M = 1/3$, the mean square of a uniform draw, against 1/2.",
)
def even_odds():
    yield limit_of(derivation.ground().expand(second_moment), rise, 0), Rational(1, 3)
    yield _mean_square(1.0, 1e-6), "1/2"
