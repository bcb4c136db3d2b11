"""What the page calls: the chains of a lecture, a chain that a reader has changed, and a line that a reader has written.

Answers are JSON; the words in them are HTML, with formulas as MathML.
"""

import ast
import copy
import json
import time
import traceback
from dataclasses import replace
from importlib import import_module

import sympy

from theory_jax.derivation.chains import Chain, Line, Valley, equals
from theory_jax.derivation.kinds import Refused, require
from theory_jax.derivation.notation import made
from theory_jax.derivation.typeset import latex
from theory_jax.pages.mathml import prose, to_mathml
from theory_jax.pages.page import numbered

WORDS = ("chain", "valley")  # of a derivation, that add a part which runs here
YOURS = "your lines"  # the file name of what a reader has written
NAMES = ("plus", "times", "Divergence", "Entropy", "Expectation", "Total", "Variance", "Normal", "Slope", "log", "exp", "sqrt")


def chains(topic):
    """The chains of a lecture by their numbers on the page, with the source of each; empty if it is written in a loop."""
    module = _lecture(topic)
    sources = _sources(module)
    found = {}
    for part, number in numbered(module.derivation).items():
        if isinstance(part, Chain | Valley):
            lines = len(part.lines) if isinstance(part, Chain) else 0
            found[number] = {"source": sources.get(part.title, ""), "lines": lines}
    return json.dumps(found)


def names(topic):
    """What a reader may write in a lecture's chains: [name, formula] of its symbols and definitions, and names of operations."""
    space = vars(_lecture(topic))
    symbols = {id(symbol.expression): symbol for symbol in space["derivation"].symbols if symbol.expression is not None}
    listed = [(name, str(to_mathml(symbols[id(value)].written))) for name, value in space.items() if id(value) in symbols]
    return json.dumps({"symbols": listed, "operations": [name for name in NAMES if name in space]})


def run(topic, number):
    """The verdict of every line of a chain."""
    derivation = _lecture(topic).derivation
    return _answer(lambda: _verdicts(derivation, _part(derivation, number)))


def edited(topic, source):
    """The verdicts of the chain that a changed statement makes, in the lecture's own names.

    The mistakes that its lines name are left out: they would be tried against the changed lines.
    """
    module = _lecture(topic)
    space = dict(vars(module))
    space["derivation"] = derivation = copy.copy(module.derivation)
    derivation.parts = list(derivation.parts)
    before = len(derivation.parts)

    def verdicts():
        exec(compile(source, YOURS, "exec"), space)
        new = [part for part in derivation.parts[before:] if isinstance(part, Chain | Valley)]
        require(new, "no chain was written: the statement is derivation.chain(title, first expression, lines ...)")
        lines = [replace(line, wrong={}) for line in getattr(new[-1], "lines", ())]
        return _verdicts(derivation, replace(new[-1], **({"lines": tuple(lines)} if lines else {})))

    return _answer(verdicts)


def written(topic, number, so_far, text):
    """The verdict of a line that a reader writes in place of a chain's hidden ones.

    so_far: the lines above it as JSON, each the text that the reader wrote, or the number of a line of the lecture. text: an
    expression, which should equal the line above, or a whole line, equals(...), at_least(...) or at_most(...).
    """
    module = _lecture(topic)
    derivation, space = module.derivation, dict(vars(module))
    chain = _part(derivation, number)

    def verdicts():
        above, last = chain.start, 0
        for one in json.loads(so_far):
            above = chain.lines[one - 1].expression if isinstance(one, int) else _line(one, space).expression
            last = one if isinstance(one, int) else _same(chain, above) or last
        line = replace(_line(text, space), wrong={})
        told = _verdicts(derivation, replace(chain, start=above, lines=(line,), so=""))
        place = _same(chain, line.expression)
        (only,) = told["lines"]
        if only["passed"]:
            told |= {"line": place, "done": place == len(chain.lines)}
        else:
            wrong = {mistake: form for other in chain.lines[last:] for mistake, form in other.wrong.items()}
            told["mistake"] = next((mistake for mistake, form in wrong.items() if form == line.expression), "")
        return told

    return _answer(verdicts)


def _same(chain, expression):
    """The number of the chain's line with this expression; 0 if there is none."""
    return next((k for k, line in enumerate(chain.lines, start=1) if line.expression == expression), 0)


def _line(text, space):
    """A line from what a reader wrote."""
    found = eval(compile(text.strip(), YOURS, "eval"), dict(space))
    if isinstance(found, Line):
        return found
    require(isinstance(found, sympy.Basic | int | float), f"this is no expression but {type(found).__name__}")
    return equals(made(found), "a line of the reader")


def _lecture(topic):
    return import_module("theory_jax.lectures." + topic.replace("/", "."))


def _part(derivation, number):
    return next(part for part, other in numbered(derivation).items() if other == int(number))


def _verdicts(derivation, part):
    """The lines of a part with their verdicts."""
    derivation.require_introduced(part.expressions(), f"{part.title!r}")
    verdicts = part.execute(derivation.between, derivation.sizes)
    claims = [f"{line.relation} {latex(line.expression)}" for line in part.lines] if isinstance(part, Chain) else part.claims()
    found = zip(claims, verdicts, strict=True)
    return {"lines": [{"claim": claim, "words": verdict.words, "passed": verdict.passed} for claim, verdict in found]}


def _answer(verdicts):
    """The verdicts as JSON; what was refused or raised, as an error in words."""
    began = time.perf_counter()
    try:
        told = verdicts()
    except Refused as refusal:
        told = {"error": f"refused: {refusal}"}
    except SyntaxError as error:
        told = {"error": f"line {error.lineno}, column {error.offset}: {error.msg}"}
    except KeyboardInterrupt:
        told = {"error": "stopped"}
    except Exception as error:  # a reader may write anything
        frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == YOURS]
        where = f"line {frames[-1]}: " if frames else ""
        told = {"error": f"{where}{type(error).__name__}: {error}"}
    told["seconds"] = time.perf_counter() - began
    for line in told.get("lines", ()):
        line["claim"], line["words"] = str(to_mathml(line["claim"])), str(prose(line["words"]))
    for word in ("error", "mistake"):
        if told.get(word):
            told[word] = str(prose(told[word]))
    return json.dumps(told)


def _sources(module):
    """The source of every statement that makes a chain, by the chain's title."""
    text = module.__loader__.get_source(module.__name__)  # also from an archive
    found = {}
    for statement in ast.parse(text).body:
        call = getattr(statement, "value", None)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in WORDS:
            title = call.args[0] if call.args else None
            if isinstance(title, ast.Constant):
                found[title.value] = ast.get_source_segment(text, statement)
    return found
