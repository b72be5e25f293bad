"""What `dg scaffold defs dagster_defs.SyncMappingsComponent NAME` writes: a `defs.yaml`."""

import dagster as dg
from pydantic import BaseModel, Field


class ScaffoldParams(BaseModel):
    """Options of the scaffolder."""

    project: str = Field(
        default="mappings",
        description="The folder with project.yaml, seen from the root of the Dagster project.",
    )
    target: str | None = Field(default=None, description="The target; left out: the default one.")


class SyncMappingsScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Points a component at a folder of mappings."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """The options."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write `defs.yaml`, or `component.py`."""
        attributes = {"project": "{{ context.project_root }}/" + request.params.project}
        if request.params.target is not None:
            attributes["target"] = request.params.target
        dg.scaffold_component(request, attributes)
