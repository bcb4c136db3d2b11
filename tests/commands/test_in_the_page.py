"""Derivations that run in the page: the runner as the page calls it, what is packed, and, in a browser, a whole page.

The browser's part needs Chromium, and what `make book` has made with Pyodide from these very sources.
"""

import http.server
import json
import re
import shutil
import threading
import types

import pytest

from book.in_the_page import build, packing, runner, standins
from tests.support.commands.browser import CHROMIUM, opened
from theory_jax.derivation.chains import Chain
from theory_jax.derivation.typeset import latex
from theory_jax.lectures.foundations.jensen import derivation
from theory_jax.pages.mathml import to_mathml
from theory_jax.pages.page import numbered

TOPIC = "foundations/jensen"
pytestmark = pytest.mark.xdist_group(TOPIC)
FIRST = next(
    number
    for part, number in numbered(derivation).items()
    if isinstance(part, Chain) and len(part.lines) > 1 and part.lines[1].relation == "="
)
CHAIN = next(part for part, number in numbered(derivation).items() if number == FIRST)


@pytest.fixture(scope="module")
def source():
    """The statement of a chain, as a reader gets it."""
    found = json.loads(runner.chains(TOPIC))[str(FIRST)]
    assert found["source"].startswith("derivation.chain(") or ".chain(" in found["source"]
    assert found["lines"] == len(CHAIN.lines)
    return found["source"]


def edited(source):
    return json.loads(runner.edited(TOPIC, source))


def test_a_chain_runs_line_by_line():
    lines = json.loads(runner.run(TOPIC, str(FIRST)))["lines"]
    assert len(lines) == len(CHAIN.lines) and all(line["passed"] for line in lines)
    assert all(line["words"].startswith("derived") and "<math" in line["claim"] for line in lines)


def test_a_changed_line_is_derived_or_refused_with_a_point(source):
    before = len(derivation.parts)
    assert all(line["passed"] for line in edited(source)["lines"])
    wrong = re.sub(r"\bequals\(", "equals(2 + ", source, count=1)
    first, *_ = edited(wrong)["lines"]
    assert not first["passed"] and "false at" in first["words"] and "off by" in first["words"]
    assert len(derivation.parts) == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("derivation.chain(", "line 1, column 17: &#39;(&#39; was never closed"),
        ("nothing\nhere", "line 1: NameError: name &#39;nothing&#39; is not defined"),
        ("x = 1", "refused: no chain was written"),
        ("def f(n):\n    return f(n + 1)\nf(0)", "line 2: RecursionError"),
    ],
)
def test_what_is_no_chain_is_refused_in_a_line(statement, words):
    assert edited(statement)["error"].startswith(words)


def test_a_script_in_a_changed_line_is_text():
    assert "<script" not in edited("raise ValueError('<script>alert(1)</script>')")["error"]


def test_the_next_line_is_checked_against_the_line_above():
    def written(so_far, text):
        return json.loads(runner.written(TOPIC, str(FIRST), json.dumps(so_far), text))

    space = "__import__('theory_jax.lectures.foundations.jensen', fromlist=['derivation']).derivation"
    line = f"next(part for part in {space}.parts if getattr(part, 'title', '') == {CHAIN.title!r}).lines[{{}}].expression"
    found = written([], line.format(0))
    assert found["lines"][0]["passed"] and found["line"] == 1 and found["done"] == (len(CHAIN.lines) == 1)
    found = written([1], line.format(1))
    assert found["lines"][0]["passed"] and found["line"] == 2
    found = written([1], f"1 + {line.format(1)}")
    assert not found["lines"][0]["passed"] and "false at" in found["lines"][0]["words"] and found["mistake"] == ""
    assert "repeats the line above it" in written([1], line.format(0))["error"]
    assert written([], "'words'")["error"] == "refused: this is no expression but str"


def test_the_names_of_a_lecture_are_those_of_its_symbols():
    found = json.loads(runner.names(TOPIC))
    assert len(found["symbols"]) > 3 and all("<math" in formula for _, formula in found["symbols"])


def test_stand_ins_compute_nothing_and_enter_no_expression():
    import sympy

    thing = standins.Thing("jax.numpy.ones")(3)[0] + 1
    with pytest.raises((TypeError, sympy.SympifyError)):
        sympy.sympify(thing)
    first, second = thing
    assert isinstance(first, standins.Thing) and list(second) == []
    finder = standins.Finder(("nowhere",), {"nowhere.numbers": {"COUNT": 3}})
    module = finder.create_module(types.SimpleNamespace(name="nowhere.numbers"))
    finder.exec_module(module)
    assert module.COUNT == 3 and isinstance(module.other, standins.Thing)
    assert finder.find_spec("elsewhere") is None and finder.find_spec("nowhere.numbers").name == "nowhere.numbers"


def test_constants_are_collected_from_modules_that_are_left_out(tmp_path):
    (tmp_path / "one.py").write_text(
        "from shared_specs.palette import BLACK, LIGHT\nfrom theory_jax.derivation.ground import STATES, Ground\n"
    )
    found = build.constants(tmp_path)
    assert found["shared_specs.palette"]["BLACK"] == "#000000" and found["theory_jax.derivation.ground"] == {"STATES": 3}


