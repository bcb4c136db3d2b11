"""Rational expressions: zero or not zero in agreement with SymPy's own reduction, and no answer for other expressions."""

import random

import pytest
import sympy

from theory_jax.derivation.rational import is_zero

A, B, C = sympy.symbols("a b c", positive=True)

ZERO = [
    A / B - 1 / (B / A),
    (A**2 - B**2) / (A - B) - A - B,
    1 / (1 + A / (B + C)) - (B + C) / (A + B + C),
    (A + B) ** 3 / (2 * A + 2 * B) ** 2 - (A + B) / 4,
    A / (A + B) + B / (A + B) - 1,
    sympy.sqrt(A + B) ** 3 / (A + B) - sympy.sqrt(A + B),
    1 / sympy.sqrt(A) - sympy.sqrt(A) / A,
    (sympy.sqrt(1 - A) - sympy.sqrt(B)) * (sympy.sqrt(1 - A) + sympy.sqrt(B)) - 1 + A + B,
    A / sympy.sqrt(A**2 + B**2) * sympy.sqrt(A**2 + B**2) ** 3 - A**3 - A * B**2,
    (A**-2 - B**-2) * A**2 * B**2 - (B**2 - A**2),
    1 / (1 / A + 1 / B) - A * B / (A + B),
    (3 * A / 7 - B / 5) / (C * 2) - (15 * A - 7 * B) / (70 * C),
]
NOT_ZERO = [A / B, A - B, 1 / (A + B) - 1 / A - 1 / B, (A + B) ** 2 - A**2 - B**2, A**2 / B - B, (A + 1) / (B + 1) - A / B]


@pytest.mark.parametrize("expression", ZERO, ids=str)
def test_what_is_zero_is_found_to_be(expression):
    assert is_zero(expression) is True


@pytest.mark.parametrize("expression", NOT_ZERO, ids=str)
def test_what_is_not_zero_is_not(expression):
    assert is_zero(expression) is False


@pytest.mark.parametrize(
    "expression",
    [
        sympy.sqrt(A) - B,
        A ** sympy.Rational(1, 3) - B,
        sympy.log(A),
        A**B - 1,
        sympy.Integer(3),
        1 / sympy.Add(A, -A, evaluate=False),
    ],
    ids=str,
)
def test_there_is_no_answer_for_what_is_no_rational_function(expression):
    assert is_zero(expression) is None


def test_random_expressions_agree_with_sympy():
    drawn = random.Random(0)

    def grown(depth):
        if depth == 0:
            return drawn.choice([A, B, C, sympy.Rational(drawn.randint(1, 5), drawn.randint(1, 5))])
        left, right = grown(depth - 1), grown(depth - 1)
        return drawn.choice([left + right, left - right, left * right, left / (right + A + B), left ** drawn.choice([2, -1])])

    for _ in range(40):
        expression = grown(3)
        rewritten = sympy.apart(sympy.together(expression), A) if expression.has(A) else sympy.together(expression)
        assert is_zero(expression - rewritten) in (True, None) and is_zero(expression - rewritten + A / 1000) is False
