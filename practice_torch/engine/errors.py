"""What goes wrong with a run: its folder, its checkpoints, its numbers."""


class RunError(ValueError):
    """A run folder or what is in it is at fault, or the run itself; the command line prints the message alone and exits with 3."""
