"""A small network learns the score of a diffused mixture of Gaussians on points, and is compared with the exact score."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.parameterizations import noise_from_velocity
from practice_torch.diffusion.score_prediction import (
    VelocityNetwork,
    denoising_score_matching_loss,
    diffused_mixture,
    mixture_log_prob,
    mixture_score,
    score_from_noise,
)
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.judging.points import over_the_plane, require_known_score
from practice_torch.experiments.sampling.diffusion_sampling import Drawing, chain, draw
from practice_torch.experiments.sampling.sampler_errors import SAMPLERS, gaussian_errors, sorted_radii
from practice_torch.mathematics.levels import level_at, per_example
from practice_torch.pictures import scores


@dataclass(frozen=True)
class ScoreRecipe(Recipe):
    """A small network learns the score of a diffused mixture and is compared with the exact score."""

    modality: ClassVar[str] = "points"
    points: Annotated[int, AtLeast(2)] = 65_536
    """Number of points drawn from the mixture."""
    num_steps: Annotated[int, AtLeast(4)] = 1000
    """Number of noise levels."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Width of the three hidden layers."""
    frequencies: Annotated[int, AtLeast(1)] = 16
    """Number of sine and cosine features of t."""
    shown_steps: Annotated[int, AtLeast(1)] = 200
    """Steps of the ancestral sampler in previews."""
    metric: Fixed = "relative_score_error"

    def __post_init__(self):
        super().__post_init__()
        self._require("shown_steps", self.shown_steps <= self.num_steps, f"at most num_steps ({self.num_steps})")

    def loading(self):
        """Number of points to draw."""
        return {"count": self.points}


