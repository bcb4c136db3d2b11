"""The code of an image by descent: why it is a posterior mode, and where descent ends.

The lecture on the functions of theory_jax/adversarial/gan_inversion.py.
"""

import jax
import jax.numpy as jnp
from sympy import Integral, Rational, cos, log, pi, sin

from theory_jax.adversarial.gan_inversion import (
    gauss_newton_step,
    inversion_objective,
    invert_by_gradient_descent,
    stochastic_clip,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._codes import descend, draw_basins, helix

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
lam = derivation.number(r"\lambda", "the price of a long code", "prior_weight", nonnegative=True)
D, L = derivation.count(d, "D", "the number of pixels"), derivation.count(l, "L", "the number of coordinates")
constant = plus(D * log(2 * pi * noise**2) / 2, L * log(2 * pi) / 2)
unlikely = -plus(Total(d, LogDensity(x, made, noise**2)), Total(l, LogDensity(z, 0, 1)))
mode = derivation.chain(
    "With the noise's variance as the price the objective is minus the log posterior, up to a factor and a constant",
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
    role="lemma",
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

derivation.say(
    "Where can descent stop? Only where the gradient is zero, so look at the gradient of any generator, here of two coordinates "
    "and two pixels."
)
h = derivation.number("h", "the length of the step", "learning_rate", positive=True)
J = derivation.numbers("J", (d, l), "the Jacobian of the generator", "jacobian")
o = derivation.numbers("r", d, "the residual, $x - G(z)$", "residual")
pixels = [derivation.function(rf"\Gamma_{n}", f"what a curved generator makes of pixel {n}", arguments=2) for n in (0, 1)]
gaps = [x.at(n) - pixels[n](z.at(0), z.at(1)) for n in (0, 1)]
changes = [Slope(pixels[n](z.at(0), z.at(1)), z.at(i)) for n in (0, 1)]
pulled = plus(*(-2 * gap * change for gap, change in zip(gaps, changes, strict=True)), 2 * lam * z.at(i))
residual = derivation.chain(
    "The gradient is the residual, seen by the Jacobian",
    Slope(plus(*(gap**2 for gap in gaps), lam * SquaredNorm(l, z)), z.at(i)),
    equals(
        pulled,
        "the chain rule: a pixel changes by its slope in the coordinate that is moved",
        wrong={"the sign of the residual": plus(4 * lam * z.at(i), -pulled), "no factor 2": pulled / 2},
    ),
    role="lemma",
    so=r"In matrices it is $-2 J^\top r + 2 \lambda z$, for generators of every size. Without a price it is zero where the "
    r"residual is orthogonal to every direction in which a change of the code moves the image, and nowhere else.",
)
g = derivation.define("g", -2 * Total(d, J * o) + 2 * lam * z, "the gradient", over=l)
top = derivation.number("S", "the largest singular value of the Jacobian", positive=True)
low = derivation.number("s", "the least singular value of its transpose", positive=True)
free = derivation.define("g^0", -2 * Total(d, J * o), "the gradient without a price", over=l)
visible = derivation.assume(
    "The transposed Jacobian shrinks no residual to less than $s$ times its length",
    SquaredNorm(l, Total(d, J * o)) - low**2 * SquaredNorm(d, o),
    example={J: ((2, 0), (0, 1)), low: 1},
    wrong={"twice as long": SquaredNorm(l, Total(d, J * o)) - 4 * low**2 * SquaredNorm(d, o)},
)
derivation.chain(
    "Where the Jacobian loses no residual, descent cannot stop before the image is made",
    SquaredNorm(l, free),
    equals(
        4 * SquaredNorm(l, Total(d, J * o)), "take out the factor", wrong={"the factor once": 2 * SquaredNorm(l, Total(d, J * o))}
    ),
    at_least(
        4 * low**2 * SquaredNorm(d, o),
        "no residual is shrunk more",
        dropping=4 * visible.at(),
        wrong={"the largest": 4 * top**2 * SquaredNorm(d, o)},
    ),
    sizes={d: 2},
    central=True,
    so="The last line is $4 s^2$ times the objective without a price. If one positive $s$ serves for all codes on the way, the "
    "slope is zero only where the objective is: there is no false minimum and no saddle point. It can be so only if no more "
    "pixels are seen than the code has coordinates; of more pixels some residual is orthogonal to all that the code can change.",
)
stretched = SquaredNorm(d, Total(l, J * g))
now = derivation.define("F", plus(SquaredNorm(d, o), lam * SquaredNorm(l, z)), "the objective with every pixel seen")
after = derivation.define(
    "F^+",
    plus(SquaredNorm(d, o + h * Total(l, J * g)), lam * SquaredNorm(l, z - h * g)),
    "the objective after a step, of a linear generator",
)
longest = derivation.assume(
    "No direction is stretched by more than the largest singular value",
    top**2 * SquaredNorm(l, g) - stretched,
    example={J: ((2, 0), (0, 1)), top: 2},
    wrong={"not squared": top * SquaredNorm(l, g) - stretched},
)
falling = derivation.chain(
    "A short step lowers the objective",
    after,
    equals(
        plus(now, -h * SquaredNorm(l, g), times(h**2, plus(stretched, lam * SquaredNorm(l, g)))),
        r"a quadratic is its own Taylor polynomial; its Hessian is $2 (J^\top J + \lambda I)$",
        wrong={"halved": plus(now, -h * SquaredNorm(l, g), times(h**2 / 2, plus(stretched, lam * SquaredNorm(l, g))))},
    ),
    at_most(
        plus(now, -times(h, 1 - h * (top**2 + lam), SquaredNorm(l, g))),
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
share = derivation.number("t", "the length of the step, as a share of $1/S^2$", between=(0, 1))
geometric = derivation.chain(
    "Where the Jacobian loses no residual, a step of a linear generator without a price lowers the objective by a factor",
    plus(SquaredNorm(d, o), -times(share * (1 - share) / top**2, SquaredNorm(l, free))),
    at_most(
        times(1 - 4 * share * (1 - share) * low**2 / top**2, SquaredNorm(d, o)),
        "the result above",
        adding=times(4 * share * (1 - share) / top**2, visible.at()),
        wrong={"the share once": times(1 - 4 * share * low**2 / top**2, SquaredNorm(d, o))},
    ),
    sizes={d: 2},
    so=prose(
        "The first line is the bound of (6) without a price, at the step {step}. This bound, not the step itself, is best at "
        "{half}: the objective falls at least by the factor {factor}. A generator that stretches some directions much more than "
        "others is indeed inverted slowly: at this step a residual along the least stretched one keeps {kept} of its square.",
        step=share / top**2,
        half=where(share, Rational(1, 2)),
        factor=holds(1 - 4 * share * (1 - share) * low**2 / top**2, "=", 1 - low**2 / top**2, named=True),
        kept=holds((1 - 2 * h * low**2) ** 2, "=", (1 - low**2 / top**2) ** 2, when={h: 1 / (2 * top**2)}, named=True),
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
    at_least(
        4 * slope**2 * one,
        prose("leave out {product}, which is not negative", product=times(4 * one, f(u).diff(u) - slope, f(u).diff(u) + slope)),
        dropping=times(4 * one, steep.at(), plus(steep.at(), 2 * slope)),
    ),
    role="remark",
    so="It is the result above for one pixel and one coordinate: a generator that rises everywhere by at least $c$ makes every "
    "image, and descent with sufficiently short steps finds its code. The slope of $u + 0.3 u^3$, for instance, is at "
    "least 1. A positive price can add a false minimum (exercise 4).",
)
derivation.answer = prose(
    "Without a price on long codes descent stops where the residual is orthogonal to every direction in which the code can "
    "move the image. If the transposed Jacobian shrinks no residual to less than {least} times its length, the squared slope "
    "is at least {floor}, so descent stops only at a code that makes the image, and short steps make the objective of such a "
    "linear generator fall by a factor a step. An image on a curved manifold, with more pixels than coordinates, can have false "
    "minima, even where the generator is one-to-one. The price {price} makes the minimum the most likely code, and can add false "
    "minima, too. Then the start decides: from a regression, or the best of several.",
    least=low,
    floor=4 * low**2 * SquaredNorm(d, o),
    price=noise**2,
)
pitch = derivation.number(r"\varepsilon", "the pitch of a helix", positive=True)
derivation.chain(
    "On a helix of small pitch there are false minima, although no two codes have the same image",
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
        "code, since codes differ in the third pixel; at the others the residual is orthogonal to the curve.",
        slope=holds(Slope(plus(2, -2 * cos(u), pitch**2 * u**2), u), "=", plus(2 * sin(u), 2 * pitch**2 * u), named=True),
    ),
)

short = derivation.number("h'", r"the length of a step, less than $\frac18$", "learning_rate", between=(0, Rational(1, 8)))
q = derivation.number("q", "a code between 0 and 1", between=(0, 1))
derivation.chain(
    "A generator that is not one-to-one has a basin for each of its codes",
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
        "step there, {slope}, is then below $-1$. A regression would have guessed their mean, 0, where descent does not "
        "move.",
        slope=holds(Slope(q - short * ((q**2 - 1) ** 2).diff(q), q), "=", 1 - 8 * short, when={q: 1}, named=True),
    ),
    role="remark",
)

derivation.say(
    "A longer step where the generator is nearly linear: replace $G(z + \\delta)$ by $G(z) + J \\delta$, and stay near."
)
mu = derivation.number(r"\mu", "the damping", "damping", positive=True)
A = derivation.define("A", Total(d, J * J.at(d, j)), r"the matrix $J^\top J$", over=(l, j))
b = derivation.define("b", Total(d, J * o), r"the vector $J^\top r$", over=l)
trace = derivation.define(r"\mathrm{tr}", Total(l, A.at(l, l)) + 2 * mu, r"the trace of $J^\top J + \mu I$")
det = derivation.define("Q", A.at(0, 0) * A.at(1, 1) - A.at(0, 1) ** 2 + mu * Total(l, A.at(l, l)) + mu**2, "its determinant")
delta = derivation.define(
    r"\delta", ((trace - mu) * b - Total(j, A * b.at(j))) / det, "Gauss and Newton's step", "gauss_newton_step", over=l
)
derivation.chain(
    r"Gauss and Newton's damped step minimizes $|r - J \delta|^2 + \mu |\delta|^2$",
    times(mu, delta),
    equals(
        plus(b, -Total(j, A * delta.at(j))),
        r"insert $\delta$: half of the slope of the minimized function, which is convex in $\delta$, is zero there",
    ),
    sizes={d: 2},
    so=r"With little damping and a linear generator, one step leads to the least squares. With much damping $\delta$ is short, "
    r"and $\mu \delta$ tends to $b$, which is minus half of the gradient of $F$ without a price: a step of descent of length "
    r"$1/(2 \mu)$.",
    role="remark",
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
    r"For a linear generator the best code at the price $\sigma^2$ fills a hole with the conditional mean of the model",
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
    role="remark",
)

bound = derivation.number("B", "the bound of a coordinate", "bound", positive=True)
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
    role="remark",
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
    do("start from a code $z$: a regression's, or several random ones"),
    do(r"choose a step: $h$ below $1/(\lambda + S^2)$ if the generator is linear", by=falling),
    do("repeat:"),
    do(r"$z \leftarrow z - h \nabla F(z)$, with hidden pixels left out", invert_by_gradient_descent, by=residual, indent=1),
    do("draw every coordinate beyond $B$ anew within it", stochastic_clip, by=clipped, indent=1),
    do("of several, return the code with the least $F(z)$", inversion_objective, by=mode),
)
def two_steps():
    z, image, seen = jnp.zeros((1, 2)), jnp.array([[2.0, 3.0, 1.0]]), jnp.ones((1, 3), bool)
    start = r"\text{the generator of the example, } h = 0.1, B = 3, \text{ from } 0: \quad "
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
    goal = helix(jnp.zeros((1, 1)))
    end = descend(helix, goal, jnp.full((1, 1), 5.0), 0.3, 60)
    yield "u", end[0], "6.220936"
    yield r"\sin u + \varepsilon^2 u", jnp.sin(end[0]) + 0.1**2 * end[0], "0"
    yield "F(u)", inversion_objective(goal, helix(end), end, seen, prior_weight=0.0)[0], "0.390874"
    pair, hole = jnp.array([[5.0, jnp.nan]]), jnp.array([[True, False]])
    code = invert_by_gradient_descent(
        pair, jnp.zeros((1, 1)), hole, lambda z: z * jnp.array([[2.0, 1.0]]), learning_rate=0.1, num_steps=1, prior_weight=1.0
    )
    yield r"\hat z", code[0, 0], "2"


@derivation.figure(
    "Codes are numbers and images a helix of small pitch, which comes back to nearly the same image with every turn. Left: the "
    "squared distance from the image of the code 0, for every code, with the ends of descent from nine starts (dots) one turn "
    "apart. Right: the distance against the number of steps, from three starts. Only the one within half a turn comes to zero.",
    panels=2,
)
def basins(landscape, steps):
    draw_basins(landscape, steps)
