"""Images and sounds in experiments: units, captions, published data sets, and the common part of their models."""
