"""Widgets drawn line by line: one idea per file, no knowledge of screens."""
