"""How the parameters begin that the experiment of foundations/f_divergence learns without a network."""

import math

from shared_specs.rows import begins_at

OWN = {"mean": begins_at(0.0), "log_std": begins_at(math.log(3.0))}
