"""The setting of a derivation: its symbols, each with its meaning and its name in the code, and its definitions.

Every word introduces one symbol, and returns it for the expressions that follow. A part that uses another symbol is refused.
"""

import re
from dataclasses import dataclass, field

import sympy
from pylatexenc import latex2text
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexWalker,
    get_default_latex_context_db,
)
from pylatexenc.macrospec import MacroSpec

from theory_jax.derivation.chains import spoken_of
from theory_jax.derivation.ground import Ground
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import Count, Entry, Family, Index, Total
from theory_jax.derivation.typeset import latex
from theory_jax.derivation.unspecified import function


@dataclass(frozen=True, eq=False)
class Symbol:
    """One symbol. written: its LaTeX. stands_for: its definition, None if it is arbitrary. place: how many parts precede it."""

    written: str
    meaning: str
    code: str
    key: object
    expression: object = None
    stands_for: object = None
    place: int = 0


@dataclass
class Setting:
    """The words that introduce symbols, in the order in which they were written.

    module: the lecture's __name__, which tells its symbols and lemmas from those of others.
    """

    module: str = field(default="", kw_only=True)
    symbols: list[Symbol] = field(default_factory=list, init=False)
    parts: list = field(default_factory=list, init=False)
    between: dict = field(default_factory=dict, init=False)
    sizes: dict = field(default_factory=dict, init=False)

    def index(self, name, meaning, code="", *, states=None):
        """A variable with finitely many states: k. states: how many, where it is not any number (2 for a bit)."""
        index = self._introduce(Index(name), meaning, code)
        if states:
            self.sizes[index] = states
        return index

    def count(self, index, name, meaning, code=""):
        """The number of states of an index: K."""
        count = Count(index, name)
        self._append(name, meaning, code, count, count)
        return count

    def number(self, name, meaning, code="", *, between=None, **assumptions):
        """A real number. between: its open interval. assumptions: SymPy's (positive=True, integer=True)."""
        if between and between[0] >= 0:
            assumptions["positive"] = True
        number = sympy.Symbol(name, **(assumptions or {"real": True}))
        if between:
            self.between[number] = tuple(map(sympy.sympify, between))
        return self._introduce(number, meaning, code)

    def law(self, name, indices, meaning, code=""):
        """Positive probabilities that sum to one over the first index: p_k, or q(z|x) with a name such as q({}|x)."""
        return self._entries(name, indices, meaning, code, positive=True, law=True)

    def numbers(self, name, indices, meaning, code="", *, positive=False):
        """A number for each state of one or more indices: x_n, W_{ij}."""
        return self._entries(name, indices, meaning, code, positive=positive)

    def function(self, letter, meaning, code="", *, arguments=1):
        """A smooth function without further properties. Its derivatives come from `Slope` or SymPy's diff."""
        self._append(letter, meaning, code, letter)
        return function(letter, *(0,) * arguments)

    def define(self, name, expression, meaning, code="", *, over=(), law=False, positive=False):
        """A name for an expression. over: its free indices. law: it sums to one over the first of them, which is checked.

        positive: it is shown to be never negative; that it is not zero is an assumption of the setting.
        """
        over = over if isinstance(over, tuple) else (over,)
        entry = self._entry(name, over, positive=positive or law, law=law, definition=sympy.sympify(expression))
        self._append(latex(entry), meaning, code, entry.family, entry, sympy.sympify(expression))
        return entry

    def symbol(self, written, meaning, code=""):
        """A symbol of claims that are stated in LaTeX, which no expression uses."""
        self._append(written, meaning, code, written)

    def _entries(self, name, indices, meaning, code, **of_family):
        indices = indices if isinstance(indices, tuple) else (indices,)
        entry = self._entry(name, indices, **of_family)
        self._append(latex(entry), meaning, code, entry.family, entry)
        return entry

    def _entry(self, name, indices, **of_family):
        return Entry(Family(name, indices, place=(self.module, len(self.symbols)), **of_family), *indices)

    def _introduce(self, expression, meaning, code):
        self._append(latex(expression), meaning, code, expression, expression)
        return expression

    def _append(self, *symbol):
        self.symbols.append(Symbol(*symbol, place=len(self.parts)))

    def ground(self):
        """The ground on which definitions are executed."""
        return Ground(sizes=self.sizes, between=self.between)

    # ------------------------------------------------------------------------------------------------ what is refused

    def check_setting(self):
        """Refuses symbols without a meaning, laws that do not sum to one, and positive numbers that are not shown to be."""
        known = set()
        for symbol in self.symbols:
            require(symbol.meaning.strip(), f"${symbol.written}$ is introduced without a meaning")
            if symbol.stands_for is not None:
                self.require_introduced([symbol.stands_for], f"the definition of ${symbol.written}$", known)
                if symbol.key.law:
                    sums = self.ground().vanishes(Total(symbol.expression.indices[0], symbol.expression) - 1)
                    require(sums, f"${symbol.written}$ is called a law, but is not shown to sum to one")
                if symbol.key.positive:
                    shown = self.ground().never_negative(symbol.stands_for)
                    require(
                        shown, f"${symbol.written}$ is called positive, but nothing shows that ${latex(symbol.stands_for)}$ is"
                    )
            known.add(symbol.key)
        self._require_own_letters()

    def _require_own_letters(self):
        """Refuses a symbol that has the letter of a number, e or pi, which the page prints as well."""
        for letter, of_symbols, in_texts, nodes in NUMBERS:
            written = next((symbol.written for symbol in self.symbols if of_symbols.match(symbol.written)), None)
            if written:
                found = in_texts.search("\n".join(self._texts()))
                printed = found[0] if found else next((latex(part) for part in self._expressions() if part.has(*nodes)), None)
                require(not printed, f"${written}$ has the letter of the number ${letter}$ in ${printed}$: choose another letter")

    def _texts(self):
        """Everything that the page says in words and formulas."""
        yield from (getattr(self, name, "") for name in ("question", "answer"))
        for name in ("setting", "limits"):
            yield from getattr(self, name, ())
        yield from (symbol.meaning for symbol in self.symbols)
        for part in self.parts:
            yield from (getattr(part, name, "") for name in TEXTS)
            yield from (line.because for line in getattr(part, "lines", ()))

    def _expressions(self):
        """Every expression of the page."""
        yield from (symbol.stands_for for symbol in self.symbols if symbol.stands_for is not None)
        for part in self.parts:
            yield from part.expressions() if hasattr(part, "expressions") else ()

    def require_introduced(self, expressions, where, known=None):
        """Refuses expressions that use a symbol that the setting does not introduce."""
        known = {symbol.key for symbol in self.symbols} if known is None else known
        unknown = sorted(map(str, spoken_of(expressions) - known))
        require(not unknown, f"{where} uses {', '.join(unknown)}, which the setting does not introduce")

    def require_letters_introduced(self, claim, where):
        """The same for a claim in LaTeX, letter by letter."""
        known = set().union(*(letters(symbol.written) for symbol in self.symbols)) if self.symbols else set()
        unknown = sorted(letters(claim) - known - CONSTANTS)
        require(not unknown, f"{where} uses {', '.join(unknown)}, which the setting does not introduce")


