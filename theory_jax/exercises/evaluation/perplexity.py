"""Exercises of the lecture: Perplexity: how many tokens a model chooses among, and when two models can be compared."""

import jax.numpy as jnp
from scipy.optimize import minimize_scalar
from sympy import Integer

from theory_jax.evaluation.perplexity import bits_per_byte, corpus_perplexity, sequence_perplexity
from theory_jax.lectures.evaluation.perplexity import _texts, derivation


@derivation.exercise(
    r"Two letters, one byte each, have the probabilities $\frac12$ and $\frac34$. What are perplexity and bits per byte, of "
    "single letters and of one token?",
    r"$\left(\frac38\right)^{-1/2}$, 1.6330, and $\frac83$, 2.6667; both have $\frac12 \log_2 \frac83$ bits per byte, 0.7075.",
    level="easy",
    hint="Multiply the probabilities; only the number of tokens differs.",
)
def two_letters():
    letters, pair = _texts([[2, 4 / 3]]), _texts([[8 / 3]])
    yield sequence_perplexity(*letters), "1.6330"
    yield sequence_perplexity(*pair), "2.6667"
    yield bits_per_byte(*letters, jnp.array([2])), "0.7075"
    yield bits_per_byte(*pair, jnp.array([2])), "0.7075"


@derivation.exercise(
    r"In the example, the one token now has the probability $\frac12$, and the three have $\frac18$. Which means are too large?",
    r"The corpus has $2^{10/4}$, 5.6569. The mean by token, 6.5, is too large again; that by text, 5, is now too small.",
    level="medium",
    hint="Count the bits of all tokens, and divide by their number.",
)
def exchanged_texts():
    texts = _texts([[2], [8, 8, 8]])
    yield corpus_perplexity(*texts), "5.6569"
    yield jnp.array([1, 3]) @ sequence_perplexity(*texts) / 4, "6.5"
    yield jnp.mean(sequence_perplexity(*texts)), "5"


@derivation.exercise(
    "A model writes a text as its tokenizer would with the probability 0.3, and cut in another way with 0.1. How many bits are "
    "reported, and how many does the text cost?",
    r"$-\log_2 0.3$ bits are reported, 1.7370; the text costs $-\log_2 0.4$, 1.3219.",
    level="medium",
    hint="The text has the sum of the probabilities of its cuts.",
)
def another_way_to_cut():
    yield bits_per_byte(*_texts([[1 / 0.3]]), jnp.array([1])), "1.7370"
    yield bits_per_byte(*_texts([[1 / 0.4]]), jnp.array([1])), "1.3219"


@derivation.exercise(
    "Two models give the two tokens of a text the probabilities 1/2 and 1/32, and 1/32 and 1/2. What is the perplexity of each, "
    "and of the model that predicts with the mean of both at every token?",
    "8 and 8, and 3.7647: each token costs $-\\log \\frac{17}{64}$. By Jensen's inequality a mixture never has a larger "
    "perplexity than the geometric mean of those of its parts.",
    level="medium",
    hint="Average the probabilities, not their logarithms.",
)
def two_models_mixed():
    inverse = jnp.array([[2.0, 32.0], [32.0, 2.0]])
    yield sequence_perplexity(*_texts(inverse.tolist())), "8 and 8"
    yield sequence_perplexity(*_texts([(1 / jnp.mean(1 / inverse, axis=0)).tolist()])), "3.7647"


@derivation.exercise(
    r"A model gives 99 of 100 tokens the probability $\frac12$, and one of them 0. It is mixed with the share $\varepsilon$ of a "
    "uniform distribution over 50000 tokens. What is the perplexity without the mixture, at which share is it least, and what is "
    "it there?",
    "Without the mixture it is infinite. The best share is 0.0100, nearly the share of the tokens that the model misses, and the "
    "perplexity there is 2.3406: it tells more about the floor, which was chosen afterwards, than about the model.",
    level="hard",
    hint=r"Up to small terms the log-probability of the text depends on $\varepsilon$ as $99 \log(1 - \varepsilon) + "
    r"\log \varepsilon$.",
)
def a_floor():
    def perplexity(share):
        probs = (1 - share) * jnp.array([[0.5] * 99 + [0.0]]) + share / 50000
        return sequence_perplexity(jnp.log(probs), jnp.ones((1, 100)))[0]

    best = minimize_scalar(lambda share: float(perplexity(share)), bounds=(1e-4, 0.2), method="bounded", options={"xatol": 1e-7})
    yield int(jnp.isinf(perplexity(0.0))), Integer(1)
    yield best.x, "0.0100"
    yield best.fun, "2.3406"
