r"""The notation of a lecture as SymPy expressions, so that what a page prints is what was executed.

An `Index` runs over finitely many states. An `Entry` is a number for each state (p_k, q(z|x), x_n): arbitrary, or defined by an
expression. Nodes such as `Expectation` and `Divergence` print as a lecturer writes them; `expand_at` says what they stand for: a
finite sum over the states, or the moments of a Gaussian. SymPy's own functions, Integral, KroneckerDelta and explicit matrices
are used as they are.
"""

import functools

import sympy
from sympy.core.symbol import Str
from sympy.printing.precedence import PRECEDENCE, precedence

from theory_jax.derivation.moments import normal_moment


class Index(sympy.Symbol):
    """A variable with finitely many states; how many is said where an expression is expanded."""

    def __new__(cls, name):
        return super().__new__(cls, name, integer=True, nonnegative=True)


class Family(sympy.Dummy):
    """What the entries of one name have in common. Two families are different even under one name."""

    def __new__(cls, name, indices=(), *, positive=False, law=False, definition=None):
        family = super().__new__(cls, name)
        family.indices, family.positive, family.law, family.definition = tuple(indices), positive, law, definition
        return family

    def printed(self, indices):
        """p_{k} for the name p, and q(z|x) for the name q({}|x)."""
        if "{}" in self.name:
            return self.name.format(*indices)
        if not indices:
            return self.name
        base, mark, lowered = self.name.partition("_")  # a name that has an index already: q_\theta
        return f"{base}_{{{lowered.strip('{}') + ',' if mark else ''}{','.join(indices)}}}"


class Node(sympy.Expr):
    """An expression of the lecture's notation: prints by `_latex`, and stands for what `expand_at` returns.

    expand_at(ground, at) gives SymPy's own expression; `at` has the state of every index that is free in the node.
    """

    is_commutative = True
    is_real = True

    @classmethod
    def class_key(cls):
        *kind, name = sympy.Symbol.class_key()
        return *kind, f"{name}s"  # in a product it stands behind the symbols, with whose names SymPy cannot compare its arguments

    def binds(self):
        """The indices over which the node sums."""
        return set()


class Entry(Node):
    """The member of a family at an index: p_k."""

    def __new__(cls, family, *indices):
        return super().__new__(cls, family, *map(sympy.sympify, indices))

    @property
    def family(self):
        return self.args[0]

    @property
    def indices(self):
        return self.args[1:]

    def _eval_subs(self, old, new):
        return self if isinstance(old, Family) else None  # SymPy's printer puts numbers in the place of all symbols

    def at(self, *indices):
        """The same family at another index: p_k.at(j) is p_j."""
        return Entry(self.family, *indices)

    def expand_at(self, ground, at):
        values = [ground.state(index, at) for index in self.indices]
        if self.family.definition is None:
            return ground.primitive(self.family, values)
        return ground.expand(self.family.definition, dict(zip(self.family.indices, values, strict=True)))

    def _eval_is_positive(self):
        return True if self.family.positive else None

    def _latex(self, printer):
        return self.family.printed([printer.doprint(index) for index in self.indices if index not in printer.hidden])

    def law_name(self, printer):
        """The name of a law: p, for p_k; q(z|x) stays what it is."""
        if "{}" in self.family.name:
            return self._latex(printer)
        return self.family.printed([printer.doprint(index) for index in self.indices[1:]])


class Normal(Node):
    """The law of a Gaussian variable x."""

    def __new__(cls, x, mean, variance):
        return super().__new__(cls, *map(sympy.sympify, (x, mean, variance)))

    def log_density(self, at):
        """log N(at; mean, variance)."""
        _, mean, variance = self.args
        return -(sympy.log(2 * sympy.pi * variance) + (at - mean) ** 2 / variance) / 2

    def law_name(self, printer):
        """N(mean, variance)."""
        _, mean, variance = map(printer.doprint, self.args)
        return rf"\mathcal{{N}}\left({mean}, {variance}\right)"

    def _latex(self, printer):
        return rf"{printer.doprint(self.args[0])} \sim {self.law_name(printer)}"


class LogDensity(Node):
    """log N(x; mean, variance), printed by that name: the logarithm of a Gaussian's density at x."""

    precedence = PRECEDENCE["Mul"]

    def __new__(cls, x, mean, variance):
        return super().__new__(cls, *map(sympy.sympify, (x, mean, variance)))

    def expand_at(self, ground, at):
        x, mean, variance = self.args
        return ground.expand(Normal(x, mean, variance).log_density(x), at)

    def _latex(self, printer):
        x, mean, variance = map(printer.doprint, self.args)
        return rf"\log \mathcal{{N}}\left({x}; {mean}, {variance}\right)"


