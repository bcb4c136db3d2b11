"""Anomaly detection: a score, a threshold, and a ranking.

The lecture on the functions of theory_jax/latent/anomaly_detection.py.
"""

from functools import partial
from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from sympy import Integral, KroneckerDelta, Rational, erf, exp, log, oo, pi, sign, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.latent.anomaly_detection import (
    area_under_roc,
    average_precision,
    false_positive_rate_at_recall,
    reconstruction_log_probability,
    robust_z_score,
    threshold_at_false_positive_rate,
)
from theory_jax.lectures.latent._anomaly_detection import LABELS, SCORES, draw_curve_and_shell, most_power, rankings_of_four
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Anomaly detection: a score, a threshold, and a ranking",
    lectures=(21,),
    sources=(
        "An & Cho 2015, Variational autoencoder based anomaly detection using reconstruction probability",
        "Nalisnick, Matsukawa, Teh & Lakshminarayanan 2019, Detecting out-of-distribution inputs to deep generative models "
        "using typicality",
        "Fawcett 2006, An introduction to ROC analysis",
        "Davis & Goadrich 2006, The relationship between precision-recall and ROC curves",
        "Iglewicz & Hoaglin 1993, How to detect and handle outliers",
    ),
    question="A detector was trained on normal observations alone, and in use it flags too many of them, or finds an anomaly "
    "more likely than they are. Which score should flag one, what does a threshold promise, and why can the likelihood of a good "
    "model fail?",
    setting=(
        r"An observation has finitely many states $x$, with the probabilities $p_x$ if it is normal and $u_x$, which a detector "
        r"usually does not know, if it is an anomaly. A test flags the state $x$ with the probability $\phi_x$.",
        "A score $s$ is high if an observation looks like an anomaly. $s_1$ is the score of an anomaly, $s_0$ that of a normal "
        "observation, both drawn at random from $N_1$ and $N_0$ labeled ones.",
    ),
    limits=(
        "Continuous observations: the same lines hold with integrals in place of sums.",
        "Why networks assign high likelihood to images simpler than those they were trained on (Nalisnick et al. 2019).",
        "How far a rate measured on few anomalies may be from that of all.",
    ),
)

x = derivation.index("x", "a state of an observation")
p = derivation.law("p", x, "its probability if the observation is normal")
u = derivation.law("u", x, "its probability if the observation is an anomaly")
phi = derivation.numbers(r"\phi", x, "the probability with which a test flags it", positive=True)
star = derivation.numbers(r"\phi^*", x, "that of the likelihood ratio test", positive=True)
c = derivation.number("c", "the threshold of the ratio", positive=True)
size = derivation.define(r"\mathrm{size}(\phi)", Total(x, phi * p), "the share of normal observations that is flagged")
best_size = derivation.define(r"\mathrm{size}(\phi^*)", Total(x, star * p), "the same of the likelihood ratio test")
power = derivation.define(r"\mathrm{power}(\phi)", Total(x, phi * u), "the share of anomalies that is flagged")
best_power = derivation.define(r"\mathrm{power}(\phi^*)", Total(x, star * u), "the same of the likelihood ratio test")

derivation.say(
    r"The likelihood ratio test always flags where $u_x$ exceeds $c\, p_x$ and never where it is below; at equality any "
    r"probability is allowed, so that every size can be had. Let $\phi$ be another test. Where $u_x - c\, p_x$ is positive, "
    r"$\phi^*_x - \phi_x$ is not negative, since $\phi^*_x$ is 1; where it is negative, $\phi^*_x$ is 0. So the product of the "
    "two differences is never negative."
)
signs = derivation.assume(
    "The definition of the likelihood ratio test: both factors have one sign",
    (star - phi) * (u - c * p),
    *(star, phi, u, p),
    example={p: (0.5, 0.5), u: (0.75, 0.25), c: 1, star: (1, 0), phi: (0.5, 0.5)},
    wrong={"the tests exchanged": (phi - star) * (u - c * p)},
)
derivation.chain(
    "No test of this size or less has more power (Neyman and Pearson)",
    plus(best_power, -power),
    equals(
        plus(Total(x, (star - phi) * (u - c * p)), times(c, plus(best_size, -size))),
        r"add and subtract $c\, p_x$ in each term of $\sum_x (\phi^*_x - \phi_x)\, u_x$",
        wrong={"the ratio turned over": plus(Total(x, (star - phi) * (p - c * u)), times(c, plus(best_size, -size)))},
    ),
    at_least(
        times(c, plus(best_size, -size)),
        prose(r"leave out products of one sign; equality if {same} wherever $u_x$ is not $c\, p_x$", same=where(phi, star)),
        dropping=Total(x, signs.at(star, phi, u, p)),
    ),
    central=True,
    so=r"If $\phi$ has at most the size of $\phi^*$, this is not negative. Against uniform $u$ the best test flags where $p_x$ "
    r"is low: the score $-\log p$. Against other anomalies another score may be better.",
)

