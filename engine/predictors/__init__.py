"""What is likely to go wrong soon: one file per predictor, each behind the interface of `predictor.py`.

    features → probability (model or heuristic) → prediction → alert → outcome → record → training

Owns everything between the records of the world and the predictions about them. Never imports numpy or XGBoost where
the line runs, but for scoring many rows at once; training is a process of its own.
"""
