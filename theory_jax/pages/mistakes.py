"""Common mistakes on the pages: the wrong forms that the parts name, each rejected by the engine, and their descriptions."""

from dataclasses import dataclass

from theory_jax.derivation.bridges import Bridge, written
from theory_jax.derivation.chains import Valley
from theory_jax.derivation.typeset import latex


@dataclass(frozen=True)
class Mistake:
    """A mistake in words, and the wrong formula in LaTeX with its relation to the line above; for a step only the words."""

    label: str
    latex: str = ""
    relation: str = ""


def of_line(line):
    """The mistakes of a line of a chain."""
    return tuple(Mistake(label, latex(form), line.relation) for label, form in line.wrong.items())


def of_part(part, results):
    """The mistakes of a bridge, a lemma about one number, or an executed step; those of a chain are at its lines."""
    if isinstance(part, Bridge):
        return tuple(Mistake(label, written(_different(form, part.expression))) for label, form in part.wrong.items())
    if isinstance(part, Valley):
        return tuple(Mistake(label, latex(form)) for label, form in part.wrong.items())
    return tuple(Mistake(label) for result in results for label in result.mistakes)


def lead(mistakes):
    """Their title on the page."""
    return "A common mistake" if len(mistakes) == 1 else "Common mistakes"


def _different(form, expression):
    """The wrong ones of several expressions."""
    if not isinstance(form, tuple):
        return form
    wrong = tuple(part for part, right in zip(form, expression, strict=True) if part is not None and part != right)
    return wrong[0] if len(wrong) == 1 else wrong
