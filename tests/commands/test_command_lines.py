"""The same mistake on the command line of each wing ends in the same line and the same exit code."""

import importlib
from types import SimpleNamespace

import pytest

import diptych
from shared_specs.commands.errors import UsageError

# a command of each wing that takes topics, an option of it that takes a number, and the words that end a command with topics
WINGS = {
    "theory_jax": SimpleNamespace(commands="list, run, mutate, exam, train", takes="run", number="--jobs", after=()),
    "shared_specs": SimpleNamespace(
        commands="list, show, check, exercise, grade, schedule, export", takes="check", number="--jobs", after=()
    ),
    "practice_torch": SimpleNamespace(
        commands="list, prepare, train, sample, evaluate, report, judge, project, import, export",
        takes="train",
        number="--seed",
        after=("digits",),
    ),
}
# words -> the line; {commands}, {takes} and {number} are the wing's own
MISTAKES = {
    "no command": ((), "which command? {commands}; see --help"),
    "unknown command": (("bogus",), "unknown command 'bogus'; it must be one of {commands}; see --help"),
    "misspelled command": (("lits",), "unknown command 'lits'; did you mean list?; see --help"),
    "unknown option": (("list", "--jsn"), "unknown argument '--jsn' of list; did you mean --json?"),
    "unknown option after another": (("list", "--json", "--color"), "unknown argument '--color' of list; {options}"),
    "missing value": (("{numbered}", "{number}"), "Missing value for argument '{number}'. Expected 1 values."),
    "no number": (("{numbered}", "{number}", "x"), "{number}: invalid literal for int() with base 10: 'x'"),
    "misspelled topic": (("{takes}", "transformr"), "no topic 'transformr'; did you mean autoregressive/transformer?"),
    "unknown topic": (("{takes}", "bogus"), "no topic 'bogus'; `list` shows them all"),
    "empty topic": (("{takes}", ""), "an empty topic; give family/topic, a unique part of it, or a lecture number"),
    "unknown lecture": (("{takes}", "99"), "no lecture 99; the course has lectures 1..56"),
    "planned topic": (("{takes}", "foundations/unbuilt_urn"), "foundations/unbuilt_urn is planned, not built yet"),
}


def words_of(name, mistake):
    """The words of a mistake on the command line of a wing."""
    wing = WINGS[name]
    numbered = "project" if name == "practice_torch" else wing.takes  # train takes numbers of a recipe only
    words = [word.format(takes=wing.takes, number=wing.number, numbered=numbered) for word in MISTAKES[mistake][0]]
    return [*words, *(wing.after if words[:1] == [wing.takes] else ())]


@pytest.mark.parametrize("name", WINGS)
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.usefixtures("planned_topics")
def test_a_mistake_is_one_line_and_exit_code_2(mistake, name, capsys):
    words, line = words_of(name, mistake), MISTAKES[mistake][1]
    assert importlib.import_module(f"{name}.__main__").main(words) == 2
    said = capsys.readouterr()
    options = f"it must be one of {'--sizes, ' if name == 'practice_torch' else ''}--json, --debug"
    assert said.err == f"error: {line.format(**vars(WINGS[name]), options=options)}\n"
    assert said.out == ""


@pytest.mark.parametrize("name", WINGS)
def test_debug_raises_the_error(name):
    words = [*words_of(name, "misspelled topic"), "--debug"]
    with pytest.raises(UsageError, match="did you mean autoregressive/transformer"):
        importlib.import_module(f"{name}.__main__").main(words)


@pytest.mark.parametrize("name", WINGS)
def test_an_unforeseen_error_is_one_line_and_exit_code_1(name, monkeypatch, capsys):
    def broken(*_):
        raise TypeError("two\nlines")

    main = importlib.import_module(f"{name}.__main__")
    monkeypatch.setitem(main.DOES, main.COMMANDS["list"], broken)
    assert main.main(["list"]) == 1
    line = "error: internal error TypeError: two lines; please report it (--debug shows where)\n"
    assert capsys.readouterr().err == line
    with pytest.raises(TypeError):
        main.main(["list", "--debug"])


def test_the_command_for_all_wings_names_an_unknown_command_in_the_same_form(capsys):
    assert diptych.main(["chek"]) == 2
    assert capsys.readouterr().err == "error: unknown command 'chek'; did you mean check?; see --help\n"
