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
from theory_jax.latent.anomaly_detection import (
    area_under_roc,
    average_precision,
    false_positive_rate_at_recall,
    reconstruction_log_probability,
    robust_z_score,
    threshold_at_false_positive_rate,
)
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
    question="A model of normal observations is given, and no anomaly has been seen. Which score should flag one, what does a "
    "threshold promise, and why can the likelihood of a good model fail?",
    setting=(
        r"An observation has finitely many states $x$. A normal one has the law $p_x$, an anomaly the law $u_x$, which a "
        r"detector usually does not know. A test flags the state $x$ with the probability $\phi_x$.",
        "A score $s$ is high if an observation looks like an anomaly. $s_1$ is the score of an anomaly, $s_0$ that of a normal "
        "observation, both drawn at random from $N_1$ and $N_0$ labeled ones.",
    ),
    answer=r"The best test thresholds the ratio $u_x / p_x$, so low likelihood is the right score against uniform anomalies "
    r"only, and which anomalies are uniform is a choice of coordinates. In many dimensions the densest point is itself unusual. "
    r"Rankings are judged by counts of pairs, which need no threshold; a threshold at the rate $\varepsilon$ of a reference "
    r"keeps the rate there, and exceeds it a little on fresh observations.",
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
    r"The likelihood ratio test has $\phi^*_x = 1$ where $u_x > c\, p_x$ and $\phi^*_x = 0$ where $u_x < c\, p_x$; at equality "
    r"any value is allowed, so that every size can be had. Let $\phi$ be another test. Where $u_x - c\, p_x$ is positive, "
    r"$\phi^*_x = 1 \ge \phi_x$; where it is negative, $\phi^*_x = 0 \le \phi_x$. The product of the two differences is never "
    r"negative."
)
signs = derivation.assume(
    "The definition of the likelihood ratio test: both factors have one sign", (star - phi) * (u - c * p), star, phi, u, p
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
        r"leave out products of two factors of one sign; equality if $\phi_x = \phi^*_x$ wherever $u_x \ne c\, p_x$",
        dropping=Total(x, signs.at(star, phi, u, p)),
    ),
    central=True,
    so=r"If $\mathrm{size}(\phi) \le \mathrm{size}(\phi^*)$, this is not negative. Against uniform $u$ the best test flags "
    r"where $p_x$ is low: the score $-\log p$. Against other anomalies another score is best.",
)

_NORMAL = np.array([0.30, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.02])
_ANOMALOUS = np.array([0.05, 0.20, 0.10, 0.15, 0.05, 0.25, 0.05, 0.15])


def _most_power(size, normal, anomalous):
    """The power of the likelihood ratio test of a size; between two whole states the next one is flagged at random."""
    order = np.argsort(-anomalous / normal)
    sizes, powers = (np.append(0.0, np.cumsum(law[order])) for law in (normal, anomalous))
    return np.interp(size, sizes, powers)


@derivation.bound(
    r"\mathrm{power}(\phi) \le \mathrm{power}(\phi^*) \quad\text{if}\quad \mathrm{size}(\phi) = \mathrm{size}(\phi^*)",
    because="All 256 regions of eight states against the likelihood ratio test of their size, which flags one more state at "
    "random; equality for the regions of the states with the largest ratios.",
)
def no_region_has_more_power():
    regions = np.array(list(product((0.0, 1.0), repeat=8)))
    order = np.argsort(-_ANOMALOUS / _NORMAL)
    of_largest_ratios = np.tril(np.ones((8, 8)))[:, np.argsort(order)]

    def sides(region, anomalous=_ANOMALOUS):
        return region @ _ANOMALOUS, _most_power(region @ _NORMAL, _NORMAL, anomalous)

    wrong = {"as if anomalies were uniform": partial(sides, anomalous=np.full(8, 1 / 8))}
    return BoundSides(sides=sides, points=(regions,), tight=(of_largest_ratios,), wrong=wrong)


y = derivation.number("y", r"a continuous observation, with the density $2y$ on $(0, 1)$", between=(0, 1))
derivation.chain(
    "Which observations are unlikely depends on the coordinates",
    times(2 * y, 1 / Slope(y**2, y)),
    equals(1, r"the density of $v = y^2$ is that of $y$ times $dy/dv$", wrong={"the density carried over as it is": 2 * y}),
    so="By the density of $y$ small values are anomalies; by that of $v$, which is the same observation, nothing is. Low "
    "density means low against an alternative that is uniform in the coordinates at hand.",
)

