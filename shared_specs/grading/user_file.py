"""Loads a user's Python file as a module; it can import files of its folder, which never replace a library."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from shared_specs.checking.implementation import Fault
from shared_specs.commands.extras import without_framework

# The package that represents the file's folder: the file is its submodule, so `from .neighbor import x` finds the neighbor.
PACKAGE = "user_folder"


def libraries_first(folder: str | Path) -> None:
    """Appends a folder to the path: its modules are found, but a torch.py or random.py in it does not hide a library."""
    folder = Path(folder).resolve()
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != folder] + [str(folder)]


def load_module(path: str | Path) -> ModuleType:
    """The module in a Python file.  Raises Fault, in one line, if there is none or it does not load.

    The folder stays on the path: a function may import its neighbors when it is called.
    """
    path = Path(path)
    if not path.is_file():
        raise Fault(f"{path} is not a file; give a Python file that defines functions by the names of the contracts")
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]  # an earlier file's neighbors
    package = sys.modules[PACKAGE] = ModuleType(PACKAGE)
    package.__path__ = [str(path.parent.resolve())]
    spec = importlib.util.spec_from_file_location(f"{PACKAGE}.{path.stem}", path)
    if spec is None:
        raise Fault(f"{path} is not a Python file (its name must end in .py)")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    libraries_first(path.parent)
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except SyntaxError as error:
        raise Fault(f"{path}, line {error.lineno}: {error.msg}") from error
    except BaseException as error:  # sys.exit() at import, too
        raise Fault(without_framework(f"{path} does not load: {in_one_line(error)}")) from error
    return module


def in_one_line(error: BaseException) -> str:
    """TypeError: the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
