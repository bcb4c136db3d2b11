"""Folders of diffusers' pipelines with DDPM's U-Net, read and written; diffusers reads what was written."""

import json
import shutil

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from practice_torch.experiments.diffusion.training import PRETRAINED, RECIPES, build
from practice_torch.pretrained import ddpm, ddpm_configuration
from practice_torch.pretrained.layout import to_theirs
from practice_torch.pretrained.weights import read_weights, write_weights
from tests.support.pretrained.diffusers_unets import SCHEDULER, SMALL, of_diffusers

diffusers = pytest.importorskip("diffusers")

ENTRY = PRETRAINED[ddpm_configuration.NETWORK_CLASS]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A folder with the folders unet and scheduler, and the network that was saved there."""
    folder = tmp_path_factory.mktemp("pipeline") / "whole"
    network = of_diffusers(SMALL, torch.float32)
    scheduler = diffusers.DDPMScheduler.from_config({key: value for key, value in SCHEDULER.items() if key[0] != "_"})
    diffusers.DDPMPipeline(network, scheduler).save_pretrained(folder)
    return folder, network


def taken(folder, weights):
    """The recipe and the experiment that import builds of a folder."""
    opened = ENTRY.open(folder)
    recipe = type(RECIPES[ENTRY.recipe])(**{"data": "", **ENTRY.tuning, **opened.fields})
    experiment = build(recipe, opened.data)
    shapes = {name: tuple(tensor.shape) for name, tensor in experiment.network.state_dict().items()}
    experiment.network.load_state_dict(ENTRY.ours(opened, read_weights(weights, stems=(ENTRY.stem,)), shapes))
    return recipe, experiment.eval(), opened.data.description


def test_a_pipeline_comes_in_and_goes_out_and_diffusers_takes_it(pipeline, tmp_path):
    folder, network = pipeline
    recipe, experiment, description = taken(folder, folder / "unet")
    x, t = torch.randn(2, *description["shape"], generator=torch.Generator().manual_seed(0)), torch.tensor([3, 900])
    with torch.no_grad():
        ours = experiment.network(x, t + 1)
    written = ENTRY.theirs(recipe, description, experiment.network.state_dict())
    write_weights(tmp_path / "out", written, stem=ENTRY.stem)
    for name, content in ENTRY.files(recipe, description, "float32").items():
        (tmp_path / "out" / name).write_text(json.dumps(content))
    again = diffusers.UNet2DModel.from_pretrained(tmp_path / "out")
    back = diffusers.DDPMPipeline.from_pretrained(tmp_path / "out")
    for other in (again, back.unet):
        assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in other.state_dict().items())
    with torch.no_grad():
        torch.testing.assert_close(ours, again.eval()(x, t).sample, rtol=0, atol=1e-4)
    wanted = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler").config
    assert {key: value for key, value in back.scheduler.config.items() if key[0] != "_"} == {
        key: value for key, value in wanted.items() if key[0] != "_"
    }
    # what was written comes in again, all of it in one place
    assert taken(tmp_path / "out", tmp_path / "out")[0] == recipe


def test_a_published_folder_has_earlier_names_in_one_place(pipeline, tmp_path):
    folder, network = pipeline
    _, experiment, _ = taken(folder, folder / "unet")
    state = experiment.network.state_dict()
    earlier = ddpm.layout({name: tuple(tensor.shape) for name, tensor in state.items()}, earlier=True)
    write_weights(tmp_path, to_theirs(earlier, state), stem=ENTRY.stem)
    for name, content in (("config.json", SMALL), ("scheduler_config.json", SCHEDULER)):
        (tmp_path / name).write_text(json.dumps(content))
    _, other, _ = taken(tmp_path, tmp_path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in other.network.state_dict().items())
    theirs = diffusers.UNet2DModel.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in theirs.state_dict().items())


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}, "it must be DDPMPipeline or DDIMPipeline"),
        ("unet/config.json", {"freq_shift": 0}, "whole: freq_shift is 0; it must be 1"),
        ("scheduler/scheduler_config.json", {"thresholding": True}, "whole: thresholding is True; it must be False"),
        ("scheduler/scheduler_config.json", None, "scheduler_config.json cannot be read"),
    ],
)
def test_what_a_folder_lacks_or_has_too_much_is_named(pipeline, tmp_path, file, change, complaint):
    folder = tmp_path / "whole"
    shutil.copytree(pipeline[0], folder)
    if change is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(DataError, match=complaint):
        ENTRY.open(folder)


def test_a_network_with_classes_does_not_go_out():
    with pytest.raises(RunError, match="the network has classes"):
        ddpm.layout({"label.weight": (11, 16)})
