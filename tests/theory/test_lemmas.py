"""The lemmas that lectures share: each is derived in the file of its name, has a page, and is used by several lectures."""

import json

import pytest

from shared_specs.syllabus import load
from theory_jax.__main__ import main
from theory_jax.derivation.loading import derivation_of, lemmas
from theory_jax.pages.page import lecture_page, lemmas_of

NAMES = [lemma.path for lemma in lemmas()]


@pytest.mark.parametrize("path", NAMES)
def test_every_lemma_is_derived(path, capsys):
    assert main(["run", path, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["derivations"]
    (title,) = (lemma.title for lemma in lemmas() if lemma.path == path)
    assert record["topic"] == path and title in {claim["title"] for claim in record["claims"]}
    assert record["question"] and record["sources"]


@pytest.mark.parametrize("path", NAMES)
def test_a_lemma_is_used_by_several_lectures(path):
    """A lemma used by a single lecture belongs in that lecture."""
    users = [topic.path for topic in load().built if path in lemmas_of(topic)]
    assert len(users) > 1
    page = lecture_page(derivation_of(path), (), topic=next(lemma for lemma in lemmas() if lemma.path == path), course=load())
    assert [other for other, _ in page.next] == users


def test_all_includes_the_lemmas(monkeypatch):
    asked = []
    monkeypatch.setattr("theory_jax.__main__.records_in_order", lambda topics, **how: asked.extend(t.path for t in topics) or [])
    assert main(["run", "--all", "--json"]) == 0
    assert asked == [*NAMES, *(topic.path for topic in load().built)]
