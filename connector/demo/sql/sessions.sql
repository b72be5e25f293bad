-- Visits first_session to last_session, that arrive between `start` and `until`; one in five is
-- anonymous.
-- Everything that happens in a visit is derived from its number, `s`.
create or replace temp table new_sessions as
with drawn as (
  select
    s::bigint as s,
    favour_low(s, 'visitor', getvariable('last_user')) as user_number,
    choose(s, 'platform', ['ios', 'ios', 'android', 'android', 'windows', 'macos']) as platform,
    choose(s, 'referrer', ['google', 'google', 'email', 'instagram', 'partner', null, null])
      as referrer,
    below(s, 'day', date_diff('day', getvariable('start'), getvariable('until'))) as day,
    choose(s, 'hour', [6, 7, 8, 8, 9, 10, 11, 12, 12, 13, 14, 16, 17, 18, 19, 19, 20, 20, 21, 22])
      as hour
  from range(getvariable('first_session'), getvariable('last_session') + 1) as numbers(s)
)
select
  s,
  format('s_{:08d}', s) as session_id,
  format('c_{:07d}', case when chance(s, 'anonymous', 200) then 5000000 + s else user_number end)
    as client_id,
  case when not chance(s, 'anonymous', 200) then uid(user_number) end as user_id,
  case when platform in ('ios', 'android') then
    if(chance(s, 'tablet', 200), 'tablet', 'mobile') else 'desktop' end as device_type,
  {
    'platform': platform,
    'version': format('{}.{}', 10 + below(s, 'major', 9), below(s, 'minor', 6)),
    'model': case platform when 'ios' then 'iPhone' when 'android' then 'Pixel' end
  } as device,
  case when not chance(s, 'no place', 50) then
    {'country': place(1 + below(s, 'place', 12)).country,
     'city': place(1 + below(s, 'place', 12)).city} end as geo,
  place(1 + below(s, 'place', 12)).language as locale,
  referrer,
  case when referrer = 'email' then
    choose(s, 'campaign', ['spring_sale', 'weekly_deals', 'price_drop']) end as utm_campaign,
  case when chance(s, 'recommended', 600) then format('rec_{:08x}', s) end as rec_id,
  -- A few phones were offline: what they saw one or two days before arrives only now.
  if(chance(s, 'late', 15), 1 + below(s, 'days late', 2), 0)::integer as days_late,
  -- Visits end before midnight.
  getvariable('start') + to_days(day::integer - days_late) + to_hours(hour)
    + to_milliseconds(below(s, 'moment', 3600000)) as started_at
from drawn;
