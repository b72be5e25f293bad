-- Rows of each table, and how many of them the example mapping of that table reads.
select 'dim_users' as table_name, count(*) as total, count(*) filter (not is_test) as read
from analytics.dim_users
union all select 'page_views', count(*), count(*) from analytics.page_views
union all select 'impressions', count(*), count(*) from analytics.impressions
union all select 'clicks', count(*), count(*) from analytics.clicks
union all select 'orders', count(*), count(*) filter (state = 'placed') from analytics.orders
union all select 'searches', count(*), count(*) from analytics.searches
union all select 'dwell', count(*), count(*) from analytics.dwell
union all select 'app_events', count(*), count(*) from analytics.app_events
order by all;
