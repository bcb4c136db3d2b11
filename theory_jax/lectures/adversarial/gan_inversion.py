"""The code of an image by descent: why it is a posterior mode, and where descent ends.

The lecture on the functions of theory_jax/adversarial/gan_inversion.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
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
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._codes import descend, draw_basins, helix, turn_away

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
    question="A GAN makes images from codes, but whoever wants to edit a photograph needs its code, and a GAN has no encoder. "
    "The code can be searched for by descent on the difference between the image and what the generator makes; from many starts "
    "the search ends at an image that is clearly another one. When does it succeed, and when must it fail?",
    setting=(
        "The generator $G$ maps a code of $L$ coordinates to $D$ pixels and is differentiable; $J$ is its Jacobian. Pixels for "
        "which $m_d$ is 1 are seen, the others, for which it is 0, are hidden.",
        r"The objective $F(z)$ is $\sum_d m_d (x_d - G_d(z))^2 + \lambda |z|^2$, with a price $\lambda$ that is never negative.",
        r"As a model of images: $x$ given $z$ is Gaussian about $G(z)$ with the variance $\sigma^2$ for every pixel, and $z$ is "
        "a standard Gaussian.",
    ),
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
unlikely = -plus(Total(d, LogDensity(x, made, noise**2)), Total(l, LogDensity(z, 0, 1)))
mode = derivation.chain(
    "The objective is a posterior, with the noise's variance as the price",
    unlikely,
    equals(
        plus(SquaredNorm(d, x - made) / (2 * noise**2), SquaredNorm(l, z) / 2, constant),
        "write out the logarithms of both Gaussian densities",
    ),
    equals(
        plus(times(1 / (2 * noise**2), plus(SquaredNorm(d, x - made), noise**2 * SquaredNorm(l, z))), constant),
        r"take out $\frac{1}{2 \sigma^2}$",
        wrong={
            "the deviation": plus(times(1 / (2 * noise**2), plus(SquaredNorm(d, x - made), noise * SquaredNorm(l, z))), constant)
        },
    ),
    so=prose(
        r"The first line is $-\log p(x, z)$. Less its constant, and times $2 \sigma^2$, it is {objective} with {price}: the "
        "objective with every pixel seen. So descent on it looks for the most likely code.",
        objective=holds(
            2 * noise**2 * (unlikely - constant), "=", plus(SquaredNorm(d, x - made), lam * SquaredNorm(l, z)), named=True
        ),
        price=where(lam, noise**2),
    ),
)
m = derivation.numbers("m", d, "1 where a pixel is seen, 0 where it is hidden", "mask")
masked = plus(Total(d, m * (x - made) ** 2), lam * SquaredNorm(l, z))
derivation.say(
    prose(
        "The slope in what the generator makes of a pixel is {slope}, zero where the pixel is hidden. So a hole in an image is "
        "filled by what the generator makes of the code that fits the rest.",
        slope=holds(Slope(masked, made.at(0)), "=", -2 * m.at(0) * (x.at(0) - made.at(0)), named=True),
    )
)
_SEEN = jnp.array([True, False, True, True])
_MATRIX = jnp.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
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
residual = derivation.chain(
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
    "No direction is stretched by more than the largest singular value",
    top**2 * SquaredNorm(l, g) - stretched,
    example={W: ((2, 0), (0, 1)), top: 2},
    wrong={"not squared": top * SquaredNorm(l, g) - stretched},
)
falling = derivation.chain(
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
    so=prose(
        "For steps shorter than {longest} the objective falls unless the gradient is zero. For a curved generator the same holds "
        "with a bound on half of the Hessian where descent goes.",
        longest=1 / (top**2 + lam),
    ),
)

u = derivation.number("u", "a code of one coordinate")
goal = derivation.number("a", "the image, of one pixel")
slope = derivation.number("c", "the least slope of the generator", positive=True)
f = derivation.function("f", "a generator with one coordinate and one pixel")
steep = derivation.assume(
    "The generator rises everywhere",
    f(u).diff(u) - slope,
    example={f: lambda code: code + code**3 / 3, slope: 1},
    wrong={"twice as fast": f(u).diff(u) - 2 * slope},
)
one = derivation.define("F_0", (f(u) - goal) ** 2, "the objective of one coordinate and one pixel, without a price")
derivation.chain(
    "In one dimension and without a price a rising generator has no false minimum",
    Slope(one, u) ** 2,
    equals(
        4 * one * f(u).diff(u) ** 2,
        prose("the chain rule: {slope}", slope=holds(Slope(one, u), "=", times(2, f(u) - goal, f(u).diff(u)))),
        wrong={"the slope not squared": 4 * one * f(u).diff(u)},
    ),
    equals(
        plus(4 * slope**2 * one, times(4 * one, steep.at(), plus(steep.at(), 2 * slope))),
        prose(
            "{squares}", squares=holds(f(u).diff(u) ** 2, "=", plus(slope**2, times(f(u).diff(u) - slope, f(u).diff(u) + slope)))
        ),
    ),
    at_least(
        4 * slope**2 * one,
        "leave out a product of numbers that are not negative",
        dropping=times(4 * one, steep.at(), plus(steep.at(), 2 * slope)),
    ),
    central=True,
    so="So the slope of $F_0$ is zero only where $F_0$ is, at the code: a generator that rises everywhere by at least $c$ makes "
    "every image, and descent with sufficiently short steps finds its code. The slope of $u + 0.3 u^3$, for instance, is at "
    "least 1. A positive price can add a false minimum (exercise 4).",
)
derivation.answer = prose(
    "With the price {price} descent on the objective looks for the most likely code; steps that are short enough lower the "
    "objective. Without a price, with one coordinate, one pixel and a slope of the generator that is at least a positive "
    "{least}, the squared slope of the objective is {bound}, at least {floor}: the code is the only place to stop. With a price "
    "on long codes, or for an image on a curved manifold, there can be other minima, even where the generator is one-to-one. "
    "Then the start decides: from a regression, or the best of several.",
    price=noise**2,
    least=slope,
    bound=holds(Slope(one, u) ** 2, "=", 4 * one * f(u).diff(u) ** 2, named=True),
    floor=4 * slope**2 * one,
)
derivation.symbol("n", "how many steps were taken")
derivation.symbol("z^{(n)}", "the code after them", "invert_by_gradient_descent")
pitch = derivation.number(r"\varepsilon", "the pitch of a helix", positive=True)
derivation.chain(
    "On a helix there are false minima, although no two codes have the same image",
    plus((1 - cos(u)) ** 2, (0 - sin(u)) ** 2, (0 - pitch * u) ** 2),
    equals(
        plus(2, -2 * cos(u), pitch**2 * u**2),
        prose(
            r"the image of 0 is $(1, 0, 0)$ and that of $u$ is $(\cos u, \sin u, \varepsilon u)$; {circle}",
            circle=holds(plus(cos(u) ** 2, sin(u) ** 2), "=", 1),
        ),
        wrong={"once": plus(1, -cos(u), pitch**2 * u**2)},
    ),
    so=prose(
        r"Its slope is {slope}, which is zero at finitely many places, all of size $1/\varepsilon^2$ at most. Those much nearer "
        r"to 0 are close to the multiples of $\pi$: maxima near the odd ones, minima near the even ones. Of these only 0 is the "
        "code; at the others the residual is orthogonal to the curve.",
        slope=holds(Slope(plus(2, -2 * cos(u), pitch**2 * u**2), u), "=", plus(2 * sin(u), 2 * pitch**2 * u), named=True),
    ),
)


@derivation.numeric(
    r"\lim_{n \to \infty} z^{(n)} = u \neq 0, \quad 2 \sin u + 2 \varepsilon^2 u = 0 \quad\text{from}\quad z^{(0)} = 5",
    because="Descent on the helix of pitch 0.1 towards the image of 0 ends one turn away, at a root of the slope.",
    tolerance=1e-9,
)
def descent_ends_aturn_away():
    goal = helix(jnp.zeros((1, 1)))
    end = descend(helix, goal, jnp.full((1, 1), 5.0), 0.3, 60)[0, 0]
    return Sides(left=end, right=turn_away(), wrong={"a whole turn": 2 * np.pi, "the code": 0.0})


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
    at_least(
        0,
        prose("{factor}, and {one}", factor=holds(4 * short * q * (1 + q), "<", 8 * short), one=holds(8 * short, "<", 1)),
        dropping=times(1 - q, plus(1, -4 * short * q * (1 + q))),
    ),
    so=prose(
        "The second factor is between 0 and 1: from every start in $(0, 1)$ the code rises to 1, and by symmetry from every "
        r"start in $(-1, 0)$ it falls to $-1$. With steps longer than $\frac14$ neither code attracts descent: the slope of a "
        "step there, {slope}, is below $-1$. A regression would have guessed their mean, 0, from where descent does not move at "
        "all.",
        slope=holds(Slope(q - short * ((q**2 - 1) ** 2).diff(q), q), "=", 1 - 8 * short, when={q: 1}, named=True),
    ),
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
        r"the normal equations of the least $|r - J \delta|^2 + \mu |\delta|^2$, of which $\delta$ is the solution",
    ),
    sizes={d: 2},
    so=r"With little damping and a linear generator, one step leads to the least squares. With much damping $\delta$ is short, "
    r"and $\mu \delta$ tends to $b$, which is minus half of the gradient of $F$ without a price: a step of descent of length "
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
    r"\hat z", w1 * seen / (w1**2 + noise**2), r"the code with the least objective, at the price $\sigma^2$"
)
prior = Normal(u, 0, 1)
derivation.chain(
    "A hole is filled with the conditional mean",
    w2 * found,
    equals(
        times(w1 * w2 / (w1**2 + noise**2), seen),
        prose(
            "the generator's hidden pixel; {zero} is the slope of the objective of the seen one at this code",
            zero=holds(plus(times(-2 * w1, seen - w1 * found), 2 * noise**2 * found), "=", 0),
        ),
        wrong={"the seen one": times(w1 * w1 / (w1**2 + noise**2), seen)},
    ),
    equals(
        times(Expectation(prior, (w1 * u) * (w2 * u)) / (Expectation(prior, (w1 * u) ** 2) + noise**2), seen),
        prose(
            "{variance}; noise is independent of the code and of other noise", variance=holds(Expectation(prior, u**2), "=", 1)
        ),
    ),
    so="That is the covariance of both pixels over the variance of the seen one, times the seen one: the mean of the hidden "
    "pixel given the seen one.",
)

bound = derivation.number("b", "the bound of a coordinate", "bound", positive=True)
v = derivation.number("v", "a uniform number", "uniforms", between=(0, 1))
clipped = derivation.chain(
    "A coordinate that is clipped at random has a third of the bound's square as its variance",
    Integral((bound * (2 * v - 1)) ** 2, (v, 0, 1)),
    equals(
        bound**2 / 3,
        prose("{third}", third=holds(Integral((2 * v - 1) ** 2, (v, 0, 1)), "=", Rational(1, 3))),
        wrong={"a twelfth": bound**2 / 12},
    ),
    so=prose(
        "Its mean is {zero}. A code that is put on the border stays there while the slope that drove it out is still there. One "
        "that begins anew inside does not.",
        zero=holds(Integral(bound * (2 * v - 1), (v, 0, 1)), "=", 0, named=True),
    ),
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


@derivation.algorithm(
    "Inversion by descent",
    do("start from a code $z$: a regression's, or several random ones", by=mode),
    do("repeat:"),
    do(r"$z \leftarrow z - h \nabla F(z)$, with hidden pixels left out", invert_by_gradient_descent, by=falling, indent=1),
    do("draw every coordinate beyond $b$ anew within it", stochastic_clip, by=clipped, indent=1),
    do("of several, return the code with the least $F(z)$", inversion_objective, by=residual),
)
def two_steps():
    z, image, seen = jnp.zeros((1, 2)), jnp.array([[2.0, 3.0, 1.0]]), jnp.ones((1, 3), bool)
    start = r"\text{the generator of the example, } h = 0.1, b = 3, \text{ from } 0: \quad "
    for code, left in (("(1, 0.8)", "2.48"), ("(1.44, 1.08)", "0.5504")):
        z = invert_by_gradient_descent(image, z, seen, lambda z: z @ _MATRIX.T, learning_rate=0.1, num_steps=1, prior_weight=0.0)
        z = stochastic_clip(z, jnp.full((1, 2), 0.5), bound=3.0)
        yield start + "z", z[0], code
        yield "F(z)", inversion_objective(image, z @ _MATRIX.T, z, seen, prior_weight=0.0)[0], left
        start = ""


@derivation.example(
    "A linear generator of three pixels with the rows $(1, 0)$, $(1, 1)$ and $(0, 1)$, the image $(2, 3, 1)$ and the code 0 at "
    "the start. Its gradient; one step of Gauss and Newton's with hardly any damping, and with 1; then the helix of pitch 0.1: "
    "where descent from 5 ends, and the objective there. Last, a hole: the weights 2 and 1, noise of deviation 1, and the seen "
    "pixel 5."
)
def numbers_by_hand():
    x, start, seen = jnp.array([[2.0, 3.0, 1.0]]), jnp.zeros((1, 2)), jnp.ones((1, 3), bool)
    slope = jax.grad(lambda z: inversion_objective(x, z @ _MATRIX.T, z, seen, prior_weight=0.0).sum())
    yield r"\nabla F", slope(start)[0], "(-10, -8)"
    for damping, said in ((1e-12, "(2.0, 1.0)"), (1.0, "(1.375, 0.875)")):
        yield rf"z + \delta \text{{ at }} \mu = {damping:g}", gauss_newton_step(start, x, _MATRIX[None], damping=damping)[0], said
    end = np.array([[turn_away()]])
    yield "u", end[0], "6.220936"
    goal = helix(jnp.zeros((1, 1)))
    yield "F(u)", inversion_objective(goal, helix(jnp.asarray(end)), end, np.ones((1, 3), bool), prior_weight=0.0)[0], "0.390874"
    pair, hole = jnp.array([[5.0, jnp.nan]]), jnp.array([[True, False]])
    code = invert_by_gradient_descent(
        pair, jnp.zeros((1, 1)), hole, lambda z: z * jnp.array([[2.0, 1.0]]), learning_rate=0.1, num_steps=1, prior_weight=1.0
    )
    yield r"\hat z", code[0, 0], "2"


@derivation.figure(
    "Left: the objective on the helix towards the image of 0, with the ends of descent from nine starts (dots) one turn apart. "
    "Right: the distance from the image against the number of steps, from three starts. Only the one within half a turn comes to "
    "zero.",
    panels=2,
)
def basins(landscape, steps):
    draw_basins(landscape, steps)
