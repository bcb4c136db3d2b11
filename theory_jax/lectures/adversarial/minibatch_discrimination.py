"""Batches against mode collapse: what one sample cannot show, and what four statistics of a batch measure.

The lecture on the functions of theory_jax/adversarial/minibatch_discrimination.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Abs, KroneckerDelta, exp, sqrt

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.minibatch_discrimination import (
    feature_matching_loss,
    minibatch_discrimination,
    minibatch_standard_deviation,
    pull_away_term,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where

derivation = Derivation(
    module=__name__,
    title="Batches against mode collapse: what one sample cannot show, and what four statistics of a batch measure",
    sources=(
        "Salimans et al. 2016, Improved Techniques for Training GANs, sections 3.1 and 3.2",
        "Karras et al. 2018, Progressive Growing of GANs, section 3",
        "Zhao, Mathieu & LeCun 2017, Energy-based Generative Adversarial Network, section 2.4",
        "Lin et al. 2018, PacGAN: The power of two samples in generative adversarial networks",
    ),
    question="A generator makes one good face for every latent, later another one, and its discriminator never objects: mode "
    "collapse is a property of many samples. Why can a discriminator of single samples not see it, how many samples must it see "
    "at once, and what do the usual statistics of a batch measure?",
    setting=(
        r"The generator of a game changes from round to round: in round $r$, which has the weight $\mu_r$, its distribution is "
        "$q_r$ on finitely many states. A batch is drawn from one $q_r$, independently. The discriminator does not know the "
        "round: it is at its best against all rounds together. (One that follows the present round chases it in circles: the "
        "first lecture.)",
        "The mean of the $q_r$ over the rounds is $p$. Where $p$ is the distribution of the data the generator is right on "
        "average, and collapses in every round in which $q_r$ is something else.",
        r"Statistics of a batch of $B$ samples: similarities $o_i$, the sums $\sum_j e^{-|M_i - M_j|_1}$ of linear images $M$ of "
        r"their features; the deviation $\sqrt{V + \epsilon}$ within a group of $g$; the squared distance of mean features; the "
        "mean squared cosine of two rows.",
    ),
    limits=(
        "How large a batch must be to show the loss of one of many modes.",
        "That a network learns to use what it is given, and descent of more than two samples.",
    ),
)

k, j = derivation.index("k", "a state"), derivation.index("j", "a state, next to $k$")
r = derivation.index("r", "a round")
mu = derivation.law(r"\mu", r, "how often the generator is in this round")
q = derivation.law("q", (k, r), "the generator's distribution in a round")
p = derivation.define("p", Expectation(mu, q), "the mean distribution over the rounds", over=k, law=True)
phi = derivation.numbers(r"\varphi", k, "the cost that a discriminator of single samples gives to a state")
rounds = {r: 2}
excess_of_pairs = Expectation(mu, SquaredNorm(k, q - p))
derivation.answer = prose(
    "Single samples show the mean distribution alone, {single}: a collapsing generator that is right on average looks perfect. "
    "Two samples are enough: they coincide too often by {excess}, the expected squared distance of the round's distribution "
    "from the mean one. Similarities measure such an excess, deviations what is missing of the spread; mean features see means "
    "only and, in small batches, reward collapsed features; the pull-away term asks for isotropic features in batches of more "
    "rows than features.",
    single=holds(Expectation(mu, Total(k, q * phi)), "=", Expectation(p, phi)),
    excess=holds(plus(Expectation(mu, Total(k, q**2)), -Total(k, p**2)), "=", excess_of_pairs, named=True),
)
single = derivation.chain(
    "A discriminator of single samples sees the mean distribution alone",
    Expectation(mu, Total(k, q * phi)),
    equals(
        Total(k, phi * Expectation(mu, q)),
        "exchange the sums",
        wrong={"the states' mean cost": Expectation(mu, Total(k, phi)) / 3},
    ),
    equals(Expectation(p, phi), "the definition of $p$"),
    sizes=rounds,
    so="The same holds for the term of the fakes in any loss of single samples. So the best discriminator is the one against "
    "$p$, and if $p$ is the distribution of the data it tosses a coin: there is no gradient, although every batch may show one "
    "mode only.",
)
pairs = derivation.chain(
    "Two samples of one round coincide too often",
    Expectation(mu, Total(k, q**2)),
    equals(Total(k, Expectation(mu, plus(p**2, 2 * p * (q - p), (q - p) ** 2))), "expand around the mean distribution"),
    equals(
        plus(Total(k, p**2), Expectation(mu, SquaredNorm(k, q - p))),
        prose("the middle term is zero: {zero}", zero=holds(Expectation(mu, q - p), "=", 0)),
        wrong={
            "the middle term kept": plus(Total(k, p**2), Expectation(mu, plus(SquaredNorm(k, q - p), Total(k, 2 * p * q)))),
            "the squares subtracted": plus(Total(k, p**2), -Expectation(mu, SquaredNorm(k, q - p))),
        },
    ),
    at_least(
        Total(k, p**2),
        prose(
            "leave out a mean of squared distances, zero if and only if every round has the distribution $p$, that is {same}",
            same=where(q, q.at(k, 0)),
        ),
        dropping=Expectation(mu, SquaredNorm(k, q - p)),
    ),
    sizes=rounds,
    central=True,
    so="The first line is the probability that two independent samples of one batch are equal, the last line that of two data, "
    "if $p$ is their distribution. So a discriminator of pairs sees what no discriminator of single samples can: the "
    r"distribution of pairs, $\mathbb{E}_\mu\, q \otimes q$, is $p \otimes p$ if and only if $q_r$ is $p$ in every round.",
)
l = derivation.index("l", "a feature", states=2)  # noqa: E741
feature = derivation.numbers("F", (k, l), "the features of a state")
mean_feature = derivation.define("m", Expectation(q, feature), "the mean features of a round", over=(l, r))
mean_of_all = derivation.define(r"\bar m", Expectation(p, feature), "those of the mean distribution", over=l)
derivation.chain(
    "Two samples of one round are too similar, as they coincide too often",
    Expectation(mu, SquaredNorm(l, mean_feature)),
    equals(
        plus(SquaredNorm(l, mean_of_all), Expectation(mu, SquaredNorm(l, mean_feature - mean_of_all))),
        "a mean square is the square of the mean and the variance",
        wrong={"the variance alone": Expectation(mu, SquaredNorm(l, mean_feature - mean_of_all))},
    ),
    at_least(
        SquaredNorm(l, mean_of_all),
        "leave out a mean of squares",
        dropping=Expectation(mu, SquaredNorm(l, mean_feature - mean_of_all)),
    ),
    sizes=rounds,
    states=2,
    so=r"With the inner product $\langle F_x, F_y \rangle$ as kernel $\kappa$ the first line is $\mathbb{E}\, \kappa$ of two "
    "samples of one batch: batches are too similar by the mean squared discrepancy of the round's distribution from $p$. The "
    "similarity $e^{-|M_i - M_j|_1}$ is such a kernel (Laplace's, with infinitely many features).",
    role="remark",
)
derivation.symbol(r"\kappa", "a kernel: the inner product of features")

i, n = derivation.index("i", "a sample of the batch"), derivation.index("n", "a sample, next to $i$")
u = derivation.index("u", "an entry of a sample's features", states=3)
v_, w = derivation.index("v", "a kernel", states=2), derivation.index("w", "a coordinate of its image", states=2)
sample = derivation.numbers("f", (i, u), "the samples' features", "features")
weight = derivation.numbers("T", (u, v_, w), "the weights of their images", "tensor")
image = derivation.define("M", Total(u, sample * weight), "the images", over=(i, v_, w))
similarity = Total(n, exp(-Total(w, Abs(image - image.at(n, v_, w)))))
derivation.bridge(
    "The code's similarities",
    similarity,
    minibatch_discrimination,
    features=sample,
    tensor=weight,
    wrong={
        "a sample not compared with itself": similarity - 1,
        "Euclidean distance": Total(n, exp(-sqrt(Total(w, (image - image.at(n, v_, w)) ** 2)))),
    },
)
derivation.say(
    "Each term is positive and at most 1, and a sample's term with itself is 1, so $o_i$ is between 1 and $B$, and $B$ if and "
    r"only if all images are equal. Of independent samples the other $B - 1$ terms have the mean $\mathbb{E}\,\kappa$."
)
derivation.symbol("o", "the similarity of a sample to its batch")
derivation.symbol("B", "the number of samples in a batch")


@derivation.exact(
    r"\mathbb{E}\, o_1 = 1 + (B - 1)\, \mathbb{E}\, \kappa",
    because=r"All 27 batches of three samples with the probabilities $(\frac12, \frac13, \frac16)$ on three points of the plane, "
    r"by the code's function; and $\mathbb{E}\,\kappa$ as a sum over pairs.",
    outcomes=27,
    role="lemma",
)
def mean_similarity():
    places, law = jnp.array([[0.0, 0.0], [1.0, -0.5], [0.3, 2.0]]), np.array([1 / 2, 1 / 3, 1 / 6])
    tensor = jnp.array([[[1.0, 0.5]], [[-0.4, 1.0]]])  # one kernel of two coordinates
    total = sum(
        law[list(batch)].prod() * minibatch_discrimination(places[jnp.array(batch)], tensor)[0, 0]
        for batch in itertools.product(range(3), repeat=3)
    )
    images = np.asarray(places @ tensor[:, 0])
    kernel = np.exp(-np.abs(images[:, None] - images).sum(axis=2))
    return Sides(left=total, right=1 + 2 * law @ kernel @ law, wrong={"without itself": 2 * law @ kernel @ law})


score = derivation.numbers("a", k, "a number that is computed of a state: a pixel, a feature")
mean_in_round = derivation.define("A", Expectation(q, score), "its mean in a round", over=r)
between = Expectation(mu, (mean_in_round - Expectation(p, score)) ** 2)
within = derivation.chain(
    "The variance within a batch of two misses what batches differ by",
    Expectation(mu, Total(k, Total(j, q * q.at(j, r) * (score - score.at(j)) ** 2 / 4))),
    equals(
        Expectation(mu, Variance(q, score)) / 2,
        r"two numbers have the variance $\frac14 (a_k - a_j)^2$; its mean is half the variance of the distribution",
        wrong={"unbiased": Expectation(mu, Variance(q, score))},
    ),
    equals(
        plus(Variance(p, score) / 2, -between / 2),
        "the law of total variance",
        wrong={"added": plus(Variance(p, score) / 2, between / 2)},
    ),
    at_most(Variance(p, score) / 2, "add a variance, zero if and only if all rounds have the same mean", adding=between / 2),
    sizes=rounds,
    states=2,
    so=r"In a group of $g$ the factor $\frac12$ is $\frac{g - 1}{g}$. A collapsing generator that is right on average lacks "
    "spread within a batch as far as the means of its rounds differ; rounds of equal means are not noticed.",
)
x = derivation.numbers("x", i, "one number of each of the samples of a group")
count = derivation.count(i, "g", "the number of samples, in a group above all", "group_size")
center = derivation.define(r"\bar x", Total(i, x) / count, "their mean")
spread = derivation.define("V", Total(i, (x - center) ** 2) / count, "their variance")
epsilon = derivation.number(r"\epsilon", "what is added below the root", "epsilon", positive=True)


def deviation_of(samples, epsilon):
    """The number that the code appends for a group."""
    return minibatch_standard_deviation(samples.reshape(-1, 1, 1, 1), group_size=len(samples), epsilon=epsilon)[0, 1, 0, 0]


derivation.bridge(
    "The code's deviation of a group",
    sqrt(spread + epsilon),
    deviation_of,
    samples=x,
    epsilon=epsilon,
    calls=(minibatch_standard_deviation,),
    wrong={"unbiased": sqrt(spread * count / (count - 1) + epsilon), "epsilon outside the root": sqrt(spread) + epsilon},
)
derivation.chain(
    "The deviation's slope in a sample is proportional to the sample's distance from the mean",
    Slope(sqrt(spread + epsilon), x.at(n)),
    equals(
        Slope(spread, x.at(n)) / (2 * sqrt(spread + epsilon)),
        "the chain rule",
        wrong={"the root forgotten": Slope(spread, x.at(n))},
    ),
    equals(
        (x.at(n) - center) / (count * sqrt(spread + epsilon)),
        prose(
            "{slope}, since the deviations sum to zero",
            slope=holds(Slope(spread, x.at(n)), "=", times(2 / count, x.at(n) - center)),
        ),
        wrong={"not centered": x.at(n) / (count * sqrt(spread + epsilon))},
    ),
    role="lemma",
)
derivation.chain(
    "The deviation's push has one length until the samples nearly coincide",
    SquaredNorm(i, (x - center) / (count * sqrt(spread + epsilon))),
    equals(spread / (count * (spread + epsilon)), "square and add: the squares sum to $g V$"),
    so=prose(
        "Without the small number it is {constant}, whatever the spread: the push does not fade as samples come together, until "
        r"$V$ is of the size of $\epsilon$. Samples that coincide are not pushed at all.",
        constant=holds(spread / (count * (spread + epsilon)), "=", 1 / count, when={epsilon: 0}, named=True),
    ),
    role="remark",
)

derivation.say(
    "What does descent do to two samples $y$ and $z$ that have nearly collapsed, under a symmetric cost of the pair? Near "
    "coincidence any smooth one is a quadratic."
)
y, z = derivation.number("y", "a sample"), derivation.number("z", "the other sample")
eta = derivation.number(r"\eta", "the step size", "learning_rate", positive=True)
tilt = derivation.number(r"\tau", "the slope of the cost at coincidence")
own = derivation.number(r"\alpha", "its second derivative in one sample")
cross = derivation.number(r"\beta", "its mixed second derivative")
reward = derivation.number(r"\lambda", "the weight of the variance as a reward", positive=True)
cost = derivation.define(r"\psi", plus(tilt * (y + z), own * (y**2 + z**2) / 2, cross * y * z), "a symmetric cost of two samples")
derivation.chain(
    "A step of descent multiplies the difference of two samples by a factor",
    plus(y, -eta * Slope(cost, y), -z, eta * Slope(cost, z)),
    equals(
        times(1 - eta * (own - cross), y - z),
        prose(
            "the slopes are {first} and {second}",
            first=holds(Slope(cost, y), "=", plus(tilt, own * y, cross * z), named=True),
            second=holds(Slope(cost, z), "=", plus(tilt, cross * y, own * z), named=True),
        ),
        wrong={"the mixed derivative forgotten": (1 - eta * own) * (y - z), "added": (1 - eta * (own + cross)) * (y - z)},
    ),
    so=prose(
        "For a discriminator of single samples the mixed derivative is 0: in a valley of its cost short steps move samples "
        r"together, and collapse is stable. With {lam} times the variance as a reward, $\alpha - \beta$ falls by {fall}: they "
        r"move apart if that exceeds $\alpha$. No smooth symmetric cost separates samples that are equal.",
        lam=reward,
        fall=holds(
            Slope(Slope(reward * (y - z) ** 2 / 4, y), y) - Slope(Slope(reward * (y - z) ** 2 / 4, y), z), "=", reward, named=True
        ),
    ),
    role="remark",
)

e, h = derivation.index("c", "another sample of the batch"), derivation.index("h", "another sample, next to $c$")
data = derivation.law(r"\pi", i, "the data")
fake = derivation.law(r"\rho", i, "the generator's samples")
number = derivation.numbers("b", i, "a feature of a state, here $i$, $n$, $c$ or $h$")
squared = plus(number / 2, number.at(n) / 2, -number.at(e) / 2, -number.at(h) / 2) ** 2
matching = derivation.chain(
    "Feature matching on two data and two fakes sees means, and rewards fakes without spread",
    Total(i, Total(n, Total(e, Total(h, data * data.at(n) * fake.at(e) * fake.at(h) * squared)))),
    equals(
        plus(
            (Expectation(data, number) - Expectation(fake, number)) ** 2, Variance(data, number) / 2, Variance(fake, number) / 2
        ),
        "expand the square: the mean of a square is the square of the mean, and the variance of a mean of two is half of one's",
        wrong={"no bias": (Expectation(data, number) - Expectation(fake, number)) ** 2},
    ),
    states=2,
    so="The first term knows means only. The last one depends on the generator and is smallest if its features have no spread: "
    r"with $M$ fakes it is $\frac1M$ of their variance, a reward for collapse that large batches make small.",
)
derivation.symbol("M", "in feature matching, the number of fakes")
theirs = derivation.numbers("d", (n, u), "the fakes' features", "features_fake")
derivation.bridge(
    "The code's loss, on as many data as fakes",
    SquaredNorm(u, Total(i, sample) / count - Total(n, theirs) / count),
    feature_matching_loss,
    features_real=sample,
    features_fake=theirs,
    wrong={"mean over the features": SquaredNorm(u, Total(i, sample) / count - Total(n, theirs) / count) / 3},
)
c, s = derivation.index("t", "a coordinate", states=2), derivation.index("s", "a coordinate, next to $t$", states=2)
row = derivation.numbers("S", (i, c), "rows, one for each sample")
length = derivation.define("L", Total(i, SquaredNorm(c, row)), "the sum of their squared lengths")
dimension = derivation.count(c, "D", "the number of coordinates")
moment = derivation.define("C", Total(i, row * row.at(i, s)), "the second moments of the coordinates", over=(c, s))
excess = Total(c, Total(s, (moment - length / dimension * KroneckerDelta(c, s)) ** 2))
pulling = derivation.chain(
    "The squared inner products of all pairs of rows have a floor: isotropic rows attain it",
    Total(i, Total(n, Inner(c, row, row.at(n, c)) ** 2)),
    equals(Total(c, Total(s, moment**2)), r"both are the sum of the squared entries, of $S S^\top$ and of $S^\top S$"),
    equals(plus(length**2 / dimension, excess), r"complete the square; the trace of the moments is $L$"),
    at_least(
        length**2 / dimension, "leave out squares, all zero if and only if the second moments are isotropic", dropping=excess
    ),
    so=prose(
        "For $g$ rows of length 1 the sum $L$ is $g$, and so is the diagonal of the first line. So the pull-away term is at "
        "least {welch} (Welch's bound). Zero is out of reach for more rows than coordinates, and what the term asks for is "
        "isotropy; of fewer rows it asks that they are orthogonal.",
        welch=holds(
            (count**2 / dimension - count) / (count * (count - 1)),
            "=",
            (count - dimension) / (dimension * (count - 1)),
            named=True,
        ),
    ),
    role="remark",
)
cosine = Inner(c, row, row.at(n, c)) ** 2 / (SquaredNorm(c, row) * SquaredNorm(c, row.at(n, c)))
derivation.bridge(
    "The code's pull-away term",
    (Total(i, Total(n, cosine)) - count) / (count * (count - 1)),
    pull_away_term,
    features=row,
    wrong={"with the diagonal": Total(i, Total(n, cosine)) / count**2},
)


def _divergence_of_batches(size):
    """JSD of batches of data (1/2, 1/2) from those of a generator that repeats one of both states."""
    data = np.full(2**size, 2.0**-size)
    collapsed = np.zeros(2**size)
    collapsed[[0, -1]] = 0.5
    with np.errstate(divide="ignore"):
        return float(jensen_shannon_divergence(jnp.log(jnp.array([data])), jnp.log(jnp.array([collapsed])))[0])


_STAR = jnp.array([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])


@derivation.algorithm(
    "A discriminator that sees batches",
    do("give it a batch of data or a batch of one generator, never mixed", by=pairs),
    do(r"append to each sample its similarities $o$ to the batch, or", minibatch_discrimination, by=single, indent=1),
    do(r"... the deviation $\sqrt{V + \epsilon}$ of its group", minibatch_standard_deviation, by=within, indent=1),
    do("or give the generator the squared distance of mean features", feature_matching_loss, by=matching),
    do("... and a multiple of the pull-away term of its features", pull_away_term, by=pulling),
)
def two_batches():
    spread_out, collapsed = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])
    tensor = jnp.full((2, 1, 1), np.log(2.0)) * jnp.array([1.0, -1.0])[:, None, None]
    for name, batch, stated in (
        ("(1, 0), (0, 1)", spread_out, ("1.25", "0.25", "0")),
        ("(1, 0), (1, 0)", collapsed, ("2", "0", "1")),
    ):
        yield rf"{name}: \quad o_1", minibatch_discrimination(batch, tensor)[0], stated[0]
        deviation = minibatch_standard_deviation(batch[:, :, None, None], group_size=2, epsilon=1e-12)
        yield r"\text{squared deviation}", deviation[0, 2, 0, 0] ** 2, stated[1]
        yield r"\text{pull-away term}", pull_away_term(batch), stated[2]
        yield (
            r"\text{feature matching to } (1, 0), (0, 1)",
            feature_matching_loss(spread_out, batch),
            "0" if stated[1] != "0" else "0.5",
        )


@derivation.example(
    r"Data $(\frac12, \frac12)$, and a generator that is at $(1, 0)$ or $(0, 1)$, equally often. Then three samples with the "
    r"images 0, 0 and $\log 2$; two groups of two; three unit vectors at 120 degrees."
)
def two_modes():
    rounds, law = np.eye(2), np.full(2, 0.5)
    yield r"\text{coincidences of data, of samples}", [(law**2).sum(), (rounds**2).sum(axis=1).mean()], "0.5, 1"
    yield (
        r"\text{JSD of single samples, pairs, threes, fives}",
        [_divergence_of_batches(n) for n in (1, 2, 3, 5)],
        ("0, 0.2158, 0.3804, 0.5743"),
    )
    images = jnp.array([[0.0], [0.0], [np.log(2.0)]])
    yield "o", minibatch_discrimination(images, jnp.ones((1, 1, 1))), "2.5, 2.5, 2"
    yield (
        r"\text{deviations of } (1, 3), (3, 3)",
        [deviation_of(jnp.array(group), 1e-8) for group in ([1.0, 3.0], [3.0, 3.0])],
        ("1.0000, 0.0001"),
    )
    yield r"\text{pull-away term}", pull_away_term(_STAR), "0.25"


@derivation.figure(
    "Left: the mean similarity in 100 batches of 6 samples from 10 states, of a good generator and of one that draws three "
    "states anew in each round. Over all rounds both have the same distribution. Right: the divergence of batches of the "
    "example's generator from batches of data, against their size; of single samples it is 0.",
    panels=2,
)
def batches(left, right):
    random, tensor = np.random.default_rng(0), jnp.full((1, 1, 1), 50.0)

    def similarity(states):
        return float(minibatch_discrimination(jnp.asarray(states, dtype=float)[:, None], tensor).mean())

    good = [similarity(random.integers(10, size=6)) for _ in range(100)]
    collapsed = [similarity(random.choice(random.choice(10, 3, replace=False), size=6)) for _ in range(100)]
    left.hist([good, collapsed], bins=12, label=["good", "collapsing"])
    left.set(xlabel="mean similarity of a batch", ylabel="batches")
    left.legend()
    sizes = range(1, 11)
    right.plot(sizes, [_divergence_of_batches(size) for size in sizes], marker="o")
    right.axhline(np.log(2), linestyle="--", color="gray")
    right.set(xlabel="samples in a batch", ylabel="divergence in nats")
