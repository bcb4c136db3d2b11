"""Text conditioning: what a caption is worth, and attention to its words.

The lecture on the functions of theory_jax/diffusion/text_conditioning.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import exp, log, oo

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.text_conditioning import cross_attention, image_to_tokens, masked_mean, tokens_to_image

derivation = Derivation(
    module=__name__,
    title="Text conditioning: what a caption is worth, and attention to its words",
    lectures=(35, 36),
    sources=(
        "Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models, section 3.3",
        "Vaswani et al. 2017, Attention Is All You Need",
        "Saharia et al. 2022, Photorealistic Text-to-Image Diffusion Models with Deep Language Understanding",
    ),
    question="One vector for a whole caption treats every pixel alike: no pixel can ask for the words that concern it, and a "
    "long caption is squeezed into a fixed length. Let a denoiser see the words. By how much can its loss fall, at best? And "
    "how does a network let every pixel use the words that it needs, however many there are?",
    setting=(
        r"At one noisy image $x_t$, the noise takes the values $\epsilon_n$ with probabilities that depend on the caption $c$. "
        "A denoiser without the caption predicts one number, a denoiser with it a number for each caption; the loss is squared.",
        "In cross-attention a pixel has the score $s_w$ of each word $w$ (the product of a query of the pixel and a key of the "
        "word), and the answer is the mean of the words' values $v_w$ under the softmax of the scores, over the words that are "
        "shown.",
    ),
    limits=("That training finds useful queries.", "Text encoders: the order of the words must enter there."),
)

c = derivation.index("c", "a caption")
n = derivation.index("n", "a value of the noise")
p = derivation.law("p", c, "the captions that go with the noisy image")
q = derivation.law("q({}|{})", (n, c), "the noise, for a caption")
epsilon = derivation.numbers(r"\epsilon", n, "the values of the noise")
informed = derivation.define(r"\bar\epsilon", Expectation(q, epsilon), "the best prediction with a caption", over=c)
blind = derivation.define(r"\bar\epsilon_\emptyset", Expectation(p, informed), "the best prediction without one")
derivation.chain(
    "What a caption is worth",
    Expectation(p, Expectation(q, (epsilon - blind) ** 2)),
    equals(
        Expectation(p, Expectation(q, plus(epsilon - informed, informed - blind) ** 2)),
        "add and subtract the prediction with the caption",
        wrong={"the distance twice": Expectation(p, Expectation(q, plus(epsilon - informed, 2 * (informed - blind)) ** 2))},
    ),
    equals(
        plus(Expectation(p, Expectation(q, (epsilon - informed) ** 2)), Expectation(p, (informed - blind) ** 2)),
        prose(
            "for each caption the first bracket has mean zero, {zero}, and the second is a constant",
            zero=holds(Expectation(q, epsilon - informed), "=", 0),
        ),
        wrong={
            "the distance twice": plus(
                Expectation(p, Expectation(q, (epsilon - informed) ** 2)), 2 * Expectation(p, (informed - blind) ** 2)
            )
        },
    ),
    at_least(
        Expectation(p, Expectation(q, (epsilon - informed) ** 2)),
        prose(
            "leave out squares; equality if and only if all captions have the same prediction, as where {same} for every caption",
            same=where(q, q.at(n, 0)),
        ),
        dropping=Expectation(p, (informed - blind) ** 2),
    ),
    states=2,
    central=True,
    so=r"The difference $\bar\epsilon_c - \bar\epsilon_\emptyset$, whose mean square is the gain, is what classifier-free "
    "guidance multiplies.",
)

derivation.say("Now the mechanism, seen from one pixel.")
w = derivation.index("w", "a word that is shown")
j = derivation.index("j", "a word, next to $w$")
M = derivation.count(w, "M", "the number of words that are shown")
s = derivation.numbers("s", w, "the pixel's score of a word")
v = derivation.numbers("v", w, "the word's value")
a = derivation.define("a", exp(s) / Total(j, exp(s.at(j))), "the pixel's weight of a word", over=w, law=True)
o = derivation.define("o", Expectation(a, v), "the pixel's answer", "cross_attention")
scores = derivation.chain(
    "A score moves the answer toward the value of its word",
    Slope(o, s.at(j)),
    equals(
        plus(a.at(j) * v.at(j), -a.at(j) * Expectation(a, v)),
        prose(
            "the quotient rule; the sum of the exponentials grows by {share} of itself",
            share=holds(Slope(log(Total(w, exp(s))), s.at(j)), "=", a.at(j), named=True),
        ),
    ),
    equals(times(a.at(j), v.at(j) - o), "collect the terms", wrong={"the sign": times(a.at(j), o - v.at(j))}),
    so=prose(
        "A word without weight gets no gradient. Weights are positive, and {one}, so the answer is within the range of the "
        "values.",
        one=holds(Total(w, a), "=", 1),
    ),
)
equal = derivation.number("b", "the score of every word, where all are equal")
derivation.chain(
    "With equal scores a pixel gets the mean of the caption",
    Total(w, exp(equal) * v) / Total(w, exp(equal)),
    equals(Total(w, v) / M, prose("the common factor cancels: {sum}", sum=holds(Total(w, exp(equal)), "=", M * exp(equal)))),
    so="That is the pooled vector of the caption, the same for all pixels: conditioning by the caption's mean is attention "
    "with equal scores.",
)
fill = derivation.number("f", "the score that is filled in for a hidden word")
x1, x2 = derivation.number("s_1", "the score of a shown word"), derivation.number("s_2", "... of another")
v1, v2, v3 = (
    derivation.number(f"v_{k}", f"the value of the {which} word") for k, which in ((1, "first"), (2, "second"), (3, "hidden"))
)
shown = (exp(x1) * v1 + exp(x2) * v2) / (exp(x1) + exp(x2))
masked = derivation.chain(
    "A mask is the limit of a fill value",
    Limit((exp(x1) * v1 + exp(x2) * v2 + exp(fill) * v3) / (exp(x1) + exp(x2) + exp(fill)), fill, -oo),
    equals(shown, prose("{gone}", gone=holds(Limit(exp(fill), fill, -oo), "=", 0)), wrong={"no mask": (v1 + v2 + v3) / 3}),
    so=prose(
        "At any finite fill value the hidden word has weight: {weight}. And with no word shown the answer would be a quotient of "
        "zeros: a missing caption must be a separate, learned word, and not an empty mask.",
        weight=holds(exp(fill) / (exp(x1) + exp(x2) + exp(fill)), ">", 0),
    ),
)
once, total = Total(w, exp(s) * v), Total(w, exp(s))
derivation.chain(
    "Saying everything twice changes nothing",
    plus(once, once) / plus(total, total),
    equals(o, prose("both sums double, {double}", double=holds(plus(total, total), "=", 2 * total))),
    role="remark",
    so='The answer is a quotient of sums over the words, so their order does not enter either: "red circle, blue square" and '
    '"blue '
    'circle, red square" are one to it.',
)
derivation.answer = prose(
    "The best loss falls by the mean squared distance of the two best predictions, {gain}: by nothing if the caption adds no "
    "information about the noise beyond the image. Cross-attention is a mean over a set of words: their order does not enter, a "
    "hidden word has no weight and no gradient, and each pixel has its own weights.",
    gain=holds(
        plus(Expectation(p, Expectation(q, (epsilon - blind) ** 2)), -Expectation(p, Expectation(q, (epsilon - informed) ** 2))),
        "=",
        Expectation(p, (informed - blind) ** 2),
        named=True,
    ),
)
x = derivation.number("x", "a pixel of one channel", "tokens")
word = derivation.numbers("g", w, "words of one channel", "context")
W_q, W_k, W_v, W_o = (
    derivation.number(f"W_{of[0].upper()}", f"the weight of {plural}", f"{of}_weight")
    for of, plural in (("query", "queries"), ("key", "keys"), ("value", "values"), ("output", "the output"))
)
weighted = exp(W_q * x * W_k * word)
of_code = derivation.bridge(
    "The code computes the answer, here with one channel and one head",
    W_o * Total(w, weighted * W_v * word) / Total(w, weighted),
    cross_attention,
    tokens=[[[x]]],
    context=[[[word.at(place)] for place in range(4)]],
    mask=np.ones((1, 4), bool),
    query_weight=[[W_q]],
    key_weight=[[W_k]],
    value_weight=[[W_v]],
    output_weight=[[W_o]],
    num_heads=1,
    wrong={"the words themselves": Total(w, weighted * word) / Total(w, weighted)},
)
derivation.bridge(
    "... and the mean of the first two words, where the others are hidden",
    (word.at(0) + word.at(1)) / 2,
    masked_mean,
    context=[[[word.at(place)] for place in range(4)]],
    mask=np.array([[True, True, False, False]]),
    wrong={"of all": Total(w, word) / M, "by the number of all": (word.at(0) + word.at(1)) / M},
)


def _one_channel(pixel, words, hidden=()):
    """(tokens, context, mask) of one pixel."""
    mask = np.array([[place not in hidden for place in range(len(words))]])
    return jnp.full((1, 1, 1), pixel), jnp.asarray(words, float).reshape(1, -1, 1), mask


derivation.symbol("h", "a row of an image")
derivation.symbol("i", "a column of it")
derivation.symbol("W", "the number of its columns")


@derivation.exact(
    r"\text{token } h W + i \text{ has the channels of pixel } (h, i)",
    because="Row after row, in an image of $W$ columns, and back: on two images of 2 by 3 pixels.",
    outcomes=12,
    role="lemma",
)
def tokens_are_pixels_row_after_row():
    images = jnp.arange(12.0).reshape(2, 1, 2, 3)
    tokens = image_to_tokens(images)
    back = tokens_to_image(tokens, height=2, width=3)
    found = jnp.concatenate([tokens.ravel(), back.ravel()])
    return Sides(
        left=found, right=jnp.tile(jnp.arange(12.0), 2), wrong={"columns first": jnp.tile(jnp.swapaxes(images, 2, 3).ravel(), 2)}
    )


def _answer(pixel, hidden=()):
    ones = (jnp.full((1, 1), one) for one in (1.0, np.log(2.0), 1.0, 1.0))
    return cross_attention(*_one_channel(pixel, [1.0, 0.0, -1.0], hidden), *ones, num_heads=1)[0, 0, 0]


@derivation.example(
    prose(
        "One channel and one head, with {query}, {value}, {output} and {key}, and three words 1, 0 and -1. The pixel 1 has "
        r"the weights $\frac47$, $\frac27$, $\frac17$. Then a fair coin $\epsilon$, 0 or 1, and a caption that names it "
        "rightly in 4 of 5 cases.",
        query=where(W_q, 1),
        value=where(W_v, 1),
        output=where(W_o, 1),
        key=where(W_k, log(2)),
    )
)
def three_words():
    for pixel, said in ((1.0, "3/7"), (-1.0, "-3/7"), (0.0, "0")):
        yield rf"o \text{{ of the pixel {pixel:g}}}", _answer(pixel), said
    yield r"o \text{ of the pixel 1, the third word hidden}", _answer(1.0, hidden=(2,)), "2/3"
    without, with_caption = 0.25, 0.8 * 0.2**2 + 0.2 * 0.8**2
    yield r"\text{the best losses}", [without, with_caption], "0.25, 0.16"
    yield r"\text{the mean squared distance of the predictions}", np.mean((np.array([0.2, 0.8]) - 0.5) ** 2), "0.09"


@derivation.algorithm(
    "Cross-attention of an image to a caption",
    do(r"the tokens $x$ $\leftarrow$ the pixels, row after row", image_to_tokens, by=tokens_are_pixels_row_after_row),
    do(r"for each token, $s_w \leftarrow W_Q x\, W_K g_w$ for the words that are shown", by=masked),
    do(r"$a_w \leftarrow$ the softmax of the scores", by=scores, indent=1),
    do(r"$o \leftarrow W_O \sum_w a_w W_V g_w$", cross_attention, by=of_code, indent=1),
    do("put the answers in the pixels' positions", tokens_to_image, by=tokens_are_pixels_row_after_row),
)
def two_pixels():
    pixels = image_to_tokens(jnp.array([[[[1.0, -1.0]]]]))
    yield r"\text{the image } (1, -1) \text{ and the example's words: tokens}", pixels.ravel(), "(1, -1)"
    scores_ = np.log(2) * np.array([1.0, 0.0, -1.0])
    yield r"s_w \text{ of the first}", scores_, "(0.6931, 0, -0.6931)"
    yield "a_w", np.exp(scores_) / np.exp(scores_).sum(), "(4/7, 2/7, 1/7)"
    words, shown_ = jnp.array([[[1.0], [0.0], [-1.0]]]), np.ones((1, 3), bool)
    ones = [jnp.full((1, 1), one) for one in (1.0, np.log(2.0), 1.0, 1.0)]
    answers = cross_attention(pixels, words, shown_, *ones, num_heads=1)
    yield r"\text{answers of both}", tokens_to_image(answers, height=1, width=2).ravel(), "(3/7, -3/7)"
    yield r"\text{the mean of the words, the same for both}", masked_mean(words, shown_), "0"


@derivation.figure(
    "The example. Left: the weights of the three words over the pixel's value, and the answer. Right: the weight of the third "
    "word at pixel 1, if its score is a fill value: the mask is the limit on the left.",
    panels=2,
)
def weights_and_fill(weights, filled):
    pixels = np.linspace(-4, 4, 81)
    scores = np.exp(np.log(2) * pixels[:, None] * np.array([1.0, 0.0, -1.0]))
    for column, label in zip((scores / scores.sum(1, keepdims=True)).T, ("1", "0", "-1"), strict=True):
        weights.plot(pixels, column, label=f"word {label}")
    few = np.linspace(-4, 4, 9)
    weights.plot(few, [_answer(pixel) for pixel in few], "o--", color="gray", label="answer")
    weights.set(xlabel="pixel", ylabel="weight")
    weights.legend()
    fills = np.linspace(-12, 1, 66)
    filled.semilogy(fills, np.exp(fills) / (3 + np.exp(fills)))
    filled.set(xlabel="fill value", ylabel="weight of the hidden word")