class ScoreExperiment(nn.Module):
    """Learns grad log q(x_t) at every level from noised points, and draws points by it."""

    explains = {
        "relative_score_error": Metric("ratio", "norm of the learned score's error over the norm of the exact score, all levels"),
        "loss": Metric("nats", "denoising loss; it cannot fall below that of the exact score"),
        "excess_loss": Metric("nats", "excess of the loss over that of the exact score"),
        **{f"error_quarter_{n}": Metric("ratio", f"relative score error in quarter {n} of the levels") for n in range(1, 5)},
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.sampling = recipe, None, Drawing()
        mixture = description["mixture"]
        self.network = VelocityNetwork(len(mixture["means"][0]), recipe.hidden, recipe.frequencies)
        # double precision: the first step of a chain divides by sqrt(a_T), which would magnify what single precision rounds
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_steps=recipe.num_steps).double())
        for name in ("means", "stds", "weights"):
            self.register_buffer(name, torch.tensor(mixture[name], dtype=torch.float64), persistent=False)

    def forward(self, batch, phase):
        """The mean denoising loss of points noised with sigma = sqrt((1 - a_t)/a_t), at levels drawn at random."""
        x0 = batch["point"]
        t = torch.randint(1, len(self.alpha_bar), x0.shape[:1], generator=self.generator, device=x0.device)
        kept = level_at(t, self.alpha_bar)
        noise = torch.randn(x0.shape, generator=self.generator, device=x0.device)

        def score_fn(x, sigma):
            # x_0 + sigma noise is x_t without its shrinking by sqrt(a_t), which stretches every slope
            shrink = per_example(kept.sqrt(), x)
            return shrink * self.learned_score(shrink * x, t)

        sigma = ((1 - kept) / kept).sqrt().to(x0.dtype)
        return denoising_score_matching_loss(x0, noise, sigma, score_fn).mean(), {}

    def learned_score(self, x, t):
        """grad log q(x_t) as the network has it.

        [B, D], [B] -> [B, D]
        """
        velocity = self.network(x.float(), t).to(x.dtype)
        return score_from_noise(noise_from_velocity(x, velocity, t, self.alpha_bar), t, self.alpha_bar)

    def exact_score(self, x, t):
        """grad log q(x_t) as it is.

        [B, D], [B] -> [B, D]
        """
        diffused = diffused_mixture(self.means, 2 * self.stds.log(), t, self.alpha_bar)
        return mixture_score(x, *diffused, self.weights.log())

    def evaluate(self, data):
        """Relative error of the learned score, over all levels and by quarters of them."""
        sizes, errors, losses = self._by_level(data)
        # the excess is what the loss has above that of the exact score, which no network can go below
        metrics = {"relative_score_error": _relative(errors, sizes), "loss": losses.mean().item()}
        metrics["excess_loss"] = errors.mean().item() / 2
        for number, (error, size) in enumerate(zip(errors.tensor_split(4), sizes.tensor_split(4), strict=True), start=1):
            metrics[f"error_quarter_{number}"] = _relative(error, size)
        return metrics

    def preview(self, data):
        """Data next to samples by the exact and by the learned score; and both scores at three levels of noise."""
        how = Drawing(steps=self.recipe.shown_steps, clip=False)
        panels = {
            "data": data.batch()["point"][:2000],
            "drawn with the exact score": self.drawn(self.exact_score, 2000, how),
            "drawn with the learned score": self.drawn(self.learned_score, 2000, how),
        }
        caption = f"Held-out points, and points drawn from noise in {how.steps} ancestral steps"
        return {"points": self._picture(panels, caption), "fields": self._fields()}

    def sample(self, count):
        """Points drawn with the learned score and the options of `sampling`."""
        self.sampling.require_known(levels=self.recipe.num_steps, classes=0, null_trained=False)
        points = self.drawn(self.learned_score, count, self.sampling)
        picture = self._picture({"drawn with the learned score": points}, f"{count} points drawn from noise")
        return {"points": replace(picture, points=points)}

    def drawn(self, score, count, how):
        """Points made of white noise by a score, [count, D]."""
        steps = chain(
            self.alpha_bar,
            steps=how.steps,
            sampler=how.sampler,
            variance=how.variance or "large",
            eta=how.eta,
            spacing=how.spacing,
            refit_noise=how.refit_noise,
        )
        limit = (self.means.abs().amax(1) + 5 * self.stds).max().item() if how.clip else None
        shape, like = (count, self.means.shape[1]), {"device": self.means.device, "dtype": self.means.dtype}
        white = torch.randn(shape, generator=self.generator, **like)
        return draw(partial(self._noise, score), white, steps, limit=limit, generator=self.generator)

    def study(self, data):
        """Errors with few steps: on Gaussian data, with the exact law of each sampler, and on the mixture, with both scores."""
        counts = [count for count in (2, 3, 5, 10, 20, 50, 100, 200, 1000) if count <= self.recipe.num_steps]
        few = [count for count in counts if count <= 200]  # with more, the variances of 65 536 draws tell nothing
        gaussian = gaussian_errors(self.alpha_bar, 0.25, few, draws=65_536, generator=self.generator)
        real = data.batch()["point"].double()
        size = min(len(real) // 2, 4096)
        real, other = (sorted_radii(points, self.means, self.stds) for points in real[: 2 * size].split(size))

        def distance(score, kind, steps):
            points = self.drawn(score, size, Drawing(steps=steps, clip=False, **kind))
            return (sorted_radii(points, self.means, self.stds) - real).abs().mean().item()

        curves = {
            f"{name}, {kind} score": [distance(score, SAMPLERS[name], steps) for steps in counts]
            for kind, score, names in (("exact", self.exact_score, SAMPLERS), ("learned", self.learned_score, _LEARNED))
            for name in names
        }
        floor = (other - real).abs().mean().item()
        return {"gaussian": scores.variance_errors(few, *gaussian), "mixture": scores.distances(counts, curves, floor)}

    def _by_level(self, data):
        """At every level, [3, T]: squares of the exact score and of the learned one's error, and the denoising loss.

        All in deviations of the noise, on held-out data, always with the same noise.
        """
        steps, device, draws = self.recipe.num_steps, self.alpha_bar.device, 32
        fixed = torch.Generator(device).manual_seed(0)
        sums = torch.zeros(3, steps, dtype=torch.float64, device=device)
        for indices in torch.arange(draws * steps).split(8192):
            x0 = data.batch(indices % len(data))["point"].double()
            t = (indices % steps + 1).to(device)
            noise = torch.randn(x0.shape, generator=fixed, device=device, dtype=x0.dtype)
            x_t = forward_sample(x0, t, noise, self.alpha_bar)
            exact, learned = (-self._noise(score, x_t, t) for score in (self.exact_score, self.learned_score))
            squares = (exact.square(), (learned - exact).square(), (learned + noise).square() / 2)
            sums.index_add_(1, t - 1, torch.stack([square.sum(1) for square in squares]))
        return sums / draws

    def _noise(self, score, x, t):
        """The noise in x that a score amounts to."""
        return -per_example((1 - level_at(t, self.alpha_bar)).sqrt(), x) * score(x, t)

    def _at_level(self, score, level, x):
        """A score of all x at one level, in deviations of the noise."""
        return -self._noise(score, x, level.expand(len(x)))

    def _picture(self, panels, caption):
        """Points [N, 2] of each panel, and all its modes laid over each other, in deviations."""
        nearest = {name: torch.cdist(points.double(), self.means).argmin(1) for name, points in panels.items()}
        modes = {name: (points - self.means[nearest[name]]) / self.stds[nearest[name], None] for name, points in panels.items()}
        return scores.side_by_side(_arrays(panels), _arrays(modes), caption)

    def _fields(self):
        """Both scores over the plane, at three levels."""
        reach, panels = 1.5 * self.means.abs().max().item(), {}
        for kept in (0.2, 0.7, 0.98):
            level = (self.alpha_bar[1:] - kept).abs().argmin() + 1
            diffused = diffused_mixture(self.means, 2 * self.stds.log(), level[None], self.alpha_bar)
            density = partial(mixture_log_prob, means=diffused[0][0], log_vars=diffused[1][0], log_weights=self.weights.log())
            deviation = (1 - self.alpha_bar[level]).sqrt().item()
            panels[f"t = {level.item()}: noise of deviation {deviation:.2f}"] = over_the_plane(
                reach,
                self.means.device,
                log_density=density,
                exact=partial(self._at_level, self.exact_score, level),
                learned=partial(self._at_level, self.learned_score, level),
            )
        return scores.score_fields(panels)


# without fresh noise, in steps of order one and two, and with it: also used with the learned score
_LEARNED = ("DDIM", "DPM-Solver++ 2M", "ancestral, large variance")


def _relative(errors, sizes):
    """Root mean square error, relative to the root mean square."""
    return (errors.sum() / sizes.sum()).sqrt().item()


def _arrays(tensors):
    return {name: tensor.float().cpu().numpy() for name, tensor in tensors.items()}


RECIPES = {
    # measured with seeds 0, 1 and 2: 0.048 to 0.050, in 50 CPU seconds
    "eight_gaussians": ScoreRecipe(
        data="eight_gaussians",
        steps=10_000,
        batch_size=512,
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.999,
        target=0.06,
        evaluate_every=5000,
        checkpoint_every=5000,
        log_every=100,
    )
}


def build(recipe, data):
    """The experiment of a recipe on a mixture with a known score.

    Raises DataError where the data are no mixture in the plane.
    """
    require_known_score(data.description)
    return ScoreExperiment(recipe, data.description)
