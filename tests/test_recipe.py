"""A topic's recipe may not take a field of the engine for something else: the engine would read it all the same."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest

from practice_torch.engine.recipe import REDECLARABLE, Direction, Fixed, Recipe
from practice_torch.engine.schedule import learning_rate_factor
from practice_torch.latent.vae_training import RECIPES


def derived(annotations, bases=(Recipe,), **defaults):
    return type("Derived", bases, {"__annotations__": annotations, "__module__": __name__, **defaults})


@pytest.mark.parametrize("name", sorted({field.name for field in dataclasses.fields(Recipe)} - set(REDECLARABLE)))
def test_a_field_that_only_the_engine_reads_is_not_declared_again(name):
    kept = Recipe.__dataclass_fields__[name]
    for kind in (kept.type, complex):  # of the same type it would be the worse trap
        with pytest.raises(TypeError, match=f"Derived redeclares {name}, which the engine reads in every recipe alike"):
            derived({name: kind}, **{name: kept.default})


def test_nor_by_a_mixin_that_stands_before_the_recipe():
    class Mixin:
        schedule: Literal["constant", "linear"] = "constant"

    with pytest.raises(TypeError, match="Mixin redeclares schedule"):
        type("Derived", (Mixin, Recipe), {})
    with pytest.raises(TypeError, match="Mixin redeclares schedule"):
        type("Derived", (type("Between", (Mixin,), {}), Recipe), {})


@pytest.mark.parametrize(
    ("name", "annotations", "default"),
    [
        ("steps", {"steps": float}, 1.0),
        ("learning_rate", {"learning_rate": int}, 1),
        ("direction", {"direction": Fixed}, "higher"),
        ("metric", {"metric": Literal["loss", "error"]}, "loss"),
        ("steps", {}, 5),  # dataclasses would ignore it
    ],
)
def test_what_a_topic_may_declare_again_keeps_its_type(name, annotations, default):
    with pytest.raises(TypeError, match=f"Derived redeclares {name} as .*; it must stay a field of type"):
        derived(annotations, **{name: default})


def test_another_default_and_a_narrower_use_are_allowed():
    @dataclass(frozen=True)
    class Counting(Recipe):
        steps: int = 1
        """1: counting looks at everything once."""
        metric: Fixed = "bits"
        direction: Direction = "higher"

    assert (Counting().steps, Counting().metric, Counting().direction) == (1, "bits", "higher")
    with pytest.raises(ValueError, match="direction is up; it must be lower or higher"):
        Counting(direction="up")


@pytest.mark.parametrize("name", RECIPES)
def test_schedules_of_the_kl_leave_the_learning_rate_alone(name):
    recipe = RECIPES[name]
    assert {learning_rate_factor(step, recipe) for step in (1, 100, 2000, 5000, recipe.steps)} == {1.0}
