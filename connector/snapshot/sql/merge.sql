-- Bring the snapshot up to date with what was acknowledged since; a key occurs once in a journal.
BEGIN;

DELETE FROM state.snapshot WHERE key IN (SELECT key FROM state.journal);

INSERT INTO state.snapshot
SELECT key, subject, fingerprint, stable, operation = 'soft_delete', cursor, digests, payload
FROM state.journal
WHERE operation <> 'hard_delete';

DELETE FROM state.rejects
WHERE origin = 'api' AND key IN (SELECT key FROM state.journal);

DELETE FROM state.rejects
WHERE key IN (SELECT key FROM state.journal WHERE operation = 'hard_delete');

DELETE FROM state.unsettled WHERE key IN (SELECT key FROM state.journal);

DELETE FROM state.journal;

COMMIT;
