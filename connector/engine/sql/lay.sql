-- Lay the lines that the API knows into the snapshot, in the place of all that was there.
BEGIN;

DELETE FROM state.snapshot;

INSERT INTO state.snapshot BY NAME
SELECT
  key,
  subject,
  (fingerprint::HUGEINT + 9223372036854775808)::UBIGINT AS fingerprint,
  (stable::HUGEINT + 9223372036854775808)::UBIGINT AS stable,
  deleted,
  cursor,
  CASE WHEN digests = '' THEN []
    ELSE list_transform(string_split(digests, ' '), lambda d: d::USMALLINT) END AS digests,
  payload
FROM pulled
WHERE known;

COMMIT;
