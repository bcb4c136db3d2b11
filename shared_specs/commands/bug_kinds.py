"""The kind of bug of a near miss, from its name and, where that does not tell, from its numbers: a short, closed vocabulary."""

import re
from typing import Any

import numpy as np

# kind -> (what it means, words by which the names of near misses tell it); the first kind that matches counts
KINDS = {
    "off by one": (
        "an index, a count or a step is one too early, too late, too small or too large",
        r"\b(one|a step|a token|a position|a day|once) (early|late|earlier|later|too|less|more|short|further)|off by one|"
        r"\b(early|late|earlier|later)\b|\bshifted\b|[a-zA-Z] [+-] 1\b|from (zero|one|0|1)\b|\bnext\b|\bprevious\b|\bbefore\b|"
        r"one (step|token|position|place|entry|term)|\bfirst (left|for)|\bindex",
    ),
    "sign": ("a sign is wrong", r"\bsigns?\b|\bnegat|\bminus\b|\bplus\b|\badded\b|\bsubtracted\b|\babsolute\b|\buphill\b"),
    "logarithm": (
        "a logarithm is missing, is one too many, or has another base; bits for nats, probabilities for their logarithms",
        r"\bbits?\b|\bnats?\b|\bbase\b|\blog\b|\blogs\b|\blogarithms?\b|\bexponent|\bexp\b|\bdecibels?\b|\blog-|\bperplexit|"
        r"\bodds\b|\blogits?\b|\bprobabilit(y|ies) (for|in place|read|not)",
    ),
    "power": (
        "a square or a root is missing or is one too many; variance for deviation, norm for its square",
        r"\bsquar|\broots?\b|\bcube|\bpower|\bdeviations?\b|\bvariances? (for|read|in place|as)|\bstandard\b|\bprecisions?\b|"
        r"\bdegree\b|\^",
    ),
    "order": (
        "arguments, operands, directions or entries are exchanged, reversed or in another order",
        r"\bswapped\b|\bexchang|\breverse|\bturned\b|\bbackwards?\b|\bother way\b|\border(ed)?\b|\binverse\b|\binverted\b|"
        r"\bKL of\b|\btranspos|\binterleav|\bother (order|side|direction|end|half)|\bfor\b.*\bthe other\b|\bmirrored\b|"
        r"\brotated\b|\bflipped\b",
    ),
    "reduction": (
        "a sum for a mean, a maximum for a sum, a weighted mean for a plain one",
        r"\bsum(s|med)?\b|\bmeans?\b|\baverag|\bmaxim|\bminim|\bmax\b|\bmin\b|\bmedian|\btotal\b|\bweighted\b|\bpooled\b|\bcounted\b|"
        r"\bcounts\b|\bcount\b|\bdivided by\b|\bby n\b|\bunbiased\b|\bbiased\b|\bBessel",
    ),
    "axis": (
        "the wrong axis, or one more or one fewer than is meant",
        r"\bax[ei]s\b|\brows?\b|\bcolumns?\b|\bchannels?\b|\bover the\b|\bper\b|\beach\b|\bbatch\b|\bdimension|\blayers?\b|"
        r"\bheads?\b|\bgroups?\b|\bpixels?\b|\bexamples?\b",
    ),
    "boundary": (
        "ends, ties, masks, padding, thresholds and clipping",
        r"\bclip|\bclamp|\bpad|\bmask|\bties?\b|\btied\b|\bends?\b|\bedges?\b|\bboundar|\bthreshold|\bfloor|\bceil|\bround|"
        r"\bcircular|\bmargin|\binclu|\bexclu|\bstrict|\bcausal\b|\btruncat|\bcut\b|"
        r"\blast\b|\bwindow|\bbeyond\b|\bat zero\b|\bonly\b|\balone\b",
    ),
    "factor": (
        "a factor is missing, wrong, or is one too many; not normalized",
        r"\bfactor|\bhalf\b|\bhalved\b|\bdoubl|\btwice\b|\bscal|\bdivided\b|\bmultipl|\btimes\b|\bnormali|\brate\b|\bweights?\b|"
        r"\bcoefficient|\btemperature\b|\bunscaled\b|\brescaled\b|\bshare\b|\bfraction\b|\bpercent|/|\*",
    ),
    "omission": (
        "a term, a condition or a correction is left out",
        r"\bforgotten\b|\bwithout\b|\bignored?\b|\bleft out\b|\blost\b|\bno\b|\bnot\b|\bmissing\b|\bdropped\b|\bnever\b|\bnone\b|"
        r"\buntouched\b|\bunchanged\b|\bskipped\b|\bomitted\b|\b0 for\b|\bzero\b",
    ),
    "sum": (
        "a constant or a term is added that does not belong there",
        r"\bkept\b|\bleft in\b|\bconstant\b|\btoo\b|\balso\b|\bwith\b",
    ),
    "quantity": ("another quantity in its place", ""),
}


def kind_of(name: str, miss: Any, answer: Any) -> str:
    """The kind of bug of a near miss, by its name, else by how its numbers differ from the answer's."""
    said = next((kind for kind, (_, words) in KINDS.items() if words and re.search(words, name, re.IGNORECASE)), "")
    return said or _by_numbers(*(np.concatenate([np.ravel(part) for part in _parts(each)]) for each in (miss, answer)))


def _parts(value):
    return [np.asarray(part, dtype=np.float64) for part in (value if isinstance(value, tuple) else (value,))]


def _by_numbers(miss, answer):
    if miss.shape != answer.shape or not np.all(np.isfinite(miss) & np.isfinite(answer)):
        return "quantity"
    if np.allclose(miss, -answer, 1e-9, 1e-12):
        return "sign"
    if miss.size > 1 and np.allclose(np.sort(miss), np.sort(answer), 1e-9, 1e-12):
        return "order"
    if miss.size > 1 and np.ptp(answer) > 0 and np.allclose(miss - answer, (miss - answer)[0], 1e-9, 1e-12):
        return "sum"
    moving = answer != 0
    if moving.sum() > 1 and np.all(miss[~moving] == 0) and np.ptp(miss[moving] / answer[moving]) < 1e-9:
        return "factor"
    return "quantity"
