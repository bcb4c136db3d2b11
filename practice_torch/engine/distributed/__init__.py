"""Several processes: ranks, sharded models, and evaluations divided among ranks."""
