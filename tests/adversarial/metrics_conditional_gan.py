"""As adversarial/dcgan, which also computes metrics of classes; fakes are generated for the requested classes."""

from tests.adversarial.metrics_dcgan import COUNT, FIELDS, FLOAT32, NAMES, evaluate, logs, preview  # noqa: F401
