//! The questions put to a server's catalogs: one query a class of schema object. Each gives a qualified name and a
//! definition that depends on nothing but the object: no oids, no order of creation, no settings of the session.
//!
//! Columns that only some versions have are read through `to_jsonb`, so that one text serves every supported version.
//!
//! Every query stands behind [`SCOPE`] and takes two parameters: the schemas that are looked at (an empty array
//! for all), and a pattern of schema names that are left out.

/// What the queries have in common: the schemas that are looked at, and the relations, functions and types in
/// them that belong to no extension.
pub(super) const SCOPE: &str = r#"
WITH scope AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname NOT LIKE $2::text
      AND (cardinality($1::text[]) = 0 OR nspname = ANY ($1::text[]))
), whole AS (
    SELECT cardinality($1::text[]) = 0 AS database
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), rel AS (
    SELECT c.*, s.nspname, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class c JOIN scope s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), proc AS (
    SELECT p.*, p.oid::regprocedure::text AS name
    FROM pg_proc p JOIN scope s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
), typ AS (
    SELECT t.*, format('%I.%I', s.nspname, t.typname) AS name
    FROM pg_type t JOIN scope s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('b', 'c', 'd', 'e', 'r')
      AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
), thing (kind, name, owner, acl, defaults) AS (
    SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'S' THEN 'sequence'
                        WHEN 'f' THEN 'foreign table' ELSE 'table' END,
           name, relowner, relacl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"
    FROM rel WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL SELECT 'function', name, proowner, proacl, 'f' FROM proc
    UNION ALL SELECT 'type', name, typowner, typacl, 'T' FROM typ
    UNION ALL SELECT 'schema', quote_ident(nspname), nspowner, nspacl, 'n' FROM scope
    UNION ALL SELECT 'large object', oid::text, lomowner, lomacl, 'L'
              FROM pg_largeobject_metadata, whole WHERE whole.database
), privilege AS (
    SELECT t.kind, t.name, a.* FROM thing t,
           aclexplode(coalesce(t.acl, acldefault(t.defaults, t.owner))) a
    UNION ALL
    SELECT 'column', format('%s.%I', r.name, c.attname), a.* FROM rel r
    JOIN pg_attribute c ON c.attrelid = r.oid AND NOT c.attisdropped AND c.attacl IS NOT NULL, aclexplode(c.attacl) a
)
"#;

/// Every class of object, and the query that lists it.
pub(super) const CLASSES: [(&str, &str); 29] = [
    ("schema", SCHEMAS),
    ("extension", EXTENSIONS),
    ("type", TYPES),
    ("collation", COLLATIONS),
    ("table", TABLES),
    ("column", COLUMNS),
    ("constraint", CONSTRAINTS),
    ("index", INDEXES),
    ("statistics", STATISTICS),
    ("trigger", TRIGGERS),
    ("rule", RULES),
    ("policy", POLICIES),
    ("view", VIEWS),
    ("materialised view", MATERIALISED_VIEWS),
    ("sequence", SEQUENCES),
    ("function", FUNCTIONS),
    ("aggregate", AGGREGATES),
    ("operator", OPERATORS),
    ("operator class", OPERATOR_CLASSES),
    ("cast", CASTS),
    ("language", LANGUAGES),
    ("text search configuration", TEXT_SEARCH),
    ("foreign server", FOREIGN_SERVERS),
    ("user mapping", USER_MAPPINGS),
    ("event trigger", EVENT_TRIGGERS),
    ("publication", PUBLICATIONS),
    ("comment", COMMENTS),
    ("owner", OWNERS),
    ("grant", GRANTS),
];

/// Every new database has `public`, whether the dumped one had it or not.
const SCHEMAS: &str = "SELECT quote_ident(nspname), 'schema' FROM scope WHERE nspname <> 'public'";

