"""Preconditioning (lectures 27 to 29): scalings with which a denoiser's network sees and produces numbers of size one.

Here the data are not shrunk: x = y + sigma noise, from sigma near 0 to far above the data's own size, sigma_data.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_one_each, require_positive, require_rank, require_same_shape, require_values
from theory_jax.mathematics.levels import per_example, sum_each


def preconditioning(sigma, *, sigma_data=0.5):
    r"""c_skip = d^2/(s^2 + d^2), c_out = s d/sqrt(s^2 + d^2), c_in = 1/sqrt(s^2 + d^2), c_noise = log(s)/4; s = sigma.

    Raises ValueError if sigma does not have one axis or is not positive, or sigma_data is not positive.
    Source: Karras et al. 2022, table 1.
    [B] -> [B], [B], [B], [B]
    """
    _require_levels(sigma, sigma_data)
    c_in = 1 / jnp.sqrt(sigma**2 + sigma_data**2)
    return (sigma_data * c_in) ** 2, sigma * (sigma_data * c_in), c_in, jnp.log(sigma) / 4


def denoise(x, sigma, network_fn, *, sigma_data=0.5):
    r"""D(x; sigma) = c_skip x + c_out F(c_in x, c_noise), an estimate of the data; F is network_fn(x, level: [B]).

    Raises ValueError if sigma does not have one positive entry for each example, sigma_data is not positive, or network_fn
    returns another shape than that of x.
    Source: Karras et al. 2022, eq. 7.
    [B, ...], [B] -> [B, ...]
    """
    require_one_each(x, sigma=sigma)
    c_skip, c_out, c_in, c_noise = preconditioning(sigma, sigma_data=sigma_data)
    answer = _answer(network_fn, per_example(c_in, x) * x, c_noise)
    return per_example(c_skip, x) * x + per_example(c_out, x) * answer


def loss_weight(sigma, *, sigma_data=0.5):
    r"""(s^2 + d^2)/(s d)^2 = 1/c_out^2, the weight of the squared error of the data; s sigma, d sigma_data.

    Raises ValueError if sigma does not have one axis or is not positive, or sigma_data is not positive.
    Source: Karras et al. 2022, table 1.
    [B] -> [B]
    """
    _require_levels(sigma, sigma_data)
    return 1 / sigma**2 + 1 / sigma_data**2


def edm_loss(x0, noise, sigma, network_fn, *, sigma_data=0.5):
    r"""loss_weight(sigma) ||D(x_0 + sigma noise; sigma) - x_0||^2, summed over all axes but the first.

    It is ||F - t||^2 with the target t = (sigma x_0/sigma_data - sigma_data noise)/sqrt(sigma^2 + sigma_data^2), and computed so.

    Raises ValueError if the shapes differ, sigma does not have one positive entry for each example, sigma_data is not positive,
    or network_fn returns another shape than that of x0.
    Source: Karras et al. 2022, eq. 2 and 8.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, sigma=sigma)
    _, _, c_in, c_noise = preconditioning(sigma, sigma_data=sigma_data)
    level, c_in = per_example(sigma, x0), per_example(c_in, x0)
    answer = _answer(network_fn, c_in * (x0 + level * noise), c_noise)
    # no x_0 is subtracted from a denoised one, which it nearly equals where sigma is small
    return sum_each((answer - c_in * (level / sigma_data * x0 - sigma_data * noise)) ** 2)


def noise_levels(normals, *, mean=-1.2, std=1.2):
    r"""sigma = exp(mean + std normals): the log-normal noise levels of training.

    Raises ValueError if std is not positive.  Source: Karras et al. 2022, table 1.
    [...] -> [...]
    """
    require_positive(std=std)
    return jnp.exp(mean + std * normals)


def _answer(network_fn, scaled, c_noise):
    answer = network_fn(scaled, c_noise)
    found, wanted = list(jnp.shape(answer)), list(jnp.shape(scaled))
    require(found == wanted, f"network_fn returned shape {found}; it must return that of its input, {wanted}")
    return answer


def _require_levels(sigma, sigma_data):
    require_rank(1, sigma=sigma)
    require_positive(sigma_data=sigma_data)
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: without noise there is nothing to remove")
