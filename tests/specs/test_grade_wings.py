"""grade can be passed: the project's own functions, asked as a graded file's are, hold every row of every topic.

The questions and answers are packed and unpacked as they are between the processes, but in this process, next to the other
tests of the topic: what the reference measured there is not measured again, and what JAX traced there is not traced again.
"""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared_specs import __main__ as command
from shared_specs.checking.arguments import leaves
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.reference import wing
from shared_specs.grading.against import functions_of
from shared_specs.grading.grade import Graded
from shared_specs.grading.messages import receive, send
from shared_specs.grading.worker import reply
from shared_specs.rows import Agree, Anchor, Rejects
from shared_specs.syllabus import load


class InProcess:
    """A worker without a process: an implementation's functions."""

    def __init__(self, implementation, topic):
        self.functions = set(functions_of(topic))
        self._implementation = implementation

    def ask(self, header, arrays):
        return _over_the_pipe(*reply(lambda header: self._implementation, *_over_the_pipe(header, arrays)))


class GradedWing(Graded):
    """A wing, graded. Bad input is refused where the functions run plainly, uncompiled, as a graded file's always do."""

    def __init__(self, implementation, topic):
        super().__init__(InProcess(implementation, topic), implementation.backend.name, implementation.precision, {})
        self._topic, self._implementation = topic, implementation

    @property
    def eager(self):
        return GradedWing(self._implementation.eager, self._topic)


def _over_the_pipe(header, arrays):
    stream = io.BytesIO()
    send(stream.write, header, arrays)
    stream.seek(0)
    return receive(stream.read)


TOPICS = [pytest.param(t.path, id=t.path, marks=pytest.mark.xdist_group(t.path)) for t in load().built]


@pytest.mark.weekly
@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_wing_passes(topic, backend):
    """No row asks for what the exercise does not, and every argument arrives, in both precisions.

    What is packed depends neither on the wing nor on the numbers in an array. So the practice wing answers one row of each form
    and every law, in float64; the theory wing the first row of each kind, in float32. Bad input, which float64 alone is tried
    with, in both wings. That each wing passes every row in both precisions is what tests/specs/test_contracts.py is about.
    """
    rows = spec_of(topic)
    full, form = ("float64", partial(_form, topic)) if backend == "torch" else ("float32", _kind)
    results = []
    for precision in ("float64", "float32"):
        asked = _first_of_each(form, rows) if precision == full else []
        refused = [row for row in rows if isinstance(row, Rejects)] if precision == "float64" else []
        results += Checker(topic, GradedWing(wing(backend, topic, precision), topic)).run([*asked, *refused])
    assert results and [(r.function, r.case, r.precision, r.message) for r in results if not r.passed] == []


def _first_of_each(form, rows):
    return list({form(row): row for row in reversed(rows) if not isinstance(row, Rejects)}.values())


def _kind(row):
    return type(row), getattr(row, "function", None)


def _form(topic, row):
    """Of a row's arguments the words, and the type of everything else, of an array with its axes; each law is a form."""
    if not isinstance(row, Agree | Anchor):
        return row.case
    given = leaves(row.given.draw(f"{topic}/{row.function}/{row.case}"))
    return *_kind(row), row.traced, *((path, _type(leaf)) for path, leaf in given)


def _type(leaf):
    if isinstance(leaf, np.ndarray):
        return leaf.dtype, leaf.ndim, leaf.size == 0
    return leaf if isinstance(leaf, str) else type(leaf)


@pytest.mark.xdist_group("foundations/jensen")
def test_a_right_exercise_passes_on_the_command_line(tmp_path, capfd):
    """The README's own example: its functions take functions. In a process, with its helpers in files next to it."""
    wing_of_torch = Path(__file__).parents[2] / "practice_torch"
    names = "arguments", "mathematics/elementary", "engine/artifacts", "engine/spectrogram", "foundations/jensen"
    for name in (f"{name}.py" for name in names):
        target = tmp_path / "mine" / name
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_text((wing_of_torch / name).read_text().replace("practice_torch", "mine"))
    exercise = tmp_path / "jensen_exercise.py"
    exercise.write_text('TOPIC = "foundations/jensen"\nfrom mine.foundations.jensen import *\n')
    assert command.main(["grade", str(exercise)]) == 0
    assert "5 of 5 functions hold" in capfd.readouterr().out
