"""Checkpoints: tensors as safetensors next to a manifest with checksums; written aside, synced, renamed. Nothing is unpickled.

    checkpoints/step-00000400/state.safetensors     every tensor of the run's state
                              manifest.json         step, identity of the run, small facts; size and SHA-256 of the tensors' files

Of a sharded model every process writes its part: state-00000.safetensors, state-00001.safetensors, ... by rank. A tensor that is
in several of them is cut along its first axis. The header records where each part begins, in torch.distributed.checkpoint's
form: its HuggingFaceStorageReader reads these files, too. Its writer is not used: it makes no checksums, does not sync, and
has a header in random order, so that equal states would not be equal bytes.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

import safetensors.torch
import torch
from torch import Tensor

from practice_torch.engine.errors import RunError

FORMAT, VERSION = "diptych checkpoint", 1
KEEP = 2  # the newest, and one before it, should the newest turn out damaged; next to those that are kept for good
STATE, MANIFEST = "state.safetensors", "manifest.json"
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save's archive, and bare pickles


T = TypeVar("T")


class Team(Protocol):
    """The processes that write a checkpoint together."""

    rank: int

    def all_gather(self, value: T) -> list[T]:
        """The values of all processes as a list by rank, in every process."""


ALONE = SimpleNamespace(rank=0, all_gather=lambda value: [value])


def save(
    folder: str | Path,
    step: int,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    offsets: Mapping[str, Sequence[int]] | None = None,
    keep_every: int = 0,
    team: Team = ALONE,
) -> Path:
    """Write one checkpoint atomically, and delete all but the newest two and those of every keep_every-th step. Returns its path.

    Several processes call this together. Without offsets rank 0 writes its tensors. With offsets (name -> where in the whole
    tensor this process's part begins) every process writes those that it has. A failure of one is a RunError in all.
    """
    folder = Path(folder)
    final, aside, old = (folder / f"{prefix}{step:08d}" for prefix in ("step-", ".writing-", ".replaced-"))

    def together(act, mine=True):
        """act() in each process with `mine`, with the results of all."""
        found = complaint = None
        try:
            found = act() if mine else None
        except OSError as error:
            complaint = error.strerror
        answers = team.all_gather((found, complaint))
        if complaints := [complaint for _, complaint in answers if complaint]:
            if team.rank == 0:
                shutil.rmtree(aside, ignore_errors=True)
            raise RunError(f"cannot write the checkpoint {final}: {complaints[0]}; earlier checkpoints are untouched")
        return [found for found, _ in answers if found]

    def begin():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()

    def write():
        name = STATE if offsets is None else f"state-{team.rank:05d}.safetensors"
        state = safetensors.torch.save(_unshared(tensors), _sharding(offsets))
        _write(aside / name, state)
        return name, {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}

    def finish(files):
        manifest = {"format": FORMAT, "version": VERSION, "step": step, "facts": facts, "files": dict(files)}
        manifest["sha256"] = _digest(manifest)
        _write(aside / MANIFEST, json.dumps(manifest, indent=1).encode())
        _sync(aside)
        if final.exists():  # a damaged one, from which this run could not go on
            final.rename(old)
        aside.rename(final)
        _sync(folder)
        _drop_all_but(folder, final, keep_every)

    first = team.rank == 0
    together(begin, first)
    files = together(write, bool(tensors) if offsets is not None else first)
    together(lambda: finish(files), first)
    return final


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, facts) of one checkpoint, with whole tensors also of a sharded run. RunError, in one line, if it is damaged."""
    path = Path(path)
    manifest, parts = _manifest(path), {}
    for name, expected in sorted(manifest["files"].items()):
        for key, tensor in _tensors(path / name, expected).items():
            parts.setdefault(key, []).append(tensor)
    try:
        tensors = {key: torch.cat(several) if several[1:] else several[0] for key, several in parts.items()}
    except RuntimeError:
        raise RunError(f"{path} holds parts that do not fit together: the checkpoint is corrupt") from None
    return tensors, manifest["facts"] | {"step": manifest["step"]}


def _tensors(file, expected):
    state = _read(file)
    _refuse_pickle(file, state)
    if len(state) != expected["bytes"]:
        sizes = f"{len(state)} bytes instead of {expected['bytes']}"
        raise RunError(f"{file} has {sizes}: the file is truncated or replaced")
    if hashlib.sha256(state).hexdigest() != expected["sha256"]:
        raise RunError(f"{file} does not match its SHA-256: the file is corrupt")
    try:
        return safetensors.torch.load(state)
    except safetensors.SafetensorError as error:
        raise RunError(f"{file} is not safetensors ({error}): the file is corrupt") from None


def _sharding(offsets):
    """The header's metadata by which other readers put parts together: one entry, as several would be ordered by chance.

    Sorted: a resumed run has read its tensors in any order, and must write the same bytes.
    """
    if offsets is None:
        return None
    return {"DCP_SHARDING_INFO": json.dumps({name: {"saved_offsets": list(offset)} for name, offset in sorted(offsets.items())})}


def steps_of(folder: str | Path) -> list[int]:
    """The steps whose checkpoints are in a folder, in order."""
    names = (path.name for path in Path(folder).glob("step-*"))
    return sorted(int(name.removeprefix("step-")) for name in names if re.fullmatch(r"step-\d{8,}", name))


def of_step(
    folder: str | Path, step: int, require_sound: Callable[[dict, dict], None] = lambda tensors, facts: None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, facts) of the checkpoint of this step. RunError if there is none, it is damaged, or not sound: see `newest`."""
    if step not in (steps := steps_of(folder)):
        there = f"it has those of steps {', '.join(map(str, steps))}" if steps else "it has none yet"
        raise RunError(f"{folder} has no checkpoint of step {step}: {there}")
    path = Path(folder) / f"step-{step:08d}"
    tensors, facts = load(path)
    try:
        require_sound(tensors, facts)
    except RunError as error:
        raise RunError(f"{path} {error}") from None
    return tensors, facts


def newest(
    folder: str | Path, say: Callable[[str], None], require_sound: Callable[[dict, dict], None] = lambda tensors, facts: None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, facts) of the newest valid checkpoint; newer damaged ones are skipped and reported to `say`.

    An intact checkpoint can still hold an unusable state: require_sound(tensors, facts) then raises a RunError,
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
        _refuse_pickle(path, path.read_bytes()[:9])
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
    whole = type(manifest.get("step")) is int and manifest["step"] >= 0 and isinstance(manifest.get("facts"), dict)
    if not whole or not _names_files(manifest.get("files")):
        raise RunError(f"{path / MANIFEST} lacks its step, facts or file sizes: the checkpoint is incomplete")
    return manifest


def _names_files(files):
    """Whether there are files of this engine's names, each with its size and checksum."""
    if not isinstance(files, dict) or not files:
        return False
    named = all(re.fullmatch(r"state(-\d{5})?\.safetensors", name) for name in files)
    return named and all(isinstance(file, dict) and {"bytes", "sha256"} <= file.keys() for file in files.values())


def _read(file):
    try:
        return file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror}; the checkpoint is incomplete") from None


def _refuse_pickle(file, content):
    # safetensors begin with the size of their header, 8 bytes of which the first two may be those of a pickle
    if content.startswith(PICKLES) and content[8:9] != b"{":
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


def _drop_all_but(folder, newest, keep_every):
    """Checkpoints with a higher step than the newest are the damaged ones it was made to replace."""
    with contextlib.suppress(OSError):
        kept = sorted(path for path in folder.glob("step-*") if path.name <= newest.name)[-KEEP:]
        if keep_every:
            steps = (step for step in steps_of(folder) if step % keep_every == 0)
            kept += [path for step in steps if step and (path := folder / f"step-{step:08d}").name <= newest.name]
        for path in [*folder.glob("step-*"), *folder.glob(".writing-*"), *folder.glob(".replaced-*")]:
            if path not in kept:
                shutil.rmtree(path)
