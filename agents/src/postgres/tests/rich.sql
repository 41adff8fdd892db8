-- A database with one of everything that a dump must bring back.
CREATE ROLE owner_of_things NOLOGIN;
CREATE ROLE "Weird ""role"" ü" NOLOGIN;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION citext;
CREATE SCHEMA sales AUTHORIZATION owner_of_things;
CREATE SCHEMA "Odd ""schema"" ß";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE TYPE sales.state AS ENUM ('new', 'paid', 'it''s gone');
CREATE DOMAIN sales.email AS citext NOT NULL CHECK (VALUE LIKE '%@%');
CREATE TYPE sales.address AS (street text, number integer);
CREATE TYPE sales.span AS RANGE (subtype = timestamptz);
CREATE SEQUENCE sales.invoice INCREMENT BY 5 START 100 CYCLE MAXVALUE 10000;
SELECT nextval('sales.invoice'), nextval('sales.invoice');
CREATE SEQUENCE sales.untouched;
CREATE FUNCTION sales.vat(amount numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- 19 % in the land of 'quotes' and \backslashes
    RETURN round(amount * 0.19, 2);
END;
$$;
CREATE PROCEDURE sales.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE sales.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE TABLE sales.customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    mail sales.email,
    home sales.address,
    "Größe in ""cm""" numeric(5, 1) DEFAULT 170.5,
    gone text
);
ALTER TABLE sales.customer DROP COLUMN gone;
CREATE TABLE sales.item (
    id serial PRIMARY KEY,
    customer bigint NOT NULL REFERENCES sales.customer ON DELETE CASCADE,
    state sales.state NOT NULL DEFAULT 'new',
    net numeric(12, 2) NOT NULL CHECK (net >= 0),
    gross numeric GENERATED ALWAYS AS (net + sales.vat(net)) STORED,
    tags text[],
    detail jsonb,
    raw json,
    ratio double precision,
    small real,
    bytes bytea,
    valid sales.span,
    changed_at timestamptz NOT NULL,
    words tsvector
);
CREATE INDEX item_customer ON sales.item (customer) INCLUDE (net);
CREATE INDEX item_tags ON sales.item USING gin (tags) WHERE state <> 'paid';
CREATE INDEX customer_name ON sales.customer USING gin (name gin_trgm_ops);
CREATE STATISTICS sales.item_stats ON customer, state FROM sales.item;
INSERT INTO sales.customer (name, mail, home, "Größe in ""cm""")
SELECT 'Customer ' || n, 'C' || n || '@example.org', ROW('Straße ' || n, n)::sales.address, 150 + n % 50
FROM generate_series(1, 1000) n;
INSERT INTO sales.item (customer, state, net, tags, detail, raw, ratio, small, bytes, valid, changed_at, words)
SELECT n % 1000 + 1, (enum_range(NULL::sales.state))[n % 3 + 1], n % 97 + 0.5,
       CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' ELSE ARRAY['a,"b', NULL, 'tag ' || n] END,
       jsonb_build_object('n', n, 'list', ARRAY[n]), json_build_object('z', 1, 'a', n),
       CASE n % 100 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE n / 3.0 END, n / 7.0,
       decode(md5(n::text), 'hex'), sales.span('2026-01-01', '2026-01-01'::timestamptz + n * interval '1 minute'),
       '2026-01-01'::timestamptz + n * interval '1 second', to_tsvector('simple', 'word' || n)
FROM generate_series(1, 20000) n;
CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changed_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON sales.item FOR EACH ROW WHEN (OLD.net IS DISTINCT FROM NEW.net) EXECUTE FUNCTION sales.touch();
CREATE TRIGGER sleeping BEFORE INSERT ON sales.item FOR EACH ROW EXECUTE FUNCTION sales.touch();
ALTER TABLE sales.item DISABLE TRIGGER sleeping;
CREATE MATERIALIZED VIEW sales.totals AS
    SELECT customer, sum(gross) AS gross, count(*) AS items FROM sales.item GROUP BY customer;
CREATE UNIQUE INDEX totals_customer ON sales.totals (customer);
CREATE MATERIALIZED VIEW sales.empty AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW sales.paid WITH (security_barrier) AS SELECT id, net FROM sales.item WHERE state = 'paid';
CREATE RULE no_delete AS ON DELETE TO sales.paid DO INSTEAD NOTHING;
CREATE TABLE sales.log (at timestamptz NOT NULL, line text, level integer DEFAULT 3) PARTITION BY RANGE (at);
CREATE TABLE sales.log_2025 PARTITION OF sales.log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE sales.log_rest PARTITION OF sales.log DEFAULT;
CREATE INDEX log_at ON sales.log (at);
CREATE TRIGGER on_parts AFTER INSERT ON sales.log FOR EACH ROW EXECUTE FUNCTION sales.touch();
ALTER TABLE sales.log DISABLE TRIGGER on_parts;
INSERT INTO sales.log SELECT '2025-06-01'::timestamptz + n * interval '1 day', 'line ' || n FROM generate_series(1, 1000) n;
CREATE TABLE public.base (a integer);
CREATE TABLE public.derived (b text);
ALTER TABLE public.derived ADD COLUMN a integer;
ALTER TABLE public.derived INHERIT public.base;
INSERT INTO public.base VALUES (1);
INSERT INTO public.derived VALUES ('two', 2);
CREATE UNLOGGED TABLE public.scrap (x integer);
INSERT INTO public.scrap VALUES (42);
CREATE TABLE public.no_columns ();
INSERT INTO public.no_columns DEFAULT VALUES;
CREATE TABLE public.twins (v text);
INSERT INTO public.twins VALUES ('a'), ('a'), ('b'), (''), (NULL);
CREATE TABLE "Odd ""schema"" ß"."Table, with. everything" ("a b" integer, "SELECT" regclass);
INSERT INTO "Odd ""schema"" ß"."Table, with. everything" VALUES (1, 'sales.item');
CREATE TABLE public.secret (tenant name, what text);
ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO "Weird ""role"" ü";
CREATE POLICY own ON public.secret TO "Weird ""role"" ü", owner_of_things USING (tenant = current_user);
INSERT INTO public.secret VALUES ('x', 'y');
GRANT SELECT, INSERT ON sales.item TO owner_of_things WITH GRANT OPTION;
GRANT SELECT (name) ON sales.customer TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO owner_of_things;
ALTER FUNCTION sales.vat OWNER TO owner_of_things;
COMMENT ON TABLE sales.item IS E'two\nlines';
COMMENT ON COLUMN sales.item.net IS 'without tax';
COMMENT ON FUNCTION sales.vat IS 'tax';
COMMENT ON TRIGGER touch ON sales.item IS 'touches';
CREATE CAST (sales.address AS text) WITH INOUT;
CREATE OPERATOR sales.=+= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
CREATE PUBLICATION outward FOR TABLE sales.customer;
CREATE TEXT SEARCH CONFIGURATION sales.plain (COPY = simple);
CREATE COLLATION sales.posix (provider = libc, locale = 'POSIX');
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watcher ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION public.watch();
SELECT lo_from_bytea(90001, 'a large object'), lo_from_bytea(90002, decode(repeat('ab', 3000000), 'hex')), lo_create(90003);
SELECT lo_put(90003, 5000000, 'after a hole');
COMMENT ON LARGE OBJECT 90001 IS 'small';
