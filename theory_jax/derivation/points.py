"""Random points, and the value of an expression at them, in pure Python: the browser executes chains with the same code.

The points are those of numpy.random.default_rng, so that a refusal names the same point in a page and on a desk.
"""

import functools
import math
from operator import add

import sympy

from theory_jax.derivation.unspecified import UnspecifiedFunction

NAN, INF = math.nan, math.inf
BITS_32, BITS_64, BITS_128 = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1


class Generator:
    """numpy.random.default_rng(seed) for seeds below 2^32: SeedSequence, PCG64 (O'Neill 2014), doubles and bounded integers."""

    def __init__(self, seed):
        a, b, c, d = _seeded(seed)
        self._increment = ((c << 64 | d) << 1 | 1) & BITS_128
        self._state, self._half = 0, None
        self._step()
        self._state = self._state + (a << 64 | b) & BITS_128
        self._step()

    def _step(self):
        self._state = self._state * 0x2360ED051FC65DA44385DF649FCCF645 + self._increment & BITS_128

    def _next(self):
        self._step()
        value, turn = (self._state >> 64 ^ self._state) & BITS_64, self._state >> 122
        return (value >> turn | value << 64 - turn) & BITS_64

    def _next_half(self):
        if self._half is not None:
            value, self._half = self._half, None
            return value
        value = self._next()
        self._half = value >> 32
        return value & BITS_32

    def uniform(self, low, high, count):
        """`count` numbers of [low, high)."""
        return [low + (high - low) * ((self._next() >> 11) * 2.0**-53) for _ in range(count)]

    def integers(self, low, high, count):
        """`count` whole numbers of low, ..., high - 1."""
        size, found = high - low, []
        while len(found) < count:
            product = self._next_half() * size
            if (product & BITS_32) >= (1 << 32) % size:  # else drawn again, so that all are equally likely
                found.append(low + (product >> 32))
        return found


def _seeded(seed):
    """Four words of 64 bits: numpy.random.SeedSequence(seed).generate_state(4, np.uint64)."""
    constant, pool = 0x43B0D7E5, [0, 0, 0, 0]

    def hashed(value):
        nonlocal constant
        value ^= constant
        constant = constant * 0x931E8875 & BITS_32
        value = value * constant & BITS_32
        return value ^ value >> 16

    for k in range(4):
        pool[k] = hashed(seed if k == 0 else 0)
    for source in range(4):
        for target in range(4):
            if source != target:
                mixed = (0xCA01F9DD * pool[target] - 0x4973F715 * hashed(pool[source])) & BITS_32
                pool[target] = mixed ^ mixed >> 16
    constant, words = 0x8B51F9DD, []
    for k in range(8):
        value = pool[k % 4] ^ constant
        constant = constant * 0x58F38DED & BITS_32
        value = value * constant & BITS_32
        words.append(value ^ value >> 16)
    return [words[k] | words[k + 1] << 32 for k in range(0, 8, 2)]


# ---------------------------------------------------------------------------------------------------- values


def total(numbers):
    """Their sum from the left: sum() corrects its rounding from Python 3.12 on, and a verdict must not depend on that."""
    return functools.reduce(add, numbers, 0.0)


def _safe(operation, *, overflow=INF):
    def value(*given):
        try:
            return operation(*given)
        except OverflowError:
            return overflow
        except (ValueError, ZeroDivisionError, TypeError):  # TypeError: a complex number
            return NAN

    return value


def _log(x):
    return math.log(x) if x > 0 else -INF if x == 0 else NAN


def _power(base, power):
    try:
        return math.pow(base, power)
    except OverflowError:
        return -INF if base < 0 and power % 2 == 1 else INF
    except ValueError:
        return INF if base == 0 and power < 0 else NAN


def _extreme(choose):
    return lambda *parts: NAN if any(map(math.isnan, parts)) else choose(parts)


OPERATIONS = {
    sympy.log: _log,
    sympy.exp: _safe(math.exp),
    sympy.Abs: abs,
    sympy.tanh: math.tanh,
    sympy.cosh: _safe(math.cosh),
    sympy.sinh: lambda x: math.copysign(_safe(math.sinh)(abs(x)), x),
    sympy.sin: _safe(math.sin),
    sympy.cos: _safe(math.cos),
    sympy.sign: lambda x: NAN if math.isnan(x) else float((x > 0) - (x < 0)),
    sympy.floor: lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    sympy.atan: math.atan,
    sympy.Max: _extreme(max),
    sympy.Min: _extreme(min),
}


def evaluate(expression, values, count):
    """The expression in float64 at each of `count` points, as a list; NaN outside its domain. values: {symbol: numbers}.

    Most expressions are evaluated once. For the 1,482 of five lectures sympy.lambdify, which compiles each, took three times as
    long as this, with the same numbers to rounding.
    """
    done = {}

    def at(part):
        if part not in done:
            done[part] = _value(part)
        return done[part]

    def _value(part):
        if part in values:
            return values[part]
        if part.is_Number or part.is_NumberSymbol:
            return [float(part)] * count
        if part.has(sympy.zoo, sympy.nan, sympy.I):
            return [NAN] * count
        if part.is_Add:
            return [total(column) for column in zip(*map(at, part.args), strict=True)]
        if part.is_Mul:
            return [math.prod(column) for column in zip(*map(at, part.args), strict=True)]
        if part.is_Pow:
            return list(map(_power, *map(at, part.args)))
        if isinstance(part, UnspecifiedFunction):
            variables, body = _some_function(part.letter, part.orders)
            return evaluate(body, dict(zip(variables, map(at, part.arguments), strict=True)), count)
        if part.func in OPERATIONS:
            return list(map(OPERATIONS[part.func], *map(at, part.args)))
        symbols = sorted(part.free_symbols, key=str)
        compiled = sympy.lambdify(symbols, part, "mpmath")
        one = _safe(lambda *given: float(compiled(*given)))
        return [one(*(float(values[symbol][k]) for symbol in symbols)) for k in range(count)]

    return at(sympy.sympify(expression))


@functools.cache
def _some_function(letter, orders):
    """A concrete smooth function in place of an unspecified one, differentiated: its variables and its expression in them."""
    seed = sum(map(ord, letter))
    x = sympy.symbols(f"x:{len(orders)}")
    inside = sum(sympy.Rational(7 + 2 * k + seed % 5, 9) * variable for k, variable in enumerate(x))
    body = sympy.sin(inside + sympy.Rational(seed % 7, 5)) + sympy.exp(inside / 3)
    for variable, order in zip(x, orders, strict=True):
        body = sympy.diff(body, variable, order) if order else body
    return x, body
