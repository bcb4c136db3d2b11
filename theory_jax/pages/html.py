"""The HTML page of a derivation: one file that needs no other and no network."""

import base64
import io
import itertools
import re
import unicodedata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared_specs.palette import BLACK, FIGURES, IN_TURN, ON_DARK_SCREENS, STYLE
from theory_jax.pages.mathml import prose, to_mathml
from theory_jax.pages.mistakes import lead
from theory_jax.pages.page import functions_of
from theory_jax.pages.unicode import to_unicode

HERE = Path(__file__).parent
MATH_FONT = HERE / "fonts" / "math.woff2"  # its license is next to it
DRAWN_WITH = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 10.5,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def html(page, links=()):
    """The page as text. links: the addresses of other topics' pages, by topic."""
    return _template().render(page=page, links=dict(links), wrong={}, style=Markup(embedded_font() + style()))


def style():
    """The style of a page, without the font of its formulas."""
    return STYLE + _figure_colors() + (HERE / "lecture.css").read_text(encoding="utf-8")


def lecture(page, links=(), wrong=()):
    """The content of the page alone: its header and its main part, for a page with its own style.

    wrong: the addresses of what people get wrong, by the function that they get wrong.
    """
    template = _template()
    return "".join(template.blocks["lecture"](template.new_context({"page": page, "links": dict(links), "wrong": dict(wrong)})))


def one_part(page, item):
    """One part of a page alone, unfolded."""
    template = _template().environment.get_template("parts.html.jinja")
    return unfolded(template.make_module({"page": page, "links": {}, "wrong": {}}).part(item))


def unfolded(written):
    """What the templates wrote, with its folded parts and mistakes open."""
    return Markup(re.sub(r'<details class="(part|mistakes)', r'<details open class="\1', str(written)))  # Markup would escape it


def _template():
    return templates().get_template("lecture.html.jinja")


def templates():
    """The templates of this folder, with their filters."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"math": to_mathml, "prose": prose, "plain": plain, "unicode": to_unicode, "functions": functions_of}
    environment.filters |= {"linked": linked, "lead": lead, "unfolded": unfolded}
    numbers = itertools.count()
    environment.globals["drawings"] = lambda figure: drawings(figure, numbers)
    return environment


def embedded_font():
    """The style that has the font of formulas in itself."""
    return font_face(f"data:font/woff2;base64,{base64.b64encode(MATH_FONT.read_bytes()).decode()}")


def font_face(address):
    """The style that loads the font of formulas, from a file or from the style itself: without one with tables for mathematics,
    as on a plain Linux, parentheses do not grow.
    """
    return f'@font-face {{ font-family: "Diptych Math"; src: url({address}) format("woff2"); }}\n'


def plain(words):
    """A sentence with its mathematics as Unicode, for what cannot hold MathML."""
    return re.sub(r"\$([^$]*)\$", lambda found: to_unicode(found[1]), words)


def linked(rests_on, links):
    """The premises of a part, with links to the parts of the same page, and to the pages of other lectures and lemmas."""

    def led(found):
        return f'in <a href="{links[found[1]]}">{found[1]}</a>' if found[1] in links else found[0]

    words = re.sub(r"\((\d+)\)", r'<a href="#part-\1">(\1)</a>', str(prose(rests_on)))
    return Markup(re.sub(r"\bin (\w+/\w+)", led, words))


def _figure_colors():
    light = "; ".join(f"--{name}: {value}" for name, value, _ in FIGURES)
    dark = "; ".join(f"--{name}: {value}" for name, _, value in FIGURES)
    return f":root {{ {light} }}\n{ON_DARK_SCREENS} {{ :root {{ {dark} }} }}\n"


def _script(found):
    """The script capital of Unicode for that of matplotlib, which is in an area for private use of its own font."""
    capital = chr(ord("A") + ord(found[0]) - 0xE22D)
    return unicodedata.lookup(f"{'SCRIPT' if capital in 'BEFHILMR' else 'MATHEMATICAL SCRIPT'} CAPITAL {capital}")


def drawings(figure, numbers):
    """A name on the page, and (label, SVG) of every frame of a figure; the label of a single drawing is empty."""
    import matplotlib

    with matplotlib.rc_context(_rules()):
        canvases = figure.execute()
    labels = figure.frames or ("",)
    captions = [f"{plain(figure.caption)} {plain(label)}".strip() for label in labels]
    frames = [(label, svg(*drawn, next(numbers))) for label, *drawn in zip(labels, canvases, captions, strict=True)]
    return f"figure-{next(numbers)}", frames


def _rules():
    """matplotlib's settings for a figure of a page."""
    from cycler import cycler

    return DRAWN_WITH | {"axes.prop_cycle": cycler(color=IN_TURN)}


def svg(canvas, caption, number):
    """A drawing as inline SVG in the page's colors; its caption is its text for who does not see it."""
    import matplotlib

    colors = {light.lower(): f"var(--{name})" for name, light, _ in FIGURES} | {BLACK: "currentColor"}
    text = io.StringIO()
    with matplotlib.rc_context(_rules() | {"svg.hashsalt": str(number)}):  # a color "C0" is looked up when it is written
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawing = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue()[text.getvalue().index("<svg") :], flags=re.S)
    drawing = re.sub(r"<!--.*?-->", "", drawing, flags=re.S).replace("font-family: 'DejaVu Sans'", "font-family: sans-serif")
    drawing = re.sub("[\ue22d-\ue246]", _script, drawing.replace("'STIXNonUnicode'", "'Diptych Math'"))
    drawing = re.sub(r'\bid="[a-zA-Z0-9.]+_\d+"', "", drawing)  # every figure would have an axes_1; nothing refers to it
    drawing = re.sub(r"#[0-9a-f]{6}\b", lambda found: colors.get(found[0], found[0]), drawing)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing).groups()
    head = f'<svg role="img" aria-label="{escape(caption)}" viewBox="0 0 {width} {height}"'
    # three panels, the widest, fit into the column; below this the text would be too small, and the figure scrolls
    head += f' style="width: {float(width) * 4 / 3:.0f}px; min-width: {float(width) * 3 / 4:.0f}px"'
    return Markup(re.sub(r"<svg[^>]*>", lambda _: head + ' xmlns:xlink="http://www.w3.org/1999/xlink">', drawing, count=1))
