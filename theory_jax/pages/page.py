"""The content of a derivation's page in any format: the parts in order, numbered, with their results."""

import ast
import inspect
import re
from collections import Counter
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from theory_jax.derivation.bridges import Bridge, written
from theory_jax.derivation.chains import Assumption, Chain, Valley
from theory_jax.derivation.figures import Figure
from theory_jax.derivation.lecture import Step
from theory_jax.derivation.loading import LECTURES
from theory_jax.derivation.notation import Count, Family
from theory_jax.derivation.parts import Algorithm, Example, Exercise, Say
from theory_jax.derivation.prose import Prose, texts
from theory_jax.derivation.typeset import latex
from theory_jax.pages.mistakes import Mistake, of_line, of_part
from theory_jax.pages.needed import symbols_by_part

FORMS = {
    Say: "say",
    Chain: "chain",
    Valley: "lemma",
    Assumption: "assumption",
    Step: "step",
    Bridge: "bridge",
    Example: "example",
    Algorithm: "algorithm",
    Figure: "figure",
    Exercise: "exercise",
}
NUMBERED = ("chain", "lemma", "assumption", "step")
DONE = {  # counts of the summary
    "derived": ("line derived", "lines derived"),
    "enumerated": ("claim enumerated", "claims enumerated"),
    "checked": ("claim checked at points", "claims checked at points"),
    "sampled": ("claim sampled", "claims sampled"),
    "compared": ("comparison with the code", "comparisons with the code"),
    "computed": ("number computed", "numbers computed"),
    "drawn": ("figure drawn", "figures drawn"),
    "held": ("relation of the text holds", "relations of the text hold"),
    "tried": ("assumption tried on an example", "assumptions tried on an example"),
}
LISTED = "`python -m practice_torch list {0}` shows the recipes, `python -m practice_torch train {0} RECIPE` trains one."
OF_STEPS = {"symbolic": "derived", "exact": "enumerated", "monte_carlo": "sampled"}  # the other kinds are checked at points
OF_PARTS = {Chain: "derived", Valley: "derived", Bridge: "compared", Figure: "drawn", Assumption: "tried"}
OF_PARTS |= dict.fromkeys((Example, Algorithm, Exercise), "computed")


@dataclass(frozen=True)
class Row:
    """A line of mathematics in LaTeX, its relation to the line above, its reason, and its error."""

    latex: str
    relation: str = ""
    because: str = ""
    error: str = ""
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Written:
    """A line of an algorithm: its words, the number of the part it comes from or "", and the names of functions."""

    text: str
    number: str
    functions: tuple[str, ...]
    indent: int


@dataclass(frozen=True)
class Item:
    """A part. introduces: the symbols that it is the first to need. before, after: its words around the mathematics.

    words: what was done; rests_on: "(1) and (3)". mistakes: of the whole part; those of a chain are at its rows. lines: of an
    algorithm. level, hint: of an exercise. statement: of a chain or a step, what a folded one shows.
    """

    part: object
    form: str
    number: int | None
    role: str
    title: str
    before: str
    rows: tuple[Row, ...]
    after: str
    rests_on: str
    words: str
    since: str
    passed: bool
    errors: tuple[str, ...]
    central: bool = False
    introduces: tuple = ()
    mistakes: tuple[Mistake, ...] = ()
    lines: tuple[Written, ...] = ()
    level: str = ""
    hint: str = ""
    statement: str = ""


@dataclass(frozen=True)
class Named:
    """A symbol: LaTeX, with its definition if it has one; its meaning, its assumptions, its name in the code."""

    latex: str
    meaning: str
    assumed: str
    code: str


