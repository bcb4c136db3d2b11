"""What grade prints: values decide, input checks are marked apart, and the most telling fault comes first."""

import numpy as np
import pytest

from shared_specs import __main__ as command
from shared_specs.against import functions_of
from shared_specs.check import Checker, spec_of
from shared_specs.grade import grade
from shared_specs.implementation import Implementation, MissingFunction
from shared_specs.marks import as_data, marks_of, passes, print_marks
from tests.test_grade import RIGHT, TOPIC

pytestmark = pytest.mark.xdist_group("grade")

NO_CHECKS = """
def leave_one_out_advantage(values):
    S = values.shape[1]
    return values - (values.sum(1, keepdims=True) - values) / (S - 1)
"""


def results_of(*sources):
    """Every row against the functions of the sources, in NumPy and in this process."""
    namespace = {}
    for source in sources:
        exec(source, namespace)

    def find(name):
        if name not in namespace:
            raise MissingFunction(name)
        return namespace[name]

    return Checker(TOPIC, Implementation(find, "numpy", "float64")).run(spec_of(TOPIC))


def mark_of(name, results):
    return next(mark for mark in marks_of(TOPIC, list(functions_of(TOPIC)), results) if mark.function == name)


def test_values_decide_and_input_checks_are_marked_apart(capfd):
    """A function that refuses nothing holds; under --strict it does not."""
    results = results_of(RIGHT, NO_CHECKS)
    mark = mark_of("leave_one_out_advantage", results)
    assert mark.mark == "holds" and mark.values[0] == mark.values[1] and mark.checks[0] < mark.checks[1]
    assert passes(results) and not passes(results, strict=True) and as_data(TOPIC, [], results)["passed"]
    print_marks(TOPIC, list(functions_of(TOPIC)), results)
    print_marks(TOPIC, list(functions_of(TOPIC)), results, strict=True)
    lax, strict = (line for line in capfd.readouterr().out.splitlines() if "functions hold" in line)
    assert "6 of 6" in lax and "5 of 6" in strict


def test_a_known_mistake_comes_first():
    """Before the rows that fail ahead of it in the spec."""
    results = results_of(RIGHT, "def leave_one_out_advantage(values): return values - values.mean(1, keepdims=True)")
    rows = [row for row in spec_of(TOPIC) if getattr(row, "function", None) == "leave_one_out_advantage"]
    known = {mistake for row in rows for mistake in getattr(row, "near_misses", {})}
    wrong = [r for r in results if r.function == "leave_one_out_advantage" and not r.passed]
    fault = mark_of("leave_one_out_advantage", results).fault
    assert fault.split(":")[0] in known and wrong[0].message.split(":")[0] not in known
    assert known <= set(mark_of("leave_one_out_advantage", results).hint.replace("; ", ": ").replace(": ", ", ").split(", "))


def test_then_comes_the_smallest_input():
    """With the call itself, where it can be followed by hand."""
    results = results_of(RIGHT, "def leave_one_out_advantage(values): return 3.5 * values")
    rows = {row.case: row for row in spec_of(TOPIC) if getattr(row, "function", None) == "leave_one_out_advantage"}
    mine = [r for r in results if r.function == "leave_one_out_advantage" and r.word in ("Agree", "Anchor")]
    wrong = {r.case for r in mine if not r.passed}
    sizes = {case: rows[case].given.draw("")["values"].size for case in wrong}
    fault = mark_of("leave_one_out_advantage", results).fault
    (said,) = (case for case in wrong if f"({case}, " in fault)
    assert sizes[said] == min(sizes.values()) and len(set(sizes.values())) > 1
    assert "leave_one_out_advantage(values=[[" in fault


def test_what_is_not_written_yet_is_to_do():
    """And neither a failure with a reason, nor a pass."""
    results = results_of(RIGHT, "def gumbel_softmax(*a, **k): raise NotImplementedError('gumbel_softmax')\ndel reparameterize")
    for name in ("gumbel_softmax", "reparameterize"):
        mark = mark_of(name, results)
        assert mark.mark == "to do" and mark.fault == "" and mark.hint == ""
    assert not passes(results) and not passes([])


def test_an_error_is_told_by_its_first_line(tmp_path, capfd):
    """With the line of the file, and without JAX's advice about its frames; one function alone is marked."""
    path = tmp_path / "mine.py"
    path.write_text(
        f'TOPIC = "{TOPIC}"\nimport jax.numpy as jnp\n'
        "def leave_one_out_advantage(values):\n    if jnp.ones((3, 2)) @ jnp.ones(3): pass\n    return values\n"
    )
    assert command.main(["grade", str(path), "--only", "leave_one_out_advantage"]) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert "TypeError" in out and "(line 4)" in out and "frames" not in out and "of 1 functions hold" in out


def test_a_wrong_signature_is_told_the_call(tmp_path):
    """By its names; and what mentions one framework alone is asked in that one, though nothing in it answers."""
    path = tmp_path / "mine.py"
    path.write_text("import torch\ndef leave_one_out_advantage(x): return torch.zeros_like(x)\n")
    results = grade(path, TOPIC, only="leave_one_out_advantage")
    fault = mark_of("leave_one_out_advantage", results).fault
    assert "TypeError" in fault and "the call is leave_one_out_advantage(values=...)" in fault
    assert {r.backend for r in results} == {"torch"}


def test_numbers_that_differ_in_the_tenth_digit_are_told_apart():
    """got 0.0628480572, expected 0.0628480572 helps nobody."""
    results = results_of(RIGHT, "def leave_one_out_advantage(values): return (values - (values.sum(1, keepdims=True)"
                                " - values) / (values.shape[1] - 1)) * (1 + 1e-11)")  # fmt: skip
    wrong = [r.message for r in results if r.function == "leave_one_out_advantage" and "got" in r.message]
    assert wrong
    for message in wrong:
        got, wanted = message.removeprefix("got ").split(" within")[0].split(", expected ")
        assert got != wanted and np.isclose(float(got), float(wanted), rtol=1e-9)
