"""As flows/affine_coupling."""

from tests.flows.metrics_affine_coupling import evaluate, preview  # noqa: F401

NAMES = ("two_moons", "digits")
FIELDS = {"digits": {"noises": 2}}