@dataclass(frozen=True)
class Page:
    """A derivation and what its execution gave.

    symbols: all, in their order; introduced: those that no part needs. opening: the first figure, which is among the parts, too.
    next, builds_on: (path, title) of topics; trained: how, or why not; used_by: (experiment, names).
    """

    topic: str
    title: str
    lectures: str
    question: str
    setting: tuple[str, ...]
    symbols: tuple[Named, ...]
    introduced: tuple[Named, ...]
    answer: str
    central: str
    opening: Item | None
    body: tuple[Item, ...]
    exercises: tuple[Item, ...]
    appendix: tuple[Item, ...]
    limits: tuple[str, ...]
    sources: tuple[str, ...]
    functions: tuple[tuple[str, str], ...]
    trained: str
    used_by: tuple[tuple[str, str], ...]
    builds_on: tuple[tuple[str, str], ...]
    next: tuple[tuple[str, str], ...]
    refused: tuple[str, ...]
    summary: str
    passed: bool

    @property
    def items(self):
        """Every part, in the order of the page."""
        return (*self.body, *self.exercises, *self.appendix)


def lecture_page(derivation, results, *, topic=None, course=None):
    """The page of a derivation that was run. topic, course: its entry in the syllabus, and the syllabus."""
    last = [part for part in derivation.parts if getattr(part, "role", "") == "appendix"]
    exercises = [part for part in derivation.parts if isinstance(part, Exercise)]
    body = [part for part in derivation.parts if part not in last and part not in exercises]
    numbers = numbered(derivation)
    gave = {}
    for result in results:
        gave.setdefault(id(result.part), []).append(result)
    needed = symbols_by_part(derivation)

    def given_by(part):
        """The results of a part's claims, and of its texts' relations."""
        return gave.get(id(part), ()), [result for text, *_ in texts(part) for result in gave.get(id(text), ())]

    items = {
        part: replace(_item(derivation, part, *given_by(part), numbers), introduces=tuple(map(_named, needed.get(part, ()))))
        for part in derivation.parts
    }
    opening = next((part for part in body if isinstance(part, Figure)), None)
    lectures = ", ".join(map(str, derivation.lectures))
    titles = {other.path: other for other in course.topics.values()} if course else {}
    of_lemma = topic is not None and topic.family == "lemmas"
    rests_on = lemmas_of if of_lemma else attrgetter("requires")
    return Page(
        topic=topic.path if topic else "",
        title=derivation.title,
        lectures=f"lecture{'s' * (len(derivation.lectures) > 1)} {lectures}" if lectures else "",
        question=derivation.question,
        setting=tuple(derivation.setting),
        symbols=tuple(map(_named, derivation.symbols)),
        introduced=tuple(map(_named, needed.get(None, ()))),
        answer=derivation.answer,
        central=statement(derivation.central),
        opening=items.get(opening),
        body=tuple(items[part] for part in body),
        exercises=tuple(items[part] for part in exercises),
        appendix=tuple(items[part] for part in last),
        limits=tuple(derivation.limits),
        sources=tuple(derivation.sources),
        functions=tuple(_functions(topic.path)) if topic and not of_lemma else (),
        trained=derivation.trained or ("" if topic is None or of_lemma else LISTED.format(topic.path)),
        used_by=tuple(experiments_that_import(topic.path)) if topic and not of_lemma else (),
        builds_on=tuple((path, titles[path].title) for path in topic.requires) if titles else (),
        next=tuple((other.path, other.title) for other in titles.values() if topic.path in rests_on(other)),
        refused=tuple(result.error for some in given_by(derivation) for result in some if result.error),
        summary=summary(results) + _stated(derivation),
        passed=all(result.passed for result in results),
    )


def numbered(derivation):
    """The number of every part that has one on the page; an appendix comes last."""
    parts = [part for part in derivation.parts if FORMS[type(part)] in NUMBERED]
    parts.sort(key=lambda part: getattr(part, "role", "") == "appendix")
    return {part: number for number, part in enumerate(parts, start=1)}


def statement(part):
    """The first and the last expression of a chain, or the claim of a step; empty for other parts."""
    match part:
        case Chain() as chain:
            return f"{latex(chain.start)} {chain.relation} {latex(chain.result)}"
        case Step() as step:
            return step.claim
    return ""


# ---------------------------------------------------------------------------------------------------- one part


