"""Activation normalization: one example at a time.

The lecture on the functions of theory_jax/flows/actnorm.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, pi, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Product, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.actnorm import forward, initialize, inverse
from theory_jax.flows.change_of_variables import standard_normal_log_prob
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Activation normalization: one example at a time",
    sources=(
        "Kingma & Dhariwal 2018, Glow: Generative flow with invertible 1x1 convolutions",
        "Ioffe & Szegedy 2015, Batch normalization",
    ),
    question="Deep flows whose activations grow or vanish from layer to layer train badly. Batch normalization mends that, "
    "but makes the output of an example depend on the others. Which normalization keeps a density for each example, and in "
    "which sense is its start the best?",
    setting=(
        r"$x$ has $C$ channels and $N$ positions. The layer computes $z$, which is $(x + b_c) e^{\ell_c}$ in channel $c$, "
        r"with the same $b_c$ and $\ell_c$ for all examples and positions. Forward is the way from data to noise.",
        r"At the start $b$ and $\ell$ are computed from a batch; then they are parameters like others. $\mu$ and $v$ are the "
        "mean and the variance of the $n$ values of a channel in the batch, the variance divided by $n$. No channel is "
        "constant, so $v$ is positive.",
        "The noise is standard normal, and the loss is the mean of $-\\log p$ over the batch.",
    ),
    limits=(
        "That the start remains good after the first step, or inside a deep flow, where the layers behind it are no Gaussian.",
    ),
    trained="A layer. `flows/multiscale` trains it.",
)

c = derivation.index("c", "a channel")
o = derivation.index("o", "a position")
N = derivation.count(o, "N", "the number of positions")
ell = derivation.numbers(r"\ell", c, "the log-scale of a channel", "log_scale")
log_det = log(Product(c, Product(o, exp(ell))))
counted = derivation.chain(
    "The log-determinant counts every position",
    log_det,
    equals(
        Total(c, Total(o, ell)),
        r"the Jacobian of one example is diagonal: it has $e^{\ell_c}$ at each of its positions",
        wrong={"the mean over the positions": Total(c, ell)},
    ),
    equals(times(N, Total(c, ell)), "the log-scale is the same at all positions", wrong={"the sign": -times(N, Total(c, ell))}),
    role="lemma",
    states=2,
    so="It does not depend on the example. The way back, $z e^{-\\ell_c} - b_c$, has the opposite one.",
)

i = derivation.index("i", "a value of one channel in the batch")
n = derivation.count(i, "n", "how many there are")
x = derivation.numbers("x", i, "the values", "x")
mu = derivation.define(r"\mu", Total(i, x) / n, "their mean", "-shift of initialize")
j = derivation.index("j", "a value of the channel")
v = derivation.define("v", Total(j, (x.at(j) - mu) ** 2) / n, "their variance", "exp(-2 log_scale) of initialize", positive=True)
b = derivation.number("b", "the shift of the channel", "shift")
l = derivation.number(r"\ell", "its log-scale", "log_scale")  # noqa: E741 (the lecture's letter)
loss = plus(Total(i, ((x + b) * exp(l)) ** 2) / (2 * n), log(2 * pi) / 2, -l)
square = times(Rational(1, 2), exp(2 * l) * (mu + b) ** 2)
derivation.answer = prose(
    "The Jacobian of one example is diagonal, so its log-determinant is {log_det}. The start {shift}, {scale} from the mean "
    "and the variance of the first batch is the unique minimum of the loss for this layer alone, {least} for each position "
    "and channel, unless a channel is constant. Batch normalization, as a map of the batch, is not invertible: two "
    "directions of every channel are lost.",
    log_det=holds(log_det, "=", times(N, Total(c, ell)), named=True, wrong={"the positions forgotten": Total(c, ell)}),
    shift=where(b, -mu),
    scale=where(l, -log(v) / 2),
    least=holds(loss, "=", times(Rational(1, 2), plus(1, log(2 * pi), log(v))), named=True),
)
best_start = derivation.chain(
    "The statistics of the batch are the best start",
    loss,
    equals(
        plus(times(Rational(1, 2), exp(2 * l) * v), square, log(2 * pi) / 2, -l),
        prose(
            "the mean square of $x + b$ is the variance plus the squared mean, {second}",
            second=holds(Total(i, (x + b) ** 2) / n, "=", plus(v, (mu + b) ** 2), named=True),
        ),
    ),
    equals(
        plus(
            times(Rational(1, 2), plus(1, log(2 * pi), log(v))),
            square,
            times(Rational(1, 2), plus(exp(2 * l) * v - 1, -log(exp(2 * l) * v))),
        ),
        r"add and subtract $\frac12 + \frac12 \log v$",
    ),
    at_least(
        times(Rational(1, 2), plus(1, log(2 * pi), log(v))),
        prose(
            r"leave out a square and $\tau - 1 - \log \tau$ at {ratio}; equality if and only if {shift} and {scale}",
            ratio=times(exp(2 * l), v),
            shift=where(b, -mu),
            scale=where(l, -log(v) / 2),
        ),
        dropping=plus(square, times(Rational(1, 2), tangent.at(exp(2 * l) * v))),
    ),
    central=True,
    states=2,
    so=r"The left side is the loss of one position of one channel. Its minimum is the entropy $\frac12 \log 2\pi e v$ of the "
    r"Gaussian with the channel's mean and variance, and goes to $-\infty$ with $v$: a constant channel has no finite start.",
)
derivation.chain(
    "After the start the base term is known",
    plus(Total(i, ((x - mu) * exp(-log(v) / 2)) ** 2) / (2 * n), log(2 * pi) / 2),
    equals(
        plus(Rational(1, 2), log(2 * pi) / 2),
        prose(
            "the standardized values have the mean square 1, {second}",
            second=holds(Total(i, ((x - mu) * exp(-log(v) / 2)) ** 2) / n, "=", 1),
        ),
        wrong={"the variance divided by n - 1": plus((n - 1) / (2 * n), log(2 * pi) / 2)},
    ),
    states=2,
    so=r"An example has $CN$ values, so the mean of $-\log \mathcal{N}(z; 0, I)$ over the batch is $\frac{CN}{2} \log 2\pi e$ "
    r"whatever the data are. All that depends on them is "
    r"in the log-determinant.",
)

derivation.say(
    r"Batch normalization computes the same $(x_i - \mu)/\sqrt v$, here $z_i$, in every step of training, with $\mu$ and $v$ "
    "of the batch at hand. As a map of the whole batch it has a Jacobian, too."
)
for letter, meaning in (
    ("J_{ij}", r"the derivative of $z_i$ by $x_j$ under batch normalization"),
    (r"\delta_{ij}", "1 where both indices are the same, else 0"),
    ("z_i, z_j", "the normalized values"),
):
    derivation.symbol(letter, meaning)
_VALUES = np.array([0.3, -1.2, 2.0, 0.7, -0.4])


def _batch_norm(values):
    centered = values - jnp.mean(values)
    return centered / jnp.sqrt(jnp.mean(centered**2))


def _formula(power=1, correlated=1.0):
    z, size = _batch_norm(_VALUES), len(_VALUES)
    return (np.eye(size) - 1 / size - correlated * np.outer(z, z) / size) / np.std(_VALUES) ** power


@derivation.autodiff(
    r"J_{ij} = \frac{1}{\sqrt v} \left(\delta_{ij} - \frac1n - \frac{z_i z_j}{n}\right)",
    because=prose(
        "The quotient rule, with {of_mean} and {of_variance}. Five values.",
        of_mean=holds(Slope(mu, x.at(j)), "=", 1 / n),
        of_variance=holds(Slope(v, x.at(j)), "=", times(2, x.at(j) - mu) / n),
    ),
    role="lemma",
)
def batch_normalization():
    wrong = {"the variance held": _formula(correlated=0.0), "divided by the variance": _formula(power=2)}
    return Sides(left=jax.jacobian(_batch_norm)(_VALUES), right=_formula(), wrong=wrong)


@derivation.numeric(
    r"\sum_j J_{ij} = 0, \quad \sum_j J_{ij} z_j = 0, \quad \sqrt v \sum_i J_{ii} = n - 2",
    because=prose(
        r"{sum} and {squares}: adding a constant to all values, or stretching them about their mean, changes nothing. $\sqrt "
        "v J$ is a projection onto the other $n - 2$ directions, and the determinant is 0.",
        sum=holds(Total(j, (x.at(j) - mu) / sqrt(v)), "=", 0),
        squares=holds(Total(j, (x.at(j) - mu) ** 2 / v), "=", n),
    ),
)
def two_directions_are_lost():
    jacobian, z = jax.jacobian(_batch_norm)(_VALUES), _batch_norm(_VALUES)
    root = np.std(_VALUES)
    found = np.concatenate(
        [1 + jacobian.sum(1), 1 + jacobian @ z, [root * np.trace(jacobian)], 1 + np.linalg.eigvalsh(root * jacobian)]
    )
    wanted = np.concatenate([np.ones(10), [3.0], [1, 1, 2, 2, 2]])
    return Sides(left=found, right=wanted, wrong={"one direction": np.concatenate([np.ones(10), [4.0], [1, 2, 2, 2, 2]])})


derivation.say(
    "So a batch under batch normalization has no density in the sense of a change of variables, and one example has no map of "
    "its own. With statistics that are frozen it is the layer of this page."
)
at = derivation.number("y", "a value of a channel")
derivation.bridge(
    "The code shifts, then scales",
    ((at + b) * exp(l), None),
    forward,
    x=[[at]],
    shift=[b],
    log_scale=[l],
    wrong={"scaled first": (at * exp(l) + b, None)},
)
derivation.bridge(
    "... and back",
    (at * exp(-l) - b, None),
    inverse,
    z=[[at]],
    shift=[b],
    log_scale=[l],
    wrong={"shifted first": ((at - b) * exp(-l), None)},
)
derivation.bridge(
    "... with the log-determinant of all positions, here six",
    (None, 6 * Total(c, ell)),
    forward,
    x=jnp.zeros((1, 4, 2, 3)),
    shift=jnp.zeros(4),
    log_scale=ell,
)
derivation.bridge(
    "... and starts from the mean and the variance divided by their number",
    (-mu, -log(v) / 2),
    initialize,
    x=[[x.at(number)] for number in range(4)],
    wrong={"the mean's sign": (mu, None), "the variance divided by one less": (None, -log(v * n / (n - 1)) / 2)},
)

_BATCH = np.array([[[1.0, 3.0]], [[5.0, 7.0]]])


def _loss(parameters, batch):
    z, log_det = forward(batch, *parameters)
    return -jnp.mean(standard_normal_log_prob(z) + log_det) / 2  # for each of two positions


@derivation.algorithm(
    "The start of a layer, and its training",
    do(
        r"with the first batch, in every channel: $b_c \leftarrow -\mu$, $\ell_c \leftarrow -\frac12 \log v$",
        initialize,
        by=best_start,
    ),
    do(
        r"for every example: $z \leftarrow (x + b_c) e^{\ell_c}$, with the log-determinant $N \sum_c \ell_c$", forward, by=counted
    ),
    do(r"a gradient step in $b_c$ and $\ell_c$ on $-\log p$, for the mean of the batch", by=best_start),
    do(r"to sample: $x \leftarrow z e^{-\ell_c} - b_c$", inverse, by=counted),
)
def a_start_and_a_step():
    parameters, later = initialize(_BATCH), _BATCH + 1
    yield r"\text{first batch } (1, 3), (5, 7): \quad (b, \ell)", jnp.ravel(jnp.stack(parameters)), "(-4, -0.8047)"
    yield r"\text{next batch } (2, 4), (6, 8): \quad z", forward(later, *parameters)[0].ravel(), "(-0.8944, 0, 0.8944, 1.7889)"
    slopes = jax.grad(_loss)(parameters, later)
    yield r"\text{slopes}", jnp.ravel(jnp.stack(slopes)), "(0.2, 0.2)"
    moved = [parameter - slope / 2 for parameter, slope in zip(parameters, slopes, strict=True)]
    yield r"(b, \ell) \text{ after a step of } \tfrac12", jnp.ravel(jnp.stack(moved)), "(-4.1, -0.9047)"
    yield r"z = 0: \quad x", inverse(jnp.zeros((1, 1, 1)), *moved)[0].ravel(), "4.1"


@derivation.example("One channel, two examples of two positions, (1, 3) and (5, 7): mean 4 and variance 5.")
def two_examples():
    shift, log_scale = initialize(_BATCH)
    z, log_det = forward(_BATCH, shift, log_scale)
    base = -float(jnp.mean(standard_normal_log_prob(z)))
    yield r"\ell = -\tfrac12 \log 5", log_scale, "-0.8047"
    yield r"z", z.ravel(), "(-1.3416, -0.4472, 0.4472, 1.3416)"
    yield r"\log |\det J| \text{ of each example}", log_det[0], "-1.6094"
    yield r"\text{base term} = \log 2\pi e", base, "2.8379"
    yield r"\text{loss} = \log(2\pi e \cdot 5)", base - log_det[0], "4.4473"


@derivation.figure(
    "Left: the loss of the example over shift and log-scale, in nats above the least; the cross is the start. Right: the loss "
    "along the log-scale at the best shift. A log-scale that is too large costs exponentially.",
    panels=2,
)
def the_loss(plane, line):
    shifts, scales = np.linspace(-8, 0, 61), np.linspace(-2, 0.2, 61)
    grid = np.stack(np.meshgrid(shifts, scales))
    above = np.exp(2 * grid[1]) * (5 + (4 + grid[0]) ** 2) - 2 * grid[1] - 1 - np.log(5)
    plane.contour(shifts, scales, above, levels=[0.05, 0.2, 0.5, 1, 2, 4, 8])
    shift, log_scale = initialize(_BATCH)
    plane.plot(shift, log_scale, "x", color="C1")
    plane.set(xlabel="shift $b$", ylabel=r"log-scale $\ell$")
    line.plot(scales, 5 * np.exp(2 * scales) - 2 * scales - 1 - np.log(5))
    line.set(xlabel=r"log-scale $\ell$", ylabel="nats above the least")
