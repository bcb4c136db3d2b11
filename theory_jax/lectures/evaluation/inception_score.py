"""The inception score: how much the answers of a classifier say about the images.

The lecture on the functions of theory_jax/evaluation/inception_score.py.
"""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Total, plus
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.inception_score import inception_score, log_inception_score, marginal_log_probs, split_inception_scores
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The inception score: how much the answers of a classifier say about the images",
    lectures=(14,),
    sources=(
        "Salimans et al. 2016, Improved techniques for training GANs, section 4",
        "Barratt & Sharma 2018, A note on the inception score",
        "Cover & Thomas 2006, Elements of information theory, chapter 2",
    ),
    question="A GAN has no likelihood, and its loss does not say whether its images are good or all alike. Samples are good if a "
    "classifier is confident about each and its answers differ. One number is made of its "
    "answers. What does it measure, what is its range, and how does it depend on the number of images?",
    setting=(
        "A classifier gives every image $n$ a distribution $p(y|n)$ over classes $y$. An image is drawn with probability $w_n$: "
        r"of a data set of $N$ images, as in the code, with $\frac1N$; of a generator, with its own.",
        r"All probabilities are positive. At the boundary $0 \log 0$ is 0, and a class that no answer contains drops out.",
    ),
    limits=(
        "Whether the classifier is right about images that are no photographs: an overconfident classifier raises the score.",
        "Diversity within a class: a single image of every class, repeated, has the largest score that there is (exercise 2).",
        "How the error depends on the number of classes where answers are not certain.",
    ),
    trained="A measure of samples, not a model. No experiment reports it: it does not compare with data, as the Fréchet "
    "distance does.",
)

n = derivation.index("n", "an image", states=2)
y = derivation.index("y", "a class")
w = derivation.law("w", n, "the probability of an image", "1/N")
p = derivation.law("p({}|{})", (y, n), "the classifier's answer", "exp(log_probs)")
mean = derivation.define(r"\bar p({})", Total(n, w * p), "the mean answer", "exp(marginal_log_probs)", over=y, law=True)
score = derivation.define(
    r"\log\mathrm{IS}", Expectation(w, Divergence(p, mean)), "the logarithm of the inception score", "log_inception_score"
)
K = derivation.count(y, "K", "the number of classes")
uniform = derivation.define("u({})", 1 / K, "the uniform distribution", over=y, law=True)
j = derivation.index("j", "anything with finitely many states")
a = derivation.law("a", j, "any distribution of it")

