"Data sets, losses, the training loop, and numbers with their protocol."
