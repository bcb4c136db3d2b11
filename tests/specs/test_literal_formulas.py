"""What a docstring says, written down word for word, is accepted: a row that asks for more says why (`edge`, `cancels`)."""

import pytest

from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Implementation
from shared_specs.grading.against import functions_of
from shared_specs.rows import Rejects
from tests.support.literal_formulas import LITERAL


@pytest.mark.parametrize("topic", [pytest.param(topic, marks=pytest.mark.xdist_group(topic)) for topic in LITERAL])
def test_the_formulas_of_the_docstrings_pass(topic):
    """In NumPy and both precisions, values and laws, but for rows at the edge."""
    formulas = vars(LITERAL[topic])
    assert set(functions_of(topic)) <= set(formulas)
    results = []
    for precision in ("float64", "float32"):
        checker = Checker(topic, Implementation(formulas.get, "numpy", precision))
        results += checker.run([row for row in spec_of(topic) if not isinstance(row, Rejects)])
    wrong = [(r.function, r.case, r.precision, r.message) for r in results if not r.passed and not r.edge]
    assert results and wrong == []


def test_ten_topics_are_tried():
    """Of several families."""
    assert len(LITERAL) >= 10 and len({topic.split("/")[0] for topic in LITERAL}) >= 3
