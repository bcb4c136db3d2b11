"""Inference with a trained VAE: estimates, paths and holes.

The lecture on the functions of theory_jax/latent/vae_inference.py.
"""

import math

import jax.numpy as jnp
from sympy import Rational, acos, cos, exp, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import (
    Divergence,
    Expectation,
    Inner,
    LogDensity,
    Normal,
    Slope,
    SquaredNorm,
    Total,
    Variance,
    plus,
    times,
)
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae_inference import (
    aggregate_posterior_log_density,
    attribute_vector,
    importance_weighted_log_likelihood,
    linear_interpolation,
    masked_bernoulli_log_likelihood,
    spherical_path,
)
from theory_jax.lectures.latent._vae_inference import draw_estimates_paths_and_holes, draw_narrow_and_wide, expected_log
from theory_jax.lectures.lemmas.arc import arc
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.jensen import jensen

derivation = Derivation(
    module=__name__,
    title="Inference with a trained VAE: estimates, paths and holes",
    lectures=(21,),
    sources=(
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders",
        "Rezende, Mohamed & Wierstra 2014, Stochastic backpropagation: likelihoods and missing pixels",
        "White 2016, Sampling generative networks: spherical interpolation",
        "Larsen et al. 2016, Autoencoding beyond pixels: attribute vectors",
        "Hoffman & Johnson 2016, ELBO surgery",
    ),
    question="A VAE was trained on a bound, with an encoder that is only an approximation: its loss is not the likelihood, and a "
    "straight line between two latents leaves what its decoder has seen. What can be computed all the same: how likely an image "
    "is, what is between two images, what an attribute is, which latents no image uses, what is under a covered pixel?",
    setting=(
        r"The model has a prior $p(z)$ and a decoder $p(x|z)$; the encoder's $q(z|x)$ is positive wherever $p(z)\, p(x|z)$ is. "
        r"In the chains about probabilities $z$ has finitely many states; for densities the sums become integrals.",
        r"Samples $z_1, \dots, z_S$ are drawn independently from $q(z|x)$.",
        r"On paths $z$ is a vector. The angle $\omega$ between the two ends is neither 0 nor $\pi$.",
    ),
    limits=(
        "The bias of the logarithm beyond its sign: the lecture on the evidence lower bound has its rate.",
        "That a decoder is good wherever the prior has mass.",
        "That classes are Gaussians with a common covariance: where they are not, the attribute vector is only a direction of "
        "averages.",
    ),
    trained="This page uses a VAE that is trained already: `latent/vae` trains one.",
)

derivation.figure(
    r"Left: the mean log-estimate of the example rises towards $\log p(x)$ with the number of samples. Middle: norms along a "
    r"path between orthogonal unit vectors. Right: the prior, four posteriors and their aggregate; at 0 the prior has its mode "
    r"and the aggregate has a hole.",
    panels=3,
)(draw_estimates_paths_and_holes)


