"""Galaxies to order: a shape as the condition of a flow, and how it is read off the image.

The lecture on the functions of theory_jax/flows/galaxy_images.py.
"""

import jax.numpy as jnp
import numpy as np
import scipy.special
from sympy import Integral, Matrix, Rational, atan2, cos, exp, gamma, lowergamma, oo, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.galaxy_images import (
    INDICES,
    elliptical_radius,
    gaussian_point_spread,
    image_moments,
    sersic_constant,
    sersic_constant_approximation,
    sersic_profile,
    shape_from_moments,
)
from theory_jax.lectures.flows._galaxy_images import (
    a_gaussian_galaxy,
    approximate,
    blur_adds_its_variance,
    draw_reading,
    one_galaxy,
)
from theory_jax.lectures.lemmas.best_guess import best_guess

derivation = Derivation(
    module=__name__,
    title="Galaxies to order: a shape as the condition of a flow, and how it is read off the image",
    lectures=(),
    sources=(
        "Sersic 1963, Influence of the atmospheric and instrumental dispersion on the brightness distribution in a galaxy",
        "Ciotti & Bertin 1999, Analytical properties of the R^(1/m) law",
        "Graham & Driver 2005, A concise reference to (projected) Sersic R^(1/n) quantities",
        "Trujillo et al. 2001, The effects of seeing on Sersic profiles",
        "Kaiser, Squires & Broadhurst 1995, A method for weak lensing observations",
        "Lipman et al. 2023, Flow matching for generative modeling",
    ),
    question="A model draws galaxies to order: of this axis ratio, in this direction. All of its images look like "
    "galaxies, and it is hard to see that it ignores the order, or that a blurred galaxy is rounder than it should be. How is "
    "the shape read off an image whose profile is not known, and what does a model lose that forgets what was ordered?",
    setting=(
        r"A galaxy's light depends on the radius $\rho$ alone, the root of $q u^2 + v^2/q$: $u$ and $v$ are coordinates along "
        r"its axes, the axis ratio $q$ is at most 1, and the major axis makes the angle $\phi$ with the first axis of the image.",
        "Moments are means over all of the light: each position is weighted by its share.",
        "Galaxies to train and to test with are simulated: with Sersic's profile, and the blur of a telescope. The shape that "
        "was simulated is the condition of a flow from noise to images.",
    ),
    limits=(
        "Real galaxies have arms, bulges and neighbors, and are not ellipses of one axis ratio.",
        "A small window cuts the wings of a profile, so its moments are below the formula's: what is generated is compared "
        "with moments of simulated images, never with the formula.",
        "The noise of a moment without weights grows with the size of the window.",
    ),
)

