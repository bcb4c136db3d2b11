"""`judge`: sessions in folders, the page in a browser, what the server refuses, and the scores of known verdicts."""

import json
import math
import signal
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.commands.judging.scores import scores_of
from practice_torch.commands.judging.server import Server
from practice_torch.commands.judging.session import Session, Verdict, shuffled_pairs
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError
from shared_specs.stopping import Stopped
from tests.support.commands.browser import CHROMIUM, opened

IMAGES = [[ImageGrid(torch.full((1, 1, 4, 4), (run + 1) / 4), 1) for _ in range(3)] for run in range(2)]


@pytest.fixture
def session(tmp_path):
    return Session.create(tmp_path / "session", ("runs/alpha", "runs/omega"), IMAGES, seed=0)


@pytest.fixture
def server(session):
    with Server(session, "ada") as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


def ask(server, path, *, token=None, data=None, **headers):
    """The status of a request, and the answer."""
    address = f"http://127.0.0.1:{server.server_port}{path}?token={server.token if token is None else token}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=data, headers=headers)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def choose(session, wanted, judge="ada"):
    """Verdicts of a judge: of each pair the run that wanted(number) names, or None for a tie."""
    verdicts = []
    for number, pair in enumerate(session.pairs):
        run = wanted(number)
        choice = "tie" if run is None else "left" if pair.left[0] == run else "right"
        verdicts.append(Verdict(number, judge, choice))
    return verdicts


# ---------------------------------------------------------------------------------------------------- pairs and files


def test_every_two_runs_are_compared_with_every_sample_once():
    pairs = shuffled_pairs(3, 40, seed=0)
    duels = [tuple(sorted((pair.left[0], pair.right[0]))) for pair in pairs]
    assert sorted(duels) == sorted(40 * [(0, 1), (0, 2), (1, 2)])
    for duel in ((0, 1), (0, 2), (1, 2)):
        places = [place for pair, found in zip(pairs, duels, strict=True) if found == duel for place in (pair.left, pair.right)]
        assert sorted(places) == [(run, number) for run in duel for number in range(40)]
    lefts = np.mean([pair.left[0] < pair.right[0] for pair in pairs])
    assert 0.3 < lefts < 0.7  # sides are random


def test_a_session_is_what_was_written(session):
    assert Session.open(session.folder) == session
    for verdict in (Verdict(0, "ada", "left"), Verdict(0, "ada", "tie"), Verdict(0, "bob", "right")):
        session.add(verdict)
    assert session.verdicts() == [Verdict(0, "ada", "tie"), Verdict(0, "bob", "right")]  # the last of each judge


def test_a_torn_last_line_costs_nothing_else(session):
    session.add(Verdict(1, "ada", "left"))
    with open(session.folder / "verdicts.jsonl", "a") as file:
        file.write('{"pair": 2, "jud')
    assert session.verdicts() == [Verdict(1, "ada", "left")]


@pytest.mark.parametrize(
    "line", ["nonsense", '{"pair": 99, "judge": "ada", "choice": "left"}', '{"pair": 0, "judge": "a", "choice": "x"}']
)
def test_a_damaged_line_is_named(session, line):
    (session.folder / "verdicts.jsonl").write_text(line + "\n")
    with pytest.raises(RunError, match="line 1 of .* is no verdict"):
        session.verdicts()


