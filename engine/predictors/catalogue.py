"""The predictors there are: one file each. Owns the list."""

from __future__ import annotations

from collections.abc import Mapping

from data.nouns.predictions import Foretold
from engine.predictors import device, sla, staffing
from engine.predictors.predictor import Predictor

PREDICTORS: Mapping[Foretold, Predictor] = {
    found.name: found for found in (sla.PREDICTOR, device.PREDICTOR, staffing.PREDICTOR)
}
