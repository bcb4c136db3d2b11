"""What the experiment of adversarial/spectral_normalization minimizes, written with functions that have contracts."""

from tests.adversarial.objective_dcgan import dcgan
from tests.support.objectives import Objective

OBJECTIVE = Objective(dcgan, unread={"fakes"})
