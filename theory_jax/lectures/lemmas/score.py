"""The score has mean zero."""

from sympy import exp, log

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, Total

derivation = Derivation(
    module=__name__,
    title="The score has mean zero",
    question="The parameters of a distribution move. What do its log-probabilities do on average, under the distribution itself?",
    setting=(
        r"The distribution is a softmax, as every positive distribution is. A parameter $\theta$ on which the logits depend "
        r"moves the distribution by $\sum_i \frac{\partial l_i}{\partial \theta} \frac{\partial}{\partial l_i}$, so it is "
        "enough to move one logit.",
    ),
    sources=("Fisher 1925, Theory of statistical estimation",),
)
k = derivation.index("k", "a state")
j = derivation.index("j", "a state, in the normalizer")
i = derivation.index("i", "the state whose logit is moved")
l = derivation.numbers("l", k, "the logits")  # noqa: E741 (the usual letter)
q = derivation.define("q", exp(l) / Total(j, exp(l.at(j))), "the distribution", over=k, law=True)

score = derivation.chain(
    "The score has mean zero",
    Expectation(q, Slope(log(q), l.at(i))),
    equals(
        Total(k, Slope(q, l.at(i))),
        r"$q\, \partial \log q = \partial q$",
        wrong={
            "the logarithm forgotten": Expectation(q, Slope(q, l.at(i))),
            "without the distribution": Total(k, Slope(log(q), l.at(i))),
        },
    ),
    equals(0, "the derivative of the constant 1: the probabilities keep their sum", wrong={"a probability": q.at(i)}),
    central=True,
    role="lemma",
)