/// With chosen schemas, those that are installed in one of them or where everybody looks.
const EXTENSIONS: &str = r"
SELECT quote_ident(e.extname), format('version %s in schema %I', e.extversion, n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace, whole
WHERE whole.database OR n.nspname IN ('pg_catalog', 'public') OR n.oid IN (SELECT oid FROM scope)";

const TYPES: &str = r"
SELECT t.name, CASE t.typtype
    WHEN 'e' THEN 'enum (' || (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                               FROM pg_enum WHERE enumtypid = t.oid) || ')'
    WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                            CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault)
    WHEN 'c' THEN 'composite (' || coalesce((SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)),
                                                      ', ' ORDER BY attnum)
                                    FROM pg_attribute WHERE attrelid = t.typrelid AND NOT attisdropped), '') || ')'
    WHEN 'r' THEN 'range of ' || (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid)
    ELSE concat_ws(' ', 'base', t.typinput, t.typoutput, t.typlen, t.typalign, t.typstorage) END
FROM typ t";

const COLLATIONS: &str = r"
SELECT format('%I.%I', s.nspname, c.collname),
       (to_jsonb(c) - '{oid,collname,collnamespace,collowner,collversion}'::text[])::text
FROM pg_collation c JOIN scope s ON s.oid = c.collnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_collation'::regclass AND m.objid = c.oid)";

/// The order of columns is left out where old-style inheritance sets it: there a restore may change it.
const TABLES: &str = r"
SELECT name, concat_ws(' ',
    CASE relpersistence WHEN 'u' THEN 'unlogged' END,
    CASE relkind WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    (SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')' FROM pg_attribute
     WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped
       AND (r.relispartition OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = r.oid))),
    'of ' || nullif(reloftype, 0)::regtype::text,
    'partitioned by ' || CASE relkind WHEN 'p' THEN pg_get_partkeydef(oid) END,
    'child of ' || (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
                    FROM pg_inherits WHERE inhrelid = r.oid),
    pg_get_expr(relpartbound, oid),
    'with ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(reloptions) o),
    (SELECT 'server ' || quote_ident(srvname) FROM pg_foreign_table JOIN pg_foreign_server f ON f.oid = ftserver
     WHERE ftrelid = r.oid),
    'options ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM pg_foreign_table, unnest(ftoptions) o
                   WHERE ftrelid = r.oid),
    CASE WHEN relrowsecurity THEN 'row security' END,
    CASE WHEN relforcerowsecurity THEN 'forced' END,
    CASE WHEN relreplident NOT IN ('d', 'n') OR relreplident = 'n' AND relkind = 'r'
         THEN 'replica identity ' || relreplident::text END)
FROM rel r WHERE relkind IN ('r', 'p', 'f')";

const COLUMNS: &str = r"
SELECT format('%s.%I', r.name, a.attname), concat_ws(' ',
    format_type(a.atttypid, a.atttypmod),
    'collate ' || CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE a.attidentity WHEN 'a' THEN 'generated always as identity' WHEN 'd' THEN 'generated by default as identity' END,
    CASE a.attgenerated WHEN '' THEN 'default ' WHEN 's' THEN 'stored as ' ELSE 'virtual as ' END
        || pg_get_expr(d.adbin, d.adrelid),
    'storage ' || CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
    'options ' || array_to_string(a.attoptions, ', '))
FROM rel r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f')";

/// Those of domains too. What partitions have from their parent bears names that the server makes up; NOT NULL is
/// told with the column.
const CONSTRAINTS: &str = r"
SELECT format('%I on %s', k.conname, coalesce(r.name, t.name)), pg_get_constraintdef(k.oid)
FROM pg_constraint k LEFT JOIN rel r ON r.oid = k.conrelid LEFT JOIN typ t ON t.oid = k.contypid
WHERE (r.oid IS NOT NULL OR t.oid IS NOT NULL) AND k.contype NOT IN ('t', 'n') AND k.conparentid = 0";

/// An index that is not valid is not in a dump.
const INDEXES: &str = r"
SELECT format('%I.%I', r.nspname, i.relname), concat_ws(' ', pg_get_indexdef(x.indexrelid),
    CASE WHEN x.indisclustered THEN 'clustered' END, CASE WHEN x.indisreplident THEN 'replica identity' END)
FROM pg_index x JOIN rel r ON r.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indisvalid OR r.relkind = 'p'";

const STATISTICS: &str = r"
SELECT format('%I.%I', s.nspname, e.stxname), pg_get_statisticsobjdef(e.oid)
FROM pg_statistic_ext e JOIN scope s ON s.oid = e.stxnamespace";

