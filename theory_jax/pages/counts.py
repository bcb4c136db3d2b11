"""Relations in the texts of a lecture, by where they stand and by how they are held."""

from collections import Counter

from theory_jax.derivation.prose import FORMULA, RELATION, Holds, Means, Prose, Where, words_of

HELD = ("executed", "conditions", "definitions", "stated", "unmarked")
KINDS = {Holds: "executed", Where: "conditions", Means: "definitions"}
PLACES = {"because": "reasons", "caption": "captions", "so": "conclusions"}  # other places have the name of their attribute


def relations_by_place(derivation):
    """{place: Counter of HELD}: unmarked are relations between dollar signs of a text that has no fields, which nothing reads."""
    counts = {}
    for place, text in _texts(derivation):
        count = counts.setdefault(PLACES.get(place, place), Counter())
        if isinstance(text, Prose):
            count.update(KINDS[type(part)] for part in text.fields.values() if type(part) in KINDS)
            count["stated"] += len(text.said)
        else:
            count["unmarked"] += sum(bool(RELATION.search(formula)) for formula in FORMULA.findall(text))
    return {place: count for place, count in counts.items() if count.total()}


def _texts(derivation):
    """(place, text) of everything that is written in words."""
    yield from (("answer", derivation.answer), ("question", derivation.question))
    yield from (("setting", text) for text in derivation.setting)
    yield from (("limits", text) for text in derivation.limits)
    yield from (("symbols", symbol.meaning) for symbol in derivation.symbols)
    for part in derivation.parts:
        exercise = hasattr(part, "question")
        yield from (("exercises" if exercise else name, text) for name, text in words_of(part))