def test_a_damaged_session_is_refused(session):
    session.item(session.pairs[0].left).unlink()
    with pytest.raises(RunError, match="is missing"):
        Session.open(session.folder)
    (session.folder / "session.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        Session.open(session.folder)


# ---------------------------------------------------------------------------------------------------- scores


def test_scores_of_a_landslide_are_finite(session):
    found = scores_of(session, choose(session, lambda number: 1))
    assert found.duels[0].wins == (0, 3) and found.duels[0].share[0] == 0
    # 3.5 wins to 0.5: the log-odds are log 7
    assert found.scores == pytest.approx([-math.log(7) / 2, math.log(7) / 2])
    # the variance of the log-odds is 1/3.5 + 1/0.5, of each of two opposite scores a quarter of it
    assert found.reaches == pytest.approx(2 * [1.959963984540054 * math.sqrt(1 / 3.5 + 2) / 2])


def test_ties_are_half_wins_and_no_trials(session):
    found = scores_of(session, choose(session, {0: None, 1: 0, 2: 1}.get))
    assert found.duels[0].wins == (1, 1) and found.duels[0].ties == 1
    assert found.duels[0].share == pytest.approx((0.5, 0.0945, 0.9055), abs=1e-4)  # Wilson's interval of 1 of 2
    assert found.scores == pytest.approx((0, 0), abs=1e-12)


def test_three_runs_have_the_scores_of_their_strengths(tmp_path):
    items = [[Text("a")] * 400] * 3
    session = Session.create(tmp_path / "s", ("a", "b", "c"), items, seed=0)
    strengths, random = np.array([0.0, 0.7, 1.5]), np.random.default_rng(0)

    def wins(number):
        a, b = session.pairs[number].left[0], session.pairs[number].right[0]
        return a if random.random() < 1 / (1 + np.exp(strengths[b] - strengths[a])) else b

    found = scores_of(session, choose(session, wins))
    assert np.abs(np.array(found.scores) - (strengths - strengths.mean())).max() < 0.2
    assert all(0.05 < reach < 0.2 for reach in found.reaches)


def test_judges_agree_by_fleiss_kappa(session):
    by_ada, by_bob = choose(session, {0: 0, 1: 0, 2: 1}.get), choose(session, {0: 0, 1: 0, 2: 1}.get, "bob")
    assert scores_of(session, by_ada).kappa is None
    assert scores_of(session, by_ada + by_bob).kappa == pytest.approx(1)
    assert scores_of(session, by_ada + choose(session, {0: 1, 1: 1, 2: 0}.get, "bob")).kappa == pytest.approx(-1)
    assert scores_of(session, by_ada + by_bob[:1]).judged_by_all == 1
    alike = choose(session, lambda number: 0) + choose(session, lambda number: 0, "bob")
    assert scores_of(session, alike).kappa is None


# ---------------------------------------------------------------------------------------------------- the server


def test_a_verdict_is_saved_before_it_is_answered(server, session):
    assert ask(server, "/verdict", data=b'{"pair": 2, "choice": "right"}') == (200, b"saved")
    assert session.verdicts() == [Verdict(2, "ada", "right")]
    assert json.loads(ask(server, "/choices")[1]) == {"2": "right"}


def test_an_address_does_not_tell_the_run(server, session):
    page = ask(server, "/")[1].decode()
    assert "alpha" not in page and "omega" not in page
    status, content = ask(server, "/item/0/left")
    assert status == 200 and content == session.item(session.pairs[0].left).read_bytes()


@pytest.mark.parametrize("path", ["/", "/choices", "/item/0/left", "/verdict"])
def test_without_the_token_nothing_is_answered(server, path):
    for token in ("", "x", "ü"):
        assert ask(server, path, token=urllib.request.quote(token), data=b"{}" if path == "/verdict" else None)[0] == 403
    assert ask(server, path, Host="evil.example")[0] == 403
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path, data, status",
    [
        ("/item/3/left", None, 404),
        ("/item/0/middle", None, 404),
        ("/item/-1/left", None, 404),
        ("/item/../session.json", None, 404),
        ("/verdict", b'{"pair": 3, "choice": "left"}', 400),
        ("/verdict", b'{"pair": 0, "choice": "both"}', 400),
        ("/verdict", b"[1]", 400),
        ("/verdict", b"{", 400),
        ("/verdict", b'{"pair": 0, "choice": "left"' + b" " * 2000 + b"}", 400),
    ],
)
def test_what_is_not_there_is_refused(server, session, path, data, status):
    assert ask(server, path, data=data)[0] == status
    assert session.verdicts() == []


@pytest.mark.skipif(CHROMIUM is None, reason="the page needs Chromium")
def test_the_page_in_a_browser(server, session, tmp_path):
    with opened(server.address, tmp_path / "profile") as page:
        page.wait_for("document.querySelectorAll('figure img').length", 2)
        assert page.evaluate("document.getElementById('place')?.textContent") == "pair 1 of 3"
        page.press("ArrowLeft")
        page.wait_for("document.getElementById('place')?.textContent", "pair 2 of 3")
        page.evaluate("document.querySelector('[data-choice=right]').click()")
        page.wait_for("document.getElementById('place')?.textContent", "pair 3 of 3")
        page.press("Backspace")
        page.wait_for("document.querySelector('[data-choice=right]').classList.contains('chosen')")
        page.press("ArrowDown")
        page.wait_for("document.getElementById('place')?.textContent", "pair 3 of 3")
        page.press("ArrowRight")
        page.wait_for("document.getElementById('done').hidden", False)
    assert session.verdicts() == [Verdict(0, "ada", "left"), Verdict(1, "ada", "tie"), Verdict(2, "ada", "right")]


