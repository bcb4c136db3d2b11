"""Which part of a lecture is the first to need a symbol: it is introduced there, and not in one table at the beginning."""

import functools

from theory_jax.derivation.chains import spoken_of
from theory_jax.derivation.lecture import Step
from theory_jax.derivation.notation import Count, Family
from theory_jax.derivation.parts import Exercise
from theory_jax.derivation.prose import FORMULA, texts, words_of
from theory_jax.derivation.setting import letters


def symbols_by_part(derivation):
    """{part: the symbols that it is the first to need}; under None those that no part needs.

    A part needs the symbols of its expressions, those that these are defined by, and the letters of its claim and of its words.
    An expression's symbol is never moved before the place where its author introduces it; one of claims alone is, to the first
    claim that has it. Exercises introduce nothing.
    """
    found = {}
    readers = [(place, part) for place, part in enumerate(derivation.parts) if not isinstance(part, Exercise)]
    written = {part: _letters(part) for _, part in readers}
    spelled = [(symbol.key, _letters_of(symbol.written)) for symbol in derivation.symbols if not isinstance(symbol.key, str)]
    keys = {
        part: _with_definitions(_keys(part) | {key for key, own in spelled if own and own <= written[part]})
        for _, part in readers
    }
    for symbol in derivation.symbols:
        own = _letters_of(symbol.written)
        for place, part in readers:
            if (place >= symbol.place or isinstance(symbol.key, str)) and (
                symbol.key in keys[part] or own and own <= written[part]
            ):
                found.setdefault(part, []).append(symbol)
                break
        else:
            found.setdefault(None, []).append(symbol)
    return found


def _keys(part):
    """The families, numbers and functions in a part's expressions, those of its texts among them."""
    expressions = list(part.expressions()) if hasattr(part, "expressions") else []
    expressions += [expression for text, *_ in texts(part) for expression in text.expressions()]
    counts = {count for expression in expressions for count in expression.atoms(Count)}
    return spoken_of(expressions) | counts


def _with_definitions(keys):
    """These keys, and those by which they are defined, and so on."""
    found, open_keys = set(), list(keys)
    while open_keys:
        key = open_keys.pop()
        if key in found:
            continue
        found.add(key)
        if isinstance(key, Family):
            open_keys += key.indices
            open_keys += spoken_of([key.definition]) if key.definition is not None else ()
    return found


def _letters(part):
    """The letters of a claim, and of the formulas in the words around a part, which has them for a reader."""
    words = [text for _, text in words_of(part)] + [line.text for line in getattr(part, "instructions", ())]
    formulas = [formula[1:-1] for text in words for formula in FORMULA.findall(text)]
    return frozenset().union(*map(_letters_of, [*formulas, part.claim] if isinstance(part, Step) else formulas))


@functools.cache
def _letters_of(formula):
    return frozenset(letters(formula))
