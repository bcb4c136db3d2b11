"""Perplexity: how many tokens a model chooses among, and when two models can be compared.

The lecture on the functions of theory_jax/evaluation/perplexity.py.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Product, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.perplexity import (
    bits_per_byte,
    corpus_perplexity,
    distinct_fraction,
    sequence_perplexity,
    token_log_probs,
)
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.jensen import jensen
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Perplexity: how many tokens a model chooses among, and when two models can be compared",
    lectures=(14,),
    sources=(
        "Jelinek, Mercer, Bahl & Baker 1977, Perplexity: a measure of the difficulty of speech recognition tasks",
        "Cover & Thomas 2006, Elements of information theory, chapters 2 and 4",
        "Gao et al. 2020, The Pile, section 3.1 (bits per byte)",
        "Cao & Rimell 2021, You should evaluate your language model on marginal likelihood over tokenisations",
        "Li et al. 2016, A diversity-promoting objective function for neural conversation models (distinct-n)",
    ),
    question="The probability of a text falls with every token, so it cannot compare texts of different length; and models "
    "whose tokenizers differ count different tokens. A language model has a perplexity of 20. What does that mean, how small "
    "can it be, and is a model with a perplexity of 15 better?",
    setting=(
        r"A text is a sequence of tokens $t_1, \dots, t_T$. The model gives each a positive probability $q_i$ after those before "
        r"it, so the text has the probability $\prod_i q_i$.",
        "Texts are drawn from a distribution $p$. A tokenizer maps every text to one sequence of tokens, from which it can be "
        "read back.",
    ),
    limits=(
        "The entropy of a text per token as texts grow long.",
        "Whether what the model writes is good: perplexity is about texts that others have written.",
    ),
    trained="A unit of likelihood, not a model. Experiments with text report it.",
)

i = derivation.index("i", "the position of a token")
T = derivation.count(i, "T", "the number of tokens")
q = derivation.numbers("q", i, "the probability of each", "exp(log_probs)", positive=True)
perplexity = derivation.define(
    r"\mathrm{PP}", exp(-Total(i, log(q)) / T), "the perplexity of a sequence", "sequence_perplexity", positive=True
)
m = derivation.number("m", "a number of choices", positive=True)
derivation.chain(
    "Perplexity is the inverse geometric mean of the tokens' probabilities",
    perplexity,
    equals(
        Product(i, q) ** (-1 / T), "the exponential of a sum is a product", wrong={"the geometric mean": Product(i, q) ** (1 / T)}
    ),
    role="lemma",
)
derivation.chain(
    "A choice among equally likely tokens has their number as its perplexity",
    exp(-Total(i, log(1 / m)) / T),
    equals(m, "each of the $T$ logarithms is minus that of $m$"),
    role="lemma",
    so="A model that chooses uniformly from its vocabulary has a perplexity of the vocabulary's size; a model that is certain of "
    "every token, and right, has 1.",
)

derivation.say(
    "How small can it be? Take texts of two letters, the second of which depends on the first; the argument is the same for "
    "every length."
)
s = derivation.index("s", "the first letter", states=2)
t = derivation.index("t", "the second letter", states=2)
first = derivation.law("p({})", s, "the distribution of the first letter")
second = derivation.law("p({}|{})", (t, s), "the distribution of the second, given the first")
q_first = derivation.law("q({})", s, "the model's distribution of the first")
q_second = derivation.law("q({}|{})", (t, s), "... and of the second")
expected = derivation.define(
    "L", -Expectation(first, Expectation(second, plus(log(q_first), log(q_second)))) / 2, "the expected log perplexity of a text"
)
derivation.chain(
    "No model is below the entropy per token",
    expected,
    equals(
        plus(-Expectation(first, log(q_first)) / 2, -Expectation(first, Expectation(second, log(q_second))) / 2),
        r"the expectation of a sum; $q(s)$ does not depend on the second letter",
        wrong={"not per token": plus(-Expectation(first, log(q_first)), -Expectation(first, Expectation(second, log(q_second))))},
    ),
    equals(
        plus(
            (Entropy(first) + Expectation(first, Entropy(second))) / 2,
            (Divergence(first, q_first) + Expectation(first, Divergence(second, q_second))) / 2,
        ),
        prose(
            "{first}, and {second}",
            first=holds(-log(q_first), "=", plus(-log(first), log(first / q_first))),
            second=holds(-log(q_second), "=", plus(-log(second), log(second / q_second))),
        ),
        wrong={
            "the divergences turned over": plus(
                (Entropy(first) + Expectation(first, Entropy(second))) / 2,
                (Divergence(q_first, first) + Expectation(first, Divergence(q_second, second))) / 2,
            )
        },
    ),
    at_least(
        (Entropy(first) + Expectation(first, Entropy(second))) / 2,
        prose(
            "leave out the divergences (Gibbs); equality if and only if the model is the distribution, {first} and {second}",
            first=where(q_first, first),
            second=where(q_second, second),
        ),
        dropping=(gibbs.at(first, q_first) + Expectation(first, gibbs.at(second, q_second))) / 2,
    ),
    central=True,
    so="What remains is the entropy of the text per token, $H(t_1, t_2)/2$. So perplexities can be compared on the same text "
    "only: a bad model of a simple text can have less than the best model of a rich one.",
)

derivation.say("Now many texts of different length.")
b = derivation.index("b", "a text of the corpus", states=2)
j = derivation.index("j", "another", states=2)
length = derivation.numbers("T", b, "its length", "mask.sum(1)", positive=True)
nats = derivation.numbers("c", b, "the logarithm of its perplexity", "log(sequence_perplexity)")
own = derivation.define(r"\mathrm{PP}", exp(nats), "its perplexity", "sequence_perplexity", over=b, positive=True)
share = derivation.define(r"\lambda", length / Total(j, length.at(j)), "its share of all tokens", over=b, law=True)
of_corpus = derivation.define(
    r"\mathrm{PP}_c",
    exp(Total(b, length * nats) / Total(b, length)),
    "the perplexity of the corpus",
    "corpus_perplexity",
    positive=True,
)
average = derivation.define("M", Expectation(share, exp(nats)), "the mean of the texts' perplexities, by token", positive=True)
of_texts = derivation.chain(
    "A corpus is the geometric mean of its texts, weighted by their tokens",
    log(of_corpus),
    equals(
        Expectation(share, nats),
        r"$T_b c_b$ is minus the log-probability of a text",
        wrong={"every text counted alike": Total(b, nats) / 2},
    ),
    at_most(
        log(average),
        prose("Jensen's inequality; equality if and only if {same} for all texts", same=where(nats, nats.at(0))),
        adding=jensen.at(share, own),
    ),
    so="Unless all texts have one perplexity, the arithmetic mean by token is too large. That over texts, each counted once, can "
    "err to either side (exercise 2).",
)

derivation.say("Two models cut one text into different tokens.")
ell = derivation.number(r"\ell", "the logarithm of the text's probability", "log_probs.sum(1)")
T_1 = derivation.number("T_1", "the number of tokens of one", positive=True)
T_2 = derivation.number("T_2", "... and of the other", positive=True)
B = derivation.number("B", "the number of bytes of the text", "byte_counts", positive=True)
P_1 = derivation.define(r"\mathrm{PP}_1", exp(-ell / T_1), "the perplexity of one", positive=True)
P_2 = derivation.define(r"\mathrm{PP}_2", exp(-ell / T_2), "... and of the other", positive=True)
bits = derivation.define(r"\mathrm{bpb}", -ell / (B * log(2)), "bits per byte", "bits_per_byte")
derivation.answer = prose(
    "It is the inverse of the geometric mean of the tokens' probabilities, {mean}: as if each token were one of so many, all "
    "equally likely. No model has, on average, a log perplexity below the entropy of the text per token, and only the true "
    "distribution has that: for two letters, {floor}. Models with other tokens cannot be compared by it; bits per byte see the "
    "probability of the text alone, however it is cut: {same}.",
    mean=holds(perplexity, "=", Product(i, q) ** (-1 / T), wrong={"the geometric mean": Product(i, q) ** (1 / T)}),
    floor=holds(
        expected, "=", (Entropy(first) + Expectation(first, Entropy(second))) / 2, when={q_first: first, q_second: second}
    ),
    same=holds(times(T_1 / B, log(P_1) / log(2)), "=", times(T_2 / B, log(P_2) / log(2)), wrong={"by token": log(P_2) / log(2)}),
)
of_bytes = derivation.chain(
    "The same probability is another perplexity, and the same bits per byte",
    bits,
    equals(
        times(T_1 / B, log(P_1) / log(2)),
        prose(
            "{nats}: the logarithm to base 2 of the perplexity, times tokens by bytes",
            nats=holds(-ell, "=", times(T_1, log(P_1))),
        ),
    ),
    equals(
        times(T_2 / B, log(P_2) / log(2)),
        prose(
            "$\\ell$ is the same, so {same}: with fewer tokens the perplexity is larger",
            same=holds(times(T_1, log(P_1)), "=", times(T_2, log(P_2))),
        ),
        wrong={"the tokens of the first": times(T_1 / B, log(P_2) / log(2))},
    ),
    so=r"If two tokens become one, $\log q(s) + \log q(t|s)$ becomes $\log q(st)$, and $\ell$ is unchanged.",
)
a = derivation.number("a", "the probability of the tokenizer's way to cut the text", between=(0, 1))
r = derivation.number("r", "... of all other ways", positive=True)
derivation.chain(
    "Other ways to cut the text make the reported bits an upper bound",
    -log(a),
    equals(
        plus(-log(a + r), r / (a + r), tangent.at(a / (a + r))),
        prose(
            "the share of the tokenizer's way, {share}, has {others}: 1 less the share, and the gap between the logarithm and "
            "its tangent",
            share=a / (a + r),
            others=holds(-log(a / (a + r)), "=", plus(r / (a + r), tangent.at(a / (a + r)))),
        ),
    ),
    at_least(-log(a + r), "leave out the share of the others and the gap", dropping=plus(r / (a + r), tangent.at(a / (a + r)))),
    so="A model that can write a text in several ways gives it the sum of their probabilities, of which a perplexity sees one.",
)

v = derivation.index("v", "a token of the vocabulary")
w = derivation.index("w", "another token")
logits = derivation.numbers("l", (i, v), "the logits", "logits")
softmax = derivation.define(
    "q({}|{})", exp(logits) / Total(w, exp(logits.at(i, w))), "the probability of a token at a position", over=(v, i), law=True
)
derivation.bridge(
    "The code computes the probabilities of tokens",
    [log(softmax.at(token, place)) for place, token in enumerate((2, 0, 3, 3))],
    token_log_probs,
    logits=[logits],
    tokens=jnp.array([[2, 0, 3, 3]]),
)
derivation.bridge(
    "... the perplexity of a sequence",
    perplexity,
    sequence_perplexity,
    log_probs=[log(q)],
    mask=jnp.ones((1, 4)),
    wrong={"not divided by the length": 1 / Product(i, q)},
)
derivation.bridge(
    "... and its bits per byte, with seven bytes",
    -Total(i, log(q)) / (7 * log(2)),
    bits_per_byte,
    log_probs=[log(q)],
    mask=jnp.ones((1, 4)),
    byte_counts=jnp.array([7]),
    wrong={"bits per token": -Total(i, log(q)) / (T * log(2))},
)
k = derivation.index("k", "a text, all of one length")
N = derivation.count(k, "N", "the number of such texts")
many = derivation.numbers("u", (k, i), "the probabilities of their tokens", positive=True)
derivation.bridge(
    "... and the perplexity of a corpus",
    exp(-Total(k, Total(i, log(many))) / (N * T)),
    corpus_perplexity,
    log_probs=[log(many.at(text, i)) for text in range(4)],
    mask=jnp.ones((4, 4)),
    wrong={"mean of the perplexities": Total(k, exp(-Total(i, log(many)) / T)) / N},
)
derivation.symbol("n", "how many tokens make an n-gram", "order")
derivation.symbol(r"\mathrm{distinct}_n", "different n-grams by n-grams", "distinct_fraction")
derivation.symbol("V", "the size of the vocabulary")


@derivation.exact(
    r"\frac{1}{T - n + 1} \le \mathrm{distinct}_n \le \min\left(1, \frac{V^n}{T - n + 1}\right)",
    because="A sequence has $T - n + 1$ windows, at least one of them new, and no more than there are n-grams. Both ends are "
    "reached: the smallest and the largest fraction of all sequences of six tokens from two, for single tokens, pairs and "
    "triples.",
    outcomes=3 * 2**6,
    role="remark",
)
def repetition_has_bounds():
    sequences = jnp.array(list(product(range(2), repeat=6)))
    fractions = [distinct_fraction(sequences, order=order) for order in (1, 2, 3)]
    found = jnp.array([(jnp.min(part), jnp.max(part)) for part in fractions])
    wanted = jnp.array([(1 / 6, 2 / 6), (1 / 5, 4 / 5), (1 / 4, 1.0)])
    return Sides(left=found, right=wanted, wrong={"divided by the length": wanted * jnp.array([[6.0], [5.0], [4.0]]) / 6})


@derivation.algorithm(
    "Evaluating a language model on a corpus",
    do(r"start with $\ell \leftarrow 0$ and $T \leftarrow 0$"),
    do("for every text, cut into tokens $t_1, \\dots, t_{T_b}$:"),
    do(r"$\log q_i \leftarrow l_{i, t_i} - \log \sum_w e^{l_{i, w}}$ for every token", token_log_probs, indent=1),
    do(r"$\ell \leftarrow \ell + \sum_i \log q_i$ and $T \leftarrow T + T_b$", indent=1),
    do(r"report its bits per byte, $-\sum_i \log q_i / (B \log 2)$", bits_per_byte, by=of_bytes, indent=1),
    do("report the perplexity of the corpus, $e^{-\\ell/T}$", corpus_perplexity, by=of_texts),
)
def a_corpus_of_two_texts():
    logits = np.log(np.array([[[1.0, 7.0], [1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]] * 3]))
    mask = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    log_probs = token_log_probs(np.zeros((2, 3), int), logits)
    yield r"q_i \text{ of a text of one token, logits } (0, \log 7)", jnp.exp(log_probs[0, 0]), "1/8"
    yield r"q_i \text{ of a text of three, logits } (0, 0)", jnp.exp(log_probs[1]), "(1/2, 1/2, 1/2)"
    yield r"e^{-\ell/T} \text{ after the first text}", corpus_perplexity(log_probs[:1], mask[:1]), "8"
    yield r"\text{bits per byte, with 2 bytes and with 4}", bits_per_byte(log_probs, mask, np.array([2, 4])), "(1.5, 0.75)"
    yield r"e^{-\ell/T} \text{ at the end}", corpus_perplexity(log_probs, mask), "2.8284"


@derivation.example(
    r"A text of three tokens with the probabilities $\frac12, \frac14, \frac18$. Then a corpus of two texts: one token with "
    r"$\frac18$, and three with $\frac12$."
)
def three_tokens_and_two_texts():
    yield r"\left(\frac{1}{64}\right)^{-1/3}", sequence_perplexity(-jnp.log(jnp.array([[2.0, 4.0, 8.0]])), jnp.ones((1, 3))), "4"
    yield r"\text{bits in four bytes}", bits_per_byte(*_texts([[2, 4, 8]]), jnp.array([4])), "1.5"
    texts = _texts([[8], [2, 2, 2]])
    yield r"\mathrm{PP} \text{ of both}", sequence_perplexity(*texts), "(8, 2)"
    yield r"\mathrm{PP}_c = 64^{1/4}", corpus_perplexity(*texts), "2.8284"
    yield r"\text{mean by token}", jnp.array([1, 3]) @ sequence_perplexity(*texts) / 4, "3.5"
    yield r"\text{mean by text}", jnp.mean(sequence_perplexity(*texts)), "5"


def _texts(inverse_probabilities):
    """log_probs and mask of texts that are given by the inverse probabilities of their tokens."""
    longest = max(map(len, inverse_probabilities))
    rows = np.array([row + [1.0] * (longest - len(row)) for row in inverse_probabilities])
    mask = np.array([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in inverse_probabilities])
    return -np.log(rows), mask


@derivation.figure(
    "Left: letters have the probabilities 0.8 and 0.2, a model gives them $x$ and $1 - x$. Its expected log perplexity is $L$, "
    "and $e^L$ is never below $e^{H(p)}$, 1.65 (line). Right: one text of twelve letters, cut into single letters, pairs and "
    "triples. Its perplexity depends on the cut, its bits per byte do not.",
    panels=2,
)
def the_floor_and_the_cut(floor, cut):
    x = np.linspace(0.3, 0.99, 60)
    # ten letters: eight of the first, two of the second
    rows = np.stack([np.log(x)] * 8 + [np.log(1 - x)] * 2, axis=1)
    floor.plot(x, sequence_perplexity(rows, np.ones(rows.shape)))
    floor.axhline(np.exp(-0.8 * np.log(0.8) - 0.2 * np.log(0.2)), color="black", linewidth=1)
    floor.set(xlabel="the model's probability of the first letter, $x$", ylabel="perplexity, $e^L$")
    letters = np.log(np.array([0.8, 0.5, 0.9, 0.2, 0.7, 0.6, 0.9, 0.4, 0.8, 0.3, 0.9, 0.7]))
    cuts = [letters.reshape(1, -1, size).sum(2) for size in (1, 2, 3)]
    places = np.arange(3)
    values = [float(sequence_perplexity(part, np.ones(part.shape))[0]) for part in cuts]
    per_byte = [float(bits_per_byte(part, np.ones(part.shape), np.array([12]))[0]) for part in cuts]
    cut.bar(places - 0.2, values, 0.4, label="perplexity")
    cut.bar(places + 0.2, per_byte, 0.4, label="bits per byte")
    cut.set(xticks=places, xticklabels=["letters", "pairs", "triples"], xlabel="tokens", ylabel="value")
    cut.legend()
