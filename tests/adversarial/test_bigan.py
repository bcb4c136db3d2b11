"""The game on pairs compared with torch's cross-entropy and SciPy's entropies, and the behavior of its experiment."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.adversarial import bigan as practice
from practice_torch.data.errors import DataError
from practice_torch.experiments.adversarial.bigan import BiganRecipe, build
from tests.adversarial.test_dcgan import RandomImages

GENERATOR = torch.Generator().manual_seed(15)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def joint(*shape):
    return draw(*shape).flatten().log_softmax(0).view(shape)


def binary(logits, target):
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")


def test_the_losses_are_torchs_cross_entropies():
    encoder, generator = draw(2, 9)
    torch.testing.assert_close(
        practice.bigan_discriminator_loss(encoder, generator), binary(encoder, 1.0) + binary(generator, 0.0)
    )
    found = practice.bigan_generator_encoder_loss(encoder, generator)
    torch.testing.assert_close(found, binary(encoder, 0.0) + binary(generator, 1.0))


def test_the_entropy_is_that_of_scipy_for_each_latent():
    table = joint(5, 3)
    table[0, 1] = table[:, 2] = -torch.inf
    table -= table.flatten().logsumexp(0)
    probabilities = table.exp().numpy()
    of_latents = probabilities.sum(0)
    wanted = sum(of_latents[z] * scipy.stats.entropy(probabilities[:, z]) for z in (0, 1))
    np.testing.assert_allclose(practice.conditional_entropy(table), wanted, rtol=1e-12)


def test_the_game_descends_to_an_encoder_that_is_the_posterior():
    """Both are tables of logits, with the best discriminator after every step: the pairs meet, and Bayes' rule holds."""
    data, prior = joint(3), joint(2)
    logits = [(0.3 * draw(3, 2)).requires_grad_() for _ in range(2)]
    optimizer = torch.optim.Adam(logits, lr=0.05)
    for _ in range(1500):
        encoder, generator = logits[0].log_softmax(1), logits[1].log_softmax(0)
        first, second = data[:, None] + encoder, prior + generator
        best = (first - second).detach()
        optimizer.zero_grad()
        practice.joint_exact_value(first, second, best).backward()
        optimizer.step()
    np.testing.assert_allclose(first.exp().detach(), second.exp().detach(), atol=1e-3)
    posterior = (second - second.logsumexp(1, keepdim=True)).exp()
    np.testing.assert_allclose(encoder.exp().detach(), posterior.detach(), atol=5e-3)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    torch.manual_seed(0)
    data = RandomImages((1, 8, 8))
    game = build(BiganRecipe(**{"latent": 5, "hidden": 8, "fakes": 40} | fields), data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def test_each_phase_moves_its_own_player():
    """The discriminator's loss sends nothing to its opponents; theirs passes through it to both."""
    game, data = experiment()
    players = {"discriminator", "generator_network", "encoder"}
    reached = {"discriminator": {"discriminator"}, "opponents": players}
    for phase in game.phases:
        game.zero_grad(set_to_none=True)
        game(data.batch(), phase.name)[0].backward()
        moved = {name for name in players if any(p.grad is not None for p in getattr(game, name).parameters())}
        assert moved == reached[phase.name]


def test_the_discriminator_sees_pairs():
    """Its logit depends on the latent, and on the image."""
    game, data = experiment()
    x, z = game._inside(data.image), game._noise(30)
    logits = game._logits(x, z)
    assert (game._logits(x, z.flip(0)) - logits).abs().amax() > 1e-3
    assert (game._logits(x.flip(0), z) - logits).abs().amax() > 1e-3


def test_maps_that_undo_each_other_are_measured_as_inverses():
    """With as many latents as pixels and linear maps, set by hand; tanh is undone by the encoder."""
    game, data = experiment(latent=64)
    data.image = 0.05 + 0.9 * data.image
    game._made = lambda z: torch.tanh(z)
    game.encoder.forward = lambda x: torch.atanh(x.clamp(-1 + 1e-6, 1 - 1e-6))
    found = game.evaluate(data)
    assert found["unexplained"] < 1e-6 and found["latent_error"] < 1e-3
    game.encoder.forward = lambda x: 0 * x
    found = game.evaluate(data)
    assert found["unexplained"] == pytest.approx(1.0, abs=0.2) and found["latent_error"] == pytest.approx(1.0, abs=0.1)


def test_the_probe_reads_the_class_only_from_codes_that_hold_it():
    game, data = experiment(latent=3, fakes=30)
    game.encoder.forward = lambda x: 5 * torch.eye(3)[data.label]
    assert game.evaluate(data)["probe_accuracy"] == 1.0
    game.encoder.forward = lambda x: torch.ones(len(x), 3)
    assert game.evaluate(data)["probe_accuracy"] < 0.5


def test_data_without_labels_are_refused():
    with pytest.raises(DataError, match="random has no labels"):
        build(BiganRecipe(), RandomImages((1, 8, 8), classes=None))
