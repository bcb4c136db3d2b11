"""What the browser loads, made by Pyodide's own Python (make.mjs calls this): compiled modules, and the memory with them.

Compiled files are bound to one version of Python, and so is the memory.
"""

import ast
import gc
import importlib.abc
import importlib.util
import json
import py_compile
import shutil
import sys
import zipfile
import zipimport
from pathlib import Path

LATE = ("sympy", "mpmath", "latex2mathml", "pylatexenc", "theory_jax")  # packages of packages.zip
LECTURES = "theory_jax.lectures"


def pack(sources, libraries):
    """Write /packages.zip, and /lectures/FAMILY_TOPIC.zip: each lecture with its source and all lectures that it imports."""
    sources, apart = Path(sources), Path("/apart")
    shutil.move(sources / LECTURES.replace(".", "/"), apart / LECTURES.replace(".", "/"))
    with zipfile.ZipFile("/packages.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for root in (Path(libraries), sources):
            for file in sorted(path for path in root.rglob("*") if path.is_file()):
                inside = str(file.relative_to(root))
                # SymPy's documentation is a third of it
                made = (inside + "c", _compiled(file, inside, 2 if root != sources else 0)) if file.suffix == ".py" else None
                archive.writestr(*(made or (inside, file.read_bytes())))
    modules = {_module(file, apart): file for file in sorted(apart.rglob("*.py"))}
    compiled = {name: _compiled(file, str(file.relative_to(apart)), 0) for name, file in modules.items()}
    imported = {name: _imported(file, modules) for name, file in modules.items()}
    Path("/lectures").mkdir()
    for name, file in modules.items():
        if file.name.startswith("_"):
            continue
        family, topic = name.split(".")[-2:]
        with zipfile.ZipFile(f"/lectures/{family}_{topic}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for other in sorted(_closure(name, imported)):
                archive.writestr(str(modules[other].relative_to(apart)) + "c", compiled[other])
            archive.write(file, str(file.relative_to(apart)))


def _module(file, root):
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _compiled(file, inside, optimize):
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    made = py_compile.compile(str(file), "/one.pyc", inside, doraise=True, optimize=optimize, invalidation_mode=unchecked)
    return Path(made).read_bytes()


def _imported(file, modules):
    """The lectures that a file imports."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    names = {node.module for node in nodes} | {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    return names & set(modules)


def _closure(name, imported):
    """A lecture, what it imports, what that imports, and the packages of all."""
    found, waiting = set(), [name]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += [*imported[one], *([one.rpartition(".")[0]] if one != LECTURES else [])]
    return found


def prepare(topics):
    """Import all that the page needs but a lecture. topics: lectures whose chains are run first, for what SymPy imports late."""
    from book.in_the_page import standins

    sys.dont_write_bytecode = True
    sys.meta_path.append(late)
    standins.install(json.loads(Path("/packages/constants.json").read_text()))

    import theory_jax
    from book.in_the_page import runner

    for topic in topics.split():
        add(topic)
        runner.names(topic)
        for number in json.loads(runner.chains(topic)):
            runner.run(topic, number)
        for name in [name for name in sys.modules if name.startswith(LECTURES)]:  # another archive has another `lectures`
            del sys.modules[name]
        del theory_jax.__path__[1:]
    importlib.import_module("sympy.physics.units")  # simplify() imports it late
    from sympy.core.cache import clear_cache

    clear_cache()
    sys.path_importer_cache.clear()
    zipimport._zip_directory_cache.clear()
    gc.collect()


def add(topic):
    """Let lectures be imported from the archive of a topic."""
    sys.modules["theory_jax"].__path__.append(f"/lectures/{topic.replace('/', '_')}.zip/theory_jax")


class Late(importlib.abc.MetaPathFinder):
    """Fetches packages.zip at the first import of a module that the memory lacks."""

    def __init__(self):
        self.fetch = None

    def find_spec(self, name, path=None, target=None):
        """The spec after the archive was fetched; None if it was before."""
        if self.fetch is None or name.partition(".")[0] not in LATE:
            return None
        fetch, self.fetch = self.fetch, None
        fetch()
        sys.path_importer_cache.clear()
        importlib.invalidate_caches()
        return importlib.util.find_spec(name)


late = Late()
