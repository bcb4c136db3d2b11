"""Writes prepared data (see prepared.py) so that it may be stopped at any moment and run again, with the same bytes in the end.

The request alone determines the jobs; each job writes one shard, independently of the others, so that neither their order nor
the number of processes matters. A shard is written under a temporary name, synced and renamed; <shard>.json next to it then
describes its content. A job with that file is not repeated. The manifest is written last.
The library `datasets` (5.2) cannot resume: an interrupted Dataset.from_generator starts again with the first example.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import joblib
from filelock import FileLock, Timeout

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import FORMAT, MANIFEST, UNFINISHED, VERSION, digest_of, open_prepared
from practice_torch.data.progress import Amount
from shared_specs.stopping import worker_processes

ASIDE = ".writing-"


@dataclass(frozen=True)
class Options:
    """Options of every modality, which derives its own from them; all but `workers` must be unchanged when a run resumes."""

    skip_unusable: bool = False
    """Skip damaged, empty and unreadable items instead of stopping; the number of skipped items is printed and recorded."""
    workers: int = field(default_factory=lambda: joblib.cpu_count())  # that may be used, by affinity and cgroup, too
    """Number of processes; the result does not depend on it."""

    def __post_init__(self):
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; it must be at least 1")

    def lasting(self):
        """The options that shape the result, for the manifest."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "workers"}


def prepare_shards(out, modality, *, asked, stamp, jobs, write, workers, facts, say, keep=()):
    """Prepare the jobs' shards into the folder `out`: the opened result.

    asked: {"source": [...], "options": {...}, "inputs": a digest of the sources}, which goes into the manifest;
    stamp: further values that must be unchanged when a stopped run resumes, such as the times of the files.
    jobs: [(name of the shard, bytes of the sources that it takes, anything)]; write(folder, name, anything) is called in some
    process, writes the shard by `shard_file`, and may raise DataError. facts(sidecars) gives the rest of the manifest.
    keep: {name: bytes} of other files of the folder.
    """
    out = Path(out)
    if done := _claim(out, modality, asked, stamp):
        say(f"{out} is prepared already: {done.manifest['count']} in {len(done.manifest['shards'])} shards")
        return done
    with _locked(out), _nothing_left_of_nothing(out, [name for name, _, _ in jobs], keep):
        for name, content in dict(keep).items():
            _write_whole(out / name, content)
        for aside in out.glob(f"{ASIDE}*"):
            aside.unlink()
        finished = {name for name, _, _ in jobs if _sidecar(out, name)}
        if finished:
            say(f"{out}: going on; {len(finished)} of {len(jobs)} shards are there")
        total, already = sum(size for _, size, _ in jobs), sum(size for name, size, _ in jobs if name in finished)
        waiting = [(name, size, rest) for name, size, rest in jobs if name not in finished]
        with Amount(f"preparing {out}", total, already) as done:
            for size in _in_processes(write, out, waiting, workers):
                done(size)
        sidecars = [_sidecar(out, name) for name, _, _ in jobs]
        return _finish(out, modality, asked, sidecars, facts(sidecars))


@contextlib.contextmanager
def _nothing_left_of_nothing(out, names, keep):
    """If the body fails before a shard is finished, remove its files: the next command may be a different one."""
    try:
        yield
    except BaseException:
        if not any((_sidecar(out, name) or {"count": 0})["count"] for name in names):
            for name in (*names, *(f"{name}.json" for name in names), *keep, UNFINISHED):
                with contextlib.suppress(OSError):
                    (out / name).unlink(missing_ok=True)
        raise


class ShardFile(io.RawIOBase):
    """A writable shard file. Its `facts` go into the manifest; `count` must be among them."""

    def __init__(self, path):
        self.path, self.facts, self.size, self.digest = path, {}, 0, hashlib.sha256()
        with writing(path):
            self.file = open(path, "wb")  # noqa: SIM115 - closed by close()

    def write(self, data):
        """Write all of the data, any buffer."""
        view = memoryview(data).cast("B")
        with writing(self.path):
            self.file.write(view)
        self.digest.update(view)
        self.size += len(view)
        return len(view)

    def writable(self):
        return True

    def tell(self):
        return self.size

    def close(self):
        if not self.closed:
            self.file.close()
        super().close()


@contextlib.contextmanager
def shard_file(folder, name):
    """A ShardFile which is there, under this name and with its sidecar, once the context ends; after an error, nothing is."""
    aside = folder / f"{ASIDE}{os.getpid()}-{name}"
    try:
        file = ShardFile(aside)
        with file:
            yield file
            with writing(aside):
                file.file.flush()
                os.fsync(file.file.fileno())
        with writing(folder / name):
            aside.replace(folder / name)
        facts = {"file": name, "count": file.facts["count"], "bytes": file.size, "sha256": file.digest.hexdigest()} | file.facts
        _write_whole(folder / f"{name}.json", json.dumps(facts).encode())
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)  # of a full disk, it is the rest
        raise


