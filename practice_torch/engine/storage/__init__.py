"""Storage of a run: run folders, checkpoints, the state of a training run, and locks."""
