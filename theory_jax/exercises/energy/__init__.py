"""Exercises, energies: unnormalized densities, their samplers, and how they are trained and evaluated."""
