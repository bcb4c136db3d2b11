"""Exercises: a stub for the functions of a topic, to be filled in and graded."""

import ast
import shlex
from collections.abc import Sequence
from pathlib import Path

from shared_specs.checking.implementation import Fault
from shared_specs.grading.declared import declared

LARGEST = 2**20  # bytes of an exercise
NUMPY, JAX, TORCH = "numpy", "jax", "torch"
IMPORTS = {NUMPY: "import numpy as np", JAX: "import jax\nimport jax.numpy as jnp", TORCH: "import torch"}
DERIVATIVES = {"grad", "value_and_grad", "jvp", "vjp", "jacfwd", "jacrev", "hessian", "linearize"}  # of jax

HEADER = '''"""Exercise: {title} ({topic}).

Fill in the functions, and then have them marked:

    python -m shared_specs grade {file}

They may be in NumPy, JAX or PyTorch, one of them throughout; in NumPy only values are marked, not gradients.{autodiff}
Values decide. Input that contradicts the shapes in the last line of a docstring, or that the docstring rejects, raises a
ValueError that names the argument at fault: these checks are marked separately. Modules next to this file can be imported.
"""

{imports}

TOPIC = "{topic}"

'''


def stub(topic: str, title: str, names: Sequence[str], file: Path, backend: str | None = None) -> str:
    """The source of an exercise: signatures and docstrings of the named functions, without their bodies.

    backend: the framework of the exercise (default: NumPy if possible).  Raises LookupError for NumPy if it is not.
    """
    functions = {name: declared(topic, name) for name in names}
    differentiating = [name for name in names if _differentiates(functions[name])]
    if differentiating and backend == NUMPY:
        raise LookupError(f"NumPy has no derivatives, which {', '.join(differentiating)} of {topic} must take: give jax or torch")
    autodiff = f"\nNot in NumPy, as they take derivatives: {', '.join(differentiating)}." if differentiating else ""
    header = HEADER.format(
        title=title,
        topic=topic,
        file=_in_docstring(shlex.quote(str(file))),
        autodiff=autodiff,
        imports=IMPORTS[backend or (JAX if differentiating else NUMPY)],
    )
    return header + "\n".join(_empty(name, functions[name].node) for name in names)


def _in_docstring(text):
    """The text, escaped for a docstring: a file may have any name."""
    return text.encode("unicode_escape").decode().replace('"', '\\"')


def in_order(topic: str, names: Sequence[str]) -> list[str]:
    """The named functions of a topic, each after those of them that the theory wing calls in it; else in the given order."""
    calls, ordered = {}, {}
    for name in names:
        parts = (part for node in declared(topic, name).with_helpers() for part in ast.walk(node))
        calls[name] = {part.id for part in parts if isinstance(part, ast.Name)}

    def place(name, callers=()):
        for other in names:
            if other in calls[name] and other not in (*ordered, *callers, name):
                place(other, (*callers, name))
        ordered.setdefault(name)

    for name in names:
        place(name)
    return list(ordered)


def _differentiates(function):
    """Whether a function uses jax's derivatives, directly or by a helper of its module."""
    parts = (part for node in function.with_helpers() for part in ast.walk(node) if isinstance(part, ast.Attribute))
    return any(part.attr in DERIVATIVES and ast.unparse(part.value) == "jax" for part in parts)


def _empty(name, function):
    docstring = ast.get_docstring(function)
    indented = "\n".join(f"    {line}".rstrip() for line in docstring.splitlines())
    return (
        f'\ndef {name}({ast.unparse(function.args)}):\n    r"""{indented.strip()}\n    """\n'
        f'    raise NotImplementedError("{name}")\n'
    )


def topic_of(path: Path) -> str | None:
    """The topic that a filled-in exercise names in TOPIC, read without running it; None if it names none.

    Raises Fault if the file cannot be read, or is not Python.
    """
    try:
        if not Path(path).is_file():
            raise Fault(f"{str(path)!r} is not a file")
        if Path(path).stat().st_size > LARGEST:
            raise Fault(f"{path} is larger than {LARGEST} bytes")
        tree = ast.parse(Path(path).read_text(encoding="utf-8-sig"))
    except SyntaxError as error:
        raise Fault(f"{path}, line {error.lineno or 1}: {error.msg}") from None
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Fault(f"{path} is not text in UTF-8") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a null character; brackets without end
        raise Fault(f"{path} is not Python: {error}") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["TOPIC"]:
            return node.value.value if isinstance(node.value, ast.Constant) else None
    return None
