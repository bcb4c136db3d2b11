r"""The notation of a lecture as SymPy expressions, so that pages print the executed expressions.

An `Index` runs over finitely many states. An `Entry` is a number for each state (p_k, q(z|x), x_n): arbitrary, or defined by an
expression. Nodes such as `Expectation` and `Divergence` print as a lecturer writes them; `expand_at` gives their meaning: a
finite sum over the states, or the moments of a Gaussian. SymPy's own functions, Integral, KroneckerDelta and explicit matrices
are used directly; the docstring of a class that SymPy has, too, states the difference.
"""

import functools

import sympy
from sympy.core.kind import NumberKind
from sympy.core.symbol import Str
from sympy.printing.precedence import PRECEDENCE

from theory_jax.derivation.moments import normal_moment


class Index(sympy.Symbol):
    """A variable with finitely many states; their number is set when an expression is expanded."""

    def __new__(cls, name):
        return super().__new__(cls, name, integer=True, nonnegative=True)

    def __getnewargs_ex__(self):
        return (self.name,), {}


class Family(sympy.AtomicExpr):
    """The shared part of the entries of one name. place: module and number of the symbol, which distinguish equal names.

    An atom, as SymPy's Symbol is. With the indices and the definition among its arguments, p_k with another index in place of k
    would belong to another family, and a substitution would change a definition although the page still prints its name. It is a
    free symbol of its entries, since SymPy takes an expression without one for a constant.
    """

    is_commutative = True
    is_symbol = True
    kind = NumberKind
    _diff_wrt = True

    __slots__ = ("name", "place", "indices", "positive", "law", "definition")

    def __new__(cls, name, indices=(), *, positive=False, law=False, definition=None, place=("", 0)):
        family = super().__new__(cls)
        family.name, family.place, family.indices = name, tuple(place), tuple(indices)
        family.positive, family.law = positive, law
        family.definition = definition if definition is None else evaluated(definition)  # which pickle would do, too
        return family

    def _hashable_content(self):
        definition = () if self.definition is None else (self.definition,)
        return self.name, *self.place, self.positive, self.law, sympy.Tuple(*self.indices), sympy.Tuple(*definition)

    def __getnewargs_ex__(self):
        rest = {name: getattr(self, name) for name in ("positive", "law", "definition", "place")}
        return (self.name, self.indices), rest

    def sort_key(self, order=None):
        return self.class_key(), (2, (self.name, *self.place)), sympy.S.One.sort_key(), sympy.S.One

    @property
    def free_symbols(self):
        return {self}

    def _sympystr(self, printer):
        return self.name

    def printed(self, indices):
        """p_{k} for the name p, and q(z|x) for the name q({}|x)."""
        if "{}" in self.name:
            return self.name.format(*indices)
        if not indices:
            return self.name
        base, mark, lowered = self.name.partition("_")  # a name that has an index already: q_\theta
        return f"{base}_{{{lowered.strip('{}') + ',' if mark else ''}{','.join(indices)}}}"


class Node(sympy.Expr):
    """An expression of the lecture's notation: printed by `_latex`, with the meaning that `expand_at` returns.

    expand_at(ground, at) gives SymPy's own expression; `at` has the state of every index that is free in the node.
    """

    is_commutative = True
    is_real = True

    def binds(self):
        """The indices over which the node sums."""
        return set()

    @property
    def free_symbols(self):
        return super().free_symbols - self.binds()


class Entry(Node):
    """The member of a family at an index: p_k.

    SymPy's Indexed has no definition and is no law, and an index can only follow its name: no q(z|x).
    """

    def __new__(cls, family, *indices):
        return super().__new__(cls, family, *map(sympy.sympify, indices))

    @property
    def family(self):
        return self.args[0]

    @property
    def indices(self):
        return self.args[1:]

    def _eval_subs(self, old, new):
        return (
            self if isinstance(old, Family) else None
        )  # SymPy puts numbers in place of all symbols to find out what is constant

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
        """The name of a distribution: p, for p_k; q(z|x) is kept."""
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
    """The sum over all states of an index.

    SymPy's Sum has bounds, and prints them; here an expression is executed with several numbers of states, which it does not say.
    """

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
    """The product over all states of an index. SymPy's Product has bounds, as its Sum has."""

    SIGN = r"\prod"
    combine = sympy.Mul


class Largest(Total):
    """The maximum over all states of an index."""

    SIGN = r"\max"
    combine = sympy.Max


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
    """E_q[body], under the law of an index or of a Gaussian variable.

    SymPy's has its law inside its random variables, and does not print it; here one body has an expectation under several laws.
    With probabilities that are symbols, its E of x[k] at a random index k is x[k]; under a Gaussian, its E of x e^(t x) takes
    seconds and keeps error functions.
    """

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
    """Var_q[body] = E_q[(body - E_q[body])^2]. SymPy's has its law where its Expectation has it."""

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
    """The partial derivative, of an order, of an expression by a number or an entry that is not defined by others.

    SymPy's diff takes an entry for a constant, regardless of its definition, and refuses to differentiate by an entry. Here the
    derivative is taken after definitions are expanded.
    """

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
    """The limit of an expression as a number goes to a place; from above, from below (side "+" or "-").

    SymPy's Limit takes its limit before definitions are expanded, and without knowing that probabilities sum to one: of
    log(p v^t + q m^t) / t at 0 it finds an infinite limit, the sign of log(p + q).
    """

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


def made(expression):
    """A number or a text as SymPy's own; expressions and matrices as they are."""
    return expression if isinstance(expression, sympy.Basic | sympy.MatrixBase) else sympy.sympify(expression)


def plus(*terms):
    """A sum with its terms in the order in which they are written, also on the page.

    If SymPy would have put them in this order, too, the page begins with the first term that has no minus sign, as it does for
    every sum that SymPy makes.

    Like all unevaluated expressions of SymPy it is evaluated, and so put into SymPy's order, once it is built anew: by xreplace,
    in an instance of a lemma, by pickle. Its value is the same. A subclass of Add with a doit() would keep the order, but be
    equal to no sum that SymPy makes: expressions of two classes never are.
    """
    return sympy.Add(*terms, evaluate=False)


def times(*factors):
    """A product with its factors in the order in which they are written, like `plus`."""
    return sympy.Mul(*factors, evaluate=False)


def evaluated(expression):
    """The expression with every sum and product in SymPy's order."""
    return expression.func(*map(evaluated, expression.args)) if expression.args else expression


@functools.cache
def free_indices(expression):
    """The indices that no node of the expression sums over."""
    return frozenset(symbol for symbol in expression.free_symbols if isinstance(symbol, Index))
