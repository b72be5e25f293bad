-- Nothing is here any more.
BEGIN;

DELETE FROM state.snapshot;

DELETE FROM state.borrowed;

COMMIT;
