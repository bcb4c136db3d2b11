"""The generators of theory_jax/foundations/_generators.py in symbols, and a function of every row."""

import jax.numpy as jnp
import sympy

from theory_jax.foundations._generators import GENERATORS

SMOOTH = [(name, None) for name in GENERATORS if name not in ("total_variation", "alpha")] + [
    ("alpha", alpha) for alpha in (-1.0, 0.5, 3.0)
]
ALL = [("total_variation", None), *SMOOTH]
U, ALPHA = sympy.symbols("u alpha", positive=True)
FORMULAS = {
    "kl": U * sympy.log(U),
    "reverse_kl": -sympy.log(U),
    "pearson_chi_squared": (U - 1) ** 2,
    "neyman_chi_squared": (1 - U) ** 2 / U,
    "squared_hellinger": (sympy.sqrt(U) - 1) ** 2,
    "jeffreys": (U - 1) * sympy.log(U),
    "jensen_shannon": (U * sympy.log(U) - (U + 1) * sympy.log((U + 1) / 2)) / 2,
    "gan": U * sympy.log(U) - (U + 1) * sympy.log(U + 1),
    "alpha": (U**ALPHA - 1 - ALPHA * (U - 1)) / (ALPHA * (ALPHA - 1)),
}


def of_each(function, rows, *arrays, **named):
    """The function of the arrays for every (divergence, alpha), stacked."""
    return jnp.stack([function(*arrays, **named, divergence=divergence, alpha=alpha) for divergence, alpha in rows])
