"""The experiment of latent/gaussian_mixture counts; none of its phases minimizes a loss."""

from tests.support.objectives import Objective

OBJECTIVE = Objective(None, unread={"points"})
