"""A user's file as an implementation under test: its functions by catalogue name, its backend by what they return."""

import importlib.util
import inspect
import sys
from pathlib import Path

from shared_specs.check import MISSING, check_topic, spec_of
from shared_specs.implementation import Fault, Implementation, MissingFunction, detect_backend
from shared_specs.rows import Agree


def load_module(path):
    """The module in a Python file.  Raises Fault, in one line, if there is none or it does not load."""
    path = Path(path)
    if not path.is_file():
        raise Fault(f"{path} is not a file; give a Python file that defines functions by their catalogue names")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        raise Fault(f"{path} is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise Fault(f"{path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise Fault(f"{path} does not load: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def functions_of(topic):
    """The names that a topic's rows are about, in the order of the spec, each with the row that shows a first call."""
    first = {}
    for row in spec_of(topic):
        if isinstance(row, Agree):
            first.setdefault(row.function, row)
    return first


def defined_in(module, topic):
    """Those of the topic's functions that the module defines."""
    return [name for name in functions_of(topic) if inspect.isfunction(getattr(module, name, None))]


def implementation_of(module, topic, precision):
    """The module's functions as one implementation.  Raises Fault if it mixes JAX and PyTorch, or a first call fails."""
    rows = functions_of(topic)
    detected: dict[str, str] = {}
    for name in defined_in(module, topic):
        arguments = rows[name].given.draw(f"{topic}/{name}/{rows[name].case}")
        try:
            detected[name] = detect_backend(getattr(module, name), arguments)
        except Fault as fault:
            raise Fault(f"{name}: {fault}") from fault
    frameworks = {backend for backend in detected.values() if backend != "numpy"}
    if len(frameworks) > 1:
        raise Fault(f"{module.__file__} mixes backends ({detected}); check one backend at a time")

    def find(name):
        if name not in detected:
            raise MissingFunction(name)
        return getattr(module, name)

    return Implementation(find, frameworks.pop() if frameworks else "numpy", precision)


def examples(topic):
    """A few of the names that were looked for."""
    return ", ".join(list(functions_of(topic))[:3])


def check_file(path, topics, *, strict):
    """(results, topics touched, remarks) of a user's file, in float64 and float32.

    Functions that the file lacks are left out, and said. Bad input that the file accepts is a remark unless strict.
    """
    module = load_module(path)
    touched = [topic for topic in topics if defined_in(module, topic)]
    results, remarks = [], []
    for topic in touched:
        for precision in ("float64", "float32"):
            results += check_topic(topic, implementation_of(module, topic, precision))
        lacking = [name for name in functions_of(topic) if name not in defined_in(module, topic)]
        if lacking:
            remarks.append(f"{topic}: not in {path}, so not checked: {', '.join(lacking)}")
    results = [result for result in results if result.quantity != MISSING]
    if any(result.backend == "numpy" for result in results):
        remarks.append("NumPy has no gradients: values are checked, gradients are not")
    if not strict:
        accepted = dict.fromkeys(f"{r.function} ({r.case})" for r in results if r.word == "Rejects" and not r.passed)
        results = [r for r in results if r.word != "Rejects" or r.passed]
        if accepted:
            remarks.append(f"does not refuse bad input as the wings do (--strict counts it): {', '.join(accepted)}")
    return results, touched, remarks
