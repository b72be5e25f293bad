-- Erased stays erased: whoever is on the list is sent nothing any more, whatever the mapping says.
-- An erasure that is asked for and not yet confirmed stops everything but the delete itself. The
-- list holds HMAC-SHA256 of the uid (RFC 2104), never the uid.
UPDATE decisions
SET decision = 'suppressed'
FROM suppressions AS listed
WHERE decision IN ('upsert', 'soft_delete', 'hard_delete', 'event', 'rejected')
  AND (listed.confirmed OR decision <> 'hard_delete')
  AND listed.uid_hash = sha256(
    $outer::BLOB
    || unhex(sha256($inner::BLOB || encode(CASE WHEN $events THEN subject ELSE key END)))
  );

-- Keys that are only in the snapshot or in a feed are no rows of the source.
DELETE FROM decisions WHERE decision = 'suppressed' AND row IS NULL;
