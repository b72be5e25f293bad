-- Keys that have to be looked at whatever their rows say: handed out and never settled, refused by
-- the API, or listed by the erasure feed and not erased yet.
SELECT key FROM state.unsettled
UNION
SELECT key FROM state.rejects WHERE origin = 'api' AND key IS NOT NULL
UNION
SELECT key
FROM feed
WHERE sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(key))))
  NOT IN (SELECT uid_hash FROM suppressions WHERE confirmed)
