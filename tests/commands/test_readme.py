"""The README is correct: its commands exist, its example fails and passes as described, its derivation is the printed one."""

import contextlib
import importlib
import io
import math
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import diptych
from shared_specs.commands import extras as installable
from shared_specs.commands.extras import MODULES, remedy
from shared_specs.commands.syllabus_page import PAGE, anchor
from shared_specs.syllabus import load

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [line.split("#")[0].split() for line in SHELL.splitlines() if line.startswith("python -m")]


def block_after(marker):
    """The fenced block that follows a comment."""
    return re.search(rf"<!-- {re.escape(marker)} -->\n```\w*\n(.*?)```", README, re.DOTALL)[1]


def called(package, *words):
    """(exit code, stdout) of `python -m package`, in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            code = importlib.import_module(f"{package}.__main__").main(list(words))
        except SystemExit as stopped:  # --help
            code = stopped.code
    return code, out.getvalue()


def test_the_readme_shows_commands():
    assert len(COMMANDS) >= 10 and {command[2] for command in COMMANDS} == {"theory_jax", "shared_specs", "practice_torch"}


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    """The language model that the README trains, of a size and age that cost nothing. Its run folder."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "text.txt").write_text("The with statement. " * 200)
    tiny = {"steps": 1, "warmup-steps": 0, "width": 16, "layers": 1, "heads": 1, "context": 16, "merges": 4}
    words = [word for name, size in tiny.items() for word in (f"--{name}", str(size))]
    data = ["--data", str(folder / "text.txt"), "--run", str(folder / "gpt"), "--cpu"]
    assert called("practice_torch", "train", "autoregressive/transformer", "pydoc", *words, *data)[0] == 0
    return folder / "gpt"


