"""Whether a rational expression is zero, by polynomials: faster than SymPy's `together` and `expand`, and without their search.

A value is a polynomial over a product of powers of polynomials. Sums take the largest power of every such base, so that no common
divisor is ever computed: for "is it zero" the numerator is enough, and it is zero for all values of the symbols or not at all.
"""

import sympy
from sympy.polys.rings import PolyElement, ring


def is_zero(expression: sympy.Expr) -> bool | None:
    """Whether the expression is the zero rational function of its symbols; None if it is no rational function."""
    symbols = sorted(expression.free_symbols, key=str)
    if not symbols:
        return None
    _, *generators = ring(symbols, sympy.QQ)
    of_symbol = dict(zip(symbols, generators, strict=True))
    known = {}

    def value(part):
        if part not in known:
            known[part] = _value(part)
        return known[part]

    def _value(part):
        if part in of_symbol:
            return of_symbol[part], {}
        if part.is_Rational:
            return generators[0].ring(sympy.QQ(int(part.p), int(part.q))), {}
        if part.is_Add:
            return _sum([value(term) for term in part.args])
        if part.is_Mul:
            return _product([value(factor) for factor in part.args])
        if part.is_Pow and part.exp.is_Integer:
            return _power(value(part.base), int(part.exp))
        raise _NotRational

    try:
        return not value(expression)[0]
    except _NotRational:
        return None


class _NotRational(Exception):
    """A root, a logarithm, a power whose exponent is a symbol."""


Fraction = tuple[PolyElement, dict[PolyElement, int]]


def _sum(terms: list[Fraction]) -> Fraction:
    below = {}
    for _, bases in terms:
        for base, power in bases.items():
            below[base] = max(power, below.get(base, 0))
    total = 0
    for above, bases in terms:
        for base, power in below.items():
            above = above * base ** (power - bases.get(base, 0))
        total = total + above
    return total, below


def _product(factors: list[Fraction]) -> Fraction:
    above, below = factors[0][0], dict(factors[0][1])
    for more, bases in factors[1:]:
        above = above * more
        for base, power in bases.items():
            below[base] = below.get(base, 0) + power
    return _lowered(above, below)


def _power(fraction: Fraction, exponent: int) -> Fraction:
    above, below = fraction
    if exponent >= 0:
        return above**exponent, {base: power * exponent for base, power in below.items()}
    if not above:
        raise _NotRational  # a division by zero is for SymPy to report
    turned = above.ring.one
    for base, power in below.items():
        turned = turned * base ** (power * -exponent)
    # every generator of a monomial is a base of its own, so that it cancels and equal ones meet
    bases, rest = {}, above
    if len(above) == 1:
        ((monomial, coefficient),) = above.terms()
        turned = turned * (1 / coefficient) ** -exponent
        bases = {above.ring.gens[k]: power * -exponent for k, power in enumerate(monomial) if power}
    else:
        leading = rest.LC
        turned = turned * (1 / leading) ** -exponent
        bases = {rest.quo_ground(leading): -exponent}
    return _lowered(turned, bases)


def _lowered(above: PolyElement, below: dict[PolyElement, int]) -> Fraction:
    """Without the powers of single generators that the numerator has, too."""
    if not above:
        return above, {}
    for base in [base for base in below if len(base) == 1]:
        place = next(k for k, power in enumerate(base.LM) if power)
        shared = min(below[base], min(monomial[place] for monomial in above))
        if shared:
            above = above.quo(base**shared)
            below[base] -= shared
            if not below[base]:
                del below[base]
    return above, below
