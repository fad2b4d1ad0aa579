"""What an act asks before it is sent: one file per dialog, all by keys, escape leaves."""
