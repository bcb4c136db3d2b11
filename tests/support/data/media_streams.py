"""Trainings on prepared images and sounds that tests start in their own processes."""

import os
import signal

from torch import nn

from practice_torch.__main__ import main
from practice_torch.experiments.codes.sound_codes import SoundExperiment
from practice_torch.experiments.latent.vae import VaeExperiment

SAVES = "--placement stream --workers 2 --steps 6 --evaluate-every 3 --checkpoint-every 2 --log-every 1 --warmup-steps 0 --cpu"
RUNS = {
    "images": (VaeExperiment, "train vae digits --image-size 8 --batch-size 5"),
    "audio": (SoundExperiment, "train wavenet notes --length 100 --batch-size 5 --doublings 2 --levels 16"),
}


def train(run, data, modality, killed_at=0):
    """The exit code of a training with two workers, which a step may kill."""
    experiment, command = RUNS[modality]
    plain, turns = experiment.forward, 0

    def forward(model: nn.Module, batch, phase):
        nonlocal turns
        turns += model.training
        if turns == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(model, batch, phase)

    experiment.forward = forward
    return main(f"{command} --run {run} --data {data} {SAVES}".split())
