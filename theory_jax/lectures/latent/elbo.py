"""The evidence lower bound, and how tight it can be made.

The lecture on the functions of theory_jax/latent/elbo.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.elbo import (
    effective_sample_size,
    elbo,
    exact_elbo,
    importance_weighted_bound,
    normalized_importance_weights,
    renyi_bound,
)
from theory_jax.lectures.latent._elbo import climb
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.more_samples import two_samples
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The evidence lower bound, and how tight it can be made",
    lectures=(17,),
    sources=(
        "Jordan, Ghahramani, Jaakkola & Saul 1999, An introduction to variational methods for graphical models",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders",
        "Li & Turner 2016, Renyi divergence variational inference",
        "Maddison et al. 2017, Filtering variational objectives (the rate of the gap)",
        "Rainforth et al. 2018, Tighter variational bounds are not necessarily better",
    ),
    question="A model with a latent variable gives an observation the sum of its joint probabilities over everything the "
    "latent variable can be. That sum is too long to compute, and a plain average over samples of the prior has a large "
    "variance, because few of them explain the observation. Training then has no likelihood to raise. Which quantity that can "
    "be computed is below the log-likelihood, and by how much?",
    setting=(
        r"An observation $x$ is fixed. A latent variable $z$ has finitely many states; the model gives it a prior $p(z)$ and "
        r"gives $x$ a likelihood $p(x|z)$. A distribution $q(z|x)$ of our choice, positive wherever $p(x, z)$ is, replaces "
        r"the posterior.",
        r"Samples $z_1, z_2, \dots$ are drawn independently from $q(z|x)$.",
    ),
    limits=(
        "Continuous latent variables: sums become integrals, and log w must be integrable. Gaussian encoders follow in the "
        "next topics.",
        "The gap's rate needs weights that are bounded away from zero, as they are on finitely many states.",
        "As the number of samples grows, the gradient of the encoder drowns in its own noise (Rainforth et al. 2018): said, "
        "not shown.",
    ),
)


@derivation.figure(
    "Left: the bound over all $q$ on two states is below $\\log p(x)$ and touches it at the posterior; the shaded gap is the "
    "divergence. Right: with more samples the expected bound at $q = (0.5, 0.5)$ approaches $\\log p(x)$.",
    panels=2,
)
def the_gap_and_the_ladder(left, right):
    first = np.linspace(0.01, 0.99, 99)
    bounds = exact_elbo(jnp.log(jnp.tile(_joint, (99, 1))), jnp.log(jnp.stack([first, 1 - first], axis=1)))
    left.plot(first, bounds, label="ELBO")
    left.axhline(math.log(0.5), linestyle="--", color="gray", label="$\\log p(x)$")
    left.fill_between(first, bounds, math.log(0.5), alpha=0.2)
    left.set(xlabel="$q(z=1|x)$", ylabel="nats")
    left.legend()
    sizes = (1, 2, 3, 4, 6, 8, 12, 16)
    right.plot(sizes, [_expected(importance_weighted_bound, size) for size in sizes], "o-", label="$\\mathcal{L}_K$")
    right.axhline(math.log(0.5), linestyle="--", color="gray", label="$\\log p(x)$")
    right.set(xlabel="$K$ samples", ylabel="nats")
    right.legend()


z = derivation.index("z", "a state of the latent variable")
prior = derivation.law("p({})", z, "the prior")
likelihood = derivation.numbers("p(x|{})", z, "the likelihood of the observation", positive=True)
joint = derivation.define("p(x,{})", prior * likelihood, "the joint probability", "exp(log_joint)", over=z, positive=True)
evidence = derivation.define("p(x)", Total(z, joint), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", joint / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "any distribution in place of the posterior", "exp(log_q)")
weight = derivation.define("w({})", joint / q, "the importance weight of a state", over=z, positive=True)
bound = derivation.define(r"\mathrm{ELBO}", Expectation(q, log(joint / q)), "the evidence lower bound", "exact_elbo")

derivation.answer = prose(
    "The evidence lower bound, {bound}, falls short of {evidence} by exactly one divergence: {gap}. Averaging several weights "
    "before the logarithm is taken closes the gap like one over their number.",
    bound=holds(bound, "=", Expectation(q, plus(log(joint), -log(q))), wrong={"no entropy": Expectation(q, log(joint))}),
    evidence=log(evidence),
    gap=holds(plus(log(evidence), -bound), "=", Divergence(q, posterior), wrong={"turned over": Divergence(posterior, q)}),
)

central = derivation.chain(
    "The bound falls short of log p(x) by the divergence from the posterior",
    log(evidence),
    equals(Expectation(q, log(evidence)), "a constant is its own expectation"),
    equals(
        Expectation(q, log(joint / posterior)),
        prose("Bayes' rule: {bayes} for every $z$", bayes=holds(evidence, "=", joint / posterior)),
    ),
    equals(Expectation(q, plus(log(joint / q), log(q / posterior))), "multiply and divide by $q(z|x)$"),
    equals(plus(bound, Divergence(q, posterior)), "the expectation of a sum; the second term is a divergence by definition"),
    at_least(
        bound,
        prose("leave out the divergence (Gibbs); equality if and only if {same} for every $z$", same=where(q, posterior)),
        dropping=gibbs.at(q, posterior),
    ),
    central=True,
    so="Raising the bound over $q$ is inference, since the left side does not contain $q$; raising it over the model is "
    "learning.",
)
derivation.chain(
    "The same number is a reconstruction minus a rate",
    bound,
    equals(
        Expectation(q, plus(log(likelihood), log(prior / q))), prose("{joint}", joint=holds(joint, "=", times(likelihood, prior)))
    ),
    equals(plus(Expectation(q, log(likelihood)), -Divergence(q, prior)), "the expectation of a sum"),
    so="An autoencoder computes it in this form: how well $x$ is explained by what $q$ proposes, minus a price for every nat "
    "by which $q$ departs from the prior.",
)
derivation.bridge(
    "The code computes the bound",
    bound,
    exact_elbo,
    log_joint=[log(joint)],
    log_q=[log(q)],
    wrong={
        "averaged under the prior": Expectation(prior, log(joint / q)),
        "the encoder's entropy forgotten": Expectation(q, log(joint)),
    },
)

i = derivation.index("i", "a state, next to $z$")
j = derivation.index("j", "a state, next to $z$")
l = derivation.numbers("l", z, "logits")  # noqa: E741 (the lecture's letter)
soft = derivation.define(r"\pi", exp(l) / Total(j, exp(l.at(j))), "their softmax", over=z, law=True)
of_logits = derivation.define("L", Expectation(soft, log(joint / soft)), "the bound at $q(z|x) = \\pi_z$")
derivation.chain(
    "A logit rises where the log-weight exceeds its average",
    Slope(of_logits, l.at(i)),
    equals(
        times(soft.at(i), plus(log(joint.at(i) / soft.at(i)), -of_logits)),
        prose(
            "{slope}, and {none}",
            slope=holds(Slope(soft, l.at(i)), "=", times(soft, plus(KroneckerDelta(z, i), -soft.at(i)))),
            none=holds(Total(z, times(soft, Slope(log(soft), l.at(i)))), "=", 0),
        ),
        wrong={"the average minus the weight": soft.at(i) * (of_logits - log(joint.at(i) / soft.at(i)))},
    ),
    so=prose(
        r"It is zero for every $i$ only if all weights $p(x,i)/\pi_i$ are equal, that is if $q(z|x)$ is proportional to "
        "$p(x,z)$: at the posterior, where {bound}.",
        bound=holds(bound, "=", log(evidence), when={q: posterior}),
    ),
    role="lemma",
)
derivation.figure(
    prose(
        "Gradient ascent on the logits of $q(z|x)$ over eight states. Left: the probability of a state rises while its "
        "log-weight is above the average, until $q$ is the posterior. Right: the shaded gap closes. No step changes "
        "{sum}: what the bound gains, the divergence loses.",
        sum=holds(log(evidence), "=", plus(bound, Divergence(q, posterior)), wrong={"the gap forgotten": bound}),
    ),
    panels=2,
)(climb)

derivation.say(
    "More samples. The weight of one sample is an unbiased estimate of the evidence, so the average of several is one too, "
    "with less variance. By Jensen's inequality the expected logarithm of an unbiased estimate is at most the logarithm of the "
    "evidence; averaging more weights brings it closer."
)
z1 = derivation.index("z_1", "the first sample")
z2 = derivation.index("z_2", "the second sample")
first, second = weight.at(z1), weight.at(z2)
mean = derivation.define("m({},{})", (first + second) / 2, "the mean of two weights", over=(z1, z2), positive=True)
bound_2 = derivation.define(
    r"\mathcal{L}_2",
    Expectation(q.at(z1), Expectation(q.at(z2), log(mean))),
    "the expected bound of two samples",
    "importance_weighted_bound",
)
derivation.chain(
    "Two samples are better than one",
    plus(bound_2, -bound),
    at_least(
        0, "leave out the lemma's difference, which is zero only where both weights are equal", dropping=two_samples.at(q, weight)
    ),
    states=2,
    so="The same argument takes $K$ samples to $K + 1$: the mean of all is the average of the means that leave one out.",
)
derivation.chain(
    "The expected bound of two samples is never more than the evidence",
    plus(log(evidence), -bound_2),
    equals(
        Expectation(q.at(z1), Expectation(q.at(z2), plus(mean / evidence - 1, -log(mean / evidence)))),
        prose(
            "{unbiased}, so $m / p(x)$ has mean 1",
            unbiased=holds(Expectation(q, weight), "=", evidence, wrong={"the prior's mean": Expectation(prior, weight)}),
        ),
    ),
    at_least(
        0,
        "leave out the gap of the logarithm at $t = m / p(x)$",
        dropping=Expectation(q.at(z1), Expectation(q.at(z2), tangent.at(mean / evidence))),
    ),
    role="lemma",
)
derivation.chain(
    "To second order the gap of two samples is the variance of one weight, halved twice",
    Expectation(q.at(z1), Expectation(q.at(z2), (mean / evidence - 1) ** 2 / 2)),
    equals(
        Variance(q, weight) / (4 * evidence**2),
        r"the variance of a mean of two independent weights is half of one's; $-\log(1 + \rho) = -\rho + \rho^2/2 - \dots$ at "
        r"$\rho = m/p(x) - 1$, whose mean is zero",
        wrong={"not halved": Variance(q, weight) / (2 * evidence**2)},
    ),
    role="lemma",
)
derivation.symbol(r"\mathcal{L}_K", "the expected bound of $K$ samples", "importance_weighted_bound")

_joint, _q = np.array([0.4, 0.1]), np.array([0.5, 0.5])  # the worked example's numbers


@derivation.exact(
    r"\lim_{K \to \infty} K \left(\log p(x) - \mathcal{L}_K\right) = \frac{\mathrm{Var}_q[w]}{2\, p(x)^2}",
    because="With $K$ samples the variance is divided by $K$ in place of 2, and the terms that the expansion leaves out are of "
    "order $1/K^2$. Every number of draws of the first state is enumerated at $K = 20, 40, 80$, and two further orders are "
    "extrapolated away.",
    outcomes=21 + 41 + 81,
    tolerance=1e-4,
    since="two extrapolations leave a term of order $1/K^3$",
)
def the_gap_falls_like_one_over_k():
    def scaled_gap(size):
        return size * (math.log(_joint.sum()) - _expected(importance_weighted_bound, size))

    at_20, at_40, at_80 = map(scaled_gap, (20, 40, 80))
    once = 2 * at_40 - at_20, 2 * at_80 - at_40
    weights = _joint / _q
    limit = (_q @ weights**2 - (_q @ weights) ** 2) / (2 * _joint.sum() ** 2)
    return Sides(left=(4 * once[1] - once[0]) / 3, right=limit, wrong={"not halved": 2 * limit})


@derivation.exact(
    r"\mathcal{L}_1 = \mathrm{ELBO}",
    because="The code averages $\\log w$ over its samples; with one sample the logarithm of the mean is the mean of the "
    "logarithms. Every tuple of samples is enumerated, for one, two and three of them.",
    outcomes=2 + 4 + 8,
    role="lemma",
)
def one_sample_is_the_bound():
    averages = [_expected(elbo, size) for size in (1, 2, 3)]
    exact = exact_elbo(jnp.log(_joint)[None], jnp.log(_q)[None])[0]
    wrong = {"no entropy": jnp.full(4, _q @ np.log(_joint))}
    return Sides(left=jnp.array([_expected(importance_weighted_bound, 1), *averages]), right=jnp.full(4, exact), wrong=wrong)


r = derivation.number("r", r"the exponent of the weights, 1 - order", "1 - order", positive=True)
psi = derivation.define(r"\psi", log(Expectation(q, weight**r)), "the logarithm of their mean power")
tilted = derivation.define(r"q_r({})", q * weight**r * exp(-psi), "$q$, tilted by the weights", over=z, law=True)
derivation.chain(
    "The Renyi bound rises with the exponent, so it falls with the order",
    Slope(psi / r, r),
    equals(
        Expectation(tilted, plus(times(r, log(weight)), -psi)) / r**2,
        prose("the quotient rule, with {slope}", slope=holds(Slope(psi, r), "=", Expectation(tilted, log(weight)))),
        wrong={"averaged under q": Expectation(q, r * log(weight) - psi) / r**2},
    ),
    equals(Divergence(tilted, q) / r**2, prose("{ratio}", ratio=holds(tilted / q, "=", times(weight**r, exp(-psi))))),
    at_least(0, "leave out a divergence (Gibbs)", dropping=gibbs.at(tilted, q) / r**2),
    states=2,
    so=prose(
        "At {one}, order 0, the bound is the evidence itself, {bound}: the limit of the importance-weighted bounds as the "
        "number of samples grows.",
        one=where(r, 1),
        bound=holds(psi / r, "=", log(evidence)),
    ),
    role="remark",
)
derivation.chain(
    "At order 1 the Renyi bound is the evidence lower bound",
    Limit(psi / r, r, 0),
    equals(
        bound,
        prose(
            "l'Hopital's rule: {zero} at $r = 0$, where the slope of $\\psi$ is {slope}",
            zero=holds(Limit(psi, r, 0), "=", 0),
            slope=Expectation(q, log(weight)),
            said=("r = 0",),
        ),
    ),
    states=2,
    role="remark",
)
k = derivation.index("s", "a sample")
omega = derivation.numbers("w", k, "their weights", "exp(log_joint - log_q)", positive=True)
S = derivation.count(k, "S", "the number of samples")
normalized = derivation.define(
    r"\tilde w", omega / Total(k, omega), "the normalized weights", "normalized_importance_weights", over=k, law=True
)
u = derivation.numbers("u", k, "the logarithms of the weights")
other = derivation.index("s'", "a sample, next to $s$")
derivation.chain(
    "The gradient weights the samples by their shares of the evidence",
    Slope(log(Total(k, exp(u)) / S), u.at(other)),
    equals(
        exp(u.at(other)) / Total(k, exp(u)),
        "the derivative of a log-sum-exp is a softmax: a sample counts in proportion to its weight",
        wrong={"all samples weighted alike": 1 / S},
    ),
    role="remark",
)
derivation.chain(
    "The effective sample size is at most the number of samples",
    Total(k, normalized**2),
    equals(plus(1 / S, Total(k, (normalized - 1 / S) ** 2)), prose("{one}", one=holds(Total(k, normalized), "=", 1))),
    at_least(
        1 / S,
        prose("leave out the squares; equality where {equal} for every $s$", equal=where(omega, omega.at(0))),
        dropping=Total(k, (normalized - 1 / S) ** 2),
    ),
    so=prose(
        "So {most}. It is at least 1, since {less}, and near 1 where one weight dominates.",
        most=holds(1 / Total(k, normalized**2), "<=", S),
        less=holds(normalized**2, "<=", normalized),
    ),
    role="remark",
)
for name, expression, code, wrong in (
    ("the normalized weights", normalized, normalized_importance_weights, {"not normalized": omega}),
    (
        "the effective sample size",
        1 / Total(k, normalized**2),
        effective_sample_size,
        {"the sum squared, not the weights": 1 / Total(k, normalized) ** 2},
    ),
    ("the bound of a sample", Total(k, log(omega)) / S, elbo, {"the logarithm of the mean": log(Total(k, omega) / S)}),
    (
        "the importance-weighted bound",
        log(Total(k, omega) / S),
        importance_weighted_bound,
        {"the sum in place of the mean": log(Total(k, omega))},
    ),
):
    derivation.bridge(f"The code computes {name}", expression, code, log_joint=[log(omega)], log_q=jnp.zeros((1, 4)), wrong=wrong)
derivation.bridge(
    "The code computes the Renyi bound at order 2",
    -log(Total(k, 1 / omega) / S),
    renyi_bound,
    log_joint=[log(omega)],
    log_q=jnp.zeros((1, 4)),
    order=2.0,
    wrong={"the weights not inverted": log(Total(k, omega**2) / S) / 2},
)

_given = {prior: (0.5, 0.5), likelihood: (0.8, 0.2), q: (0.6, 0.4)}


@derivation.example("Two states with prior one half each; the observation has likelihood 0.8 in the first and 0.2 in the second.")
def two_states():
    yield evidence, value(evidence, _given), "0.5"
    yield posterior, value(posterior, _given), "(0.8, 0.2)"
    yield Expectation(q, log(likelihood)), value(Expectation(q, log(likelihood)), _given), "-0.7777"
    yield Divergence(q, prior), value(Divergence(q, prior), _given), "0.0201"
    yield bound, value(bound, _given), "-0.7978"
    yield Divergence(q, posterior), value(Divergence(q, posterior), _given), "0.1046"
    yield log(evidence), value(log(evidence), _given), "-0.6931"


def _expected(of_samples, size):
    """The expectation of a bound over all samples of `size` states of the worked example, by how many are the first state."""
    counts = np.arange(size + 1)
    states = (np.arange(size)[None, :] >= counts[:, None]).astype(int)  # so many zeros, then ones
    log_q = np.log(_q)[states]
    binomial = np.array([math.comb(size, count) for count in counts], dtype=np.float64)
    return (binomial * np.exp(log_q.sum(axis=1))) @ of_samples(jnp.log(_joint)[states], jnp.array(log_q))
