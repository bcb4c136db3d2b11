"""Inversion by optimization compared with SciPy and NumPy, and the behavior of its experiment."""

import numpy as np
import pytest
import scipy.optimize
import torch

from practice_torch.adversarial import gan_inversion as practice
from practice_torch.data import images
from practice_torch.experiments.adversarial import gan_inversion as experiment_of
from practice_torch.experiments.adversarial.gan_inversion import InversionRecipe, build

GENERATOR = torch.Generator().manual_seed(12)
WEIGHT = torch.randn((5, 3), generator=GENERATOR, dtype=torch.float64)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def curved(z):
    """Three coordinates to five pixels."""
    return torch.tanh(z @ WEIGHT.mT) + 0.3 * z @ WEIGHT.mT


def test_gauss_newton_steps_end_where_scipys_least_squares_do():
    x = curved(draw(4, 3)) + 0.05 * draw(4, 5)
    z = torch.zeros(4, 3, dtype=torch.float64)
    for _ in range(30):
        jacobian = torch.func.vmap(torch.func.jacrev(curved))(z)
        z = practice.gauss_newton_step(z, x - curved(z), jacobian, damping=0.01)
    for image, code in zip(x, z, strict=True):
        found = scipy.optimize.least_squares(
            lambda c, image=image: (curved(torch.tensor(c)) - image).numpy(), np.zeros(3), method="lm", xtol=1e-14, ftol=1e-14
        )
        np.testing.assert_allclose(code, found.x, rtol=1e-6, atol=1e-7)


def test_one_step_with_hardly_any_damping_is_numpys_least_squares():
    residual = draw(2, 5)
    found = practice.gauss_newton_step(torch.zeros(2, 3, dtype=torch.float64), residual, WEIGHT.expand(2, 5, 3), damping=1e-14)
    np.testing.assert_allclose(found, np.linalg.lstsq(WEIGHT.numpy(), residual.numpy().T, rcond=None)[0].T, rtol=1e-9)


def test_descent_of_one_image_does_not_depend_on_the_others():
    x, start, mask = draw(4, 5), draw(4, 3), torch.ones(4, 5, dtype=torch.bool)
    settings = dict(generator_fn=curved, learning_rate=0.02, num_steps=30, prior_weight=0.1)
    together = practice.invert_by_gradient_descent(x, start, mask, **settings)
    for k in range(4):
        alone = practice.invert_by_gradient_descent(x[k : k + 1], start[k : k + 1], mask[k : k + 1], **settings)
        torch.testing.assert_close(together[k : k + 1], alone, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_descent_works_where_gradients_are_off(mode):
    x, start, mask = draw(2, 5), draw(2, 3), torch.ones(2, 5, dtype=torch.bool)
    wanted = practice.invert_by_gradient_descent(x, start, mask, curved, learning_rate=0.02, num_steps=3)
    with mode():
        found = practice.invert_by_gradient_descent(x, start, mask, curved, learning_rate=0.02, num_steps=3)
    torch.testing.assert_close(found, wanted)


def test_a_hole_is_filled_with_the_conditional_mean_of_a_gaussian():
    """Of pixels W z with noise 0.5, two of five seen, against the formula for Gaussians."""
    covariance = WEIGHT @ WEIGHT.mT + 0.25 * torch.eye(5, dtype=torch.float64)
    seen, x = torch.tensor([True, False, True, False, False]), draw(3, 5)
    wanted = x[:, seen] @ torch.linalg.solve(covariance[seen][:, seen], covariance[seen][:, ~seen])
    rate = 0.5 / float(torch.linalg.matrix_norm(WEIGHT, 2) ** 2 + 0.25)
    code = practice.invert_by_gradient_descent(
        x,
        torch.zeros(3, 3, dtype=torch.float64),
        seen.expand(3, 5),
        lambda z: z @ WEIGHT.mT,
        learning_rate=rate,
        num_steps=300,
        prior_weight=0.25,
    )
    torch.testing.assert_close((code @ WEIGHT.mT)[:, ~seen], wanted, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    torch.manual_seed(0)
    recipe = InversionRecipe(**{"latent": 4, "width": 4, "hidden": 16, "inverted": 8, "descent_steps": 40} | fields)
    _, data = images.load("digits", held_out=0.1)
    model = build(recipe, data)
    model.generator = torch.Generator().manual_seed(0)
    return model, data


def test_each_phase_moves_its_own_network():
    model, data = experiment()
    players = {"discriminator": "discriminator", "generator": "generator_network", "encoder": "encoder"}
    assert {phase.name: phase.moves for phase in model.phases} == {name: (moved,) for name, moved in players.items()}
    model(data.batch(torch.arange(8)), "encoder")[0].backward()
    assert all(p.grad is not None for p in model.encoder.parameters())
    assert all(p.grad is None for p in model.discriminator.parameters())


@torch.no_grad()
def test_descent_improves_a_guess():
    """Of an untrained generator's images, by an untrained guess. (0 is a place without a slope: all its rectifiers are at 0.)"""
    model, _ = experiment(prior_weight=0.0, descent_rate=0.5)
    for parameter in model.generator_network.parameters():
        parameter.mul_(4.0)  # the initial weights are so small that all images are nearly one
    model.eval()
    made = model._made(model._codes(6))
    near = {name: experiment_of._psnr(made, model._made(invert(made))) for name, invert in model._ways().items()}
    assert near["both"] > near["regression"] + 10


def test_psnr_is_that_of_a_range_of_two():
    assert experiment_of._psnr(torch.zeros(2, 5), torch.full((2, 5), 0.2)) == pytest.approx(20.0)
