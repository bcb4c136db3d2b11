"""Galaxies to order: a profile, its flux, size and shape, and what a condition adds to flow matching.

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
from theory_jax.derivation.prose import holds, prose
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
    growth_and_moments,
    one_galaxy,
    the_series_is_near_the_median,
)
from theory_jax.lectures.lemmas.best_guess import best_guess

derivation = Derivation(
    module=__name__,
    title="Galaxies to order: a profile, its flux, size and shape, and what a condition adds to flow matching",
    lectures=(),
    sources=(
        "Sersic 1963, Influence of the atmospheric and instrumental dispersion on the brightness distribution in a galaxy",
        "Ciotti & Bertin 1999, Analytical properties of the R^(1/m) law",
        "Graham & Driver 2005, A concise reference to (projected) Sersic R^(1/n) quantities",
        "Trujillo et al. 2001, The effects of seeing on Sersic profiles",
        "Kaiser, Squires & Broadhurst 1995, A method for weak lensing observations",
        "Lipman et al. 2023, Flow matching for generative modeling",
    ),
    question="Generated galaxies that look right may have the wrong size: a blurred one reads larger and rounder than it is, "
    "and a network that forgets its condition draws an average of all. What do flux, size and shape mean, how are they read "
    "off an image, and what does a condition add to flow matching?",
    setting=(
        r"A round galaxy has Sersic's profile: light per area $I_e\, e^{-b ((\rho/R)^{1/n} - 1)}$ at the radius $\rho$, for an "
        r"index $n$, a radius $R$ and a positive $b$. Its flux $F$ is the whole light of the plane.",
        r"$R$ is the half-light radius: $b$ is chosen so that half of $F$ is within it.",
        r"An elliptical galaxy has the same profile in a $\rho$ with the square $q u^2 + v^2/q$, where $u$ and $v$ are "
        r"coordinates along its axes and the axis ratio $q$ is at most 1; its major axis makes the angle $\phi$ with the "
        "first axis of the image.",
        "Moments are sums over all of the light, each position weighted by its share.",
    ),
    limits=(
        "Real galaxies have arms, bulges and neighbors, and are not of this profile.",
        "A small window cuts the wings of a profile, so its moments are below the formula's: what is generated is compared "
        "with moments of simulated images, never with the formula.",
        "The noise of a moment without weights grows with the size of the window.",
    ),
)

_BETWEEN = Rational(*INDICES[0].as_integer_ratio()).limit_denominator(100), 10
n = derivation.number("n", "the index: small for a flat core, large for a steep one with wide wings", "index", between=_BETWEEN)
R = derivation.number("R", "the half-light radius", "half_light_radius", positive=True)
b = derivation.number("b", "the constant of the profile", positive=True)
center_light = derivation.number("I_e", "light per area at the half-light radius", positive=True)
rho = derivation.number(r"\rho", "a radius", "radius", positive=True)
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
ring = derivation.chain(
    "A ring of light in the new unit",
    times(2 * pi * r, _light(r, b), Slope(r, s)),
    equals(times(2 * pi * r, center_light * exp(b - s), n * r / s), prose("{slope}", slope=holds(Slope(r, s), "=", n * r / s))),
    equals(
        _ring,
        prose("{square}", square=holds(r**2, "=", R**2 * (s / b) ** (2 * n))),
        wrong={"one power of the radius": _ring * (s / b) ** (-n) / R},
    ),
    role="lemma",
    so="Every profile has become the same exponential, and the index is in the power before it alone.",
)
whole = derivation.chain(
    "All rings together are the flux",
    Integral(_ring, (s, 0, oo)),
    equals(
        flux,
        prose("Euler's integral, {gamma}", gamma=holds(Integral(s ** (2 * n - 1) * exp(-s), (s, 0, oo)), "=", gamma(2 * n))),
        wrong={"b left out": flux * b ** (2 * n)},
    ),
    uses=(ring,),
)
x = derivation.number("x", r"the new unit at some radius: $b (\rho/R)^{1/n}$", positive=True)
share = derivation.define("P(2n,x)", lowergamma(2 * n, x) / gamma(2 * n), "the regularized lower incomplete gamma function")
derivation.chain(
    "The share of the light within a radius",
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
    uses=(ring, whole),
    so=r"Both the share of the light and $P$ are 0 at 0 and grow alike, so the share within $\rho$ is $P(2n, x)$. At the "
    "radius $R$, $x$ is $b$ itself, and $R$ holds half of the light if and only if $P(2n, b)$ is one half: $b$ is the median "
    "of a gamma variable of shape $2n$, and depends on the index alone.",
)
profile = derivation.chain(
    "The profile by its flux, as the code has it",
    _light(rho, b),
    equals(
        times(flux / (2 * pi * R**2 * n), b ** (2 * n) / gamma(2 * n), exp(-b * (rho / R) ** (1 / n))),
        r"solve $F$ for $I_e$; $e^b$ cancels",
        wrong={
            "the index for its inverse": times(flux / (2 * pi * R**2 * n), b ** (2 * n) / gamma(2 * n), exp(-b * (rho / R) ** n))
        },
    ),
    so=r"Nothing here asks what $b$ is: the flux is right for every $b$, and only the half-light radius needs the median.",
)
_series = 2 * n + sum(
    Rational(*fraction) / n**k
    for k, fraction in enumerate(((-1, 3), (4, 405), (46, 25515), (131, 1148175), (-2194697, 30690717750)))
)
beta = derivation.define(r"\beta", _series, "five terms for the median", "sersic_constant_approximation")
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


@derivation.numeric(
    r"P(2n, b) = \frac{1}{2}", because="The code's root, in SciPy's incomplete gamma function, for 40 indices from 0.36 to 10."
)
def the_root_is_the_median():
    indices = np.linspace(*INDICES, 40)
    found = scipy.special.gammainc(2 * indices, np.asarray(sersic_constant(jnp.asarray(indices))))
    wrong = {"of shape n": scipy.special.gammainc(indices, approximate(indices))}
    return Sides(left=found, right=np.full(40, 0.5), wrong=wrong)


derivation.bound(
    r"\left|\beta - b\right| \le \epsilon\, (2n)^{-2}",
    because=r"For indices from $\frac{1}{2}$ on, with $\epsilon$ the error there, where $b$ is $\log 2$. The terms are those "
    "of an expansion in $1/n$, of which the gamma distribution's mean, variance and skewness give the first two: $2n$, and "
    r"$-\frac{1}{3}$ because a median is a sixth of the skewness, in standard deviations, below the mean.",
)(the_series_is_near_the_median)


derivation.symbol(r"\epsilon", "the error of the series at the least index")
k = derivation.number("k", "a power of the radius", positive=True)
moment = derivation.define("M", R**k * b ** (-k * n) * gamma((k + 2) * n) / gamma(2 * n), r"the mean of $r^k$ over the light")
derivation.chain(
    "Mean powers of the radius",
    times(1 / flux, Integral(r**k * _ring, (s, 0, oo))),
    equals(
        times(R**k * b ** (-k * n) / gamma(2 * n), Integral(s ** ((k + 2) * n - 1) * exp(-s), (s, 0, oo))),
        prose("{power} raises the power of $s$ by $kn$", power=holds(r**k, "=", R**k * (s / b) ** (k * n))),
        wrong={"by k": times(R**k * b ** (-k * n) / gamma(2 * n), Integral(s ** (2 * n + k - 1) * exp(-s), (s, 0, oo)))},
    ),
    equals(moment, "Euler's integral", wrong={"the other gamma": moment * gamma(2 * n) / gamma((k + 1) * n)}),
    uses=(ring, whole),
    so=prose(
        "The mean square, {square}, is $1.44 R^2$ for a Gaussian galaxy and $21.7 R^2$ for the index 4: wings that hold "
        "little light dominate it.",
        square=holds(moment, "=", R**2 * b ** (-2 * n) * gamma(4 * n) / gamma(2 * n), when={k: 2}, named=True),
    ),
)

derivation.say("Ellipses. A galaxy is stretched along one axis and squeezed along the other by the same factor.")
q = derivation.number("q", "the axis ratio", "axis_ratio", between=(0, 1))
phi = derivation.number(r"\phi", "the angle of the major axis", "angle")
dx = derivation.number(r"\xi", "the first coordinate of a pixel, from the center", "grid_x - center_x")
dy = derivation.number(r"\eta", "the second", "grid_y - center_y")
along = derivation.define("u", dx * cos(phi) + dy * sin(phi), "the coordinate along the major axis")
across = derivation.define("v", dy * cos(phi) - dx * sin(phi), "the coordinate across it")
derivation.chain(
    "Areas stay, so flux and half-light radius do",
    plus(
        times(Slope(sqrt(q) * along, dx), Slope(across / sqrt(q), dy)),
        -times(Slope(sqrt(q) * along, dy), Slope(across / sqrt(q), dx)),
    ),
    equals(plus(cos(phi) ** 2, sin(phi) ** 2), r"$\sqrt{q}$ and $1/\sqrt{q}$ cancel"),
    equals(1, "Pythagoras", wrong={"the ratio": q}),
    so=r"With $q^2 u^2 + v^2$ as the square of $\rho$ the determinant would be $q$, and the flux too large by the factor "
    "$1/q$.",
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
t = derivation.number("t", "the position on an ellipse, from 0 to a whole turn")
_first = rho * (cos(phi) * cos(t) / sqrt(q) - sqrt(q) * sin(phi) * sin(t))
_square = times(rho**2 / 2, plus(cos(phi) ** 2 / q, q * sin(phi) ** 2))
_second = rho * (sin(phi) * cos(t) / sqrt(q) + sqrt(q) * cos(phi) * sin(t))
derivation.chain(
    "Means over an ellipse: the square of a coordinate, and the product of both",
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
)
m = derivation.number("m", r"half the mean of $\rho^2$ over the light", positive=True)
xx = derivation.define("Q_{xx}", m * (cos(phi) ** 2 / q + q * sin(phi) ** 2), "the second moment of the first coordinate", "xx")
yy = derivation.define("Q_{yy}", m * (sin(phi) ** 2 / q + q * cos(phi) ** 2), "that of the second", "yy")
xy = derivation.define("Q_{xy}", m * (1 / q - q) * sin(phi) * cos(phi), "that of both", "xy")
ellipticity = derivation.define(r"\varepsilon", (1 - q**2) / (1 + q**2), "the ellipticity")
derivation.chain(
    "The second moments give the ellipticity and, doubled, the angle, whatever the profile is",
    Matrix([[xx - yy, 2 * xy]]) / (xx + yy),
    equals(
        ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, 2 * sin(phi) * cos(phi)]]),
        prose("{ratio}", ratio=holds((1 / q - q) / (1 / q + q), "=", (1 - q**2) / (1 + q**2))),
        wrong={"the product once": ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, sin(phi) * cos(phi)]])},
    ),
    equals(ellipticity * Matrix([[cos(2 * phi), sin(2 * phi)]]), "the double angle"),
    central=True,
    so=r"The angle enters doubled: half a turn brings a galaxy onto itself. So a condition should be given as $q \cos 2\phi$ "
    r"and $q \sin 2\phi$, which are the same for $\phi$ and $\phi + \pi$. The pair $\varepsilon \cos 2\phi, \varepsilon \sin "
    r"2\phi$ would also be continuous where $q$ is 1 and no direction is left.",
)
from_ellipticity = derivation.chain(
    "The axis ratio from the ellipticity",
    sqrt((1 - ellipticity) / (1 + ellipticity)),
    equals(
        q, prose("{square}", square=holds((1 - ellipticity) / (1 + ellipticity), "=", q**2)), wrong={"without the root": q**2}
    ),
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

derivation.say("The telescope spreads every point of light by the same kernel. The kernel's weights sum to one.")
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
    "Blur adds to the second moments",
    plus(
        Expectation(light, Expectation(kernel, (place + step) ** 2)),
        -(Expectation(light, Expectation(kernel, place + step)) ** 2),
    ),
    equals(
        plus(Variance(light, place), Variance(kernel, step)),
        "position and step are independent, so the products of their deviations average to 0",
        wrong={"as deviations": plus(Variance(light, place), Variance(kernel, step) ** Rational(1, 2))},
    ),
    so="The kernel sums to one and has mean 0, so flux and centroid stay. It adds the same to both axes and nothing between "
    "them.",
)
blur = derivation.number(r"\varsigma", "the standard deviation of the blur", "sigma", positive=True)
derivation.chain(
    "A blurred galaxy keeps its direction and looks rounder",
    times(1 / (xx + yy + 2 * blur**2), plus(xx + blur**2, -yy, -(blur**2))),
    equals(
        times((xx - yy) / (xx + yy), (xx + yy) / (xx + yy + 2 * blur**2)), "the difference of the moments stays, their sum grows"
    ),
    uses=(spread,),
)


derivation.numeric(
    r"Q_{xx} \mapsto Q_{xx} + \varsigma^2",
    because=r"One lit pixel of 25, blurred by the code: its second moments are those of the kernel, $\varsigma^2$ to $10^{-6}$ "
    r"at the widths 1 and $1.2$. A sampled Gaussian is narrower than it says below $0.7$: its variance is 0.008 at $0.3$.",
    tolerance=1e-6,
    since=r"a Gaussian that is sampled at whole pixels has another variance by $4 \pi^2 \varsigma^4 e^{-2 \pi^2 \varsigma^2}$",
)(blur_adds_its_variance)


derivation.say(
    "With a condition: at a time and a position of the path, the pair of noise and data that led there is not known, and the "
    "network's answer is compared with the slope $x_1 - x_0$ of one pair after another. By the lemma on squared errors the "
    "best answer to a condition is the mean slope $E_y$ under it, and its flow leads from noise to the data of that "
    "condition: all of flow matching holds under a condition."
)
y = derivation.index("y", "a condition: what was requested", states=2)
pair = derivation.index("z", "a pair of noise and data", states=2)
asked = derivation.law(r"\omega", y, "how often a condition occurs at this time and position")
given_y = derivation.law("g", (pair, y), "the probability of a pair, given the condition")
slope = derivation.numbers("a", pair, "the slope of a pair's path")
mean = derivation.define("E", Expectation(given_y, slope), "the mean slope, given the condition", over=y)
forgetful = Expectation(asked, Expectation(given_y, (slope - Expectation(asked, mean)) ** 2))
derivation.answer = prose(
    "The light within a radius is an incomplete gamma function, so $b$ is the median of a gamma variable of shape $2n$. "
    r"Second moments give the axis ratio, {ratio} with the ellipticity $\varepsilon$, and the angle without knowing the "
    "profile; blur adds to them and makes a galaxy look rounder. Given a condition, flow matching learns the mean velocity "
    "under that condition; a network that forgets it pays {paid}, of which the second term is the variance between "
    "conditions.",
    ratio=holds(q, "=", sqrt((1 - ellipticity) / (1 + ellipticity)), named=True),
    paid=holds(forgetful, "=", plus(Expectation(asked, Variance(given_y, slope)), Variance(asked, mean)), named=True),
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
    so="The second term is 0 only where all conditions have the same mean slope.",
)


derivation.algorithm(
    "A galaxy to order, what its image says, and a training step",
    do(r"take a flux $F$, radius $R$, index $n$, axis ratio $q$ and angle $\phi$; $b \leftarrow$ the median", sersic_constant),
    do(r"at every pixel: $\rho \leftarrow \sqrt{q u^2 + v^2 / q}$", elliptical_radius),
    do(r"light $\leftarrow F\, b^{2n} e^{-b (\rho/R)^{1/n}} / (2 \pi R^2 n\, \Gamma(2n))$", sersic_profile, by=profile),
    do("blur it by the telescope's kernel", gaussian_point_spread, by=spread),
    do(
        r"read $Q_{xx}, Q_{yy}, Q_{xy}$ off the image, and $q$ and $\phi$ from them",
        image_moments,
        shape_from_moments,
        by=from_ellipticity,
    ),
    do("train: a step of flow matching on the image, with its condition given to the network", by=conditional),
)(one_galaxy)


derivation.example(
    r"A Gaussian galaxy, of the index $\frac{1}{2}$, with an $R$ of 4 pixels and the axis ratio $\frac{1}{2}$, at 45 "
    r"degrees: $m$ is $R^2 / (2 \log 2)$, the eigenvalues are $m/q$ and $mq$. Then $b$, the light within $2R$ and the mean "
    "square of the radius for three indices."
)(a_gaussian_galaxy)


derivation.figure(
    r"Left: the share of the light within a radius. All indices cross at $(1, \frac{1}{2})$; the larger the index, the more "
    r"light is in the core and in the wings. Right: a galaxy of index 1 with the ellipse of its second moments, and "
    r"that of the same galaxy blurred by 3 pixels (dashed): larger, rounder, in the same direction.",
    panels=2,
)(growth_and_moments)
