"""The contracts as files, for any language: inputs, float64 answers, gradients and tolerances, with checksums.

DIR/manifest.json                    schema version, and the SHA-256 of every other file
DIR/schema.json                      the JSON Schema of the cases and of the manifest
DIR/<family>/<topic>.safetensors     the arrays
DIR/<family>/<topic>.json            the cases: which array is which argument, result, cotangent, gradient and tolerance
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared_specs.checking.arguments import dotted, leaves
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Fault
from shared_specs.checking.reference import wing
from shared_specs.commands.bug_kinds import kind_of
from shared_specs.rows import Agree, Anchor, Complex

VERSION = 2  # of the format: 2 gave every near miss its kind
SCHEMA = Path(__file__).with_name("vectors.schema.json")


def export(topics: Sequence[str], directory: Path, progress: Callable[[str], Any] = lambda topic: None) -> dict[str, Any]:
    """Write the Agree and Anchor rows of the topics.  Raises Fault if the directory is in use or cannot be written.

    Everything is written next to the directory first, and renamed when it is whole.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Fault(f"{directory} exists and is not an empty folder; name a new one")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = directory.parent / f".{directory.name}-{os.getpid()}"
        building.mkdir()
    except OSError as error:
        raise Fault(f"cannot write below {directory.parent}: {error.strerror}") from error
    try:
        for topic in topics:
            progress(topic)
            _write_topic(topic, building)
        shutil.copyfile(SCHEMA, building / "schema.json")
        files = sorted(path for path in building.rglob("*") if path.is_file())
        manifest = {
            "schema": VERSION,
            "topics": list(topics),
            "files": {str(path.relative_to(building)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        }
        (building / "manifest.json").write_text(json.dumps(manifest, indent=1))
        os.replace(building, directory)
    except OSError as error:
        raise Fault(f"cannot write {directory}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _write_topic(topic, directory):
    from safetensors.numpy import save

    arrays, cases, left_out = {}, [], []
    checkers = {precision: Checker(topic, wing("torch", topic, precision)) for precision in ("float64", "float32")}
    for row in spec_of(topic):
        if not isinstance(row, Agree | Anchor):
            continue
        if any(callable(leaf) for _, leaf in leaves(row.given.draw(""))):
            left_out.append({"function": row.function, "case": row.case, "because": "an argument is or contains a function"})
            continue
        keep = _keeper(arrays, len(cases))
        cases.append(_agree(row, checkers, keep) if isinstance(row, Agree) else _anchor(topic, row, keep))
    path = directory / f"{topic}.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(save(arrays))  # save_file sets the file's mode and ignores the umask
    content = {"topic": topic, "cases": cases, "left_out": left_out}
    path.with_suffix(".json").write_text(json.dumps(content, indent=1, allow_nan=False))


def _agree(row, checkers, keep):
    asked = {precision: checker.measure(row) for precision, checker in checkers.items()}
    truth = asked["float64"]

    def by_key(name, keys, values):
        return {dotted(key): keep(f"{name}.{dotted(key)}", value) for key, value in zip(keys, values, strict=True)}

    return {
        "kind": "agree",
        "function": row.function,
        "case": row.case,
        "arguments": {name: _argument(keep, name, value) for name, value in truth.arguments.items()},
        "results": [keep(f"result.{i}", a) for i, a in enumerate(truth.wanted)],
        "tolerances": {p: [keep(f"tolerance.{p}.{i}", a) for i, a in enumerate(m.limits)] for p, m in asked.items()},
        "cotangents": [keep(f"cotangent.{i}", a) for i, a in enumerate(truth.cotangents)],
        "gradients": by_key("gradient", truth.keys, truth.gradients),
        "gradient_tolerances": {p: by_key(f"gradient_tolerance.{p}", m.keys, m.gradient_limits) for p, m in asked.items()},
    }


def _anchor(topic, row, keep):
    def all_of(name, value):
        parts = value if isinstance(value, tuple) else (value,)
        return [keep(f"{name}.{i}", np.asarray(part, dtype=np.float64)) for i, part in enumerate(parts)]

    given = row.given.draw(f"{topic}/{row.function}/{row.case}")
    return {
        "kind": "anchor",
        "function": row.function,
        "case": row.case,
        "source": row.source,
        "arguments": {name: _argument(keep, name, value) for name, value in given.items()},
        "results": all_of("result", row.gives),
        "near_misses": {
            mistake: {"kind": kind_of(mistake, value, row.gives), "results": all_of(f"near_miss.{i}", value)}
            for i, (mistake, value) in enumerate(row.near_misses.items())
        },
    }


def _keeper(arrays, number):
    """keep(name, array) -> the key under which the array is stored."""

    def keep(name, array):
        key = f"{number}.{name}"
        arrays[key] = np.asarray(array, order="C")  # ascontiguousarray would give a scalar an axis
        return key

    return keep


def _argument(keep, name, value):
    """An array's key; the parts of a complex array, a tuple or a dictionary; or the plain value."""
    if isinstance(value, np.ndarray):
        return {"array": keep(f"argument.{name}", value)}
    if isinstance(value, Complex):
        return {"complex": [_argument(keep, f"{name}.{part}", getattr(value, part)) for part in value._fields]}
    if isinstance(value, tuple):
        return {"tuple": [_argument(keep, f"{name}.{i}", part) for i, part in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {key: _argument(keep, f"{name}.{key}", part) for key, part in value.items()}}
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}  # JSON has no infinity
    return {"value": value}
