"""docs/glossary.md: every entry is read, and names a topic of the course and one of its functions."""

import re
import unicodedata
from collections import Counter

import pytest

from book.glossary import PAGE, section, terms
from shared_specs.checking.reference import wing_function
from shared_specs.syllabus import load


def _key(name):
    letters = unicodedata.normalize("NFKD", name.lower())
    return re.sub(r"[^a-z0-9 ]", "", letters.replace("-", " "))


def test_every_entry_is_read_and_they_are_in_the_order_of_the_alphabet():
    entries = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    names = [term.name for term in terms()]
    assert len(names) == len(entries) > 100
    assert names == sorted(names, key=_key)
    assert [name for name, count in Counter(map(_key, names)).items() if count > 1] == []


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_term_names_a_function_of_its_topic(backend):
    built = {topic.path for topic in load().built}
    for term in terms():
        assert term.topic in built, term
        assert callable(wing_function(backend, term.topic, term.function)), term


def test_a_meaning_is_a_phrase_and_a_symbol_is_mathematics():
    for term in terms():
        assert not term.meaning.endswith("."), term
        assert re.fullmatch(r"(?:\$[^$]+\$)?", term.symbol), term
    assert {term.topic.split("/")[0] for term in terms()} == {topic.path.split("/")[0] for topic in load().built}


def test_the_page_of_a_topic_names_its_terms():
    text = section("topics/latent/elbo", "latent/elbo")
    assert "evidence lower bound (ELBO), importance weight" in text and "../../guides/glossary.md" in text
    assert section("topics/foundations/nothing", "foundations/nothing") == ""
