"""Exercises of the lecture: WaveNet: codes in proportion to loudness, and a past that doubles with every layer."""

import math

import sympy

from theory_jax.autoregressive.wavenet import receptive_field
from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.wavenet import _predicted, delta, derivation, mu, z


@derivation.exercise(
    "How many layers with two taps and doubling dilations hear 64 ms at 8000 samples a second?",
    "512 samples, which is $2^9$: 9 layers.",
    level="easy",
    hint="How many samples are that, and which power of two?",
)
def layers_for_64_milliseconds():
    yield 0.064 * 8000, "512"
    yield receptive_field(kernel_size=2, dilations=[2**n for n in range(9)]), "512"


@derivation.exercise(
    "With 256 levels, what is the bound of the error at the samples 0 and 1? Equal cells have errors of up to 1/255 "
    "everywhere: above which loudness is the bound of mu-law larger?",
    "8.62e-5 at 0 and 0.0221 at 1. The bound exceeds 1/255 above 0.1745: loud samples pay for quiet ones.",
    level="easy",
    hint="The bound is linear in the loudness.",
)
def quiet_and_loud_errors():
    loudness = sympy.Symbol("x", positive=True)
    bound = times((1 + mu * loudness) / mu, (1 + mu) ** delta - 1).subs({mu: 255, delta: sympy.Rational(1, 255)})
    for sample, said in ((0, "8.62e-5"), (1, "0.0221")):
        yield float(bound.subs(loudness, sample)), said
    yield float(sympy.solve(bound - sympy.Rational(1, 255), loudness)[0]), "0.1745"


@derivation.exercise(
    r"Three taps and the dilations 1, 3 and 9: what is the receptive field, and is any delay missed?",
    prose(
        "It is {field}. None is missed: {product} has 27 coefficients that are 1, as a number has one form in base 3.",
        field=holds(plus(1, times(2, 13)), "=", 27),
        product=holds(times(1 + z + z**2, 1 + z**3 + z**6, 1 + z**9 + z**18), "=", (1 - z**27) / (1 - z)),
    ),
    level="medium",
    hint="Write a delay in base 3.",
)
def base_three():
    yield receptive_field(kernel_size=3, dilations=(1, 3, 9)), "27"
    product = (1 + z + z**2) * (1 + z**3 + z**6) * (1 + z**9 + z**18)
    yield sympy.expand(product * (1 - z)), 1 - z**27


@derivation.exercise(
    "Where does the signal-to-noise ratio of 16 levels end for loud sines, in decibels?",
    r"At $10 \log_{10} \frac{3 \cdot 225}{\ln^2 16}$, or 19.44, dB, if $\mu A$ were large; at the amplitude 1 the formula gives "
    "18.72 dB.",
    level="medium",
    hint="Let the amplitude go to infinity in the formula first.",
)
def sixteen_levels():
    yield 10 * math.log10(3 * 225 / math.log(16) ** 2), "19.44"
    yield _predicted(1.0, 15), "18.72"


@derivation.exercise(
    "WaveNet repeats its dilations. A stack of two taps has the dilations 1, 2, 4, 8 and again 1, 2, 4, 8. What is its "
    "receptive field, which delays has it along how many paths, and what would the dilations 1, 2, ..., 128 have with as many "
    "layers? What is gained by repeating?",
    "The field is 31, against 256. The delay $n$ is reached along $n + 1$ paths up to the delay 15, which has 16 of them, and "
    "along fewer again up to the delay 30, which has one. A path passes two blocks of dilations, so what is combined in the "
    "first block is combined again: the network is deeper for the same past, at the price of a shorter one.",
    level="hard",
    hint="Square the polynomial of one block.",
)
def repeated_dilations():
    block = sympy.prod([1 + z ** (2**n) for n in range(4)])
    paths = sympy.Poly(sympy.expand(block**2), z).all_coeffs()
    yield len(paths), "31"
    yield receptive_field(kernel_size=2, dilations=[2**n for n in range(8)]), "256"
    yield paths[15], "16"
    yield sum(abs(count - min(n + 1, 31 - n)) for n, count in enumerate(paths)), sympy.Integer(0)
