-- Users first_user to last_user, signed up within the `signup_days` before `until`.
create schema if not exists analytics;
create schema if not exists gdpr;

create or replace temp view new_users as
with drawn as (
  select
    n::bigint as n,
    getvariable('until') - to_seconds(below(n, 'signup', getvariable('signup_days') * 86400))
      as signup_ts,
    place(1 + below(n, 'place', 12)) as place,
    case when not chance(n, 'never ordered', 250) then below(n, 'orders', 30)::integer end
      as orders,
    below(n, 'reviews', 9)::integer as reviews_count
  from range(getvariable('first_user'), getvariable('last_user') + 1) as numbers(n)
)
select
  uid(n) as user_id,
  format('user{}@example.com', n) as email,
  format('+1555{:07d}', n) as phone,
  format(choose(n, 'name', ['User {}', 'Üser {}', 'Usér «{}»', '用户 {}', 'O''User {}']), n)
    as display_name,
  case
    when chance(n, 'no country', 20) then null
    when chance(n, 'small country', 80) then lower(place.country)
    when chance(n, 'blank country', 30) then place.country || ' '
    else place.country
  end as country_code,
  case when not chance(n, 'no city', 60) then place.city end as city,
  format('{} Example Street', 1 + below(n, 'street', 200)) as street,
  place.language as language,
  signup_ts,
  choose(n, 'channel', ['organic', 'organic', 'ads', 'referral', 'app', null]) as signup_channel,
  choose(n, 'tier', ['bronze', 'bronze', 'bronze', 'silver', 'silver', 'gold', 'gold ',
                     'platinum', null]) as tier,
  case
    when chance(n, 'age unknown', 70) then date '1900-01-01'
    when not chance(n, 'no birthday', 50)
      then date '1945-01-01' + below(n, 'birthday', 22000)::integer
  end as birth_date,
  choose(n, 'gender', ['f', 'm', 'f', 'm', 'F', 'M', 'x', null]) as gender,
  case when chance(n, 'closed', 30) and signup_ts < getvariable('until') - interval 7 days
       then 'closed' else 'active' end as status,
  orders,
  (coalesce(orders, 0) * (1500 + below(n, 'spent', 20000)) * 0.01)::decimal(12, 2)
    as total_spent,
  case when not chance(n, 'no categories', 120) then
    ['Books', 'Electronics', 'Gaming', 'Garden', 'Outdoor', 'Fashion', 'Kitchen', 'Toys & Games']
    [1 + below(n, 'first category', 6) : 2 + below(n, 'last category', 7)] end as categories,
  ['early bird', 'deal seeker', 'family', 'frequent flyer', 'gift buyer', 'night owl']
    [1 + below(n, 'first label', 3) : 2 + below(n, 'last label', 5)] as labels,
  case when not chance(n, 'no trips', 200) then
    ['Lisboa', 'Oslo', 'Kraków', 'Reykjavík', 'Hội An', 'Paris', 'Cusco', 'Nairobi']
    [1 + below(n, 'first trip', 4) : 3 + below(n, 'last trip', 6)] end as past_trips,
  reviews_count,
  case when reviews_count > 1 then
    ['Hotels', 'Flights', 'Electronics', 'Books'][1 + below(n, 'reviewed', 3) : 4] end
    as review_categories,
  case when not chance(n, 'no programme', 350) then
    [choose(n, 'programme', ['Shop Points', 'Shop Points', 'Sky Miles', 'Stay Nights'])] end
    as loyalty_programs,
  below(n, 'churn', 1000) / 1000.0::double as churn_score,
  below(n, 'sessions', 30)::integer as sessions_30d,
  greatest(signup_ts, getvariable('until') - to_seconds(below(n, 'seen', 40 * 86400)))
    as last_seen_at,
  case when not chance(n, 'no answer', 15) then not chance(n, 'refused', 25) end as gdpr_consent,
  chance(n, 'test', 10) as is_test,
  null::timestamp as erasure_requested_at,
  last_seen_at as updated_at
from drawn;

create table if not exists analytics.dim_users as from new_users with no data;
create table if not exists gdpr.erasure_requests (user_id varchar, requested_at timestamp);
insert into analytics.dim_users from new_users;
