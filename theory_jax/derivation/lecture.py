"""Derivations: a lecture as data, with every line executed.

A derivation introduces its symbols (setting.py), and then has parts, in the order in which they are read: chains and lemmas of
SymPy expressions (chains.py), steps that return what their kind compares (kinds.py), bridges to the topic's functions, a worked
example and exercises (parts.py), and figures (figures.py). The engine rejects checks that would pass for any mathematics.

Importing this module switches JAX to float64, before any step runs, and keeps what JAX compiles in the user's cache folder.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import jax

from shared_specs.backends.jax_settings import CACHE, OLDER_EMITTER, UNFINISHED
from theory_jax.derivation.bridges import ROUNDING, STATES, Bridge, written
from theory_jax.derivation.chains import Assumption, Chain, Valley, lemmas_in
from theory_jax.derivation.figures import Figure
from theory_jax.derivation.kinds import KINDS, STANDARD_ERRORS, Refused, require
from theory_jax.derivation.notation import made
from theory_jax.derivation.parts import LEVELS, Algorithm, Example, Exercise, Say
from theory_jax.derivation.prose import execute as execute_texts
from theory_jax.derivation.setting import Setting
from theory_jax.derivation.typeset import latex

jax.config.update("jax_enable_x64", True)
if OLDER_EMITTER not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{OLDER_EMITTER} {os.environ.get('XLA_FLAGS', '')}"
if jax.config.jax_compilation_cache_dir is None:
    for setting, words in CACHE.items():
        jax.config.update(setting, words)
    warnings.filterwarnings("ignore", UNFINISHED)

LOOSE = 1e-9  # a tolerance beyond this needs a reason
Lemma = Chain | Valley | Assumption  # what an expression may refer to
MOST_THEOREMS = 3  # beside the central result: what a student can be asked to remember of a page
ROLES = ("definition", "lemma", "theorem", "remark", "appendix")

# ---------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True, eq=False)
class Step:
    """A claim in LaTeX and a function that returns what its kind compares.

    tolerance: relative, except monte_carlo (standard errors) and symbolic (none: 0). scale: what a comparison with an exact zero,
    or with rounding of a known size, is relative to. outcomes: how many an exact step enumerates.
    """

    name: str
    kind: str
    claim: str
    because: str
    tolerance: float
    since: str
    body: Callable
    role: str = "theorem"
    uses: tuple = ()
    outcomes: int = 0
    scale: float | None = None

    @property
    def module(self):
        """The module of the lecture."""
        return self.body.__module__


@dataclass(frozen=True)
class Result:
    """The result of one claim: of a step, of one line of another part, or of a relation in a text (part: the text).

    words: what was done, "derived for all ...". residual is None where there is no number to give; error is empty if it passed.
    mistakes: the wrong forms that a step names and refused, in words; those of other parts are data.
    """

    part: object
    claim: str
    words: str
    passed: bool
    residual: float | None = None
    error: str = ""
    mistakes: tuple[str, ...] = ()

    @property
    def tolerance(self):
        """The step's tolerance."""
        return self.part.tolerance


