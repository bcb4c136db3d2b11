"""Exercises, adversarial models: generator against discriminator, and convolutional GANs."""
