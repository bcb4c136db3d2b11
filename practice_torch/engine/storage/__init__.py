"""What a run keeps on disk: run folders, checkpoints, the state of a training run, and locks."""
