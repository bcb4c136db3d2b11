"""The pages of a derivation: the same content in a terminal and in a file of HTML."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len
from sympy import log

from tests.support.commands.other_derivations import put
from tests.theory.test_chains import Toy
from tests.theory.test_parts import parabola, whole
from theory_jax.__main__ import main
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.notation import Total
from theory_jax.derivation.typeset import latex
from theory_jax.foundations.maximum_likelihood import gaussian_maximum_likelihood
from theory_jax.pages.html import html, linked
from theory_jax.pages.mathml import to_mathml
from theory_jax.pages.needed import symbols_by_part
from theory_jax.pages.page import experiments_that_import, functions_of, lecture_page
from theory_jax.pages.terminal import broken, console_of_the_page, print_page
from theory_jax.pages.tex import _terms, tex


def lecture():
    """A derivation with a part of every kind, in another order than printed."""
    toy = whole(title="A toy <b>")
    kept = toy.exact(r"a = \max(a, a)", because="an implementation fact", role="appendix")
    kept(lambda: Sides(left=1.0, right=1.0 + 1e-16, wrong={"twice": 2.0}))
    gap = toy.assume("An assumption", toy.m**2)
    toy.say("A paragraph about $p_k / q_k$ and <angles>.")
    line = at_least(toy.a, "leave out the assumption", dropping=gap.at(), wrong={"nothing": toy.a - toy.m**2})
    toy.chain("A lemma", toy.a + gap.at(), line, role="lemma", so="So it is.", uses=(gap, toy.central))
    wrong = {"a factor": 2 * toy.a - 2 - 3 * log(toy.a), "no constant": toy.a - log(toy.a)}
    toy.valley("A valley", toy.a - 1 - log(toy.a), toy.a, 1, "falling, then rising", wrong=wrong)
    many = sum((toy.a * toy.b**n for n in range(1, 40)), toy.a)
    toy.chain(
        "A long line", many, equals(many + toy.m - toy.y, "a slip", wrong={"a term less": many - toy.a}), equals(many, "again")
    )
    return toy


def page_of(toy):
    return lecture_page(toy, toy.run())


@pytest.fixture(scope="module")
def page():
    return page_of(lecture())


def test_parts_are_numbered_in_the_order_of_the_page(page):
    numbered = [(item.number, item.title or item.form) for item in page.items if item.number]
    expected = ["The sum", "An assumption", "A lemma", "A valley", "A long line", "step"]
    assert numbered == list(enumerate(expected, start=1))
    assert [item.form for item in page.appendix] == ["step"] and len(page.exercises) == 5
    assert [item.rests_on for item in page.items if item.title == "A lemma"] == ["(1) and (2)"]
    assert [item.central for item in page.items].count(True) == 1
    assert page.central == r"\sum_{k} a p_{k} = a" and not page.passed


def test_what_rests_on_an_assumption_is_given_it():
    toy = whole()
    gap = toy.assume("An assumption", toy.m**2)
    lemma = toy.chain("A lemma", toy.a + gap.at(), at_least(toy.a, "leave it out", dropping=gap.at()))
    toy.chain("On it", toy.b, equals(toy.b + 0, "nothing"), uses=(lemma,))
    toy.chain("Alone", toy.b, equals(toy.b + 0, "nothing"))
    words = {item.title: item.words for item in page_of(toy).items}
    assert words["A lemma"].endswith(", given (2)") and words["On it"].endswith(", given (2)") and "given" not in words["Alone"]
    assert words["An assumption"] == "assumed, not executed"


def test_a_letter_in_words_comes_with_the_symbols_that_define_it():
    toy = Toy()
    toy.define(r"\mu", 2 * toy.number("L", "a share"), "twice it")
    toy.say(r"Let $\mu$ be its double.")
    assert {"L", r"\mu"} <= {symbol.written for symbol in symbols_by_part(toy)[toy.parts[-1]]}


def test_symbols_are_introduced_by_the_first_part_that_needs_them():
    toy = Toy()
    y = toy.define("y", toy.p * toy.a, "a product", over=toy.k)
    early = toy.chain("Early", toy.m, equals(toy.m + 0, "by $u$"))
    late = toy.number("w", "introduced late")
    toy.exercise("One $w$?", "It is 0.5.")(lambda: iter([(0.5, "0.5")]))
    last = toy.chain("Last", Total(toy.k, y), equals(toy.a, "a sum"))
    written = {part: [symbol.written for symbol in symbols] for part, symbols in symbols_by_part(toy).items()}
    assert sorted(written[early]) == ["m", "u"]  # also those of its words
    assert {"k", "p_{k}", "a", "y_{k}"} <= set(written[last]) and latex(late) in written[None]
    used_before = toy.number("v", "a letter that an earlier part has, too")
    toy.parts[0:0] = [replace(early, start=used_before)]
    assert "v" in [symbol.written for symbol in symbols_by_part(toy)[None]]  # not moved before its introduction


def test_the_first_figure_opens_the_page_and_is_not_shown_again(page, text):
    assert page.opening is next(item for item in page.body if item.form == "figure")
    assert text.index("<svg") < text.index('<aside class="short') and text.count("<svg") == 1


def test_an_error_is_shown_at_its_line_and_counted(page):
    (long,) = (item for item in page.items if item.title == "A long line")
    assert "false at" in long.rows[1].error and "false at" in long.rows[2].error and not long.errors
    assert re.fullmatch(r"2 of \d+ claims FAILED", page.summary)


def test_the_summary_counts_what_was_done():
    words = page_of(whole()).summary
    assert words == "1 line derived, 1 comparison with the code, 6 numbers computed, 1 figure drawn"


def test_verdicts_of_a_chain_are_printed_once_or_by_line():
    toy = whole()
    chain = toy.chain(
        "Three lines",
        toy.a * (toy.b + toy.m),
        equals(toy.a * toy.b + toy.a * toy.m, "distribute", wrong={"x": 0}),
        equals(toy.a * (toy.m + toy.b) + 0, "collect"),
        equals(toy.a * toy.m + toy.b * toy.a, "distribute", points=9),
    )
    (item,) = (item for item in page_of(toy).items if item.part is chain)
    assert item.words == "lines 1, 2 derived for all $a > 0$, $b > 0$, $m$; line 3 checked at 9 points"


def test_mistakes_are_at_what_they_would_replace(page):
    by_title = {item.title: item for item in page.items}
    (at_line,) = by_title["The sum"].rows[1].mistakes
    assert (at_line.label, at_line.relation, at_line.latex) == ("each is one", "=", "3 a")
    assert by_title["A lemma"].rows[1].mistakes[0].relation == r"\ge"
    assert [(m.label, m.relation) for m in by_title["A valley"].mistakes] == [("a factor", ""), ("no constant", "")]
    assert [(m.label, m.latex) for m in by_title["The code"].mistakes] == [("the sign", r"- H\left(p\right)")]
    assert [(m.label, m.latex) for m in page.appendix[0].mistakes] == [("twice", "")]
    assert not any(item.mistakes for item in page.exercises)


def test_of_several_things_a_bridge_computes_only_the_wrong_one_is_a_mistake():
    toy = Toy()
    mean = Total(toy.k, toy.x) / 4
    log_var = log(Total(toy.k, (toy.x - mean) ** 2) / 4)
    wrong = {"the sign": (None, -log_var), "both": (toy.a, toy.b)}
    toy.bridge("The fit", (mean, log_var), gaussian_maximum_likelihood, x=[[toy.x.at(n)] for n in range(4)], wrong=wrong)
    ((one, both),) = (item.mistakes for item in page_of(toy).items)
    assert one.latex == latex(-log_var) and both.latex == r"\left(a, b\right)"


def test_the_terminal_page_has_one_line_an_equation_and_fits(page, capsys):
    print_page(page, console=console_of_the_page(width=80))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    text = "\n".join(lines)
    for words in (
        "      ∑ₖ a pₖ\n\n    = a\n        p sums to one",
        "        p sums to one\n        A common mistake: each is one: = 3 a\n",
        "    Common mistakes: a factor: 2 a - 2 - 3 log a; no constant: a - log a\n    ✓ derived",
        "        A common mistake: a term less\n",
        "    an implementation fact\n    A common mistake: twice\n    ✓ stated",
        "Lemma: A lemma (from (1) and (2))",
        "m² ≥ 0",
        "  pₖ           a law (positive, sums to one over k)",
        "How the code keeps it",
        "A paragraph about pₖ/qₖ and <angles>.",
        "✗ ",
        "false at",
        "What this does not show\n- Nothing.",
        "Hint. Halve it.",
        "✓ stated; enumerated",
    ):
        assert words in text, words
    assert text.index("How the code keeps it") > text.index("Exercises") > text.index("A long line")


@pytest.mark.parametrize(
    ("text", "width", "pieces"),
    [
        ("aaaa + b = c + d", 12, ["aaaa + b", "= c + d"]),
        ("f(a + b) + g(c + d)", 12, ["f(a + b)", "+ g(c + d)"]),
        ("short", 12, ["short"]),
        ("abcdefghijklmnop", 6, ["abcdef", "ghijkl", "mnop"]),
    ],
)
def test_a_long_equation_breaks_before_relations_and_terms(text, width, pieces):
    assert broken(text, width) == pieces


# ---------------------------------------------------------------------------------------------------- HTML


class Outline(HTMLParser):
    """The tags of a page, and the levels of its headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.levels, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))


