"""grade can be passed: the project's own functions, asked as a graded file's are, hold every row of every topic.

The questions and answers are packed and unpacked as they are between the processes, but in this process, beside the other
tests of the topic: what the reference measured there is not measured again, and what JAX traced there is not traced again.
"""

import io
from pathlib import Path

import pytest

from shared_specs import __main__ as command
from shared_specs.against import functions_of
from shared_specs.check import Checker, spec_of
from shared_specs.grade import Graded
from shared_specs.messages import receive, send
from shared_specs.reference import wing
from shared_specs.rows import Rejects
from shared_specs.syllabus import load
from shared_specs.worker import reply


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


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_wing_passes(topic, backend):
    """No row asks for what the exercise does not, and every argument arrives, in both precisions.

    All rows of the practice wing in float64; of the theory wing, in float32, the first of each function and kind: what is packed
    does not depend on the wing. Bad input, which float64 alone is tried with, in both wings. That each wing passes every row in
    both precisions is what tests/test_contracts.py is about.
    """
    rows = spec_of(topic)
    full, asked = ("float64", rows) if backend == "torch" else ("float32", _first_of_each_kind(rows))
    results = []
    for precision in ("float64", "float32"):
        mine = [row for row in rows if isinstance(row, Rejects)] if precision != full else asked
        results += Checker(topic, GradedWing(wing(backend, topic, precision), topic)).run(mine)
    assert results and [(r.function, r.case, r.precision, r.message) for r in results if not r.passed] == []


def _first_of_each_kind(rows):
    """Laws are about all functions at once: each of them is a kind of its own."""
    return list({(type(row), getattr(row, "function", row.case)): row for row in reversed(rows)}.values())


@pytest.mark.xdist_group("foundations/jensen")
def test_a_right_exercise_passes_on_the_command_line(tmp_path, capfd):
    """The README's own example: its functions take functions. In a process, with its helpers in files beside it."""
    wing_of_torch = Path(__file__).parent.parent / "practice_torch"
    for name in ("arguments.py", "engine/artifacts.py", "engine/spectrogram.py", "foundations/jensen.py"):
        target = tmp_path / "mine" / name
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_text((wing_of_torch / name).read_text().replace("practice_torch", "mine"))
    exercise = tmp_path / "jensen_exercise.py"
    exercise.write_text('TOPIC = "foundations/jensen"\nfrom mine.foundations.jensen import *\n')
    assert command.main(["grade", str(exercise)]) == 0
    assert "5 of 5 functions hold" in capfd.readouterr().out
