"""Initial values of the pixels' logits in adversarial/style_transfer, the only parameters outside networks."""

from shared_specs.rows import begins_normal

OWN = {"pixels": begins_normal(1.0)}