entropy = derivation.chain(
    "An entropy is never negative",
    Entropy(a),
    equals(
        Expectation(a, plus(1 - a, tangent.at(a))),
        prose(
            "the gap of the logarithm is $t - 1 - \\log t$: {split}", split=holds(-log(a), "=", plus(1 - a, plus(a, -1, -log(a))))
        ),
    ),
    at_least(Expectation(a, 1 - a), "leave out the gap", dropping=Expectation(a, tangent.at(a))),
    at_least(0, "leave out what is never negative: $1 - a_j$ is the sum of the others", dropping=Expectation(a, 1 - a)),
    about=(a,),
    role="lemma",
    so="It is zero only if one state has the probability 1, which is the boundary of what is shown.",
)
central = derivation.chain(
    "The score is what the mean answer leaves open, less what the answers do",
    score,
    equals(
        plus(Expectation(w, Expectation(p, log(p))), -Expectation(mean, log(mean))),
        prose("the logarithm of a quotient; exchange the sums: {mixed}", mixed=holds(Total(n, w * p), "=", mean)),
        wrong={
            "the divergence turned over": plus(Expectation(mean, log(mean)), -Expectation(w, Expectation(mean, log(p)))),
            "the mean of the logarithms": plus(
                Expectation(w, Expectation(p, log(p))), -Expectation(w, Expectation(mean, log(p)))
            ),
        },
    ),
    equals(
        plus(Entropy(mean), -Expectation(w, Entropy(p))),
        "the definition of an entropy, twice",
        wrong={"the sign turned over": plus(Expectation(w, Entropy(p)), -Entropy(mean))},
    ),
    equals(
        plus(log(K), -Divergence(mean, uniform), -Expectation(w, Entropy(p))),
        prose("{uniform}", uniform=holds(Divergence(mean, uniform), "=", plus(log(K), -Entropy(mean)))),
    ),
    at_most(
        log(K),
        "add the divergence (Gibbs) and the entropies; equality in the limit of certain answers with a uniform mean",
        adding=plus(gibbs.at(mean, uniform), Expectation(w, entropy.at(p))),
    ),
    central=True,
    so=prose(
        "Two things are requested: certain answers (the images are recognized), and a mean answer that is spread (not all "
        "images are of one class). Nothing else is requested. If all answers are the same, as where {same} for every image, "
        "the score's logarithm is {zero}, however certain they are.",
        same=where(p, p.at(y, 0)),
        zero=holds(score, "=", 0, named=True),
    ),
)
derivation.chain(
    "The score is at least 1, and it is 1 where all answers are equal",
    score,
    equals(
        -Expectation(w, Expectation(p, log(mean / p))),
        prose("the definition: {turned}", turned=holds(log(p / mean), "=", -log(mean / p))),
    ),
    at_least(
        0,
        prose(
            "every divergence is nonnegative; all are zero if and only if all answers are the same, {same} for every image",
            same=where(p, p.at(y, 0)),
        ),
        dropping=Expectation(w, gibbs.at(p, mean)),
    ),
)
which = derivation.define("r({}|{})", w * p / mean, "which image it was, if the class is known", over=(n, y), law=True)
derivation.chain(
    "Few images cannot score high",
    score,
    equals(Expectation(w, Expectation(p, log(which / w))), prose("Bayes' rule: {bayes}", bayes=holds(p / mean, "=", which / w))),
    equals(
        plus(Entropy(w), -Expectation(mean, Entropy(which))),
        "the logarithm of a quotient; exchange the sums",
        wrong={"the sign turned over": plus(Expectation(mean, Entropy(which)), -Entropy(w))},
    ),
    at_most(
        Entropy(w),
        "add the entropies; equality in the limit where every class belongs to one image",
        adding=Expectation(mean, entropy.at(which)),
    ),
    so="So the score is the mutual information of image and class, read from the other side. The entropy of the images is at "
    "most the logarithm of their number: fewer images than classes cannot reach $K$.",
)
other = derivation.law("q", y, "another reference answer")
derivation.chain(
    "With another reference answer the score is too large",
    Expectation(w, Divergence(p, other)),
    equals(Expectation(w, Expectation(p, plus(log(p / mean), log(mean / other)))), r"multiply and divide by $\bar p(y)$"),
    equals(
        plus(score, Divergence(mean, other)),
        prose("the second logarithm does not depend on the image, and {mean}", mean=holds(Expectation(w, p), "=", mean)),
    ),
    at_least(
        score,
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(other, mean)),
        dropping=gibbs.at(mean, other),
    ),
    role="lemma",
)

