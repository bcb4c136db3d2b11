"""A user's functions in place of a wing: any callable, each in its own backend, called by the user's names."""

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from shared_specs.backends import backend, installed
from shared_specs.checking.arguments import Arguments, Arrays, Key
from shared_specs.checking.implementation import Fault, Implementation, MissingFunction, NoGradients, detect_backend
from shared_specs.grading.declared import signature, wanted
from shared_specs.grading.user_file import in_one_line
from shared_specs.rows import Agree, Anchor, Model, Rejects, Row


@dataclass(frozen=True)
class Terms:
    """Options for checking a user's file.

    renamed: the user's name for a function or an argument of the contracts. constant: arguments that are never differentiated.
    memory: bytes for one call, beyond what the process uses when it begins; None for no limit. recorded: whether recorded
    answers judge, and not JAX; then values_only must hold.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    precisions: tuple[str, ...] = ("float64", "float32")
    values_only: bool = False
    constant: tuple[str, ...] = ()
    memory: int | None = None
    recorded: bool = False


class NotOffered(MissingFunction):
    """The function raises NotImplementedError: the case is skipped and counted."""

    def __init__(self, name: str, error: BaseException) -> None:
        Fault.__init__(self, f"{name} does not offer this case ({in_one_line(error)})")


class Offered:
    """A module's content for one topic: functions and networks by the contracts' names, each function with its backend."""

    def __init__(self, module: ModuleType, topic: str, rows: Sequence[Row], terms: Terms) -> None:
        self.topic, self.terms, self.rows = topic, terms, rows
        asked = dict.fromkeys(name for row in rows if (name := getattr(row, "function", None)))
        self.functions = {name: found for name in asked if callable(found := self._named(module, name))}
        self.lacking = [name for name in asked if name not in self.functions]
        networks = dict.fromkeys(row.network for row in rows if isinstance(row, Model))
        self.networks = {name: found for name in networks if callable(found := self._named(module, name))}
        self.backends = {}
        self.not_offered = set()  # "function (case)" where it raised NotImplementedError
        self._adapted = {
            name: adapted(function, signature(topic, name), terms.renamed) for name, function in self.functions.items()
        }

    def _named(self, module, name):
        return getattr(module, self.terms.renamed.get(name, name), None)

    def takes(self, ours: str, yours: str) -> bool:
        """Whether one of the functions has the contracts' argument under the user's name."""
        return any(
            ours in signature(self.topic, name).parameters and yours in _parameters(function)
            for name, function in self.functions.items()
        )

    def adapted(self, name: str) -> Callable:
        """The function as the contracts call it.  Raises MissingFunction."""
        if name not in self._adapted:
            raise MissingFunction(name)
        return self._adapted[name]

    def backend_of(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> str:
        """The backend of a function by the type of its first result.  Raises Fault if it does not."""
        function = self.adapted(name)
        if name not in self.backends:
            try:
                self.backends[name] = detect_backend(function, arguments, positional, origin=self.functions[name])
            except Fault as fault:
                raise Fault(f"{fault}; wanted {wanted(self.topic, name)}") from fault
        return self.backends[name]

    def implementation(self, row: Row, precision: str) -> "Foreign":
        """The functions as the implementation that one row is about."""
        return Foreign(self, row, precision)

    def detect(self) -> None:
        """Finds the backend of every function on the first of its cases that it answers."""
        if self.terms.memory is not None:
            for name in installed():
                backend(name)  # what a framework maps when it loads is not the file's memory
        for row in self.rows:
            if isinstance(row, Agree | Anchor) and row.function in self.functions and row.function not in self.backends:
                with contextlib.suppress(Fault):
                    self.implementation(row, "float64").first_call()


class Foreign:
    """Offered functions with the interface of shared_specs.checking.implementation.Implementation.

    Gradients in log-probabilities are compared along the simplex: a library that normalizes inside has another gradient off it.
    """

    along_simplex = True
    names_only_argument = True
    eager = property(lambda self: self)

    def __init__(self, offered: Offered, row: Row, precision: str) -> None:
        self._offered, self._row, self.precision = offered, row, precision
        self._name = getattr(row, "function", None)

    @property
    def backend(self) -> "_Named":
        """Backend of the row's function; for a law, the backends common to its functions."""
        found = self._offered.backends
        names = sorted(set(found.values())) if self._name is None else [found.get(self._name, "unknown")]
        return _Named("+".join(names) or "unknown")

    @property
    def has_gradients(self) -> bool:
        """Whether gradients of the row's function are available and compared."""
        name = self._offered.backends.get(self._name)
        return name is not None and backend(name).has_gradients and not self._offered.terms.values_only

    def network(self, name: str) -> Callable:
        """The constructor of a network.  Raises MissingFunction if there is none."""
        if name not in self._offered.networks:
            raise MissingFunction(name)
        return self._offered.networks[name]

    def first_call(self) -> None:
        """Call the row's function once to find its backend."""
        arguments = self._row.given.draw(f"{self._offered.topic}/{self._name}/{self._row.case}")
        with self._guarded(self._name):
            self._offered.backend_of(self._name, arguments)

    def call(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> Arrays:
        """The results as a tuple of NumPy arrays."""
        with self._guarded(name):
            return self._in_its_backend(name, arguments, positional).call(name, arguments, positional)

    def plain_call(self, name: str, arguments: Arguments, computed: Arrays | None = None) -> Arrays:
        """The same as `call`: functions of a user are never compiled here."""
        return self.call(name, arguments)

    def value_and_vjp(
        self, name: str, arguments: Arguments, paths: Sequence[Key], cotangents: Sequence[np.ndarray]
    ) -> tuple[Arrays, Arrays]:
        """The results, and for each path the gradient of sum <cotangent, result>."""
        with self._guarded(name):
            return self._in_its_backend(name, arguments).value_and_vjp(name, arguments, paths, cotangents)

    def jacobian(self, name: str, positional: Sequence[Any], keywords: Arguments, wrt: int) -> np.ndarray:
        """The Jacobian of the first result with respect to the positional argument wrt."""
        terms = self._offered.terms
        if terms.values_only or list(signature(self._offered.topic, name).parameters)[wrt] in terms.constant:
            raise NoGradients(name)
        with self._guarded(name):
            return self._in_its_backend(name, keywords, positional).jacobian(name, positional, keywords, wrt)

    def _in_its_backend(self, name, arguments, positional=()):
        return Implementation(self._offered.adapted, self._offered.backend_of(name, arguments, positional), self.precision)

    @contextlib.contextmanager
    def _guarded(self, name):
        """Turn exceptions of a user's function into a one-line verdict; a requested ValueError is kept."""
        try:
            with limited(self._offered.terms.memory):
                yield
        except (Fault, NoGradients, KeyboardInterrupt):
            raise
        except NotImplementedError as error:
            self._offered.not_offered.add(f"{name} ({self._row.case})")
            raise NotOffered(name, error) from error
        except BaseException as error:
            if isinstance(error, ValueError) and isinstance(self._row, Rejects):
                raise
            raise Fault(f"raised {in_one_line(error)}; wanted {wanted(self._offered.topic, name)}") from error


@dataclass(frozen=True)
class _Named:
    name: str


def adapted(function: Callable, house: inspect.Signature, renamed: dict[str, str]) -> Callable:
    """The function, wrapped to take the contracts' arguments: by the user's names, or by position if it has no names."""
    theirs = _parameters(function)
    by_position = not theirs or any(p.kind is p.POSITIONAL_ONLY for p in theirs.values())
    anything = any(p.kind is p.VAR_KEYWORD for p in theirs.values())

    def theirs_for(ours):
        yours = renamed.get(ours, ours)
        return yours if yours in theirs or (anything and ours not in theirs) or not theirs else ours

    def call(*positional, **keywords):
        given = house.bind(*positional, **keywords).arguments
        ordered = [name for name in given if house.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        first = [given.pop(name) for name in (ordered if by_position else ordered[: len(positional)])]
        if by_position or not (anything or all(theirs_for(name) in theirs for name in ordered)):
            return function(*first, **{theirs_for(name): value for name, value in given.items()})
        # Known by name: then their order may be another one.
        return function(**{theirs_for(name): value for name, value in (dict(zip(ordered, first, strict=False)) | given).items()})

    return call


def _parameters(function):
    """The function's parameters by name; none where Python cannot tell them (builtins, compiled code)."""
    forward = getattr(function, "forward", None)  # a torch.nn.Module's own call takes anything
    try:
        return inspect.signature(forward if callable(forward) else function).parameters
    except (TypeError, ValueError):
        return {}


@contextlib.contextmanager
def limited(extra: int | None) -> Iterator[None]:
    """Limit the process to this many bytes beyond its present mapping, within the block. Linux only."""
    if extra is None:
        yield
        return
    import resource

    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def can_limit_memory() -> bool:
    """Whether `limited` works on this system."""
    return sys.platform == "linux"
