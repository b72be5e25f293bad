-- One line for each item of each answer that is kept, in the order of the answer.
--
-- Which candidate of the request an item answers: the one with its id. Where several have that id,
-- the answer repeats those attributes that differ among them, and the candidate with the same
-- values is meant; of candidates that are alike in all of them, the next one in order.
WITH kept AS (
  SELECT key, request::JSON AS request, answer::JSON AS answer, asked_at FROM state.answers
),
candidates AS (
  SELECT
    key, n,
    CASE json_type(item) WHEN 'OBJECT' THEN item ->> '$.id' ELSE item ->> '$' END AS id,
    item -> '$.attributes' AS attributes
  FROM kept, unnest(coalesce(request -> '$.items', request -> '$.item_ids')::JSON[])
    WITH ORDINALITY AS u (item, n)
),
items AS (
  SELECT
    key, n,
    item ->> '$.id' AS id,
    TRY_CAST(item ->> '$.score' AS DOUBLE) AS score,
    nullif(json_merge_patch(item, '{"id":null,"score":null}'), '{}') AS attributes
  FROM kept, unnest((answer -> '$.items')::JSON[]) WITH ORDINALITY AS u (item, n)
),
groups AS (
  SELECT key, id, count(*) AS size FROM candidates GROUP BY ALL HAVING count(*) > 1
),
members AS (
  -- Numbers and texts are compared by what they mean, however they are spelled.
  SELECT
    s.side, s.key, s.id, s.n, g.size, e.entry.key AS name,
    CASE json_type(e.entry.value)
      WHEN 'VARCHAR' THEN 's' || (e.entry.value ->> '$')
      WHEN 'BOOLEAN' THEN e.entry.value::VARCHAR
      WHEN 'ARRAY' THEN to_json(TRY_CAST(e.entry.value AS VARCHAR[]))::VARCHAR
      ELSE 'n' || coalesce(
        TRY_CAST(e.entry.value ->> '$' AS DOUBLE)::VARCHAR, e.entry.value::VARCHAR
      )
    END AS value
  FROM (
    SELECT 'asked' AS side, key, id, n, attributes FROM candidates
    UNION ALL
    SELECT 'given', key, id, n, attributes FROM items
  ) AS s
  JOIN groups AS g ON g.key = s.key AND g.id = s.id,
  unnest(map_entries(TRY_CAST(s.attributes AS MAP(VARCHAR, JSON)))) AS e (entry)
),
differing AS (
  SELECT key, id, name
  FROM members
  WHERE side = 'asked' AND name NOT IN ('id', 'score')
  GROUP BY ALL
  HAVING count(DISTINCT value) > 1 OR count(*) < any_value(size)
),
signs AS (
  SELECT
    m.side, m.key, m.id, m.n,
    string_agg(to_json(m.name)::VARCHAR || m.value, ',' ORDER BY m.name) AS sign
  FROM members AS m
  SEMI JOIN differing AS d ON d.key = m.key AND d.id = m.id AND d.name = m.name
  GROUP BY ALL
),
asked AS (
  SELECT
    c.key, c.id, c.n, coalesce(s.sign, '') AS sign,
    row_number() OVER (PARTITION BY c.key, c.id, s.sign ORDER BY c.n) AS nth
  FROM candidates AS c
  LEFT JOIN signs AS s ON s.side = 'asked' AND s.key = c.key AND s.n = c.n
),
given AS (
  SELECT
    i.*, coalesce(s.sign, '') AS sign,
    row_number() OVER (PARTITION BY i.key, i.id, s.sign ORDER BY i.n) AS nth
  FROM items AS i
  LEFT JOIN signs AS s ON s.side = 'given' AND s.key = i.key AND s.n = i.n
)
SELECT
  $round || '-' || k.key AS request_key,
  k.answer ->> '$.rec_id' AS rec_id,
  k.asked_at AS requested_at,
  k.request ->> '$.user_id' AS user_id,
  k.request ->> '$.session_id' AS session_id,
  coalesce(k.request ->> '$.model_id', k.request ->> '$.model_name') AS model_id,
  g.n::INTEGER AS position,
  g.id AS item_id,
  g.score,
  a.n::INTEGER AS candidate,
  g.attributes::VARCHAR AS attributes,
  (k.request -> '$.context')::VARCHAR AS context,
  CASE
    WHEN g.n IS NULL THEN 'empty'
    WHEN a.n IS NOT NULL THEN 'ok'
    WHEN EXISTS (FROM candidates AS c WHERE c.key = g.key AND c.id = g.id) THEN 'ambiguous'
    ELSE 'unknown_item'
  END AS status
FROM kept AS k
LEFT JOIN given AS g ON g.key = k.key
LEFT JOIN asked AS a ON a.key = g.key AND a.id = g.id AND a.sign = g.sign AND a.nth = g.nth;
