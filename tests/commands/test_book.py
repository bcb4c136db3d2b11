"""The book, of two topics: what is on a topic's page, and what stops the build."""

import importlib.util
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from book import contracts, guides, links, reading, sources, training
from book.lectures import Failed, topic_page
from shared_specs.backends.jax_eager import by_numpy
from shared_specs.checking.check import spec_of
from shared_specs.commands.extras import MODULES
from shared_specs.commands.syllabus_page import anchor
from shared_specs.rows import Anchor
from shared_specs.syllabus import load
from theory_jax.derivation.loading import lemmas
from theory_jax.lectures.foundations.jensen import derivation

TOPICS = ("foundations/maximum_likelihood", "foundations/jensen")
needs_sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "furo", "myst_parser")),
    reason="the book needs Sphinx: pip install -e '.[book]'",
)
pytestmark = pytest.mark.xdist_group("foundations/jensen")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of the pages."""
    from book.__main__ import main

    folder = tmp_path_factory.mktemp("book")
    assert main(["--topics", " ".join(TOPICS), "--to", str(folder), "--jobs", "1", "--static"]) == 0
    return folder / "html"


@pytest.fixture
def page(book):
    """(HTML, words) of the page about Jensen's inequality."""
    html = (book / "topics" / "foundations" / "jensen.html").read_text(encoding="utf-8")
    return html, words_of(html)


def words_of(html):
    """The visible text of a page, without code."""
    article = html[html.index("<article") : html.index("</article>")]
    prose = re.sub(r"(?s)<(script|style|pre|svg)\b.*?</\1>", " ", article)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", prose)).split())


