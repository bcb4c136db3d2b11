"""Exercises of the lecture: Normalization and skips: what a norm forgets, and why a network can be deep."""

import jax
import jax.numpy as jnp

from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.lectures.autoregressive.normalization import V, derivation, l


@derivation.exercise(
    r"What is the layer norm of $(3, 7)$ without $\varepsilon$, and what is its Jacobian?",
    r"$(-1, 1)$, as for every pair in this order; the Jacobian is 0. A layer norm over two entries keeps one bit.",
    level="easy",
    hint="The mean is 5 and the standard deviation 2.",
)
def a_pair():
    def norm(x):
        return layer_norm(x, jnp.ones(2), jnp.zeros(2), epsilon=0.0)

    yield norm(jnp.array([3.0, 7.0])), "(-1, 1)"
    yield jnp.abs(jax.jacobian(norm)(jnp.array([3.0, 7.0]))).max(), "0"


@derivation.exercise(
    r"Between which bounds lie the singular values of 12 residual blocks whose branches have the bound 0.1, and which bound "
    "is left without skips?",
    r"Between $0.9^{12}$, or 0.282, and $1.1^{12}$, or 3.138; without skips they are at most $10^{-12}$.",
    level="easy",
    hint="Bounds of factors multiply.",
)
def twelve_blocks():
    yield 0.9**12, "0.282"
    yield 1.1**12, "3.138"


@derivation.exercise(
    "How large is the variance of a pre-norm stream after 24 branches of gain 1, and which share of it did the last one bring?",
    r"25, of which the last branch brought $\frac{1}{25}$, or 0.04.",
    level="medium",
    hint="Each branch receives an input of variance 1; what does it add?",
)
def a_long_stream():
    yield V.at(24).family.definition.subs(l, 24), "25"
    yield 1 / 25, "0.04"


@derivation.exercise(
    r"The entries of an embedding have the mean 0 and the standard deviation 0.001, and $\varepsilon$ is $10^{-5}$. What is "
    "the mean square behind a layer norm? How much does it change if the embedding is doubled?",
    r"0.0909 and 0.2857: $v/(v + \varepsilon)$ with a variance far below $\varepsilon$. Such a norm is nearly linear, and does "
    r"not forget the scale; embeddings of this size need a smaller $\varepsilon$, or a larger start.",
    level="medium",
    hint="The lemma on the sphere holds for every $\\varepsilon$; divide it by the width.",
)
def small_embeddings():
    entries = jnp.array([0.001, -0.001, 0.001, -0.001])
    for scale, said in ((1.0, "0.0909"), (2.0, "0.2857")):
        yield jnp.mean(layer_norm(scale * entries, jnp.ones(4), jnp.zeros(4), epsilon=1e-5) ** 2), said


@derivation.exercise(
    r"A matrix before a norm has the gradient $G/\|W\|$ in size, orthogonal to it. Gradient descent at the rate 0.1 also "
    r"shrinks it by the factor $1 - 0.001$ a step (weight decay 0.01). To which $\|W\|^2$ does it go, for $G$ of 1, and which "
    r"effective rate $\eta/\|W\|^2$ is that? What if it starts ten times as long?",
    "To 2.2366, with the effective rate 0.0447, whatever the start: a step multiplies the squared length by $(1 - "
    r"\eta\lambda)^2$ and adds $\eta^2 G^2 / \|W\|^2$. Both balance where $\|W\|^4$ is about $\eta G^2/(2 \lambda)$, so the "
    r"effective rate is about $\sqrt{2 \eta \lambda}/G$: the weight decay sets it, together with the rate.",
    level="hard",
    hint="The gradient is orthogonal to $W$: use Pythagoras for the length after a step.",
)
def length_in_balance():
    rate, decay = 0.1, 0.01
    for start in (1.0, 100.0):
        squared = start
        for _ in range(10_000):
            squared = (1 - rate * decay) ** 2 * squared + rate**2 / squared
        yield squared, "2.2366"
        yield rate / squared, "0.0447"