TEXTS = ("title", "because", "so", "claim", "text", "caption", "question", "answer")  # of a part
# for e and pi: the symbols that have the letter, and what prints the number in a text and in an expression. A symbol with a fixed
# index, e_0 or e_N, is told from the number; e^2 may be the square of a symbol.
NUMBERS = (
    (
        "e",
        re.compile(r"e(?!_?\{?[A-Z0-9+-])(?![A-Za-z])"),
        re.compile(r"(?<![A-Za-z\\])e\^(?![0-9+*]|\\star|\\top)"),
        (sympy.exp, sympy.E),
    ),
    (
        r"\pi",
        re.compile(r"\\pi(?![A-Za-z])"),
        re.compile(r"(?:(?<!\\frac)(?<!\d)\d+|\\sqrt\s*\{?\d*)\s*\\pi(?![A-Za-z_({^'])|\\frac\s*\{?\\pi\}?\s*\{?\d"),
        (sympy.pi,),
    ),
)
CONSTANTS = {"e", r"\pi", "d", r"\partial", r"\infty"}  # the numbers, and the d of dx
WORDS = ("mathrm", "mathbb", "operatorname", "text", "textbf", "textit", "texttt")  # what is in their braces is no symbol
# what pylatexenc does not know; any other command that it does not know counts as a letter, which no setting introduces
COMMANDS = re.compile(
    r"left|right|middle|[bB]igg?[lrm]?|\||[dt]frac|t?binom|det|arg|Pr|bmod|iff|implies|neg?|land|lor|bot|colon|coloneqq|boldsymbol|bm"
    r"|displaystyle|textstyle|limits|substack|mathop|mathstrut"
)
GRAMMAR = get_default_latex_context_db()
GRAMMAR.add_context_category("words", [MacroSpec("mathbb", "{"), MacroSpec("operatorname", "*{")], prepend=True)
SYMBOLS = latex2text.get_default_latex_context_db()


def letters(written):
    """The single letters and Greek names of a claim, without words and commands."""
    nodes, *_ = LatexWalker(written, latex_context=GRAMMAR).get_latex_nodes()
    return set(_letters(nodes))


def _letters(nodes):
    for node in filter(None, nodes):
        if isinstance(node, LatexCharsNode):
            yield from re.findall("[A-Za-z]", node.chars)
        elif isinstance(node, LatexMacroNode) and node.macroname not in WORDS:
            symbol = SYMBOLS.get_macro_spec(node.macroname)
            text = str(symbol.simplify_repl) if symbol else ""
            if len(text) == 1 and text.isalpha() or not (symbol or COMMANDS.fullmatch(node.macroname)):
                yield "l" if node.macroname == "ell" else f"\\{node.macroname}"
            yield from _letters(node.nodeargd.argnlist if node.nodeargd else ())
        elif isinstance(node, LatexGroupNode | LatexEnvironmentNode):
            yield from _letters(node.nodelist)
