"""Functions, evaluation of generative models: scores, distances and likelihoods of samples, features and sequences."""