class Total(Node):
    """The sum over all states of an index."""

    SIGN = r"\sum"
    precedence = PRECEDENCE["Mul"]  # what follows a sum belongs to it, unless there are parentheses
    combine = sympy.Add

    def __new__(cls, index, body):
        return super().__new__(cls, index, sympy.sympify(body))

    def binds(self):
        return {self.args[0]}

    def expand_at(self, ground, at):
        index, body = self.args
        return self.combine(*[ground.expand(body, at | {index: k}) for k in range(ground.size(index))])

    def _eval_is_nonnegative(self):
        return self.args[1].is_nonnegative

    def _eval_is_positive(self):
        return self.args[1].is_positive

    def _latex(self, printer):
        index, body = self.args
        return rf"{self.SIGN}_{{{printer.doprint(index)}}} {printer.term(body)}"


class Product(Total):
    """The product over all states of an index."""

    SIGN = r"\prod"
    combine = sympy.Mul


class Count(Node):
    """The number of states of an index, under its own name: K."""

    is_positive = True

    def __new__(cls, index, name):
        return super().__new__(cls, index, name if isinstance(name, Str) else Str(name))

    def binds(self):
        return {self.args[0]}

    def expand_at(self, ground, at):
        return sympy.Integer(ground.size(self.args[0]))

    def _latex(self, printer):
        return str(self.args[1])


class SquaredNorm(Node):
    """The sum of the squares of a vector's entries; prints as the squared norm of the vector."""

    is_nonnegative = True

    def __new__(cls, index, body):
        return super().__new__(cls, index, sympy.sympify(body))

    def binds(self):
        return {self.args[0]}

    def expand_at(self, ground, at):
        index, body = self.args
        return ground.expand(Total(index, body**2), at)

    def _latex(self, printer):
        index, body = self.args
        return rf"\left\| {printer.without(index, body)} \right\|^2"


class Inner(Node):
    """The inner product of two vectors: the sum over an index of the products of their entries."""

    def __new__(cls, index, left, right):
        return super().__new__(cls, index, sympy.sympify(left), sympy.sympify(right))

    def binds(self):
        return {self.args[0]}

    def expand_at(self, ground, at):
        index, left, right = self.args
        return ground.expand(Total(index, left * right), at)

    def _latex(self, printer):
        index, left, right = self.args
        return rf"\left\langle {printer.without(index, left)}, {printer.without(index, right)} \right\rangle"


class Expectation(Node):
    """E_q[body], under the law of an index or of a Gaussian variable."""

    NAME = r"\mathbb{E}"

    def __new__(cls, law, body):
        return super().__new__(cls, law, sympy.sympify(body))

    def binds(self):
        law = self.args[0]
        return set() if isinstance(law, Normal) else {law.indices[0]}

    def expand_at(self, ground, at):
        law, body = self.args
        if isinstance(law, Normal):
            x, mean, variance = law.args
            return normal_moment(ground.expand(body, at), x, ground.expand(mean, at), ground.expand(variance, at))
        return ground.expand(Total(law.indices[0], law * body), at)

    def _eval_is_nonnegative(self):
        return self.args[1].is_nonnegative

    def _eval_is_positive(self):
        return self.args[1].is_positive

    def _latex(self, printer):
        law, body = self.args
        under = law._latex(printer) if isinstance(law, Normal) else law.law_name(printer)
        return rf"{self.NAME}_{{{under}}}\left[{printer.doprint(body)}\right]"


class Variance(Expectation):
    """Var_q[body] = E_q[(body - E_q[body])^2]."""

    NAME = r"\mathrm{Var}"
    is_nonnegative = True

    def expand_at(self, ground, at):
        law, body = self.args
        return ground.expand(Expectation(law, body**2), at) - ground.expand(Expectation(law, body), at) ** 2


class Divergence(Node):
    """KL(p || q) = E_p[log p - log q]."""

    def binds(self):
        return {law.indices[0] for law in self.args if isinstance(law, Entry)}

    def expand_at(self, ground, at):
        p, q = self.args
        if isinstance(p, Normal):
            x = p.args[0]
            return ground.expand(Expectation(p, p.log_density(x) - q.log_density(x)), at)
        return ground.expand(Expectation(p, sympy.log(p) - sympy.log(q.at(p.indices[0], *q.indices[1:]))), at)

    def _latex(self, printer):
        p, q = (law.law_name(printer) for law in self.args)
        return rf"\mathrm{{KL}}\left({p} \,\|\, {q}\right)"


class Entropy(Node):
    """H(p) = -E_p[log p]."""

    def binds(self):
        return {law.indices[0] for law in self.args if isinstance(law, Entry)}

    def expand_at(self, ground, at):
        (p,) = self.args
        log_density = p.log_density(p.args[0]) if isinstance(p, Normal) else sympy.log(p)
        return ground.expand(Expectation(p, -log_density), at)

    def _latex(self, printer):
        return rf"H\left({self.args[0].law_name(printer)}\right)"


