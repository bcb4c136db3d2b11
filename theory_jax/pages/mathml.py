"""A claim's LaTeX as MathML that wraps: browsers do not break a line of mathematics by themselves.

latex2mathml converts, and here are the breaks. MathJax and KaTeX are scripts, which a page would have to carry or to fetch.
"""

import re
from itertools import pairwise
from xml.etree import ElementTree

from markupsafe import Markup, escape

FUNCTIONS = "log|exp|max|min|sup|inf|det|tanh"
OPENING, CLOSING = set("([{⟨"), set(")]}⟩")
RELATIONS = set("=≤≥<>≈≡≠∝∼≪≫⪰⪯→←↔⇒⇔⇐↦∈:") | {"⟹", "⟺", "⟷", "≔"}
SIGNS = set("+−-±⋅·×")
# what the converter leaves as it is behind \Big
SIZED = {r"\|": "‖", r"\Vert": "‖", r"\{": "{", r"\}": "}", r"\lfloor": "⌊", r"\rfloor": "⌋"}
SIGNED = set("+−-±∓")
TALL = ("mfrac", "mtable", "munder", "munderover", "msqrt")
FENCE = "2.1em"  # the height of parentheses around a fraction
LONGEST_PIECE = 26  # characters: what a phone shows in one line, roughly


def to_mathml(claim, *, display=True):
    """The claim as a row of MathML pieces between which a line may break; as Unicode text if the converter does not know a
    command.

    Lines break before a relation and behind a wide space; in a piece that is still long also before a sign, within
    parentheses last.
    """
    from latex2mathml.converter import convert

    known = re.sub(r"\\arg(?![a-z])", r"\\operatorname{arg}", claim.replace(r"\textstyle", ""))  # a style would hide its rest
    try:
        mathml = convert(known, display="block" if display else "inline")
    except Exception:  # the converter has no base class of its errors
        mathml = ""
    mathml = re.sub(r">(\\[^<]*)<", lambda found: f">{SIZED.get(found[1], found[1])}<", mathml)
    if not mathml or "\\" in re.sub(r"<[^>]*>", "", mathml):
        from theory_jax.pages.unicode import to_unicode

        return to_unicode(claim)
    # air between a function's name and its argument, which the converter leaves to the browser, and the browser to no one
    spaced = re.sub(rf"(<mi>(?:{FUNCTIONS})</mi>)(?=<m[^o])", r'\1<mspace width="0.17em"/>', mathml)
    spaced = re.sub(rf"(?<=</m)((?:i|n|sub|sup|row|frac)>)(?=<mi>(?:{FUNCTIONS})</mi>)", r'\1<mspace width="0.17em"/>', spaced)
    row = ElementTree.fromstring(spaced.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))[0]
    for node in row.iter():
        _set_as_written(node)
    nodes = [part for node in row for part in _outside(node)]
    pieces = _split(nodes, lambda before, node, depth: depth == 0 and _ends_a_clause(before, node))
    pieces = [part for piece in pieces for part in _shorter(piece)]
    style = ' displaystyle="true"' if display else ""
    return Markup("<wbr>".join(f"<math{style}>{''.join(map(_text, piece))}</math>" for piece in pieces))


def _set_as_written(node):
    """Operators with the space that a typesetter gives them; fences grow around what is tall, and only there."""
    if node.tag == "mo" and node.text == "∞":
        node.tag = "mi"
    elif node.tag == "mo" and node.text == "/":
        node.attrib |= {"lspace": "0", "rspace": "0"}
    elif node.tag == "mover" and node[-1].text == "¯":
        node.set("accent", "true")
        node[-1].text = "‾"
    elif node.tag == "mrow" and len(node) and node[0].get("fence") and not any(part.tag in TALL for part in node.iter()):
        for part in node:
            if part.get("fence"):
                part.set("stretchy", "false")
    for before, part in pairwise([None, *node]):
        if part.tag == "mo" and part.text in SIGNED and (before is None or before.tag == "mo" and before.text not in CLOSING):
            part.set("form", "prefix")


