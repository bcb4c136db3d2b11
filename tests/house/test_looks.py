"""What docs/looks keeps of trained recipes is of the recipes as they are, and small."""

import pytest

from book import looks
from practice_torch.commands.recipes import module_of, recipe_names

FOLDER = looks.ROOT / looks.LOOKS


def recipes_of(topic):
    return module_of(topic).RECIPES if recipe_names(topic) else {}


@pytest.mark.rule
def test_every_kept_picture_is_of_a_recipe_as_it_is():
    assert list(looks.stale(recipes_of)) == []


@pytest.mark.rule
def test_kept_pictures_are_small():
    sizes = {path.relative_to(FOLDER).as_posix(): path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > looks.MOST_BYTES and name != "index.json"} == {}
    assert sum(sizes.values()) <= 500_000
    texts = {path.name: len(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*/*.txt")}
    assert {name: length for name, length in texts.items() if length > looks.MOST_CHARACTERS} == {}
