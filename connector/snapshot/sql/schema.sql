-- What the API has acknowledged for one mapping and target, and what it refused.

CREATE TABLE state.meta (name VARCHAR, value VARCHAR);

-- One line a key. `subject` is the uid that an event speaks of, by which it is found when that user
-- is erased. `fingerprint` is quick and depends on the DuckDB that made it (meta
-- 'fingerprint_engine'); `stable` is a hash of the payload's bytes and outlives upgrades.
-- A key that was soft-deleted because its row left, or lost consent, has neither. `digests` are 16
-- bits of each field, the first being of their names: they tell a plan which fields changed.
CREATE TABLE state.snapshot (
  key VARCHAR,
  subject VARCHAR,
  fingerprint UBIGINT,
  stable UBIGINT,
  deleted BOOLEAN,
  cursor BIGINT,
  digests USMALLINT[],
  payload VARCHAR
);

-- Acknowledgements since the snapshot was last brought up to date, in the order they came.
CREATE TABLE state.journal (
  key VARCHAR,
  subject VARCHAR,
  operation VARCHAR,
  fingerprint UBIGINT,
  stable UBIGINT,
  cursor BIGINT,
  digests USMALLINT[],
  payload VARCHAR
);

-- Users handed out to be sent and not settled: the API may have what was sent, or may not. Should
-- the row leave or change back before it is settled, the snapshot alone would say all is well. A
-- key may stand here more than once.
CREATE TABLE state.unsettled (key VARCHAR);

-- Rows refused: by a rule before sending ('source'), or by the API ('api'). `row_count` rows look
-- exactly alike. `subject` is the uid that an event speaks of. `mapping` is the version of the
-- mapping that was refused; `retry` asks for another attempt although nothing changed.
CREATE TABLE state.rejects (
  origin VARCHAR,
  operation VARCHAR,
  key VARCHAR,
  subject VARCHAR,
  fingerprint UBIGINT,
  mapping VARCHAR,
  code VARCHAR,
  field VARCHAR,
  message VARCHAR,
  status INTEGER,
  row_count BIGINT,
  attempts BIGINT,
  first_seen TIMESTAMP,
  last_seen TIMESTAMP,
  cursor BIGINT,
  retry BOOLEAN
);
