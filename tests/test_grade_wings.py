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

    All rows in one precision a wing, and bad input, which float64 alone is tried with, in both wings: that each wing passes in
    both precisions is what tests/test_contracts.py is about.
    """
    full, results = {"torch": "float64", "jax": "float32"}[backend], []
    for precision in ("float64", "float32"):
        rows = [row for row in spec_of(topic) if precision == full or isinstance(row, Rejects)]
        results += Checker(topic, GradedWing(wing(backend, topic, precision), topic)).run(rows)
    assert results and [(r.function, r.case, r.precision, r.message) for r in results if not r.passed] == []


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
