"""Reference tables that ship with the product. Never written at run time."""
