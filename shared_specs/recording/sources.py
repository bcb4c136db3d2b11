"""What a recording was computed from: the texts of the contracts and of the theory wing's functions, as one digest."""

import hashlib
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared_specs", "theory_jax")
IMPORT = re.compile(rf"(?m)^ *(?:from|import) +((?:{'|'.join(PACKAGES)})(?:\.\w+)*)(?: +import +(\([^)]*\)|[^\n]*))?")
LEFT_OUT = ("theory_jax.arguments",)  # checks of arguments, which compute nothing that is recorded


def digest(topic: str) -> str:
    """The SHA-256 of the topic's contracts and functions, and of every module of both packages that these import."""
    beginnings = [f"{package}.{topic.replace('/', '.')}" for package in PACKAGES]
    todo, texts = beginnings, {}
    while todo:
        module = todo.pop()
        if module not in texts and module not in LEFT_OUT and (found := _text_and_imports(module)):
            texts[module], imported = found
            todo += imported
    total = hashlib.sha256()
    for module in sorted(texts):
        total.update(f"{module}\n{texts[module]}\n".encode())
    return total.hexdigest()


@cache
def _text_and_imports(module):
    """A module's text, and the modules that it imports, anywhere: of `from a import b` both a and a.b. None if it has no file."""
    top, *below = module.split(".")
    path = ROOT.joinpath(top, *below).with_suffix(".py")
    if top not in PACKAGES or not below or not path.is_file():
        return None
    text, imported = path.read_text(encoding="utf-8"), []
    for module, names in IMPORT.findall(text):  # ast finds the same modules, four times as slowly
        imported += [module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))]
    return text, imported
