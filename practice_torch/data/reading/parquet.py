"""Encoded images or sounds, and their labels, from a .parquet file or an Arrow file, a few rows at a time."""

import json
from contextlib import contextmanager

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import size_of
from practice_torch.data.reading.memory import available, require_expansion, require_memory

MOST_ROWS = 64  # at once


class Rows:
    """The rows of a .parquet or .arrow file with a column of encoded images (or of the content that `holds` names)."""

    def __init__(self, path, holds="image"):
        try:
            import pyarrow as arrow
        except ImportError as error:
            raise DataError(f"{path}: reading parquet needs pyarrow ({error}): pip install pyarrow") from None
        self.path, self.types, self.holds = path, arrow.types, holds
        self.kind = "an Arrow" if path.suffix == ".arrow" else "a parquet"
        size = size_of(path)
        with self._whole():
            self.table = _ArrowFile(path) if path.suffix == ".arrow" else _ParquetFile(path)
            self.schema, self.count, self.largest = self.table.schema, self.table.count, self.table.largest
        require_expansion(path, size, self.table.expanded, "write it again without compression")
        require_memory(f"the largest row group of {path}", self.largest, "write it with smaller row groups")
        self.column = self._column()
        self.label = next((name for name in ("label", "labels") if name in self.schema.names), None)
        if self.count < 1:
            raise DataError(f"{path} has no rows: give at least 2")

    def values(self, start=0):
        """Pairs of (a row from `start` on, the bytes in it, or None)."""
        for first, column in self._columns(self.column, start):
            encoded = column.field("bytes") if self.types.is_struct(column.type) else column
            for row, value in enumerate(encoded, first):
                yield row, value.as_buffer()

    def images(self):
        """Pairs of (name of a row in messages, bytes of its image)."""
        for row, value in self.values():
            if value is None:
                raise self.empty(row)
            yield f"{self.path}, row {row}", value

    def empty(self, row):
        """The error that a row holds no bytes."""
        mend = f"the encoded {self.holds} itself must be in the file"
        return DataError(f"{self.path}, row {row}: column '{self.column}' holds no bytes; {mend}")

    def labels(self):
        """(labels [N], the names of their classes as the file's metadata or its strings give them, or None)."""
        parts, numbers = [], {}
        for start, column in self._columns(self.label):
            if column.null_count:
                row = start + column.is_null().to_numpy(zero_copy_only=False).argmax()
                found = f"{self.path}, row {row}: column '{self.label}' is empty"
                raise DataError(f"{found}; either every row has a label, or the file no such column")
            values = column.to_numpy(zero_copy_only=False)
            if values.dtype == object and all(isinstance(value, str) for value in values):
                values = np.array([numbers.setdefault(value, len(numbers)) for value in values])
            parts.append(values)
        labels = np.concatenate(parts)
        if not numbers:
            return labels, self._published_names()
        names = sorted(numbers)
        place = np.empty(len(names), np.int64)
        place[[numbers[name] for name in names]] = np.arange(len(names))
        return place[labels], tuple(names)

    def _columns(self, name, start=0):
        """(the first row, an array of some rows) of a column, from `start` until all rows were seen."""
        # every row may be one long value that the file holds once; of the images, some batches wait to be decoded
        rows = max(1, min(MOST_ROWS, available() // 8 // max(self.largest, 1)))
        with self._whole():
            seen, batches = self.table.batches(name, start, rows)
            for batch in filter(len, batches):
                if seen + len(batch) > self.count:
                    break
                if start < seen + len(batch):
                    yield max(start, seen), batch.column(0)[max(start - seen, 0) :]
                seen += len(batch)
        if seen != self.count:
            found = f"it does not have the {self.count} rows that its footer declares"
            raise DataError(f"{self.path} is damaged ({found}): write or download it again")

    @contextmanager
    def _whole(self):
        try:
            yield
        except (DataError, PermissionError, MemoryError):
            raise
        except Exception as error:  # pyarrow raises OSError, ArrowInvalid, UnicodeDecodeError, ... for one and the same trouble
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"{self.path} is not {self.kind} file, or is damaged ({why}): write or download it again") from None

    def _column(self):
        def holds_bytes(kind):
            if self.types.is_struct(kind):
                return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
            return self.types.is_binary(kind) or self.types.is_large_binary(kind)

        columns = [field.name for field in self.schema if holds_bytes(field.type)]
        if self.holds in columns or len(columns) == 1:
            return self.holds if self.holds in columns else columns[0]
        found = ", ".join(f"{field.name}: {field.type}" for field in self.schema)[:300]
        wanted = f"column '{self.holds}' of bytes or {{bytes, path}}"
        raise DataError(f"{self.path} has no {wanted} (found {found}): rename or convert one")

    def _published_names(self):
        """The class names that the `datasets` library writes into a file's metadata, or None."""
        try:
            features = json.loads((self.schema.metadata or {})[b"huggingface"])["info"]["features"]
            return tuple(str(name) for name in features[self.label]["names"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return None


class _ParquetFile:
    def __init__(self, path):
        from pyarrow import parquet

        self.file = parquet.ParquetFile(path)
        self.schema, self.count = self.file.schema_arrow, self.file.metadata.num_rows
        self.groups = [self.file.metadata.row_group(index) for index in range(self.file.metadata.num_row_groups)]
        sizes = [group.total_byte_size for group in self.groups]
        self.largest, self.expanded = max(sizes, default=0), sum(sizes)

    def batches(self, name, start, rows):
        """(the first row, batches of at most this many rows), from the row group on that holds row `start`."""
        seen, group = 0, 0
        while group < len(self.groups) - 1 and seen + self.groups[group].num_rows <= start:
            seen, group = seen + self.groups[group].num_rows, group + 1
        groups = list(range(group, len(self.groups)))
        return seen, self.file.iter_batches(batch_size=rows, row_groups=groups, columns=[name])


class _ArrowFile:
    """An Arrow file as `save_to_disk` writes it (a stream of record batches), or with a footer; mapped, not read."""

    def __init__(self, path):
        from pyarrow import ipc, memory_map

        with memory_map(str(path)) as content:
            footer = content.read(6) == b"ARROW1"
            content.seek(0)
            reader = ipc.open_file(content) if footer else ipc.open_stream(content)
            self.schema = reader.schema
            self.parts = [reader.get_batch(i) for i in range(reader.num_record_batches)] if footer else list(reader)
        self.count = sum(map(len, self.parts))
        self.largest = self.expanded = 0  # the rows stay in the file

    def batches(self, name, start, rows):
        """(the first row, batches of at most this many rows), from the batch on that holds row `start`."""
        seen, first = 0, 0
        while first < len(self.parts) - 1 and seen + len(self.parts[first]) <= start:
            seen, first = seen + len(self.parts[first]), first + 1
        parts = [part.select([name]) for part in self.parts[first:]]
        for part in parts:
            part.validate(full=True)  # offsets beyond the end of a damaged file would end the process
        return seen, (part.slice(at, rows) for part in parts for at in range(0, len(part), rows))
