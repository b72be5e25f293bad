-- Users: those the warehouse has must be there as it says. `gone` were there and are flagged.
create or replace temp view gone as
select uid from before
where uid not in (select uid from expected_users)
  and uid not in (
    select user_id from analytics.dim_users where erasure_requested_at is not null
    union all select user_id from gdpr.erasure_requests
  );

create or replace temp view user_verdicts as
select coalesce(e.uid, a.uid, g.uid) as key, case
  when a.uid is null then 'is missing'
  when e.uid is not null then if(e is distinct from a, 'differs', null)
  when g.uid is not null then if(a.is_deleted, null, 'is not flagged as deleted')
  else 'should not be there'
end as verdict
from expected_users as e
full join arrived_users as a on a.uid = e.uid
full join gone as g on g.uid = coalesce(e.uid, a.uid);

create or replace temp view event_verdicts as
select coalesce(e.id, a.id) as key, case
  when a.id is null then 'is missing'
  when e.id is null then 'should not be there'
  when e is distinct from a then 'differs'
end as verdict
from expected_events as e full join arrived_events as a on a.id = e.id;