derivation.say(
    r"Even in the right coordinates, many dimensions are a surprise. Take $D$ independent coordinates $\xi \sim \mathcal N(0, "
    r"1)$: the densest point is the origin, $-\log p$ is a sum of $D$ independent terms, and $\|\xi\|$ is the radius."
)
xi = derivation.number(r"\xi", "a coordinate, standard normal", real=True)
D = derivation.number("D", "the number of coordinates", positive=True)
gaussian = Normal(xi, 0, 1)
derivation.chain(
    "The log density of a coordinate has variance one half",
    Variance(gaussian, -gaussian.log_density(xi)),
    equals(Variance(gaussian, xi**2 / 2), r"$-\log p = \frac12 \log 2\pi + \frac12 \xi^2$, and a constant does not vary"),
    equals(Rational(1, 2), r"$\frac14 (\mathbb{E}[\xi^4] - \mathbb{E}[\xi^2]^2) = \frac14 (3 - 1)$"),
    role="lemma",
)
derivation.chain(
    "The densest point is D/2 nats from what is usual",
    times(D, plus(Expectation(gaussian, -gaussian.log_density(xi)), gaussian.log_density(0))),
    equals(times(D, Expectation(gaussian, xi**2 / 2)), r"$\frac12 \log 2\pi$ is in both terms"),
    equals(D / 2, r"$\mathbb{E}[\xi^2] = 1$"),
    so=r"The standard deviation of $-\log p$ is $\sqrt{D/2}$, so the origin is $\sqrt{D/2}$ of them below the mean: at $D = "
    r"100$ seven. A typical observation is never that likely, and a score $-\log p$ calls the origin the most normal of all.",
)
rho = derivation.number(r"\rho", "a squared radius, relative to its mean $D$", positive=True)
derivation.say(
    r"How rarely is $\|\xi\|^2$ far from $D$? For $\rho > 1$ let $\lambda = \frac12 (1 - \frac1\rho) > 0$. Markov's inequality "
    r"for $e^{\lambda \|\xi\|^2}$ bounds $P(\|\xi\|^2 \ge \rho D)$ by $e^{-\lambda \rho D}\, \mathbb{E}[e^{\lambda "
    r"\|\xi\|^2}]$, a product of $D$ equal factors, in which $\lambda - \frac12 = -\frac{1}{2\rho}$ and $\lambda \rho = "
    r"\frac{\rho - 1}{2}$. For $\rho < 1$, $\lambda$ is negative and the same lines bound $P(\|\xi\|^2 \le \rho D)$."
)
derivation.chain(
    "The radius is close to the root of D: the logarithm of one factor",
    log(times(exp(-(rho - 1) / 2), Integral(exp(-(xi**2) / (2 * rho)) / sqrt(2 * pi), (xi, -oo, oo)))),
    equals(log(times(exp(-(rho - 1) / 2), sqrt(rho))), r"a Gaussian integral of variance $\rho$"),
    equals(times(-Rational(1, 2), plus(rho, -1, -log(rho))), "the logarithm of a product"),
    at_most(0, r"the logarithm is below its tangent; equality at $\rho = 1$ only", adding=tangent.at(rho) / 2),
    so=r"So either probability is at most $e^{-\frac D2 (\rho - 1 - \log \rho)}$: the mass is in a thin shell, and the share "
    r"of observations near the origin is exponentially small.",
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
q = derivation.law("q({}|x)", z, "the encoder's distribution")
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
    so=r"An anomaly that is copied well by way of a code far from the prior has a good reconstruction; the bound charges "
    r"$\mathrm{KL}(q(z|x) \,\|\, p(z))$ for it.",
)
k = derivation.index("k", r"one of the codes drawn from $q(z|x)$")
S = derivation.count(k, "S", "how many are drawn")
drawn = derivation.numbers(r"\ell", k, r"$\log p(x|z_k)$", "log_likelihood")
derivation.bridge(
    "The code averages over drawn codes",
    Total(k, drawn) / S,
    reconstruction_log_probability,
    log_likelihood=[drawn],
    wrong={"the logarithm of the mean, not the mean of the logarithms": log(Total(k, exp(drawn)) / S)},
)

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
    equals(times(1 / (normals * anomalies), plus(Total(g, before * b), Total(g, a * b) / 2)), r"$A_g = E_g + a_g$: collect"),
    equals(
        times(1 / (normals * anomalies), plus(Total(g, Total(h, earlier * a.at(h) * b)), Total(g, a * b) / 2)),
        r"$E_g$ by its definition: pairs whose anomaly has the higher score, and half of the pairs of one score",
    ),
    so=r"This is $P(s_1 > s_0) + \frac12 P(s_1 = s_0)$. Only the order of the scores and their ties enter, so a strictly "
    r"increasing function of the score changes nothing, and a score that knows nothing has one half in expectation.",
)
derivation.chain(
    "Average precision is a mean over the anomalies",
    Total(g, times(plus(flagged / anomalies, -before / anomalies), flagged / (flagged + false))),
    equals(
        Total(g, times(a, flagged / (flagged + false))) / anomalies,
        r"recall grows by $a_g / N_1$ at the group $g$, where precision is $\frac{A_g}{A_g + B_g}$",
        wrong={"precision in the group alone": Total(g, times(a, a / (a + b))) / anomalies},
    ),
    so="No line is drawn between the points: between two thresholds precision is no straight line over recall, and trapezoids "
    "can be too large.",
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
)
def every_ranking_of_four():
    scores = np.repeat(list(product((0.0, 1.0, 2.0), repeat=4)), 14, axis=0)
    labels = np.tile([bits for bits in product((0.0, 1.0), repeat=4) if 0 < sum(bits) < 4], (81, 1))
    at_60 = partial(false_positive_rate_at_recall, recall=0.6)
    found = jnp.stack([jax.vmap(function)(scores, labels) for function in (area_under_roc, average_precision, at_60)])

    up_to, false_up_to = (np.stack([(kind * (scores >= t)).sum(1) for t in (3, 2, 1, 0)]) for kind in (labels, 1 - labels))
    recall, rate = up_to / up_to[-1], false_up_to / false_up_to[-1]
    precision = up_to / np.maximum(up_to + false_up_to, 1)
    area = (np.diff(rate, axis=0) * (recall[1:] + recall[:-1])).sum(0) / 2
    average = (np.diff(recall, axis=0) * precision[1:]).sum(0)
    reached = np.where(recall >= 0.6, rate, 1).min(0)
    by_trapezoids = (np.diff(recall, axis=0) * (precision[1:] + precision[:-1])).sum(0) / 2
    wrong = {
        "steps above the curve": [(np.diff(rate, axis=0) * recall[1:]).sum(0), average, reached],
        "trapezoids of precision": [area, by_trapezoids, reached],
        "recall not reached": [area, average, np.where(recall < 0.6, rate, 0).max(0)],
        "true for false": [area, average, 1 - reached],
    }
    return Sides(
        left=found, right=np.stack([area, average, reached]), wrong={name: np.stack(form) for name, form in wrong.items()}
    )


