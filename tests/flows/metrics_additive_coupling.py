"""As flows/affine_coupling, with logistic noise."""

from torch.distributions import SigmoidTransform, TransformedDistribution, Uniform

from tests.flows.metrics_affine_coupling import bits, points_of

NAMES = ("two_moons", "digits")
FIELDS = {"digits": {"noises": 2}}
LOGISTIC = TransformedDistribution(Uniform(0.0, 1.0, validate_args=False), [SigmoidTransform().inv])


def evaluate(e, data):
    measure = points_of if "point" in data.batch() else bits
    return measure(e, data, lambda z: LOGISTIC.log_prob(z).sum(1))
