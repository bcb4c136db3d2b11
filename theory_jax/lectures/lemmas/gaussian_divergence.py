"""The divergence of two Gaussians."""

from sympy import Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, plus, times
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The divergence of two Gaussians",
    question="Which differences of two Gaussians does their divergence measure, and when is it zero?",
    sources=("Kingma & Welling 2014, appendix B, for a standard normal second distribution",),
)
x = derivation.number("x", "a point on the line")
m = derivation.number("m", "the mean of the first Gaussian")
v = derivation.number("v", "its variance", positive=True)
n = derivation.number("n", "the mean of the second Gaussian")
w = derivation.number("w", "its variance", positive=True)

gaussian_divergence = derivation.chain(
    "The divergence of two Gaussians",
    Divergence(Normal(x, m, v), Normal(x, n, w)),
    equals(
        Expectation(Normal(x, m, v), plus(log(w / v) / 2, (x - n) ** 2 / (2 * w), -((x - m) ** 2) / (2 * v))),
        r"the difference of the log-densities; $\log 2\pi$ cancels",
    ),
    equals(
        times(Rational(1, 2), plus(log(w / v), (v + (m - n) ** 2) / w, -1)),
        r"$\mathbb{E}(x - n)^2 = v + (m - n)^2$ and $\mathbb{E}(x - m)^2 = v$",
        wrong={
            "the distance measured by the first variance": times(Rational(1, 2), plus(log(w / v), v / w + (m - n) ** 2 / v, -1))
        },
    ),
    equals(
        times(Rational(1, 2), plus(tangent.at(v / w), (m - n) ** 2 / w)),
        r"$\log \frac{w}{v} = -\log \frac{v}{w}$, and $\frac{v}{w} - 1 - \log\frac{v}{w}$ is the gap of the logarithm",
        wrong={"the ratio turned over": times(Rational(1, 2), plus(tangent.at(w / v), (m - n) ** 2 / w))},
    ),
    at_least(
        0,
        "leave out a gap and a square; equality if and only if mean and variance agree",
        dropping=times(Rational(1, 2), plus(tangent.at(v / w), (m - n) ** 2 / w)),
    ),
    about=(x, m, v, n, w),
    central=True,
    role="lemma",
)
