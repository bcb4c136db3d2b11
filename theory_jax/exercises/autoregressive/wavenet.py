"""Exercises of the lecture: WaveNet: codes in proportion to loudness, and a past that doubles with every layer."""

import math

import sympy

from theory_jax.autoregressive.wavenet import receptive_field
from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.wavenet import _predicted, derivation, z


@derivation.exercise(
    "How many layers with two taps and doubling dilations hear 64 ms at 8000 samples a second?",
    "512 samples, which is $2^9$: 9 layers.",
)
def layers_for_64_milliseconds():
    yield 0.064 * 8000, "512"
    yield receptive_field(kernel_size=2, dilations=[2**n for n in range(9)]), "512"


@derivation.exercise(
    r"Three taps and the dilations 1, 3 and 9: what is the receptive field, and is any delay missed?",
    prose(
        "It is {field}. None is missed: {product} has 27 coefficients that are 1, as a number has one form in base 3.",
        field=holds(plus(1, times(2, 13)), "=", 27),
        product=holds(times(1 + z + z**2, 1 + z**3 + z**6, 1 + z**9 + z**18), "=", (1 - z**27) / (1 - z)),
    ),
)
def base_three():
    yield receptive_field(kernel_size=3, dilations=(1, 3, 9)), "27"
    product = (1 + z + z**2) * (1 + z**3 + z**6) * (1 + z**9 + z**18)
    yield sympy.expand(product * (1 - z)), 1 - z**27


@derivation.exercise(
    "Where does the signal-to-noise ratio of 16 levels end for loud sines, in decibels?",
    r"At $10 \log_{10} \frac{3 \cdot 225}{\ln^2 16}$, or 19.44, dB, if $\mu A$ were large; at the amplitude 1 the formula gives "
    "18.72 dB.",
)
def sixteen_levels():
    yield 10 * math.log10(3 * 225 / math.log(16) ** 2), "19.44"
    yield _predicted(1.0, 15), "18.72"
