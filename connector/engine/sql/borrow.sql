-- Take the lines apart from the rows, and lay those that the API knows into the snapshot.
CREATE OR REPLACE TABLE pulled AS
SELECT DISTINCT ON (sequen_line)
  sequen_line AS key,
  sequen_present AS present,
  sequen_skipped AS skipped,
  sequen_known AS known,
  sequen_subject AS subject,
  sequen_fingerprint AS fingerprint,
  sequen_stable AS stable,
  sequen_deleted AS deleted,
  sequen_cursor AS cursor,
  sequen_digests AS digests,
  sequen_payload AS payload,
  sequen_owner AS owner,
  sequen_made_by AS made_by
FROM source
WHERE sequen_line IS NOT NULL;

DELETE FROM source WHERE sequen_here IS NULL;
