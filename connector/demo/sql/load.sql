create table if not exists analytics.page_views as from new_page_views with no data;
insert into analytics.page_views from new_page_views;

create table if not exists analytics.impressions as from new_impressions with no data;
insert into analytics.impressions from new_impressions;

create table if not exists analytics.clicks as from new_clicks with no data;
insert into analytics.clicks from new_clicks;

create table if not exists analytics.orders as from new_orders with no data;
insert into analytics.orders from new_orders;

create table if not exists analytics.searches as from new_searches with no data;
insert into analytics.searches from new_searches;

create table if not exists analytics.dwell as from new_dwell with no data;
insert into analytics.dwell from new_dwell;

create table if not exists analytics.app_events as from new_app_events with no data;
insert into analytics.app_events from new_app_events;
