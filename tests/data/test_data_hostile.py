"""Data that would hang, take all memory, or be left out in silence: every loader refuses it in one line, at once."""

import contextlib
import importlib
import io
import json
import os
import pkgutil
import resource
import signal
import socket
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from practice_torch import data
from practice_torch.data import alignment, audio, galaxies, images, pairs, points, prompts, spectra, symbols, text
from practice_torch.data.errors import DataError
from practice_torch.data.reading import decoding, files, memory
from tests.commands.test_practice_commands import call
from tests.commands.test_practice_commands import refused as refused_line
from tests.support.data.files import everything, gray, refused, save
from tests.support.recipes import module_of, names

RNG = np.random.default_rng(0)
SECONDS, MEGABYTES = 60, 1000
NOBODY = 65534
FILES = [importlib.import_module(f"practice_torch.data.{file.name}") for file in pkgutil.iter_modules(data.__path__)]
MODALITIES = [file.__name__.split(".")[-1] for file in FILES if hasattr(file, "FORMS")]


class TooSlow(BaseException):
    """No Exception, which a loader might take for damage."""


@contextlib.contextmanager
def bounded(megabytes=MEGABYTES):
    """The body must end within SECONDS, and may add this many megabytes of address space to the process."""

    def stop(*_):
        raise TooSlow

    before, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, stop)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 10**6, before[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def refused_soon(load, source, *parts, **options):
    with bounded():
        refused(load, source, *parts, **options)


# ---------------------------------------------------------------------------------------------------- every form of data


def folder_of_images(folder):
    return [save(folder / f"{label}/{number}.png", gray(number)) for label in "ab" for number in range(3)][1]


def npz_of_images(folder):
    np.savez(folder / "data.npz", images=np.stack([gray(seed) for seed in range(6)]))
    return folder / "data.npz"


def parquet_of_images(folder):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    encoded = [save(folder / "one.png", gray(seed)).read_bytes() for seed in range(6)]
    with (folder / "data.parquet").open("wb") as file:  # pyarrow itself takes no name that is not UTF-8
        parquet.write_table(arrow.table({"image": encoded, "label": [0, 1] * 3}), file)
    (folder / "one.png").unlink()
    return folder / "data.parquet"


def folder_of_sounds(folder, suffix):
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for number in range(3):
            with (folder / label / f"{number}.{suffix}").open("wb") as file:  # soundfile takes no name that is not UTF-8
                soundfile.write(file, RNG.uniform(-0.5, 0.5, 400), 8000, format=suffix.upper())
    return folder / "a" / f"1.{suffix}"


def text_file(folder):
    (folder / "data.txt").write_text("a text that is long enough. " * 100)
    return folder / "data.txt"


def npz_of_points(folder):
    np.savez(folder / "data.npz", points=RNG.normal(size=(30, 2)))
    return folder / "data.npz"


def csv_of_points(folder):
    (folder / "data.csv").write_text("x,y\n" + "0.25,1\n" * 30)
    return folder / "data.csv"


def npz_of_symbols(folder):
    np.savez(folder / "data.npz", symbols=RNG.integers(4, size=(30, 8)))
    return folder / "data.npz"


def jsonl_of_pairs(folder):
    row = {"prompt": "How are you?", "chosen": "Well, thank you.", "rejected": "Who asks?"}
    (folder / "data.jsonl").write_text(f"{json.dumps(row)}\n" * 10)
    return folder / "data.jsonl"


def folder_of_galaxies(folder):
    files = [save(folder / "stamps" / f"{number}.png", gray(number)) for number in range(6)]
    rows = "".join(f"stamps/{number}.png,{number},{number**2}\n" for number in range(6))
    (folder / "properties.csv").write_text(f"file,flux,size\n{rows}")
    return files[1]


# A modality and its form: the loader, and what writes good data and names one file of it.
FORMS = {
    "images: folder": (images.load, folder_of_images),
    "images: npz": (images.load, npz_of_images),
    "images: parquet": (images.load, parquet_of_images),
    "audio: wav": (audio.load, lambda folder: folder_of_sounds(folder, "wav")),
    "audio: flac": (audio.load, lambda folder: folder_of_sounds(folder, "flac")),
    "spectra: wav": (spectra.load, lambda folder: folder_of_sounds(folder, "wav")),
    "text: file": (text.load, text_file),
    "points: npz": (points.load, npz_of_points),
    "points: csv": (points.load, csv_of_points),
    "symbols: npz": (symbols.load, npz_of_symbols),
    "pairs: jsonl": (pairs.load, jsonl_of_pairs),
    "galaxies: folder": (galaxies.load, folder_of_galaxies),
    "alignment: jsonl": (alignment.load, jsonl_of_pairs),
    "prompts: jsonl": (prompts.load, jsonl_of_pairs),
}


def written(form, folder):
    """(the loader, what is given to it, one file of it)."""
    load, write = FORMS[form]
    folder.mkdir(exist_ok=True)
    file = write(folder)
    return load, (folder if file.parent != folder else file), file


def pipe(path):
    os.mkfifo(path)


def listening(path):
    """A socket; its path is relative, because the system allows it about 100 bytes."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


def huge(path):
    with path.open("wb") as file:
        file.truncate(2**42)  # sparse: it takes no room on the disk


# Special files in place of a regular one, and the expected message.
STAND_INS = {
    "a pipe": (pipe, "is a named pipe; it must be a regular file"),
    "a socket": (listening, "is a socket; it must be a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a character device; it must be a regular file"),
    "an empty file": (Path.touch, "is empty (0 bytes)"),
    "more than memory": (huge, "would take "),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), ("is a broken link", "does not exist")),
    "a link to itself": (lambda path: path.symlink_to(path), ("is a broken link", "Too many levels")),
    "a folder": (Path.mkdir, ("is a folder", "holds no", "neither an .npz nor a .csv")),
}


def test_every_modality_is_tried():
    assert {form.split(":")[0] for form in FORMS} == set(MODALITIES)


@pytest.mark.parametrize("form", FORMS)
def test_good_data_load_within_the_same_bounds(form, tmp_path):
    load, source, _ = written(form, tmp_path / "data")
    with bounded():
        assert len(load(source)) == 2


IN_FOLDERS = ("images: folder", "audio: wav", "audio: flac", "spectra: wav", "galaxies: folder")


@pytest.mark.parametrize(
    ("form", "kind"),
    [(form, kind) for form in FORMS for kind in STAND_INS if kind != "a folder" or form not in IN_FOLDERS],  # there it is a label
)
def test_a_special_file_in_place_of_a_file_is_refused(form, kind, tmp_path):
    make, words = STAND_INS[kind]
    load, source, file = written(form, tmp_path / "data")
    file.unlink()
    make(file)
    with bounded(), pytest.raises(DataError) as error:
        load(source)
    message = str(error.value)
    assert file.name in message and "\n" not in message
    # of an archive or a table of that size it may also be said that it holds nothing of the kind
    if kind != "more than memory" or form not in ("images: npz", "points: npz", "symbols: npz", "images: parquet"):
        assert any(part in message for part in ([words] if isinstance(words, str) else words)), message


@pytest.mark.parametrize("kind", ["a pipe", "a device", "an empty file"])
@pytest.mark.parametrize("form", ["images: folder", "audio: wav"])
def test_a_special_file_in_place_of_a_folder_is_refused(form, kind, tmp_path):
    make, words = STAND_INS[kind]
    make(tmp_path / "data")
    with bounded(), pytest.raises(DataError, match="is a named pipe|is a character device|is empty|is a file"):
        FORMS[form][0](tmp_path / "data")


@pytest.mark.parametrize("form", FORMS)
def test_names_that_are_not_utf8(form, tmp_path):
    """They are refused before the training: the report, which names them, could not be written after it."""
    load, source, file = written(form, tmp_path / "data")
    renamed = file.rename(file.with_name("caf\udce9" + file.suffix))
    refused_soon(load, renamed if source == file else source, r"caf\xe9", "not UTF-8", "rename it")
    if source != file:
        renamed.parent.rename(source / "\udcff")
        refused_soon(load, source, r"\xff", "not UTF-8", "rename it")
    load, source, _ = written(form, tmp_path / "\udcfe")
    refused_soon(load, source, r"\xfe", "not UTF-8")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "x/" * 3000, "a\0b", "", "~nobody-has-this-name/x"])
def test_names_that_no_file_can_have(form, name):
    refused_soon(FORMS[form][0], name, "data ", "it must be one of")


@contextlib.contextmanager
def without_privileges():
    """Root may read everything; permissions apply to the user nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("form", FORMS)
def test_without_permission(form):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:  # pytest's own folders are closed to others
        Path(root).chmod(0o755)
        load, source, file = written(form, Path(root, "data"))
        load(source)
        for closed in (file, file.parent):
            mode = closed.stat().st_mode
            closed.chmod(0)
            with without_privileges():
                refused_soon(load, source, "ermission denied")
            closed.chmod(mode)
        with without_privileges():
            assert len(load(source)) == 2


@pytest.mark.parametrize("form", FORMS)
def test_every_form_checks_memory_before_it_allocates(form, tmp_path, monkeypatch):
    load, source, _ = written(form, tmp_path / "data")
    asked = []
    monkeypatch.setattr(memory, "UNCHECKED", 0)
    monkeypatch.setattr(memory, "available", lambda: asked.append(1) or 10**9)
    load(source)
    assert len(asked) >= (1 if form == "text: file" else 2)  # to read it; to split it, which is no copy of a text
    for denied in range(len(asked)):
        answers = iter([10**9] * denied + [7] + [10**9] * len(asked))
        monkeypatch.setattr(memory, "available", lambda answers=answers: next(answers))
        refused(load, source, "of memory, and 7 bytes is left: ")


@pytest.mark.parametrize(
    ("load", "source", "options"),
    [
        (audio.load, "notes", {"length": 10**13}),
        (symbols.load, "random", {"count": 10**6, "length": 10**9}),
        (points.load, "two_moons", {"count": 10**13}),
    ],
)
def test_more_than_memory_can_hold_of_an_embedded_set(load, source, options):
    refused_soon(load, source, "of memory", **options)


# ---------------------------------------------------------------------------------------------------- folders


def test_labels_do_not_vanish_behind_links(tmp_path):
    for label in "ab":
        for number in range(3):
            save(tmp_path / label / f"{number}.png", gray(number))
    (tmp_path / "c").symlink_to(tmp_path / "a")
    refused(images.load, tmp_path, "are the same folder", "count twice", "remove the link")
    (tmp_path / "c").unlink()
    (tmp_path / "a" / "again").symlink_to(tmp_path / "b")
    refused(images.load, tmp_path, "are the same folder")
    (tmp_path / "a" / "again").unlink()
    (tmp_path / "c").symlink_to(tmp_path / "gone")
    refused(images.load, tmp_path, f"{tmp_path / 'c'} is a broken link")


def test_a_name_cannot_break_the_line(tmp_path):
    save(tmp_path / "a.png", gray(0))
    (tmp_path / "b\n\x1b[2J.png").write_bytes(b"no image")
    refused(images.load, tmp_path, r"b\n\x1b[2J.png is not a readable image")
    deep = tmp_path.joinpath(*["folder" * 20] * 20)
    save(deep / "a.png", gray(0))
    refused(images.load, deep, "[...]", "1 found", "add more")


@pytest.mark.parametrize("name", ["\ud800", "x" * 256])
def test_names_of_classes_that_no_report_can_hold(name, tmp_path):
    pixels = np.stack([gray(seed) for seed in range(4)])
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.arange(4) % 2, classes=np.array(["good", name]))
    refused(images.load, tmp_path / "a.npz", "the name of a class", "rename it" if len(name) == 1 else "shorten it")


