-- Replace what the rules refused before by what they refuse now, keeping since when. A key that
-- cannot be used is kept for people to look at; `unaddressable` lists those of an erasure feed.
BEGIN;

CREATE OR REPLACE TEMP TABLE refused AS
SELECT
  coalesce(d.key, u.key) AS key, d.subject, d.fingerprint, v.code, v.field, v.message,
  count(*) AS row_count, min(d.cursor) AS cursor
FROM (
  SELECT *, CASE WHEN is_duplicate THEN 0 ELSE violation END AS number
  FROM decisions
  WHERE decision = 'rejected'
) AS d
JOIN violations AS v ON v.number = d.number
LEFT JOIN unkeyed AS u ON u.row = d.row
GROUP BY ALL
UNION ALL
SELECT
  key, NULL, NULL, 'unaddressable_key', '',
  'the erasure feed names it, and no request can: such a user was never sent', count(*), NULL
FROM unaddressable
GROUP BY key;

CREATE OR REPLACE TEMP TABLE before AS
SELECT * FROM state.rejects WHERE origin = 'source';

-- A windowed read says nothing of rows before it, but for those it went back for.
DELETE FROM state.rejects
WHERE origin = 'source' AND (
  $window_start IS NULL OR cursor >= $window_start OR cursor IS NULL
  OR key IN (SELECT key FROM retried)
);

INSERT INTO state.rejects
SELECT
  'source', NULL, n.key, n.subject, n.fingerprint, $mapping, n.code, n.field, n.message, NULL, n.row_count,
  coalesce(b.attempts, 0) + 1, coalesce(b.first_seen, $now), $now, n.cursor, false
FROM refused AS n
LEFT JOIN before AS b
  ON b.key IS NOT DISTINCT FROM n.key
  AND b.fingerprint IS NOT DISTINCT FROM n.fingerprint
  AND b.code = n.code
  AND b.field IS NOT DISTINCT FROM n.field;

-- What the API refused is of no interest once the row is gone.
DELETE FROM state.rejects
WHERE origin = 'api' AND ($complete OR key IN (SELECT key FROM retried))
  AND NOT EXISTS (FROM scanned WHERE scanned.key = rejects.key)
  AND NOT EXISTS (FROM state.snapshot WHERE snapshot.key = rejects.key);

COMMIT;
