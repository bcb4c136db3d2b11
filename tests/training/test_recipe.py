"""A topic's recipe may not take a field of the engine for something else: the engine would read it all the same."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest

from practice_torch.commands.training import recipe_with
from practice_torch.engine.recipe import REDECLARABLE, Direction, Fixed, Recipe
from practice_torch.experiments.latent.vae import RECIPES as VAE
from tests.support.engine.toys import SoundRecipe


def derived(annotations, bases=(Recipe,), **defaults):
    return type("Derived", bases, {"__annotations__": annotations, "__module__": __name__, **defaults})


@pytest.mark.parametrize("name", sorted({field.name for field in dataclasses.fields(Recipe)} - set(REDECLARABLE)))
def test_a_field_that_only_the_engine_reads_is_not_declared_again(name):
    kept = Recipe.__dataclass_fields__[name]
    for kind in (kept.type, complex):  # of the same type it would be the worse trap
        with pytest.raises(TypeError, match=f"Derived redeclares {name}, which all recipes share"):
            derived({name: kind}, **{name: kept.default})


def test_a_recipe_derives_from_recipe_alone():
    """Its fields are then in one place. A mixin would also be asked before Recipe, and overrule it."""

    class Mixin:
        width: int = 8

    with pytest.raises(
        TypeError, match="Mixed derives from Mixin, Recipe; a recipe derives from Recipe alone: declare the field"
    ):
        type("Mixed", (Mixin, Recipe), {})
    with pytest.raises(TypeError, match="Second derives from Sized; a recipe derives from Recipe alone"):
        type("Second", (Sized,), {})


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
        """1, because counting reads the data once."""
        metric: Fixed = "bits"
        direction: Direction = "higher"

    assert (Counting().steps, Counting().metric, Counting().direction) == (1, "bits", "higher")
    with pytest.raises(ValueError, match=r"direction is up; it must be of type typing.Literal\[.lower., .higher.\]"):
        Counting(direction="up")


@dataclass(frozen=True)
class Sized(Recipe):
    widths: tuple[int, ...] = (4,)
    limits: tuple[float, float] = (0.0, 1.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 3.0},
        {"steps": True},
        {"steps": "3"},
        {"steps": None},
        {"learning_rate": "fast"},
        {"learning_rate": True},
        {"shard": 1},
        {"precision": "half"},
        {"precision": ["float32"]},
        {"data": 3},
        {"target": "low"},
        {"widths": 4},
        {"widths": (4, 0.5)},
        {"widths": [4]},
        {"limits": (0.0,)},
        {"limits": (0.0, "1")},
        {"metric": None},
    ],
)
def test_a_field_of_another_type_is_refused(fields):
    """As in a recipe.json that was written by hand."""
    ((name, value),) = fields.items()
    with pytest.raises(ValueError, match=f"^{name} is .*; it must be of type "):
        Sized(**fields)


def test_integers_are_floats_and_none_is_no_target():
    assert Sized(learning_rate=1, limits=(0, 2), target=None, widths=()).learning_rate == 1


def test_a_target_is_for_the_data_that_it_was_measured_on():
    target = lambda *fields: recipe_with("latent/vae", "digits", fields).target  # noqa: E731
    assert target() == target("--steps", "7") == VAE["digits"].target
    assert target("--examples-per-class", "10") is target("--only-class", "3") is target("--data", "mnist") is None
    assert target("--examples-per-class", "10", "--target", "3") == 3


def test_the_size_of_images_is_for_images_alone():
    given = {"image_size": 64, "only_class": 3, "examples_per_class": (10,)}
    assert Recipe(**given).loading() == given
    assert Recipe().loading() == {"image_size": None, "only_class": None, "examples_per_class": ()}
    for name, value in (("only_class", 3), ("examples_per_class", (3,))):
        with pytest.raises(ValueError, match=f"{name} is .*3.*; it must be none: the data are audio"):
            SoundRecipe(**{name: value})
    with pytest.raises(ValueError, match="examples_per_class"):
        Recipe(examples_per_class=(10, 0))
    for recipe, size, why in ((SoundRecipe, 64, "the data are audio"), (Recipe, 0, "at least 1"), (Recipe, 2.5, "of type")):
        with pytest.raises(ValueError, match=f"image_size is {size}; it must be .*{why}"):
            recipe(image_size=size)
