"""Sampling loops of diffusion models and flows, studies of samplers, and samples of each family of models."""
