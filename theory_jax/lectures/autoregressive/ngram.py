"""Counting is maximum likelihood; smoothing is what makes it usable.

The lecture on the functions of theory_jax/autoregressive/ngram.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from sympy import And, Eq, Ne, Piecewise, exp, gamma, log

from theory_jax.autoregressive.ngram import (
    additive_log_probs,
    interpolation_em_step,
    kneser_ney_log_probs,
    ngram_counts,
    ngram_sequence_log_prob,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Counting is maximum likelihood; smoothing is what makes it usable",
    lectures=(42,),
    sources=(
        "Chen & Goodman 1999, An Empirical Study of Smoothing Techniques for Language Modeling",
        "Kneser & Ney 1995, Improved Backing-off for M-gram Language Modeling",
        "Jelinek & Mercer 1980, Interpolated Estimation of Markov Source Parameters from Sparse Data",
    ),
    question="A model that counts gives probability 0 to every pair of words that its text happens not to contain, and one "
    "such pair makes a whole new text impossible. Longer contexts make such gaps more frequent. Which conditional distribution "
    "maximizes the likelihood of a text, and how do smoothing, interpolation and the Kneser-Ney estimate follow from stated "
    "requirements?",
    setting=(
        "The chain rule is cut short: the distribution of a token depends on the $n - 1$ tokens before it, its context $u$, "
        "and not on what came earlier (the Markov assumption). A text is then described by the counts $c_{uw}$ of context $u$ "
        "followed by word $w$.",
        r"The chains write out three words and three contexts, or two of each; their lines do not depend on how many there are.",
    ),
    limits=(
        "Which discount or pseudo-count to take is a question for held-out text; modified Kneser-Ney uses three discounts.",
        "The marginal property is derived for pairs; higher orders repeat it one level further down.",
    ),
)

u = derivation.index("u", "a context", states=2)
w = derivation.index("w", "a word", states=3)
c = derivation.numbers("c", (u, w), r"how often context $u$ is followed by word $w$", "counts", positive=True)
c_u = derivation.define("c", Total(w, c), "how often context $u$ occurs", over=u, positive=True)
p_hat = derivation.define(r"\hat p({}|{})", c / c_u, "the relative frequency", over=(w, u), law=True)
p = derivation.law("p({}|{})", (w, u), "any conditional distribution", "log_probs")

counting = derivation.chain(
    "Counting is maximum likelihood",
    Total(u, Total(w, times(c, log(p)))),
    equals(Total(u, times(c_u, Total(w, times(p_hat, log(p))))), prose("{share}", share=holds(c, "=", times(c_u, p_hat)))),
    equals(-Total(u, times(c_u, plus(Entropy(p_hat), Divergence(p_hat, p)))), "a cross entropy is an entropy and a divergence"),
    at_most(
        -Total(u, times(c_u, Entropy(p_hat))),
        prose("leave out the divergences (Gibbs); equality if and only if {same} everywhere", same=where(p, p_hat)),
        adding=Total(u, times(c_u, gibbs.at(p_hat, p))),
    ),
    central=True,
    so="For a memory of $n - 1$ words there are $V^n$ conditional probabilities, of which for large $n$ nearly all belong to "
    "sequences of $n$ words that the text does not contain. One such sequence in the test text has the log-probability "
    r"$-\infty$: the maximum likelihood must not be used as it is.",
)
l = derivation.numbers("l", w, "the logits of one context", "logits")  # noqa: E741 (the lecture's letter)
v = derivation.index("v", "a word, next to $w$", states=3)
k_w = derivation.numbers("n", w, "the counts of one context", positive=True)
derivation.chain(
    "In logits the gradient is observed minus expected counts",
    Slope(Total(w, times(k_w, plus(l, -log(Total(v, exp(l.at(v))))))), l.at(v)),
    equals(
        plus(k_w.at(v), -times(Total(w, k_w), exp(l.at(v)) / Total(w, exp(l)))),
        prose(
            "the derivative of the normalizer is the softmax, {softmax}, once for each token of the context",
            softmax=holds(Slope(log(Total(w, exp(l))), l.at(v)), "=", exp(l.at(v)) / Total(w, exp(l))),
        ),
        wrong={"expected minus observed": Total(w, k_w) * exp(l.at(v)) / Total(w, exp(l)) - k_w.at(v)},
    ),
    role="remark",
)

alpha = derivation.number(r"\alpha", "the pseudo-count", "pseudo_count", positive=True)
n = derivation.define("N", Total(w, k_w), "how often the context occurs", positive=True)
V = derivation.count(w, "V", "the number of words", "vocabulary_size")
additive = derivation.define(
    r"\tilde p", (k_w + alpha) / (n + alpha * V), "the additive estimate", "additive_log_probs", over=w, law=True
)
frequency = derivation.define(r"\hat p", k_w / n, "the relative frequency", over=w, law=True)
uniform = derivation.define("V^{-1}", 1 / V, "the uniform distribution")
adding = derivation.chain(
    "Adding to the counts is the mean of a posterior",
    times(gamma(k_w + alpha + 1) / gamma(k_w + alpha), gamma(n + alpha * V) / gamma(n + alpha * V + 1)),
    equals(
        additive,
        prose(
            r"{recursion}, and the same for the other ratio. The line above is $\mathbb{E}[\theta_w]$ under the posterior of a "
            r"symmetric Dirichlet prior, proportional to $\prod_w \theta_w^{n_w + \alpha - 1}$: a ratio of two Dirichlet "
            "integrals",
            recursion=holds(gamma(k_w + alpha + 1), "=", times(k_w + alpha, gamma(k_w + alpha))),
        ),
        wrong={"alpha once in the denominator": (k_w + alpha) / (n + alpha)},
    ),
    equals(
        plus(times(n / (n + alpha * V), frequency), times(alpha * V / (n + alpha * V), uniform)),
        prose("split the numerator, {split}", split=holds(k_w + alpha, "=", plus(times(n, frequency), times(alpha, V, uniform)))),
        wrong={"weights turned over": plus(times(alpha * V / (n + alpha * V), frequency), times(n / (n + alpha * V), uniform))},
    ),
    so=r"A mixture of the relative frequency and the uniform distribution: a prior belief that is worth $\alpha V$ "
    "observations, and does not know which words are plausible.",
)
derivation.bridge(
    "The code computes it",
    log(additive),
    additive_log_probs,
    counts=k_w,
    pseudo_count=alpha,
    wrong={"alpha once in the denominator": log((k_w + alpha) / (n + alpha))},
)

derivation.say(
    "Interpolation. Several tables, with longer and shorter memory, are mixed. The weights are fitted on held-out tokens, "
    "since on the training text relative frequencies with the longest memory are never beaten."
)
i = derivation.index("i", "a held-out token", states=2)
k = derivation.index("k", "a table", states=2)
of_table = derivation.numbers(
    "p", (i, k), "the probability that table $k$ gives token $i$", "exp(token_log_probs)", positive=True
)
weights = derivation.law(r"\lambda", k, "the weights", "exp(log_weights)")
mixed = derivation.define(r"p", Total(k, weights * of_table), "the mixture's probability of token $i$", over=i, positive=True)
r = derivation.define(
    "r_{}({})", weights * of_table / mixed, "how probably token $i$ came from table $k$", over=(i, k), positive=True
)
M = derivation.count(i, "M", "the number of held-out tokens")
new = derivation.define(
    r"\lambda^+", Total(i, weights * of_table / mixed) / M, "the weights after a step", "interpolation_em_step", over=k, law=True
)
new_mixed = derivation.define("p^+", Total(k, new * of_table), "the mixture's probability after it", over=i, positive=True)
old_law = derivation.define(
    "r({}|{})", weights * of_table / mixed, "the same as a distribution of the table", over=(k, i), law=True
)
new_law = derivation.define(
    "r^+({}|{})", new * of_table / new_mixed, "the distribution of the table after the step", over=(k, i), law=True
)
reweighted = times(weights, Total(i, of_table / mixed) / M)
em = derivation.chain(
    "A step of EM never loses held-out likelihood",
    Total(i, plus(log(new_mixed), -log(mixed))),
    equals(Total(i, Expectation(old_law, log(new_mixed / mixed))), "a constant is its own expectation"),
    equals(
        Total(i, Expectation(old_law, plus(log(new / weights), log(old_law / new_law)))),
        prose(
            "{after} for every $k$, and {before}",
            after=holds(new_mixed, "=", new * of_table / new_law),
            before=holds(mixed, "=", weights * of_table / old_law),
        ),
    ),
    equals(
        plus(times(M, Divergence(new, weights)), Total(i, Divergence(old_law, new_law))),
        prose("{share}", share=holds(Total(i, old_law), "=", times(M, new))),
    ),
    at_least(
        0,
        prose(
            "leave out the divergences (Gibbs); equality if and only if the weights stay, as where all tables agree, {same}",
            same=where(of_table, of_table.at(i, 0)),
        ),
        dropping=plus(times(M, gibbs.at(new, weights)), Total(i, gibbs.at(old_law, new_law))),
    ),
    so=prose(
        "It gains as long as a step changes the weights. The step multiplies every weight, {factor}, so where they stay the "
        "factor is 1 for every weight in use. The likelihood is concave in the weights, so with all weights in use that is its "
        "maximum. A weight that starts at zero stays there, even if the maximum needs it.",
        factor=holds(new, "=", reweighted, wrong={"not divided by M": M * reweighted}),
    ),
)
derivation.bridge(
    "The code takes this step",
    log(new),
    interpolation_em_step,
    token_log_probs=log(of_table),
    log_weights=log(weights),
    wrong={"not divided by M": log(new * M), "no posterior": log(Total(i, of_table) / M)},
)

derivation.say(
    "Kneser and Ney. Discount every count that was seen by $d$, and give what this frees to a distribution of words that does "
    "not look at the context. Which distribution? Require that the model, averaged over the contexts as they occur, has the "
    "words' frequencies."
)
unseen = And(Eq(u, 0), Ne(w, 0))
seen = derivation.define(
    "s",
    Piecewise((0, unseen), (1, True)),
    "1 where the pair was seen, 0 elsewhere (here: the first context knows one word)",
    over=(u, w),
)
b = derivation.define("b", seen * (c + 1), "the counts, of which some are 0 and the others at least 1", "counts", over=(u, w))
b_u = derivation.define("b", Total(w, b), "how often context $u$ occurs", over=u, positive=True)
d = derivation.number("d", "the discount", "discount", between=(0, 1))
beta = derivation.law(r"\beta", w, "a distribution of the words, behind the freed mass")
contexts = derivation.define(r"s", Total(u, seen), "in how many contexts the word occurs", over=w)
pairs = derivation.define("S", Total(u, Total(w, seen)), "how many pairs were seen", positive=True)
model = derivation.define(
    r"p_d({}|{})",
    (b - d * seen) / b_u + d * Total(v, seen.at(u, v)) / b_u * beta,
    r"the discounted distribution: $\max(b_{uw} - d, 0) = b_{uw} - d s_{uw}$",
    "kneser_ney_log_probs",
    over=(w, u),
)
derivation.chain(
    "The discounted distribution sums to one",
    Total(w, model),
    equals(
        plus((b_u - times(d, Total(w, seen))) / b_u, times(d, Total(w, seen)) / b_u),
        prose(
            r"what is taken from the seen pairs is given to $\beta$, which sums to one, {beta}",
            beta=holds(Total(w, beta), "=", 1),
        ),
    ),
    equals(1, "add", wrong={"the discount lost": 1 - d}),
    role="lemma",
)
derivation.chain(
    "Averaged over the contexts, it keeps the words' frequencies for one distribution behind the freed mass alone",
    Total(u, times(b_u, model)),
    equals(Total(u, plus(b, -times(d, seen), times(d, Total(v, seen.at(u, v)), beta))), "multiply"),
    equals(
        plus(Total(u, b), times(d, plus(times(pairs, beta), -contexts))),
        prose(
            "sum over the contexts: {seen} and {pairs}",
            seen=holds(contexts, "=", Total(u, seen)),
            pairs=holds(pairs, "=", Total(w, contexts)),
        ),
    ),
    so=prose(
        r"The words keep their frequencies, {kept}, if and only if the bracket is zero: {law}, in proportion to the number of "
        "contexts in which the word was seen. Francisco is frequent, but follows San alone, and deserves little behind other "
        "words. With the words' frequencies in place of $\\beta$ the bracket does not vanish in general, and such words get too "
        "much.",
        kept=holds(Total(u, times(b_u, model)), "=", Total(u, b)),
        law=where(beta, contexts / pairs),
    ),
)
continuation = derivation.define(r"\beta^*", contexts / pairs, "the continuation distribution", over=w, law=True)
derivation.answer = prose(
    r"The relative frequency {best} maximizes the likelihood, and gives probability 0 to every pair that the text happens not to "
    "contain. Adding a constant to the counts is a posterior mean: {additive}. The weights of longer and shorter memories are "
    "fitted by EM, {step}, which never loses held-out likelihood. Behind a discount, backing off to the number of contexts of a "
    "word, {law}, is the only choice that keeps the words' frequencies.",
    best=holds(p_hat, "=", c / c_u, named=True, wrong={"of all words": c / Total(u, c_u)}),
    additive=holds(
        additive, "=", plus(times(n / (n + alpha * V), frequency), times(alpha * V / (n + alpha * V), uniform)), named=True
    ),
    step=holds(new, "=", reweighted),
    law=holds(continuation, "=", contexts / pairs, wrong={"the words' frequencies": Total(u, b) / Total(u, b_u)}),
)
derivation.bridge(
    "The code has this distribution behind a discount of one half",
    log((b - seen / 2) / b_u + Total(v, seen.at(u, v)) / (2 * b_u) * continuation),
    kneser_ney_log_probs,
    counts=b,
    discount=0.5,
    sizes={u: 3},
    wrong={
        "the words' frequencies": log((b - seen / 2) / b_u + Total(v, seen.at(u, v)) / (2 * b_u) * Total(u, b) / Total(u, b_u))
    },
)

first = derivation.index("y", "a word", states=2)
second = derivation.index("z", "the word after it", states=2)
table = derivation.numbers("t", (first, second), "how often the two follow each other", positive=True)
both = derivation.define(
    "f({},{})", table / Total(first, Total(second, table)), "their joint frequency", over=(first, second), positive=True
)
before = derivation.define("f({})", Total(second, both), "the frequency of the first", over=first, law=True)
after = derivation.define("g({})", Total(first, both), "the frequency of the second", over=second, law=True)
following = derivation.define("f({}|{})", both / before, "the conditional frequency", over=(second, first), law=True)
derivation.chain(
    "A longer memory never raises the empirical conditional entropy",
    plus(Entropy(after), -Expectation(before, Entropy(following))),
    equals(
        Expectation(before, Expectation(following, plus(log(following), -log(after)))),
        "write both entropies as expectations over pairs",
    ),
    equals(
        Expectation(before, Divergence(following, after)),
        prose("a divergence for each first word; {margin}", margin=holds(after, "=", Expectation(before, following))),
    ),
    at_least(
        0,
        prose(
            "leave out the divergences (Gibbs); equality if and only if the words are independent, as where {same}",
            same=where(table, table.at(first, 0)),
        ),
        dropping=Expectation(before, gibbs.at(following, after)),
    ),
    so="This is the mutual information of a word and the one before it. It needs the margins of the pairs to be the counts of "
    "the words, as they are if windows run around the end of the text. Part of the fall is only memory: few long contexts "
    "occur often enough to be believed.",
    role="remark",
)


@derivation.numeric(
    r"\log L = \sum_{u, w} c_{uw} \log p(w|u)",
    because="The code sums over the tokens of a text, the chains above over counts: both are the same sum, collected "
    "differently. Windows do not cross from one row of the batch to the next.",
    role="appendix",
)
def the_text_enters_through_its_counts():
    text = jnp.array([[0, 1, 0, 0, 1, 2], [2, 2, 0, 1, 1, 0]])
    law = additive_log_probs(ngram_counts(text, order=2, vocabulary_size=3), pseudo_count=1.0)
    across = jnp.sum(ngram_counts(text.reshape(1, 12), order=2, vocabulary_size=3) * law)
    counts = ngram_counts(text, order=2, vocabulary_size=3)
    return Sides(
        left=jnp.sum(ngram_sequence_log_prob(text, law)), right=jnp.sum(counts * law), wrong={"windows across rows": across}
    )


derivation.symbol("L", "the likelihood of a text")
_TEXT = jnp.array([[0, 1, 0, 0, 1]])  # abaab


@derivation.algorithm(
    "An interpolated model of pairs",
    do("count the words and the pairs of the training text", ngram_counts, by=counting),
    do("take $p_{ik}$, the probability of held-out token $i$ under two smoothed distributions", additive_log_probs, by=adding),
    do(r"take positive weights $\lambda$, and until they stay:"),
    do(r"$r_k(i) \leftarrow \lambda_k p_{ik} / p_i$ for every token and table, with their mixture $p_i$", by=em, indent=1),
    do(r"$\lambda_k \leftarrow \frac{1}{M} \sum_i r_k(i)$", interpolation_em_step, by=em, indent=1),
    do(r"give word $w$ in context $u$ the probability $\sum_k \lambda_k p_k(w|u)$"),
)
def two_steps_of_em():
    counts = ngram_counts(_TEXT, order=2, vocabulary_size=2)
    words, pairs = (jnp.exp(additive_log_probs(some, pseudo_count=1.0)) for some in (counts.sum(axis=0), counts))
    yield r"\text{abaab: words, } \tilde p(a), \tilde p(b)", words, "(1/2, 1/2)"
    yield r"\text{pairs, } \tilde p(a|a), \tilde p(b|a)", pairs[0], "(2/5, 3/5)"
    held_out = jnp.array([[0, 1, 1, 0]])  # abba
    scores = jnp.log(jnp.stack([words[held_out[0, 1:]], pairs[held_out[0, :-1], held_out[0, 1:]]], axis=1))
    yield r"\text{held out abba, pairs: } p_{ik}", jnp.exp(scores[:, 1]), "(3/5, 1/3, 2/3)"
    weights = jnp.log(jnp.array([0.5, 0.5]))
    for name, stated in (("first", "(0.4944, 0.5056)"), ("second", "(0.4889, 0.5111)")):
        weights = interpolation_em_step(scores, weights)
        yield rf"\lambda \text{{ after the {name} step}}", jnp.exp(weights), stated


@derivation.example("The text abaab: the pairs ab twice, ba and aa once.")
def abaab():
    counts = ngram_counts(_TEXT, order=2, vocabulary_size=2)
    yield r"c_{ab}, c_{ba}, c_{aa}, c_{bb}", (counts[0, 1], counts[1, 0], counts[0, 0], counts[1, 1]), "(2, 1, 1, 0)"
    yield (
        r"\tilde p(b|a), \tilde p(b|b) \ \text{at}\ \alpha = 1",
        jnp.exp(additive_log_probs(counts, pseudo_count=1.0))[:, 1],
        "(3/5, 1/3)",
    )
    law = jnp.exp(kneser_ney_log_probs(counts, discount=0.5))
    yield r"p_d(a|a), p_d(b|a) \ \text{at}\ d = \tfrac12", law[0], "(7/18, 11/18)"
    yield r"p_d(a|b), p_d(b|b)", law[1], "(5/6, 1/6)"
    yield r"\tfrac34 p_d(b|a) + \tfrac14 p_d(b|b) = c_{ab} / 4", 0.75 * law[0, 1] + 0.25 * law[1, 1], "1/2"


@derivation.figure(
    "Left: the loss of held-out text under additive smoothing. It is infinite at pseudo-count 0, approaches that of the "
    "uniform distribution (dashed) for large ones, and has a minimum between. Right: the weights of a mixture climb to the "
    "maximum of the held-out log-likelihood in steps of EM.",
    panels=2,
)
def smoothing_and_mixing(left, right):
    random = np.random.default_rng(0)
    law = random.dirichlet(np.full(6, 0.3), size=6)
    rows = np.zeros((2, 160), dtype=int)
    for t in range(1, 160):
        rows[:, t] = [random.choice(6, p=law[token]) for token in rows[:, t - 1]]
    counts = ngram_counts(jnp.array(rows[:1, :60]), order=2, vocabulary_size=6)
    held_out = jnp.array(rows[1:])
    grid = np.geomspace(1e-3, 100, 40)
    losses = [-ngram_sequence_log_prob(held_out, additive_log_probs(counts, pseudo_count=float(a)))[0] / 159 for a in grid]
    left.semilogx(grid, losses)
    left.axhline(math.log(6), linestyle="--", color="gray")
    left.set(xlabel=r"pseudo-count $\alpha$", ylabel="nats a token")
    tables = additive_log_probs(counts.sum(axis=0), pseudo_count=0.1), additive_log_probs(counts, pseudo_count=0.1)
    scores = jnp.stack([tables[0][held_out[0, 1:]], tables[1][held_out[0, :-1], held_out[0, 1:]]], axis=1)

    def likelihood(share):
        mixture = jnp.log(jnp.stack([1 - jnp.asarray(share), jnp.asarray(share)], axis=-1))
        return logsumexp(scores + mixture[..., None, :], axis=-1).mean(axis=-1)

    line = np.linspace(0.01, 0.99, 60)
    right.plot(line, likelihood(line))
    weights, path = jnp.log(jnp.array([0.95, 0.05])), []
    for _ in range(12):
        path.append(float(jnp.exp(weights[1])))
        weights = interpolation_em_step(scores, weights)
    right.plot(path, likelihood(np.array(path)), "o", markersize=4)
    right.set(xlabel="weight of the pair table", ylabel="nats a token")
