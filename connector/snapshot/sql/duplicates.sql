-- Keys that occur more than once in this read. `alike`: all their rows say the same. Few do: they are
-- looked for by a hash, which takes half the time of grouping all rows by their keys.
CREATE OR REPLACE TABLE duplicates AS
SELECT
  key,
  min(row) AS first_row,
  min(fingerprint) = max(fingerprint) AS alike,
  min(row) FILTER (verdict = 2) AS first_erased
FROM scanned
WHERE $sought AND key IS NOT NULL AND hash(key) IN (
  SELECT hash(key) FROM scanned
  WHERE $sought AND key IS NOT NULL
  GROUP BY hash(key)
  HAVING count(*) > 1
)
GROUP BY key
HAVING count(*) > 1;
