"""Files of shards: written whole or not at all, with a sidecar (<shard>.json) that describes them until the manifest does."""

import contextlib
import hashlib
import io
import json
import os

from practice_torch.data.errors import DataError

ASIDE = ".writing-"


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
        write_whole(folder / f"{name}.json", json.dumps(facts).encode())
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


def sidecar(out, name):
    """The facts of a finished shard, or None."""
    try:
        facts = json.loads((out / f"{name}.json").read_bytes())
        return facts if (out / name).stat().st_size == facts["bytes"] else None
    except (OSError, ValueError, KeyError):
        return None


def write_whole(path, content):
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
