"""The commands of the theory wing that have files of their own."""
