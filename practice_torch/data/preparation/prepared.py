"""Prepared data: a folder of shards with a manifest, written by `prepare` (see preparing.py) and read without being copied.

    manifest.json       format, version, modality, the shards ({file, count, bytes, sha256} each), count, source, options, the
                        modality's own facts, and the sha256 of all this
    shard-00000.bin     as many examples as the manifest lists, in the modality's format

Opening a folder checks the manifest's checksum and consistency, and the size of every file. The content of the
shards is read by `verify` alone: it takes as long as reading the disk does.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.progress import Amount
from practice_torch.data.reading.files import reading
from practice_torch.data.remote.cache import Cache
from practice_torch.data.remote.store import is_url, read

FORMAT, VERSION, MANIFEST = "diptych data", 1, "manifest.json"
UNFINISHED = ".preparing.json"  # the request in preparation, until the manifest exists
PART = "part.json"  # in place of a manifest, in a folder that is a part of another one
SHARDS = (".bin", ".arrow")  # suffixes of their files
BLOCK = 2**22  # bytes read at once
MOST_OPEN = 256  # shards that a process keeps open; systems allow about a thousand files
TOGETHER = 2**32  # bytes
AGAIN = "prepare it again, into another folder"


@dataclass(frozen=True)
class Prepared:
    """A prepared folder and the content of its manifest."""

    folder: Path | str  # str: a URL
    manifest: dict
    cache: Cache | None = None  # of a URL: its shards on the local disk

    @property
    def paths(self):
        """The shards' paths, or URLs, in order."""
        files = [shard["file"] for shard in self.manifest["shards"]]
        return [f"{self.folder}/{file}" for file in files] if self.cache else [self.folder / file for file in files]

    def local(self, number):
        """(the path of a shard on this machine, an open file as long as which it is there, or None)."""
        return self.cache.held(number) if self.cache else (self.folder / self.manifest["shards"][number]["file"], None)

    def read(self, name):
        """The content of another file of the folder."""
        if self.cache:
            return read(f"{self.folder}/{name}")
        with reading(self.folder / name, AGAIN):
            return (self.folder / name).read_bytes()

    def together(self):
        """The number of shards of a URL whose examples are mixed: of about TOGETHER bytes."""
        return max(1, TOGETHER // max(shard["bytes"] for shard in self.manifest["shards"]))

    @property
    def counts(self):
        """The number of examples in each shard."""
        return [shard["count"] for shard in self.manifest["shards"]]


def is_prepared(path):
    """Whether the path is a prepared folder. DataError if `prepare` has not finished it, or if it has no manifest."""
    path = Path(path)
    if (path / MANIFEST).is_file():
        return True
    if (path / UNFINISHED).is_file():
        raise DataError(f"{path} has no {MANIFEST}: prepare was not finished: run it again, with the same command")
    if (path / PART).is_file():
        raise DataError(f"{path} is a part of prepared data: join all of its parts with prepare --join {path.parent}")
    if next(path.glob(f"part-*-of-*/{PART}"), None) or next(path.glob(f"part-*-of-*/{UNFINISHED}"), None):
        raise DataError(f"{path} holds parts of prepared data: join them with prepare --join {path}")
    if any(next(path.glob(f"shard-00000*{suffix}"), None) for suffix in SHARDS):
        raise DataError(f"{path} has shards, but no {MANIFEST}, which names them: copy it again, or {AGAIN}")
    return False


def open_prepared(path, modality=None):
    """A prepared folder, of this modality. DataError if it is not whole, as far as is seen without reading the shards."""
    if is_url(path):
        return _behind(str(path).rstrip("/"), modality)
    folder = Path(path)
    with reading(folder / MANIFEST, AGAIN):
        manifest = _content((folder / MANIFEST).read_bytes(), folder / MANIFEST)
    _require(modality, folder, manifest)
    with reading(folder, AGAIN):
        for shard in manifest["shards"]:
            file = folder / shard["file"]
            if not file.is_file():
                raise DataError(f"{file} is missing, which the manifest names: copy it again, or {AGAIN}")
            if (size := file.stat().st_size) != shard["bytes"]:
                raise DataError(f"{file} has {size} bytes; the manifest lists {shard['bytes']}: copy it again, or {AGAIN}")
    return Prepared(folder, manifest)


def _behind(url, modality):
    """A prepared folder behind a URL; its shards are compared with the manifest when they are fetched."""
    manifest = _content(read(f"{url}/{MANIFEST}"), f"{url}/{MANIFEST}")
    _require(modality, url, manifest)
    cache = Cache([(f"{url}/{shard['file']}", shard["bytes"], shard["sha256"]) for shard in manifest["shards"]])
    prepared = Prepared(url, manifest, cache)
    sizes = sorted((shard["bytes"] for shard in manifest["shards"]), reverse=True)
    cache.require_room(sum(sizes[: 3 * prepared.together()]))  # of those used, the next, and the last of a slower process
    return prepared


def _require(modality, folder, manifest):
    if modality is not None and manifest["modality"] != modality:
        raise DataError(f"{folder} is prepared {manifest['modality']}; this recipe takes {modality}: prepare {modality}")


def verify(path):
    """Read every shard of a prepared folder and compare its checksum: the folder. DataError names the shards that are damaged."""
    prepared = open_prepared(path)
    shards, damaged = prepared.manifest["shards"], []
    with reading(prepared.folder, AGAIN), Amount(f"verifying {prepared.folder}", sum(s["bytes"] for s in shards)) as done:
        for file, shard in zip(prepared.paths, shards, strict=True):
            digest = hashlib.sha256()
            with open(file, "rb") as content:
                while block := content.read(BLOCK):
                    digest.update(block)
                    done(len(block))
            if digest.hexdigest() != shard["sha256"]:
                damaged.append(file.name)
    if damaged:
        more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        named = f"{', '.join(damaged[:3])}{more}"
        raise DataError(f"{prepared.folder}: not the content that was prepared: {named}: copy them again, or {AGAIN}")
    return prepared


def part_content(folder):
    """The description of a part of a prepared folder. DataError unless it is finished and whole."""
    if not (folder / PART).is_file():
        raise DataError(f"{folder} is not finished: run its prepare again, with the same command")
    try:
        content = json.loads((folder / PART).read_bytes())
        whole = content["format"] == FORMAT and content["sha256"] == digest_of(content)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise DataError(f"{folder / PART} is damaged or was changed: copy the part again")
    if content["version"] != VERSION:
        raise DataError(f"{folder} has version {content['version']!r}; this program reads {VERSION}: prepare the part again")
    return content


def digest_of(content):
    """SHA-256 of a dict as canonical JSON, but for its own entry of that name."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _content(raw, file):
    """The content of a manifest. DataError unless it is whole, and agrees with itself."""
    try:
        content = json.loads(raw)
        known = content.get("format") == FORMAT
    except (ValueError, AttributeError, RecursionError):
        raise DataError(f"{file} is damaged (no JSON object): copy it again, or {AGAIN}") from None
    if not known:
        raise DataError(f"{file} has format {content.get('format')!r}; it must be {FORMAT!r}: {AGAIN}")
    if content.get("version") != VERSION:
        raise DataError(f"{file} has version {content.get('version')!r}; this program reads {VERSION}: {AGAIN}")
    if content.get("sha256") != digest_of(content):
        raise DataError(f"{file} was changed since it was written (its own sha256 differs): copy it again, or {AGAIN}")
    for shard in content["shards"]:
        if shard["count"] < 1:
            raise DataError(f"{file}: {shard['file']} has no examples: {AGAIN}")
    if (total := sum(shard["count"] for shard in content["shards"])) != content["count"]:
        raise DataError(f"{file}: its count is {content['count']}, and its shards have {total}: {AGAIN}")
    return content
