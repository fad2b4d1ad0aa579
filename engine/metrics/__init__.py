"""Metrics over time: samples into rollups, the engine's own figures, and questions about both."""
