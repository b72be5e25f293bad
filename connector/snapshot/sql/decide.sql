-- What becomes of every row of the source and every key of the snapshot; nothing is written for
-- those that stay as they are. Decisions: upsert, soft_delete, hard_delete, event (to be sent);
-- rejected, skipped, repeated (not to be sent). The verdicts are those of `connector.row`; `feed`
-- lists the keys of an erasure feed. `is_new` are those that the snapshot does not hold; keys that it
-- holds and that stay as they are without a row have no decision, and are removed in the end.
CREATE OR REPLACE TABLE decisions AS
WITH held AS (
  -- Refused by the API, and neither the row nor the mapping has changed since. An erasure that was
  -- refused is tried every time.
  SELECT DISTINCT key, fingerprint
  FROM state.rejects
  WHERE origin = 'api' AND mapping = $mapping AND NOT retry AND operation <> 'hard_delete'
),
unsettled AS (
  SELECT DISTINCT key FROM state.unsettled
),
judged AS (
  SELECT
    coalesce(r.key, s.key) AS key,
    r.row,
    r.fingerprint,
    r.cursor,
    r.subject,
    r.violation,
    d.key IS NOT NULL AND NOT ($events AND d.alike) AS is_duplicate,
    coalesce(s.key, u.key) IS NOT NULL AS is_known,
    s.key IS NULL AS is_new,
    u.key IS NULL AND coalesce(s.deleted, false) AS is_deleted,
    CASE
      WHEN r.row IS NULL THEN 'left'
      WHEN s.key IS NULL THEN 'new'
      WHEN s.deleted AND r.verdict = 0 THEN 'returned'
      WHEN s.fingerprint IS DISTINCT FROM r.fingerprint THEN 'changed'
      WHEN u.key IS NOT NULL THEN 'unsettled'
      WHEN $refresh THEN 'refreshed'
    END AS difference,
    CASE
      WHEN f.key IS NOT NULL THEN
        CASE WHEN d.key IS NULL OR r.row = d.first_row THEN 'fed' ELSE 'repeated' END
      WHEN r.row IS NULL THEN CASE WHEN h.key IS NULL THEN 'gone' END
      WHEN r.key IS NULL THEN 'rejected'
      WHEN d.first_erased = r.row THEN 'erase'
      WHEN d.first_erased IS NOT NULL THEN 'repeated'
      WHEN r.verdict = 2 THEN 'erase'
      WHEN r.verdict = 3 THEN 'skipped'
      WHEN d.key IS NOT NULL AND NOT ($events AND d.alike) THEN 'rejected'
      WHEN r.row <> d.first_row THEN 'repeated'
      WHEN r.verdict = 4 THEN 'withdraw_soft'
      WHEN r.verdict = 5 THEN 'withdraw_hard'
      WHEN r.violation IS NOT NULL OR h.key IS NOT NULL THEN 'rejected'
      WHEN r.verdict = 1 THEN 'flag'
      ELSE 'send'
    END AS course
  FROM scanned AS r
  FULL JOIN state.snapshot AS s ON s.key = r.key
  LEFT JOIN unsettled AS u ON u.key = coalesce(r.key, s.key)
  LEFT JOIN duplicates AS d ON d.key = r.key
  LEFT JOIN feed AS f ON f.key = coalesce(r.key, s.key)
  LEFT JOIN held AS h
    ON h.key = coalesce(r.key, s.key) AND h.fingerprint IS NOT DISTINCT FROM r.fingerprint
),
decided AS (
  SELECT
    *,
    CASE course
      WHEN 'gone' THEN
        CASE
          WHEN NOT $complete THEN NULL
          WHEN $missing = 'soft' AND NOT is_deleted THEN 'soft_delete'
          WHEN $missing = 'hard' THEN 'hard_delete'
        END
      WHEN 'erase' THEN 'hard_delete'
      WHEN 'fed' THEN 'hard_delete'
      WHEN 'withdraw_soft' THEN
        CASE WHEN is_known AND NOT is_deleted THEN 'soft_delete' ELSE 'skipped' END
      WHEN 'withdraw_hard' THEN CASE WHEN is_known THEN 'hard_delete' ELSE 'skipped' END
      WHEN 'flag' THEN CASE WHEN difference IS NOT NULL THEN 'soft_delete' END
      WHEN 'send' THEN
        CASE WHEN difference IS NOT NULL THEN CASE WHEN $events THEN 'event' ELSE 'upsert' END END
      ELSE course
    END AS decision,
    CASE course
      WHEN 'gone' THEN 'left'
      WHEN 'erase' THEN 'erased'
      WHEN 'fed' THEN 'feed'
      WHEN 'withdraw_soft' THEN 'consent'
      WHEN 'withdraw_hard' THEN 'consent'
      WHEN 'flag' THEN 'flagged'
      ELSE difference
    END AS reason
  FROM judged
)
SELECT
  key, row, fingerprint, cursor, subject, violation, is_duplicate, is_known, is_new, decision, reason
FROM decided
WHERE decision IS NOT NULL OR row IS NULL
UNION ALL
-- Sent once, never settled, and gone since.
SELECT u.key, NULL, NULL, NULL, NULL, NULL, false, true, true, $missing || '_delete', 'left'
FROM unsettled AS u
WHERE $complete AND $missing <> 'keep'
  AND NOT EXISTS (FROM scanned AS r WHERE r.key = u.key)
  AND NOT EXISTS (FROM state.snapshot AS s WHERE s.key = u.key)
  AND NOT EXISTS (FROM feed AS f WHERE f.key = u.key)
UNION ALL
-- Whoever asks to be erased is, though never synced: another system may have sent them.
SELECT f.key, NULL, NULL, NULL, NULL, NULL, false, false, true, 'hard_delete', 'feed'
FROM feed AS f
WHERE NOT EXISTS (FROM scanned AS r WHERE r.key = f.key)
  AND NOT EXISTS (FROM state.snapshot AS s WHERE s.key = f.key);
