"""Vector quantization: a discrete code, trained by gradients.

The lecture on the functions of theory_jax/latent/vector_quantization.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Inner, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.vector_quantization import (
    codebook_perplexity,
    ema_codebook_update,
    nearest_code,
    straight_through,
    vector_quantization_loss,
    vector_quantize,
)
from theory_jax.lectures.latent._vector_quantization import draw_dead_codes
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Vector quantization: a discrete code, trained by gradients",
    lectures=(23,),
    sources=(
        "van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning",
        "Bengio, Leonard & Courville 2013, Estimating or propagating gradients through stochastic neurons",
        "Lloyd 1982, Least squares quantization in PCM",
        "Razavi, van den Oord & Vinyals 2019, Generating diverse high-fidelity images with VQ-VAE-2",
    ),
    question="Text, labels and file formats are made of integers, and so should the code of an autoencoder be. But an integer "
    "has no gradient: the encoder learns nothing through it. How can the encoder learn, who moves the codes, and which bound on "
    "the likelihood is optimized?",
    setting=(
        r"The encoder gives a vector $z$. The codebook has $K$ codes $e_1, \dots, e_K$, and $z$ is replaced by the nearest of "
        "them, $Q(z)$, the one of the lowest index if there are several.",
        r"A stopped gradient, $\mathrm{sg}(a)$, has the value $a$ and the derivative 0. On this page it is written as a separate "
        r"letter with the same value: $\bar z$ for $\mathrm{sg}(z)$.",
        r"For the bound: codes have prior probabilities $\pi_k$, and $x$ has the likelihood $p(x|e_k)$ under each, all "
        "positive. The encoder is certain: it names one code $k$.",
    ),
    limits=(
        "That training with the straight-through gradient converges: it is the gradient of no loss.",
        "How to keep all codes in use. Codes that nothing is near to can be moved to encodings of the batch; that is a remedy.",
        "The prior over codes, which is learned afterwards by an autoregressive model.",
    ),
)


@derivation.figure(
    "Left: the cells of five codes, with vectors joined to their codes: the commitment draws a vector to the code, the first "
    "term the code (square) to the mean of its vectors (cross). Right: in one dimension the quantizer $Q$ is a staircase, "
    "whose slope is zero almost everywhere; the dashed line has the slope that the straight-through estimator takes in its "
    "place.",
    panels=2,
)
def cells_and_a_staircase(left, right):
    drawn = np.random.default_rng(3)
    codes, vectors = drawn.uniform(-1, 1, size=(5, 2)), drawn.uniform(-1.2, 1.2, size=(40, 2))
    named = np.asarray(nearest_code(vectors, codes))
    side = np.linspace(-1.3, 1.3, 81)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    cells = np.asarray(nearest_code(grid, codes)).reshape(81, 81)
    for code in range(5):
        left.contour(side, side, cells == code, levels=[0.5], colors="gray", linewidths=0.8)
        mine = vectors[named == code]
        for vector in mine:
            left.plot(*zip(vector, codes[code], strict=True), color="gray", linewidth=0.4)
        left.plot(*mine.T, ".", markersize=4)
        if len(mine):
            left.plot(*mine.mean(0), "kx", markersize=6)
    left.plot(*codes.T, "ks", markersize=5)
    left.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    at = np.linspace(-1.5, 1.5, 301)[:, None]
    right.plot(at[:, 0], vector_quantize(at, np.array([[-1.0], [-0.2], [0.4], [1.1]]))[:, 0], label="$Q(z)$")
    right.plot(at[:, 0], at[:, 0], "--", color="gray", label="slope 1")
    right.set(xlabel="$z$", ylabel="$Q(z)$")
    right.legend()


d = derivation.index("d", "a coordinate")
z = derivation.numbers("z", d, "the encoder's output", "z")
e = derivation.numbers("e", d, "a code", "codebook")
other = derivation.numbers("e'", d, "another code")
derivation.chain(
    "The nearest code has the largest score, and scores are one matrix product",
    SquaredNorm(d, z - e),
    equals(
        plus(SquaredNorm(d, z), -2 * plus(Inner(d, z, e), -SquaredNorm(d, e) / 2)),
        "expand the square; the first term is the same for every code",
    ),
    role="lemma",
    so=r"The smallest distance belongs to the largest $\langle z, e \rangle - \frac12 |e|^2$.",
)
bisector = derivation.chain(
    "The border between two cells is the perpendicular bisector",
    plus(SquaredNorm(d, z - other), -SquaredNorm(d, z - e)),
    equals(
        2 * Inner(d, z - (e + other) / 2, e - other),
        "expand both squares; collect",
        wrong={"through the origin": 2 * Inner(d, z, e - other)},
    ),
    so="It is affine in $z$: a cell is an intersection of half-spaces, convex, and its borders are flat.",
    role="lemma",
)
k = derivation.index("k", "a code")
n = derivation.index("n", "one of the vectors of a cell")
N = derivation.count(n, "n_k", "how many there are")
y = derivation.numbers("z", (n, d), "the vectors of the cell")
center = derivation.define(r"\mu", Total(n, y) / N, "their mean", over=d)
lloyd = derivation.chain(
    "The best code of a cell is the mean of its vectors",
    Total(n, SquaredNorm(d, y - e)),
    equals(
        plus(Total(n, SquaredNorm(d, y - center)), times(N, SquaredNorm(d, e - center))),
        prose(
            "in each square add and subtract the mean; the cross terms cancel, {none}",
            none=holds(Total(n, Inner(d, y - center, center - e)), "=", 0),
        ),
    ),
    at_least(
        Total(n, SquaredNorm(d, y - center)),
        prose("leave out a square; equality at {mean} for every $d$", mean=where(e, center)),
        dropping=N * SquaredNorm(d, e - center),
    ),
    states=2,
    so="Assigning every vector to its nearest code does not raise the sum of squares, and moving every code to its mean does not "
    "either. There are finitely many partitions, so the two steps in turns come to rest: Lloyd's algorithm, k-means.",
)

derivation.say(
    "Now the model. A code that is certain is a posterior with one entry, and the evidence lower bound takes a short form."
)
prior = derivation.law(r"\pi", k, "the prior of the codes")
likelihood = derivation.numbers("p(x|{})", k, "the likelihood of the observation given a code", positive=True)
i = derivation.index("i", "the code that the encoder names")
joint = derivation.define("p(x,{})", prior * likelihood, "the joint probability", over=k, positive=True)
evidence = derivation.define("p(x)", Total(k, joint), "the marginal likelihood", positive=True)
K = derivation.count(k, "K", "the number of codes", "num_codes")
derivation.answer = prose(
    "A quantizer cuts space into the cells of the nearest code. The decoder's gradient is handed to the encoder as if nothing "
    "had been quantized; two squared distances with stopped gradients keep code and encoder together; and each code moves to the "
    "mean of its cell, by gradient steps or by moving averages. What is maximized is an evidence lower bound, {bound} for the "
    "code $i$ that the encoder names, whose last term is constant while the prior is uniform.",
    bound=holds(
        log(evidence), ">=", plus(log(likelihood.at(i)), log(prior.at(i))), wrong={"without the prior": log(likelihood.at(i))}
    ),
)
named_code = derivation.chain(
    "The named code bounds the likelihood",
    log(evidence),
    equals(
        plus(log(likelihood.at(i)), log(prior.at(i)), log(Total(k, joint / joint.at(i)))),
        "take the term of the named code out of the sum",
    ),
    equals(
        plus(log(likelihood.at(i)), log(prior.at(i)), log(1 + Total(k, times(1 - KroneckerDelta(k, i), joint / joint.at(i))))),
        "its own quotient is 1",
    ),
    at_least(
        plus(log(likelihood.at(i)), log(prior.at(i))),
        "leave out the logarithm of a number above 1, which is minus the logarithm of the code's posterior probability",
        dropping=log(1 + Total(k, times(1 - KroneckerDelta(k, i), joint / joint.at(i)))),
    ),
    central=True,
    so=prose(
        r"This is the evidence lower bound of a posterior that is certain: the divergence from the prior is $-\log \pi_i$. With "
        "a uniform prior it is {same}, whatever the encoder does: a constant, which the loss leaves out. What is left is the "
        "reconstruction.",
        same=holds(-log(prior.at(i)), "=", log(K), when={prior: 1 / K}, named=True),
    ),
)

derivation.say(
    "Inside a cell $Q(z)$ is constant, so its derivative in $z$ is zero, and on the borders there is none: the encoder would "
    "learn nothing. The straight-through estimator hands it the gradient that the decoder has at $Q(z)$."
)
stopped_z = derivation.numbers(r"\bar z", d, "the encoder's output behind a stopped gradient")
stopped_e = derivation.numbers(r"\bar e", d, "a code behind a stopped gradient")
beta = derivation.number(r"\beta", "the weight of the commitment", "commitment", positive=True)
loss = derivation.define(
    "L",
    plus(SquaredNorm(d, stopped_z - e), beta * SquaredNorm(d, z - stopped_e)),
    "the loss of the quantizer",
    "vector_quantization_loss",
)
j = derivation.index("j", "a coordinate, next to $d$")
for title, by, slope, reason, wrong in (
    (
        "The first term of the loss moves the code alone",
        e.at(j),
        2 * (e.at(j) - stopped_z.at(j)),
        "the second term does not contain it",
        {"stopped the other way": 2 * beta * (e.at(j) - stopped_z.at(j)), "both": 2 * (1 + beta) * (e.at(j) - stopped_z.at(j))},
    ),
    (
        "The second term of the loss moves the encoder alone",
        z.at(j),
        2 * beta * (z.at(j) - stopped_e.at(j)),
        "the first term does not contain it",
        {"stopped the other way": 2 * (z.at(j) - stopped_e.at(j))},
    ),
):
    derivation.chain(title, Slope(loss, by), equals(slope, reason, wrong=wrong), role="lemma")
derivation.symbol("Q", "the quantizer", "vector_quantize")
derivation.symbol(r"\mathrm{st}", "the straight-through estimator", "straight_through")
_codes = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 2.0]])
_vectors = np.array([[0.5, 0.2], [0.7, -0.3], [1.8, 0.1], [1.2, 1.4]])


def _slopes(of, *arrays):
    """The gradients of the sum of a function's results in every argument, as one vector."""
    found = jax.grad(lambda *given: jnp.sum(of(*given)), argnums=tuple(range(len(arrays))))(*map(jnp.asarray, arrays))
    return jnp.concatenate([slope.ravel() for slope in found])


