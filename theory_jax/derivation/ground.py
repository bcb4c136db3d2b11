"""The ground on which a chain is executed: entries become symbols, expectations finite sums, and a difference is reduced to zero.

What SymPy reduces to zero holds for all values of the symbols. Before that, random points are tried: a false line differs there.
"""

import functools
import itertools
import math

import sympy

from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import Entry, Node, free_indices
from theory_jax.derivation.points import Generator, evaluate, total
from theory_jax.derivation.rational import is_zero
from theory_jax.derivation.typeset import latex
from theory_jax.derivation.unspecified import UnspecifiedFunction

STATES = 3  # of every index, unless a chain sets it
POINTS = 8  # random points at which a line is tried before SymPy reduces it
ROUNDING = 1e-12  # below, a product may be different from zero by the rounding of one of its factors
SEPARATED = 1e-9  # a relative difference that no rounding of 16 digits explains


class Ground:
    """The number of states of every index, and symbols for the numbers that are not defined by others.

    between: the open interval (low, high) of numbers that are bounded on both sides. given: values of numbers and entries, which
    hold wherever expressions are compared.
    """

    def __init__(self, states=STATES, sizes=(), between=(), given=()):
        self._states, self._sizes, self.between, self.given = states, dict(sizes), dict(between), dict(given)
        self._symbols, self.laws, self._known = {}, {}, {}

    def under(self, conditions):
        """The same ground with further conditions, {symbol: value}."""
        return Ground(self._states, self._sizes, self.between, self.given | dict(conditions))

    def elsewhere(self, symbol, value):
        """Another value of a number than this one, within its interval; of a number for each state, in the first state alone."""
        if symbol in self.between:
            low, high = self.between[symbol]
            return (value + (low if value == high else high)) / 2
        return value + sympy.Rational(3, 7) * sympy.Mul(*(sympy.KroneckerDelta(index, 0) for index in free_indices(symbol)))

    def size(self, index):
        """The number of states of an index."""
        return self._sizes.get(index, self._states)

    def state(self, index, at):
        """The state of an index; a whole number is its own."""
        return int(at[index]) if index in at else int(index.xreplace({k: sympy.Integer(v) for k, v in at.items()}))

    def expand(self, expression, at=()):
        """The expression as SymPy's own, over symbols."""
        at = dict(at)
        if isinstance(expression, Node):
            key = (expression, *((index, at.get(index)) for index in free_indices(expression)))
            if key not in self._known:
                self._known[key] = expression.expand_at(self, at)
            return self._known[key]
        if expression in at:
            return sympy.Integer(at[expression])
        if not expression.args:
            return expression
        expanded = expression.func(*[self.expand(part, at) for part in expression.args])
        return _integrated(expanded) if isinstance(expanded, sympy.Integral) else expanded

    def primitive(self, family, values):
        """The symbol of an entry that is not defined by others. A law's last probability is one minus the others."""
        if (family, *values) not in self._symbols:
            for index, state in zip(family.indices, values, strict=True):
                require(
                    0 <= state < self.size(index),
                    f"{family.name} has {self.size(index)} states of {index}, and {state} is requested",
                )
            symbol = sympy.Symbol(f"v{len(self._symbols)}", real=True, positive=True if family.positive else None)
            self._symbols[(family, *values)] = symbol
            if family.law:
                group = [self.primitive(family, [k, *values[1:]]) for k in range(self.size(family.indices[0]))]
                self.laws[group[-1]] = group
        return self._symbols[(family, *values)]

    def _range(self, symbol):
        """The values of a number, as LaTeX."""
        if symbol in self.between:
            return rf" \in ({', '.join(map(latex, self.between[symbol]))})"
        return " > 0" if symbol.is_positive else r" \ge 0" if symbol.is_nonnegative else ""

    def each(self, expression, indices=frozenset()):
        """The expansions for every state of the indices that are free in an expression, and of every entry of a matrix.

        indices: others that are stepped through as well.
        """
        for part in expression if isinstance(expression, sympy.MatrixBase) else [expression]:
            free = sorted(free_indices(part) | indices, key=str)
            for states in itertools.product(*(range(self.size(index)) for index in free)):
                expanded = self.expand(part, dict(zip(free, states, strict=True))).doit()
                yield expanded.subs(self._values, simultaneous=True) if self.given else expanded

    @functools.cached_property
    def _values(self):
        """{symbol: value} of the conditions. Refuses those of names that are defined, and of a part of a law."""
        values = {}
        for key, value in self.given.items():
            free = sorted(free_indices(key), key=str)
            for states in itertools.product(*(range(self.size(index)) for index in free)):
                at = dict(zip(free, states, strict=True))
                symbol = self.expand(key, at)
                require(symbol.is_Symbol, f"${latex(key)}$ is defined by others: a condition gives these their values")
                values[symbol] = self.expand(value, at)
        for group in self.laws.values():
            fixed = [symbol for symbol in group if symbol in values]
            require(len(fixed) in (0, len(group)), "a condition on a law gives all of its probabilities")
        return values

    # ------------------------------------------------------------------------------------------------ random points

    def points(self, symbols, count=POINTS, seed=0):
        """A random value for every symbol at each of `count` points; probabilities sum to one."""
        drawn, values = Generator(seed), {}
        for symbol in sorted(symbols, key=str):
            low, high = self.between.get(symbol, (0.2, 2.0))
            spread = drawn.uniform(float(low), float(high), count)
            if symbol not in self.between and not symbol.is_positive and not symbol.is_nonnegative:
                spread = [x * (-1.0, 1.0)[k] for x, k in zip(spread, drawn.integers(0, 2, count), strict=True)]
            values[symbol] = [float(k) for k in drawn.integers(1, 6, count)] if symbol.is_integer else spread
        for group in self.laws.values():
            rows = [drawn.uniform(0.2, 1.0, count) for _ in group]
            sums = [total(column) for column in zip(*rows, strict=True)]
            normalized = [[x / whole for x, whole in zip(row, sums, strict=True)] for row in rows]
            values |= dict(zip(group, normalized, strict=True))
        return values

    def differs(self, expression, points=POINTS):
        """A point at which the expression is not zero, as text; empty if none of `points` is found."""
        for expanded in self.each(expression):
            if expanded == 0:
                continue
            values = self.points(expanded.free_symbols, points)
            for rewrite in (sympy.sympify, sympy.expand_mul, sympy.expand):
                columns = _columns(rewrite(expanded), values, points)
                require(columns, f"${latex(expression)}$ is finite at none of {points} random points")
                sums = {k: total(column) for k, column in columns.items()}
                far = [k for k, column in columns.items() if abs(sums[k]) > SEPARATED * _largest(column)]
                # else a factor, or a square, may be rounding alone: multiply out
                if not far or max(abs(sums[k]) for k in far) > ROUNDING:
                    break
            if far:
                return f"{self._told(values, far[0])}: off by {sums[far[0]]:.3g}"
        return ""

    def below(self, expression, *, strictly, points=POINTS):
        """A point at which the expression is negative, or, strictly, zero, as text; empty if none of `points` is found."""
        for expanded in self.each(expression):
            values = self.points(expanded.free_symbols, points)
            columns = _columns(expanded, values, points)
            require(columns, f"${latex(expression)}$ is finite at none of {points} random points")
            for k, column in columns.items():
                bound = SEPARATED * _largest(column)
                if total(column) <= bound if strictly else total(column) < -bound:
                    return f"{self._told(values, k)}: off by {total(column):.3g}"
        return ""

    def _told(self, values, number):
        names = {symbol: latex(Entry(family, *states)) for (family, *states), symbol in self._symbols.items()}
        told = (f"${names.get(symbol, latex(symbol))} = {value[number]:.3g}$" for symbol, value in values.items())
        return ", ".join(told) or "every point"

    # ------------------------------------------------------------------------------------------------ for all values

    def vanishes(self, expression):
        """Whether SymPy reduces the expression to zero, for all values of its symbols."""
        return all(self._is_zero(expanded) for expanded in self.each(expression))

    def _is_zero(self, expanded):
        if expanded == 0:
            return True
        # Logarithms are split while every probability is a separate positive symbol: 1 - p_0 - p_1 could not be split.
        split = self.on_the_simplex(_split_logarithms(expanded))
        if _is_zero_fraction(split):
            return True
        whole = self.on_the_simplex(expanded)
        if _is_zero_fraction(_split_logarithms(whole)):
            return True
        # as ratios 1 - a and 1 + a (c - 1) are seen to be positive for a in (0, 1), so that their logarithms and roots split
        ratios = self._as_ratios()
        if ratios and _is_zero_fraction(_split_logarithms(whole.xreplace(ratios))):
            return True
        if whole.has(sympy.Max) and sympy.expand(whole.replace(sympy.Add, _into_maximum)) == 0:
            return True
        if whole.has(sympy.Max, sympy.Min):  # max(a, b) is (a + b + |a - b|) / 2, and min with a minus; |a/b| is |a|/b
            whole = self.on_the_simplex(expanded.rewrite(sympy.Abs).replace(sympy.Abs, _absolute_fraction))
        return sympy.expand(whole) == 0 or sympy.simplify(whole) == 0

    def on_the_simplex(self, expanded):
        """The last probability of every law as one minus the others."""
        return expanded.xreplace({last: 1 - sum(group[:-1]) for last, group in self.laws.items()})

    def never_negative(self, expression):
        """Whether the expression is shown to be nonnegative: by a lemma, a square, or its factors' signs."""
        if expression.is_nonnegative:
            return True
        # term by term and factor by factor, since an instance of a lemma is no longer seen once it is expanded
        if (expression.is_Add or expression.is_Mul) and all(map(self.never_negative, expression.args)):
            return True
        return all(sympy.factor(sympy.together(self._free(expanded))).is_nonnegative for expanded in self.each(expression))

    def _free(self, expanded):
        """Over positive numbers without constraints: probabilities as normalized weights, bounded numbers as ratios."""
        free = {}
        for group in self.laws.values():
            weights = [sympy.Dummy(positive=True) for _ in group]
            free |= {symbol: weight / sum(weights) for symbol, weight in zip(group, weights, strict=True)}
        return expanded.xreplace(free | self._as_ratios())

    def _as_ratios(self):
        """Every bounded number by a positive one, as (low + high w)/(1 + w)."""
        weights = {symbol: sympy.Dummy(positive=True) for symbol in self.between}
        return {s: (low + high * weights[s]) / (1 + weights[s]) for s, (low, high) in self.between.items()}

    def spoken(self, *expressions):
        """The numbers that were left arbitrary in the expressions, in words: " for all ...", empty if there are none."""
        symbols = set().union(*(expanded.free_symbols for part in expressions for expanded in self.each(part)))
        families = {family for (family, *_), symbol in self._symbols.items() if symbol in symbols}
        numbers = symbols - set(self._symbols.values())
        laws = sorted(_named(family) for family in families if family.law)
        others = sorted(_named(family, " > 0" if family.positive else "") for family in families if not family.law)
        others += sorted(f"${latex(s)}{self._range(s)}$" for s in numbers)
        sizes = sorted({self.size(family.indices[0]) for family in families if family.law})
        states = " or ".join(map(str, sizes))
        words = [f"{', '.join(laws)} on {states} states"] if laws else []
        words += [", ".join(others)] if others else []
        return f" for all {'; all '.join(words)}" if words else ""


