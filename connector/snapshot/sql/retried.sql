-- Refused rows from before the window that are to be tried again: they were asked for, or the
-- mapping has changed since. A row whose id cannot be used is not among them: it has no key to be told by.
CREATE OR REPLACE TABLE retried AS
SELECT key, min(cursor) AS cursor
FROM state.rejects
WHERE key IS NOT NULL AND cursor < $start AND (retry OR mapping <> $mapping)
  AND NOT (origin = 'source' AND field = 'id')
GROUP BY key;
