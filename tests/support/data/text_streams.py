"""Trainings on prepared text that tests/data/test_prepared_text.py starts in their own processes."""

import os
import signal

from practice_torch.__main__ import main
from practice_torch.experiments.autoregressive.transformer import LanguageModel

SIZES = "--context 16 --width 16 --layers 1 --heads 2 --steps 6 --batch-size 4 --warmup-steps 0"
SAVES = "--evaluate-every 3 --checkpoint-every 2 --log-every 1 --cpu"


def train(run, data, placement, killed_at=0):
    """The exit code of a training, with two workers where it streams; a step may kill it."""
    plain, turns = LanguageModel.forward, 0

    def forward(model, batch, phase):
        nonlocal turns
        turns += model.training
        if turns == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(model, batch, phase)

    LanguageModel.forward = forward
    where = f"--run {run} --data {data} --placement {placement} --workers 2"
    return main(f"train transformer pydoc {where} {SIZES} {SAVES}".split())


def resume(run):
    """The exit code of going on."""
    return main(["train", "--resume", run, "--cpu"])
