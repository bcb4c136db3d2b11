"""Spectral normalization: a Lipschitz critic for one product of a matrix and a vector a step.

The lecture on the functions of theory_jax/adversarial/spectral_normalization.py.
"""

import jax
import jax.numpy as jnp
from sympy import KroneckerDelta, Max, cos, pi, sign, sin, sqrt

from theory_jax.adversarial.spectral_normalization import (
    lipschitz_bound,
    power_iteration,
    spectral_norm,
    spectral_norm_estimate,
    spectral_normalize,
)
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import BoundSides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._spectra import START, WEIGHT, against, draw_spectra, estimate_of_two, networks, rotation

derivation = Derivation(
    module=__name__,
    title="Spectral normalization: a Lipschitz critic for one product of a matrix and a vector a step",
    lectures=(9,),
    sources=(
        "Miyato, Kataoka, Koyama & Yoshida 2018, Spectral Normalization for Generative Adversarial Networks",
        "Golub & Van Loan 2013, Matrix Computations, sections 2.4 and 8.2",
        "Sedghi, Gupta & Long 2019, The Singular Values of Convolutional Layers",
        "Tsuzuku, Sato & Sugiyama 2018, Lipschitz-Margin Training",
    ),
    question="A critic of unlimited slope gives its generator useless gradients. Clipping the weights limits it crudely, and a "
    "gradient penalty costs a second derivative and holds only where it is evaluated. Can the weights be rescaled so that no "
    "layer stretches, and what does this do to the gradient?",
    setting=(
        r"A weight $W$ is the sum of the $\sigma_k\, u_k v_k^\top$ with orthonormal $u_k$, orthonormal $v_k$ and positive "
        r"singular values $\sigma_k$, numbered from 0 by falling size. The statements about components hold for any number of "
        "them; where the matrix itself appears, it is 2 by 2, and every basis of the plane is, up to signs, a rotation of the "
        "axes.",
        r"The norm of $W$ is the largest $|Wh| / |h|$. One iteration is $v \leftarrow W^\top u / |W^\top u|$, $u \leftarrow Wv / "
        r"|Wv|$; the estimate $\hat\sigma$ is $u^\top W v$, and the weight that is used is $W / \hat\sigma$ with $u$ and $v$ "
        "constants.",
        r"The iteration starts from a $u$ that is not orthogonal to $u_0$. Derivatives assume that $\sigma_1$ is below "
        r"$\sigma_0$.",
    ),
    limits=(
        "The product of norms is seldom attained: a network is usually much less steep than its bound.",
        "A largest singular value that occurs twice: there the norm has no derivative.",
        "For convolutions: zero padding, strides and several channels. There the flattened kernel's norm bounds the "
        "convolution's from both sides, with a larger factor.",
        "That a critic of this kind trains better: that is measured in the experiment.",
    ),
)

