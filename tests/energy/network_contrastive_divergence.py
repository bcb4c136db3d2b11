"""Initialization of the parameters of energy/contrastive_divergence, which has no network."""

from shared_specs.rows import begins_at, begins_normal

OWN = {"weight": begins_normal(0.01), "visible_bias": begins_at(0.0), "hidden_bias": begins_at(0.0)}
