"""Spectral normalization: a Lipschitz critic for one product of a matrix and a vector a step.

The lecture on the functions of theory_jax/adversarial/spectral_normalization.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import circulant
from sympy import KroneckerDelta, Max, cos, pi, sign, sin, sqrt

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.spectral_normalization import (
    lipschitz_bound,
    power_iteration,
    spectral_norm,
    spectral_norm_estimate,
    spectral_normalize,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, SquaredNorm, Total, plus, times

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
    question="A critic must not be steeper than 1. Clipping weights does this crudely, a gradient penalty costs a second "
    "derivative. Can the weights be rescaled so that no layer stretches, and what does this do to the gradient?",
    setting=(
        r"A weight is $W = \sum_k \sigma_k\, u_k v_k^\top$ with orthonormal $u_k$, orthonormal $v_k$ and singular values "
        r"$\sigma_0 \ge \sigma_1 \ge \dots > 0$, numbered from 0. The statements about components hold for any number of them; "
        "where the matrix itself appears, it is 2 by 2, and every orthonormal basis of the plane is a rotation of the axes by "
        r"an angle below $\pi$, up to a sign.",
        r"The norm of $W$ is the largest $|Wh| / |h|$. One iteration is $v \leftarrow W^\top u / |W^\top u|$, $u \leftarrow Wv "
        r"/ |Wv|$; the estimate is $\hat\sigma = u^\top W v$, and the weight that is used is $W / \hat\sigma$ with $u$ and $v$ "
        "constants.",
        r"The iteration starts from a $u$ that is not orthogonal to $u_0$. Derivatives assume $\sigma_0 > \sigma_1$.",
    ),
    answer=r"The norm is the largest singular value. Power iteration estimates it from below, and its error in "
    r"$\sigma^2$ shrinks by $(\sigma_1/\sigma_0)^4$ an iteration. A network of 1-Lipschitz activations and weights of norm 1 is "
    "1-Lipschitz. The gradient through the division loses its part along $W$: it never changes the scale that is divided out.",
    limits=(
        "The product of norms is seldom attained: a network is usually much less steep than its bound.",
        r"$\sigma_0 = \sigma_1$, where the norm has no derivative.",
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


def _rotation(tangent, row, column):
    """The entries of a rotation of the plane, by the tangent of half its angle."""
    return (KroneckerDelta(row, column) * (1 - tangent**2) + 2 * (row - column) * tangent) / (1 + tangent**2)


u = derivation.define("u", _rotation(alpha, i, k), "entry $i$ of $u_k$", over=(i, k))
v = derivation.define("v", _rotation(beta, j, k), "entry $j$ of $v_k$", over=(j, k))
W = derivation.define("W", Total(k, sigma * u * v), "the weight", "weight", over=(i, j))
c = derivation.numbers("c", k, "the components of a vector $h$ along the $v_k$")
h = derivation.define("h", Total(k, c * v), "the vector", over=j)
square = derivation.chain(
    "A matrix stretches every component by its singular value",
    SquaredNorm(i, Total(j, W * h)),
    equals(SquaredNorm(i, Total(k, sigma * c * u)), r"$v_k^\top h = c_k$, since the $v_k$ are orthonormal"),
    equals(Total(k, sigma**2 * c**2), "Pythagoras: the $u_k$ are orthonormal"),
    states=2,
    role="lemma",
    so=r"With all $\sigma_k = 1$ this is $|h|^2 = \sum_k c_k^2$.",
)
smaller = derivation.assume("No singular value is larger than the first", sigma.at(0) ** 2 - sigma**2)
derivation.chain(
    "The norm of a matrix is its largest singular value",
    Total(k, sigma**2 * c**2),
    equals(
        plus(sigma.at(0) ** 2 * Total(k, c**2), -Total(k, (sigma.at(0) ** 2 - sigma**2) * c**2)),
        r"add and subtract $\sigma_0^2$ in every term",
    ),
    at_most(
        times(sigma.at(0) ** 2, Total(k, c**2)),
        r"leave out what is never negative; equality for $h = v_0$",
        adding=Total(k, smaller.at() * c**2),
    ),
    so=r"So $|Wh| \le \sigma_0 |h|$. The Frobenius norm, $\sqrt{\sum_k \sigma_k^2}$, is a bound as well, but no layer attains it "
    r"unless its rank is 1: dividing by it makes layers that shrink everything.",
)
derivation.bridge(
    "The code computes the norm",
    Max(sigma.at(0), sigma.at(1)),
    spectral_norm,
    weight=W,
    states=2,
    wrong={"the Frobenius norm": sqrt(Total(k, sigma**2)), "the trace norm": Total(k, sigma)},
)
_TURN = np.array([[0.8, -0.6], [0.6, 0.8]])

derivation.say(
    r"Now the estimate. Let $a_k = u_k^\top u$ be the components of the $u$ with which an iteration starts. $W^\top$ multiplies "
    r"them by $\sigma_k$, and so does $W$."
)
a = derivation.numbers("a", k, "the components of $u$, positive by the choice of the signs of the $u_k$", "u", positive=True)
w = derivation.define(
    "w",
    sigma**2 * a**2 / Total(l, sigma.at(l) ** 2 * a.at(l) ** 2),
    r"the squared components of $v = W^\top u / |W^\top u|$",
    "v**2",
    over=k,
    law=True,
)
estimate = derivation.define(r"\hat\sigma^2", Expectation(w, sigma**2), "the square of the estimate", "spectral_norm_estimate**2")
derivation.chain(
    "The estimate is a mean of the squares of the singular values",
    Total(k, sigma**4 * a**2) / Total(k, sigma**2 * a**2),
    equals(
        estimate,
        r"$\hat\sigma = u^\top W v = |Wv|$ for the new $u = Wv/|Wv|$, and $|Wv|^2 = |W W^\top u|^2 / |W^\top u|^2$",
        wrong={"with the weights of the start": Total(k, a**2 * sigma**2) / Total(k, a**2)},
    ),
    role="lemma",
    uses=(square,),
)
_short = Expectation(w, smaller.at())
derivation.chain(
    "... so it is never too large",
    plus(sigma.at(0) ** 2, -estimate),
    equals(Expectation(w, sigma.at(0) ** 2 - sigma**2), "a constant is its own mean"),
    at_least(0, r"no term is negative; zero if and only if $v$ has no component of another value", dropping=_short),
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
derivation.chain(
    "The error falls like the fourth power of the ratio",
    plus(sigma.at(0) ** 2, -Total(k, p * rho**n * sigma**2) / left),
    equals(
        times(Total(k, p * rho**n * (sigma.at(0) ** 2 - sigma**2)), 1 / left),
        r"the lemma $n$ times: the weights are $p_k \rho_k^n / Z_n$; a constant is its own mean",
    ),
    at_most(
        times(Total(k, p * rho**n * (sigma.at(0) ** 2 - sigma**2)), 1 / p.at(0)),
        r"$Z_n \ge p_0$, since $\rho_0 = 1$",
        adding=times(
            Total(k, p * rho**n * smaller.at()), Total(k, (1 - KroneckerDelta(k, 0)) * p * rho**n), 1 / (left * p.at(0))
        ),
    ),
    central=True,
    so=r"The term $k = 0$ is zero. The others fall by $\rho_k = (\sigma_k / \sigma_0)^4$ an iteration, the slowest by $(\sigma_1 "
    r"/ \sigma_0)^4$. A weight that moves a little at every step needs one iteration a step, if $u$ is kept from step to step.",
)
derivation.chain(
    "With two singular values the ratio is exact",
    plus(sigma.at(0) ** 2, -Expectation(w_next, sigma**2)) / plus(Expectation(w_next, sigma**2), -(sigma.at(1) ** 2)),
    equals(w_next.at(1) / w_next.at(0), r"the mean of two numbers divides their distance by the weights"),
    equals(
        times((sigma.at(1) / sigma.at(0)) ** 4, w.at(1) / w.at(0)),
        "the lemma on the weights",
        wrong={"the second power": times((sigma.at(1) / sigma.at(0)) ** 2, w.at(1) / w.at(0))},
    ),
    states=2,
)


def _estimate_of_two(components, values):
    """Of the matrix with these singular values and the right vectors turned, for a u of these components."""
    turned = jnp.diag(values) @ jnp.kron(jnp.eye(2), _TURN).T
    return spectral_norm_estimate(turned, *power_iteration(turned, components, iterations=2))


derivation.bridge(
    "The code computes the estimate, here after two iterations",
    sqrt(Expectation(w_next, sigma**2)),
    _estimate_of_two,
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
turn_u = derivation.function(r"\alpha", "the first angle as a function of time")
turn_v = derivation.function(r"\beta", "... and the second")
moving_u = derivation.define("u({},{})", _rotation(turn_u(t), i, k), "$u_k$ at that time", over=(i, k))
moving_v = derivation.define("v({},{})", _rotation(turn_v(t), j, k), "$v_k$ at that time", over=(j, k))
values_then = first(t) * KroneckerDelta(k, 0) + second(t) * (1 - KroneckerDelta(k, 0))
moving = derivation.define("W({},{})", Total(k, values_then * moving_u * moving_v), "the weight at that time", over=(i, j))
top_u, top_v = moving_u.at(i, 0), moving_v.at(j, 0)
along = Total(i, Total(j, top_u * top_v * Slope(moving, t)))
derivation.chain(
    "The slope of the norm is the product of the first singular vectors",
    Slope(Total(i, Total(j, top_u * moving * top_v)), t),
    equals(
        plus(along, Total(i, Total(j, Slope(top_u, t) * moving * top_v)), Total(i, Total(j, top_u * moving * Slope(top_v, t)))),
        "the product rule",
    ),
    equals(
        plus(along, times(first(t), plus(Total(i, Slope(top_u, t) * top_u), Total(j, top_v * Slope(top_v, t))))),
        r"$W v_0 = \sigma_0 u_0$ and $W^\top u_0 = \sigma_0 v_0$",
    ),
    equals(along, r"a unit vector turns at right angles to itself: $u_0^\top \dot u_0 = 0$"),
    states=2,
    so=r"The left side is the slope of $u_0^\top W v_0 = \sigma_0$, so $d\sigma_0 = u_0^\top\, dW\, v_0$, that is $\partial "
    r"\sigma_0 / \partial W = u_0 v_0^\top$: it does not matter that the vectors move.",
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
derivation.chain(
    "Backward through the division",
    Slope(loss, A.at(m, o)),
    equals(
        gradient,
        r"the quotient rule, with $\partial \hat s / \partial A_{mo} = u_m v_o$ for constant vectors; by the last theorem this "
        "is the whole derivative once the iteration has converged",
        wrong={
            "not squared": plus(G.at(m, o) / kept, -Total(i, Total(j, G * A)) * y.at(m) * z.at(o) / kept),
            "the vectors exchanged": plus(G.at(m, o) / kept, -Total(i, Total(j, G * A)) * z.at(m) * y.at(o) / kept**2),
        },
    ),
    states=2,
)
derivation.chain(
    "... which never changes the scale",
    Total(m, Total(o, A.at(m, o) * Slope(loss, A.at(m, o)))),
    equals(
        times(Total(i, Total(j, G * A)) / kept, plus(1, -Total(m, Total(o, y.at(m) * A.at(m, o) * z.at(o))) / kept)),
        r"the inner product of both terms with $A$",
    ),
    equals(0, r"the definition of $\hat s$"),
    states=2,
    so=r"A step of gradient descent is at right angles to the weight, so the weight grows; the layer that is used does not, and "
    r"its steps get smaller. With several examples $\langle G, A \rangle u v^\top / \hat s^2$ is a penalty on the direction in "
    "which the layer stretches most, with a weight that the loss itself sets.",
)


def _against(weight, direction, u, v):
    return direction * spectral_normalize(weight, u, v)


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
    _against,
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
    "The activation is 1-Lipschitz", (number_1 - number_2) ** 2 - (act(number_1) - act(number_2)) ** 2, number_1, number_2
)
derivation.chain(
    "Activations do not stretch",
    SquaredNorm(k, act(e) - act(d)),
    at_most(SquaredNorm(k, e - d), "the assumption, in every coordinate", adding=Total(k, lipschitz.at(e, d))),
    so=r"Layer after layer: $|F(x) - F(x')| \le \prod_l \sigma_0(W_l)\, |x - x'|$.",
)
derivation.symbol("F(x)", "the output of the network")
derivation.symbol(r"\Lambda", "the product of the largest singular values of its layers", "lipschitz_bound")


@derivation.bound(
    r"|F(x) - F(x')| \le \Lambda\, |x - x'|",
    because="Three layers with leaky rectifiers, at 100 random networks and pairs. Equality: diagonal layers, for which the "
    "first directions meet, and inputs on their positive side.",
)
def a_network_is_no_steeper_than_its_bound():
    draw = np.random.default_rng(0)
    shapes = (100, 5, 3), (100, 4, 5), (100, 2, 4), (100, 3), (100, 3)
    diagonal = tuple(np.eye(*shape[1:])[None] * size for shape, size in zip(shapes[:3], (2.0, 3.0, 0.5), strict=True))
    tight = *diagonal, np.array([[3.0, 0, 0]]), np.array([[1.0, 0, 0]])

    def sides(*given):
        *layers, x, x_other = given
        bounds = np.prod([np.linalg.svd(layer, compute_uv=False)[:, 0] for layer in layers], axis=0)
        bounds[0] = lipschitz_bound([layer[0] for layer in layers])
        for layer in layers[:-1]:
            x, x_other = (leaky_rectifier(jnp.asarray(np.einsum("bij,bj->bi", layer, part))) for part in (x, x_other))
        out = np.einsum("bij,bj->bi", layers[-1], np.asarray(x - x_other))
        return np.linalg.norm(out, axis=1), bounds * np.linalg.norm(given[-2] - given[-1], axis=1)

    points = tuple(draw.standard_normal(shape) for shape in shapes)
    return BoundSides(
        sides=sides, points=points, tight=tight, wrong={"half the bound": lambda *given: (sides(*given)[0], sides(*given)[1] / 2)}
    )


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
        r"leave out squares; equality if and only if all $K$ vectors $\kappa_k (\cos \omega k, \sin \omega k)$ are equal",
        adding=differences,
    ),
    so=r"A circular convolution is diagonal in these waves, so its norm is the largest $|\hat\kappa(\omega)|$; the kernel, as a "
    r"matrix with one row, has the norm $|\kappa|$. Normalized by that, a layer may still stretch by $\sqrt K$.",
)
derivation.chain(
    "... and never less",
    Total(l, (Total(k, taps * cos(pi * l * k / 4)) ** 2 + Total(k, taps * sin(pi * l * k / 4)) ** 2) / 8),
    equals(SquaredNorm(k, taps), "Parseval: the mean over the eight frequencies of a circle of eight places"),
    sizes={l: 8},
    so="A largest value is at least the mean.",
)


@derivation.example(
    r"$W = \begin{pmatrix} 3 & 0 \\ 4 & 5 \end{pmatrix}$, from $u = (1, 0)$. $W^\top W$ has the rows $(25, 20)$ and $(20, 25)$, "
    r"the eigenvalues 45 and 5, and the first eigenvector $(1, 1)$. The ratio is that of the two errors, $(\sigma_0^2 - "
    r"\hat\sigma^2) / (\hat\sigma^2 - \sigma_1^2)$."
)
def a_triangle():
    norm = spectral_norm(_W)
    yield r"\sigma_0 = 3 \sqrt 5", norm, "6.7082"
    yield r"\sqrt{9 + 16 + 25}", jnp.sqrt(jnp.sum(_W**2)), "7.0711"
    for turns, printed, ratio in ((1, "5", "1.0000"), (2, "6.67175", "0.0123"), (3, "6.70775", "0.00015")):
        estimate = spectral_norm_estimate(_W, *power_iteration(_W, _U, iterations=turns))
        yield rf"\hat\sigma \text{{ after {turns}}}", estimate, printed
        yield r"\text{the ratio}", (45 - estimate**2) / (estimate**2 - 5), ratio
    pair = power_iteration(_W, _U, iterations=30)
    slope = jax.grad(spectral_norm)(_W)
    yield r"\partial \sigma_0 / \partial W", slope.ravel(), "0.2236, 0.2236, 0.6708, 0.6708"
    yield r"u_0 v_0^\top", jnp.outer(*pair).ravel(), "0.2236, 0.2236, 0.6708, 0.6708"
    yield r"\text{norm of } W / \hat\sigma", spectral_norm(spectral_normalize(_W, *pair)), "1.0000"


_W, _U = jnp.array([[3.0, 0.0], [4.0, 5.0]]), jnp.array([1.0, 0.0])


@derivation.figure(
    r"Left: the example's weight takes the circle (dotted) to an ellipse; the dots are $\hat\sigma u$ after one and two "
    r"iterations: the second is at the end of the long axis. Right: the error $\sigma_0^2 - \hat\sigma^2$ of four matrices with "
    r"the singular values 1, $\sigma_1$ and 0.2, from the same start; the lines fall by $\sigma_1^4$ an iteration.",
    panels=2,
)
def the_ellipse_and_the_error(ellipse, error):
    angle = np.linspace(0, 2 * np.pi, 121)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    ellipse.plot(*circle, ":", color="gray")
    ellipse.plot(*(np.asarray(_W) @ circle))
    for turns in (1, 2):
        found = power_iteration(_W, _U, iterations=turns)
        ellipse.plot(*(found[0] * spectral_norm_estimate(_W, *found)), "o", label=f"after {turns}")
    ellipse.legend()
    ellipse.set(xlabel="$h_1$", ylabel="$h_2$", aspect="equal")
    for ratio in (0.3, 0.6, 0.8, 0.95):
        weight, start, counts = jnp.diag(jnp.array([1.0, ratio, 0.2])), jnp.ones(3), range(1, 9)
        line = [1 - spectral_norm_estimate(weight, *power_iteration(weight, start, iterations=n)) ** 2 for n in counts]
        error.semilogy(counts, np.maximum(line, 1e-16), label=rf"$\sigma_1 = {ratio}$")
    error.set(xlabel="iterations", ylabel=r"$\sigma_0^2 - \hat\sigma^2$", ylim=(1e-12, 1))
    error.legend()


@derivation.exercise(
    r"How many iterations does the example need until $\hat\sigma^2$ is within $10^{-6}$ of $\sigma_0^2$, relative to "
    r"$\sigma_0^2 - \sigma_1^2$?",
    r"5. The ratio of the errors is $81^{1-n}$ after $n$ iterations: $1.9 \cdot 10^{-6}$ after four and $2.3 \cdot 10^{-8}$ "
    "after five.",
)
def enough_iterations():
    errors = [45 - spectral_norm_estimate(_W, *power_iteration(_W, _U, iterations=count)) ** 2 for count in range(1, 9)]
    yield 1 + np.argmax(np.array(errors) < 40e-6), "5"


@derivation.exercise(
    "The loss is the trace of the normalized weight of the example. How large is the inner product of its gradient with $W$, "
    "and that of the identity, divided by the norm, with $W$?",
    r"0 by the theorem: the second term takes away the $8/\sigma_0 = 1.1926$ that the first one has.",
)
def no_change_of_scale():
    pair = power_iteration(_W, _U, iterations=30)
    slope = jax.grad(lambda weight: jnp.trace(spectral_normalize(weight, *pair)))(_W)
    yield jnp.sum(slope * _W) + 1, "1"
    yield 8 / spectral_norm(_W), "1.1926"


@derivation.exercise(
    "What are the norms of the circular convolution with the kernel $(1, -1)$ on eight places and of the flattened kernel? And "
    "of $(1, 1, 1)$?",
    r"2, at $\omega = \pi$, and $\sqrt 2 = 1.4142$; 3, at $\omega = 0$, and $\sqrt 3 = 1.7321$: both attain the factor $\sqrt "
    "K$.",
)
def two_kernels():
    for kernel, printed in (([1.0, -1.0], ("2", "1.4142")), ([1.0, 1.0, 1.0], ("3", "1.7321"))):
        yield spectral_norm(jnp.asarray(circulant(np.pad(kernel, (0, 8 - len(kernel)))))), printed[0]
        yield spectral_norm(jnp.array([kernel])), printed[1]