k = derivation.index("k", "a singular value")
l = derivation.index("l", "a singular value, next to $k$")  # noqa: E741 (the lecture's letter)
i, j = derivation.index("i", "a row of the weight"), derivation.index("j", "a column")
sigma = derivation.numbers(r"\sigma", k, "the singular values", "svd(weight)", positive=True)
alpha = derivation.number(r"\alpha", "the tangent of half the angle by which the $u_k$ are rotated")
beta = derivation.number(r"\beta", "... and the $v_k$")
u = derivation.define("u", rotation(alpha, i, k), "entry $i$ of $u_k$", over=(i, k))
v = derivation.define("v", rotation(beta, j, k), "entry $j$ of $v_k$", over=(j, k))
W = derivation.define("W", Total(k, sigma * u * v), "the weight", "weight", over=(i, j))
c = derivation.numbers("c", k, "the components of a vector $h$ along the $v_k$")
h = derivation.define("h", Total(k, c * v), "the vector", over=j)
square = derivation.chain(
    "A matrix stretches every component by its singular value",
    SquaredNorm(i, Total(j, W * h)),
    equals(
        SquaredNorm(i, Total(k, sigma * c * u)),
        prose("{component}, since the $v_k$ are orthonormal", component=holds(Total(j, v * h), "=", c)),
    ),
    equals(Total(k, sigma**2 * c**2), "Pythagoras: the $u_k$ are orthonormal"),
    states=2,
    role="lemma",
    so=prose("In the same way {length}.", length=holds(SquaredNorm(j, h), "=", Total(k, c**2))),
)
smaller = derivation.assume(
    "No singular value is larger than the first",
    sigma.at(0) ** 2 - sigma**2,
    example={sigma: (3, 1)},
    wrong={"than the second": sigma.at(1) ** 2 - sigma**2},
)
derivation.chain(
    "The norm of a matrix is its largest singular value",
    Total(k, sigma**2 * c**2),
    equals(
        plus(sigma.at(0) ** 2 * Total(k, c**2), -Total(k, (sigma.at(0) ** 2 - sigma**2) * c**2)),
        r"add and subtract $\sigma_0^2$ in every term",
    ),
    at_most(
        times(sigma.at(0) ** 2, Total(k, c**2)),
        prose(
            "leave out what is never negative, and {zero} for multiples of $v_0$",
            zero=holds(Total(k, smaller.expression * c**2), "=", 0, when={c: KroneckerDelta(k, 0)}, named=True),
        ),
        adding=Total(k, smaller.at() * c**2),
    ),
    so=r"So $W$ makes no vector longer than $\sigma_0$ times its length. The Frobenius norm, $\sqrt{\sum_k \sigma_k^2}$, is a "
    "bound, too, but no layer attains it unless its rank is 1.",
)
derivation.bridge(
    "The code computes the norm",
    Max(sigma.at(0), sigma.at(1)),
    spectral_norm,
    weight=W,
    states=2,
    wrong={"the Frobenius norm": sqrt(Total(k, sigma**2)), "the trace norm": Total(k, sigma)},
)

