"""Which examples a training step sees: data sets, their order, their place, streaming and augmentation."""
