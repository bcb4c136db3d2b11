"""What goes wrong with a run: its folder, its checkpoints, its numbers, what is asked of its model."""


class RunError(ValueError):
    """A run or its folder is at fault; the command line prints the message alone and exits with 3."""


class OptionError(ValueError):
    """A sampling option that this model cannot meet; the command line prints the message alone and exits with 2."""
