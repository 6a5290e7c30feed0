-- openGauss's types as PostgreSQL can have them: with their names, OIDs and binary formats, made of
-- types that have the same layout. What their text looks like, the front sees to.
-- Run once for each database, by the superuser, in one transaction.
set local allow_system_table_mods = on;
set local check_function_bodies = off;
set local client_min_messages = error;
create schema gauss;
grant usage on schema gauss to public;
set local search_path = gauss, public;
-- A type like another one, under a fixed OID.
create function gauss.make(name text, base text, fixed oid, fixed_array oid, more text default '') returns void language plpgsql as $$
declare
  i text; o text; r text; s text; old oid; old_array oid; m oid; args text;
begin
  select p.proname, p.pronargs::text into i, args
    from pg_type t join pg_proc p on p.oid = t.typinput
    where t.typname = base and t.typnamespace = 11;
  select typoutput::regproc::text, typreceive::regproc::text, typsend::regproc::text into o, r, s
    from pg_type where typname = base and typnamespace = 11;
  execute format('create type gauss.%I', name);
  execute format('create function gauss.%s_in(cstring%s) returns gauss.%I immutable strict language internal as %L', name, case args when '3' then ', oid, int4' else '' end, name, i);
  execute format('create function gauss.%s_out(gauss.%I) returns cstring immutable strict language internal as %L', name, name, o);
  execute format('create function gauss.%s_recv(internal%s) returns gauss.%I immutable strict language internal as %L', name, case args when '3' then ', oid, int4' else '' end, name, r);
  execute format('create function gauss.%s_send(gauss.%I) returns bytea immutable strict language internal as %L', name, name, s);
  execute format('create type gauss.%I (input = gauss.%s_in, output = gauss.%s_out, receive = gauss.%s_recv, send = gauss.%s_send, like = %s%s)', name, name, name, name, name, format('pg_catalog.%I', base), more);
  select t.oid, t.typarray into old, old_array from pg_type t where t.typname = name and t.typnamespace = 'gauss'::regnamespace;
  update pg_type set oid = fixed, typarray = case when fixed_array = 0 then typarray else fixed_array end where oid = old;
  update pg_type set typelem = fixed, oid = case when fixed_array = 0 then oid else fixed_array end where oid = old_array;
  update pg_proc set prorettype = fixed where prorettype = old;
  update pg_proc set proargtypes = fixed::text::oidvector where proargtypes = old::text::oidvector;
  update pg_depend set objid = fixed where classid = 'pg_type'::regclass and objid = old;
  update pg_depend set refobjid = fixed where refclassid = 'pg_type'::regclass and refobjid = old;
  if fixed_array <> 0 then
    update pg_depend set objid = fixed_array where classid = 'pg_type'::regclass and objid = old_array;
    update pg_depend set refobjid = fixed_array where refclassid = 'pg_type'::regclass and refobjid = old_array;
  end if;
end $$;
select gauss.make('blob', 'bytea', 88, 3201);
select gauss.make('raw', 'bytea', 86, 87, ', typmod_in = pg_catalog.bpchartypmodin, typmod_out = pg_catalog.bpchartypmodout');
select gauss.make('clob', 'text', 90, 3202, ', collatable = true, category = ''S''');
select gauss.make('nvarchar2', 'varchar', 3969, 3968, ', collatable = true, category = ''S'', typmod_in = pg_catalog.varchartypmodin, typmod_out = pg_catalog.varchartypmodout');
select gauss.make('int1', 'char', 5545, 5546);
select gauss.make('int16', 'uuid', 34, 1234);
select gauss.make('smalldatetime', 'timestamp', 9003, 9005);
select gauss.make('xid32', 'xid', 31, 0);
create cast (blob as raw) without function as implicit;
create cast (text as clob) without function as implicit;
create cast (clob as text) without function as implicit;
create cast (varchar as clob) without function as implicit;
create cast (text as nvarchar2) without function as implicit;
create cast (varchar as nvarchar2) without function as implicit;
create cast (nvarchar2 as text) without function as implicit;
create function gauss.nvarchar2(nvarchar2, int4, bool) returns nvarchar2 immutable strict language internal as 'varchar';
create cast (nvarchar2 as nvarchar2) with function nvarchar2(nvarchar2, int4, bool) as implicit;
create cast ("char" as int1) without function;
create cast (int1 as "char") without function;
create function gauss.int1(int4) returns int1 immutable strict language plpgsql as $$
begin
  if $1 not between 0 and 255 then
    raise exception using errcode = '22003', message = 'tinyint out of range';
  end if;
  return (case when $1 > 127 then $1 - 256 else $1 end)::"char"::gauss.int1;
end $$;
create function gauss.int4(int1) returns int4 immutable strict language sql as
  $$ select (case when $1::"char"::int4 < 0 then $1::"char"::int4 + 256 else $1::"char"::int4 end) $$;
create function gauss.int1(int2) returns int1 immutable strict language sql as $$ select gauss.int1($1::int4) $$;
create cast (int4 as int1) with function int1(int4) as implicit;
create cast (int2 as int1) with function int1(int2) as implicit;
create cast (int1 as int4) with function int4(int1) as implicit;
create cast (uuid as int16) without function;
create cast (int16 as uuid) without function;
create function gauss.int16(int8) returns int16 immutable strict language sql as
  $$ select lpad(to_hex($1), 32, case when $1 < 0 then 'f' else '0' end)::uuid::gauss.int16 $$;
create function gauss.int16(int4) returns int16 immutable strict language sql as $$ select gauss.int16($1::int8) $$;
create cast (int8 as int16) with function int16(int8) as implicit;
create cast (int4 as int16) with function int16(int4) as implicit;
create function gauss.smalldatetime(timestamp) returns smalldatetime immutable strict language sql as
  $$ select date_trunc('minute', $1 + interval '30 s')::text::gauss.smalldatetime $$;
create cast (timestamp as smalldatetime) with function smalldatetime(timestamp) as implicit;
create cast (smalldatetime as timestamp) without function as implicit;
create cast (xid32 as xid) without function;
