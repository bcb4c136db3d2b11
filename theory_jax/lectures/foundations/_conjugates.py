"""The conjugates of the generators of _formulas.py in symbols."""

import dataclasses

import sympy
from sympy import exp, log, sqrt

from theory_jax.lectures.foundations._formulas import ALPHA, U

T = sympy.Symbol("t", real=True)


@dataclasses.dataclass(frozen=True)
class Conjugate:
    """In words, f'(u), f*(f'(u)), the u with f'(u) = t, f*(t), the condition on t, a mistaken f*(t)."""

    words: str
    slope: sympy.Expr
    at_slope: sympy.Expr
    maximizer: sympy.Expr
    conjugate: sympy.Expr
    domain: str
    mistake: sympy.Expr

    def written_in(self, symbols):
        """The same row with other symbols."""
        parts = {name: part.subs(symbols) for name, part in vars(self).items() if isinstance(part, sympy.Basic)}
        return dataclasses.replace(self, **parts)


BASE = 1 + (ALPHA - 1) * T
CONJUGATES = {
    "kl": Conjugate("Kullback-Leibler", 1 + log(U), U, exp(T - 1), exp(T - 1), "all $t$", exp(T)),
    "reverse_kl": Conjugate("Reverse Kullback-Leibler", -1 / U, log(U) - 1, -1 / T, -1 - log(-T), "negative $t$", 1 - log(-T)),
    "pearson_chi_squared": Conjugate(
        "Pearson", 2 * (U - 1), U**2 - 1, 1 + T / 2, T**2 / 4 + T, "$t$ from $-2$ on; below, $f^*(t)$ is $-1$", T**2 / 4
    ),
    "neyman_chi_squared": Conjugate(
        "Neyman", 1 - U**-2, 2 - 2 / U, 1 / sqrt(1 - T), 2 - 2 * sqrt(1 - T), "$t$ up to 1", 1 - sqrt(1 - T)
    ),
    "squared_hellinger": Conjugate(
        "Squared Hellinger", 1 - 1 / sqrt(U), sqrt(U) - 1, 1 / (1 - T) ** 2, T / (1 - T), "$t$ below 1", 1 / (1 - T)
    ),
    "jensen_shannon": Conjugate(
        "Jensen-Shannon",
        log(2 * U / (1 + U)) / 2,
        log((1 + U) / 2) / 2,
        exp(2 * T) / (2 - exp(2 * T)),
        -log(2 - exp(2 * T)) / 2,
        r"$t$ below $\frac12 \log 2$",
        -log(2 - exp(T)),
    ),
    "gan": Conjugate(
        "The GAN", log(U / (1 + U)), log(1 + U), exp(T) / (1 - exp(T)), -log(1 - exp(T)), "negative $t$", -log(2 - exp(T))
    ),
    "alpha": Conjugate(
        "The alpha family",
        (U ** (ALPHA - 1) - 1) / (ALPHA - 1),
        (U**ALPHA - 1) / ALPHA,
        BASE ** (1 / (ALPHA - 1)),
        (BASE ** (ALPHA / (ALPHA - 1)) - 1) / ALPHA,
        r"where $1 + (\alpha - 1) t$ is positive; for $\alpha$ above 1 and smaller $t$, $f^*(t)$ is $-1/\alpha$",
        (BASE ** (1 / (ALPHA - 1)) - 1) / ALPHA,
    ),
}
