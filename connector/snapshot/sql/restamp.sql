UPDATE state.snapshot AS s
SET fingerprint = r.fingerprint
FROM scanned AS r
JOIN stables AS p ON p.row = r.row
WHERE s.key = r.key AND s.stable = p.stable;
