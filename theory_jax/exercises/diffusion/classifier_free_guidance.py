"""Exercises of the lecture: Classifier-free guidance: the classifier inside a conditional model."""

import jax.numpy as jnp
from sympy import Rational, Symbol, solve

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.classifier_free_guidance import guide
from theory_jax.lectures.diffusion._guided import drawn_variances
from theory_jax.lectures.diffusion.classifier_free_guidance import (
    conditional,
    derivation,
    double,
    half,
    precision,
    r,
    random,
    s,
    two_points,
    unconditional,
    v,
    w,
)


@derivation.exercise(
    r"A negative prompt has the distribution $\mathcal{N}(0, 1)$ and the condition $\mathcal{N}(m, 2)$. For which scales is "
    "the guided score that of a distribution?",
    prose(
        "For those below 2, since then {precision} is positive. At {two} the precision is {zero}, and the score is a constant.",
        precision=holds(precision, "=", 1 - w / 2, when={s: 2}),
        two=means("w", 2),
        zero=holds(precision, "=", 0, when={s: 2, w: 2}, named=True),
    ),
    level="medium",
    hint="The guided score is a line; which sign must its slope have?",
)
def a_wide_condition():
    yield value(precision, {w: 2, s: 2}), "0"


@derivation.exercise(
    prose(
        "What are the three variances at {scale} and {r}: the one meant, that of the flow, that of random steps?",
        scale=where(w, 2),
        r=where(r, half),
    ),
    prose(
        "They are (0.3333, 0.25, 0.2917): {meant}, {flow} and {random}.",
        meant=holds((1 - r) / (1 + (w - 1) * r), "=", Rational(1, 3)),
        flow=holds((1 - r) ** w, "=", Rational(1, 4)),
        random=holds(random, "=", Rational(7, 24), when={v: 0, double: 3}, wrong={"the flow's": Rational(1, 4)}),
    ),
    level="easy",
    hint="Each of the three has a formula on the page in the scale and in what the condition takes away.",
)
def at_scale_two():
    yield drawn_variances(2, 0.5), "(0.3333, 0.25, 0.2917)"


@derivation.exercise(
    r"The two predictions have independent errors of mean 0 and of the same variance. By what factor is the variance of the "
    r"guided prediction's error larger at the scale 7.5?",
    prose("By 98.5: {factor}.", factor=holds(plus(w**2, (w - 1) ** 2), "=", Rational(197, 2), when={w: Rational(15, 2)})),
    level="medium",
    hint="Write the guided error as a weighted sum of the two errors; independent variances add.",
)
def errors_grow():
    yield jnp.sum(guide(*jnp.eye(2), scale=7.5) ** 2), "98.5"


@derivation.exercise(
    "A paper in the convention of Ho and Salimans uses the scale 2. Which scale is that here? In the example, at the predictions "
    "-0.31701 and 0.06306, what is the guided prediction, and what if 2 is taken as it is?",
    "It is 3, and the guided prediction is -1.0772. Taken as it is, 2 would give -0.6971: the guidance beyond the condition "
    "would be halved.",
    level="easy",
    hint="In which convention does the scale 0 mean the condition without guidance?",
)
def another_convention():
    with_sign, blind = two_points(jnp.array([0.5]), 0.5184)
    yield (
        value(
            (conditional + 2 * (conditional - unconditional) - unconditional) / (conditional - unconditional),
            {conditional: 2, unconditional: 1},
        ),
        "3",
    )
    yield guide(with_sign, blind, scale=3.0)[0], "-1.0772"
    yield guide(with_sign, blind, scale=2.0)[0], "-0.6971"


@derivation.exercise(
    r"Data $\mathcal{N}(0, 1)$, and a condition that leaves half of the variance. The flow is run with the scale 3. At which "
    "scale would the sharpened distribution, the one that guidance is meant to sample, be as narrow?",
    "The flow's variance is $(1 - r)^w$, here 0.125. The sharpened one has $(1 - r)/(1 + (w' - 1) r)$, which is equal if $w'$ "
    "is $1 + ((1 - r)^{1 - w} - 1)/r$, here 7. The scale that a user sets understates how sharp the samples are, and at large "
    "scales by an exponential factor: a scale of 5 is already as narrow as 31.",
    level="hard",
    hint="Set the two variances equal, and solve for the scale of the second.",
)
def as_narrow():
    other = Symbol("other", positive=True)
    for scale, found in ((3, "7"), (5, "31")):
        (same,) = solve((1 - r) / (1 + (other - 1) * r) - (1 - r) ** scale, other)
        yield value(same, {r: half}), found
    yield drawn_variances(3, 0.5)[1], "0.125"
