"""Parts of the lecture on the U-Net: group norm, a block's parameters, and the figure."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.notation import Expectation, Variance, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.unet import downsample_average, group_norm, scale_shift_modulation, upsample_nearest
from theory_jax.networks.time_embedding import sinusoidal_time_embedding


def group_norm_part(derivation):
    """Adds to the lecture what group norm forgets; returns two numbers of a group."""
    k = derivation.index("k", "a number of a group: a channel and a pixel", states=2)
    group = derivation.numbers("x", k, "the numbers of a group", "x")
    uniform = derivation.define("g", Rational(1, 2), "the uniform distribution on a group, here of two numbers", over=k, law=True)
    c = derivation.number("c", "a contrast", positive=True)
    b = derivation.number("b", "a brightness")
    eps = derivation.number(r"\varepsilon", "what is added to the variance", "epsilon", positive=True)
    moved = plus(times(c, group), b)
    centered = plus(group, -Expectation(uniform, group))
    derivation.chain(
        "Group norm forgets brightness and contrast",
        plus(moved, -Expectation(uniform, moved)) / sqrt(plus(Variance(uniform, moved), eps)),
        equals(
            times(c, centered) / sqrt(plus(times(c**2, Variance(uniform, group)), eps)),
            "mean and variance of an affine image: the brightness cancels",
            wrong={
                "the brightness kept": (times(c, centered) + b) / sqrt(plus(times(c**2, Variance(uniform, group)), eps)),
                "the contrast not squared": times(c, centered) / sqrt(plus(times(c, Variance(uniform, group)), eps)),
            },
        ),
        equals(
            centered / sqrt(plus(Variance(uniform, group), eps / c**2)),
            prose(
                "divide by $c$: {root}",
                root=holds(
                    sqrt(plus(times(c**2, Variance(uniform, group)), eps)) / c,
                    "=",
                    sqrt(plus(Variance(uniform, group), eps / c**2)),
                ),
            ),
        ),
        so=prose(
            "Nothing depends on how many numbers a group has. So an affine change of a group is a change of $\\varepsilon$, "
            "and for {none} there is none: the result is {same}. What is added to a whole group alike is removed: in a "
            "residual block the time is added to each channel before the second norm, so only differences within a group "
            "arrive, and with one channel a group nothing of the time does.",
            none=where(eps, 0),
            same=holds(
                plus(moved, -Expectation(uniform, moved)) / sqrt(plus(Variance(uniform, moved), eps)),
                "=",
                centered / sqrt(Variance(uniform, group)),
                wrong={"the contrast kept": c * centered / sqrt(Variance(uniform, group))},
                named=True,
            ),
        ),
    )
    x_1 = derivation.number("x_1", "one of two numbers")
    x_2 = derivation.number("x_2", "the other one")
    normed = (x_1 - x_2) / (2 * sqrt((x_1 - x_2) ** 2 / 4 + Rational(1, 10)))
    derivation.bridge(
        "The code's group norm: two groups of two channels, of which the second holds 7 and -3",
        [normed, -normed, 5 / sqrt(25 + Rational(1, 10)), -5 / sqrt(25 + Rational(1, 10))],
        group_norm,
        x=[[x_1, x_2, 7.0, -3.0]],
        weight=np.ones(4),
        bias=np.zeros(4),
        num_groups=2,
        epsilon=0.1,
    )
    derivation.bridge(
        "The code's scale and shift, which act after the norm and reach every channel",
        plus(times(x_1, 1 + c), b),
        scale_shift_modulation,
        x=[[x_1]],
        scale=[[c]],
        shift=[[b]],
    )
    return x_1, x_2


def block(channels=2, width=5, seed=10):
    """A residual block's parameters, drawn."""
    channel, kernel = (channels,), (channels, channels, 3, 3)
    shapes = channel, channel, kernel, channel, (channels, width), channel, channel, channel, kernel, channel
    return [draw(*shape, seed=seed + i, scale=0.5) for i, shape in enumerate(shapes)]


def draw_distances_and_scales(left, right):
    """Inner products by the distance of the times; and the energy of two images by scale."""
    distances = jnp.linspace(-60.0, 60.0, 241)
    for width in (8, 32):
        table = sinusoidal_time_embedding(distances, dim=width, max_period=1000.0)
        left.plot(distances, table @ table[120] / (width / 2), label=f"dim = {width}")
    left.set(xlabel="$t - s$", ylabel="$\\langle e(t), e(s) \\rangle / n$")
    left.legend()
    row, column = np.mgrid[0:32, 0:32] / 32
    images = {"smooth image": np.sin(3 * row) * np.cos(5 * column), "noise": np.random.default_rng(0).normal(size=(32, 32))}
    for offset, (name, image) in zip((-0.2, 0.2), images.items(), strict=True):
        level, shares = jnp.asarray(image)[None, None], []
        for k in range(3):
            smaller = downsample_average(level)
            shares.append(4**k * float(jnp.sum((level - upsample_nearest(smaller)) ** 2)))
            level = smaller
        shares.append(4**3 * float(jnp.sum(level**2)))
        right.bar(np.arange(4) + offset, np.array(shares) / (image**2).sum(), width=0.4, label=name)
    right.set_xticks(range(4), ["lost at 1", "lost at 2", "lost at 3", "kept"])
    right.set(xlabel="at which halving", ylabel="share of the energy")
    right.legend()
