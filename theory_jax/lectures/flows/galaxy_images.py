"""Galaxies to order: a profile, its flux, size and shape, and what a condition adds to flow matching.

The lecture on the functions of theory_jax/flows/galaxy_images.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import scipy.special
from sympy import Integral, Matrix, Rational, atan2, cos, exp, gamma, lowergamma, oo, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, Variance, plus, times
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
    question="A generated galaxy should have the flux, the size and the shape that were requested. What do these numbers mean, "
    "how are they read off an image, and what does a condition add to flow matching?",
    setting=(
        r"A round galaxy has Sersic's profile: light per area $I_e\, e^{-b ((\rho/R)^{1/n} - 1)}$ at the radius $\rho$, for an "
        r"index $n$, a radius $R$ and a positive $b$. Its flux $F$ is the whole light of the plane.",
        r"$R$ is the half-light radius: $b$ is chosen so that half of $F$ is within it.",
        r"An elliptical galaxy has the same profile in $\rho^2 = q u^2 + v^2/q$, where $u$ and $v$ are coordinates along its "
        r"axes and $0 < q \le 1$; its major axis makes the angle $\phi$ with the first axis of the image.",
        "Moments are sums over all of the light, each place weighted by its share.",
    ),
    answer=r"The light within a radius is an incomplete gamma function, so $b$ is the median of a gamma variable of shape $2n$. "
    r"Second moments give the axis ratio and the angle without knowing the profile; blur adds to them and makes a galaxy look "
    r"rounder. Given a condition, flow matching learns the mean velocity under that condition, and forgetting the condition "
    r"costs the variance between conditions.",
    limits=(
        "Real galaxies have arms, bulges and neighbors, and are not of this profile.",
        "A small window cuts the wings of a profile, so its moments are below the formula's: what is generated is compared with "
        "moments of simulated images, never with the formula.",
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


r = derivation.define("r", R * (s / b) ** n, r"the radius at which $b (r/R)^{1/n} = s$")
flux = derivation.define("F", _flux(b), "the flux", "total_flux")
_ring = times(2 * pi * R**2 * n * center_light * exp(b) * b ** (-2 * n), s ** (2 * n - 1), exp(-s))
ring = derivation.chain(
    "A ring of light in the new unit",
    times(2 * pi * r, _light(r, b), Slope(r, s)),
    equals(times(2 * pi * r, center_light * exp(b - s), n * r / s), r"$(r/R)^{1/n} = s/b$, and $dr/ds = n r/s$"),
    equals(_ring, r"$r^2 = R^2 (s/b)^{2n}$", wrong={"one power of the radius": _ring * (s / b) ** (-n) / R}),
    role="lemma",
    so="Every profile has become the same exponential, and the index is in the power before it alone.",
)
whole = derivation.chain(
    "All rings together are the flux",
    Integral(_ring, (s, 0, oo)),
    equals(flux, r"Euler's integral $\int_0^\infty s^{2n-1} e^{-s} ds = \Gamma(2n)$", wrong={"b left out": flux * b ** (2 * n)}),
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
    central=True,
    uses=(ring, whole),
    so=r"Both the share of the light and $P$ are 0 at $x = 0$ and grow alike, so the share within $\rho$ is $P(2n, x)$. At $\rho "
    r"= R$, $x$ is $b$ itself, and $R$ holds half of the light if and only if $P(2n, b) = \frac{1}{2}$: $b$ is the median of a "
    r"gamma variable of shape $2n$, and depends on the index alone.",
)
derivation.chain(
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
    wrong = {"of shape n": scipy.special.gammainc(indices, _approximate(indices))}
    return Sides(left=found, right=np.full(40, 0.5), wrong=wrong)


@derivation.bound(
    r"\left|\beta - b\right| \le \epsilon\, (2n)^{-2}",
    because=r"For indices from $\frac{1}{2}$ on, with $\epsilon$ the error at $n = \frac{1}{2}$, where $b = \log 2$. The terms "
    r"are those of an expansion in $1/n$, of which the gamma law's mean, variance and skewness give the first two: $2n$, and "
    r"$-\frac{1}{3}$ because a median is a sixth of the skewness, in standard deviations, below the mean.",
)
def the_series_is_near_the_median():
    at_half = float(_approximate(np.array([0.5]))[0]) - math.log(2)

    def sides(indices, power=2.0):
        median = np.asarray(sersic_constant(jnp.asarray(indices)))
        return np.abs(_approximate(indices) - median), at_half * (2 * indices) ** -power

    wrong = {"a larger power": lambda indices: sides(indices, 2.5)}
    return BoundSides(sides=sides, points=(np.linspace(0.5, 10, 40),), tight=(np.array([0.5]),), wrong=wrong)


derivation.symbol(r"\epsilon", "the error of the series at the least index")
k = derivation.number("k", "a power of the radius", positive=True)
moment = derivation.define("M", R**k * b ** (-k * n) * gamma((k + 2) * n) / gamma(2 * n), r"the mean of $r^k$ over the light")
derivation.chain(
    "Mean powers of the radius",
    times(1 / flux, Integral(r**k * _ring, (s, 0, oo))),
    equals(
        times(R**k * b ** (-k * n) / gamma(2 * n), Integral(s ** ((k + 2) * n - 1) * exp(-s), (s, 0, oo))),
        r"$r^k = R^k (s/b)^{kn}$ raises the power of $s$ by $kn$",
        wrong={"by k": times(R**k * b ** (-k * n) / gamma(2 * n), Integral(s ** (2 * n + k - 1) * exp(-s), (s, 0, oo)))},
    ),
    equals(moment, "Euler's integral", wrong={"the other gamma": moment * gamma(2 * n) / gamma((k + 1) * n)}),
    uses=(ring, whole),
    so=r"The mean square, $R^2 b^{-2n}\, \Gamma(4n)/\Gamma(2n)$, is $1.44 R^2$ for a Gaussian galaxy and $21.7 R^2$ for "
    r"$n = 4$: wings that hold little light dominate it.",
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
    so=r"With $\rho^2 = q^2 u^2 + v^2$ the determinant would be $q$, and the flux too large by $1/q$.",
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
t = derivation.number("t", "the place on an ellipse, from 0 to a whole turn")
_first = rho * (cos(phi) * cos(t) / sqrt(q) - sqrt(q) * sin(phi) * sin(t))
_square = times(rho**2 / 2, plus(cos(phi) ** 2 / q, q * sin(phi) ** 2))
_second = rho * (sin(phi) * cos(t) / sqrt(q) + sqrt(q) * cos(phi) * sin(t))
derivation.chain(
    "Means over an ellipse: the square of a coordinate, and the product of both",
    Matrix([[Integral(_first**2, (t, 0, 2 * pi)), Integral(_first * _second, (t, 0, 2 * pi))]]) / (2 * pi),
    equals(
        Matrix([[_square, times(rho**2 / 2, 1 / q - q, sin(phi) * cos(phi))]]),
        r"$u = \rho \cos t/\sqrt{q}$ and $v = \rho \sqrt{q} \sin t$; squares of sine and cosine average to $\frac{1}{2}$, their "
        r"product to 0",
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
    "What the moments say of the direction",
    Matrix([[xx - yy, 2 * xy]]) / (xx + yy),
    equals(
        ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, 2 * sin(phi) * cos(phi)]]),
        r"$\frac{1/q - q}{1/q + q} = \frac{1 - q^2}{1 + q^2}$",
        wrong={"the product once": ellipticity * Matrix([[cos(phi) ** 2 - sin(phi) ** 2, sin(phi) * cos(phi)]])},
    ),
    equals(ellipticity * Matrix([[cos(2 * phi), sin(2 * phi)]]), "the double angle"),
    so=r"The angle enters doubled: half a turn brings a galaxy onto itself. So a condition should be given as $q \cos 2\phi$ "
    r"and $q \sin 2\phi$, which are the same for $\phi$ and $\phi + \pi$. The pair $\varepsilon \cos 2\phi, \varepsilon \sin "
    r"2\phi$ would also be continuous at $q = 1$, where no direction is left.",
)
derivation.chain(
    "The axis ratio from the ellipticity",
    sqrt((1 - ellipticity) / (1 + ellipticity)),
    equals(q, r"$\frac{1 - \varepsilon}{1 + \varepsilon} = q^2$", wrong={"without the root": q**2}),
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
        "place and step are independent, so the products of their deviations average to 0",
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


@derivation.numeric(
    r"Q_{xx} \mapsto Q_{xx} + \varsigma^2",
    because=r"One lit pixel of 25, blurred by the code: its second moments are those of the kernel, $\varsigma^2$ to $10^{-6}$ "
    r"at $\varsigma = 1$ and $1.2$. A sampled Gaussian is narrower than it says below $0.7$: its variance is 0.008 at $0.3$.",
    tolerance=1e-6,
    since=r"a Gaussian that is sampled at whole pixels has another variance by $4 \pi^2 \varsigma^4 e^{-2 \pi^2 \varsigma^2}$",
)
def blur_adds_its_variance():
    rows, columns = jnp.indices((25, 25)) - 12.0
    point = jnp.zeros((1, 25, 25)).at[0, 12, 12].set(2.0)
    blurred = jnp.concatenate([gaussian_point_spread(point, sigma=sigma) for sigma in (1.0, 1.2)])
    found = image_moments(blurred, columns, rows)[:, np.array([0, 3, 4])]
    wrong = {"the deviation": jnp.array([[2.0, 1.0, 1.0], [2.0, 1.2, 1.2]])}
    return Sides(left=found, right=jnp.array([[2.0, 1.0, 1.0], [2.0, 1.44, 1.44]]), wrong=wrong)


derivation.say(
    r"With a condition: at a time and a place of the path, the pair of noise and data that led there is not known, and the "
    r"network's answer is compared with the slope $x_1 - x_0$ of one pair after another. By the lemma on squared errors the best "
    r"answer to a condition is the mean slope $E_y$ under it, and its flow leads from noise to the data of that condition: all "
    r"of flow matching holds under a condition."
)
y = derivation.index("y", "a condition: what was requested", states=2)
pair = derivation.index("z", "a pair of noise and data", states=2)
asked = derivation.law(r"\omega", y, "how often a condition occurs at this time and place")
given_y = derivation.law("g", (pair, y), "the probability of a pair, given the condition")
slope = derivation.numbers("a", pair, "the slope of a pair's path")
mean = derivation.define("E", Expectation(given_y, slope), "the mean slope, given the condition", over=y)
derivation.chain(
    "A network without the condition pays the variance between conditions",
    Expectation(asked, Expectation(given_y, (slope - Expectation(asked, mean)) ** 2)),
    equals(
        plus(Expectation(asked, Variance(given_y, slope)), Variance(asked, mean)),
        "the lemma under each condition and over the conditions; the answer is the mean slope over all pairs",
        wrong={"the mean square": plus(Expectation(asked, Variance(given_y, slope)), Expectation(asked, mean**2))},
    ),
    uses=(best_guess,),
    so="The second term is 0 only where all conditions have the same mean slope.",
)


@derivation.example(
    r"A Gaussian galaxy, $n = \frac{1}{2}$, of $R = 4$ pixels and $q = \frac{1}{2}$, at 45 degrees: $m = R^2 / (2 \log 2)$, the "
    r"eigenvalues are $m/q$ and $mq$. Then $b$, the light within $2R$ and the mean square of the radius for three indices."
)
def a_gaussian_galaxy():
    half = 16 / (2 * math.log(2))
    yield "m", half, "11.542"
    second = np.array([1.25 * half, 1.25 * half, 0.75 * half])
    yield r"Q_{xx}, Q_{xy}", second[[0, 2]], "(14.427, 8.656)"
    read = shape_from_moments(jnp.array([[1.0, 0.0, 0.0, *second], [1.0, 0.0, 0.0, second[0] + 1, second[1] + 1, second[2]]]))
    yield r"\sqrt{Q_{xx} + Q_{yy}}, q", read[0, :2], "(5.372, 0.5)"
    yield r"q \text{ after a blur of } \varsigma = 1", read[1, 1], "0.5302"
    indices = np.array([0.5, 1.0, 4.0])
    constants = np.asarray(sersic_constant(jnp.asarray(indices)))
    yield r"b \text{ for } n = \frac{1}{2}, 1, 4", constants, "(0.6931, 1.6783, 7.6692)"
    within = scipy.special.gammainc(2 * indices, constants * 2 ** (1 / indices))
    yield r"P(2n, b\, 2^{1/n}) \text{ for } n = \frac{1}{2}, 1, 4", within, "(0.9375, 0.8482, 0.6900)"
    powers = constants ** (-2 * indices) * np.exp(scipy.special.gammaln(4 * indices) - scipy.special.gammaln(2 * indices))
    yield r"M / R^2 \text{ for } k = 2", powers, "(1.4427, 2.1300, 21.679)"


@derivation.figure(
    r"Left: the share of the light within a radius. All indices cross at $(1, \frac{1}{2})$; the larger the index, the more "
    r"light is in the core and in the wings. Right: a galaxy of index 1 with the ellipse of its second moments, and "
    r"that of the same galaxy blurred by $\varsigma = 3$ pixels (dashed): larger, rounder, in the same direction.",
    panels=2,
)
def growth_and_moments(growth, image):
    radii = np.linspace(0.001, 4, 200)
    indices = np.array([0.5, 1.0, 4.0])
    for index, constant in zip(indices, np.asarray(sersic_constant(jnp.asarray(indices))), strict=True):
        growth.plot(radii, scipy.special.gammainc(2 * index, constant * radii ** (1 / index)), label=f"n = {index:g}")
    growth.set(xlabel=r"$\rho / R$", ylabel="share of the light within")
    growth.legend()
    rows, columns = np.indices((41, 41)) - 20.0
    one = np.ones(1)
    radius = elliptical_radius(columns, rows, 0 * one, 0 * one, 0.4 * one, 0.6 * one)
    galaxy = sersic_profile(radius, one, 3 * one, one)
    both = jnp.concatenate([galaxy, gaussian_point_spread(galaxy, sigma=3.0)])
    image.imshow(np.arcsinh(np.asarray(galaxy[0]) / 1e-3), origin="lower", extent=(-20.5, 20.5, -20.5, 20.5), cmap="magma")
    turn = np.linspace(0, 2 * np.pi, 100)
    moments = np.asarray(image_moments(both, columns, rows))
    for (size, ratio, angle), line in zip(np.asarray(shape_from_moments(moments)), ("-", "--"), strict=True):
        long = size / np.sqrt(1 + ratio**2)
        u, v = long * np.cos(turn), ratio * long * np.sin(turn)
        image.plot(np.cos(angle) * u - np.sin(angle) * v, np.sin(angle) * u + np.cos(angle) * v, line, color="white")
    image.set(xlabel="pixels", ylabel="pixels")


@derivation.exercise(
    r"A program uses $b = 2n$ for $n = 1$. What is wrong with its galaxies?",
    "The flux is right for every $b$. But its half-light radius is not: it holds 0.5940 of the light.",
)
def a_wrong_constant():
    yield scipy.special.gammainc(2.0, 2.0), "0.5940"


@derivation.exercise(
    r"Which share of a Gaussian galaxy's light is within $2R$?", r"$1 - 2^{-4} = \frac{15}{16}$, which is 0.9375."
)
def twice_the_radius():
    yield scipy.special.gammainc(1.0, float(sersic_constant(jnp.array(0.5))) * 4), "0.9375"


@derivation.exercise(
    r"The blurred galaxy of the example has eigenvalues $m/q + 1$ and $mq + 1$, and reads $q = 0.5302$. What was it before?",
    "Subtract the blur's variance from both: the root of 5.771 / 23.083 is 0.5000.",
)
def before_the_blur():
    half = 16 / (2 * math.log(2))
    size, ratio, _ = shape_from_moments(jnp.array([[1.0, 0.0, 0.0, 1.25 * half + 1, 1.25 * half + 1, 0.75 * half]]))[0]
    major = size**2 / (1 + ratio**2)
    yield (major * ratio**2 - 1, major - 1), "5.771 / 23.083"
    yield jnp.sqrt((major * ratio**2 - 1) / (major - 1)), "0.5000"


def _approximate(indices):
    return np.asarray(sersic_constant_approximation(jnp.asarray(indices)))
