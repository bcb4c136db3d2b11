"""The largest logit plus Gumbel noise is a draw from the softmax."""

from sympy import exp, log, oo

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Product, Slope, Total, times

derivation = Derivation(
    module=__name__,
    title="The largest logit plus Gumbel noise is a draw from the softmax",
    question="Independent noise is added to every logit, and the largest sum is taken. For which noise is this a draw from the "
    "softmax?",
    sources=(
        "Gumbel 1954, Statistical theory of extreme values and some practical applications",
        "Maddison, Tarlow & Minka 2014, A* sampling",
    ),
)
i = derivation.index("i", "a category")
j = derivation.index("j", "another one")
l = derivation.numbers("l", i, "the logits")  # noqa: E741 (the usual letter)
u = derivation.number("u", "a uniform number", between=(0, 1))
x = derivation.number("x", "a real number")
g = derivation.define("g", -log(-log(u)), "Gumbel noise")
derivation.chain(
    "Gumbel noise from a uniform number",
    exp(-exp(-g)),
    equals(u, "the exponential undoes the logarithm, twice"),
    role="lemma",
    so=r"$g$ rises with $u$, so $g \le x$ if and only if $u \le e^{-e^{-x}}$: that is its distribution function.",
)
F = derivation.define(
    "F_{{{}}}(x)", exp(-exp(l - x)), "the probability that the logit plus its noise is at most $x$", over=i, positive=True
)
soft = derivation.define("p", exp(l) / Total(j, exp(l.at(j))), "the softmax of the logits", over=i, law=True)
Z = derivation.define("Z", Total(j, exp(l.at(j))), "the sum of their exponentials", positive=True)
winner = derivation.chain(
    "Which category wins, and with which value",
    times(Slope(F, x), Product(j, F.at(j)) / F),
    equals(
        times(exp(l - x), Product(j, F.at(j))),
        r"the first line is the density of category $i$ winning with the value $x$: $l_i + g_i$ is at $x$, and all others, which "
        r"are independent, are below. The slope of $F_i$ is $e^{l_i - x} F_i$",
    ),
    equals(times(exp(l), exp(-x), exp(-Z * exp(-x))), "a product of exponentials is the exponential of the sum"),
    equals(
        Slope(times(soft, exp(-Z * exp(-x))), x),
        r"the slope of $e^{-Z e^{-x}}$ is $Z e^{-x}$ times itself, and $p_i Z = e^{l_i}$",
        wrong={"the normalizer twice": Slope(times(soft / Z, exp(-Z * exp(-x))), x)},
    ),
    role="lemma",
    so=r"Integrated up to $x$: category $i$ wins with a value of at most $x$ with probability $p_i\, e^{-Z e^{-x}}$, a product. "
    r"Which category wins is independent of the value with which it wins.",
)
gumbel_max = derivation.chain(
    "The largest logit plus Gumbel noise is a draw from the softmax",
    Limit(times(soft, exp(-Z * exp(-x))), x, oo),
    equals(soft, "$e^{-x}$ goes to zero"),
    central=True,
    role="lemma",
    uses=(winner,),
)
