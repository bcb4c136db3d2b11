"""The adversarial game with labels: what it measures, and what three discriminators make of the label.

The lecture on the functions of theory_jax/adversarial/conditional_gan.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.adversarial.conditional_gan import (
    auxiliary_classifier_discriminator_loss,
    auxiliary_classifier_generator_loss,
    conditional_batch_normalize,
    matching_aware_discriminator_loss,
    projection_logit,
)
from theory_jax.adversarial.gan import discriminator_loss, exact_value, non_saturating_generator_loss
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.lectures.adversarial._labels import (
    PAIRS,
    SHUFFLED,
    divergence_of_pairs,
    draw_objectives,
    game_on_pairs,
    normalized,
)
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The adversarial game with labels: what it measures, and what three discriminators make of the label",
    lectures=(8,),
    sources=(
        "Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
        "Odena, Olah & Shlens 2017, Conditional Image Synthesis with Auxiliary Classifier GANs",
        "Miyato & Koyama 2018, cGANs with Projection Discriminator",
        "Reed et al. 2016, Generative Adversarial Text to Image Synthesis",
    ),
    question="A GAN makes good digits, but nobody can ask it for a seven. If only the generator is told the label, it may ignore "
    "it: nothing in its loss depends on it. What does the game measure if both networks are given the label, in which form "
    "should the label enter the discriminator, and what do an auxiliary classifier and real examples with wrong labels add?",
    setting=(
        r"Data are pairs of an example $x$ and a label $y$, on finitely many of both, with probabilities $p(y)\, p(x|y)$. The "
        r"generator is given a label that is drawn from the data, and makes an example: its pairs have the probabilities $p(y)\, "
        "q(x|y)$. All are positive; at the boundary a term with weight 0 is 0.",
        r"The discriminator sees the pair and gives its logit $\ell(x, y)$. The value of the game on pairs is $\mathbb{E}_p[\log "
        r"\sigma(\ell)] + \mathbb{E}_q[\log \sigma(-\ell)]$; by the lecture on GANs its maximum is at the logarithm of the ratio "
        "of both probabilities of the pair, and is twice a Jensen-Shannon divergence of the two distributions of pairs, less "
        r"$\log 4$.",
    ),
    limits=("Training, and discriminators of a restricted class.", "Diversity within a class, which no classifier sees."),
)

x, y = derivation.index("x", "an example"), derivation.index("y", "a label")
p_y = derivation.law("p", y, "the labels, of data and of fakes")
p = derivation.law("p({}|{})", (x, y), "the data with a label")
q = derivation.law("q({}|{})", (x, y), "the generator's examples for a label")
m = derivation.define("m({}|{})", (p + q) / 2, "half of each", over=(x, y), law=True)
q_y = derivation.law("q", y, "the labels of fakes, where they are drawn from another distribution")
derivation.chain(
    "The best logit of a pair is that of the example given the label, plus that of the label",
    log(p_y * p / (q_y * q)),
    equals(plus(log(p / q), log(p_y / q_y)), "the logarithm of a product"),
    states=2,
    role="lemma",
    so=prose(
        "If the generator is given other labels than the data have, the discriminator can win by the label alone, and no example "
        "helps against it. So the labels of fakes are drawn from the data: with {same}, {second}.",
        same=where(q_y, p_y),
        second=holds(log(p_y / q_y), "=", 0),
    ),
)
pair_p, pair_q = p_y * p, p_y * q
value = Total(y, Total(x, plus(pair_p * log(pair_p / (pair_p + pair_q)), pair_q * log(pair_q / (pair_p + pair_q)))))
jsd = derivation.define(
    r"\mathrm{JSD}",
    plus(Divergence(p, m) / 2, Divergence(q, m) / 2),
    r"the Jensen-Shannon divergence of $p(\cdot|y)$ and $q(\cdot|y)$",
    "jensen_shannon_divergence",
    over=y,
)
derivation.answer = prose(
    "With the best discriminator the value of the game is {mean}: up to constants, the mean over the labels of the "
    r"Jensen-Shannon divergence of $p(\cdot|y)$ and $q(\cdot|y)$, so only a generator that is right for every label wins. For "
    "exponential families the best logit is a product of the label's vector with features. An auxiliary classifier, as a frozen "
    "judge, rewards examples that are typical of their class, and mismatched labels move the solution away from pairs that are "
    "ambiguous: in general neither has the data as its optimum. Both have it if the classes do not overlap.",
    mean=holds(
        value, "=", plus(2 * Expectation(p_y, jsd), -log(4)), named=True, wrong={"every label alike": 2 * Total(y, jsd) - log(4)}
    ),
)
central = derivation.chain(
    "The game with labels measures every label by itself",
    value,
    equals(
        Expectation(p_y, Total(x, plus(p * log(p / (2 * m)), q * log(q / (2 * m))))),
        r"$p(y)$ is taken out, and cancels inside the logarithms since both distributions of pairs have it",
        wrong={
            "not canceled": Expectation(p_y, Total(x, plus(p * log(p_y * p / (2 * m)), q * log(p_y * q / (2 * m))))),
            "no factor 2": Expectation(p_y, Total(x, plus(p * log(p / m), q * log(q / m)))),
        },
    ),
    equals(
        Expectation(p_y, plus(Divergence(p, m), Divergence(q, m), -log(4))),
        r"each of the two sums gives $-\log 2$",
        wrong={"log 2 once": Expectation(p_y, plus(Divergence(p, m), Divergence(q, m), -log(2)))},
    ),
    equals(
        plus(2 * Expectation(p_y, jsd), -log(4)), "the definition", wrong={"every label alike": plus(2 * Total(y, jsd), -log(4))}
    ),
    at_least(
        -log(4),
        prose("leave out divergences (Gibbs); equality if and only if {same} for every label", same=where(q, p)),
        dropping=Expectation(p_y, plus(gibbs.at(p, m), gibbs.at(q, m))),
    ),
    central=True,
    states=2,
    so=r"The examples alone are not enough: two generators with the same mixture $\sum_y p(y)\, q(x|y)$ have different values. "
    "The example below has a generator with exchanged labels.",
)
derivation.bridge(
    "The code of the lecture on GANs computes it from tables of pairs",
    plus(2 * Expectation(p_y, jsd), -log(4)),
    game_on_pairs,
    p=p_y * p,
    q=p_y * q,
    calls=(exact_value,),
    wrong={"the labels alike": plus(Total(y, jsd), -log(4))},
    states=2,
)


derivation.say(
    "How should the label enter? Suppose that the examples of every class, and those that the generator makes, are of one "
    "exponential family: the same features, other parameters."
)
d = derivation.index("d", "a feature")
base = derivation.numbers("b", x, "what does not depend on the label", positive=True)
features = derivation.numbers("h", (x, d), "the features of an example", "features")
theta = derivation.numbers(r"\theta", (y, d), "the parameters of the data of a class")
other = derivation.numbers(r"\vartheta", (y, d), "... and of the generator's examples")
A = derivation.define(
    "A", log(Total(x, base * exp(Total(d, theta * features)))), "what makes the data's probabilities sum to one", over=y
)
B = derivation.define("B", log(Total(x, base * exp(Total(d, other * features)))), "... and the generator's", over=y)
family = derivation.define(
    "f({}|{})", base * exp(Total(d, theta * features) - A), "the data of a class", over=(x, y), positive=True
)
made = derivation.define(
    "g({}|{})", base * exp(Total(d, other * features) - B), "the generator's examples", over=(x, y), positive=True
)
projection = derivation.chain(
    "For exponential families the best logit is a projection",
    log(family / made),
    equals(
        plus(Total(d, theta * features), -A, -Total(d, other * features), B),
        r"$b$ cancels, and the logarithm undoes the exponential",
        wrong={"the constants forgotten": plus(Total(d, theta * features), -Total(d, other * features))},
    ),
    equals(
        plus(Total(d, (theta - other) * features), -A, B),
        "a product of the features with a vector of the label, and a constant of the label, which is the product with a feature "
        "that is always 1",
        wrong={"the sign of the constants": plus(Total(d, (theta - other) * features), A, -B)},
    ),
    states=2,
    so=r"So the label needs no separate network: one vector $v_y$ for each class, $\langle v_y, h(x) \rangle$. What all classes "
    r"share may be taken out of every $v_y$: that is $\langle w, h(x) \rangle + b$.",
)
X, mu, nu = (derivation.number(*one) for one in (("X", "a number"), (r"\mu", "the data's mean"), (r"\nu", "the generator's")))
derivation.chain(
    "For Gaussians of unit variance the best logit is linear in the example",
    plus(Normal(X, mu, 1).log_density(X), -Normal(X, nu, 1).log_density(X)),
    equals(
        plus((mu - nu) * X, -(mu**2 - nu**2) / 2),
        "expand the squares; the features are $X$ and 1",
        wrong={"the square of the difference": plus((mu - nu) * X, -((mu - nu) ** 2) / 2)},
    ),
    role="remark",
)
v = derivation.numbers("v", (y, d), "the label's vector", "class_embedding")
h, w = derivation.numbers("H", d, "the features of one example"), derivation.numbers("w", d, "the shared vector", "weight")
b = derivation.number("c", "the shared constant", "bias")
derivation.bridge(
    "The code computes the projection, for one example with every label",
    plus(Total(d, v * h), Total(d, w * h), b),
    projection_logit,
    features=[h] * 4,
    labels=[0, 1, 2, 3],
    class_embedding=[v.at(label, d) for label in range(4)],
    weight=w,
    bias=b,
    wrong={"no shared part": Total(d, v * h), "the constant for every feature": plus(Total(d, v * h + w * h + b))},
)

derivation.say("The auxiliary classifier. It is trained with the labels of data and with those that the fakes were made for.")
n_x = derivation.law("n", x, "the examples, half data and half fakes")
n_yx = derivation.law("n({}|{})", (y, x), "the labels of an example, of data and fakes together")
c = derivation.law("c({}|{})", (y, x), "the classifier", "softmax(class_logits)")
classifier = derivation.chain(
    "The best classifier is that of data and fakes together",
    Expectation(n_x, Expectation(n_yx, -log(c))),
    equals(Expectation(n_x, plus(Entropy(n_yx), Divergence(n_yx, c))), r"add and subtract $\log n(y|x)$"),
    at_least(
        Expectation(n_x, Entropy(n_yx)),
        prose("leave out the divergences (Gibbs); equality if and only if {same}", same=where(c, n_yx)),
        dropping=Expectation(n_x, gibbs.at(n_yx, c)),
    ),
    states=2,
    so=prose(
        "So the best classifier is {best}, that of the pairs of both. It is the data's own, {own}, if {same}. In general it is "
        "not, unless it is trained on data alone, or the fakes have their labels as often as the data have for every example.",
        best=(pair_p + pair_q) / Total(y, pair_p + pair_q),
        own=holds((pair_p + pair_q) / Total(y, pair_p + pair_q), "=", pair_p / Total(y, pair_p), named=True),
        same=where(q, p),
    ),
    role="lemma",
)
label = derivation.define("N", Expectation(n_x, n_yx), "the labels of all", over=y, law=True)
information = derivation.define("I", Expectation(n_x, Divergence(n_yx, label)), "the information of an example about its label")
derivation.chain(
    "The best classifier's loss is the entropy of the labels less the information",
    Expectation(n_x, Entropy(n_yx)),
    equals(
        plus(-Expectation(n_x, Expectation(n_yx, log(label))), -information),
        prose("{split}", split=holds(-log(n_yx), "=", plus(-log(label), -log(n_yx / label)))),
    ),
    equals(plus(Entropy(label), -information), r"the first is a mean over $y$ alone"),
    states=2,
    so="So the class term alone asks for examples that tell their label, not for examples that are distributed as the data.",
    role="lemma",
)
typical = derivation.assume(
    "No example is more typical of the label 0 than example 0",
    log(c.at(0, 0) / c.at(0, x)),
    example={c: ((0.9, 0.6), (0.1, 0.4))},
    wrong={"less": log(c.at(0, x) / c.at(0, 0))},
)
of_zero = q.at(x, 0)
derivation.chain(
    "Against a frozen classifier the most typical example is the best",
    -Total(x, of_zero * log(c.at(0, x))),
    equals(plus(-log(c.at(0, 0)), Total(x, of_zero * typical.at())), "add and subtract the logarithm at example 0"),
    at_least(
        -log(c.at(0, 0)),
        r"leave out what is never negative; equality if and only if $q(\cdot|0)$ lives on the most typical examples",
        dropping=Total(x, of_zero * typical.at()),
    ),
    states=2,
    so="The term pulls every class to what is most typical of it: samples are easy to recognize and too much alike. The game's "
    "own term must hold against it, so the weight of the class term matters.",
)

derivation.say(
    "Mismatched labels. A discriminator may use the example only, and never learn that the label must match. Real examples with "
    "wrong labels are then fakes, too."
)
k = derivation.index("k", "a pair of example and label")
j = derivation.index("j", "one pair, next to $k$")
real = derivation.law("P", k, "the data's pairs")
fake = derivation.law("Q", k, "the generator's pairs")
wrong_pairs = derivation.law("R", k, "real examples with wrong labels")
logit = derivation.numbers(r"\ell", k, "the discriminator's logits")
D = derivation.define("D", 1 / (1 + exp(-logit)), "the probability that it gives for a right pair", over=k, positive=True)
unlike, half = log(1 + exp(logit)), (fake + wrong_pairs) / 2
aware = plus(Expectation(real, log(1 + exp(-logit))), Expectation(fake, unlike) / 2, Expectation(wrong_pairs, unlike) / 2)
derivation.chain(
    "The best matching-aware discriminator counts fakes and mismatches half each",
    Slope(aware, logit.at(j)),
    equals(
        plus(-real.at(j) * (1 - D.at(j)), times((fake.at(j) + wrong_pairs.at(j)) / 2, D.at(j))),
        r"the slope of $\log(1 + e^t)$ is $\sigma(t)$",
        wrong={
            "mismatches in full": plus(-real.at(j) * (1 - D.at(j)), times(fake.at(j) + wrong_pairs.at(j), D.at(j))),
            "no mismatches": plus(-real.at(j) * (1 - D.at(j)), fake.at(j) * D.at(j)),
        },
    ),
    equals(plus(times(plus(real.at(j), (fake.at(j) + wrong_pairs.at(j)) / 2), D.at(j)), -real.at(j)), "collect the terms"),
    states=2,
    so=prose(
        "It is zero at {best}. So the generator descends twice the Jensen-Shannon divergence of $P$ and {all}.",
        best=holds(D, "=", real / (real + half), when={logit: log(real / half)}),
        all=half,
    ),
    role="lemma",
)
g = derivation.numbers("g", k, "the generator's logits of pairs")
made_pairs = derivation.define(r"\bar Q", exp(g) / Total(j, exp(g.at(j))), "their softmax: what it makes", over=k, law=True)
fakes = derivation.define(r"\bar F", (made_pairs + wrong_pairs) / 2, "all that count as fakes", over=k, law=True)
derivation.chain(
    "Where the generator rests in the matching-aware game",
    Slope(Total(k, plus(real * log(real / (real + fakes)), fakes * log(fakes / (real + fakes)))), g.at(j)),
    equals(
        times(
            made_pairs.at(j) / 2,
            plus(log(fakes.at(j) / (real.at(j) + fakes.at(j))), -Expectation(made_pairs, log(fakes / (real + fakes)))),
        ),
        r"the slope of $p \log \frac{p}{p + t} + t \log \frac{t}{p + t}$ in $t$ is $\log \frac{t}{p + t}$; that of a softmax "
        "takes the mean off",
        wrong={"mismatches move, too": fakes.at(j) * (log(fakes.at(j) / (real.at(j) + fakes.at(j))))},
    ),
    states=2,
    so=prose(
        "It is zero if and only if the share of fakes is the same for every pair. Where the generator is right, {right}, the "
        "share is {share}: it rests there if and only if $R/P$ is the same for all of these pairs. That is so if no wrong label "
        "is possible for any example, or if labels are independent of the examples and are shuffled. Otherwise it moves away "
        "from pairs with a large $R/P$, the ambiguous ones, and leaves some out if $2P - R$ is negative there.",
        right=where(g, log(real)),
        share=holds(fakes / (real + fakes), "=", (1 + wrong_pairs / real) / (3 + wrong_pairs / real), named=True),
    ),
)
r, f = derivation.number("r", "a real pair's logit", "logits_real"), derivation.number("f", "the logit of a fake", "logits_fake")
s = derivation.number("s", "the logit of a mismatch", "logits_mismatched")
soft_r, soft_f, soft_s = log(1 + exp(-r)), log(1 + exp(f)), log(1 + exp(s))
derivation.bridge(
    "The code computes the matching-aware loss",
    soft_r + soft_f / 2 + soft_s / 2,
    matching_aware_discriminator_loss,
    logits_real=[r],
    logits_fake=[f],
    logits_mismatched=[s],
    wrong={"mismatches in full": soft_r + soft_f + soft_s, "no mismatches": soft_r + soft_f},
)
a, o = derivation.numbers("a", y, "class logits of a real example"), derivation.numbers("o", y, "class logits of a fake")
told_a, told_o = log(Total(y, exp(a))) - a.at(1), log(Total(y, exp(o))) - o.at(0)  # minus log c of classes 1 and 0
derivation.bridge(
    "... both losses with an auxiliary classifier, here of a real example of class 1 and a fake for class 0",
    soft_r + soft_f + told_a + told_o,
    auxiliary_classifier_discriminator_loss,
    logits_real=[r],
    logits_fake=[f],
    class_logits_real=[a],
    class_logits_fake=[o],
    labels_real=[1],
    labels_fake=[0],
    wrong={
        "the classes of real examples alone": soft_r + soft_f + told_a,
        "the labels exchanged": soft_r + soft_f + log(Total(y, exp(a))) - a.at(0) + log(Total(y, exp(o))) - o.at(1),
    },
)
derivation.bridge(
    "... and of the generator",
    log(1 + exp(-f)) + told_o,
    auxiliary_classifier_generator_loss,
    logits_fake=[f],
    class_logits_fake=[o],
    labels_fake=[0],
    wrong={"the saturating loss": -soft_f + told_o, "the sign of the class": log(1 + exp(-f)) - told_o},
)


@derivation.algorithm(
    "A training step of the conditional game",
    do("take data $x$ with their labels $y$; make fakes $x'$ for labels $y'$ of data", by=central),
    do(
        r"$\ell \leftarrow \langle v_y + w, h(x) \rangle + c$, and $\ell'$ likewise of $x'$ and $y'$",
        projection_logit,
        by=projection,
    ),
    do(r"step the discriminator down the gradient of $-\log \sigma(\ell) - \log \sigma(-\ell')$", discriminator_loss),
    do(r"step the generator down the gradient of $-\log \sigma(\ell')$", non_saturating_generator_loss),
)
def two_training_steps():
    data, fakes, vectors, none = jnp.array([[-2.0], [2.0]]), jnp.zeros((2, 1)), jnp.zeros((2, 1)), jnp.zeros(1)

    def score(x, vectors):
        return projection_logit(x, jnp.arange(2), vectors, none, none[0])

    start = r"\text{data } {-2} \text{ with the label } 0, 2 \text{ with } 1, h(x) = x, \text{ fakes at } 0: \quad "
    for vector, moved in (("-0.5, 0.5", "-0.125, 0.125"), ("-0.7367, 0.7367", "-0.3007, 0.3007")):
        vectors -= jax.grad(lambda v, x=fakes: discriminator_loss(score(data, v), score(x, v)).mean())(vectors)
        yield start + "v_0, v_1", vectors, vector
        fakes -= jax.grad(lambda x, v=vectors: non_saturating_generator_loss(score(x, v)).mean())(fakes)
        yield "x'_0, x'_1", fakes, moved
        start = ""


@derivation.example(
    prose(
        "Two examples and two labels: pairs of data with the probabilities 0.4 where both agree, and 0.1 else. A generator that "
        "exchanges the labels, and mismatches by shuffling, {all} for every pair.",
        all=means("R", Rational(1, 4)),
    )
)
def four_pairs():
    yield (
        r"\text{divergence of the examples alone, labels exchanged}",
        divergence_of_pairs(PAIRS.sum(1), PAIRS[:, ::-1].sum(1)),
        "0.000000",
    )
    yield r"\text{divergence of the pairs}", divergence_of_pairs(PAIRS, PAIRS[:, ::-1]), "0.192745"
    yield r"D \text{ at } Q = P \text{, where both agree, and else}", [0.4 / (0.4 + 0.325), 0.1 / (0.1 + 0.175)], "0.5517, 0.3636"
    yield r"\text{matching-aware divergence at } Q = P", divergence_of_pairs(PAIRS, (PAIRS + SHUFFLED) / 2), "0.014244"
    yield (
        r"\text{... at } Q = \mathrm{diag}(\tfrac12, \tfrac12)",
        divergence_of_pairs(PAIRS, (np.eye(2) / 2 + SHUFFLED) / 2),
        "0.001795",
    )


@derivation.figure(
    "The example with a generator that makes each of the two pairs that do not agree with probability $t$, in the data 0.1 "
    "(dashed). The game on pairs is lowest at the data. The matching-aware game and the class term, against a frozen classifier "
    "of the data, are lowest at 0, where no ambiguous pair is made.",
    panels=2,
)
def three_objectives(games, classes):
    draw_objectives(games, classes)


@derivation.numeric(
    r"\text{equal rows of gains and shifts give plain batch normalization}",
    because="The statistics are those of the whole batch, whatever the labels; only gain and shift are of the class. With "
    "statistics of each class by itself, a class would be normalized to the same mean and variance as every other.",
    role="appendix",
)
def conditional_normalization_is_the_plain_one_with_other_gains():
    found, plain, of_classes = normalized(conditional_batch_normalize)
    return Sides(left=found, right=plain, wrong={"statistics of each class": of_classes})
