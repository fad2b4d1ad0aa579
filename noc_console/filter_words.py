"""Text from data as a value in the query language. Owns the quoting that console pages use. Never parses."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """
    >>> quoted('the "old" site')
    '"the \\\\"old\\\\" site"'
    """
    return json.dumps(text, ensure_ascii=False)
