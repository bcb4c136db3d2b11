"""The objective of the experiment latent/convolutional_vae, by functions with contracts."""

from tests.latent.objective_vae import vae
from tests.support.objectives import Objective

OBJECTIVE = Objective(vae, unread={"samples"})