rho = derivation.number(r"\rho", "a radius", "radius", positive=True)
q = derivation.number("q", "the axis ratio", "axis_ratio", between=(0, 1))
phi = derivation.number(r"\phi", "the angle of the major axis", "angle")
dx = derivation.number(r"\xi", "the first coordinate of a pixel, from the center", "grid_x - center_x")
dy = derivation.number(r"\eta", "the second", "grid_y - center_y")
along = derivation.define("u", dx * cos(phi) + dy * sin(phi), "the coordinate along the major axis")
across = derivation.define("v", dy * cos(phi) - dx * sin(phi), "the coordinate across it")
t = derivation.number("t", "the position on an ellipse, from 0 to a whole turn")
_first = rho * (cos(phi) * cos(t) / sqrt(q) - sqrt(q) * sin(phi) * sin(t))
_square = times(rho**2 / 2, plus(cos(phi) ** 2 / q, q * sin(phi) ** 2))
_second = rho * (sin(phi) * cos(t) / sqrt(q) + sqrt(q) * cos(phi) * sin(t))
over_an_ellipse = derivation.chain(
    r"Over an ellipse the second moments are half of $\rho^2$ times functions of the axis ratio and the angle",
    Matrix([[Integral(_first**2, (t, 0, 2 * pi)), Integral(_first * _second, (t, 0, 2 * pi))]]) / (2 * pi),
    equals(
        Matrix([[_square, times(rho**2 / 2, 1 / q - q, sin(phi) * cos(phi))]]),
        prose(
            r"$u$ is $\rho \cos t/\sqrt{q}$, and $v$ is $\rho \sqrt{q} \sin t$; squares of sine and cosine average to "
            r"$\frac{1}{2}$, {square}, their product to 0",
            square=holds(Integral(cos(t) ** 2, (t, 0, 2 * pi)) / (2 * pi), "=", Rational(1, 2)),
        ),
        wrong={"the other sign": Matrix([[_square, times(rho**2 / 2, q - 1 / q, sin(phi) * cos(phi))]])},
    ),
    role="lemma",
    so=r"A galaxy is made of such ellipses, all with the same axes. So its moments are these with the mean of $\rho^2$ over "
    r"the light in place of $\rho^2$; for the second coordinate, sine and cosine are exchanged.",
)
m = derivation.number("m", r"half the mean of $\rho^2$ over the light", positive=True)
xx = derivation.define("Q_{xx}", m * (cos(phi) ** 2 / q + q * sin(phi) ** 2), "the second moment of the first coordinate", "xx")
yy = derivation.define("Q_{yy}", m * (sin(phi) ** 2 / q + q * cos(phi) ** 2), "that of the second", "yy")
xy = derivation.define("Q_{xy}", m * (1 / q - q) * sin(phi) * cos(phi), "that of both", "xy")
ellipticity = derivation.define(r"\varepsilon", (1 - q**2) / (1 + q**2), "the ellipticity")
reading = derivation.chain(
    "The second moments give the ellipticity and, doubled, the angle, whatever the profile is",
    Matrix([[xx - yy, 2 * xy]]) / (xx + yy),
    equals(
        ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, 2 * sin(phi) * cos(phi)]]),
        prose("{ratio}", ratio=holds((1 / q - q) / (1 / q + q), "=", (1 - q**2) / (1 + q**2))),
        wrong={"the product once": ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, sin(phi) * cos(phi)]])},
    ),
    equals(ellipticity * Matrix([[cos(2 * phi), sin(2 * phi)]]), "the double angle"),
    central=True,
    uses=(over_an_ellipse,),
    so=prose(
        "The profile enters by $m$ alone, which cancels. The angle enters doubled: half a turn brings a galaxy onto itself. So "
        r"the condition of the flow, too, should be this pair: it does not change by half a turn, where $\phi$ jumps and the "
        "galaxy does not, and both numbers are 0 at {round}, {none}, since a round galaxy has no direction. With $q$ in the "
        r"place of $\varepsilon$ the pair would have the length 1 there, and another direction for every $\phi$ of the same "
        "image.",
        round=where(q, 1),
        none=holds(ellipticity, "=", 0),
    ),
)
from_ellipticity = derivation.chain(
    "The axis ratio follows from the ellipticity",
    sqrt((1 - ellipticity) / (1 + ellipticity)),
    equals(
        q, prose("{square}", square=holds((1 - ellipticity) / (1 + ellipticity), "=", q**2)), wrong={"without the root": q**2}
    ),
    role="lemma",
)
derivation.bridge(
    "The code reads size, axis ratio and angle",
    Matrix([[sqrt(m * (q + 1 / q)), q, atan2(sin(2 * phi), cos(2 * phi)) / 2]]),
    shape_from_moments,
    moments=[[1.0, 0.0, 0.0, xx, yy, xy]],
    wrong={
        "the ratio of the eigenvalues": Matrix([[sqrt(m * (q + 1 / q)), q**2, atan2(sin(2 * phi), cos(2 * phi)) / 2]]),
        "the mean of both axes": Matrix([[sqrt(m * (q + 1 / q) / 2), q, atan2(sin(2 * phi), cos(2 * phi)) / 2]]),
    },
)

# ---------------------------------------------------------------------------------------------------- blur