_NORMAL = np.array([0.30, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.02])
_ANOMALOUS = np.array([0.05, 0.20, 0.10, 0.15, 0.05, 0.25, 0.05, 0.15])


@derivation.bound(
    r"\mathrm{power}(\phi) \le \mathrm{power}(\phi^*) \quad\text{if}\quad \mathrm{size}(\phi) = \mathrm{size}(\phi^*)",
    because="All 256 regions of eight states against the likelihood ratio test of their size, which flags one more state at "
    "random; equality for the regions of the states with the largest ratios.",
    role="remark",
)
def no_region_has_more_power():
    regions = np.array(list(product((0.0, 1.0), repeat=8)))
    order = np.argsort(-_ANOMALOUS / _NORMAL)
    of_largest_ratios = np.tril(np.ones((8, 8)))[:, np.argsort(order)]

    def sides(region, anomalous=_ANOMALOUS):
        return region @ _ANOMALOUS, most_power(region @ _NORMAL, _NORMAL, anomalous)

    wrong = {"as if anomalies were uniform": partial(sides, anomalous=np.full(8, 1 / 8))}
    return BoundSides(sides=sides, points=(regions,), tight=(of_largest_ratios,), wrong=wrong)


y = derivation.number("y", r"a continuous observation, with the density $2y$ on $(0, 1)$", between=(0, 1))
derivation.chain(
    "Which observations are unlikely depends on the coordinates",
    times(2 * y, 1 / Slope(y**2, y)),
    equals(1, r"the density of $y^2$ is that of $y$ over the slope", wrong={"the density carried over as it is": 2 * y}),
    role="remark",
    so="By the density of $y$ small values are anomalies; by that of $y^2$, which is the same observation, "
    "nothing is. Low density means low against an alternative that is uniform in the coordinates at hand.",
)

derivation.say(
    r"Even in the right coordinates, many dimensions are a surprise. Take $D$ independent standard normal coordinates "
    r"$\xi$: the densest point is the origin, $-\log p$ is a sum of $D$ independent terms, and $\|\xi\|$ is the radius."
)
xi = derivation.number(r"\xi", "a coordinate, standard normal", real=True)
D = derivation.number("D", "the number of coordinates", positive=True)
gaussian = Normal(xi, 0, 1)
derivation.chain(
    "The log density of a coordinate has variance one half",
    Variance(gaussian, -gaussian.log_density(xi)),
    equals(Variance(gaussian, xi**2 / 2), r"it is $\frac12 \log 2\pi + \frac12 \xi^2$, and a constant does not vary"),
    equals(
        Rational(1, 2),
        prose("a quarter of the variance of the square, {square}", square=holds(Variance(gaussian, xi**2), "=", 2)),
    ),
    role="lemma",
)
above_mean = times(D, plus(Expectation(gaussian, -gaussian.log_density(xi)), gaussian.log_density(0)))
derivation.chain(
    "The densest point is D/2 nats from what is usual",
    above_mean,
    equals(times(D, Expectation(gaussian, xi**2 / 2)), r"$\frac12 \log 2\pi$ is in both terms"),
    equals(D / 2, prose("{square}", square=holds(Expectation(gaussian, xi**2), "=", 1))),
    so=prose(
        r"The standard deviation of $-\log p$ is $\sqrt{D/2}$, so the origin is {many} of them below the mean, in 100 dimensions "
        r"seven. A typical observation is hardly ever that likely, and a score $-\log p$ calls the origin the most normal of "
        r"all.",
        many=holds(D / 2 / sqrt(D / 2), "=", sqrt(D / 2), named=True),
    ),
)
rho = derivation.number(r"\rho", "a squared radius, relative to its mean $D$", positive=True)
tilt = (1 - 1 / rho) / 2
derivation.say(
    prose(
        r"How rarely is $\|\xi\|^2$ far from $D$? For $\rho$ above 1 let {tilt}, which is positive. Markov's inequality for "
        r"$e^{\lambda \|\xi\|^2}$ bounds the probability that $\|\xi\|^2$ is at least $\rho D$ by $e^{-\lambda \rho D}\, "
        r"\mathbb{E}[e^{\lambda \|\xi\|^2}]$, a product of $D$ equal factors: {square} is left of the exponent with the "
        r"density's own, and $\lambda \rho$ is {front}. For $\rho$ below 1, $\lambda$ is negative, and the same lines bound the "
        r"probability that $\|\xi\|^2$ is at most $\rho D$.",
        tilt=means(r"\lambda", tilt),
        square=holds(times(tilt - Rational(1, 2), xi**2), "=", -(xi**2) / (2 * rho), named=True),
        front=holds(tilt * rho, "=", (rho - 1) / 2, named=True),
    )
)
derivation.chain(
    "The radius is close to the root of D, but for an exponentially small probability",
    log(times(exp(-(rho - 1) / 2), Integral(exp(-(xi**2) / (2 * rho)) / sqrt(2 * pi), (xi, -oo, oo)))),
    equals(log(times(exp(-(rho - 1) / 2), sqrt(rho))), r"a Gaussian integral of variance $\rho$"),
    equals(times(-Rational(1, 2), plus(rho, -1, -log(rho))), "the logarithm of a product"),
    at_most(
        0, prose("the logarithm is below its tangent; equality only at {mean}", mean=where(rho, 1)), adding=tangent.at(rho) / 2
    ),
    role="lemma",
    so=r"So either probability is at most $e^{-\frac D2 (\rho - 1 - \log \rho)}$: the mass is in a thin shell, "
    "and the share of observations near the origin is exponentially small.",
)

