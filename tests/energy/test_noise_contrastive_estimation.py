"""Noise-contrastive estimation against torch's losses of classifiers, SciPy, and the discriminator of a GAN."""

import numpy as np
import scipy.optimize
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.adversarial.gan import exact_value
from practice_torch.energy import noise_contrastive_estimation as practice


def test_the_losses_are_those_of_a_classifier_in_torch():
    """binary_cross_entropy_with_logits of data and noise, summed; cross_entropy with the partner's column as the class."""
    odds = 3 * torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64).expand_as(odds)
    wanted = functional.binary_cross_entropy_with_logits(odds, labels, reduction="none").sum(1)
    torch.testing.assert_close(practice.loss(odds[:, 0], odds[:, 1:]), wanted, rtol=1e-13, atol=0)
    partners = functional.cross_entropy(odds, torch.zeros(6, dtype=torch.int64), reduction="none")
    torch.testing.assert_close(practice.information_loss(odds), partners, rtol=1e-13, atol=0)


def test_one_draw_of_noise_is_the_discriminators_game():
    """adversarial/gan computes the value of the game on a finite space, with the opposite sign."""
    generator = torch.Generator().manual_seed(1)
    data, noise, model = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator).log_softmax(2)
    odds = practice.log_odds(model, noise)
    found = (data.exp() * practice.data_loss(odds) + noise.exp() * practice.noise_loss(odds)).sum(1)
    torch.testing.assert_close(found, -exact_value(data, noise, odds), rtol=1e-13, atol=0)


def test_a_gaussian_and_its_normalizer_are_recovered_by_scipy():
    """BFGS from afar on the loss of the whole law N(1, 1/4), by quadrature, with noise N(0, 4) and nu = 2.

    The model is e^(c - b (x - a)^2 / 2): a = 1, b = 4, and e^-c the normalizer that no one computed.
    """
    x = torch.linspace(-9.0, 9.0, 1801, dtype=torch.float64)
    data, noise = (torch.tensor(scipy.stats.norm.pdf(x.numpy(), *law)) for law in ((1, 0.5), (0, 2)))

    def value_and_slope(at):
        at = torch.tensor(at, requires_grad=True)
        odds = practice.log_odds(at[0] - at[2].exp() * (x - at[1]).square() / 2, noise.log(), noise_ratio=2.0)
        total = 0.01 * (data @ practice.data_loss(odds) + 2 * noise @ practice.noise_loss(odds))
        total.backward()
        return total.item(), at.grad.numpy()

    truth = np.array([-0.5 * np.log(2 * np.pi / 4), 1.0, np.log(4.0)])
    assert abs(value_and_slope(truth)[1]).max() < 1e-8
    fit = scipy.optimize.minimize(value_and_slope, np.array([2.0, -1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(fit.x, truth, atol=1e-5)