derivation.say(
    r"Now the estimate. Let $a_k$ be the components, along the $u_k$, of the $u$ with which an iteration starts. $W^\top$ "
    r"multiplies them by $\sigma_k$, and so does $W$."
)
a = derivation.numbers("a", k, "the components of $u$, positive by the choice of the signs of the $u_k$", "u", positive=True)
w = derivation.define(
    "w",
    sigma**2 * a**2 / Total(l, sigma.at(l) ** 2 * a.at(l) ** 2),
    r"the squared components of $v$, which is $W^\top u / |W^\top u|$",
    "v**2",
    over=k,
    law=True,
)
estimate = derivation.define(r"\hat\sigma^2", Expectation(w, sigma**2), "the square of the estimate", "spectral_norm_estimate**2")
derivation.chain(
    "The square of the estimate is a mean of squared singular values, so the estimate is never too large",
    Total(k, sigma**4 * a**2) / Total(k, sigma**2 * a**2),
    equals(
        estimate,
        r"the new $u$ is $Wv/|Wv|$, so the estimate is $|Wv|$, that is $|W W^\top u| / |W^\top u|$ of the old $u$",
        wrong={"with the weights of the start": Total(k, a**2 * sigma**2) / Total(k, a**2)},
    ),
    equals(plus(sigma.at(0) ** 2, -Expectation(w, sigma.at(0) ** 2 - sigma**2)), "a constant is its own mean"),
    at_most(
        sigma.at(0) ** 2,
        "leave out what is never negative, and zero if and only if $v$ has no component of another value",
        adding=Expectation(w, smaller.at()),
    ),
    uses=(square,),
    role="lemma",
)
fourth = derivation.define("Z", Expectation(w, sigma**4), "the sum by which the next weights are divided", positive=True)
w_next = derivation.define("w'", w * sigma**4 / fourth, "the squared components after the next iteration", over=k, law=True)
derivation.chain(
    "The next iteration multiplies the weights by the fourth powers",
    sigma**2 * (sigma**2 * a) ** 2 / Total(l, sigma.at(l) ** 2 * (sigma.at(l) ** 2 * a.at(l)) ** 2),
    equals(w_next, r"the new $u$ has the components $\sigma_k^2 a_k$, up to a factor that cancels"),
    role="lemma",
)
p = derivation.law("p", k, r"weights $w$, of which nothing is used but that they are positive and sum to one")
n = derivation.number("n", "the number of further iterations", positive=True)
rho = derivation.define(r"\rho", (sigma / sigma.at(0)) ** 4, "the fourth power of a ratio", over=k, positive=True)
left = derivation.define("Z_n", Total(k, p * rho**n), "the sum of the weights that are left", positive=True)
error = plus(sigma.at(0) ** 2, -Total(k, p * rho**n * sigma**2) / left)
central = derivation.chain(
    "The error falls like the fourth power of the ratio",
    error,
    equals(
        times(Total(k, p * rho**n * (sigma.at(0) ** 2 - sigma**2)), 1 / left),
        r"the lemma $n$ times: the weights are $p_k \rho_k^n / Z_n$; a constant is its own mean",
    ),
    at_most(
        times(Total(k, p * rho**n * (sigma.at(0) ** 2 - sigma**2)), 1 / p.at(0)),
        prose("{least}, since {one}", least=holds(left, ">", p.at(0)), one=holds(rho.at(0), "=", 1)),
        adding=times(
            Total(k, p * rho**n * smaller.at()), Total(k, (1 - KroneckerDelta(k, 0)) * p * rho**n), 1 / (left * p.at(0))
        ),
    ),
    central=True,
    so=prose(
        "The first term is zero. The others fall by the factor {factor} an iteration, the slowest by {slowest}. A weight that "
        "moves a little at every step needs one iteration a step, if $u$ is kept from step to step.",
        factor=holds(rho ** (n + 1) / rho**n, "=", (sigma / sigma.at(0)) ** 4, named=True),
        slowest=(sigma.at(1) / sigma.at(0)) ** 4,
    ),
)
derivation.chain(
    "With two singular values the ratio of both errors falls by exactly the fourth power",
    plus(sigma.at(0) ** 2, -Expectation(w_next, sigma**2)) / plus(Expectation(w_next, sigma**2), -(sigma.at(1) ** 2)),
    equals(w_next.at(1) / w_next.at(0), r"the mean of two numbers divides their distance by the weights"),
    equals(
        times((sigma.at(1) / sigma.at(0)) ** 4, w.at(1) / w.at(0)),
        "the lemma on the weights",
        wrong={"the second power": times((sigma.at(1) / sigma.at(0)) ** 2, w.at(1) / w.at(0))},
    ),
    states=2,
    role="remark",
)
derivation.bridge(
    "The code computes the estimate, here after two iterations",
    sqrt(Expectation(w_next, sigma**2)),
    estimate_of_two,
    components=a,
    values=sigma,
    calls=(power_iteration, spectral_norm_estimate),
    wrong={"after one iteration": sqrt(estimate)},
)

