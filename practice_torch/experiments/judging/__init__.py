"""Evaluation of samples: distances between features, classifiers of images, sounds and texts, and baselines."""
