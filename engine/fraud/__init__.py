"""Attendance fraud: features of each event, named anomalies, an honest heuristic, the model and its training."""
