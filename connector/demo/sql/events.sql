-- The event tables of new_sessions. Numbers nest: page p = s * 8 + k, impression i = p * 8 + rank.
create or replace temp table new_pages as
with pages as (
  select *, s * 8 + k as p
  from new_sessions, range(1 + below(s, 'pages', 5)) as numbers(k)
), typed as (
  select *, case
    when k = 0 then choose(p, 'landing', ['home', 'home', 'search', 'category'])
    else choose(p, 'page', ['search', 'category', 'product', 'product', 'trip', 'checkout'])
  end as page_type
  from pages
)
select
  p, s, k, rec_id, referrer, utm_campaign, device_type, device, geo, locale, days_late,
  session_id, client_id, user_id, page_type,
  format('pv_{:08d}', p) as page_view_id,
  started_at + to_milliseconds(k * 90000 + below(p, 'pause', 60000)) as occurred_at,
  favour_low(p, 'item', 600) as item_number,
  case when page_type = 'search' then choose(p, 'query', [
    'tent for two', 'wireless headphones', 'weekend in oslo', '🏖️ beach holiday', 'vuelo barato',
    'größe 42 schuhe', '京都 ホテル', 'gift under 20 🎁', 'board game', '"nice" hotel; sea view',
    'lego\duplo', 'ski  boots ']) end as search_query
from typed;

create or replace temp view new_page_views as
select
  page_view_id, session_id, client_id, user_id, page_type,
  case when page_type in ('product', 'trip') then item(item_number) end as item_id,
  '/' || page_type || '/' || item_number as page_path,
  search_query, occurred_at,
  occurred_at + to_days(days_late) + to_seconds(5) as loaded_at,
  device_type, device, geo, locale, user_id is not null as logged_in, referrer, utm_campaign,
  case when not chance(p, 'no scroll', 100) then below(p, 'scroll', 101) / 100.0::double end
    as scroll_depth
from new_pages;

create or replace temp table new_shown as
select
  *, p * 8 + position as i, format('im_{:09d}', p * 8 + position) as impression_id,
  item(favour_low(p * 8 + position, 'shown item', 600)) as item_id
from new_pages, range(1, 4) as numbers(position)
where page_type in ('home', 'search', 'category');

create or replace temp view new_impressions as
select
  impression_id, page_view_id, session_id, client_id, user_id, rec_id, item_id,
  position::integer as position, position < 3 as above_fold, device_type, locale,
  occurred_at + to_milliseconds(position * 150) as occurred_at
from new_shown;

create or replace temp view new_clicks as
select
  format('ck_{:09d}', i) as event_id, impression_id, page_view_id, session_id, client_id,
  user_id, rec_id, item_id, position::integer as position,
  choose(i, 'click', ['open', 'open', 'open', 'like', 'add_to_cart']) as click_type,
  device['platform'] as os, device['version'] as os_version, device_type, locale,
  occurred_at + to_milliseconds(1200 + below(i, 'reaction', 20000)) as occurred_at
from new_shown
where chance(i, 'clicked', 200);

create or replace temp view new_orders as
select
  format('or_{:08d}', s) as order_id, session_id, client_id, user_id,
  case when chance(s, 'travel', 300) then 'trip' else 'goods' end as basket,
  case when chance(s, 'travel', 300) then [item(401 + below(s, 'trip', 200))]
    else [item(favour_low(s, 'first item', 400)), item(favour_low(s, 'second item', 400)),
          item(favour_low(s, 'third item', 400))][1 : 1 + below(s, 'basket', 3)] end as item_ids,
  ((999 + below(s, 'total', 90000)) * 0.01)::decimal(10, 2) as total,
  choose(s, 'currency', ['EUR', 'EUR', 'USD', 'usd']) as currency,
  choose(s, 'payment', ['card', 'card', 'paypal', 'apple_pay', null]) as payment_method,
  geo['country'] as ship_country,
  if(chance(s, 'cancelled', 60), 'cancelled', 'placed') as state,
  device_type, locale,
  started_at + to_minutes(12) + to_milliseconds(below(s, 'checkout', 300000)) as occurred_at
from new_sessions
where chance(s, 'ordered', 180);

-- Searches come from a log that writes its times as text.
create or replace temp view new_searches as
select
  format('se_{:08d}', p) as search_id, page_view_id, session_id, client_id, user_id,
  search_query, below(p, 'results', 80)::integer as results,
  case when chance(p, 'filtered', 400) then ['price:0-50', 'stars:4', 'in stock']
    [1 : 1 + below(p, 'filters', 3)] end as filters,
  geo, locale, device_type,
  strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%gZ') as searched_at
from new_pages
where page_type = 'search';

create or replace temp view new_dwell as
select
  format('dw_{:08d}', p) as dwell_id, page_view_id, session_id, client_id, user_id, page_type,
  (800 + below(p, 'dwell', 50000))::double as dwell_ms, device_type, locale,
  occurred_at + to_milliseconds(800 + below(p, 'dwell', 50000)) as occurred_at
from new_pages
where chance(p, 'dwelled', 600);

-- One table of many kinds, as an app's tracker writes it.
create or replace temp view new_app_events as
select
  format('ap_{:08d}', p) as event_id,
  choose(p, 'app event', ['review_click', 'outbound_click', 'push_open', 'form_abandoned', 'scroll'])
    as event_name,
  page_view_id, session_id, client_id, user_id, item(item_number) as item_id,
  {'app_version': '7.' || below(s, 'app', 12), 'dark_mode': chance(s, 'dark', 300)}::json
    as properties,
  case when chance(p, 'push', 300) then ['price_drop', 'back_in_stock'] end as push_topics,
  device_type, locale, occurred_at + to_seconds(9) as occurred_at
from new_pages
where device_type <> 'desktop' and chance(p, 'app', 450);