def test_a_lecture_is_packed_with_what_it_imports():
    imported = {"a.b.c": {"a.b._d", "a.e.f"}, "a.b._d": set(), "a.e.f": {"a.e.g"}, "a.e.g": set(), "a.b": set(), "a.e": set()}
    imported |= {"a.h": set(), "a": set(), packing.LECTURES: set(), "": set()}
    assert packing._closure("a.b.c", imported) >= {"a.b.c", "a.b._d", "a.e.f", "a.e.g", "a.b", "a.e"}
    assert "a.h" not in packing._closure("a.b.c", imported)


def test_without_node_or_with_another_archive_there_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(build.Absent, match="node is not installed"):
        build.packed()
    monkeypatch.setattr(build, "CACHE", tmp_path)
    with pytest.raises(build.Absent, match="npm is not installed"):
        build.archive(None)
    (tmp_path / f"pyodide-{build.PYODIDE}.tgz").write_bytes(b"another")
    with pytest.raises(build.Absent, match="another checksum"):
        build.archive(None)


def test_a_page_gets_a_policy_for_its_own_scripts_alone():
    page = '<html><head><meta charset="utf-8"/></head><body><script>let a = 1;</script><p>x</p></body></html>'
    found = build.led(page, "../../run/0", TOPIC)
    assert found.replace(re.search(r"<meta http-equiv[^>]*>", found)[0], "").startswith(
        '<html><head><meta charset="utf-8"/><link'
    )
    assert "script-src 'self' 'wasm-unsafe-eval' 'sha256-" in found and f'data-topic="{TOPIC}"' in found
    assert not re.search(r"https?:|\*|unsafe-eval'", found.replace("'wasm-unsafe-eval'", ""))


# ---------------------------------------------------------------------------------------------------- in a browser

MADE = sorted(build.CACHE.glob("in_the_page-*"))
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><div class="lecture">
<section class="part chain" id="part-{number}"><h3>A chain</h3><div class="equations chained">{rows}</div></section></div>
<script>const part = document.querySelector(".part"), words = () => part.querySelector(".state").textContent;
const push = (name) => [...part.querySelectorAll("button")].find((one) => one.textContent === name).click();
const idle = () => !part.querySelector("button").disabled;</script></body></html>"""


@pytest.fixture
def site(tmp_path):
    """(address of a page with one chain, what was requested)."""
    place = tmp_path / "run" / "0"
    shutil.copytree(MADE[-1], place)
    for name in build.OF_THE_PAGE:
        shutil.copyfile(build.HERE / name, place / name)
    rows = "".join(
        f'<div class="equation"><span class="relation">=</span><div class="eq">{to_mathml(latex(one))}</div></div>'
        for one in (CHAIN.start, *(line.expression for line in CHAIN.lines))
    )
    (tmp_path / "page.html").write_text(build.led(PAGE.replace("{number}", str(FIRST)).replace("{rows}", rows), "run/0", TOPIC))
    requests = []

    class Files(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

        def __init__(self, *given, **more):
            super().__init__(*given, directory=str(tmp_path), **more)

        def log_message(self, *words):
            requests.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/page.html", requests
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.skipif(not MADE, reason="`make book` has not made what runs in the page")
def test_a_page_in_a_browser(site, tmp_path):
    """A right line, a wrong one, no Python, an endless one, a request to elsewhere; then the next line, by the keyboard."""
    address, requests = site
    with opened(address, tmp_path / "profile") as page:

        def tried(change):
            page.evaluate(f"part.querySelector('textarea').value = ({change})(source); push('Try'); 0")
            page.wait_for("idle()", seconds=60)
            return page.evaluate("part.querySelector('.verdicts').innerText")

        page.wait_for("document.querySelectorAll('.in-the-page button').length > 3")
        assert {path.rpartition("/")[2] for path in requests} == {"page.html", "page.js", "page.css"}
        page.evaluate("push('Run'); 0")
        page.wait_for("idle() && document.querySelectorAll('.verdict.held').length", len(CHAIN.lines), seconds=120)
        page.evaluate("push('Change a line'); 0")
        page.wait_for("!!part.querySelector('textarea')")
        page.evaluate("window.source = part.querySelector('textarea').value; 0")
        assert tried("(text) => text + ' '").count("derived") == len(CHAIN.lines)
        assert "false at" in tried("(text) => text.replace('equals(', 'equals(2 + ')")
        assert "never closed" in tried("(text) => text + '('")
        elsewhere = address.replace("127.0.0.1", "localhost").replace("page.html", "elsewhere")
        assert "derived" in tried(f"(text) => `import js; js.fetch('{elsewhere}')\\n${{text}}`")
        assert not any("elsewhere" in path for path in requests)
        page.evaluate("part.querySelector('textarea').value = 'while True: pass'; push('Try'); 0")
        page.wait_for("words().startsWith('running')")
        page.evaluate("push('Stop'); 0")
        page.wait_for("words()", "stopped")
        page.evaluate("push('Hide the lines'); 0")
        page.wait_for("idle() && !!part.querySelector('textarea') && !part.querySelector('.panel').hidden", seconds=120)
        assert page.evaluate("part.querySelectorAll('.equation[hidden]').length") == len(CHAIN.lines)
        page.evaluate("part.querySelector('textarea').value = '1'; part.querySelector('textarea').focus(); 0")
        page._call("Input.dispatchKeyEvent", type="rawKeyDown", key="Enter", windowsVirtualKeyCode=13, modifiers=2)
        page.wait_for("part.querySelectorAll('.verdicts .failed').length > 0", seconds=60)
        page.evaluate("push('Show the next line'); 0")
        assert page.evaluate("part.querySelectorAll('.equation[hidden]').length") == len(CHAIN.lines) - 1
