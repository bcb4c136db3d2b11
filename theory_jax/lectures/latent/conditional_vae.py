"""A bound with a label: where the label's information goes.

The lecture on the functions of theory_jax/latent/conditional_vae.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.conditional_vae import condition_channels, conditional_negative_elbo, feature_wise_modulation, one_hot
from theory_jax.latent.reparameterization import reparameterize
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="A bound with a label: where the label's information goes",
    sources=(
        "Sohn, Lee & Yan 2015, Learning structured output representation using deep conditional generative models",
        "Kingma et al. 2014, Semi-supervised learning with deep generative models",
        "Hoffman & Johnson 2016, ELBO surgery",
        "Perez et al. 2018, FiLM: visual reasoning with a general conditioning layer",
    ),
    question="A variational autoencoder generates images, but not an image of a requested class. Giving it the label makes "
    "that possible; but then the label may be stored twice, once as an input and once in the latent variable, and the bound "
    "pays for the copy. What does the bound become, what does the copy cost, and how is the cost avoided?",
    setting=(
        "A label $y$ has the probability $p(y)$, a latent variable $z$ the prior $p(z|y)$, and the observation $x$ the "
        "likelihood $p(x|z,y)$. The encoder is $q(z|x,y)$. All have finitely many states and are positive in the chains; sums "
        "become integrals for a Gaussian $z$.",
        "For averages over data, $p(y)$ and $p^*(x|y)$ are the distributions of the data. The aggregate code $q(z|y)$ of a "
        "class is the mean of $q(z|x,y)$ over its observations, and $q(z)$ the mean of that over the classes. $I_q$ is the "
        "mutual information of these distributions, in nats.",
    ),
    limits=(
        "That a decoder makes use of the label: a strong one can ignore it. Generated images have to be classified to see.",
        "Labels that are missing for a part of the data (semi-supervised learning).",
    ),
)

y = derivation.index("y", "a label", states=2)
z = derivation.index("z", "a state of the latent variable")
p_y = derivation.law("p({})", y, "how often a label occurs")
prior = derivation.law("p({}|{})", (z, y), "the prior, given the label")
likelihood = derivation.numbers("p(x|{},{})", (z, y), "the likelihood of the observation", positive=True)
evidence = derivation.define("p(x|{})", Total(z, prior * likelihood), "the likelihood given the label", over=y, positive=True)
posterior = derivation.define("p({}|x,{})", prior * likelihood / evidence, "the posterior", over=(z, y), law=True)
q = derivation.law("q({}|x,{})", (z, y), "the encoder")
elbo = derivation.define(
    "B",
    plus(Expectation(q, log(likelihood)), -Divergence(q, prior)),
    "the bound, given a label",
    "-conditional_negative_elbo",
    over=y,
)
derivation.chain(
    "Given the label, the likelihood is a bound and a divergence",
    log(evidence),
    equals(Expectation(q, log(prior * likelihood / posterior)), "a constant is its own expectation; Bayes' rule given $y$"),
    equals(Expectation(q, plus(log(prior * likelihood / q), log(q / posterior))), "multiply and divide by $q(z|x,y)$"),
    equals(plus(elbo, Divergence(q, posterior)), "the first term is the reconstruction minus the divergence from $p(z|y)$"),
    at_least(
        elbo,
        prose("leave out the divergence (Gibbs); equality at {posterior}", posterior=where(q, posterior)),
        dropping=gibbs.at(q, posterior),
    ),
    so="It is the evidence lower bound with one more condition in every distribution. Three networks may see the label: the "
    "prior, the encoder and the decoder.",
)
x = derivation.index("x", "an observation of the data", states=2)
p_x = derivation.law("p^*({}|{})", (x, y), "the data of a label")
code = derivation.law("q({}|{},{})", (z, x, y), "the encoder, for every observation")
of_class = derivation.define("q({}|{})", Total(x, p_x * code), "the aggregate code of a class", over=(z, y), law=True)
of_all = derivation.define("q({})", Total(y, p_y * of_class), "the aggregate code", over=z, law=True)
fixed = derivation.law("p({})", z, "a prior without the label")


def _mean(body):
    return Expectation(p_y, Expectation(p_x, body))


of_image = derivation.define(
    "I_q(x;z|y)", _mean(Divergence(code, of_class)), "what the code says about the observation beyond its label"
)
of_label = derivation.define("I_q(z;y)", Expectation(p_y, Divergence(of_class, of_all)), "what the code says about the label")
derivation.say(
    "The second term of the bound, the rate, compares the encoder with the prior. Average it over the data, first for a prior "
    "that all labels share."
)
central = derivation.chain(
    "A prior without the label charges for every nat about the label in the code",
    _mean(Divergence(code, fixed)),
    equals(
        _mean(Expectation(code, plus(log(code / of_class), log(of_class / of_all), log(of_all / fixed)))), "a telescoping product"
    ),
    equals(
        plus(of_image, of_label, Divergence(of_all, fixed)),
        r"the second quotient does not contain $x$, and the third contains $z$ alone: average over the rest",
        wrong={"the label is free": plus(of_image, Divergence(of_all, fixed))},
    ),
    at_least(
        plus(of_image, of_label),
        prose("leave out a divergence (Gibbs); equality if and only if {best}", best=where(fixed, of_all)),
        dropping=gibbs.at(of_all, fixed),
    ),
    states=2,
    central=True,
    so=prose(
        "The second information is {information}. The decoder has the label already. So the bound favors a code that says "
        "nothing about it, if the decoder is flexible enough to do without: $z$ then keeps what the label does not say.",
        information=holds(of_label, "=", plus(Entropy(of_all), -Expectation(p_y, Entropy(of_class))), named=True),
    ),
)
of_prior = derivation.chain(
    "A prior with the label need not charge for it",
    _mean(Divergence(code, prior)),
    equals(
        plus(of_image, Expectation(p_y, Divergence(of_class, prior))),
        r"multiply and divide by $q(z|y)$ alone; what is left does not contain $x$",
        wrong={"the label's term kept": plus(of_image, of_label, Expectation(p_y, Divergence(of_class, prior)))},
    ),
    at_least(
        of_image,
        prose("leave out a divergence (Gibbs); equality if and only if {best} for every $y$", best=where(prior, of_class)),
        dropping=Expectation(p_y, gibbs.at(of_class, prior)),
    ),
    states=2,
    so="So there are two ways out: a code without the label, or a prior for each label. The best one is the aggregate code of "
    "the label, and the rate pulls a trained prior towards it.",
)
classes = derivation.count(y, "K", "the number of labels")
p_of_x = derivation.define("p^*({})", Total(y, p_y * p_x), "the data of all labels", over=x, law=True)
p_given_x = derivation.define("p^*({}|{})", p_y * p_x / p_of_x, "the label, given the observation", over=(y, x), law=True)
other = derivation.law("r({})", x, "any distribution that a model without the label may have")
derivation.chain(
    "If the models are the data's own distributions, $p^*(x|y)$ with the label and $p^*(x)$ without, a label gains at most its "
    "entropy on average",
    _mean(log(p_x / p_of_x)),
    equals(
        _mean(plus(log(p_given_x), -log(p_y))),
        prose("Bayes' rule: {ratio}", ratio=holds(p_x / p_of_x, "=", p_given_x / p_y)),
        wrong={"the ratio turned over": _mean(plus(log(p_y), -log(p_given_x)))},
    ),
    equals(
        plus(Entropy(p_y), -Expectation(p_of_x, Entropy(p_given_x))),
        prose("average the two terms; {joint}", joint=holds(times(p_y, p_x), "=", times(p_of_x, p_given_x))),
    ),
    so=prose(
        "An entropy is not negative, so the gain is at most {entropy}: no more than 2.3026 nats for ten digits, and that much "
        "only if all are equally frequent and an image determines its label. If the model without the label is {other} instead, "
        "its own error is added, {error}: a larger gain than the entropy says that this model is poor.",
        entropy=holds(Entropy(p_y), "<=", log(classes)),
        other=other,
        error=holds(_mean(log(p_x / other)), "=", plus(_mean(log(p_x / p_of_x)), Divergence(p_of_x, other))),
    ),
    states=2,
    role="remark",
)
derivation.chain(
    "A conditional model classifies, up to the difference of two gaps",
    log(p_y.at(1) * evidence.at(1) / (p_y.at(0) * evidence.at(0))),
    equals(
        plus(log(p_y.at(1) / p_y.at(0)), log(evidence.at(1)), -log(evidence.at(0))),
        "the logarithm of a product; by Bayes' rule the first line is that of the ratio of the labels' probabilities given $x$",
    ),
    equals(
        plus(
            log(p_y.at(1) / p_y.at(0)),
            elbo.at(1),
            -elbo.at(0),
            Divergence(q.at(z, 1), posterior.at(z, 1)),
            -Divergence(q.at(z, 0), posterior.at(z, 0)),
        ),
        "the first chain for both labels",
        wrong={"the gaps forgotten": plus(log(p_y.at(1) / p_y.at(0)), elbo.at(1), -elbo.at(0))},
    ),
    states=2,
    so="Deciding by the bounds alone is Bayes' decision wherever the gaps differ by less than the absolute log-odds.",
    role="remark",
)

derivation.answer = prose(
    "Every distribution of the bound is given the label, and nothing else changes: {bound}, the bound plus the divergence from "
    "the posterior. With a prior that all labels share, the encoder pays, on average over the data, at least {image}, what the "
    "code says about the image beyond its label, and {label}, what it says about the label, although the decoder knows the label "
    "already. With a prior for each label that is the aggregate code of its label, {best}, it pays {alone} alone. So the label "
    "belongs into the prior, or out of the code.",
    bound=holds(
        log(evidence), "=", plus(elbo, Divergence(q, posterior)), wrong={"subtracted": plus(elbo, -Divergence(q, posterior))}
    ),
    image=of_image,
    label=of_label,
    best=where(prior, of_class),
    alone=holds(_mean(Divergence(code, prior)), "=", of_image, named=True),
)

u = derivation.number("u", "a latent variable, now a number")
m, n = (
    derivation.number(name, f"the mean of the {of}", code)
    for name, of, code in (("m", "posterior", "mean"), ("n", "prior", "prior_mean"))
)
v, w = (
    derivation.number(name, f"the variance of the {of}", code, positive=True)
    for name, of, code in (("v", "posterior", "e^log_var"), ("w", "prior", "e^prior_log_var"))
)
rate = plus(log(w / v), (v + (m - n) ** 2) / w, -1) / 2
of_gaussians = derivation.chain(
    "The rate of Gaussians has a closed form, which the code adds to the reconstruction loss",
    Divergence(Normal(u, m, v), Normal(u, n, w)),
    equals(
        rate,
        prose("{square}", square=holds(Expectation(Normal(u, m, v), (u - n) ** 2), "=", plus(v, (m - n) ** 2))),
        wrong={"the divergence from the standard normal": (v + m**2 - 1 - log(v)) / 2},
    ),
    role="lemma",
)
derivation.bridge(
    "The code computes it",
    rate,
    conditional_negative_elbo,
    x=jnp.ones((1, 1)),
    logits=jnp.full((1, 1), 40.0),
    mean=[[m]],
    log_var=[[log(v)]],
    prior_mean=[[n]],
    prior_log_var=[[log(w)]],
    wrong={
        "the divergence from the standard normal": (v + m**2 - 1 - log(v)) / 2,
        "posterior and prior exchanged": plus(log(v / w), (w + (m - n) ** 2) / v, -1) / 2,
    },
)

derivation.say("How does a network get the label? In a layer of units its one-hot row is a few more inputs.")
d = derivation.index("d", "an input")
k = derivation.index("k", "a class")
a = derivation.numbers("a", d, "the inputs")
weight = derivation.numbers("W", d, "the weights of the inputs")
of_row = derivation.numbers("V", k, "the weights of the one-hot label")
given = derivation.index("c", "the label that is given")
derivation.chain(
    "A one-hot input is a learned number for each class",
    plus(Total(d, weight * a), Total(k, of_row * KroneckerDelta(k, given))),
    equals(
        plus(Total(d, weight * a), of_row.at(given)),
        "one term of the second sum is left",
        wrong={"the weights of all classes added": plus(Total(d, weight * a), Total(k, of_row))},
    ),
    role="lemma",
)
derivation.symbol("P_{k,i,j}", "the plane of class $k$ at a position: 1 everywhere if it is the label")
derivation.symbol("b_{ij}", "a kernel")
derivation.symbol("i, j", "a position in the kernel")
derivation.symbol("s, t", "a position in the image")


@derivation.numeric(
    r"\sum_{i,j} b_{ij} P_{k,i+s,j+t} = \sum_{i,j} b_{ij} \ \text{if}\ k = y,\ \text{else}\ 0",
    because="A convolution without padding. The plane is constant, so every position gets the same sum: one shift for each "
    "class and channel, which is the modulation with scale 0. By the code, two images with three classes and two kernels of 3 x "
    "3. With a border of zeros it would not be constant: the border misses a part of the kernel.",
    role="appendix",
)
def a_plane_is_a_shift():
    drawn = np.random.default_rng(0)
    image, kernel, labels = drawn.normal(size=(2, 1, 5, 5)), drawn.normal(size=(2, 4, 3, 3)), np.array([2, 0])

    def convolved(pixels, weights, padding="VALID"):
        return jax.lax.conv_general_dilated(jnp.asarray(pixels), jnp.asarray(weights), (1, 1), padding)

    got = convolved(condition_channels(image, labels, num_classes=3), kernel)
    shift = np.asarray(one_hot(labels, num_classes=3)) @ kernel[:, 1:].sum((2, 3)).T
    plain = convolved(image, kernel[:, :1])
    right = feature_wise_modulation(plain, np.zeros((2, 2)), shift)
    wrong = {
        "planes before the channels": convolved(
            jnp.concatenate([condition_channels(image, labels, num_classes=3)[:, 1:], image], axis=1), kernel
        ),
        "no label": plain,
    }
    return Sides(left=got, right=right, wrong=wrong)


@derivation.algorithm(
    "Training with a learned prior for each label",
    do("take an observation $x$ and its label $y$"),
    do("$m, v$ from the encoder, which sees $x$ and $y$; $n, w$ from the prior of $y$", by=of_prior),
    do(r"$u \leftarrow m + \sqrt v\, \epsilon$ with $\epsilon \sim \mathcal{N}(0, 1)$", reparameterize),
    do("the logits of the observation from the decoder, which sees $u$ and $y$"),
    do(r"a gradient step on $\mathrm{KL} - \log p(x|u, y)$", conditional_negative_elbo, by=of_gaussians),
    do("to generate with the label $y$: $u$ from its prior, then the decoder"),
)
def the_prior_moves():
    one, zero, n_y = jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.zeros((1, 1))
    for step in (1, 2):
        latent = reparameterize(zero, one, zero)  # the decoder returns it as the logit of x = 1

        def loss(n_y, latent=latent):
            return conditional_negative_elbo(one, latent, one, zero, n_y, zero)[0]

        first = r"m = v = w = 1, n = 0, \epsilon = 0, \text{ logit } u \text{ of } x = 1: \quad " if step == 1 else ""
        yield rf"{first}\mathrm{{KL}} - \log p(x|u, y)", loss(n_y), {1: "0.8133", 2: "0.4383"}[step]
        n_y = n_y - jax.grad(loss)(n_y) / 2
        yield r"n \text{ after a step of } \tfrac12", n_y, {1: "0.5000", 2: "0.7500"}[step]


CODES = np.array([[0.75, 0.25], [0.25, 0.75]])


def _charge(priors):
    """What the encoder of the example pays on average: [..., 2] priors of each label, [2, ..., 2], or one, [..., 2]."""
    return np.mean([(code * np.log(code / prior)).sum(-1) for code, prior in zip(CODES, priors, strict=True)], axis=0)


@derivation.example(
    "Two labels of probability one half. The code ignores $x$ and says something about the label: $q(z|y)$ is $(\\frac34, "
    "\\frac14)$ for the one and the reverse for the other. Then one label: a prior one half each, the likelihoods 0.8 and 0.2, "
    "and an encoder with one half each."
)
def by_hand():
    yield "I_q(z; y)", np.mean((CODES * np.log(CODES / CODES.mean(0))).sum(1)), "0.1308"
    yield r"\text{charge of the prior } (\tfrac23, \tfrac13) \text{ of all labels}", _charge([np.array([2, 1]) / 3] * 2), "0.1897"
    yield r"\text{of the best one, } (\tfrac12, \tfrac12)", _charge([np.array([0.5, 0.5])] * 2), "0.1308"
    yield r"\text{of the best prior for each label}", _charge(CODES), "0"
    bound = 0.5 * np.log([0.8, 0.2]).sum()
    yield "B", bound, "-0.9163"
    evidence_of_y = np.log(0.5 * 0.8 + 0.5 * 0.2)
    yield r"\log p(x|y)", evidence_of_y, "-0.6931"
    yield r"\text{gap}", evidence_of_y - bound, "0.2231"


def _information(distance):
    """I_q(z; y) of two equally frequent classes whose aggregate codes are N(-distance, 1) and N(distance, 1), by quadrature."""
    points = np.linspace(-12, 12, 2401)
    one, other = (np.exp(-((points - mean) ** 2) / 2) / np.sqrt(2 * np.pi) for mean in (-distance, distance))
    return np.sum(one * np.log(2 * one / (one + other))) * (points[1] - points[0])


@derivation.figure(
    "Left: a code of two states, which shows one of two equally frequent labels with probability $\\frac34$ and nothing else of "
    "the image. What the encoder pays on average, for priors $(t, 1-t)$ of both labels: never less than $I_q(z;y)$, what the "
    "code says about the label. With the right prior for each label it pays nothing. Right: two equally frequent classes with "
    r"the codes $\mathcal{N}(-c, 1)$ and $\mathcal{N}(c, 1)$. The label is at most $\log 2$ nats. The standard normal prior "
    "charges $c^2/2$: for the label (dashed), and for the distance of the aggregate code from this prior (the rest).",
    panels=2,
)
def charges(left, right):
    t = np.linspace(0.1, 0.9, 81)
    left.plot(t, _charge([np.stack([t, 1 - t], axis=-1)] * 2), label="a prior of all labels")
    left.axhline(_charge([CODES.mean(0)] * 2), linestyle="--", color="gray", label="$I_q(z;y)$")
    left.axhline(0, color="C1", label="a prior for each label")
    left.set(xlabel="$t$", ylabel="nats")
    left.legend()
    distances = np.linspace(0, 2, 21)
    right.plot(distances, distances**2 / 2, label="charge of the standard normal")
    right.plot(distances, [_information(distance) for distance in distances], linestyle="--", color="gray", label="$I_q(z;y)$")
    right.axhline(0, color="C1", label="a prior for each label")
    right.set(xlabel="$c$", ylabel="nats")
    right.legend()
