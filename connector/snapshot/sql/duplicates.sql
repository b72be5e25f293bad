-- Keys that occur more than once in this read. `alike`: all their rows say the same.
CREATE OR REPLACE TABLE duplicates AS
SELECT
  key,
  min(row) AS first_row,
  min(fingerprint) = max(fingerprint) AS alike,
  min(row) FILTER (verdict = 2) AS first_erased
FROM scanned
WHERE $sought AND key IS NOT NULL
GROUP BY key
HAVING count(*) > 1;
