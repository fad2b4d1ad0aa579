"""Playbooks: from a YAML file to steps that are done once, on the line and from the outbox."""
