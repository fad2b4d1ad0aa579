"""Learned models: small tree ensembles as JSON, the registry that keeps them, and the walker that scores with them.

Owns what is common to every learner. Never imports xgboost outside a training process, never reads a pickle.
"""
