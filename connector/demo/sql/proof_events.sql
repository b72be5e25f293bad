-- Every event that the platform has to know, said without the mappings: their files by hand.
create or replace temp view expected_events as
with erased as (
  select user_id from analytics.dim_users where erasure_requested_at is not null
  union all
  select user_id from gdpr.erasure_requests
), told as (
  select
    page_view_id as id, 'page_view' as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, item_id, page_type, page_path as page_id, search_query,
    to_json(geo) as geolocation, locale, device_type, to_json(device) as device, logged_in,
    case when referrer is null then 'direct' else referrer end as referral_source
  from analytics.page_views
  where page_type is not null
  union all by name
  select
    impression_id as id, 'impression' as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, page_view_id, rec_id, item_id, position::double as rank,
    above_fold as seen_above_fold, device_type, locale
  from analytics.impressions
  where item_id is not null and position is not null
  union all by name
  select
    event_id as id, 'click' as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, page_view_id, impression_id, rec_id, item_id, position::double as rank,
    click_type, device_type, to_json({'platform': os, 'version': os_version}) as device, locale,
    user_id is not null as logged_in
  from analytics.clicks
  where item_id is not null and click_type is not null
  union all by name
  select
    order_id as id, 'conversion' as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, if(basket = 'trip', 'booking', 'purchase') as conversion_type, item_ids,
    item_ids as cart_content, total::double as order_total, upper(currency) as currency,
    payment_method, to_json({'country': ship_country}) as shipping_address, device_type, locale
  from analytics.orders
  where state = 'placed' and item_ids is not null
  union all by name
  select
    dwell_id as id, 'dwell_time' as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, page_view_id, page_type, dwell_ms::double as dwell_ms, device_type, locale
  from analytics.dwell
  where isfinite(dwell_ms)
  union all by name
  select
    search_id as id, 'search' as type, try_cast(searched_at as timestamp) as occurred_at,
    user_id as uid, session_id as sid, client_id as cid, page_view_id,
    regexp_replace(regexp_replace(search_query, '\s+', ' ', 'g'), '^ | $', '', 'g')
      as search_query,
    results::double as results_count, filters, to_json(geo) as geolocation, device_type, locale,
    user_id is not null as logged_in
  from analytics.searches
  where search_query is null or strlen(search_query) <= 16384
  union all by name
  select
    event_id as id, event_name as type, occurred_at, user_id as uid, session_id as sid,
    client_id as cid, page_view_id, item_id, json(properties) as properties, device_type, locale, 'app' as channel
  from analytics.app_events
  where event_name is not null
)
select distinct
  * exclude (occurred_at),
  strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%gZ') as original_timestamp
from told
where occurred_at is not null and (uid is not null or sid is not null or cid is not null)
  and (uid is null or uid not in (select user_id from erased where user_id is not null));
