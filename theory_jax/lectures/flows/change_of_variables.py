"""Change of variables: what a map does to a density.

The lecture on the functions of theory_jax/flows/change_of_variables.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Abs, Integral, cos, exp, log, oo, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, LogDensity, Product, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.change_of_variables import (
    box_muller,
    box_muller_inverse,
    box_muller_log_det,
    inverse_transform_sample,
    log_abs_det_jacobian,
    pushforward_log_prob,
    standard_normal_log_prob,
)
from theory_jax.lectures.flows._change_of_variables import draw_pieces

derivation = Derivation(
    module=__name__,
    title="Change of variables: what a map does to a density",
    sources=(
        "Box & Muller 1958, A note on the generation of random normal deviates",
        "Papamakarios, Nalisnick, Rezende, Mohamed & Lakshminarayanan 2021, Normalizing flows for probabilistic modeling and "
        "inference",
        "Devroye 1986, Non-uniform random variate generation",
    ),
    question="A generator turns noise into data, and is trained by likelihood only if the density of its output is known. "
    "Where it stretches space the points thin out, so the density of the noise is not that of the data. What density do the "
    "data have, and how does one find a map that gives a wanted density, such as two normal numbers from two uniform ones?",
    setting=(
        r"$Z$ has a density $p_Z$ on an open set of $\mathbb{R}^D$. The map $f$ is one-to-one and continuously differentiable, "
        r"and so is its inverse; $X = f(Z)$. $J$ is the matrix of the derivatives $\partial f_i / \partial z_j$.",
        "All of this may fail on a set of volume 0 with an image of volume 0: this does not affect a density.",
        r"In the derivation $D$ is 1 or 2; the determinant of a product and of an inverse are those of any $D$.",
    ),
    limits=(
        "The substitution rule of integrals in many dimensions is stated, not proven; the lemma about small squares is its "
        "picture.",
        "Maps that are not one-to-one (the density is then a sum over preimages), and maps between different dimensions.",
    ),
    trained="A formula, not a model. Every flow trains by it.",
)


@derivation.figure(
    "Left: ten by ten cells of equal probability on the square of uniforms. Right: their images under the map of Box and "
    "Muller. Every image cell has probability 0.01, and is shaded by 0.01 over its area: the bell of the normal density.",
    panels=2,
)
def cells(square, image):
    edges = np.linspace(0, 1, 11)
    edges[0] = 0.003  # the image of the first column has no outer edge
    u = np.stack(np.meshgrid(edges, np.linspace(0, 1, 41), indexing="ij"), axis=-1)
    for axes, x in ((square, u), (image, np.asarray(box_muller(u.reshape(-1, 2))).reshape(u.shape))):
        (p, q), (r, s) = (x[1:, 1:] - x[:-1, :-1]).T, (x[1:, :-1] - x[:-1, 1:]).T
        area = abs(p * s - q * r).T / 2
        axes.pcolormesh(*x.T, (np.diff(edges)[:, None] / 40 / area).T, cmap="Blues", vmin=0, vmax=0.2 if axes is image else 2.5)
        for lines in (x[:, ::4], x.swapaxes(0, 1)):
            axes.plot(*lines.transpose(2, 0, 1), color="gray", linewidth=0.4)
    square.set(xlabel="$u_1$", ylabel="$u_2$", aspect="equal")
    image.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")


F = derivation.function("C", "the distribution function of $X$: $C(x) = P(X \\le x)$")
f = derivation.function("f", "the map, here increasing and of one variable")
z = derivation.number("z", "a point of the noise")
derivation.chain(
    "On the line, the density is divided by the slope of the map",
    Slope(F(f(z)), z),
    equals(
        times(sympy.diff(F(z), z).subs(z, f(z)).doit(), sympy.diff(f(z), z)),
        "the chain rule",
        wrong={"divided by the slope": sympy.diff(F(z), z).subs(z, f(z)).doit() / sympy.diff(f(z), z)},
    ),
    role="lemma",
    so=prose(
        r"For an increasing map $C(f(z)) = P(f(Z) \le f(z)) = P(Z \le z)$, whose slope is the density of the noise at $z$. So "
        "that density is {product}, the density of the data at $f(z)$ times the slope of the map. A decreasing map turns the "
        r"inequality around, and the slope is replaced by its absolute value.",
        said=(r"C(f(z)) = P(f(Z) \le f(z)) = P(Z \le z)",),
        product=holds(Slope(F(f(z)), z), "=", times(sympy.diff(F(z), z).subs(z, f(z)).doit(), sympy.diff(f(z), z)), named=True),
    ),
)

derivation.say("In the plane, lengths become areas. The four corners of a small square determine how a map changes its area.")
derivation.symbol("h", "the side of a small square")
derivation.symbol("A(h)", "the signed area of the quadrilateral of its four mapped corners")
derivation.symbol(r"f_1, f_2", "the two coordinates of the map of the plane")
derivation.symbol(r"\partial_1, \partial_2", "derivatives by the first and by the second coordinate of the noise")


@derivation.symbolic(
    r"\lim_{h \to 0} \frac{A(h)}{h^2} = \partial_1 f_1\, \partial_2 f_2 - \partial_2 f_1\, \partial_1 f_2 = \det J",
    because="Half the cross product of the two diagonals is the area of a quadrilateral, with its sign. All quadratic maps of "
    "the plane are treated at once, by ten coefficients; cubic terms of the map change $A(h)/h^2$ by the order of $h^2$ at most.",
    role="lemma",
)
def a_small_square():
    side, *free = sympy.symbols("h a:5 b:5")
    first, second = free[:5], free[5:]

    def corner(c, i, j):  # f(z + h (i, j)) - f(z) by the derivatives and half the second derivatives
        return side * (c[0] * i + c[1] * j) + side**2 * (c[2] * i**2 + c[3] * i * j + c[4] * j**2)

    def diagonal(c):
        return corner(c, 1, 1), corner(c, 0, 1) - corner(c, 1, 0)

    (p, q), (r, s) = diagonal(first), diagonal(second)
    area = sympy.expand((p * s - q * r) / (2 * side**2)).subs(side, 0)
    determinant = first[0] * second[1] - first[1] * second[0]
    wrong = {"a permanent": first[0] * second[1] + first[1] * second[0], "half": determinant / 2, "trace": first[0] + second[1]}
    return Sides(left=area, right=determinant, wrong=wrong)


entries = [derivation.number(f"J_{{{i}{j}}}", f"entry {i}, {j} of $J$") for i in (1, 2) for j in (1, 2)]
changed = [derivation.number(f"K_{{{i}{j}}}", f"entry {i}, {j} of a second map's matrix $K$") for i in (1, 2) for j in (1, 2)]
J, K = sympy.Matrix(2, 2, entries), sympy.Matrix(2, 2, changed)
derivation.chain(
    "Determinants of maps in a row multiply",
    (K * J).det(),
    equals(
        times(K.det(), J.det()),
        r"the chain rule makes the matrix of both maps, $f$ first, the product $KJ$; collect the terms of its determinant",
        wrong={"added": K.det() + J.det()},
    ),
    role="lemma",
    so=prose(
        "If the second map is the inverse $g$ of $f$, the product is the identity, with determinant 1. So the determinant of "
        "the inverse map is {reciprocal}.",
        reciprocal=holds(J.inv().det(), "=", 1 / J.det(), named=True, wrong={"the same": J.det(), "the sign": -1 / J.det()}),
    ),
)
derivation.say(
    r"A region $A$ of the data has the probability of the region that is mapped to it. The substitution rule of integrals gives "
    r"$P(X \in A) = \int_{g(A)} p_Z(z)\, dz = \int_A p_Z(g(x))\, |\det J_g|\, dx$. Since this holds for every $A$, the density "
    r"is $p_X(x) = p_Z(g(x))\, |\det J_g|$."
)
density = derivation.number("p_Z", "the density of the noise at $z = g(x)$", "exp(base_log_prob)", positive=True)
stretch = derivation.number(r"\det J", "the determinant of $J$, which is not 0", real=True, nonzero=True)
back = derivation.define(r"\det J_g", 1 / stretch, "the determinant of the inverse map, by the lemma")
pushed = derivation.define("p_X", density * Abs(back), "the density of the data at $x$", "pushforward_log_prob", positive=True)
loses = derivation.chain(
    "The log-density loses the log-determinant",
    log(pushed),
    equals(
        log(density / Abs(stretch)),
        "the determinant of the inverse map is the reciprocal",
        wrong={"multiplied": log(density * Abs(stretch)), "the root": log(density / sqrt(Abs(stretch)))},
    ),
    equals(plus(log(density), -log(Abs(stretch))), "the logarithm of a quotient"),
    central=True,
    so=r"The bars matter: a reflection has determinant $-1$, and no density is negative.",
)
second = derivation.number(r"\det K", "that of a second map", real=True, nonzero=True)
k = derivation.index("k", "a map of a row")
stretches = derivation.numbers(r"\Delta_{}", k, r"$|\det J|$ of map $k$ of a row, where it is applied", positive=True)
derivation.chain(
    "Maps in a row add their log-determinants",
    log(Abs(second * stretch)),
    equals(plus(log(Abs(second)), log(Abs(stretch))), "the logarithm of a product"),
    so=prose(
        "A flow is such a row of simple maps. For any number of them the log-density of the data is {flow}, each log-determinant "
        "taken where its own map is applied.",
        flow=holds(log(density / Product(k, stretches)), "=", plus(log(density), -Total(k, log(stretches))), named=True),
    ),
)

u = derivation.number("u", "a uniform number", "u", between=(0, 1))
rate = derivation.number(r"\lambda", "the rate of an exponential distribution", "rate", positive=True)
waiting = derivation.define("x", -log(1 - u) / rate, "the mapped number", "inverse_transform_sample", positive=True)
derivation.say(
    prose(
        "The other direction asks for a map. On the line, take the inverse of a distribution function: if $U$ is uniform, "
        r"$P(C^{-1}(U) \le t) = P(U \le C(t)) = C(t)$. For the exponential distribution the inverse is {x}: its distribution "
        "function there is {u}.",
        said=(r"P(C^{-1}(U) \le t) = P(U \le C(t)) = C(t)",),
        x=holds(waiting, "=", -log(1 - u) / rate),
        u=holds(1 - exp(-rate * waiting), "=", u),
    )
)
derivation.chain(
    "The inverse of a distribution function has the wanted density",
    1 / Slope(-log(1 - u) / rate, u),
    equals(
        rate * (1 - u),
        prose(
            "the uniform density 1, over the slope {slope}", slope=holds(Slope(waiting, u), "=", 1 / (rate * (1 - u)), named=True)
        ),
        wrong={"the slope itself": 1 / (rate * (1 - u)), "the rate turned over": (1 - u) / rate},
    ),
    equals(
        rate * exp(-rate * waiting),
        prose("{rest}", rest=holds(1 - u, "=", exp(-rate * waiting))),
        wrong={"u for 1 - u": rate * (1 - exp(-rate * waiting))},
    ),
)
derivation.figure(
    prose(
        r"The exponential distribution with rate $\lambda$ of 1. Left: pieces of equal length on the axis of $u$ become longer "
        "where the map is steep. Right: each still has the probability 0.1, so its density (bar) is 0.1 over its length; as the "
        "pieces shrink, the bars become one over the slope of the map, {density}.",
        density=holds(
            1 / Slope(waiting, u), "=", rate * exp(-rate * waiting), named=True, wrong={"the slope": exp(rate * waiting) / rate}
        ),
    ),
    panels=2,
)(draw_pieces)
derivation.bridge(
    "The code draws an exponential variable",
    waiting,
    inverse_transform_sample,
    u=u,
    rate=rate,
    wrong={"the logarithm of u": -log(u) / rate, "times the rate": -log(1 - u) * rate},
)

derivation.say(
    "For the normal distribution that inverse is no elementary function. In the plane it is: the density of two independent "
    r"standard normals depends on the radius $r$ alone. Write $z = (r \cos\varphi, r \sin\varphi)$."
)
r = derivation.number("r", "the radius", positive=True)
phi = derivation.number(r"\varphi", "the angle", between=(0, 2 * pi))
rho = derivation.number(r"\rho", "a radius up to $r$", positive=True)
polar = sympy.Matrix([r * cos(phi), r * sin(phi)])
bell = exp(-(polar[0] ** 2 + polar[1] ** 2) / 2) / (2 * pi)
derivation.chain(
    "Radius and angle of two normals are independent",
    times(bell, plus(times(Slope(polar[0], r), Slope(polar[1], phi)), -times(Slope(polar[0], phi), Slope(polar[1], r)))),
    equals(
        times(bell, r),
        prose("the determinant: {radius}", radius=holds(plus(r * cos(phi) ** 2, r * sin(phi) ** 2), "=", r)),
        wrong={"its square": times(bell, r**2)},
    ),
    equals(
        times(1 / (2 * pi), r * exp(-(r**2) / 2)),
        prose("{square}: what is left depends on $r$ alone", square=holds(polar[0] ** 2 + polar[1] ** 2, "=", r**2)),
        wrong={"the exponent's half": times(1 / (2 * pi), r * exp(-(r**2)))},
    ),
    so=prose(
        r"The angle is uniform on $(0, 2\pi)$ and independent of the radius, which has the density {radius}.",
        radius=holds(Integral(r * exp(-(r**2) / 2) / (2 * pi), (phi, 0, 2 * pi)), "=", r * exp(-(r**2) / 2), named=True),
    ),
    role="lemma",
)
up_to = Integral(rho * exp(-(rho**2) / 2), (rho, 0, r))
radius = derivation.chain(
    "The radius has an elementary distribution function",
    up_to,
    equals(
        1 - exp(-(r**2) / 2),
        prose("{slope}", slope=holds(Slope(-exp(-(rho**2) / 2), rho), "=", rho * exp(-(rho**2) / 2))),
        wrong={"the half forgotten": 1 - exp(-(r**2)), "the upper tail": exp(-(r**2) / 2)},
    ),
    so=prose(
        r"{all}: this gives the constant $2\pi$ of the normal density. The inverse function of $u$ is {radius}, "
        "where the right side is {u}; and $1 - U$ is uniform if $U$ is.",
        all=holds(Limit(1 - exp(-(r**2) / 2), r, oo), "=", 1),
        radius=where(r, sqrt(-2 * log(1 - u))),
        u=holds(up_to, "=", u, named=True),
    ),
    role="lemma",
)
u1 = derivation.number("u_1", "the first uniform number", between=(0, 1))
u2 = derivation.number("u_2", "the second", between=(0, 1))
root = sqrt(-2 * log(u1))
z1 = derivation.define("z_1", root * cos(2 * pi * u2), "the first normal number", "box_muller")
z2 = derivation.define("z_2", root * sin(2 * pi * u2), "the second")
simple = derivation.chain(
    "The map of Box and Muller has a simple determinant",
    plus(times(Slope(z1, u1), Slope(z2, u2)), -times(Slope(z1, u2), Slope(z2, u1))),
    equals(
        -2 * pi / u1,
        prose(
            r"by the chain rule: the slope of the radius in $u_1$, {slope}, times the polar determinant, which is the radius "
            r"{root}, times the slope $2\pi$ of the angle in $u_2$",
            slope=holds(Slope(root, u1), "=", -1 / (u1 * root), named=True),
            root=root,
        ),
        wrong={"the sign": 2 * pi / u1, "no radius to cancel": -2 * pi / (u1 * root), "the other uniform": -2 * pi / u2},
    ),
    role="lemma",
)
normals = derivation.chain(
    "The map of Box and Muller makes two independent standard normals",
    u1 / (2 * pi),
    equals(
        exp(-(z1**2 + z2**2) / 2) / (2 * pi),
        prose(
            r"the left side is the uniform density, 1, over $|\det J|$; {square}", square=holds(z1**2 + z2**2, "=", -2 * log(u1))
        ),
        wrong={"no half": exp(-(z1**2 + z2**2)) / (2 * pi)},
    ),
    equals(
        times(exp(-(z1**2) / 2) / sqrt(2 * pi), exp(-(z2**2) / 2) / sqrt(2 * pi)),
        "the exponential of a sum is a product",
        wrong={"one constant": times(exp(-(z1**2) / 2) / sqrt(2 * pi), exp(-(z2**2) / 2))},
    ),
)
derivation.answer = prose(
    "A density is divided by the factor by which the map stretches volume: {loss} at $x = f(z)$, where $p_Z$ is taken at $z$. "
    "Maps in a row add their log-determinants: {row}. In one dimension the inverse of an increasing distribution function maps "
    "uniform noise to its distribution. In two, polar coordinates give Box and Muller's map, {first} and {second}: their "
    "log-density, {bell}, is that of two independent standard normals.",
    said=("x = f(z)",),
    loss=holds(log(pushed), "=", plus(log(density), -log(Abs(stretch))), wrong={"added": plus(log(density), log(Abs(stretch)))}),
    row=holds(log(Abs(second * stretch)), "=", plus(log(Abs(second)), log(Abs(stretch)))),
    first=holds(z1, "=", root * cos(2 * pi * u2)),
    second=holds(z2, "=", root * sin(2 * pi * u2)),
    bell=holds(log(u1 / (2 * pi)), "=", plus(LogDensity(z1, 0, 1), LogDensity(z2, 0, 1)), named=True),
)
derivation.symbol(r"\mathbb{E}", "the mean over the square of uniforms")


@derivation.symbolic(
    r"\mathbb{E}[z_1] = 0,\quad \mathbb{E}[z_1 z_2] = 0,\quad \mathbb{E}[z_1^2] = 1,\quad \mathbb{E}[z_1^2 z_2^2] = 1,\quad "
    r"\mathbb{E}[z_1^4] = 3",
    because=prose(
        "Integrals over the square: {once} and {twice}, times the mean of at most four sines and cosines over the circle, which "
        "is that over eight evenly spaced angles.",
        once=holds(Integral(-2 * log(u), (u, 0, 1)), "=", 2),
        twice=holds(Integral((-2 * log(u)) ** 2, (u, 0, 1)), "=", 8),
    ),
    role="remark",
)
def moments():
    a, angles = sympy.Symbol("a", positive=True), [k * pi / 4 for k in range(8)]

    def mean(i, j):  # of z_1^i z_2^j
        angular = sum(cos(angle) ** i * sin(angle) ** j for angle in angles) / 8
        return angular and angular * sympy.integrate((-2 * log(a)) ** sympy.Rational(i + j, 2), (a, 0, 1))

    wrong = {
        "the two forgotten": [0, 0, sympy.Rational(1, 2), sympy.Rational(1, 4), sympy.Rational(3, 4)],
        "correlated squares": [0, 0, 1, 3, 3],
    }
    return Sides(left=[mean(1, 0), mean(1, 1), mean(2, 0), mean(2, 2), mean(4, 0)], right=[0, 0, 1, 1, 3], wrong=wrong)


derivation.bridge(
    "The code maps two uniforms",
    sympy.Matrix([z1, z2]),
    box_muller,
    u=[[u1, u2]],
    wrong={"the two forgotten": sympy.Matrix([z1, z2]) / sqrt(2), "sine first": sympy.Matrix([z2, z1])},
)
derivation.bridge(
    "... and finds them again",
    sympy.Matrix([u1, u2]),
    box_muller_inverse,
    z=[[z1, z2]],
    wrong={"the squared radius not halved": sympy.Matrix([u1**2, u2]), "half a turn off": sympy.Matrix([u1, 1 - u2])},
)
derivation.bridge(
    "... and knows the log-determinant", log(2 * pi / u1), box_muller_log_det, u=[[u1, u2]], wrong={"flipped": log(2 * pi * u1)}
)
log_density = derivation.number(r"\log p", "a log-density of the noise", "base_log_prob")
log_stretch = derivation.number(r"\Lambda", "a log-determinant", "forward_log_det")
derivation.bridge(
    "... and the log-density of the data",
    log_density - log_stretch,
    pushforward_log_prob,
    base_log_prob=[log_density],
    forward_log_det=[log_stretch],
)
d = derivation.index("d", "a dimension")
D = derivation.count(d, "D", "the number of dimensions")
noise = derivation.numbers("z", d, "the noise", "z")
derivation.bridge(
    "... under a standard normal base",
    Total(d, LogDensity(noise, 0, 1)),
    standard_normal_log_prob,
    z=[noise],
    wrong={"one constant": -(SquaredNorm(d, noise) + log(2 * pi)) / 2, "no half": -SquaredNorm(d, noise) - D * log(2 * pi) / 2},
)
derivation.bridge(
    "... and the log-determinant of any map by its whole Jacobian, here of the map to the first squared minus twice the second, "
    "and the product",
    log(2 * u1**2 + 2 * u2),
    log_abs_det_jacobian,
    x=[[u1, u2]],
    fn=lambda x: jnp.stack([x[:, 0] ** 2 - 2 * x[:, 1], x[:, 0] * x[:, 1]], axis=1),
)


@derivation.numeric(
    r"u_1 \ge 2^{-53} \quad\Rightarrow\quad r \le \sqrt{106 \log 2} = 8.572",
    because="Uniform numbers in float64 are multiples of $2^{-53}$, in float32 of $2^{-24}$, where the largest radius is "
    "5.768. The radius of two exact normals exceeds them with probability $2^{-53}$ and $2^{-24}$: a sampler that draws "
    "billions must know it. A uniform number that is 0 is mapped to 1 by $1 - u$, never clipped, which would pile up mass at "
    "one radius.",
    role="appendix",
)
def the_largest_radius():
    largest = box_muller(np.array([[2.0**-53, 0.0], [2.0**-24, 0.0]]))[:, 0]
    right = np.sqrt(2 * np.array([53, 24]) * math.log(2))
    return Sides(left=largest, right=right, wrong={"no two": right / math.sqrt(2)})


@derivation.algorithm(
    "Normal numbers by the map of Box and Muller, with their log-density",
    do(r"draw $u_1$ uniform on $(0, 1]$ and $u_2$ on $[0, 1)$"),
    do(r"$r \leftarrow \sqrt{-2 \log u_1}$ and $\varphi \leftarrow 2\pi u_2$", by=radius),
    do(r"$z \leftarrow (r \cos\varphi, r \sin\varphi)$", box_muller, by=normals),
    do(r"$\Lambda \leftarrow \log(2\pi / u_1)$, the log-determinant", box_muller_log_det, by=simple),
    do(r"$\log p_X \leftarrow \log p_Z - \Lambda$, here with $p_Z = 1$", pushforward_log_prob, by=loses),
)
def two_draws():
    for u, at, z, stretched, found in (
        ((math.exp(-0.5), 0.125), r"(e^{-1/2}, \tfrac18)", "(0.7071, 0.7071)", "2.3379", "-2.3379"),
        ((math.exp(-2), 0.5), r"(e^{-2}, \tfrac12)", "(-2.0000, 0.0000)", "3.8379", "-3.8379"),
    ):
        u = np.array([u])
        yield rf"u = {at}: \quad z", box_muller(u)[0], z
        yield r"\Lambda", box_muller_log_det(u), stretched
        yield r"\log p_X", pushforward_log_prob(jnp.zeros(1), box_muller_log_det(u)), found


@derivation.example(r"$u = (e^{-2}, \frac16)$: the radius is 2 and the angle 60 degrees.")
def sixty_degrees():
    u = np.array([[math.exp(-2), 1 / 6]])
    mapped = box_muller(u)
    yield r"z = (1, \sqrt3)", mapped[0], "(1.0000, 1.7321)"
    yield r"\log |\det J| = \log 2\pi + 2", box_muller_log_det(u), "3.8379"
    yield r"p(z) = e^{-2} / 2\pi", jnp.exp(pushforward_log_prob(jnp.zeros(1), box_muller_log_det(u))), "0.02154"
    yield r"\mathcal{N}(1)\, \mathcal{N}(\sqrt3)", jnp.exp(standard_normal_log_prob(mapped)), "0.02154"
