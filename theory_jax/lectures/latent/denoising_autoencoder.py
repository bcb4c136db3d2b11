"""The denoising autoencoder: the best guess points uphill.

The lecture on the functions of theory_jax/latent/denoising_autoencoder.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, oo, pi, sqrt, tanh

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.denoising_autoencoder import (
    corrupt_gaussian,
    corrupt_masking,
    corrupt_salt_and_pepper,
    denoiser_score,
    empirical_denoiser,
    smoothed_log_density,
)
from theory_jax.lectures.latent._denoising_autoencoder import draw_climbs
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The denoising autoencoder: the best guess points uphill",
    sources=(
        "Vincent, Larochelle, Bengio & Manzagol 2008, Extracting and composing robust features with denoising autoencoders",
        "Vincent 2011, A connection between score matching and denoising autoencoders",
        "Efron 2011, Tweedie's formula and selection bias",
        "Alain & Bengio 2014, What regularized auto-encoders learn from the data-generating distribution",
        "Bishop 1995, Training with noise is equivalent to Tikhonov regularization",
        "Wager, Wang & Liang 2013, Dropout training as adaptive regularization",
    ),
    question="An autoencoder with as many codes as inputs can copy, and learn nothing about the data. If the input is "
    "corrupted and the clean datum is wanted, copying is wrong. What is the best answer instead, and what does it know about the "
    "density of the data?",
    setting=(
        r"There are $N$ data $y_n$ of equal weight. A datum is drawn and corrupted: $\sigma \varepsilon$ is added, with "
        r"standard normal $\varepsilon$, or some entries are left out. The denoiser sees the result, and its loss is the squared "
        "distance from the datum.",
        "Chains are written for one coordinate. Squares and noise of several coordinates add.",
    ),
    limits=(
        "What a network finds in place of the mean over all data: with enough capacity the mean is over the training data.",
        "The score of the data themselves: it is that of data with noise, and the two differ where the density bends.",
        "Corruption that destroys the clean value, such as salt and pepper everywhere.",
    ),
)


@derivation.figure(
    "Three data (dots) and noise of two sizes. Left: the log-density of noisy data. Right: the best denoiser; the dashed line is "
    "a copy. Where the curve is above the dashed line, the density rises to the right. With little noise the denoiser is a "
    "staircase of the data.",
    panels=2,
)
def density_and_denoiser(left, right):
    data = jnp.array([[-2.0], [0.0], [1.5]])
    line = jnp.linspace(-4, 4, 161)[:, None]
    for spread in (0.3, 0.9):
        left.plot(line[:, 0], smoothed_log_density(line, data, sigma=spread), label=rf"$\sigma = {spread:g}$")
        right.plot(line[:, 0], empirical_denoiser(line, data, sigma=spread)[:, 0], label=rf"$\sigma = {spread:g}$")
    left.plot(data[:, 0], np.full(3, -8.0), "o", color="gray")
    left.set(xlabel="$x$", ylabel=r"$\log q$, nats", ylim=(-8.5, 0))
    right.plot(line[:, 0], line[:, 0], "--", color="gray")
    right.plot(data[:, 0], data[:, 0], "o", color="gray")
    right.set(xlabel="$x$", ylabel=r"$\hat x$", ylim=(-3, 3))
    right.legend()


# ---------------------------------------------------------------------------------------------------- the best denoiser

half = Rational(1, 2)
n = derivation.index("n", "a datum")
k = derivation.index("k", "what was seen", states=2)
y = derivation.numbers("y", n, "the data", "data")
prior = derivation.law("p", n, "the probabilities of the data")
channel = derivation.law("c({}|{})", (k, n), "how a datum is corrupted")
seen = derivation.define("m", Total(n, prior * channel), "the probabilities of what is seen", over=k, law=True)
given = derivation.define("p({}|{})", prior * channel / seen, "those of the datum, given what was seen", over=(n, k), law=True)
f = derivation.numbers("f", k, "any denoiser")
best = derivation.define("d", Expectation(given, y), "the mean of the datum, given what was seen", over=k)
regression = derivation.chain(
    "The best denoiser is a mean",
    Total(n, Total(k, times(prior, channel, (f - y) ** 2))),
    equals(
        Total(k, times(seen, Expectation(given, (f - y) ** 2))),
        prose("Bayes' rule: {bayes}", bayes=holds(times(prior, channel), "=", times(seen, given))),
    ),
    equals(
        Total(k, times(seen, plus((f - best) ** 2, Variance(given, y)))),
        "the mean square is the squared distance of the means and the variance",
    ),
    at_least(
        Total(k, times(seen, Variance(given, y))),
        prose("leave out the squares; equality if and only if {best} for every $k$ that is seen", best=where(f, best)),
        dropping=Total(k, times(seen, (f - best) ** 2)),
    ),
    so="What is left is the noise that no one can remove. Nothing was said about the corruption: the mean is best for each.",
)

# ---------------------------------------------------------------------------------------------------- Tweedie

derivation.say("Now the noise is Gaussian. Then the mean is a derivative.")
sigma = derivation.number(r"\sigma", "the standard deviation of the noise", "sigma", positive=True)
x = derivation.number("x", "a point", "x_noisy")
N = derivation.count(n, "N", "how many data there are")
bump = derivation.define(
    r"\phi({})",
    exp(-((x - y) ** 2) / (2 * sigma**2)),
    "the density of the noise that leads from a datum to the point, up to a constant",
    over=n,
    positive=True,
)
q = derivation.define("q", Total(n, bump) / (N * sqrt(2 * pi) * sigma), "the density of noisy data", positive=True)
w = derivation.define("w({})", bump / Total(n, bump), "the weights of the data, given the point", over=n, law=True)
mean = derivation.define(r"\hat x", Expectation(w, y), "the mean of the data, given the point", "empirical_denoiser")
tweedie = derivation.chain(
    "The best denoiser contains the score",
    Slope(log(q), x),
    equals(
        Expectation(w, (y - x) / sigma**2),
        prose(
            "{slope}, divided by the sum; constants drop out of the logarithm",
            slope=holds(Slope(bump, x), "=", times(bump, (y - x) / sigma**2)),
        ),
        wrong={
            "the sign": Expectation(w, (x - y) / sigma**2),
            "the standard deviation in place of the variance": Expectation(w, (y - x) / sigma),
            "the weights not normalized": Total(n, bump * (y - x) / sigma**2),
        },
    ),
    equals((mean - x) / sigma**2, "the point is the same for every datum"),
    central=True,
    so=prose(
        "Solved for the mean it is Tweedie's formula, {tweedie}. The distribution of the data does not occur in it: the density "
        "of what is seen is enough.",
        tweedie=holds(mean, "=", plus(x, times(sigma**2, Slope(log(q), x)))),
    ),
)
derivation.answer = prose(
    "The best denoiser is the mean of the data given what was seen. For Gaussian noise {tweedie}: the step that it takes, "
    r"divided by $\sigma^2$, is the score of the noisy density $q$, and a network that denoises well has learned it. A step of "
    "the best denoiser never lowers that density. For a linear model Gaussian noise adds a penalty of all weights, and masks add "
    "a penalty scaled by the data.",
    tweedie=holds(mean, "=", plus(x, times(sigma**2, Slope(log(q), x))), wrong={"downhill": x - sigma**2 * Slope(log(q), x)}),
)

of_data = {"data": [[y.at(datum)] for datum in range(4)], "sigma": sigma}
no_constant, deviation = {"no constant": log(Total(n, bump) / N)}, {"the deviation": times(sigma, Slope(log(q), x))}
score_of_mean = {"the score in place of the denoiser": (mean - x) / sigma**2}
derivation.bridge("The code's log-density", log(q), smoothed_log_density, x=[[x]], **of_data, wrong=no_constant)
derivation.bridge("... its best denoiser", mean, empirical_denoiser, x_noisy=[[x]], **of_data, wrong=score_of_mean)
derivation.bridge(
    "... and its score", Slope(log(q), x), denoiser_score, x_noisy=[[x]], denoised=[[mean]], sigma=sigma, wrong=deviation
)
_entries, _weights, _left_out = np.array([0.5, -1.2, 2.0]), np.array([1.0, 0.7, -0.4]), 0.3
_cloud = np.random.default_rng(5).standard_normal((6, 3))
_points = np.random.default_rng(6).standard_normal((4, 3))
_noise = 0.7


@derivation.autodiff(
    r"\nabla \log q(x) = \frac{\hat x - x}{\sigma^2}",
    because="In three dimensions, with six data: the gradient of the code's log-density, by automatic differentiation, and the "
    "score of its denoiser.",
    role="remark",
)
def score_of_the_code():
    gradient = jax.vmap(jax.grad(lambda x: smoothed_log_density(x[None], _cloud, sigma=_noise)[0]))(_points)
    denoised = empirical_denoiser(_points, _cloud, sigma=_noise)
    wrong = {"the deviation for the variance": (denoised - _points) / _noise, "the denoiser itself": denoised}
    return Sides(left=gradient, right=denoiser_score(_points, denoised, sigma=_noise), wrong=wrong)


s = derivation.number("s", "a model of the score, at the point")
derivation.chain(
    "Matching the noise is matching the score",
    Expectation(w, times(half, (s - (y - x) / sigma**2) ** 2)),
    equals(
        plus(times(half, (s - Slope(log(q), x)) ** 2), times(half, Variance(w, y)) / sigma**4),
        prose(
            "the mean of {target} is the score, by the chain before, and {variance}",
            target=(y - x) / sigma**2,
            variance=holds(Variance(w, (y - x) / sigma**2), "=", Variance(w, y) / sigma**4),
        ),
        wrong={"without the noise that stays": times(half, (s - Slope(log(q), x)) ** 2)},
    ),
    uses=(tweedie,),
    so="Averaged over the noisy data, the left side is the loss that a network can be trained with, and the first term on the "
    "right the distance from the score, which no one knows. What they differ by does not contain the model.",
)

# ---------------------------------------------------------------------------------------------------- uphill

derivation.say("The denoiser moves every point uphill. How far, and does it arrive?")
to = derivation.number("x'", "another point")
bump_to = derivation.define(
    r"\phi'({})", exp(-((to - y) ** 2) / (2 * sigma**2)), "the same at another point", over=n, positive=True
)
w_to = derivation.define("w'({})", bump_to / Total(n, bump_to), "the weights there", over=n, law=True)
rise = plus((x - mean) ** 2, -((to - mean) ** 2)) / (2 * sigma**2)
derivation.chain(
    "Denoising climbs the density",
    plus(log(Total(n, bump_to)), -log(Total(n, bump))),
    equals(
        plus(Expectation(w, plus((x - y) ** 2, -((to - y) ** 2)) / (2 * sigma**2)), Expectation(w, log(w / w_to))),
        prose(
            "{same} for every $n$, and so with the primes; average over $w$",
            same=holds(log(Total(n, bump)), "=", plus(log(bump), -log(w))),
        ),
        wrong={
            "the divergence turned over": plus(
                Expectation(w, plus((x - y) ** 2, -((to - y) ** 2)) / (2 * sigma**2)), Expectation(w_to, log(w_to / w))
            )
        },
    ),
    at_least(
        Expectation(w, plus((x - y) ** 2, -((to - y) ** 2)) / (2 * sigma**2)),
        "leave out the divergence (Gibbs)",
        dropping=gibbs.at(w, w_to),
    ),
    equals(rise, r"both squares have the variance of $y$ next to the distance from $\hat x$, and it cancels"),
    so=prose(
        r"The right side is largest at {to}, where it is {most}. So one denoising raises $\log q$ by at least that, and its "
        "fixed points are where the score is 0: the iteration is known as mean shift.",
        to=where(to, mean),
        most=holds(rise, "=", (x - mean) ** 2 / (2 * sigma**2), named=True),
    ),
)
derivation.figure(
    prose(
        "Data on an arc (gray), and the best denoiser for noise of deviation 0.25, applied again and again. Left: points move "
        "uphill in the density of noisy data (shaded) to the arc, and then along it. Right: the log-density rises with every "
        "step, by {rise} at least, and most in the first step.",
        rise=holds(
            rise,
            "=",
            (x - mean) ** 2 / (2 * sigma**2),
            when={to: mean},
            named=True,
            wrong={"not halved": (x - mean) ** 2 / sigma**2},
        ),
    ),
    panels=2,
)(draw_climbs)


@derivation.bound(
    r"\log q(x) + \frac{\|x - \hat x\|^2}{2 \sigma^2} \le \log q(\hat x)",
    because="In three dimensions, at four points: the code's log-densities before and after one denoising. With a single datum "
    "it is tight: the step goes all the way.",
    role="remark",
)
def one_step_up():
    def sides(places, data, factor=1.0):
        def both(place):
            after = empirical_denoiser(place[None], data, sigma=_noise)
            moved = jnp.sum((place - after) ** 2) / (2 * _noise**2)
            return smoothed_log_density(place[None], data, sigma=_noise)[0] + factor * moved, smoothed_log_density(
                after, data, sigma=_noise
            )[0]

        return jax.vmap(both)(places)

    return BoundSides(
        sides=sides,
        points=(_points, _cloud),
        tight=(_points, _cloud[:1]),
        wrong={"the half forgotten": lambda places, data: sides(places, data, 2.0)},
    )


t = derivation.number("t", r"$1/\sigma^2$", positive=True)
r = derivation.number("r", "a point on the right", positive=True)
of_two = plus(exp(t * r), -exp(-t * r)) / plus(exp(t * r), exp(-t * r))
derivation.chain(
    "With little noise the best denoiser answers with the nearest datum",
    Limit(of_two, t, oo),
    equals(
        Limit(times(1 - exp(-2 * t * r), 1 / (1 + exp(-2 * t * r))), t, oo),
        r"the data are $-1$ and $1$, with the weights $e^{-tr}$ and $e^{tr}$ up to a factor; divide by $e^{tr}$",
    ),
    equals(1, r"$e^{-2tr}$ goes to 0"),
    role="remark",
    so="A perfect denoiser of little noise has memorized the data: it answers with the training datum that is nearest.",
)
derivation.chain(
    "With much noise the best denoiser answers with the mean of the data",
    Limit(of_two, t, 0),
    equals(0, "both weights go to one half"),
    role="remark",
)

# ---------------------------------------------------------------------------------------------------- as a penalty

derivation.say("What does noise do to a model that is too simple to compute the mean? For linear ones it can be said exactly.")
a = derivation.number("a", "the weight from a coordinate to itself")
b = derivation.number("b", "the weight from another coordinate")
x_1 = derivation.number("x_1", "a coordinate of a datum")
x_2 = derivation.number("x_2", "another one")
e_1 = derivation.number(r"\varepsilon_1", "the noise of the first coordinate", "noise")
e_2 = derivation.number(r"\varepsilon_2", "that of the other")


def _over_noise(body):
    return Expectation(Normal(e_1, 0, 1), Expectation(Normal(e_2, 0, 1), body))


guess = plus(a * x_1, b * x_2)
derivation.chain(
    "For a linear model Gaussian noise is a penalty of all weights",
    _over_noise(plus(times(a, x_1 + sigma * e_1), times(b, x_2 + sigma * e_2), -x_1) ** 2),
    equals(
        plus((guess - x_1) ** 2, times(sigma**2, plus(a**2, b**2))),
        "the noise has the mean 0 and the variance 1, and its coordinates are independent",
        wrong={"the standard deviation in place of the variance": plus((guess - x_1) ** 2, times(sigma, plus(a**2, b**2)))},
    ),
    so=r"Over all coordinates: $\|A x - x\|^2 + \sigma^2 \|A\|_F^2$ for a matrix $A$, and the second term is $\sigma^2$ times "
    "the squared norm of the Jacobian.",
    role="remark",
)
lam = derivation.number(r"\lambda", "the variance of the data along a direction", positive=True)
derivation.chain(
    "The best linear denoiser shrinks",
    plus(times(lam, (1 - a) ** 2), times(sigma**2, a**2)),
    equals(
        plus(lam * sigma**2 / (lam + sigma**2), times(lam + sigma**2, (a - lam / (lam + sigma**2)) ** 2)),
        "complete the square in the weight",
    ),
    at_least(
        lam * sigma**2 / (lam + sigma**2),
        prose("leave out the square; equality at {best}", best=where(a, lam / (lam + sigma**2))),
        dropping=times(lam + sigma**2, (a - lam / (lam + sigma**2)) ** 2),
    ),
    so=prose(
        "A direction with the variance of the noise is halved, {half}, and one of less variance keeps less. Nothing squeezes the "
        "code, and yet the model keeps the large directions, as a bottleneck does.",
        half=holds(lam / (lam + sigma**2), "=", half, when={lam: sigma**2}),
    ),
    role="remark",
)
p = derivation.number("p", "the probability with which an entry is left out", "probability", between=(0, 1))
target = derivation.number("T", "what is to be computed")


def _over_masks(of):
    """The mean of a function of two entries, each of which is 0 or x/(1 - p)."""
    one, two = x_1 / (1 - p), x_2 / (1 - p)
    return plus(times((1 - p) ** 2, of(one, two)), times(p * (1 - p), plus(of(one, 0), of(0, two))), times(p**2, of(0, 0)))


derivation.chain(
    "For a linear model masks are a penalty that is scaled by the data",
    _over_masks(lambda u, v: (a * u + b * v - target) ** 2),
    equals(
        plus((guess - target) ** 2, times(p / (1 - p), plus(a**2 * x_1**2, b**2 * x_2**2))),
        prose(
            "the four cases of what is kept, each entry with probability {kept} and divided by it, so that its mean is right; "
            "its variance is then {variance}",
            kept=1 - p,
            variance=holds(plus(times(1 - p, (x_1 / (1 - p)) ** 2), -(x_1**2)), "=", times(p / (1 - p), x_1**2), named=True),
        ),
        wrong={"the penalty not scaled by the data": plus((guess - target) ** 2, times(p / (1 - p), plus(a**2, b**2)))},
    ),
    so="The same is true of dropout. Weights of entries that are large pay more.",
    role="remark",
)


derivation.symbol("v", "the weights of several entries")
derivation.symbol("j", "an entry")


@derivation.exact(
    r"\mathbb{E}\left[(v \cdot \tilde x - T)^2\right] = (v \cdot x - T)^2 + \frac{p}{1 - p} \sum_j v_j^2 x_j^2",
    because="All masks of three entries, made by the code from uniforms on either side of $p$ and divided by $1 - p$. On the "
    "right nothing is masked.",
    outcomes=8,
    role="remark",
)
def every_mask():
    kept = np.array(list(itertools.product((False, True), repeat=3)))
    uniforms = np.where(kept, _left_out, _left_out / 2)  # exactly at the probability an entry is kept
    corrupted = corrupt_masking(jnp.broadcast_to(_entries, (8, 3)), uniforms, probability=_left_out) / (1 - _left_out)
    chance = np.prod(np.where(kept, 1 - _left_out, _left_out), axis=1)
    loss = (corrupted @ _weights - 1.0) ** 2
    penalty = np.sum(_weights**2 * _entries**2)
    clean = (_entries @ _weights - 1.0) ** 2
    wrong = {"the probability of keeping": clean + (1 - _left_out) / _left_out * penalty}
    return Sides(left=jnp.sum(chance * loss), right=clean + _left_out / (1 - _left_out) * penalty, wrong=wrong)


# ---------------------------------------------------------------------------------------------------- in numbers


@derivation.algorithm(
    "Training a denoiser, here the linear one with the weight $a$",
    do(r"take a datum $y$, draw $\varepsilon \sim \mathcal{N}(0, 1)$; $x \leftarrow y + \sigma \varepsilon$", corrupt_gaussian),
    do(r"$\hat x \leftarrow f(x)$, here $a x$", by=regression),
    do(r"a gradient step on $(\hat x - y)^2$", by=regression),
    do(r"after training, the score at $x$ is $(\hat x - x) / \sigma^2$", denoiser_score, by=tweedie),
)
def two_steps():
    weight = 0.0
    for datum, noise, moved in ((2.0, 1.0, "0.6"), (-1.0, -1.0, "0.56")):
        noisy = corrupt_gaussian(jnp.array([[datum]]), jnp.array([[noise]]), sigma=1.0)[0, 0]
        weight = weight - 2 * noisy * (weight * noisy - datum) / 20
        yield (
            rf"y = {datum:g}, \varepsilon = {noise:g}, \sigma = 1: \quad a \text{{ after a step of }} \tfrac1{{20}}",
            weight,
            moved,
        )
    yield r"\text{the score at } x = 1", denoiser_score(jnp.ones((1, 1)), jnp.full((1, 1), weight), sigma=1.0), "-0.44"


@derivation.example(
    r"The data are -1 and 1, the noise has the deviation 1, and 0.5 was seen. The weights are in the ratio $e^{-0.5} : e^{0.5}$, "
    r"so the best guess is $\tanh 0.5$. With half the deviation it is $\tanh 2$. Then one row under both other corruptions, with "
    "uniforms 0.1, 0.3, 0.5 and 0.9 and a probability of 0.5."
)
def by_hand():
    two, place = jnp.array([[-1.0], [1.0]]), jnp.array([[0.5]])
    yield r"\hat x", empirical_denoiser(place, two, sigma=1.0)[0, 0], "0.4621"
    yield r"\tanh \frac12", value(tanh(half), {}), "0.4621"
    yield r"\text{score}", denoiser_score(place, empirical_denoiser(place, two, sigma=1.0), sigma=1.0)[0, 0], "-0.0379"
    yield r"\sigma = \frac12: \quad \hat x", empirical_denoiser(place, two, sigma=0.5)[0, 0], "0.9640"
    yield (
        r"\sigma = \frac12: \quad \text{score}",
        denoiser_score(place, empirical_denoiser(place, two, sigma=0.5), sigma=0.5)[0, 0],
        "1.8561",
    )
    row, uniforms = jnp.full((1, 4), 0.7), jnp.array([[0.1, 0.3, 0.5, 0.9]])
    yield r"\text{masked}", corrupt_masking(row, uniforms, probability=0.5)[0], "(0.0000, 0.0000, 0.7000, 0.7000)"
    peppered = corrupt_salt_and_pepper(row, uniforms, probability=0.5)
    yield r"\text{salt and pepper}", peppered[0], "(0.0000, 1.0000, 0.7000, 0.7000)"
