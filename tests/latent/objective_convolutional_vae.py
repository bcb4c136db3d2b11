"""What the experiment of latent/convolutional_vae minimizes, written with functions that have contracts."""

from tests.latent.objective_vae import vae
from tests.support.objectives import Objective

OBJECTIVE = Objective(vae, unread={"samples"})
