"""More samples bring the logarithm of their mean closer to the logarithm of the expectation."""

from sympy import Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="More samples bring the logarithm of their mean closer to the logarithm of the expectation",
    question="The logarithm of a sample mean is too small on average, and right in the limit. Does every further sample help?",
    answer="Yes. The mean of all samples is the mean of the means that leave one out, so the step from $n - 1$ samples to $n$ is "
    "Jensen's inequality; for two samples it is written out.",
    sources=("Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, theorem 1",),
)
i = derivation.index("i", "a sample", states=4)
o = derivation.index("o", "the sample that is left out", states=4)
y = derivation.numbers("y", i, "samples")
n = derivation.count(i, "n", "the number of samples")
leave_one_out = derivation.chain(
    "A mean is the mean of the means that leave one sample out",
    times(1 / n, Total(o, times(1 / (n - 1), Total(i, y) - y.at(o)))),
    equals(
        times(1 / n, 1 / (n - 1), plus(times(n, Total(i, y)), -Total(o, y.at(o)))),
        "the inner sum does not depend on which sample is left out",
    ),
    equals(Total(i, y) / n, r"$n - 1$ of the $n$ sums remain", wrong={"one sample fewer": Total(i, y) / (n - 1)}),
    role="lemma",
    so=r"Let the samples be independent draws of one positive variable. The logarithm of the mean of $n$ is then the logarithm "
    r"of a mean of $n$ equally distributed means of $n - 1$; by Jensen's inequality its expectation is at least that of the "
    r"logarithm of each of them.",
)
k = derivation.index("k", "a value of the variable")
z1 = derivation.index("z_1", "the value of a first draw")
z2 = derivation.index("z_2", "the value of a second draw")
w = derivation.law("w", k, "its probabilities")
r = derivation.numbers("r", k, "the values", positive=True)
derivation.symbol("t", "a positive number")
first, second = r.at(z1), r.at(z2)
mean = derivation.define("c({},{})", (first + second) / 2, "the mean of two draws", over=(z1, z2), positive=True)


def _of_two(body):
    return Expectation(w.at(z1), Expectation(w.at(z2), body))


_gaps = _of_two(times(Rational(1, 2), plus(tangent.at(first / mean), tangent.at(second / mean))))
two_samples = derivation.chain(
    "More samples bring the logarithm of their mean closer to the logarithm of the expectation",
    plus(_of_two(log((first + second) / 2)), -Expectation(w, log(r))),
    equals(
        _of_two(times(-Rational(1, 2), plus(log(first / mean), log(second / mean)))),
        r"either draw alone has the distribution of $k$",
        wrong={"the logarithms added, not averaged": _of_two(-plus(log(first / mean), log(second / mean)))},
    ),
    equals(_gaps, r"$-\log t = 1 - t + (t - 1 - \log t)$ at $t = r_{z_1}/c$ and at $t = r_{z_2}/c$, with the mean 1"),
    at_least(0, "leave out the gaps, which are zero only where both draws are equal", dropping=_gaps),
    about=(w, r),
    states=2,
    central=True,
    role="lemma",
)
