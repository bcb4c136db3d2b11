"""Guided predictions: several conditions, rescaling, and two examples, data that are -1 or 1, and Gaussian data."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import Expectation, LogDensity, Slope, Total, plus, times
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.classifier_free_guidance import compose, guide, rescale
from theory_jax.diffusion.classifier_guidance import class_log_probs
from theory_jax.diffusion.score_prediction import diffused_mixture, mixture_log_prob, mixture_score
from theory_jax.lectures.diffusion._two_points import best_noise


def two_points(x, level):
    """The best predictions of the noise for data that are -1 or 1, with the condition "positive" and without."""
    return (x - math.sqrt(level)) / math.sqrt(1 - level), best_noise(x, level)


def drawn_variances(w, r):
    """Variances of what is meant, of what the flow draws, and of what random steps draw."""
    return (1 - r) / (1 + (w - 1) * r), (1 - r) ** w, ((1 - r) - (1 - r) ** (2 * w)) / ((2 * w - 1) * r)


def draw_scales(left, right):
    """The three variances by the scale; and the data that guided predictions imply."""
    scale = np.linspace(1, 8, 71)
    names = ("meant", "flow", "random steps")
    for variances, style, name in zip(drawn_variances(scale, 0.5), ("-", "--", ":"), names, strict=True):
        left.semilogy(scale, variances, linestyle=style, label=name)
    left.set(xlabel="$w$", ylabel="variance")
    left.legend()
    line = jnp.linspace(-2, 2, 121)
    for w in (0.0, 1.0, 2.0, 4.0):
        noise = guide(*two_points(line, 0.52), scale=w)
        right.plot(line, (line - math.sqrt(0.48) * noise) / math.sqrt(0.52), label=f"$w = {w:g}$")
    right.set(xlabel="$x_t$", ylabel="implied data")
    right.legend()


SCALES, ONE = (1.0, 3.0, 8.0), np.array([1])
CENTERS = jnp.array([[0.0, 1.0], [0.9, -0.5], [-0.9, -0.5]])  # of three classes in the plane, with the variance 0.16


def draw_guided_samples(*panels):
    """Samples of the first of three classes with exact scores, without new noise, at three scales of the guidance."""
    count, steps = 120, 12
    shares = np.linspace(0.01, 0.99, steps) ** 2
    scale = np.repeat(SCALES, count)[:, None]
    x = np.tile(np.random.default_rng(8).standard_normal((count, 2)), (3, 1))
    for now, then in zip(shares, (*shares[1:], 1.0), strict=True):
        means, log_vars = (part[0] for part in diffused_mixture(CENTERS, jnp.full(3, math.log(0.16)), ONE, np.array([1.0, now])))
        parts = (means[:1], log_vars[:1], jnp.zeros(1)), (means, log_vars, jnp.full(3, -math.log(3)))
        noises = [-math.sqrt(1 - now) * mixture_score(jnp.asarray(x), *part) for part in parts]
        noise = np.asarray(guide(*noises, scale=scale))
        data = (x - math.sqrt(1 - now) * noise) / math.sqrt(now)
        x = math.sqrt(then) * data + math.sqrt(1 - then) * noise
    angle = np.linspace(0, 2 * np.pi, 61)
    for panel, found, w in zip(panels, x.reshape(3, count, 2), SCALES, strict=True):
        for number, center in enumerate(np.asarray(CENTERS)):
            ring = center + 0.8 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            panel.plot(*ring.T, color="gray" if number else "C1", linewidth=1)
        panel.plot(*found.T, ".", markersize=3, color="C0")
        panel.set(xlabel="$x_1$", ylabel="$x_2$", title=f"scale {w:g}", xlim=(-2.2, 2.2), ylim=(-1.6, 3.2), aspect="equal")


def several_conditions(derivation, unconditional):
    """Adds to the lecture when the differences of several conditions may be added."""
    derivation.say(
        r"Several conditions at once: may their differences simply be added? Their sum is the slope of $\log q_t(y_1|x)\, "
        r"q_t(y_2|x)$, where that of $\log q_t(y_1, y_2|x)$ is wanted. With the scale 1 the sum is exact where the ratio of "
        "the two does not depend on $x$, in particular if the conditions are independent given $x_t$. That they are so given "
        "the data is not enough:"
    )
    n = derivation.index("n", "one of the values that the data may take")
    j = derivation.index("j", "another one")
    P = derivation.law("P", n, "the distribution of the data, given the noisy value $x$")
    rho = derivation.numbers(r"\rho", n, "the probability of the first condition, given the data")
    rho_2 = derivation.numbers(r"\rho'", n, "the probability of the second condition, given the data")
    derivation.chain(
        "Conditions that are independent given the data need not be so given the noisy value",
        plus(Expectation(P, rho * rho_2), -times(Expectation(P, rho), Expectation(P, rho_2))),
        equals(
            Total(n, Total(j, P * P.at(j) * (rho - rho.at(j)) * (rho_2 - rho_2.at(j)))) / 2,
            prose("multiply out; {one}", one=holds(Total(n, P), "=", 1)),
        ),
        so=prose(
            "If the conditions are independent given $x_0$, the first line is $q_t(y_1, y_2|x) - q_t(y_1|x)\\, q_t(y_2|x)$. "
            "For two points it is {two}: not zero if both conditions tell the points apart. It is zero if $x_0$ consists of "
            "independent blocks and each condition sees another block.",
            two=P.at(0) * P.at(1) * (rho.at(0) - rho.at(1)) * (rho_2.at(0) - rho_2.at(1)),
        ),
        role="remark",
    )
    i = derivation.index("i", "one of several conditions")
    each = derivation.numbers("c", i, "the predictions with these conditions", "conditionals")
    scales = derivation.numbers("w", i, "their scales, which may be negative", "scales")
    derivation.bridge(
        "The code's composition",
        plus(unconditional, Total(i, times(scales, plus(each, -unconditional)))),
        compose,
        conditionals=[[each.at(condition)] for condition in range(4)],
        unconditional=[unconditional],
        scales=scales,
    )


def rescaling(derivation):
    """Adds to the lecture that a guided prediction can be given the spread of the conditional one."""
    pixel = derivation.index("d", "an entry of an image")
    D = derivation.count(pixel, "D", "how many there are")
    g = derivation.numbers("g", pixel, "a guided image", "guided")
    image = derivation.numbers("a", pixel, "the conditional one", "conditional")
    spread = derivation.define(
        "v_g", Total(pixel, (g - Total(pixel, g) / D) ** 2) / D, "the variance over the entries", positive=True
    )
    wanted = derivation.define(
        "v_a", Total(pixel, (image - Total(pixel, image) / D) ** 2) / D, "the same of the conditional one", positive=True
    )
    ratio = derivation.define(r"\lambda", sqrt(wanted / spread), "the ratio of the deviations", positive=True)
    derivation.chain(
        "Rescaling gives the conditional spread back",
        Total(pixel, (times(ratio, g) - Total(pixel, times(ratio, g)) / D) ** 2) / D,
        equals(
            ratio**2 * spread,
            "a constant factor leaves the mean and, squared, the variance",
            wrong={"not squared": ratio * spread},
        ),
        equals(wanted, prose("{definition}", definition=holds(ratio**2, "=", wanted / spread))),
        role="remark",
        sizes={pixel: 2},
        so="Guidance makes predictions larger, and pictures oversaturate. The code mixes this with the guided image.",
    )
    derivation.bridge(
        "The code's mixture of both, seven parts to three",
        g * plus(times(Rational(7, 10), ratio), Rational(3, 10)),
        rescale,
        guided=[g],
        conditional=[image],
        mix=0.7,
        wrong={"the ratio of the variances": g * (7 * ratio**2 + 3) / 10},
    )


def random_steps(derivation, r, w):
    """Adds to the lecture what a sampler with random steps draws; returns its variance, 2w - 1 and the squared level."""
    v = derivation.number("v", r"the squared level, $\varsigma^2$", positive=True)
    double = derivation.number("o", r"$2w - 1$, for a scale above $\frac12$", positive=True)
    power = times(plus(1, -r, v) ** (1 + double), plus(1, v) ** (1 - double))
    plain = times(plus(1, -r, v), plus(1, v))
    rate = plus((1 + double) / plus(1, -r, v), (1 - double) / plus(1, v))
    random = derivation.define("V", plus(plain, -power) / times(double, r), "a variance")
    derivation.chain(
        "A sampler with randomness draws from a third distribution",
        Slope(random, v),
        equals(
            plus(times(rate, random), -1),
            prose(
                "the product rule; {powers}, and the first product leaves {left}",
                powers=holds(Slope(power, v), "=", times(rate, power)),
                left=holds(
                    plus(Slope(plain, v), -times(rate, plain)), "=", -double * r, wrong={"the sign": double * r}, named=True
                ),
            ),
        ),
        role="remark",
        so=prose(
            "With small random steps, as $v$ falls by $dv$, $z$ moves by the guided score times $dv$ and receives noise of "
            "variance $dv$: its variance satisfies this equation, since {scale} gives {one} and {other}. At high levels $V / "
            "v$ tends to 1, as for pure noise. So what is drawn has the variance {drawn}. The scale is a parameter of an "
            "algorithm, not the power of a posterior.",
            scale=where(w, (1 + double) / 2),
            one=holds(1 + double, "=", 2 * w),
            other=holds(1 - double, "=", 2 * (1 - w)),
            drawn=holds(
                random,
                "=",
                plus(1 - r, -((1 - r) ** (1 + double))) / times(double, r),
                when={v: 0},
                wrong={"the flow's": (1 - r) ** w},
                named=True,
            ),
        ),
    )
    return random, double, v


def scaled_gaussians(derivation, x, w):
    """Adds to the lecture what the scale does to Gaussians; returns their mean, their variance, and the precision."""
    m = derivation.number("m", "the mean of the conditional distribution")
    s = derivation.number("S", "its variance", positive=True)
    precision = derivation.define(r"\Lambda", plus(w / s, 1, -w), "the precision of the guided distribution, where positive")
    derivation.say(
        r"What does the scale do? Let the distribution without condition be $\mathcal{N}(0, 1)$ and with it $\mathcal{N}(m, "
        "S)$, at one level."
    )
    line = derivation.chain(
        "The guided score of Gaussians is a line",
        plus(times(1 - w, Slope(LogDensity(x, 0, 1), x)), times(w, Slope(LogDensity(x, m, s), x))),
        equals(
            plus(-times(1 - w, x), times(w, m - x) / s),
            "the scores of the two Gaussians",
            wrong={"the deviation for the variance": plus(-times(1 - w, x), times(w, m - x) / sqrt(s))},
        ),
        equals(
            plus(w * m / s, -precision * x),
            r"collect $x$: its factor is $-\Lambda$",
            wrong={"the mean not scaled": times(precision, plus(m, -x))},
        ),
        so=prose(
            "If $\\Lambda$ is positive, this is the score of a Gaussian: {line} with the mean {mean} and the variance "
            "$1 / \\Lambda$. Otherwise it is that of no distribution.",
            line=holds(plus(w * m / s, -precision * x), "=", Slope(LogDensity(x, w * m / (s * precision), 1 / precision), x)),
            mean=w * m / (s * precision),
        ),
        role="lemma",
    )
    derivation.chain(
        "The guided Gaussian is sharper, if the condition is, and farther out",
        Matrix([plus(precision, -1 / s), plus(w * m / s, -precision * m)]),
        equals(
            Matrix([times(w - 1, plus(1 / s, -1)), times(w - 1, m)]),
            prose("{definition}; $w - 1$ is a common factor of both", definition=holds(precision, "=", plus(w / s, 1, -w))),
            wrong={"the other convention": Matrix([times(w, plus(1 / s, -1)), times(w, m)])},
        ),
        uses=(line,),
        so=prose(
            "The second row is $\\Lambda$ times what the guided mean has more than the conditional one: {mean} where "
            "$\\Lambda$ is positive. For $S$ below 1 and $w$ above 1 the guided distribution is strictly narrower than the "
            "conditional one, and its mean is strictly beyond $m$ unless that is 0. A condition of the data has $q_t(x|y)$ of "
            "at most $q_t(x) / q(y)$ everywhere, so its $S$ is below 1, or both distributions are the same. A negative prompt "
            "in the place of $u$ is no such condition. At {one} the result has the variance {same} and the mean {far}; for $S$ "
            "and $w$ above 1 it is wider than the conditional one up to the scale {end}, where $\\Lambda$ is {zero}, and from "
            "there on there is none.",
            mean=holds(
                w * m / (s * precision), "=", plus(m, (w - 1) / precision * m), wrong={"other convention": m + w * m / precision}
            ),
            one=means("S", 1),
            same=holds(1 / precision, "=", 1, when={s: 1}, named=True),
            far=holds(w * m / (s * precision), "=", w * m, when={s: 1}, named=True),
            end=s / (s - 1),
            zero=holds(precision, "=", 0, when={w: s / (s - 1)}, named=True),
        ),
    )
    return m, s, precision


def draw_tilted_densities(left, right):
    """Densities of a class that are sharpened by scales; and the variances of the two orders of sharpening and noising."""
    line = jnp.linspace(-4, 4, 161)
    means, log_vars, log_weights = jnp.array([[1.0], [-1.0]]), jnp.log(jnp.array([0.5, 0.5])), jnp.full(2, -math.log(2))
    alpha_bar, ones = jnp.array([1.0, 0.7]), np.full(161, 1)
    log_density = mixture_log_prob(line[:, None], *diffused_mixture(means, log_vars, ones, alpha_bar), log_weights)
    log_class = class_log_probs(line[:, None], ones, means, log_vars, log_weights, alpha_bar)[:, 0]
    left.fill_between(line, jnp.exp(log_density), color="gray", alpha=0.3)
    for scale in (1, 3, 8):
        tilted = jnp.exp(log_density + scale * log_class)
        left.plot(line, tilted / tilted.sum() / 0.05, label=f"$w = {scale}$")
    left.set(xlabel="$x$", ylabel="density")
    left.legend()
    level = np.linspace(0, 1, 101)
    right.plot(level, (1 - 0.75 * level) / (1 + 1.5 * level), label="sharpened last")
    right.plot(level, level * 0.25 / 2.5 + 1 - level, linestyle="--", label="noised last")
    right.set(xlabel=r"$\bar\alpha_t$", ylabel="variance")
    right.legend()
