"""Gibbs' inequality: a divergence is never negative."""

from sympy import log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Total, plus
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Gibbs' inequality: a divergence is never negative",
    question="Why does no distribution explain data better, on average, than the distribution that the data come from?",
    setting=(
        r"All probabilities are positive in the chain; where $p_k = 0$ the term $p_k \log p_k$ is its limit 0, and where "
        r"$q_k = 0 < p_k$ the divergence is infinite.",
    ),
    sources=(
        "Gibbs 1902, Elementary Principles in Statistical Mechanics, ch. XI",
        "Cover & Thomas 2006, Elements of Information Theory, chapter 2",
    ),
)
k = derivation.index("k", "a state")
p = derivation.law("p", k, "any distribution")
q = derivation.law("q", k, "any other distribution")
derivation.symbol("t", "a positive number")

gibbs = derivation.chain(
    "Gibbs' inequality: a divergence is never negative",
    Divergence(p, q),
    equals(Expectation(p, -log(q / p)), r"the definition, with $\log p_k - \log q_k = -\log(q_k / p_k)$"),
    equals(Expectation(p, plus(1 - q / p, tangent.at(q / p))), r"$-\log t = 1 - t + (t - 1 - \log t)$ at $t = q_k / p_k$"),
    at_least(
        Expectation(p, 1 - q / p),
        r"leave out the gap, which is zero only where $q_k = p_k$",
        dropping=Expectation(p, tangent.at(q / p)),
        wrong={"the gap counted twice": Expectation(p, 1 - q / p) + Expectation(p, tangent.at(q / p))},
    ),
    equals(Total(k, plus(p, -q)), r"multiply each term by its $p_k$"),
    equals(0, "both distributions sum to one", wrong={"the distributions' masses added": 2}),
    about=(p, q),
    central=True,
    role="lemma",
    so=r"Equality needs every gap to be zero, so the divergence is zero if and only if $p = q$.",
)