@pytest.fixture(scope="module")
def text(page):
    return html(page, {"latent/elbo": "latent-elbo.html"})


def test_the_html_page_needs_no_other_file_and_no_network(text):
    assert "<script" not in text and "@import" not in text and not re.search(r"url\((?!#|data:font/woff2;base64,)", text)
    found = {value for _, attributes in Outline(text).tags for name, value in attributes.items() if name in ("src", "href")}
    assert all(value.startswith(("#", "data:,")) for value in found)


def test_parentheses_around_a_fraction_grow_also_where_a_line_may_break_between_them():
    long = str(to_mathml(r"\left(x - y + h \frac{\partial}{\partial y} E\left(y\right) + a + b + c + d + e + f + g\right)"))
    assert long.count("<wbr>") > 0 and long.count('minsize="2.1em"') == 2
    assert "minsize" not in str(to_mathml(r"\left(a + b + c + d + e + f + g + h + i + j + k + l + m + n + o\right)"))


def test_the_html_page_is_accessible(text):
    outline = Outline(text)
    assert outline.levels[0] == 1 and outline.levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(outline.levels, outline.levels[1:], strict=False))
    (drawing,) = (attributes for tag, attributes in outline.tags if tag == "svg")
    assert drawing["role"] == "img" and drawing["aria-label"] == "A parabola."
    identifiers = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    linked = {value[1:] for _, attributes in outline.tags if (value := attributes.get("href", "")).startswith("#") and value[1:]}
    assert linked and linked <= set(identifiers)
    folded = 5 + 5 + 6 + 1 + 3  # hints, answers, mistakes, all symbols, folded parts
    assert [tag for tag, _ in outline.tags].count("details") == folded


