r"""The TeX page of a derivation: an article with amsmath; its figures are PDF files next to it."""

import re
from functools import partial

from theory_jax.pages.mistakes import lead
from theory_jax.pages.page import functions_of
from theory_jax.pages.unicode import to_unicode

WIDEST = 72  # characters of an equation in one line, as a terminal would show it
ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
}
ESCAPED |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"}
ESCAPED |= {character: "\\" + character for character in "{}&%#_$"}
PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage{amsmath,amssymb,graphicx}
\usepackage[margin=2.5cm]{geometry}
\allowdisplaybreaks
\providecommand{\coloneqq}{\mathrel{:=}}
\providecommand{\bm}[1]{\boldsymbol{#1}}
\newcommand{\remark}[1]{\par\noindent{\small #1\par}}
\newcommand{\done}[1]{\par\noindent{\small\itshape #1\par}\medskip}
\setlength{\parindent}{0pt}\setlength{\parskip}{4pt plus 1pt}
\emergencystretch=3em
\AtBeginDocument{\abovedisplayskip=5pt plus 2pt \belowdisplayskip=5pt plus 2pt}
"""


def tex(page, pictures):
    """The page as text. pictures: the names of the figures' files, in the order of the page."""
    files = iter(pictures)
    lines = [
        PREAMBLE,
        rf"\title{{{prose(page.title)}}}",
        rf"\author{{{escaped(page.topic)}}}",
        rf"\date{{{escaped(page.lectures)}}}",
    ]
    lines += [r"\begin{document}", r"\maketitle"]
    if page.question:
        lines += [rf"\emph{{{prose(page.question)}}}", ""]
    if page.opening:
        lines += _part(page.opening, files)
    lines += [prose(page.answer)]
    if page.central:
        lines += [r"\begin{align*}", _broken("", page.central), r"\end{align*}"]
    lines += _section("Setting", page.setting)
    if page.introduced:
        lines += _section("Symbols", [_symbol(symbol) for symbol in page.introduced], prose=str)
    lines += [r"\section*{Derivation}"]
    lines += [line for item in page.body if item is not page.opening for line in _item(item, files)]
    lines += _list("What this does not show", page.limits)
    if page.exercises:
        lines += [r"\section*{Exercises}", r"\begin{enumerate}"]
        for item in page.exercises:
            level = rf"\emph{{({item.level})}} " if item.level else ""
            hint = ["", rf"\emph{{Hint.}} {prose(item.hint)}"] if item.hint else []
            lines += [rf"\item {level}{prose(item.before)}", *hint]
            lines += ["", rf"\emph{{Answer.}} {prose(item.after)}", *_outcome(item)]
        lines += [r"\end{enumerate}"]
    if page.appendix:
        lines += [r"\section*{How the code keeps it}"]
        lines += [line for item in page.appendix for line in _item(item, files)]
    if page.trained:
        lines += [r"\section*{Training}", prose(page.trained)]
    lines += _list("Sources", page.sources)
    lines += [rf"\done{{{prose(page.summary)}}}", *(rf"\done{{{prose(error)}}}" for error in page.refused), r"\end{document}"]
    return "\n".join(lines) + "\n"


def draw(figure, path):
    """Write a figure as a PDF file."""
    import matplotlib
    from cycler import cycler

    from shared_specs.palette import IN_TURN

    with matplotlib.rc_context({"axes.prop_cycle": cycler(color=IN_TURN), "legend.frameon": False, "font.size": 9}):
        figure.on_paper().savefig(path, metadata={"CreationDate": None})


def escaped(words):
    """Words as TeX prints them."""
    return "".join(ESCAPED.get(character, character) for character in words)


def prose(words):
    """A sentence with mathematics between dollar signs and code between backticks."""
    pieces = re.split(r"(\$[^$]*\$|`[^`]*`)", words)
    return "".join(_inline(piece) for piece in pieces)


def _inline(piece):
    if len(piece) > 1 and piece[0] == piece[-1] == "$":
        return piece
    return rf"\texttt{{{escaped(piece[1:-1])}}}" if len(piece) > 1 and piece[0] == piece[-1] == "`" else escaped(piece)


def _section(title, paragraphs, prose=prose):
    return [rf"\section*{{{title}}}", *(f"{prose(paragraph)}\n" for paragraph in paragraphs)] if paragraphs else []


def _list(title, entries):
    items = [rf"\item {prose(entry)}" for entry in entries]
    return [rf"\section*{{{title}}}", r"\begin{itemize}", *items, r"\end{itemize}"] if items else []


def _symbol(symbol):
    note = ", ".join(filter(None, (prose(symbol.assumed), rf"\texttt{{{escaped(symbol.code)}}}" if symbol.code else "")))
    return rf"\hangindent=2em ${symbol.latex}$: {prose(symbol.meaning)}{f' ({note})' if note else ''}"


def _item(item, files):
    return [line for symbol in item.introduces for line in (_symbol(symbol), "")] + _part(item, files)


def _part(item, files):
    if item.form == "say":
        return [prose(item.before), ""]
    if item.form == "figure":
        picture = rf"\includegraphics[width=\linewidth]{{{next(files)}}}"
        return [r"\begin{center}", picture, "", rf"\small {prose(item.before)}", r"\end{center}", *_outcome(item)]
    number = f"({item.number}) " if item.number else ""
    role = f"{item.role.capitalize()}: " if item.role in ("lemma", "definition", "remark", "assumption") else ""
    head = (
        number
        + role
        + ("Algorithm. " if item.lines else "")
        + (prose(item.title) or ("Example. " + prose(item.before) if item.form == "example" else ""))
    )
    lines = ["", rf"\subsection*{{{head}}}" if item.title else rf"\medskip\textbf{{{head}}}"]
    lines += [rf"From {prose(item.rests_on)}."] if item.rests_on else []
    if item.lines:
        lines += [r"\begin{enumerate}\setlength{\itemsep}{0pt}", *map(_instruction, item.lines), r"\end{enumerate}"]
    lines += [r"\begin{align*}"]
    for place, row in enumerate(item.rows):
        reason = row.because or row.error or row.mistakes
        end = "" if place == len(item.rows) - 1 and not reason else r" \\"
        lines += [_broken(row.relation, row.latex) + end]
        if reason:
            error = rf"\textbf{{{prose(row.error)}}}" if row.error else ""
            because = prose(row.because) + ("." if row.because and row.mistakes else "")
            words = " ".join(filter(None, (because, *_mistakes(row.mistakes), error)))
            lines += [rf"\intertext{{\hspace*{{2em}}\small {words}}}"]
    lines += [r"\end{align*}"]
    if item.form == "bridge" and (names := functions_of(item.part)):
        lines += [rf"In the code: \texttt{{{escaped(', '.join(names))}}}."]
    return [*lines, prose(item.after), *(rf"\remark{{{words}}}" for words in _mistakes(item.mistakes)), *_outcome(item)]


def _instruction(line):
    source = ", ".join(filter(None, (line.number, *(rf"\texttt{{{escaped(name)}}}" for name in line.functions))))
    return rf"\item \hspace*{{{1.5 * line.indent}em}}{prose(line.text)}" + (rf" \hfill {{\small {source}}}" if source else "")


def _mistakes(mistakes):
    """One sentence about all of them, or none."""
    if mistakes:
        labels = (prose(m.label) + (f": ${f'{m.relation} {m.latex}'.strip()}$" if m.latex else "") for m in mistakes)
        yield rf"\emph{{{lead(mistakes)}:}} {'; '.join(labels)}."


def _outcome(item):
    words = [item.words if item.passed else f"FAILED {item.words}", *item.errors]
    words += [f"tolerance loosened because {item.since}"] if item.since else []
    return [rf"\done{{{'; '.join(map(prose, filter(None, words)))}}}"]


def _broken(relation, latex):
    """A row of align, in several where it is long: broken before terms that stand in no parentheses."""
    rows, width = [], partial(_width, cache={})
    for term in _terms(latex):
        if rows and width(rows[-1]) + width(term) <= WIDEST:
            rows[-1] += term
        else:
            rows.append(term)
    return f"{relation}{{}} & " + " \\\\\n & \\quad ".join(rows)


def _width(latex, cache):
    if latex not in cache:
        cache[latex] = len(to_unicode(re.sub(r"^\s*[+-]", "", latex)))
    return cache[latex]


def _terms(latex):
    """The terms of a sum, each with its sign; braces and parentheses are not split."""
    depth, start = 0, 0
    for found in re.finditer(r"\\left|\\right|\\begin|\\end|\\[{}]|[{}()\[\]]| [+-] |\\[A-Za-z]+", latex):
        token = found[0]
        depth += (token in (r"\left", r"\begin", "{")) - (token in (r"\right", r"\end", "}"))
        if token in (" + ", " - ") and depth == 0 and latex[: found.start()].count("(") == latex[: found.start()].count(")"):
            yield latex[start : found.start()]
            start = found.start()
    yield latex[start:]
