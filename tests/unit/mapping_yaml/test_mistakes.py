"""Every kind of mistake in a mapping file, and what is said about it, where."""

import pytest

from tests.support.project_folder import ProjectFolder
from tests.unit.mapping_yaml.examples import CLICKS, MANY_TYPES, RECOMMENDATIONS, USERS

EXAMPLES = {"users": USERS, "clicks": CLICKS, "many": MANY_TYPES, "recs": RECOMMENDATIONS}
PII = "add `pii: hash`, `pii: redact` or `pii: allow`"


@pytest.mark.parametrize(
    ("example", "right", "wrong", "said"),
    [
        ("users", "fields:", "filds:", [
            "m.yaml:1:1: 'fields' is missing",
            "m.yaml:7:1: unknown key 'filds'; did you mean 'fields'?"]),
        ("users", "kind: users", "kind: user", [
            "m.yaml:3:7: 'kind' must be users, events or recommendations;"
            " did you mean 'users'?"]),
        ("users", "kind: users", "", [
            "m.yaml:1:1: 'kind' is missing; one of users, events, recommendations"]),
        ("users", "version: 1", "version: 2", ["m.yaml:1:10: 'version' must be 1, not '2'"]),
        ("users", "source: warehouse", "source: warehose", [
            "m.yaml:4:9: 'warehose' is no source of project.yaml; did you mean 'warehouse'?"]),
        ("users", "source: warehouse", "source: xyz", [
            "m.yaml:4:9: 'xyz' is no source of project.yaml; its sources: files, warehouse"]),
        ("users", "source: warehouse", "source: 7", [
            "m.yaml:4:9: 'source' must be text; put it in quotes"]),
        ("users", "source: warehouse", "source:", [
            "m.yaml:4:1: 'source' has no value; give it one, or leave the key out"]),
        ("users", "where:", "query: select 1 #", [
            "m.yaml:6:1: both `table:` and `query:`; give one of them"]),
        ("clicks", "table: analytics.clicks", "", [
            "m.yaml:1:1: nothing to read: give `table:` or `query:`"]),
        ("users", "uid: user_id", "user: user_id", [
            "m.yaml:7:1: a users mapping needs the field 'uid'"]),
        ("users", "uid: user_id", "uid: {expr: user_id, typ: string}", [
            "m.yaml:8:24: unknown key 'typ'; did you mean 'type'?"]),
        ("users", "uid: user_id", "uid: {value: user_id}", [
            "m.yaml:8:16: 'uid' cannot be the same for every row; name a column, with `expr:`"]),
        ("users", "uid: user_id", "uid: {type: string}", [
            "m.yaml:8:8: a field has either `expr:` (a DuckDB expression) or `value:` (a constant)"
        ]),
        ("users", "upper(country_code)", "[a, b]", [
            "m.yaml:9:12: a field is a DuckDB expression, or {expr: …, type: …};"
            " put an expression that begins with a bracket in quotes"]),
        ("users", "upper(country_code)", "{'a': b}", [
            "m.yaml:9:12: a field is a DuckDB expression, or {expr: …, type: …};"
            " put an expression that begins with a bracket in quotes"]),
        ("users", 'expr: "coalesce(orders, 0)"', "expr: coalesce(orders, 0)", [
            "m.yaml:13:41: '0)' has no value;"
            " inside {…} a comma ends the value: put a value that holds one in quotes"]),
        ("users", "type: number", "type: integer", [
            "m.yaml:13:53: this is no field type of the platform; write 'number'"]),
        ("users", "type: number", "type: nummer", [
            "m.yaml:13:53: 'type' must be string, number, boolean, array<string>, time, embedding,"
            " relation, object or array<object>, not 'nummer'; did you mean 'number'?"]),
        ("users", "type: number", "type: object", [
            "m.yaml:13:3: 'total_orders' is an object, which only events may hold;"
            " map what is in it as fields of their own"]),
        ("users", "created_at: signup_ts", "created_at: {expr: signup_ts, type: string}", [
            "m.yaml:10:3: 'created_at' is reserved: its type is time, not string;"
            " leave `type:` out"]),
        ("users", "loyalty_tier", "_table", [
            "m.yaml:11:3: '_table' cannot be mapped: the platform sets it itself; leave it out"]),
        ("users", "loyalty_tier", "is_deleted", [
            "m.yaml:11:3: 'is_deleted' is mapped, and `deletes.soft_when` is given; choose one"]),
        ("users", "loyalty_tier", '"a\\nb"', [
            "m.yaml:11:3: a field needs a name without control characters"]),
        ("users", "{expr: email, pii: hash}", "email", [
            "m.yaml:14:3: 'email_hash' reads 'email', which looks like direct personal data; "
            + PII]),
        ("users", "loyalty_tier: tier", "phone: tier", [
            "m.yaml:11:3: 'phone' looks like direct personal data; " + PII]),
        ("users", "email, pii: hash", "email, pii: encrypt", [
            "m.yaml:14:34: 'pii' must be hash, redact or allow, not 'encrypt'"]),
        ("users", "email, pii: hash", "email, pii: hash, type: number", [
            "m.yaml:14:3: 'email_hash' is of type number, and what hash sends is text;"
            " declare `type: string`"]),
        ("users", "uid: user_id", "uid: {expr: email, pii: redact}", [
            "m.yaml:8:3: 'uid' cannot be redacted: it would be the same for every row;"
            " `pii: hash` keeps them apart"]),
        ("users", "value: gold", "value: gold, pii: hash", [
            "m.yaml:15:17: 'plan' is a constant, which needs no `pii:`"]),
        ("users", "value: gold", "value: gold, type: number", [
            "m.yaml:15:17: 'plan' is of type number; this value is not"]),
        ("users", "value: gold", "value: 9007199254740993", [
            "m.yaml:15:17: this number cannot be sent exactly: it is beyond 2^53;"
            " put it in quotes, as text"]),
        ("users", "value: gold", "value: {a: b}", [
            "m.yaml:15:17: a constant is text, a number, true, false, or a list of texts;"
            " anything else is an `expr:`"]),
        ("users", "on_invalid: reject", "on_invalid: rejct", [
            "m.yaml:16:13: 'on_invalid' must be reject or drop_field, not 'rejct';"
            " did you mean 'reject'?"]),
        ("users", "missing: soft", "missing: true", [
            "m.yaml:18:12: 'missing' must be soft, hard or keep, not 'true'"]),
        ("users", ", key: user_id", "", ["m.yaml:21:3: 'key' is missing"]),
        ("users", "table: gdpr.erasure_requests, ", "", [
            "m.yaml:21:3: nothing to read: give `table:` or `query:`"]),
        ("users", "{table: gdpr.erasure_requests, ", "{table: a, source: b, ", [
            "m.yaml:21:32: 'b' is no source of project.yaml; its sources: files, warehouse"]),
        ("users", "max_delete_fraction: 0.15", "max_delete_fraction: 15", [
            "m.yaml:22:33: 'max_delete_fraction' must be at most 1"]),
        ("users", "max_deletes: null", "max_deletes: -1", [
            "m.yaml:22:52: 'max_deletes' must be at least 0"]),
        ("users", "max_erasures: 1000", "max_erasures: 10.5", [
            "m.yaml:22:72: 'max_erasures' must be a whole number"]),
        ("users", "when: gdpr_consent, ", "", ["m.yaml:23:1: 'when' is missing"]),
        ("users", '"0 * * * *"', "every hour", [
            "m.yaml:24:11: this is no cron schedule;"
            ' write five fields, such as "0 * * * *", or @hourly']),
        ("users", "tags: [core]", "tags: core", [
            "m.yaml:25:7: 'tags' must be a list; write [one, another]"]),
        ("users", "require: good", "require: great", [
            "m.yaml:26:21: 'require' must be good, better or best, not 'great'"]),
        ("users", "{previous_reviews:", "{previous_review:", [
            "m.yaml:26:52: 'previous_review' is no attribute of the coverage report;"
            " did you mean 'previous_reviews'?"]),
        ("users", "keep: payload", "keep: all", [
            "m.yaml:28:18: 'keep' must be fingerprint or payload, not 'all'"]),
        ("users", "max_reject_percent: 2", "max_reject_percent: 101", [
            "m.yaml:31:21: 'max_reject_percent' must be at most 100"]),
        ("users", "name: users", "name: .users", [
            "m.yaml:2:7: the name of a mapping may not begin with a dot"]),
        ("users", "name: users", 'name: "a\\tb"', [
            "m.yaml:2:8: the name of a mapping may hold neither control characters"
            " nor spaces at its ends"]),
        ("users", "name: users", f"name: {'n' * 121}", [
            "m.yaml:2:7: the name of a mapping is too long: it is also the name of a file"]),
        ("users", "tags: [core]", "cursor: x", [
            "m.yaml:25:1: 'cursor' belongs to events mappings; this one is of kind users"]),
        ("clicks", "cursor: occurred_at", "deletes: {missing: hard}", [
            "m.yaml:5:1: 'deletes' belongs to users mappings; this one is of kind events",
            "m.yaml:6:1: `lookback:` needs a `cursor:` to look back from"]),
        ("clicks", "lookback: 3 days", "lookback: 3 parsecs", [
            "m.yaml:6:11: this is no duration; write one as 30s, 90 minutes, 6h or 3 days"]),
        ("clicks", "lookback: 3 days", "lookback: 3", [
            "m.yaml:6:11: this is no duration; write one as 30s, 90 minutes, 6h or 3 days"]),
        ("clicks", "type: click", "", ["m.yaml:1:1: 'type' is missing"]),
        ("clicks", "type: click", "type: [click]", [
            "m.yaml:4:7: 'type' must be a mapping of keys to values"]),
        ("clicks", "type: click", "type: {value: click, expr: x}", [
            "m.yaml:4:7: `type:` is the name of a type, or {expr: …} of where to read it"]),
        ("clicks", "type: click", "type: impression", [
            "m.yaml:4:7: an event of type 'impression' needs the field 'rank'"]),
        ("clicks", "type: click  ", "types: {scroll: {}}\ntype: click #", [
            "m.yaml:4:9: no event is a 'scroll': `type:` is 'click';"
            " read the type from a column: {expr: …}"]),
        ("clicks", "original_timestamp", "timestamp", [
            "m.yaml:7:1: an events mapping needs the field 'original_timestamp'"]),
        ("clicks", "uid: user_id", "user: user_id", [
            "m.yaml:7:1: an events mapping needs at least one of the fields uid, sid and cid"]),
        ("clicks", "item_id: sku", "item: sku", [
            "m.yaml:4:7: an event of type 'click' needs the field 'item_id'"]),
        ("clicks", "device:", "type:", [
            "m.yaml:13:3: 'type' is not among the fields;"
            " give the type by the mapping's own `type:`"]),
        ("clicks", "device:", "ingest_timestamp:", [
            "m.yaml:13:3: 'ingest_timestamp' cannot be mapped:"
            " the platform sets it itself when the event arrives; leave it out"]),
        ("clicks", "device: {expr: \"{'platform': os, 'version': os_version}\", type: object}",
         "rank: {value: 1.5}", ["m.yaml:13:17: 'rank' must be a whole number"]),
        ("many", "rank: position", "ranking: position", [
            "m.yaml:16:3: an event of type 'impression' needs the field 'rank'"]),
        ("many", "click_type: what", "ingest_timestamp: what", [
            "m.yaml:13:3: an event of type 'click' needs the field 'click_type'",
            "m.yaml:14:14: 'ingest_timestamp' cannot be mapped:"
            " the platform sets it itself when the event arrives; leave it out"]),
        ("many", "click_type: what", "click_type: what, email: e", [
            "m.yaml:14:32: 'email' looks like direct personal data; " + PII]),
        ("recs", "item_ids: candidates", "item_idz: candidates", [
            "m.yaml:6:1: a recommendations mapping needs exactly one of the fields"
            " item_ids and items",
            "m.yaml:8:3: 'item_idz' is no field of a recommendation request;"
            " did you mean 'item_ids'?"]),
        ("recs", "  context:", "  items: x\n  context:", [
            "m.yaml:6:1: a recommendations mapping needs exactly one of the fields"
            " item_ids and items"]),
        ("recs", "user_id: user_id", "context2: user_id", [
            "m.yaml:6:1: a recommendations mapping needs the field user_id or session_id, or both",
            "m.yaml:7:3: 'context2' is no field of a recommendation request;"
            " did you mean 'context'?"]),
        ("recs", "limit: 10", "model_name: m", [
            "m.yaml:5:1: give either `model_id:` or `model_name:`"]),
        ("recs", "model_id: test_model_item_200", "", [
            "m.yaml:1:1: give either `model_id:` or `model_name:`"]),
        ("recs", "limit: 10", "limit: 0", ["m.yaml:5:8: 'limit' must be at least 1"]),
        ("recs", "limit: 10", "engine: warehouse", [
            "m.yaml:5:1: 'engine' belongs to users and events mappings;"
            " this one is of kind recommendations"]),
        ("recs", "{table: analytics.recommendations}", "{source: files}", [
            "m.yaml:10:1: `write_to:` needs either `table:` or `path:`"]),
        ("recs", "{table: analytics.recommendations}", "{path: a, source: files}", [
            "m.yaml:10:21: a file is in no source; leave `source:` out"]),
    ],
)  # fmt: skip
def test_a_mistake_is_explained_where_it_stands(
    folder: ProjectFolder, example: str, right: str, wrong: str, said: list[str]
) -> None:
    assert right in EXAMPLES[example]
    folder.write("m.yaml", EXAMPLES[example].replace(right, wrong, 1))
    assert folder.mistakes() == said


