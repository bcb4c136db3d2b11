"""Claims for a terminal: LaTeX as readable Unicode.

pylatexenc parses and knows the symbols; here are the habits of a mathematician at a typewriter that it lacks: raised and lowered
characters where Unicode has them, parentheses where a fraction needs them, air around relations. pylatexenc alone writes
`1/2loga+b/c x_i^2` where this writes `(1/2) log ((a+b)/c) xᵢ²`.
"""

import re
import unicodedata
from functools import cache

from pylatexenc import latex2text, latexwalker
from pylatexenc.macrospec import MacroSpec, MacroStandardArgsParser, SpecialsSpec

PLAIN_RAISED = "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW*αβγδεθ"
RAISED_TEXT = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ*ᵅᵝᵞᵟᵋᶿ"
RAISED = dict(zip(PLAIN_RAISED, RAISED_TEXT, strict=True)) | {"⊤": "ᵀ", "′": "′", "∗": "*", "∘": "°", "⋄": "⋄"}
LOWERED = dict(zip("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
SCRIPTS = "⁰-₟ᴬ-ᶿⱼⱽ¹²³°⋄"

OTHER_ATOMS = r"[∂‖][^\s+\-−/=]*|\([^()]*\)[²³ᵀ]?"

# private marks that stand in the text until its spacing is known
LEAD, FUNCTION = "\ue004", "\ue000"  # around the name of a function
RATIO, RATIO_END = "\ue001", "\ue006"  # around a fraction
END = "\ue002"  # behind a fraction or an index: a space follows
JOIN, GAP = "\ue003", "\ue005"  # no space here; a wide one
BACK, APART = "\ue007", "\ue008"  # no space before it; always one space
APOSTROPHE = "\ue009"  # of a word, which is no prime
FUNCTIONS = ("log", "exp", "max", "min", "sup", "inf", "lim", "det", "sin", "cos", "tan", "tanh", "arg", "ker", "dim", "Pr", "ln")
ACCENT = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "widehat": "\u0302", "widetilde": "\u0303", "overline": "\u0305"}
GREEK = "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi|omega"
PLAIN = {
    "|": "‖", "Vert": "‖", "lVert": "‖" + JOIN, "rVert": BACK + "‖", "lvert": "|" + JOIN, "rvert": BACK + "|", "mid": " | ",
    ",": " ", ";": " ", "!": "",
    "quad": GAP, "qquad": GAP, "phi": "φ", "varphi": "φ", "epsilon": "ε", "varepsilon": "ε", "top": "⊤", "prime": "′",
    "displaystyle": "", "textstyle": "", "limits": "", "mathstrut": "", "boldsymbol": "", "bm": "", "mathop": "", "substack": "",
    "left": "", "right": "", "middle": "", "partial": "∂" + JOIN, "bmod": " mod ", "neg": "¬", "bot": "⊥", "colon": ":",
    "coloneqq": " := ", "star": "*", "ast": "*",
    "langle": "⟨" + JOIN, "rangle": BACK + "⟩", "lfloor": "⌊" + JOIN, "rfloor": BACK + "⌋",
    "lceil": "⌈" + JOIN, "rceil": BACK + "⌉", "dots": "…", "ldots": "…", "cdots": "⋯",
    "ne": "≠", "neq": "≠", "lozenge": "◊", "diamond": "⋄", "iff": " ⇔ ", "implies": " ⇒ ", "Longrightarrow": " ⇒ ", "land": " ∧ ",
} | {size + side: "" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")}  # fmt: skip


# what a fraction may are next to without parentheses: behind it, and in front of it
AFTER_FRACTION = re.compile(rf"[{END}\s]*(?:$|[=≤≥<>≈≡≠∝∼⇒⇔→←∈+\-−,;:.)\]}}|‖{BACK}{GAP}]|(?:for|otherwise|if|at|and|or)\b)")
FACTOR_BEFORE = re.compile(rf"(?:\w|[)\]}}‖*′″{SCRIPTS}]|(?<!^){END})[{END}{JOIN}\s]*$")
OPERATOR_BEFORE = re.compile(rf"[∑∏∫](?:[{SCRIPTS}{END}\s]|[_^](?:\([^()]*\)|\w))*$")
INDEX_OF_A_LOG = rf"(?:[{SCRIPTS}]+{END}|[_^](?:\([^()]*\)|.){END})?"


def to_unicode(claim):
    """The claim in one line of Unicode text."""
    text = _with_fractions(_converter().latex_to_text("$" + _in_one_line(claim) + "$"))
    text = re.sub(rf"[\s{END}]*{BACK}", "", text)
    text = re.sub(rf"{JOIN}\s*", "", re.sub(rf"(?<=[\w)\]}}]){LEAD}", " ", text))
    text = re.sub(f"[{LEAD}{RATIO}{RATIO_END}]", "", text)
    text = re.sub(rf"({FUNCTION}\s*|{END})\s*(?=[{{^_|‖/,;:.)\]}}=+\-−*′″{SCRIPTS}{END}'’”{APART}]|$)", "", text)
    text = re.sub(rf"({FUNCTION}\s*|{END})(?=[(\[])", "", text)
    text = re.sub(rf"[{FUNCTION}{END}]\s*", " ", text)
    text = text.replace("”", "″").replace("’", "′").replace("'", "′").replace(APOSTROPHE, "'")
    text = re.sub(r"\s*([=≤≥≈≡≠∝∼⇒⇔⇐→←↔↦∈≪≫⪰⪯×⊙⊗⊕])\s*", r" \1 ", text)
    text = re.sub(r"(?<=[^\s(])\s*([<>])\s*(?=\S)", r" \1 ", text)
    text = re.sub(r"(?<=[^\s(\[{,])([+\-−]) ", r" \1 ", text)
    text = re.sub(r"\s+([,;.)\]])", r"\1", re.sub(r"([(\[])\s+", r"\1", text))
    text = re.sub(r"(?<=\S) ?/ ?(?=\S)", "/", text)
    text = re.sub(r"((?:^|[(\[{,;=≤≥<>≈→])\s*[-−]) ", r"\1", text)  # the sign of a number, not of a difference
    text = unicodedata.normalize("NFC", text)
    return re.sub(rf"\s*{GAP}\s*", "  ", re.sub(rf"[\s{APART}]+", " ", text)).strip()


def _in_one_line(claim):
    """The LaTeX without what needs a second line: rows of matrices, cases, and words under a brace."""
    claim = re.sub(r"\\text\{[^{}]*\}", lambda words: words[0].replace("'", APOSTROPHE), claim)
    claim = claim.replace(r"\left.", "").replace(r"\left\|", r"\lVert ").replace(r"\right\|", r"\rVert ")
    claim = re.sub(rf"(\\(?:{GREEK}))\s+(?=\\(?:{GREEK}|{'|'.join(ACCENT)}|mathbb|mathcal|mathbf)\b)", r"\1\\ ", claim)
    rows = re.compile(r"\\begin\{(\w*matrix|array|cases)\}(?:\{[^{}]*\})?(.*?)\\end\{\1\}", re.S)
    while found := rows.search(claim):
        cells = re.sub(r"(?<!\\)&", r"\\ " if found[1] == "cases" else r",\\ ", found[2].strip().removesuffix("\\\\").strip())
        cells = re.sub(r"\\\\(?:\[[^\]]*\])?", r";\\ ", cells)
        claim = claim[: found.start()] + (r"\{" if found[1] == "cases" else "") + cells + claim[found.end() :]
    while found := re.search(r"\\(?:under|over)brace\s*(?=\{)", claim):
        over = _closing(claim, found.end())
        mark = re.match(r"\s*[_^]\s*(?=\{)", claim[over:])
        under = _closing(claim, over + mark.end()) if mark else over
        words = rf"\ [\,{claim[over + mark.end() + 1 : under - 1]}\,]\ " if mark else ""
        claim = f"{claim[: found.start()]}{{{claim[found.end() + 1 : over - 1]}}}{words}{claim[under:]}"
    return claim


def _closing(text, start):
    """The end of the group that begins with the brace at `start`."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}") if text[at - 1 : at] != "\\" else 0
        if depth == 0:
            return at + 1
    return len(text)


def _with_fractions(text):
    """Fractions in parentheses where the neighbors would read as a part of them."""

    def parenthesized(found):
        before, after = found.string[: found.start()], found.string[found.end() :]
        whole = found["fraction"]
        if found["log"]:
            joined = JOIN if AFTER_FRACTION.match(after) else APART
            return f"{found['log']}{joined}({whole}){END}"
        if re.match(r"[∂d](?:²|³|ⁿ)?/", whole):  # the derivative of what follows
            return whole + " "
        adjacent = not AFTER_FRACTION.match(after) or FACTOR_BEFORE.search(before) and not OPERATOR_BEFORE.search(before)
        return f"({whole}){END}" if adjacent else whole + END

    fraction = rf"{RATIO}(?P<fraction>[^{RATIO}]*){RATIO_END}{END}"
    return re.sub(rf"(?P<log>(?:log|exp|ln){FUNCTION}{INDEX_OF_A_LOG}\s*)?{fraction}", parenthesized, text)


@cache
def _converter():
    grammar = latexwalker.get_default_latex_context_db()
    grammar.add_context_category(
        "claims",
        macros=[MacroSpec(name, "{{") for name in ("frac", "tfrac", "dfrac")]
        + [MacroSpec(name, "{{") for name in ("binom", "tbinom")]
        + [MacroSpec("operatorname", "*{"), MacroSpec("sqrt", "[{")]
        + [MacroSpec(name, "{") for name in (*ACCENT, "mathbb")]
        + [MacroSpec(name, "") for name in (*PLAIN, *FUNCTIONS)],
        specials=[SpecialsSpec(mark, MacroStandardArgsParser("{")) for mark in "^_"],
        prepend=True,
    )
    words = latex2text.get_default_latex_context_db()
    words.add_context_category(
        "claims",
        macros=[latex2text.MacroTextSpec(name, _fraction) for name in ("frac", "tfrac", "dfrac")]
        + [latex2text.MacroTextSpec(name, _binomial) for name in ("binom", "tbinom")]
        + [latex2text.MacroTextSpec("operatorname", _operator), latex2text.MacroTextSpec("mathbb", _blackboard)]
        + [latex2text.MacroTextSpec("sqrt", _root)]
        + [latex2text.MacroTextSpec(name, _accent) for name in ACCENT]
        + [latex2text.MacroTextSpec(name, text) for name, text in PLAIN.items()]
        + [latex2text.MacroTextSpec(name, LEAD + name + FUNCTION) for name in FUNCTIONS],
        specials=[latex2text.SpecialsTextSpec("^", _raised), latex2text.SpecialsTextSpec("_", _lowered)],
        prepend=True,
    )
    # what no one taught it is shown by name: a symbol that vanished would change the claim
    words.set_unknown_macro_spec(latex2text.MacroTextSpec("", lambda node: node.macroname))

    class Converter(latex2text.LatexNodes2Text):
        def latex_to_text(self, latex):
            return self.nodelist_to_text(latexwalker.LatexWalker(latex, latex_context=grammar).get_latex_nodes()[0])

    return Converter(latex_context=words, math_mode="text", keep_braced_groups=False)


def _argument(node, converter, index):
    argument = node.nodeargd.argnlist[index]
    if argument is None:
        return ""
    text = _with_fractions(converter.nodelist_to_text([argument]))
    text = re.sub(rf"{JOIN}\s*|\s*{BACK}|[{RATIO}{RATIO_END}]", "", text)
    return text.strip(" " + LEAD + FUNCTION + END)


def _fraction(node, l2tobj):
    above, below = _argument(node, l2tobj, 0), _argument(node, l2tobj, 1)
    if not _is_one(above):
        above = f"({above})"
    # a number, a symbol, or a call: what looks like a product would read as if only its first factor were below
    if not re.fullmatch(rf"\d+|√[^\s+\-−/()]+|[^\W\d]?[^\W\d][^\s+\-−/=|,()\[\]]*(\([^()+\-−]*\))?[²³ᵀ]?|{OTHER_ATOMS}", below):
        below = f"({below})"
    return f"{RATIO}{above}/{below}{RATIO_END}{END}"


def _is_one(text):
    """Whether nothing outside parentheses separates the text into terms or factors."""
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth == 0 and (character.isspace() or character in "+-−/=|,"):
            return False
    return True


def _binomial(node, l2tobj):
    return f"C({_argument(node, l2tobj, 0)}, {_argument(node, l2tobj, 1)})"


def _operator(node, l2tobj):
    return LEAD + _argument(node, l2tobj, 1) + FUNCTION


def _blackboard(node, l2tobj):
    text = _argument(node, l2tobj, 0)
    return "".join({"1": "𝟙", "E": "𝔼", "P": "ℙ", "R": "ℝ", "N": "ℕ", "Z": "ℤ", "C": "ℂ", "Q": "ℚ"}.get(c, c) for c in text)


def _root(node, l2tobj):
    degree, text = _argument(node, l2tobj, 0), _argument(node, l2tobj, 1)
    sign = {"": "√", "3": "∛", "4": "∜"}.get(degree, f"{_script('', RAISED, degree).rstrip(END)}√")
    return sign + (text if re.fullmatch(rf"\w[\u0300-\u036f]?[{SCRIPTS}]*", text) else f"({text})") + END


def _accent(node, l2tobj):
    text, accent = _argument(node, l2tobj, 0), ACCENT[node.macroname]
    behind = getattr(node.nodeargd.argnlist[0], "macro_post_space", "")  # that of \alpha in \bar\alpha q, which it would lose
    return ("".join(c + accent for c in text) if len(text) < 3 else text + accent) + behind


def _raised(node, l2tobj):
    return _script("^", RAISED, _argument(node, l2tobj, 0))


def _lowered(node, l2tobj):
    return _script("_", LOWERED, _argument(node, l2tobj, 0))


def _script(mark, table, text):
    squeezed = text.replace(" ", "").replace("−", "-")
    if all(c in table for c in squeezed):
        return "".join(table[c] for c in squeezed) + END
    return mark + (text if re.fullmatch(r"[^\W_₀-₟ᴬ-ᶿⱼⱽ]+|[^\w\s]", text) else f"({text})") + END
