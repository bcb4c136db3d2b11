"""The hierarchical VAE: the KL of every level and the loss it enters, and the Gaussians from which a ladder is built."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_positive, require_rank, require_same_shape, require_shape, require_values
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.mathematics.elementary import exp_above_tangent


def precision_weighted_product(mean_a, log_var_a, mean_b, log_var_b):
    r"""Mean and log-variance of the Gaussian that is proportional to N(z; mean_a, e^log_var_a) N(z; mean_b, e^log_var_b).

    Precisions add: 1/v = 1/v_a + 1/v_b, and the mean is v (mean_a / v_a + mean_b / v_b).

    Raises ValueError if the shapes differ.  Source: Sonderby et al. 2016, section 2.2.
    [B, L], [B, L], [B, L], [B, L] -> [B, L], [B, L]
    """
    require_rank(2, mean_a=mean_a)
    require_same_shape(mean_a=mean_a, log_var_a=log_var_a, mean_b=mean_b, log_var_b=log_var_b)
    log_precisions = -torch.stack([log_var_a, log_var_b])
    shares = torch.softmax(log_precisions, 0)
    return (shares * torch.stack([mean_a, mean_b])).sum(0), -torch.logsumexp(log_precisions, 0)


def residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var):
    r"""KL(N(m + delta_mean, v e^delta_log_var) || N(m, v)) with v = e^prior_log_var and any m, diagonal, in nats.

    1/2 sum_l [ delta_mean^2 / v + e^delta_log_var - 1 - delta_log_var ]

    Raises ValueError if the shapes differ.  Source: Vahdat & Kautz 2020, section 3.2.
    [B, L], [B, L], [B, L] -> [B]
    """
    require_rank(2, delta_mean=delta_mean)
    require_same_shape(delta_mean=delta_mean, delta_log_var=delta_log_var, prior_log_var=prior_log_var)
    return 0.5 * (delta_mean.square() * torch.exp(-prior_log_var) + exp_above_tangent(delta_log_var)).sum(1)


def hierarchical_kl(posterior_means, posterior_log_vars, prior_means, prior_log_vars):
    r"""KL(N(posterior_means[i], e^posterior_log_vars[i]) || N(prior_means[i], e^prior_log_vars[i])) of each level i, in nats.

    Column i is the divergence of level i, given the drawn latents of the level above it. Their sum is an unbiased estimate of
    the divergence of all levels if these latents are drawn from the posterior. Level i is [B, L_i].

    Raises ValueError if posterior_means is empty or has an array that is not [B, L_i], or posterior_log_vars, prior_means or
    prior_log_vars has another number of levels or other shapes.  Source: Sonderby et al. 2016, section 2.
    ([...]), ([...]), ([...]), ([...]) -> [B, M]
    """
    parts = {
        "posterior_means": posterior_means,
        "posterior_log_vars": posterior_log_vars,
        "prior_means": prior_means,
        "prior_log_vars": prior_log_vars,
    }
    count = len(posterior_means)
    require(count > 0, "posterior_means is empty; it must have an array for each level")
    for name, part in parts.items():
        require(len(part) == count, f"{name} has {len(part)} levels; it must have as many as posterior_means, {count}")
    columns = []
    for level in range(count):
        named = {f"{name}[{level}]": part[level] for name, part in parts.items()}
        require_rank(2, **named)
        require_shape((len(posterior_means[0]), posterior_means[level].shape[1]), **named)
        columns.append(gaussian_kl_divergence(*named.values()))
    return torch.stack(columns, 1)


def hierarchical_negative_elbo(negative_log_likelihood, kl_levels, level_weights):
    r"""negative_log_likelihood + sum_m level_weights_m kl_levels_m, in nats: the loss of a VAE with M levels of latents.

    With all weights 1 it is the negative evidence lower bound; weights that rise from 0 are a warm-up of each level.

    Raises ValueError if negative_log_likelihood is not [B], kl_levels not [B, M], level_weights not [M], or a weight is negative.
    Source: Sonderby et al. 2016, section 2.
    [B], [B, M], [M] -> [B]
    """
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_rank(2, kl_levels=kl_levels)
    num_levels = kl_levels.shape[1]
    require_shape((len(negative_log_likelihood), num_levels), kl_levels=kl_levels)
    require_shape((num_levels,), level_weights=level_weights)
    require_values("level_weights", level_weights, lambda w: w >= 0, "nonnegative")
    return torch.addmv(negative_log_likelihood, kl_levels, level_weights)


def soft_clip(x, *, limit=5.0):
    r"""limit tanh(x / limit): within (-limit, limit), and to first order x near 0.

    Raises ValueError if limit is not positive.  Source: Vahdat & Kautz 2020, the authors' code.
    [B, ...] -> [B, ...]
    """
    require_positive(limit=limit)
    return torch.tanh(x / limit) * limit


class LadderVariationalAutoencoder(nn.Module):
    """Perceptrons from pixels up to the last level, and from there down to the pixels; the levels' widths are latent_dims.

    On the way up each level receives a message, mean and log-variance. The last level's is its posterior; the posterior of a
    level below is the precision-weighted product of its message and its prior, which is computed of the drawn level above.
    """

    def __init__(self, *, num_pixels: int, hidden_dim: int, latent_dims: tuple[int, ...]):
        super().__init__()
        widths = (num_pixels, *(hidden_dim for _ in latent_dims))
        self.latent_dims = tuple(latent_dims)
        self.up = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.messages = nn.ModuleList(nn.Linear(hidden_dim, 2 * width) for width in latent_dims)
        self.down = nn.ModuleList(nn.Linear(width, hidden_dim) for width in latent_dims[1:])
        self.priors = nn.ModuleList(nn.Linear(hidden_dim, 2 * width) for width in latent_dims[:-1])
        self.decoder = nn.Linear(latent_dims[0], hidden_dim)
        self.logits = nn.Linear(hidden_dim, num_pixels)

    def encode(self, x):
        """Means and log-variances of the messages, from the first level to the last: [B, D] -> ([B, L_i]), ([B, L_i])."""
        gaussians = []
        for layer, message in zip(self.up, self.messages, strict=True):
            x = functional.silu(layer(x))
            gaussians.append(_gaussian(message(x)))
        return tuple(zip(*gaussians, strict=True))

    def prior(self, level, above):
        """Mean and log-variance of p(z_i | z_{i+1}) of a level i below the last: [B, L_{i+1}] -> [B, L_i], [B, L_i]."""
        return _gaussian(self.priors[level](functional.silu(self.down[level](above))))

    def decode(self, z):
        """Logits of the pixels of p(x | z_1): [B, L_1] -> [B, D]."""
        return self.logits(functional.silu(self.decoder(z)))

    def draw(self, noise):
        """z_1 of the model: each level is drawn from its prior, given the level above: [B, L_1 + ...] -> [B, L_1]."""
        *noises, z = noise.split(self.latent_dims, 1)
        for level in reversed(range(len(noises))):
            z = reparameterize(noises[level], *self.prior(level, z))
        return z

    def forward(self, x, noise):
        """Logits at drawn latents, and the rate of each level: [B, D], [B, L_1 + L_2 + ...] -> [B, D], [B, M]."""
        means, log_vars = self.encode(x)
        *noises, noise = noise.split(self.latent_dims, 1)
        posteriors, priors = [(means[-1], log_vars[-1])], [(torch.zeros_like(noise), torch.zeros_like(noise))]
        z = reparameterize(noise, *posteriors[0])
        for level in reversed(range(len(noises))):
            priors.insert(0, self.prior(level, z))
            posteriors.insert(0, precision_weighted_product(*priors[0], means[level], log_vars[level]))
            z = reparameterize(noises[level], *posteriors[0])
        return self.decode(z), hierarchical_kl(*zip(*posteriors, strict=True), *zip(*priors, strict=True))


class ResidualLadder(nn.Module):
    """Convolutions from images [B, C, H, W] up to the last level, and down again to `outputs` numbers for the law of each pixel.

    All levels have latent_dim channels at half the resolution. A posterior is relative to its prior, N(m + delta_mean,
    v e^delta_log_var) to N(m, v), as in NVAE; both depend on the drawn levels above, and the last level's prior on nothing.
    """

    def __init__(self, *, colors: int, outputs: int, width: int, latent_dim: int, groups: int, cells: int):
        super().__init__()
        self.cells, self.latent_dim = cells, latent_dim
        self.halve = nn.Conv2d(colors, width, 4, stride=2, padding=1)
        self.up, self.down = (nn.ModuleList(ResidualCell(width) for _ in range(groups * cells)) for _ in range(2))
        self.start = nn.Parameter(torch.zeros(width))
        self.seen = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(groups))
        self.posteriors = nn.ModuleList(nn.Conv2d(width, 2 * latent_dim, 3, padding=1) for _ in range(groups))
        self.priors = nn.ModuleList(nn.Conv2d(width, 2 * latent_dim, 1) for _ in range(groups))
        self.codes = nn.ModuleList(nn.Conv2d(latent_dim, width, 1) for _ in range(groups))
        self.enlarge, self.last = nn.Conv2d(width, width, 3, padding=1), ResidualCell(width)
        self.law = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x, noise):
        """The law at drawn latents, and the rate of each level: [B, C, H, W], [B, M, L, H/2, W/2] -> [B, O, H, W], [B, M]."""
        h, known = self.halve(x), []
        for level in range(noise.shape[1]):
            h = self._through(self.up, level, h)
            known.append(h)
        h, rates = self._begun(noise), []
        for level in reversed(range(noise.shape[1])):
            mean, log_var = self._of(self.priors[level], h)
            delta_mean, delta_log_var = self._of(self.posteriors[level], known[level] + self.seen[level](h))
            rates.insert(0, residual_gaussian_kl(delta_mean, delta_log_var, log_var))
            h = self._below(level, h, noise, mean + delta_mean, log_var + delta_log_var)
        return self._decode(h), torch.stack(rates, 1)

    def draw(self, noise):
        """The law at latents of the model: each level is drawn from its prior: [B, M, L, H/2, W/2] -> [B, O, H, W]."""
        h = self._begun(noise)
        for level in reversed(range(noise.shape[1])):
            h = self._below(level, h, noise, *self._of(self.priors[level], h))
        return self._decode(h)

    def _begun(self, noise):
        return self.start[:, None, None].expand(len(noise), -1, *noise.shape[3:])

    def _of(self, layer, h):
        return (part.flatten(1) for part in _gaussian(layer(functional.silu(h))))

    def _below(self, level, h, noise, mean, log_var):
        """h with the level drawn."""
        z = reparameterize(noise[:, level].flatten(1), mean, log_var)
        return self._through(self.down, level, h + self.codes[level](z.view(noise[:, level].shape)))

    def _through(self, cells, level, h):
        for cell in cells[level * self.cells : (level + 1) * self.cells]:
            h = cell(h)
        return h

    def _decode(self, h):
        h = self.last(self.enlarge(functional.interpolate(h, scale_factor=2, mode="nearest")))
        return self.law(functional.silu(h))


class ResidualCell(nn.Module):
    """x + outer(silu(inner(silu(x)))), two convolutions of 3 x 3."""

    def __init__(self, width):
        super().__init__()
        self.inner, self.outer = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x):
        """[B, W, H, W'] -> the same shape."""
        return x + self.outer(functional.silu(self.inner(functional.silu(x))))


def _gaussian(parameters):
    """Mean, and log-variance within (-5, 5), of the two halves of the second axis."""
    mean, log_var = parameters.chunk(2, 1)
    return mean, soft_clip(log_var)