# ---------------------------------------------------------------------------------------------------- one file


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
def test_rates_that_no_recorder_has(rate, tmp_path):
    for index in range(3):
        soundfile.write(tmp_path / f"{index}.wav", RNG.uniform(-0.5, 0.5, 5000), 8000, subtype="PCM_16")
    content = bytearray((tmp_path / "1.wav").read_bytes())
    content[24:32] = struct.pack("<II", rate, (2 * rate) % 2**32)
    (tmp_path / "1.wav").write_bytes(content)
    refused_soon(audio.load, tmp_path, "1.wav", "" if rate == 0 else f"{rate} Hz; allowed are 1000 to 768000")
    parts = audio.load(tmp_path, length=4000, skip_unusable=True)
    assert sum(map(len, parts)) == 2 and "1.wav" in parts[0].description["remarks"][-1]


@pytest.mark.parametrize(("rate", "sample_rate"), [(767_999, 8000), (1000, 768_000), (1009, 44_101), (8003, 8000)])
def test_every_allowed_rate_is_resampled_in_little_memory(rate, sample_rate, tmp_path):
    for index in range(2):
        soundfile.write(tmp_path / f"{index}.wav", RNG.uniform(-0.5, 0.5, 2000), rate)
    with bounded():
        assert sum(map(len, audio.load(tmp_path, sample_rate=sample_rate, length=1 + 2000 * sample_rate // rate))) == 2
    refused(audio.load, tmp_path, "sample_rate is 999;", "1000 to 768000", sample_rate=999)
    refused(audio.load, "notes", "sample_rate is 768001;", "at most 768000", sample_rate=768_001)


def test_a_flac_file_of_silence_is_not_unpacked_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS_ALLOWED", 2**22)
    for index in range(2):
        soundfile.write(tmp_path / f"{index}.flac", np.zeros(2**21, np.int16), 8000)
    refused_soon(audio.load, tmp_path, "0.flac expands from ", "cut it into shorter ones", "--skip-unusable")


@pytest.mark.parametrize(
    ("load", "name", "shape"),
    [(images.load, "images", (2**12, 32, 32)), (points.load, "points", (2**21, 2)), (symbols.load, "symbols", (2**12, 2**10))],
)
def test_an_npz_of_zeros_is_not_unpacked_without_end(load, name, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS_ALLOWED", 2**22)
    np.savez_compressed(tmp_path / "a.npz", **{name: np.zeros(shape, np.uint8 if name == "images" else np.int64)})
    parts = (f"{tmp_path / 'a.npz'} expands from ", "allowed are 4.19 MB, or 100 times the file", "np.savez")
    refused_soon(load, tmp_path / "a.npz", *parts)


@pytest.mark.parametrize("shape", [(10**18,), (-1,), (3, 10**9), (2**62, 4), (2**63, 2**63)])
@pytest.mark.parametrize("descr", ["<f8", "|u1", "<U0", "|V0"])
def test_an_npz_with_a_header_that_contradicts_its_content(shape, descr, tmp_path):
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("images", "points", "symbols", "classes"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(64))
    for load in (images.load, points.load, symbols.load):
        refused_soon(load, tmp_path / "a.npz", "a.npz", "is damaged")


def png_header(width, height):
    """The beginning of a PNG that claims this size."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = [struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in (chunk, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (12_000, 12_000), (8193, 8192)])
@pytest.mark.parametrize("suffix", ["png", "pgm"])
def test_images_that_claim_to_be_enormous(width, height, suffix, tmp_path, recwarn):
    content = png_header(width, height) if suffix == "png" else b"P5 %d %d 255\n" % (width, height) + bytes(100)
    for name in "ab":
        (tmp_path / f"{name}.{suffix}").write_bytes(content)
    refused_soon(images.load, tmp_path, f"a.{suffix} is too large", "allowed are 67108864 pixels")
    assert not recwarn.list


def test_parquet_rows_that_share_one_long_value_do_not_multiply_in_memory(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    long = save(tmp_path / "one.png", gray(0)).read_bytes().ljust(10**6, b"\0")
    values = arrow.DictionaryArray.from_arrays(np.zeros(600, np.int32), [long])  # 600 MB, if every row had its own
    parquet.write_table(arrow.table({"image": values}), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < 10**6
    with bounded(megabytes=300):
        whole = everything(images.load(tmp_path / "a.parquet"), "image")
    assert whole.shape == (600, 1, 6, 5) and whole.amin(0).equal(torch.from_numpy(gray(0))[None] / 255)


def test_a_parquet_footer_that_counts_other_rows(tmp_path, monkeypatch):
    from practice_torch.data.reading import parquet as reader

    pytest.importorskip("pyarrow")
    path = parquet_of_images(tmp_path)
    for count in (5, 7):

        class Lying(reader.Rows):
            def __init__(self, path, count=count):
                super().__init__(path)
                self.count = count

        monkeypatch.setattr("practice_torch.data.reading.image_files.Rows", Lying)
        refused_soon(images.load, path, f"the {count} rows that its footer declares", "again")


# ---------------------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a name", "an empty name"])
def test_the_command_reports_it_in_one_line(kind, tmp_path):
    source = tmp_path / ("caf\udce9" if kind == "a name" else "data")
    if kind in STAND_INS:
        STAND_INS[kind][0](source)
    elif kind == "a name":
        folder_of_images(source)
    asked = ("train", "latent/vae", "digits", "--run", tmp_path / "run", "--steps", "3")
    with bounded():
        refused_line(3, *asked, f"--data={'' if kind == 'an empty name' else source}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_help_of_a_recipe_lists_its_data(modality):
    loader = importlib.import_module(f"practice_torch.data.{modality}")
    topic, name = next(case for case in names() if module_of(case[0]).RECIPES[case[1]].modality == modality)
    code, out, _ = call("train", topic, name, "--help")
    words = " ".join(out.split())
    assert code == 0 and f"--data takes {loader.FORMS} {memory.LIMITS}" in words
    assert all(name in loader.FORMS for name in loader.NAMES)
    assert memory.amount(memory.ALWAYS_ALLOWED) in memory.LIMITS


def test_the_page_about_data_has_the_limits_that_the_code_has():
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells[2] for line in page.splitlines() if len(cells := line.split("|")) == 5}
    assert f"{memory.amount(memory.ALWAYS_ALLOWED)}, or {memory.EXPANSION} times" in rows["a compressed file"]
    assert f"{decoding.MOST_PIXELS} pixels" in rows["an image"]
    assert f"{audio.RATES[0]} to {audio.RATES[1]} Hz" in rows["the rate of a sound"]
    assert f"{files.LONGEST_NAME} bytes" in rows["a name"]
    assert f"0 to {symbols.MOST_SYMBOLS - 1} " in page
    assert f"{text.WORKING['character']} times the size of the file" in page and f"{text.WORKING['byte']} times as bytes" in page
    for loader in (audio, galaxies, images, pairs, points, symbols, text):
        assert all(f"`{name}`" in page for name in loader.NAMES), loader.__name__


def test_descriptions_can_be_written_as_utf8(tmp_path):
    for form in FORMS:
        load, source, _ = written(form, tmp_path / form.replace(": ", "-"))
        for part in load(source):
            assert json.dumps(part.description, ensure_ascii=False).encode()
