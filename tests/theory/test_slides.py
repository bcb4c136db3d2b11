"""Slides of a lecture: a step each, with notes from the lecture's own words; keys and paper in a browser."""

import re
from dataclasses import replace

import pytest

from tests.support.commands.browser import CHROMIUM, opened
from tests.support.commands.other_derivations import put
from tests.theory.test_lecture_pages import page_of
from tests.theory.test_parts import parabola, whole
from theory_jax.__main__ import main
from theory_jax.derivation.chains import equals
from theory_jax.pages.slides import MOST_LINES, html_slides, slides

LOOK = """(() => { const now = document.querySelector(".now");
  return [slides.indexOf(now) + 1, now.querySelectorAll(".later").length]; })()"""


@pytest.fixture(scope="module")
def long():
    """The page of a derivation with a chain of six lines and a figure in frames."""
    toy = _without_figures(whole(title="A toy <b>"))
    toy.figure("Moves.", frames=["$t = 0$", "$t = 1$"])(lambda axes, frame: (parabola(axes), axes.plot(frame, 0)))
    toy.say("Now the $a$ are counted.")
    forms = [toy.m * (toy.b + number) - number * toy.m for number in range(1, 7)]
    lines = [equals(form, f"reason {i}", wrong={"twice": 2 * form}) for i, form in enumerate(forms)]
    toy.chain("Six lines", toy.m * toy.b, *lines, so="So it is $b m$.")
    page = page_of(toy)
    assert page.passed, page.summary
    return page


@pytest.fixture(scope="module")
def text(long):
    return html_slides(long)


def test_every_step_of_the_page_has_a_slide(long):
    kinds = [slide.kind for slide in slides(long)]
    shown = ["chain", "bridge", "example"]
    assert kinds[:2] == ["title", "opening"] and [kind for kind in kinds if kind in shown] == [*shown, "chain", "chain"]
    assert kinds[kinds.index("result") :] == ["result", "limits", *["exercise"] * 5, "sources"]
    symbols = [slide.listed for slide in slides(long) if slide.kind == "symbols"]
    shared = [slide.item.introduces for slide in slides(long) if slide.kind in shown]
    listed = [symbol for some in (*symbols, *shared) for symbol in some]
    assert sorted(symbol.latex for symbol in listed) == sorted(symbol.latex for symbol in long.symbols)


def test_a_long_chain_goes_on_from_its_last_line(long):
    first, second = [slide for slide in slides(long) if slide.item and slide.item.title.startswith("Six lines")]
    assert max(len(first.item.rows), len(second.item.rows)) <= MOST_LINES + 1
    assert first.item.rows[-1].latex == second.item.rows[0].latex and not second.item.rows[0].because
    assert [row.because for row in (*first.item.rows[1:], *second.item.rows[1:])] == [f"reason {number}" for number in range(6)]
    assert (first.item.number, second.item.number) == (2, None) and second.item.title == "Six lines (continued)"


def test_the_notes_have_the_words_around_the_mathematics(long, text):
    first, second = [slide for slide in slides(long) if slide.item and slide.item.title.startswith("Six lines")]
    assert first.told == ("Now the $a$ are counted.",) and second.told[0] == "So it is $b m$."
    assert first.reasons + second.reasons == tuple(f"reason {number}" for number in range(6))
    assert len(first.mistakes + second.mistakes) == 6
    boards, notes = _boards_and_notes(text)
    assert "It is 0.5." in notes and "Halve it." in notes and "twice" in notes and "the sign" in notes
    assert not any(words in boards for words in ("It is 0.5.", "Halve it.", "twice", "the sign", "derived for all"))
    assert "reason 3" in boards and "How much?" in boards and "Nothing." in boards


def test_what_failed_is_on_the_slide():
    toy = _without_figures(whole())
    toy.chain("A slip", toy.a, equals(toy.a + 1, "no reason"), so="So it is not.")
    boards, notes = _boards_and_notes(html_slides(page_of(toy)))
    assert boards.count("false at") == 1 and "FAILED" in boards and "So it is not." in notes


