"""What experiments of several families share in training: adversarial games, maximum likelihood of flows, rates."""