theta = derivation.number(r"\theta", "the share of anomalies among all observations", between=(0, 1))
R = derivation.number("R", "recall", between=(0, 1))
rate = derivation.number("f", "the false positive rate", between=(0, 1))
derivation.chain(
    "Precision depends on how rare anomalies are",
    Slope(theta * R / (theta * R + (1 - theta) * rate), theta),
    equals(
        R * rate / (theta * R + (1 - theta) * rate) ** 2,
        r"the quotient rule, with $R\, (\theta R + (1 - \theta) f) - \theta R\, (R - f) = R f$",
    ),
    at_least(0, "leave out what is positive", dropping=R * rate / (theta * R + (1 - theta) * rate) ** 2),
    so=r"The curve of recall over $f$ does not contain $\theta$, and neither does its area. If one observation in a thousand is "
    r"an anomaly, $R = 0.95$ at $f = 0.01$ means that 91% of all alarms are false.",
)

derivation.say(
    r"A detector in use needs a threshold $t$. No anomaly is at hand, so it is taken from $M$ scores of normal observations, "
    r"the reference, that were not used for training. With $j = \lfloor \varepsilon M \rfloor$ let $t$ be the $(j+1)$-th "
    r"largest of them, and flag $s > t$: on the reference at most $j \le \varepsilon M$ are flagged. For a fresh normal score "
    r"all $M + 1$ ranks are equally likely if there are no ties, and it is above $t$ if and only if its rank is $j + 1$ or "
    r"less: the probability is $\frac{j + 1}{M + 1}$."
)
M = derivation.number("M", "the number of reference scores", "len(reference)", positive=True)
epsilon = derivation.number(r"\varepsilon", "the rate that is requested", "rate", between=(0, 1))
derivation.chain(
    "A fresh observation is flagged a little more often than the rate",
    (epsilon * M + 1) / (M + 1),
    equals(
        plus(epsilon, (1 - epsilon) / (M + 1)), r"$j = \varepsilon M$, if this is a whole number; add and subtract $\varepsilon$"
    ),
    at_least(epsilon, "leave out a positive number", dropping=(1 - epsilon) / (M + 1)),
    so=r"With $M = 100$ and $\varepsilon = 0.01$ it is 0.0198, nearly twice the rate. To keep the promise for fresh "
    r"observations, take $j = \lfloor \varepsilon (M + 1) \rfloor - 1$, if this is not negative.",
)
derivation.symbol("s, s_1, s_0", "scores: of a fresh normal observation, of an anomaly, of a normal one", "scores")
derivation.symbol("t", "the threshold", "threshold_at_false_positive_rate")
derivation.symbol("P", "a probability")
derivation.symbol("j", "how many reference scores may be above it")


