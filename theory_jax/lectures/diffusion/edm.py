"""Preconditioning: what a denoiser's network should see, and what is left for it to learn.

The lecture on the functions of theory_jax/diffusion/edm.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, log, oo, sqrt

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.edm import denoise, edm_loss, loss_weight, noise_levels, preconditioning
from theory_jax.lectures.diffusion._edm import draw_what_is_left

derivation = Derivation(
    module=__name__,
    title="Preconditioning: what a denoiser's network should see, and what is left for it to learn",
    lectures=(27, 28, 29),
    sources=(
        "Karras, Aittala, Aila & Laine 2022, Elucidating the Design Space of Diffusion-Based Generative Models, section 5, "
        "appendix B.6",
        "Salimans & Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models",
    ),
    question="A denoiser meets noise from a hundredth of the data's size to a hundred times it. A network wants inputs, outputs "
    "and losses of size one. Which scalings around it achieve this at every level, and what is then left for the network to "
    "learn?",
    setting=(
        prose(
            r"One entry of the data is $y$, with $\mathbb{E}[y] = 0$ and $\mathbb{E}[y^2] = \sigma_d^2$; the noise $n$ has mean "
            r"0, variance 1, and no correlation with $y$. The network sees $x = y + \sigma n$.",
            said=(r"\mathbb{E}[y] = 0", r"\mathbb{E}[y^2] = \sigma_d^2", r"x = y + \sigma n"),
        ),
        prose(
            r"The denoiser is $D = c_\mathrm{skip}\, x + c_\mathrm{out}\, F(c_\mathrm{in}\, x, c_\mathrm{noise})$ with a network "
            r"$F$, and its loss $\lambda(\sigma)\, (D - y)^2$, for each entry.",
            said=(r"D = c_\mathrm{skip}\, x + c_\mathrm{out}\, F(c_\mathrm{in}\, x, c_\mathrm{noise})",),
        ),
        "Every mean below is of a quadratic expression in $y$ and $n$, so it depends on these moments only: it is computed with "
        "Gaussians, and holds for all distributions that have them. Uses of a density are marked.",
    ),
    limits=(
        "That these scalings train better: the source measured it.",
        r"The distribution of the levels, and $\frac14 \log \sigma$ as what the network is told of the level: both are choices.",
        "The sampler: this lecture is about training alone.",
    ),
)


@derivation.figure(
    r"Left: the factors for data of size $\frac12$; a network that predicts noise multiplies its errors by $\sigma$ (dashed). "
    "Right: the density of the levels at which training looks.",
    panels=2,
)
def factors_and_levels(factors, levels):
    sigma = np.logspace(-3, 2, 101)
    for one, label in zip(preconditioning(jnp.asarray(sigma)), ("skip", "out", "in"), strict=False):
        factors.loglog(sigma, one, label=rf"$c_\mathrm{{{label}}}$")
    factors.loglog(sigma, sigma, "--", color="gray", label=r"$\sigma$")
    factors.set(xlabel=r"$\sigma$", ylabel="factor", ylim=(1e-3, 10))
    factors.legend()
    normals = np.linspace(-3.5, 3.5, 141)
    levels.semilogx(noise_levels(jnp.asarray(normals)), np.exp(-(normals**2) / 2) / np.sqrt(2 * np.pi) / 1.2)
    levels.set(xlabel=r"$\sigma$", ylabel=r"density of $\log \sigma$")


y = derivation.number("y", "an entry of the data", "x0")
n = derivation.number("n", "an entry of the noise", "noise")
sigma = derivation.number(r"\sigma", "the level of the noise", "sigma", positive=True)
size = derivation.number(r"\sigma_d", "the root mean square of the data", "sigma_data", positive=True)
x = derivation.define("x", y + sigma * n, "the noisy entry")
F = derivation.number("F", "the network's output", "network_fn(c_in * x, c_noise)")
skip = derivation.number("c", "any factor of the skip")
out = derivation.number("o", "any factor of the output", positive=True)
weight = derivation.number(r"\lambda", "any weight of the loss", positive=True)
c_in = derivation.define(r"c_\mathrm{in}", 1 / sqrt(sigma**2 + size**2), "the factor of the input", "preconditioning")
c_skip = derivation.define(r"c_\mathrm{skip}", size**2 / (sigma**2 + size**2), "the factor of the skip", "preconditioning")
c_out = derivation.define(
    r"c_\mathrm{out}", sigma * size / sqrt(sigma**2 + size**2), "the factor of the output", "preconditioning"
)
target = derivation.define("t", (y - c_skip * x) / c_out, "what the network should say")


def _mean(body, center=0):
    """Over data of the mean `center` and noise."""
    return Expectation(Normal(y, center, size**2), Expectation(Normal(n, 0, 1), body))


one_of_network = derivation.chain(
    "The denoiser's loss is a regression of the network on a target",
    weight * (skip * x + out * F - y) ** 2,
    equals(
        times(weight * out**2, (F - (y - skip * x) / out) ** 2),
        "take the factor of the output out of the square",
        wrong={"not squared": times(weight * out, (F - (y - skip * x) / out) ** 2)},
    ),
    role="lemma",
    so=prose(
        "So the network regresses on the target {target}, with the weight {weight}.",
        target=(y - skip * x) / out,
        weight=weight * out**2,
    ),
)
derivation.chain(
    r"The factor $c_\mathrm{in}$ makes the variance of the input one",
    _mean((c_in * x) ** 2),
    equals(
        c_in**2 * (size**2 + sigma**2),
        "the moments; $y$ and $n$ are not correlated",
        wrong={"deviations added": c_in**2 * (size + sigma) ** 2},
    ),
    equals(1, prose("{square}", square=holds(c_in**2, "=", 1 / (size**2 + sigma**2))), wrong={"the size of the data": size**2}),
    role="lemma",
)
derivation.chain(
    "The skip that leaves the least to the network is the best linear denoiser, and leaves the square of the output's factor",
    _mean((y - skip * x) ** 2),
    equals(
        plus((1 - skip) ** 2 * size**2, skip**2 * sigma**2),
        prose("{apart}", apart=holds(y - skip * x, "=", plus((1 - skip) * y, -skip * sigma * n))),
    ),
    equals(
        plus((sigma**2 + size**2) * (skip - size**2 / (sigma**2 + size**2)) ** 2, sigma**2 * size**2 / (sigma**2 + size**2)),
        "complete the square",
        wrong={
            "the other share": plus(
                (sigma**2 + size**2) * (skip - sigma**2 / (sigma**2 + size**2)) ** 2, sigma**2 * size**2 / (sigma**2 + size**2)
            )
        },
    ),
    at_least(
        sigma**2 * size**2 / (sigma**2 + size**2),
        prose("leave out the square; equality at {best}", best=where(skip, c_skip)),
        dropping=(sigma**2 + size**2) * (skip - size**2 / (sigma**2 + size**2)) ** 2,
    ),
    equals(c_out**2, r"the definition of $c_\mathrm{out}$", wrong={"not squared": c_out}),
    central=True,
    so=prose(
        "The target {target} has variance one if $o^2$ is the first line. An error of the network reaches the data multiplied by "
        "$o$, which is least at {skip}. There {out} makes the variance {one}.",
        target=(y - skip * x) / out,
        skip=where(skip, c_skip),
        out=where(out, c_out),
        one=holds(_mean(((y - skip * x) / out) ** 2), "=", 1, named=True),
    ),
)
derivation.chain(
    "With these factors and this weight a network that returns 0 has a mean loss of one at every level",
    _mean((c_skip * x - y) ** 2 / c_out**2),
    equals(
        plus((1 - c_skip) ** 2 * size**2, c_skip**2 * sigma**2) / c_out**2,
        prose(
            "the denoiser's loss at {zero} and {inverse}, by the last theorem's first line",
            zero=where(F, 0),
            inverse=where(weight, 1 / c_out**2),
        ),
    ),
    equals(1, "its last line", wrong={"the level": sigma**2}),
    so=prose(
        "With the weight {weight}, which is {sum}, and the skip {skip} and the output {out}, the loss is {loss}. A network that "
        "begins at 0 begins with a mean loss of one for each entry, whatever the level.",
        weight=where(weight, 1 / c_out**2),
        sum=holds(
            1 / c_out**2, "=", plus(1 / sigma**2, 1 / size**2), named=True, wrong={"the variances added": sigma**2 + size**2}
        ),
        skip=where(skip, c_skip),
        out=where(out, c_out),
        loss=holds(weight * (skip * x + out * F - y) ** 2, "=", (F - target) ** 2, named=True),
    ),
)
stable = derivation.chain(
    "The target is a weighted difference of the data and the noise",
    target,
    equals(
        c_in * (sigma * y / size - size * n),
        prose("{rest}, and {out}", rest=holds(1 - c_skip, "=", sigma**2 * c_in**2), out=holds(c_out, "=", sigma * size * c_in)),
        wrong={"the sizes exchanged": c_in * (size * y / sigma - size * n)},
    ),
    role="lemma",
    so=prose(
        "At level 0 the network predicts {noise}, far above the data it predicts {data}, in units of their size: its target is "
        "what it cannot see.",
        noise=holds(Limit(target, sigma, 0), "=", -n, named=True),
        data=holds(Limit(target, sigma, oo), "=", y / size, named=True),
    ),
)


derivation.answer = prose(
    "Input of variance one, target of variance one, the least amplification of the network's errors and a mean loss of one at "
    "the start determine {input}, {skip}, {out} and the weight {weight}. The skip is the best linear denoiser for data of mean "
    "0, so the network learns only what is not Gaussian.",
    input=holds(c_in, "=", 1 / sqrt(sigma**2 + size**2)),
    skip=holds(c_skip, "=", size**2 / (sigma**2 + size**2)),
    out=holds(c_out, "=", sigma * size / sqrt(sigma**2 + size**2)),
    weight=holds(1 / c_out**2, "=", plus(1 / sigma**2, 1 / size**2)),
)
derivation.bridge(
    "The code computes the factors of the skip, of the output and of the input, and what the network is given as the level",
    (c_skip, c_out, c_in, log(sigma) / 4),
    preconditioning,
    sigma=[sigma],
    sigma_data=size,
    wrong={
        "the output's factor not rooted": (c_skip, c_out**2, c_in, None),
        "the input divided by the noise alone": (c_skip, c_out, 1 / sigma, None),
        "the factor inside the logarithm": (c_skip, c_out, c_in, log(4 * sigma)),
    },
)
derivation.bridge(
    "... the weight",
    1 / c_out**2,
    loss_weight,
    sigma=[sigma],
    sigma_data=size,
    wrong={"not squared": 1 / c_out, "of the noise": 1 / sigma**2},
)
slope = derivation.number("k", "the slope of a linear network")
_input, _level = Symbol("u"), Symbol("l")  # a linear network ignores its level
_linear = function_of(_input, _level, slope * _input)
derivation.bridge(
    "... the denoiser, with a linear network",
    c_skip * x + c_out * slope * c_in * x,
    denoise,
    x=[x],
    sigma=[sigma],
    network_fn=_linear,
    sigma_data=size,
)
derivation.bridge(
    "... and the loss, with a linear network",
    (c_skip * x + c_out * slope * c_in * x - y) ** 2 / c_out**2,
    edm_loss,
    x0=[[y]],
    noise=[[n]],
    sigma=[sigma],
    network_fn=_linear,
    sigma_data=size,
    wrong={"the noise multiplied twice": ((c_skip + c_out * slope * c_in) * (y + sigma**2 * n) - y) ** 2 / c_out**2},
)


derivation.say("What is left for the network?")
derivation.chain(
    "Its input is uncorrelated with its target",
    _mean((y - c_skip * x) * x),
    equals(size**2 - c_skip * (size**2 + sigma**2), "the moments"),
    equals(0, r"the definition of $c_\mathrm{skip}$", wrong={"the noise": sigma**2}),
    role="lemma",
    so=prose("So {best} is the best linear denoiser.", best=c_skip * x),
)
z = derivation.number("z", "a noisy value")
derivation.chain(
    "For Gaussian data of mean 0 the skip alone is the best denoiser, and nothing is left for the network",
    plus(z, sigma**2 * Slope(LogDensity(z, 0, sigma**2 + size**2), z)),
    equals(plus(z, -(sigma**2) * z / (sigma**2 + size**2)), "the slope of the logarithm of a Gaussian"),
    equals(c_skip * z, r"the definition of $c_\mathrm{skip}$", wrong={"the other share": (1 - c_skip) * z}),
    so=prose(
        "By Tweedie's formula (the lecture on scores) the first line is the mean of $y$ given the noisy value $z$, the best "
        "denoiser of all. The network's denoiser is that at {zero}: {same}. What a network learns is what distinguishes the data "
        "from a Gaussian of their size.",
        zero=where(F, 0),
        same=holds(c_skip * z + c_out * F, "=", c_skip * z),
    ),
)
derivation.figure(
    prose(
        r"Data $-\frac12$ or $\frac12$. Left: the best denoiser at three levels, and its skip (dashed), which is all of it for "
        "Gaussian data: {gaussian}. Right: what the best network says, thick where its inputs occur, which are of size one. "
        "With little noise it is minus the noise, with much the data, of which the input then tells nearly nothing but what "
        "the skip already knows.",
        gaussian=holds(
            plus(z, sigma**2 * Slope(LogDensity(z, 0, sigma**2 + size**2), z)),
            "=",
            c_skip * z,
            wrong={"the other share": (1 - c_skip) * z},
        ),
    ),
    panels=2,
)(draw_what_is_left)
derivation.chain(
    "The score of such a denoiser is a scaling of the network's output and input, too",
    (c_skip * z + c_out * F - z) / sigma**2,
    equals(
        plus(-z / (sigma**2 + size**2), size * F / (sigma * sqrt(sigma**2 + size**2))),
        prose("{rest}", rest=holds(c_skip - 1, "=", -(sigma**2) / (sigma**2 + size**2))),
    ),
    role="remark",
)
derivation.chain(
    "Errors are never amplified more than by the level",
    sigma**2 - c_out**2,
    equals(sigma**4 / (sigma**2 + size**2), "a common denominator", wrong={"not squared": sigma**2 / (sigma**2 + size**2)}),
    at_least(0, "squares", dropping=sigma**4 / (sigma**2 + size**2)),
    so=prose(
        "A network that predicts the noise alone, with the denoiser {noise}, multiplies its errors by {level}; one that "
        "predicts the data in units of {size} multiplies them by {size} at every level, even near level 0, where {out} is "
        "about the level. Here the factor is below both: {first} and {second}.",
        noise=x - sigma * F,
        out=c_out,
        level=sigma,
        size=size,
        first=holds(c_out, "<", sigma),
        second=holds(c_out, "<", size),
    ),
)
derivation.chain(
    "Near level 0 the denoiser is the identity, with errors of the size of the noise",
    Limit(c_out / sigma, sigma, 0),
    equals(
        Limit(size / sqrt(sigma**2 + size**2), sigma, 0),
        r"the definition of $c_\mathrm{out}$",
        wrong={"the level": Limit(sigma / sqrt(sigma**2 + size**2), sigma, 0)},
    ),
    equals(1, "the root is continuous"),
    role="remark",
)
derivation.chain(
    "Far above the data the network alone answers",
    Limit(c_out, sigma, oo),
    equals(
        Limit(size / sqrt(1 + size**2 / sigma**2), sigma, oo),
        r"divide by $\sigma$",
        wrong={"not divided": Limit(size / sqrt(sigma**2 + size**2), sigma, oo)},
    ),
    equals(size, prose("{ratio}", ratio=holds(Limit(size**2 / sigma**2, sigma, oo), "=", 0))),
    role="remark",
)
share = derivation.define("a", 1 / (1 + sigma**2), "the share of the variance that is signal, for data of size 1")
derivation.chain(
    "With data of size one it is velocity prediction",
    (y - share * x) / (sigma / sqrt(1 + sigma**2)),
    equals(
        plus(sqrt(1 - share) * y, -sqrt(share) * n),
        prose(
            "{skip} and {out} for {unit}; {product}",
            skip=holds(c_skip, "=", share),
            out=holds(c_out, "=", sqrt(1 - share)),
            unit=where(size, 1),
            product=holds(sigma * sqrt(share), "=", sqrt(1 - share)),
        ),
        wrong={
            "the shares exchanged": plus(sqrt(share) * y, -sqrt(1 - share) * n),
            "the sign": plus(sqrt(share) * n, -sqrt(1 - share) * y),
        },
    ),
    role="remark",
    so=prose(
        "Minus the velocity {velocity} of the lecture on parameterizations, at the network's input for {unit}: {input}.",
        velocity=plus(sqrt(share) * n, -sqrt(1 - share) * y),
        unit=where(size, 1),
        input=holds(c_in * x, "=", plus(sqrt(share) * y, sqrt(1 - share) * n)),
    ),
)
mu = derivation.number(r"\mu", r"a mean of the data that is not 0, with $\sigma_d$ their standard deviation")
derivation.chain(
    r"A mean of the data that is left out of $\sigma_d$ raises the loss at the start above one",
    _mean((y - c_skip * x) ** 2 / c_out**2, center=mu),
    equals(
        plus(1, (1 - c_skip) ** 2 * mu**2 / c_out**2),
        prose(
            "the mean of {error} is {mean}, and its variance is that of the theorem",
            error=y - c_skip * x,
            mean=holds(_mean(y - c_skip * x, center=mu), "=", (1 - c_skip) * mu, named=True),
        ),
    ),
    equals(
        plus(1, mu**2 * sigma**2 / (size**2 * (sigma**2 + size**2))),
        prose("{rest}", rest=holds(1 - c_skip, "=", sigma**2 / (sigma**2 + size**2))),
    ),
    role="remark",
    so=r"Where data have a mean, $\sigma_d$ must be their root mean square, not their standard deviation, or "
    "the loss at the start is above one. The digits on $[-1, 1]$ have mean $-0.389$, deviation 0.752 and root mean square "
    "0.847.",
)


@derivation.algorithm(
    "A training step, with the levels of the source",
    do(r"take data $y$, noise $n \sim \mathcal{N}(0, 1)$ and $\xi \sim \mathcal{N}(0, 1)$"),
    do(r"$\sigma \leftarrow e^{-1.2 + 1.2\, \xi}$", noise_levels),
    do(r"$x \leftarrow y + \sigma n$"),
    do(r"$F$ from the network, which sees $c_\mathrm{in}\, x$ and $\frac14 \log \sigma$", preconditioning),
    do(r"a gradient step on $(F - t)^2$ with $t = c_\mathrm{in} (\sigma y / \sigma_d - \sigma_d n)$", edm_loss, by=stable),
    do(
        r"which is $\lambda (D - y)^2$ with $D = c_\mathrm{skip}\, x + c_\mathrm{out} F$", denoise, loss_weight, by=one_of_network
    ),
)
def two_steps():
    y, noise, slope = jnp.full((1, 1), 0.5), jnp.ones((1, 1)), 0.0
    for normal, level, scaled, loss, moved in (
        (1.0, "1.0000", "1.3416", "0.2000", "0.1500"),
        (0.0, "0.3012", "1.3726", "0.2986", "-0.0375"),
    ):
        sigma = noise_levels(jnp.array([normal]))
        x = y + sigma * noise
        start = (
            r"y = \tfrac12, n = 1, \sigma_d = \tfrac12, F = k\, c_\mathrm{in}\, x \text{ from } k = 0: \quad " if normal else ""
        )
        yield rf"{start}\sigma", sigma, level
        yield r"c_\mathrm{in}\, x", preconditioning(sigma)[2] * x, scaled

        def of(slope, sigma=sigma):
            return edm_loss(y, noise, sigma, lambda a, _: slope * a)[0]

        yield r"(F - t)^2", of(slope), loss
        denoised = denoise(x, sigma, lambda a, _, slope=slope: slope * a)
        yield r"\lambda (D - y)^2", loss_weight(sigma) * (denoised - y)[0] ** 2, loss
        slope = slope - jax.grad(of)(slope) / 8
        yield r"k \text{ after a step of } \tfrac18", slope, moved


@derivation.example(
    prose(
        r"{size}, at the levels $\frac12$ and 1; then the noisy entry 1 at level 1, with a network that returns 0.",
        size=where(size, Rational(1, 2)),
    )
)
def two_levels():
    for level, said in ((0.5, ("0.5000", "0.3536", "1.4142", "8")), (1.0, ("0.2000", "0.4472", "0.8944", "5"))):
        found = (*preconditioning(jnp.array([level]))[:3], loss_weight(jnp.array([level])))
        for name, one, words in zip(
            (r"c_\mathrm{skip}", r"c_\mathrm{out}", r"c_\mathrm{in}", r"\lambda"), found, said, strict=True
        ):
            yield rf"{name} \text{{ at level {level:g}}}", one[0], words
    denoised = denoise(jnp.array([[1.0]]), jnp.array([1.0]), lambda a, _: 0 * a)[0, 0]
    yield "D", denoised, "0.2000"
    yield r"(D - x) / \sigma^2", denoised - 1, "-0.8000"
