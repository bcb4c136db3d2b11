"""The setting: a letter means one thing on a page."""

import pytest
from sympy import exp, pi

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Refused
from theory_jax.derivation.lecture import Derivation


def page(letter, text="", expression=0):
    """A derivation with a symbol of this letter, a text and a chain."""
    derivation = Derivation(title="A toy")
    i, x = derivation.index("i", "an index"), derivation.number("x", "a number")
    derivation.numbers(letter, i, "numbers") if "_" not in letter else derivation.number(letter, "a number")
    derivation.say(text)
    derivation.chain("A sum", x + expression - x, equals(expression, "$x$ cancels"))
    return derivation


CLASHES = {
    "a power of e in a text": ("e", r"With $y = e^{-x}$.", 0),
    "e to a letter": ("e", r"With $y = e^x$.", 0),
    "an exponential": ("e", "", exp(2)),
    "a circle in a text": (r"\pi", r"The area is $\frac12 \log 2\pi$.", 0),
    "a root": (r"\pi", r"It is $1/\sqrt{\pi}$.", 0),
    "a quarter": (r"\pi", r"It is $\frac{\pi}{4}$.", 0),
    "pi in an expression": (r"\pi", "", 2 * pi),
}
SINGLE = {
    "a square of the symbol": ("e", "Its square $e^2$.", 0),
    "a fixed index": ("e_0", "With $y = e^{-x}$.", 0),
    "another letter that begins so": (r"\epsilon", "With $y = e^{-x}$.", exp(2)),
    "a policy": (r"\pi", r"The policy $\pi(a|s)$, and $\frac1\pi$.", 0),
    "the number without a symbol": ("a", r"With $2\pi e^{-x}$.", pi),
}


@pytest.mark.parametrize("name", CLASHES)
def test_a_symbol_with_the_letter_of_a_number_of_the_page_is_refused(name):
    letter, text, expression = CLASHES[name]
    with pytest.raises(Refused, match="has the letter of the number"):
        page(letter, text, expression).check_setting()


@pytest.mark.parametrize("name", SINGLE)
def test_a_letter_with_one_meaning_passes(name):
    letter, text, expression = SINGLE[name]
    page(letter, text, expression).check_setting()