def test_lemmas_and_comparisons_with_the_code_are_folded_and_what_failed_is_not(text):
    folded = re.findall(r'<details class="part (\w+)".*?<h3>(.*?)</h3>', text, flags=re.S)
    titles = [(form, re.sub(r"<[^>]*>|\s+", " ", title).split("  ")) for form, title in folded]
    assert [(form, " ".join(words).split()) for form, words in titles] == [
        ("bridge", ["The", "code", "entropy"]),
        ("chain", ["3", "A", "lemma", "lemma"]),
        ("lemma", ["4", "A", "valley", "lemma"]),
    ]
    toy = whole()
    toy.chain("A false lemma", toy.a, equals(toy.a + 1, "a slip"), role="lemma")
    assert '<section class="part chain" id="part-2">' in html(page_of(toy))


def test_the_html_page_folds_mistakes_and_opens_them_in_print(text):
    folded = re.findall(r'<details class="mistakes">(.*?)</details>', text, flags=re.S)
    summaries = [re.search("<summary>(.*?)</summary>", part)[1] for part in folded]
    assert summaries.count("A common mistake") == len(folded) - 1 and summaries.count("Common mistakes (2)") == 1
    first = " ".join(re.sub(r"<[^>]*>", " ", folded[0]).split())
    assert first == "A common mistake each is one = 3 a" and "<math" in folded[0]
    assert folded[-1].count("<li>twice</li>") == 1 and "<math" not in folded[-1]
    assert "details::details-content { content-visibility: visible" in text[text.index("@media print") :]