z = derivation.index("z", "a state of the latent")
prior = derivation.law("p({})", z, "the prior", "exp(log_prior)")
likelihood = derivation.numbers(
    "p(x|{})", z, "the decoder's probability of the observation", "exp(log_likelihood)", positive=True
)
evidence = derivation.define("p(x)", Total(z, prior * likelihood), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", prior * likelihood / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "the encoder's distribution", "exp(log_posterior)")
weight = derivation.define("w({})", prior * likelihood / q, "the importance weight of a state", over=z, positive=True)
chi = derivation.define(
    r"\chi^2",
    Expectation(q, plus(posterior / q, -1) ** 2),
    "the chi-squared divergence of the posterior from the encoder's distribution",
)
derivation.answer = prose(
    r"The likelihood is estimated without bias by the mean of $S$ importance weights; the variance of each is {variance}, with "
    "the chi-squared divergence of the posterior from the encoder, and the mean has $1/S$ of it. The logarithm of the estimate "
    "is biased downward. Between latents of equal norm arcs keep the norm, straight lines do not. The rate, averaged over the "
    "images, is information about the image plus the mismatch between the aggregate of all posteriors and the prior; covering a "
    "pixel is leaving out its factor.",
    variance=holds(Variance(q, weight), "=", times(evidence**2, chi), wrong={"not scaled": chi}, named=True),
)
unbiased = derivation.chain(
    "A weight is an unbiased estimate of the evidence",
    Expectation(q, weight),
    equals(
        Total(z, prior * likelihood),
        "the encoder that is sampled cancels the one that divides",
        wrong={"drawn from the prior": Expectation(prior, weight)},
    ),
    equals(evidence, r"the sum over everything that $z$ can be"),
    role="lemma",
    so=r"So is the mean of $S$ weights. The encoder must be positive wherever $p(z)\, p(x|z)$ is: what it never proposes is "
    "never counted.",
)
z1, z2 = (derivation.index(f"z_{k}", f"the {word} sample") for k, word in ((1, "first"), (2, "second")))


def _over_pairs(body):
    return Expectation(q.at(z1), Expectation(q.at(z2), body))


central = derivation.chain(
    "The variance of the estimate is proportional to a chi-squared divergence",
    _over_pairs((times(Rational(1, 2), plus(weight.at(z1), weight.at(z2))) - evidence) ** 2),
    equals(
        Variance(q, weight) / 2,
        r"both samples are independent and have mean $p(x)$, so the variances add; the factor is $\frac14$. For $S$ samples it "
        r"is $\frac1S$ in all",
        wrong={"divided by the root of the number of samples": Variance(q, weight) / sqrt(2)},
    ),
    equals(
        Expectation(q, (plus(weight, -evidence)) ** 2) / 2, prose("{mean}", mean=holds(Expectation(q, weight), "=", evidence))
    ),
    equals(
        evidence**2 / 2 * chi,
        prose("Bayes' rule: {weight}", weight=holds(weight, "=", times(evidence, posterior) / q)),
        wrong={"the arguments exchanged": evidence**2 / 2 * Expectation(posterior, (q / posterior - 1) ** 2)},
    ),
    at_least(
        0,
        prose("an average of squares; zero if and only if {same} for every $z$", same=where(q, posterior)),
        dropping=evidence**2 / 2 * Expectation(q, plus(posterior / q, -1) ** 2),
    ),
    uses=(unbiased,),
    states=2,
    central=True,
    so=r"Where $q$ is small and the posterior is not, one rare sample carries the estimate: chi-squared punishes an encoder "
    r"that is too narrow far more than one that is too wide.",
)
derivation.figure(
    prose(
        "An encoder that is a centered Gaussian, where the posterior is the standard normal one. Left: the chi-squared "
        "divergence; it is infinite up to the variance one half (gray). A weight has the variance {variance}. Right: six "
        "estimates of the log-likelihood as samples are added. With the wide encoder all settle; with the narrow one they stay "
        "too low, until a rare sample makes one of them jump.",
        variance=holds(Variance(q, weight), "=", evidence**2 * chi, named=True, wrong={"not squared": evidence * chi}),
    ),
    panels=2,
)(draw_narrow_and_wide)
derivation.chain(
    "The logarithm of the estimate is biased downward",
    log(evidence) - Expectation(q, log(weight)),
    equals(
        plus(log(Expectation(q, weight)), -Expectation(q, log(weight))),
        "the mean of $w$ is $p(x)$",
        wrong={"under the posterior": plus(log(Expectation(posterior, weight)), -Expectation(q, log(weight)))},
    ),
    at_least(
        0,
        prose("Jensen's inequality; zero only if all weights are equal, that is {same} for every $z$", same=where(q, posterior)),
        dropping=jensen.at(q, weight),
    ),
    uses=(unbiased,),
    so=r"The same holds for the mean of $S$ weights in place of $w$, and the bias then falls with $S$. A reported "
    r"log-likelihood is therefore a lower bound in expectation.",
)
s = derivation.index("s", "a sample")
S = derivation.count(s, "S", "how many there are")
found, before, drawn = (
    derivation.numbers(name, s, meaning, code, positive=True)
    for name, meaning, code in (
        ("a", r"the decoder's probability at a sample", "exp(log_likelihood)"),
        ("b", r"the prior's", "exp(log_prior)"),
        ("c", r"the encoder's", "exp(log_posterior)"),
    )
)
derivation.bridge(
    "The code's estimate of the log-likelihood",
    log(Total(s, found * before / drawn) / S),
    importance_weighted_log_likelihood,
    **{"log_likelihood": [log(found)], "log_prior": [log(before)], "log_posterior": [log(drawn)]},
    wrong={"the mean of the logarithms": Total(s, log(found * before / drawn)) / S},
)
derivation.bridge(
    "... is the log-likelihood itself if every state is visited once, and the proposal is uniform",
    log(evidence),
    importance_weighted_log_likelihood,
    **{"log_likelihood": [log(likelihood)], "log_prior": [log(prior)], "log_posterior": jnp.full((1, 4), -math.log(4))},
)

y = derivation.number("y", "one coordinate of a standard normal latent")
derivation.chain(
    "The square of a standard normal coordinate has variance 2, so long latents have nearly one norm",
    Variance(Normal(y, 0, 1), y**2),
    equals(
        plus(Expectation(Normal(y, 0, 1), y**4), -(Expectation(Normal(y, 0, 1), y**2) ** 2)),
        "a variance is a second moment minus the square of the first",
    ),
    equals(2, r"the moments are 3 and 1", wrong={"the fourth moment in place of the variance": 3}),
    role="lemma",
    so=r"In $L$ dimensions $\|z\|^2$ has mean $L$ and standard deviation $\sqrt{2L}$: if $L$ is large, nearly all of the mass "
    r"has a norm near $\sqrt{L}$, in a shell. The inner product of two samples has mean 0 and standard deviation $\sqrt{L}$: "
    "they are nearly orthogonal. The decoder has seen the shell, and little else.",
)
omega = derivation.number(r"\omega", "the angle between the two ends of a path", between=(0, pi))
tau = derivation.number(r"\tau", "the fraction of the path", "fractions", between=(0, 1))
derivation.chain(
    "The straight line between two points of the sphere leaves it",
    ((1 + cos(omega)) / 2) ** 2 + (sin(omega) / 2) ** 2,
    equals((1 + cos(omega)) / 2, "the squares of the cosine and of the sine sum to one"),
    equals(1 - sin(omega / 2) ** 2, prose("{half}", half=holds(cos(omega), "=", 1 - 2 * sin(omega / 2) ** 2))),
    at_most(1, prose("add a square, which is zero only at {none}", none=where(omega, 0)), adding=sin(omega / 2) ** 2),
    role="lemma",
    so=prose(
        r"The ends are $(1, 0)$ and $(\cos \omega, \sin \omega)$ in the plane that they span; the first line is the squared norm "
        r"of their midpoint. If they are orthogonal it is {right}: the midpoint of two latents has norm $\sqrt{L/2}$, where the "
        "decoder has seen next to nothing. Spherical interpolation goes along the arc; between ends of equal norm it keeps the "
        "norm, at constant speed.",
        right=holds((1 + cos(omega)) / 2, "=", Rational(1, 2), when={omega: pi / 2}, named=True),
    ),
)
d = derivation.index("d", "a latent dimension")
start = derivation.numbers("A", d, "the start of a path", "start")
end = derivation.numbers("B", d, "its end", "end")
angle = derivation.define(
    r"\alpha", acos(Inner(d, start, end) / sqrt(SquaredNorm(d, start) * SquaredNorm(d, end))), "the angle between them"
)


derivation.bridge(
    "The code's arc",
    plus(sin((1 - tau) * angle) * start, sin(tau * angle) * end) / sin(angle),
    spherical_path,
    start=[start],
    end=[end],
    fractions=[tau],
    wrong={"the fraction reversed": (sin(tau * angle) * start + sin((1 - tau) * angle) * end) / sin(angle)},
    uses=(arc,),
)
line = plus(times(1 - tau, start), times(tau, end))
derivation.bridge("... and its line", line, linear_interpolation, start=[start], end=[end], fractions=[tau])

i = derivation.index("i", "a latent dimension, next to $d$")
point = derivation.numbers("z", d, "a latent vector", "z")
with_it, without = (
    derivation.numbers(r"\mu", d, "the mean of the latents with an attribute"),
    derivation.numbers(r"\nu", d, "... and without it"),
)
spread = derivation.numbers("v", d, "their common variances", positive=True)
log_odds = Total(d, plus(LogDensity(point, with_it, spread), -LogDensity(point, without, spread)))
derivation.chain(
    "The direction that raises the odds of an attribute is the same everywhere",
    Slope(log_odds, point.at(i)),
    equals(
        Slope(Total(d, plus((with_it - without) * point / spread, -(with_it**2 - without**2) / (2 * spread))), point.at(i)),
        r"the squares of $z$ cancel in the difference: the log odds are linear in $z$. The classes' prior odds would add a "
        r"constant",
    ),
    equals((with_it.at(i) - without.at(i)) / spread.at(i), "only the term of this dimension contains $z_i$"),
    so=prose(
        "With unit variances it is {vector} at every $z$: adding a multiple of the attribute vector is the steepest way to raise "
        "the odds.",
        vector=holds(Slope(log_odds, point.at(i)), "=", with_it.at(i) - without.at(i), when={spread: 1}, named=True),
    ),
    role="remark",
)
n = derivation.index("n", "an example")
N = derivation.count(n, "N", "how many there are")
have, lack = (
    derivation.numbers("M", (d, n), "latents with the attribute", "latents"),
    derivation.numbers("U", (d, n), "latents without it", "latents"),
)


derivation.bridge(
    "The code's attribute vector",
    Total(n, have) / N - Total(n, lack) / N,
    attribute_vector,
    latents=[*(have.at(d, example) for example in range(4)), *(lack.at(d, example) for example in range(4))],
    labels=jnp.array([1, 1, 1, 1, 0, 0, 0, 0]),
    wrong={
        "with and without the attribute exchanged": Total(n, lack) / N - Total(n, have) / N,
        "sums in place of means": Total(n, have) - Total(n, lack),
    },
)

# ---------------------------------------------------------------------------------------------------- holes

each = derivation.law("q({}|x_{})", (z, n), "the encoder for example $n$")
aggregate = derivation.define(
    r"\bar q({})", Total(n, each) / N, "the aggregate of all examples", "aggregate_posterior_log_density", over=z, law=True
)
information = derivation.define(
    "I", Total(n, Divergence(each, aggregate)) / N, "the information that a latent has about its example"
)
derivation.chain(
    "The rate is information plus mismatch",
    Total(n, Divergence(each, prior)) / N,
    equals(
        Total(n, Expectation(each, plus(log(each / aggregate), log(aggregate / prior)))) / N,
        r"multiply and divide by $\bar q(z)$",
    ),
    equals(
        plus(information, Divergence(aggregate, prior)),
        r"the second logarithm does not contain $n$, and the average of the $q(z|x_n)$ is $\bar q(z)$",
    ),
    at_least(
        Divergence(aggregate, prior),
        prose(
            "leave out $I$, a mean of divergences (Gibbs); zero only if all agree, {same} for every $n$",
            same=where(each, each.at(z, 0)),
        ),
        dropping=Total(n, gibbs.at(each, aggregate)) / N,
    ),
    states=2,
    so=prose(
        "The ELBO pays for both. Only the second must vanish for samples from the prior to look like data; where it does not, "
        "the prior may have holes, latents that no example maps to. An encoder that is the same for every example has no "
        r"information, {none}; and $I$ is at most $\log N$, since {each}: no latent knows more than which example it comes from.",
        none=holds(information, "=", 0, when={each: each.at(z, 0)}),
        each=holds(each, "<=", times(N, aggregate)),
    ),
)
place = derivation.number("h", "a latent of one dimension", "z")
centres, widths = (
    derivation.numbers("m", n, "the means of posteriors", "means"),
    derivation.numbers("t", n, "their variances", "e^log_vars", positive=True),
)
derivation.bridge(
    "The code's aggregate of Gaussians",
    log(Total(n, exp(LogDensity(place, centres, widths))) / N),
    aggregate_posterior_log_density,
    z=[[place]],
    means=[[centres.at(example)] for example in range(4)],
    log_vars=[[log(widths.at(example))] for example in range(4)],
    wrong={"the mean of the logarithms": Total(n, LogDensity(place, centres, widths)) / N},
)

# ---------------------------------------------------------------------------------------------------- missing pixels

colors = [derivation.index(f"c_{k}", f"the color of pixel {k}", states=2) for k in (1, 2, 3)]
seen, hidden, other = (
    derivation.law(f"p_{k}({{}}|z)", color, "the decoder's probability of that color") for k, color in enumerate(colors, 1)
)
derivation.chain(
    "To cover pixels is to leave out their factors",
    Total(colors[1], Total(colors[2], times(seen, hidden, other))),
    equals(
        times(seen, Total(colors[1], hidden), Total(colors[2], other)),
        "given $z$ the pixels are independent, so the sum over the colors of a covered pixel concerns its factor alone",
    ),
    equals(seen, "a probability sums to one"),
    so=r"So the likelihood of what is visible, $\sum_z p(z) \prod_{\mathrm{visible}} p(x_d|z)$, is the evidence of a smaller "
    r"model, and everything above applies to it. To fill in an image, find latents that explain what is visible, and decode "
    r"them.",
)
x_1 = derivation.number("x_1", "a visible pixel, 0 or 1; or a shade between", "x", between=(0, 1))
l_1 = derivation.number("l_1", "its logit", "logits")
derivation.bridge(
    "The code sums over visible pixels only; a covered one is NaN here",
    times(x_1, l_1) - log(1 + exp(l_1)),
    masked_bernoulli_log_likelihood,
    x=[[x_1, math.nan, math.nan]],
    logits=[[l_1, 0.7, -1.3]],
    mask=jnp.array([[1, 0, 0]]),
    wrong={"covered pixels taken for 0": times(x_1, l_1) - log(1 + exp(l_1)) - math.log(1 + math.exp(0.7))},
)

_two = {prior: (0.5, 0.5), likelihood: (0.8, 0.2), q: (0.5, 0.5)}


@derivation.algorithm(
    "Estimating how likely an observation is, on the example",
    do(r"draw $z_1, \dots, z_S$ from the encoder $q(z|x)$"),
    do(r"$\log w_s \leftarrow \log p(z_s) + \log p(x|z_s) - \log q(z_s|x)$", by=unbiased),
    do(r"$\log \hat p \leftarrow$ the logarithm of the mean of the $w_s$", importance_weighted_log_likelihood, by=central),
)
def two_estimates():
    for states, found in (((0,), "-0.2231"), ((0, 1), "-0.6931"), ((0, 1, 0), "-0.5108")):
        a, halves = jnp.log(jnp.array([0.8, 0.2]))[jnp.array([states])], jnp.full((1, len(states)), math.log(0.5))
        named = ", ".join(str(state + 1) for state in states)
        estimate = importance_weighted_log_likelihood(a, halves, halves)
        yield rf"z_s = {named}: \quad \log \hat p", estimate, found


@derivation.example(
    r"Two states with prior $\frac12$ each, likelihoods 0.8 and 0.2, and an encoder that does not know, $(\frac12, "
    r"\frac12)$. Then ends at 60 degrees. Then two examples with the encoders $(\frac34, \frac14)$ and $(\frac12, \frac12)$."
)
def by_hand():
    yield weight, value(weight, _two), "(0.8, 0.2)"
    yield evidence, value(evidence, _two), "0.5"
    yield chi, value(chi, _two), "0.36"
    yield r"\mathrm{Var}\,w = p(x)^2 \chi^2", value(Variance(q, weight), _two), "0.09"
    yield r"\mathbb{E} \log w", expected_log(1), "-0.9163"
    yield r"\mathbb{E} \log \tfrac12 (w(z_1) + w(z_2))", expected_log(2), "-0.8047"
    yield log(evidence), value(log(evidence), _two), "-0.6931"
    ends = jnp.array([[1.0, 0.0]]), jnp.array([[0.5, math.sqrt(0.75)]]), jnp.array([0.5])
    yield r"\text{norm of the straight midpoint}", jnp.linalg.norm(linear_interpolation(*ends)), "0.8660"
    yield r"\text{norm of the midpoint of the arc}", jnp.linalg.norm(spherical_path(*ends)), "1.0000"
    first, second = {q: (0.75, 0.25), prior: (0.5, 0.5)}, {q: (0.625, 0.375), prior: (0.5, 0.5)}
    yield r"\text{mean rate}", value(Divergence(q, prior), first) / 2, "0.0654"
    yield r"\mathrm{KL}(\bar q \,\|\, p)", value(Divergence(q, prior), second), "0.0316"
    yield r"I", value(Divergence(q, prior), first) / 2 - value(Divergence(q, prior), second), "0.0338"