@derivation.exact(
    r"P(s > t) = \frac{j + 1}{M + 1}",
    because="All orders of five scores, of which the last is the fresh one, at $M = 4$ and the rates $0$, $0.25$, $0.6$ and "
    "$0.75$, where $j = 0, 1, 2, 3$.",
    outcomes=4 * 120,
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
    "How much of a Gaussian is within m standard deviations",
    Integral(exp(-(xi**2) / (2 * sigma**2)) / (sigma * sqrt(2 * pi)), (xi, -m * sigma, m * sigma)),
    equals(
        erf(m / sqrt(2)),
        r"substitute $\xi = \sqrt2\, \sigma \tau$: $\mathrm{erf}(v) = \frac{2}{\sqrt\pi} \int_0^v e^{-\tau^2} d\tau$",
        wrong={"not divided by the root of 2": erf(m), "one side alone": erf(m / sqrt(2)) / 2},
    ),
    so=r"It is one half at $m = \Phi^{-1}(\frac34) = 0.6745$, $\Phi$ the distribution function of $\mathcal N(0, 1)$. So the "
    r"median absolute deviation is $0.6745\, \sigma$, and $\sigma$ is $1/0.6745 = 1.4826$ times the median absolute deviation.",
)
mu = derivation.number(r"\mu", "a mean", real=True)
score = derivation.number("r", "a score", "scores", real=True)
_OCTILES = scipy.special.ndtri(np.arange(1, 8) / 8)  # of |octile| the middle one is the third quartile
derivation.bridge(
    "On the octiles of a Gaussian the code finds its mean and its standard deviation",
    (score - mu) / sigma,
    robust_z_score,
    scores=[score],
    reference=[plus(mu, times(sigma, octile)) for octile in _OCTILES.tolist()],
    wrong={"the median distance in place of the deviation": 1.4826 * (score - mu) / sigma},
)

_SCORES, _LABELS = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 1.0]), np.array([1, 1, 0, 0, 1, 0])
_THREE, _UNIFORM = np.array([0.5, 0.3, 0.2]), np.full(3, 1 / 3)


