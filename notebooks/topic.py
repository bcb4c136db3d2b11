"""The notebook of a topic: its lecture, the functions of both wings, an exercise that is judged in place, and a training."""

import ast
from importlib import import_module
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from notebooks.lecture import cells_of
from shared_specs.grading.against import functions_of
from shared_specs.grading.exercise import in_order, stub
from shared_specs.syllabus import load

ROOT = Path(__file__).resolve().parent.parent
FEW = 3  # steps of a test
INSTALL = """\
# Where Diptych is not installed yet, as on a hosted machine: from an index, or "diptych[all] @ git+ADDRESS", or a wheel's path.
# With PyTorch it is some gigabytes, and takes a few minutes.
import importlib.util

if importlib.util.find_spec("theory_jax") is None:
    %pip install --quiet "diptych[all]"
"""
HOW = """This notebook is written from the sources of the course (`make notebooks`). Run it from the top. Each cell of the
derivation is executed line by line: change a line and run the cell again, and a line that does not follow is refused, with the
point at which it is false. After a change of a symbol, run the cells below it again."""
YOURS = """## The functions, written by you

Each cell has a function to fill in, and the cell below it judges what you wrote: the known mistake first, if it is one, and
otherwise the smallest input at which it fails. Values, gradients and precision are compared; NumPy code has no gradients."""
WINGS = {"theory_jax": "JAX", "practice_torch": "PyTorch"}


def notebook(path, *, solved=False):
    """The notebook of a topic, by its path. solved: with the functions written and the answers shown."""
    from theory_jax.derivation.loading import derivation_of

    topic, derivation = load().topics[path], derivation_of(path)
    module = f"theory_jax.lectures.{path.replace('/', '.')}"
    source = (ROOT / f"theory_jax/lectures/{path}.py").read_text(encoding="utf-8")
    cells = [
        _text(_front(topic, derivation, solved)),
        _code(INSTALL.rstrip(), tags=["install"]),
        _text("\n\n".join(["## Setting", *map(str, derivation.setting), "## Derivation"])),
        *(_code(cell.source) if cell.code else _text(cell.source) for cell in cells_of(source, module)),
        *_listed("## What this does not show", derivation.limits),
        *_questions(derivation, solved),
        *_functions(path, solved),
        *_training(path),
        *_listed("## Sources", derivation.sources),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same bytes for the same sources
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = new_notebook(cells=cells, metadata=about | {"language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def _text(text):
    return new_markdown_cell(text)


def _code(source, tags=()):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def _front(topic, derivation, solved):
    lectures = f" · lecture {', '.join(map(str, derivation.lectures))}" if derivation.lectures else ""
    parts = [
        f"# {derivation.title}{', with solutions' if solved else ''}",
        f"`{topic.path}`{lectures}",
        f"*{derivation.question}*",
    ]
    parts += [str(derivation.answer), HOW]
    return "\n\n".join(filter(None, parts))


def _listed(title, lines):
    """A cell of text with a list; none if it is empty."""
    if lines:
        yield _text("\n".join([title, "", *(f"- {line}" for line in lines)]))


def _questions(derivation, solved):
    """The lecture's exercises with pen and paper."""
    from theory_jax.derivation.parts import Exercise

    exercises = [part for part in derivation.parts if isinstance(part, Exercise)]
    if exercises:
        yield _text("## Exercises with pen and paper")
    for number, part in enumerate(exercises, start=1):
        words = f"**{number}.** ({part.level}) {part.question}"
        words += _folded("Hint", part.hint) if part.hint else ""
        yield _text(words + (f"\n\n*Answer.* {part.answer}" if solved else ""))


def _folded(title, text):
    return f"\n\n<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _functions(path, solved):
    """The functions of both wings, folded, and the exercise: an empty function in a cell, and a cell that judges it."""
    names = in_order(path, list(functions_of(path)))
    yield _text(YOURS)
    head, *blanks = _exercise(path, names)
    yield _code(f"from shared_specs.commands.notebook import judge\n{head}")
    if solved:
        yield _text("The functions of the theory wing, whole:")
        yield _code(_without_docstring(ROOT / f"theory_jax/{path}.py"), tags=["solution"])
        yield _code(f'judge("{path}", globals())', tags=["judge"])
    else:
        for name, blank in zip(names, blanks, strict=True):
            yield _code(blank)
            yield _code(f'judge("{path}", {name})', tags=["judge"])
    yield _text("### What both wings have" + "".join(_wing(wing, language, path) for wing, language in WINGS.items()))


def _exercise(path, names):
    """The imports of an exercise, and each function without its body."""
    text = stub(path, load().topics[path].title, names, Path("notebook.py"))
    body = text[text.index('"""', 3) + 3 :]
    tree, lines = ast.parse(body), body.splitlines()
    imports = "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return imports, *("\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in found)


def _without_docstring(path):
    text = path.read_text(encoding="utf-8")
    return "\n".join(text.splitlines()[ast.parse(text).body[0].end_lineno :]).strip()


def _wing(wing, language, path):
    return _folded(
        f"{language}: <code>{wing}/{path}.py</code>", f"```python\n{_without_docstring(ROOT / f'{wing}/{path}.py')}\n```"
    )


def _training(path):
    """Train the topic's first recipe, look at its curve, and draw from it."""
    if not (ROOT / f"practice_torch/experiments/{path}.py").is_file():
        return
    module = import_module(f"practice_torch.experiments.{path.replace('/', '.')}")
    recipes = getattr(module, "RECIPES", {})
    if not recipes:
        return
    name = next(iter(recipes))
    others = "the others, and " if len(recipes) > 1 else ""
    yield _text(
        f"## Train it\n\n{module.__doc__.strip()}\n\nThe recipe `{name}` takes at most a few minutes on a laptop's CPU. "
        f"`python -m practice_torch list {path}` shows {others}every field, which `more` may change."
    )
    steps = min(FEW, recipes[name].steps)
    few = {"steps": steps, "evaluate_every": steps, "checkpoint_every": steps, "target": None}
    asked = _code('more = {}  # {"steps": 100} for a first look')
    asked["metadata"]["short"] = f"more = {few}"  # what a test executes in its place
    yield asked
    yield _code(f'import practice_torch\n\nrun = practice_torch.train("{path}", "{name}", **more)', tags=["training"])
    yield _code("run")
    yield _code("run.load().sample(16)", tags=["samples"])
