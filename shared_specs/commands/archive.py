"""A folder as one archive, of the same bytes for the same files on every machine, and its checksum in the form of sha256sum."""

import hashlib
import lzma
import os
import tarfile
from pathlib import Path


def archive(directory: Path, file: Path) -> str:
    """Writes the folder as a .tar.xz, and FILE.sha256 next to it; the SHA-256. Names, not times or owners, are kept."""
    unfinished = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        with (
            lzma.open(unfinished, "wb", preset=6) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in sorted(path for path in directory.rglob("*") if path.is_file()):
                entry = tarfile.TarInfo(f"{directory.name}/{path.relative_to(directory).as_posix()}")
                entry.size, entry.mode = path.stat().st_size, 0o644
                with open(path, "rb") as content:
                    tar.addfile(entry, content)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n", encoding="utf-8")
    return digest
