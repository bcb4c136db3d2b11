"""Checkpoints: tensors as safetensors beside a manifest with checksums; written aside, synced, renamed. Nothing is unpickled.

    checkpoints/step-00000400/state.safetensors     every tensor of the run's state
                              manifest.json         step, whose run it is, small facts; size and SHA-256 of the tensors' file
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from practice_torch.engine.errors import RunError

FORMAT, VERSION = "diptych checkpoint", 1
KEEP = 2  # the newest, and one before it, should the newest turn out damaged
STATE, MANIFEST = "state.safetensors", "manifest.json"
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save's archive, and bare pickles


def save(folder: str | Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
    """Write one checkpoint atomically, and delete all but the newest two. Returns its path."""
    folder = Path(folder)
    state = safetensors.torch.save(_unshared(tensors))
    manifest = {"format": FORMAT, "version": VERSION, "step": step, "facts": facts}
    manifest["files"] = {STATE: {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}}
    manifest["sha256"] = _digest(manifest)
    final, aside, old = (folder / f"{prefix}{step:08d}" for prefix in ("step-", ".writing-", ".replaced-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        _write(aside / STATE, state)
        _write(aside / MANIFEST, json.dumps(manifest, indent=1).encode())
        _sync(aside)
        if final.exists():  # a damaged one, from which this run could not go on
            final.rename(old)
        aside.rename(final)
        _sync(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise RunError(f"cannot write the checkpoint {final}: {error.strerror}; earlier checkpoints are untouched") from error
    _drop_all_but(folder, final)
    return final


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, facts) of one checkpoint. RunError describes a damaged one in one line."""
    path = Path(path)
    manifest = _manifest(path)
    expected = manifest["files"][STATE]
    state = _read(path / STATE)
    _refuse_pickle(path / STATE, state)
    if len(state) != expected["bytes"]:
        sizes = f"{len(state)} bytes instead of {expected['bytes']}"
        raise RunError(f"{path / STATE} has {sizes}: the file is truncated or replaced")
    if hashlib.sha256(state).hexdigest() != expected["sha256"]:
        raise RunError(f"{path / STATE} does not match its SHA-256: the file is corrupt")
    try:
        tensors = safetensors.torch.load(state)
    except safetensors.SafetensorError as error:
        raise RunError(f"{path / STATE} is not safetensors ({error}): the file is corrupt") from None
    return tensors, manifest["facts"] | {"step": manifest["step"]}


def newest(
    folder: str | Path, say: Callable[[str], None], require_sound: Callable[[dict, dict], None] = lambda tensors, facts: None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, facts) of the newest valid checkpoint; every newer one that is skipped is reported to `say`.

    A whole checkpoint can still hold what no run can go on from: require_sound(tensors, facts) raises a RunError that says so,
    worded to follow the checkpoint's path.
    """
    paths = sorted(Path(folder).glob("step-*"), reverse=True)
    if not paths:
        raise RunError(f"{folder} holds no checkpoint yet")
    damage = []
    for path in paths:
        try:
            tensors, facts = load(path)
        except RunError as error:
            damage.append(str(error))
            continue
        try:
            require_sound(tensors, facts)
        except RunError as error:
            damage.append(f"{path} {error}")
            continue
        for line in damage:
            say(f"{line}; going back to {path.name}")
        return tensors, facts
    raise RunError(damage[0] if len(damage) == 1 else f"{damage[0]} (and none of the {len(damage) - 1} older ones is valid)")


def _manifest(path):
    if path.is_file():
        _refuse_pickle(path, path.read_bytes()[:4])
        raise RunError(f"{path} is a file; a checkpoint is a folder with {MANIFEST} and {STATE}")
    text = _read(path / MANIFEST)
    _refuse_pickle(path / MANIFEST, text)
    try:
        manifest = json.loads(text)
        digest = _digest(manifest) if isinstance(manifest, dict) else None
    except (ValueError, RecursionError):  # no manifest is nested deeply enough for the second
        raise RunError(f"{path / MANIFEST} is not JSON: the file is corrupt") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RunError(f"{path / MANIFEST} was not written by this engine (its format is not {FORMAT!r})")
    if manifest.get("version") != VERSION:
        raise RunError(f"{path / MANIFEST} has version {manifest.get('version')}; this engine reads version {VERSION}")
    if manifest.get("sha256") != digest:
        raise RunError(f"{path / MANIFEST} does not match its own SHA-256: the file is corrupt")
    files = manifest.get("files")
    file = files.get(STATE) if isinstance(files, dict) else None
    whole = type(manifest.get("step")) is int and manifest["step"] >= 0 and isinstance(manifest.get("facts"), dict)
    if not whole or not isinstance(file, dict) or not {"bytes", "sha256"} <= file.keys():
        raise RunError(f"{path / MANIFEST} lacks its step, facts or file sizes: the checkpoint is incomplete")
    return manifest


def _read(file):
    try:
        return file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror}; the checkpoint is incomplete") from None


def _refuse_pickle(file, content):
    if content.startswith(PICKLES):
        raise RunError(f"{file} is a pickle, which could run any code when read; only safetensors are read here")


def _digest(manifest):
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _unshared(tensors):
    """Contiguous, on the CPU, and no two in the same memory (tied weights are stored twice; safetensors has no aliases)."""
    seen, result = set(), {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        result[name] = tensor.clone() if address in seen else tensor
        seen.add(address)
    return result


def _write(file, content):
    with open(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_all_but(folder, newest):
    """Checkpoints with a higher step than the newest are the damaged ones it was made to replace."""
    with contextlib.suppress(OSError):
        kept = sorted(path for path in folder.glob("step-*") if path.name <= newest.name)[-KEEP:]
        for path in [*folder.glob("step-*"), *folder.glob(".writing-*"), *folder.glob(".replaced-*")]:
            if path not in kept:
                shutil.rmtree(path)