derivation.say(
    "Now the images are a sample. The mean answer of a sample is not that of the generator, and the score takes the sample's own "
    "for its reference, which fits it too well. Two images are drawn."
)
n1 = derivation.index("n_1", "the first image drawn", states=2)
n2 = derivation.index("n_2", "the second image drawn", states=2)
sample = derivation.define(
    r"\hat p({}|{},{})", (p.at(y, n1) + p.at(y, n2)) / 2, "the mean answer of two draws", over=(y, n1, n2), law=True
)
of_sample = derivation.define(
    r"\hat S({},{})",
    plus(Entropy(sample), -(Entropy(p.at(y, n1)) + Entropy(p.at(y, n2))) / 2),
    "the logarithm of the score of two draws",
    over=(n1, n2),
)
derivation.chain(
    "A sample's score is too small in expectation",
    Expectation(w.at(n1), Expectation(w.at(n2), of_sample)),
    equals(
        plus(Expectation(w.at(n1), Expectation(w.at(n2), Entropy(sample))), -Expectation(w, Entropy(p))),
        prose(
            "the mean entropy of the draws is unbiased: {mean}",
            mean=holds(Expectation(w.at(n1), Entropy(p.at(y, n1))), "=", Expectation(w, Entropy(p))),
        ),
        wrong={
            "the entropies not halved": plus(
                Expectation(w.at(n1), Expectation(w.at(n2), Entropy(sample))), -2 * Expectation(w, Entropy(p))
            )
        },
    ),
    equals(
        plus(score, -Expectation(w.at(n1), Expectation(w.at(n2), Divergence(sample, mean)))),
        prose(
            "{entropy}, and the mean of {sample} over the draws is {mean}",
            entropy=holds(Entropy(sample), "=", plus(-Expectation(sample, log(mean)), -Divergence(sample, mean))),
            sample=sample,
            mean=mean,
        ),
    ),
    at_most(
        score,
        "add the divergences (Gibbs), zero only if the answers are all equal",
        adding=Expectation(w.at(n1), Expectation(w.at(n2), gibbs.at(sample, mean))),
    ),
    so="Nothing but the number of draws was special, so it holds for every number: only models that were scored on equally many "
    "images can be compared.",
)
i = derivation.index("i", "one of a sample of images")
N = derivation.count(i, "N", "the number of images in the sample")
row = derivation.law("s({}|{})", (y, i), "their answers")
every = derivation.define(r"\hat s({})", Total(i, row) / N, "the mean answer of all", over=y, law=True)
without = derivation.define(
    r"\hat s({}|{})", (Total(i, row) - row) / (N - 1), "the mean answer of all but one", over=(y, i), law=True
)
derivation.chain(
    "A sample's score grows with its size, in expectation",
    plus(Entropy(every), -Total(i, Entropy(without)) / N),
    equals(
        Total(i, Divergence(without, every)) / N,
        prose("{mean}, so the central result holds with them as answers", mean=holds(Total(i, without) / N, "=", every)),
        wrong={"the sign turned over": -Total(i, Divergence(without, every)) / N},
    ),
    at_least(0, "leave out the divergences (Gibbs)", dropping=Total(i, gibbs.at(without, every)) / N),
    so="The mean entropies of the answers have the same expectation for both sizes, so the expected score of $N$ images is at "
    r"least that of $N - 1$.",
    role="remark",
)
b = derivation.index("b", "a block", states=2)
k = derivation.index("k", "an image of the block", states=2)
B = derivation.count(b, "B", "the number of blocks")
M = derivation.count(k, "M", "the number of images of a block")
answers = derivation.law("t({}|{},{})", (y, b, k), "the answers, by block")
block = derivation.define(r"\bar t({}|{})", Total(k, answers) / M, "the mean answer of a block", over=(y, b), law=True)
whole = derivation.define(r"\bar t({})", Total(b, block) / B, "... and of all blocks", over=y, law=True)
of_block = derivation.define(
    "S({})",
    plus(Entropy(block), -Total(k, Entropy(answers)) / M),
    "the logarithm of a block's score",
    "log(split_inception_scores)",
    over=b,
)
splitting = derivation.chain(
    "Splitting a sample lowers the mean of the logarithms",
    plus(Entropy(whole), -Total(b, Total(k, Entropy(answers))) / (B * M), -Total(b, of_block) / B),
    equals(plus(Entropy(whole), -Total(b, Entropy(block)) / B), "the entropies of the answers cancel"),
    equals(
        Total(b, Divergence(block, whole)) / B,
        prose("the central result, with blocks for images: {mean}", mean=holds(Total(b, block) / B, "=", whole)),
    ),
    at_least(0, "leave out the divergences (Gibbs)", dropping=Total(b, gibbs.at(block, whole)) / B),
    so="The published score is the mean over ten blocks of the exponentials; for those there is no such order (exercise 3).",
    role="remark",
)

for title, expression, code, mistakes in (
    ("The code computes the mean answer", log(every), marginal_log_probs, {"the mean of the logarithms": Total(i, log(row)) / N}),
    (
        "... the logarithm of the score",
        Total(i, Divergence(row, every)) / N,
        log_inception_score,
        {"a sum": Total(i, Divergence(row, every)), "the mean answer alone": Entropy(every)},
    ),
    (
        "... and the score",
        exp(Total(i, Divergence(row, every)) / N),
        inception_score,
        {"exponential before the mean": Total(i, exp(Divergence(row, every))) / N},
    ),
):
    derivation.bridge(title, expression, code, log_probs=log(row), wrong=mistakes)
derivation.bridge(
    "... of every block",
    exp(of_block),
    split_inception_scores,
    log_probs=[log(answers.at(y, s, t)) for s in range(2) for t in range(2)],
    splits=2,
    wrong={"against the mean answer of all": exp(Entropy(whole) - Total(k, Entropy(answers)) / M)},
)

derivation.answer = prose(
    "Its logarithm is the mutual information of the class and the image, {information}: large if every answer is certain and "
    "their mean is not. It is between 0 and the logarithm of the number of classes or of images, whichever is smaller, and a "
    "finite sample makes it too small in expectation.",
    information=holds(score, "=", plus(Entropy(mean), -Expectation(w, Entropy(p))), wrong={"turned over": Entropy(p.at(y, 0))}),
)
_TWO = np.array([[0.0, -np.inf], [-np.log(2), -np.log(2)]])


