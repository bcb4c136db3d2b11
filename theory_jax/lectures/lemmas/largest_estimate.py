"""The largest of noisy estimates is too large on average."""

from sympy import Integral, exp, oo, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, plus, times

derivation = Derivation(
    module=__name__,
    title="The largest of noisy estimates is too large on average",
    question="Several numbers are estimated, each without bias, and the one with the largest estimate is selected. Is its "
    "estimate still without bias?",
    answer="No: it is too large on average, unless the same number is selected in every draw. A second estimate of the selected "
    "number, independent of the first, has no such bias; its mean is at most the largest number.",
    sources=("Smith & Winkler 2006, The optimizer's curse", "van Hasselt 2010, Double Q-learning"),
)
j = derivation.index("j", "a draw of all estimates")
p = derivation.law("p", j, "its probability")
X = derivation.numbers("X", j, "the estimate of one of the numbers")
excess = derivation.numbers("h", j, "by how much the largest of all estimates exceeds it", positive=True)
largest_estimate = derivation.chain(
    "The largest of noisy estimates is too large on average",
    Expectation(p, plus(X, excess)),
    equals(plus(Expectation(p, X), Expectation(p, excess)), "the expectation of a sum"),
    at_least(Expectation(p, X), "leave out the excess", dropping=Expectation(p, excess)),
    central=True,
    role="lemma",
    so="This holds for each of the numbers, so also for the largest of them.",
)
a = derivation.index("a", "one of the numbers")
rho = derivation.law(r"\varrho", a, "how often the first estimate selects it")
Y = derivation.number("Y", "the largest of the numbers")
loss = derivation.numbers("g", a, "by how much a number is smaller", positive=True)
second_estimate = derivation.chain(
    "A second, independent estimate of the selected number is not too large",
    Expectation(rho, Y - loss),
    equals(plus(Y, -Expectation(rho, loss)), "independent: the mean of the second estimate is the number that was selected"),
    at_most(Y, "leave out the loss; equality if only largest numbers are selected", adding=Expectation(rho, loss)),
    role="lemma",
)
u = derivation.number("u", "a distance", positive=True)
largest_of_normals = derivation.chain(
    "For standard normal numbers it follows from their mean distance",
    times(2, Integral(u * exp(-(u**2) / 4) / sqrt(4 * pi), (u, 0, oo))),
    equals(2 / sqrt(pi), r"$-2 e^{-u^2/4}$ has the slope $u e^{-u^2/4}$", wrong={"one side only": 1 / sqrt(pi)}),
    role="lemma",
    so=r"The first line is $\mathbb{E}|X_1 - X_2|$, since $X_1 - X_2$ is normal with variance 2. The larger of two is $\frac12 "
    r"(X_1 + X_2 + |X_1 - X_2|)$, of mean $\frac{1}{\sqrt\pi} = 0.564$. Of three, the largest less the smallest is half of the "
    r"sum of the three distances, and by symmetry the largest is as far above 0 as the smallest is below: it has the mean "
    r"$\frac34 \cdot \frac{2}{\sqrt\pi} = \frac{3}{2 \sqrt\pi} = 0.846$.",
)
derivation.symbol("X_1, X_2", "two independent standard normal numbers")
