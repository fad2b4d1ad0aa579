"""The console: screens, widgets and keys over an EngineClient; never knows the engine's inside."""