@derivation.autodiff(
    r"\frac{\partial}{\partial z} Q(z) = 0, \qquad \frac{\partial}{\partial z} \mathrm{st}(z, Q(z)) = 1, \qquad "
    r"\frac{\partial}{\partial Q} \mathrm{st}(z, Q) = 0",
    because="Of the code, at four vectors and three codes. The quantizer's own gradient goes to the codebook: a code gets as "
    "many gradients as it has vectors.",
)
def the_gradients_of_the_quantizer():
    used = np.bincount(np.asarray(nearest_code(_vectors, _codes)), minlength=3)
    got = jnp.concatenate([_slopes(vector_quantize, _vectors, _codes), _slopes(straight_through, _vectors, _codes[[0, 0, 1, 2]])])
    columns = lambda rows: np.repeat(np.asarray(rows, dtype=float), 2)  # noqa: E731

    def wanted(of_z, of_codes, through_z, through_q):
        return np.concatenate([columns(of_z), columns(of_codes), columns(through_z), columns(through_q)])

    zero, one = np.zeros(4), np.ones(4)
    wrong = {"swapped": wanted(zero, used, zero, one), "each code once": wanted(zero, np.ones(3), one, zero)}
    return Sides(left=got, right=wanted(zero, used, one, zero), wrong=wrong)


