"""Samples of a class-conditional diffusion model: the law of each class, and few steps with every option, written out."""

import torch

from practice_torch.experiments.diffusion.training import DiffusionExperiment
from practice_torch.experiments.sampling import diffusion_sampling
from practice_torch.experiments.sampling import diffusion_studies as studies
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from tests.support.known_laws import Mixture, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import ancestral, ddim, dpm_solver, rough

CLASSES = [Mixture((0.5, 0.5), (mean - 0.3, mean + 0.3), (0.1, 0.15)) for mean in (-0.4, 0.0, 0.4)]


def draws_the_law_of_each_class():
    for kind in ("noise", "x0", "velocity"):
        for how in (Drawing(), Drawing(sampler="ddim", steps=80, eta=0.5), Drawing(sampler="dpm_solver", steps=40)):
            experiment = built("diffusion/training", num_steps=100, prediction=kind)
            experiment.sampling, kept = how, experiment.alpha_bar.double()

            def answer(x, t, label, kept=kept, kind=kind):
                found = [prediction(law, x.double(), kept[t], kind) for law in CLASSES]
                return torch.stack(found)[label, torch.arange(len(x))].float()

            experiment.network = Network(answer)
            images = 2 * experiment.sample(36)["samples"].images - 1
            for law, rows in zip(CLASSES, images.split(12), strict=True):
                require_law(rows, law.cdf)


def draws_by_the_chain():
    """Classes in turn or one class, led away from no class (3); data clipped to -1..1 or not."""
    guided = Drawing(sampler="ddim", steps=3, guidance=2.5)
    solved = Drawing(sampler="dpm_solver", steps=4, guidance=0.5)
    leading = Drawing(sampler="ddim", steps=4, spacing="leading", refit_noise=False)
    small = Drawing(variance="small")
    for how in (guided, Drawing(sampler="ddim", steps=3, label=1, clip=False), leading, solved, Drawing(), small):
        experiment = built("diffusion/training", num_steps=9, noise_schedule="linear")
        experiment.network, experiment.sampling = Network(rough), how
        drawn, generator = experiment.sample(6)["samples"].images, torch.Generator().manual_seed(0)
        label = torch.tensor([0, 0, 1, 1, 2, 2]) if how.label is None else torch.full((6,), how.label)

        def predict(x, t, label=label, scale=how.guidance):
            nothing = rough(x, t, torch.full_like(label, 3))
            return nothing + scale * (rough(x, t, label) - nothing)

        x, clip = torch.randn(6, *experiment.shape, generator=generator), 1.0 if how.clip else None
        if how.sampler == "ddim":
            other = {"leading": how.spacing == "leading", "refit": how.refit_noise}
            x = ddim(predict, x, experiment.alpha_bar, count=how.steps, clip=clip, **other)
        elif how.sampler == "dpm_solver":
            x = dpm_solver(predict, x, experiment.alpha_bar, count=4, clip=clip)
        else:
            x = ancestral(predict, x, experiment.alpha_bar, generator, variance=how.variance or "large", clip=clip)
        require_same(drawn, ((x + 1) / 2).clamp(0, 1))


def draws_of_the_noise_that_is_given():
    experiment = built("diffusion/training", num_steps=4, prediction="velocity", judged_steps=3)
    experiment.network = Network(rough)
    label, noise = torch.tensor([2, 0]), torch.linspace(-2, 2, 128).view(2, 1, 8, 8)
    drawn = experiment.drawn(label, experiment.judged_sampling(), noise)
    predict = lambda x, t: rough(x, t, label)  # noqa: E731
    require_same(drawn, ddim(predict, noise, experiment.alpha_bar, count=3, prediction="velocity", clip=1.0))


