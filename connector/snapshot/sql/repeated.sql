-- Whether a key came more than once, told by counting what was decided as if none had. The snapshot
-- holds each key once: then as many rows have met a key of it as keys of it have met a row.
SELECT
  (SELECT count(*) FROM scanned) - count(row) FILTER (is_new)
    <> (SELECT count(*) FROM state.snapshot) - count(*) FILTER (row IS NULL AND NOT is_new)
  OR count(DISTINCT key) FILTER (is_new AND row IS NOT NULL)
    <> count(key) FILTER (is_new AND row IS NOT NULL)
FROM decisions;