class Slope(Node):
    """The partial derivative, of an order, of an expression by a number or an entry that is not defined by others."""

    precedence = PRECEDENCE["Mul"]

    def __new__(cls, body, by, order=1):
        return super().__new__(cls, sympy.sympify(body), by, sympy.Integer(order))

    def expand_at(self, ground, at):
        body, by, order = self.args
        return sympy.diff(ground.expand(body, at).doit(), ground.expand(by, at), int(order))

    def _latex(self, printer):
        body, by, order = self.args
        power = "" if order == 1 else f"^{{{order}}}"
        inner = rf"\left({printer.doprint(body)}\right)" if body.is_Mul else printer.term(body)  # of the whole product
        return rf"\frac{{\partial{power}}}{{\partial {printer.doprint(by)}{power}}} {inner}"


class Limit(Node):
    """The limit of an expression as a number goes to a place; from above, from below (side "+" or "-")."""

    precedence = PRECEDENCE["Mul"]

    def __new__(cls, body, x, place, side="+"):
        return super().__new__(cls, sympy.sympify(body), x, sympy.sympify(place), side if isinstance(side, Str) else Str(side))

    def expand_at(self, ground, at):
        body, x, place, side = self.args
        # SymPy sees that probabilities sum to one, and that a power is an exponential, only where they are written so
        plain = ground.on_the_simplex(ground.expand(body, at).doit()).replace(
            lambda part: part.is_Pow and part.exp.has(x),
            lambda part: sympy.exp(part.exp * sympy.expand_log(sympy.log(part.base))),
        )
        return sympy.limit(plain, x, ground.expand(place, at), str(side))

    def _latex(self, printer):
        body, x, place, side = self.args
        where = printer.doprint(place) + ("" if place.is_infinite else {"+": r"^+", "-": r"^-"}[str(side)])
        return rf"\lim_{{{printer.doprint(x)} \to {where}}} {printer.term(body)}"


class Reference(Str):
    """The lemma to which an expression refers, as SymPy's arguments can hold it: equal by the lecture's module and the title."""

    def __new__(cls, lemma):
        reference = super().__new__(cls, f"{lemma.module}: {lemma.title}")
        reference.lemma = lemma
        return reference


class Nonnegative(Node):
    """An expression that a lemma has shown to be never negative: the lemma's, at other laws and numbers.

    Prints as the expression, or by the lemma's name for it: B_f(u, 1).
    """

    is_nonnegative = True

    @property
    def precedence(self):
        """As the expression, unless it is printed by a name."""
        return PRECEDENCE["Atom"] if self.lemma.name else precedence(self.args[0])

    def __new__(cls, expression, lemma, *others):
        return super().__new__(cls, expression, lemma if isinstance(lemma, Reference) else Reference(lemma), *others)

    @property
    def lemma(self):
        """The chain or lemma that shows it."""
        return self.args[1].lemma

    def expand_at(self, ground, at):
        return ground.expand(self.args[0], at)

    def _latex(self, printer):
        if name := self.lemma.name:
            return name.format(*map(printer.doprint, self.args[2:]))
        return printer.doprint(self.args[0])


class Unspecified(sympy.Function):
    """A function of which nothing is said: f(u), and its derivatives f'(u), f''(u), ... Made by `function`."""

    is_real = True

    def fdiff(self, argindex=1):
        """The derivative by one argument, a function of the same family."""
        orders = list(self.orders)
        orders[argindex - 1] += 1
        return function(self.letter, *orders)(*self.args)

    def _latex(self, printer, exp=None):
        arguments = ", ".join(map(printer.doprint, self.args))
        if len(self.orders) == 1:
            name = self.letter + "'" * self.orders[0]
        else:
            name = "".join(rf"\partial_{k + 1}" * n for k, n in enumerate(self.orders)) + self.letter
        return rf"{name}{'' if exp is None else f'^{{{exp}}}'}\left({arguments}\right)"


_FUNCTIONS = {}


def function(letter, *orders):
    """The function of this letter, or its derivative of these orders (one order an argument)."""
    orders = orders or (0,)
    if (letter, orders) not in _FUNCTIONS:
        members = {"letter": letter, "orders": orders, "nargs": (len(orders),)}
        _FUNCTIONS[letter, orders] = type(f"{letter}{orders}", (Unspecified,), members)
    return _FUNCTIONS[letter, orders]


def made(expression):
    """A number or a text as SymPy's own; expressions and matrices as they are."""
    return expression if isinstance(expression, sympy.Basic | sympy.MatrixBase) else sympy.sympify(expression)


def plus(*terms):
    """A sum whose terms keep the order in which they are written."""
    return sympy.Add(*terms, evaluate=False)


def times(*factors):
    """A product whose factors keep the order in which they are written."""
    return sympy.Mul(*factors, evaluate=False)


@functools.cache
def free_indices(expression):
    """The indices that no node of the expression sums over."""
    if isinstance(expression, Index):
        return frozenset({expression})
    inner = frozenset().union(*map(free_indices, expression.args))
    return inner - (expression.binds() if isinstance(expression, Node) else set())