def test_the_html_page_agrees_with_the_terminal_page(text):
    words = " ".join(re.sub(r"<[^>]*>", " ", text.split("</head>")[1]).split())
    for said in ("An assumption", "assumed, not executed", "FAILED", "false at", "How the code keeps it", "stated; enumerated"):
        assert said in words, said
    assert "&lt;angles&gt;" in text and "<b>" not in text and "$" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)


def test_figures_take_the_colors_of_the_page(text):
    drawing = text[text.index("<svg") : text.index("</svg>")]
    assert "stroke: var(--blue)" in drawing and "currentColor" in drawing and "#000000" not in drawing
    assert "<text" in drawing and 'id="axes_1"' not in drawing


def test_colors_by_number_are_those_of_the_page_in_lines_and_areas():
    toy = whole()
    toy.parts[:] = [part for part in toy.parts if not hasattr(part, "caption")]
    toy.figure("Bars.")(lambda axes: (parabola(axes), axes.plot([0, 1], "C1"), axes.bar([0], [1], color="C1")))
    assert len(re.findall(r"(?:stroke|fill): var\(--vermilion\)", html(page_of(toy)))) == 2


def test_a_reader_chooses_a_frame_of_a_figure():
    """One is chosen at first, and its label comes before its drawing; the groups of two figures do not meet."""
    toy = whole()
    for caption in ("A line.", "Another."):
        toy.figure(caption, frames=["$t = 0$", "$t = 1$"])(
            lambda axes, frame: (parabola(axes), axes.set_xlim(0, 1), axes.plot(frame, 0))
        )
    shown = html(page_of(toy))
    groups = re.findall(r'<label><input type="radio" name="([\w-]+)"( checked)?>.*?</label>\s*<div class="drawing"><svg', shown)
    first, second = groups[0][0], groups[2][0]
    assert groups == [(first, " checked"), (first, ""), (second, " checked"), (second, "")] and first != second
    assert "t = 1" in " ".join(re.findall(r'aria-label="([^"]*)"', shown))


def test_script_letters_of_figures_are_unicode():
    toy = whole()
    toy.parts[:] = [part for part in toy.parts if not hasattr(part, "caption")]
    toy.figure("Two bounds.")(lambda axes: (parabola(axes), axes.set_title(r"$\mathcal{L}$ and $\mathcal{N}$")))
    drawing = html(page_of(toy))
    assert "ℒ" in drawing and "𝒩" in drawing and not re.search("[\ue000-\uf8ff]", drawing)


# ---------------------------------------------------------------------------------------------------- TeX


@pytest.fixture(scope="module")
def written(page):
    return tex(page, ["figure.pdf"])