def _item(derivation, part, results, of_texts, numbers):
    form = FORMS[type(part)]
    rows = tuple(_rows(part, form, results))
    reported = [row.error for row in rows if row.error]
    return Item(
        part=part,
        form=form,
        number=numbers.get(part),
        role=getattr(part, "role", ""),
        title=getattr(part, "title", ""),
        before=getattr(part, "question", "") or getattr(part, "caption", "") or getattr(part, "text", ""),
        rows=rows,
        after=getattr(part, "so", "") or getattr(part, "because", "") or getattr(part, "answer", ""),
        rests_on=_rests_on(derivation, part, numbers),
        words=_words(part, results) + _given(derivation, part, numbers),
        since=getattr(part, "since", ""),
        passed=all(result.passed for result in (*results, *of_texts)),
        errors=tuple(result.error for result in (*results, *of_texts) if result.error and result.error not in reported),
        central=part is derivation.central,
        mistakes=of_part(part, results),
        lines=tuple(_lines(derivation, part, numbers)),
        level=getattr(part, "level", ""),
        hint=getattr(part, "hint", ""),
        statement=statement(part),
    )


def _lines(derivation, part, numbers):
    """The instructions of an algorithm; steps are named by their bodies."""
    steps = {step.body: step for step in derivation.steps}
    for line in getattr(part, "instructions", ()):
        number = numbers.get(steps.get(line.by, line.by))
        yield Written(line.text, f"({number})" if number else "", tuple(f.__name__ for f in line.calls), line.indent)


def _rows(part, form, results):
    """The mathematics of a part, line by line; an error is placed at its line if every line has a result."""
    if form == "chain":
        yield Row(latex(part.start))
        errors = [result.error for result in results] if len(results) == len(part.lines) else [""] * len(part.lines)
        for line, error in zip(part.lines, errors, strict=True):
            yield Row(latex(line.expression), line.relation, line.because, error, of_line(line))
    elif form == "assumption":
        yield Row(rf"{latex(part.expression)} \ge 0")
    elif form == "bridge":
        yield Row(written(part.expression))
    elif form in ("lemma", "example", "algorithm", "step"):
        yield from (Row(result.claim, error=result.error) for result in results)


def _words(part, results):
    """The verdict of a part in one line; for a chain those of all lines."""
    words = [result.words for result in results if result.passed]
    if isinstance(part, Assumption):
        return f"assumed, not derived; it {words[0]}" if words else "assumed, not executed"
    if isinstance(part, Step):
        return f"stated; {words[0]}" if words else "stated"
    if isinstance(part, Example | Algorithm | Exercise):
        return f"{len(words)} number{'s' * (len(words) > 1)} computed" if words else ""
    if isinstance(part, Chain) and len(results) == len(part.lines):
        return _together({number: result.words for number, result in enumerate(results, start=1) if result.passed})
    return "; ".join(dict.fromkeys(words))


def _given(derivation, part, numbers):
    """The assumptions that a part rests on, itself or through others of the lecture: what was derived holds given these."""
    if isinstance(part, Assumption):
        return ""
    open_parts, seen = [part], set()
    while open_parts:
        for other in derivation.rests_on(open_parts.pop()):
            if other in numbers and other not in seen:
                seen.add(other)
                open_parts.append(other)
    assumed = sorted(numbers[other] for other in seen if isinstance(other, Assumption))
    return f", given {_listed([f'({number})' for number in assumed])}" if assumed else ""


def _together(words):
    """One text for all lines, or one for each group of lines; a line takes the text of a line about more symbols."""
    about = {text: frozenset(re.findall(r"\$[^$]*\$", text)) for text in words.values()}
    kinds = {text: text.split(" ", 1)[0] for text in about}
    widest = {
        text: max((o for o in about if kinds[o] == kinds[text] and about[o] >= about[text]), key=lambda o: len(about[o]))
        for text in about
    }
    groups = {}
    for number, text in words.items():
        groups.setdefault(widest[text], []).append(number)
    if len(groups) == 1:
        return next(iter(groups))
    parts = (f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))} {text}" for text, lines in groups.items())
    return "; ".join(parts)


