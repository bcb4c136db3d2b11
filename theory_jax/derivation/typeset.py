"""LaTeX of the notation, as a lecturer writes it: log x without parentheses, terms in the order in which they were written."""

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence

from theory_jax.derivation.notation import Entry, Limit, Node, Product, Slope, Total
from theory_jax.derivation.references import Nonnegative
from theory_jax.derivation.unspecified import UnspecifiedFunction


class Typesetter(LatexPrinter):
    """SymPy's printer with a lecturer's habits. hidden: indices that are not printed (inside a norm)."""

    def __init__(self):
        super().__init__({"order": "none", "fold_short_frac": False, "ln_notation": False})
        self.hidden = set()

    def without(self, index, expression):
        """The expression with an index left out: the vector that contains it."""
        self.hidden.add(index)
        try:
            return self._print(expression)
        finally:
            self.hidden.discard(index)

    def term(self, expression):
        """The expression as one term of a sum or the body of an operator: a sum, or what begins with a sign, in parentheses."""
        text = self._print(expression)
        inner = expression.args[0] if isinstance(expression, Nonnegative) and not expression.name else expression
        return rf"\left({text}\right)" if inner.is_Add or text.startswith("-") else text

    def _needs_mul_brackets(self, expr, first=False, last=False):
        if isinstance(expr, Nonnegative) and not expr.name:
            expr = expr.args[0]
        # a sum or a derivative would swallow the factors behind it
        return isinstance(expr, Total | Slope | Limit) and not last or super()._needs_mul_brackets(expr, first, last)

    def _helper_print_standard_power(self, expr, template):
        if isinstance(expr.base, UnspecifiedFunction):  # f^2(x), as SymPy prints the powers of its own functions
            return self._print(expr.base, exp=self._print(expr.exp))
        return super()._helper_print_standard_power(expr, template)

    def _print_log(self, expression, exp=None):
        (argument,) = expression.args
        inner = self._print(argument)
        symbol = isinstance(argument, sympy.Symbol | Node | sympy.Integer) and precedence(argument) == PRECEDENCE["Atom"]
        bare = symbol or isinstance(argument, Product) or (inner.startswith(r"\frac") and argument.is_Mul)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power} {inner}" if bare else rf"\log{power}\left({inner}\right)"

    def _hprint_variadic_function(self, expr, exp=None):
        """Max and Min, which hold a set: numbers and symbols first, then entries and sums, then expressions of them."""
        ranks = {part: 0 if part.is_Atom else 1 if isinstance(part, Node) else 2 for part in expr.args}
        parts = sorted(expr.args, key=lambda part: (ranks[part], sympy.default_sort_key(part)))
        text = rf"\{type(expr).__name__.lower()}\left({', '.join(map(self._print, parts))}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"

    _print_Min = _print_Max = _hprint_variadic_function

    def _print_Add(self, expression, order=None):
        terms = list(expression.args)
        if sympy.Add(*terms).args == expression.args:  # SymPy's order, and no author's: a - b rather than -b + a
            first = next((k for k, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
            terms.insert(0, terms.pop(first))
        text = self._print(terms[0])
        for term in terms[1:]:
            # SymPy moves the sign of -(a + b) inside: a nested sum of negative terms is subtracted as a whole
            negative = all(part.could_extract_minus_sign() for part in (term.args if term.is_Add else [term]))
            text += (" - " if negative else " + ") + self.term(-term if negative else term)
        return text

    def _print_Pow(self, expression):
        base, power = expression.args
        superscript = isinstance(base, Entry) and "^" in base.family.name
        if superscript and not power.is_negative and not (power.is_Rational and power.p == 1):  # TeX refuses E^{h}^{2}
            return rf"\left({self._print(base)}\right)^{{{self._print(power)}}}"
        return super()._print_Pow(expression)


def latex(expression):
    """The LaTeX of an expression of the notation."""
    return Typesetter().doprint(expression)
