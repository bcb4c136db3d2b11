"""What torch and flax say of batch normalization, and how the convolutional game behaves."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch.nn import functional

from practice_torch.adversarial import dcgan as practice

GENERATOR = torch.Generator().manual_seed(8)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


X, SCALE, SHIFT, MEAN, VARIANCE = draw(5, 3, 4, 2), draw(3), draw(3), draw(3), draw(3).exp()


def close(ours, theirs, rtol=1e-12, atol=1e-13):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0])
def test_one_step_of_torchs_batch_norm_is_two_functions_of_ours(momentum):
    """Its output, and the running statistics that it updates in place."""
    mean, variance = MEAN.clone(), VARIANCE.clone()
    wanted = functional.batch_norm(X, mean, variance, SCALE, SHIFT, training=True, momentum=momentum, eps=1e-3)
    close(practice.batch_normalize(X, SCALE, SHIFT, epsilon=1e-3), wanted)
    ours = practice.update_running_statistics(X, MEAN, VARIANCE, momentum=momentum)
    close(ours[0], mean)
    close(ours[1], variance)


def test_inference_is_torchs():
    wanted = functional.batch_norm(X, MEAN, VARIANCE, SCALE, SHIFT, training=False, eps=1e-3)
    close(practice.batch_normalize_inference(X, MEAN, VARIANCE, SCALE, SHIFT, epsilon=1e-3), wanted)


def test_flax_agrees_once_its_conventions_are_converted():
    """Channels last; its momentum is what is kept; its running variance is biased."""
    layer = nnx.BatchNorm(3, momentum=0.7, epsilon=1e-3, dtype=jnp.float64, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    layer.scale[...], layer.bias[...] = jnp.array(SCALE), jnp.array(SHIFT)
    layer.mean, layer.var = nnx.BatchStat(jnp.array(MEAN)), nnx.BatchStat(jnp.array(VARIANCE))
    output = layer(jnp.array(X.permute(0, 2, 3, 1)), use_running_average=False)
    close(practice.batch_normalize(X, SCALE, SHIFT, epsilon=1e-3), jnp.transpose(output, (0, 3, 1, 2)), rtol=1e-10)
    mean, variance = practice.update_running_statistics(X, MEAN, VARIANCE, momentum=0.3)
    count = 5 * 4 * 2
    unbiased_part = (variance - 0.7 * VARIANCE) * (count - 1) / count
    close(mean, layer.mean[...])
    close(0.7 * VARIANCE + unbiased_part, layer.var[...])


def test_a_large_mean_costs_no_digits_but_its_own():
    """In float32 the mean of squares less the square of the mean would be off by ten times the variance, either way."""
    x = (1e-2 * draw(6, 3, 5, 4) + 100).float()
    wanted = functional.batch_norm(x.double(), None, None, training=True, eps=1e-8)
    ours = practice.batch_normalize(x, torch.ones(3), torch.zeros(3), epsilon=1e-8)
    # the mean itself is rounded to 100 float32 roundoffs, 6e-6, which is 6e-4 of a deviation
    torch.testing.assert_close(ours.double(), wanted, rtol=0, atol=2e-3)


def test_overlap_is_the_image_of_ones():
    for length, kernel, stride in ((6, 4, 2), (6, 5, 2), (4, 2, 3), (1, 3, 2)):
        ones = functional.conv_transpose1d(torch.ones(1, 1, length), torch.ones(1, 1, kernel), stride=stride).flatten()
        assert practice.kernel_overlap(length=length, kernel=kernel, stride=stride).tolist() == ones.tolist()
