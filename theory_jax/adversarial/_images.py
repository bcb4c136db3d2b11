"""Shared parts of this family's convolutional networks: halvings of the sides of images, and images as rows."""


def halvings(sides):
    """The number of times that the sides can be halved while even and above 4, and the coarsest sides."""
    count, coarse = 0, tuple(sides)
    while all(side % 2 == 0 and side > 4 for side in coarse):
        count, coarse = count + 1, tuple(side // 2 for side in coarse)
    return count, coarse


def flat(x):
    """[B, ...] -> [B, D]."""
    return x.reshape(len(x), -1)