def _columns(expanded, values, count):
    """The terms of a sum at every point at which all of them are finite, by the number of the point."""
    rows = [evaluate(term, values, count) for term in sympy.Add.make_args(expanded)]
    return {k: column for k, column in enumerate(zip(*rows, strict=True)) if all(map(math.isfinite, column))}


def _largest(column):
    return max(map(abs, column))


@functools.lru_cache(maxsize=200)
def _integrated(integral):
    """The integral, which SymPy would compute anew wherever a line is compared."""
    return integral.doit()


def _named(family, rest=""):
    return f"${latex(Entry(family, *family.indices))}{rest}$"


def _split_logarithms(expression):
    """Logarithms of products as sums of logarithms, each of a factored argument, so that equal ones look equal."""
    return sympy.expand_log(sympy.expand_log(expression).replace(sympy.log, _log_of_factors))


def _into_maximum(*terms):
    """c + max(a, b) as max(c + a, c + b), so that a maximum of maxima is one maximum."""
    found = [term for term in terms if term.func is sympy.Max]
    if len(found) != 1:
        return sympy.Add(*terms)
    rest = sympy.Add(*[term for term in terms if term is not found[0]])
    return sympy.Max(*[part + rest for part in found[0].args])


def _absolute_fraction(argument):
    """The absolute value, out of which factors are taken that are known to be positive."""
    return sympy.Abs(sympy.factor(sympy.together(argument)))