def shows_how_samples_emerge():
    """Two rows for each example, time to the right: its state after some of the steps, and the data predicted before each."""
    experiment = built("diffusion/training", num_steps=4)
    experiment.network = Network(rough)
    strip = studies.emergence(experiment, rows=3, columns=4)["emergence"]
    assert strip.columns == 4
    states, predicted = (2 * strip.images - 1).view(3, 2, 4, 1, 8, 8).unbind(1)
    generator, label, kept = torch.Generator().manual_seed(0), torch.arange(3), experiment.alpha_bar[-1]
    noise = torch.randn(3, *experiment.shape, generator=generator)
    first = (noise - (1 - kept).sqrt() * rough(noise, 4, label)) / kept.sqrt()
    x = ancestral(lambda x, t: rough(x, t, label), noise, experiment.alpha_bar, generator, clip=1.0)
    require_same(predicted[:, 0], first.clamp(-1, 1))
    require_same(states[:, -1], x)


SAMPLERS = {
    draws_the_law_of_each_class: {
        "a prediction taken for noise": (DiffusionExperiment.drawn_here, "=self.recipe.prediction", "='noise'"),
        "labels in the order of the noise": (DiffusionExperiment.labels, ".sort().values", ""),
        "fresh noise next to all of the old": (diffusion_sampling._step, "1 - before - fresh", "1 - before"),
        "noise twice as wide": (diffusion_sampling.draw, "normal_(0.0, step.noise_out", "normal_(0.0, 2 * step.noise_out"),
    },
    draws_by_the_chain: {
        "towards none": (diffusion_sampling.guided, "(unconditional, conditional, scale)", "(conditional, unconditional, scale)"),
        "a class for no class": (DiffusionExperiment.drawn_here, "len(self.classes), how", "0, how"),
        "no scale": (DiffusionExperiment.drawn_here, "how.guidance)", "1.0)"),
        "the label ignored": (DiffusionExperiment.sample, "torch.full_like(label, how.label)", "label"),
        "data always clipped": (DiffusionExperiment.drawn_here, "if how.clip else None", ""),
        "the large variance": (DiffusionExperiment.drawn_here, "variance=how.variance", "variance='large'"),
        "the small variance": (DiffusionExperiment.drawn_here, "self.recipe.step_variance", "'small'"),
        "always from the last level": (DiffusionExperiment.drawn_here, "spacing=how.spacing", "spacing='even'"),
        "always of the clipped data": (DiffusionExperiment.drawn_here, "refit_noise=how.refit_noise", "refit_noise=True"),
        "the first prediction for the one before": (
            diffusion_sampling.draw,
            "        before, unit_before = x0, unit",
            "        before, unit_before = (x0, unit) if before is None else (before, unit_before)",
        ),
        "predictions exchanged": (diffusion_sampling._of_order_two, "x0, before, *clock", "before, x0, *clock"),
        "even steps in t": (diffusion_sampling.chain, '_on_the_clock(alpha_bar, steps) if sampler == "dpm_solver" else ', ""),
        "from the last level at whole distances": (diffusion_sampling.chain, "1 + i * (last // steps)", "last - i"),
        "x without its noise": (diffusion_sampling._with_predicted_noise, "step.x_out * cos", "0"),
        "order one only": (diffusion_sampling.chain, "range(1, steps - 1)", "range(1, 1)"),
        "all levels": (DiffusionExperiment.drawn_here, "steps=how.steps,", ""),
    },
    draws_of_the_noise_that_is_given: {
        "its own noise": (DiffusionExperiment.drawn_here, "if noise is None else noise[rows]", ""),
        "as many steps as levels": (DiffusionExperiment.judged_sampling, ", steps=self.recipe.judged_steps", ""),
        "ancestral steps": (DiffusionExperiment.judged_sampling, 'sampler="ddim"', 'sampler="ancestral"'),
    },
    shows_how_samples_emerge: {
        "states and data exchanged": (diffusion_sampling.draw, "watch(number, x, x0 * unit)", "watch(number, x0 * unit, x)"),
        "the last states left out": (studies.emergence, "num_steps - 1", "num_steps - 2"),
        "rows and columns exchanged": (studies.emergence, "torch.stack(seen, 2)", "torch.stack(seen, 1)"),
    },
}