def test_the_examples_hold_no_mistake(folder: ProjectFolder) -> None:
    for name, text in EXAMPLES.items():
        folder.write(f"{name}.yaml", text)
    assert folder.mistakes() == []


def test_all_mistakes_of_all_files_are_shown_at_once_in_their_order(folder: ProjectFolder) -> None:
    folder.write("a.yaml", "kind: users\nknd: x\nsource: nowhere\n")
    folder.write("b.yaml", "kind: 'users\n")
    folder.write("project.yaml", "sources: {w: {type: duck}}\ntargts: {}\n")
    assert folder.mistakes() == [
        "a.yaml:1:1: 'fields' is missing",
        "a.yaml:1:1: nothing to read: give `table:` or `query:`",
        "a.yaml:2:1: unknown key 'knd'; did you mean 'kind'?",
        "a.yaml:3:9: 'nowhere' is no source of project.yaml; its sources: w",
        "b.yaml:1:7: a quote is opened here and never closed; close it",
        "project.yaml:1:1: 'targets' is missing",
        "project.yaml:1:21: 'type' must be duckdb, files, sqlalchemy or snowflake, not 'duck'; "
        "did you mean 'duckdb'?",
        "project.yaml:2:1: unknown key 'targts'; did you mean 'targets'?",
    ]


