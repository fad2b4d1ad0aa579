"""Why a model is not used, as one error."""

from __future__ import annotations


class ModelRefused(Exception):
    """The model cannot be used. `code` is a word for metrics (missing, sha256, size, malformed, parity, slow, nan,
    crash); the text says what was found."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
