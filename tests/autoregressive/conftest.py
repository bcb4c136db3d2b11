"""A text to train on in no time."""

import pytest


@pytest.fixture(scope="session")
def own_text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_text("she sells sea shells by the sea shore, " * 60)
    return path
