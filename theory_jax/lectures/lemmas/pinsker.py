"""Pinsker's inequality: total variation is at most the square root of half the divergence."""

from sympy import Abs, Max, Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Limit, Total, plus
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Pinsker's inequality: total variation is at most the square root of half the divergence",
    question="If the divergence of two distributions is small, how far apart can the probabilities be that they give to one "
    "event?",
    sources=("Pinsker 1964, Information and Information Stability; the constant 2: Csiszar 1967 and Kullback 1967",),
)
P = derivation.number("P", "the probability of an event under one distribution", between=(0, 1))
Q = derivation.number("Q", "its probability under another", between=(0, 1))
binary = plus(P * log(P / Q), (1 - P) * log((1 - P) / (1 - Q)))

valley = derivation.valley(
    "The divergence less twice the squared distance falls until the probabilities are equal, and rises afterwards",
    plus(binary, -2 * (P - Q) ** 2),
    Q,
    P,
    r"The slope in $Q$ is $(Q - P)\left(\frac{1}{Q(1 - Q)} - 4\right)$, and $4Q(1 - Q) \le 1$ with equality at one half only. "
    r"So the difference falls until $Q = P$, where it is 0, and rises afterwards.",
    wrong={"3 in place of 2": plus(binary, -3 * (P - Q) ** 2)},
)
two_outcomes = derivation.chain(
    "For two outcomes the divergence is at least twice the squared distance",
    plus(binary, -2 * (P - Q) ** 2),
    at_least(0, "its least value; zero for $Q = P$ only", dropping=valley.at(Q)),
    about=(P, Q),
    role="lemma",
)
k = derivation.index("k", "a state")
inside_p = derivation.law("r", k, "the first distribution, given the event")
inside_q = derivation.law("s", k, "the second distribution, given the event")
outside_p = derivation.law(r"\bar r", k, "the first distribution, given the complement")
outside_q = derivation.law(r"\bar s", k, "the second distribution, given the complement")
within = plus(P * gibbs.at(inside_p, inside_q), (1 - P) * gibbs.at(outside_p, outside_q))
pinsker = derivation.chain(
    "Pinsker's inequality: total variation is at most the square root of half the divergence",
    plus(
        Total(k, P * inside_p * log(P * inside_p / (Q * inside_q))),
        Total(k, (1 - P) * outside_p * log((1 - P) * outside_p / ((1 - Q) * outside_q))),
    ),
    equals(
        plus(binary, within),
        "this is the divergence, summed over an event and its complement. The logarithm of a product is a sum",
        wrong={
            "the inner divergences not weighted": plus(binary, Divergence(inside_p, inside_q), Divergence(outside_p, outside_q))
        },
    ),
    at_least(binary, "leave out the divergences within the event and within its complement (Gibbs)", dropping=within),
    equals(plus(2 * (P - Q) ** 2, two_outcomes.at(P, Q)), "add and subtract twice the squared distance"),
    at_least(
        2 * (P - Q) ** 2, r"leave out the difference for two outcomes, zero for $P = Q$ only", dropping=two_outcomes.at(P, Q)
    ),
    states=2,
    central=True,
    role="lemma",
    so="For the event that the first distribution is larger, $P - Q$ is the total variation, as the next line shows. So "
    r"$\mathrm{KL} \ge 2\, \mathrm{TV}^2$: convergence in divergence is convergence in total variation. If the event is empty, "
    "the distributions agree and both sides are zero.",
)
p = derivation.law("p", k, "the first distribution")
q = derivation.law("q", k, "the second distribution")
derivation.symbol("t", "a number")
derivation.chain(
    "Total variation is the largest difference of the probabilities of an event",
    Total(k, Abs(p - q)) / 2,
    equals(plus(Total(k, Max(p - q, 0)), -Total(k, p - q) / 2), r"$|t| = 2 \max(t, 0) - t$ for every number $t$", points=40),
    equals(Total(k, Max(p - q, 0)), "both distributions sum to one; what is left is the sum over the event", points=40),
    role="lemma",
)
epsilon = derivation.number(r"\varepsilon", "a small step")
half = Rational(1, 2)
derivation.chain(
    "The factor 2 is the best",
    Limit(binary.subs({P: half, Q: half + epsilon}) / epsilon**2, epsilon, 0),
    equals(
        Limit(-log(1 - 4 * epsilon**2) / (2 * epsilon**2), epsilon, 0),
        r"$\frac12 \log \frac{1/2}{1/2 + \varepsilon} + \frac12 \log \frac{1/2}{1/2 - \varepsilon} = -\frac12 \log(1 - "
        r"4\varepsilon^2)$",
    ),
    equals(2, r"$-\log(1 - t)/t$ tends to 1 as $t \to 0$"),
    role="remark",
)
