"""Dagster over a project of mappings: one asset for each, synced by the run that materializes it.

`dagster dev -m dagster_defs.definitions` serves the mappings of a folder as they are; another
project adds them with a `defs.yaml` of type `dagster_defs.SyncMappingsComponent`.
"""

from dagster_defs.backfill import Backfills
from dagster_defs.component import SyncMappingsComponent
from dagster_defs.sync import SyncConfig

__all__ = ["Backfills", "SyncConfig", "SyncMappingsComponent"]
