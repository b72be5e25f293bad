-- How far the cursor may move: over rows settled, never past one that is still pending, and never
-- into the future, where rows may still come in between. Where nothing was known before ($first),
-- whatever is known of a key by now is of this run; else its fingerprint tells.
SELECT CASE WHEN come IS NOT NULL THEN least(come, coalesce(pending, come)) END
FROM (
  SELECT
    (SELECT max(cursor) FROM scanned WHERE cursor <= $now) AS come,
    (
      SELECT min(d.cursor)
      FROM decisions AS d
      LEFT JOIN state.snapshot AS s
        ON s.key = d.key AND ($first OR s.fingerprint = d.fingerprint)
      LEFT JOIN state.rejects AS r
        ON r.origin = 'api' AND r.key = d.key AND ($first OR r.fingerprint = d.fingerprint)
      WHERE d.decision = 'event' AND s.key IS NULL AND r.key IS NULL
    ) AS pending
);
