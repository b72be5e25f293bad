-- Refused rows from before the window that are to be tried again: they were asked for, or the
-- mapping has changed since. A row without a key cannot be told from others, and is not among them.
CREATE OR REPLACE TABLE retried AS
SELECT key, min(cursor) AS cursor
FROM state.rejects
WHERE key IS NOT NULL AND cursor < $start AND (retry OR mapping <> $mapping)
GROUP BY key;
