"""Which incidents matter most: what is known of their kind, how unusual they are, and a model of both.

Owns the features, the memory behind them, the model and its training. The documented formula that holds until a model
is trained is `engine.stages.prioritise`. Pure but for `training`, which runs where files may be read.
"""
