-- Whether every row of the source is new: none was left aside by the scan, and nothing is known of any
-- key, neither sent nor refused by the API.
SELECT
  (SELECT count(*) FROM source) = (SELECT count(*) FROM scanned)
  AND NOT EXISTS (FROM state.snapshot)
  AND NOT EXISTS (FROM state.unsettled)
  AND NOT EXISTS (FROM state.rejects WHERE origin = 'api');
