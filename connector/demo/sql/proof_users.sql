-- What the platform has to know of each user, said without the mapping: users.yaml by hand.
-- `leaves` is true where the user must be flagged as deleted.
create or replace temp view expected_users as
with sent as (
  select *
  from analytics.dim_users
  where is_test = false
  qualify user_id is not null and user_id <> '' and count(*) over (partition by user_id) = 1
    and not regexp_matches(user_id, '[[:cntrl:]]')
    and (city is null or strlen(city) <= 16384) and not isnan(churn_score)
)
select
  user_id as uid,
  strftime(signup_ts, '%Y-%m-%dT%H:%M:%S.%gZ') as created_at,
  upper(trim(country_code)) as country,
  language,
  signup_channel,
  case when birth_date <> date '1900-01-01' then
    year(updated_at) - year(birth_date)
      - (strftime(updated_at, '%m-%d %H:%M:%S') < strftime(birth_date, '%m-%d 00:00:00'))::integer
  end::double as age,
  lower(gender) as gender,
  city as address,
  status,
  trim(tier) as loyalty_tier,
  loyalty_programs,
  case when orders is null then 0 else orders end::double as total_orders,
  case when orders > 0 then round(total_spent / orders, 2) end::double as avg_order_value,
  churn_score::double as churn_score,
  categories as preferred_categories,
  past_trips,
  labels,
  reviews_count::double as previous_reviews,
  review_categories,
  status = 'closed' as is_deleted
from sent
where gdpr_consent = true and erasure_requested_at is null
  and user_id not in (select user_id from gdpr.erasure_requests);
