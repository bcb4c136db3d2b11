"""The variational autoencoder: one bound, two terms.

The lecture on the functions of theory_jax/latent/vae.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, pi

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae import (
    bernoulli_log_likelihood,
    calibrated_gaussian_negative_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    negative_elbo,
)
from theory_jax.lectures.latent._vae import bounds_and_gaps, draw_bound, draw_diagonal
from theory_jax.lectures.latent.elbo import central as elbo_and_gap
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The variational autoencoder: one bound, two terms",
    lectures=(18,),
    sources=(
        "Kingma & Welling 2014, Auto-Encoding Variational Bayes, eq. 10 and appendix B",
        "Rezende, Mohamed & Wierstra 2014, Stochastic backpropagation and approximate inference in deep generative models",
        "Cremer, Li & Duvenaud 2018, Inference suboptimality in variational autoencoders (the two gaps)",
        "Rybkin, Daniilidis & Levine 2021, Simple and effective VAE training with calibrated decoders",
    ),
    question="A network that turns simple noise into images cannot be trained by maximum likelihood: the probability that it "
    "gives to an image is an integral that no one can compute. Guessing the noise behind each image by a search of its own is "
    "too slow. How are this network and a second one, which guesses the noise, trained by one loss, and what does each term of "
    "that loss measure?",
    setting=(
        r"The model draws a latent $z$ from the prior $p(z)$, the standard normal, and then $x$ from the decoder $p(x|z)$, a "
        r"distribution whose parameters a network computes from $z$: the logits of Bernoulli pixels, or the means of Gaussian "
        r"ones. Sampling from the model is easy: draw $z$, decode it.",
        r"Its likelihood is not: $p(x)$ is the integral of $p(z)\, p(x|z)$ over $z$. It has no closed form when $z$ enters "
        r"through a network, and a grid over $z$ grows exponentially with its dimension. By Bayes' rule the posterior $p(z|x)$ "
        r"has this integral in its denominator.",
        r"So a second network, the encoder, maps $x$ to the mean and the log-variance of a Gaussian $q(z|x)$ with a diagonal "
        r"covariance. One network serves all $x$, in place of one optimization for each: this is amortized inference.",
        r"In the first chain $z$ has finitely many states, so that every decoder and every encoder is covered; for densities "
        r"the sums become integrals. In the exact case after it $z$ and $x$ are real numbers and the decoder is linear, "
        r"with the mean $wz$ and the variance $s$: there every quantity of the lecture is known, the likelihood too.",
    ),
    limits=(
        "What the marginal of a network decoder is, and that training finds the best encoder and decoder.",
        "For pixels strictly between 0 and 1 the Bernoulli expression is not a normalized density: its values can be compared "
        "with each other, but not with the likelihood of another family.",
        "How the gradient passes through the sample of z (latent/reparameterization), and when latents collapse (vae_training).",
    ),
)

half = Rational(1, 2)

z = derivation.index("z", "a state of the latent, in the first chain")
prior = derivation.law("p({})", z, "the prior")
likelihood = derivation.numbers("p(x|{})", z, "the decoder's probability of the observation", positive=True)
evidence = derivation.define("p(x)", Total(z, prior * likelihood), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", prior * likelihood / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "the encoder's distribution")
explained, rate_of_q, gap = Expectation(q, log(likelihood)), Divergence(q, prior), Divergence(q, posterior)

derivation.answer = prose(
    "The loss is the rate minus the reconstruction. It exceeds the negative log-likelihood by exactly one divergence, from the "
    "encoder to the posterior: {sum}. Lowering it in the decoder lowers a bound on the negative log-likelihood; lowering it in "
    "the encoder lowers that divergence.",
    sum=holds(plus(rate_of_q, -explained), "=", plus(-log(evidence), gap), wrong={"below it": -log(evidence) - gap}),
)

central = derivation.chain(
    "The evidence is a reconstruction, minus a rate, plus a gap that is never negative",
    log(evidence),
    equals(
        Expectation(q, log(prior * likelihood / posterior)),
        prose("Bayes' rule: {bayes} for every $z$", bayes=holds(evidence, "=", times(prior, likelihood) / posterior)),
    ),
    equals(Expectation(q, plus(log(likelihood), -log(q / prior), log(q / posterior))), r"multiply and divide by $q(z|x)$"),
    equals(
        plus(explained, -rate_of_q, gap),
        "the expectation of a sum; the two ratios are divergences by definition",
        wrong={"a weight on the rate": explained - Rational(9, 10) * rate_of_q + gap},
    ),
    at_least(
        plus(explained, -rate_of_q),
        prose("leave out the last divergence (Gibbs); equality if and only if {same} for every $z$", same=where(q, posterior)),
        dropping=gibbs.at(q, posterior),
    ),
    uses=(elbo_and_gap,),
    central=True,
    so=r"What is left is the evidence lower bound. Its first term is estimated from samples of the encoder, its second has a "
    r"closed form for Gaussians. $\log p(x)$ and the gap cannot be computed, and neither is needed for the gradient.",
)

# ---------------------------------------------------------------------------------------------------- the exact case

x = derivation.number("x", "the observation, in the exact case", "x")
zeta = derivation.number("z", "the latent, in the exact case", "z")
w = derivation.number("w", "the weight of the linear decoder")
s = derivation.number("s", "the variance of the decoder", "e^log_var", positive=True)
m = derivation.number("m", "the encoder's mean", "mean")
t = derivation.number("t", "the encoder's variance", "e^log_var", positive=True)
encoder = Normal(zeta, m, t)
best_mean, best_variance = w * x / plus(w**2, s), s / plus(w**2, s)
exact, log_exact = Normal(zeta, best_mean, best_variance), LogDensity(zeta, best_mean, best_variance)
log_evidence = LogDensity(x, 0, plus(w**2, s))
log_decoder, log_prior = LogDensity(x, times(w, zeta), s), LogDensity(zeta, 0, 1)

derivation.say(
    "To see the bound at work with nothing hidden, take a decoder with a known likelihood: the linear one. Its evidence comes "
    "from completing a square, not from the bound."
)
complete_the_square = derivation.chain(
    "The joint density of the linear model is a Gaussian evidence times a Gaussian posterior",
    plus(log_decoder, log_prior),
    equals(
        plus(log_evidence, log_exact),
        prose("complete the square in $z$, around {center}; what is left does not contain $z$", center=best_mean),
        wrong={"the marginal variance without the square": LogDensity(x, 0, w + s) + log_exact},
    ),
    role="lemma",
    so=prose(
        "Integrate over $z$: the last density, the posterior's, integrates to one, and the evidence remains. It is Gaussian with "
        "mean 0 and variance {variance}.",
        variance=plus(w**2, s),
    ),
)
reconstruction = plus(LogDensity(x, times(w, m), s), -(w**2) * t / (2 * s))
rate = times(half, plus(m**2, t, -1, -log(t)))
exact_case = derivation.chain(
    "In the exact case every term is known, and they add up",
    log_evidence,
    equals(
        Expectation(encoder, plus(log_decoder, log_prior, -log_exact)), r"the lemma, for every $z$: averaged under the encoder"
    ),
    equals(
        plus(Expectation(encoder, log_decoder), -Divergence(encoder, Normal(zeta, 0, 1)), Divergence(encoder, exact)),
        r"add and subtract $\log q(z|x)$",
    ),
    equals(
        plus(reconstruction, -rate, Divergence(encoder, exact)),
        prose(
            r"{blur}: the noise of $z$ blurs the reconstruction. The rate is the divergence from $\mathcal{N}(0, 1)$",
            blur=holds(Expectation(encoder, (x - w * zeta) ** 2), "=", plus((x - w * m) ** 2, times(w**2, t))),
        ),
        wrong={
            "log-variance for log-deviation": reconstruction - (m**2 + t**2 - 1 - 2 * log(t)) / 2 + Divergence(encoder, exact)
        },
    ),
    at_least(
        plus(reconstruction, -rate),
        prose("leave out the gap; equality at {mean}, {variance}", mean=where(m, best_mean), variance=where(t, best_variance)),
        dropping=gaussian_divergence.at(zeta, m, t, w * x / (w**2 + s), s / (w**2 + s)),
    ),
    uses=(complete_the_square,),
    so=r"The best mean is a linear function of $x$ and the best variance the same for all $x$: here one linear encoder serves "
    r"every $x$ without loss. For a network decoder it rarely does, and the gap has two parts: what the best Gaussian for this "
    r"$x$ misses (approximation), and what the shared network misses of that Gaussian (amortization).",
)

derivation.figure(
    prose(
        "The bound for one data point. Left: over the encoder's mean and variance; its only maximum, the log-likelihood, is at "
        "the posterior (dot). Right: at {mean} a narrower encoder reconstructs better and, below variance 1, pays a higher "
        "rate; their difference touches the log-likelihood at {variance}.",
        mean=where(m, 1),
        variance=where(t, half),
    ),
    panels=2,
)(draw_bound)


rho = derivation.number(r"\rho", "the correlation of two latents under the posterior", between=(-1, 1))
y1, y2 = (derivation.number(f"z_{k}", f"the {word} of two latents", "z") for k, word in ((1, "first"), (2, "second")))
v1, v2 = (derivation.number(f"t_{k}", f"the encoder's variance of $z_{k}$", "e^log_var", positive=True) for k in (1, 2))
n1, n2 = (derivation.number(f"m_{k}", f"the encoder's mean of $z_{k}$", "mean") for k in (1, 2))
known = derivation.define(r"\kappa", 1 - rho**2, "the variance of one latent when the other is known", positive=True)
minus_log_posterior = (log(2 * pi), half * log(known), plus(y1**2, -2 * rho * y1 * y2, y2**2) / (2 * known))
first, second = Normal(y1, n1, v1), Normal(y2, n2, v2)
centers = plus((n1 - rho * n2) ** 2 / known, n2**2)
derivation.chain(
    "A diagonal encoder pays for every correlation of the posterior",
    Expectation(first, Expectation(second, plus(LogDensity(y1, n1, v1), LogDensity(y2, n2, v2), *minus_log_posterior))),
    equals(
        plus(-half * log(known), times(half, tangent.at(v1 / known)), times(half, tangent.at(v2 / known)), times(half, centers)),
        prose(
            "under the encoder {product}; what remains are two gaps of the logarithm and two squares",
            product=holds(Expectation(first, Expectation(second, y1 * y2)), "=", n1 * n2),
        ),
    ),
    at_least(
        -half * log(known),
        prose(
            "leave out all; equality at {a}, {b}, {c}, {d}",
            a=where(v1, known),
            b=where(v2, known),
            c=where(n1, 0),
            d=where(n2, 0),
        ),
        dropping=plus(tangent.at(v1 / known) / 2, tangent.at(v2 / known) / 2, centers / 2),
    ),
    so=prose(
        r"The posterior here is a Gaussian with means 0, variances 1 and correlation $\rho$. No diagonal Gaussian comes closer "
        r"than {floor}: an approximation gap that no training of the encoder closes. The best variance is $\kappa$, the "
        "posterior's variance of one latent when the other is known, not its marginal variance 1.",
        floor=-log(1 - rho**2) / 2,
    ),
    role="remark",
)
derivation.figure(
    prose(
        "Left: a posterior with the correlation 0.9, at one and two deviations, and the best diagonal encoder: it fits "
        "into the posterior and misses its ends. Right: the gap over the encoder's variance. The least one (dots) is {floor}, at "
        "the variance {known}; an encoder with the posterior's marginal variance 1 loses more.",
        floor=-log(1 - rho**2) / 2,
        known=holds(known, "=", 1 - rho**2, wrong={"the deviation": 1 - rho}),
    ),
    panels=2,
)(draw_diagonal)

# ---------------------------------------------------------------------------------------------------- the rate

l = derivation.index("l", "a latent dimension")  # noqa: E741 (the lecture's letter)
mean = derivation.numbers("m", l, "the encoder's means", "mean")
variance = derivation.numbers("t", l, "the encoder's variances", "e^log_var", positive=True)
rates = derivation.define(
    "R", times(half, Total(l, plus(mean**2, variance, -1, -log(variance)))), "the rate of all dimensions", "kl_to_standard_normal"
)
price = derivation.chain(
    "The rate: a price for leaving the prior, in nats",
    Divergence(encoder, Normal(zeta, 0, 1)),
    equals(
        Expectation(encoder, plus(zeta**2 / 2, -((zeta - m) ** 2) / (2 * t), -log(t) / 2)),
        r"$\log q - \log p$, in which $\log 2\pi$ cancels",
    ),
    equals(
        rate, prose("the variance of $z$ is $t$, and {square}", square=holds(Expectation(encoder, zeta**2), "=", plus(m**2, t)))
    ),
    at_least(
        m**2 / 2, prose(r"leave out half of $t - 1 - \log t$, zero only at {one}", one=where(t, 1)), dropping=tangent.at(t) / 2
    ),
    at_least(0, prose("leave out a square, zero only at {none}", none=where(m, 0)), dropping=m**2 / 2),
    so=prose(
        "A latent costs nothing if and only if its encoder is the prior for this $x$. If it is for every $x$, the latent says "
        "nothing about $x$; the converse is false, since an encoder with {m} and {t} for every $x$ costs {cost}. The dimensions "
        "of a diagonal Gaussian are independent, so their rates add.",
        **{"m": where(m, 1), "t": where(t, half)},
        cost=holds(rate, "=", (half + log(2)) / 2, named=True),
    ),
)
of_encoder = {"mean": [mean], "log_var": [log(variance)]}
derivation.bridge(
    "The code adds the rates of all dimensions",
    rates,
    kl_to_standard_normal,
    **of_encoder,
    wrong={
        "the log-variance read as log-deviation": Total(l, (mean**2 + variance**2 - 1 - 2 * log(variance)) / 2),
        "the mean over dimensions in place of the sum": rates / 4,
    },
)

a = derivation.number("a", "the logit of a pixel", "logits")
b = derivation.number("b", "a pixel, 0 or 1 or a gray between", "x", between=(0, 1))
sigma = derivation.define(r"\sigma", 1 / (1 + exp(-a)), "the logistic function of the logit: the probability of a 1")
told = Slope(plus(b * log(sigma), (1 - b) * log(1 - sigma)), a)
derivation.chain(
    "A Bernoulli pixel tells the decoder by how much its probability is wrong",
    told,
    equals(
        Slope(plus(b * a, -log(1 + exp(a))), a),
        prose(
            "{failure}, and {odds}",
            failure=holds(log(1 - sigma), "=", -log(1 + exp(a))),
            odds=holds(plus(log(sigma), -log(1 - sigma)), "=", a),
        ),
    ),
    equals(
        b - sigma,
        prose("{slope}", slope=holds(Slope(log(1 + exp(a)), a), "=", sigma)),
        wrong={"the slope of the logistic function kept": (b - sigma) * sigma * (1 - sigma)},
    ),
    so=prose(
        "However wrong the logit is, {above} and {below}. The slope is zero only where the probability is the pixel.",
        above=holds(b - sigma, "<", 1),
        below=holds(b - sigma, ">", -1),
    ),
    role="lemma",
)
derivation.bridge(
    "The code's gradient", told, bernoulli_log_likelihood, x=[[b]], logits=[[a]], slope="logits", wrong={"its sign": sigma - b}
)
d = derivation.index("d", "a pixel of an image")
D = derivation.count(d, "D", "how many there are")
logits = derivation.numbers("a", d, "their logits", "logits")
c = derivation.numbers("c", d, "arbitrary numbers behind the pixels")
pixels = derivation.define("b", 1 / (1 + exp(-c)), "the pixels", "x", over=d)
bernoulli = Total(d, plus(pixels * logits, -log(1 + exp(logits))))
derivation.bridge(
    "The code's loss with Bernoulli pixels: summed over pixels, and over latents",
    rates - bernoulli,
    negative_elbo,
    x=[pixels],
    logits=[logits],
    **of_encoder,
    wrong={"the mean over pixels in place of the sum": rates - bernoulli / D},
)

xs = derivation.numbers("x", d, "an image of real pixels", "x")
mu = derivation.numbers(r"\mu", d, "its reconstruction", "mean")
error = derivation.define("E", SquaredNorm(d, xs - mu), "the squared error of the reconstruction", positive=True)
beta = derivation.number(r"\beta", "the weight of the rate next to a squared error", positive=True)
derivation.chain(
    "The weight next to a squared error is twice a noise variance",
    plus(error, beta * rates),
    equals(
        plus(times(beta, plus(rates, -Total(d, LogDensity(xs, mu, beta / 2)))), -beta * D / 2 * log(pi * beta)),
        prose(
            r"take out the factor $\beta$; {error}, whose constant is subtracted again",
            error=holds(-Total(d, LogDensity(xs, mu, beta / 2)), "=", plus(error / beta, times(D / 2, log(pi * beta)))),
        ),
        wrong={"the noise variance twice as large": plus(beta * rates, -beta * Total(d, LogDensity(xs, mu, beta)))},
    ),
    so=prose(
        r"Up to a factor and a constant this is the loss of a Gaussian VAE with the noise variance {noise}: choosing $\beta$ is "
        r"choosing how precise the decoder claims to be. The mean over $D$ pixels in place of the sum multiplies $\beta$ by $D$ "
        "without saying so: {mean}.",
        noise=beta / 2,
        mean=holds(plus(error / D, times(beta, rates)), "=", plus(error, times(D, beta, rates)) / D),
    ),
)
found, not_halved = Total(d, LogDensity(xs, mu, s)), Total(d, LogDensity(xs, mu, s)) - D * log(s) / 2
of_image = {"x": [xs], "mean": [mu], "log_var": [[log(s)] * 4]}
derivation.bridge(
    "The code's log-likelihood", found, gaussian_log_likelihood, **of_image, wrong={"log-variance not halved": not_halved}
)
best = D / 2 * plus(log(2 * pi * error / D), 1)
derivation.chain(
    "The best noise variance is the mean squared error, and then no weight is left to choose",
    plus(D / 2 * log(2 * pi * s), error / (2 * s)),
    equals(plus(best, times(D / 2, tangent.at(error / (D * s)))), r"$\frac{E}{Ds}$ is 1 plus its logarithm plus its gap"),
    at_least(
        best,
        prose("leave out the gap of the logarithm; equality if and only if {best}", best=where(s, error / D)),
        dropping=D / 2 * tangent.at(error / (D * s)),
    ),
    so=prose(
        "What is left of the error is its logarithm: halving it gains {gain} nats at any scale. The error must be positive: "
        "a perfect reconstruction has an unbounded density.",
        gain=holds(plus(best, -D / 2 * plus(log(pi * error / D), 1)), "=", D / 2 * log(2), named=True),
    ),
    role="remark",
)
derivation.bridge("The code's calibrated loss", best, calibrated_gaussian_negative_log_likelihood, x=[xs], mean=[mu])


@derivation.numeric(
    r"\sum_x \exp\left(\mathrm{ELBO}(x) + \mathrm{KL}(q(z|x) \,\|\, p(z|x))\right) = 1",
    because="The decoder is now no longer linear: logits of four pixels from $\\tanh z$. Bound and gap are integrated over "
    "$z$, for each of the 16 images. If they add up to $\\log p(x)$, the 16 probabilities sum to one.",
    uses=(central,),
    role="remark",
)
def the_probabilities_of_all_images_sum_to_one():
    bounds, gaps = bounds_and_gaps()
    return Sides(left=1.0, right=jnp.exp(bounds + gaps).sum(), wrong={"the gap forgotten": jnp.exp(bounds).sum()})


_remaining, _exact_case = Rational(9, 25), {x: 2, w: 1, s: 1}


@derivation.algorithm(
    "A training step (auto-encoding variational Bayes), here with one Gaussian pixel and one latent",
    do(r"take data $x$; the encoder gives the mean $m$ and the variance $t$"),
    do(r"draw $\varepsilon \sim \mathcal{N}(0, 1)$; $z \leftarrow m + \sqrt{t}\, \varepsilon$, a sample of the encoder"),
    do(r"$r \leftarrow \log \mathcal{N}(x; wz, s)$, the reconstruction", gaussian_log_likelihood, by=central),
    do(r"$k \leftarrow \frac12 (m^2 + t - 1 - \log t)$, the rate", kl_to_standard_normal, by=price),
    do(r"a gradient step on $k - r$, in encoder and decoder", by=central),
)
def two_training_steps():
    x, learned = jnp.full((1, 1), 2.0), jnp.array([1.0, 0.0, 0.0])

    def loss(learned, noise):
        weight, mean, log_var = learned[:, None, None]
        z = mean + jnp.exp(log_var / 2) * noise
        return (kl_to_standard_normal(mean, log_var) - gaussian_log_likelihood(x, weight * z, jnp.zeros_like(x)))[0]

    start = r"x = 2, s = 1, \text{ from } (w, m, \log t) = (1, 0, 0), \ \varepsilon = 1: \quad k - r"
    for noise, words, before, after in (
        (1.0, start, "1.4189", "(1.1250, 0.1250, 0.0625)"),
        (-1.0, r"\varepsilon = -1: \quad k - r", "5.4882", "(0.7827, 0.5341, -0.1606)"),
    ):
        yield words, loss(learned, noise), before
        learned = learned - jax.grad(loss)(learned, noise) / 8
        yield r"(w, m, \log t) \text{ after a step of } \tfrac18", learned, after


@derivation.example(
    prose(
        "The exact case with {w}, {s} and {x}: the posterior has mean {mean} and variance {spread}. First the encoder is the "
        r"posterior, then $\mathcal{N}(1, 1)$, then the prior.",
        **{"w": where(w, 1), "s": where(s, 1), "x": where(x, 2)},
        **{"mean": holds(best_mean, "=", 1, named=True), "spread": holds(best_variance, "=", half, named=True)},
    )
)
def three_encoders():
    yield r"\log \mathcal{N}(2; 0, 2)", value(log_evidence, _exact_case), "-2.2655"
    for words, at, found, price, missing in (
        (r"m = 1, t = \tfrac12", {m: 1, t: Rational(1, 2)}, "-1.6689", "0.5966", "0.0000"),
        (r"m = 1, t = 1", {m: 1, t: 1}, "-1.9189", "0.5000", "0.1534"),
        (r"m = 0, t = 1", {m: 0, t: 1}, "-3.4189", "0.0000", "1.1534"),
    ):
        given = _exact_case | at
        yield rf"{words}: \quad \text{{reconstruction}}", value(reconstruction, given), found
        yield rf"{words}: \quad \text{{rate}}", value(rate, given), price
        yield rf"{words}: \quad \text{{gap}}", value(Divergence(encoder, exact), given), missing


@derivation.numeric(
    r"b \log \sigma + (1 - b) \log(1 - \sigma) = b a - \log(1 + e^a)",
    because="In float64 the left side rounds $\\sigma$ to 1 from a logit of 37 on (17 in float32) and returns $-\\infty$ where "
    "the right side returns $-a$. Train on logits, never on probabilities. The code also exchanges success and failure for "
    "positive logits, so that a confident right answer costs $e^{-a}$ and not 0. Compared where both are safe.",
    role="appendix",
)
def logits_not_probabilities():
    pixel, logit = (grid.reshape(-1, 1) for grid in np.meshgrid(np.linspace(0, 1, 5), np.linspace(-6, 6, 7)))
    probability = 1 / (1 + np.exp(-logit))
    safe = bernoulli_log_likelihood(jnp.array(pixel), jnp.array(logit))
    naive = pixel * np.log(probability) + (1 - pixel) * np.log1p(-probability)
    return Sides(left=safe, right=naive[:, 0], wrong={"the logit's sign": -naive[:, 0]})
