"""The HTTP side of the engine: one route table, one gate, intake, the REST reads and acts, and the feed.

Translates between the wire and `engine.service.Service`. Never decides anything about alerts, never touches the store.
"""
