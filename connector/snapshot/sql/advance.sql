-- Keep of the events what the next read will see again, no more: state is bounded by the lookback.
BEGIN;

-- An event is kept by the cursor it has now: a row may be touched without its event changing, and
-- copies of it may come later than the first. Without a cursor it is read every time.
CREATE OR REPLACE TEMP TABLE moved AS
SELECT s.key, CASE WHEN count(*) = count(r.cursor) THEN max(r.cursor) END AS cursor
FROM scanned AS r
JOIN state.snapshot AS s ON s.key = r.key
WHERE r.cursor IS NULL OR s.cursor IS NULL OR r.cursor > s.cursor
GROUP BY s.key;

UPDATE state.snapshot AS s SET cursor = m.cursor FROM moved AS m WHERE s.key = m.key;

DELETE FROM state.snapshot
WHERE cursor < $before
  OR (cursor IS NULL AND NOT EXISTS (FROM scanned AS r WHERE r.key = snapshot.key));

COMMIT;