derivation.say("What is read is the galaxy with its blur: the telescope spreads every point of light by the same kernel.")
i = derivation.index("i", "a pixel")
j = derivation.index("j", "a step of the kernel")
light = derivation.law("p", i, "the share of the light in a pixel", "images")
kernel = derivation.law("w", j, "the kernel's weights")
place = derivation.numbers("X", i, "the first coordinate of a pixel", "grid_x")
other = derivation.numbers("Y", i, "the second coordinate", "grid_y")
step = derivation.numbers("h", j, "how far the kernel moves the light")

_both = Expectation(light, place * other) - Expectation(light, place) * Expectation(light, other)


def _second_moments(light, place, other):
    return image_moments(3 * light[None, None], place[None], other[None])[:, 3:]


derivation.bridge(
    "The code's second moments",
    Matrix([[Variance(light, place), Variance(light, other), _both]]),
    _second_moments,
    light=light,
    place=place,
    other=other,
    calls=(image_moments,),
    wrong={
        "about the origin": Matrix([[*(Expectation(light, of) for of in (place**2, other**2, place * other))]]),
        "not divided by the flux": Matrix([[3 * Variance(light, place), Variance(light, other), _both]]),
    },
)
spread = derivation.chain(
    "Blur adds its variance to the second moments",
    plus(
        Expectation(light, Expectation(kernel, (place + step) ** 2)),
        -(Expectation(light, Expectation(kernel, place + step)) ** 2),
    ),
    equals(
        plus(Variance(light, place), Variance(kernel, step)),
        "position and step are independent, so the products of their deviations average to 0",
        wrong={"as deviations": plus(Variance(light, place), Variance(kernel, step) ** Rational(1, 2))},
    ),
    so="A round kernel of mean 0 leaves flux and centroid as they are; it adds the same to both coordinates and nothing to the "
    "moment of both. So it is undone by a subtraction, without knowing the galaxy.",
)
blur = derivation.number(r"\varsigma", "the standard deviation of the blur", "sigma", positive=True)
derivation.chain(
    "If the blur is not subtracted, the galaxy keeps its direction and looks rounder",
    times(1 / (xx + yy + 2 * blur**2), plus(xx + blur**2, -yy, -(blur**2))),
    equals(
        times((xx - yy) / (xx + yy), (xx + yy) / (xx + yy + 2 * blur**2)), "the difference of the moments stays, their sum grows"
    ),
    uses=(spread,),
    role="lemma",
    so="The same factor is in front of the other component, since its numerator has no blur in it.",
)

# ---------------------------------------------------------------------------------------------------- the condition

derivation.say(
    "Now the model that draws. Its network is told a position and a time of the path, and the condition. The pair of noise and "
    "data that led there is not known, and the answer is compared with the slope $x_1 - x_0$ of one pair after another. By the "
    "lemma on squared errors the best answer to a condition is the mean slope $E_y$ under it, and its flow leads from noise to "
    "the data of that condition: all of flow matching holds under a condition. What does the loss tell of a network that "
    "forgets it?"
)
y = derivation.index("y", "a condition: what was requested", states=2)
pair = derivation.index("z", "a pair of noise and data", states=2)
asked = derivation.law(r"\omega", y, "how often a condition occurs at this time and position")
given_y = derivation.law("g", (pair, y), "the probability of a pair, given the condition")
slope = derivation.numbers("a", pair, "the slope of a pair's path")
mean = derivation.define("E", Expectation(given_y, slope), "the mean slope, given the condition", over=y)
forgetful = Expectation(asked, Expectation(given_y, (slope - Expectation(asked, mean)) ** 2))
derivation.answer = prose(
    r"By second moments: without knowing the profile they give the ellipticity $\varepsilon$ and twice the angle, {first} and "
    "{second}; the axis ratio is {ratio}. A blur adds its variance to the moments of both coordinates, so subtract it first. "
    "Give the same pair to the flow as its condition. A perfect flow without its condition draws from all galaxies: if orders "
    "are distributed as the data, the mean squared difference of ordered and drawn shape is twice the variance of the shapes.",
    first=holds((xx - yy) / (xx + yy), "=", ellipticity * cos(2 * phi)),
    second=holds(2 * xy / (xx + yy), "=", ellipticity * sin(2 * phi)),
    ratio=holds(q, "=", sqrt((1 - ellipticity) / (1 + ellipticity)), named=True),
)
conditional = derivation.chain(
    "A network without the condition pays the variance between conditions",
    forgetful,
    equals(
        plus(Expectation(asked, Variance(given_y, slope)), Variance(asked, mean)),
        "the lemma under each condition and over the conditions; the answer is the mean slope over all pairs",
        wrong={"the mean square": plus(Expectation(asked, Variance(given_y, slope)), Expectation(asked, mean**2))},
    ),
    uses=(best_guess,),
    so="The first term is the floor, the loss of a perfect network that knows the condition. The second is 0 only where all "
    "conditions have the same mean slope. It is small where the position shows the galaxy, so that one condition has nearly "
    "all of the probability; and the floor is not known. So the loss alone hardly tells a network that forgets. The shapes "
    "that are read off its images do.",
)

