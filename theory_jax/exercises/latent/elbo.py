"""Exercises on the evidence lower bound, with the states and the numbers of its lecture."""

import jax.numpy as jnp
from sympy import Rational, Symbol, log

from theory_jax.derivation.notation import Divergence
from theory_jax.derivation.parts import value
from theory_jax.latent.elbo import effective_sample_size, importance_weighted_bound
from theory_jax.lectures.latent.elbo import _expected, _given, bound, derivation, evidence, posterior, psi, q, r


@derivation.exercise(
    "In the example, how large are the bound and the gap at $q = (0.9, 0.1)$?",
    r"The bound is -0.7298 and the gap 0.0367 nats; together they are $\log \frac12$.",
    level="easy",
    hint="The joint probabilities of the two states are 0.4 and 0.1; the bound is a sum over them.",
)
def another_q():
    given = _given | {q: (0.9, 0.1)}
    yield value(bound, given), "-0.7298"
    yield value(Divergence(q, posterior), given), "0.0367"


@derivation.exercise(
    "What is the effective sample size of two weights 0.8 and 0.2?",
    "It is $1/(0.64 + 0.04)$, or 1.4706: not much more than one sample.",
    level="easy",
    hint="They sum to one already; square them.",
)
def two_weights():
    yield effective_sample_size(jnp.log(jnp.array([[0.8, 0.2]])), jnp.zeros((1, 2))), "1.4706"


@derivation.exercise(
    "Two samples of $q = (0.5, 0.5)$ instead of one: which share of the gap does the bound $\\mathcal{L}_2$ close in the "
    "example?",
    "The bound is -0.8047, and with one sample -0.9163: it closes half of the gap, 0.1116 of 0.2231 nats.",
    level="medium",
    hint="There are four pairs of samples, equally probable, and three different means of two weights.",
)
def two_samples_of_q():
    of_one, of_two = (_expected(importance_weighted_bound, size) for size in (1, 2))
    gap = value(log(evidence), _given) - of_one
    yield of_two, "-0.8047"
    yield of_one, "-0.9163"
    yield of_two - of_one, "0.1116"
    yield gap, "0.2231"


@derivation.exercise(
    r"Where is the Renyi bound of order $\frac12$ for $q = (0.5, 0.5)$ in the example, between the evidence lower bound and "
    "the evidence?",
    "It is -0.7985, between -0.9163 and -0.6931.",
    level="medium",
    hint="At this order the bound is twice the logarithm of the mean square root of a weight.",
)
def order_one_half():
    given = _given | {q: (0.5, 0.5), r: Rational(1, 2)}
    yield value(psi / r, given), "-0.7985"
    yield value(bound, given), "-0.9163"
    yield value(log(evidence), given), "-0.6931"


@derivation.exercise(
    r"An encoder misses the posterior of the example by $\delta$: it gives the first state $0.8 + \delta$. How does the gap "
    r"grow with $\delta$, and what does that mean for the model's gradient?",
    r"As $\frac{25}{8} \delta^2$: the first power of $\delta$ cancels. At $\delta = 0.01$ the gap is 0.00032 nats. A small error "
    "of the encoder costs the bound next to nothing, so the model's gradient is nearly that of the likelihood.",
    level="hard",
    hint="Expand both logarithms of the divergence to second order; the errors of the two states sum to zero.",
)
def a_small_error():
    delta = Symbol("delta")
    first = Rational(4, 5)
    gap = (first + delta) * log((first + delta) / first) + (1 - first - delta) * log((1 - first - delta) / (1 - first))
    yield gap.diff(delta, 2).subs(delta, 0) / 2, Rational(25, 8)
    yield gap.diff(delta).subs(delta, 0), Rational(0)
    yield float(gap.subs(delta, Rational(1, 100))), "0.00032"
