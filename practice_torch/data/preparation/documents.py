"""Text in files of many forms as a stream of documents, cut into pieces that processes can read each on their own.

Plain text is one document a file; .jsonl (also .gz, .zst) has one a line, and parquet one a row. Files are cut into ranges: plain
text before a line's end, lines between lines, parquet between row groups; a compressed file is read in one piece. The library
`datasets` (5.2) copies all files into its cache before it gives the first document: 10.0 MB for 10.1 MB of .jsonl.
"""

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import reading, size_of
from practice_torch.data.reading.folders import files_in
from practice_torch.data.splits import existing_path

SUFFIXES = (".txt", ".jsonl", ".parquet", ".gz", ".zst")
KINDS = f"a UTF-8 text file, .jsonl (.gz, .zst), .parquet, or a folder of {' '.join(SUFFIXES)}"
BLOCK = 2**20  # bytes of text that are given at once; a longer document comes in several
SMALLER = "use fewer --workers"
# What our byte pairs never merge across, and line ends of any kind: after a mark that is no whitespace, before a line's end.
_CUT = re.compile(rb"[^\t-\r ](?=[\r\n])")


@dataclass(frozen=True)
class Piece:
    """A part of a file: bytes start..end of text or lines, or row groups start..end."""

    path: Path
    kind: str  # text, lines, compressed or parquet
    start: int
    end: int
    size: int  # bytes of the file that it takes


@dataclass
class Tally:
    """Counts of documents read, and of unusable ones left out."""

    documents: int = 0
    text_bytes: int = 0
    bytes_left_out: int = 0
    rows_left_out: int = 0


def files_of(sources, skip_unusable):
    """(the files of all sources, in order, how many empty ones were left out)."""
    files, empty = [], 0
    for source in sources:
        path = existing_path(source, (), KINDS)
        with reading(path, SMALLER):
            found = files_in(path, SUFFIXES, "texts") if path.is_dir() else [path]
            for file in found:
                if skip_unusable and file.is_file() and file.stat().st_size == 0:
                    empty += 1
                else:
                    size_of(file)
                    files.append(file)
    if not files:
        raise DataError(f"all files of {', '.join(map(str, sources)):.200} are empty: give texts")
    return files, empty


def pieces_of(file, most):
    """The pieces of a file, of about `most` bytes each."""
    kind, size = _kind(file), file.stat().st_size
    if kind == "compressed":
        return [Piece(file, kind, 0, size, size)]
    if kind == "parquet":
        return _row_groups(file, most)
    return [Piece(file, kind, start, min(start + most, size), min(most, size - start)) for start in range(0, size, most)]


def texts(piece, field, skip_unusable, tally):
    """(whether it begins a document, its UTF-8 bytes or their next part, with newlines as line ends) of a piece, in order."""
    with reading(piece.path, SMALLER):
        if piece.kind == "text":
            yield from _plain(piece, skip_unusable, tally)
            return
        rows = _parquet_rows(piece, field) if piece.kind == "parquet" else _line_rows(piece, field)
        for where, found in rows:
            if isinstance(found, str):
                try:
                    raw = found.replace("\r\n", "\n").replace("\r", "\n").encode()
                except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
                    found = "its text is no valid Unicode"
                else:
                    tally.documents += bool(raw)
                    tally.text_bytes += len(raw)
                    yield from ((start == 0, part) for start, part in _parts(raw))
                    continue
            else:
                found = found[0]
            if not skip_unusable:
                raise DataError(f"{piece.path}, {where}: {found}: mend it, or leave such rows out with --skip-unusable")
            tally.rows_left_out += 1


def _kind(file):
    name = file.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".gz", ".zst")):
        if not name.endswith((".jsonl.gz", ".jsonl.zst")):
            raise DataError(f"{file} is compressed, and not .jsonl.gz or .jsonl.zst: decompress it")
        return "compressed"
    return "lines" if name.endswith(".jsonl") else "text"


# ---------------------------------------------------------------------------------------------------- plain text


def _plain(piece, skip_unusable, tally):
    size = piece.path.stat().st_size
    with open(piece.path, "rb") as file:
        stop = _cut(file, piece.start, size)
        for nominal in range(piece.start, piece.end, BLOCK):
            start, stop = stop, _cut(file, min(nominal + BLOCK, piece.end), size)
            if start >= stop:
                continue
            file.seek(start)
            raw = file.read(stop - start)
            if start == 0:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                if not skip_unusable:
                    found = f"byte 0x{raw[error.start]:02x} at offset {stop - len(raw) + error.start}"
                    mend = "convert it, e.g. with iconv -f LATIN1 -t UTF-8, or leave such bytes out with --skip-unusable"
                    raise DataError(f"{piece.path} is not UTF-8 ({found}): {mend}") from None
                usable = raw.decode(errors="ignore").encode()
                tally.bytes_left_out += len(raw) - len(usable)
                raw = usable
            raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            tally.documents += start == 0
            tally.text_bytes += len(raw)
            yield start == 0, raw


