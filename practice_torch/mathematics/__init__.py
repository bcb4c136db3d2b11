"""Functions that several families share: stable elementary functions, noise levels, mixtures, pairs of points."""
