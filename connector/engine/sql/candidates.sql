-- Rows of the source that are not as they were, each with its line, and lines whose row has left.
-- A key that occurs more than once is always looked at, as are those that are asked for.
SELECT
  {columns},
  s.sequen_key, s.sequen_row, s.sequen_here,
  l.key AS sequen_line, l.present AS sequen_present, l.skipped AS sequen_skipped,
  l.known AS sequen_known, l.subject AS sequen_subject, l.fingerprint AS sequen_fingerprint,
  l.stable AS sequen_stable, l.deleted AS sequen_deleted, l.cursor AS sequen_cursor,
  l.digests AS sequen_digests, l.payload AS sequen_payload, l.owner AS sequen_owner,
  l.made_by AS sequen_made_by
FROM (
  SELECT q.*, {key} AS sequen_key, {row} AS sequen_row, 1 AS sequen_here
  FROM (
{raw}
  ) q
) s
FULL JOIN {lines} l ON l.key = s.sequen_key
LEFT JOIN (
{repeated}
) r ON r.key = s.sequen_key
WHERE CASE
  WHEN s.sequen_here IS NULL THEN l.present OR {left} OR l.key IN ({asked}) OR l.owner IN ({owners})
  ELSE {refresh}
    OR l.row_fingerprint IS NULL
    OR l.row_fingerprint <> s.sequen_row
    OR s.sequen_key IN ({asked})
    OR r.key IS NOT NULL
END
