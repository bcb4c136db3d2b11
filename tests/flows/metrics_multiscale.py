"""As flows/affine_coupling of two scales."""

from tests.flows.metrics_affine_coupling import STEP, evaluate, preview  # noqa: F401

NAMES = ("digits",)
FIELDS = {"digits": {"noises": 2}}