derivation.say(
    r"A variational autoencoder gives a bound in place of $\log p(x)$, and its reconstruction alone is often taken for a score. "
    r"From here on $x$ is one observation, and $z$ its latent variable."
)
z = derivation.index("z", "a state of the latent variable")
prior = derivation.law("p({})", z, "the prior")
likelihood = derivation.numbers("p(x|{})", z, "the likelihood of the observation", "exp(log_likelihood)", positive=True)
evidence = derivation.define("p(x)", Total(z, prior * likelihood), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", prior * likelihood / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "the encoder")
bound = derivation.define(
    r"\mathrm{ELBO}", Expectation(q, log(prior * likelihood / q)), "the evidence lower bound (its own lecture)", "exact_elbo"
)
derivation.chain(
    "A reconstruction does not charge for its code",
    Expectation(q, log(likelihood)),
    equals(plus(bound, Divergence(q, prior)), r"multiply and divide by $p(z) / q(z|x)$"),
    equals(
        plus(log(evidence), -Divergence(q, posterior), Divergence(q, prior)),
        "the bound falls short of the evidence by the divergence from the posterior",
    ),
    role="remark",
    so="An anomaly that is copied well by way of a code far from the prior has a good reconstruction; the bound "
    r"charges $\mathrm{KL}(q(z|x) \,\|\, p(z))$ for it.",
)
k = derivation.index("k", r"one of the codes drawn from $q(z|x)$")
S = derivation.count(k, "S", "how many are drawn")
drawn = derivation.numbers(r"\ell", k, r"$\log p(x|z_k)$", "log_likelihood")
of_mean = {"the logarithm of the mean": log(Total(k, exp(drawn)) / S)}
derivation.bridge("The code's score", Total(k, drawn) / S, reconstruction_log_probability, log_likelihood=[drawn], wrong=of_mean)

derivation.say(
    "Now the judgment of a score, whatever its origin. Observations of one score form a group $g$, the highest score first, "
    "with $a_g$ anomalies and $b_g$ normal ones. Lowering a threshold through the groups draws a curve: recall, the share of "
    "anomalies that is flagged, over the false positive rate, that of normal ones; from group to group the curve is a straight "
    "line. Its area is a sum of trapezoids."
)
g = derivation.index("g", "a group of observations of one score, the highest first")
h = derivation.index("h", "a group, next to $g$")
a = derivation.numbers("a", g, "the number of anomalies in it", positive=True)
b = derivation.numbers("b", g, "the number of normal observations in it", positive=True)
anomalies = derivation.define("N_1", Total(h, a.at(h)), "the number of all anomalies", positive=True)
normals = derivation.define("N_0", Total(h, b.at(h)), "the number of all normal observations", positive=True)
earlier = derivation.define(
    r"\eta",
    (1 + sign(g - h) - KroneckerDelta(g, h)) / 2,
    "1 if $h$ comes before $g$, which is a higher score; else 0",
    over=(h, g),
)
before = derivation.define("E", Total(h, earlier * a.at(h)), "the number of anomalies of higher scores", over=g)
flagged = derivation.define("A", before + a, "... and of this score or higher", over=g)
false = derivation.define("B", Total(h, earlier * b.at(h)) + b, "the number of normal ones of this score or higher", over=g)
derivation.chain(
    "The area under the curve counts pairs",
    Total(g, times(b / normals, Rational(1, 2), plus(before / anomalies, flagged / anomalies))),
    equals(
        times(1 / (normals * anomalies), plus(Total(g, before * b), Total(g, a * b) / 2)),
        prose("collect, with {flagged}", flagged=holds(flagged, "=", plus(before, a))),
    ),
    equals(
        times(1 / (normals * anomalies), plus(Total(g, Total(h, earlier * a.at(h) * b)), Total(g, a * b) / 2)),
        r"$E_g$ by its definition: pairs whose anomaly has the higher score, and half of the pairs of one score",
    ),
    so=r"This is the probability that $s_1$ is higher than $s_0$, plus half of that of a tie. Only the order of the scores and "
    r"their ties enter, so a strictly increasing function of the score changes nothing, and a score that knows nothing has one "
    r"half in expectation.",
)
derivation.chain(
    "Average precision is a mean over the anomalies",
    Total(g, times(plus(flagged / anomalies, -before / anomalies), flagged / (flagged + false))),
    equals(
        Total(g, times(a, flagged / (flagged + false))) / anomalies,
        r"recall grows by $a_g / N_1$ at the group $g$, where precision is $\frac{A_g}{A_g + B_g}$",
        wrong={"precision in the group alone": Total(g, times(a, a / (a + b))) / anomalies},
    ),
    role="remark",
    so="No line is drawn between the points: between two thresholds precision is no straight line over recall, "
    "and trapezoids can be too large.",
)
derivation.symbol(r"\mathrm{AUROC}", "the area under the curve", "area_under_roc")
derivation.symbol(r"\mathrm{AP}", "average precision", "average_precision")
derivation.symbol("F", "the false positive rate at the highest score whose recall is enough", "false_positive_rate_at_recall")


@derivation.exact(
    r"\mathrm{AUROC} = \sum_g \frac{b_g}{N_0} \frac{E_g + A_g}{2 N_1}, \quad \mathrm{AP} = \sum_g \frac{a_g}{N_1} "
    r"\frac{A_g}{A_g + B_g}, \quad F = \min_{A_g \ge 0.6 N_1} \frac{B_g}{N_0}",
    because="The code, for all ways to give four observations three scores and both labels, against the curve: counts at each "
    "of the three thresholds.",
    outcomes=81 * 14,
    role="lemma",
)
def every_ranking_of_four():
    found, counted, wrong = rankings_of_four()
    return Sides(left=found, right=counted, wrong=wrong)


theta = derivation.number(r"\theta", "the share of anomalies among all observations", between=(0, 1))
R = derivation.number("R", "recall", between=(0, 1))
rate = derivation.number("f", "the false positive rate", between=(0, 1))
precision, _share = theta * R / (theta * R + (1 - theta) * rate), Rational(95, 1094)
derivation.chain(
    "Precision depends on how rare anomalies are",
    Slope(precision, theta),
    equals(R * rate / (theta * R + (1 - theta) * rate) ** 2, "the quotient rule; in the numerator all terms but one cancel"),
    at_least(0, "leave out what is positive", dropping=R * rate / (theta * R + (1 - theta) * rate) ** 2),
    role="remark",
    so=prose(
        r"The curve of recall over $f$ does not contain $\theta$, and neither does its area. If one observation in a thousand is "
        "an anomaly, recall 0.95 at a false positive rate of 0.01 means that {share} of all alarms are right: 91% are false.",
        share=holds(
            precision, "=", _share, when={theta: Rational(1, 1000), R: Rational(19, 20), rate: Rational(1, 100)}, named=True
        ),
    ),
)

derivation.say(
    r"A detector in use needs a threshold $t$. No anomaly is at hand, so it is taken from $M$ scores of normal observations, "
    r"the reference, that were not used for training. With $j$ the whole part of $\varepsilon M$ let $t$ be the $(j+1)$-th "
    r"largest of them, and flag what is above it: on the reference at most $j$ scores. For a fresh normal score all $M + 1$ "
    r"ranks are equally likely if there are no ties, and it is above $t$ if and only if its rank is $j + 1$ or less: the "
    r"probability is $\frac{j + 1}{M + 1}$."
)
M = derivation.number("M", "the number of reference scores", "len(reference)", positive=True)
epsilon = derivation.number(r"\varepsilon", "the rate that is requested", "rate", between=(0, 1))
fresh = (epsilon * M + 1) / (M + 1)
derivation.answer = prose(
    "The best test thresholds the ratio of the probabilities under anomalies and under normal observations, so low likelihood is "
    "the right score against uniform anomalies, and which anomalies are uniform is a choice of coordinates. In many dimensions "
    "the densest point is itself unusual: with $D$ standard normal coordinates it is {nats} nats above the mean log-density. "
    r"Rankings are judged by counts of pairs, which need no threshold. A threshold at the rate $\varepsilon$ of $M$ reference "
    r"scores keeps the rate there; fresh observations exceed it a little if $\varepsilon M$ is a whole number: {fresh}.",
    nats=holds(above_mean, "=", D / 2, wrong={"not halved": D}, named=True),
    fresh=holds(fresh, ">", epsilon),
)
fresh_rate = derivation.chain(
    "A fresh observation is flagged more often than the rate, if that is a whole number of reference scores",
    fresh,
    equals(plus(epsilon, (1 - epsilon) / (M + 1)), r"$j$ is $\varepsilon M$, a whole number; add and subtract $\varepsilon$"),
    at_least(epsilon, "leave out a positive number", dropping=(1 - epsilon) / (M + 1)),
    so=prose(
        "With {M} and {rate} it is {often}, nearly twice the rate. To keep the promise for fresh observations, take for $j$ one "
        r"less than the whole part of $\varepsilon (M + 1)$, if that is not negative.",
        **{"M": where(M, 100), "rate": where(epsilon, Rational(1, 100))},
        often=holds(fresh, "=", Rational(2, 101), named=True),
    ),
)
derivation.symbol("s, s_1, s_0", "scores: of a fresh normal observation, of an anomaly, of a normal one", "scores")
derivation.symbol("t", "the threshold", "threshold_at_false_positive_rate")
derivation.symbol("P, j", "a probability; how many reference scores may be above the threshold")


@derivation.exact(
    r"P(s > t) = \frac{j + 1}{M + 1}",
    because="All orders of five scores, of which the last is the fresh one, with four as the reference and the rates 0, 0.25, "
    "0.6 and 0.75, where $j$ is 0, 1, 2 and 3.",
    outcomes=4 * 120,
    role="lemma",
)
def every_order_of_five():
    orders = np.array(list(permutations((0.5, 1.0, 2.0, 4.0, 7.0))))

    def flagged_at(rate):
        thresholds = jax.vmap(partial(threshold_at_false_positive_rate, rate=rate))(orders[:, :4])
        return jnp.mean(jnp.asarray(orders[:, 4] > thresholds, float))

    found = jnp.stack([flagged_at(rate) for rate in (0.0, 0.25, 0.6, 0.75)])
    wrong = {"as on the reference": np.arange(4) / 4, "flagged from t on": np.arange(2, 6) / 5}
    return Sides(left=found, right=np.arange(1, 5) / 5, wrong=wrong)


derivation.say(
    "Scores of several detectors are compared on one scale. The mean and the standard deviation of a reference are moved by the "
    "very outliers that are sought; the median, and the median of the distances from it, stay bounded as long as less than half "
    "of the scores is moved. A Gaussian's standard deviation is a fixed multiple of the latter."
)
sigma = derivation.number(r"\sigma", "a standard deviation", positive=True)
m = derivation.number("m", r"a number of standard deviations", positive=True)
derivation.chain(
    "A fixed share of a Gaussian, the same for all, is within m standard deviations",
    Integral(exp(-(xi**2) / (2 * sigma**2)) / (sigma * sqrt(2 * pi)), (xi, -m * sigma, m * sigma)),
    equals(
        erf(m / sqrt(2)),
        r"substitute $\sqrt2\, \sigma \tau$ for $\xi$; $\mathrm{erf}$ is $\frac{2}{\sqrt\pi}$ times the integral of "
        r"$e^{-\tau^2}$",
        wrong={"not divided by the root of 2": erf(m), "one side alone": erf(m / sqrt(2)) / 2},
    ),
    role="lemma",
    so=r"It is one half where $m$ is 0.6745, the third quartile of $\mathcal N(0, 1)$. So the median absolute "
    r"deviation is $0.6745\, \sigma$, and $\sigma$ is 1.4826 times the median absolute deviation.",
)
mu = derivation.number(r"\mu", "a mean", real=True)
score = derivation.number("r", "a score", "scores", real=True)
_OCTILES = scipy.special.ndtri(np.arange(1, 8) / 8)  # of |octile| the middle one is the third quartile
_reference = [plus(mu, times(sigma, octile)) for octile in _OCTILES.tolist()]
_distance = {"the median distance in place of the deviation": 1.4826 * (score - mu) / sigma}
derivation.bridge(
    "The code, on the octiles", (score - mu) / sigma, robust_z_score, scores=[score], reference=_reference, wrong=_distance
)

_THREE, _UNIFORM = np.array([0.5, 0.3, 0.2]), np.full(3, 1 / 3)


@derivation.algorithm(
    "A detector with a variational autoencoder, here with two codes of each observation",
    do(r"draw $z_1, \dots, z_S \sim q(z|x)$; $s \leftarrow -\frac1S \sum_k \log p(x|z_k)$", reconstruction_log_probability),
    do(r"$t \leftarrow$ the threshold of the rate $\varepsilon$", threshold_at_false_positive_rate, by=fresh_rate),
    do(r"for a new observation: flag it if its score is above $t$", by=fresh_rate),
)
def two_new_ones():
    reference = -reconstruction_log_probability(jnp.array([[-1, -3], [-2, -4], [-3, -4], [-1, -1], [-5, -9.0]]))
    threshold = threshold_at_false_positive_rate(reference, rate=0.2)
    new = -reconstruction_log_probability(jnp.array([[-4, -6], [-2, -2.0]]))
    yield r"\text{scores of a reference}", reference, "(2, 3, 3.5, 1, 7)"
    yield r"t \text{ at } \varepsilon = 0.2", threshold, "3.5"
    yield r"\text{scores of two new ones, and which are flagged}", [*new, *np.asarray(new > threshold, float)], "5, 2, 1, 0"


@derivation.example(
    "Scores 5, 4, 4, 3, 2, 1 with the labels 1, 1, 0, 0, 1, 0. Of nine pairs the anomalies win 6 and tie one. A "
    "reference of 1, 2, 3, 4 and 100, with the median 3 and the deviations 2, 1, 0, 1, 97. States with the probabilities 0.5, "
    "0.3, 0.2 and uniform anomalies, size 0.3: flag the third, and a third of the second. A Gaussian in 100 dimensions."
)
def six_scores():
    yield r"\mathrm{AUROC} = 6.5 / 9", area_under_roc(SCORES, LABELS), "0.7222"
    yield r"\mathrm{AP} = \frac13 \left(1 + \frac23 + \frac35\right)", average_precision(SCORES, LABELS), "0.7556"
    yield r"F \text{ at recall } 0.95, \text{ threshold } 2", false_positive_rate_at_recall(SCORES, LABELS), "0.6667"
    yield r"F \text{ at recall } 0.6, \text{ threshold } 4", false_positive_rate_at_recall(SCORES, LABELS, recall=0.6), "0.3333"
    reference = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    yield r"t \text{ at } \varepsilon = 0.2", threshold_at_false_positive_rate(reference, rate=0.2), "4"
    yield r"\text{robust score of } 6, \frac{3}{1.4826}", robust_z_score(np.array([6.0]), reference), "2.0235"
    yield r"\mathrm{power}(\phi^*) = \frac13 + \frac19", most_power(0.3, _THREE, _UNIFORM), "0.4444"
    outside = scipy.special.gammainc(50, 32), scipy.special.gammaincc(50, 72)
    yield r"P(\|\xi\| < 8), \ P(\|\xi\| > 12)", outside, "(0.00193, 0.00263)"
    chernoff = [np.exp(-50 * (part - 1 - np.log(part))) for part in (0.64, 1.44)]
    yield r"e^{-50 (\rho - 1 - \log \rho)} \text{ at } \rho = 0.64, 1.44", chernoff, "(0.0134, 0.0231)"


derivation.figure(
    "Left: the curve of the six scores; the sloped line is the tie at 4, and the dashed line a score that knows nothing. Right: "
    "the density of the radius of a standard Gaussian in 1, 10 and 100 dimensions; the dot is the origin, the densest point in "
    "each.",
    panels=2,
)(draw_curve_and_shell)