drawn = derivation.index("y'", "the condition of the galaxy that is drawn", states=2)
ordered = derivation.law(r"\alpha", y, "how often a condition is ordered: as often as it is in the data")
shape = derivation.numbers("c", y, r"a component of the shape of a condition, $\varepsilon \cos 2\phi$ for example")
missed = derivation.chain(
    "A perfect flow that forgets the condition misses the order by twice the variance of the shapes",
    Expectation(ordered, Expectation(ordered.at(drawn), (shape - shape.at(drawn)) ** 2)),
    equals(
        plus(
            Expectation(ordered, shape**2),
            Expectation(ordered.at(drawn), shape.at(drawn) ** 2),
            -2 * times(Expectation(ordered, shape), Expectation(ordered.at(drawn), shape.at(drawn))),
        ),
        "without its condition a perfect flow draws from all of the data, independently of the order",
        wrong={"as if the order were obeyed": 0},
    ),
    equals(2 * Variance(ordered, shape), "both shapes have the same distribution", wrong={"once": Variance(ordered, shape)}),
    so=prose(
        "The mean squared difference of ordered and read shapes tells what the model does. Up to the noise of the reading it "
        "is 0 if every order is obeyed, and {once} if the model draws the mean shape whatever was ordered. A perfect flow that "
        "forgets is worse than that: it draws all shapes, to the wrong orders.",
        once=holds(
            Expectation(ordered, (shape - Expectation(ordered.at(drawn), shape.at(drawn))) ** 2),
            "=",
            Variance(ordered, shape),
            named=True,
        ),
    ),
)

# ---------------------------------------------------------------------------------------------------- the profile

derivation.say(
    r"Last, the galaxies to order from. Sersic's profile has light per area $I_e\, e^{-b ((\rho/R)^{1/n} - 1)}$ at the radius "
    r"$\rho$, for an index $n$ and a half-light radius $R$: $b$ is chosen so that half of the flux is within it. For the "
    "reading it is one profile of many; an order needs its flux and size."
)
_BETWEEN = Rational(*INDICES[0].as_integer_ratio()).limit_denominator(100), 10
n = derivation.number("n", "the index: small for a flat core, large for a steep one with wide wings", "index", between=_BETWEEN)
R = derivation.number("R", "the half-light radius", "half_light_radius", positive=True)
b = derivation.number("b", "the constant of the profile", positive=True)
center_light = derivation.number("I_e", "light per area at the half-light radius", positive=True)
s = derivation.number("s", r"the radius in units in which the profile is $e^{-s}$", positive=True)


def _light(at, constant):
    """The profile at a radius."""
    return center_light * exp(-constant * ((at / R) ** (1 / n) - 1))


def _flux(constant):
    """The whole light."""
    return times(2 * pi * R**2 * n * center_light * exp(constant) * constant ** (-2 * n), gamma(2 * n))


