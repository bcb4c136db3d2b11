"""Sphinx's settings for the book: MyST Markdown, the theme furo in Diptych's colors, mathematics as MathML."""

import shutil

from docutils import nodes

from shared_specs.palette import DARK, FIGURES, LIGHT
from theory_jax.pages.html import HERE as OF_LECTURES
from theory_jax.pages.html import MATH_FONT, font_face
from theory_jax.pages.mathml import to_mathml

project = html_title = "Diptych"
copyright = author = "The Diptych contributors"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# types in signatures are written without their module, and two modules have a Result
suppress_warnings = ["ref.python"]
highlight_language = "none"
maximum_signature_line_length = 80
add_module_names = False
toc_object_entries = False  # every page would carry the whole reference in its navigation
html_theme = "furo"
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_baseurl = ""


def _colors(colors, number):
    own = colors | {figure[0]: figure[number] for figure in FIGURES}
    furo = {
        "color-background-primary": "paper",
        "color-background-secondary": "wash",
        "color-foreground-primary": "ink",
        "color-foreground-muted": "soft",
        "color-foreground-secondary": "soft",
        "color-background-border": "line",
        "color-brand-primary": "hinge",
        "color-brand-content": "train",
        "color-api-background": "wash",
        "color-sidebar-link-text": "ink",
        "color-sidebar-link-text--top-level": "ink",
    }
    return own | {name: own[color] for name, color in furo.items()}


html_theme_options = {"light_css_variables": _colors(LIGHT, 1), "dark_css_variables": _colors(DARK, 2)}


def _inline(translator, node):
    translator.body.append(str(to_mathml(node.astext(), display=False)))
    raise nodes.SkipNode


def _block(translator, node):
    translator.body.append(f'<div class="eq">{to_mathml(node.astext())}</div>')
    raise nodes.SkipNode


def _styles(app):
    """The book's own style, and that of the lectures, which holds inside them only."""
    lectures = (OF_LECTURES / "lecture.css").read_text(encoding="utf-8")
    own = (OF_LECTURES.parents[1] / "book" / "book.css").read_text(encoding="utf-8")
    path = app.outdir / "_static" / "book.css"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{font_face(MATH_FONT.name)}.lecture {{\n{lectures}\n}}\n{own}", encoding="utf-8")
    shutil.copyfile(MATH_FONT, path.with_name(MATH_FONT.name))


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.add_css_file("book.css")
    app.connect("builder-inited", _styles)
