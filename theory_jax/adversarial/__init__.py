"""Adversarial models: generator against discriminator, and convolutional GANs."""
