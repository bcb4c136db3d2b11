"""Exercises of the lecture: Multi-scale flows: half of the variables leave early."""

import math

import numpy as np
from sympy import Integer, Rational, log

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.multiscale import split_prior_log_prob, squeeze
from theory_jax.lectures.flows.multiscale import L, derivation, gain, rho


@derivation.exercise(
    "Where does the entry of channel 2, row 1, column 0 go?",
    r"To channel $4 \cdot 2 + 2 \cdot 1 + 0$, that is 10, row 0, column 0.",
    level="easy",
    hint="A row or a column is divided by 2 with remainder; the remainders go into the channel.",
)
def channel_ten():
    image = np.zeros((1, 3, 2, 2))
    image[0, 2, 1, 0] = 1
    yield np.argmax(squeeze(image)), "10"


@derivation.exercise(
    "Three levels: what do the 1x1 convolutions cost with splits, and without, in units of $C^2 N$?",
    "12 and 84.",
    level="easy",
    hint="Every level costs the same with splits, and four times the one before without.",
)
def three_levels():
    yield value(4 * L, {L: 3}), "12"
    yield value(Rational(4, 3) * (4**L - 1), {L: 3}), "84"


@derivation.exercise(
    r"Two halves are normal with correlation 0.8. How many nats does a prior lose that ignores the kept half?",
    prose("It loses {loss}, or 0.5108.", loss=holds(gain, "=", log(Rational(5, 3)), when={rho: Rational(4, 5)}, named=True)),
    level="easy",
    hint="What is lost is the mutual information of the halves.",
)
def a_correlation():
    yield value(-log(1 - rho**2) / 2, {rho: Rational(4, 5)}), "0.5108"


@derivation.exercise(
    "A color image (red, green, blue) is squeezed once, and the first half of the channels stays, with no layer before the "
    "split. How many of the entries of red, green and blue in a block of two by two pixels stay, and which ones of green?",
    "Of red, green and blue (4, 2, 0) stay: all of red, and the upper row of green; blue leaves at once. A fixed order of "
    "channels treats the colors unequally, so the layers before the split should mix channels.",
    level="medium",
    hint="The four entries of one color become neighboring channels; of twelve channels, six stay.",
)
def what_stays_of_the_colors():
    color, row = np.meshgrid(np.arange(3.0), np.arange(2.0), indexing="ij")
    color, row = (np.repeat(which[None, :, :, None], 2, axis=3) for which in (color, row))
    stays = np.ravel(squeeze(color)[0, :6])
    yield [np.count_nonzero(stays == which) for which in range(3)], "(4, 2, 0)"
    yield np.max(np.ravel(squeeze(row)[0, :6])[stays == 1]), Integer(0)


@derivation.exercise(
    "The half that stays has two values with equal chances; given them, the half that leaves is normal with the variance 1 or 4. "
    "Samples are drawn with the noise of the leaving half scaled by one half, and all else as it was. Someone calls this the "
    "distribution whose density is proportional to the fourth power. Which probability has the first value there, and which in "
    "the samples?",
    "0.8889 there, and 0.5 in the samples. The integral of the fourth power of a normal density falls as the variance to the "
    "power $-3/2$, so the first value gets 8 times the weight of the second. Scaled noise narrows each half by itself and "
    "leaves the weights alone.",
    level="hard",
    hint="Integrate the fourth power of the joint density over the half that leaves, for each of the two values.",
)
def half_the_temperature():
    b = np.linspace(-30, 30, 60001)
    powers = []
    for variance in (1.0, 4.0):
        log_prob = split_prior_log_prob(
            np.stack([0 * b, b], axis=1), lambda a: 0 * a, lambda a, variance=variance: 0 * a + math.log(variance)
        )[1]
        powers.append(np.sum(np.exp(4 * (math.log(0.5) + log_prob))))
    yield powers[0] / sum(powers), "0.8889"
    yield powers[0] / powers[1], "8"
    drawn = [0.5 * np.sum(np.exp(-(b**2) / (variance / 2))) / math.sqrt(variance) for variance in (1.0, 4.0)]
    yield drawn[0] / sum(drawn), "0.5"
