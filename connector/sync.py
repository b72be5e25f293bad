"""Walks the road of a row: read, stage, diff, guard, send, acknowledge."""
