"""What a request costs in each HTTP client: `python -m benchmarks.clients`."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.environments import UnavailableError, interpreter, surroundings
from benchmarks.loopback import served
from benchmarks.measure import ROOT, run

CLIENTS = ("httpx", "httpx over pyreqwest", "aiohttp", "pyreqwest")
ROUNDS = 3


def main() -> None:
    """Each client in turn, 50 requests in flight; medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients")
    parser.add_argument("--requests", type=int, default=5_000, help="a client and round")
    parser.add_argument("--in-flight", type=int, default=50)
    given = parser.parse_args()
    try:
        python = interpreter("clients")
    except UnavailableError as error:
        sys.exit(str(error))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    with served() as port, tempfile.TemporaryDirectory() as home:
        for _ in range(ROUNDS):
            for name, runs in found.items():
                command = [str(python), "-m", "benchmarks.peers.http_clients", name, str(port)]
                command += [str(given.requests), str(given.in_flight)]
                output = run(command, ROOT, surroundings(Path(home))).output
                runs.append(json.loads(output.splitlines()[-1]))
    print(f"{given.requests:,} POSTs, {given.in_flight} in flight, medians of {ROUNDS}")
    for name, runs in found.items():
        rate = statistics.median(each["rate"] for each in runs)
        cost = statistics.median(each["microseconds"] for each in runs)
        print(f"{name:22} {rate:8,.0f} requests/s {cost:8,.0f} µs of processor each")


if __name__ == "__main__":
    main()
