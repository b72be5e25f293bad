"""The API side, to be used without the API: a real HTTP server with the documented rules.

    with Sandbox(Settings(faults="e503=0.05")) as sandbox:
        ...  # a target with base_url=sandbox.base_url and api_key "sandbox"
        sandbox.counts()["live"]

`spawn` starts one in a process of its own, `connector sandbox` from the command line. It knows
nothing of the rest of this package.
"""

from connector.sandbox.admin import is_loopback
from connector.sandbox.faults import Faults, Poison
from connector.sandbox.handle import Handle, address
from connector.sandbox.server import Sandbox, SandboxProcess, listen, serve, spawn
from connector.sandbox.settings import Quota, Settings
from connector.sandbox.store import NotASandboxFile

__all__ = [
    "Faults",
    "Handle",
    "NotASandboxFile",
    "Poison",
    "Quota",
    "Sandbox",
    "SandboxProcess",
    "Settings",
    "address",
    "is_loopback",
    "listen",
    "serve",
    "spawn",
]
