"""Exercises: a stub for the functions of a topic, to be filled in and graded."""

import ast
from pathlib import Path

THEORY = Path(__file__).resolve().parent.parent / "theory_jax"

HEADER = '''"""Exercise: {title} ({topic}).

Fill in the functions, in NumPy, JAX or PyTorch (one of them throughout), and then have them marked:

    python -m shared_specs grade {file}

Where a docstring says that something raises ValueError, the message must name the argument at fault.
"""

TOPIC = "{topic}"

'''


def stub(topic, title, names, file):
    """The source of an exercise: signatures and docstrings of the named functions, without their bodies."""
    source = (THEORY / f"{topic}.py").read_text(encoding="utf-8")
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return HEADER.format(title=title, topic=topic, file=file) + "\n".join(_empty(functions[name]) for name in names)


def _empty(function):
    docstring = ast.get_docstring(function)
    indented = "\n".join(f"    {line}".rstrip() for line in docstring.splitlines())
    return (
        f'\ndef {function.name}({ast.unparse(function.args)}):\n    r"""{indented.strip()}\n    """\n'
        f'    raise NotImplementedError("{function.name}")\n'
    )


def topic_of(path):
    """The topic that a filled-in exercise names in TOPIC, read without running it; None if it names none.

    Raises SyntaxError if the file is not Python.
    """
    for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["TOPIC"]:
            return node.value.value if isinstance(node.value, ast.Constant) else None
    return None
