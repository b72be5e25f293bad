"""The demo: a generated warehouse, and a day that changes it."""
