"""Output of the commands on narrow terminals, in pipes, and on a full disk."""

import importlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from practice_torch.commands.recipes import recipe_names
from shared_specs.syllabus import load, resolve
from shared_specs.terminal import print_table

ROOT = Path(__file__).resolve().parents[2]
WINGS = ["shared_specs", "theory_jax", "practice_torch"]


@pytest.mark.parametrize("package", WINGS)
def test_a_list_in_a_pipe_cuts_and_wraps_nothing(package, monkeypatch, capsys):
    """The width of the terminal that the pipe is in does not matter."""
    listed = []
    for columns in ("30", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        assert importlib.import_module(f"{package}.__main__").main(["list"]) == 0
        listed.append(capsys.readouterr().out)
    trained = [path for path in load().topics if recipe_names(path)]
    lines = [line.split() for line in listed[0].splitlines()]
    assert listed[0] == listed[1] and "…" not in listed[0]
    for path in trained if package == "practice_torch" else load().topics:
        assert any(path in words for words in lines), path
    assert resolve("latent/vae")[0].title in listed[0]


def test_a_terminal_that_is_too_narrow_wraps_what_may_be_wrapped_and_cuts_nothing():
    table = Table(box=None)
    table.add_column("name", no_wrap=True)
    table.add_column("title")
    table.add_row("a_name_of_twenty_four_ch", "words that are wrapped")
    printed = io.StringIO()
    console = Console(force_terminal=True, width=20, file=printed, color_system=None)
    print_table(table, console)
    assert console.width == 20
    lines = [line.split() for line in printed.getvalue().splitlines()]
    assert lines == [["name", "title"], ["a_name_of_twenty_four_ch", "words"], ["that"], ["are"], ["wrapped"]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("words", [[wing, "list"] for wing in WINGS] + [["theory_jax", "list", "--json"]], ids=" ".join)
def test_a_full_disk_is_one_line(words):
    """Noticed while a table is written, or when the last of the output is."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (3, "error: No space left on device (standard output)\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("module", ["theory_jax", "shared_specs", "practice_torch"])
def test_a_wrong_option_is_refused_in_one_line_in_every_encoding(module, encoding, monkeypatch, capsys):
    """tyro frames its complaint, by hyphens where stdout cannot write lines."""
    words, complaint = {
        "theory_jax": ("run --jobs x", "--jobs: invalid literal for int() with base 10: 'x'"),
        "shared_specs": ("check --jobs x", "--jobs: invalid literal for int() with base 10: 'x'"),
        "practice_torch": ("train latent/vae digits --steps 0", "steps is 0; it must be at least 1"),
    }[module]
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert importlib.import_module(f"{module}.__main__").main(words.split()) == 2
    assert capsys.readouterr().err == f"error: {complaint}\n"


@pytest.mark.parametrize("package", WINGS)
def test_a_list_is_written_in_every_encoding(package, monkeypatch):
    """Titles hold letters that Latin-1 and ASCII lack."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert importlib.import_module(f"{package}.__main__").main(["list"]) == 0
    assert b"?" in written.getvalue() and b"latent/vae" in written.getvalue()