/// Those that partitions have from their parent are made with it.
const TRIGGERS: &str = r"
SELECT format('%I on %s', t.tgname, r.name), concat_ws(' ', pg_get_triggerdef(t.oid),
    CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas only' WHEN 'A' THEN 'on replicas too' END)
FROM pg_trigger t JOIN rel r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0'";

const RULES: &str = r"
SELECT format('%I on %s', w.rulename, r.name), concat_ws(' ', pg_get_ruledef(w.oid),
    CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas only' WHEN 'A' THEN 'on replicas too' END)
FROM pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'";

const POLICIES: &str = r"
SELECT format('%I on %s', p.polname, r.name), concat_ws(' ',
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for', p.polcmd, 'to',
    (SELECT string_agg(CASE u WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(u)) END, ', '
                       ORDER BY pg_get_userbyid(u)) FROM unnest(p.polroles) u),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p JOIN rel r ON r.oid = p.polrelid";

const VIEWS: &str = r"
SELECT name, concat_ws(' ', (SELECT '(' || string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                                                      ORDER BY attnum) || ')'
                             FROM pg_attribute WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped),
    'with ' || array_to_string(reloptions, ', '), 'as', pg_get_viewdef(oid))
FROM rel r WHERE relkind = 'v'";

const MATERIALISED_VIEWS: &str = r"
SELECT name, concat_ws(' ', (SELECT '(' || string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                                                      ORDER BY attnum) || ')'
                             FROM pg_attribute WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped),
    'with ' || array_to_string(reloptions, ', '), 'as', pg_get_viewdef(oid),
    CASE WHEN relispopulated THEN 'with data' ELSE 'with no data' END)
FROM rel r WHERE relkind = 'm'";

/// Their parameters; where they stand is asked separately, since no snapshot holds it.
const SEQUENCES: &str = r"
SELECT r.name, concat_ws(' ', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement,
    'from', q.seqmin, 'to', q.seqmax, 'cache', q.seqcache, CASE WHEN q.seqcycle THEN 'cycle' END,
    'owned by ' || (SELECT format('%s.%I', d.refobjid::regclass, a.attname) FROM pg_depend d
                    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
FROM rel r JOIN pg_sequence q ON q.seqrelid = r.oid";

/// Functions, procedures and window functions.
const FUNCTIONS: &str = "SELECT name, pg_get_functiondef(oid) FROM proc WHERE prokind <> 'a'";

const AGGREGATES: &str = r"
SELECT p.name, concat_ws(' ', a.aggkind, a.aggtransfn, format_type(a.aggtranstype, NULL), 'final ' || nullif(a.aggfinalfn::oid, 0)::regproc::text,
    'combine ' || nullif(a.aggcombinefn::oid, 0)::regproc::text, 'initial ' || quote_literal(a.agginitval), 'sorted by '
    || nullif(a.aggsortop, 0)::regoperator::text, 'moving ' || nullif(a.aggmtransfn::oid, 0)::regproc::text, 'parallel', p.proparallel)
FROM proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid";

const OPERATORS: &str = r"
SELECT o.oid::regoperator::text, concat_ws(' ', o.oprcode, 'commutes with ' || nullif(o.oprcom, 0)::regoperator::text,
    'negated by ' || nullif(o.oprnegate, 0)::regoperator::text, CASE WHEN o.oprcanmerge THEN 'merges' END,
    CASE WHEN o.oprcanhash THEN 'hashes' END)
FROM pg_operator o JOIN scope s ON s.oid = o.oprnamespace
WHERE o.oprcode <> 0
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)";

const OPERATOR_CLASSES: &str = r"
SELECT format('%I.%I using %I', s.nspname, c.opcname, a.amname), concat_ws(' ', format_type(c.opcintype, NULL),
    CASE WHEN c.opcdefault THEN 'default' END,
    (SELECT string_agg(format('%s %s', amopstrategy, amopopr::regoperator), ', ' ORDER BY amopstrategy, amopopr::regoperator::text)
     FROM pg_amop WHERE amopfamily = c.opcfamily),
    (SELECT string_agg(format('%s %s', amprocnum, amproc), ', ' ORDER BY amprocnum, amproc::text)
     FROM pg_amproc WHERE amprocfamily = c.opcfamily))
FROM pg_opclass c JOIN scope s ON s.oid = c.opcnamespace JOIN pg_am a ON a.oid = c.opcmethod
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_opclass'::regclass AND m.objid = c.oid)";

/// Oids below 16384 are those that a server is born with.
const CASTS: &str = r"
SELECT format('%s as %s', castsource::regtype, casttarget::regtype),
       concat_ws(' ', castcontext, castmethod, nullif(castfunc, 0)::regprocedure::text)
FROM pg_cast c, whole
WHERE whole.database AND c.oid >= 16384
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)";

