"""What needs trainings of its own to be known: so far, which learning rate."""