@derivation.example(
    r"Two images, two classes. The classifier is certain of the first, $(1, 0)$, and undecided on the second, $(\frac12, "
    r"\frac12)$. The mean answer is $(\frac34, \frac14)$."
)
def a_certain_answer_and_none():
    yield r"H(\bar p)", -jnp.sum(jnp.exp(marginal_log_probs(_TWO)) * marginal_log_probs(_TWO)), "0.5623"
    yield r"\frac12 \left(0 + \log 2\right)", np.log(2) / 2, "0.3466"
    yield r"\log\mathrm{IS} = \frac34 \log\frac43", log_inception_score(_TWO), "0.2158"
    yield r"\mathrm{IS}", inception_score(_TWO), "1.2408"
    draws = jnp.stack([log_inception_score(_TWO[jnp.array(pair)]) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))])
    yield r"\mathbb{E}\,\hat S \text{ of two draws}", jnp.mean(draws), "0.1079"


def _expected_score(images, classes=3):
    """Of certain answers, drawn from all classes alike: every count of every class, weighted by how often it is drawn."""
    counts = np.array([(a, b, images - a - b) for a in range(images + 1) for b in range(images + 1 - a)])
    ways = np.array([comb(images, a) * comb(images - a, b) for a, b, _ in counts], dtype=float)
    rows = np.array([np.repeat(np.eye(classes), count, axis=0) for count in counts])
    with np.errstate(divide="ignore"):
        scores = jax.vmap(log_inception_score)(jnp.log(rows))
    return float(ways @ scores) / classes**images


@derivation.algorithm(
    "The inception score of generated images",
    do(r"answers $p(y|n)$ of the classifier for $N$ images"),
    do(r"$\bar p \leftarrow$ the mean answer", marginal_log_probs, by=central),
    do(r"$\log \mathrm{IS} \leftarrow$ the mean of $\mathrm{KL}(p(\cdot|n) \,\|\, \bar p)$", log_inception_score, by=central),
    do(r"$\mathrm{IS} \leftarrow$ its exponential", inception_score),
    do(
        "as published: the mean and the spread over ten blocks, each with its own mean answer",
        split_inception_scores,
        by=splitting,
    ),
)
def two_images_scored():
    mixed = jnp.exp(marginal_log_probs(_TWO))
    yield r"\text{the example: } \bar p", mixed, "(0.75, 0.25)"
    yield (
        r"\log \tfrac43 \text{ and } \tfrac12 \log \tfrac23 + \tfrac12 \log 2",
        [np.log(4 / 3), np.log(4 / 3) / 2],
        "(0.2877, 0.1438)",
    )
    yield r"\log \mathrm{IS}", log_inception_score(_TWO), "0.2158"
    yield r"\mathrm{IS}", inception_score(_TWO), "1.2408"
    yield r"\text{blocks of one image}", split_inception_scores(_TWO, splits=2), "(1, 1)"


@derivation.figure(
    "Left: the expected logarithm of the score of $N$ images whose answers are certain and of three classes alike (dots) rises "
    r"to $\log 3$ (line), about like $\log 3 - 1/N$ (dashed). Right: $\log K$ is divided between the score and what it lacks. A "
    "classifier that is uncertain and a generator of few classes lose from it through different terms.",
    panels=2,
)
def the_bias_and_the_terms(growth, terms):
    sizes = np.array([1, 2, 3, 4, 6, 8, 12, 16])
    growth.plot(sizes, [_expected_score(int(size)) for size in sizes], "o", label="expected")
    growth.axhline(np.log(3), color="black", linewidth=1)
    fine = np.linspace(2, 16, 50)
    growth.plot(fine, np.log(3) - 1 / fine, "--", color="gray", label=r"$\log 3 - 1/N$")
    growth.set(xlabel=r"images, $N$", ylabel=r"$\mathbb{E}\,\hat S_N$, nats", ylim=(-0.05, 1.2), xticks=(1, 4, 8, 12, 16))
    growth.legend(loc="lower right")
    certain, unsure = np.eye(3) * (1 - 3e-9) + 1e-9, np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    one_missing = certain[[0, 0, 1, 1]]
    cases = {"certain,\nall classes": certain, "uncertain,\nall classes": unsure, "certain,\none missing": one_missing}
    logs = [jnp.log(rows) for rows in cases.values()]
    scores = np.array([log_inception_score(rows) for rows in logs])
    open_ = np.array([-jnp.sum(jnp.exp(rows) * rows) / len(rows) for rows in logs])
    bottom = np.zeros(3)
    for part, label in (
        (scores, "score"),
        (open_, r"$\mathbb{E}[H(p(\cdot|n))]$"),
        (np.log(3) - scores - open_, r"$\mathrm{KL}(\bar p \,\|\, u)$"),
    ):
        terms.bar(list(cases), part, bottom=bottom, label=label)
        bottom = bottom + part
    terms.set(xlabel="answers", ylabel="nats", ylim=(0, 1.75))
    terms.legend(loc="upper center")