def _cut(file, position, size):
    """The cut near a position of the file: before the next line's end, or between two characters if that is far away."""
    if position <= 0 or position >= size:
        return max(0, min(position, size))
    file.seek(position - 1)
    ahead = file.read(BLOCK + 1)
    return position - 1 + _cut_in(ahead, 1, ends=position + BLOCK >= size)


def _cut_in(raw, position, ends=False):
    """The same within bytes; where the file ends with them, that is as good as a line's end."""
    if found := _CUT.search(raw, position - 1):
        return found.end()
    if ends:
        return len(raw)
    while position < len(raw) and (raw[position] & 0xC0 == 0x80 or raw[position - 1 : position + 1] == b"\r\n"):
        position += 1
    return position


def _parts(raw):
    """(offset, part) of a document, of about BLOCK bytes each."""
    start = 0
    while len(raw) - start > 2 * BLOCK:
        stop = start + _cut_in(raw[start : start + 2 * BLOCK], BLOCK)
        yield start, raw[start:stop]
        start = stop
    if raw:
        yield start, raw[start:]


# ---------------------------------------------------------------------------------------------------- rows


def _line_rows(piece, field):
    """(where, the text, or (what is wrong,)) of every line that begins within the piece."""
    with _opened(piece) as file:
        if piece.start:
            file.seek(piece.start - 1)
            file.readline()
        place = file.tell() if piece.kind == "lines" else 0
        number = 0
        while piece.kind == "compressed" or place < piece.end:
            line = file.readline()
            if not line:
                return
            where = f"line {number + 1}" if piece.start == 0 else f"the line at byte {place}"
            place, number = place + len(line), number + 1
            if line.strip():
                yield where, _of_line(line, field)


def _of_line(line, field):
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            return (f"it is no JSON object: {line[:40]!r}",)
        text = row.get(field)
    except (ValueError, RecursionError) as error:
        return (f"it is not JSON ({str(error)[:80]})",)
    if isinstance(text, str):
        return text
    known = ", ".join(map(str, row))[:120]
    return (f"its field '{field}' is {'missing' if text is None else 'no text'} (fields: {known}; --field names another)",)


class _Decompressed:
    """Lines of a compressed file; a damaged file raises DataError."""

    def __init__(self, path):
        self.path = path
        if path.name.lower().endswith(".gz"):
            self.file = gzip.open(path, "rb")  # noqa: SIM115 - closed by the context
            return
        try:
            import zstandard
        except ImportError:
            raise DataError(f"{path}: reading .zst needs zstandard, which is not installed: pip install zstandard") from None
        self.file = zstandard.open(path, "rb")

    def __enter__(self):
        return self

    def readline(self):
        try:
            return self.file.readline()
        except Exception as error:  # EOFError, BadGzipFile, zlib.error, ZstdError, ... for one and the same trouble
            why = " ".join(str(error).split())[:120]
            raise DataError(f"{self.path} is damaged ({why}): compress or download it again") from None

    def tell(self):
        return 0

    def __exit__(self, *_):
        self.file.close()


def _opened(piece):
    return _Decompressed(piece.path) if piece.kind == "compressed" else open(piece.path, "rb")


def _row_groups(file, most):
    metadata = _parquet(file).metadata
    pieces, start, total = [], 0, 0
    for group in range(metadata.num_row_groups):
        total += metadata.row_group(group).total_byte_size
        if total >= most or group == metadata.num_row_groups - 1:
            pieces.append(Piece(file, "parquet", start, group + 1, total))
            start, total = group + 1, 0
    return pieces


def _parquet_rows(piece, field):
    file = _parquet(piece.path)
    if field not in file.schema_arrow.names:
        known = ", ".join(file.schema_arrow.names)[:200]
        raise DataError(f"{piece.path} has no column '{field}' (columns: {known}): name it with --field")
    row = sum(file.metadata.row_group(group).num_rows for group in range(piece.start))
    try:
        for batch in file.iter_batches(batch_size=256, row_groups=list(range(piece.start, piece.end)), columns=[field]):
            for value in batch.column(0).to_pylist():
                yield f"row {row}", value if isinstance(value, str) else (f"column '{field}' holds {type(value).__name__}",)
                row += 1
    except Exception as error:
        if isinstance(error, DataError):
            raise
        raise _damaged(piece.path, error) from None


def _parquet(path):
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{path}: reading parquet needs pyarrow, which is not installed: pip install pyarrow") from None
    try:
        return parquet.ParquetFile(path)
    except Exception as error:
        raise _damaged(path, error) from None


def _damaged(path, error):
    why = " ".join(str(error).split())[:160] or type(error).__name__
    return DataError(f"{path} is not a parquet file, or is damaged ({why}): write or download it again")
