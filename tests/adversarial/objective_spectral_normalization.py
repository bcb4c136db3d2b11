"""The objective of the experiment adversarial/spectral_normalization, by functions with contracts."""

from tests.adversarial.objective_dcgan import dcgan
from tests.support.objectives import Objective

OBJECTIVE = Objective(dcgan, unread={"fakes"})
