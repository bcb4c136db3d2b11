"""Images of galaxies against SciPy's special functions, quadrature and filters, and NumPy's covariance."""

import numpy as np
import scipy.integrate
import scipy.ndimage
import scipy.special
import torch

from practice_torch.experiments.media import telescope
from practice_torch.flows import galaxy_images as practice

INDICES = torch.linspace(0.36, 10, 60, dtype=torch.float64)


def grid(side, step):
    """Pixel centers of a square about 0, with none at 0 itself: [S, S] each."""
    places = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * step
    return places.expand(side, side), places[:, None].expand(side, side)


def test_constants_are_medians_of_gamma_variables():
    """SciPy inverts the incomplete gamma function; and differences of its root are the gradient."""
    n = INDICES[1:-1].clone().requires_grad_()
    found, at = practice.sersic_constant(n), n.detach().numpy()
    np.testing.assert_allclose(found.detach(), scipy.special.gammaincinv(2 * at, 0.5), rtol=1e-13)
    above, below = (scipy.special.gammaincinv(2 * (at + h), 0.5) for h in (1e-4, -1e-4))
    np.testing.assert_allclose(torch.autograd.grad(found.sum(), n)[0], (above - below) / 2e-4, rtol=1e-6)
    error = (practice.sersic_constant_approximation(INDICES) - practice.sersic_constant(INDICES)).abs()
    assert error.max() < 3e-4 and error[INDICES >= 1].max() < 5e-5


def test_half_of_the_light_is_within_the_half_light_radius():
    """SciPy integrates the profile over rings, from 0 and to infinity, with no substitution."""
    for index in (0.5, 1.0, 2.5, 4.0):

        def ring(r, index=index):
            light = practice.sersic_profile(*(torch.tensor([v], dtype=torch.float64) for v in (r, 3.0, 2.0, index)))
            return 2 * np.pi * r * light.item()

        within = scipy.integrate.quad(ring, 0, 2, epsabs=1e-9, limit=100)[0]
        rest = scipy.integrate.quad(ring, 2, np.inf, epsabs=1e-9, limit=200)[0]
        assert abs(within + rest - 3) < 1e-6
        assert abs(within - 1.5) < 4e-4  # what the series costs


def test_an_elliptical_galaxy_has_the_moments_of_the_formula():
    """An exponential disk on a fine grid: flux, centroid, size, axis ratio and angle; then blurred."""
    x, y = grid(300, 0.2)
    galaxy = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in dict(center_x=0.7, center_y=-0.4, axis_ratio=0.45, angle=-1.1).items()
    }
    flux, size, index = (torch.tensor([value], dtype=torch.float64) for value in (5.0, 2.0, 1.0))
    images = practice.sersic_profile(practice.elliptical_radius(x, y, **galaxy), flux, size, index)
    moments = practice.image_moments(images, x, y)
    np.testing.assert_allclose(moments[0, :3] * torch.tensor([0.04, 1, 1]), [5.0, 0.7, -0.4], atol=1e-3)
    b = practice.sersic_constant_approximation(index).item()
    mean_square = 4 * b**-2 * scipy.special.gamma(4) / scipy.special.gamma(2)
    wanted = [np.sqrt(mean_square / 2 * (0.45 + 1 / 0.45)), 0.45, -1.1]
    np.testing.assert_allclose(practice.shape_from_moments(moments)[0], wanted, rtol=2e-3)
    blurred = practice.image_moments(practice.gaussian_point_spread(images, sigma=5.0), x, y)
    np.testing.assert_allclose(blurred - moments, [[0, 0, 0, 1, 1, 0]], atol=1e-3)  # 5 pixels of 0.2


