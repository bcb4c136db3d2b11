"""The code in the book: both wings' functions side by side, the reference of the parts, and a page for every source file."""

import ast
import posixpath
import re
import textwrap
from pathlib import Path

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from book.text import FENCE, code, escaped, link, raw, verbatim
from shared_specs.palette import STYLE

ROOT = Path(__file__).resolve().parent.parent
WINGS = (("theory_jax", "JAX"), ("practice_torch", "PyTorch"))
OF_A_TOPIC = ("shared_specs", "theory_jax", "theory_jax/lectures", "practice_torch", "practice_torch/experiments")
SOURCE_PAGE = Markup("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{path}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="{colors}">
<style>
{style}
body {{ margin: 0; padding: 16px 22px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }}
pre {{ font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-x: auto; padding: 12px; }}
a {{ color: var(--train); }}
pre span:has(> a:target), pre a:target + span {{ background: var(--wash); }}
</style></head>
<body><p><a href="{home}">Diptych</a> · <code>{path}</code></p>
{code}</body>
</html>
""")
# contents of the reference: packages that others build on
REFERENCE = (
    "shared_specs",
    "shared_specs/checking",
    "shared_specs/grading",
    "theory_jax",
    "practice_torch/mathematics",
    "practice_torch/networks",
    "practice_torch/data",
    "practice_torch/data/preparation",
    "practice_torch/data/reading",
    "practice_torch/data/streams",
    "practice_torch/engine",
    "practice_torch/engine/batches",
    "practice_torch/engine/storage",
    "practice_torch/engine/distributed",
    "practice_torch/engine/costs",
    "practice_torch/reports",
)


def address(here, there):
    """The relative address of a page of the book, both by their places without ending."""
    return file_address(here, f"{there}.html")


def file_address(here, path):
    """The relative address of a file of the book."""
    return posixpath.relpath(path, posixpath.dirname(here) or ".")


def source_address(here, path, line=None):
    """The address of a source file's page, and of a line in it."""
    return address(here, f"source/{path.removesuffix('.py')}") + (f"#line-{line}" if line else "")


def source_link(here, path, line=None):
    return link(source_address(here, path, line), code(path))


def linked_sources(texts):
    """The source files that pages link to, as paths below the root."""
    places = {place for text in texts for place in re.findall(r'href="[./]*source/([\w/]+)\.html', text)}
    return sorted(f"{place}.py" for place in places)


def source_page(path):
    """The page of a source file: every line can be linked to. Sphinx leaves it alone: two hundred of them would take a minute."""
    here = f"source/{path.removesuffix('.py')}"
    formatter = HtmlFormatter(lineanchors="line", anchorlinenos=False, wrapcode=True)
    return SOURCE_PAGE.format(
        path=path,
        style=Markup(STYLE),
        colors=address(here, "_static/pygments").replace(".html", ".css"),
        home=address(here, "index"),
        code=Markup(highlight((ROOT / path).read_text(encoding="utf-8"), PythonLexer(), formatter)),
    )


# ---------------------------------------------------------------------------------------------------- a topic


def topic_files(topic):
    """The source files of a topic, as paths below the root."""
    paths = [f"{folder}/{topic}.py" for folder in OF_A_TOPIC]
    return [path for path in paths if (ROOT / path).is_file()]


def functions_section(here, topic):
    """The Markdown of the functions and networks of a topic, those of both wings side by side."""
    trees = {wing: _public(f"{wing}/{topic}.py") for wing, _ in WINGS}
    names = dict.fromkeys(name for found in trees.values() for name in found)
    files = Markup(" · ").join(source_link(here, path) for path in topic_files(topic))
    parts = ["## The functions, in both wings", raw(Markup('<p class="files">{}</p>').format(files))]
    for name in names:
        parts.append(f"### {escaped(name)}")
        there = [(wing, language, trees[wing][name]) for wing, language in WINGS if name in trees[wing]]
        said = {ast.get_docstring(node) for *_, node in there}
        once = len(there) > 1 and len(said) == 1 and all(isinstance(node, ast.FunctionDef) for *_, node in there)
        if once:  # what both wings say stands above them, and their code, which differs, side by side
            parts.append(f"::::::{{container}} both\n{verbatim(said.pop())}::::::\n")
        both = [_card(here, f"{wing}/{topic}.py", language, node, documented=not once) for wing, language, node in there]
        parts.append(f"::::::{{container}} wings\n{''.join(both)}::::::\n")
    return "\n\n".join(parts)


def _card(here, path, language, node, *, documented):
    """One wing's function or network. documented: with its docstring, and its code folded; else its code alone."""
    module = path.removesuffix(".py").replace("/", ".")
    source = link(source_address(here, path, node.lineno), "source")
    head = Markup('<p class="wing"><span>{}</span> {}</p>').format(language, source)
    body = _body(path, node)
    if documented:
        body = Markup('<details class="fold"><summary>code</summary>\n{}</details>').format(body)
    return f":::::{{container}} card\n{raw(head)}\n{_entry(node, module, raw(body), documented=documented)}\n:::::\n"


def _body(path, node):
    """The code of a function or a class without its docstring."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()[node.body[0].end_lineno : node.end_lineno]
    return Markup(highlight(textwrap.dedent("\n".join(lines)), PythonLexer(), HtmlFormatter()))


def _public(path):
    """The public functions and classes that a file defines, by name."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_" and ast.get_docstring(node)
    }


