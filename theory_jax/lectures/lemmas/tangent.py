"""The logarithm is below its tangent at 1."""

from sympy import Rational, log

from theory_jax.derivation.lecture import Derivation

derivation = Derivation(
    module=__name__,
    title="The logarithm is below its tangent at 1",
    question="Every inequality between divergences compares a logarithm with something simpler. With what, and how far below it "
    "is the logarithm?",
    answer=r"$\log t \le t - 1$ for every positive $t$, with equality at $t = 1$ only.",
    sources=("Cover & Thomas 2006, Elements of Information Theory, chapter 2",),
)
t = derivation.number("t", "a positive number", positive=True)

tangent = derivation.valley(
    "The logarithm is below its tangent at 1",
    t - 1 - log(t),
    t,
    1,
    r"The slope $1 - 1/t$ is negative below $t = 1$ and positive above it, so the gap falls to 0 and rises again: it is "
    r"positive everywhere but at $t = 1$.",
    wrong={"half the tangent's slope": t / 2 - Rational(1, 2) - log(t), "a steeper tangent": 2 * (t - 1) - log(t)},
)
