-- Lines as they are after a sync. One that has been settled carries the fingerprint of its row.
SELECT
  b.key,
  CASE WHEN b.present AND (b.skipped OR s.fingerprint = b.fingerprint) THEN b.row_fingerprint END
    AS row_fingerprint,
  b.present,
  b.present AND b.skipped AS skipped,
  s.key IS NOT NULL AS known,
  s.subject,
  (s.fingerprint::HUGEINT - 9223372036854775808)::BIGINT AS fingerprint,
  (s.stable::HUGEINT - 9223372036854775808)::BIGINT AS stable,
  coalesce(s.deleted, false) AS deleted,
  s.cursor,
  array_to_string(s.digests, ' ') AS digests,
  s.payload,
  b.owner,
  CASE WHEN s.fingerprint = b.fingerprint OR b.made_by_before IS NULL THEN b.made_by
    ELSE b.made_by_before END AS made_by
FROM state.borrowed AS b
LEFT JOIN state.snapshot AS s ON s.key = b.key
WHERE s.key IS NOT NULL OR b.skipped