@derivation.example(
    "Scores 5, 4, 4, 3, 2, 1 with the labels 1, 1, 0, 0, 1, 0. Of nine pairs the anomalies win $3 + 2 + 1$ and tie one. A "
    "reference of 1, 2, 3, 4 and 100, with the median 3 and the deviations 2, 1, 0, 1, 97. States with $p = (0.5, 0.3, 0.2)$ "
    "and uniform $u$, size 0.3: flag the third, and a third of the second. And the radius of a Gaussian in 100 dimensions."
)
def six_scores():
    yield r"\mathrm{AUROC} = 6.5 / 9", area_under_roc(_SCORES, _LABELS), "0.7222"
    yield r"\mathrm{AP} = \frac13 \left(1 + \frac23 + \frac35\right)", average_precision(_SCORES, _LABELS), "0.7556"
    yield r"F \text{ at recall } 0.95, \text{ threshold } 2", false_positive_rate_at_recall(_SCORES, _LABELS), "0.6667"
    yield r"F \text{ at recall } 0.6, \text{ threshold } 4", false_positive_rate_at_recall(_SCORES, _LABELS, recall=0.6), "0.3333"
    reference = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    yield r"t \text{ at } \varepsilon = 0.2", threshold_at_false_positive_rate(reference, rate=0.2), "4"
    yield r"\text{robust score of } 6, \frac{3}{1.4826}", robust_z_score(np.array([6.0]), reference), "2.0235"
    yield r"\mathrm{power}(\phi^*) = \frac13 + \frac19", _most_power(0.3, _THREE, _UNIFORM), "0.4444"
    yield (
        r"P(\|\xi\| < 8), \ P(\|\xi\| > 12)",
        (scipy.special.gammainc(50, 32), scipy.special.gammaincc(50, 72)),
        "(0.00193, 0.00263)",
    )
    chernoff = [np.exp(-50 * (part - 1 - np.log(part))) for part in (0.64, 1.44)]
    yield r"e^{-50 (\rho - 1 - \log \rho)} \text{ at } \rho = 0.64, 1.44", chernoff, "(0.0134, 0.0231)"


@derivation.figure(
    "Left: the curve of the six scores; the sloped line is the tie at 4, and the dashed line a score that knows nothing. Right: "
    "the density of the radius of a standard Gaussian in 1, 10 and 100 dimensions; the dot is the origin, the densest point in "
    "each.",
    panels=2,
)
def a_curve_and_a_shell(curve, radius):
    thresholds = (6, 5, 4, 3, 2, 1)
    points = [[(_SCORES[label == _LABELS] >= t).mean() for t in thresholds] for label in (0, 1)]
    curve.plot(*points, "o-", label=f"area {float(area_under_roc(_SCORES, _LABELS)):.2f}")
    curve.plot([0, 1], [0, 1], "--", color="gray")
    curve.set(xlabel="false positive rate", ylabel="recall")
    curve.legend(loc="lower right")
    r = np.linspace(1e-3, 13, 400)
    for d in (1, 10, 100):
        log_density = (d - 1) * np.log(r) - r**2 / 2 - (d / 2 - 1) * np.log(2) - scipy.special.gammaln(d / 2)
        radius.plot(r, np.exp(log_density), label=f"$D = {d}$")
    radius.plot(0, 0, "o", color="black", clip_on=False)
    radius.set(xlabel="radius", ylabel="density", ylim=(0, None))
    radius.legend()


@derivation.exercise(
    r"Anomalies have scores $\mathcal N(1, 1)$, normal observations $\mathcal N(0, 1)$. How large is the area under the curve?",
    r"$s_1 - s_0$ is $\mathcal N(1, 2)$, so the area is $\Phi(1/\sqrt2) = 0.7602$.",
)
def two_gaussians():
    yield scipy.special.ndtr(1 / np.sqrt(2)), "0.7602"


@derivation.exercise(
    r"A reference has $M = 20$ scores, and $\varepsilon = 0.1$. How often is a fresh normal observation flagged?",
    r"$j = 2$, so $\frac{3}{21} = 0.1429$.",
)
def twenty_scores():
    scores = np.arange(21.0)  # each in turn is the fresh one
    thresholds = [threshold_at_false_positive_rate(np.delete(scores, fresh), rate=0.1) for fresh in range(21)]
    yield np.mean(scores > np.array(thresholds)), "0.1429"


@derivation.exercise(
    "On the three states of the example, which test of size 0.6 has the largest power?",
    r"The third and the second state have size 0.5; a fifth of the first adds 0.1. The power is $\frac23 + \frac{1}{15} = "
    r"0.7333$.",
)
def size_six_tenths():
    yield _most_power(0.6, _THREE, _UNIFORM), "0.7333"
