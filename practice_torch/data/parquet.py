"""Encoded images and their labels from a .parquet file, a few rows at a time."""

import json
from contextlib import contextmanager

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.files import size_of
from practice_torch.data.memory import available, require_expansion, require_memory

MOST_ROWS = 64  # at once


class Rows:
    """The rows of a parquet file with a column of encoded images."""

    def __init__(self, path):
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(f"{path}: reading parquet needs pyarrow ({error}): pip install pyarrow") from None
        self.path, self.types = path, arrow.types
        size = size_of(path)
        with self._whole():
            self.file = parquet.ParquetFile(path)
            self.schema = self.file.schema_arrow
            self.count = self.file.metadata.num_rows
            groups = [self.file.metadata.row_group(index) for index in range(self.file.metadata.num_row_groups)]
            self.largest = max((group.total_byte_size for group in groups), default=0)
        require_expansion(path, size, sum(group.total_byte_size for group in groups), "write it again without compression")
        require_memory(f"the largest row group of {path}", self.largest, "write it with smaller row groups")
        self.image = self._image_column()
        self.label = next((name for name in ("label", "labels") if name in self.schema.names), None)
        if self.count < 1:
            raise DataError(f"{path} has no rows: give at least 2 images")

    def images(self):
        """Pairs of (name of a row in messages, bytes of its image)."""
        for start, column in self._columns(self.image):
            encoded = column.field("bytes") if self.types.is_struct(column.type) else column
            if encoded.null_count:
                found = f"{self._empty_row(start, encoded)}: column '{self.image}' holds no bytes"
                raise DataError(f"{found}; the encoded image itself must be in the file")
            for row, value in enumerate(encoded, start):
                yield f"{self.path}, row {row}", value.as_buffer()

    def labels(self):
        """(labels [N], the names of their classes as the file's metadata or its strings give them, or None)."""
        parts, numbers = [], {}
        for start, column in self._columns(self.label):
            if column.null_count:
                found = f"{self._empty_row(start, column)}: column '{self.label}' is empty"
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

    def _columns(self, name):
        """(the first row, an array of some rows) of a column, until all rows were seen."""
        # every row may be one long value that the file holds once; of the images, some batches wait to be decoded
        rows = max(1, min(MOST_ROWS, available() // 8 // max(self.largest, 1)))
        seen = 0
        with self._whole():
            for batch in filter(len, self.file.iter_batches(batch_size=rows, columns=[name])):
                if seen + len(batch) > self.count:
                    break
                yield seen, batch.column(0)
                seen += len(batch)
        if seen != self.count:
            found = f"its footer says that it has {self.count} rows, and it has others"
            raise DataError(f"{self.path} is damaged ({found}): write or download it again")

    def _empty_row(self, start, column):
        return f"{self.path}, row {start + column.is_null().to_numpy(zero_copy_only=False).argmax()}"

    @contextmanager
    def _whole(self):
        try:
            yield
        except (DataError, PermissionError, MemoryError):
            raise
        except Exception as error:  # pyarrow raises OSError, ArrowInvalid, UnicodeDecodeError, ... for one and the same trouble
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"{self.path} is not a parquet file, or is damaged ({why}): write or download it again") from None

    def _image_column(self):
        def holds_bytes(kind):
            if self.types.is_struct(kind):
                return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
            return self.types.is_binary(kind) or self.types.is_large_binary(kind)

        columns = [field.name for field in self.schema if holds_bytes(field.type)]
        if "image" in columns or len(columns) == 1:
            return "image" if "image" in columns else columns[0]
        found = ", ".join(f"{field.name}: {field.type}" for field in self.schema)[:300]
        raise DataError(f"{self.path} has no column 'image' of bytes or {{bytes, path}} (found {found}): rename or convert one")

    def _published_names(self):
        """The class names that the `datasets` library writes into a file's metadata, or None."""
        try:
            features = json.loads((self.schema.metadata or {})[b"huggingface"])["info"]["features"]
            return tuple(str(name) for name in features[self.label]["names"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return None
