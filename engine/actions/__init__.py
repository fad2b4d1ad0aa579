"""Actions: everything done outside, one module per type. A module that has an ACTION is found by itself."""
