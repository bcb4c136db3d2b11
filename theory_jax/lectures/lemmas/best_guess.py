"""The mean has the smallest squared error."""

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Variance, plus

derivation = Derivation(
    module=__name__,
    title="The mean has the smallest squared error",
    question="A number is guessed, and a wrong guess costs the square of its error. Which guess is best, and what does another "
    "one cost?",
    sources=("Gauss 1821, Theoria combinationis observationum erroribus minimis obnoxiae",),
)
k = derivation.index("k", "a value of the random variable")
w = derivation.law("w", k, "its probabilities")
y = derivation.numbers("y", k, "the values")
g = derivation.number("g", "a guess")

best_guess = derivation.chain(
    "The mean has the smallest squared error",
    plus(Expectation(w, (y - g) ** 2), -Variance(w, y)),
    equals(
        (Expectation(w, y) - g) ** 2,
        r"$y_k - g = (y_k - \mathbb{E}_w[y]) + (\mathbb{E}_w[y] - g)$, squared; the cross term has mean zero",
        wrong={"the distance not squared": Expectation(w, y) - g},
    ),
    at_least(0, "leave out the square; equality if and only if the guess is the mean", dropping=(Expectation(w, y) - g) ** 2),
    about=(w, y, g),
    central=True,
    role="lemma",
    so="A squared error is a sum of two: the variance, which no guess removes, and the squared distance of the guess from the "
    "mean. So of a law a quadratic function sees the mean and the variance alone.",
)