r = derivation.define("r", R * (s / b) ** n, r"the radius at which $b (r/R)^{1/n}$ is $s$")
flux = derivation.define("F", _flux(b), "the flux", "total_flux")
_ring = times(2 * pi * R**2 * n * center_light * exp(b) * b ** (-2 * n), s ** (2 * n - 1), exp(-s))
whole = derivation.chain(
    "All rings of light together are the flux, in a unit in which the profile is one exponential",
    Integral(times(2 * pi * r, _light(r, b), Slope(r, s)), (s, 0, oo)),
    equals(
        Integral(_ring, (s, 0, oo)),
        prose(
            "{slope}, and {square}", slope=holds(Slope(r, s), "=", n * r / s), square=holds(r**2, "=", R**2 * (s / b) ** (2 * n))
        ),
        wrong={"one power of the radius": Integral(_ring * (s / b) ** (-n) / R, (s, 0, oo))},
    ),
    equals(
        flux,
        prose("Euler's integral, {gamma}", gamma=holds(Integral(s ** (2 * n - 1) * exp(-s), (s, 0, oo)), "=", gamma(2 * n))),
        wrong={"b left out": flux * b ** (2 * n)},
    ),
    role="lemma",
)
x = derivation.number("x", r"the new unit at some radius: $b (\rho/R)^{1/n}$", positive=True)
share = derivation.define("P(2n,x)", lowergamma(2 * n, x) / gamma(2 * n), "the regularized lower incomplete gamma function")
derivation.chain(
    "The share of the light within a radius is an incomplete gamma function",
    times(1 / flux, _ring.xreplace({s: x})),
    equals(
        times(x ** (2 * n - 1), exp(-x), 1 / gamma(2 * n)),
        "all that does not depend on the radius is divided out: the density of a gamma variable of shape $2n$ is left",
        wrong={"of shape $n$": times(x ** (n - 1), exp(-x), 1 / gamma(n))},
    ),
    equals(
        Slope(share, x),
        "the fundamental theorem of calculus: the incomplete gamma function is the integral of its integrand",
        wrong={"not regularized": Slope(share * gamma(2 * n), x)},
    ),
    uses=(whole,),
    so=r"Both the share of the light and $P$ are 0 at 0 and grow alike, so the share within $\rho$ is $P(2n, x)$. At the "
    "radius $R$, $x$ is $b$ itself, and $R$ holds half of the light if and only if $P(2n, b)$ is one half: $b$ is the median "
    "of a gamma variable of shape $2n$, and depends on the index alone.",
    role="lemma",
)
profile = derivation.chain(
    "The profile, by its flux: right for every constant",
    _light(rho, b),
    equals(
        times(flux / (2 * pi * R**2 * n), b ** (2 * n) / gamma(2 * n), exp(-b * (rho / R) ** (1 / n))),
        r"solve $F$ for $I_e$; $e^b$ cancels",
        wrong={
            "the index for its inverse": times(flux / (2 * pi * R**2 * n), b ** (2 * n) / gamma(2 * n), exp(-b * (rho / R) ** n))
        },
    ),
    so=r"Nothing here asks what $b$ is: the flux is right for every $b$, and only the half-light radius needs the median.",
    role="lemma",
)
_series = 2 * n + sum(
    Rational(*fraction) / n**k
    for k, fraction in enumerate(((-1, 3), (4, 405), (46, 25515), (131, 1148175), (-2194697, 30690717750)))
)
beta = derivation.define(r"\beta", _series, "six terms for the median", "sersic_constant_approximation")
derivation.bridge(
    "The code's series",
    beta,
    sersic_constant_approximation,
    index=[n],
    wrong={"the last term forgotten": beta + Rational(2194697, 30690717750) / n**4, "shape n": beta - n},
)
derivation.bridge(
    "The code's profile",
    _light(rho, beta),
    sersic_profile,
    radius=[rho],
    total_flux=[_flux(beta)],
    half_light_radius=[R],
    index=[n],
)