@pytest.mark.parametrize(
    ("example", "right", "wrong", "warned"),
    [
        ("users", "country: upper", "state: upper", [
            "m.yaml:7:1: no field 'country': it decides which privacy law applies,"
            " and improves ranking"]),
        ("users", "loyalty_tier:", "updated_at:", [
            "m.yaml:11:3: 'updated_at' has no effect:"
            " the platform overwrites it at every upsert"]),
        ("users", "reviews: total_orders", "reviews: orders", [
            "m.yaml:26:70: 'orders' is no field of this mapping"]),
        ("clicks", "id: event_id", "x: event_id", [
            "m.yaml:7:1: no field 'id': it is derived from the row,"
            " so that equal rows are one event"]),
        ("clicks", "type: click", "type: clik", [
            "m.yaml:4:7: 'clik' is a custom event type; did you mean 'click'?"]),
        ("clicks", "type: click", "type: Click", [
            "m.yaml:4:7: 'Click' is a custom event type; did you mean 'click'?"]),
        ("clicks", "type: click", "type: video_pause", []),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_a_warning(
    folder: ProjectFolder, example: str, right: str, wrong: str, warned: list[str]
) -> None:
    assert right in EXAMPLES[example]
    folder.write("m.yaml", EXAMPLES[example].replace(right, wrong, 1))
    warnings = [str(each).removeprefix("mappings/") for each in folder.load().warnings]
    assert warnings == warned


def test_two_mappings_may_not_share_a_name_whatever_the_case(folder: ProjectFolder) -> None:
    folder.write("a.yaml", USERS)
    folder.write("sub/Users.yaml", CLICKS)
    folder.write("z.yaml", CLICKS.replace("kind: events", "name: A\nkind: events"))
    folder.write("zz.yaml", CLICKS.replace("kind: events", "kind: events\nname: a"))
    assert folder.mistakes() == [
        "sub/Users.yaml:1:1: 'Users' is already the name of mappings/a.yaml:2:7;"
        " give it another by `name:`",
        "zz.yaml:2:7: 'a' is already the name of mappings/z.yaml:1:7; give it another by `name:`",
    ]
