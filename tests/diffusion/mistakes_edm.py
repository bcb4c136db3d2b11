"""Wrong forms of preconditioning that the rows must refuse, and other right forms that they must accept."""

from practice_torch.diffusion import edm as right
from tests.support.mistakes import Mistake


def _over(sigma, x):
    return sigma.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _factors(sigma, *, sigma_data=0.5, other_share=False, noise_alone=False, inside=False, squared=False, size=None):
    right.preconditioning(sigma, sigma_data=sigma_data)  # for its checks
    d = sigma_data if size is None else size
    total = sigma**2 + d**2
    skip = (sigma if other_share else d) ** 2 / total
    out = (sigma * d) ** 2 / total if squared else sigma * d / total.sqrt()
    return skip, out, 1 / (sigma if noise_alone else total.sqrt()), (4 * sigma).log() if inside else sigma.log() / 4


def _denoise(x, sigma, network_fn, *, sigma_data=0.5, scaled=True, skipped=True, scaled_level=True):
    right.denoise(x, sigma, network_fn, sigma_data=sigma_data)  # for its checks
    skip, out, into, level = right.preconditioning(sigma, sigma_data=sigma_data)
    answer = network_fn(_over(into, x) * x if scaled else x, level if scaled_level else sigma)
    return (_over(skip, x) * x if skipped else 0) + _over(out, x) * answer


def _loss(x0, noise, sigma, network_fn, *, sigma_data=0.5, weight=1.0, power=1, mean=False, half=False):
    right.edm_loss(x0, noise, sigma, network_fn, sigma_data=sigma_data)  # for its checks
    denoised = right.denoise(x0 + _over(sigma, x0) ** power * noise, sigma, network_fn, sigma_data=sigma_data)
    squares = (denoised - x0).reshape(len(x0), -1 if x0.numel() else 1).square()
    return right.loss_weight(sigma, sigma_data=sigma_data) ** weight * (squares.mean(1) if mean else squares.sum(1)) / (1 + half)


def _planted(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("preconditioning", "the other share", _planted(_factors, other_share=True)),
    Mistake("preconditioning", "c_in of the noise alone", _planted(_factors, noise_alone=True)),
    Mistake("preconditioning", "log(4 s)", _planted(_factors, inside=True)),
    Mistake("preconditioning", "c_out squared", _planted(_factors, squared=True)),
    Mistake("preconditioning", "data of size 1/2, whatever is given", _planted(_factors, size=0.5)),
    Mistake("preconditioning", "level 0 passes", lambda sigma, *, sigma_data=0.5: _factors(
        sigma.clamp(min=1e-12), sigma_data=sigma_data), only_checks=True),
    Mistake("denoise", "the input not scaled", _planted(_denoise, scaled=False)),
    Mistake("denoise", "no skip", _planted(_denoise, skipped=False)),
    Mistake("denoise", "the level itself as argument", _planted(_denoise, scaled_level=False)),
    Mistake("denoise", "the network's slope forgotten", lambda x, sigma, network_fn, *, sigma_data=0.5: right.denoise(
        x, sigma, lambda *given: network_fn(*given).detach(), sigma_data=sigma_data)),
    Mistake("loss_weight", "not squared", lambda sigma, *, sigma_data=0.5: (
        right.loss_weight(sigma, sigma_data=sigma_data) * sigma * sigma_data)),
    Mistake("loss_weight", "of the noise", lambda sigma, *, sigma_data=0.5: (
        right.loss_weight(sigma, sigma_data=sigma_data) * 0 + sigma**-2)),
    Mistake("loss_weight", "its inverse", lambda sigma, *, sigma_data=0.5: 1 / right.loss_weight(sigma, sigma_data=sigma_data)),
    Mistake("edm_loss", "unweighted", _planted(_loss, weight=0.0)),
    Mistake("edm_loss", "the weight twice", _planted(_loss, weight=2.0)),
    Mistake("edm_loss", "the noise multiplied twice", _planted(_loss, power=2)),
    Mistake("edm_loss", "the mean over entries", _planted(_loss, mean=True)),
    Mistake("edm_loss", "half of it", _planted(_loss, half=True)),
    Mistake("edm_loss", "digits lost at a small level", _loss),
    Mistake("noise_levels", "the deviation as a variance", lambda normals, *, mean=-1.2, std=1.2: right.noise_levels(
        normals, mean=mean, std=std**0.5)),
    Mistake("noise_levels", "the logarithm", lambda normals, *, mean=-1.2, std=1.2: right.noise_levels(
        normals, mean=mean, std=std).log()),
    Mistake("noise_levels", "levels of the defaults", lambda normals, *, mean=-1.2, std=1.2: right.noise_levels(normals)),
)  # fmt: skip


def _by_target(x0, noise, sigma, network_fn, *, sigma_data=0.5):
    """The target divided by the noise's share."""
    right.edm_loss(x0, noise, sigma, network_fn, sigma_data=sigma_data)  # for its checks
    root = _over((sigma**2 + sigma_data**2).sqrt(), x0)
    wide = _over(sigma, x0)
    level = sigma.log() / 4
    answer = network_fn((x0 + wide * noise) / root, level)
    difference = answer - (wide * x0 / sigma_data - sigma_data * noise) / root
    return difference.reshape(len(x0), difference[:1].numel() or 1).square().sum(1)


EQUIVALENT = (
    Mistake("preconditioning", "from the sum of squares", _factors),
    Mistake("denoise", "factor by factor", _denoise),
    Mistake(
        "loss_weight",
        "as printed",
        lambda sigma, *, sigma_data=0.5: (
            (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2 + 0 * right.loss_weight(sigma, sigma_data=sigma_data)
        ),
    ),
    Mistake("edm_loss", "by the target", _by_target),
)
