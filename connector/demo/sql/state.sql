-- Where the story stands, so that the next day goes on from here.
create schema demo;
create table demo.state as
select
  getvariable('seed')::bigint as seed,
  getvariable('last_user')::bigint as users,
  getvariable('last_session')::bigint as sessions,
  getvariable('until')::timestamp as today,
  ceil(getvariable('last_session') / date_diff('day', getvariable('start'), getvariable('until')))
    ::bigint as sessions_a_day;
