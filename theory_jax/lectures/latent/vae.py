"""The variational autoencoder: one bound, two terms.

The lecture on the functions of theory_jax/latent/vae.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from sympy import Rational, exp, log, pi

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.latent.vae import (
    bernoulli_log_likelihood,
    calibrated_gaussian_negative_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    negative_elbo,
)
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
    question="A network turns simple noise into images, and the probability that it gives to an image is an integral that "
    "no one can compute. How are this network and a second one, which guesses the noise behind an image, trained by one loss, "
    "and what does each term of that loss measure?",
    setting=(
        r"The model draws a latent $z$ from the prior $p(z) = \mathcal{N}(0, I)$ and then $x$ from the decoder $p(x|z)$, a "
        r"distribution whose parameters a network computes from $z$: the logits of Bernoulli pixels, or the means of Gaussian "
        r"ones. Sampling from the model is easy: draw $z$, decode it.",
        r"Its likelihood is not: $p(x) = \int p(z)\, p(x|z)\, dz$ has no closed form when $z$ enters through a network, and a "
        r"grid over $z$ grows exponentially with its dimension. The posterior $p(z|x) = p(z)\, p(x|z) / p(x)$ has this "
        r"integral in its denominator.",
        r"So a second network, the encoder, maps $x$ to the mean and the log-variance of a Gaussian $q(z|x)$ with a diagonal "
        r"covariance. One network serves all $x$, in place of one optimization for each: this is amortized inference.",
        r"In the first chain $z$ has finitely many states, so that every decoder and every encoder is covered; for densities "
        r"the sums become integrals. In the exact case after it $z$ and $x$ are real numbers and the decoder is linear, "
        r"$p(x|z) = \mathcal{N}(wz, s)$: there every quantity of the lecture is known, the likelihood too.",
    ),
    answer=r"The loss is the rate $\mathrm{KL}(q(z|x) \,\|\, p(z))$ minus the reconstruction $\mathbb{E}_q \log p(x|z)$. It "
    r"exceeds $-\log p(x)$ by exactly $\mathrm{KL}(q(z|x) \,\|\, p(z|x))$, so lowering it trains the decoder on a bound of its "
    r"likelihood and pulls the encoder towards the posterior.",
    limits=(
        "What the marginal of a network decoder is, and that training finds the best encoder and decoder.",
        "For pixels strictly between 0 and 1 the Bernoulli expression is not a normalized density. Its values can be compared "
        "with each other, but not with the likelihood of another family.",
        "How the gradient passes through the sample of z: that is the lecture on reparameterization. When latents collapse: "
        "the lecture on training.",
    ),
)

half = Rational(1, 2)

# ---------------------------------------------------------------------------------------------------- the bound

z = derivation.index("z", "a state of the latent, in the first chain")
prior = derivation.law("p({})", z, "the prior")
likelihood = derivation.numbers("p(x|{})", z, "the decoder's probability of the observation", positive=True)
evidence = derivation.define("p(x)", Total(z, prior * likelihood), "the evidence", positive=True)
posterior = derivation.define("p({}|x)", prior * likelihood / evidence, "the posterior", over=z, law=True)
q = derivation.law("q({}|x)", z, "the encoder's distribution")

central = derivation.chain(
    "The evidence is a reconstruction, minus a rate, plus a gap that is never negative",
    log(evidence),
    equals(
        Expectation(q, log(prior * likelihood / posterior)),
        r"Bayes' rule: $p(x) = p(z)\, p(x|z) / p(z|x)$ for every $z$, so the average over any $q$ is the same",
    ),
    equals(Expectation(q, plus(log(likelihood), -log(q / prior), log(q / posterior))), r"multiply and divide by $q(z|x)$"),
    equals(
        plus(Expectation(q, log(likelihood)), -Divergence(q, prior), Divergence(q, posterior)),
        "the expectation of a sum; the two ratios are divergences by definition",
        wrong={
            "a weight on the rate": Expectation(q, log(likelihood))
            - Rational(9, 10) * Divergence(q, prior)
            + Divergence(q, posterior)
        },
    ),
    at_least(
        plus(Expectation(q, log(likelihood)), -Divergence(q, prior)),
        "leave out the last divergence (Gibbs); equality if and only if the encoder is the posterior",
        dropping=gibbs.at(q, posterior),
    ),
    uses=(elbo_and_gap,),
    central=True,
    so=r"The right side is the evidence lower bound. Both of its terms can be computed: the first from samples of the encoder, "
    r"the second in closed form for Gaussians. $\log p(x)$ and the gap cannot, and neither is needed for the gradient.",
)

# ---------------------------------------------------------------------------------------------------- the exact case

x = derivation.number("x", "the observation, in the exact case", "x")
zeta = derivation.number("z", "the latent, in the exact case", "z")
w = derivation.number("w", "the weight of the linear decoder")
s = derivation.number("s", "the variance of the decoder", "e^log_var", positive=True)
m = derivation.number("m", "the encoder's mean", "mean")
t = derivation.number("t", "the encoder's variance", "e^log_var", positive=True)
encoder = Normal(zeta, m, t)
exact = Normal(zeta, w * x / plus(w**2, s), s / plus(w**2, s))
log_evidence = LogDensity(x, 0, plus(w**2, s))
log_decoder, log_prior = LogDensity(x, times(w, zeta), s), LogDensity(zeta, 0, 1)
log_exact = LogDensity(zeta, w * x / plus(w**2, s), s / plus(w**2, s))

derivation.say(
    "To see the bound at work with nothing hidden, take the one decoder with a known likelihood: the linear one. "
    "The evidence on the left of the next chains comes from completing a square, not from the bound."
)
complete_the_square = derivation.chain(
    "The joint density of the linear model, read from either side",
    plus(log_decoder, log_prior),
    equals(
        plus(log_evidence, log_exact),
        r"complete the square in $z$: its coefficient is $-\frac{1}{2}(w^2 + s)/s$, and it is centered at $w x / (w^2 + s)$; "
        r"what is left does not contain $z$",
        wrong={"the marginal variance without the square": LogDensity(x, 0, w + s) + log_exact},
    ),
    role="lemma",
    so=r"Integrate over $z$: the density $p(z|x) = \mathcal{N}\left(\frac{wx}{w^2 + s}, \frac{s}{w^2 + s}\right)$ integrates "
    r"to one, and $p(x) = \mathcal{N}(0, w^2 + s)$ remains.",
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
        r"$\mathbb{E}(x - wz)^2 = (x - wm)^2 + w^2 t$: the noise of $z$ blurs the reconstruction. The rate is the "
        r"divergence from $\mathcal{N}(0, 1)$",
        wrong={
            "the log-variance read as log-deviation": reconstruction
            - (m**2 + t**2 - 1 - 2 * log(t)) / 2
            + Divergence(encoder, exact)
        },
    ),
    at_least(
        plus(reconstruction, -rate),
        r"leave out the gap; equality at $m = \frac{wx}{w^2 + s}$, $t = \frac{s}{w^2 + s}$",
        dropping=gaussian_divergence.at(zeta, m, t, w * x / (w**2 + s), s / (w**2 + s)),
    ),
    uses=(complete_the_square,),
    so=r"The best mean is a linear function of $x$ and the best variance the same for all $x$: here one linear encoder serves "
    r"every $x$ without loss. For a network decoder it does not, and the gap has two parts: what the best Gaussian for this "
    r"$x$ misses (approximation), and what the shared network misses of that Gaussian (amortization).",
)

rho = derivation.number(r"\rho", "the correlation of two latents under the posterior", between=(-1, 1))
y1, y2 = (derivation.number(f"z_{k}", f"the {word} of two latents", "z") for k, word in ((1, "first"), (2, "second")))
v1, v2 = (derivation.number(f"t_{k}", f"the encoder's variance of $z_{k}$", "e^log_var", positive=True) for k in (1, 2))
known = derivation.number(r"\kappa", r"the variance $1 - \rho^2$ of one latent when the other is known", between=(0, 1))
minus_log_posterior = (log(2 * pi), half * log(known), plus(y1**2, -2 * rho * y1 * y2, y2**2) / (2 * known))
first, second = Normal(y1, 0, v1), Normal(y2, 0, v2)
derivation.chain(
    "A diagonal encoder pays for every correlation of the posterior",
    Expectation(first, Expectation(second, plus(LogDensity(y1, 0, v1), LogDensity(y2, 0, v2), *minus_log_posterior))),
    equals(
        plus(-half * log(known), times(half, tangent.at(v1 / known)), times(half, tangent.at(v2 / known))),
        r"under the encoder $\mathbb{E} z_1 z_2 = 0$; what remains are two gaps of the logarithm, at $t_1 / \kappa$ and $t_2 / "
        r"\kappa$",
    ),
    at_least(
        -half * log(known),
        r"leave out both; equality at $t_1 = t_2 = \kappa$",
        dropping=plus(tangent.at(v1 / known) / 2, tangent.at(v2 / known) / 2),
    ),
    so=r"The posterior here is a Gaussian with mean 0, variances 1 and correlation $\rho$. No diagonal Gaussian comes closer "
    r"than $-\frac12 \log(1 - \rho^2)$: an approximation gap that no training of the encoder closes. The best variance is "
    r"$\kappa$, the posterior's variance of one latent when the other is known, not its marginal variance 1.",
    role="remark",
)

# ---------------------------------------------------------------------------------------------------- the rate

l = derivation.index("l", "a latent dimension")  # noqa: E741 (the lecture's letter)
mean = derivation.numbers("m", l, "the encoder's means", "mean")
variance = derivation.numbers("t", l, "the encoder's variances", "e^log_var", positive=True)
rates = derivation.define(
    "R", times(half, Total(l, plus(mean**2, variance, -1, -log(variance)))), "the rate of all dimensions", "kl_to_standard_normal"
)
derivation.chain(
    "The rate: a price for leaving the prior, in nats",
    Divergence(encoder, Normal(zeta, 0, 1)),
    equals(
        Expectation(encoder, plus(zeta**2 / 2, -((zeta - m) ** 2) / (2 * t), -log(t) / 2)),
        r"$\log q - \log p$, in which $\log 2\pi$ cancels",
    ),
    equals(rate, r"$\mathbb{E} z^2 = m^2 + t$ and $\mathbb{E}(z - m)^2 = t$"),
    at_least(m**2 / 2, r"leave out half of $t - 1 - \log t$, zero only at $t = 1$", dropping=tangent.at(t) / 2),
    at_least(0, r"leave out a square, zero only at $m = 0$", dropping=m**2 / 2),
    so=r"A latent costs nothing if and only if its encoder is the prior for this $x$. If it is for every $x$, the latent says "
    r"nothing about $x$; the converse is false, since an encoder that is $\mathcal{N}(1, \frac12)$ for every $x$ costs 0.5966 "
    "(exercise 1). The dimensions of a diagonal Gaussian are independent, so their rates add.",
)
derivation.bridge(
    "The code adds the rates of all dimensions",
    rates,
    kl_to_standard_normal,
    mean=[mean],
    log_var=[log(variance)],
    wrong={
        "the log-variance read as log-deviation": Total(l, (mean**2 + variance**2 - 1 - 2 * log(variance)) / 2),
        "the mean over dimensions in place of the sum": rates / 4,
    },
)

# ---------------------------------------------------------------------------------------------------- reconstructions

a = derivation.number("a", "the logit of a pixel", "logits")
b = derivation.number("b", "a pixel, 0 or 1 or a gray between", "x", between=(0, 1))
sigma = derivation.define(r"\sigma", 1 / (1 + exp(-a)), "the logistic function of the logit: the probability of a 1")
derivation.chain(
    "A Bernoulli pixel tells the decoder by how much its probability is wrong",
    Slope(plus(b * log(sigma), (1 - b) * log(1 - sigma)), a),
    equals(Slope(plus(b * a, -log(1 + exp(a))), a), r"$\log \sigma = a - \log(1 + e^a)$ and $\log(1 - \sigma) = -\log(1 + e^a)$"),
    equals(
        b - sigma,
        r"the derivative of $\log(1 + e^a)$ is $e^a / (1 + e^a) = \sigma$",
        wrong={"the slope of the logistic function kept": (b - sigma) * sigma * (1 - sigma)},
    ),
    so="The slope is bounded by 1, however wrong the logit is, and zero only where the probability is the pixel.",
)
derivation.bridge(
    "The code's gradient",
    Slope(plus(b * log(sigma), (1 - b) * log(1 - sigma)), a),
    bernoulli_log_likelihood,
    x=[[b]],
    logits=[[a]],
    slope="logits",
    wrong={"probability minus pixel": sigma - b},
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
    mean=[mean],
    log_var=[log(variance)],
    wrong={"the mean over pixels in place of the sum": rates - bernoulli / D},
)

xs = derivation.numbers("x", d, "an image of real pixels", "x")
mu = derivation.numbers(r"\mu", d, "its reconstruction", "mean")
error = derivation.define("E", SquaredNorm(d, xs - mu), "the squared error of the reconstruction", positive=True)
beta = derivation.number(r"\beta", "the weight of the rate next to a squared error", positive=True)
noise = beta / 2
derivation.chain(
    "The weight next to a squared error is a noise variance",
    plus(error, beta * rates),
    equals(
        plus(times(beta, plus(rates, -Total(d, LogDensity(xs, mu, noise)))), -beta * D / 2 * log(pi * beta)),
        r"take out $\beta = 2s$; $-\sum_d \log \mathcal{N}(x_d; \mu_d, s) = \frac{E}{2s} + \frac{D}{2} \log 2\pi s$, whose "
        r"constant is subtracted again",
    ),
    so=r"A squared error with a weight on the rate is a Gaussian VAE with $s = \beta / 2$: choosing $\beta$ is choosing how "
    r"precise the decoder claims to be. The mean over $D$ pixels in place of the sum divides $E$ by $D$, and so multiplies "
    r"$\beta$ by $D$ without saying so.",
)
derivation.bridge(
    "The code's Gaussian log-likelihood",
    Total(d, LogDensity(xs, mu, s)),
    gaussian_log_likelihood,
    x=[xs],
    mean=[mu],
    log_var=[[log(s)] * 4],
    wrong={"the logarithm of the variance not halved": Total(d, LogDensity(xs, mu, s)) - D * log(s) / 2},
)
best = D / 2 * plus(log(2 * pi * error / D), 1)
derivation.chain(
    "The best noise variance is the mean squared error, and then no weight is left to choose",
    plus(D / 2 * log(2 * pi * s), error / (2 * s)),
    equals(plus(best, times(D / 2, tangent.at(error / (D * s)))), r"$t = 1 + \log t + (t - 1 - \log t)$ at $t = \frac{E}{Ds}$"),
    at_least(
        best,
        r"leave out the gap of the logarithm; equality if and only if $s = \frac{E}{D}$",
        dropping=D / 2 * tangent.at(error / (D * s)),
    ),
    so=r"What is left of the error is its logarithm: halving it gains $\frac{D}{2} \log 2$ nats at any scale. It needs $E > "
    r"0$: a perfect reconstruction would have an unbounded density.",
)
derivation.bridge("The code's calibrated loss", best, calibrated_gaussian_negative_log_likelihood, x=[xs], mean=[mu])

# ---------------------------------------------------------------------------------------------------- a real decoder

# A decoder small enough to integrate over: one latent, four pixels. And for each of the 16 images an encoder's opinion of it.
_weight, _bias = jnp.array([1.4, -0.9, 0.4, 1.1]), jnp.array([0.2, -0.5, 1.0, -1.1])
_images = jnp.array([[i >> d & 1 for d in range(4)] for i in range(16)], dtype=float)
_encoder_mean = (_images - 0.5) @ jnp.array([[0.7], [-0.4], [0.1], [0.8]])
_encoder_log_var = -1.8 - 0.3 * _images @ jnp.array([[1.0], [0.2], [0.0], [-0.5]])


def _bounds_and_gaps():
    """ELBO of each of the 16 images by the topic's loss, and the divergence of its encoder from its posterior: [16], [16]."""
    grid = jnp.linspace(-10.0, 10.0, 401)  # the trapezoid rule for a Gaussian is exact to the last digits at this step
    z, step = jnp.tile(grid, 16)[:, None], 0.05
    images, m, v = (jnp.repeat(array, grid.size, axis=0) for array in (_images, _encoder_mean, _encoder_log_var))
    logits, nothing = jnp.tanh(z) * _weight + _bias, jnp.zeros_like(z)
    log_q = gaussian_log_likelihood(z, m, v).reshape(16, -1)
    loss = negative_elbo(images, logits, m, v).reshape(16, -1)
    log_joint = (bernoulli_log_likelihood(images, logits) + gaussian_log_likelihood(z, nothing, nothing)).reshape(16, -1)
    log_posterior = log_joint - logsumexp(log_joint, axis=1, keepdims=True) - math.log(step)
    return -step * jnp.sum(jnp.exp(log_q) * loss, axis=1), step * jnp.sum(jnp.exp(log_q) * (log_q - log_posterior), axis=1)


