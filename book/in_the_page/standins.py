"""Stand-ins for what a lecture imports beside SymPy and the machinery of chains: it exists, and computes nothing.

JAX, NumPy and the modules of functions are stubs in the browser; the bodies that would call them (steps, bridges, figures,
exercises) never run there. A stub cannot enter an expression: SymPy refuses it. Numbers and texts that a lecture imports from
such a module are its own: `constants` has them.
"""

import dis
import importlib.abc
import importlib.machinery
import math
import sys
import types

ELSEWHERE = ("jax", "jaxlib", "numpy", "scipy", "flax", "optax", "matplotlib", "cycler", "sklearn", "jinja2")


class Thing:
    """An attribute of a stub: it can be called, indexed, compared and computed with, and gives another Thing."""

    def __init__(self, name="?"):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing(f"{self._name}.{name}")

    def __call__(self, *given, **more):
        if len(given) == 1 and callable(given[0]) and not isinstance(given[0], Thing) and "custom_" not in self._name:
            return given[0]  # a decorator; what jax.custom_jvp makes has methods that a function has not
        return Thing(f"{self._name}()")

    def __mro_entries__(self, bases):
        return (object,)

    def __iter__(self):  # `nodes, weights = ...` unpacks as many as it names; a loop has nothing to do
        caller = sys._getframe(1)
        operation, count = caller.f_code.co_code[caller.f_lasti : caller.f_lasti + 2]
        return iter([self] * count if dis.opname[operation] == "UNPACK_SEQUENCE" else ())

    def __hash__(self):
        return hash(self._name)

    def __float__(self):  # a line that used it would be finite nowhere, and refused
        return math.nan

    def _sympy_(self):  # SymPy calls it where a Thing would enter an expression
        raise TypeError(f"{self._name} is not in the page")


def _self(self, *_):
    return self


for _two in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "or", "and", "xor", "lshift", "rshift"):
    setattr(Thing, f"__{_two}__", _self)
    setattr(Thing, f"__r{_two}__", _self)
for _other in ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "getitem"):
    setattr(Thing, f"__{_other}__", _self)


class Stub(types.ModuleType):
    """A module of Things, and of the constants that it is given."""

    __path__ = ()
    __version__ = "0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing(f"{self.__name__}.{name}")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of these packages as stubs. constants: {module: {name: value}}."""

    def __init__(self, packages, constants):
        self._packages, self._constants = packages, constants

    def find_spec(self, name, path=None, target=None):
        """A spec for every module of the packages."""
        if name.partition(".")[0] in self._packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        vars(module).update(self._constants.get(module.__name__, {}))


def install(constants):
    """JAX and NumPy are stubs even where they are installed; a module of the project is one only where there is no file of it."""
    sys.meta_path.insert(0, Finder(ELSEWHERE, {}))
    sys.meta_path.append(Finder(("theory_jax", "shared_specs"), constants))