const LANGUAGES: &str = r"
SELECT quote_ident(lanname), concat_ws(' ', CASE WHEN lanpltrusted THEN 'trusted' END, lanplcallfoid::regproc)
FROM pg_language l, whole
WHERE whole.database AND lanispl
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass AND m.objid = l.oid)";

/// Configurations with their dictionaries, and the dictionaries themselves.
const TEXT_SEARCH: &str = r"
SELECT format('%I.%I', s.nspname, c.cfgname), concat_ws(' ', 'parser', p.prsname,
    (SELECT string_agg(format('%s %s %s', maptokentype, mapseqno, mapdict::regdictionary), ', '
                       ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = c.oid))
FROM pg_ts_config c JOIN scope s ON s.oid = c.cfgnamespace JOIN pg_ts_parser p ON p.oid = c.cfgparser
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = c.oid)
UNION ALL
SELECT format('dictionary %I.%I', s.nspname, d.dictname), concat_ws(' ', t.tmplname, d.dictinitoption)
FROM pg_ts_dict d JOIN scope s ON s.oid = d.dictnamespace JOIN pg_ts_template t ON t.oid = d.dicttemplate
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_dict'::regclass AND m.objid = d.oid)";

const FOREIGN_SERVERS: &str = r"
SELECT quote_ident(f.srvname), concat_ws(' ', w.fdwname, f.srvtype, f.srvversion,
    (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(f.srvoptions) o))
FROM pg_foreign_server f JOIN pg_foreign_data_wrapper w ON w.oid = f.srvfdw, whole
WHERE whole.database
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_server'::regclass AND m.objid = f.oid)";

/// Names of the options only: their values are passwords.
const USER_MAPPINGS: &str = r"
SELECT format('%I on %I', usename, srvname),
       (SELECT string_agg(split_part(o, '=', 1), ', ' ORDER BY o) FROM unnest(umoptions) o)
FROM pg_user_mappings, whole WHERE whole.database";

const EVENT_TRIGGERS: &str = r"
SELECT quote_ident(evtname), concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, array_to_string(evttags, ', '))
FROM pg_event_trigger e, whole
WHERE whole.database
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = e.oid)";

const PUBLICATIONS: &str = r"
SELECT quote_ident(p.pubname), concat_ws(' ',
    (to_jsonb(p) - '{oid,pubname,pubowner}'::text[])::text,
    (SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM pg_publication_rel x JOIN rel r ON r.oid = x.prrelid
     WHERE x.prpubid = p.oid))
FROM pg_publication p, whole WHERE whole.database";

const COMMENTS: &str = r"
SELECT i.type || ' ' || i.identity, d.description
FROM pg_description d, whole, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
WHERE d.objoid >= 16384 AND i.identity IS NOT NULL
  AND (i.schema IN (SELECT nspname FROM scope)
       OR whole.database AND i.schema IS NULL AND i.identity NOT LIKE '%' || $2::text)
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = d.classoid AND m.objid = d.objoid)";

/// `public` belongs to whoever the server's version says.
const OWNERS: &str = r"
SELECT kind || ' ' || name, quote_ident(pg_get_userbyid(owner)) FROM thing WHERE kind || ' ' || name <> 'schema public'";

/// Rights as they are in effect, so that default rights and spelt-out ones are the same; and rights that new
/// objects will have.
const GRANTS: &str = r"
SELECT kind || ' ' || name, string_agg(
    CASE grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(grantee)) END || ' ' || privilege_type
        || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', '
    ORDER BY CASE grantee WHEN 0 THEN '' ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable)
FROM (SELECT DISTINCT kind, name, grantee, privilege_type, is_grantable FROM privilege) p GROUP BY kind, name
UNION ALL
SELECT concat_ws(' ', 'default for', d.defaclobjtype, 'of', quote_ident(pg_get_userbyid(d.defaclrole)), 'in ' || quote_ident(s.nspname)),
    (SELECT string_agg(CASE a.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(a.grantee)) END || ' ' || a.privilege_type,
                       ', ' ORDER BY CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type)
     FROM aclexplode(d.defaclacl) a)