derivation.say(
    "The gradient. First the norm's own: along any smooth path of weights, given by its singular values and two angles as "
    "functions of the time $t$."
)
t = derivation.number("t", "the time")
first, second = derivation.function("f", "the largest singular value"), derivation.function("g", "the other singular value")
turn_u = derivation.function(r"\theta", "the tangent of half the first angle as a function of time")
turn_v = derivation.function(r"\vartheta", "... and of half the second")
moving_u = derivation.define("u({},{})", rotation(turn_u(t), i, k), "$u_k$ at that time", over=(i, k))
moving_v = derivation.define("v({},{})", rotation(turn_v(t), j, k), "$v_k$ at that time", over=(j, k))
values_then = first(t) * KroneckerDelta(k, 0) + second(t) * (1 - KroneckerDelta(k, 0))
moving = derivation.define("W({},{})", Total(k, values_then * moving_u * moving_v), "the weight at that time", over=(i, j))
top_u, top_v = moving_u.at(i, 0), moving_v.at(j, 0)
along = Total(i, Total(j, top_u * top_v * Slope(moving, t)))
slope_of_norm = derivation.chain(
    "The slope of the norm is the product of the first singular vectors",
    Slope(Total(i, Total(j, top_u * moving * top_v)), t),
    equals(
        plus(along, Total(i, Total(j, Slope(top_u, t) * moving * top_v)), Total(i, Total(j, top_u * moving * Slope(top_v, t)))),
        "the product rule",
    ),
    equals(
        plus(along, times(first(t), plus(Total(i, Slope(top_u, t) * top_u), Total(j, top_v * Slope(top_v, t))))),
        prose(
            "{right} and {left}",
            right=holds(Total(j, moving * top_v), "=", first(t) * top_u),
            left=holds(Total(i, top_u * moving), "=", first(t) * top_v),
        ),
    ),
    equals(
        along,
        prose("a unit vector turns at right angles to itself: {zero}", zero=holds(Total(i, top_u * Slope(top_u, t)), "=", 0)),
    ),
    states=2,
    so=prose(
        "The first line is the slope of the largest singular value, {value}. So the gradient of the norm by the weight is $u_0 "
        r"v_0^\top$: it does not matter that the vectors move.",
        value=holds(Total(i, Total(j, top_u * moving * top_v)), "=", first(t)),
    ),
    role="lemma",
)
A = derivation.numbers("A", (i, j), "any weight", "weight")
y, z = derivation.numbers("y", i, "the vector $u$ that is kept", "u"), derivation.numbers("z", j, "... and $v$", "v")
G = derivation.numbers("G", (i, j), r"the slope of the loss by the normalized weight $A / \hat s$")
m, o = derivation.index("m", "the row of the weight that is moved"), derivation.index("o", "its column")
kept = derivation.define(
    r"\hat s", Total(i, Total(j, y * A * z)), "the estimate from them, which is assumed to be positive", "spectral_norm_estimate"
)
loss = Total(i, Total(j, G * A)) / kept
gradient = plus(G.at(m, o) / kept, -Total(i, Total(j, G * A)) * y.at(m) * z.at(o) / kept**2)
derivation.answer = prose(
    "The norm is the largest singular value. Power iteration estimates it from below; the error of the square after $n$ "
    "further iterations, {error}, falls in the long run at least by the factor {ratio} an iteration, if the start has a part "
    "along $u_0$. A network of 1-Lipschitz activations and weights of norm 1 is 1-Lipschitz. The gradient through the "
    "division, {back}, has no part along the weight: it never changes the scale that is divided out.",
    error=holds(error, "=", Total(k, p * rho**n * (sigma.at(0) ** 2 - sigma**2)) / left, named=True),
    ratio=(sigma.at(1) / sigma.at(0)) ** 4,
    back=holds(Slope(loss, A.at(m, o)), "=", gradient, named=True),
)
back = derivation.chain(
    "The gradient through the division has a second part, along the product of both vectors",
    Slope(loss, A.at(m, o)),
    equals(
        gradient,
        prose(
            "the quotient rule, with {slope} for constant vectors; by the last lemma this is the whole derivative once the "
            "iteration has converged",
            slope=holds(Slope(kept, A.at(m, o)), "=", y.at(m) * z.at(o)),
        ),
        wrong={
            "not squared": plus(G.at(m, o) / kept, -Total(i, Total(j, G * A)) * y.at(m) * z.at(o) / kept),
            "the vectors exchanged": plus(G.at(m, o) / kept, -Total(i, Total(j, G * A)) * z.at(m) * y.at(o) / kept**2),
        },
    ),
    states=2,
    role="lemma",
)
derivation.chain(
    "The gradient through the division never changes the scale of the weight",
    Total(m, Total(o, A.at(m, o) * Slope(loss, A.at(m, o)))),
    equals(
        times(Total(i, Total(j, G * A)) / kept, plus(1, -Total(m, Total(o, y.at(m) * A.at(m, o) * z.at(o))) / kept)),
        r"the inner product of both terms with $A$",
    ),
    equals(0, r"the definition of $\hat s$"),
    states=2,
    so="A step of gradient descent is at right angles to the weight, so the weight grows; the layer that is used does not, and "
    r"its steps get smaller. With several examples $\langle G, A \rangle u v^\top / \hat s^2$ is a penalty on the direction in "
    "which the layer stretches most, with a weight that the loss itself sets.",
)
derivation.bridge(
    "The code computes the normalized weight",
    A / kept,
    spectral_normalize,
    weight=sign(kept) * A,
    u=y,
    v=z,
    wrong={"the norm of the vectors too": A / kept**2, "multiplied": A * kept},
)
derivation.bridge(
    "... and its gradient",
    sign(kept) * gradient,
    against,
    weight=sign(kept) * A,
    direction=G,
    u=y,
    v=z,
    slope="weight",
    calls=(spectral_normalize,),
)


