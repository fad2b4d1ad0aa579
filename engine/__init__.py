"""The engine: sources in, the line, effects out. Start reading at `engine/README.md`."""