FROM pg_default_acl d LEFT JOIN scope s ON s.oid = d.defaclnamespace, whole
WHERE s.oid IS NOT NULL OR whole.database AND d.defaclnamespace = 0";

/// Roles that a restore needs; those that a server is born with left out.
pub(super) const ROLES: &str = r"
SELECT DISTINCT a.rolname::text FROM pg_roles a JOIN (
    SELECT owner FROM thing
    UNION SELECT grantee FROM privilege
    UNION SELECT unnest(p.polroles) FROM pg_policy p JOIN rel r ON r.oid = p.polrelid
    UNION SELECT d.defaclrole FROM pg_default_acl d
    UNION SELECT (aclexplode(d.defaclacl)).grantee FROM pg_default_acl d
    UNION SELECT umuser FROM pg_user_mappings
    UNION SELECT srvowner FROM pg_foreign_server
    UNION SELECT evtowner FROM pg_event_trigger
    UNION SELECT pubowner FROM pg_publication
) used (role) ON used.role = a.oid
WHERE a.rolname !~ '^pg_' ORDER BY 1";

/// Tables and materialised views that hold rows: name, kind, the columns in an order that depends on nothing but their names,
/// and how many blocks there are to read apart, which a server of version 14 or newer does without passing the others by.
pub(super) const ROW_HOLDERS: &str = r#"
SELECT r.name, r.relkind = 'm', coalesce((SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname COLLATE "C")
    FROM pg_attribute WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped), ''),
    CASE WHEN current_setting('server_version_num')::int >= 140000 AND (SELECT amname FROM pg_am a WHERE a.oid = relam) = 'heap'
         THEN pg_relation_size(r.oid) / current_setting('block_size')::bigint ELSE 0 END
FROM rel r WHERE relkind = 'r' OR relkind = 'm' AND relispopulated ORDER BY 1"#;

/// Tables with rows of their own, the biggest first.
pub(super) const SIZES: &str = "
SELECT nspname::text, relname::text, coalesce(pg_table_size(oid), 0) FROM rel WHERE relkind = 'r' ORDER BY 3 DESC, 1, 2";

/// What a server empties when it recovers: class and name.
pub(super) const UNLOGGED: &str = "
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, name FROM rel
WHERE relpersistence = 'u' AND relkind IN ('r', 'S') ORDER BY 1, 2";

/// Tables that a dump locks.
pub(super) const LOCKABLE: &str = "SELECT name FROM rel WHERE relkind IN ('r', 'p') ORDER BY 1";

/// Settings of the database that a restore into a new one needs.
pub(super) const DATABASE: &str = r"
SELECT current_database()::text, current_setting('server_version'), pg_encoding_to_char(encoding)::text, datcollate::text,
       datctype::text, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
       coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'), to_jsonb(d) ->> 'datcollversion'
FROM pg_database d WHERE datname = current_database()";

/// Settings that somebody has set for the server, this database or this user, by name.
pub(super) const CONFIGURED: &str = r"
SELECT coalesce(string_agg(name, ',' ORDER BY name), '') FROM pg_settings
WHERE source IN ('configuration file', 'command line', 'global', 'database', 'user', 'database user')";

/// Settings that the database gives its sessions, which no dump of one database holds.
pub(super) const SESSION_SETTINGS: &str = r"
SELECT s FROM pg_db_role_setting x, unnest(x.setconfig) s
WHERE x.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1";

/// What a dump leaves out, and why.
pub(super) const LEFT_OUT: &str = r"
SELECT 'foreign table ' || name, 'Its rows are on another server and not in a dump.' FROM rel WHERE relkind = 'f'
UNION ALL
SELECT format('index %I.%I', r.nspname, i.relname), 'It is not valid, so it is not in a dump.'
FROM pg_index x JOIN rel r ON r.oid = x.indrelid AND r.relkind <> 'p' JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid
UNION ALL
SELECT format('subscription %I', subname), 'It is left out: restoring it could disturb the publisher.'
FROM pg_subscription, whole
WHERE whole.database AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1";