derivation.say("From one layer to a network, and from a matrix to a convolution.")
act = derivation.function(r"\phi", "a 1-Lipschitz activation, such as a leaky rectifier")
e, d = derivation.numbers("e", k, "the inputs of a layer of activations"), derivation.numbers("d", k, "other inputs")
number_1, number_2 = derivation.number("e'", "a number"), derivation.number("d'", "another number")
lipschitz = derivation.assume(
    "The activation is 1-Lipschitz",
    (number_1 - number_2) ** 2 - (act(number_1) - act(number_2)) ** 2,
    number_1,
    number_2,
    example={act: lambda number: sin(number)},
    wrong={"half as far apart": (number_1 - number_2) ** 2 / 4 - (act(number_1) - act(number_2)) ** 2},
)
derivation.chain(
    "Activations do not stretch",
    SquaredNorm(k, act(e) - act(d)),
    at_most(SquaredNorm(k, e - d), "the assumption, in every coordinate", adding=Total(k, lipschitz.at(e, d))),
    so="Layer after layer, two outputs are at most as far apart as the inputs, times the product of the layers' norms.",
    role="lemma",
)
derivation.symbol("F(x)", "the output of the network")
derivation.symbol(r"\Lambda", "the product of the largest singular values of its layers", "lipschitz_bound")
b = derivation.numbers("b", k, "the weights of a last layer with one output")
derivation.bridge(
    "The code's bound, of the layer $W$ and a last layer with one output",
    times(Max(sigma.at(0), sigma.at(1)), sqrt(SquaredNorm(k, b))),
    lipschitz_bound,
    weights=(W, [b]),
    states=2,
    wrong={
        "the Frobenius norms": sqrt(times(Total(k, sigma**2), SquaredNorm(k, b))),
        "the sum": plus(Max(sigma.at(0), sigma.at(1)), sqrt(SquaredNorm(k, b))),
    },
)


@derivation.bound(
    r"|F(x) - F(x')| \le \Lambda\, |x - x'|",
    because="Three layers with leaky rectifiers, at 100 random networks and pairs. Equality: diagonal layers, for which the "
    "first directions meet, and inputs on their positive side.",
)
def a_network_is_no_steeper_than_its_bound():
    sides, half, points, tight = networks()
    return BoundSides(sides=sides, points=points, tight=tight, wrong={"half the bound": half})


taps = derivation.numbers(r"\kappa", k, "the weights of a kernel of one channel")
omega = derivation.number(r"\omega", "a frequency")
K = derivation.count(k, "K", "the length of the kernel")
answer = derivation.define(
    r"|\hat\kappa(\omega)|^2",
    Total(k, taps * cos(omega * k)) ** 2 + Total(k, taps * sin(omega * k)) ** 2,
    "the square of the factor by which a circular convolution multiplies the wave of that frequency",
)
_pair = [(taps * wave(omega * k) - taps.at(l) * wave(omega * l)) ** 2 for wave in (cos, sin)]
differences = Total(k, Total(l, sum(_pair) / 2))
derivation.chain(
    "A convolution can stretch more than its flattened kernel",
    answer,
    equals(plus(K * SquaredNorm(k, taps), -differences), "Lagrange's identity for sums of vectors in the plane"),
    at_most(
        times(K, SquaredNorm(k, taps)),
        prose(
            r"leave out squares; equality if and only if all $K$ vectors $\kappa_k (\cos \omega k, \sin \omega k)$ are equal, "
            "for instance at {zero} with {same}",
            zero=where(omega, 0),
            same=where(taps, taps.at(0)),
        ),
        adding=differences,
    ),
    so=r"A circular convolution is diagonal in these waves, so its norm is the largest $|\hat\kappa(\omega)|$; the kernel, as a "
    r"matrix with one row, has the norm $|\kappa|$. Normalized by that, a layer may still stretch by $\sqrt K$.",
    role="remark",
)
derivation.chain(
    "A convolution's norm is at least that of its flattened kernel",
    Total(l, (Total(k, taps * cos(pi * l * k / 4)) ** 2 + Total(k, taps * sin(pi * l * k / 4)) ** 2) / 8),
    equals(SquaredNorm(k, taps), "Parseval: the mean over the eight frequencies of a circle of eight positions"),
    sizes={l: 8},
    so="A largest value is at least the mean.",
    role="remark",
)


