"""The adversarial game with labels: what it measures, and what three discriminators make of the label.

The lecture on the functions of theory_jax/adversarial/conditional_gan.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import exp, log

from theory_jax.adversarial.conditional_gan import (
    auxiliary_classifier_discriminator_loss,
    auxiliary_classifier_generator_loss,
    conditional_batch_normalize,
    matching_aware_discriminator_loss,
    projection_logit,
)
from theory_jax.adversarial.dcgan import batch_normalize
from theory_jax.adversarial.gan import discriminator_loss, exact_value, jensen_shannon_divergence
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Slope, Total, plus, times
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
    question="Generator and discriminator are given a label. What does the game measure now, in which form should the label "
    "enter the discriminator, and what do an auxiliary classifier and real examples with wrong labels add?",
    setting=(
        r"Data are pairs of an example $x$ and a label $y$, on finitely many of both, with probabilities $p(y)\, p(x|y)$. The "
        "generator is given a label that is drawn from the data, and makes an example: its pairs have the probabilities "
        r"$p(y)\, q(x|y)$. All are positive; at the boundary a term with weight 0 is 0.",
        r"The discriminator sees the pair and gives its logit $\ell(x, y)$. The value of the game on pairs is $\mathbb{E}_p[\log "
        r"\sigma(\ell)] + \mathbb{E}_q[\log \sigma(-\ell)]$; by the lecture on GANs its maximum is at $\ell = \log p - \log q$ "
        "of the pair, and is twice a Jensen-Shannon divergence of the two laws of pairs, less $\\log 4$.",
    ),
    answer=r"The game measures the mean over the labels of the Jensen-Shannon divergence of $p(\cdot|y)$ and $q(\cdot|y)$: only "
    "a generator that is right for every label wins. For exponential families the best logit is a product of the label's vector "
    "with features. An auxiliary classifier rewards examples that are typical of their class, and mismatched labels move the "
    "solution away from pairs that are ambiguous: in general neither has the data as its optimum. Both have it if the classes do "
    "not overlap.",
    limits=("Training, and discriminators of a restricted class.", "Diversity within a class, which no classifier sees."),
)

x, y = derivation.index("x", "an example"), derivation.index("y", "a label")
p_y = derivation.law("p", y, "the labels, of data and of fakes")
p = derivation.law("p({}|{})", (x, y), "the data with a label")
q = derivation.law("q({}|{})", (x, y), "the generator's examples for a label")
m = derivation.define("m({}|{})", (p + q) / 2, "half of each", over=(x, y), law=True)
q_y = derivation.law("q", y, "the labels of fakes, where they are drawn from another law")
derivation.chain(
    "The best logit of a pair is a sum",
    log(p_y * p / (q_y * q)),
    equals(plus(log(p / q), log(p_y / q_y)), "the logarithm of a product"),
    states=2,
    role="lemma",
    so=r"If the generator is given other labels than the data have, the discriminator can win by the label alone, and no "
    "example helps against it. So the labels of fakes are drawn from the data, and the second term is 0.",
)
pair_p, pair_q = p_y * p, p_y * q
value = Total(y, Total(x, plus(pair_p * log(pair_p / (pair_p + pair_q)), pair_q * log(pair_q / (pair_p + pair_q)))))
jsd = derivation.define(
    r"\mathrm{JSD}",
    plus(Divergence(p, m) / 2, Divergence(q, m) / 2),
    "the Jensen-Shannon divergence of $p(\\cdot|y)$ and "
    r"$q(\cdot|y)$",
    "jensen_shannon_divergence",
    over=y,
)
derivation.chain(
    "The game with labels measures every label by itself",
    value,
    equals(
        Expectation(p_y, Total(x, plus(p * log(p / (2 * m)), q * log(q / (2 * m))))),
        r"$p(y)$ is taken out, and cancels inside the logarithms since both laws of pairs have it",
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
        r"leave out divergences (Gibbs); equality if and only if $q(\cdot|y) = p(\cdot|y)$ for every label",
        dropping=Expectation(p_y, plus(gibbs.at(p, m), gibbs.at(q, m))),
    ),
    central=True,
    states=2,
    so=r"The examples alone are not enough: two generators with the same mixture $\sum_y p(y)\, q(x|y)$ have different values. "
    "The example below has a generator with exchanged labels.",
)


def _game_on_pairs(p, q):
    """The value at the best discriminator, of tables of pairs [x, y]."""
    log_p, log_q = jnp.log(p).reshape(1, -1), jnp.log(q).reshape(1, -1)
    return exact_value(log_p, log_q, log_p - log_q)


derivation.bridge(
    "The code of the lecture on GANs computes it from tables of pairs",
    plus(2 * Expectation(p_y, jsd), -log(4)),
    _game_on_pairs,
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


def _partition(parameters):
    return Total(x, base * exp(Total(d, parameters * features)))


A = derivation.define("A", log(_partition(theta)), "what makes the data's probabilities sum to one", over=y)
B = derivation.define("B", log(_partition(other)), "... and the generator's", over=y)
family = derivation.define(
    "f({}|{})", base * exp(Total(d, theta * features) - A), "the data of a class", over=(x, y), positive=True
)
made = derivation.define(
    "g({}|{})", base * exp(Total(d, other * features) - B), "the generator's examples", over=(x, y), positive=True
)
derivation.chain(
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
    so=r"So the label needs no separate network: one vector $v_y$ for each class, $\langle v_y, h(x) \rangle$. What all "
    r"classes share may be taken out of every $v_y$: that is $\langle w, h(x) \rangle + b$.",
)
X, mu, nu = (
    derivation.number("X", "a number"),
    derivation.number(r"\mu", "the data's mean"),
    derivation.number(r"\nu", "the generator's"),
)
derivation.chain(
    "For Gaussians of unit variance",
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

derivation.say(
    "The auxiliary classifier. It is trained with the true labels of data and with the labels that the fakes were made for."
)
n_x = derivation.law("n", x, "the examples, half data and half fakes")
n_yx = derivation.law("n({}|{})", (y, x), "the labels of an example, of data and fakes together")
c = derivation.law("c({}|{})", (y, x), "the classifier", "softmax(class_logits)")
classifier = derivation.chain(
    "The best classifier is that of data and fakes together",
    Expectation(n_x, Expectation(n_yx, -log(c))),
    equals(Expectation(n_x, plus(Entropy(n_yx), Divergence(n_yx, c))), r"add and subtract $\log n(y|x)$"),
    at_least(
        Expectation(n_x, Entropy(n_yx)),
        "leave out the divergences (Gibbs); equality if and only if $c = n$",
        dropping=Expectation(n_x, gibbs.at(n_yx, c)),
    ),
    states=2,
    so=r"So $c^*(y|x) = \frac{p(x, y) + q(x, y)}{p(x) + q(x)}$. It is the data's own $p(y|x)$ only if the classifier is trained "
    "on data alone, or the generator is right.",
)
label = derivation.define("N", Expectation(n_x, n_yx), "the labels of all", over=y, law=True)
information = derivation.define("I", Expectation(n_x, Divergence(n_yx, label)), "the information of an example about its label")
derivation.chain(
    "What is left is the entropy of the labels less the information",
    Expectation(n_x, Entropy(n_yx)),
    equals(
        plus(-Expectation(n_x, Expectation(n_yx, log(label))), -information), r"$-\log n(y|x) = -\log N_y - \log (n(y|x) / N_y)$"
    ),
    equals(plus(Entropy(label), -information), r"the first is a mean over $y$ alone"),
    states=2,
    so="So the class term alone asks for examples that tell their label, not for examples that are distributed as the data.",
)
typical = derivation.assume("No example is more typical of the label 0 than example 0", log(c.at(0, 0) / c.at(0, x)))
of_zero = q.at(x, 0)
derivation.chain(
    "Against a frozen classifier the most typical example is the best",
    -Total(x, of_zero * log(c.at(0, x))),
    equals(plus(-log(c.at(0, 0)), Total(x, of_zero * typical.at())), "add and subtract the logarithm at example 0"),
    at_least(
        -log(c.at(0, 0)),
        r"leave out what is never negative; equality if $q(\cdot|0)$ lives on the most typical examples",
        dropping=Total(x, of_zero * typical.at()),
    ),
    states=2,
    so="The term pulls every class to its middle: samples are easy to recognize and too much alike. The game's own term must "
    "hold against it, so the weight of the class term matters.",
)

derivation.say(
    "Mismatched labels. A discriminator may use the example only, and never learn that the label must match. Real examples "
    "with wrong labels are then fakes, too."
)
k = derivation.index("k", "a pair of example and label")
j = derivation.index("j", "one pair, next to $k$")
real = derivation.law("P", k, "the data's pairs")
fake = derivation.law("Q", k, "the generator's pairs")
wrong_pairs = derivation.law("R", k, "real examples with wrong labels")
logit = derivation.numbers(r"\ell", k, "the discriminator's logits")
D = derivation.define("D", 1 / (1 + exp(-logit)), "the probability that it gives for a right pair", over=k, positive=True)
unlike = log(1 + exp(logit))
aware = plus(Expectation(real, log(1 + exp(-logit))), Expectation(fake, unlike) / 2, Expectation(wrong_pairs, unlike) / 2)
derivation.chain(
    "The best matching-aware discriminator",
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
    so=r"It is zero at $D = P / (P + \frac12 (Q + R))$. The generator descends twice the Jensen-Shannon divergence of $P$ and "
    r"$\frac12 (Q + R)$, which would be zero at $Q = 2P - R$. Where that is negative for some pair, the best generator leaves "
    "the pair out; $Q = P$ is its solution if and only if $R / P$ is constant where there are data: if no wrong label is "
    "possible for any example, for instance, or if labels are independent of the examples and are shuffled, $R = P$.",
)
r, f, s = (
    derivation.number(letter, f"the logit of {of}", code)
    for letter, of, code in (
        ("r", "a real pair", "logits_real"),
        ("f", "a fake", "logits_fake"),
        ("s", "a mismatch", "logits_mismatched"),
    )
)
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


def _surprise(logits, at):
    return log(Total(y, exp(logits))) - logits.at(at)


derivation.bridge(
    "... both losses with an auxiliary classifier, here of a real example of class 1 and a fake for class 0",
    soft_r + soft_f + _surprise(a, 1) + _surprise(o, 0),
    auxiliary_classifier_discriminator_loss,
    logits_real=[r],
    logits_fake=[f],
    class_logits_real=[a],
    class_logits_fake=[o],
    labels_real=[1],
    labels_fake=[0],
    wrong={
        "the classes of real examples alone": soft_r + soft_f + _surprise(a, 1),
        "the labels exchanged": soft_r + soft_f + _surprise(a, 0) + _surprise(o, 1),
    },
)
derivation.bridge(
    "... and of the generator",
    log(1 + exp(-f)) + _surprise(o, 0),
    auxiliary_classifier_generator_loss,
    logits_fake=[f],
    class_logits_fake=[o],
    labels_fake=[0],
    wrong={"the saturating loss": -soft_f + _surprise(o, 0), "the sign of the class": log(1 + exp(-f)) - _surprise(o, 0)},
)


_P = np.array([[0.4, 0.1], [0.1, 0.4]])
_R = np.full((2, 2), 0.25)


def _divergence(p, q):
    return jensen_shannon_divergence(*(jnp.log(jnp.asarray(table).reshape(1, -1)) for table in (p, q)))[0]


@derivation.example(
    "Two examples and two labels: pairs of data with the probabilities 0.4 where both agree, and 0.1 else. A generator that "
    r"exchanges the labels, and mismatches by shuffling, $R = \frac14$."
)
def four_pairs():
    yield r"\text{divergence of the examples alone, labels exchanged}", _divergence(_P.sum(1), _P[:, ::-1].sum(1)), "0.000000"
    yield r"\text{divergence of the pairs}", _divergence(_P, _P[:, ::-1]), "0.192745"
    yield r"D \text{ at } Q = P \text{, where both agree, and else}", [0.4 / (0.4 + 0.325), 0.1 / (0.1 + 0.175)], "0.5517, 0.3636"
    yield r"\text{matching-aware divergence at } Q = P", _divergence(_P, (_P + _R) / 2), "0.014244"
    yield r"\text{... at } Q = \mathrm{diag}(\tfrac12, \tfrac12)", _divergence(_P, (np.eye(2) / 2 + _R) / 2), "0.001795"


@derivation.figure(
    "The example with a generator that makes each of the two pairs that do not agree with probability $t$; the data have $t = "
    "0.1$. The game on pairs is lowest at the data. The matching-aware game and the class term, against a frozen classifier of "
    "the data, are lowest at $t = 0$, where no ambiguous pair is made.",
    panels=2,
)
def three_objectives(games, classes):
    ambiguous = np.linspace(0, 0.5, 26)
    tables = np.stack([[[0.5 - t, t], [t, 0.5 - t]] for t in ambiguous]).reshape(26, 4)
    p = np.broadcast_to(np.log(_P.ravel()), (26, 4))
    with np.errstate(divide="ignore"):
        plain, aware = jensen_shannon_divergence(p, np.log(tables)), jensen_shannon_divergence(p, np.log(tables / 2 + 1 / 8))
    games.plot(ambiguous, 2 * plain, label="pairs")
    games.plot(ambiguous, 2 * aware, label="matching-aware")
    games.axvline(0.1, linestyle="--", color="gray")
    games.set(xlabel="$t$", ylabel="twice the divergence")
    games.legend()
    classes.plot(ambiguous, -tables @ np.log([0.8, 0.2, 0.2, 0.8]))
    classes.axvline(0.1, linestyle="--", color="gray")
    classes.set(xlabel="$t$", ylabel=r"mean of $-\log c(y|x)$")


@derivation.exercise(
    "What do the game and the class term become if there is one label?",
    "The game of the lecture on GANs, and 0: the classifier is always right. Here with logits of 0: 1.3863, and the same with "
    "the class terms.",
)
def one_label():
    none, one = jnp.zeros(1), jnp.zeros((1, 1))
    yield discriminator_loss(none, none)[0], "1.3863"
    yield auxiliary_classifier_discriminator_loss(none, none, one, one, *(np.zeros(1, int),) * 2)[0], "1.3863"


@derivation.exercise(
    "The data of a class have the mean 2, the generator's the mean 0, both with unit variance. Where is the best logit 0, and "
    "what is the label's vector on the features $(X, 1)$?",
    "At 1, in the middle. The vector is $(2, -2)$.",
)
def between_two_means():
    vector = jnp.array([[2.0, -(2.0**2) / 2]])
    place = jnp.array([[1.0, 1.0]])
    yield 1 + projection_logit(place, jnp.array([0]), vector, jnp.zeros(2), jnp.asarray(0.0))[0], "1"
    yield vector[0], "(2, -2)"


@derivation.exercise(
    "A generator ignores its label and makes both examples of the example equally often. What would the classifier say of $x = "
    "0$ if it is trained on data alone, and if it is trained on fakes, too?",
    r"0.8, and $\frac{0.4 + 0.25}{0.5 + 0.5} = 0.65$: fakes with labels that mean nothing teach it to be unsure.",
)
def two_classifiers():
    yield _P[0, 0] / _P[0].sum(), "0.8"
    yield (_P + _R)[0, 0] / (_P + _R)[0].sum(), "0.65"


@derivation.numeric(
    r"\text{equal rows of gains and shifts give plain batch normalization}",
    because="The statistics are those of the whole batch, whatever the labels; only gain and shift are of the class. With "
    "statistics of each class by itself, a class would be normalized to the same mean and variance as every other.",
    role="appendix",
)
def conditional_normalization_is_the_plain_one_with_other_gains():
    draw = np.random.default_rng(0)
    images, labels = draw.standard_normal((4, 3, 2, 2)), np.array([0, 1, 1, 0])
    gain, shift = draw.standard_normal((2, 3))
    found = conditional_batch_normalize(images, labels, np.tile(gain, (2, 1)), np.tile(shift, (2, 1)))
    halves = [batch_normalize(images[labels == label], gain, shift) for label in (0, 1)]
    wrong = jnp.zeros_like(found).at[np.flatnonzero(labels == 0)].set(halves[0]).at[np.flatnonzero(labels == 1)].set(halves[1])
    return Sides(left=found, right=batch_normalize(images, gain, shift), wrong={"statistics of each class": wrong})
