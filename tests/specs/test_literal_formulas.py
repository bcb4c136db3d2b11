"""The formulas of the docstrings, word for word, pass the rows: a row that requires more gives a reason (`edge`, `cancels`).

They are in tests/<family>/literal_<topic>.py, in NumPy: without rearrangement, stable form or check of an argument. Only their
values are compared, since the gradient of such a form may be 0/0 where the function has one.
"""

import pytest

from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Implementation
from shared_specs.grading.against import functions_of
from shared_specs.rows import Rejects
from tests.support.topic_files import module_with, topics_with

TOPICS = topics_with("literal")


@pytest.mark.parametrize("topic", [pytest.param(topic, marks=pytest.mark.xdist_group(topic)) for topic in TOPICS])
def test_the_formulas_of_the_docstrings_pass(topic):
    """In both precisions, values and laws, except for rows at the edge."""
    formulas = module_with("literal", topic).FORMULAS
    assert set(functions_of(topic)) == set(formulas)
    results = []
    for precision in ("float64", "float32"):
        checker = Checker(topic, Implementation(formulas.get, "numpy", precision))
        results += checker.run([row for row in spec_of(topic) if not isinstance(row, Rejects)])
    wrong = [(r.function, r.case, r.precision, r.message) for r in results if not r.passed and not r.edge]
    assert results and wrong == []


def test_ten_topics_are_tried():
    """Of several families."""
    assert len(TOPICS) >= 10 and len({topic.split("/")[0] for topic in TOPICS}) >= 3