@pytest.mark.skipif(CHROMIUM is None, reason="the page needs Chromium")
@pytest.mark.parametrize(
    "sample, shown",
    [
        (Text("<b>no</b> & markup"), "document.querySelector('#left pre')?.textContent.trim() == '<b>no</b> & markup'"),
        (Audio(torch.zeros(800), 8000), "document.querySelector('#right audio')?.duration > 0.05"),
    ],
    ids=["text", "sound"],
)
def test_texts_and_sounds_in_a_browser(tmp_path, monkeypatch, sample, shown):
    found = Session.item

    def late(session, place):  # the page must not name a pair before its samples are there
        time.sleep(0.3)
        return found(session, place)

    session = Session.create(tmp_path / "session", ("first", "second"), [[sample], [sample]], seed=0)
    monkeypatch.setattr(Session, "item", late)
    with Server(session, "ada") as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        with opened(served.address, tmp_path / "profile") as page:
            page.wait_for("document.getElementById('place')?.textContent", "pair 1 of 1")
            assert page.evaluate(shown)
        served.shutdown()


# ---------------------------------------------------------------------------------------------------- the command


def test_the_command_draws_the_samples_of_runs(tmp_path, monkeypatch, capsys):
    runs = [str(tmp_path / name) for name in ("one", "other")]
    for seed, run in enumerate(runs):
        words = ["--steps", "2", "--samples", "2", "--seed", str(seed), "--run", run]
        assert main(["train", "latent/vae", "digits", *words]) == 0

    def judged(server):
        for number, pair in enumerate(server.session.pairs):
            server.session.add(Verdict(number, server.judge, "left" if pair.left[0] == 0 else "right"))
        raise Stopped(signal.SIGINT)  # Ctrl-C

    monkeypatch.setattr(Server, "serve_forever", judged)
    folder = tmp_path / "session"
    words = ["--no-browser", "--judge", "ada"]
    assert main(["judge", *runs, "--count", "4", "--out", str(folder), *words]) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().out
    found = json.loads((folder / "results.json").read_text())
    assert found["duels"][0]["wins"] == [4, 0] and found["judges"] == ["ada"]
    assert len({path.read_bytes() for path in (folder / "items").iterdir()}) == 8  # eight different images
    assert main(["judge", *runs, "--out", str(folder), *words]) == 2
    assert f"continue it with `judge {folder}`" in capsys.readouterr().err
    assert main(["judge", str(folder), "--no-browser", "--judge", "bob"]) == 0
    assert json.loads((folder / "results.json").read_text())["judges"] == ["ada", "bob"]


def test_report_prints_the_scores_of_a_session(session, capsys):
    assert main(["report", str(session.folder)]) == 0
    assert "no verdicts yet" in capsys.readouterr().out
    for verdict in choose(session, lambda number: 1) + choose(session, lambda number: 1, "bob")[:2]:
        session.add(verdict)
    assert main(["report", str(session.folder)]) == 0
    out = capsys.readouterr().out
    assert "0% (0% to" in out and "2 judges agree" in out and "alike" in out
    assert json.loads((session.folder / "results.json").read_text())["duels"][0]["wins"] == [0, 5]


@pytest.mark.parametrize(
    "words, code, error",
    [
        ([], 2, "judge takes at least two RUNs"),
        (["nowhere"], 2, "judge takes at least two RUNs"),
        (["nowhere", "neither"], 3, "nowhere"),
        (["a", "b", "--count", "0"], 2, "count is 0"),
        (["a", "b", "--port", "70000"], 2, "port is 70000"),
        (["a", "b", "--judge", " "], 2, "--judge is empty"),
    ],
)
def test_an_error_is_one_line(words, code, error, capsys):
    assert main(["judge", *words]) == code
    assert error in capsys.readouterr().err.strip().splitlines()[-1]
