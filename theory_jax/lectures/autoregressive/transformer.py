"""The transformer decoder: all conditionals in one pass, and what a pass costs.

The lecture on the functions of theory_jax/autoregressive/transformer.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, Rational, exp, pi, sqrt

from theory_jax.autoregressive.transformer import (
    decoder_block,
    decoder_logits,
    feed_forward,
    forward_operations,
    gated_feed_forward,
    gelu,
    parameter_count,
    silu,
)
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.lectures.autoregressive._decoders import (
    bends_and_shares,
    last_streams,
    random_decoder,
    seen_and_stored,
    signs_decoder,
)

_TOKENS = jnp.array([[3, 1, 4, 1, 5, 2], [6, 0, 2, 5, 3, 5]])
_logits = jax.jit(lambda tokens, parameters: decoder_logits(tokens, parameters, heads=2))

derivation = Derivation(
    module=__name__,
    title="The transformer decoder: all conditionals in one pass, and what a pass costs",
    lectures=(44, 45),
    sources=(
        "Vaswani et al. 2017, Attention Is All You Need",
        "Hendrycks & Gimpel 2016, Gaussian Error Linear Units",
        "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
        "Kaplan et al. 2020, Scaling Laws for Neural Language Models",
        "Shazeer 2020, GLU Variants Improve Transformer",
    ),
    question="A network that reads one token after another cannot be trained on all tokens of a text at once. One that reads "
    "them all at once sees the very token that it should predict, and not the order of the others. How does a transformer give "
    "the distribution of every next token in one pass, where does it get the order from, and what does a pass cost?",
    setting=(
        r"Every token has a vector of $E$ entries, the stream: at first its embedding plus its position's. Each of $N$ blocks "
        r"adds to it: first causal attention over the normalized stream, then a feed-forward layer with $F$ inner entries, the "
        r"same for every token. After the last block a norm and a matrix with a row for each of the $V$ words give the logits.",
        r"Causal attention at token $t$ is an average over the tokens up to $t$, with weights that are normalized over "
        r"these alone.",
        r"Costs: one multiplication and one addition are two operations. Attention is counted densely, all $T^2$ pairs of "
        r"tokens.",
    ),
    limits=(
        "That two blocks can tell every order apart is not shown; one example where they do is given.",
        "What a stack of blocks can and cannot compute is not treated.",
        "Shares of logits are read off with the last norm's scale held; that they say what a branch means is an interpretation.",
    ),
)

derivation.figure(
    "Left: gelu, silu and relu. Right: shares of the operations of a pass of GPT-2 small against the length; attention takes "
    "more than half beyond 6703 tokens.",
    panels=2,
)(bends_and_shares)


t = derivation.index("t", "a token of the sequence")
j = derivation.index("j", "a token of the sequence, next to $t$")
l = derivation.index("l", "a token of the sequence, next to $t$ and $j$")  # noqa: E741 (the lecture's letter)
x = derivation.numbers("x", t, "the stream before a block, one entry of it", "x")
mask = derivation.define(
    "M", sympy.Heaviside(t - j, 1), "1 where token $j$ is not behind $t$, and 0 elsewhere", "causal_mask", over=(t, j)
)
weight = derivation.define(
    "P",
    mask * exp(x * x.at(j)) / Total(l, mask.at(t, l) * exp(x * x.at(l))),
    "the weights of causal attention",
    "attention_weights",
    over=(t, j),
)
mixed = derivation.define("A", Total(j, times(weight, x.at(j))), "what attention adds", "multi_head_attention", over=t)
f = derivation.function("f", "the feed-forward layer, any function of a token's stream", "feed_forward")
after = derivation.define("y", plus(x, mixed, f(plus(x, mixed))), "the stream behind the block", "decoder_block", over=t)

derivation.say(
    "Causality. To see the argument without the letters of a real block, let the stream have one entry and the scores be $x_t "
    "x_j$; norms and matrices act on each token by itself and change nothing in it."
)
block = derivation.chain(
    "A block does not carry the future into the past",
    times(1 - mask, Slope(after, x.at(j))),
    equals(
        0,
        prose(
            "a token behind $t$ has the weight zero, {hidden}, and no part in the normalizer; for the others the first factor "
            "is 0",
            hidden=holds(times(1 - mask, weight), "=", 0),
        ),
        wrong={"a token hidden from itself": KroneckerDelta(t, j)},
    ),
    states=2,
    central=True,
)
derivation.say(
    "By induction: the embeddings at $t$ know token $t$ alone. If the stream before a block at every $j$ knows the tokens up "
    "to $j$ alone, then so does the stream behind it, by what was just shown. So the logits at $t$ are a function of the "
    "tokens up to $t$, and the softmax of the logits is a distribution of token $t + 1$ given them. Their product over $t$ is "
    "a distribution of the whole sequence by the chain rule, and one pass gives all of its factors, whatever comes later and "
    "wherever the text is cut off."
)


@derivation.numeric(
    r"y_t(x_1, \dots, x_4, x_5, x_6) = y_t(x_1, \dots, x_4, x'_5, x'_6) = y_t(x_1, \dots, x_4) \quad\text{for}\ t \le 4",
    because="The logits of the code, for two blocks: after the last two of six tokens were changed, and after they were cut off.",
    uses=(block,),
    role="remark",
)
def one_pass_scores_every_conditional():
    parameters = random_decoder()
    whole = _logits(_TOKENS, parameters)
    changed = _logits(_TOKENS.at[:, 4:].set(0), parameters)
    short = _logits(_TOKENS[:, :4], parameters)
    wrong = {"one token later": jnp.stack([whole[:, 1:5]] * 2)}
    return Sides(left=jnp.stack([changed[:, :4], short]), right=jnp.stack([whole[:, :4]] * 2), wrong=wrong)


derivation.say("Order. Leave the positions out, and consider the first block's attention at the last token.")
k = derivation.index("k", "a word of the vocabulary")
B = derivation.numbers("B", (j, k), "1 where token $j$ is word $k$, and 0 elsewhere")
e = derivation.numbers(r"\omega", k, "the exponential of the last token's score for word $k$", positive=True)
v = derivation.numbers("v", k, "the value of word $k$")
counts = derivation.define("m", Total(j, B), "how often word $k$ occurred", over=k)
bag = derivation.chain(
    "Without positions the last token sees in one block how often each word occurred, and nothing else",
    Total(j, Total(k, times(B, e, v))) / Total(j, Total(k, times(B, e))),
    equals(
        Total(k, times(counts, e, v)) / Total(k, times(counts, e)),
        prose("scores and values depend on the word alone; exchange the sums: {count}", count=holds(Total(j, B), "=", counts)),
        wrong={"each word once": Total(k, times(e, v)) / Total(k, e)},
    ),
    so="A bag of words: the order of those before the last one is lost. In the second block the streams of the earlier tokens "
    "differ by what each of them had seen, so causality itself carries order; positions carry it at once.",
)


@derivation.exact(
    r"y_3(0, 1, 1) = y_3(1, 0, 1) \quad\text{behind one block, and not behind two}",
    because=prose(
        r"The block above without a feed-forward layer. Behind the first block the streams are $(0, 1 + \frac{e}{1 + e}, b)$ and "
        r"$(2, \frac12, b)$ with the same {last}, or 1.8446; the second block averages over these, and gives 3.6060 and 3.7283.",
        last=means("b", 1 + 2 * sympy.E / (1 + 2 * sympy.E)),
    ),
    outcomes=2,
    role="remark",
)
def depth_tells_the_order():
    left = np.array([last_streams(np.array(tokens)) for tokens in ((0.0, 1, 1), (1.0, 0, 1))])
    once = 1 + 2 * np.e / (1 + 2 * np.e)
    behind = np.array([[0, 1 + np.e / (1 + np.e), once], [2, 0.5, once]])
    shares = np.exp(once * behind)
    right = np.stack([np.full(2, once), once + (shares * behind).sum(1) / shares.sum(1)], axis=1)
    return Sides(left=left, right=right, wrong={"two blocks see a bag, too": np.stack([right[0]] * 2)})


derivation.say(
    "The feed-forward layer. Its nonlinearity, gelu, is the input, multiplied by the probability that a standard normal number "
    "is below it: a gate that opens at random, averaged."
)
z = derivation.number("z", "an entry of the inner layer")
Phi = derivation.define(r"\Phi(z)", (1 + sympy.erf(z / sqrt(2))) / 2, "the normal distribution function")
phi = derivation.define(r"\varphi(z)", exp(-(z**2) / 2) / sqrt(2 * pi), "the normal density")
gelu_of = derivation.define(r"\mathrm{gelu}(z)", times(z, Phi), "the gated input", "gelu")
slope = derivation.chain(
    "The slope of gelu is its gate plus a term for how the gate opens",
    Slope(gelu_of, z),
    equals(plus(Phi, times(z, phi)), prose("the product rule, and {density}", density=holds(Slope(Phi, z), "=", phi))),
    role="lemma",
)
kappa = derivation.define(r"\kappa", Rational(44715, 10**6), "the factor of the cube in the approximation by tanh, 0.044715")


def _tanh_gelu(z):
    return times(z, Rational(1, 2), plus(1, sympy.tanh(sqrt(2 / pi) * plus(z, kappa * z**3))))


derivation.bridge("The code's gelu", gelu_of, gelu, x=[z], approximate=False)
derivation.bridge("... its approximation by tanh, which GPT-2 uses", _tanh_gelu(z), gelu, x=[z], approximate=True)
derivation.bridge("... and silu", z / (1 + exp(-z)), silu, x=[z])


d = derivation.index("d", "an entry of the stream")
i = derivation.index("i", "an inner entry")
c = derivation.index("c", "an entry of the stream, next to $d$")
u = derivation.numbers("u", d, "the normalized stream of a token", "x")
up = derivation.numbers("U", (i, d), "the matrix up", "up_weight")
down = derivation.numbers("D", (c, i), "the matrix down", "down_weight")
gate = derivation.numbers("G", (i, d), "the matrix of the gate", "gate_weight")
bias = derivation.numbers("b", i, "the bias of the inner layer", "up_bias")
bias_down = derivation.numbers(r"\beta", c, "the bias of the output", "down_bias")
inner = derivation.define("h", plus(Total(d, times(up, u)), bias), "the inner entries", over=i)


def _silu(z):
    return z / (1 + exp(-z))


gated = derivation.define("g", Total(d, times(gate, u)), "the gate's input", over=i)
lifted = derivation.define("q", Total(d, times(up, u)), "what the gate lets through", over=i)
derivation.bridge(
    "The feed-forward layer: up, bend, down",
    plus(Total(i, down * _tanh_gelu(inner)), bias_down),
    feed_forward,
    x=[[u]],
    up_weight=[up.at(e, d) for e in range(4)],
    up_bias=bias,
    down_weight=down,
    down_bias=bias_down,
    sizes={d: 3, c: 3, i: 4},
    wrong={"the bias behind the bend": plus(Total(i, down * plus(_tanh_gelu(inner - bias), bias)), bias_down)},
)
derivation.bridge(
    "SwiGLU: one matrix's silu is the gate of another's output",
    Total(i, down * _silu(gated) * lifted),
    gated_feed_forward,
    x=[[u]],
    gate_weight=[gate.at(e, d) for e in range(4)],
    up_weight=[up.at(e, d) for e in range(4)],
    down_weight=down,
    sizes={d: 3, c: 3, i: 4},
    wrong={"the gate on the other matrix": Total(i, down * _silu(lifted) * gated)},
)
E, F, V, N, T, L = (
    derivation.number(name, what, code, positive=True, integer=True)
    for name, what, code in (
        ("E", "the width of the stream", "width"),
        ("F", "the width of the feed-forward layer", "feed_forward_width"),
        ("V", "the number of words", "vocabulary_size"),
        ("N", "the number of blocks", "layers"),
        ("T", "the number of tokens in the pass", "length"),
        ("L", "the number of positions", "context_length"),
    )
)

derivation.say("The stream. Blocks only add to it, so its end is the embedding plus what every branch added.")
n = derivation.index("n", "a branch: attention or feed-forward of some block")
x0 = derivation.numbers("x^0", d, "the embedding of a token")
a = derivation.numbers("a", (n, d), "what branch $n$ adds")
w = derivation.numbers("w", d, "the weight of the last norm", "final_norm_weight")
W = derivation.numbers("W", (k, d), "the head", "token_embedding")
sigma = derivation.number(r"\sigma", "the standard deviation of the last stream, held fixed", positive=True)
width = derivation.count(d, "E", "the width of the stream")
end = derivation.define("x^N", plus(x0, Total(n, a)), "the last stream", over=d)


def _share(part):
    return Total(d, times(W, w, plus(part, -Total(c, part.xreplace({d: c})) / width))) / sigma


derivation.chain(
    "A logit is a sum of shares, one from each branch",
    _share(end),
    equals(
        plus(_share(x0), Total(n, _share(a))),
        prose(
            r"{sum}, and with $\sigma$ held, subtracting the mean and multiplying by matrices is linear",
            sum=holds(end, "=", plus(x0, Total(n, a))),
        ),
    ),
    states=2,
    so="How much each branch moves each word's logit can be read off (the logit lens). The bias of the last norm adds "
    "a constant for each word.",
)


derivation.say("What it costs: first the parameters.")
parameters = derivation.chain(
    "The parameters are those of a block times their number, and the embeddings",
    plus(times(V, E), times(L, E), times(N, plus(times(4, E**2), plus(times(2, E, F), F, E), times(4, E))), times(2, E)),
    equals(
        plus(times(plus(V, L, 2), E), times(N, plus(times(4, E**2), times(2, E, F), F, times(5, E)))),
        "embeddings; in each block four square matrices, two matrices and two biases of the feed-forward layer, and two norms "
        "with weight and bias; the last norm",
        wrong={"one norm a block": plus(times(plus(V, L, 2), E), times(N, plus(times(4, E**2), times(2, E, F), F, times(3, E))))},
    ),
    role="lemma",
    so=r"The head is the embedding itself; $V E$ more if it is not.",
)
derivation.figure(
    prose(
        "Left: the code's decoder of two blocks, with random weights. Replacing a token changes the predictions at it and at "
        "later tokens; earlier ones (white) do not change at all, {causal}. Right: the parameters of GPT-2. A block has "
        "{block}, biases and norms aside, if its inner layer is four times as wide; as the width grows, the share of the "
        "embeddings falls.",
        causal=holds(times(1 - mask, Slope(after, x.at(j))), "=", 0, wrong={"the token itself": 1}),
        block=holds(
            plus(times(4, E**2), times(2, E, F)), "=", 12 * E**2, when={F: 4 * E}, named=True, wrong={"one matrix": 8 * E**2}
        ),
    ),
    panels=2,
)(seen_and_stored)


derivation.say("Then the operations. A matrix of $a$ rows and $b$ columns takes $2 a b$ of them for each token.")
operations = derivation.chain(
    "The operations of a pass",
    plus(times(N, T, plus(times(2, 4 * E**2), times(2, 2 * E * F), times(2, T, E), times(2, T, E))), times(2, T, V, E)),
    equals(
        times(T, plus(times(N, plus(times(8, E**2), times(4, E, F), times(4, T, E))), times(2, V, E))),
        "four square matrices, the two of the feed-forward layer, scores and averages over all tokens; and the head",
        wrong={
            "the weighted averages not counted": times(
                T, plus(times(N, plus(times(8, E**2), times(4, E, F), times(2, T, E))), times(2, V, E))
            )
        },
    ),
    equals(
        plus(times(2, T, plus(times(N, plus(4 * E**2, 2 * E * F)), times(V, E))), times(4, N, T**2, E)),
        "collect the weights of matrices",
    ),
    so=r"Two operations for each token and each weight of a matrix (embeddings by look-up, positions, norms and biases "
    r"multiply no matrix), and the quadratic part of attention. A backward pass takes about twice as many again.",
)
sizes = dict(vocabulary_size=V, width=E, layers=N, feed_forward_width=F)
derivation.bridge("The code counts the parameters", parameters.result, parameter_count, **sizes, context_length=L, tied=True)
derivation.bridge("... and the operations", operations.result, forward_operations, **sizes, length=T)
attending, crossing = times(4, N, T**2, E), plus(2 * E, F, V / (2 * N))
of_layers = times(2, T, N, plus(4 * E**2, 2 * E * F))
derivation.chain(
    "Attention's share of the operations grows with the length over the width",
    times(attending, sympy.Pow(times(2, T, plus(times(N, plus(4 * E**2, 2 * E * F)), times(V, E))), -1, evaluate=False)),
    equals(T / crossing, "divide by $4 N T E$", wrong={"the head not counted": T / (2 * E + F)}),
    role="lemma",
    so=prose(
        "Attention costs as much as the layers' matrices alone at {layers} tokens, which is {usual} at the usual {wide}: there "
        "{equal}. It costs as much as everything else at {all}: for GPT-2 small at 6703 tokens, $8.7 E$ and not $6 E$.",
        layers=2 * E + F,
        equal=holds(attending, "=", of_layers, when={F: 4 * E, T: 6 * E}),
        usual=holds(2 * E + F, "=", 6 * E, named=True),
        wide=where(F, 4 * E),
        all=crossing,
    ),
)
derivation.answer = prose(
    "Only attention mixes tokens, and it looks back: the stream at $t$ does not depend on later tokens, {causal}, so one pass "
    "gives every conditional of the sequence. Without positions the last token of one block sees the past as a bag of words: "
    "positions tell the order, and so, in part, does depth. A pass takes {cost} operations: two for each token and each weight "
    "of a matrix, and the square in the length for attention, which overtakes the layers' matrices at {long} tokens where "
    "{wide}.",
    causal=holds(times(1 - mask, Slope(after, x.at(j))), "=", 0, wrong={"a token hidden from itself": KroneckerDelta(t, j)}),
    cost=holds(operations.start, "=", operations.result, named=True),
    long=holds(2 * E + F, "=", 6 * E, named=True),
    wide=where(F, 4 * E),
)
_GPT2 = dict(vocabulary_size=50257, width=768, layers=12, feed_forward_width=3072)


@derivation.algorithm(
    "One pass of a decoder",
    do("take the embedding of every token, plus its position's, as the stream"),
    do("for each of $N$ blocks, at all tokens at once:"),
    do("add to every token the attention over the normalized stream up to it", decoder_block, by=block, indent=1),
    do("add the feed-forward layer of its own normalized stream", decoder_block, indent=1),
    do(
        "normalize, and multiply by the head: the logits of every next token",
        decoder_logits,
        by=one_pass_scores_every_conditional,
    ),
)
def two_blocks():
    tokens, parameters = jnp.array([[0, 1, 1]]), signs_decoder()
    x = parameters["token_embedding"][tokens]
    yield r"\text{tokens } a, b, b \text{ of embeddings } (1, -1), (-1, 1): \text{ first entries}", x[0, :, 0], "(1, -1, -1)"
    for name, stated in (("one block", "(2, -1.8884, -1.9426)"), ("two blocks", "(3, -2.7768, -2.8852)")):
        x = decoder_block(x, parameters["blocks"][0], jnp.tri(3), heads=1, epsilon=0.0, norm_position="pre")
        yield rf"\text{{behind {name}: all matrices the identity, }} f = 0", x[0, :, 0], stated
    yield r"\tanh \sqrt2, \text{ what the first block takes from token 2}", math.tanh(math.sqrt(2)), "0.8884"
    yield r"\text{logits of } a", decoder_logits(tokens, parameters, heads=1, epsilon=0.0)[0, :, 0], "(2, -2, -2)"


@derivation.example(
    prose(
        "A small decoder: {V}, {L}, {E}, {F}, {N} and {T}; GPT-2 small: 50257 words, 1024 positions, width 768 and 3072, 12 "
        "blocks; and gelu.",
        **{str(some): where(some, size) for some, size in {V: 4, L: 3, E: 2, F: 8, N: 1, T: 3}.items()},
    )
)
def sizes_by_hand():
    small = dict(vocabulary_size=4, width=2, layers=1, feed_forward_width=8)
    yield r"\text{parameters: } 18 + 66", parameter_count(**small, context_length=3, tied=True), "84"
    yield r"\text{operations: } 3\,(1 \cdot (32 + 64 + 24) + 16)", forward_operations(**small, length=3), "408"
    arrays = sum(leaf.size for leaf in jax.tree.leaves(random_decoder()))
    seven = parameter_count(vocabulary_size=7, context_length=6, width=8, layers=2, feed_forward_width=12, tied=True)
    yield (
        r"\text{parameters for } V = 7, L = 6, E = 8, F = 12, N = 2: \text{by the formula, and arrays}",
        (seven, arrays),
        "(1120, 1120)",
    )
    gpt2 = parameter_count(**_GPT2, context_length=1024, tied=True)
    yield r"\text{parameters of GPT-2 small}", gpt2, "124402944"
    yield r"\text{... with the } 4 E N\ \text{biases of its attention}", gpt2 + 4 * 768 * 12, "124439808"
    share = 4 * 12 * 1024**2 * 768 / forward_operations(**_GPT2, length=1024)
    yield r"\text{attention's share at}\ T = 1024", share, "0.1325"
    grid = jnp.linspace(0, 8, 8001)
    error = np.asarray(jnp.abs(gelu(grid, approximate=True) - gelu(grid, approximate=False)))
    yield r"\text{largest error of the tanh, and where}", (error.max(), grid[error.argmax()]), "(4.73e-4, 2.70)"
    yield r"\mathrm{gelu}'(1)", value(slope.result, {z: 1}), "1.0833"
    once = 1 + 2 * math.e / (1 + 2 * math.e)
    yield r"y_3\ \text{for the tokens}\ (0, 1, 1),\ f = 0", once, "1.8446"
