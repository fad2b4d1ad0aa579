"""The version of the product. Costs nothing to import."""

VERSION = "0.1.0"
