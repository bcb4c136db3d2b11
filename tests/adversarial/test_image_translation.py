"""Losses and normalization compared with torch's, receptive fields with convolutions, and minimizers with medians."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch.nn import functional

from practice_torch.adversarial import image_translation as practice
from practice_torch.adversarial.loss_variants import least_squares_discriminator_loss, least_squares_generator_loss
from practice_torch.data.errors import DataError
from practice_torch.experiments.adversarial.image_translation import PairedRecipe, UnpairedRecipe, build
from practice_torch.networks.translation import PatchDiscriminator

GENERATOR = torch.Generator().manual_seed(8)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_the_errors_and_the_normalization_are_torchs():
    x, y = draw(6, 3, 5, 4), draw(6, 3, 5, 4)
    wanted = functional.l1_loss(x, y, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(practice.mean_absolute_error(x, y), wanted)
    torch.testing.assert_close(practice.instance_normalize(x, epsilon=0.2), functional.instance_norm(x, eps=0.2))
    layer = torch.nn.InstanceNorm2d(3).double()
    torch.testing.assert_close(practice.instance_normalize(x), layer(x))


def test_the_losses_of_patches_are_least_squares_and_cross_entropy():
    r, f, x, y = draw(6, 1, 5, 4), draw(6, 1, 5, 4), draw(6, 3, 5, 4), draw(6, 3, 5, 4)
    wanted = least_squares_discriminator_loss(r.flatten(), f.flatten()).view(6, 20).mean(1)
    torch.testing.assert_close(practice.patch_discriminator_loss(r, f), wanted)
    # the generator's has no half
    wanted = 2 * least_squares_generator_loss(f.flatten()).view(6, 20).mean(1)
    torch.testing.assert_close(practice.cycle_generator_loss(f, x, x, y, y), wanted)
    wanted = functional.binary_cross_entropy_with_logits(f, torch.ones_like(f), reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(practice.pix2pix_generator_loss(f, x, y, absolute_weight=0.0), wanted)


@pytest.mark.parametrize(
    ("kernels", "strides"),
    [((4, 4, 4, 4, 4), (2, 2, 2, 1, 1)), ((3, 3, 3), (2, 2, 1)), ((5, 1, 2), (3, 2, 1)), ((7, 3, 3, 3), (1, 2, 2, 1))],
)
def test_the_field_reaches_as_far_as_the_gradient_of_a_score(kernels, strides):
    """Convolutions with positive kernels: pixels that a score depends on have a positive slope. The third stack has gaps."""
    wanted = practice.patch_receptive_field(kernels=kernels, strides=strides)
    image = torch.ones((1, 1, 2 * wanted, 2 * wanted), dtype=torch.float64, requires_grad=True)
    x = image
    for kernel, stride in zip(kernels, strides, strict=True):
        x = functional.conv2d(x, torch.ones((1, 1, kernel, kernel), dtype=torch.float64), stride=stride)
    (slope,) = torch.autograd.grad(x[0, 0, x.shape[2] // 2, -1], image)
    seen = [torch.nonzero(slope.sum(axis).flatten()) for axis in (2, 3)]
    assert [int(at.max() - at.min()) + 1 for at in seen] == [wanted, wanted]


def test_the_least_absolute_error_is_a_linear_program():
    """min w.u with u >= |y - g|: its g is a weighted median, and its cost the code's mean error; the mean costs more."""
    y, weights = draw(7), torch.softmax(draw(7), 0)
    ones, eye = np.ones((7, 1)), np.eye(7)
    rows = np.block([[-ones, -eye], [ones, -eye]])
    found = linprog(np.append(0.0, weights), A_ub=rows, b_ub=np.append(-y, y), bounds=[(None, None)] + 7 * [(0, None)])

    def mean_error(guess):
        guesses = torch.full((7, 1, 1, 1), float(guess), dtype=torch.float64)
        return float(weights @ practice.mean_absolute_error(guesses, y.view(7, 1, 1, 1)))

    below = float(weights[y < found.x[0] - 1e-9].sum())
    assert below <= 0.5 <= below + float(weights[(y - found.x[0]).abs() <= 1e-9].sum())
    assert mean_error(found.x[0]) == pytest.approx(found.fun)
    assert mean_error(weights @ y) > found.fun + 1e-3


def test_examples_of_a_batch_interact_in_batch_normalization_only():
    x = draw(4, 2, 3, 5)
    changed = torch.cat([x[:1], 3 * x[1:] + 1])
    assert torch.equal(practice.instance_normalize(x)[0], practice.instance_normalize(changed)[0])
    batch = [functional.batch_norm(images, None, None, training=True)[0] for images in (x, changed)]
    assert (batch[0] - batch[1]).abs().max() > 0.1


# ---------------------------------------------------------------------------------------------------- the experiments


@pytest.mark.parametrize(("strides", "field"), [((1,), 7), ((2, 1), 16), ((2, 2, 2, 1), 70)])
def test_a_score_of_the_discriminator_depends_on_its_patch(strides, field):
    """Far from the borders, on all of it and on nothing else."""
    discriminator = PatchDiscriminator(channels=1, width=2, strides=strides).double()
    for layer in discriminator.layers:
        if isinstance(layer, torch.nn.InstanceNorm2d):  # by which a score would depend on the whole image
            layer.forward = lambda x: x
    image = draw(1, 1, 2 * field, 3 * field).requires_grad_()
    scores = discriminator(image)
    (slope,) = torch.autograd.grad(scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2], image)
    assert practice.patch_receptive_field(kernels=discriminator.kernels, strides=discriminator.strides) == field
    assert [len(torch.nonzero(slope.sum(axis).flatten())) for axis in (3, 2)] == [field, field]


def described(*shape):
    return SimpleNamespace(description={"name": "mine", "shape": list(shape), "classes": None})


@pytest.mark.parametrize("kind", [PairedRecipe, UnpairedRecipe])
def test_sizes_that_no_network_takes_are_refused(kind):
    halved = {"depth": 3} if kind is PairedRecipe else {"halvings": 3}
    with pytest.raises(DataError, match="mine has images of 12 x 16 pixels; what is translated must have sides that 8 divides"):
        build(kind(domains="inverted", **halved), described(1, 12, 16))
    with pytest.raises(DataError, match="each of two halves"):
        build(kind(domains="left_to_right", **halved), described(1, 16, 24))
    with pytest.raises(DataError, match=r"too small for a discriminator with strides \(2, 2, 2, 1\)"):
        build(kind(domains="inverted", strides=(2, 2, 2, 1), **halved), described(1, 16, 16))
    build(kind(domains="left_to_right", **halved), described(3, 16, 32))


def test_augmentations_that_mix_the_halves_are_refused():
    with pytest.raises(ValueError, match="augment_flip"):
        PairedRecipe(domains="left_to_right", augment_flip=True)
    with pytest.raises(ValueError, match="augment_shift"):
        UnpairedRecipe(domains="right_to_left", augment_shift=2)
    PairedRecipe(domains="coarse", augment_flip=True)


def test_of_one_made_image_no_two_sets_can_be_made():
    with pytest.raises(ValueError, match="batch_size"):
        UnpairedRecipe(domains="blurred", batch_size=1)
    UnpairedRecipe(domains="left_to_right", batch_size=1)
