"""Latent diffusion: what an autoencoder decides, and what is left for a diffusion model of its latents.

The lecture on the functions of theory_jax/diffusion/latent_diffusion.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, SquaredNorm, Total, plus
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.latent_diffusion import (
    denormalize_latent,
    latent_kl,
    normalize_latent,
    quantize_latent,
    sample_latent,
    scaling_factor,
)
from theory_jax.foundations.maximum_likelihood import kl_divergence
from theory_jax.lectures.diffusion._latent_diffusion import draw_stages
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Latent diffusion: what an autoencoder decides, and what is left for a diffusion model of its latents",
    lectures=(36,),
    sources=(
        "Rombach, Blattmann, Lorenz, Esser & Ommer 2022, High-Resolution Image Synthesis with Latent Diffusion Models, section 3",
        "Hoffman & Johnson 2016, ELBO Surgery: yet another way to carve up the variational evidence lower bound",
        "Vahdat, Kreis & Kautz 2021, Score-based Generative Modeling in Latent Space",
    ),
    question="A diffusion model of pixels spends most of its capacity on details that no one sees. So an autoencoder is "
    "trained first, and a diffusion model of its latents second. What can the second stage still gain, what has the first one "
    "decided, and which scale must the latents have?",
    setting=(
        "The data have the distribution $p(x)$. The first stage is an encoder $q(z|x)$ and a decoder $d(y|z)$; the aggregate "
        r"$q(z)$ is the distribution of the latents of all data. The second stage is a prior $p_\psi(z)$, trained while the "
        "first is frozen.",
        r"The evidence lower bound charges $\mathbb{E}_{p(x)} \mathrm{KL}(q(z|x) \| p_\psi(z))$, the rate, for the latents "
        "(lecture on the bound). Distributions are positive on finitely many states; sums become integrals for Gaussians.",
        r"The diffusion model sees $\sqrt{a}\, z + \sqrt{1 - a}\, \epsilon$, as in image space.",
    ),
    limits=(
        "How images look: a discriminator and a perceptual loss, which the published first stages have, are no likelihood, and "
        r"with a weight of $10^{-6}$ on the rate what is trained is not the bound.",
        "The diffusion model's own bound, which is in place of $-\\log p_\\psi$ in practice (lecture on the bound of diffusion).",
        r"A trained prior is not the aggregate: some of $\mathrm{KL}(q(z) \| p_\psi(z))$ remains.",
    ),
)


@derivation.figure(
    r"Left: one-dimensional latents of two equally likely data, $\mathcal{N}(\pm m, \frac14)$. The rate to the prior "
    r"$\mathcal{N}(0, 1)$ is the information $I$, which never exceeds $\log 2$, and the divergence of the aggregate, which a "
    "learned prior removes. Right: log-SNR of latents of deviation 5 over the levels of a schedule.",
    panels=2,
)
def rate_and_scale(rates, levels):
    distance, grid = np.linspace(0.0, 3.0, 31), np.linspace(-9, 9, 721)
    total = latent_kl(jnp.stack([jnp.asarray(distance), jnp.full(31, np.log(0.25))], axis=1))
    each = np.exp(-2 * (grid - distance[:, None]) ** 2) / np.sqrt(np.pi / 2)
    mixture = (each + each[:, ::-1]) / 2
    mutual = (each * np.log((each + 1e-300) / (mixture + 1e-300))).sum(1) * (grid[1] - grid[0])
    rates.stackplot(distance, mutual, np.asarray(total) - mutual, labels=["$I$", r"$\mathrm{KL}(q(z) \| p)$"], alpha=0.6)
    rates.plot(distance, total, color="gray", label="rate")
    rates.set(xlabel="$m$", ylabel="nats")
    rates.legend(loc="upper left")
    share = np.linspace(0.02, 0.98, 49)
    latents = jnp.array([5.0, -5.0])
    scale = float(scaling_factor(latents))
    for factor, label in ((1 / scale, "multiplied"), (1.0, "as they are"), (scale, "divided")):
        size = np.std(normalize_latent(latents, scale=factor))
        levels.plot(share, np.log(share / (1 - share)) + 2 * np.log(size), label=label)
    levels.set(xlabel="$a$", ylabel="log-SNR")
    levels.legend()


x = derivation.index("x", "a datum", states=2)
z = derivation.index("z", "a latent")
p = derivation.law("p({})", x, "the distribution of the data")
q = derivation.law("q({}|{})", (z, x), "the encoder")
aggregate = derivation.define("q({})", Total(x, p * q), "the aggregate, the distribution of all latents", over=z, law=True)
prior = derivation.law(r"p_\psi({})", z, "the prior, which the second stage trains")
information = derivation.define("I", Expectation(p, Divergence(q, aggregate)), "the information of a latent about its datum")
central = derivation.chain(
    "The rate has a part that no prior removes",
    Expectation(p, Divergence(q, prior)),
    equals(Expectation(p, Expectation(q, plus(log(q / aggregate), log(aggregate / prior)))), "multiply and divide by $q(z)$"),
    equals(
        plus(information, Divergence(aggregate, prior)),
        prose(
            "the first mean is $I$; the second quotient does not contain $x$, and {mixed}",
            mixed=holds(aggregate, "=", Total(x, p * q)),
        ),
    ),
    at_least(
        information,
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(prior, aggregate)),
        dropping=gibbs.at(aggregate, prior),
    ),
    states=2,
    central=True,
    so=r"With encoder and decoder frozen only the divergence depends on $\psi$: the second stage learns the distribution of the "
    r"latents. "
    r"A poor reconstruction, or a large $I$, is not mended by it.",
)

derivation.say("Is a small error among the latents a small error among the images?")
y = derivation.index("y", "what the decoder gives", states=2)
decoder = derivation.law("d({}|{})", (y, z), "the decoder")
real = derivation.law("r({})", z, "the distribution of the latents, here any")
out_real = derivation.define("R({})", Total(z, real * decoder), "the images of these latents", over=y, law=True)
out_prior = derivation.define("P({})", Total(z, prior * decoder), "the images of the prior's", over=y, law=True)
back_real = derivation.define("R({}|{})", real * decoder / out_real, "the latent behind an image", over=(z, y), law=True)
back_prior = derivation.define("P({}|{})", prior * decoder / out_prior, "... under the prior", over=(z, y), law=True)
decoded = derivation.chain(
    "A decoder does not enlarge the prior's error",
    Divergence(real, prior),
    equals(
        Expectation(real, Expectation(decoder, log((real * decoder) / (prior * decoder)))),
        prose(
            "the mean over $d(y|z)$ of what does not contain $y$; the factor $d(y|z)$ cancels, {one}",
            one=holds(plus(log(real * decoder), -log(prior * decoder)), "=", log(real / prior)),
        ),
        wrong={"no common factor": Expectation(real, Expectation(decoder, log((real * decoder) / prior)))},
    ),
    equals(
        plus(Divergence(out_real, out_prior), Expectation(out_real, Divergence(back_real, back_prior))),
        prose("the joint distribution the other way: {bayes}", bayes=holds(real * decoder, "=", out_real * back_real)),
        wrong={
            "averaged over the prior's": plus(
                Divergence(out_real, out_prior), Expectation(out_prior, Divergence(back_real, back_prior))
            )
        },
    ),
    at_least(
        Divergence(out_real, out_prior),
        "leave out the divergence of the latents behind an image (Gibbs)",
        dropping=Expectation(out_real, gibbs.at(back_real, back_prior)),
    ),
    states=2,
    so="The divergence between images is at most that between latents, whatever the decoder, if both go through the same one.",
)

derivation.say("In practice encoders are Gaussian, entry by entry, with a weak price on the rate.")
mu = derivation.number(r"\mu", "the mean of an entry of the latent", "moments, first half")
v = derivation.number("v", "its log-variance", "moments, second half, clamped")
n = derivation.number(r"\epsilon", "an entry of the noise", "noise")
drawn = derivation.define("z_0", mu + exp(v / 2) * n, "the entry that is drawn", "sample_latent")
rate = derivation.define("K", (mu**2 + exp(v) - 1 - v) / 2, "the rate of an entry", "latent_kl")
rate_of_an_entry = derivation.chain(
    "The rate of a Gaussian entry",
    Expectation(Normal(n, 0, 1), plus(-v / 2, -(n**2) / 2, drawn**2 / 2)),
    equals(
        plus(-v / 2, -Rational(1, 2), (mu**2 + exp(v)) / 2),
        prose(
            r"the first line is the mean of $\log q(z_0) - \log p(z_0)$, in which $\log 2\pi$ cancels; {square} and {noise}",
            square=holds(
                Expectation(Normal(n, 0, 1), drawn**2), "=", mu**2 + exp(v), wrong={"the deviation": mu**2 + exp(v / 2)}
            ),
            noise=holds(Expectation(Normal(n, 0, 1), n**2), "=", 1),
        ),
        wrong={"the variance squared": plus(-v / 2, -Rational(1, 2), (mu**2 + exp(2 * v)) / 2)},
    ),
    equals(rate, "collect", wrong={"not halved": 2 * rate, "the halves exchanged": (v**2 + exp(mu) - 1 - mu) / 2}),
    so=prose(
        "An entry that says nothing, {mean} and {variance}, costs {free}.",
        mean=where(mu, 0),
        variance=where(v, 0),
        free=holds(rate, "=", 0, named=True),
    ),
)


derivation.bridge(
    "The code draws the entry",
    drawn,
    sample_latent,
    moments=[[mu, v]],
    noise=[[n]],
    wrong={"the variance": mu + exp(v) * n, "the halves exchanged": v + exp(mu / 2) * n},
)
derivation.bridge(
    "... and computes its rate",
    rate,
    latent_kl,
    moments=[[mu, v]],
    wrong={"the halves exchanged": (v**2 + exp(mu) - 1 - mu) / 2, "not halved": 2 * rate},
)

derivation.say("What must be rescaled? A schedule of noise was chosen for data of a certain size.")
a = derivation.number("a", "the share of the variance that is signal, at one level", between=(0, 1))
V = derivation.number("V", "the variance of the latents", positive=True)
D = derivation.define("D", sqrt(V), "the standard deviation of the latents", positive=True)
c = derivation.number("c", "the factor by which they are multiplied", "scale", positive=True)
shifted = derivation.chain(
    "A factor shifts the log-SNR of every level alike",
    log(a * c**2 * V / (1 - a)),
    equals(
        plus(log(a / (1 - a)), log(c**2 * V)),
        "the logarithm of a product; the first line is the log-SNR of $c z$",
        wrong={"not squared": plus(log(a / (1 - a)), log(c * V))},
    ),
    so=prose(
        "Divided by their deviation, latents have {none} for the last term, and the schedule means what it means for images of "
        "variance one. Left as they are they shift it by {shift}; multiplied by $D$ in place of divided, by {double}.",
        none=holds(log(c**2 * V), "=", 0, when={c: 1 / D}, named=True),
        shift=holds(log(c**2 * V), "=", 2 * log(D), when={c: 1}, named=True),
        double=holds(log(c**2 * V), "=", 4 * log(D), when={c: D}, named=True, wrong={"as they are": 2 * log(D)}),
    ),
)
derivation.answer = prose(
    "The rate is {rate}. The second stage changes the last term only, and removes it if its prior is the aggregate; "
    "reconstructions and $I$ are the first stage's. A decoder cannot enlarge the prior's error. Latents are divided by their "
    "standard deviation $D$: left as they are, they shift the log-SNR of every level by {shift}.",
    rate=holds(Expectation(p, Divergence(q, prior)), "=", plus(information, Divergence(aggregate, prior)), named=True),
    shift=holds(plus(log(a * V / (1 - a)), -log(a / (1 - a))), "=", 2 * log(D), named=True),
)
V1, V2 = (
    derivation.number(f"V_{k}", f"the variance of the {which} channel", positive=True)
    for k, which in ((1, "first"), (2, "second"))
)
m1, m2 = (derivation.number(f"m_{k}", f"the mean of the {which} channel") for k, which in ((1, "first"), (2, "second")))
derivation.chain(
    "One factor leaves channels of different variance different",
    plus((V1 + m1**2 + V2 + m2**2) / 2, -(((m1 + m2) / 2) ** 2)),
    equals(
        plus((V1 + V2) / 2, (m1 - m2) ** 2 / 4),
        prose(
            "the first line is the variance of all entries; {means}",
            means=holds(plus((m1**2 + m2**2) / 2, -(((m1 + m2) / 2) ** 2)), "=", (m1 - m2) ** 2 / 4),
        ),
    ),
    role="remark",
    so="It is this number that is made one. A channel then has its variance divided by this number, and the "
    "logarithm of the quotient is how far it is from the schedule: channels with less variance drown in noise earlier.",
)
m = derivation.number("m", "the mean of the latents")
w = derivation.number("w", "a latent, now one number")
derivation.chain(
    "Unit variance is no unit size",
    Expectation(Normal(w, m, V), (w / sqrt(V)) ** 2),
    equals(plus(1, m**2 / V), prose("{moment}", moment=holds(Expectation(Normal(w, m, V), w**2), "=", plus(V, m**2)))),
    role="remark",
    so=prose(
        "The mean stays, unless it is subtracted as the shift: then the second moment is {one}.",
        one=holds(Expectation(Normal(w, m, V), ((w - m) / sqrt(V)) ** 2), "=", 1, named=True),
    ),
)
k = derivation.index("k", "an entry of a batch of latents")
zeta = derivation.numbers("z", k, "the entries", "latents")
N = derivation.count(k, "N", "how many they are")
center = derivation.define(r"\bar z", Total(k, zeta) / N, "their mean")
derivation.bridge(
    "The code's factor",
    1 / sqrt(Total(k, (zeta - center) ** 2) / N),
    scaling_factor,
    latents=zeta,
    wrong={
        "the deviation": sqrt(Total(k, (zeta - center) ** 2) / N),
        "one fewer": 1 / sqrt(Total(k, (zeta - center) ** 2) / (N - 1)),
    },
)
b = derivation.number("b", "the shift", "shift")
seen = derivation.define("u", c * (w - b), "what the diffusion model sees", "normalize_latent")
back = derivation.chain(
    "The decoder gets back what the encoder gave",
    plus(seen / c, b),
    equals(
        w,
        prose("{seen}", seen=holds(seen, "=", c * (w - b))),
        wrong={"shifted first": (seen + b) / c, "multiplied": plus(c * seen, b)},
    ),
    role="lemma",
)


normalizes = derivation.bridge(
    "The code normalizes",
    c * (w - b),
    normalize_latent,
    latent=[w],
    scale=c,
    shift=b,
    wrong={"scaled before the shift": c * w - b, "divided": (w - b) / c},
)
derivation.bridge(
    "... and takes it back",
    plus(w / c, b),
    denormalize_latent,
    latent=[w],
    scale=c,
    shift=b,
    wrong={"shifted before": (w + b) / c, "multiplied": plus(c * w, b)},
)

derivation.say("A first stage with codes in place of a Gaussian: the decoder gets the nearest code of what the prior draws.")
l = derivation.index("l", "a channel", states=2)  # noqa: E741
point = derivation.numbers("s", l, "the channels at one position", "latent")
one, other = derivation.numbers("g", l, "a code"), derivation.numbers("f", l, "another code")
derivation.chain(
    "Which of two codes is nearer depends linearly on the point",
    plus(SquaredNorm(l, point - one), -SquaredNorm(l, point - other)),
    equals(
        plus(SquaredNorm(l, one), -SquaredNorm(l, other), -2 * Total(l, point * (one - other))),
        "expand; the squares of the point cancel",
        wrong={
            "the codes' lengths forgotten": -2 * Total(l, point * (one - other)),
            "one product": plus(SquaredNorm(l, one), -SquaredNorm(l, other), -Total(l, point * (one - other))),
        },
    ),
    role="lemma",
    so="It is linear in the point: cells of codes have flat walls, and one matrix product finds the nearest code of every "
    "position.",
)
_codes = jnp.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]])


@derivation.exact(
    r"\arg\min_g \sum_l (s_l - g_l)^2",
    because="The code's indices at nine points of a grid around three codes, and every distance compared.",
    outcomes=27,
    role="remark",
)
def nearest_of_three():
    grid = np.stack(np.meshgrid([-0.7, 0.9, 2.4], [-0.4, 1.2, 2.6], indexing="ij"))[None]
    found = quantize_latent(jnp.asarray(grid), _codes)[1][0]
    distances = ((np.moveaxis(grid[0], 0, -1)[..., None, :] - np.asarray(_codes)) ** 2).sum(-1)
    return Sides(
        left=found,
        right=distances.argmin(-1),
        wrong={"the largest product": (np.moveaxis(grid[0], 0, -1) @ np.asarray(_codes).T).argmax(-1)},
    )


H, W = (derivation.number(name, f"the {side} of an image", positive=True) for name, side in (("H", "height"), ("W", "width")))
f = derivation.number("F", "the factor by which the first stage shrinks the sides", positive=True)
places = derivation.define("T", (H / f) * (W / f), "the number of positions of a latent")
derivation.chain(
    "Shrinking the sides by $F$ saves the factor $F^4$ in pairs of positions",
    (H * W) ** 2 / places**2,
    equals(f**4, prose("{places}", places=holds(places, "=", H * W / f**2)), wrong={"of positions": f**2, "of one side": f}),
    role="remark",
    so="There are $F^2$ times fewer positions, and $F^4$ times fewer pairs of them for attention.",
)
derivation.figure(
    prose(
        "What each stage does. Left: the latents of five data (thin lines) and their aggregate. A fixed prior (orange) puts "
        "mass between them, where the decoder was never trained; the second stage learns the aggregate, and leaves of the rate "
        "{rate} the first term. Right: the first stage shortens the work of the second, in pairs of positions by {saved}.",
        rate=holds(Expectation(p, Divergence(q, prior)), "=", plus(information, Divergence(aggregate, prior))),
        saved=holds((H * W) ** 2 / places**2, "=", f**4, named=True, wrong={"of positions": f**2}),
    ),
    panels=2,
)(draw_stages)


def _parts_of_rate(code, prior):
    """I, KL(q(z) || prior) and the rate, of two equally likely data; code: q(z|x), a row for each datum."""
    code, mixed = jnp.log(jnp.array(code)), jnp.log(jnp.array(code).mean(0, keepdims=True))
    prior = jnp.log(jnp.array([prior]))
    return (
        kl_divergence(code, mixed.repeat(2, 0)).mean(),
        kl_divergence(mixed, prior)[0],
        kl_divergence(code, prior.repeat(2, 0)).mean(),
    )


@derivation.example(
    "Two data, equally likely; the encoder gives the first latent with probability 0.9 for one and 0.1 for the other; the prior "
    "is (0.8, 0.2). Then a Gaussian entry, and latents of deviation 5."
)
def two_latents():
    of_datum, of_prior, both = _parts_of_rate([[0.9, 0.1], [0.1, 0.9]], [0.8, 0.2])
    yield information, of_datum, "0.3681"
    yield Divergence(aggregate, prior), of_prior, "0.2231"
    yield Expectation(p, Divergence(q, prior)), both, "0.5912"
    yield r"K \text{ of } \mu = 1, v = 0", latent_kl(jnp.array([[1.0, 0.0]])), "0.5"
    yield (
        r"\text{log-SNR of } D = 5 \text{, shifted by } 2 \log 5",
        -2 * jnp.log(scaling_factor(jnp.array([5.0, -5.0]))),
        "3.2189",
    )


@derivation.algorithm(
    "Two stages",
    do(r"train the autoencoder on reconstructions plus a small price on the rate $K$", latent_kl, by=rate_of_an_entry),
    do(r"freeze it; $z_0 \leftarrow \mu + e^{v/2} \epsilon$ for a batch", sample_latent, by=rate_of_an_entry),
    do(r"$c \leftarrow 1 / D$ of that batch, once", scaling_factor, by=shifted),
    do(r"train a diffusion model on $u = c\, (z_0 - b)$", normalize_latent, by=central),
    do(r"sampling: $u$ from the diffusion model; $z \leftarrow u / c + b$", denormalize_latent, by=back),
    do(r"the image $\leftarrow$ the decoder's of $z$", by=decoded),
)
def two_batches():
    moments = jnp.array([[4.0, 0.0], [-4.0, 0.0]])
    latents = sample_latent(moments, jnp.array([[1.0], [-1.0]]))
    yield r"(\mu, v) = (\pm 4, 0): \quad K", latent_kl(moments), "(8, 8)"
    yield r"z_0 \text{ with } \epsilon = \pm 1", latents.ravel(), "(5, -5)"
    factor = scaling_factor(latents)
    yield "c", factor, "0.2"
    seen_ = normalize_latent(latents, scale=factor)
    yield "u", seen_.ravel(), "(1, -1)"
    yield "u / c + b", denormalize_latent(seen_, scale=factor).ravel(), "(5, -5)"
