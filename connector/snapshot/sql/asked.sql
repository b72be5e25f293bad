-- Whoever was asked to be erased, by this mapping and before now, still is when the row has left: a
-- flag is taken back on the row, not with it. `asked` holds keyed hashes, as `suppressions` does.
CREATE TABLE leaving AS
SELECT key
FROM (SELECT key FROM state.snapshot UNION SELECT key FROM state.unsettled) AS k
WHERE sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(key))))
    IN (SELECT uid_hash FROM asked)
  AND NOT EXISTS (FROM scanned AS r WHERE r.key = k.key);

DELETE FROM decisions WHERE key IN (SELECT key FROM leaving);

INSERT INTO decisions
SELECT key, NULL, NULL, NULL, NULL, NULL, false, true, false, 'hard_delete', 'erased' FROM leaving;
