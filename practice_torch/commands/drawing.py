"""The trained model of a run, ready to draw samples."""

import contextlib

from practice_torch.commands.run_folder import restored
from practice_torch.engine.errors import RunError


@contextlib.contextmanager
def drawer(run, seed, cpu, say, prepare=lambda experiment: None, which=None, float32=False):
    """The trained model of a run, ready to sample, and the step of its weights; its generator by the seed (None: the run's).

    say(line): warnings. prepare(experiment) is called before its weights are loaded. which: see engine.storage.state.Which.
    float32: without autocast.
    """
    import torch

    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.storage.state import load_weights

    experiment, recipe = built(run)
    prepare(experiment)
    device = Processes(cpu).device
    step = load_weights(run, recipe, experiment, say=say, which=which)
    seed_sampling(experiment, device, recipe.seed if seed is None else seed)
    experiment.to(device).eval()
    with torch.no_grad(), sampling_autocast(recipe, device, float32):
        yield experiment, step


def built(run):
    """(experiment, recipe) of a run, with untrained weights and without its data. RunError if recipe.json has no such data."""
    from practice_torch.engine.batches.datasets import Described

    module, recipe = restored(run)
    try:
        return module.build(recipe, Described(run.asked["data"])), recipe
    except (KeyError, TypeError, IndexError, AttributeError) as error:  # of the data themselves this would be an error of ours
        raise RunError(f"{run.folder / 'recipe.json'} describes no data of {run.asked['topic']}: {error!r}") from error


def sampling_autocast(recipe, device, float32):
    """A context in which samples are drawn: in bfloat16 if the recipe says so, where it is faster, and not with float32."""
    import torch

    half = recipe.precision == "bfloat16" and device.type != "cpu" and not float32
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def seed_sampling(experiment, device, seed, *words):
    """Give the experiment, and torch, the random numbers of samples of this seed; words: which of them."""
    import torch

    from practice_torch.engine.batches.order import seed_of

    experiment.generator = torch.Generator(device).manual_seed(seed_of(seed, "sample", *words))
    torch.manual_seed(seed_of(seed, "sample", *words, "torch"))