@functools.lru_cache(maxsize=1000)
def _log_of_factors(argument):
    return sympy.expand_log(sympy.log(sympy.factor(sympy.together(argument))))


def _is_zero_fraction(expression):
    """Whether the numerator over the common denominator is zero, with logarithms, exponentials and functions as symbols."""
    powers = {}  # e^(c a) is the c-th power of one symbol for every a

    def exponential(exponent):
        factors = []
        for term in sympy.Add.make_args(sympy.expand(exponent)):
            coefficient, rest = term.as_coeff_Mul()
            base = powers.setdefault(rest, sympy.Dummy(positive=True)) if rest != 1 else sympy.E
            factors.append(base**coefficient)
        return sympy.Mul(*factors)

    def canonical(part):
        return part.at(*[sympy.factor(sympy.together(a)) for a in part.arguments])

    plain = expression.replace(lambda part: isinstance(part, UnspecifiedFunction), canonical).replace(sympy.exp, exponential)
    atoms = {part: sympy.Dummy() for part in plain.atoms(sympy.log, UnspecifiedFunction)}
    rational = plain.xreplace(atoms)
    if zero := is_zero(rational):
        return True
    if zero is not None:  # no rational function of its atoms is zero in another way
        return False
    numerator, _ = sympy.fraction(sympy.together(rational))
    return sympy.expand(numerator) == 0
