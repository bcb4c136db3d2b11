"""Augmentation: what it does to examples, that it follows from places in the stream alone, and which recipes may have it."""

from dataclasses import replace

import pytest
import torch

from practice_torch.data.permutation import uniforms
from practice_torch.engine.batches.augmentation import Augmented, augmented
from practice_torch.engine.batches.order import Batches, Order, seed_of
from practice_torch.engine.batches.placement import batches_of
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import OptionError
from practice_torch.engine.recipe import Recipe
from tests.support.engine.toys import SoundRecipe

PLAIN = Recipe(batch_size=6)


class Pictures:
    """20 images [2, 4, 5] of positive numbers."""

    description = {"name": "pictures", "shape": [2, 4, 5]}
    pixels = torch.rand(20, 2, 4, 5, generator=torch.Generator().manual_seed(1)) + 0.1

    def __len__(self):
        return 20

    def batch(self, indices):
        return {"image": self.pixels[indices], "label": indices}

    def to(self, device):
        return self


def test_a_flip_mirrors_left_to_right_half_of_the_images():
    images = Pictures.pixels[:4]
    u = torch.tensor([[0.1], [0.9], [0.49], [0.5]]).expand(4, 4)
    flipped = augmented(images, u, replace(PLAIN, augment_flip=True))
    assert torch.equal(flipped, torch.stack([images[0].flip(-1), images[1], images[2].flip(-1), images[3]]))


def test_a_shift_moves_by_whole_pixels_and_pads_with_zeros():
    images = Pictures.pixels[:3]
    u = torch.tensor([[0.0, 0.0, 0.999, 0.0], [0.0, 0.5, 0.5, 0.0], [0.0, 0.999, 0.7, 0.0]])  # (-2, 2), (0, 0), (2, 1)
    moved = augmented(images, u, replace(PLAIN, augment_shift=2))
    first, last = torch.zeros(2, 4, 5), torch.zeros(2, 4, 5)
    first[:, :2, 2:] = images[0, :, 2:, :3]
    last[:, 2:, 1:] = images[2, :, :2, :4]
    assert torch.equal(moved, torch.stack([first, images[1], last]))


@pytest.mark.parametrize("shape", [(3, 9), (3, 1, 9)])
def test_a_gain_softens_by_at_most_so_many_decibels(shape):
    sounds = torch.rand(shape) * 2 - 1
    u = torch.tensor([[0.0, 0.0, 0.0, each] for each in (0.0, 0.5, 1.0)], dtype=torch.float64)
    softened = augmented(sounds, u, SoundRecipe(augment_gain=20.0))
    assert softened.dtype == torch.float32
    torch.testing.assert_close(softened, sounds * torch.tensor([1.0, 10**-0.5, 0.1]).view(3, *(1,) * (sounds.ndim - 1)))


def test_an_examples_augmentation_depends_on_its_place_alone():
    """Another batch, a resumed run, and each of three processes; and nothing is written into the data."""
    recipe = replace(PLAIN, augment_flip=True, augment_shift=1)
    before = Pictures.pixels.clone()
    order = Order(20, 6, recipe.seed)
    batches = Augmented(Batches(Pictures(), 6, recipe.seed), order, recipe)
    ahead = [batches[number] for number in range(9)]
    assert all(torch.equal(batches[number]["image"], ahead[number]["image"]) for number in (8, 3, 0))
    expected = augmented(
        Pictures.pixels[order.indices(order.draws(4))], uniforms(order.draws(4), 4, seed_of(recipe.seed, "augment")), recipe
    )
    assert torch.equal(ahead[4]["image"], expected) and torch.equal(ahead[4]["label"], order.indices(order.draws(4)))
    shares = []
    for rank in range(3):
        share = (2, recipe.seed, rank, 3)
        shares.append(Augmented(Batches(Pictures(), *share), Order(20, *share), recipe)[4]["image"])
    assert torch.equal(torch.cat(shares), ahead[4]["image"])
    assert torch.equal(Pictures.pixels, before)


def test_only_recipes_that_ask_for_it_have_augmented_batches():
    processes = Processes(cpu=True)
    assert isinstance(batches_of(Pictures(), PLAIN, processes, 6), Batches)
    batches = batches_of(Pictures(), replace(PLAIN, augment_shift=3), processes, 6)
    plain = Batches(Pictures(), 6, PLAIN.seed)
    assert torch.equal(batches[0]["label"], plain[0]["label"]) and not torch.equal(batches[0]["image"], plain[0]["image"])
    with pytest.raises(OptionError, match=r"augment_shift is 4; it must be less than the sides of the images, \[4, 5\]"):
        batches_of(Pictures(), replace(PLAIN, augment_shift=4), processes, 6)


@pytest.mark.parametrize(
    ("recipe", "field", "value", "line"),
    [
        (SoundRecipe(), "augment_flip", True, "augment_flip is True; it must be off, since it is for images only"),
        (SoundRecipe(), "augment_shift", 2, "augment_shift is 2; it must be off, since it is for images only"),
        (PLAIN, "augment_gain", 6.0, "augment_gain is 6.0; it must be off, since it is for audio only"),
        (PLAIN, "augment_shift", -1, "augment_shift is -1; it must be at least 0"),
    ],
)
def test_an_augmentation_for_another_modality_is_refused(recipe, field, value, line):
    with pytest.raises(ValueError, match=line):
        replace(recipe, **{field: value})
