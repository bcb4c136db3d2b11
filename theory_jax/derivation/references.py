"""References to lemmas: the expressions that a lemma has shown to be never negative."""

import sympy
from sympy.core.symbol import Str
from sympy.printing.precedence import PRECEDENCE, precedence

from theory_jax.derivation.notation import Node


class Reference(sympy.Basic):
    """A lemma, by the module of its lecture and its title, which no other of that lecture has."""

    def __new__(cls, module, title):
        return super().__new__(cls, *(part if isinstance(part, Str) else Str(part) for part in (module, title)))

    @property
    def module(self):
        """The lecture's module."""
        return self.args[0].name

    @property
    def title(self):
        """The lemma's title."""
        return self.args[1].name


class Nonnegative(Node):
    """An expression that a lemma has shown to be never negative: the lemma's, at other laws and numbers.

    Prints as the expression, or by the lemma's name for it: B_f(u, 1). name: of the lemma, empty if it has none.
    others: Tuples of a law or number and the set in which the lemma needs it.
    """

    is_nonnegative = True

    def __new__(cls, expression, reference, name, *others):
        return super().__new__(cls, expression, reference, name if isinstance(name, Str) else Str(name), *others)

    @property
    def precedence(self):
        """The precedence of the expression, or that of an atom if it is printed by a name."""
        return PRECEDENCE["Atom"] if self.name else precedence(self.args[0])

    @property
    def reference(self):
        """The chain or lemma that shows it."""
        return self.args[1]

    @property
    def name(self):
        """The name under which it is printed, with places for the others."""
        return self.args[2].name

    @property
    def others(self):
        """The laws and numbers at which the lemma is used, each with the set in which the lemma needs it."""
        return self.args[3:]

    @property
    def free_symbols(self):
        return self.args[0].free_symbols

    def expand_at(self, ground, at):
        return ground.expand(self.args[0], at)

    def _latex(self, printer):
        if self.name:
            return self.name.format(*(printer.doprint(other) for other, _ in self.others))
        return printer.doprint(self.args[0])
