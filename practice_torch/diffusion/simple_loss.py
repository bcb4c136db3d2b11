"""What a DDPM is trained on: the squared error of the predicted noise, as it is, as the ELBO weighs it, and beside a variance."""

import math
from dataclasses import dataclass

import torch

from practice_torch.arguments import as_int64, require, require_same_shape, require_timesteps, require_values
from practice_torch.diffusion.elbo import (
    BOUND,
    BoundExperiment,
    BoundRecipe,
    denoising_kl,
    discretized_gaussian_log_prob,
    gaussian_kl,
    prior_kl,
)
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.experiment import Metric
from practice_torch.levels import as_rows, beta_at, level_at, per_example
from practice_torch.pictures import diffusion as pictures


def squared_error(prediction, target):
    r"""||prediction - target||^2, summed over all axes but the first.

    Raises ValueError if the shapes differ.
    [B, ...], [B, ...] -> [B]
    """
    require_same_shape(target=target, prediction=prediction)
    return as_rows(prediction - target).square().sum(1)


def simple_loss(x0, t, noise, denoise_fn, alpha_bar):
    r"""||noise - denoise_fn(x_t, t)||^2 at x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, summed over all axes but the first.

    denoise_fn(x, t) -> predicted noise, t: [B].  This is the loss of one level; whoever trains draws t and averages.
    Raises ValueError if the shapes differ, also that of the prediction, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Ho et al. 2020, eq. 14.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, x0, t=t)
    t = as_int64(t)
    return squared_error(denoise_fn(forward_sample(x0, t, noise, alpha_bar), t), noise)


def variational_weight(t, alpha_bar, *, variance="large"):
    r"""beta_t^2 / (2 sigma_t^2 (1 - beta_t) (1 - a_t)): what the ELBO multiplies the simple loss of level t >= 2 with.

    sigma_t^2 is beta_t ("large") or beta~_t = (1 - a_(t-1))/(1 - a_t) beta_t ("small").
    Raises ValueError if t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, where the weight is infinite, or variance
    is another word.  Source: Ho et al. 2020, eq. 12.
    [B], [T+1] -> [B]
    """
    require_timesteps(alpha_bar, lowest=2, t=t)
    require(variance in ("large", "small"), f"variance is {variance!r}; it must be 'large' or 'small'")
    before, after = level_at(t - 1, alpha_bar), level_at(t, alpha_bar)
    require_values("alpha_bar[t]", after, lambda a: a > 0, "positive: where no signal is left, the noise does not tell the data")
    noise_share = 1 - (after if variance == "large" else before)  # what is left of (1 - a_t) sigma_t^2 / beta_t
    return beta_at(t, alpha_bar) * before / (2 * after * noise_share)


def variational_loss(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
    r"""variational_weight times simple_loss: what the network can still lower of the ELBO's term L_(t-1), t >= 2; nats.

    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, a_t = 0, or variance is another
    word.  Source: Ho et al. 2020, eq. 8 and 12.
    [B, ...], [B], [B, ...], [T+1] -> [B]
    """
    weight = variational_weight(t, alpha_bar, variance=variance)
    return weight.to(x0.dtype) * simple_loss(x0, t, noise, denoise_fn, alpha_bar)


def learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar):
    r"""KL(q(x_(t-1) | x_t, x_0) || N(mean, e^l)), t >= 2, l the log-variance that v interpolates; nats.

    The mean is that of noise_pred, which gets no gradient here: it learns from the simple loss, only the variance from this one.
    Raises ValueError if the shapes differ, t is not an integer in 2..T, alpha_bar is no schedule, or a_t = 0.
    Source: Nichol & Dhariwal 2021, section 3.1.
    [B, ...], [B, ...], [B], [B, ...], [B, ...], [T+1] -> [B]
    """
    require_same_shape(x0=x0, x_t=x_t, noise_pred=noise_pred, v=v)
    require_timesteps(alpha_bar, x0, lowest=2, t=t)
    log_var_q = per_example(posterior_log_variance(t, alpha_bar), x_t).expand_as(x_t)
    mean_p = reverse_mean_from_noise(x_t, noise_pred.detach(), t, alpha_bar)
    return gaussian_kl(posterior_mean(x0, x_t, t, alpha_bar), log_var_q, mean_p, interpolated_log_variance(v, t, alpha_bar))


# ---------------------------------------------------------------------------------------------------- the experiment


@dataclass(frozen=True)
class HybridRecipe(BoundRecipe):
    """A diffusion model of few levels that also learns how far its steps scatter: the simple loss plus a little of the bound."""

    num_steps: int = 25
    """Levels of noise between the data and pure noise: the fewer, the more the variance of a step matters."""
    bound_share: float = 0.001
    """Weight of the bound, in nats per dimension, beside the simple loss; only the variance learns from it."""

    def __post_init__(self):
        super().__post_init__()
        self._require("bound_share", 0 < self.bound_share < float("inf"), "positive and finite")


class HybridExperiment(BoundExperiment):
    """Predicts noise and log-variance; its bound is measured beside those of the two fixed variances, with the same means."""

    explains = BOUND | {
        "bits_small": Metric("bits per dimension", "the bound with the fixed variance beta tilde in place of the learned one"),
        "bits_large": Metric("bits per dimension", "the bound with the fixed variance beta in place of the learned one"),
    }
    answers = 2

    def forward(self, batch, phase):
        """The simple loss per dimension and a share of the bound's steps t >= 2."""
        x0 = self._values(batch["image"])
        dimensions, steps = x0[0].numel(), self.recipe.num_steps
        t = torch.randint(1, steps + 1, x0.shape[:1], generator=self.generator, device=x0.device)
        noise = self._noise(len(x0))
        x_t = forward_sample(x0, t, noise, self.alpha_bar)
        noise_pred, v = self._answers(x_t, t)
        simple = squared_error(noise_pred, noise).mean() / dimensions
        divergence = learned_variance_loss(x0, x_t, t.clamp(min=2), noise_pred, v, self.alpha_bar).where(t > 1, 0.0)
        bound = steps * divergence.mean() / dimensions
        return simple + self.recipe.bound_share * bound, {"simple": simple.detach(), "bound": bound.detach()}

    def evaluate(self, data):
        """The bound in bits per held-out dimension, and what it would be with either of the fixed variances."""
        bounds = self._bounds(data, self.recipe.measured_images)
        totals = {name: terms.double().sum(1) for name, terms in bounds.items()}
        learned = totals["learned"]
        return {
            "bits_per_dimension": learned.mean().item(),
            "standard_error": learned.std().item() / math.sqrt(len(learned)),
            "bits_small": totals["small"].mean().item(),
            "bits_large": totals["large"].mean().item(),
            "independent_pixels": self._histogram_bits(data),
        }

    def preview(self, data):
        """Which levels the bits are paid at, what the learned variance saves of them, and new images."""
        bounds = {name: terms.cpu().double().numpy() for name, terms in self._bounds(data, 64).items()}
        saved = pictures.variances({name: terms.mean(0) for name, terms in bounds.items()})
        return {"bits": pictures.bits(bounds["learned"]), "variances": saved, **self.sample(64)}

    def sample(self, count):
        """Images from pure noise; every pixel of every step scatters as the network says."""
        x = self._noise(count)
        for level in range(self.recipe.num_steps, 0, -1):
            t = torch.full((count,), level, device=x.device)
            noise_pred, v = self._seen(x, t)
            mean = reverse_mean_from_noise(x, noise_pred, t, self.alpha_bar)
            scatter = (interpolated_log_variance(v, t, self.alpha_bar) / 2).exp() * self._noise(count)
            x = mean + scatter if level > 1 else mean
        return {"samples": ImageGrid(self._rounded((x + 1) / 2), 8, f"Drawn in {self.recipe.num_steps} steps from noise")}

    def _answers(self, x, t):
        """The noise in x, and where between the two fixed log-variances the step's lies."""
        return super()._predict(x, t).chunk(2, dim=1)

    def _predict(self, x, t):
        return self._answers(x, t)[0]

    def _seen(self, x, t):
        """The two answers of one pass, the noise as that beside data within their range."""
        noise_pred, v = self._answers(x, t)
        return self._clipped_noise(x, noise_pred.float(), t), v.float()

    def _bounds(self, data, count):
        """For each variance the terms of the bound [N, T+1], bits per dimension, each the mean of two at opposite noises."""
        x0 = self._values(data.batch(torch.arange(min(len(data), count)))["image"])
        alpha_bar, steps = self.alpha_bar, self.recipe.num_steps
        fixed = ("small", "large")
        bounds = {name: x0.new_zeros(len(x0), steps + 1) for name in ("learned", *fixed)}
        for level in range(1, steps + 1):
            t, noise = torch.full(x0.shape[:1], level, device=x0.device), self._noise(len(x0))
            for x_t in (forward_sample(x0, t, sign * noise, alpha_bar) for sign in (1, -1)):
                noise_pred, v = self._seen(x_t, t)
                if level == 1:  # the decoder; its variance is none that was learned
                    mean = reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
                    log_var = per_example(reverse_log_variance(t, alpha_bar, variance="small"), mean).expand_as(mean)
                    nats = -discretized_gaussian_log_prob(x0, mean, log_var, num_levels=self.recipe.num_levels)
                    terms = dict.fromkeys(bounds, nats)
                else:
                    terms = {name: denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=name) for name in fixed}
                    terms["learned"] = learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar)
                for name, nats in terms.items():
                    bounds[name][:, level - 1] += nats / 2
        for terms in bounds.values():
            terms[:, -1] = prior_kl(x0, alpha_bar)
        return {name: terms / (x0[0].numel() * math.log(2)) for name, terms in bounds.items()}


RECIPES = {
    # measured with seed 0, in three minutes of one core: 2.041 +- 0.017 bits per dimension in 25 steps; the same means with a
    # fixed variance pay 2.469 (small) and 2.686 (large)
    "digits": HybridRecipe(
        data="digits", steps=1400, batch_size=128, learning_rate=2e-3, schedule="cosine", average_decay=0.995, clip_norm=1.0,
        held_out=0.2, target=2.15, evaluate_every=1400, checkpoint_every=700,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return HybridExperiment(recipe, data.description["shape"])
