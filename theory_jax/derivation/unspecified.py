"""Unspecified smooth functions: a generator f and its derivatives."""

import functools

import sympy
from sympy.core.symbol import Str


class UnspecifiedFunction(sympy.Expr):
    """An unspecified smooth function, or its partial derivative of these orders: f(u), f'(u), f''(u).

    The derivative of SymPy's Function("f") at 2 u is a Subs of a Derivative by another variable, and prints as one. (SymPy orders
    the factors of a product by the names of their classes: this one puts a function behind an entry.)
    """

    is_commutative = True
    is_real = True

    def __new__(cls, letter, orders, *arguments):
        if len(arguments) != len(orders):
            raise TypeError(f"{letter} has {len(orders)} arguments, and {len(arguments)} are given")
        letter = letter if isinstance(letter, Str) else Str(letter)
        return super().__new__(cls, letter, sympy.Tuple(*orders), *map(sympy.sympify, arguments))

    @property
    def letter(self):
        """The name of the function."""
        return self.args[0].name

    @property
    def orders(self):
        """The order of the derivative in each argument."""
        return tuple(map(int, self.args[1]))

    @property
    def arguments(self):
        """The numbers that it is applied to."""
        return self.args[2:]

    def at(self, *arguments):
        """The same function of other numbers."""
        return UnspecifiedFunction(*self.args[:2], *arguments)

    def fdiff(self, argindex=1):
        """The partial derivative by one argument."""
        orders = list(self.orders)
        orders[argindex - 1] += 1
        return UnspecifiedFunction(self.args[0], orders, *self.arguments)

    def _eval_derivative(self, symbol):
        inner = [(k, argument.diff(symbol)) for k, argument in enumerate(self.arguments, start=1)]
        return sympy.Add(*(self.fdiff(k) * slope for k, slope in inner if slope != 0))

    def _latex(self, printer, exp=None):
        arguments = ", ".join(map(printer.doprint, self.arguments))
        if len(self.orders) == 1:
            name = self.letter + "'" * self.orders[0]
        else:
            name = "".join(rf"\partial_{k + 1}" * n for k, n in enumerate(self.orders)) + self.letter
        return rf"{name}{'' if exp is None else f'^{{{exp}}}'}\left({arguments}\right)"


def specified(expression, function, formula):
    """The expression with a function, as `function` gives it, and its derivatives replaced by those of a formula."""

    def value(node):
        numbers = [sympy.Dummy(real=True) for _ in node.arguments]
        slope = sympy.diff(formula(*numbers), *zip(numbers, node.orders, strict=True))
        return slope.subs(dict(zip(numbers, node.arguments, strict=True)))

    letter = function.args[0]
    return expression.replace(lambda node: isinstance(node, UnspecifiedFunction) and node.letter == letter, value)


def function(letter, *orders):
    """The function of this letter, or its derivative of these orders (one order an argument)."""
    return functools.partial(UnspecifiedFunction, letter, orders or (0,))
