"""A seeded operation with ground truth: `Simulator(seed).events(until)` and `.truth`.

Pure: no clock, no files, no network. `source` alone knows the engine's ports.
"""

from __future__ import annotations

from engine.simulator.scenarios import SCENARIOS
from engine.simulator.simulator import DEFAULT_START, Simulator, rows

__all__ = ["DEFAULT_START", "SCENARIOS", "Simulator", "rows"]
