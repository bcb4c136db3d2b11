"""What the convolutional networks of this family share: how often the sides of images are halved, and images as rows."""


def halvings(sides):
    """How often the sides can be halved, none of them being odd or at most 4 before, and the coarsest sides."""
    count, coarse = 0, tuple(sides)
    while all(side % 2 == 0 and side > 4 for side in coarse):
        count, coarse = count + 1, tuple(side // 2 for side in coarse)
    return count, coarse


def flat(x):
    """[B, ...] -> [B, D]."""
    return x.reshape(len(x), -1)
