"""All mappings of the project folder, for `dagster dev -m dagster_defs.definitions`.

The folder is `mappings`, or `CONNECTOR_PROJECT`; the target is the project's default, or
`CONNECTOR_TARGET`: as for the command line.
"""

import os
from pathlib import Path

import dagster as dg

from dagster_defs.component import SyncMappingsComponent


@dg.definitions
def defs() -> dg.Definitions:
    """Assets, checks, schedules and jobs of every mapping."""
    folder = Path(os.environ.get("CONNECTOR_PROJECT") or "mappings")
    return dg.build_defs_for_component(SyncMappingsComponent(project=folder, declare_tables=True))