def test_a_book_without_its_tools_is_one_line(tmp_path, monkeypatch, capsys):
    """Before a derivation is executed."""
    from book.__main__ import main

    for missing in MODULES["book"]:
        monkeypatch.setitem(sys.modules, missing, None)
    assert main(["--topics", "jensen", "--to", str(tmp_path / "book")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and not (tmp_path / "book").exists()
    remedy = "which is not installed: run pip install -e '.[book]' in the clone of Diptych"
    assert err == f"error: this command needs furo, {remedy}\n"


@needs_sphinx
def test_a_page_has_the_lecture_with_its_mathematics_and_its_figure(page):
    html, words = page
    assert html.count("<math") > 100 and html.count('<svg role="img"') == 1
    assert "is the mean height of the graph above its tangent at the mean" in words
    for heading in ("Setting", "Derivation", "Exercises", "What people get wrong here", "What was trained with it"):
        assert f"<h2>{heading}<" in html
    assert "All symbols of this page" in words


@needs_sphinx
@pytest.mark.parametrize("place", ["topics/foundations/jensen", "topics/foundations/maximum_likelihood", "guides/contributing"])
def test_no_latex_is_left_on_a_page(book, place):
    words = words_of((book / f"{place}.html").read_text(encoding="utf-8"))
    assert len(words) > 1000 and not re.search(r"\$|\\[a-zA-Z]", words)


@needs_sphinx
def test_a_comparison_with_the_code_leads_to_what_people_get_wrong(page):
    """Of every function that a bridge compares and that has near misses: to the first of them."""
    led = re.findall(r'<code>(\w+)</code> \(<a href="#([\w-]+)">what people get wrong</a>\)', page[0])
    assert led and all(place == f"wrong-{name}" and page[0].count(f'id="{place}"') == 1 for name, place in led)
    table = re.search(r'(?s)<table class="book near-misses">.*?</table>', page[0])[0]
    assert all(f'id="{place}"' in table for _, place in led)


@needs_sphinx
def test_the_near_misses_are_next_to_the_right_answers(page):
    table = re.search(r'(?s)<table class="book near-misses">.*?</table>', page[0])[0]
    lines = [unescape(re.sub(r"<[^>]*>", "", line)) for line in table.split("</tr>")]
    misses = [
        (row, name, wrong)
        for row in spec_of("foundations/jensen")
        if isinstance(row, Anchor)
        for name, wrong in row.near_misses.items()
    ]
    assert len(lines) == len(misses) + 2
    for row, name, wrong in misses:
        right, false = contracts.shown(row.gives, wrong)
        assert right != false and any(line.endswith(f"{name}{right}{false}") for line in lines)
    assert "sign reversed" in page[1]  # of the planted implementations


@needs_sphinx
def test_the_functions_of_both_wings_are_side_by_side(page):
    html, words = page
    for wing in ("theory_jax", "practice_torch"):
        assert f'id="{wing}.foundations.jensen.log_mean_exp"' in html
        assert f'href="../../source/{wing}/foundations/jensen.html#line-' in html
    assert words.count("jensen_gap ( x , log_weights , convex_fn )") == 2
    assert (
        html.count("log of (1/K) sum_k e^x_k, without overflow; -inf if every entry is.") == 1
    )  # the docstring that both have, once above their code
    code = unescape(re.sub(r"<[^>]*>", "", " ".join(re.findall(r"(?s)<pre.*?</pre>", html))))
    assert "return _logsumexp(x) - math.log(x.shape[1])" in code and "return (torch.logsumexp(x.masked_fill(empty" in code


@needs_sphinx
def test_the_home_page_has_the_whole_course_and_links_to_what_is_there(book):
    html = (book / "index.html").read_text(encoding="utf-8")
    words = words_of(html)
    assert all(lecture.title in words for lecture in load().lectures)
    assert set(re.findall(r'href="topics/([\w/]+)\.html"', html)) == {*TOPICS, *(lemma.path for lemma in lemmas())}


@needs_sphinx
def test_a_link_that_leads_nowhere_is_found(book):
    assert list(links.broken(book)) == []
    page = book / "guides" / "train.html"
    text = page.read_text(encoding="utf-8")
    wrong = {"nowhere.html": "is not there", "data.html#nothing": "a section that is not there"}
    try:
        page.write_text(
            text + "".join(f'<a href="{address}">x</a>' for address in wrong) + '<script src="https://example.org/x.js">'
        )
        found = list(links.broken(book))
    finally:
        page.write_text(text)
    assert len(found) == 3 and all(any(a in line and b in line for line in found) for a, b in wrong.items())
    assert "guides/train.html loads https://example.org/x.js" in found


def test_a_failing_derivation_stops_the_book_with_its_name(monkeypatch):
    with by_numpy():
        results = derivation.run()
    monkeypatch.setattr(derivation, "run", lambda debug=False: [replace(results[0], passed=False, error="planted"), *results[1:]])
    with pytest.raises(Failed, match=r"the derivation of foundations/jensen fails: 1 of \d+ claims FAILED"):
        topic_page(load().topics["foundations/jensen"], TOPICS)


@pytest.mark.parametrize(
    ("right", "wrong", "texts"),
    [
        ([1.0, -2.5], [1.0, 2.5], ("[1, −2.5]", "[1, 2.5]")),
        ([0.123456], [0.123459], ("[0.123456]", "[0.123459]")),
        (
            [[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]],
            [[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 4.0]],
            ("at [1, 3]: 3", "at [1, 3]: 4"),
        ),
        ([float("inf")] * 7, [float("inf")] * 6 + [0.0], ("at [6]: inf", "at [6]: 0")),
        (([1, 2], [3]), ([1, 2], [4]), ("result 2: [3]", "result 2: [4]")),
        ([True], [False], ("[True]", "[False]")),
    ],
)
def test_answers_are_shown_so_far_that_they_differ(right, wrong, texts):
    assert contracts.shown(right, wrong) == texts


def test_every_near_miss_of_the_course_is_shown_as_different():
    for topic in load().built:
        for row in spec_of(topic.path):
            for name, wrong in row.near_misses.items() if isinstance(row, Anchor) else ():
                right, false = contracts.shown(row.gives, wrong)
                assert right != false and len(right) < 150, (topic.path, row.function, name, right)


def test_the_reference_describes_functions_and_classes_with_a_link_to_the_line():
    files = sources.reference_files()["shared_specs"]
    text = sources.reference_page("reference/shared_specs", "shared_specs", files)
    assert "shared_specs/rows.py" in files and "{py:class} Agree(function, case, given, differentiate" in text
    line = Path(sources.ROOT / "shared_specs/rows.py").read_text(encoding="utf-8").splitlines().index("class Anchor:") + 1
    assert f'href="../source/shared_specs/rows.html#line-{line}"' in text
    assert f'name="line-{line}"' in sources.source_page("shared_specs/rows.py")


def test_every_section_of_the_readme_is_a_guide_but_the_syllabus():
    places = guides.guides(TOPICS)
    assert {f"guides/{anchor(title)}" for title in guides.readme_sections()} - set(places) == {"guides/the-syllabus"}
    assert {"guides/data", "guides/scaling", "guides/export", "guides/contributing"} < set(places)
    assert "[The evidence lower bound](../topics/latent/elbo.md)" in guides.guides(["latent/elbo"])["guides/course"]
    assert "[](data.md)" in places["guides/train"] and "docs/" not in re.sub(r"(?s)```.*?```", "", places["guides/train"])


def test_every_page_of_docs_is_linked_from_the_readme():
    readme = (guides.ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted((guides.ROOT / "docs").glob("*.md")) if f"(docs/{path.name}" not in readme] == []


def test_every_link_between_files_leads_to_one():
    for file in (*guides.ROOT.glob("*.md"), *(guides.ROOT / "docs").glob("*.md")):
        text = re.sub(r"(?ms)^```.*?^```$", "", file.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def test_what_authors_measured_is_read_from_above_the_recipes():
    remarks = training.comments(training.ROOT / "practice_torch/experiments/latent/elbo.py")
    assert remarks["digits"][0].startswith("measured at seeds 0, 1, 2: 16.55") and "digits_elbo" not in remarks


# ---------------------------------------------------------------------------------------------------- the reading list


def test_every_source_names_authors_and_year():
    sources = [(topic.path, source) for topic in load().built for source in reading.sources_of(topic.path)]
    assert len(sources) > len(load().built)
    assert [(path, source) for path, source in sources if not reading.SOURCE.fullmatch(source)] == []


def test_sources_are_one_work_by_author_year_and_title(monkeypatch):
    cited = {
        "flows/a": [
            "Lin & Ye 2018, The power of two, section 2",
            "Ho 2020, A title (a remark)",
            "Ho 2020, Another title, eqs. 4-5",
        ],
        "flows/b": ["Lin & Ye 2018, eq. 3", "Lin, Ye & Wu 2018, The power: a subtitle", "Ho 1999, A title; Wu et al. 2001, Sums"],
    }
    monkeypatch.setattr(reading, "sources_of", lambda path: [one for all in cited[path] for one in reading.ANOTHER.split(all)])
    found = {(work.authors, work.year, work.title): work.topics for work in reading.works(cited)}
    assert found == {
        ("Lin & Ye", 2018, "The power: a subtitle"): ["flows/a", "flows/b"],
        ("Ho", 2020, "A title"): ["flows/a"],
        ("Ho", 2020, "Another title"): ["flows/a"],
        ("Ho", 1999, "A title"): ["flows/b"],
        ("Wu et al.", 2001, "Sums"): ["flows/b"],
    }


def test_the_reading_list_links_to_the_topics():
    words = reading.page([load().topics[path] for path in TOPICS])
    assert (
        "- Jensen 1906, *Sur les fonctions convexes" in words
        and ": [Jensen's inequality](../topics/foundations/jensen.md)" in words
    )
