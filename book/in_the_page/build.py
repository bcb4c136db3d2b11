"""The part of the book that runs in the page: what the reader's browser loads on the first click, and what leads there.

Pyodide comes from the npm registry, of a fixed version and checksum, and is kept in the user's cache folder, as is what is made
with it. A book without node, npm or the network has no part of this.
"""

import ast
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "diptych"
PYODIDE = "314.0.7"
CHECKSUM = "sha512-0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
OF_PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
LIBRARIES = ("sympy", "mpmath", "latex2mathml", "markupsafe", "pylatexenc")
NOT_LOADED = {"tests", "benchmarks", "__pycache__"}
MACHINERY = (
    *("book/__init__.py", "book/in_the_page/*.py", "theory_jax/__init__.py", "theory_jax/derivation/*.py"),
    *(f"theory_jax/pages/{name}.py" for name in ("__init__", "mathml", "unicode", "page", "mistakes", "needed")),
)
LECTURES = "theory_jax/lectures/**/*.py"
OF_THE_PAGE = ("page.js", "worker.js", "page.css")
WARMED = "latent/elbo diffusion/forward_process"  # lectures whose chains are run before the memory is kept
PLACE = "run"  # in the book
SECONDS = 1200


class Absent(Exception):
    """The book cannot have this part; in words, why."""


def added(html):
    """Add the part to a built book, and return what was done in one line.  Raises Absent if it cannot be made."""
    folder = packed()
    place = f"{PLACE}/{folder.name.rpartition('-')[2]}"
    target = Path(html) / place
    shutil.copytree(folder, target)
    for name in OF_THE_PAGE:
        shutil.copyfile(HERE / name, target / name)
    pages = sorted((Path(html) / "topics").rglob("*.html"))
    for page in pages:
        topic = page.relative_to(Path(html) / "topics").with_suffix("").as_posix()
        text = page.read_text(encoding="utf-8")
        page.write_text(led(text, os.path.relpath(target, page.parent), topic), encoding="utf-8")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return f"{len(pages)} lectures run in the page, {size / 2**20:.0f} MiB of files"


def led(text, there, topic):
    """A page with the script that adds its buttons, and a policy that lets nothing come from elsewhere."""
    inline = re.findall(r"(?s)<script>(.*?)</script>", text)
    allowed = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in inline)
    policy = (
        f"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; "
        f"script-src 'self' 'wasm-unsafe-eval' {allowed}; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    tail = f'<link rel="stylesheet" href="{there}/page.css"><script defer src="{there}/page.js" data-topic="{topic}"></script>'
    return re.sub(r"(<meta charset=[^>]*>)", rf"\1{head}", text, count=1).replace("</head>", f"{tail}</head>", 1)


# ---------------------------------------------------------------------------------------------------- what is loaded


def packed():
    """The folder in the cache of what the browser loads, made if the sources have changed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node:
        raise Absent("node is not installed")
    with tempfile.TemporaryDirectory() as work:
        sources, out = Path(work) / "sources", Path(work) / "out"
        collect(sources)
        kept = CACHE / f"in_the_page-{_digest(sources)}"
        if kept.is_dir():
            return kept
        pyodide, libraries = Path(work) / "pyodide", Path(work) / "libraries"
        unpack(archive(npm), pyodide)
        for name in LIBRARIES:
            shutil.copytree(_folder(name), libraries / name, ignore=_not_loaded)
        for path in _folder("latex2mathml").parent.glob("latex2mathml-*.dist-info/METADATA"):  # it reads its own version
            (libraries / path.parent.name).mkdir()
            shutil.copyfile(path, libraries / path.parent.name / path.name)
        out.mkdir()
        words = [node, HERE / "make.mjs", pyodide, sources, libraries, out, WARMED]
        try:
            made = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Absent(f"node has not made its files within {SECONDS} s") from None
        if made.returncode:
            errors = [line for line in made.stderr.splitlines() if "Error" in line and len(line) < 300]
            raise Absent(f"node has failed: {(errors or ['no words'])[-1]}")
        (out / "pyodide").mkdir()
        for name in OF_PYODIDE:
            shutil.copyfile(pyodide / name, out / "pyodide" / name)
        _without_packages(out / "pyodide" / "pyodide-lock.json")
        return _kept(out, kept)


def collect(folder):
    """Copy the machinery, the lectures and their constants to a folder."""
    for pattern in (*MACHINERY, LECTURES):
        for path in sorted(ROOT.glob(pattern)):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (folder / "constants.json").write_text(json.dumps(constants(folder), sort_keys=True), encoding="utf-8")


def constants(folder):
    """{module: {name: value}} of the numbers and texts that files of a folder import from modules that are not in it."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(("theory_jax.", "shared_specs.")):
                continue
            if (folder / f"{node.module.replace('.', '/')}.py").exists():
                continue
            for name in (alias.name for alias in node.names):
                value = getattr(import_module(node.module), name, None)
                if _is_constant(value):
                    found.setdefault(node.module, {})[name] = value
    return found


def _is_constant(value):
    if isinstance(value, tuple | list):
        return all(map(_is_constant, value))
    return isinstance(value, int | float | str) or isinstance(value, dict) and all(map(_is_constant, value.values()))


def archive(npm):
    """The archive of Pyodide, from the cache or from the npm registry."""
    kept = CACHE / f"pyodide-{PYODIDE}.tgz"
    if not kept.is_file():
        if not npm:
            raise Absent("npm is not installed")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            words = [npm, "pack", f"pyodide@{PYODIDE}", "--silent", "--pack-destination", work]
            try:
                got = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, cwd=work)
            except subprocess.TimeoutExpired:
                raise Absent(f"npm has not fetched Pyodide {PYODIDE} within {SECONDS} s") from None
            files = list(Path(work).glob("*.tgz"))
            if got.returncode or not files:
                raise Absent(f"npm cannot fetch Pyodide {PYODIDE}; is there a network?")
            check(files[0])
            files[0].replace(kept)
    return check(kept)


def check(path):
    """The path, if its file has the checksum."""
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != CHECKSUM:
        raise Absent(f"{path} has another checksum than Pyodide {PYODIDE}: delete it")
    return path


def unpack(path, folder):
    """The files of Pyodide that the page needs."""
    folder.mkdir()
    with tarfile.open(path) as files:
        for name in (*OF_PYODIDE, "package.json"):
            (folder / name).write_bytes(files.extractfile(f"package/{name}").read())


def _without_packages(lock):
    """The list of Pyodide's own packages, 119 KB, of which none is loaded."""
    lock.write_text(json.dumps(json.loads(lock.read_text(encoding="utf-8")) | {"packages": {}}), encoding="utf-8")


def _folder(library):
    return Path(find_spec(library).origin).parent


def _not_loaded(folder, names):
    return [name for name in names if name in NOT_LOADED or Path(name).suffix in (".so", ".c", ".pyi", ".pyx")]


def _digest(folder):
    """Of everything that is packed."""
    digest = hashlib.sha256(f"{PYODIDE} {WARMED} {[import_module(name).__version__ for name in ('sympy', 'mpmath')]}".encode())
    for path in [*sorted(folder.rglob("*.*")), *(HERE / name for name in ("make.mjs", *OF_THE_PAGE))]:
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _kept(out, kept):
    """The folder moved into the cache, in place of older ones."""
    for old in CACHE.glob("in_the_page-*"):
        shutil.rmtree(old, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.move(out, kept)
    return kept
