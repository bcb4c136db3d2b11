"""python -m tests.support.functions_alone : import every function of the theory wing and call each, without the lectures.

Prints as JSON what was loaded and what came back.
"""

import json
import sys
import warnings
from importlib import import_module

import numpy as np

from shared_specs.rows import Agree
from shared_specs.syllabus import load


def main():
    modules = [import_module("theory_jax." + topic.path.replace("/", ".")) for topic in load().built]
    import jax

    found = {
        "loaded": sorted(name for name in sys.modules if name == "sympy" or name.startswith("theory_jax.lectures")),
        "float64": jax.config.jax_enable_x64,
        "made at import": [f"{m.__name__}.{name}" for m in modules for name, it in vars(m).items() if isinstance(it, jax.Array)],
    }
    warnings.simplefilter("error", UserWarning)  # JAX's, that a float64 or an int64 that a function asks for is not to be had
    found["faults"] = [words for module in modules for words in _faults(module)]
    print(json.dumps(found))


def _faults(module):
    """Faults of the answers to the first row of every function, in float32 and int32."""
    rows = import_module(module.__name__.replace("theory_jax", "shared_specs")).SPEC
    first = {row.function: row for row in reversed(rows) if isinstance(row, Agree)}
    for name, row in first.items():
        try:
            types = _types(getattr(module, name), row.given.draw("functions alone"))
        except Exception as error:
            yield f"{module.__name__}.{name} raises {type(error).__name__}: {error}"
        else:
            if wide := types - {"float32", "complex64", "int32", "uint8", "bool"}:
                yield f"{module.__name__}.{name} returns {', '.join(sorted(wide))}"


def _types(function, arguments):
    from shared_specs.backends.jax_eager import by_numpy  # compiles nothing
    from shared_specs.checking.arguments import by_parts, leaves, mapped

    with by_numpy():
        answer = by_parts(function)(**mapped(arguments, lambda _, leaf: _narrow(leaf)))
    return {str(leaf.dtype) for _, leaf in leaves(answer) if hasattr(leaf, "dtype")}


def _narrow(leaf):
    import jax

    if not isinstance(leaf, np.ndarray | np.floating):
        return leaf
    array = np.asarray(leaf)
    narrow = {"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype)
    return jax.device_put(array.astype(narrow))


if __name__ == "__main__":
    main()
