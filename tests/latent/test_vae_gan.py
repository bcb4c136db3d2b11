"""The losses of VAE-GANs compared with torch's cross-entropy and divergences, and the claims of the lecture by optimization."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.experiments.latent.vae_gan import RECIPES, build
from practice_torch.latent import vae_gan as practice
from tests.adversarial.test_dcgan import RandomImages

GENERATOR = torch.Generator().manual_seed(23)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def called(logits, target):
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")


def test_the_losses_are_torchs_cross_entropies():
    """Real images have the label 1 and both kinds of fakes 0; decoder and encoder of codes want the label 1."""
    error, real, made, sampled = draw(9).abs(), *draw(3, 9)
    torch.testing.assert_close(
        practice.vae_gan_discriminator_loss(real, made, sampled), called(real, 1.0) + called(made, 0.0) + called(sampled, 0.0)
    )
    found = practice.vae_gan_decoder_loss(error, made, sampled, feature_weight=0.3)
    torch.testing.assert_close(found, 0.3 * error + called(made, 1.0) + called(sampled, 1.0))
    found = practice.adversarial_autoencoder_encoder_loss(error, made, adversarial_weight=0.3)
    torch.testing.assert_close(found, error + 0.3 * called(made, 1.0))


def test_the_error_of_features_is_a_gaussian_of_scipy():
    """-log N(f(x); f(x~), I), without the constant of 24 features."""
    features, made = draw(5, 4, 6), draw(5, 4, 6)
    wanted = [
        -scipy.stats.multivariate_normal(b.flatten().numpy()).logpdf(a.flatten().numpy()) - 12 * np.log(2 * np.pi)
        for a, b in zip(features, made, strict=True)
    ]
    np.testing.assert_allclose(practice.feature_reconstruction_error(features, made), wanted, rtol=1e-10)


def test_the_encoder_pays_the_divergence_of_torch():
    error, mean, log_var = draw(6).abs(), draw(6, 3), draw(6, 3)
    law = torch.distributions.Normal(mean, (log_var / 2).exp())
    rate = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(practice.vae_gan_encoder_loss(error, mean, log_var), error + rate)


def test_the_best_discriminator_sees_the_mixture_of_both_kinds_of_fakes():
    """Minimized by SciPy over the logits of three images: log p - log(q_r + q_s), and the least loss of the lecture."""
    p, reconstructed, sampled = draw(3, 3).softmax(1)

    def expected(logits):
        logits = torch.from_numpy(logits).requires_grad_()
        losses = [practice.vae_gan_discriminator_loss(*(k * logits for k in kind)) for kind in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
        # A logit of 0 costs log 2: two of the three terms are left out of each.
        total = sum((law * (loss - 2 * np.log(2))).sum() for law, loss in zip((p, reconstructed, sampled), losses, strict=True))
        total.backward()
        return total.item(), logits.grad.numpy()

    found = scipy.optimize.minimize(expected, np.zeros(3), jac=True, tol=1e-12)
    np.testing.assert_allclose(found.x, (p.log() - (reconstructed + sampled).log()).numpy(), atol=1e-5)
    mixture = (reconstructed + sampled) / 2
    middle = (p + 2 * mixture) / 3
    divergences = [float((law * (law / middle).log()).sum()) for law in (p, mixture)]
    np.testing.assert_allclose(found.fun, np.log(3) + 2 * np.log(1.5) - divergences[0] - 2 * divergences[1], rtol=1e-9)


def test_the_codes_descend_to_the_prior():
    """A table of codes against its best discriminator after every step, from ten times too few codes of the first kind."""
    prior = draw(3).softmax(0)
    logits = (prior.log() - torch.tensor([2.3, 0.0, 0.0])).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(800):
        codes = logits.softmax(0)
        best = (prior.log() - codes.log()).detach()
        optimizer.zero_grad()
        losses = practice.adversarial_autoencoder_encoder_loss(torch.zeros_like(best), best, adversarial_weight=1.0)
        (codes * losses).sum().backward()
        optimizer.step()
    torch.testing.assert_close(logits.softmax(0).detach(), prior, atol=1e-3, rtol=0)


def test_the_least_error_with_codes_of_the_prior_is_a_transport_cost():
    """Linear programs over all encoders of 3 data, with 4 codes of which 2 make the same image; in one dimension the least
    cost of transport pairs equal quantiles."""
    for _ in range(10):
        p, prior = draw(3).softmax(0), draw(4).softmax(0)
        x, made = draw(3).sort().values, draw(4).sort().values
        made[2] = made[1]
        errors = torch.stack([practice.feature_reconstruction_error(one.expand(4, 1), made[:, None]) for one in x])
        costs = (p[:, None] * errors).numpy()  # of the encoder's entries q(z|x)
        sums = [np.kron(np.eye(3), np.ones(4)), np.kron(p.numpy(), np.eye(4))]  # over z, and over the data
        found = scipy.optimize.linprog(costs.ravel(), A_eq=np.vstack(sums), b_eq=np.append(np.ones(3), prior.numpy()))
        levels = torch.cat([p.cumsum(0), prior.cumsum(0)]).sort().values.clamp(max=1)
        widths = torch.diff(levels, prepend=torch.zeros(1))
        middles = levels - widths / 2
        quantiles = (of[torch.searchsorted(law.cumsum(0), middles).clamp(max=len(of) - 1)] for of, law in ((x, p), (made, prior)))
        pairs = practice.feature_reconstruction_error(*(of[:, None] for of in quantiles))
        np.testing.assert_allclose(found.fun, float(widths @ pairs), rtol=1e-7, atol=1e-9)


# ---------------------------------------------------------------------------------------------------- the experiments


def experiment(recipe):
    torch.manual_seed(0)
    data = RandomImages((1, 8, 8))
    built = build(dataclasses.replace(RECIPES[recipe], hidden=8, fakes=40), data)
    built.generator = torch.Generator().manual_seed(0)
    return built, data


def moved(built, batch):
    """{phase: the networks that its loss has a gradient for}."""
    found = {}
    for phase in built.phases:
        built.zero_grad(set_to_none=True)
        built(batch, phase.name)[0].backward()
        parts = ("encoder", "decoder", "discriminator")
        found[phase.name] = {name for name in parts if any(p.grad is not None for p in getattr(built, name).parameters())}
    return found


def test_the_discriminators_send_nothing_to_what_they_judge():
    """Their losses have gradients for themselves alone; the others' losses pass through them."""
    everyone = {"encoder", "decoder", "discriminator"}
    built, data = experiment("digits")
    assert moved(built, data.batch()) == {"discriminator": {"discriminator"}, "autoencoder": everyone}
    built, data = experiment("digits_vae_gan")
    assert moved(built, data.batch()) == {"discriminator": {"discriminator"}, "decoder": everyone, "encoder": everyone}


def test_the_encoder_of_a_vae_gan_does_not_learn_from_the_logits():
    """A last layer that calls everything real or everything fake changes its loss as little as the error of the features."""
    built, data = experiment("digits_vae_gan")
    losses = []
    for sign in (1, -1):
        built.discriminator[-1].weight.data.fill_(sign)
        built.generator.manual_seed(0)
        losses.append(built(data.batch(), "encoder")[0].item())
    assert losses[0] == losses[1]


@torch.no_grad()
def test_codes_of_the_prior_have_no_distance_from_it():
    """The quantiles of N(0, 1) are half a rank away from it; shifted codes are found, in the second coordinate, too."""
    built, data = experiment("digits")
    ranks = (torch.arange(len(data), dtype=torch.float64) + 0.5) / len(data)
    quantiles = torch.special.ndtri(ranks).float()
    built.encoder.forward = lambda x: torch.stack([quantiles, quantiles.flip(0)], 1)
    assert built.evaluate(data)["distance_from_prior"] == pytest.approx(0.5 / len(data), rel=1e-3)
    built.encoder.forward = lambda x: torch.stack([quantiles, quantiles + 1], 1)
    assert built.evaluate(data)["distance_from_prior"] > 0.3
