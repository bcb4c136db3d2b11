"""Preconditioning of a denoiser: inputs and targets of its network have unit variance at every noise level."""

import torch

from practice_torch.arguments import require, require_positive, require_rank, require_same_shape, require_values
from practice_torch.mathematics.levels import as_rows, per_example


def preconditioning(sigma, *, sigma_data=0.5):
    r"""c_skip = d^2/(s^2 + d^2), c_out = s d/sqrt(s^2 + d^2), c_in = 1/sqrt(s^2 + d^2), c_noise = log(s)/4; s = sigma.

    Raises ValueError if sigma does not have one axis or is not positive, or sigma_data is not positive.
    Source: Karras et al. 2022, table 1.
    [B] -> [B], [B], [B], [B]
    """
    _require_levels(sigma, sigma_data)
    length = torch.hypot(sigma, torch.full_like(sigma, sigma_data))
    of_data = sigma_data / length
    return of_data.square(), sigma * of_data, length.reciprocal(), sigma.log() / 4


def denoise(x, sigma, network_fn, *, sigma_data=0.5):
    r"""D(x; sigma) = c_skip x + c_out F(c_in x, c_noise), an estimate of the data; F is network_fn(x, level: [B]).

    Raises ValueError if sigma does not have one positive entry for each example, sigma_data is not positive, or network_fn
    returns another shape than that of x.
    Source: Karras et al. 2022, eq. 7.
    [B, ...], [B] -> [B, ...]
    """
    _require_one_each(x, sigma)
    c_skip, c_out, c_in, c_noise = preconditioning(sigma, sigma_data=sigma_data)
    answer = _answer(network_fn, per_example(c_in, x) * x, c_noise)
    return torch.addcmul(per_example(c_skip, x) * x, per_example(c_out, x), answer)


def loss_weight(sigma, *, sigma_data=0.5):
    r"""(s^2 + d^2)/(s d)^2 = 1/c_out^2, the weight of the squared error of the data; s sigma, d sigma_data.

    Raises ValueError if sigma does not have one axis or is not positive, or sigma_data is not positive.
    Source: Karras et al. 2022, table 1.
    [B] -> [B]
    """
    _require_levels(sigma, sigma_data)
    return sigma.square().reciprocal() + sigma_data**-2


def edm_loss(x0, noise, sigma, network_fn, *, sigma_data=0.5):
    r"""loss_weight(sigma) ||D(x_0 + sigma noise; sigma) - x_0||^2, summed over all axes but the first.

    It is ||F - t||^2 with the target t = (sigma x_0/sigma_data - sigma_data noise)/sqrt(sigma^2 + sigma_data^2), and computed so.

    Raises ValueError if the shapes differ, sigma does not have one positive entry for each example, sigma_data is not positive,
    or network_fn returns another shape than that of x0.
    Source: Karras et al. 2022, eq. 2 and 8.
    [B, ...], [B, ...], [B] -> [B]
    """
    require_same_shape(x0=x0, noise=noise)
    _require_one_each(x0, sigma)
    _, _, c_in, c_noise = preconditioning(sigma, sigma_data=sigma_data)
    share = per_example(sigma * c_in, x0)  # of the noise in what the network sees
    answer = _answer(network_fn, torch.addcmul(per_example(c_in, x0) * x0, share, noise), c_noise)
    # the target itself: a difference of D and x_0 would cancel where sigma is small
    target = share * x0 / sigma_data - per_example(sigma_data * c_in, x0) * noise
    return as_rows(answer - target).square().sum(1)


def noise_levels(normals, *, mean=-1.2, std=1.2):
    r"""sigma = exp(mean + std normals): the log-normal noise levels of training.

    Raises ValueError if std is not positive.  Source: Karras et al. 2022, table 1.
    [...] -> [...]
    """
    require_positive(std=std)
    return (mean + std * normals).exp()


def _answer(network_fn, scaled, c_noise):
    answer = network_fn(scaled, c_noise)
    found, wanted = list(answer.shape), list(scaled.shape)
    require(found == wanted, f"network_fn returned shape {found}; it must return that of its input, {wanted}")
    return answer


def _require_one_each(x, sigma):
    require_rank(1, sigma=sigma)
    require(x.shape[:1] == sigma.shape, f"sigma has {len(sigma)} entries; it must have one for each example of {list(x.shape)}")


def _require_levels(sigma, sigma_data):
    require_rank(1, sigma=sigma)
    require_positive(sigma_data=sigma_data)
    require_values("sigma", sigma, lambda sigma: sigma > 0, "positive: without noise there is nothing to remove")
