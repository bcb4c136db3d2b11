"""A call's arguments as JSON and raw arrays: plain values, arrays, tuples, lists, dictionaries, and a spec's own functions.

A function travels as its code, with the global names that the code reads, its closure and its defaults, packed in the same way:
the process that unpacks it needs no module of the spec, and sees none.

cloudpickle would send 646 of the 712 functions in the specs' rows by the names of their modules, which are not there, and the
others with the path of their file, which is hidden from the graded file.
"""

import base64
import builtins
import dis
import marshal
from collections.abc import Sequence
from importlib import import_module
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from shared_specs.complex_pair import Complex

MODULES = ("numpy", "math")


class Packer:
    """Packs values; `arrays` and `functions` hold the objects referred to by number, each function once."""

    def __init__(self) -> None:
        self.arrays = []
        self.functions = []
        self._numbers = {}

    def pack(self, value: Any) -> dict[str, Any]:
        """The value as JSON.  Raises TypeError if it cannot be sent."""
        if isinstance(value, np.ndarray | np.generic):
            self.arrays.append(np.asarray(value))
            return {"array" if isinstance(value, np.ndarray) else "number": len(self.arrays) - 1}
        if isinstance(value, tuple | list):
            return {type(value).__name__: [self.pack(part) for part in value]}
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return {"dict": {name: self.pack(part) for name, part in value.items()}}
        if isinstance(value, FunctionType):
            return {"function": self._function(value)}
        if value is Complex:
            return {"class": "Complex"}
        if isinstance(value, ModuleType) and value.__name__ in MODULES:
            return {"module": value.__name__}
        if value is None or isinstance(value, bool | int | float | str):
            return {"value": value}
        raise TypeError(f"a {type(value).__name__} cannot be sent to another process")

    def _function(self, function):
        if id(function) not in self._numbers:
            number = self._numbers[id(function)] = len(self.functions)
            self.functions.append(None)  # its place, should it call itself
            known = function.__globals__
            self.functions[number] = {
                "code": base64.b64encode(marshal.dumps(_anonymous(function.__code__))).decode(),
                "globals": {name: self.pack(known[name]) for name in sorted(_names(function.__code__)) if name in known},
                "closure": [self.pack(cell.cell_contents) for cell in function.__closure__ or ()],
                "defaults": self.pack(function.__defaults__),
                "keyword_defaults": self.pack(function.__kwdefaults__),
            }
        return self._numbers[id(function)]


def _names(code):
    """The names that a function's code may read from its module, those of the functions inside it among them."""
    inside = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    here = (step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return set(here).union(*map(_names, inside))


def _anonymous(code):
    """The code without the path of the file that it comes from."""
    constants = tuple(_anonymous(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="<spec>", co_consts=constants)


class Unpacker:
    """The inverse of Packer."""

    def __init__(self, arrays: Sequence[np.ndarray], functions: Sequence[dict[str, Any]]) -> None:
        self._arrays = arrays
        self._functions = functions
        self._made = {}

    def unpack(self, packed: dict[str, Any]) -> Any:
        """The value that was packed."""
        ((kind, content),) = packed.items()
        if kind == "array":
            return self._arrays[content]
        if kind == "number":
            return self._arrays[content][()]
        if kind in ("tuple", "list"):
            return {"tuple": tuple, "list": list}[kind](self.unpack(part) for part in content)
        if kind == "Complex":
            return Complex(*map(self.unpack, content))
        if kind == "class":
            return Complex
        if kind == "dict":
            return {name: self.unpack(part) for name, part in content.items()}
        if kind == "function":
            return self._function(content)
        return import_module(content) if kind == "module" else content

    def _function(self, number):
        if number not in self._made:
            packed = self._functions[number]
            code = marshal.loads(base64.b64decode(packed["code"]))
            cells = tuple(CellType() for _ in packed["closure"])
            function = FunctionType(code, {"__builtins__": builtins}, closure=cells)
            self._made[number] = function
            function.__globals__.update({name: self.unpack(part) for name, part in packed["globals"].items()})
            for cell, part in zip(cells, packed["closure"], strict=True):
                cell.cell_contents = self.unpack(part)
            function.__defaults__ = self.unpack(packed["defaults"])
            function.__kwdefaults__ = self.unpack(packed["keyword_defaults"])
        return self._made[number]
