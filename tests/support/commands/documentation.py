"""The Python code in the documentation, to be run."""

import re
from pathlib import Path

EXPORT = Path(__file__).resolve().parents[3] / "docs" / "export.md"


def code_of_the_documentation():
    """Definitions in the blocks of docs/export.md, by name: the reader of exported contracts, and the comparison."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", EXPORT.read_text(encoding="utf-8"), re.S):
        exec(block, names)
    return names