@pytest.mark.xdist_group("readme")  # the language model is trained once
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_of_the_readme_exists(command, gpt):
    """The sub-command answers to --help, which knows every flag that the README gives it."""
    package, subcommand, *words = command[2:]
    asked = {"train": [word for word in words if not word.startswith("-")][:2], "sample": [str(gpt)]}.get(subcommand, [])
    flags = [word for word in words if word.startswith("--")]
    code, output = called(package, subcommand, *([] if flags[:1] == ["--resume"] else asked), "--help")
    own = called(package, subcommand, "--help")[1]
    assert code == 0
    assert all(flag in output + own for flag in flags)


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)(?:`|^)make (\w+)", README))
    assert {"demo", "test", "help"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_local_link_of_the_readme_leads_somewhere():
    links = [link.partition("#")[::2] for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert len(links) > 15
    assert [path for path, _ in links if not (ROOT / path).exists()] == []
    headings = re.findall(r"(?m)^## (.*)$", (ROOT / PAGE).read_text(encoding="utf-8"))
    sections = [(path, section) for path, section in links if section]
    assert sections == [(PAGE, anchor(heading)) for heading in headings]


@pytest.mark.xdist_group("latent/elbo")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, at the mean of an empty batch
@pytest.mark.parametrize(
    ("change", "exit_code"), [(("", ""), 1), (("np.sum", "np.mean"), 0)], ids=["as printed", "with the mean"]
)
def test_the_example_is_judged_as_in_the_readme(tmp_path, change, exit_code):
    (tmp_path / "my_module.py").write_text(block_after("my_module.py").replace(*change))
    code, output = called("shared_specs", "check", "latent/elbo", "--against", str(tmp_path / "my_module.py"))
    assert code == exit_code, output
    output = " ".join(output.split())
    for line in block_after("its verdict").splitlines():
        assert (" ".join(line.split()) in output) == (exit_code == 1)


def test_the_python_of_the_readme_runs():
    """In this process, which has imported both backends."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(block_after("from Python"), {})
    gradient, divergence, holds = re.fullmatch(r"tensor\((.*?)\)\n\[(.*?)\]\n(True|False)\n", out.getvalue(), re.DOTALL).groups()
    assert re.findall(r"0\.\d+", gradient) == ["0.8591"] * 6  # (e - 1)/2
    assert [float(number) for number in divergence.split()] == pytest.approx([1.5 * (math.e - 2)] * 2)
    assert holds == "True"


@pytest.mark.parametrize(
    ("words", "package"),
    [(["run", "--help"], "theory_jax"), (["check", "--help"], "shared_specs"), (["train", "--help"], "practice_torch")],
)
def test_the_command_hands_every_verb_to_its_package(words, package, capsys):
    with pytest.raises(SystemExit) as stopped:
        diptych.main(words)
    assert stopped.value.code == 0 and f"python -m {package} {words[0]}" in capsys.readouterr().out


def test_the_command_accepts_every_verb_and_refuses_others(capsys):
    assert diptych.main(["recipes"]) == 0 and "latent/vae" in capsys.readouterr().out
    assert diptych.main([]) == 0 and "check, exercise" in capsys.readouterr().out
    assert diptych.main(["chek"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown command 'chek'; did you mean check?")


def test_the_command_has_every_verb_of_the_packages():
    """`list` of the practice wing is `recipes` here, its `export`, which the contracts have, too, `export-model`; `list` of the
    theory wing is the course's own, and its `train` is `train-jax`.
    """
    named = {name: set(importlib.import_module(f"{name}.__main__").COMMANDS) for name in diptych.PACKAGES}
    named["practice_torch"] = named["practice_torch"] - {"list", "export"} | {"recipes", "export-model"}
    named["theory_jax"] = named["theory_jax"] - {"list", "train"} | {"train-jax"}
    assert {name: set(verbs) for name, verbs in diptych.PACKAGES.items()} == named


def test_the_version_has_one_source():
    """pyproject.toml has it; the citation repeats it, and the changelog has an entry for it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited[1] == version
    newest = re.search(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is None or newest[1] == version
    shown = subprocess.run([sys.executable, "-m", "diptych", "--version"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.startswith("diptych ")


def test_a_closed_pipe_is_silent():
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run([sys.executable, "-m", "diptych"], stdout=writes, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_the_installed_package_has_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"diptych": "diptych:main"}
    assert project["tool"]["setuptools"]["py-modules"] == ["diptych"]


def test_topics_listed_as_built_are_built():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    syllabus = load()
    built = str(len(syllabus.built))
    assert re.findall(r"a course of <!-- built -->(\d+)<!-- end of built --> topics", readme) == [built]
    assert re.findall(r"(?m)^(?:All )?(\d+)(?: of \d+)? topics are built", readme) == [built]
    assert all(syllabus.topics[topic].built for lecture in syllabus.lectures for topic in lecture.topics)


@pytest.mark.skipif(shutil.which("make") is None, reason="the Makefile needs make")
def test_the_install_lists_its_downloads(tmp_path):
    """Before pip begins, as a slow network takes minutes."""
    words = ["make", "--dry-run", "demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"]
    planned = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "about 7 GB, most of it PyTorch" in planned.partition("-m pip install")[0]


def test_the_extras_hold_what_requirements_txt_does():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").lower().splitlines()
    every = sorted(filter(None, (line.partition("#")[0].strip() for line in lines)))
    wings = extras["wing"] + extras["jax"] + extras["torch"]
    assert sorted([*project["dependencies"], *(line for line in wings if line != "diptych[wing]")]) == every
    assert "diptych[wing]" in extras["jax"] and "diptych[wing]" in extras["torch"]
    assert extras["all"] == ["diptych[jax,torch]"] and "diptych[all]" in extras["test"] and "diptych[all]" in extras["bench"]
    imported = {"pillow": "PIL", "myst-parser": "myst_parser", "scikit-learn": "sklearn"}
    for extra, key in (("jax", "jax"), ("torch", "torch"), ("book", "book"), ("wing", "all")):
        names = [re.match(r"[\w-]+", requirement)[0] for requirement in extras[extra]]
        names = [name for name in names if name != "diptych"]
        assert {imported.get(name, name) for name in names} == set(MODULES[key])


def test_a_missing_extra_is_installed_from_the_clone_or_for_the_wheel(monkeypatch, tmp_path):
    missing = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert remedy(missing).endswith("which is not installed: run pip install -e '.[torch]' in the clone of Diptych")
    monkeypatch.setattr(installable, "CLONE", tmp_path)
    assert remedy(missing).endswith("which is not installed: run pip install 'diptych[torch]'")


COMMANDS_WITHOUT = """
import sys
from importlib import import_module, metadata

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def version(name, installed=metadata.version):
    if name in hidden:
        raise metadata.PackageNotFoundError(name)
    return installed(name)

hidden, commands = eval(sys.argv[1])
sys.meta_path.insert(0, Hidden())
metadata.version = version
for package, *words in commands:
    print("exit code", import_module(f"{package}.__main__").main(words), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("extra", "listed", "refused"),
    [
        (
            "torch",
            [["practice_torch", "list"], ["theory_jax", "list"], ["shared_specs", "list"]],
            [["practice_torch", "train", "latent/vae", "digits"], ["shared_specs", "check", "jensen", "--jobs", "1"]],
        ),
        (
            "jax",
            [["theory_jax", "list"], ["shared_specs", "list"]],
            [["theory_jax", "run", "jensen"], ["shared_specs", "check", "jensen", "--jobs", "1", "--backend", "jax"]],
        ),
    ],
)
def test_a_command_without_its_wing_names_the_extra(extra, listed, refused):
    """In its own process, in which nothing has imported the wing's libraries; commands without them still work."""
    words = repr((MODULES[extra], listed + refused))
    done = subprocess.run([sys.executable, "-c", COMMANDS_WITHOUT, words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.count("latent/vae") >= len(listed)
    lines = done.stderr.splitlines()
    assert lines[: len(listed)] == ["exit code 0"] * len(listed), done.stderr
    assert lines[len(listed) + 1 :: 2] == ["exit code 2"] * len(refused), done.stderr
    for line in lines[len(listed) :: 2]:
        assert line.startswith("error: this command needs ")
        assert line.endswith(f"pip install -e '.[{extra}]' in the clone of Diptych")


def test_the_derivation_is_the_printed_one():
    from theory_jax.lectures.latent.elbo import central, derivation
    from theory_jax.pages.console import console_of_the_page
    from theory_jax.pages.page import lecture_page
    from theory_jax.pages.terminal import print_page

    alone = replace(derivation)  # the same lecture with its central chain alone
    alone.symbols, alone.parts, alone.central = derivation.symbols, [central], central
    printed = io.StringIO()
    print_page(lecture_page(alone, alone.run()), console=console_of_the_page(file=printed))
    shown = block_after("derivation of latent/elbo")
    assert derivation.title in shown
    _, chain = shown.split("...")
    assert chain.strip() in "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
