"""The command line, one module per command. Modules import what is heavy inside their functions."""
