"""Other people's code: checked by the contracts, filled-in exercises, and the sandbox in which they run."""
