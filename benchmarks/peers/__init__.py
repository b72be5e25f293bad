"""What others do with the same rows: one script a peer, run by that peer's own interpreter.

    python -m benchmarks.peers.with_dlt PORT events|users ROWS

Run in a folder that holds `w.duckdb`; prints rows a second, without the time it takes to start.
Nothing here may import from outside this package: a peer's environment has no more than it needs.
"""
