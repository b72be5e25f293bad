-- Chance without a random generator: every value is a function of (seed, row number, name of the
-- value), in plain 32-bit integer arithmetic, so that data are the same on every machine, with
-- every number of threads, in every version. The mixing steps are those of the "lowbias32" hash.
create or replace temp macro salt(what) as
  md5_number_lower(getvariable('seed') || ':' || what) & 4294967295;
create or replace temp macro mix_high(x) as (xor(x, x >> 16) * 2146121005) & 4294967295;
create or replace temp macro mix_low(x) as (xor(x, x >> 15) * 2221713035) & 4294967295;

-- A whole number from 0 to 2^31 - 1 for row n, another one for each `what`.
create or replace temp macro draw(n, what) as
  (mix_low(mix_high(xor(n::ubigint, salt(what)))) >> 1)::bigint;
create or replace temp macro below(n, what, high) as draw(n, what) % high;
create or replace temp macro chance(n, what, permille) as below(n, what, 1000) < permille;
create or replace temp macro choose(n, what, options) as
  options[1 + below(n, what, len(options))];
-- Skewed towards 1: a few users and items are far busier than the rest.
create or replace temp macro favour_low(n, what, high) as
  1 + (below(n, what, 65536) * below(n, what || '²', 65536) * high) >> 32;

create or replace temp macro uid(n) as format('u_{:06d}', n);
-- The first 400 items are goods of the shop, the next 200 are stays and flights.
create or replace temp macro item(i) as
  case when i <= 400 then format('sku_{:05d}', i) else format('trip_{:05d}', i) end;

create or replace temp macro place(i) as [
  {'country': 'US', 'city': 'Austin', 'language': 'en'},
  {'country': 'DE', 'city': 'Köln', 'language': 'de'},
  {'country': 'FR', 'city': 'Orléans', 'language': 'fr'},
  {'country': 'BR', 'city': 'São Paulo', 'language': 'pt-BR'},
  {'country': 'JP', 'city': '東京', 'language': 'ja'},
  {'country': 'GB', 'city': 'Leeds', 'language': 'en'},
  {'country': 'ES', 'city': 'Málaga', 'language': 'es'},
  {'country': 'DK', 'city': 'København', 'language': 'da'},
  {'country': 'CH', 'city': 'Zürich', 'language': 'de'},
  {'country': 'IN', 'city': 'Mumbai', 'language': 'en'},
  {'country': 'PT', 'city': 'Évora', 'language': 'pt'},
  {'country': 'CA', 'city': 'Montréal', 'language': 'fr'}
][i];
