"""Two tokens in closed form, for the lecture on masked diffusion."""

import sympy
from sympy import Integral, Rational

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.masked_diffusion import log_linear_alpha


def two_tokens(derivation, step, T, H, level, time):
    """Adds to the lecture what finitely many steps cost, and which are best."""
    derivation.say(
        r"Two tokens, in closed form. Let $h$ be $-\log p(x)$ and $i$ the logarithm of $p(x)$ over $p(x^1) p(x^2)$. The costs "
        "of exact conditionals then add up to $h + i$ where nothing is visible, and to $h - i$ where the other token is."
    )
    h = derivation.number("h", r"$-\log p(x)$ of a text of two tokens")
    i = derivation.number("i", "what the tokens of the text say about each other")
    d1 = derivation.number(r"\Delta_1", "how much a first step reveals", between=(0, Rational(1, 2)))
    d2 = derivation.number(r"\Delta_2", "how much a second step reveals", between=(0, Rational(1, 2)))
    d3 = derivation.define(r"\Delta_3", 1 - d1 - d2, "... and a third, the rest")
    l1 = derivation.define(r"\alpha_1", 1 - d1, "the level after a first step of noise")
    l2 = derivation.define(r"\alpha_2", 1 - d1 - d2, "... and after a second; after the third it is 0")
    _PAIRS = ((d1, l1), (d2, l2), (d3, sympy.Integer(0)))
    two = derivation.chain(
        "Three steps: the excess is the probability of being drawn together",
        plus(*(times(d / (1 - a), plus(times((1 - a) ** 2, h + i), times(a, 1 - a, h - i))) for d, a in _PAIRS)),
        equals(
            plus(*(times(d, plus(h, times(1 - 2 * a, i))) for d, a in _PAIRS)),
            prose(
                "$1 - \\alpha$ cancels, and {mixed}",
                mixed=holds(plus(times(1 - level, h + i), times(level, h - i)), "=", plus(h, times(1 - 2 * level, i))),
            ),
            wrong={r"no $1/(1 - \alpha)$": plus(*(times(d, 1 - a, plus(h, times(1 - 2 * a, i))) for d, a in _PAIRS))},
        ),
        equals(
            plus(h, times(i, plus(d1**2, d2**2, d3**2))),
            prose(
                "{all}, and {squares}",
                all=holds(plus(d1, d2, d3), "=", 1),
                squares=holds(plus(times(d1, 1 + l1), times(d2, l1 + l2), times(d3, l2)), "=", 1),
            ),
            wrong={"always drawn together": plus(h, i), "never": h},
        ),
        role="lemma",
        so="The sum of squares is the probability that both tokens are filled in by the same step: only then they are drawn "
        "independently. It is the same with any number of steps.",
    )
    falls = derivation.law(r"\Delta", step, "what the steps reveal")
    mutual = derivation.number("I", "their mutual information, the mean of $i$", positive=True)
    derivation.chain(
        "Equal steps are best",
        plus(H, times(mutual, Total(step, falls**2))),
        equals(
            plus(H, mutual / T, times(mutual, Total(step, (falls - 1 / T) ** 2))),
            prose("{squares}", squares=holds(Total(step, (falls - 1 / T) ** 2), "=", plus(Total(step, falls**2), -1 / T))),
        ),
        at_least(
            plus(H, mutual / T),
            prose("leave out squares; equality if and only if {equal} for every step", equal=where(falls, 1 / T)),
            dropping=times(mutual, Total(step, (falls - 1 / T) ** 2)),
        ),
        role="remark",
        uses=(two,),
        so=prose(
            "So the schedule does matter with finitely many steps, and the uniform one, {level}, is best for two tokens.",
            level=where(level, 1 - time),
        ),
    )
    end = derivation.number(r"\varepsilon", "the level at which a schedule ends, instead of 0", between=(0, 1))
    derivation.chain(
        "A schedule that ends above 0 reports too little",
        Integral(plus(H, times(1 - 2 * level, mutual)), (level, 0, end)),
        equals(
            plus(times(end, H + mutual), -times(end**2, mutual)),
            "the integrand of two tokens, in the mean",
            wrong={"nothing is missing": 0 * H},
        ),
        role="remark",
        so=prose(
            "The integral that stops at $\\varepsilon$ lacks this, of {whole} in all. It is below the entropy although it is "
            "called a bound; `log_linear_alpha` with a positive $\\varepsilon$ needs the divergence at the end, too.",
            whole=holds(Integral(plus(H, times(1 - 2 * level, mutual)), (level, 0, 1)), "=", H),
        ),
    )
    derivation.bridge(
        "The code's schedule",
        plus(1, -times(Rational(3, 4), time)),
        log_linear_alpha,
        time=[time],
        epsilon=0.25,
        wrong={"down to 0": 1 - time},
    )
