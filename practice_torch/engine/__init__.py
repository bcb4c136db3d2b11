"""Training: recipes, the one training loop, checkpoints, run folders, artifacts and reports; it knows no topic."""
