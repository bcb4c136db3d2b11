"""`sample RUN --prompts FILE`: completions of many prompts, whole or continued, and bad lines by their numbers."""

import json
import re

import pytest

from practice_torch.data.reading.chat_templates import ChatTemplate
from practice_torch.engine.errors import RunError
from practice_torch.networks.cached_decoder import CachedDecoder
from tests.commands.test_practice_commands import call, refused
from tests.support.commands import published_folders

SMALL = ("--context", "24", "--layers", "1", "--width", "16", "--heads", "2", "--batch-size", "4", "--log-every", "20")
PROMPTS = "a tale\nof\n\ntwo tables: a\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tale.txt").write_text("a tale of two tables: " * 60)
    how = ("--data", folder / "tale.txt", *SMALL, "--steps", 40, "--cpu")
    code, _, err = call("train", "autoregressive/transformer", "pydoc", "--run", folder / "tale", *how)
    assert code == 0, err
    return folder / "tale"


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text(PROMPTS)
    return path


def require_refused(code, message, *arguments):
    line = refused(code, *arguments)
    assert re.search(message, line), line


def completed(trained, prompts, out, *words):
    code, _, err = call("sample", trained, "--prompts", prompts, "--out", out, "--length", "9", "--cpu", *words)
    assert code == 0, err
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_every_prompt_is_completed(trained, prompts, tmp_path):
    rows = completed(trained, prompts, tmp_path / "a.jsonl", "--completions", "2")
    assert [row["prompt"] for row in rows] == ["a tale", "a tale", "of", "of", "two tables: a", "two tables: a"]
    assert [row["completion_number"] for row in rows] == [0, 1] * 3
    assert all(row["tokens"] == 9 and row["ended"] == "length" for row in rows)
    assert rows[0]["completion"] != rows[1]["completion"]
    assert not list(tmp_path.glob(".*")), "no part is left"
    turned = tmp_path / "prompts.jsonl"
    turned.write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in rows[::2]))
    assert completed(trained, turned, tmp_path / "b.jsonl", "--completions", "2", "--batch", "1") == rows, "in any batch"


def test_a_completion_is_cut_at_a_stop(trained, prompts, tmp_path):
    (free,) = [row["completion"] for row in completed(trained, prompts, tmp_path / "a.jsonl", "--greedy")][:1]
    (row,) = completed(trained, prompts, tmp_path / "b.jsonl", "--greedy", "--stop", free[3:5], "never")[:1]
    place = free.find(free[3:5])
    assert row["completion"] == free[:place] and row["tokens"] == place + 2 and row["ended"] == "stop"


def test_a_stopped_command_goes_on(trained, prompts, tmp_path, monkeypatch):
    """After the first batch, with half a line written of the next."""
    wanted = completed(trained, prompts, tmp_path / "whole.jsonl", "--batch", "1")
    out, steps, step_after = tmp_path / "out.jsonl", [], CachedDecoder.step_after

    def interrupted(self, *arguments):
        steps.append(1)
        if len(steps) == 2:
            raise RunError("stopped")
        return step_after(self, *arguments)

    monkeypatch.setattr(CachedDecoder, "step_after", interrupted)
    words = ("--prompts", prompts, "--out", out, "--length", "9", "--cpu", "--batch", "1")
    require_refused(3, "stopped", "sample", trained, *words)
    (part,) = tmp_path.glob(".out.jsonl*")
    assert not out.exists() and len(part.read_text().splitlines()) == 2
    part.write_text(part.read_text() + '{"prompt": "of", "compl')
    require_refused(3, "holds completions of another command", "sample", trained, *words[:-2], "--greedy")
    monkeypatch.setattr(CachedDecoder, "step_after", step_after)
    code, shown, err = call("sample", trained, *words)
    assert code == 0 and "3 completions, 2 of them drawn now" in shown, err
    assert [json.loads(line) for line in out.read_text().splitlines()] == wanted
    require_refused(3, "exists: name another file", "sample", trained, *words)


