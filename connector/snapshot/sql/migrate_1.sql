-- From format 1 to 2: format 1 did not note whom an event speaks of, so that an erased user could not
-- be found in it. Users speak of themselves. Events are forgotten: those that the next sync reads
-- are sent again, under the ids that the platform knows.
BEGIN;

CREATE OR REPLACE TABLE state.snapshot AS
SELECT key, NULL::VARCHAR AS subject, fingerprint, stable, deleted, cursor, digests, payload
FROM state.snapshot
WHERE deleted OR digests IS NOT NULL;

CREATE OR REPLACE TABLE state.journal AS
SELECT
  key, NULL::VARCHAR AS subject, operation, fingerprint, stable, cursor, digests, payload
FROM state.journal
WHERE operation <> 'event';

UPDATE state.meta SET value = '2' WHERE name = 'format';

COMMIT;
