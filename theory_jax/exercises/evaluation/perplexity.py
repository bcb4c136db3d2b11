"""Exercises of the lecture: Perplexity: how many tokens a model chooses among, and when two models can be compared."""

import jax.numpy as jnp

from theory_jax.evaluation.perplexity import bits_per_byte, corpus_perplexity, sequence_perplexity
from theory_jax.lectures.evaluation.perplexity import _texts, derivation


@derivation.exercise(
    r"Two letters, one byte each, have the probabilities $\frac12$ and $\frac34$. What are perplexity and bits per byte, of "
    "single letters and of one token?",
    r"$\left(\frac38\right)^{-1/2}$, 1.6330, and $\frac83$, 2.6667; both have $\frac12 \log_2 \frac83$ bits per byte, 0.7075.",
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
)
def another_way_to_cut():
    yield bits_per_byte(*_texts([[1 / 0.3]]), jnp.array([1])), "1.7370"
    yield bits_per_byte(*_texts([[1 / 0.4]]), jnp.array([1])), "1.3219"
