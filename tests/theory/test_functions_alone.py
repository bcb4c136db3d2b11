"""The functions of the theory wing without its lectures: what importing them loads, and the precision in which they compute."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found():
    program = [sys.executable, "-m", "tests.support.functions_alone"]
    run = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_importing_functions_loads_no_sympy_and_no_lecture(found):
    assert found["loaded"] == []


def test_importing_functions_does_not_switch_jax_to_float64(found):
    assert found["float64"] is False


def test_no_function_file_makes_an_array_at_import(found):
    """It would keep the precision of that moment."""
    assert found["made at import"] == []


def test_every_function_computes_in_the_precision_of_its_arguments(found):
    assert found["faults"] == []
