-- Drop everything that speaks of an erased user: what was acknowledged, and what was refused.
DELETE FROM state.snapshot
WHERE sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(
    CASE WHEN $events THEN subject ELSE key END
  )))) IN (SELECT uid_hash FROM suppressions WHERE confirmed);

DELETE FROM state.unsettled
WHERE sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(key))))
  IN (SELECT uid_hash FROM suppressions WHERE confirmed);

DELETE FROM state.rejects
WHERE sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(
    CASE WHEN $events THEN subject ELSE key END
  )))) IN (SELECT uid_hash FROM suppressions WHERE confirmed);
