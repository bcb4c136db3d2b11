"""The best distribution, if leaving a reference has a price, is the tilted reference."""

from sympy import exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Total, plus, times
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The best distribution, if leaving a reference has a price, is the tilted reference",
    question="Each state has a value, and each nat of divergence from a reference has a price. Which distribution is best?",
    sources=(
        "Donsker & Varadhan 1975, Asymptotic evaluation of certain Markov process expectations for large time",
        "Zellner 1988, Optimal information processing and Bayes's theorem",
    ),
)
k = derivation.index("k", "a state")
p = derivation.law("p", k, "any distribution")
p_0 = derivation.law("p_0", k, "the reference")
f = derivation.numbers("f", k, "the value of a state")
T = derivation.number("T", "the price of a nat", positive=True)
Z = derivation.define("Z", Total(k, p_0 * exp(f / T)), "the normalizer", positive=True)
tilted = derivation.define("p_T", p_0 * exp(f / T) / Z, "the tilted reference", over=k, law=True)

tilting = derivation.chain(
    "The best distribution, if leaving a reference has a price, is the tilted reference",
    plus(T * log(Total(k, p_0 * exp(f / T))), -Expectation(p, f), T * Divergence(p, p_0)),
    equals(
        plus(times(T, log(Z)), times(T, Expectation(p, log(p / (p_0 * exp(f / T)))))),
        r"$f = T \log e^{f/T}$, in one logarithm",
        wrong={"the value times the price": plus(times(T, log(Z)), times(T, Expectation(p, log(p / (p_0 * exp(f * T))))))},
    ),
    equals(
        times(T, Divergence(p, tilted)),
        r"$p_0\, e^{f/T} = Z p_T$, and $\log Z$ is the same for every state",
        wrong={"the divergence turned over": times(T, Divergence(tilted, p))},
    ),
    at_least(0, r"leave out the divergence (Gibbs); equality if and only if $p = p_T$", dropping=T * gibbs.at(p, tilted)),
    about=(p, p_0, f, T),
    central=True,
    role="lemma",
    so=r"So $\mathbb{E}_p f - T\, \mathrm{KL}(p \,\|\, p_0) \le T \log Z$, with equality at the tilted reference only.",
)
