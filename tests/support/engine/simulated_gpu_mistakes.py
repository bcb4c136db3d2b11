"""Mistakes that a CPU forgives, planted into the experiment of latent/vae; those of layouts and of recomputation into the
experiment of diffusion/training and into the engine. tests/training/test_simulated_gpu.py sees each one found.
"""

import functools

import torch
from matplotlib.figure import Figure as Canvas

from practice_torch.engine import loop, recomputation
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.storage import snapshot


def _after(module, method, spoil):
    """`spoil(experiment, argument)` runs after the experiment's method; the result is unchanged."""
    original = getattr(module.VaeExperiment, method)

    def planted(self, *arguments):
        result = original(self, *arguments)
        spoil(self, *arguments)
        return result

    setattr(module.VaeExperiment, method, planted)


def item_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: batch["image"].mean().item())


def branch_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: bool(batch["image"].mean() > 0))


def copy_to_the_host_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: batch["image"].cpu())


def copy_to_the_device_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: torch.zeros(3).to(batch["image"].device))


def copy_that_only_looks_asynchronous(module):
    """Of memory that is not pinned."""
    _after(module, "forward", lambda self, batch, phase: torch.zeros(3).to(batch["image"].device, non_blocking=True))


def constant_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: torch.tensor([1.0, 2.0], device=batch["image"].device))


def mask_as_an_index_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: batch["image"][batch["label"] > 3])


def index_on_the_host_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: batch["image"][torch.tensor([0, 1])])


def nonzero_in_a_step(module):
    _after(module, "forward", lambda self, batch, phase: batch["label"].nonzero())


def preview_without_cpu(module):
    _after(module, "preview", lambda self, data: data.batch()["image"].numpy())


def plot_without_cpu(module):
    _after(module, "preview", lambda self, data: Canvas().subplots().scatter([0, 1], [0, 1], c=data.batch()["label"][:2]))


def _another_preview(module, name, draw):
    original = module.VaeExperiment.preview
    module.VaeExperiment.preview = lambda self, data: original(self, data) | {name: Figure(lambda axes: draw(axes, data))}


def figure_without_cpu(module):
    """In place of a figure that other recipes already cover."""
    _another_preview(module, "latent_map", lambda axes, data: axes.plot(data.batch()["label"]))


def formula_that_cannot_be_read(module):
    """No image can be made of the figure."""
    _another_preview(module, "formula", lambda axes, data: axes.set_title(r"$\frac{1}$"))


def samples_on_the_host(module):
    _after(module, "sample", lambda self, count: self.network.decode(torch.zeros(count, self.recipe.latent_dim)))


def generator_of_the_host(module):
    def spoil(self, data):
        torch.randn(3, device=self.network.logits.weight.device, generator=torch.Generator())

    _after(module, "evaluate", spoil)


def table_left_on_the_host(module):
    """A tensor that is neither a parameter nor a buffer stays where it was made."""
    _after(module, "__init__", lambda self, *_: setattr(self, "table", torch.ones(3)))
    _after(module, "forward", lambda self, batch, phase: batch["image"][..., :3] * self.table)


def gradients_that_outlive_their_step(module):
    """No mistake of the experiment: it looks whether the engine makes one."""

    def spoil(self, batch, phase):
        if any(parameter.grad is not None for parameter in self.parameters()):
            raise RuntimeError("the last step's gradients are still there")

    _after(module, "forward", spoil)


# ---------------------------------------------------------------------------------------------------- layouts, recomputation


def layout_that_a_step_undoes(module):
    original = module.DiffusionExperiment.forward

    def planted(self, batch, phase):
        for parameter in self.network.parameters():
            parameter.data = parameter.data.contiguous()
        return original(self, batch, phase)

    module.DiffusionExperiment.forward = planted


def layout_that_a_checkpoint_forgets(module):
    """Moments come back in the order of the file; the parameters keep theirs."""
    snapshot._placed = lambda tensor, like: tensor.to(like.device)


def blocks_that_draw_anew(module):
    recomputation.checkpoint = functools.partial(recomputation.checkpoint, preserve_rng_state=False)


def blocks_that_are_not_computed_again(module):
    loop.recompute_blocks = lambda experiment: None