def _rests_on(derivation, part, numbers):
    """The numbers of the parts that a part rests on; a lemma of another derivation by its title and topic."""
    steps = {step.body: step for step in derivation.steps}
    parts = [steps.get(other, other) for other in derivation.rests_on(part)]
    own = [f"({number})" for number in sorted(numbers[other] for other in parts if other in numbers)]
    others = [f"{_title(other)}{_place(other)}" for other in parts if other not in numbers]
    return _listed(own + others)


def _title(part):
    return f"“{getattr(part, 'title', '') or getattr(part, '__name__', str(part))}”"


def _place(part):
    """The place of the lecture that a lemma or a step's body is from; empty if a toy names no module."""
    module = part.__module__ if inspect.isfunction(part) else part.module
    return f" in {place}" if (place := module.removeprefix("theory_jax.lectures.").replace(".", "/")) else ""


def _listed(words):
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _named(symbol):
    """A row of the table of symbols."""
    key, assumed = symbol.key, ""
    if isinstance(key, Family):
        if key.law:
            assumed = f"positive, sums to one over ${latex(key.indices[0])}$"
        elif key.positive:
            assumed = "positive"
    elif getattr(key, "is_integer", None) and not getattr(key, "is_nonnegative", None):
        assumed = "an integer"
    elif getattr(key, "is_positive", None) and not isinstance(key, Count):
        assumed = "positive"
    assumed = "" if assumed in symbol.meaning else assumed
    written = symbol.written if symbol.stands_for is None else f"{symbol.written} = {latex(symbol.stands_for)}"
    return Named(written, symbol.meaning, assumed if symbol.stands_for is None else "", symbol.code)


def functions_of(bridge):
    """The names of the theory's functions that a bridge compares."""
    return [function.__name__ for function in bridge.functions]


# ---------------------------------------------------------------------------------------------------- all parts


def kind(result):
    """The verdict of one claim: one of DONE, or "refused" for missing parts of the derivation."""
    part = result.part
    if isinstance(part, Prose):
        return "held"
    if isinstance(part, Step):
        return OF_STEPS.get(part.kind, "checked")
    if isinstance(part, Chain) and result.words.startswith("checked"):
        return "checked"
    return OF_PARTS.get(type(part), "refused")


def summary(results):
    """Numbers of claims derived, enumerated, checked, ..., or failed."""
    if failed := sum(not result.passed for result in results):
        return f"{failed} of {len(results)} claims FAILED"
    counts = Counter(map(kind, results))
    return ", ".join(f"{counts[done]} {words[counts[done] > 1]}" for done, words in DONE.items() if counts[done])


def _stated(derivation):
    """How many relations of the texts nothing executes, among the texts that mark them."""
    count = sum(len(text.said) for part in (derivation, *derivation.parts) for text, *_ in texts(part))
    return f", {count} relation{'s' * (count > 1)} of the text stated" if count else ""


# ---------------------------------------------------------------------------------------------------- the code


def _functions(topic):
    """(name, first sentence of its docstring) of the public functions of a topic."""
    from importlib import import_module

    module = import_module("theory_jax." + topic.replace("/", "."))
    for name, thing in vars(module).items():
        if inspect.isfunction(thing) and thing.__module__ == module.__name__ and name[0] != "_" and inspect.getdoc(thing):
            yield name, inspect.getdoc(thing).partition("\n")[0]


def lemmas_of(topic):
    """The paths of the lemmas that the lecture on a topic imports, read from its source."""
    source = LECTURES / f"{topic.path}.py"
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    return {f"lemmas/{name}" for name in re.findall(r"(?m)^from theory_jax\.lectures\.lemmas\.(\w+) import", text)}


def experiments_that_import(topic):
    """(experiment, names) of the practice wing's experiments that import the topic's functions, from their source."""
    wing = Path(__file__).resolve().parents[2] / "practice_torch"
    module = "practice_torch." + topic.replace("/", ".")
    for path in sorted((wing / "experiments").glob("*/*.py")):
        found = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == module
            for alias in node.names
        ]
        if found:
            yield path.relative_to(wing / "experiments").with_suffix("").as_posix(), ", ".join(sorted(set(found)))
