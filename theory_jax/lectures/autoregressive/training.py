"""Next-token prediction: what its loss is the likelihood of, and which bookkeeping changes it.

The lecture on the functions of theory_jax/autoregressive/training.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import And, Eq, KroneckerDelta, Piecewise, exp, log, oo

from theory_jax.autoregressive.chain_rule import sequence_log_prob
from theory_jax.autoregressive.training import corpus_cross_entropy, next_token_pairs, tied_logits, token_cross_entropy
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Next-token prediction: what its loss is the likelihood of, and which bookkeeping changes it",
    lectures=(48,),
    sources=(
        "Williams & Zipser 1989, A Learning Algorithm for Continually Running Fully Recurrent Neural Networks",
        "Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision",
        "Press & Wolf 2017, Using the Output Embedding to Improve Language Models",
        "Inan, Khosravi & Socher 2017, Tying Word Vectors and Word Classifiers",
    ),
    question="What number does a language model minimize, which law is its minimum, and which bookkeeping (shift, padding, "
    "smoothing, tying) changes that?",
    setting=(
        r"A network reads the tokens $x_1, \dots, x_{T-1}$ and returns at every position $t$ logits that depend on $x_1, "
        r"\dots, x_t$ alone (it is causal). Their softmax is the law of the next token.",
        r"The target at position $t$ is $y_t = x_{t+1}$: inputs and targets are the same text, shifted by one. The loss of a "
        r"position is $\ell = -\log p_y$, in nats.",
        r"Label smoothing with $\varepsilon \in (0, 1)$ replaces the target by the law $(1 - \varepsilon)\, \delta_{vy} + "
        r"\varepsilon / V$, where all $V$ tokens, the true one included, share $\varepsilon$.",
        r"Sequences of different lengths are padded to one; a mask says which positions are valid. The loss of a corpus is the "
        r"mean over its valid positions.",
    ),
    answer=r"The sum of the losses is a negative log-likelihood, so training is maximum likelihood. The minimum is the data's "
    r"own conditional law, and the floor is its entropy, not zero. Smoothing moves the minimum to a law with finite logits. "
    r"Only the mean over tokens is the likelihood of a corpus divided by a count. A tied matrix receives the sum of two "
    r"gradients.",
    limits=(
        "In generation the model reads its own tokens, not those of the data; what it does there is not shown (exposure bias).",
        "Whether an optimizer finds the minimum, and whether smoothing generalizes better, are questions for experiments.",
    ),
    trained="`autoregressive/transformer` trains with these losses.",
)

x1 = derivation.index("x_1", "the first token", states=2)
x2 = derivation.index("x_2", "the second token", states=2)
x3 = derivation.index("x_3", "the third token", states=2)
w = derivation.index("w", "a token of the vocabulary", states=2)
first = derivation.numbers("a({},{})", (w, x1), "logits of the second token, computed from the first", "logits[:, 0]")
second = derivation.numbers("c({},{},{})", (w, x1, x2), "logits of the third, computed from the first two", "logits[:, 1]")
given_1 = derivation.define(
    "p({}|{})", exp(first.at(x2, x1)) / Total(w, exp(first)), "the softmax of the first logits", over=(x2, x1), law=True
)
given_2 = derivation.define(
    "p({}|{},{})",
    exp(second.at(x3, x1, x2)) / Total(w, exp(second)),
    "the softmax of the second logits",
    over=(x3, x1, x2),
    law=True,
)
derivation.chain(
    "The sum of the losses is the negative log-likelihood of the text",
    -log(times(given_1, given_2)),
    equals(
        plus(-log(given_1), -log(given_2)),
        r"the chain rule gives the product $p(x_2, x_3 | x_1)$; its logarithm is a sum of one loss a position",
    ),
    equals(
        plus(log(Total(w, exp(first))), -first.at(x2, x1), log(Total(w, exp(second))), -second.at(x3, x1, x2)),
        "minus the logarithm of a softmax is a log-sum-exp minus the logit of the target",
        wrong={
            "not shifted": plus(log(Total(w, exp(first))), -first.at(x1, x1), log(Total(w, exp(second))), -second.at(x2, x1, x2))
        },
    ),
    so="Every conditional is evaluated at the true prefix, which is known before training: a causal network computes all "
    "in one pass. This is teacher forcing. A start token adds the term of the first token.",
)

derivation.symbol(r"\ell_t", "the loss at position $t$", "token_cross_entropy")
derivation.symbol("T", "the number of tokens of a sequence")


@derivation.numeric(
    r"-\sum_{t=1}^{T-1} \ell_t = \log p(x_2, \ldots, x_T \mid x_1)",
    because="On the left one pass over three padded sequences, with the targets and masks of the code. On the right the "
    "network reads every prefix alone.",
    role="remark",
)
def teacher_forcing_is_the_chain_rule():
    def one_pass(targets):
        return -jnp.sum(token_cross_entropy(targets, _logits(_INPUTS), _VALID), axis=1)

    one_by_one = jnp.stack([_logits(_INPUTS[:, : t + 1])[:, -1] for t in range(_INPUTS.shape[1])], axis=1)
    return Sides(
        left=sequence_log_prob(_TOKENS[:, 1:], one_by_one, _MASK[:, 1:]),
        right=one_pass(_TARGETS),
        wrong={
            "targets not shifted": one_pass(_INPUTS),
            "padding counted": -token_cross_entropy(_TARGETS, one_by_one, None).sum(1),
        },
    )


v = derivation.index("v", "a token of the vocabulary")
y = derivation.index("y", "the target", "targets")
j = derivation.index("j", "a token of the vocabulary")
V = derivation.count(v, "V", "the number of tokens", "vocabulary_size")
l = derivation.numbers("l", v, "the logits at one position", "logits")  # noqa: E741 (the lecture's letter)
p = derivation.define("p", exp(l) / Total(j, exp(l.at(j))), "their softmax, the model's law", over=v, law=True)
q = derivation.law("q", v, "a target law: the data's conditional, or a smoothed target")
uniform = derivation.define("u", 1 / V, "the uniform law", over=v, law=True)
central = derivation.chain(
    "The best prediction is the data's conditional law, and its loss is the entropy",
    Expectation(q, -log(p)),
    equals(Expectation(q, plus(-log(q), log(q / p))), r"$-\log p_v = -\log q_v + \log(q_v / p_v)$"),
    equals(
        plus(Entropy(q), Divergence(q, p)),
        "the two expectations have names",
        wrong={"the model's entropy": plus(Entropy(p), Divergence(q, p))},
    ),
    at_least(Entropy(q), "leave out the divergence (Gibbs); equality if and only if $p = q$", dropping=gibbs.at(q, p)),
    central=True,
    so=r"A loss far below the entropy of the text is a mistake, not a success. A loss of zero is possible only if the next "
    r"token is certain. At the start the logits are small and $p$ is close to uniform: the loss is close to $\log V$.",
)
derivation.chain(
    "The gradient in the logits is prediction minus target",
    Slope(Expectation(q, -log(p)), l.at(j)),
    equals(
        Slope(plus(log(Total(v, exp(l))), -Total(v, q * l)), l.at(j)),
        r"$-\log p_v = \log \sum_v e^{l_v} - l_v$, and $\sum_v q_v = 1$",
    ),
    equals(
        p.at(j) - q.at(j),
        r"the slope of the log-sum-exp is the softmax; the target enters linearly",
        wrong={"target minus prediction": q.at(j) - p.at(j)},
    ),
    so="No factor next to it becomes small where the model is sure and wrong.",
)

eps = derivation.number(r"\varepsilon", "the share that is smoothed", "label_smoothing", between=(0, 1))
smooth = derivation.define(
    r"q^\varepsilon({}|{})", (1 - eps) * KroneckerDelta(v, y) + eps / V, "the smoothed target", over=(v, y), law=True
)
derivation.symbol(r"\delta_{vy}", "1 if $v = y$ and 0 otherwise")
derivation.chain(
    "Smoothing shrinks the loss and pulls the prediction towards the uniform law",
    -Total(v, smooth * log(p)),
    equals(
        plus(-times(1 - eps, log(p.at(y))), -times(eps, Total(v, uniform * log(p)))),
        "the target is a mixture, and the loss is linear in it",
    ),
    equals(
        plus(-times(1 - eps, log(p.at(y))), times(eps, Divergence(uniform, p) + log(V))),
        r"the cross entropy of the uniform law is $H(u) + \mathrm{KL}(u \,\|\, p)$ by the result, and $H(u) = \log V$",
    ),
    so=r"$\mathrm{KL}(u \,\|\, p)$ is large where some $p_v$ is close to zero. By the result the minimum is at $p = "
    r"q^\varepsilon$.",
)
derivation.chain(
    "At the minimum the logits differ by a finite gap",
    log((1 - eps + eps / V) / (eps / V)),
    equals(
        log(1 + V * (1 - eps) / eps),
        r"the first line is $l_y - l_v$ for $v \ne y$: the logarithm of a ratio of probabilities. Divide",
        wrong={r"the share over the other tokens": log((V - 1) * (1 - eps) / eps)},
    ),
    so="It grows without bound as $\\varepsilon$ goes to zero. Without smoothing no finite logits are best, and they can grow "
    "as long as training lasts.",
)
derivation.bridge(
    "The code has this loss",
    -Total(v, smooth.at(v, 2) * log(p)),
    token_cross_entropy,
    targets=jnp.array([[2]]),
    logits=[[l]],
    mask=None,
    label_smoothing=eps,
    wrong={
        "the share over the other tokens": -Total(
            v, ((1 - eps) * KroneckerDelta(v, 2) + eps * (1 - KroneckerDelta(v, 2)) / (V - 1)) * log(p)
        )
    },
)

derivation.bridge(
    "... and this gradient in the logits",
    p - smooth.at(v, 2),
    token_cross_entropy,
    targets=jnp.array([[2]]),
    logits=[[l]],
    mask=None,
    label_smoothing=eps,
    slope="logits",
)


derivation.say(
    r"The shift. Suppose that the targets are not shifted by mistake. A network that copies its input, with the logit $s$ for "
    r"the token that it has just read and 0 for the $m$ others, has learned nothing about language. Its loss tells the mistake."
)
s = derivation.number("s", "how sure the copying network is", positive=True)
m = derivation.number("m", "the number of the other tokens", positive=True)
r = derivation.number("r", "the share of positions where the next token repeats the previous one", between=(0, 1))
derivation.chain(
    "Without the shift a copying network is nearly perfect",
    Limit(-log(exp(s) / (exp(s) + m)), s, oo),
    equals(Limit(log(1 + m * exp(-s)), s, oo), "every target is the token that was read; divide by $e^s$"),
    equals(0, "the exponential goes to zero"),
    role="remark",
    so="A loss that falls to nothing in a few steps is the sign of a forgotten shift.",
)
shifted = derivation.define(r"\bar\ell", log(exp(s) + m) - r * s, "the mean loss of the copying network on shifted targets")
derivation.chain(
    "With the shift it is right for repeated tokens only",
    plus(-times(r, log(exp(s) / (exp(s) + m))), -times(1 - r, log(1 / (exp(s) + m)))),
    equals(
        shifted,
        "both logarithms contain the normalizer; a repeated target adds its logit",
        wrong={"every target a repeated one": log(exp(s) + m) - s},
    ),
    role="lemma",
)
derivation.chain(
    "Copying is best when it is as sure as tokens repeat",
    Slope(shifted, s),
    equals(exp(s) / (exp(s) + m) - r, "differentiate: the probability of the copied token, minus the share that repeats"),
    role="lemma",
    so=r"The slope increases in $s$. At $s = 0$ it is $1/V - r$ with $V = m + 1$. If tokens repeat more often than by chance, "
    r"$1/V < r < 1$, there is a best $s$, and the loss there is below $\log V$. If not, every $s > 0$ is worse than $s = 0$:",
)
h = derivation.number("h", "by which share tokens repeat less often than by chance", between=(0, 1))
copy = derivation.define(
    r"\kappa",
    exp(s * KroneckerDelta(v, 0)) / Total(j, exp(s * KroneckerDelta(j, 0))),
    "the law of the copying network that has just read token 0",
    over=v,
    law=True,
)
derivation.chain(
    "If tokens repeat no more often than by chance, copying is worse than guessing",
    log(exp(s) + V - 1) - times(s, (1 - h) / V),
    equals(
        plus(log(V), Divergence(uniform, copy), s * h / V),
        r"the share that repeats is $(1 - h)/V$. $\mathrm{KL}(u \,\|\, \kappa) = -\log V + \log(e^s + V - 1) - s/V$",
    ),
    at_least(
        log(V),
        r"leave out the divergence (Gibbs) and a product of positive numbers; at $s = 0$ both are zero. At $h = 0$, where $r = "
        r"1/V$, the divergence alone is left out",
        dropping=plus(gibbs.at(uniform, copy), s * h / V),
    ),
)

derivation.say("Averages. Sequences of a batch have different lengths. Over what should the mean be taken?")
b = derivation.index("b", "a sequence of the batch")
n = derivation.numbers("n", b, "how many valid positions it has", positive=True)
mean = derivation.numbers(r"\bar\ell", b, "the mean loss over them")
B = derivation.count(b, "B", "the number of sequences")
n_bar = derivation.define(r"\bar n", Total(b, n) / B, "the mean length", positive=True)
ell_bar = derivation.define(r"\bar{\bar\ell}", Total(b, mean) / B, "the mean of the means")
derivation.chain(
    "A mean of means differs by a covariance",
    plus(Total(b, n * mean) / Total(b, n), -ell_bar),
    equals(times(1 / n_bar, plus(Total(b, n * mean) / B, -times(n_bar, ell_bar))), r"$\sum_b n_b = B\, \bar n$"),
    equals(
        times(1 / n_bar, Total(b, (n - n_bar) * (mean - ell_bar)) / B),
        "multiply out: the bracket is the covariance of length and loss",
    ),
    so="Both agree if and only if length and loss are uncorrelated. Only the mean over tokens is a log-likelihood divided by a "
    "count, and does not depend on which tokens share a row. Early tokens have little context, so short sequences often have "
    "larger losses.",
)
k = derivation.index("k", "a position", states=3)
g = derivation.index("g", "a sequence", states=2)
each = derivation.numbers(r"\ell", (g, k), "the losses of two sequences, of which the first has one valid position", "losses")
valid = derivation.define("m", Piecewise((0, And(Eq(g, 0), k > 0)), (1, True)), "the mask", "mask", over=(g, k))
derivation.bridge(
    "The code takes the mean over the valid tokens",
    Total(g, Total(k, valid * each)) / Total(g, Total(k, valid)),
    corpus_cross_entropy,
    losses=each,
    mask=jnp.array([[True, False, False], [True, True, True]]),
    wrong={
        "padding counted in the denominator": Total(g, Total(k, valid * each)) / 6,
        "the mean of the means": Total(g, Total(k, valid * each) / Total(k, valid)) / 2,
    },
)

derivation.say(
    r"Tying. One matrix $W$ is both the embedding that is read and the head that scores. Take one position and one coordinate: "
    r"the network reads $W_x$, its hidden state is $f(W_x)$, and the logit of token $v$ is $W_v f(W_x)$."
)
x = derivation.index("x", "the token that is read")
W = derivation.numbers("W", v, "the shared embedding", "embedding")
f = derivation.function("f", "the network between embedding and head")
z = derivation.define(r"z", W * f(W.at(x)), "the logits of the tied model", "tied_logits", over=(v, x))
tied = derivation.define(r"\pi({}|{})", exp(z) / Total(j, exp(z.at(j, x))), "their softmax", over=(v, x), law=True)
derivation.chain(
    "A matrix that is used twice receives two gradients",
    Slope(log(Total(v, exp(z))) - z.at(y, x), W.at(j)),
    equals(
        plus(
            times(tied.at(j, x) - KroneckerDelta(j, y), f(W.at(x))),
            times(KroneckerDelta(j, x), Slope(f(W.at(x)), W.at(x)), Total(v, (tied - KroneckerDelta(v, y)) * W)),
        ),
        "the total derivative: prediction minus target, times the slope of the logit, which contains $W_j$ as the head and, if "
        "$j = x$, through what was read",
    ),
    states=2,
    so="As the head every row moves at every step; as the embedding only the row that was read. Rare tokens are trained mostly "
    "as outputs, and tying lets their inputs profit.",
)


@derivation.example(
    r"Four tokens and $\varepsilon = 0.2$: the target is $(0.85, 0.05, 0.05, 0.05)$. Then a batch of two sequences, one with 2 "
    r"tokens of loss 1, one with 6 tokens of loss 3. Last, copying with $s = \ln 3$ where no token repeats."
)
def four_tokens():
    def smoothed(logits):
        return token_cross_entropy(jnp.array([[0]]), logits[None, None], None, label_smoothing=0.2)[0, 0]

    start, best = jnp.zeros(4), jnp.log(jnp.array([0.85, 0.05, 0.05, 0.05]))
    yield r"\text{loss at equal logits}, \ln 4", smoothed(start), "1.3863"
    yield r"\text{gradient there}", jax.grad(smoothed)(start), "(-0.6, 0.2, 0.2, 0.2)"
    yield r"\text{best gap}, \ln 17", best[0] - best[1], "2.8332"
    yield (
        r"\text{best loss, and the gradient there}",
        (smoothed(best), *jax.grad(smoothed)(best)),
        "(0.5875, 0.0000, 0.0000, 0.0000, 0.0000)",
    )
    losses, mask = jnp.array([[1.0] * 6, [3.0] * 6]), jnp.arange(6) < jnp.array([[2], [6]])
    yield r"\text{mean over tokens}, (2 \cdot 1 + 6 \cdot 3)/8", corpus_cross_entropy(losses, mask), "2.5"
    yield (
        r"\text{mean of means, and the covariance over } \bar n",
        (value(ell_bar, {mean: (1, 3)}), value(_covariance, {n: (2, 6), mean: (1, 3)})),
        "(2, 0.5)",
    )
    yield r"\text{not shifted}, \ln 2", _copying(math.log(3.0), (0, 1, 2, 3), (0, 1, 2, 3)), "0.6931"
    yield r"\text{shifted}, \ln 6 > \ln 4", _copying(math.log(3.0), (0, 1, 2), (1, 2, 3)), "1.7918"


_covariance = times(1 / n_bar, Total(b, (n - n_bar) * (mean - ell_bar)) / B)


@derivation.figure(
    r"Left: the loss of a copying network with four tokens. Without the shift it goes to zero. With it the curve has its "
    r"minimum above zero, at $s > 0$ only if tokens repeat more often than by chance ($r > \frac14$); the dashed line is $\ln "
    r"4$. Right: the gap between the logits that is best under label smoothing, for three sizes of the vocabulary.",
    panels=2,
)
def copying_and_smoothing(left, right):
    confidence = np.linspace(0, 4, 41)
    hot = jnp.array(confidence)[:, None, None] * jnp.eye(4)[jnp.zeros((1, 2), int)]
    same, other = (token_cross_entropy(jnp.full((41, 2), target), hot, None)[:, 0] for target in (0, 1))
    left.plot(confidence, same, label="not shifted")
    for share in (0.0, 0.25, 0.5):
        left.plot(confidence, share * same + (1 - share) * other, label=f"shifted, $r = {share:g}$")
    left.axhline(math.log(4), linestyle="--", color="gray")
    left.set(xlabel="$s$, how sure the copying is", ylabel="mean loss (nats)", ylim=(0, 4))
    left.legend()
    shares = np.geomspace(1e-3, 1, 60)
    for size in (4, 256, 50_000):
        right.semilogx(shares, np.log1p(size * (1 - shares) / shares), label=f"$V = {size}$")
    right.set(xlabel=r"smoothing $\varepsilon$", ylabel="gap of the logits")
    right.legend()


@derivation.exercise(
    "What is the first loss of a model of bytes whose logits are all zero, in nats and in bits?",
    r"$\ln 256 = 5.545$ nats, 8 bits. Another first loss shows a mistake in the loss or in the initialization.",
)
def a_fresh_model():
    targets = jnp.arange(256)[None]
    loss = corpus_cross_entropy(token_cross_entropy(targets, jnp.zeros((1, 256, 256)), None), jnp.ones((1, 256), bool))
    yield loss, "5.545"
    yield loss / math.log(2), "8 bits"


@derivation.exercise(
    r"Two tokens, $\varepsilon = 0.5$: which prediction is best for the target, and how far apart are the logits?",
    r"The smoothed target gives it $0.5 + 0.25 = 0.75$; the gap is $\ln 3 = 1.0986$. There the gradient is zero.",
)
def half_of_the_target():
    def loss(logits):
        return token_cross_entropy(jnp.array([[0]]), logits[None, None], None, label_smoothing=0.5)[0, 0]

    yield value(log(1 + V * (1 - eps) / eps), {q: (0.5, 0.5), eps: 0.5}), "1.0986"
    yield jax.nn.softmax(jnp.array([math.log(3.0), 0.0]))[0] + jax.grad(loss)(jnp.array([math.log(3.0), 0.0]))[0], "0.75"


@derivation.exercise(
    r"Half of the tokens repeat, $r = \frac12$, and $V = 4$. How sure is the best copying network, and what is its loss?",
    r"The slope is zero at $\frac{e^s}{e^s + 3} = \frac12$, so $s = \ln 3 = 1.0986$; the loss is $\ln 6 - \frac12 \ln 3 = "
    r"1.2425$, below $\ln 4 = 1.3863$.",
)
def the_best_copying():
    yield math.log(3.0), "1.0986"
    yield value(shifted, {s: math.log(3.0), m: 3, r: 0.5}), "1.2425"
    yield _copying(math.log(3.0), (0, 1), (0, 2)), "1.2425"
    yield math.log(4.0), "1.3863"


def _copying(confidence, inputs, targets):
    """The mean loss of a network that copies its inputs, with four tokens."""
    logits = confidence * jax.nn.one_hot(jnp.array([inputs]), 4, dtype=float)
    losses = token_cross_entropy(jnp.array([targets]), logits, None)
    return corpus_cross_entropy(losses, jnp.ones(losses.shape, bool))


_V, _E = 5, 3
_TOKENS = jnp.array([[3, 1, 4, 1, 0, 2], [0, 0, 2, 4, 3, 3], [2, 4, 1, 3, 1, 0]])
_MASK = jnp.arange(6) < jnp.array([[6], [3], [4]])  # sequences of 6, 3 and 4 tokens
_INPUTS, _TARGETS, _VALID = next_token_pairs(_TOKENS, _MASK)
_EMBEDDING, _MIXING = draw(_V, _E, seed=1), draw(_E, _E, seed=2)


def _logits(inputs, embedding=_EMBEDDING, head=_EMBEDDING):
    """A causal network as small as can be: the state sums what was read so far."""
    return tied_logits(jnp.tanh(jnp.cumsum(embedding[inputs] @ _MIXING, axis=1)), head)