def test_the_tex_page_opens_and_closes_what_it_opens(written):
    opened = []
    for begins, name in re.findall(r"\\(begin|end)\{([^}]*)\}", written):
        if begins == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    bare = re.sub(r"\\[{}$]", "", written)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert r"$p$ sums to one. \emph{A common mistake:} each is one: $= 3 a$." in written
    assert r"\remark{\emph{Common mistakes:} a factor: $" in written and r"\remark{\emph{A common mistake:} twice.}" in written
    for words in ("An assumption", "FAILED", "How the code keeps it", r"\textless{}angles\textgreater{}", "It is 0.5."):
        assert words in written


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX is installed: sources are checked for balance only")
def test_the_tex_page_compiles(short, tmp_path, capsys):
    assert main(["run", "foundations/jensen", "--tex", str(tmp_path / "page.tex")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page-figure-1.pdf", "page.tex"]
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0 and (tmp_path / "page.pdf").is_file(), done.stdout[-2000:]


@pytest.mark.parametrize(
    ("latex", "terms"),
    [
        (r"a + \left(b - c\right) - d", ["a", r" + \left(b - c\right)", " - d"]),
        (r"\frac{a + b}{c} + f(x + y)", [r"\frac{a + b}{c}", " + f(x + y)"]),
    ],
)
def test_a_sum_is_broken_between_its_terms(latex, terms):
    assert list(_terms(latex)) == terms


# ---------------------------------------------------------------------------------------------------- the code


def test_a_bridge_names_the_functions_that_it_calls():
    from theory_jax.lectures.foundations.maximum_likelihood import derivation

    names = [functions_of(item.part) for item in lecture_page(derivation, ()).items if item.form == "bridge"]
    assert names[:3] == [["empirical_distribution"], ["entropy", "kl_divergence"], ["cross_entropy"]]


def test_experiments_that_use_a_topic_are_read_from_their_source():
    used = dict(experiments_that_import("latent/elbo"))
    assert "importance_weighted_bound" in used["latent/vae"] and "diffusion/training" not in used


def test_what_a_part_rests_on_is_linked_where_it_has_a_page():
    words = linked("(2), “A lemma” in lemmas/gibbs and “Another” in latent/elbo", {"lemmas/gibbs": "gibbs.html"})
    assert '<a href="#part-2">(2)</a>' in words and 'in <a href="gibbs.html">lemmas/gibbs</a> and' in words
    assert words.endswith(" in latent/elbo")


def test_lemmas_of_other_lectures_are_listed_with_their_place():
    from theory_jax.lectures.latent.elbo import derivation

    (central,) = (item for item in lecture_page(derivation, ()).items if item.central)
    assert central.rests_on.endswith("in lemmas/gibbs")


# ---------------------------------------------------------------------------------------------------- the commands


@pytest.fixture
def short(monkeypatch):
    """Let two topics have a short derivation."""
    for topic in ("foundations/jensen", "latent/elbo"):
        put(monkeypatch, topic, whole(title=f"About {topic.replace('/', '.')}"))


def test_pages_are_written_to_a_file_or_to_a_folder(short, tmp_path, capsys):
    alone = tmp_path / "new" / "jensen.html"
    assert main(["run", "foundations/jensen", "--html", str(alone)]) == 0
    assert "<title>About foundations.jensen</title>" in alone.read_text(encoding="utf-8")
    assert f"{alone}: 1 line derived" in capsys.readouterr().out
    assert main(["run", "foundations/jensen", "latent/elbo", "--html", str(tmp_path / "all")]) == 0
    names = ["foundations-jensen.html", "latent-elbo.html"]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == names
    assert f'<a href="{names[1]}">' in (tmp_path / "all" / names[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["jensen", "latent/elbo", "--html", "{}/page.html"],
            "page.html is one file, but 2 topics were requested: name a folder",
        ),
        (["jensen", "--html", "{}/page.html", "--json"], "give one of them"),
        (["jensen", "--html", "{}/a_file/page.html"], "page.html cannot be written: "),
    ],
)
def test_a_page_that_cannot_be_written_is_one_line(short, tmp_path, arguments, words, capsys):
    (tmp_path / "a_file").write_text("")
    assert main(["run", *(word.format(tmp_path) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and words in error


def test_a_figure_is_drawn_for_every_page_anew(tmp_path):
    toy, drawn = whole(), []
    toy.figure("Another.")(lambda axes: drawn.append(1) or parabola(axes))
    page = page_of(toy)
    assert html(page) == html(page) and len(drawn) == 3
