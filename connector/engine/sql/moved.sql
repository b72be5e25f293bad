-- A snapshot that lay in the state file; with no fingerprint of its row each line is looked at.
SELECT
  key,
  NULL::VARCHAR AS row_fingerprint,
  true AS present,
  false AS skipped,
  true AS known,
  subject,
  (fingerprint::HUGEINT - 9223372036854775808)::BIGINT AS fingerprint,
  (stable::HUGEINT - 9223372036854775808)::BIGINT AS stable,
  deleted,
  cursor,
  array_to_string(digests, ' ') AS digests,
  payload,
  ('0x' || left(sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(
    CASE WHEN $events THEN subject ELSE key END
  )))), 15))::BIGINT AS owner,
  $made_by::VARCHAR AS made_by
FROM state.snapshot
