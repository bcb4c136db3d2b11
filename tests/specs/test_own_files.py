"""The files that are copied for the process in which an untrusted file runs."""

import subprocess
import sys

from shared_specs.grading.own_files import BEGINNINGS, PACKAGE, own_files
from tests.support.uses import ROOT


def test_the_files_of_the_worker_are_those_that_it_imports():
    """As Python does: also what only a function imports, and nothing that only a type checker does."""
    script = (
        f"import importlib, sys; [importlib.import_module(name) for name in {BEGINNINGS}]; "
        "print(*(module.__file__ for name, module in sys.modules.items() if name.split('.')[0] == 'shared_specs'), sep='\\n')"
    )
    imported = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {str(PACKAGE / file) for file in own_files()} == set(imported.split("\n")[:-1])
