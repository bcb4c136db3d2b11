"""Next-token prediction: what its loss is the likelihood of, and which bookkeeping changes it.

The lecture on the functions of theory_jax/autoregressive/training.py.
"""

import math

import jax
import jax.numpy as jnp
from sympy import And, Eq, KroneckerDelta, Piecewise, exp, log, oo

from theory_jax.autoregressive.chain_rule import sequence_log_prob
from theory_jax.autoregressive.training import corpus_cross_entropy, next_token_pairs, tied_logits, token_cross_entropy
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive import _next_token as cases
from theory_jax.lectures.autoregressive._next_token import INPUTS, MASK, TARGETS, TOKENS, VALID
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
    question="A language model whose targets are not shifted falls to a loss of nothing in a few steps and has learned "
    "nothing. One whose loss counts padding, or averages rows of different lengths, reports a number that is no likelihood. "
    "What number should be minimized, which distribution is its minimum, and which bookkeeping (shift, padding, smoothing, "
    "tying) changes that?",
    setting=(
        r"A network reads the tokens $x_1, \dots, x_{T-1}$ and returns at every position $t$ logits that depend on $x_1, "
        r"\dots, x_t$ alone (it is causal). Their softmax is the distribution of the next token.",
        r"The target $y$ at position $t$ is the next token, $x_{t+1}$: inputs and targets are the same text, shifted by one. The "
        r"loss of a position is $-\log p_y$, in nats.",
        r"Label smoothing with a share $\varepsilon$ between 0 and 1 replaces the target by the distribution $(1 - "
        r"\varepsilon)\, \delta_{vy} + \varepsilon / V$, where all $V$ tokens, the true one included, share $\varepsilon$.",
        r"Sequences of different lengths are padded to one; a mask says which positions are valid. The loss of a corpus is the "
        r"mean over its valid positions.",
    ),
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
likelihood = derivation.chain(
    "The sum of the losses is the negative log-likelihood of the text",
    -log(times(given_1, given_2)),
    equals(
        plus(-log(given_1), -log(given_2)),
        prose(
            "the chain rule gives the product $p(x_2, x_3 | x_1)$; its logarithm is a sum of one loss a position, {sum}",
            sum=holds(log(times(given_1, given_2)), "=", plus(log(given_1), log(given_2))),
        ),
    ),
    equals(
        plus(log(Total(w, exp(first))), -first.at(x2, x1), log(Total(w, exp(second))), -second.at(x3, x1, x2)),
        prose(
            "{loss}, and the same for the other",
            loss=holds(-log(given_1), "=", plus(log(Total(w, exp(first))), -first.at(x2, x1))),
        ),
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
    return Sides(
        left=sequence_log_prob(TOKENS[:, 1:], cases.prefix_by_prefix(), MASK[:, 1:]),
        right=-cases.one_pass_losses(TARGETS, VALID).sum(1),
        wrong={
            "targets not shifted": -cases.one_pass_losses(INPUTS, VALID).sum(1),
            "padding counted": -cases.one_pass_losses(TARGETS, None).sum(1),
        },
    )


v = derivation.index("v", "a token of the vocabulary")
y = derivation.index("y", "the target", "targets")
j = derivation.index("j", "a token of the vocabulary")
V = derivation.count(v, "V", "the number of tokens", "vocabulary_size")
l = derivation.numbers("l", v, "the logits at one position", "logits")  # noqa: E741 (the lecture's letter)
p = derivation.define("p", exp(l) / Total(j, exp(l.at(j))), "their softmax, the model's distribution", over=v, law=True)
q = derivation.law("q", v, "a target distribution: the data's conditional, or a smoothed target")
uniform = derivation.define("u", 1 / V, "the uniform distribution", over=v, law=True)
central = derivation.chain(
    "The best prediction is the data's conditional distribution, and its loss is the entropy",
    Expectation(q, -log(p)),
    equals(Expectation(q, plus(-log(q), log(q / p))), prose("{split}", split=holds(-log(p), "=", plus(-log(q), log(q / p))))),
    equals(
        plus(Entropy(q), Divergence(q, p)),
        "the two expectations have names",
        wrong={"the model's entropy": plus(Entropy(p), Divergence(q, p))},
    ),
    at_least(
        Entropy(q),
        prose("leave out the divergence (Gibbs); equality if and only if {same} for every $v$", same=where(q, p)),
        dropping=gibbs.at(q, p),
    ),
    central=True,
    so=r"On new text a loss far below the entropy is a mistake, not a success. A loss of zero is possible only if the next "
    r"token is certain. At the start the logits are small and $p$ is close to uniform: the loss is close to $\log V$.",
)
error = derivation.chain(
    "The gradient in the logits is prediction minus target",
    Slope(Expectation(q, -log(p)), l.at(j)),
    equals(
        Slope(plus(log(Total(v, exp(l))), -Total(v, q * l)), l.at(j)),
        prose(
            "{loss}, and {one}", loss=holds(-log(p), "=", plus(log(Total(j, exp(l.at(j)))), -l)), one=holds(Total(v, q), "=", 1)
        ),
    ),
    equals(
        p.at(j) - q.at(j),
        prose("{softmax}; the target enters linearly", softmax=holds(Slope(log(Total(v, exp(l))), l.at(j)), "=", p.at(j))),
        wrong={"target minus prediction": q.at(j) - p.at(j)},
    ),
    so="No factor next to it becomes small where the model is sure and wrong.",
)

eps = derivation.number(r"\varepsilon", "the share that is smoothed", "label_smoothing", between=(0, 1))
smooth = derivation.define(
    r"q^\varepsilon({}|{})", (1 - eps) * KroneckerDelta(v, y) + eps / V, "the smoothed target", over=(v, y), law=True
)
derivation.symbol(r"\delta_{vy}", "1 for the target, and 0 for other tokens")
smoothing = derivation.chain(
    "Smoothing shrinks the loss of the target and pulls the prediction towards the uniform distribution",
    -Total(v, smooth * log(p)),
    equals(
        plus(-times(1 - eps, log(p.at(y))), -times(eps, Total(v, uniform * log(p)))),
        "the target is a mixture, and the loss is linear in it",
    ),
    equals(
        plus(-times(1 - eps, log(p.at(y))), times(eps, Divergence(uniform, p) + log(V))),
        prose(
            "{cross} by the result, and {entropy}",
            cross=holds(-Total(v, uniform * log(p)), "=", plus(Entropy(uniform), Divergence(uniform, p))),
            entropy=holds(Entropy(uniform), "=", log(V)),
        ),
    ),
    so=r"$\mathrm{KL}(u \,\|\, p)$ is large where some $p_v$ is close to zero. By the result the minimum is at the "
    "smoothed target.",
    role="lemma",
)
derivation.chain(
    "At the minimum of the smoothed loss the logits differ by a finite gap",
    log((1 - eps + eps / V) / (eps / V)),
    equals(
        log(1 + V * (1 - eps) / eps),
        prose(
            r"the first line is $l_y - l_v$ for another token $v$: the logarithm of a ratio of probabilities, {ratio}. Divide",
            ratio=holds(smooth.at(0, 0) / smooth.at(1, 0), "=", (1 - eps + eps / V) / (eps / V)),
        ),
        wrong={r"the share over the other tokens": log((V - 1) * (1 - eps) / eps)},
    ),
    so="It grows without bound as $\\varepsilon$ goes to zero. Without smoothing no finite logits are best, and they can grow "
    "as long as training lasts.",
    role="lemma",
)
given = dict(targets=jnp.array([[2]]), logits=[[l]], mask=None, label_smoothing=eps)
shared = (1 - eps) * KroneckerDelta(v, 2) + eps * (1 - KroneckerDelta(v, 2)) / (V - 1)
derivation.bridge(
    "The code has this loss",
    -Total(v, smooth.at(v, 2) * log(p)),
    token_cross_entropy,
    **given,
    wrong={"the share over the other tokens": -Total(v, shared * log(p))},
)
derivation.bridge("... and this gradient in the logits", p - smooth.at(v, 2), token_cross_entropy, **given, slope="logits")

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
    "With the shift a copying network is right for repeated tokens only",
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
    so=prose(
        "The slope increases in $s$, and is {start} without copying. If tokens repeat more often than by chance, so that this "
        r"is negative, the slope is zero at the best $s$, {best}, and the loss there is below $\log V$. If not, every copying "
        "is worse than none:",
        start=holds(Slope(shifted, s), "=", plus(1 / (1 + m), -r), when={s: 0}, named=True),
        best=holds(exp(s) / (exp(s) + m), "=", r, when={s: log(m * r / (1 - r))}),
    ),
)
h = derivation.number("h", "by which share tokens repeat less often than by chance", between=(0, 1))
copy = derivation.define(
    r"\kappa",
    exp(s * KroneckerDelta(v, 0)) / Total(j, exp(s * KroneckerDelta(j, 0))),
    "the distribution of the copying network that has just read token 0",
    over=v,
    law=True,
)
derivation.chain(
    "If tokens repeat no more often than by chance, copying is worse than guessing",
    log(exp(s) + V - 1) - times(s, (1 - h) / V),
    equals(
        plus(log(V), Divergence(uniform, copy), s * h / V),
        prose(
            "the share that repeats is $(1 - h)/V$; {divergence}",
            divergence=holds(Divergence(uniform, copy), "=", plus(-log(V), log(exp(s) + V - 1), -s / V)),
        ),
    ),
    at_least(
        log(V),
        prose(
            "leave out the divergence (Gibbs) and a product of positive numbers; both are zero at {none}. Where tokens repeat as "
            "often as by chance, the divergence alone is left out",
            none=where(s, 0),
        ),
        dropping=plus(gibbs.at(uniform, copy), s * h / V),
    ),
    role="lemma",
)

derivation.say("Averages. Sequences of a batch have different lengths. Over what should the mean be taken?")
b = derivation.index("b", "a sequence of the batch")
n = derivation.numbers("n", b, "how many valid positions it has", positive=True)
mean = derivation.numbers(r"\bar\ell", b, "the mean loss over them")
B = derivation.count(b, "B", "the number of sequences")
n_bar = derivation.define(r"\bar n", Total(b, n) / B, "the mean length", positive=True)
ell_bar = derivation.define(r"\bar{\bar\ell}", Total(b, mean) / B, "the mean of the means")
covariance = times(1 / n_bar, Total(b, (n - n_bar) * (mean - ell_bar)) / B)
averages = derivation.chain(
    "A mean of means differs by a covariance",
    plus(Total(b, n * mean) / Total(b, n), -ell_bar),
    equals(
        times(1 / n_bar, plus(Total(b, n * mean) / B, -times(n_bar, ell_bar))),
        prose("{length}", length=holds(Total(b, n), "=", times(B, n_bar))),
    ),
    equals(covariance, "multiply out: the bracket is the covariance of length and loss"),
    so="Both agree if and only if length and loss are uncorrelated. Only the mean over tokens is a log-likelihood divided by a "
    "count, and does not depend on which tokens share a row. Early tokens have little context, so short sequences often have "
    "larger losses.",
)
k = derivation.index("k", "a position", states=3)
g = derivation.index("g", "a sequence", states=2)
each = derivation.numbers(r"\ell", (g, k), "the losses of two sequences, of which the first has one valid position", "losses")
valid = derivation.define("M", Piecewise((0, And(Eq(g, 0), k > 0)), (1, True)), "the mask", "mask", over=(g, k))
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
tying = derivation.chain(
    "A matrix that is used twice receives two gradients",
    Slope(log(Total(v, exp(z))) - z.at(y, x), W.at(j)),
    equals(
        plus(
            times(tied.at(j, x) - KroneckerDelta(j, y), f(W.at(x))),
            times(KroneckerDelta(j, x), Slope(f(W.at(x)), W.at(x)), Total(v, (tied - KroneckerDelta(v, y)) * W)),
        ),
        "the total derivative: prediction minus target, times the slope of the logit, which contains $W_j$ as the head and, in "
        "the row that was read, through the hidden state",
    ),
    states=2,
    so="At one position every row moves as the head, and as the embedding only the row that was read. Rare tokens are trained "
    "mostly as outputs, and tying lets their inputs profit.",
    role="lemma",
)


derivation.answer = prose(
    "The sum of the losses is a negative log-likelihood, {sum}, so training is maximum likelihood. The minimum is the data's "
    "own conditional distribution, and the floor is its entropy, {floor}, not zero. Smoothing with a positive share moves the "
    "minimum to a distribution whose logits differ by {gap} at most. Only the mean over tokens is the likelihood of a corpus "
    "divided by a count: the mean of means differs by the covariance of length and loss. A tied matrix receives the sum of two "
    "gradients.",
    sum=holds(-log(times(given_1, given_2)), "=", plus(-log(given_1), -log(given_2))),
    floor=holds(Expectation(q, -log(p)), ">=", Entropy(q)),
    gap=holds(log((1 - eps + eps / V) / (eps / V)), "=", log(1 + V * (1 - eps) / eps), named=True),
)


derivation.algorithm(
    "A step of training",
    do(
        "inputs: the text without its last token; targets: without its first; valid: where both are no padding",
        next_token_pairs,
        by=likelihood,
    ),
    do("run the causal network; the logits are its states times the embedding", tied_logits, by=tying),
    do(r"$\ell_t \leftarrow -\sum_v q^\varepsilon(v|y) \log p_v$ at every position", token_cross_entropy, by=smoothing),
    do("average over the valid tokens of the batch", corpus_cross_entropy, by=averages),
    do(r"go back from $(p_v - q^\varepsilon(v|y))$ over their number in the logits, and take a step of the optimizer", by=error),
)(cases.two_steps)


@derivation.example(
    "Four tokens, of whose target the share 0.2 is smoothed: it is $(0.85, 0.05, 0.05, 0.05)$. Then a batch of two sequences, "
    r"one with 2 tokens of loss 1, one with 6 tokens of loss 3. Last, copying with the logit $\ln 3$ where no token repeats."
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
        (value(ell_bar, {mean: (1, 3)}), value(covariance, {n: (2, 6), mean: (1, 3)})),
        "(2, 0.5)",
    )
    yield r"\text{not shifted}, \ln 2", cases.copying_loss(math.log(3.0), (0, 1, 2, 3), (0, 1, 2, 3)), "0.6931"
    yield r"\text{shifted}, \ln 6 > \ln 4", cases.copying_loss(math.log(3.0), (0, 1, 2), (1, 2, 3)), "1.7918"


derivation.figure(
    r"Left: the loss of a copying network with four tokens. Without the shift it goes to zero. With it the curve stays above "
    r"zero, and falls at first only if tokens repeat more often than by chance, a quarter; the dashed line is $\ln "
    r"4$. Right: the gap between the logits that is best under label smoothing, for three sizes of the vocabulary.",
    panels=2,
)(cases.copying_and_smoothing)
