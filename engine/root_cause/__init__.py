"""Which alert and which entity of an incident are the culprit: evidence per entity, weighed along what depends on what.

Owns the ranking and its words. Pure; decides nothing but `Incident.root`, which operators see as its likely cause.
"""