def _outside(node):
    """The node's words and relations each by itself, and the inside of parentheses that are too long for a line."""
    if node.tag == "mrow" and _width(node) > LONGEST_PIECE:
        if any(part.tag in TALL for part in node.iter()):  # in a piece of its own a parenthesis has nothing to grow around
            for part in node:
                fence = part if part.tag == "mo" else part[0] if part.tag in ("msub", "msup", "msubsup") else None
                if fence is not None and fence.get("fence"):
                    fence.set("minsize", FENCE)
        return [part for inner in node for part in _outside(inner)]
    return _words(node)


def _words(node):
    """The node itself; words one by one; a relation that the converter took for a letter, as an operator."""
    if node.tag == "mi" and node.text in RELATIONS:
        node.tag = "mo"
    if node.tag != "mtext":
        return [node]
    words = re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", node.text or "")
    parts = [ElementTree.Element("mtext") for _ in words]
    for part, word in zip(parts, words, strict=True):
        part.text = re.sub(r"\s", "\u00a0", word)
    return parts


def _shorter(piece):
    """A long piece in several, broken at its outermost signs."""
    for deepest in (0, 1, 2):
        if sum(map(_width, piece)) <= LONGEST_PIECE:
            break
        parts = _split(piece, lambda before, node, depth, deepest=deepest: depth <= deepest and _begins_a_term(before, node))
        if len(parts) > 1:
            return [shorter for part in parts for shorter in (_shorter(part) if len(part) < len(piece) else [part])]
    return [piece]


def _split(nodes, breaks):
    """The nodes in pieces: a new one begins at every node for which breaks(node before, node, depth of parentheses)."""
    pieces, depth = [nodes[:1]], _step(nodes[0])
    for before, node in pairwise(nodes):
        if breaks(before, node, depth):
            if node.tag == "mo" and node.get("form") != "prefix":
                node.set("form", "infix")  # at the beginning of a piece it would lose the space around it
            pieces.append([])
        pieces[-1].append(node)
        depth += _step(node)
    return pieces


def _ends_a_clause(before, node):
    return (node.tag == "mo" and node.text in RELATIONS) or (before.tag == "mspace" and before.get("width") in ("1em", "2em"))


def _begins_a_term(before, node):
    operand = before.tag != "mspace" and not (before.tag == "mo" and before.text not in CLOSING | set("!′"))
    after_comma = before.tag == "mo" and before.text == ","
    return (node.tag == "mo" and node.text in SIGNS and operand) or after_comma or node.tag == "mtext"


def _step(node):
    """Change of the depth of parentheses after the node; a closing one may have an index or an exponent."""
    if node.tag in ("msub", "msup", "msubsup"):
        node = node[0]
    return (node.text in OPENING) - (node.text in CLOSING) if node.tag == "mo" else 0


def _width(node):
    """The characters that a node takes in a line: of a fraction those of its longer part."""
    if not len(node):
        return len(node.text or "") + (node.tag == "mo" and node.text in RELATIONS | SIGNS)
    widths = [_width(part) for part in node]
    return max(widths) if node.tag in ("mfrac", "munder", "mover", "munderover") else sum(widths)


def _text(node):
    return ElementTree.tostring(node, encoding="unicode")


def prose(words):
    """A sentence with its mathematics between dollar signs as MathML, and code between backticks as code; the rest escaped."""
    pieces = re.split(r"(\$[^$]*\$|`[^`]*`)", words)
    return Markup("").join(_inline(piece) for piece in pieces)


def _inline(piece):
    if len(piece) > 1 and piece[0] == piece[-1] == "$":
        return to_mathml(piece[1:-1], display=False)
    return Markup("<code>{}</code>").format(piece[1:-1]) if len(piece) > 1 and piece[0] == piece[-1] == "`" else escape(piece)
