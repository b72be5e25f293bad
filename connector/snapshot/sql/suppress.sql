-- Erased stays erased: whoever is on the list is sent nothing any more, whatever the mapping says.
-- The list holds HMAC-SHA256 of the uid (RFC 2104), never the uid.
UPDATE decisions
SET decision = 'suppressed'
WHERE decision IN ('upsert', 'soft_delete', 'hard_delete', 'event')
  AND sha256(
    $outer::BLOB
    || unhex(sha256($inner::BLOB || encode(CASE WHEN $events THEN subject ELSE key END)))
  ) IN (SELECT uid_hash FROM suppressions);
