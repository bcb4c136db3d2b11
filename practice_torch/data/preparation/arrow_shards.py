"""Shards of prepared images and sounds: memory-mapped Arrow files (IPC), a row an example.

Arrow, because its files are read where they lie: a row's bytes are a slice of the mapped file, whatever the number of rows. By
pyarrow itself, which is a dependency already; the library `datasets` would add a cache folder, fingerprints made with pickle, and
a table of all rows in memory.
"""

import bisect
from collections import OrderedDict

import numpy as np

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import MOST_OPEN

MOST_BYTES, MOST_ROWS = 2**28, 2**14  # in a shard: of the sources, as far as known before reading them
BATCH = 2**25  # bytes in a record batch, which is what preparing holds in memory


class RowWriter:
    """Writes rows into a shard: a name, bytes, a label where there are labels, and integers."""

    def __init__(self, file, integers, labelled):
        import pyarrow as arrow

        self.arrow, self.integers = arrow, integers
        fields = [("name", arrow.string()), ("content", arrow.large_binary())]
        fields += [(name, arrow.int64()) for name in (*integers, *["label"] * labelled)]
        self.schema, self.rows, self.held, self.count = arrow.schema(fields), [], 0, 0
        self.ranges = {}
        self.writer = arrow.ipc.new_file(file, self.schema)

    def add(self, **row):
        """Add a row; its values are those of the columns."""
        self.rows.append(row)
        self.held += len(row["content"])
        self.count += 1
        for name in self.integers:
            low, high, total = self.ranges.get(name, (row[name], row[name], 0))
            self.ranges[name] = [min(low, row[name]), max(high, row[name]), total + row[name]]
        if self.held >= BATCH:
            self._flush()

    def close(self):
        """Write the buffered rows, and the footer."""
        self._flush()
        self.writer.close()

    def _flush(self):
        columns = [self.arrow.array([row[field.name] for row in self.rows], field.type) for field in self.schema]
        if self.rows:
            self.writer.write_batch(self.arrow.record_batch(columns, schema=self.schema))
        self.rows, self.held = [], 0


def renumbered(path, file, numbers):
    """Write a shard again into a file, with other labels: {number: its new number}. The other columns are copied."""
    import pyarrow as arrow

    reader = arrow.ipc.open_file(arrow.memory_map(str(path)))
    place = reader.schema.get_field_index("label")
    with arrow.ipc.new_file(file, reader.schema) as writer:
        for part in range(reader.num_record_batches):
            batch = reader.get_batch(part)
            labels = [numbers.get(label, label) for label in batch.column(place).to_pylist()]
            writer.write_batch(batch.set_column(place, reader.schema.field(place), arrow.array(labels, arrow.int64())))


class ArrowRows:
    """The rows of a prepared folder, by number. Each process maps the shards that it reads, when it first does."""

    def __init__(self, prepared):
        self.prepared, self.starts = prepared, np.cumsum([0, *prepared.counts])
        self.names = [shard["file"] for shard in prepared.manifest["shards"]]
        self.open = OrderedDict()

    def __len__(self):
        return int(self.starts[-1])

    def __getstate__(self):
        return self.__dict__ | {"open": OrderedDict()}

    def row(self, index, *columns):
        """(the shard's path and row, for messages; the values of the columns), bytes as a view of the file."""
        shard = bisect.bisect_right(self.starts, index) - 1
        within = int(index - self.starts[shard])
        batches, starts, _ = self._shard(shard)
        part = bisect.bisect_right(starts, within) - 1
        batch, at = batches[part], within - starts[part]
        values = [batch.column(name)[at] for name in columns]
        values = [value.as_buffer() if name == "content" else value.as_py() for name, value in zip(columns, values, strict=True)]
        return f"{self.names[shard]}, row {within}", values

    def integers(self, shard, column):
        """A column of integers of one shard, int64 [n]."""
        batches, *_ = self._shard(shard)
        return np.concatenate([batch.column(column).to_numpy() for batch in batches])

    def keep(self, numbers):
        """Let go of all shards but these."""
        for number in self.open.keys() - set(numbers):
            del self.open[number]

    def _shard(self, number):
        if number in self.open:
            self.open.move_to_end(number)
            return self.open[number]
        from pyarrow import ArrowInvalid, ipc, memory_map

        path, held = self.prepared.local(number)
        count = int(self.starts[number + 1] - self.starts[number])
        try:
            reader = ipc.open_file(memory_map(str(path)))
            batches = [reader.get_batch(part) for part in range(reader.num_record_batches)]
            for batch in batches:
                batch.validate(full=True)  # an offset beyond the end would end the process
        except (ArrowInvalid, OSError) as error:
            why = " ".join(str(error).split())[:120]
            raise DataError(f"{path} is damaged or cannot be read ({why}): copy it again, or prepare it again") from None
        starts = [0, *np.cumsum([len(batch) for batch in batches]).tolist()]
        if starts.pop() != count:
            raise DataError(f"{path} does not have the {count} rows of the manifest: copy it again, or prepare it again")
        if len(self.open) >= MOST_OPEN:
            self.open.popitem(last=False)
        self.open[number] = batches, starts, held
        return self.open[number]
