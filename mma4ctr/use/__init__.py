"""Use a finished run: score pairs, rank items, with the ids of the logs."""