@derivation.algorithm(
    "A step with spectral normalization (algorithm 1 of the source)",
    do(r"$v \leftarrow W^\top u / |W^\top u|$, $u \leftarrow W v / |W v|$ (once; $u$ is kept)", power_iteration, by=central),
    do(r"$\hat\sigma \leftarrow u^\top W v$", spectral_norm_estimate, by=central),
    do(r"use the weight $W / \hat\sigma$ in the layer, with $u$ and $v$ as constants", spectral_normalize, by=slope_of_norm),
    do("step $W$ down the gradient of the loss through this division", by=back),
)
def two_steps():
    weight, u = WEIGHT, START
    start = r"W = \begin{pmatrix} 3 & 0 \\ 4 & 5 \end{pmatrix}, \text{ loss: the trace, steps of 10}: \quad "
    for estimate, used, stepped in (
        ("5", "0.6, 0, 0.8, 1", "2.92, 0, 6.56, 3"),
        ("7.6915", "0.3796, 0, 0.8529, 0.39", "1.9598, 0.1166, 7.4435, 2.0028"),
    ):
        u, v = power_iteration(weight, u)
        yield start + r"\hat\sigma", spectral_norm_estimate(weight, u, v), estimate
        yield r"W / \hat\sigma", spectral_normalize(weight, u, v).ravel(), used
        weight -= 10 * jax.grad(lambda w, u=u, v=v: jnp.trace(spectral_normalize(w, u, v)))(weight)
        yield "W", weight.ravel(), stepped
        start = ""


@derivation.example(
    r"The weight with the rows $(3, 0)$ and $(4, 5)$, from $(1, 0)$. $W^\top W$ has the rows $(25, 20)$ and $(20, 25)$, the "
    r"eigenvalues 45 and 5, and the first eigenvector $(1, 1)$. The ratio is that of the two errors, $(\sigma_0^2 - "
    r"\hat\sigma^2) / (\hat\sigma^2 - \sigma_1^2)$."
)
def a_triangle():
    norm = spectral_norm(WEIGHT)
    yield r"\sigma_0 = 3 \sqrt 5", norm, "6.7082"
    yield r"\sqrt{9 + 16 + 25}", jnp.sqrt(jnp.sum(WEIGHT**2)), "7.0711"
    for turns, printed, ratio in ((1, "5", "1.0000"), (2, "6.67175", "0.0123"), (3, "6.70775", "0.00015")):
        estimate = spectral_norm_estimate(WEIGHT, *power_iteration(WEIGHT, START, iterations=turns))
        yield rf"\hat\sigma \text{{ after {turns}}}", estimate, printed
        yield r"\text{the ratio}", (45 - estimate**2) / (estimate**2 - 5), ratio
    pair = power_iteration(WEIGHT, START, iterations=30)
    yield r"\text{norm of } W / \hat\sigma", spectral_norm(spectral_normalize(WEIGHT, *pair)), "1.0000"


@derivation.figure(
    r"Left: the example's weight takes the circle (dotted) to an ellipse; the dots are $\hat\sigma u$ after one and two "
    r"iterations: the second is at the end of the long axis. Right: the error $\sigma_0^2 - \hat\sigma^2$ of four matrices with "
    r"the singular values 1, $\sigma_1$ and 0.2, from the same start; the lines fall by $\sigma_1^4$ an iteration.",
    panels=2,
)
def the_ellipse_and_the_error(ellipse, error):
    draw_spectra(ellipse, error)
