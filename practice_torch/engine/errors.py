"""What goes wrong with a run: its folder, its checkpoints, its numbers."""


class RunError(ValueError):
    """A run or its folder is at fault; the command line prints the message alone and exits with 3."""
