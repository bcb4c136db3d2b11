"""The forward process: a Gaussian chain that can be entered anywhere.

The lecture on the functions of theory_jax/diffusion/forward_process.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.forward_process import forward_from, forward_log_prob, forward_marginal, forward_sample, forward_step
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.lectures.diffusion._schedules import noised
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The forward process: a Gaussian chain that can be entered anywhere",
    lectures=(24, 25),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 2 and 4",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models, appendix A",
    ),
    question="A diffusion model is trained to undo noise that was added in many small steps. If a training example at step one "
    "thousand needed a thousand random steps, training would be far too slow. Why can the noisy value after any number of "
    "steps be sampled in one jump from the data, and how much of the data is left in it?",
    setting=(
        r"Data $x_0$ are given. Step $t$ shrinks what is there and adds noise: $x_t = \sqrt{\alpha_t}\, x_{t-1} + "
        r"\sqrt{\beta_t}\, \epsilon_t$ with $\beta_t = 1 - \alpha_t$. The noises $\epsilon_1, \epsilon_2, \dots$ are standard "
        r"normal, independent of each other and of $x_0$. So $q(x_t|x_{t-1}) = \mathcal{N}(\sqrt{\alpha_t}\, x_{t-1}, "
        r"\beta_t)$.",
        r"What all steps up to $t$ keep is $\bar\alpha_t = \alpha_1 \alpha_2 \cdots \alpha_t$, with $\bar\alpha_0 = 1$; what "
        r"the steps from $s + 1$ to $t$ keep is $\bar\alpha_t / \bar\alpha_s$. No step keeps all or nothing: every $\alpha_t$ "
        r"is between 0 and 1.",
        r"One coordinate is written. The noise of different coordinates is independent, so for a vector every statement holds "
        r"in each coordinate, with the covariance matrix $I$ in place of 1. Nothing is assumed about the data, except a finite "
        r"variance where a variance is taken.",
    ),
    limits=(
        "For Gaussian data the divergence is shown to fall at least as fast as alpha bar. For other data it is shown to fall, "
        "but a rate needs more (a logarithmic Sobolev inequality).",
        "Data that are single points have an infinite divergence from the standard normal before the first step, and a finite "
        "one after it.",
        "Which curve alpha bar should follow is the subject of the next topic.",
    ),
    trained="The forward process has no parameters. Every experiment of diffusion draws its noisy data with it.",
)

alpha = derivation.number(r"\alpha_t", "the share of the variance that step $t$ keeps", between=(0, 1))
beta = derivation.define(r"\beta_t", 1 - alpha, "the variance of the noise of step $t$", "beta", positive=True)
kept = derivation.number(r"r", r"what the steps $s+1, \dots, t-1$ keep: $\bar\alpha_{t-1} / \bar\alpha_s$", between=(0, 1))
x_s = derivation.number("x_s", "an earlier value", "x_s")
x_prev = derivation.number("x_{t-1}", "the value before step $t$", "x_prev")
x_t = derivation.number("x_t", "the value after step $t$", "x_t")
u = derivation.number("u", r"the argument of the moment generating function $\mathbb{E}[e^{u x_t}]$")
epsilon = derivation.number(r"\epsilon", "standard normal noise", "noise")
ratio = derivation.define(
    r"r'", alpha * kept, r"what the steps $s+1, \dots, t$ keep: $\bar\alpha_t / \bar\alpha_s$", positive=True
)

derivation.say(
    r"The whole topic is one calculation: a Gaussian variable that is shrunk, with Gaussian noise added, is Gaussian again, "
    r"and the variances add. A Gaussian is known by its moment generating function $\mathbb{E}[e^{u x}] = e^{u m + u^2 v / "
    r"2}$, so the distribution of $x_t$ is found by computing this expectation."
)
marginal_law = derivation.chain(
    "Two jumps are one (Chapman-Kolmogorov)",
    Expectation(
        Normal(x_prev, times(sqrt(kept), x_s), 1 - kept), Expectation(Normal(x_t, times(sqrt(alpha), x_prev), beta), exp(u * x_t))
    ),
    equals(
        Expectation(Normal(x_prev, times(sqrt(kept), x_s), 1 - kept), exp(times(u, sqrt(alpha), x_prev) + beta * u**2 / 2)),
        r"the moment generating function of the last step, at a fixed $x_{t-1}$",
        wrong={
            "the standard deviation for the variance": Expectation(
                Normal(x_prev, times(sqrt(kept), x_s), 1 - kept), exp(times(u, sqrt(alpha), x_prev) + sqrt(beta) * u**2 / 2)
            )
        },
    ),
    equals(
        exp(times(u, sqrt(alpha), sqrt(kept), x_s) + plus(alpha * (1 - kept), beta) * u**2 / 2),
        r"the same for $x_{t-1}$, at the argument $u \sqrt{\alpha_t}$: noise that is already there is shrunk by $\alpha_t$, "
        r"and new noise is added",
        wrong={"the signal shrunk by the variance": exp(u * alpha * kept * x_s + plus(alpha * (1 - kept), beta) * u**2 / 2)},
    ),
    equals(
        exp(times(u, sqrt(ratio), x_s) + (1 - ratio) * u**2 / 2),
        prose(
            "{variance}, and {ratio}",
            variance=holds(plus(alpha * (1 - kept), 1 - alpha), "=", 1 - alpha * kept),
            ratio=holds(ratio, "=", alpha * kept),
        ),
        wrong={"the step's own share": exp(u * sqrt(alpha) * x_s + (1 - alpha) * u**2 / 2)},
    ),
    equals(
        Expectation(Normal(x_t, times(sqrt(ratio), x_s), 1 - ratio), exp(u * x_t)),
        r"this is the moment generating function of $\mathcal{N}(\sqrt{r'}\, x_s, 1 - r')$",
        wrong={"the mean without its root": Expectation(Normal(x_t, ratio * x_s, 1 - ratio), exp(u * x_t))},
    ),
    central=True,
    so=r"If $x_{t-1}$ given $x_s$ is $\mathcal{N}(\sqrt{r}\, x_s, 1 - r)$, then $x_t$ given $x_s$ has the same form with $r'$ "
    r"in place of $r$. For $t = s + 1$ the form is the step itself, so by induction it holds for all $s < t$. With $s = 0$: "
    r"$q(x_t|x_0) = \mathcal{N}(\sqrt{\bar\alpha_t}\, x_0, 1 - \bar\alpha_t)$. Nothing in these lines used that $\alpha_t$ "
    r"belongs to a single step, so two jumps of any lengths make one: the closed forms for all pairs of times belong to one "
    r"process. They depend on the ratio $\bar\alpha_t / \bar\alpha_s$ alone.",
)


a_s = derivation.number(r"\bar\alpha_s", "the share of the variance that is signal at time $s$", "alpha_bar[s]", between=(0, 1))
x_0 = derivation.number("x_0", "the data", "x0")
a_t = derivation.number(r"\bar\alpha_t", "the share of the variance that is signal at time $t$", "alpha_bar[t]", between=(0, 1))
jump = noised(a_t, x_0, epsilon)
derivation.answer = prose(
    r"The noisy value is drawn in one jump from the data: {jump} has the mean {mean} and the variance {noise}, given $x_0$. From "
    r"an earlier value $x_s$ it is the same with $\bar\alpha_t / \bar\alpha_s$ in place of $\bar\alpha_t$. For data of unit "
    r"variance the share $\bar\alpha_t$ of the variance is signal and the rest is noise; for any data the divergence from the "
    "standard normal distribution does not rise at any step.",
    jump=means("x_t", jump),
    mean=holds(
        Expectation(Normal(epsilon, 0, 1), jump), "=", times(sqrt(a_t), x_0), named=True, wrong={"without the root": a_t * x_0}
    ),
    noise=holds(Variance(Normal(epsilon, 0, 1), jump), "=", 1 - a_t, named=True, wrong={"its root": sqrt(1 - a_t)}),
)
derivation.bridge(
    "One step of the code",
    plus(times(sqrt(alpha), x_prev), times(sqrt(beta), epsilon)),
    forward_step,
    x_prev=[x_prev],
    t=np.array([2]),
    noise=[epsilon],
    alpha_bar=[1, a_s, a_s * alpha],
    wrong={"the share without its root": alpha * x_prev + beta * epsilon},
)
derivation.bridge(
    "The jump from the data",
    noised(a_t, x_0, epsilon),
    forward_sample,
    x0=[x_0],
    t=np.array([1]),
    noise=[epsilon],
    alpha_bar=[1, a_t],
    wrong={
        "the mean without its root": a_t * x_0 + sqrt(1 - a_t) * epsilon,
        "the variance as the standard deviation": times(sqrt(a_t), x_0) + (1 - a_t) * epsilon,
    },
)
derivation.bridge(
    "The jump from anywhere, which does not depend on where the schedule was before",
    noised(kept, x_s, epsilon),
    forward_from,
    x_s=[x_s],
    s=np.array([1]),
    t=np.array([2]),
    noise=[epsilon],
    alpha_bar=[1, a_s, a_s * kept],
    wrong={"the level in place of the ratio": sqrt(a_s * kept) * x_s + sqrt(1 - a_s * kept) * epsilon},
)
derivation.bridge(
    "Mean and log-variance of the marginal distribution",
    (times(sqrt(a_t), x_0), log(1 - a_t)),
    forward_marginal,
    x0=[x_0],
    t=[1],
    alpha_bar=[1, a_t],
    wrong={"of the standard deviation": (times(sqrt(a_t), x_0), log(1 - a_t) / 2)},
)
derivation.bridge(
    "The density of a jump",
    Normal(x_t, times(sqrt(kept), x_s), 1 - kept).log_density(x_t),
    forward_log_prob,
    x_t=[x_t],
    x_s=[x_s],
    s=np.array([1]),
    t=np.array([2]),
    alpha_bar=[1, a_s, a_s * kept],
    wrong={"the level in place of the ratio": Normal(x_t, sqrt(a_s * kept) * x_s, 1 - a_s * kept).log_density(x_t)},
)

k = derivation.index("k", "one of the values that the data may take")
weight = derivation.law("p", k, "any distribution of the data")
data = derivation.numbers("y", k, "the data's values")
moved = Normal(x_t, sqrt(a_t) * data, 1 - a_t)
derivation.chain(
    "The variance of the data moves to 1",
    plus(Expectation(weight, Expectation(moved, x_t**2)), -(Expectation(weight, Expectation(moved, x_t)) ** 2)),
    equals(
        plus(Expectation(weight, a_t * data**2 + (1 - a_t)), -(Expectation(weight, sqrt(a_t) * data) ** 2)),
        r"mean and second moment of the jump from $y_k$",
    ),
    equals(
        plus(a_t * Variance(weight, data), 1 - a_t),
        "the definition of the variance; a constant is its own expectation",
        wrong={"deviations added, not variances": plus(sqrt(a_t) * Variance(weight, data), 1 - a_t)},
    ),
    equals(plus(1, a_t * (Variance(weight, data) - 1)), "collect what is multiplied by the signal's share"),
    so=r"The distance of the variance from 1 shrinks by $\bar\alpha_t$. Data of unit variance keep it, so a network sees "
    r"inputs of one scale at every step. For vectors take the variance along an eigenvector of the data's covariance $S$: each "
    r"eigenvalue moves to 1 in this way, and $\mathrm{Cov}(x_t) = \bar\alpha_t S + (1 - \bar\alpha_t) I$. Directions of small "
    r"variance are lost in the noise first.",
)

derivation.say(
    "How much is lost? A step is a channel: it treats every input by the same noisy rule. No channel makes two distributions "
    "easier to tell apart, and this one leaves the standard normal as it is. So the divergence from it can only fall. The "
    "lemma is proved for channels between finitely many states; for densities the sums are integrals."
)
i = derivation.index("x", "a state before the channel")
j = derivation.index("y", "a state after it")
q_x = derivation.law("q({})", i, "any distribution before the channel")
p_x = derivation.law("p({})", i, "another one")
kernel = derivation.law(r"\kappa({}|{})", (j, i), "the channel")
q_y = derivation.define("q'({})", Total(i, q_x * kernel), "the first distribution after the channel", over=j, law=True)
p_y = derivation.define("p'({})", Total(i, p_x * kernel), "the second distribution after the channel", over=j, law=True)
q_back = derivation.define(
    "q({}|{})", q_x * kernel / q_y, "by Bayes' rule: the state before, given the one after", over=(i, j), law=True
)
p_back = derivation.define("p({}|{})", p_x * kernel / p_y, "the same under the second distribution", over=(i, j), law=True)
data_processing = derivation.chain(
    "No channel makes two distributions easier to tell apart",
    plus(Divergence(q_x, p_x), -Divergence(q_y, p_y)),
    equals(
        plus(Total(j, Total(i, q_x * kernel * log(q_x * kernel / (p_x * kernel)))), -Divergence(q_y, p_y)),
        r"the channel sums to one over $y$; it would cancel in the ratio, so the ratio is one of joint distributions, too",
    ),
    equals(
        plus(Total(j, Total(i, q_x * kernel * log((q_y * q_back) / (p_y * p_back)))), -Divergence(q_y, p_y)),
        "the joint distribution in the other order, by Bayes' rule",
        wrong={
            "one of the two ratios turned over": plus(
                Total(j, Total(i, q_x * kernel * log((q_y * p_back) / (p_y * q_back)))), -Divergence(q_y, p_y)
            )
        },
    ),
    equals(
        Expectation(q_y, Divergence(q_back, p_back)),
        r"the logarithm of a product: the first factor gives the divergence after the channel, which is subtracted",
        wrong={"averaged under the other distribution": Expectation(p_y, Divergence(q_back, p_back))},
    ),
    at_least(
        0,
        r"leave out divergences (Gibbs); equality if and only if $q(x|y) = p(x|y)$ for all $x$ and $y$",
        dropping=Expectation(q_y, gibbs.at(q_back, p_back)),
        wrong={"a divergence to spare": Expectation(q_y, Divergence(q_back, p_back))},
    ),
    role="lemma",
    about=(q_x, p_x, kernel),
    states=2,
    so=r"For the forward process, with $q$ the distribution of $x_{t-1}$ and $p = \mathcal{N}(0, 1)$, which a step does not "
    r"change: $\mathrm{KL}(q(x_t) \,\|\, \mathcal{N}(0, 1)) \le \mathrm{KL}(q(x_{t-1}) \,\|\, \mathcal{N}(0, 1))$, whatever "
    "the data are. A step can only destroy information.",
)

m = derivation.number("m", "the mean of Gaussian data")
c = derivation.number("c", "their variance", positive=True)
spread = derivation.define("V", plus(1, a_t * (c - 1)), "their variance at time $t$", positive=True)
noise_share = derivation.define(r"\bar\sigma_t^2", 1 - a_t, "the share of the variance that is noise", positive=True)
standard = Normal(x_t, 0, 1)
arrived = Normal(x_t, sqrt(a_t) * m, spread)
gap = derivation.chain(
    "For Gaussian data the divergence falls at least as fast as alpha bar",
    Divergence(arrived, standard),
    equals(
        times(Rational(1, 2), plus(a_t * m**2, spread, -1, -log(spread))),
        r"the expectation of $\log \mathcal{N}(x_t; \sqrt{\bar\alpha_t} m, V) - \log \mathcal{N}(x_t; 0, 1)$ contains the "
        r"first two moments of $x_t$ only",
        wrong={"the mean not squared": plus(a_t * m, spread, -1, -log(spread)) / 2},
    ),
    equals(
        times(a_t / 2, plus(m**2, c, -1, -log(c)))
        - times(Rational(1, 2), plus(a_t * tangent.at(c / spread), noise_share * tangent.at(1 / spread))),
        r"$\log V = \bar\alpha_t \log c - \bar\alpha_t \log\frac{c}{V} - (1 - \bar\alpha_t) \log\frac1V$, and $-\log w = 1 - w "
        r"+ (w - 1 - \log w)$ at both ratios $w$, whose mean with the weights $\bar\alpha_t$ and $1 - \bar\alpha_t$ is 1",
        wrong={
            "the weights exchanged": times(a_t / 2, plus(m**2, c, -1, -log(c)))
            - times(Rational(1, 2), plus(noise_share * tangent.at(c / spread), a_t * tangent.at(1 / spread)))
        },
    ),
    at_most(
        times(a_t / 2, plus(m**2, c, -1, -log(c))),
        prose("add the two gaps of the logarithm; equality if and only if {variance}", variance=where(c, 1)),
        adding=times(Rational(1, 2), plus(a_t * tangent.at(c / spread), noise_share * tangent.at(1 / spread))),
    ),
    so=prose(
        r"The last line is $\bar\alpha_t$ times the divergence of the data themselves: {whole}.",
        whole=holds(Divergence(Normal(x_0, m, c), Normal(x_0, 0, 1)), "=", times(Rational(1, 2), plus(m**2, c, -1, -log(c)))),
    ),
)
derivation.chain(
    "For Gaussian data the divergence is larger the more signal is left",
    Slope(times(Rational(1, 2), plus(a_t * m**2, spread, -1, -log(spread))), a_t),
    equals(
        times(Rational(1, 2), plus(m**2, (c - 1) * (1 - 1 / spread))),
        prose("{slope}", slope=holds(Slope(spread, a_t), "=", c - 1)),
    ),
    equals(
        times(Rational(1, 2), plus(m**2, a_t * (c - 1) ** 2 / spread)),
        prose("{moved}", moved=holds(spread - 1, "=", times(a_t, c - 1))),
        wrong={"c not squared": plus(m**2, a_t * (c - 1) / spread) / 2},
    ),
    at_least(
        0,
        prose("leave out two squares; equality only for {mean} and {variance}", mean=where(m, 0), variance=where(c, 1)),
        dropping=times(Rational(1, 2), plus(m**2, a_t * (c - 1) ** 2 / spread)),
    ),
    role="remark",
)


@derivation.algorithm(
    "Noisy data at a random time, as every training step draws them",
    do(r"take data $x_0$, a time $t$ and noise $\epsilon \sim \mathcal{N}(0, 1)$"),
    do(r"$x_t \leftarrow \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$", forward_sample, by=marginal_law),
    do("or, with the same distribution, step by step: for $s = 1, \\dots, t$:"),
    do(r"$x_s \leftarrow \sqrt{\alpha_s}\, x_{s-1} + \sqrt{1 - \alpha_s}\, \epsilon_s$", forward_step, indent=1),
)
def both_ways():
    levels, x = jnp.array([1.0, 0.81, 0.5184]), jnp.array([2.0])
    jumped = forward_sample(x, np.array([2]), jnp.array([1.0]), levels)
    first = forward_step(x, np.array([1]), jnp.array([1.0]), levels)
    yield r"x_0 = 2, t = 2, \epsilon = 1: \quad x_2", jumped, "2.134"
    yield r"\text{by steps, } \epsilon_1 = 1: \quad x_1", first, "2.2359"
    yield r"\epsilon_2 = 0: \quad x_2", forward_step(first, np.array([2]), jnp.array([0.0]), levels), "1.7887"


@derivation.example(r"Two steps, $\beta_1 = 0.19$ and $\beta_2 = 0.36$, so $\bar\alpha_1 = 0.81$ and $\bar\alpha_2 = 0.5184$.")
def two_steps():
    levels = jnp.array([1.0, 0.81, 0.5184])
    mean, log_var = forward_marginal(jnp.array([2.0]), np.array([2]), levels)
    yield r"\text{mean and variance of}\ q(x_2|x_0 = 2)", (mean[0], jnp.exp(log_var)[0]), "(1.44, 0.4816)"
    yield r"\bar\alpha_2 / \bar\alpha_1", levels[2] / levels[1], "0.64"
    falling = [value(Divergence(arrived, standard), {m: 0, c: 4, a_t: level}) for level in (1, 0.81, 0.5184)]
    yield r"\mathrm{KL}\ \text{of data}\ \mathcal{N}(0, 4)\ \text{at}\ t = 0, 1, 2", falling, "(0.8069, 0.5987, 0.3085)"
    yield r"\bar\alpha_2\ \text{times the first}", 0.5184 * falling[0], "0.4183"


MOMENTS = (0, 3, 8, 14, 20, 30)


@derivation.figure(
    "An image of 256 pixels, each 1 or $-1$, becomes noise: from one frame to the next in a single jump. Left: the image, and "
    r"the share $\bar\alpha_t$ of signal. Right: how the values of its pixels are distributed, and the density of the closed "
    "form. Two spikes move to 0 and widen, until they are one bell: the standard normal density (gray, dashed).",
    panels=2,
    frames=[f"$t = {moment}$" for moment in MOMENTS],
)
def image_becomes_noise(image, histogram, moment):
    alpha_bar, now = linear_alpha_bar(num_steps=30, beta_start=0.01, beta_end=0.3), MOMENTS[moment]
    rng, across = np.random.default_rng(0), np.arange(16) - 7.5
    radius = np.hypot(*np.meshgrid(across, across))
    pixels = np.where((radius > 2.5) & (radius < 6.5), 1.0, -1.0)[None]
    bright = (pixels > 0).mean()
    for start, end in zip(MOMENTS[:moment], MOMENTS[1:], strict=False):
        pixels = forward_from(pixels, np.array([start]), np.array([end]), rng.standard_normal((1, 16, 16)), alpha_bar)
    image.imshow(pixels[0], cmap="gray", vmin=-2, vmax=2)
    image.set(xlabel="column of pixels", ylabel="row", title=rf"$\bar\alpha_t = {alpha_bar[now]:.3f}$", xticks=[], yticks=[])
    line = np.linspace(-3.5, 3.5, 71)
    histogram.hist(np.asarray(pixels).ravel(), bins=line[::2], density=True, alpha=0.35)
    histogram.plot(line, np.exp(-(line**2) / 2) / math.sqrt(2 * math.pi), "--", color="gray", linewidth=1)
    if now:
        reached = [
            jnp.exp(forward_log_prob(jnp.asarray(line), jnp.full(71, point), np.zeros(71, int), np.full(71, now), alpha_bar))
            for point in (1.0, -1.0)
        ]
        histogram.plot(line, bright * reached[0] + (1 - bright) * reached[1], color=BLUE)
    histogram.set(xlim=(-3.5, 3.5), ylim=(0, 1.2), xlabel="$x_t$", ylabel="density")


@derivation.figure(
    r"Left: twenty paths of thirty steps from $x_0 = 2$, with the band $\sqrt{\bar\alpha_t}\, x_0 \pm 2 \sqrt{1 - "
    r"\bar\alpha_t}$ that the marginal distribution predicts. Right: the density of $x_t$ for data that are $-2$ or $2$: two "
    "spikes merge into one bell.",
    panels=2,
)
def paths_and_densities(left, right):
    alpha_bar, times_ = linear_alpha_bar(num_steps=30, beta_start=0.01, beta_end=0.3), np.arange(31)
    noises = jax.random.normal(jax.random.key(3), (30, 20), dtype=float)
    path = [jnp.full(20, 2.0)]
    for t in range(1, 31):
        path.append(forward_step(path[-1], np.full(20, t), noises[t - 1], alpha_bar))
    left.plot(times_, np.stack(path), color="gray", linewidth=0.5)
    mean, log_var = forward_marginal(jnp.full(31, 2.0), times_, alpha_bar)
    left.plot(times_, mean, label="mean")
    left.fill_between(times_, mean - 2 * jnp.exp(log_var / 2), mean + 2 * jnp.exp(log_var / 2), alpha=0.3, label="two deviations")
    left.set(xlabel="$t$", ylabel="$x_t$")
    left.legend()
    line = np.linspace(-4, 4, 161)
    for t in (1, 4, 10, 30):
        log_probs = [
            forward_log_prob(jnp.asarray(line), jnp.full(161, point), np.full(161, 0), np.full(161, t), alpha_bar)
            for point in (-2.0, 2.0)
        ]
        right.plot(line, np.exp(log_probs).mean(axis=0), label=f"$t = {t}$")
    right.set(xlabel="$x_t$", ylabel="density", ylim=(0, 0.8))
    right.legend()


cross = derivation.number("z", "standard normal noise, next to $\\epsilon$")
