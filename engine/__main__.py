"""`python -m engine`: the engine alone, configured by file and environment only. `noc-console headless` has options."""

from __future__ import annotations

import sys

from engine.config import ConfigError, load
from engine.serve import serve


def main() -> int:
    """→ the exit code: 0 after SIGTERM, 2 for a wrong configuration, 130 after Ctrl-C."""
    try:
        serve(load, say=lambda line: print(line, file=sys.stderr, flush=True))
    except ConfigError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
