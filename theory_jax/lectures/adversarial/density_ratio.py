"""A classifier knows the density ratio, and what to do with it.

The lecture on the functions of theory_jax/adversarial/density_ratio.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Min, Rational, exp, log

from theory_jax.adversarial.density_ratio import (
    kernel_ratio_fit,
    least_squares_ratio_loss,
    log_ratio_from_classifier,
    logistic_ratio_loss,
    rejection_log_acceptance,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="A classifier knows the density ratio, and what to do with it",
    lectures=(7,),
    sources=(
        "Sugiyama, Suzuki & Kanamori 2012, Density Ratio Estimation in Machine Learning",
        "Menon & Ong 2016, Linking losses for density ratio and class-probability estimation",
        "Kanamori, Hido & Sugiyama 2009, A least-squares approach to direct importance estimation",
        "Azadi et al. 2019, Discriminator Rejection Sampling",
    ),
    question="A generator that is wrong produces some points too often and others too rarely. Its samples could be corrected "
    "if the ratio of the two densities were known, but estimating each density by itself is hard, and a quotient of two "
    "estimates is worst where the divisor is small. How does one obtain the ratio from a classifier that only separates real "
    "from fake, how does the ratio correct the samples, and at what price?",
    setting=(
        "The data have the distribution $p$, the generator's samples the distribution $q$, both on finitely many points; $q$ "
        "is positive wherever $p$ is.",
        r"A labeled draw has the label 1 with probability $\alpha$ (the prior) and then comes from $p$, otherwise, with "
        r"probability $1 - \alpha$, from $q$.",
        r"A classifier gives every point a logit $\ell$: the log-odds by which it takes the point for data.",
    ),
    limits=(
        "The error of a ratio that was learned from finitely many draws: classifiers are overconfident where one side has no "
        "draw.",
        "Points where only $p$ is positive: no weight creates them.",
        "Classifiers of a restricted class.",
    ),
)

x = derivation.index("x", "a point")
b = derivation.index("b", "a label: 1 for data, 0 for samples", states=2)
p = derivation.law("p", x, "the distribution of the data", "exp(log_p)")
q = derivation.law("q", x, "the distribution of the generator's samples", "exp(log_q)")
odds = derivation.number(
    r"\omega", "the prior odds: how many data there are for each sample", "exp(log_prior_odds)", positive=True
)
alpha = derivation.define(r"\alpha", odds / (1 + odds), "the prior: the share of data among the labeled draws", positive=True)
others = derivation.define(r"\bar\alpha", 1 / (1 + odds), r"$1 - \alpha$", positive=True)
r = derivation.define("r", p / q, "the ratio", "exp(log_ratio)", over=x, positive=True)
both = derivation.define(
    "P({},{})",
    (alpha * p) ** b * (others * q) ** (1 - b),
    r"a labeled draw: $\alpha p$ of data, $\bar\alpha q$ of samples",
    over=(b, x),
    positive=True,
)
m = derivation.define("m", alpha * p + others * q, "all labeled draws at a point", over=x, law=True)
eta = derivation.define(r"\eta({}|{})", both / m, "the distribution of the label at a point", over=(b, x), law=True)
true_odds = eta.at(1, x) / eta.at(0, x)
of_shares = derivation.chain(
    "The log-odds of the label are the log-ratio, moved by the prior odds",
    log(true_odds),
    equals(log(alpha * p / (others * q)), "Bayes' rule: $m$ is in both, and cancels", wrong={"the prior forgotten": log(p / q)}),
    equals(plus(log(r), log(odds)), "the logarithm of a product"),
    so=prose(
        r"So a classifier that knows the true log-odds knows the ratio: $\log r$ is its logit less $\log \omega$. With as many "
        "data as samples, {even}, both are the same, {same}. Why should training find that logit?",
        even=where(odds, 1),
        same=holds(log(true_odds), "=", log(r)),
    ),
)
derivation.bridge(
    "The code takes the odds off",
    log(r),
    log_ratio_from_classifier,
    logits=log(true_odds),
    log_prior_odds=log(odds),
    wrong={"left in": log(true_odds), "turned over": -log(r)},
)

logit = derivation.numbers(r"\ell", x, "the classifier's logits", "logits")
c = derivation.define(
    "c({}|{})", exp(b * logit) / (1 + exp(logit)), "the classifier's distribution of the label", over=(b, x), law=True
)
entropy = derivation.define("E", Expectation(m, Entropy(eta)), "the mean entropy of the label at a point")
of_data, of_sample = -log(c.at(1, x)), -log(c.at(0, x))
central = derivation.chain(
    "The logistic loss is least at the true log-odds, and nowhere else",
    plus(Expectation(p, alpha * of_data), Expectation(q, others * of_sample)),
    equals(
        Expectation(m, Expectation(eta, -log(c))),
        prose(
            "first a point, then its label: {data} and {samples}",
            data=holds(alpha * p, "=", times(m, eta.at(1, x))),
            samples=holds(others * q, "=", times(m, eta.at(0, x))),
        ),
        wrong={"the labels exchanged": plus(Expectation(p, alpha * of_sample), Expectation(q, others * of_data))},
    ),
    equals(
        plus(entropy, Expectation(m, Divergence(eta, c))),
        "at every point a cross-entropy is an entropy and a divergence",
        wrong={"the divergence turned over": plus(entropy, Expectation(m, Divergence(c, eta)))},
    ),
    at_least(
        entropy,
        prose(
            "leave out the divergences (Gibbs); equality if and only if {best} at every point", best=where(logit, log(odds * r))
        ),
        dropping=Expectation(m, gibbs.at(eta, c)),
    ),
    states=2,
    central=True,
    so=prose(
        "The loss never looks at a density, and its minimum knows their ratio: at {best} the logit is the true one, {ratio}, by "
        "the chain before. A minimum is calibrated, {calibrated}: among points to which it gives the same probability, that is "
        r"the share of data. Where there are samples only, the best logit is $-\infty$: training only approaches it.",
        best=where(logit, log(odds * r)),
        ratio=holds(logit, "=", log(true_odds), wrong={"without the odds": log(r)}),
        calibrated=holds(c.at(1, x), "=", eta.at(1, x)),
    ),
)
for title, loss, label, mistake in (
    ("The code's loss of a draw from the data", of_data, 1, {"of a sample": of_sample}),
    ("... and of a sample", of_sample, 0, {"of a draw from the data": of_data}),
):
    derivation.bridge(title, loss, logistic_ratio_loss, logits=logit, labels=[label] * 4, wrong=mistake)

derivation.say("The ratio corrects samples: by weights, or by keeping some and rejecting the rest. Both have a price.")
h = derivation.numbers("h", x, "any function of a point")
derivation.chain(
    "Weighted by the ratio, samples have the means of the data",
    Expectation(q, r * h),
    equals(
        Expectation(p, h),
        prose("{weighted}", weighted=holds(times(q, r), "=", p)),
        wrong={"the samples' own mean": Expectation(q, h)},
    ),
    so=prose(
        "With {h}, {mean}: the weights have the mean 1. A ratio with another mean under $q$ is wrong, and it is cheap to check.",
        h=where(h, 1),
        mean=holds(Expectation(q, r * h), "=", 1),
    ),
    role="lemma",
)
bound = derivation.number("B", "a bound of the ratio", "exp(log_bound)", positive=True)
capped = derivation.assume(
    "The bound is at least the ratio at every point",
    plus(bound, -r),
    example={bound: 2, p: (0.5, 0.25, 0.25), q: (0.25, 0.5, 0.25)},
    wrong={"a bound of half the size": plus(bound / 2, -r)},
)
y = derivation.index("y", "a point, next to $x$")
rejection = derivation.chain(
    "If the bound is at least the ratio at every point, samples kept with probability r/B have the distribution of the data",
    q * r / bound / Total(y, q.at(y) * r.at(y) / bound),
    equals(
        times(p / bound, bound),
        prose("$q r$ is $p$, which sums to one, so {rate} is kept", rate=holds(Total(x, q * r / bound), "=", 1 / bound)),
        wrong={"turned over": times(q**2 / p / bound, bound)},
    ),
    equals(p, "the bound cancels", wrong={"the samples": q}),
    so="The left side is Bayes' rule for a sample that was kept. The bound makes $r/B$ a probability: where $r$ is above $B$, "
    "all samples are kept, and still too few (exercise 3).",
    uses=(capped,),
)
chi = derivation.define(r"\chi^2", Total(x, (p - q) ** 2 / q), "the chi-squared divergence of $p$ from $q$")
second = derivation.chain(
    "The second moment of the ratio is one more than the chi-squared divergence",
    Expectation(q, r**2),
    equals(Expectation(q, plus((r - 1) ** 2, 2 * r, -1)), "expand the square about 1"),
    equals(
        plus(1, chi),
        prose(
            "{square}, and {mean}", square=holds(q * (r - 1) ** 2, "=", (p - q) ** 2 / q), mean=holds(Expectation(q, r), "=", 1)
        ),
        wrong={"turned over": plus(1, Total(x, (p - q) ** 2 / p))},
    ),
    role="lemma",
    so=prose("So {variance}.", variance=holds(Variance(q, r), "=", chi, wrong={"the second moment": 1 + chi})),
)
derivation.chain(
    "A valid bound is at least one more than the chi-squared divergence",
    bound,
    equals(
        Expectation(q, r * bound),
        prose("{one}", one=holds(Expectation(q, r), "=", 1)),
        wrong={"under p": Expectation(p, r * bound)},
    ),
    equals(plus(Expectation(q, r**2), Expectation(q, r * capped.at())), "add and subtract $r$"),
    at_least(
        Expectation(q, r**2), "leave out a mean of products that are not negative", dropping=Expectation(q, r * capped.at())
    ),
    equals(plus(1, chi), "the lemma"),
    so=r"One sample of $B$ is kept, so at most the share $1/(1 + \chi^2)$ of them. Weights pay a similar price: their variance "
    r"is $\chi^2$. The worse the generator, the more of its samples are spent.",
)
derivation.answer = prose(
    "The logistic loss is least at the true log-odds of the label, and these are {best}: so the logit, less the logarithm of the "
    "prior odds, is the log-ratio. Weighted by the ratio, samples have the means of the data, {weighted} for every function $h$; "
    "kept with probability $r/B$, with a $B$ that is at least $r$ everywhere, they have the distribution of the data. The price "
    "is the chi-squared divergence of $p$ from $q$: it is the variance of the weights, {price}, and at most {kept} are kept.",
    best=holds(log(true_odds), "=", plus(log(r), log(odds)), wrong={"without the odds": log(r)}),
    weighted=holds(Expectation(q, r * h), "=", Expectation(p, h)),
    price=holds(Variance(q, r), "=", chi),
    kept=1 / (1 + chi),
)
derivation.bridge(
    "The code's probability of keeping a sample",
    Min(0, log(r) - log(bound)),
    rejection_log_acceptance,
    log_ratio=log(r),
    log_bound=log(bound),
    wrong={"no cap": log(r) - log(bound)},
)


_P, _Q = (0.5, 0.25, 0.25), (0.25, 0.25, 0.5)
_given = {p: _P, q: _Q}
_LOG_RATIO = np.log(_P) - np.log(_Q)


def _kept(log_bound):
    """The probability of each point and of being kept."""
    return np.asarray(_Q) * np.exp(rejection_log_acceptance(jnp.asarray(_LOG_RATIO), log_bound=log_bound))


def _smallest_loss(prior_odds):
    """E in the example: the mean over points of the entropy of the label."""
    share, drawn = (np.array(value(what, _given | {odds: prior_odds})) for what in (eta.at(1, x), m))
    return drawn @ -(share * np.log(share) + (1 - share) * np.log(1 - share))


@derivation.algorithm(
    "From a classifier to corrected samples",
    do(
        r"fit $\ell$ to labeled draws: step down the gradient of $-\log c(1|x)$ on data, of $-\log c(0|x)$ on samples",
        logistic_ratio_loss,
        by=central,
    ),
    do(r"for every new sample $x$ from $q$:"),
    do(r"$\log r \leftarrow \ell(x) - \log \omega$", log_ratio_from_classifier, by=of_shares, indent=1),
    do(
        r"draw a uniform number $u$; keep $x$ if $\log u < \min(0, \log r - \log B)$",
        rejection_log_acceptance,
        by=rejection,
        indent=1,
    ),
)
def three_samples():
    logits = jnp.log(jnp.array([6.0, 3.0, 1.5]))
    yield (
        r"\text{three data for each sample}, e^\ell = (6, 3, \tfrac32): \quad -\log c(1|x)",
        logistic_ratio_loss(logits, np.ones(3, int)),
        "(0.1542, 0.2877, 0.5108)",
    )
    log_ratio = log_ratio_from_classifier(logits, log_prior_odds=math.log(3))
    yield "r", jnp.exp(log_ratio), "(2, 1, 0.5)"
    keep = rejection_log_acceptance(log_ratio, log_bound=math.log(2))
    yield r"\text{probability of being kept, with } B = 2", jnp.exp(keep), "(1, 0.5, 0.25)"
    yield r"\text{kept if all } u = 0.3", (math.log(0.3) < keep).astype(float), "(1, 1, 0)"


@derivation.example(
    r"Three points, with the probabilities $\frac12, \frac14, \frac14$ under $p$ and $\frac14, \frac14, \frac12$ under $q$; "
    "three data for each sample. The mean to be corrected is the share of the third point."
)
def three_points():
    yield r, value(r, _given), "2, 1, 0.5"
    yield eta.at(1, x), value(eta.at(1, x), _given | {odds: 3}), "6/7, 3/4, 3/5"
    logits = log_ratio_from_classifier(jnp.log(jnp.array([6.0, 3.0, 1.5])), log_prior_odds=math.log(3))
    yield r"\text{odds } (6, 3, \tfrac32) \text{ by the prior odds 3}", jnp.exp(logits), "2, 1, 0.5"
    yield entropy, _smallest_loss(3), "0.5303"
    third = _given | {h: (0, 0, 1)}
    of_samples, of_data = value(Expectation(q, h), third), value(Expectation(p, h), third)
    yield (
        r"\text{share of the third point: samples, weighted samples, data}",
        [of_samples, value(Expectation(q, r * h), third), of_data],
        "0.5, 0.25, 0.25",
    )
    yield chi, value(chi, _given), "3/8"
    yield r"\text{kept with } B = 2, \text{ at most } \tfrac{1}{1 + \chi^2}", [_kept(math.log(2)).sum(), 8 / 11], "0.5, 0.7273"


@derivation.figure(
    r"Three points with the probabilities $\frac12, \frac14, \frac14$ in the data, and $\frac14, \frac14, \frac12$ among samples "
    "(outlined). The samples that are kept (filled), for three bounds. With the bound 2 the filled bars have "
    "the shape of the data; with 4, too, but half as many are kept; with 1, less than the largest ratio, the shape is wrong.",
    panels=3,
)
def kept_samples(*panels):
    for panel, bound in zip(panels, (1, 2, 4), strict=True):
        kept = _kept(math.log(bound))
        panel.bar([1, 2, 3], _Q, fill=False, label="samples, $q$")
        panel.bar([1, 2, 3], kept, label=f"kept: {kept.sum():.2f}")
        panel.set(xlabel="point", ylabel="probability", title=f"$B = {bound}$", xticks=[1, 2, 3], ylim=(0, 0.72))
        panel.legend(fontsize="small", loc="upper left")


spread = derivation.define(r"\mathrm{TV}", Total(x, Abs(p - q)) / 2, "the total variation of $p$ and $q$")
derivation.chain(
    "With equal priors the best classifier is right by half the total variation more often than chance",
    Total(x, plus(p, q, Abs(p - q))) / 4,
    equals(plus(Rational(1, 2), spread / 2), r"both distributions sum to one"),
    so=prose(
        "The left side is the share of draws whose label is guessed right by the likelier side, {likelier}. A classifier that is "
        "right in clearly more than half of fresh draws shows that the distributions differ: a two-sample test.",
        likelier=holds(Total(x, Max(p / 2, q / 2)), "=", Total(x, plus(p, q, Abs(p - q))) / 4),
    ),
    role="remark",
)

derivation.say(
    "The logistic loss is one of many that are least at the ratio. The simplest is a parabola, which needs no classifier."
)
f = derivation.numbers("f", x, "an estimate of the ratio", "ratio")
derivation.chain(
    "A squared loss is least at the same ratio",
    plus(Expectation(q, f**2 / 2), -Expectation(p, f)),
    equals(
        Expectation(q, plus(f**2 / 2, -r * f)),
        prose("{weighted}: an expectation under $p$ is one under $q$, with the weight $r$", weighted=holds(p, "=", times(q, r))),
    ),
    equals(
        plus(Expectation(q, (f - r) ** 2) / 2, -Expectation(q, r**2) / 2),
        "complete the square",
        wrong={"no half": plus(Expectation(q, (f - r) ** 2), -Expectation(q, r**2))},
    ),
    at_least(
        -Expectation(q, r**2) / 2,
        prose("leave out the square, zero if and only if {same} at every point", same=where(f, r)),
        dropping=Expectation(q, (f - r) ** 2) / 2,
    ),
    equals(-(1 + chi) / 2, "the second moment of the ratio"),
    role="remark",
)
at_p, at_q = (
    derivation.number("f_p", "an estimate at a draw from $p$", "ratio_numerator"),
    derivation.number("f_q", "... and at one from $q$", "ratio_denominator"),
)
derivation.bridge(
    "The code's squared loss",
    plus(at_q**2 / 2, -at_p),
    least_squares_ratio_loss,
    ratio_numerator=[at_p],
    ratio_denominator=[at_q],
    wrong={"exchanged": plus(at_p**2 / 2, -at_q)},
)
n = derivation.index("n", "a draw from $q$", states=2)
k = derivation.index("k", "a feature", states=2)
j = derivation.index("j", "a feature, next to $k$", states=2)
features = derivation.numbers("K", (k, n), "the features of the draws from $q$", "kernel_denominator, transposed")
ridge = derivation.number(r"\lambda", "the weight of the penalty", "ridge", positive=True)
count = derivation.count(n, "M", "the number of draws from $q$")
best = derivation.numbers(r"\hat a", k, "the weights in question", "kernel_ratio_fit")
change = derivation.numbers("v", k, "any change of the weights")


def _fitted(weights, index=j):
    return Total(index, features.at(index, n) * weights.at(index))


means = derivation.define(
    r"\bar k",
    Total(n, features * _fitted(best)) / count + ridge * best,
    "the mean features of the draws from $p$, which these weights solve for",
    "mean of kernel_numerator",
    over=k,
)


def _objective(weights, at=lambda weights, index: weights.at(index)):
    fitted = Total(n, Total(j, features.at(j, n) * at(weights, j)) ** 2) / (2 * count)
    return plus(fitted, -Total(k, means * at(weights, k)), ridge / 2 * Total(k, at(weights, k) ** 2))


def _changed(weights, index):
    return weights.at(index) + change.at(index)


growth = plus(Total(n, _fitted(change) ** 2) / (2 * count), ridge / 2 * Total(k, change**2))
derivation.chain(
    "With features and a ridge the minimum is the solution of a linear system",
    plus(_objective(best, _changed), -_objective(best)),
    equals(
        growth,
        r"the terms of first order in $v$ are $\sum_k v_k \left(\frac1M \sum_n K_{k,n} \sum_j K_{j,n} \hat a_j + \lambda \hat "
        r"a_k - \bar k_k\right)$, which the system makes zero",
        wrong={"no half": 2 * growth},
    ),
    at_least(0, prose("leave out squares; all of them are zero for {none} only", none=where(change, 0)), dropping=growth),
    so=prose(
        "So the weights with {system} are best, and the only best ones: the estimate of the ratio at a point is the sum of its "
        "features with these weights, in closed form.",
        system=holds(
            plus(Total(n, features * _fitted(best)) / count, ridge * best), "=", means, wrong={"no ridge": means - ridge * best}
        ),
    ),
    role="remark",
)
derivation.bridge(
    "The code solves it",
    best,
    kernel_ratio_fit,
    kernel_numerator=[means],
    kernel_denominator=[features.at(k, 0), features.at(k, 1)],
    ridge=ridge,
    wrong={"the mean features themselves": means},
)


derivation.symbol(r"\sigma", "the sigmoid")


@derivation.numeric(
    r"-\log \sigma(\ell) = \log\left(1 + e^{-\ell}\right) \quad\text{at}\quad \ell = -40, -400",
    because=r"A classifier that is sure and wrong. As the logarithm of $1 - \sigma(-\ell)$ it would be infinite, since that "
    "difference rounds to 0; the loss is a softplus of the logit, which grows linearly.",
    role="appendix",
)
def loss_is_a_softplus():
    logits = jnp.array([-40.0, -400.0])
    return Sides(left=logistic_ratio_loss(logits, np.ones(2, int)), right=-logits, wrong={"the other label": 0 * logits})
