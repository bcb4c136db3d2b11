"""The code of an image by descent: why it is a posterior mode, and where descent ends.

The lecture on the functions of theory_jax/adversarial/gan_inversion.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from sympy import Integral, Rational, cos, log, pi, sin

from theory_jax.adversarial.gan_inversion import (
    gauss_newton_step,
    inversion_objective,
    invert_by_gradient_descent,
    stochastic_clip,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, SquaredNorm, Total, plus, times

derivation = Derivation(
    module=__name__,
    title="The code of an image by descent: why it is a posterior mode, and where descent ends",
    lectures=(12,),
    sources=(
        "Creswell & Bharath 2018, Inverting the generator of a generative adversarial network",
        "Lipton & Tripathi 2017, Precise recovery of latent vectors from generative adversarial networks",
        "Yeh et al. 2017, Semantic image inpainting with deep generative models",
        "Zhu et al. 2016, Generative visual manipulation on the natural image manifold",
        "Nocedal & Wright 2006, Numerical optimization, chapter 10",
    ),
    question="An image and a generator are given. Its code can be searched for by descent on the difference between the image "
    "and what the generator makes. When does the search succeed, and when must it fail?",
    setting=(
        "The generator $G$ maps a code of $L$ coordinates to $D$ pixels and is differentiable; $J$ is its Jacobian. Pixels with "
        "$m_d = 1$ are seen, the others are hidden.",
        r"The objective is $F(z) = \sum_d m_d (x_d - G_d(z))^2 + \lambda |z|^2$, with $\lambda \ge 0$.",
        r"As a model of images: $x$ given $z$ is Gaussian about $G(z)$ with the variance $\sigma^2$ for every pixel, and $z$ is "
        "a standard Gaussian.",
    ),
    answer=r"Descent on the objective looks for the most likely code, with $\lambda = \sigma^2$; sufficiently short steps lower "
    r"the objective. With $\lambda = 0$, one coordinate, one pixel and a slope of the generator that is bounded away from zero, "
    "the minimum is the only place to stop. With a price on long codes, or for an image on a curved manifold, there can be "
    "other minima, even where the generator is one-to-one. Then the start decides: from a regression, or the best of several.",
    limits=(
        "Conditions under which all minima are global in several dimensions.",
        "Adam, and other descents than the plain one and Gauss and Newton's.",
        "Images that the generator cannot make: a code is found for them, too, and its residual tells.",
    ),
)

d = derivation.index("d", "a pixel")
l = derivation.index("l", "a coordinate of the code", states=2)  # noqa: E741 (the lecture's letter)
j = derivation.index("j", "another coordinate", states=2)
i = derivation.index("i", "the coordinate that is moved", states=2)
x = derivation.numbers("x", d, "the image", "x")
made = derivation.numbers("G", d, "what the generator makes of the code", "reconstruction")
z = derivation.numbers("z", l, "the code", "z")
noise = derivation.number(r"\sigma", "the standard deviation of the pixels' noise", positive=True)
lam = derivation.number(r"\lambda", "the price of a long code", "prior_weight", positive=True)
D, L = derivation.count(d, "D", "the number of pixels"), derivation.count(l, "L", "the number of coordinates")
constant = plus(D * log(2 * pi * noise**2) / 2, L * log(2 * pi) / 2)
derivation.chain(
    "The objective is a posterior, with the noise's variance as the price",
    -plus(Total(d, LogDensity(x, made, noise**2)), Total(l, LogDensity(z, 0, 1))),
    equals(
        plus(SquaredNorm(d, x - made) / (2 * noise**2), SquaredNorm(l, z) / 2, constant),
        "write out the logarithms of both Gaussian densities",
    ),
    equals(
        plus(times(1 / (2 * noise**2), plus(SquaredNorm(d, x - made), noise**2 * SquaredNorm(l, z))), constant),
        r"take out $\frac{1}{2 \sigma^2}$",
        wrong={
            "twice the price": plus(
                times(1 / (2 * noise**2), plus(SquaredNorm(d, x - made), 2 * noise**2 * SquaredNorm(l, z))), constant
            ),
            "the deviation": plus(times(1 / (2 * noise**2), plus(SquaredNorm(d, x - made), noise * SquaredNorm(l, z))), constant),
        },
    ),
    central=True,
    so=r"The left side is $-\log p(x, z)$. Up to a factor and a constant it is the objective with every pixel seen and $\lambda "
    r"= \sigma^2$: descent looks for the most likely code.",
)
m = derivation.numbers("m", d, "1 where a pixel is seen, 0 where it is hidden", "mask")
masked = plus(Total(d, m * (x - made) ** 2), lam * SquaredNorm(l, z))
derivation.chain(
    "Hidden pixels have no influence",
    Slope(masked, made.at(0)),
    equals(
        -2 * m.at(0) * (x.at(0) - made.at(0)),
        "only one term holds this pixel",
        wrong={"the sign": 2 * m.at(0) * (x.at(0) - made.at(0))},
    ),
    so="It is zero where the pixel is hidden. So a hole in an image is filled by what the generator makes of the code that fits "
    "the rest.",
)
_SEEN = jnp.array([True, False, True, True])
derivation.bridge(
    "The code computes the objective, here with the second of four pixels hidden and a price of 0.5",
    plus((x.at(0) - made.at(0)) ** 2, (x.at(2) - made.at(2)) ** 2, (x.at(3) - made.at(3)) ** 2, SquaredNorm(l, z) / 2),
    inversion_objective,
    x=[x],
    reconstruction=[made],
    z=[z],
    mask=_SEEN[None],
    prior_weight=0.5,
    wrong={"every pixel": plus(SquaredNorm(d, x - made), SquaredNorm(l, z) / 2)},
)

derivation.say("What a step does. First a linear generator with every pixel seen; then curved ones.")
W = derivation.numbers("W", (d, l), "the matrix of a linear generator")
h = derivation.number("h", "the length of the step", "learning_rate", positive=True)
product = derivation.define("y", Total(l, W * z), "what the linear generator makes", over=d)
linear = derivation.define("F", plus(SquaredNorm(d, x - product), lam * SquaredNorm(l, z)), "the objective of a linear generator")
g = derivation.define(
    "g", -2 * Total(d, W * (x - product)) + 2 * lam * z, "the gradient of the objective of a linear generator", over=l
)
derivation.chain(
    "The gradient is the residual, seen by the Jacobian",
    Slope(linear, z.at(i)),
    equals(
        g.at(i),
        r"the chain rule: the Jacobian is $W$",
        wrong={"the sign of the residual": g.at(i) - 4 * lam * z.at(i), "no factor 2": g.at(i) / 2},
    ),
    role="lemma",
    sizes={d: 2},
)
after = derivation.define(
    "F^+", plus(SquaredNorm(d, x - Total(l, W * (z - h * g))), lam * SquaredNorm(l, z - h * g)), "the objective after a step"
)
top = derivation.number("s", "the largest singular value of the matrix", positive=True)
stretched = SquaredNorm(d, Total(l, W * g))
longest = derivation.assume(
    "No direction is stretched by more than the largest singular value", top**2 * SquaredNorm(l, g) - stretched
)
derivation.chain(
    "A short step lowers the objective",
    after,
    equals(
        plus(linear, -h * SquaredNorm(l, g), times(h**2, plus(stretched, lam * SquaredNorm(l, g)))),
        r"a quadratic is its own Taylor polynomial; its Hessian is $2 (W^\top W + \lambda I)$",
        wrong={"halved": plus(linear, -h * SquaredNorm(l, g), times(h**2 / 2, plus(stretched, lam * SquaredNorm(l, g))))},
    ),
    at_most(
        plus(linear, -times(h, 1 - h * (top**2 + lam), SquaredNorm(l, g))),
        "the largest singular value",
        adding=times(h**2, longest.at()),
    ),
    sizes={d: 2},
    so=r"For $h < 1/(s^2 + \lambda)$ the objective falls unless the gradient is zero. For a curved generator the same holds "
    "with a bound on half of the Hessian where descent goes.",
)

u = derivation.number("u", "a code of one coordinate")
goal = derivation.number("a", "the image, of one pixel")
slope = derivation.number("c", "the least slope of the generator", positive=True)
f = derivation.function("f", "a generator with one coordinate and one pixel")
steep = derivation.assume("The generator rises everywhere", f(u).diff(u) - slope)
one = derivation.define("F_0", (f(u) - goal) ** 2, r"the objective of one coordinate and one pixel, with $\lambda = 0$")
derivation.chain(
    "In one dimension and without a price a rising generator has no false minimum",
    Slope(one, u) ** 2,
    equals(
        4 * one * f(u).diff(u) ** 2,
        r"the chain rule: $F_0' = 2 (f(u) - a) f'(u)$",
        wrong={"the slope not squared": 4 * one * f(u).diff(u)},
    ),
    equals(plus(4 * slope**2 * one, times(4 * one, steep.at(), plus(steep.at(), 2 * slope))), r"$f'^2 = c^2 + (f' - c)(f' + c)$"),
    at_least(
        4 * slope**2 * one,
        "leave out a product of numbers that are not negative",
        dropping=times(4 * one, steep.at(), plus(steep.at(), 2 * slope)),
    ),
    so=r"So the slope of $F_0$ is zero only where $F_0$ is: descent with sufficiently short steps finds the code. For $f(u) = u "
    r"+ 0.3 u^3$ the slope of $f$ is at least 1. A price $\lambda > 0$ can add a false minimum (exercise 4).",
)


def _cubic(z):
    return z + 0.3 * z**3


_CODES = jnp.array([[-1.5], [0.4], [2.0]])


@derivation.numeric(
    r"\lim_{n \to \infty} z^{(n)} = z",
    because=r"Descent on the image of $f(u) = u + 0.3 u^3$, from 0, with 400 steps of 0.02: three codes are found again.",
    tolerance=1e-5,
    since="400 steps contract the error by 0.96 each at least",
    role="remark",
)
def codes_are_found_again():
    found = _descend(_cubic, _cubic(_CODES), jnp.zeros((3, 1)), 0.02, 400)
    return Sides(left=found, right=_CODES, wrong={"the images": _cubic(_CODES)})


def _descend(generator, x, start, rate, steps, prior_weight=0.0):
    seen = jnp.ones(x.shape, bool)
    return invert_by_gradient_descent(x, start, seen, generator, learning_rate=rate, num_steps=steps, prior_weight=prior_weight)


derivation.symbol("n", "how many steps were taken")
derivation.symbol("z^{(n)}", "the code after them", "invert_by_gradient_descent")
pitch = derivation.number(r"\varepsilon", "the pitch of a helix", positive=True)
derivation.chain(
    "On a helix there are false minima, although no two codes have the same image",
    plus((1 - cos(u)) ** 2, (0 - sin(u)) ** 2, (0 - pitch * u) ** 2),
    equals(
        plus(2, -2 * cos(u), pitch**2 * u**2),
        r"the image of 0 is $(1, 0, 0)$ and that of $u$ is $(\cos u, \sin u, \varepsilon u)$; $\cos^2 + \sin^2 = 1$",
        wrong={"once": plus(1, -cos(u), pitch**2 * u**2)},
    ),
    so=r"Its slope is $2 \sin u + 2 \varepsilon^2 u$, which is zero at finitely many places, all with $|u| \le 1 / "
    r"\varepsilon^2$. Where $|u|$ is much smaller than this, they are near the multiples of $\pi$: maxima near the odd ones, "
    r"minima near the even ones. Of these only 0 is the code; at the others the residual is orthogonal to the curve.",
)
_PITCH = 0.1


def _helix(z, pitch=_PITCH):
    return jnp.concatenate([jnp.cos(z), jnp.sin(z), pitch * z], axis=1)


def _turn_away():
    """The root of the slope nearest to a whole turn."""
    return brentq(lambda u: np.sin(u) + _PITCH**2 * u, 6.0, 6.5)


@derivation.numeric(
    r"\lim_{n \to \infty} z^{(n)} = u \neq 0, \quad 2 \sin u + 2 \varepsilon^2 u = 0 \quad\text{from}\quad z^{(0)} = 5",
    because=r"Descent on the helix with $\varepsilon = 0.1$ towards the image of 0 ends one turn away, at a root of the slope.",
    tolerance=1e-9,
)
def descent_ends_a_turn_away():
    goal = _helix(jnp.zeros((1, 1)))
    end = _descend(_helix, goal, jnp.full((1, 1), 5.0), 0.3, 60)[0, 0]
    return Sides(left=end, right=_turn_away(), wrong={"a whole turn": 2 * np.pi, "the code": 0.0})


short = derivation.number("h'", r"the length of a step, less than $\frac18$", "learning_rate", between=(0, Rational(1, 8)))
q = derivation.number("q", "a code between 0 and 1", between=(0, 1))
derivation.chain(
    "A generator that is not one-to-one has a basin for every code",
    1 - (q - short * ((q**2 - 1) ** 2).diff(q)),
    equals(
        times(1 - q, plus(1, -4 * short * q * (1 + q))),
        r"the image is 1 and the generator $u^2$, so the slope of the objective is $4 q (q^2 - 1)$",
        wrong={"no factor 4": times(1 - q, plus(1, -short * q * (1 + q)))},
    ),
    at_least(0, "$4 h' q (1 + q) < 8 h' < 1$", dropping=times(1 - q, plus(1, -4 * short * q * (1 + q)))),
    so=r"The second factor is less than 1: from every start in $(0, 1)$ the code rises to 1, and by symmetry from every start in "
    r"$(-1, 0)$ it falls to $-1$. With steps longer than $\frac14$ neither code attracts descent: the slope of a step there, $1 "
    r"- 8h$, is below $-1$. A regression would have guessed their mean, 0, from where descent does not move at all.",
)

derivation.say(
    "A longer step where the generator is nearly linear: replace $G(z + \\delta)$ by $G(z) + J \\delta$, and stay near."
)
J = derivation.numbers("J", (d, l), "the Jacobian of the generator", "jacobian")
o = derivation.numbers("r", d, "the residual, $x - G(z)$", "residual")
mu = derivation.number(r"\mu", "the damping", "damping", positive=True)
A = derivation.define("A", Total(d, J * J.at(d, j)), r"the matrix $J^\top J$", over=(l, j))
b = derivation.define("b", Total(d, J * o), r"the vector $J^\top r$", over=l)
trace = derivation.define(r"\mathrm{tr}", Total(l, A.at(l, l)) + 2 * mu, r"the trace of $J^\top J + \mu I$")
det = derivation.define("Q", A.at(0, 0) * A.at(1, 1) - A.at(0, 1) ** 2 + mu * Total(l, A.at(l, l)) + mu**2, "its determinant")
delta = derivation.define(
    r"\delta", ((trace - mu) * b - Total(j, A * b.at(j))) / det, "Gauss and Newton's step", "gauss_newton_step", over=l
)
e = derivation.numbers(r"\eta", l, "any step")
derivation.chain(
    "The damped step solves a ridge regression",
    times(mu, delta),
    equals(
        plus(b, -Total(j, A * delta.at(j))),
        r"$(J^\top J + \mu I)\, \delta = J^\top r$, the normal equations of least $|r - J \delta|^2 + \mu |\delta|^2$",
    ),
    sizes={d: 2},
    so=r"With little damping and a linear generator, $J^\top J \delta = J^\top r$: one step leads to the least squares. With "
    r"much damping $\delta$ is short, and $\mu \delta$ tends to $J^\top r = -\frac12 \nabla F$: a step of descent of length "
    r"$1/(2 \mu)$.",
)
derivation.bridge(
    "The code computes the step",
    plus(z, delta),
    gauss_newton_step,
    z=[z],
    residual=[o],
    jacobian=[J],
    damping=mu,
    wrong={"a step of descent": plus(z, b / mu)},
)

derivation.say("What is filled into a hole? A linear generator with one coordinate and two pixels, of which the first is seen.")
w1, w2 = derivation.number("w_1", "the generator's weight of the seen pixel"), derivation.number("w_2", "... of the hidden one")
seen = derivation.number("x_1", "the pixel that is seen")
found = derivation.define(
    r"\hat z", w1 * seen / (w1**2 + noise**2), r"the code with the least objective, at $\lambda = \sigma^2$"
)
derivation.chain(
    "The slope is zero at the code",
    times(-2 * w1, seen - w1 * found) + 2 * noise**2 * found,
    equals(0, r"the slope of $(x_1 - w_1 z)^2 + \sigma^2 z^2$ at $\hat z$", wrong={"the code": found}),
    role="lemma",
)
prior = Normal(u, 0, 1)
derivation.chain(
    "A hole is filled with the conditional mean",
    w2 * found,
    equals(
        times(w1 * w2 / (w1**2 + noise**2), seen),
        "the generator's hidden pixel",
        wrong={"the seen one": times(w1 * w1 / (w1**2 + noise**2), seen)},
    ),
    equals(
        times(Expectation(prior, (w1 * u) * (w2 * u)) / (Expectation(prior, (w1 * u) ** 2) + noise**2), seen),
        r"$\mathbb{E}[z^2] = 1$; noise is independent of the code and of other noise",
    ),
    so=r"That is $\frac{\mathrm{Cov}(x_2, x_1)}{\mathrm{Var}(x_1)}\, x_1 = \mathbb{E}[x_2 | x_1]$.",
)

bound = derivation.number("b", "the bound of a coordinate", "bound", positive=True)
v = derivation.number("v", "a uniform number", "uniforms", between=(0, 1))
derivation.chain(
    "A coordinate that is clipped at random keeps a mean of zero",
    Integral(bound * (2 * v - 1), (v, 0, 1)),
    equals(0, "symmetric about 0", wrong={"the middle": bound / 2}),
    role="lemma",
)
derivation.chain(
    "... and a third of the bound's square as its variance",
    Integral((bound * (2 * v - 1)) ** 2, (v, 0, 1)),
    equals(bound**2 / 3, r"$\int_0^1 (2v - 1)^2 dv = \frac13$", wrong={"a twelfth": bound**2 / 12}),
    so="A code at the border would stay there, since the slope that drove it out is still there. One that begins anew inside "
    "does not.",
)
derivation.bridge(
    "The code clips at random",
    bound * (2 * v - 1),
    stochastic_clip,
    z=[[2 * bound]],
    uniforms=[[v]],
    bound=bound,
    wrong={"not symmetric": bound * v},
)


_MATRIX = jnp.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@derivation.example(
    "A generator of three pixels, $x = (2, 3, 1)$ and the code 0 at the start. Its gradient; one step of Gauss and Newton's "
    "with hardly any damping, and with 1; then the helix of pitch 0.1: where descent from 5 ends, and the objective there. "
    r"Last, a hole: $w = (2, 1)$, $\sigma = 1$ and $x_1 = 5$."
)
def numbers_by_hand():
    x, start = jnp.array([[2.0, 3.0, 1.0]]), jnp.zeros((1, 2))
    seen = jnp.ones((1, 3), bool)
    yield (
        r"\nabla F",
        jax.grad(lambda z: inversion_objective(x, z @ _MATRIX.T, z, seen, prior_weight=0.0).sum())(start)[0],
        "(-10, -8)",
    )
    for damping, said in ((1e-12, "(2.0, 1.0)"), (1.0, "(1.375, 0.875)")):
        yield rf"z + \delta \text{{ at }} \mu = {damping:g}", gauss_newton_step(start, x, _MATRIX[None], damping=damping)[0], said
    end = np.array([[_turn_away()]])
    yield "u", end[0], "6.220936"
    goal = _helix(jnp.zeros((1, 1)))
    yield "F(u)", inversion_objective(goal, _helix(jnp.asarray(end)), end, np.ones((1, 3), bool), prior_weight=0.0)[0], "0.390874"
    pair, hole = jnp.array([[5.0, jnp.nan]]), jnp.array([[True, False]])
    code = invert_by_gradient_descent(
        pair, jnp.zeros((1, 1)), hole, lambda z: z * jnp.array([[2.0, 1.0]]), learning_rate=0.1, num_steps=1, prior_weight=1.0
    )
    yield r"\hat z", code[0, 0], "2"


@derivation.figure(
    "Left: the objective on the helix towards the image of 0, with the ends of descent from nine starts (dots) one turn apart. "
    "Right: the distance from the image against the number of steps, from three starts. Only the one within half a turn comes "
    "to zero.",
    panels=2,
)
def basins(landscape, steps):
    goal, grid = _helix(jnp.zeros((1, 1))), np.linspace(-14, 14, 281)[:, None]

    def objective(codes):
        goals = jnp.tile(goal, (len(codes), 1))
        return inversion_objective(goals, _helix(codes), codes, jnp.ones(goals.shape, bool), prior_weight=0.0)

    landscape.plot(grid[:, 0], objective(jnp.asarray(grid)), color="gray")
    starts = jnp.linspace(-12.0, 12.0, 9)[:, None]
    ends = _descend(_helix, jnp.tile(goal, (9, 1)), starts, 0.3, 40)
    landscape.plot(ends[:, 0], objective(ends), "o")
    landscape.set(xlabel="code", ylabel="objective, $F$")
    counts, begun = range(0, 21, 2), jnp.array([[2.0], [5.0], [11.0]])
    path = [begun]
    for _ in counts[1:]:
        path.append(_descend(_helix, jnp.tile(goal, (3, 1)), path[-1], 0.3, 2))
    distances = np.sqrt([objective(codes) for codes in path])
    for start, line in zip(begun[:, 0], distances.T, strict=True):
        steps.plot(counts, line, label=f"from {float(start):g}")
    steps.set(xlabel="steps", ylabel="distance from the image")
    steps.legend()


@derivation.exercise(
    r"The largest singular value of the example's matrix is $\sqrt 3$. Up to which step length is a decrease certain, with "
    r"$\lambda = 1$?",
    r"Below $\frac{1}{3 + 1}$, that is 0.25.",
)
def the_longest_step():
    yield 1 / (np.linalg.norm(np.asarray(_MATRIX), 2) ** 2 + 1), "0.25"


@derivation.exercise(
    r"Coordinates beyond 2 begin anew within $\pm 2$. What is their variance?",
    r"$\frac{2^2}{3} = \frac43$, about 1.3333: a little more than the prior's.",
)
def variance_of_clipped_codes():
    places = (jnp.arange(2000.0)[None] + 0.5) / 2000
    yield (stochastic_clip(jnp.full((1, 2000), 3.0), places, bound=2.0) ** 2).mean(), "1.3333"


@derivation.exercise(
    r"How many places with slope zero has the objective on a helix of pitch $\frac12$, towards the image of 0?",
    r"1, the code itself: elsewhere $-\frac{\sin u}{u}$ is about 0.2172 at most, less than $\varepsilon^2 = 0.25$.",
)
def a_steep_helix():
    grid = np.linspace(1e-3, 40, 200_001)
    slopes = np.sin(grid) + 0.25 * grid
    yield 1 + 2 * np.count_nonzero(np.diff(np.sign(slopes))), "1"
    yield (-np.sin(grid) / grid).max(), "0.2172"


@derivation.exercise(
    r"The generator $f(u) = 0.05 u + 5 + 5 \tanh(5 (u - 5))$ rises everywhere. How many minima has $(f(u) - 10)^2 + \lambda u^2$ "
    r"with $\lambda = 0$, and how many with $\lambda = 0.2$?",
    "1 and 2. With the price, one is near 2.47, where the objective is 98.77, and one near 5.30, where it is 5.66.",
)
def a_price_adds_a_minimum():
    grid = np.linspace(-5, 15, 20_001)
    missed = (0.05 * grid + 5 + 5 * np.tanh(5 * (grid - 5)) - 10) ** 2
    for price, count in ((0.0, "1"), (0.2, "2")):
        found = missed + price * grid**2
        lowest = np.flatnonzero((found[1:-1] < found[:-2]) & (found[1:-1] < found[2:])) + 1
        yield len(lowest), count
    yield from zip((*grid[lowest], *found[lowest]), ("2.47", "5.30", "98.77", "5.66"), strict=True)
