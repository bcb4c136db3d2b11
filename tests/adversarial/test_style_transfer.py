"""Style transfer's functions compared with NumPy, SciPy and torch's optimizer, and the behavior of its experiment."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import torch

from practice_torch.adversarial import style_transfer as practice
from practice_torch.data import images
from practice_torch.data.errors import DataError
from practice_torch.engine.experiment import phase_parameters
from practice_torch.engine.stages import Stage
from practice_torch.evaluation.frechet_distance import frechet_distance
from practice_torch.evaluation.kernel_distance import biased_discrepancy, polynomial_kernel
from practice_torch.experiments.adversarial.style_transfer import TransferRecipe, build

GENERATOR = torch.Generator().manual_seed(3)


def draw(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=GENERATOR, dtype=dtype)


def test_a_gram_matrix_is_numpys_product():
    maps = draw(2, 3, 4, 5)
    wanted = [np.tensordot(m, m, axes=((1, 2), (1, 2))) / 60 for m in maps.numpy()]
    np.testing.assert_allclose(practice.gram_matrix(maps), wanted, rtol=1e-13, atol=1e-15)


def test_a_gram_matrix_of_large_features_stays_in_the_range_of_half_precision():
    maps = torch.full((1, 2, 128, 128), 8.0, dtype=torch.float16)  # the sum over the positions alone is 2^20, beyond 65504
    torch.testing.assert_close(practice.gram_matrix(maps).float(), torch.full((1, 2, 2), 32.0))


def test_the_discrepancy_is_that_of_evaluations_kernels():
    """The polynomial kernel of degree 2 without a constant, times C^2."""
    x, y = draw(2, 6, 3), draw(2, 4, 3)
    settings = {"degree": 2, "coefficient": 0.0}
    for one, other, found in zip(x, y, practice.quadratic_kernel_discrepancy(x, y), strict=True):
        kernels = (polynomial_kernel(a, b, **settings) for a, b in ((one, one), (other, other), (one, other)))
        torch.testing.assert_close(found, 9 * biased_discrepancy(*kernels))


def test_total_variation_is_that_of_numpys_differences():
    x = draw(2, 3, 4, 5)
    wanted = [np.abs(np.diff(image, axis=1)).sum() + np.abs(np.diff(image, axis=2)).sum() for image in x.numpy()]
    np.testing.assert_allclose(practice.total_variation(x), wanted, rtol=1e-13)


def test_the_cheapest_map_costs_the_frechet_distance_of_the_second_moments():
    """scipy's roots give the map; it leaves no style loss, and its content loss is the distance of two centered Gaussians."""
    maps, style = draw(1, 3, 4, 5), draw(1, 3, 4, 5)
    gram, target = (practice.gram_matrix(m)[0] for m in (maps, style))
    root = scipy.linalg.sqrtm(gram.numpy())
    inverse = np.linalg.inv(root)
    carrying = torch.tensor(np.real(inverse @ scipy.linalg.sqrtm(root @ target.numpy() @ root) @ inverse))
    moved = torch.einsum("cd,bdhw->bchw", carrying, maps)
    assert float(practice.style_loss(moved, target[None])) < 1e-20
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(practice.content_loss(moved, maps)[0], frechet_distance(zero, gram, zero, target))


def test_descent_ends_at_the_style():
    """A step of descent on the features is a linear map, and descent reaches the style's Gram matrix."""
    maps, target = draw(2, 3, 4, 5), practice.gram_matrix(draw(2, 3, 4, 5))
    maps.requires_grad_()
    optimizer = torch.optim.LBFGS([maps], max_iter=200, tolerance_grad=1e-14, tolerance_change=1e-16)

    def closure():
        optimizer.zero_grad()
        loss = practice.style_loss(maps, target).sum()
        loss.backward()
        return loss

    first = float(optimizer.step(closure).detach())
    assert float(practice.style_loss(maps, target).detach().sum()) < 1e-8 * first


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    torch.manual_seed(0)
    recipe = TransferRecipe(**{"enlarge": 2, "channels": (4, 6), "transferred": 3, "steps": 4} | fields)
    _, data = images.load("digits", held_out=0.1)
    model = build(recipe, data)
    model.generator = torch.Generator().manual_seed(0)
    return model, data


def test_each_stage_moves_its_own_parameters():
    model, data = experiment(classifier_share=0.5)
    assert model.recipe.stages() == (Stage("classifier", 2, ("classifier",)), Stage("pixels", 2, ("pixels",)))
    moved = {phase.name: {name for name, _ in phase_parameters(model, phase)} for phase in model.phases}
    assert moved["pixels"] == {"pixels"} and moved["classifier"] == {name for name, _ in model.named_parameters()} - {"pixels"}
    batch = data.batch(torch.arange(8))
    model.start(batch)
    model(batch, "pixels")[0].backward()
    assert model.pixels.grad.abs().sum((1, 2, 3)).min() > 0


def test_the_first_images_are_the_contents_and_the_next_ones_their_styles():
    model, data = experiment(styles="images", enlarge=1)
    first = data.batch(torch.arange(4))  # of which the third style is the second image again
    model.start(first)
    torch.testing.assert_close(model.content, first["image"][:3])
    torch.testing.assert_close(model.style, first["image"][[3, 0, 1]])


def test_gratings_keep_their_values_along_their_direction():
    """Upright, along a diagonal, lying, along the other; a wavelength on they are the same again."""
    model, _ = experiment(transferred=4, wavelength=4.0)
    upright, diagonal, lying, other = model.style[:, 0]
    torch.testing.assert_close(upright[1:], upright[:-1])
    torch.testing.assert_close(lying[:, 1:], lying[:, :-1])
    torch.testing.assert_close(diagonal[1:, :-1], diagonal[:-1, 1:], rtol=0, atol=1e-5)
    torch.testing.assert_close(other[1:, 1:], other[:-1, :-1], rtol=0, atol=1e-5)
    torch.testing.assert_close(upright[:, 4:], upright[:, :-4], rtol=0, atol=1e-5)
    assert upright.std() > 0.3 and lying.std() > 0.3


def test_the_distance_of_a_content_and_of_its_style_is_1():
    model, data = experiment()
    model.start(data.batch(torch.arange(8)))
    for images_of, style, content in ((model.content, 1.0, 0.0), (model.style, 0.0, 1.0)):
        model.pixels.data.copy_(torch.logit(images_of, eps=1e-6))
        with torch.no_grad():
            found = model.evaluate(data)
        assert (found["style"], found["content"]) == pytest.approx((style, content), abs=1e-3)
        assert found["patches"] == pytest.approx(style, abs=1e-3)
        assert found["distance"] == pytest.approx(1.0, abs=1e-3)


def test_descent_on_pixels_leaves_less_of_both_losses():
    model, data = experiment(style_weight=1.0)
    model.start(data.batch(torch.arange(8)))
    optimizer = torch.optim.Adam([model.pixels], lr=0.1)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = model(None, "pixels")
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("fields", "changes", "complaint"),
    [
        ({"enlarge": 1, "channels": (4, 4, 4, 4)}, {}, "sides of 8 pixels; they must have 16"),
        ({}, {"classes": None}, "no labels"),
    ],
)
def test_data_that_do_not_fit_are_refused(fields, changes, complaint):
    _, data = images.load("digits", held_out=0.1)
    described = SimpleNamespace(description=data.description | changes)
    with pytest.raises(DataError, match=complaint):
        build(TransferRecipe(**fields), described)


def test_a_content_layer_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="content_layer"):
        TransferRecipe(channels=(4, 6), content_layer=3)
