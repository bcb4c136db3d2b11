"""Functions and networks, adversarial models: generator against discriminator, and convolutional GANs."""
