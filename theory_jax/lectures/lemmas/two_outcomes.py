"""For two outcomes the divergence is at least twice the squared distance."""

from sympy import log

from theory_jax.derivation.chains import at_least
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import plus

derivation = Derivation(
    module=__name__,
    title="For two outcomes the divergence is at least twice the squared distance",
    question="If the divergence of two laws is small, how far apart can the probabilities that they give to one event be?",
    sources=("Pinsker 1964, Information and Information Stability; the constant 2: Csiszar 1967 and Kullback 1967",),
)
P = derivation.number("P", "the probability of an event under one law", between=(0, 1))
Q = derivation.number("Q", "its probability under another", between=(0, 1))
_divergence = plus(P * log(P / Q), (1 - P) * log((1 - P) / (1 - Q)))

valley = derivation.valley(
    "The divergence less twice the squared distance falls until the probabilities are equal, and rises afterwards",
    plus(_divergence, -2 * (P - Q) ** 2),
    Q,
    P,
    r"The slope in $Q$ is $(Q - P)\left(\frac{1}{Q(1 - Q)} - 4\right)$, and $4Q(1 - Q) \le 1$ with equality at one half only. "
    r"So the difference falls until $Q = P$, where it is 0, and rises afterwards.",
    wrong={"3 in place of 2": plus(_divergence, -3 * (P - Q) ** 2)},
)
two_outcomes = derivation.chain(
    "For two outcomes the divergence is at least twice the squared distance",
    plus(_divergence, -2 * (P - Q) ** 2),
    at_least(0, "its least value; zero for $Q = P$ only", dropping=valley.at(Q)),
    about=(P, Q),
    central=True,
    role="lemma",
)