def _entry(node, module, after="", prefix="", *, documented=True):
    """A function or a class with its methods in the words of its docstring, as an entry of the index."""
    kind = "class" if isinstance(node, ast.ClassDef) else "method" if prefix else "function"
    fence = ":" * (3 if kind == "method" else 4)
    head = f"{fence}{{py:{kind}}} {prefix}{node.name}{_signature(node)}\n:module: {module}\n"
    parts = [head, *([verbatim(ast.get_docstring(node))] if documented else [])]
    if kind == "class":
        parts += [
            _entry(method, module, prefix=f"{node.name}.")
            for method in node.body
            if isinstance(method, ast.FunctionDef) and method.name[0] != "_" and ast.get_docstring(method)
        ]
    return "\n".join([*parts, after, f"{fence}\n"])


def _signature(node):
    """The arguments as they are written; of a dataclass its fields, of another class those of its constructor."""
    if isinstance(node, ast.FunctionDef):
        words = ast.unparse(node.args)
        is_method = words.split(",")[0] in ("self", "cls")
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"({words.partition(',')[2].strip() if is_method else words}){result}"
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields = [line for line in node.body if isinstance(line, ast.AnnAssign)]
        names = [ast.unparse(line.target) for line in fields if "ClassVar" not in ast.unparse(line.annotation)]
        return f"({', '.join(names)})"
    made = next((line for line in node.body if isinstance(line, ast.FunctionDef) and line.name == "__init__"), None)
    return f"({ast.unparse(made.args).partition(',')[2].strip()})" if made else ""


# ---------------------------------------------------------------------------------------------------- the reference


def reference_files():
    """The modules that the reference describes, by package."""
    files = {package: sorted((ROOT / package).glob("*.py")) for package in REFERENCE}
    return {
        package: [path for path in (path.relative_to(ROOT).as_posix() for path in paths) if "/_" not in path and _public(path)]
        for package, paths in files.items()
    }


def reference_page(here, package, files):
    """The page of a package: its modules with their public functions and classes."""
    words = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    parts = [f"# {escaped(package.replace('/', '.'))}", escaped(words)]
    for path in files:
        module = path.removesuffix(".py").replace("/", ".")
        about = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
        parts += [f"## {escaped(module.rpartition('.')[2])}", f"{FENCE}{{py:module}} {module}\n{FENCE}", verbatim(about)]
        for node in _public(path).values():
            source = link(source_address(here, path, node.lineno), "source")
            parts.append(_entry(node, module, raw(Markup('<p class="wing">{}</p>').format(source))))
    return "\n\n".join(parts) + "\n"
