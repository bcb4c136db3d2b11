"""Jobs of a toy modality for tests/data/test_prepared.py, in a file of their own: new processes import it without torch."""

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.shard_files import shard_file


def letters(folder, name, count):
    """A job: a shard of so many letters."""
    with shard_file(folder, name) as file:
        file.write(b"x" * (count // 2))
        file.write(b"y" * (count - count // 2))
        file.facts.update(count=count, halves=2)


def row_is_damaged(folder, name, count):
    """A job that fails."""
    raise DataError("row 7 is damaged")
