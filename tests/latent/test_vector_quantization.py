"""What SciPy and scikit-learn say of quantizers, and what training with one does."""

import numpy as np
import scipy.cluster.vq
import scipy.stats
import torch
from sklearn.cluster import KMeans

from practice_torch.latent import vector_quantization as practice

rng = np.random.default_rng(0)
Z, CODES = rng.normal(size=(200, 3)), rng.normal(size=(7, 3))


def test_the_nearest_code_is_that_of_scipy():
    """scipy.cluster.vq.vq: the index, and the distance of what quantize returns."""
    index, distance = scipy.cluster.vq.vq(Z, CODES)
    np.testing.assert_array_equal(practice.nearest_code(torch.tensor(Z), torch.tensor(CODES)), index)
    away = torch.tensor(Z) - practice.quantize(torch.tensor(Z), torch.tensor(CODES))
    np.testing.assert_allclose(away.norm(dim=1), distance, rtol=1e-12)


def test_codes_far_from_the_origin_keep_their_cells_in_float32():
    """Scores around zero would have no digit of the distances left."""
    z, codes = (torch.tensor(a) for a in (Z, CODES))
    wanted = practice.nearest_code(z, codes)
    far = practice.nearest_code((z * 0.01 + 1000).float(), (codes * 0.01 + 1000).float())
    assert (far == wanted).double().mean() > 0.98  # the inputs themselves are rounded


def test_steps_without_decay_are_lloyds():
    """sklearn.cluster.KMeans, ten steps from the same centers; the smoothing is made negligible."""
    z, codes = torch.tensor(Z), torch.tensor(CODES)
    for _ in range(10):
        index = practice.nearest_code(z, codes)
        _, _, codes = practice.ema_codebook_update(z, index, z.new_zeros(7), z.new_zeros(7, 3), decay=0.0, epsilon=1e-12)
    wanted = KMeans(7, init=CODES, n_init=1, max_iter=10, tol=0, algorithm="lloyd").fit(Z)
    np.testing.assert_allclose(codes, wanted.cluster_centers_, rtol=1e-9)


def test_perplexity_is_e_to_the_entropy_of_scipy():
    """scipy.stats.entropy of the counts."""
    index = torch.tensor(rng.integers(0, 9, size=50))
    wanted = np.exp(scipy.stats.entropy(np.bincount(index, minlength=12)))
    np.testing.assert_allclose(practice.codebook_perplexity(index, num_codes=12), wanted, rtol=1e-6)


def test_an_encoder_learns_through_the_quantizer():
    """A linear encoder on the line, whose decoder is the code itself: without the estimator it gets no gradient at all."""
    x, codes, scale = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [3.0]]), torch.tensor(0.6, requires_grad=True)
    quantized = practice.quantize(scale * x, codes)
    assert not (quantized - x).square().sum().requires_grad
    (practice.straight_through(scale * x, quantized) - x).square().sum().backward()
    # 0.6 x is 0.6, 1.2, 2.4: the codes are 1, 1 and 3, and the slope is 2 (0 * 1 - 1 * 2 - 1 * 4)
    torch.testing.assert_close(scale.grad, torch.tensor(-12.0))