@derivation.numeric(
    r"\sum_x \exp\left(\mathrm{ELBO}(x) + \mathrm{KL}(q(z|x) \,\|\, p(z|x))\right) = 1",
    because="The decoder is now no longer linear: logits of four pixels from $\\tanh z$. Bound and gap are integrated over "
    "$z$, for each of the 16 images. If they add up to $\\log p(x)$, the 16 probabilities sum to one; no value of $\\log p(x)$ "
    "is put in from outside, so none can be wrong unnoticed.",
    uses=(central,),
)
def the_probabilities_of_all_images_sum_to_one():
    bounds, gaps = _bounds_and_gaps()
    return Sides(left=1.0, right=jnp.exp(bounds + gaps).sum(), wrong={"the gap forgotten": jnp.exp(bounds).sum()})


# ---------------------------------------------------------------------------------------------------- in numbers

_exact_case = {x: 2, w: 1, s: 1}


@derivation.example(
    r"The exact case with $w = s = 1$ and $x = 2$: the posterior is $\mathcal{N}(1, \frac12)$. First the encoder is the "
    r"posterior, then $\mathcal{N}(1, 1)$, then the prior."
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


def _terms(m, t):
    """Reconstruction and rate of the example, by the topic's functions: [N], [N] -> [N], [N]."""
    column, log_t = m[:, None], jnp.log(t)[:, None]
    at_mean = gaussian_log_likelihood(jnp.full_like(column, 2.0), column, jnp.zeros_like(column))
    return at_mean - t / 2, kl_to_standard_normal(column, log_t)


@derivation.figure(
    r"The example. Left: the bound over the encoder's mean and variance; its only maximum, $\log p(x)$, is at the posterior "
    r"(dot). Right: at $m = 1$ a narrow encoder reconstructs better and pays a higher rate; their difference touches $\log "
    r"p(x)$ at $t = \frac12$.",
    panels=2,
)
def the_bound_over_the_encoder(left, right):
    means, variances = np.meshgrid(np.linspace(-0.2, 2.2, 49), np.linspace(0.1, 1.5, 49))
    found, price = _terms(jnp.array(means.ravel()), jnp.array(variances.ravel()))
    levels = -2.2655 - np.array([1.6, 0.8, 0.4, 0.2, 0.1, 0.02])
    lines = left.contour(means, variances, np.asarray(found - price).reshape(means.shape), levels=levels)
    left.clabel(lines, fmt="%.2f", fontsize=7)
    left.plot([1], [0.5], "o")
    left.set(xlabel="$m$", ylabel="$t$")
    widths = np.linspace(0.05, 1.5, 60)
    found, price = _terms(jnp.ones(60), jnp.array(widths))
    right.plot(widths, found, label="reconstruction")
    right.plot(widths, -price, label="minus rate")
    right.plot(widths, found - price, label="ELBO")
    right.axhline(-2.2655, linestyle="--", color="gray", label=r"$\log p(x)$")
    right.set(xlabel="$t$", ylabel="nats", ylim=(-3.2, 0.9))
    right.legend(ncols=2, loc="upper center")


@derivation.exercise(
    r"What is the rate of the encoder $\mathcal{N}(1, \frac12)$, and in bits?",
    r"$\frac12\left(1 + \frac12 - 1 + \log 2\right) = \frac12\left(\frac12 + \log 2\right) = 0.5966$ nats, 0.8607 bits.",
)
def the_rate_of_the_posterior():
    found = kl_to_standard_normal(jnp.array([[1.0]]), jnp.log(jnp.array([[0.5]])))[0]
    yield found, "0.5966"
    yield found / math.log(2), "0.8607"


@derivation.exercise(
    r"An image of $D = 4$ pixels is reconstructed with the squared error $E = 1$. Compare the loss at the best noise variance "
    r"with the loss at $s = 1$.",
    r"The best is $s = \frac14$: $2(\log \frac{\pi}{2} + 1) = 2.9032$ nats. At $s = 1$ it is $2 \log 2\pi + \frac12 = 4.1758$.",
)
def the_calibrated_loss():
    image = jnp.array([[1.0, 0.0, 0.0, 0.0]])
    yield calibrated_gaussian_negative_log_likelihood(image, jnp.zeros((1, 4))), "2.9032"
    yield -gaussian_log_likelihood(image, jnp.zeros((1, 4)), jnp.zeros((1, 4))), "4.1758"


@derivation.exercise(
    r"A posterior has two latents with correlation 0.8. How many nats below $\log p(x)$ does the best diagonal encoder stay? "
    r"And for which $\beta$ is $E + \beta R$ the loss of a Gaussian decoder with deviation 0.1?",
    r"$-\frac12 \log(1 - 0.64) = 0.5108$ nats, with both variances at 0.36. A deviation of 0.1 is $s = 0.01$, so $\beta = 2s = "
    r"0.02$.",
)
def a_correlated_posterior():
    yield -0.5 * math.log(1 - 0.8**2), "0.5108"
    yield 1 - 0.8**2, "0.36"
    yield 2 * 0.1**2, "0.02"


# ---------------------------------------------------------------------------------------------------- how the code keeps it


@derivation.numeric(
    r"b \log \sigma + (1 - b) \log(1 - \sigma) = b a - \log(1 + e^a)",
    because="In float64 the left side rounds $\\sigma$ to 1 from a logit of 37 on (17 in float32) and returns $-\\infty$ where "
    "the right side returns $-a$. Train on logits, never on probabilities. The code also exchanges success and failure where "
    "$a > 0$, so that a confident right answer costs $e^{-a}$ and not 0. Compared where both are safe.",
    role="appendix",
)
def logits_not_probabilities():
    pixel, logit = (grid.reshape(-1, 1) for grid in np.meshgrid(np.linspace(0, 1, 5), np.linspace(-6, 6, 7)))
    probability = 1 / (1 + np.exp(-logit))
    safe = bernoulli_log_likelihood(jnp.array(pixel), jnp.array(logit))
    naive = pixel * np.log(probability) + (1 - pixel) * np.log1p(-probability)
    return Sides(left=safe, right=naive[:, 0], wrong={"the logit's sign": -naive[:, 0]})
