"""Real tables as events of several types: what arrives is what the source holds, type by type."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from connector.project import load_project
from connector.sandbox import Sandbox
from connector.sync import sync

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")

PROJECT = """\
sources:
  files: {{type: files, path: {data}}}
targets:
  far: {{base_url: "{base_url}", api_key: sandbox}}
state: {{path: state}}
"""

RETAIL_TYPE = "case when InvoiceNo like 'C%' then 'order_cancelled' else 'conversion' end"

RETAIL = f"""\
kind: events
source: files
table: retail_orders.parquet
where: {{where}}
type: {{{{expr: "{RETAIL_TYPE}"}}}}
cursor: InvoiceDate
lookback: 3 days
fields:
  original_timestamp: InvoiceDate
  uid: try_cast(CustomerID as double)::bigint
  sid: InvoiceNo
  item_id: StockCode
  quantity: {{{{expr: Quantity, type: number}}}}
  unit_price: {{{{expr: UnitPrice, type: number}}}}
  country: Country
  description: Description
types:
  conversion:
    fields:
      conversion_type: {{{{value: purchase}}}}
      item_ids: {{{{expr: "[StockCode]", type: array<string>}}}}
"""

LOYALTY_TYPE = (
    "case when \\\"Points Redeemed\\\" > 0 then 'redemption' "
    "when \\\"Total Flights\\\" > 0 then 'flights' else 'month_at_home' end"
)

LOYALTY = f"""\
kind: events
source: files
table: loyalty_activity.parquet
where: {{where}}
type: {{{{expr: "{LOYALTY_TYPE}"}}}}
fields:
  original_timestamp: {{{{expr: "make_date(Year, Month, 1)", type: time}}}}
  uid: Loyalty Number
  flights: {{{{expr: Total Flights, type: number}}}}
  booked: {{{{expr: Flights Booked, type: number}}}}
  with_companions: {{{{expr: Flights with Companions, type: number}}}}
  distance: {{{{expr: Distance, type: number}}}}
  points: {{{{expr: Points Accumulated, type: number}}}}
  redeemed: {{{{expr: Points Redeemed, type: number}}}}
  cost: {{{{expr: Dollar Cost Points Redeemed, type: number}}}}
"""

LONG = [pytest.mark.chaos, pytest.mark.timeout(1800)]


def by_type(table: str, type_: str, where: str) -> dict[str, int]:
    """How many different rows of each type the source holds."""
    columns = "* exclude (src_day)" if "retail" in table else "*"
    query = (
        f"select {type_} as type, count(*) from (select distinct {columns} "  # noqa: S608 - ours
        f"from '{DATA / table}' where {where}) group by type"
    )
    return dict(duckdb.sql(query).fetchall())


@pytest.mark.parametrize(
    ("table", "mapping", "type_", "where"),
    [
        ("retail_orders.parquet", RETAIL, RETAIL_TYPE, "InvoiceDate < timestamp '2010-12-10'"),
        ("loyalty_activity.parquet", LOYALTY, LOYALTY_TYPE, "Year = 2017 and Month = 6"),
        pytest.param("retail_orders.parquet", RETAIL, RETAIL_TYPE, "Quantity <> 0", marks=LONG),
        pytest.param("loyalty_activity.parquet", LOYALTY, LOYALTY_TYPE, "Month > 0", marks=LONG),
    ],
)
def test_counts_by_type_match_the_source(
    tmp_path: Path, far: Sandbox, table: str, mapping: str, type_: str, where: str
) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    text = PROJECT.format(data=DATA, base_url=far.base_url)
    (folder / "project.yaml").write_text(text)
    (folder / "orders.yaml").write_text(mapping.format(where=where))
    project = load_project(folder)
    expected = by_type(table, type_.replace('\\"', '"'), where)
    report = sync(project, project.select(), target=project.target())
    assert report.exit_code == 0, report.mappings[0].error
    assert far.counts()["events_by_type"] == expected
    assert report.mappings[0].types == expected
    assert report.mappings[0].rejected == 0
    again = sync(project, project.select(), target=project.target())
    assert again.mappings[0].planned == 0
    assert far.counts()["repeats"] == 0
