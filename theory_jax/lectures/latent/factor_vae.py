"""The factor-VAE: a price for dependence alone.

The lecture on the functions of theory_jax/latent/factor_vae.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.factor_vae import (
    factor_discriminator_loss,
    factor_vae_loss,
    mutual_information_from_counts,
    mutual_information_gap,
    permute_latents,
)
from theory_jax.lectures.latent._factor_vae import draw_logits_and_angles
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="The factor-VAE: a price for dependence alone",
    lectures=(22,),
    sources=(
        "Kim & Mnih 2018, Disentangling by factorising",
        "Chen et al. 2018, Isolating sources of disentanglement in variational autoencoders",
        "Locatello et al. 2019, Challenging common assumptions in the unsupervised learning of disentangled representations",
    ),
    question="A weight on the whole rate of a VAE buys independent coordinates with blurred reconstructions. One would charge "
    "for dependence alone, but that is a divergence between two distributions, and neither has a formula. How can it be "
    "penalized all the same, and how does one measure whether the coordinates of a code follow the factors of the data?",
    setting=(
        r"A code has two coordinates, $a$ and $b$, with finitely many states; more coordinates, and densities, change nothing "
        r"but the notation. Over all data it has the distribution $q(a,b)$, positive; its coordinates alone have $q_1$ and "
        r"$q_2$.",
        r"Samples of $q(a,b)$ are cheap: encode an example. A discriminator has the logit $\ell(a,b)$ for a code.",
        r"For the score, factors of the data are known: $p(r,c)$ is the distribution of a latent's value $r$, in bins, and a "
        "factor's value $c$.",
    ),
    limits=(
        "A discriminator that lags behind the encoder estimates the dependence of an older code.",
        "That small dependence finds the factors: without an assumption on the data it does not follow (the last remark).",
        "Gradients through the discriminator: the penalty's gradient is exact only for the best logit.",
    ),
)

i = derivation.index("i", "an example of a batch")
j = derivation.index("j", "another one, or the same")
B = derivation.count(i, "B", "the size of the batch")
f = derivation.numbers("f", i, r"any function of the first coordinate of example $i$")
g = derivation.numbers("g", j, r"any function of the second coordinate of example $j$")
shuffled = derivation.chain(
    "Shuffled coordinates of one row are independent",
    Total(i, Total(j, f * g)) / B**2,
    equals(
        times(Total(i, f) / B, Total(j, g) / B),
        r"$f_i$ does not depend on $j$: take it out of the inner sum",
        wrong={"the same example for both": Total(i, f * g.at(i)) / B},
    ),
    role="lemma",
    so=r"An order that is drawn uniformly puts each example in a row with probability $\frac1B$, and two orders that are drawn "
    "independently put any two: the first line is the mean over all orders, the second is that of independent coordinates. Their "
    "distributions are those of the batch, which are $q_1$ and $q_2$ on average. Two rows of one batch are not independent of "
    "each other: an example that is in one row is in no other.",
)
derivation.symbol(r"\hat q_1, \hat q_2", "how often a value occurs in each column of the batch")
_batch = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 2.0]])


def _rows_as_laws(rows):
    """[..., 3, 2] values -> [3, 2, 3]: how often each row has each pair, over the leading axis."""
    first, second = np.eye(2)[rows[..., 0].astype(int)], np.eye(3)[rows[..., 1].astype(int)]
    return np.einsum("nba,nbc->bac", first, second) / len(rows)


@derivation.exact(
    r"\Pr\left[\text{a row is}\ (a, b)\right] = \hat q_1(a)\, \hat q_2(b)",
    because="The code's shuffling of the batch $(0,0), (1,1), (1,2)$ by all pairs of orders: this is the distribution of every "
    "row.",
    outcomes=36,
    role="lemma",
)
def every_pair_of_orders():
    orders = np.array(list(itertools.permutations(range(3))))
    pairs = np.array(list(itertools.product(orders, orders)))
    shuffle = jax.vmap(lambda pair: permute_latents(jnp.asarray(_batch), pair))
    product = np.broadcast_to(np.outer([1 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3]), (3, 2, 3))
    together = np.asarray(shuffle(jnp.asarray(np.stack([orders, orders], axis=1))))
    return Sides(
        left=_rows_as_laws(np.asarray(shuffle(jnp.asarray(pairs)))),
        right=product,
        wrong={"one order for all": _rows_as_laws(together)},
    )


# ---------------------------------------------------------------------------------------------------- the discriminator

a = derivation.index("a", "a state of the first coordinate")
b = derivation.index("b", "a state of the second coordinate")
q_1 = derivation.law("q_1({})", a, "the first coordinate of a code")
q_given = derivation.law("q({}|{})", (b, a), "the second, given the first")
q = derivation.define("q({},{})", q_1 * q_given, "the distribution of codes", over=(a, b), positive=True)
q_2 = derivation.define("q_2({})", Total(a, q), "the second coordinate", over=b, law=True)
product = derivation.define(r"\bar q({},{})", q_1 * q_2, "that of shuffled codes", over=(a, b), positive=True)


def _of_codes(body):
    return Expectation(q_1, Expectation(q_given, body))


def _of_shuffled(body):
    return Expectation(q_1, Expectation(q_2, body))


half = Rational(1, 2)
x = derivation.number("x", "the probability of a code", positive=True)
y = derivation.number("y", "its probability after shuffling", positive=True)
l = derivation.number("l", "the discriminator's logit there", "logits_joint")  # noqa: E741 (the lecture's letter)
told = Slope(times(half, plus(x * log(1 + exp(-l)), y * log(1 + exp(l)))), l)
slope = derivation.chain(
    "The slope of the discriminator's loss at one code",
    told,
    equals(
        times(half, plus(-x / (1 + exp(l)), y / (1 + exp(-l)))),
        "the chain rule, for both logarithms",
        wrong={"codes and shuffled codes exchanged": times(half, plus(x / (1 + exp(-l)), -y / (1 + exp(l))))},
    ),
    equals(
        times(plus(exp(l), -x / y), y / (2 * (1 + exp(l)))),
        prose("{logistic}; take out what is positive", logistic=holds(1 / (1 + exp(-l)), "=", exp(l) / (1 + exp(l)))),
    ),
    so=prose(
        r"It is {none} at {l}, negative below and positive above: there, and nowhere else, is the minimum. A logit enters the "
        r"loss at its own code only, so the best discriminator has the logit $\log \frac{q}{\bar q}$ everywhere.",
        none=holds(told, "=", 0, named=True),
        l=where(l, log(x / y)),
    ),
)
best = derivation.define(r"\ell^*({},{})", log(q / product), "the best logit", over=(a, b))
m = derivation.define("m({},{})", (q + product) / 2, "half codes, half shuffled codes", over=(a, b), positive=True)
mean_logit, correlation = _of_codes(best), Total(a, Total(b, q * log(q / product)))
derivation.answer = prose(
    "Permute every coordinate of a batch independently: each row is then a sample of independent coordinates. The best logit of "
    "a classifier between codes and shuffled codes is the logarithm of their ratio, and its mean over codes is the total "
    "correlation: {mean}. Whether one coordinate, and only one, tells a factor is measured by the gap between the two largest "
    "mutual informations. That score depends on the axes of the code; the total correlation of a standard normal code does not.",
    mean=holds(mean_logit, "=", correlation, wrong={"over shuffled codes": _of_shuffled(best)}),
)
central = derivation.chain(
    "The mean of the best logit is the total correlation",
    mean_logit,
    equals(
        Expectation(q_1, Divergence(q_given, q_2)),
        prose("{ratio}: the first coordinate cancels", ratio=holds(q / product, "=", q_given / q_2)),
        wrong={"averaged over shuffled codes": _of_shuffled(best)},
    ),
    at_least(
        0,
        prose("leave out divergences (Gibbs); zero if and only if {same} for every $a$", same=where(q_given, q_given.at(b, 0))),
        dropping=Expectation(q_1, gibbs.at(q_given, q_2)),
    ),
    central=True,
    uses=(slope,),
    states=2,
    so=r"The first line is $\mathrm{KL}(q \,\|\, \bar q)$, the total correlation. It needs samples of codes and the logit, and "
    "no density. Another logit gives another number, which is no bound in either direction.",
)
derivation.chain(
    "The discriminator's least loss is log 2 less a Jensen-Shannon divergence",
    times(half, plus(_of_codes(log(1 + exp(-best))), _of_shuffled(log(1 + exp(best))))),
    equals(
        times(half, plus(_of_codes(log(2 * m / q)), _of_shuffled(log(2 * m / product)))),
        prose("{joint}, and so with shuffled codes", joint=holds(1 + exp(-best), "=", 2 * m / q)),
    ),
    equals(plus(log(2), -times(half, plus(_of_codes(log(q / m)), _of_shuffled(log(product / m))))), r"each mean gives $\log 2$"),
    at_most(
        log(2),
        prose("both divergences from $m$ are not negative: {gap}, and $m$ sums to one", gap=holds(-log(m / q), ">=", 1 - m / q)),
        adding=times(half, plus(_of_codes(tangent.at(m / q)), _of_shuffled(tangent.at(m / product)))),
    ),
    states=2,
    role="remark",
    so=r"The least loss is $\log 2$ minus the Jensen-Shannon divergence of codes and shuffled codes. At $\log "
    "2$ the discriminator tosses a coin: the coordinates are independent, or it has not learned yet that they are not.",
)
k = derivation.number("k", "the logit of a shuffled code", "logits_permuted")
derivation.bridge(
    "The code's loss of the discriminator",
    times(half, plus(log(1 + exp(-l)), log(1 + exp(k)))),
    factor_discriminator_loss,
    logits_joint=[l],
    logits_permuted=[k],
    wrong={"codes and shuffled codes exchanged": times(half, plus(log(1 + exp(l)), log(1 + exp(-k))))},
)

D = derivation.number("D", "the distortion: minus the mean log-likelihood of the decoder", "negative_log_likelihood")
R = derivation.number("R", "the rate", "kl", positive=True)
C = derivation.number(r"\mathrm{TC}", "the total correlation; for one code, its logit", "logits_joint", nonnegative=True)
information = derivation.number(r"I_x", "the mutual information of datum and code", nonnegative=True)
K = derivation.number("K", "the divergences of the single coordinates from their priors, added", nonnegative=True)
gamma = derivation.number(r"\gamma", "the price of dependence", "gamma", positive=True)
derivation.chain(
    "A weight on the rate costs at least as much as one on dependence",
    plus(D, times(1 + gamma, plus(information, C, K))),
    equals(
        plus(D, plus(information, C, K), times(gamma, C), times(gamma, plus(information, K))),
        "the rate $R$ is the sum of the three: the lecture on the beta-VAE. Multiply out",
    ),
    at_least(
        plus(D, plus(information, C, K), times(gamma, C)),
        "leave out what the weight on the whole rate charges on top",
        dropping=times(gamma, plus(information, K)),
    ),
    so="The last line is the loss of the factor-VAE. At an equal price of dependence it leaves the information of the code about "
    "the datum at the price of a VAE, and that information is what reconstruction lives on.",
)
terms = {"negative_log_likelihood": [D], "kl": [R], "logits_joint": [C], "gamma": gamma}
rate_too = {"the rate weighted by the price, too": plus(D, times(gamma, plus(R, C)))}
derivation.bridge("The code's loss", plus(D, R, times(gamma, C)), factor_vae_loss, **terms, wrong=rate_too)

derivation.say("Now the score. How much does a latent tell about a factor, and does another latent tell it, too?")
r = derivation.index("r", "a value of a latent")
c = derivation.index("c", "a value of a factor")
u = derivation.index("u", "another value of the factor")
p_r = derivation.law("p({})", r, "how often the latent has the value")
p_given = derivation.law("p({}|{})", (c, r), "the factor, given the latent")
p_c = derivation.define("p({})", Total(r, p_r * p_given), "how often the factor has the value", over=c, law=True)
others = Total(u, p_given.at(u, r) * (1 - KroneckerDelta(c, u)) ** 2)
derivation.chain(
    "A latent tells at most the entropy of the factor",
    Expectation(p_r, Divergence(p_given, p_c)),
    equals(
        plus(Entropy(p_c), -Expectation(p_r, Entropy(p_given))),
        r"$\log \frac{p(c|r)}{p(c)}$ has two terms; average the second over $r$",
        wrong={"the latent's entropy in place of the factor's": plus(Entropy(p_r), -Expectation(p_r, Entropy(p_given)))},
    ),
    at_most(
        Entropy(p_c),
        prose(
            "an entropy is not negative: {gap}, the probability of the other values", gap=holds(-log(p_given), ">=", 1 - p_given)
        ),
        adding=Expectation(p_r, Expectation(p_given, plus(tangent.at(p_given), others))),
    ),
    states=2,
    so=r"The first line is the mutual information $I$, which is not negative (Gibbs). It is the factor's entropy if and only if "
    r"the latent determines the factor; that is $\log$ of the number of values only where these are equally frequent.",
)
n = derivation.numbers("n({},{})", (r, c), "how often the two values occur together", "counts", positive=True)
N = derivation.define("N", Total(r, Total(c, n)), "how often anything occurs", positive=True)
n_r = derivation.define(r"n({},\cdot)", Total(c, n), "the total of a row", over=r, positive=True)
n_c = derivation.define(r"n(\cdot,{})", Total(r, n), "the total of a column", over=c, positive=True)
derivation.bridge(
    "The code's mutual information of a table",
    Total(r, Total(c, n / N * log(n * N / (n_r * n_c)))),
    mutual_information_from_counts,
    counts=[n],
    wrong={
        "bits in place of nats": Total(r, Total(c, n / N * log(n * N / (n_r * n_c)))) / log(2),
        "the joint entropy in place of the information": Total(r, Total(c, -n / N * log(n / N))),
    },
)
second = derivation.number("t", "the second largest information about a factor", positive=True)
gap = derivation.number(r"\Delta", "what the largest has above it", positive=True)
share = derivation.number("s", "the third largest, as a part of the second", between=(0, 1))
H = derivation.number("H", "the entropy of the factor", "factor_entropy", positive=True)
derivation.bridge(
    "The code's gap, for three latents and a factor",
    gap / H,
    mutual_information_gap,
    mutual_information=[[second], [share * second], [second + gap]],
    factor_entropy=[H],
    wrong={"the largest information alone": plus(second, gap) / H},
)
derivation.symbol(r"\mathrm{MIG}", "the gap, averaged over the factors")
derivation.symbol(r"\varphi", "the angle by which a code is turned")
_signs = np.array(list(itertools.product([-1, 1], [-1, 1])))


def _tables(codes, factors):
    """[N, L] codes in {-2, ..., 2}, [N, F] factors in {-2, ..., 2} -> [L F, 5, 5] counts."""
    first, second = np.eye(5)[codes + 2], np.eye(5)[factors + 2]
    return jnp.asarray(np.einsum("nlr,nfc->lfrc", first, second).reshape(-1, 5, 5))


def _gaps(codes):
    information = mutual_information_from_counts(_tables(codes, _signs)).reshape(2, 2)
    return mutual_information_gap(information, jnp.full(2, math.log(2)))


@derivation.exact(
    r"\mathrm{MIG} = 1 \quad\text{and, turned by}\ 45\ \text{degrees,}\quad \mathrm{MIG} = 0, \quad \mathrm{TC} = \log 2",
    because=r"Two fair, independent signs. The code is the signs themselves, or their sum and difference, from which they can be "
    r"read as well. Given one sign, the sum is a coin: it tells $\frac12 \log 2$ about each sign, and so does the difference. "
    "The sum and the difference are dependent: one is zero exactly where the other is not.",
    outcomes=4,
    role="remark",
)
def two_signs():
    turned = _signs @ np.array([[1, 1], [1, -1]])
    dependence = mutual_information_from_counts(_tables(turned[:, :1], turned[:, 1:]))
    found = jnp.concatenate([_gaps(_signs), _gaps(turned), dependence])
    wanted = np.array([1.0, 1.0, 0.0, 0.0, math.log(2)])
    return Sides(left=found, right=wanted, wrong={"a score that no turn changes": np.array([1.0, 1.0, 1.0, 1.0, math.log(2)])})


v = derivation.number("v", "a factor, a standard normal number")
z = derivation.number("z", "a latent: $w v$ and an independent normal number, so that its variance is one")
w = derivation.number("w", r"the weight of the factor in the latent, $\cos \varphi$", between=(-1, 1))
derivation.chain(
    "What a latent tells about a Gaussian factor depends on the angle, the total correlation does not",
    Expectation(Normal(v, 0, 1), Divergence(Normal(z, w * v, 1 - w**2), Normal(z, 0, 1))),
    equals(
        times(half, plus(-log(1 - w**2), 1 - w**2, w**2, -1)),
        prose("the divergence of two Gaussians; {square}", square=holds(Expectation(Normal(v, 0, 1), (w * v) ** 2), "=", w**2)),
    ),
    equals(-log(1 - w**2) / 2, "three terms cancel", wrong={"not halved": -log(1 - w**2)}),
    role="remark",
    so=prose(
        r"About two independent factors, turned by $\varphi$, a latent tells $-\log |\sin \varphi|$ and $-\log |\cos \varphi|$: "
        "both {same} at 45 degrees, where the gap is zero. But the turned code is a standard normal one again, and its total "
        "correlation is zero at every angle. No penalty on the distribution of the code can find the axes of independent "
        "Gaussian factors; what finds them has to come from the encoder, the decoder, or the data.",
        same=holds(-log(1 - w**2) / 2, "=", log(2) / 2, when={w: 1 / sqrt(2)}, named=True),
    ),
)


@derivation.exact(
    r"\mathbb{E}\, \hat I > 0 = I",
    because=r"An estimate from few samples is too large on average. Two independent fair coins, drawn 4 times: the code's "
    r"information of all tables, on average. On the right the same by entropies: twice that of one coin's counts, minus that of "
    r"the four cells'. A gap is a difference of two such estimates, so that most of this cancels.",
    outcomes=256,
    role="remark",
)
def few_draws():
    cells = np.array(list(itertools.product(range(4), repeat=4)))
    found = mutual_information_from_counts(jnp.asarray((cells[:, :, None] == np.arange(4)).sum(1).reshape(-1, 2, 2)))

    def surprise(chance):
        """The mean of -k/4 log k/4, for k of 4 draws."""
        return sum(math.comb(4, k) * chance**k * (1 - chance) ** (4 - k) * -k / 4 * math.log(k / 4) for k in range(1, 5))

    mean = 4 * surprise(1 / 2) - 4 * surprise(1 / 4)
    return Sides(left=jnp.mean(found), right=mean, wrong={"as if the estimate had no bias": 0.0})


derivation.symbol(r"\hat I, I", "the mutual information of a table of counts, and of the distributions")

_SURE = np.full(4, -800.0)  # a logit whose loss is zero, for a shuffled code
_table = np.array([[0.4, 0.1], [0.1, 0.4]])


@derivation.algorithm(
    "A training step of a factor-VAE, here with a discriminator that is a table of logits",
    do(r"encode a batch: codes $z \sim q(\cdot|x)$, with the rates $R$ and the logits $\ell(z)$"),
    do(r"a gradient step of the VAE on $-\log p(x|z) + R + \gamma\, \ell(z)$", factor_vae_loss, by=central),
    do(r"encode another batch, and permute each coordinate: $z'$", permute_latents, by=shuffled),
    do(
        r"a step of the discriminator on $\frac12 \log(1 + e^{-\ell(z)}) + \frac12 \log(1 + e^{\ell(z')})$",
        factor_discriminator_loss,
        by=slope,
    ),
)
def two_steps_of_the_table():
    orders, table = jnp.array([[0, 1, 2], [1, 2, 0]]), jnp.zeros((2, 3))

    def logits(table, codes):
        return table[tuple(codes.astype(int).T)]

    def loss(table):
        moved = permute_latents(jnp.asarray(_batch), orders)
        return factor_discriminator_loss(logits(table, _batch), logits(table, np.asarray(moved))).mean()

    yield r"z' \text{ of } (0, 0), (1, 1), (1, 2)", permute_latents(jnp.asarray(_batch), orders), "(0, 1), (1, 2), (1, 0)"
    for step, found, at, cost in ((1, "0.6931", "1, 1, 0", "3.3333"), (2, "0.4399", "1.5379, 1.5379, 0", "4.0505")):
        yield rf"\text{{loss of the discriminator, step {step}}}", loss(table), found
        table = table - 12 * jax.grad(loss)(table)
        yield r"\ell(z) \text{ after a step of } 12", logits(table, _batch), at
        whole = factor_vae_loss(jnp.ones(3), jnp.ones(3), logits(table, _batch), gamma=2.0).mean()
        yield r"\text{mean loss of the VAE, with } -\log p(x|z) \text{ and } R \text{ at } 1, \gamma = 2", whole, cost


@derivation.example(
    r"The distribution $q$ with 0.4 on the diagonal and 0.1 off it: every shuffled pair has probability one quarter. Its best "
    r"logits, their mean over codes, and the discriminator's loss there. Then the counts $\begin{pmatrix} 3 & 1 \\ 1 & 3 "
    r"\end{pmatrix}$, and two latents that tell 0.6 and 0.1 nats about one factor and 0.5 and 0.2 about another, both of entropy "
    r"1."
)
def by_hand():
    logits = np.log(_table / 0.25)
    yield r"\ell^*", logits[0], "(0.4700, -0.9163)"
    yield r"\mathrm{TC}", (_table * logits).sum(), "0.1927"
    flat = jnp.asarray(logits.ravel())
    of_codes, of_shuffled = factor_discriminator_loss(flat, _SURE), factor_discriminator_loss(-_SURE, flat)
    yield r"\text{loss}", (_table.ravel() * of_codes).sum() + of_shuffled.mean(), "0.6425"
    yield r"\text{loss of a coin}", factor_discriminator_loss(jnp.zeros(1), jnp.zeros(1)), "(0.6931)"
    yield r"\hat I", mutual_information_from_counts(jnp.array([[[3, 1], [1, 3]]])), "(0.1308)"
    information = jnp.array([[0.6, 0.5], [0.1, 0.2]])
    yield r"\mathrm{MIG}\ \text{of each factor}", mutual_information_gap(information, jnp.ones(2)), "(0.5, 0.3)"


derivation.figure(
    r"Left: the best logit for codes with a correlation of 0.8, on a grid: codes near the diagonal are more frequent than "
    r"shuffled ones, and those off it rarer. Right: what two latents tell about one Gaussian factor when the code is turned, and "
    "the total correlation of the code.",
    panels=2,
)(draw_logits_and_angles)
