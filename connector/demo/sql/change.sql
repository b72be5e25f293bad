-- What a day does to the users who were there before it: each chosen one plays one part.
create or replace temp table parts as
with settled as (
  select user_id, try_cast(user_id[3:] as integer) as n
  from analytics.dim_users
  where regexp_full_match(user_id, 'u_[0-9]+') and status = 'active' and gdpr_consent
    and not is_test and erasure_requested_at is null and tier is not null
    and length(city) < 100 and not isnan(churn_score)
  qualify n < getvariable('first_user') and count(*) over (partition by user_id) = 1
), placed as (
  select user_id, count(*) over () as users,
    row_number() over (order by draw(n, 'part on ' || getvariable('start')), n) as place
  from settled
)
select user_id, case
  when place <= 1 then 'erased'
  when place <= 1 + ceil(users * 0.02) then 'updated'
  when place <= 1 + ceil(users * 0.02) + ceil(users * 0.005) then 'cleared'
  when place <= 1 + ceil(users * 0.02) + ceil(users * 0.005) + ceil(users * 0.01) then 'gone'
  else 'closed'
end as part
from placed
where place <= 1 + ceil(users * 0.02) + ceil(users * 0.005) + ceil(users * 0.01)
  + ceil(users * 0.0025);

update analytics.dim_users
set tier = case trim(tier) when 'bronze' then 'silver' when 'silver' then 'gold'
                           when 'gold' then 'platinum' else 'gold' end,
  orders = coalesce(orders, 0) + 1, total_spent = total_spent + 49.90,
  last_seen_at = getvariable('until'), updated_at = getvariable('until')
where user_id in (select user_id from parts where part = 'updated');

update analytics.dim_users
set tier = null, city = null, updated_at = getvariable('until')
where user_id in (select user_id from parts where part = 'cleared');

update analytics.dim_users
set status = 'closed', updated_at = getvariable('until')
where user_id in (select user_id from parts where part = 'closed');

delete from analytics.dim_users
where user_id in (select user_id from parts where part = 'gone');

-- Who asks to be forgotten does not visit on that day.
update analytics.dim_users
set erasure_requested_at = getvariable('start') + interval 9 hours
where user_id in (select user_id from parts where part = 'erased');

delete from new_sessions
where user_id in (select user_id from parts where part = 'erased');

update demo.state set users = getvariable('last_user'), sessions = getvariable('last_session'),
  today = getvariable('until');
