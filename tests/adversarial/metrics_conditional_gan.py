"""As adversarial/dcgan, whose second computation knows of classes; fakes are made for those that are requested."""

from tests.adversarial.metrics_dcgan import COUNT, FIELDS, FLOAT32, NAMES, evaluate, logs, preview  # noqa: F401
