-- One line for each item of each answer that is kept, in the order of the answer.
--
-- Which candidate of the request an item answers: the one with its id. Where several have that id,
-- the answer repeats those attributes that differ among them, and the candidate with the same
-- values is meant; of candidates that are alike in all of them, the next one in order.
--
-- Lists are taken apart by themselves: beside its items, no row drags its whole request along.
WITH heads AS (
  SELECT
    key,
    asked_at,
    answer ->> '$.rec_id' AS rec_id,
    request ->> '$.user_id' AS user_id,
    request ->> '$.session_id' AS session_id,
    coalesce(request ->> '$.model_id', request ->> '$.model_name') AS model_id,
    (request -> '$.context')::VARCHAR AS context
  FROM state.answers
),
asked_lists AS (
  SELECT key, coalesce(request -> '$.items', request -> '$.item_ids')::JSON[] AS list
  FROM state.answers
),
given_lists AS (
  SELECT key, (answer -> '$.items')::JSON[] AS list FROM state.answers
),
candidates AS (
  SELECT
    key, n,
    CASE json_type(item) WHEN 'OBJECT' THEN item ->> '$.id' ELSE item ->> '$' END AS id,
    item -> '$.attributes' AS attributes
  FROM (SELECT key, unnest(list) AS item, generate_subscripts(list, 1) AS n FROM asked_lists)
),
items AS (
  SELECT
    key, n,
    item ->> '$.id' AS id,
    TRY_CAST(item ->> '$.score' AS DOUBLE) AS score,
    nullif(json_merge_patch(item, '{"id":null,"score":null}'), '{}') AS attributes
  FROM (SELECT key, unnest(list) AS item, generate_subscripts(list, 1) AS n FROM given_lists)
),
groups AS (
  SELECT key, id, count(*) AS size FROM candidates GROUP BY ALL HAVING count(*) > 1
),
members AS (
  -- Numbers and texts are compared by what they mean, however they are spelled.
  SELECT
    side, key, id, n, size, entry.key AS name,
    CASE json_type(entry.value)
      WHEN 'VARCHAR' THEN 's' || (entry.value ->> '$')
      WHEN 'BOOLEAN' THEN entry.value::VARCHAR
      WHEN 'ARRAY' THEN to_json(TRY_CAST(entry.value AS VARCHAR[]))::VARCHAR
      ELSE 'n' || coalesce(TRY_CAST(entry.value ->> '$' AS DOUBLE)::VARCHAR, entry.value::VARCHAR)
    END AS value
  FROM (
    SELECT
      s.side, s.key, s.id, s.n, g.size,
      unnest(map_entries(TRY_CAST(s.attributes AS MAP(VARCHAR, JSON)))) AS entry
    FROM (
      SELECT 'asked' AS side, key, id, n, attributes FROM candidates
      UNION ALL
      SELECT 'given', key, id, n, attributes FROM items
    ) AS s
    JOIN groups AS g ON g.key = s.key AND g.id = s.id
  )
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
  k.rec_id,
  k.asked_at AS requested_at,
  k.user_id,
  k.session_id,
  k.model_id,
  g.n::INTEGER AS position,
  g.id AS item_id,
  g.score,
  a.n::INTEGER AS candidate,
  g.attributes::VARCHAR AS attributes,
  k.context,
  CASE
    WHEN g.n IS NULL THEN 'empty'
    WHEN a.n IS NOT NULL THEN 'ok'
    WHEN EXISTS (FROM candidates AS c WHERE c.key = g.key AND c.id = g.id) THEN 'ambiguous'
    ELSE 'unknown_item'
  END AS status
FROM heads AS k
LEFT JOIN given AS g ON g.key = k.key
LEFT JOIN asked AS a ON a.key = g.key AND a.id = g.id AND a.sign = g.sign AND a.nth = g.nth;