@dataclass
class Derivation(Setting):
    """A lecture: front matter, symbols, and parts.

    question: what a student does not know yet.
    setting: the assumptions, a paragraph each. answer: the result, in words.
    limits: what is not shown. trained: which experiment trains this, or why none does, where the topic has no experiment of its
    name. sources: references.
    """

    title: str
    lectures: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    question: str = ""
    setting: tuple[str, ...] = ()
    answer: str = ""
    limits: tuple[str, ...] = ()
    trained: str = ""
    central: Chain | Step | None = field(default=None, init=False)

    @property
    def steps(self):
        """The steps among the parts."""
        return [part for part in self.parts if isinstance(part, Step)]

    # ------------------------------------------------------------------------------------------------ words for parts

    def say(self, text):
        """A paragraph between the parts, with mathematics between dollar signs."""
        self.parts.append(Say(text))

    def chain(self, title, start, *lines, central=False, **more):
        """An argument line by line (theory_jax/derivation/chains.py). central: the lecture's result."""
        chain = self._add(Chain(title, made(start), lines, domain=self.between, module=self.module, **more))
        self.central = chain if central else self.central
        return chain

    def valley(self, title, expression, t, touches, because, *, wrong=(), **more):
        """A lemma: a function of t that is zero at `touches` and positive elsewhere, by the sign of its slope."""
        of_here = {"domain": self.between, "module": self.module}
        return self._add(Valley(title, made(expression), t, made(touches), because, dict(wrong), **of_here, **more))

    def assume(self, title, expression, *about, name="", example=(), wrong=()):
        """An expression that is assumed to be nonnegative for all its arguments. name: r"B_f({}, {})".

        example: something that satisfies it, at which it is tried. wrong: forms that must fail there.
        """
        tried = {"example": dict(example), "wrong": dict(wrong)}
        return self._add(Assumption(title, made(expression), about, name, domain=self.between, module=self.module, **tried))

    def bridge(
        self,
        title,
        expression,
        function,
        /,
        *,
        wrong=(),
        slope="",
        calls=(),
        tolerance=ROUNDING,
        states=STATES,
        sizes=(),
        uses=(),
        **inputs,
    ):
        """The function computes the expression from its inputs (theory_jax/derivation/bridges.py)."""
        options = {"wrong": dict(wrong), "slope": slope, "calls": calls, "uses": uses}
        return self._add(Bridge(title, expression, function, inputs, tolerance, states, dict(sizes), **options))

    def example(self, text):
        """Decorates a body that yields (LaTeX or expression, computed value, printed value)."""
        return self._decorate(lambda body: Example(text, body))

    def algorithm(self, title, *instructions):
        """Decorates a body that yields its first steps on the example: (LaTeX or expression, computed value, printed value)."""
        return self._decorate(lambda body: Algorithm(title, instructions, body))

    def figure(self, caption, *, panels=1, frames=()):
        """Decorates what draws on the axes that it is given, and, with the labels of frames, is given a frame's number."""
        return self._decorate(lambda draw: Figure(caption, draw, panels, tuple(frames)))

    def exercise(self, question, answer, *, level="", hint=""):
        """Decorates a body that yields each computed value with the answer's. level: easy, medium or hard."""
        return self._decorate(lambda body: Exercise(question, answer, body, level, hint))

    # ------------------------------------------------------------------------------------------------ words for steps

    def symbolic(self, claim, *, because, **more):
        """left, right: SymPy expressions (or equally long lists of them) with a difference that simplifies to zero."""
        return self._step("symbolic", claim, because, 0.0, "", **more)

    def numeric(self, claim, *, because, tolerance=1e-12, since="", **more):
        """left, right: two float64 computations by different routes."""
        return self._step("numeric", claim, because, tolerance, since, **more)

    def exact(self, claim, *, because, tolerance=1e-12, since="", **more):
        """left, right: both by enumeration of every outcome; equal infinities are allowed. outcomes: how many there are."""
        return self._step("exact", claim, because, tolerance, since, **more)

    def autodiff(self, claim, *, because, tolerance=1e-12, since="", **more):
        """gradient, formula: the first from automatic differentiation."""
        return self._step("autodiff", claim, because, tolerance, since, **more)

    def bound(self, claim, *, because, tolerance=1e-12, since="", **more):
        """sides, points, tight: a function that returns smaller and larger, where it is evaluated, and where both are equal."""
        return self._step("bound", claim, because, tolerance, since, **more)

    def monte_carlo(self, claim, *, because, **more):
        """samples, expected: draws [N, ...] at a fixed seed, and their mean."""
        return self._step("monte_carlo", claim, because, STANDARD_ERRORS, "", **more)

    def _step(self, kind, claim, because, tolerance, since, *, central=False, **more):
        def decorate(body):
            step = Step(body.__name__, kind, claim, because, tolerance, since, body, **more)
            self.parts.append(step)
            self.central = step if central else self.central
            return body

        return decorate

    def _decorate(self, make):
        def decorate(body):
            self.parts.append(make(body))
            return body

        return decorate

    def _add(self, part):
        self.parts.append(part)
        return part

    # ------------------------------------------------------------------------------------------------ execution

    def run(self, *, debug=False):
        """A Result for every claim, in order. debug: let the exceptions of the parts' bodies through.

        Raises ValueError if there is nothing to execute.
        """
        if not any(hasattr(part, "execute") or isinstance(part, Step) for part in self.parts):
            raise ValueError(f"the derivation {self.title!r} has no steps; it must have at least one")
        results = _guarded(self, debug, self._setting) + _guarded(self, debug, lambda: self._relations(self))
        return results + [result for part in self.parts for result in self.results_of(part, debug=debug)]

    def results_of(self, part, *, debug=False):
        """The Results of one part alone."""
        names = Counter(part.title for part in self.parts if isinstance(part, Lemma)) + Counter(step.name for step in self.steps)
        claims = _guarded(part, debug, lambda: self._claims(part, names, debug))
        return claims + _guarded(part, debug, lambda: self._relations(part))

    def lacking(self):
        """The missing required parts of this lecture, in words."""
        for name in ("module", "question", "setting", "answer", "limits", "sources"):
            if not getattr(self, name):
                yield f"it has no {name}="
        if self.central is None:
            yield "no chain or step is the central one (central=True)"
        kinds = Counter(type(part) for part in self.parts)
        if kinds[Bridge] + kinds[Step] == 0:  # steps do where no expression defines what the functions do
            yield "no bridge or step executes the topic's functions"
        for kind, fewest in ((Example, 1), (Figure, 1)):
            if kinds[kind] < fewest:
                yield f"it has {kinds[kind]} {kind.__name__.lower()}s; it needs {fewest}"
        theorems = [part for part in self.parts if getattr(part, "role", "") == "theorem" and part is not self.central]
        if len(theorems) > MOST_THEOREMS:
            yield f"it has {len(theorems)} theorems beside the central result; at most {MOST_THEOREMS}, the rest are lemmas"
        levels = Counter(part.level for part in self.parts if isinstance(part, Exercise))
        if levels.total() < 5 or set(levels) != set(LEVELS):
            found = ", ".join(f"{level or 'without a level'} {levels[level]}" for level in (*LEVELS, "") if levels[level])
            yield f"its exercises are: {found or 'none'}; it needs five, of all levels"

    def _setting(self):
        """No Result, or the refusal of a symbol."""
        self.check_setting()
        return ()

    def _claims(self, part, names, debug):
        """A Result for every claim of one part."""
        if hasattr(part, "expressions"):
            self.require_introduced(part.expressions(), f"{type(part).__name__.lower()} {part.title!r}")
        if isinstance(part, Lemma):
            many = names[part.title]
            require(many == 1, f"{many} parts have the title {part.title!r}: a reference to one could mean another")
        match part:
            case Step():
                require(part.role in ROLES, f"role {part.role!r} is none of {', '.join(ROLES)}")
                self.require_letters_introduced(part.claim, f"the claim of {part.name}")
                yield _execute(part, names[part.name], debug)
            case Chain():
                for line, verdict in zip(part.lines, part.execute(self.between, self.sizes), strict=True):
                    claim = rf"{line.relation} {latex(line.expression)}"
                    yield Result(part, claim, verdict.words, verdict.passed, error="" if verdict.passed else verdict.words)
            case Assumption():
                for verdict in part.execute(self.between, self.sizes):
                    claim = rf"{latex(part.expression)} \ge 0"
                    yield Result(part, claim, verdict.words, verdict.passed, error="" if verdict.passed else verdict.words)
            case Valley():
                for claim, verdict in zip(part.claims(), part.execute(self.between, self.sizes), strict=True):
                    yield Result(part, claim, verdict.words, verdict.passed, error="" if verdict.passed else verdict.words)
            case Bridge():
                for verdict in part.execute(self.between, self.sizes):
                    yield Result(part, written(part.expression), *verdict, error="" if verdict.passed else verdict.words)
            case Example() | Algorithm():
                for claim, verdict in part.execute():
                    yield Result(part, claim, *verdict, error="" if verdict.passed else verdict.words)
            case Exercise():
                for verdict in part.execute():
                    yield Result(part, part.question, *verdict, error="" if verdict.passed else verdict.words)
            case Figure():
                part.execute()
                yield Result(part, part.caption, "drawn", True)

    def _relations(self, part):
        """A Result for every relation in the texts of a part, or of the lecture itself."""
        for text, claim, (words, passed) in execute_texts(part, self):
            yield Result(text, claim, words, passed, error="" if passed else f"${claim}$: {words}")

    def rests_on(self, part):
        """The parts that a part names or uses an instance of, and References to the lemmas of other lectures."""
        named = tuple(getattr(part, "uses", ()))
        used = lemmas_in(part.expressions()) if hasattr(part, "expressions") else ()
        known = {(lemma.module, lemma.title): lemma for lemma in (*self.parts, *named) if isinstance(lemma, Lemma)}
        return tuple(dict.fromkeys([*named, *(known.get((one.module, one.title), one) for one in used)]))


