"""The output of grade: values decide, input checks are marked separately, and the most informative fault comes first."""

import numpy as np
import pytest

from shared_specs import __main__ as command
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Implementation, MissingFunction
from shared_specs.grading.against import functions_of
from shared_specs.grading.grade import grade
from shared_specs.grading.marks import _plain, as_data, marks_of, passes, print_marks
from tests.specs.test_grade import RIGHT, TOPIC

pytestmark = pytest.mark.xdist_group("grade")

NO_CHECKS = """
def leave_one_out_advantage(values):
    S = values.shape[1]
    return values - (values.sum(1, keepdims=True) - values) / (S - 1)
"""


def results_of(*sources, precision="float64"):
    """Every row against the functions of the sources, in NumPy and in this process."""
    namespace = {}
    for source in sources:
        exec(source, namespace)

    def find(name):
        if name not in namespace:
            raise MissingFunction(name)
        return namespace[name]

    return Checker(TOPIC, Implementation(find, "numpy", precision)).run(spec_of(TOPIC))


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


def printed(monkeypatch, capfd, results, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    print_marks(TOPIC, list(functions_of(TOPIC)), results)
    return capfd.readouterr().out


def test_the_failing_input_is_printed_whole_at_any_width(monkeypatch, capfd):
    """On one line, in all of its digits, and in a pipe as on a terminal."""
    results = results_of(RIGHT, "def leave_one_out_advantage(values): return values - values.mean(1, keepdims=True)")
    fault = mark_of("leave_one_out_advantage", results).fault
    assert fault.endswith("leave_one_out_advantage(values=[[1.0, 2.0, 6.0], [4.0, 4.0, 1.0]]))")
    narrow, wide = (printed(monkeypatch, capfd, results, columns) for columns in (20, 300))
    assert narrow == wide and f"\nleave_one_out_advantage: {fault}\n" in narrow and "…" not in narrow


def test_small_numbers_of_an_input_are_not_rounded_away():
    """Six digits of each, in the brackets of the call."""
    given = {"a": (np.array([1e-9, 2 / 3]), np.array(3)), "b": {"w": np.array([[True]])}, "c": "word"}
    assert [_plain(value) for value in given.values()] == ["([1e-09, 0.666667], 3)", "{'w': [[True]]}", "'word'"]


def test_wrong_values_come_before_a_wrong_dtype():
    """A constant in float64 makes float64 of float32. It is the only fault of the smallest row, not of another."""
    body = "    return {} * (values - (values.sum(1, keepdims=True) - values) / (values.shape[1] - 1))"
    wide = results_of(RIGHT, "def leave_one_out_advantage(values):\n" + body.format("np.float64(1)"), precision="float32")
    assert mark_of("leave_one_out_advantage", wide).fault.startswith("returned float64 for float32 input (")
    unequal = body.format("np.where(len(values) > 4, 1.1, np.float64(1))")
    both = results_of(RIGHT, "def leave_one_out_advantage(values):\n" + unequal, precision="float32")
    fault = mark_of("leave_one_out_advantage", both).fault
    assert fault.startswith("got ") and "float32" in fault
    wrong = {r.quantity for r in both if r.function == "leave_one_out_advantage" and not r.passed}
    assert wrong >= {"dtype", "value"}


def test_too_few_digits_are_no_wrong_values():
    """float32 for float64 is one fault a row: its values cannot be compared."""
    narrow = results_of(
        RIGHT,
        NO_CHECKS + "right = leave_one_out_advantage\n"
        "def leave_one_out_advantage(values): return right(values).astype(np.float32)",
    )
    wrong = {r.quantity for r in narrow if r.function == "leave_one_out_advantage" and r.word == "Agree" and not r.passed}
    assert wrong == {"dtype"}


def test_a_fault_that_does_not_count_is_marked():
    """An input check, or the edge of a precision."""
    fault = mark_of("leave_one_out_advantage", results_of(RIGHT, NO_CHECKS)).fault
    assert fault.startswith("input check: accepted bad input (one sample)")
    assert mark_of("gumbel_softmax", results_of(RIGHT)).fault == ""


def test_what_is_not_written_yet_is_to_do():
    """And neither a failure with a reason, nor a pass."""
    results = results_of(RIGHT, "def gumbel_softmax(*a, **k): raise NotImplementedError('gumbel_softmax')\ndel reparameterize")
    for name in ("gumbel_softmax", "reparameterize"):
        mark = mark_of(name, results)
        assert mark.mark == "to do" and mark.fault == "" and mark.hint == ""
    assert not passes(results) and not passes([])


def test_an_error_is_reported_by_its_first_line(tmp_path, capfd):
    """With the line of the file, and without JAX's advice about its frames; one function alone is marked."""
    path = tmp_path / "mine.py"
    path.write_text(
        f'TOPIC = "{TOPIC}"\nimport jax.numpy as jnp\n'
        "def leave_one_out_advantage(values):\n    if jnp.ones((3, 2)) @ jnp.ones(3): pass\n    return values\n"
    )
    assert command.main(["grade", str(path), "--only", "leave_one_out_advantage"]) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert "TypeError" in out and "(line 4)" in out and "frames" not in out and "of 1 functions hold" in out


def test_a_wrong_signature_is_reported_with_the_call(tmp_path):
    """By argument names; a file that mentions one framework alone is graded in that one, even if no function returns."""
    path = tmp_path / "mine.py"
    path.write_text("import torch\ndef leave_one_out_advantage(x): return torch.zeros_like(x)\n")
    results = grade(path, TOPIC, chosen=("leave_one_out_advantage",))
    fault = mark_of("leave_one_out_advantage", results).fault
    assert "TypeError" in fault and "the call is leave_one_out_advantage(values=...)" in fault
    assert {r.backend for r in results} == {"torch"}


def test_numbers_that_differ_in_the_tenth_digit_are_printed_differently():
    """got 0.0628480572, expected 0.0628480572 helps no one."""
    results = results_of(
        RIGHT,
        "def leave_one_out_advantage(values): return (values - (values.sum(1, keepdims=True)"
        " - values) / (values.shape[1] - 1)) * (1 + 1e-11)",
    )
    wrong = [r.message for r in results if r.function == "leave_one_out_advantage" and "got" in r.message]
    assert wrong
    for message in wrong:
        got, wanted = message.removeprefix("got ").split(" within")[0].split(", expected ")
        assert got != wanted and np.isclose(float(got), float(wanted), rtol=1e-9)