def test_blur_and_moments_agree_with_scipy_and_numpy():
    images = torch.rand(2, 14, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    filtered = [scipy.ndimage.gaussian_filter(image, 1.1, mode="wrap", truncate=6) for image in images.numpy()]
    np.testing.assert_allclose(practice.gaussian_point_spread(images, sigma=1.1), filtered, rtol=1e-6)
    y, x = torch.from_numpy(np.indices((14, 16)) / 2)
    for image, found in zip(images, practice.image_moments(images, x, y), strict=True):
        weights = image.flatten().numpy()
        places = np.stack([x.flatten(), y.flatten()])
        covariance = np.cov(places, aweights=weights, ddof=0)
        wanted = [weights.sum(), *np.average(places, axis=1, weights=weights), *covariance[[0, 1, 0], [0, 1, 1]]]
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        small, large = np.linalg.eigvalsh(covariance)
        size, ratio, angle = practice.shape_from_moments(found[None])[0].tolist()
        np.testing.assert_allclose([size, ratio], [np.sqrt(small + large), np.sqrt(small / large)], rtol=1e-10)
        major = np.array([np.cos(angle), np.sin(angle)])
        np.testing.assert_allclose(covariance @ major, large * major, rtol=1e-9)


# ---------------------------------------------------------------------------------------------------- the simulated telescope


def test_simulated_galaxies_have_the_requested_properties(monkeypatch):
    """Without noise: all light of a compact galaxy, blurred moments, and the sense of the angle; with it, its variance."""
    monkeypatch.setattr(telescope, "NOISE", 0.0)
    ratio, angle = np.array([0.5, 0.5, 1.0]), np.array([0.4, -1.2, 0.0])
    ellipticity = (1 - ratio**2) / (1 + ratio**2)
    properties = torch.from_numpy(
        np.stack(
            [
                np.log([20.0, 50.0, 10.0]),
                np.log([2.0] * 3),
                [0.5] * 3,
                ellipticity * np.cos(2 * angle),
                ellipticity * np.sin(2 * angle),
            ],
            1,
        )
    )
    images = telescope.simulate(properties, 32, torch.Generator().manual_seed(0))
    x, y = grid(32, 1.0)
    moments = practice.image_moments(images[:, 0], x, y)
    np.testing.assert_allclose(moments[:, 0], [20, 50, 10], rtol=1e-3)
    assert moments[:, 1:3].abs().max() < telescope.OFF_CENTER and moments[0, 1] != moments[1, 1]
    half = 4 / (2 * practice.sersic_constant_approximation(torch.tensor([0.5], dtype=torch.float64)).item())
    # second moments of the galaxy and of the blur, and 1/12 for the width of a pixel, less its part within a third of one
    wider = telescope.BLUR**2 + (1 - 1 / telescope.FINER**2) / 12
    wanted = np.stack([half / ratio + wider, half * ratio + wider], 1)
    found = practice.shape_from_moments(moments).numpy()
    np.testing.assert_allclose(found[:, 0] ** 2, wanted.sum(1), rtol=2e-3)
    np.testing.assert_allclose(found[:, 1] ** 2, wanted[:, 1] / wanted[:, 0], rtol=2e-3)
    np.testing.assert_allclose(found[:2, 2], angle[:2], atol=2e-3)
    read = telescope.measured(images)
    np.testing.assert_allclose(telescope.measured(images.mT)[:, :4], read[:, :4] * torch.tensor([1, 1, 1, -1]), atol=1e-5)
    wide = telescope.measured(images[:, :, 6:-6])  # still about the middle
    assert torch.all(wide[:2, 3:].sign() == properties[:2, 3:].sign())
    assert torch.all(read[:2, 3:].sign() == properties[:2, 3:].sign()) and read[2, 3:].abs().max() < 0.02


def test_agreement_is_the_correlation_of_each_number():
    found, wanted = torch.randn(2, 30, 5, generator=torch.Generator().manual_seed(1))
    wanted = wanted + found
    each = [np.corrcoef(found[:, k], wanted[:, k])[0, 1] for k in range(5)]
    np.testing.assert_allclose(telescope.agreement(found, wanted), [*each[:3], (each[3] + each[4]) / 2], rtol=1e-6)
    assert torch.equal(telescope.agreement(found, torch.ones_like(wanted)), torch.zeros(4).double())
