"""Jensen's inequality for the logarithm: a mean of logarithms is at most the logarithm of the mean."""

from sympy import log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, plus
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Jensen's inequality for the logarithm: a mean of logarithms is at most the logarithm of the mean",
    question="A number is estimated without bias. What is the bias of the logarithm of the estimate?",
    sources=("Jensen 1906, Sur les fonctions convexes et les inegalites entre les valeurs moyennes",),
)
k = derivation.index("k", "a value of the random variable")
w = derivation.law("w", k, "its probabilities")
x = derivation.numbers("x", k, "the values", positive=True)
derivation.symbol("t", "a positive number")

jensen = derivation.chain(
    "Jensen's inequality for the logarithm: a mean of logarithms is at most the logarithm of the mean",
    plus(log(Expectation(w, x)), -Expectation(w, log(x))),
    equals(-Expectation(w, log(x / Expectation(w, x))), "the logarithm of the mean is the same for every value"),
    equals(
        Expectation(w, plus(1 - x / Expectation(w, x), tangent.at(x / Expectation(w, x)))),
        r"$-\log t = 1 - t + (t - 1 - \log t)$ at $t = x_k / \mathbb{E}_w[x]$",
        wrong={"the gap twice": Expectation(w, plus(1 - x / Expectation(w, x), 2 * tangent.at(x / Expectation(w, x))))},
    ),
    equals(
        Expectation(w, tangent.at(x / Expectation(w, x))),
        r"$x_k / \mathbb{E}_w[x]$ has mean 1",
        wrong={"the gap at the value": Expectation(w, tangent.at(x))},
    ),
    at_least(
        0,
        "leave out the gaps, which are zero only where $x_k$ is the mean",
        dropping=Expectation(w, tangent.at(x / Expectation(w, x))),
    ),
    about=(w, x),
    central=True,
    role="lemma",
    so="An unbiased estimate has a logarithm that is too small on average, unless it has no variance.",
)
