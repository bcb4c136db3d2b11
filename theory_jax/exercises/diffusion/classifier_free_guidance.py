"""Exercises of the lecture: Classifier-free guidance: the classifier inside a conditional model."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.classifier_free_guidance import guide
from theory_jax.lectures.diffusion._guided import drawn_variances
from theory_jax.lectures.diffusion.classifier_free_guidance import derivation, double, half, precision, r, random, s, v, w


@derivation.exercise(
    r"A negative prompt has the distribution $\mathcal{N}(0, 1)$ and the condition $\mathcal{N}(m, 2)$. For which scales is "
    "the guided score that of a distribution?",
    prose(
        "For those below 2, since then {precision} is positive. At {two} the precision is {zero}, and the score is a constant.",
        precision=holds(precision, "=", 1 - w / 2, when={s: 2}),
        two=means("w", 2),
        zero=holds(precision, "=", 0, when={s: 2, w: 2}, named=True),
    ),
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
)
def at_scale_two():
    yield drawn_variances(2, 0.5), "(0.3333, 0.25, 0.2917)"


@derivation.exercise(
    r"The two predictions have independent errors of mean 0 and of the same variance. By what factor is the variance of the "
    r"guided prediction's error larger at the scale 7.5?",
    prose("By 98.5: {factor}.", factor=holds(plus(w**2, (w - 1) ** 2), "=", Rational(197, 2), when={w: Rational(15, 2)})),
)
def errors_grow():
    yield jnp.sum(guide(*jnp.eye(2), scale=7.5) ** 2), "98.5"
