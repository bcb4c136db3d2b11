"""VAE-GANs and adversarial autoencoders: which term of the bound an adversary replaces, and by what.

The lecture on the functions of theory_jax/latent/vae_gan.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Subs, exp, log, pi, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vae_gan import (
    adversarial_autoencoder_encoder_loss,
    feature_reconstruction_error,
    vae_gan_decoder_loss,
    vae_gan_discriminator_loss,
    vae_gan_encoder_loss,
)
from theory_jax.lectures.latent._vae_gan import draw_shares_and_charges, information_and_divergence, least_errors, twice_jsd_of
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="VAE-GANs and adversarial autoencoders: what an adversary replaces in the bound",
    sources=(
        "Larsen, Sonderby, Larochelle & Winther 2016, Autoencoding beyond pixels using a learned similarity metric",
        "Makhzani, Shlens, Jaitly, Goodfellow & Frey 2016, Adversarial autoencoders",
        "Hoffman & Johnson 2016, ELBO surgery",
        "Tolstikhin, Bousquet, Gelly & Schoelkopf 2018, Wasserstein auto-encoders",
    ),
    question="Samples of a VAE are blurred, since its loss compares pixels, and its codes need not fill the prior. Three repairs "
    "use a discriminator: its features replace the pixels, its logits of images are a further loss of the decoder, or its logits "
    "of codes replace the rate. Which term of the evidence lower bound does each replace, and what is left of the bound?",
    setting=(
        r"Features $f(x)$ are the outputs of a layer of the discriminator. The error of features is $\frac12 \|f(x) - "
        r"f(\tilde x)\|^2$, with $\tilde x$ the reconstruction of $x$.",
        r"A discriminator of images sees data, reconstructions and samples with the probabilities $p$, $r$ and $s$, one of each "
        r"at a time; it calls the last two fake. Its logit is $\ell$. All probabilities are positive, on finitely many states.",
        r"A discriminator of codes sees codes of the prior $p_0$ as real and codes of the encoder as fake. Over the data with "
        r"the weights $w_n$ all codes have the distribution $\bar q$.",
        "An encoder descends the gradient with the discriminator at its best and held fixed.",
    ),
    limits=(
        "Discriminators that are not at their best, and their training.",
        "That the features of a discriminator match what people see.",
        "Continuous codes: the information of an encoder without noise is infinite there.",
    ),
)

j = derivation.index("j", "a feature")
f = derivation.numbers("f", j, "the features of an image", "features")
made = derivation.numbers(r"\tilde f", j, "the features of its reconstruction", "features_reconstructed")
F = derivation.count(j, "F", "the number of features")
error = derivation.define(r"\epsilon", SquaredNorm(j, f - made) / 2, "the error of the features", "feature_reconstruction_error")
derivation.say("First, the likelihood that a loss of features stands for.")
derivation.chain(
    "The error of features is a log-likelihood of the features",
    Total(j, LogDensity(f, made, 1)),
    equals(plus(-error, -F * log(2 * pi) / 2), "the density of a Gaussian with variance 1, for each feature"),
    role="lemma",
)
_both = {"features": [f], "features_reconstructed": [made]}
derivation.bridge("The code's error", error, feature_reconstruction_error, **_both, wrong={"without the half": 2 * error})
x = derivation.number("x", "an image of one pixel")
y = derivation.number(r"\tilde x", "its reconstruction")
k = derivation.number("k", "a scale of the feature $k x$", positive=True)
derivation.chain(
    "A density of features is not one of images",
    plus(LogDensity(k * x, k * y, 1), log(k)),
    equals(
        LogDensity(x, y, k**-2),
        prose("{square}, and the constant takes $\\log k$", square=holds((k * x - k * y) ** 2, "=", k**2 * (x - y) ** 2)),
        wrong={"the slope forgotten": plus(LogDensity(x, y, k**-2), -log(k))},
    ),
    role="lemma",
    so=r"The first line is the change of variables from $x$ to $k x$: the density of an image is that of its feature times the "
    r"slope $k$. The error of features leaves $\log k$ out.",
)
v = derivation.number("V", "the mean squared error of the pixels", positive=True)
derivation.chain(
    "With the slope counted, a finite scale of the features is best; without it, zero",
    plus(log(k), -(k**2) * v / 2),
    equals(
        plus(-times(Rational(1, 2), plus(1, log(v))), -tangent.at(k**2 * v) / 2),
        prose("{split}; a logarithm is below its tangent", split=holds(log(k), "=", plus(log(k**2 * v), -log(v)) / 2)),
    ),
    at_most(
        -times(Rational(1, 2), plus(1, log(v))),
        prose("add half the distance from the tangent, zero only at {best}", best=where(k, 1 / sqrt(v))),
        adding=tangent.at(k**2 * v) / 2,
    ),
    so=prose(
        r"Without $\log k$ the mean of $-\epsilon$ is $-\frac12 k^2 V$, and {down}: features that are trained on their own error "
        "shrink to zero. So the error of features must not train the discriminator, whose features they are.",
        down=holds(Slope(-(k**2) * v / 2, k), "<", 0),
    ),
    role="lemma",
)
own = derivation.number("p(x)", "the probability of an image", positive=True)
others = derivation.number(r"p'", "that of all other images with the same features", positive=True)
derivation.chain(
    "The likelihood of features is at least that of images",
    log(own),
    equals(
        plus(log(own + others), -others / (own + others), -tangent.at(own / (own + others))),
        prose(
            "{split}, the last below its tangent", split=holds(log(own), "=", plus(log(own + others), log(own / (own + others))))
        ),
    ),
    at_most(
        log(own + others),
        "add two numbers that are not negative",
        adding=plus(others / (own + others), tangent.at(own / (own + others))),
        wrong={"the other images alone": log(others)},
    ),
    so=r"A bound with $\epsilon$ in place of the pixels is a lower bound of $\log p(f(x))$, and this number is at least $\log "
    "p(x)$: the value of the bound says nothing about the likelihood of images.",
    role="lemma",
)

derivation.say("Next, the discriminator of images, which sees three kinds of them.")
i = derivation.index("i", "an image")
h = derivation.index("h", "an image, next to $i$")
p = derivation.law("p", i, "the data")
rec = derivation.law("r", i, "reconstructions")
sam = derivation.law("s", i, "samples")
logit = derivation.numbers(r"\ell", i, "the logits of the discriminator")
best = derivation.define("d^*", p / (p + rec + sam), "the best discriminator", over=i, positive=True)
fakes = derivation.define(r"\bar r", (rec + sam) / 2, "both kinds of fakes", over=i, law=True)
middle = derivation.define(r"\mu", (p + 2 * fakes) / 3, "all three kinds", over=i, law=True)
of_images = Total(i, plus(p * log(1 + exp(-logit)), (rec + sam) * log(1 + exp(logit))))
all_three = p.at(h) + rec.at(h) + sam.at(h)
called_real = 1 / (1 + exp(-logit.at(h)))
three_kinds = derivation.chain(
    "The best discriminator of three kinds of images",
    Slope(of_images, logit.at(h)),
    equals(
        times(all_three, plus(called_real, -best.at(h))),
        prose(
            "of both logarithms: {up} and {down}",
            up=holds(Slope(log(1 + exp(logit)), logit), "=", 1 / (1 + exp(-logit))),
            down=holds(Slope(log(1 + exp(-logit)), logit), "=", 1 / (1 + exp(-logit)) - 1),
        ),
        wrong={
            "the fakes averaged": times(all_three, plus(called_real, -p.at(h) / (p.at(h) + (rec.at(h) + sam.at(h)) / 2))),
            "reconstructions called real": times(all_three, plus(called_real, -(p.at(h) + rec.at(h)) / all_three)),
        },
    ),
    states=2,
    so=prose(
        r"The slope rises with the logit, so the loss is least where it is {none}: at {logit}, where the discriminator says "
        r"$d^*$.",
        none=holds(Slope(of_images, logit.at(h)), "=", 0, named=True),
        logit=where(logit, log(p / (rec + sam))),
    ),
)
derivation.chain(
    "The least loss compares the data with the mixture of the fakes",
    plus(-Expectation(p, log(best)), -2 * Expectation(fakes, log(1 - best))),
    equals(
        plus(-Expectation(p, log(p / (3 * middle))), -2 * Expectation(fakes, log(2 * fakes / (3 * middle)))),
        prose("{all} and {both}", all=holds(plus(p, rec, sam), "=", 3 * middle), both=holds(plus(rec, sam), "=", 2 * fakes)),
    ),
    equals(
        plus(log(3), 2 * log(Rational(3, 2)), -Divergence(p, middle), -2 * Divergence(fakes, middle)),
        "each mean gives its constant, the second one twice",
        wrong={
            "two coins": plus(log(4), -Divergence(p, middle), -2 * Divergence(fakes, middle)),
            "the fakes counted once": plus(log(3), log(Rational(3, 2)), -Divergence(p, middle), -Divergence(fakes, middle)),
        },
    ),
    at_most(
        plus(log(3), 2 * log(Rational(3, 2))),
        r"add the divergences (Gibbs), zero if and only if the mixture $\bar r$ is $p$",
        adding=plus(gibbs.at(p, middle), 2 * gibbs.at(fakes, middle)),
    ),
    so=prose(
        r"With {rec} and {sam} the adversary rests at 1.9095 nats with $d^*$ at {rest} and the logit $-\log 2$, not at a fair "
        "coin. Only the mixture counts: reconstructions that err in one direction and samples that err in the other are a "
        "perfect score.",
        **{"rec": where(rec, p), "sam": where(sam, p)},
        rest=holds(best, "=", Rational(1, 3), named=True),
    ),
)
of_data = derivation.number(r"\ell_p", "the logit of a real image", "logits_real")
of_rec = derivation.number(r"\ell_r", "the logit of a reconstruction", "logits_reconstructed")
of_sam = derivation.number(r"\ell_s", "the logit of a sample", "logits_sampled")
OF_FAKES = {"logits_reconstructed": [of_rec], "logits_sampled": [of_sam]}
of_discriminator = plus(log(1 + exp(-of_data)), log(1 + exp(of_rec)), log(1 + exp(of_sam)))
_called_real = plus(log(1 + exp(-of_data)), log(1 + exp(-of_rec)), log(1 + exp(of_sam)))
_averaged = plus(log(1 + exp(-of_data)), log(1 + exp(of_rec)) / 2, log(1 + exp(of_sam)) / 2)
derivation.bridge(
    "The code's loss of the discriminator, of one image of each kind",
    of_discriminator,
    vae_gan_discriminator_loss,
    **{"logits_real": [of_data], **OF_FAKES},
    wrong={"reconstructions called real": _called_real, "the fakes averaged": _averaged},
)
gamma = derivation.number(r"\gamma", "the weight of the features for the decoder", "feature_weight", positive=True)
e = derivation.number("E", "the error of a reconstruction", "feature_error")
of_decoder = plus(gamma * e, log(1 + exp(-of_rec)), log(1 + exp(-of_sam)))
_saturating = plus(gamma * e, -log(1 + exp(of_rec)), -log(1 + exp(of_sam)))
_on_adversary = plus(e, gamma * log(1 + exp(-of_rec)), gamma * log(1 + exp(-of_sam)))
derivation.bridge(
    "... of the decoder, which wants both fakes called real",
    of_decoder,
    vae_gan_decoder_loss,
    **{"feature_error": [e], **OF_FAKES, "feature_weight": gamma},
    wrong={"saturating": _saturating, "the weight on the adversary": _on_adversary},
)
l = derivation.index("l", "a coordinate of a Gaussian code")  # noqa: E741 (the lecture's letter)
mean = derivation.numbers("m", l, "the mean of the encoder", "mean")
variance = derivation.numbers("v", l, "its variance", "e^log_var", positive=True)
of_latents = Total(l, plus(mean**2, variance, -1, -log(variance)))
derivation.bridge(
    "... and of the encoder, which pays the rate and does not see the adversary",
    plus(e, of_latents / 2),
    vae_gan_encoder_loss,
    **{"feature_error": [e], "mean": [mean], "log_var": [log(variance)]},
    wrong={"the rate not halved": plus(e, of_latents)},
)
theta = derivation.number(r"\theta", "a parameter of the decoder")
phi = derivation.number(r"\phi", "a parameter of the encoder")
R = derivation.function("R", "the error of the features", arguments=2)(theta, phi)
A = derivation.function("A", "the adversary's part of the decoder's loss", arguments=2)(theta, phi)
game = derivation.chain(
    "Decoder and encoder do not descend one loss",
    plus(Slope(Slope(plus(gamma * R, A), theta), phi), -Slope(Slope(R, phi), theta)),
    equals(
        plus((gamma - 1) * Slope(Slope(R, theta), phi), Slope(Slope(A, theta), phi)),
        "mixed derivatives of smooth functions are equal; the rate, which the encoder adds, does not depend on the decoder",
        wrong={"one weight for both": Slope(Slope(A, theta), phi)},
    ),
    role="remark",
    so=r"Two slopes of one function have equal mixed derivatives. With a $\gamma$ other than 1, or with reconstructions shown to "
    "the adversary, these differ in general: the training is a game, not a descent.",
)

derivation.say("Last, the adversary of codes, in place of the rate.")
z = derivation.index("z", "a code")
n = derivation.index("n", "a datum", states=2)
weight = derivation.law("w", n, "the weight of a datum")
encoder = derivation.law("q({}|{})", (z, n), "the encoder")
prior = derivation.law(r"p_0({})", z, "the prior of the codes")
codes = derivation.define(r"\bar q({})", Total(n, weight * encoder), "the distribution of all codes", over=z, law=True)
half = derivation.define(r"\nu({})", (prior + codes) / 2, "half prior, half codes", over=z, law=True)
information = derivation.define("I", Expectation(weight, Divergence(encoder, codes)), "the information of code and datum")
jsd = derivation.define(
    r"\mathrm{JSD}", (Divergence(prior, half) + Divergence(codes, half)) / 2, "the Jensen-Shannon divergence of prior and codes"
)
rate = Expectation(weight, Divergence(encoder, prior))
epsilon = derivation.number(r"\varepsilon", "how far the encoder is moved")
free = derivation.numbers("g", z, "arbitrary numbers, of which changes with the sum 0 are made")
change = derivation.define(r"\delta({})", plus(free, -codes * Total(z, free)), "a change of the codes that sums to zero", over=z)
moved = derivation.define(r"\bar q_\varepsilon({})", codes + epsilon * change, "the codes after the change", over=z)
between = derivation.define(r"\nu_\varepsilon({})", (prior + moved) / 2, "half prior, half of those", over=z)
of_prior = derivation.define("D({})", prior / (prior + codes), "the best discriminator of codes", over=z, positive=True)
twice_jsd = Total(z, prior * log(prior / between)), Total(z, moved * log(moved / between))


def _at_zero(expression):
    return Subs(Slope(expression, epsilon), epsilon, 0)


descent = derivation.chain(
    "What the encoder of an adversarial autoencoder descends",
    _at_zero(-Total(z, moved * log(of_prior))),
    equals(
        Total(z, change * plus(log(codes / prior), -log(codes / (prior + codes)))),
        prose(
            "the discriminator is held fixed; {split}",
            split=holds(-log(of_prior), "=", plus(log(codes / prior), -log(codes / (prior + codes)))),
        ),
    ),
    equals(
        _at_zero(plus(Total(z, moved * log(moved / prior)), *(-part for part in twice_jsd))),
        r"differentiate the divergences; the changes sum to zero, so constants have no effect",
        wrong={
            "the divergence alone": _at_zero(Total(z, moved * log(moved / prior))),
            "as the saturating loss": _at_zero(plus(*twice_jsd)),
        },
    ),
    states=2,
    so=r"The right side is the slope of $\mathrm{KL}(\bar q \,\|\, p_0) - 2\, \mathrm{JSD}$, as for the non-saturating loss of a "
    "GAN, with codes for images. With the saturating loss it would be that of twice the Jensen-Shannon divergence.",
)
charge = plus(Divergence(codes, prior), -2 * jsd)
derivation.answer = prose(
    "The error of features stands for a likelihood of features, which is at least that of the images: features must not be "
    "trained on it. A discriminator with two kinds of fakes compares the data with their mixture, and rests at the probability "
    "one third. An adversary of codes charges {charge} in place of the rate, where $I$ is the information of code and datum: it "
    "is free, so the objective is no bound of a likelihood. Where the codes fill the prior and the decoder has no noise, it is a "
    "transport cost.",
    charge=holds(charge, "=", plus(rate, -information, -2 * jsd), wrong={"the information charged": plus(rate, -2 * jsd)}),
)
central = derivation.chain(
    "The adversary of codes charges at most the rate",
    charge,
    equals(
        plus(Expectation(weight, Expectation(encoder, plus(log(encoder / prior), -log(encoder / codes)))), -2 * jsd),
        prose("{split} for every datum", split=holds(log(codes / prior), "=", plus(log(encoder / prior), -log(encoder / codes)))),
    ),
    equals(
        plus(rate, -information, -2 * jsd),
        "the rate and the information, by definition",
        wrong={"no Jensen-Shannon divergence": plus(rate, -information), "the rate of a VAE": plus(rate, -2 * jsd)},
    ),
    at_most(
        rate,
        prose(
            r"add $I$ and $2\, \mathrm{JSD}$, divergences (Gibbs); equality if and only if {same} for every $n$",
            same=where(encoder, prior),
        ),
        adding=plus(Expectation(weight, gibbs.at(encoder, codes)), gibbs.at(prior, half), gibbs.at(codes, half)),
    ),
    uses=(descent,),
    states=2,
    central=True,
    so=r"A code that copies $N$ equally frequent data one to one, and fills the prior, costs nothing here and $\log N$ nats in a "
    "VAE: reconstruction plus adversary is no bound of a likelihood.",
)
of_code = derivation.number(r"\ell_z", "the logit of a code", "logits_code")
lam = derivation.number(r"\lambda", "the weight of the adversary", "adversarial_weight", positive=True)
_fake, _on_error = plus(e, lam * log(1 + exp(of_code))), plus(lam * e, log(1 + exp(-of_code)))
derivation.bridge(
    "The code's loss of this encoder",
    plus(e, lam * log(1 + exp(-of_code))),
    adversarial_autoencoder_encoder_loss,
    **{"reconstruction_error": [e], "logits_code": [of_code], "adversarial_weight": lam},
    wrong={"codes called fake": _fake, "the weight on the error": _on_error},
)

derivation.symbol(r"\kappa", "a plan that carries the data to the samples of a decoder without noise")


@derivation.numeric(
    r"\min_{\bar q = p_0} \mathbb{E}\, \epsilon = \min_{\kappa} \mathbb{E}\, \epsilon",
    because=r"What the objective is in place of a bound: a transport cost. An encoder whose codes fill the prior carries the "
    "data to images distributed as the samples. Conversely, carry a datum to an image by such a plan, and draw one of the codes "
    "of this image by the prior: all codes are then distributed as the prior, and the error is that of the plan. Linear programs "
    "for 50 random distributions of 3 data and 4 codes, two of which make the same image: on the left over all encoders, on the "
    "right over all plans.",
    role="remark",
)
def transport():
    rng = np.random.default_rng(7)
    found = np.array([least_errors(rng) for _ in range(50)])
    return Sides(left=jnp.array(found[:, 0]), right=jnp.array(found[:, 1]), wrong={"any codes": jnp.array(found[:, 2])})


@derivation.algorithm(
    "A training step of a VAE-GAN, here with one feature and one latent",
    do(
        r"$z \sim q(z|x)$, $\tilde x$ from $z$; $\epsilon \leftarrow \frac12 \|f(x) - f(\tilde x)\|^2$",
        feature_reconstruction_error,
    ),
    do(r"$z_p \sim p_0$, and a sample from $z_p$; $\ell_p, \ell_r, \ell_s$, the logits of all three images"),
    do(r"encoder: a step on $\epsilon + R$, with the rate $R$", vae_gan_encoder_loss),
    do(r"decoder: a step on $\gamma \epsilon - \log \sigma(\ell_r) - \log \sigma(\ell_s)$", vae_gan_decoder_loss, by=game),
    do(
        r"discriminator: a step on $-\log \sigma(\ell_p) - \log \sigma(-\ell_r) - \log \sigma(-\ell_s)$",
        vae_gan_discriminator_loss,
        by=three_kinds,
    ),
)
def two_evaluations():
    one, start = jnp.ones((1, 1)), r"f(x) = m = v = 1, \gamma = \tfrac12, "
    for feature, logits, losses in ((0.0, (0, 0, 0), "1, 1.6363, 2.0794"), (0.5, (1, 0, -1), "0.625, 2.0689, 1.3197")):
        error = feature_reconstruction_error(one, feature * one)
        real, *both = (of * one[0] for of in logits)
        yield rf"{start}f(\tilde x) = {feature:g}: \quad \epsilon", error, "0.125" if feature else "0.5"
        of_encoder = vae_gan_encoder_loss(error, one, 0 * one)
        found = [of_encoder, vae_gan_decoder_loss(error, *both, feature_weight=0.5), vae_gan_discriminator_loss(real, *both)]
        yield rf"\ell_p, \ell_r, \ell_s = {logits}: \quad \text{{the three losses}}", found, losses


@derivation.example(
    r"An image with the logits 1 (real), 0 (reconstructed) and $-1$ (sampled). Two equally likely images: first with perfect "
    r"reconstructions and samples of 0.9 and 0.1, then with $(\frac34, \frac14)$ and $(\frac14, \frac34)$, whose mixture is "
    "right. Features that merge the first two of three images, of probabilities 0.1, 0.5 and 0.4. Codes of two equal data, (0.9, "
    "0.1) and (0.3, 0.7)."
)
def by_hand():
    real, reconstructed, sampled = jnp.array([1.0]), jnp.array([0.0]), jnp.array([-1.0])
    yield of_discriminator, vae_gan_discriminator_loss(real, reconstructed, sampled)[0], "1.3197"
    adversary = vae_gan_decoder_loss(jnp.zeros(1), reconstructed, sampled, feature_weight=1.0)[0]
    yield r"\text{decoder, but for}\ \gamma \epsilon", adversary, "2.0064"
    coins, quarters = (Rational(1, 2), Rational(1, 2)), (Rational(3, 4), Rational(1, 4))
    laws = {p: coins, rec: coins, sam: (Rational(9, 10), Rational(1, 10))}
    least = plus(-Expectation(p, log(best)), -2 * Expectation(fakes, log(1 - best)))
    yield best, value(best, laws), "(0.2632, 0.4545)"
    yield r"\text{least loss}", value(least, laws), "1.8529"
    yield r"\text{least loss, the errors opposite}", value(least, {p: coins, rec: quarters, sam: quarters[::-1]}), "1.9095"
    yield r"\log p(f(x))", np.log([0.6, 0.6, 0.4]), "(-0.5108, -0.5108, -0.9163)"
    yield r"\log p(x)", np.log([0.1, 0.5, 0.4]), "(-2.3026, -0.6931, -0.9163)"
    informed, apart = information_and_divergence([[0.9, 0.1], [0.3, 0.7]])
    yield r"\text{rate, information, divergence}", [informed + apart, informed, apart], "(0.2252, 0.2050, 0.0201)"
    yield r"\mathrm{KL} - 2\, \mathrm{JSD}", apart - twice_jsd_of(np.array([0.6, 0.4])), "0.0100"


derivation.figure(
    r"Left: the rate of three encoders of two data, as information and divergence; what the adversary charges is marked. Right: "
    r"that charge for codes of probabilities $u$ and $1 - u$ and a uniform prior, between the divergence and zero.",
    panels=2,
)(draw_shares_and_charges)