@derivation.autodiff(
    r"\frac{\partial L}{\partial e} = 2 (e - z), \qquad \frac{\partial L}{\partial z} = 2 \beta (z - e)",
    because=r"Of the code at the weight 0.25, where the stopped letters have the values of the others. The value of the loss is "
    r"$(1 + \beta) \|z - e\|^2$.",
    role="remark",
)
def the_gradients_of_the_loss():
    named = _codes[np.asarray(nearest_code(_vectors, _codes))]
    away = _vectors - named
    got = _slopes(lambda z, q: vector_quantization_loss(z, q, commitment=0.25), _vectors, named)
    total = vector_quantization_loss(_vectors, named, commitment=0.25)

    def wanted(of_z, of_code):
        return np.concatenate([(of_z * away).ravel(), (of_code * away).ravel(), 1.25 * (away**2).sum(1)])

    return Sides(left=jnp.append(got, total), right=wanted(0.5, -2.0), wrong={"the two weights exchanged": wanted(2.0, -0.5)})


derivation.say(
    r"The encoder follows the decoder's gradient $g$ at its code and the pull $2\beta(z - e)$; the code follows $2(e - z)$. "
    r"Together these are in general the gradient of no loss: the derivative of the encoder's part in $e$ is $\nabla g - 2\beta "
    "I$, that of the code's part in $z$ is $-2 I$, and for a gradient they would have to be equal."
)
N_old = derivation.number("N", "the moving average of how often a code is used", "counts", positive=True)
m_old = derivation.number("m", "the moving average of the sum of its vectors, in one coordinate", "sums")
count = derivation.number("c", "how often it is used in a batch", positive=True)
mean = derivation.number(r"\mu", "the mean of its vectors in the batch")
gamma = derivation.number(r"\gamma", "the decay of the averages", "decay", between=(0, 1))
old = derivation.define("e", m_old / N_old, "the code before the update")
N_new = derivation.define("N'", gamma * N_old + (1 - gamma) * count, "the new average of the count", positive=True)
averaged = (gamma * m_old + (1 - gamma) * count * mean) / N_new
moving = derivation.chain(
    "A moving average is a gradient step of a particular size",
    averaged,
    equals(
        plus(old, -times((1 - gamma) * count / N_new, plus(old, -mean))),
        prose("subtract the code, {old}", old=holds(old, "=", plus(gamma * m_old, (1 - gamma) * count * old) / N_new)),
        wrong={"the weights exchanged": plus(old, -times(gamma * N_old / N_new, plus(old, -mean)))},
    ),
    so=prose(
        r"For the squared distances of a cell {slope}, here $2c(e - \mu)$: this is a step of size $(1 - \gamma) / (2N')$ against "
        "it. A code that is often used makes small steps, and no step size has to be chosen. With {gamma} it is a step of "
        "Lloyd's algorithm, to {lloyd}; without a vector in the batch the code stays.",
        slope=holds(Slope(Total(n, SquaredNorm(d, y - e)), e.at(j)), "=", 2 * N * (e.at(j) - center.at(j))),
        gamma=where(gamma, 0),
        lloyd=holds(averaged, "=", mean, named=True),
    ),
)
counts = derivation.numbers("N", k, "the averaged counts of all codes", "counts", positive=True)
eps = derivation.number(r"\epsilon", "what is added to every count", "epsilon", positive=True)
total = derivation.define(r"N_\Sigma", Total(k, counts), "the sum of the counts", positive=True)
smooth = derivation.define(r"\tilde N", (counts + eps) / (total + K * eps) * total, "the smoothed counts", over=k, positive=True)
derivation.chain(
    "Smoothing keeps the sum of the counts",
    Total(k, smooth),
    equals(times(Total(k, counts + eps) / (total + K * eps), total), "the factors that are the same for every code"),
    equals(
        total,
        prose("{sum}", sum=holds(Total(k, counts + eps), "=", plus(total, K * eps))),
        wrong={"the number of codes forgotten": (total + eps) / (total + K * eps) * total},
    ),
    role="lemma",
    so=r"A count that is nearly zero is raised, so that no code is divided by it: rare codes are drawn to the origin. Only with "
    "equal counts is a step without memory exactly Lloyd's.",
)
sums = derivation.numbers("m", k, "the averaged sums, in one coordinate", "sums")


