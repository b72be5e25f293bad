-- Keys whose lines are here for the time of a sync, and what they were compared with: a row that
-- leaves this sync with `fingerprint`, or skipped, need not be looked at while it has its
-- `row_fingerprint`.
CREATE TABLE IF NOT EXISTS state.borrowed (
  key VARCHAR,
  row_fingerprint VARCHAR,
  fingerprint UBIGINT,
  present BOOLEAN,
  skipped BOOLEAN,
  owner BIGINT,
  made_by VARCHAR,
  made_by_before VARCHAR
);