derivation.chain(
    "Areas stay when a round galaxy is made an ellipse, so flux and half-light radius do",
    plus(
        times(Slope(sqrt(q) * along, dx), Slope(across / sqrt(q), dy)),
        -times(Slope(sqrt(q) * along, dy), Slope(across / sqrt(q), dx)),
    ),
    equals(plus(cos(phi) ** 2, sin(phi) ** 2), r"$\sqrt{q}$ and $1/\sqrt{q}$ cancel"),
    equals(1, "Pythagoras", wrong={"the ratio": q}),
    so=r"With $q^2 u^2 + v^2$ as the square of $\rho$ the determinant would be $q$, and the flux too large by the factor "
    "$1/q$.",
    role="lemma",
)
derivation.bridge(
    "The code's radius",
    sqrt(q * along**2 + across**2 / q),
    elliptical_radius,
    grid_x=[[dx]],
    grid_y=[[dy]],
    center_x=[0.0],
    center_y=[0.0],
    axis_ratio=[q],
    angle=[phi],
    wrong={"the axes exchanged": sqrt(along**2 / q + q * across**2), "areas not kept": sqrt(q**2 * along**2 + across**2)},
)


@derivation.numeric(
    r"P(2n, b) = \frac{1}{2}",
    because="The code's root, in SciPy's incomplete gamma function, for 40 indices from 0.36 to 10.",
    role="appendix",
)
def the_root_is_the_median():
    indices = np.linspace(*INDICES, 40)
    found = scipy.special.gammainc(2 * indices, np.asarray(sersic_constant(jnp.asarray(indices))))
    wrong = {"of shape n": scipy.special.gammainc(indices, approximate(indices))}
    return Sides(left=found, right=np.full(40, 0.5), wrong=wrong)


derivation.numeric(
    r"Q_{xx} \mapsto Q_{xx} + \varsigma^2",
    because=r"One lit pixel of 25, blurred by the code: its second moments are those of the kernel, $\varsigma^2$ to $10^{-6}$ "
    "at the widths 1 and $1.2$. A sampled Gaussian is noticeably narrower than it says below $0.7$: its variance is 0.008 at "
    "$0.3$.",
    tolerance=1e-6,
    since=r"a Gaussian that is sampled at whole pixels has another variance by $8 \pi^2 \varsigma^4 e^{-2 \pi^2 \varsigma^2}$",
    role="appendix",
)(blur_adds_its_variance)

derivation.algorithm(
    "Does the model draw what was ordered?",
    do(
        r"order a flux $F$, radius $R$, index $n$, axis ratio $q$ and angle $\phi$; simulate this galaxy: $b \leftarrow$ the "
        "median",
        sersic_constant,
    ),
    do(r"at every pixel: $\rho \leftarrow \sqrt{q u^2 + v^2 / q}$", elliptical_radius, indent=1),
    do(r"light $\leftarrow F\, b^{2n} e^{-b (\rho/R)^{1/n}} / (2 \pi R^2 n\, \Gamma(2n))$", sersic_profile, by=profile, indent=1),
    do("blur it by the telescope's kernel", gaussian_point_spread, by=spread, indent=1),
    do(
        r"train: steps of flow matching on such images, with $\varepsilon \cos 2\phi$ and $\varepsilon \sin 2\phi$ given",
        by=conditional,
    ),
    do(
        r"of a simulated or generated image: read $Q_{xx}, Q_{yy}, Q_{xy}$, subtract $\varsigma^2$ from the first two, and "
        r"read $q$ and $\phi$",
        image_moments,
        shape_from_moments,
        by=reading,
    ),
    do("compare the mean squared difference of ordered and read shapes with twice their variance", by=missed),
)(one_galaxy)

derivation.example(
    r"A Gaussian galaxy, of the index $\frac{1}{2}$, with an $R$ of 4 pixels and the axis ratio $\frac{1}{2}$, at 45 degrees: "
    r"$m$ is $R^2 / (2 \log 2)$, the eigenvalues are $m/q$ and $mq$. Then orders of this galaxy and of one that lies across "
    "it, equally often. Last, $b$ for three indices."
)(a_gaussian_galaxy)

derivation.figure(
    "Left: a galaxy of index 1 with the ellipse of its second moments, and that of the same galaxy blurred by 3 pixels (dashed): "
    "larger, rounder, in the same direction. Right: the axis ratio that is read off such galaxies against the one that was "
    "simulated, for three blurs. With the blur's variance subtracted (crosses) all are near the diagonal; long galaxies are cut "
    "by the window.",
    panels=2,
)(draw_reading)
