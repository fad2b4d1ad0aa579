"""One file per screen. A screen owns its logic; the app only wires."""
