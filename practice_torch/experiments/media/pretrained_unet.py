"""U-Nets of diffusion models in diffusers' layout: the configurations of network and sampler, and the weights by their rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from practice_torch.data.blank import blank_set
from practice_torch.data.errors import DataError
from practice_torch.engine.storage.pretrained import Opened
from practice_torch.pretrained import ddpm, ddpm_configuration
from practice_torch.pretrained.layout import to_ours, to_theirs

# for a training that begins from published weights
TUNING = dict(
    steps=10_000, learning_rate=2e-5, warmup_steps=500, average_decay=0.9999, evaluate_every=1000, checkpoint_every=1000
)


@dataclass(frozen=True)
class PretrainedUNet:
    """A pipeline of diffusers (DDPMPipeline, DDIMPipeline) whose network is a UNet2DModel."""

    recipe: str
    network: str = "network"
    stem: str = "diffusion_pytorch_model"
    tuning: Mapping[str, Any] = field(default_factory=lambda: TUNING)

    def open(self, folder: Path) -> Opened:
        """The fields of both configurations, and images of their shape without data."""
        network, scheduler = ddpm.read_configurations(folder)
        try:
            fields, shape = ddpm_configuration.fields(network, scheduler), ddpm_configuration.image_shape(network)
        except DataError as error:
            raise DataError(f"{folder}: {error}") from None
        fields["judged_steps"] = min(50, fields["num_steps"])
        facts = {"images": " x ".join(map(str, shape)), "sampler": f"{scheduler['_class_name']}, {fields['num_steps']} levels"}
        return Opened(fields, blank_set("none", {"shape": shape, "count": 0}, {}, None), facts)

    def ours(self, opened, tensors, shapes):
        """By the layout of the file's names, which changed with diffusers 0.17."""
        return to_ours(ddpm.layout(shapes, earlier=ddpm.is_earlier(tensors)), tensors, shapes)

    def theirs(self, recipe, description, state):
        """By today's names."""
        return to_theirs(ddpm.layout({name: tuple(tensor.shape) for name, tensor in state.items()}), state)

    def files(self, recipe, description, dtype):
        """Both configurations and what makes them a pipeline, all in one place."""
        network, scheduler = ddpm_configuration.configurations(recipe.fields(), description["shape"])
        return {ddpm.NETWORK_FILE: network, ddpm.SCHEDULER_FILE: scheduler, ddpm.PIPELINE_FILE: ddpm_configuration.PIPELINE}
