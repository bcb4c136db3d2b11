"""As autoregressive/pixelcnn."""

from tests.autoregressive.metrics_pixelcnn import COUNT, FIELDS, NAMES, evaluate, logs, preview  # noqa: F401
