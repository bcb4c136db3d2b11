"""Spherical interpolation is a rotation at constant speed."""

from sympy import cos, pi, sin

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import plus, times

derivation = Derivation(
    module=__name__,
    title="Spherical interpolation is a rotation at constant speed",
    question="A straight line between two points of a sphere leaves it. Which path stays on it, and how fast is it?",
    setting=(
        r"The ends are unit vectors in any number of dimensions, and the angle $\omega$ between them is neither 0 nor $\pi$. The "
        r"line is written for one coordinate.",
    ),
    sources=("Shoemake 1985, Animating rotation with quaternion curves",),
)
omega = derivation.number(r"\omega", "the angle between the two ends", between=(0, pi))
tau = derivation.number(r"\tau", "the fraction of the path", between=(0, 1))
e_1 = derivation.number("e_1", "a coordinate of the start")
e_2 = derivation.number("e_2", "the same coordinate of the unit vector orthogonal to the start, in the plane of both ends")
_angle = times(tau, omega)
_end = plus(cos(omega) * e_1, sin(omega) * e_2)

arc = derivation.chain(
    "Spherical interpolation is a rotation at constant speed",
    plus(sin((1 - tau) * omega) * e_1, times(sin(_angle), _end)) / sin(omega),
    equals(
        plus(times(sin(omega) * cos(_angle) - cos(omega) * sin(_angle), e_1), times(sin(_angle), _end)) / sin(omega),
        r"the addition theorem for $\sin((1 - \tau) \omega)$; the end is $\cos \omega\, e_1 + \sin \omega\, e_2$",
    ),
    equals(
        plus(cos(_angle) * e_1, sin(_angle) * e_2),
        r"the terms with $\cos \omega \sin \tau\omega$ cancel, and $\sin \omega$ is divided out",
        wrong={"not divided by the sine": sin(omega) * (cos(_angle) * e_1 + sin(_angle) * e_2)},
    ),
    central=True,
    role="lemma",
    so=r"This is a rotation by $\tau \omega$. The squared norm is $\cos^2 \tau\omega + \sin^2 \tau\omega = 1$ for every $\tau$. "
    r"The points at $\tau$ and $\kappa$ have the inner product $\cos\tau\omega \cos\kappa\omega + \sin\tau\omega "
    r"\sin\kappa\omega = \cos((\tau - \kappa) \omega)$, so equal steps of $\tau$ turn by equal angles. For ends of unequal norms "
    r"neither is true.",
)
