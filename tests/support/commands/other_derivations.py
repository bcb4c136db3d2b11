"""Another derivation in the place of a lecture's."""

from theory_jax.derivation.loading import derivation_of


def put(monkeypatch, topic, derivation):
    """Let a topic have this derivation.

    The lecture's own is loaded before: the file of its exercises adds them to the derivation that it finds, once.
    """
    derivation_of(topic)
    monkeypatch.setattr(f"theory_jax.lectures.{topic.replace('/', '.')}.derivation", derivation)