def test_chat_takes_the_template_of_the_run(trained, prompts, tmp_path, monkeypatch):
    """Its text is what the network reads; without a template messages are refused."""
    require_refused(
        3, "line 1: .* has no chat template", "sample", trained, "--prompts", prompts, "--out", tmp_path / "a.jsonl", "--chat"
    )
    template = ChatTemplate("{% for message in messages %}{{ message.role }}: {{ message.content }};{% endfor %}")
    template.write(trained)
    read, step_after = [], CachedDecoder.step_after

    def watching(self, tokens, cache, lengths):
        read.extend(bytes(row[:length].tolist()).decode() for row, length in zip(tokens, lengths.tolist(), strict=True))
        return step_after(self, tokens, cache, lengths)

    monkeypatch.setattr(CachedDecoder, "step_after", watching)
    completed(trained, prompts, tmp_path / "b.jsonl", "--chat")
    assert read == ["user: a tale;", "user: of;", "user: two tables: a;"]
    talk = tmp_path / "talk.jsonl"
    talk.write_text(json.dumps({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]}))
    (row,) = completed(trained, talk, tmp_path / "c.jsonl")
    assert read[-1] == "system: x;user: y;" and row["messages"][0]["role"] == "system"


def test_an_imported_model_keeps_its_chat_template(prompts, tmp_path):
    folder, run = published_folders.gpt2(tmp_path / "gpt2"), tmp_path / "run"
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}:")
    code, _, err = call("import", folder, "--run", run)
    assert code == 0, err
    rows = completed(run, prompts, tmp_path / "out.jsonl", "--chat")
    assert len(rows) == 3 and all(1 <= row["tokens"] <= 9 for row in rows)
    (folder / "chat_template.jinja").write_text("{% if %}")
    require_refused(3, "the chat template is no Jinja", "import", folder, "--run", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "", "has no prompt"),
        ("p.txt", "a\n\n" + 24 * "b", "line 3: the prompt has 24 tokens; the model sees 24, one of them new: shorten it"),
        ("p.csv", "a", "is no file of prompts"),
        ("p.jsonl", '{"prompt": "a"}\n{"prompt"', "line 2: it is not JSON"),
        ("p.jsonl", '{"prompt": "a"}\n["a"]', "line 2: it is .* either"),
        ("p.jsonl", '{"prompt": ""}', "line 1: prompt is '' .*not empty|line 1: prompt is ''"),
        ("p.jsonl", '{"prompt": 3}', "line 1: prompt is 3"),
        ("p.jsonl", '{"text": "a"}', "line 1: it is"),
        ("p.jsonl", '{"prompt": "a", "messages": []}', "line 1: it is"),
        ("p.jsonl", '{"prompt": "\\ud800"}', "line 1: "),
        ("p.jsonl", '{"messages": ["a"]}', "line 1: "),
    ],
)
def test_bad_prompts_are_refused_by_their_lines(trained, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    require_refused(3, message, "sample", trained, "--prompts", path, "--out", tmp_path / "out.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == [name], "nothing is written"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--prompts", "p.txt"), "with --prompts it must be a file, --out FILE.jsonl"),
        (("--prompts", "p.txt", "--out", "folder"), "it must be a file"),
        (("--prompts", "p.txt", "--out", "o.jsonl", "--count", "3"), "say --completions N"),
        (("--prompts", "p.txt", "--out", "o.jsonl", "--completions", "0"), "completions is 0"),
        (("--prompts", "p.txt", "--out", "o.jsonl", "--beams", "2"), "a search with beams takes one prompt"),
        (("--prompts", "p.txt", "--out", "o.jsonl", "--stop", ""), "stop is empty"),
        (("--chat",), "also give --prompts FILE"),
    ],
)
def test_options_that_do_not_go_together(trained, words, message):
    require_refused(2, message, "sample", trained, *words)
