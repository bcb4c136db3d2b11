"""The ratio of a step, new policy to old, clipped in the direction of its advantage."""

import math

import torch


def clipped_ratio(log_ratio, advantages, low, high):
    """min(rho, 1 + high) where A >= 0, max(rho, 1 - low) where A < 0; its product with A is the clipped objective."""
    # Clipped before the exponential, which cannot overflow then where the ratio does not count.
    above, below = log_ratio.clamp(max=math.log1p(high)), log_ratio.clamp(min=math.log1p(-low))
    return torch.where(advantages < 0, below, above).exp()
