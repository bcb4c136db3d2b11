"""Parts of the lecture on waveform diffusion: the code's block, the best factor, an impulse through layers, and the figure."""

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, exp, sqrt, tanh

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import equals
from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.audio_diffusion import conditioned_residual_block, dilated_convolution, sample_noise_level
from theory_jax.diffusion.noise_schedules import linear_alpha_bar


def draws_of_the_level(derivation):
    """Adds to the lecture how training draws its levels; returns the chain on the loss of a piece."""
    derivation.say(r"Training has to visit all levels, not those of a grid. It draws $l$ uniformly from a piece of the grid.")
    u = derivation.number("u", "a uniform number", "u", between=(0, 1))
    low = derivation.number("l_t", "the lower end of the piece", "sqrt(alpha_bar[t])", positive=True)
    width = derivation.number(r"\Delta", "the length of the piece", positive=True)
    derivation.bridge(
        "The code's draw, in the second piece",
        low / (low + 2 * width) + u * width / (low + 2 * width),
        sample_noise_level,
        u=[u],
        t=np.array([2]),
        alpha_bar=[1, ((low + width) / (low + 2 * width)) ** 2, (low / (low + 2 * width)) ** 2],
        wrong={"from the other end": (low + width) / (low + 2 * width) - u * width / (low + 2 * width)},
    )
    g = derivation.number("g", "how far the level is from the middle of the piece")
    p_0, p_1, p_2, p_3 = (
        derivation.number(f"h_{n}", meaning)
        for n, meaning in enumerate(("the loss at the middle of the piece", "its slope", "its curvature", "its third derivative"))
    )
    of_a_piece = derivation.chain(
        "The loss of a piece is that of its middle, up to second order",
        times(1 / width, Integral(p_0 + p_1 * g + p_2 * g**2 / 2 + p_3 * g**3 / 6, (g, -width / 2, width / 2))),
        equals(
            plus(p_0, width**2 * p_2 / 24),
            prose(
                "odd powers vanish, and {even}",
                even=holds(times(1 / width, Integral(g**2, (g, -width / 2, width / 2))), "=", width**2 / 12),
            ),
            wrong={"a twelfth": plus(p_0, width**2 * p_2 / 12)},
        ),
        role="lemma",
        so=r"On a fine grid this is DDPM's loss at the middles of the pieces. Pieces count alike, long or short.",
    )
    a = derivation.number("a", "the squared level")
    derivation.chain(
        "Uniform in the square is a larger level",
        plus(times(1 / ((low + width) ** 2 - low**2), Integral(sqrt(a), (a, low**2, (low + width) ** 2))), -low - width / 2),
        equals(
            width**2 / (6 * plus(2 * low, width)),
            prose(
                "{integral}: a difference of cubes over a difference of squares",
                integral=holds(
                    Integral(sqrt(a), (a, low**2, (low + width) ** 2)), "=", 2 * plus((low + width) ** 3, -(low**3)) / 3
                ),
            ),
        ),
        role="remark",
        so=prose(
            "In the piece $[\\frac12, 1]$ the mean level is {square} in place of $\\frac34$.",
            square=holds(
                plus(low, width / 2, width**2 / (6 * plus(2 * low, width))),
                "=",
                Rational(7, 9),
                when={low: Rational(1, 2), width: Rational(1, 2)},
                named=True,
            ),
        ),
    )
    return of_a_piece


def block_of_the_code(derivation):
    """Adds to the lecture the comparison with the code's gated block."""
    embedding = derivation.number(r"\nu", "the embedding of the level", "embedding")
    heard = derivation.number(r"\gamma", "a band of the spectrogram", "condition")
    x_1 = derivation.number("x_1", "a sample", "x")
    names = {"w_1": "the weight of the first half", "w_2": "... of the second", "b_1": "its bias", "b_2": "the other's"}
    names |= {
        "v_1": "the condition's weight",
        "v_2": "... in the second half",
        "q_1": "the weight of the addition",
        "q_2": "the skip's",
    }
    w_1, w_2, b_1, b_2, v_1, v_2, q_1, q_2 = (derivation.number(name, meaning) for name, meaning in names.items())
    first, second = plus(w_1 * (x_1 + embedding), b_1, v_1 * heard), plus(w_2 * (x_1 + embedding), b_2, v_2 * heard)
    inside = derivation.define("z_1", tanh(first) / (1 + exp(-second)), "the gate's output")
    swapped = tanh(second) / (1 + exp(-first))
    derivation.bridge(
        "The code's block, of one sample, one channel and one band",
        ([[(x_1 + q_1 * inside) / sqrt(2)]], [[q_2 * inside]]),
        conditioned_residual_block,
        x=[[[x_1]]],
        embedding=[[embedding]],
        condition=[[[heard]]],
        weight=[[[w_1]], [[w_2]]],
        bias=[b_1, b_2],
        condition_weight=[[v_1], [v_2]],
        output_weight=[[q_1], [q_2]],
        output_bias=[0, 0],
        dilation=1,
        wrong={
            "halves exchanged": ([[(x_1 + q_1 * swapped) / sqrt(2)]], [[q_2 * swapped]]),
            "without the root": ([[x_1 + q_1 * inside]], [[q_2 * inside]]),
        },
    )


def best_factor(level, variance=4.0):
    """The factor that predicts the noise best at a level, for normal data."""
    return np.sqrt(1 - level**2) / (variance * level**2 + 1 - level**2)


def impulse_response(dilations, length=65):
    """What layers of ones with three taps make of an impulse in the middle."""
    found = jnp.zeros((1, 1, length)).at[0, 0, length // 2].set(1.0)
    for dilation in dilations:
        found = dilated_convolution(found, jnp.ones((1, 1, 3)), jnp.zeros(1), dilation=dilation)
    return found[0, 0]


def draw_curve_and_field(curve, field):
    """The best factor by the level; and the paths to the offsets, for two ways to dilate."""
    levels = np.linspace(0.02, 0.999, 200)
    curve.plot(levels, best_factor(levels), color="gray")
    many = np.sqrt(linear_alpha_bar(num_steps=50, beta_start=1e-4, beta_end=0.2))[1:]
    few = np.linspace(0.95, 0.1, 6)
    curve.plot(many, best_factor(many), "|", color=BLUE, label="50 steps")
    curve.plot(few, best_factor(few), "o", label="6 steps")
    curve.set(xlabel="level $l$", ylabel="best factor $w^*$")
    curve.legend()
    offsets = np.arange(-32, 33)
    for dilations in ((1, 2, 4, 8, 16), (1, 3, 9, 1, 3)):
        field.step(offsets, impulse_response(dilations), where="mid", label=", ".join(map(str, dilations)))
    field.set(xlabel="offset in samples", ylabel="paths")
    field.legend(title="dilations")
