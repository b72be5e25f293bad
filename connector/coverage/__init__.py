"""Good, Better, Best: how far the data go, and what would take them further."""
