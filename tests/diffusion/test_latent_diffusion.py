"""torch's distributions, SciPy's search tree and diffusers against the functions of latent diffusion; and its experiment."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from practice_torch.diffusion import latent_diffusion as practice
from practice_torch.engine.stages import enter
from practice_torch.experiments.diffusion.latent_diffusion import LatentDiffusionRecipe
from tests.support import tiny
from tests.support.engine.compiled import steps_compiled


def drawn(*shape, seed=36):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_rate_and_the_draw_are_those_of_a_normal_law():
    moments, noise = drawn(3, 4, 5, 2), drawn(3, 2, 5, 2, seed=1)
    mean, log_var = moments.chunk(2, dim=1)
    law = torch.distributions.Normal(mean, (log_var / 2).exp())
    wanted = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(practice.latent_kl(moments), wanted)
    torch.testing.assert_close(law.cdf(practice.sample_latent(moments, noise)), torch.special.ndtr(noise))


def test_the_law_is_that_of_diffusers():
    vae = pytest.importorskip("diffusers.models.autoencoders.vae")
    moments = 20 * drawn(3, 4, 5, 2)  # beyond both clamps
    law = vae.DiagonalGaussianDistribution(moments)
    torch.testing.assert_close(practice.latent_kl(moments), law.kl())
    torch.testing.assert_close(practice.sample_latent(moments, torch.ones_like(law.mean)), law.mean + law.std)


def test_codes_are_those_of_a_search_tree():
    latent, codebook = drawn(4, 3, 6, 5), drawn(40, 3, seed=2)
    quantized, indices = practice.quantize_latent(latent, codebook)
    wanted = cKDTree(codebook).query(latent.movedim(1, -1))[1]
    np.testing.assert_array_equal(indices, wanted)
    torch.testing.assert_close(quantized, codebook[indices].movedim(-1, 1), rtol=0, atol=0)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    recipe = LatentDiffusionRecipe(
        **{
            "steps": 4,
            "hidden": 6,
            "base_channels": 4,
            "blocks": 1,
            "num_steps": 10,
            "judged_steps": 3,
            "judged_samples": 20,
            "codes": 4,
            **fields,
        }
    )
    return tiny.built("diffusion/latent_diffusion", recipe)


def gradients(model, loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), materialize_grads=True, allow_unused=True)


@pytest.mark.parametrize("first_stage", ["kl", "vq"])
def test_first_the_autoencoder_learns_then_it_is_frozen_and_the_diffusion_learns(first_stage):
    model, batch = experiment(first_stage=first_stage)
    moved = []
    for step in range(4):
        for phase in enter(model, model.recipe.stages(), step):
            loss, _ = model(batch, phase.name)
            moved += [phase.name, any(part.any() for part in gradients(model, loss, getattr(model, phase.moves[0])))]
        with torch.no_grad():
            model.first_stage["encoder"][0].bias += 0.1
    assert moved == ["first_stage", True] * 2 + ["diffusion", True] * 2
    drift = model.first_stage["encoder"][0].bias - model.frozen["encoder"][0].bias
    torch.testing.assert_close(drift, torch.full_like(drift, 0.2))  # copied after two of the four steps


def test_what_the_second_stage_sees_has_deviation_one():
    model, batch = experiment(kl_weight=0.0)
    with torch.no_grad():
        model.first_stage["encoder"][-1].bias[2:] = -30.0  # no noise in the latents: every batch has the same
        for step in range(3):
            for phase in enter(model, model.recipe.stages(), step):
                model(batch, phase.name)
        seen = model.scale * model._encoded(batch["image"])
    assert model.scale != 1
    assert seen.std(correction=0) == pytest.approx(1.0, abs=1e-3)


def test_samples_are_decoded_in_the_scale_of_the_encoder(monkeypatch):
    """An untrained network predicts no noise: in one step the latent is the start, divided by the root of its level."""
    model, _ = experiment(num_steps=2, judged_steps=1, prediction="noise")
    model.scale.fill_(0.25)
    seen = []
    monkeypatch.setattr(model, "_decoded", lambda latent: seen.append(latent) or latent)
    model.eval()._drawn(torch.zeros(3, dtype=torch.int64))
    model.generator.manual_seed(0)
    start = torch.randn(3, *model.latent, generator=model.generator)
    torch.testing.assert_close(seen[0], start / model.alpha_bar[-1].sqrt() / 0.25)


def test_both_stages_are_compiled_and_the_frozen_encoder():
    found = steps_compiled("diffusion/latent_diffusion", "digits")
    found.require_as_said()
    assert found.compilation.compiled == ("first_stage.encoder", "first_stage.decoder", "frozen.encoder", "network")
