"""Parts of training shared by experiments of several families: adversarial games, maximum likelihood of flows, rates."""
