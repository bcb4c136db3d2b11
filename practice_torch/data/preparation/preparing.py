"""Writes prepared data (see prepared.py) so that it may be stopped at any moment and run again, with the same bytes in the end.

The request alone determines the jobs; each job writes one shard, independently of the others, so that neither their order nor
the number of processes matters, nor which machine does them (see parts.py). A shard is written under a temporary name, synced and
renamed; <shard>.json next to it then describes its content. A job with that file is not repeated. The manifest is written last.
The library `datasets` (5.2) cannot resume: an interrupted Dataset.from_generator starts again with the first example.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import joblib
from filelock import FileLock, Timeout

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import (
    FORMAT,
    MANIFEST,
    PART,
    UNFINISHED,
    VERSION,
    digest_of,
    open_prepared,
    part_content,
)
from practice_torch.data.preparation.shard_files import ASIDE, sidecar, write_whole, writing
from practice_torch.data.progress import Amount
from shared_specs.stopping import worker_processes

MOST_SHARDS = 2**14  # about: more data make larger ones, so that what is listed of them stays small
LISTING = "listing-"  # files of what the sources hold, until the manifest exists


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


def prepare_shards(out, modality, *, asked, stamp, jobs, write, workers, facts, say, keep=(), part=None):
    """Prepare the shards into the folder `out`: the opened result; of a part (see parts.py), its description.

    asked: {"source": [...], "options": {...}, "inputs": a digest of the sources}, which goes into the manifest;
    stamp: further values that must be unchanged when a stopped run resumes, such as the times of the files.
    jobs(folder) gives three things: [(name of the shard, bytes of the sources that it takes, anything)], of a part those of its
    share; `same`, what facts need that is equal in all parts; and the facts about labels (see labels.py).
    write(folder, name, anything) is called in some process, writes the shard by `shard_file`, and may raise DataError.
    facts(same, labels, sidecars) gives the rest of the manifest. keep: {name: bytes} of other files of the folder.
    """
    whole, out = Path(out), Path(out, part.folder) if part else Path(out)
    if part and ((whole / MANIFEST).exists() or (whole / UNFINISHED).exists()):
        raise DataError(f"{whole} is prepared or joined already, or was begun as a whole: give another --out for part {part}")
    wanted = {"modality": modality, **asked} | ({"part": part.number, "of": part.of} if part else {})
    if done := _claim(out, wanted, stamp, PART if part else MANIFEST):
        say(f"{out} is prepared already: {sum(shard['count'] for shard in done['shards'])} in {len(done['shards'])} shards")
        return done if part else open_prepared(out)
    with locked(out), _nothing_left_of_nothing(out, keep):
        for aside in out.glob(f"{ASIDE}*"):
            aside.unlink()
        for name, content in dict(keep).items():
            write_whole(out / name, content)
        listed, same, labels = jobs(out)
        finished = {name for name, _, _ in listed if sidecar(out, name)}
        if finished:
            say(f"{out}: going on; {len(finished)} of {len(listed)} shards are there")
        total, already = sum(size for _, size, _ in listed), sum(size for name, size, _ in listed if name in finished)
        waiting = [(name, size, rest) for name, size, rest in listed if name not in finished]
        with Amount(f"preparing {out}", total, already) as done:
            for size in in_processes(write, out, waiting, workers):
                done(size)
        sidecars = [sidecar(out, name) for name, _, _ in listed]
        if not part:
            return finish(out, modality, asked, sidecars, facts(same, labels, sidecars))
        kept = [file.name for file in out.iterdir() if not file.name.startswith((".", "shard-", LISTING))]
        content = {"format": FORMAT, "version": VERSION, **wanted, "same": same, "labels": labels}
        content |= {"kept": sorted(kept), "shards": sidecars}
        write_whole(out / PART, json.dumps(content | {"sha256": digest_of(content)}).encode())
        clean(out)
        return content


@contextlib.contextmanager
def _nothing_left_of_nothing(out, keep):
    """If the body fails before a shard is finished, remove its files: the next command may be a different one."""
    try:
        yield
    except BaseException:
        shards = [file.name for file in out.glob("shard-*")]
        if not any((sidecar(out, name) or {"count": 0})["count"] for name in shards):
            for name in (*shards, *(file.name for file in out.glob(f"{LISTING}*")), *keep, UNFINISHED):
                with contextlib.suppress(OSError):
                    (out / name).unlink(missing_ok=True)
        raise


def stamp_of(files):
    """The digest of the files' names, sizes and times, which a resumed run compares."""
    digest = hashlib.sha256()
    for file in files:
        status = Path(file).stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------- the folder


def _claim(out, wanted, stamp, finished):
    """The content of the folder's file `finished`, if it is there; otherwise None, and the folder is created for this request."""
    if (out / finished).exists():
        there = open_prepared(out).manifest if finished == MANIFEST else part_content(out)
        _require_same(out, there, wanted, "holds other prepared data")
        clean(out)
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
    write_whole(out / UNFINISHED, json.dumps(wanted | {"stamp": stamp}).encode())
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


def finish(out, modality, asked, sidecars, facts):
    """Write the manifest of a folder whose shards are there: the opened result."""
    shards = [{key: shard[key] for key in ("file", "count", "bytes", "sha256")} for shard in sidecars if shard["count"]]
    manifest = {"format": FORMAT, "version": VERSION, "modality": modality, **asked, **facts}
    manifest |= {"count": sum(shard["count"] for shard in shards), "shards": shards}
    if not shards:
        raise DataError(f"{out}: there is nothing in {', '.join(map(str, asked['source'])):.200}: give data that is not empty")
    for shard in sidecars:
        if not shard["count"]:
            (out / shard["file"]).unlink(missing_ok=True)
    write_whole(out / MANIFEST, (json.dumps(manifest | {"sha256": digest_of(manifest)}, indent=1) + "\n").encode())
    clean(out)
    return open_prepared(out)


def clean(out):
    """Remove what only an unfinished folder needs."""
    for file in [*out.glob("shard-*.json"), *out.glob(f"{LISTING}*"), out / UNFINISHED]:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(out):
    """In the body, no other process prepares this folder. DataError if one does."""
    lock = FileLock(out / UNFINISHED, blocking=False, fallback_to_soft=False)
    with writing(out):
        try:
            lock.acquire()
        except Timeout:
            raise DataError(f"{out} is being prepared by another process: wait for it, or give another --out") from None
        with lock:
            yield


# ---------------------------------------------------------------------------------------------------- processes


def in_processes(write, out, jobs, workers):
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
