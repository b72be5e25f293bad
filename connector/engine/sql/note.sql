-- Every line that was pulled, and every row that may come to rest. Rows that are refused are looked
-- at each time, for what is said of them; those of erased users are noted nowhere.
BEGIN;

DELETE FROM state.borrowed;

INSERT INTO state.borrowed
WITH rows AS (
  SELECT
    r.key, s.sequen_row AS row_fingerprint, r.fingerprint, d.decision, d.reason,
    sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(
      CASE WHEN $events THEN r.subject ELSE r.key END
    )))) AS uid_hash
  FROM scanned AS r
  JOIN source AS s ON s.rowid = r.row
  LEFT JOIN decisions AS d ON d.row = r.row
  WHERE r.key IS NOT NULL
),
settling AS (
  SELECT
    key,
    any_value(row_fingerprint) AS row_fingerprint,
    any_value(fingerprint) AS fingerprint,
    any_value(uid_hash) AS uid_hash,
    any_value(decision) AS decision,
    any_value(reason) AS reason,
    count(*) AS size
  FROM rows
  WHERE uid_hash IS NULL OR uid_hash NOT IN (SELECT uid_hash FROM suppressions WHERE confirmed)
  GROUP BY key
),
noted AS (
  FROM settling
  WHERE decision IS NULL OR decision NOT IN ('rejected', 'suppressed')
    OR key IN (SELECT key FROM pulled)
)
SELECT
  coalesce(n.key, p.key),
  CASE WHEN n.size = 1 AND coalesce(n.decision, '') NOT IN ('rejected', 'suppressed')
    THEN n.row_fingerprint END,
  -- What is acknowledged by leaving has no fingerprint: until then the row is looked at each time.
  CASE WHEN n.decision IS NULL OR n.decision IN ('upsert', 'event') OR n.reason = 'flagged'
    THEN n.fingerprint END,
  n.key IS NOT NULL,
  coalesce(n.size = 1 AND n.decision = 'skipped', false),
  coalesce(('0x' || left(n.uid_hash, 15))::BIGINT, p.owner),
  $made_by,
  p.made_by
FROM noted AS n
FULL JOIN pulled AS p ON p.key = n.key;

COMMIT;