def test_a_lecture_without_a_figure_setting_limits_and_sources_has_slides(long):
    bare = replace(long, opening=None, setting=(), introduced=(), body=(), limits=(), exercises=(), sources=())
    assert [slide.kind for slide in slides(bare)] == ["title", "result"] and "<h1>" in html_slides(bare)


def test_the_file_needs_no_other_and_no_network(text):
    assert not re.search(r"url\((?!#|data:font/woff2;base64,)|@import|\bsrc=|fetch\(|https?://(?!www\.w3\.org)", text)
    assert text.count("<script") == 1 and "<title>A toy &lt;b&gt; (slides)</title>" in text and "<b>" not in text
    identifiers = re.findall(r'\bid="([^"]*)"', text)
    assert identifiers and len(identifiers) == len(set(identifiers))
    assert "&lt;details" not in text and '<details class="' not in text.split("<main>")[1]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: keys and paper are not tried")
def test_keys_and_paper(long, text, tmp_path):
    """Each line comes with its reason; the end and the beginning stop; a frame is a step; a printed page is a slide."""
    file = tmp_path / "slides.html"
    file.write_text(text, encoding="utf-8")
    kinds = [slide.kind for slide in slides(long)]
    (chain, last), opening = [i for i, kind in enumerate(kinds, start=1) if kind == "chain"][-2:], kinds.index("opening") + 1
    with opened(f"{file.as_uri()}#part-2", tmp_path / "profile") as page:

        def after(*keys):
            for key in keys:
                page.press(key)
            return page.evaluate(LOOK)

        page.wait_for("!!document.querySelector('.now')")
        assert after() == [chain, 6] and after("ArrowRight") == [chain, 4] and after(" ") == [chain, 2]
        assert after("ArrowLeft") == [chain, 4] and after("ArrowRight", "ArrowRight", "ArrowRight") == [last, 6]
        assert after("ArrowLeft") == [chain, 0]
        assert after("End") == [len(kinds), 0] and after("ArrowRight") == [len(kinds), 0]
        assert after("Home") == [1, 0] and after("ArrowLeft") == [1, 0]
        chosen = f"[...slides[{opening - 1}].querySelectorAll('input')].findIndex((one) => one.checked)"
        assert after("ArrowRight") == [opening, 0] and page.evaluate(chosen) == 0
        assert after("ArrowRight") == [opening, 0] and page.evaluate(chosen) == 1
        told = "getComputedStyle(document.querySelector('.notes')).display"
        assert page.evaluate(told) == "none" and after("n") and page.evaluate(told) == "block"
        above = "document.querySelector('.now .board').getBoundingClientRect().bottom"
        assert page.evaluate(f"{above} <= document.querySelector('.now').getBoundingClientRect().bottom + 1")
        assert len(re.findall(rb"/Type\s*/Page\b", page.printed())) == len(kinds)


def test_slides_are_written_next_to_pages_in_a_folder(monkeypatch, tmp_path, capsys):
    put(monkeypatch, "foundations/jensen", _without_figures(whole(title="About a toy")))
    assert main(["run", "foundations/jensen", "--slides", str(tmp_path), "--html", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["foundations-jensen-slides.html", "foundations-jensen.html"]
    assert "<title>About a toy (slides)</title>" in (tmp_path / "foundations-jensen-slides.html").read_text(encoding="utf-8")
    for more in ("--json", "--counts"):
        assert main(["run", "foundations/jensen", "--slides", str(tmp_path), more]) == 2
        assert "--slides" in capsys.readouterr().err


def _without_figures(toy):
    toy.parts[:] = [part for part in toy.parts if not hasattr(part, "caption")]
    return toy


def _boards_and_notes(text):
    """The words on the slides, and those of the notes."""
    slides_alone = text.split("<main>")[1].split("<script>")[0]
    notes = "".join(re.findall(r'(?s)<aside class="notes">.*?</aside>', slides_alone))
    boards = re.sub(r'(?s)<aside class="notes">.*?</aside>', "", slides_alone)
    return (" ".join(re.sub(r"<[^>]*>", " ", part).split()) for part in (boards, notes))