derivation.bridge(
    "The code divides by the smoothed counts",
    (counts, sums, sums / smooth),
    ema_codebook_update,
    z=jnp.zeros((1, 1)),
    indices=jnp.zeros(1, int),
    counts=counts,
    sums=[[sums.at(code)] for code in range(4)],
    decay=1.0,
    epsilon=eps,
    wrong={
        "the raw counts": (counts, sums, sums / counts),
        "the smoothed counts not rescaled": (counts, sums, sums / (counts + eps)),
    },
)
usage = derivation.law("u", k, "the fraction of the vectors that have a code")
uniform = derivation.define(r"\nu", 1 / K, "the uniform distribution", over=k, law=True)
derivation.chain(
    "Perplexity counts the codes in use",
    Entropy(usage),
    equals(
        plus(log(K), -Divergence(usage, uniform)),
        prose("{split}", split=holds(-log(usage), "=", plus(log(K), -log(usage / uniform)))),
    ),
    at_most(
        log(K),
        prose("leave out the divergence (Gibbs); equality if all are used alike, {alike}", alike=where(usage, uniform)),
        adding=gibbs.at(usage, uniform),
    ),
    so=prose(
        r"The perplexity is $\exp H$, between 1 and $K$, since {positive}. A prior that is learned afterwards, {learned}, gains "
        "just this divergence over the uniform one in the mean over the data, {gain}.",
        positive=holds(Entropy(usage), ">=", 0),
        learned=where(prior, usage),
        gain=holds(plus(Total(k, usage * log(prior)), log(K)), "=", Divergence(usage, uniform), named=True),
    ),
    role="remark",
)
derivation.figure(
    prose(
        "Eight codes that learn 80 vectors (gray) by moving averages. Left: of codes that start far off, a few come nearest and "
        "follow the vectors; the others (crosses) are nearest to none, and nothing moves them. Right: the perplexity counts it. "
        "Codes that start at vectors are nearly all in use; if all are used alike, the logarithm of the perplexity is {most}.",
        most=holds(Entropy(usage), "=", log(K), when={usage: uniform}, named=True, wrong={"the number itself": K}),
    ),
    panels=2,
)(draw_dead_codes)