@contextlib.contextmanager
def writing(path):
    """Turn errors of the system while writing there into a DataError."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"{path} cannot be written: {why}: make room, or make it writable, and run prepare again") from None


def stamp_of(files):
    """The digest of the files' names, sizes and times, which a resumed run compares."""
    digest = hashlib.sha256()
    for file in files:
        status = Path(file).stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------- the folder


def _claim(out, modality, asked, stamp):
    """The prepared folder if it is finished; otherwise None, after the folder is created for this request."""
    wanted = {"modality": modality, **asked}
    if (out / MANIFEST).exists():
        there = open_prepared(out)
        _require_same(out, there.manifest, wanted, "holds other prepared data")
        _clean(out)
        return there
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        names = set(os.listdir(out))
    if UNFINISHED in names:
        begun = json.loads((out / UNFINISHED).read_bytes())  # renamed when it was whole
        _require_same(out, begun, wanted | {"stamp": stamp}, "holds the beginning of something else")
        return None
    if foreign := {name for name in names if not name.startswith(".")}:
        raise DataError(f"{out} is not empty ({min(foreign)}): give another --out")
    _write_whole(out / UNFINISHED, json.dumps(wanted | {"stamp": stamp}).encode())
    return None


def _require_same(out, there, wanted, what):
    for key, value in json.loads(json.dumps(wanted)).items():
        if (found := there.get(key)) != value:
            if isinstance(value, dict) and isinstance(found, dict):
                key = next(name for name in (*value, *found) if value.get(name) != found.get(name))
                value, found = value.get(key), found.get(key)
            if key in ("inputs", "stamp"):
                difference = "its source files have changed"
            else:
                difference = f"its {key} is {found!r:.80}, now {value!r:.80}"
            raise DataError(f"{out} {what} ({difference}): give another --out, or remove the folder")


def _finish(out, modality, asked, sidecars, facts):
    shards = [{key: shard[key] for key in ("file", "count", "bytes", "sha256")} for shard in sidecars if shard["count"]]
    manifest = {"format": FORMAT, "version": VERSION, "modality": modality, **asked, **facts}
    manifest |= {"count": sum(shard["count"] for shard in shards), "shards": shards}
    if not shards:
        raise DataError(f"{out}: there is nothing in {', '.join(map(str, asked['source'])):.200}: give data that is not empty")
    for shard in sidecars:
        if not shard["count"]:
            (out / shard["file"]).unlink(missing_ok=True)
    _write_whole(out / MANIFEST, (json.dumps(manifest | {"sha256": digest_of(manifest)}, indent=1) + "\n").encode())
    _clean(out)
    return open_prepared(out)


def _clean(out):
    """Remove what only an unfinished folder needs."""
    for file in [*out.glob("shard-*.json"), out / UNFINISHED]:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _sidecar(out, name):
    """The facts of a finished shard, or None."""
    try:
        facts = json.loads((out / f"{name}.json").read_bytes())
        return facts if (out / name).stat().st_size == facts["bytes"] else None
    except (OSError, ValueError, KeyError):
        return None


def _write_whole(path, content):
    """Replace a file atomically."""
    aside = path.with_name(f"{ASIDE}{os.getpid()}-{path.name}")
    with writing(path):
        try:
            with open(aside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the names, too, of this file and of those renamed before it
        finally:
            os.close(folder)


@contextlib.contextmanager
def _locked(out):
    lock = FileLock(out / UNFINISHED, blocking=False, fallback_to_soft=False)
    with writing(out):
        try:
            lock.acquire()
        except Timeout:
            raise DataError(f"{out} is being prepared by another process: wait for it, or give another --out") from None
        with lock:
            yield


# ---------------------------------------------------------------------------------------------------- processes


def _in_processes(write, out, jobs, workers):
    """Do the jobs; yields the bytes of each that is done. The first error stops the rest."""
    workers = min(workers, len(jobs))
    if workers <= 1:
        for name, size, rest in jobs:
            write(out, name, rest)
            yield size
        return
    with worker_processes(workers) as pool:
        futures = {pool.submit(write, out, name, rest): size for name, size, rest in jobs}
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
                yield futures[future]
        except concurrent.futures.process.BrokenProcessPool:
            raise DataError(f"{out}: a worker process was killed, perhaps for lack of memory: use fewer --workers") from None