# ---------------------------------------------------------------------------------------------------- execution


def _guarded(part, debug, claims):
    """The results, or one result that reports the rejection or the exception."""
    try:
        return list(claims())
    except Refused as refusal:
        return [Result(part, _name(part), "refused", False, error=f"refused: {refusal}")]
    except Exception as error:
        if debug:
            raise
        return [Result(part, _name(part), "raised", False, error=f"raised {type(error).__name__}: {error}")]


def _name(part):
    return next(words for field in ("claim", "title", "caption", "question", "text") if (words := getattr(part, field, "")))


def _execute(step, namesakes, debug):
    residual = None
    try:
        require(namesakes == 1, f"{namesakes} steps are called {step.name}: the later hides the earlier")
        require(step.claim.strip() and step.because.strip(), "a step needs a claim and a reason")
        if step.kind != "monte_carlo":
            require(
                0 <= step.tolerance <= LOOSE or (step.since and step.tolerance < 1),
                f"a tolerance of {step.tolerance:g} is looser than {LOOSE:g} and gives no reason in since=",
            )
        returned = step.body()
        residual, words, what = KINDS[step.kind](step, returned)
        passed = residual is not None and residual <= step.tolerance
        return Result(step, step.claim, words, passed, residual, "" if passed else what, tuple(returned.wrong))
    except Refused as refusal:
        return Result(step, step.claim, "refused", False, residual, f"refused: {refusal}")
    except Exception as error:
        if debug:
            raise
        return Result(step, step.claim, "raised", False, residual, f"raised {type(error).__name__}: {error}")
