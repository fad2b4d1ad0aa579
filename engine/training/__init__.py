"""Training of all models: which there are, when each is due, and the child process that learns.

Owns the table of trainers, the weekly timetable and the runner. A trainer is one file in `jobs/`. Nothing is fit in the
engine's own process: it only starts the child, reads its progress, and takes over what was promoted.
"""
