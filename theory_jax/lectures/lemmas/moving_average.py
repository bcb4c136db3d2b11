"""A moving average is a weighted mean: the weight of a value falls like a power of the decay."""

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Total, plus, times

derivation = Derivation(
    module=__name__,
    title="A moving average is a weighted mean: the weight of a value falls like a power of the decay",
    question="An average is updated by each new value, and no old value is stored. How much of each is left in it?",
    setting=(
        r"The average starts at $a_0$ and becomes $d\,a + (1 - d)\,x$ with every new value $x$. It is written out for four "
        r"values; each further step multiplies all that is older by $d$ once more.",
    ),
    sources=("Roberts 1959, Control chart tests based on geometric moving averages",),
)
d = derivation.number("d", "the decay", "decay", between=(0, 1))
n = derivation.index("n", "the age of a value, in steps", states=4)
M = derivation.count(n, "M", "the number of values")
x = derivation.numbers("x", n, "the values, the latest first", "value")
start = derivation.number("a_0", "the average before the first value", "average")
_nested = start
for _age in (3, 2, 1, 0):
    _nested = plus(times(d, _nested), times(1 - d, x.at(_age)))

moving_average = derivation.chain(
    "A moving average is a weighted mean: the weight of a value falls like a power of the decay",
    _nested,
    equals(
        plus(times(d**M, start), Total(n, times(1 - d, d**n, x))),
        "multiply out, from the innermost bracket",
        wrong={"decay and its rest exchanged": plus(times((1 - d) ** M, start), Total(n, times(d, (1 - d) ** n, x)))},
    ),
    central=True,
    role="lemma",
)
derivation.chain(
    "... and the weights sum to one",
    plus(d**M, Total(n, times(1 - d, d**n))),
    equals(plus(d**M, Total(n, plus(d**n, -(d ** (n + 1))))), r"multiply out: $(1 - d)\, d^n = d^n - d^{n+1}$"),
    equals(1, r"the sum telescopes to $1 - d^M$, for every $M$", wrong={"the start forgotten": 1 - d**M}),
    role="lemma",
    so=r"So the average of a model's weights is a weighted mean of weights that it had, in which the start fades like $d^M$.",
)
