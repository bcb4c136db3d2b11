"""Exercises of the lecture: The transformer decoder: all conditionals in one pass, and what a pass costs."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.autoregressive.transformer import forward_operations, gelu, parameter_count
from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.transformer import _GPT2, E, F, L, N, Phi, V, derivation, gelu_of, parameters, phi, z


@derivation.exercise(
    "At which $z$ is gelu least, and how small is it there?",
    prose(
        "Where its slope, {slope}, is zero: at $-0.7518$, where it is $-0.1700$.",
        slope=holds(Slope(gelu_of, z), "=", plus(Phi, times(z, phi)), named=True),
    ),
)
def the_dip():
    grid = np.linspace(-0.76, -0.74, 20001)
    found = np.asarray(gelu(jnp.array(grid), approximate=False))
    yield grid[found.argmin()], "-0.7518"
    yield found.min(), "-0.1700"


@derivation.exercise(
    "How many parameters has a decoder with 256 words, 128 positions, width 128, 4 blocks and feed-forward layers of width 512?",
    prose(
        "It is {count}, or 840448.",
        count=holds(
            parameters.result,
            "=",
            plus(times(386, 128), times(4, plus(65536, 131072, 512, 640))),
            when={V: 256, L: 128, E: 128, N: 4, F: 512},
            named=True,
        ),
    ),
)
def nano():
    yield (
        parameter_count(vocabulary_size=256, context_length=128, width=128, layers=4, feed_forward_width=512, tied=True),
        "840448",
    )


@derivation.exercise(
    "From which length on does attention cost more than everything else together in GPT-2 small?",
    prose(
        "They cost the same at 6702.04 tokens, {length}: from 6703 tokens on.",
        length=holds(plus(times(6, 768), Rational(50257, 24)), "<", 6703),
    ),
)
def the_crossing():
    yield 6 * 768 + 50257 / 24, "6702.04"
    shares = [4 * 12 * length**2 * 768 / forward_operations(**_GPT2, length=length) for length in (6702, 6703)]
    yield 6702 + int(np.searchsorted(shares, 0.5)), "6703"
