"""Tar archives in the layout of WebDataset: files of one key belong together, such as 0001.jpg, 0001.cls and 0001.json.

Nothing is unpacked: an archive is a list of places at which files begin, so that names with .. or / at the front are only names.
The library webdataset (1.0) opens an archive as a stream, which has no such places; tarfile has them.
"""

import json
import tarfile

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import require_name, size_of

LONGEST_LABEL = 2**16  # bytes of a .cls, .txt or .json file
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


def members(path, suffixes, *, labels=True):
    """(where it begins, bytes, name, label or None) of every file with one of the suffixes, in the archive's order.

    The label is the content of KEY.cls (a number or a name); or "label" or "cls" in KEY.json; or KEY.txt, where it is one short
    line. With labels=False none of these is read.
    """
    size = size_of(path)
    with path.open("rb") as file:
        start = file.read(6)
        if any(start.startswith(mark) for mark in COMPRESSED):
            raise DataError(f"{path} is compressed, so its files cannot be read in any order: decompress it")
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                yield from _grouped(path, archive, suffixes, (".cls", ".txt", ".json") if labels else ())
                file.seek(archive.offset)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise DataError(f"{path} is cut short after {size} bytes (no end mark): copy it again")
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            if isinstance(error, DataError):
                raise
            why = " ".join(str(error).split())[:120]
            raise DataError(f"{path} is no tar archive, or is cut short or damaged ({why}): copy it again") from None


def _grouped(path, archive, suffixes, label_suffixes):
    key, files, labels = None, [], {}
    for member in archive:
        archive.members = []  # which would grow with the number of files
        folder, slash, file = member.name.rpartition("/")
        stem, dot, suffix = file.partition(".")  # as WebDataset does: 0001.seg.png is the file seg.png of 0001
        suffix = (dot + suffix).lower()
        if member.isdir() or not stem:
            continue
        if folder + slash + stem != key:
            yield from _labelled(files, labels)
            key, files, labels = folder + slash + stem, [], {}
        if suffix in label_suffixes and member.isreg() and member.size <= LONGEST_LABEL:
            labels[suffix] = _label(path, member.name, suffix, archive.extractfile(member).read())
        elif suffix in suffixes or "." + suffix.rpartition(".")[2] in suffixes:
            if not member.isreg() or member.issparse():
                raise DataError(f"{path}: {member.name} is no regular file (a link, or sparse): write the content itself")
            require_name(member.name, f"in {path}, the file")
            files.append((member.offset_data, member.size, member.name))
    yield from _labelled(files, labels)


def _labelled(files, labels):
    label = next((labels[kind] for kind in (".cls", ".json", ".txt") if labels.get(kind) is not None), None)
    for place, size, name in files:
        yield place, size, name, label


def _label(path, name, suffix, raw):
    """A number, a name, or None if the file gives no class."""
    try:
        text = raw.decode("utf-8-sig").strip()
        if suffix == ".json":
            found = json.loads(text)
            found = next((found[key] for key in ("label", "cls") if key in found), None) if isinstance(found, dict) else found
            if found is not None and (isinstance(found, bool) or not isinstance(found, (int, str))):
                raise ValueError(f"its label is {found!r:.40}")
            return found
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:100]
        raise DataError(f"{path}: {name} is no label ({why}): write a number or a name") from None
    if suffix == ".txt" and ("\n" in text or len(text) > 100):
        return None  # a caption
    return int(text) if text.isascii() and text.isdigit() else text or None
