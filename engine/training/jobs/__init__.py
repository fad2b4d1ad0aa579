"""One file per model that is learned: see `engine.training.registry`."""
