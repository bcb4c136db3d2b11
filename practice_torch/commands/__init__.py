"""The commands of the practice wing: what `python -m practice_torch` does, an idea a file."""