derivation.symbol(r"\mathrm{PP}", "the perplexity of the codes", "codebook_perplexity")
derivation.symbol("H", "the entropy")


@derivation.exact(
    r"\mathrm{PP} = \exp H(u)", because="By the code, for every way of using three codes four times.", outcomes=15, role="lemma"
)
def perplexities_of_all_names():
    names = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    names = names[np.unique(np.sort(names, axis=1), axis=0, return_index=True)[1]]  # the order does not count
    fractions = np.stack([(names == code).mean(1) for code in range(3)], axis=1)
    entropies = -np.where(fractions > 0, fractions * np.log(np.where(fractions > 0, fractions, 1.0)), 0.0).sum(1)
    got = jnp.stack([codebook_perplexity(row, num_codes=3) for row in names])
    wrong = {"e to bits": np.exp(entropies / np.log(2)), "how many occur": (fractions > 0).sum(1).astype(float)}
    return Sides(left=got, right=np.exp(entropies), wrong=wrong)


_line = np.array([[0.5], [0.7], [1.8]])


@derivation.algorithm(
    "A training step of a VQ-VAE with moving averages, here with encodings that stay",
    do(r"$z \leftarrow$ the encoder's output; $k \leftarrow$ its nearest code", nearest_code, by=bisector),
    do(r"$q \leftarrow \mathrm{st}(z, e_k)$, which the decoder sees", vector_quantize, straight_through),
    do(r"a gradient step on $-\log p(x|q) + \beta \|z - \mathrm{sg}(e_k)\|^2$, in encoder and decoder", by=named_code),
    do(r"$N_k, m_k, e_k \leftarrow$ the moving averages, of every code", ema_codebook_update, by=moving),
)
def two_steps():
    counts, sums, codes = np.array([1.0, 1.0]), np.array([[0.0], [2.0]]), np.array([[0.0], [2.0]])
    for step, seen, pull, moved in ((1, "(0, 0, 2)", "0.78", "0.4, 1.9"), (2, "(0.4, 0.4, 1.9)", "0.11", "0.5143, 1.85")):
        q = straight_through(_line, vector_quantize(_line, codes))
        yield rf"z = 0.5, 0.7, 1.8, \text{{ step }} {step}: \quad q", q, seen
        yield r"\textstyle\sum \|z - e_k\|^2", np.sum((_line - q) ** 2), pull
        counts, sums, codes = ema_codebook_update(_line, nearest_code(_line, codes), counts, sums, decay=0.5, epsilon=1e-12)
        yield r"e \text{ after it, with } \gamma = \tfrac12", codes[:, 0], moved


@derivation.example(
    "In one dimension: the codes 0 and 2, and the vectors 0.5, 0.7 and 1.8. Then moving averages with the decay 0.9 that "
    "start at two vectors for each code; and an observation with the likelihoods 0.6, 0.3 and 0.1 under three codes of a "
    "uniform prior."
)
def by_hand():
    codes = np.array([[0.0], [2.0]])
    named = nearest_code(_line, codes)
    yield "k", named, "(0, 0, 1)"
    yield r"\mathrm{PP}", codebook_perplexity(named, num_codes=2), "1.8899"
    new_counts, _, moved = ema_codebook_update(_line, named, np.array([2.0, 2.0]), np.array([[0.0], [4.0]]), decay=0.9)
    yield "N'", new_counts, "(2, 1.9)"
    yield "e'", moved[:, 0], "(0.0600, 1.9895)"
    given = {prior: (Rational(1, 3),) * 3, likelihood: (0.6, 0.3, 0.1)}
    yield r"\log p(x)", value(log(evidence), given), "-1.0986"
    yield r"\text{the bound of the first code}", np.log(0.6 / 3), "-1.6094"
    yield r"\text{the gap}", -np.log(0.6), "0.5108"
