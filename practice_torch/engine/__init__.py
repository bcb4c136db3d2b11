"""Training: recipes, the training loop, its optimizers, evaluations and artifacts. It knows no topic."""
