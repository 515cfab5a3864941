//! The queries that say what a schema is, for the two sides of a certificate.
//!
//! Each takes the numbers of relations, types, routines and other objects, and gives `kind`, `name`, `class` and `oid` of
//! an object and all its facts: the catalog's own row, so that nothing is forgotten, less what can't be the same in a copy
//! (numbers of objects, positions, counters), and the texts that Postgres prints for what numbers stood for. Rows without
//! a kind count only as places that may point out of the schema.

/// All queries, in no order that matters.
pub(crate) const ALL: [&str; 14] = [
    RELATIONS,
    COLUMNS,
    SEQUENCES,
    CONSTRAINTS,
    INDEXES,
    TRIGGERS,
    KEY_TRIGGERS,
    RULES,
    POLICIES,
    STATISTICS,
    TYPES,
    ROUTINES,
    OPERATORS,
    OTHERS,
];

/// `own` for the role that asks or one that it stands for, else the role's name.
macro_rules! owner {
    ($column:literal) => {
        concat!(
            "case when pg_has_role(",
            $column,
            ", 'usage') then 'own' else pg_get_userbyid(",
            $column,
            ")::text end"
        )
    };
}

const RELATIONS: &str = concat!(
    "select case relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
            when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' else relkind::text end,
        c.oid::regclass::text, 'pg_class', c.oid,
        (to_jsonb(c) - '{oid,relname,relnamespace,reltype,reloftype,relowner,relam,relfilenode,reltablespace,relpages,reltuples,
            relallvisible,relallfrozen,reltoastrelid,relhasindex,relnatts,relhasrules,relhastriggers,relhassubclass,relrewrite,
            relfrozenxid,relminmxid,relacl,relpartbound}'::text[]
        || jsonb_build_object('owner', ",
    owner!("relowner"),
    ", 'access method', (select amname from pg_am where oid = relam),
            'toast options', (select t.reloptions from pg_class t where t.oid = c.reltoastrelid),
            'of type', case when reloftype <> 0 then format_type(reloftype, null) end,
            'partition key', pg_get_partkeydef(c.oid), 'bound', pg_get_expr(relpartbound, c.oid),
            'parents', array(select inhparent::regclass::text from pg_inherits where inhrelid = c.oid order by inhseqno),
            'definition', case when relkind in ('v', 'm') then pg_get_viewdef(c.oid) end))::text
    from pg_class c where c.oid = any($1::oid[]) and $2::oid[] is not null and $3::oid[] is not null and $4::oid[] is not null"
);

const COLUMNS: &str = "select case when relkind = 'c' then 'attribute' else 'column' end,
        format('%s.%I', a.attrelid::regclass, attname), 'pg_attrdef', coalesce(d.oid, 0),
        (to_jsonb(a) - '{attrelid,attname,atttypid,attnum,attcacheoff,attcollation,attacl,attmissingval,atthasmissing,attndims}'::text[]
        || jsonb_build_object('position', row_number() over (partition by attrelid order by attnum),
            'type', format_type(atttypid, atttypmod),
            'collation', case when attcollation <> 0 then attcollation::regcollation::text end,
            case when attgenerated = '' then 'default' else 'expression' end, pg_get_expr(d.adbin, d.adrelid)))::text
    from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where attrelid = any($1::oid[] || array(select typrelid from pg_type where oid = any($2::oid[]) and typrelid <> 0))
        and attnum > 0 and not attisdropped and $3::oid[] is not null and $4::oid[] is not null and relkind <> 'S'";

const SEQUENCES: &str = "select 'sequence numbers', s.seqrelid::regclass::text, 'pg_class', s.seqrelid,
        (to_jsonb(s) - '{seqrelid,seqtypid}'::text[] || jsonb_build_object('type', format_type(seqtypid, null),
            'of', (select format('%s.%I %s', d.refobjid::regclass, attname, d.deptype) from pg_depend d
                join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                where d.classid = 'pg_class'::regclass and d.objid = s.seqrelid and d.objsubid = 0
                    and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i'))))::text
    from pg_sequence s where seqrelid = any($1::oid[]) and $2::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null";

/// Constraints, but for the copies that Postgres keeps of a key that refers to a partitioned table.
const CONSTRAINTS: &str = "select case contype when 'p' then 'primary key' when 'u' then 'unique key' when 'x' then 'exclusion'
            when 'f' then 'foreign key' when 'c' then 'check' when 't' then 'constraint trigger' else contype::text end,
        format('%I on %s', conname, case when conrelid <> 0 then conrelid::regclass::text else format_type(contypid, null) end),
        'pg_constraint', k.oid,
        (to_jsonb(k) - '{oid,conname,connamespace,conrelid,contypid,conindid,conparentid,confrelid,conkey,confkey,conpfeqop,
            conppeqop,conffeqop,confdelsetcols,conexclop,conbin,conperiod}'::text[]
            - case when contype <> 'c' then 'connoinherit' else '' end
        || jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'index', nullif(conindid, 0)::regclass::text,
            'refers to', nullif(confrelid, 0)::regclass::text,
            'part of', (select format('%I on %s', p.conname, p.conrelid::regclass) from pg_constraint p
                where p.oid = k.conparentid)))::text
    from (select * from pg_constraint where conrelid = any($1::oid[]) and conrelid <> 0
        union all select * from pg_constraint where contypid = any($2::oid[]) and contypid <> 0) k
    where contype <> 'n' and $3::oid[] is not null and $4::oid[] is not null
        and not exists (select from pg_constraint p where p.oid = k.conparentid and p.conrelid = k.conrelid)";

const INDEXES: &str = concat!(
    "select 'index', indexrelid::regclass::text, 'pg_class', indexrelid,
        (to_jsonb(i) - '{indexrelid,indrelid,indkey,indcollation,indclass,indexprs,indpred,indcheckxmin,indoption}'::text[]
        || jsonb_build_object('definition', pg_get_indexdef(indexrelid, 0, true), 'owner', ",
    owner!("relowner"),
    ", 'options', reloptions, 'persistence', relpersistence,
            'part of', (select inhparent::regclass::text from pg_inherits where inhrelid = indexrelid),
            'statistics', (select json_object_agg(attnum, attstattarget order by attnum) from pg_attribute
                where attrelid = indexrelid and attstattarget >= 0)))::text
    from pg_index i join pg_class c on c.oid = indexrelid where indrelid = any($1::oid[]) and $2::oid[] is not null
        and $3::oid[] is not null and $4::oid[] is not null"
);

const TRIGGERS: &str = "select 'trigger', format('%I on %s', tgname, tgrelid::regclass), 'pg_trigger', t.oid,
        jsonb_build_object('definition', pg_get_triggerdef(t.oid, true), 'state', tgenabled,
            'part of', (select p.tgrelid::regclass::text from pg_trigger p where p.oid = t.tgparentid))::text
    from pg_trigger t where tgrelid = any($1::oid[]) and not tgisinternal and $2::oid[] is not null
        and $3::oid[] is not null and $4::oid[] is not null";

/// The triggers behind foreign keys, whose names are numbers.
const KEY_TRIGGERS: &str = "select 'key trigger', format('%s of %I on %s', tgfoid::regproc, conname, tgrelid::regclass), '', 0::oid,
        jsonb_build_object('state', string_agg(distinct tgenabled::text, ' '))::text
    from pg_trigger t join pg_constraint k on k.oid = tgconstraint and k.conparentid = 0
    where tgrelid = any($1::oid[]) and tgisinternal and $2::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null
    group by tgfoid, conname, tgrelid";

const RULES: &str = "select case when rulename = '_RETURN' then '' else 'rule' end,
        format('%I on %s', rulename, ev_class::regclass), 'pg_rewrite', r.oid,
        jsonb_build_object('definition', case when rulename <> '_RETURN' then pg_get_ruledef(r.oid, true) end,
            'state', ev_enabled, 'instead', is_instead)::text
    from pg_rewrite r where ev_class = any($1::oid[]) and $2::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null";

const POLICIES: &str = concat!(
    "select 'policy', format('%I on %s', polname, polrelid::regclass), 'pg_policy', p.oid,
        jsonb_build_object('command', polcmd, 'permissive', polpermissive, 'using', pg_get_expr(polqual, polrelid),
            'check', pg_get_expr(polwithcheck, polrelid), 'roles', array(select case when r = 0 then 'public' else ",
    owner!("r"),
    " end from unnest(polroles) r order by 1))::text
    from pg_policy p where polrelid = any($1::oid[]) and $2::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null"
);

const STATISTICS: &str = concat!(
    "select 'statistics', stxname::text, 'pg_statistic_ext', s.oid,
        jsonb_build_object('table', stxrelid::regclass::text, 'kinds', stxkind, 'target', stxstattarget,
            'columns', pg_get_statisticsobjdef_columns(s.oid), 'owner', ",
    owner!("stxowner"),
    ")::text
    from pg_statistic_ext s where stxrelid = any($1::oid[]) and $2::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null"
);

const TYPES: &str = concat!(
    "select case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type' when 'r' then 'range'
            else 'type' end, format_type(t.oid, null), 'pg_type', t.oid,
        (to_jsonb(t) - '{oid,typname,typnamespace,typowner,typrelid,typelem,typarray,typsubscript,typinput,typoutput,typreceive,
            typsend,typmodin,typmodout,typanalyze,typbasetype,typcollation,typdefaultbin,typdefault,typacl}'::text[]
        || jsonb_build_object('owner', ",
    owner!("t.typowner"),
    ", 'base', case when t.typbasetype <> 0 then format_type(t.typbasetype, t.typtypmod) end,
            'collation', case when t.typcollation <> 0 then t.typcollation::regcollation::text end,
            'default', pg_get_expr(t.typdefaultbin, 0),
            'labels', array(select enumlabel::text from pg_enum where enumtypid = t.oid order by enumsortorder),
            'range', (select jsonb_build_object('subtype', format_type(rngsubtype, null),
                'class', (select opcname from pg_opclass where oid = rngsubopc),
                'collation', case when rngcollation <> 0 then rngcollation::regcollation::text end,
                'difference', nullif(rngsubdiff::oid, 0)::regprocedure::text,
                'canonical', nullif(rngcanonical::oid, 0)::regprocedure::text,
                'multirange', format_type(rngmultitypid, null)) from pg_range where rngtypid = t.oid)))::text
    from pg_type t where t.oid = any($2::oid[]) and $1::oid[] is not null and $3::oid[] is not null
        and $4::oid[] is not null"
);

const ROUTINES: &str = concat!(
    "select case prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
        p.oid::regprocedure::text, 'pg_proc', p.oid,
        (to_jsonb(p) - '{oid,proname,pronamespace,proowner,prolang,provariadic,prosupport,prorettype,proargtypes,proallargtypes,
            protrftypes,proargdefaults,prosqlbody,proacl,prosrc,proconfig,proleakproof}'::text[]
        || jsonb_build_object('owner', ",
    owner!("proowner"),
    ", 'language', (select lanname from pg_language where oid = prolang),
            'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
            'variadic', case when provariadic <> 0 then format_type(provariadic, null) end,
            'transforms', array(select format_type(x, null) from unnest(protrftypes) x),
            'parsed body', pg_get_function_sqlbody(p.oid), 'body', prosrc, 'settings', proconfig,
            'aggregate', (select to_jsonb(a) - '{aggfnoid,aggtransfn,aggfinalfn,aggcombinefn,aggserialfn,aggdeserialfn,aggmtransfn,
                    aggminvtransfn,aggmfinalfn,aggsortop,aggtranstype,aggmtranstype}'::text[]
                || jsonb_build_object('functions', array[aggtransfn::regprocedure::text, aggfinalfn::regprocedure::text,
                    aggcombinefn::regprocedure::text, aggserialfn::regprocedure::text, aggdeserialfn::regprocedure::text,
                    aggmtransfn::regprocedure::text, aggminvtransfn::regprocedure::text, aggmfinalfn::regprocedure::text],
                    'operator', nullif(aggsortop, 0)::regoperator::text, 'types', array[format_type(aggtranstype, null),
                    format_type(aggmtranstype, null)])
                from pg_aggregate a where aggfnoid = p.oid)))::text
    from pg_proc p where p.oid = any($3::oid[]) and $1::oid[] is not null and $2::oid[] is not null
        and $4::oid[] is not null"
);

/// Operators, and casts from or to types of the schema.
const OPERATORS: &str = concat!(
    "select 'operator', o.oid::regoperator::text, 'pg_operator', o.oid,
        jsonb_build_object('owner', ",
    owner!("oprowner"),
    ", 'function', oprcode::regprocedure::text, 'commutator', nullif(oprcom, 0)::regoperator::text,
            'negator', nullif(oprnegate, 0)::regoperator::text, 'restrict', nullif(oprrest::oid, 0)::regprocedure::text,
            'join', nullif(oprjoin::oid, 0)::regprocedure::text, 'hashes', oprcanhash, 'merges', oprcanmerge)::text
    from pg_operator o where o.oid = any($4::oid[]) and $3::oid[] is not null
    union all select 'cast', format('%s as %s', format_type(castsource, null), format_type(casttarget, null)), 'pg_cast', c.oid,
        jsonb_build_object('function', nullif(castfunc, 0)::regprocedure::text, 'context', castcontext, 'method', castmethod)::text
    from pg_cast c, (select $2::oid[] || array(select reltype from pg_class where oid = any($1::oid[])) as own) x
    where (castsource = any(own) or casttarget = any(own)) and not exists (select from pg_depend e
        where e.classid = 'pg_cast'::regclass and e.objid = c.oid and e.deptype in ('e', 'i'))"
);

/// Collations, text search objects, and what only a superuser makes.
const OTHERS: &str = concat!(
    "select 'collation', collname::text, 'pg_collation', oid,
        (to_jsonb(c) - '{oid,collname,collnamespace,collowner}'::text[] || jsonb_build_object('owner', ",
    owner!("collowner"),
    "))::text
    from pg_collation c where oid = any($4::oid[]) and $1::oid[] is not null and $2::oid[] is not null and $3::oid[] is not null
    union all select 'text search dictionary', dictname::text, 'pg_ts_dict', d.oid,
        jsonb_build_object('owner', ",
    owner!("dictowner"),
    ", 'template', tmplname, 'options', dictinitoption)::text
    from pg_ts_dict d join pg_ts_template t on t.oid = dicttemplate where d.oid = any($4::oid[])
    union all select 'text search configuration', cfgname::text, 'pg_ts_config', c.oid,
        jsonb_build_object('owner', ",
    owner!("cfgowner"),
    ", 'parser', prsname, 'maps', (select json_agg(format('%s %s', maptokentype, mapdict::regdictionary)
            order by maptokentype, mapseqno) from pg_ts_config_map where mapcfg = c.oid))::text
    from pg_ts_config c join pg_ts_parser p on p.oid = cfgparser where c.oid = any($4::oid[])
    union all select 'operator class', opcname::text, 'pg_opclass', oid, '{}' from pg_opclass where oid = any($4::oid[])
    union all select 'operator family', opfname::text, 'pg_opfamily', oid, '{}' from pg_opfamily where oid = any($4::oid[])
    union all select 'conversion', conname::text, 'pg_conversion', oid, '{}' from pg_conversion where oid = any($4::oid[])
    union all select 'text search parser', prsname::text, 'pg_ts_parser', oid, '{}' from pg_ts_parser where oid = any($4::oid[])
    union all select 'text search template', tmplname::text, 'pg_ts_template', oid, '{}' from pg_ts_template
        where oid = any($4::oid[])"
);

/// Comments on objects by their numbers, which Postgres names.
pub(crate) const COMMENTS: &str =
    "select 'comment', pg_describe_object(classoid, objoid, objsubid), '', 0::oid,
        jsonb_build_object('text', description)::text
    from pg_description where objoid = any($1::oid[])";

/// What the objects given (`$1` catalogs, `$2` numbers) need that lies outside of the schema `$3`.
pub(crate) const REFERENCES: &str = "with needs as (
        select distinct d.classid, d.objid, d.refclassid, d.refobjid
        from unnest($1::text[], $2::oid[]) o(class, oid)
            join pg_depend d on d.classid = o.class::regclass and d.objid = o.oid
        where d.deptype in ('n', 'a') and d.refclassid <> 'pg_namespace'::regclass),
    outside as (
        select r.refclassid, r.refobjid from (select distinct refclassid, refobjid from needs) r,
            pg_identify_object(r.refclassid, r.refobjid, 0) i
        where i.schema is not null and i.schema <> quote_ident($3::text) and i.schema not like 'pg\\_%'
            and not exists (select from pg_depend e where e.classid = r.refclassid and e.objid = r.refobjid and e.deptype = 'e'))
    select 'reference', pg_describe_object(classid, objid, 0) || ' to ' || pg_describe_object(refclassid, refobjid, 0), '', 0::oid,
        '{}' from needs join outside using (refclassid, refobjid)";

/// Tables with their columns for the hash of their rows: which are not copied, are null in copies, or follow from those.
pub(crate) const TABLES: &str = "with recursive family as (
        select oid from pg_class where oid = any($1::oid[]) and relname = 'users' and relkind in ('r', 'p')
        union select inhrelid from family join pg_inherits on inhparent = family.oid),
    nulled as (
        select distinct k.conrelid, a.attnum from pg_constraint k
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey) and not a.attnotnull
        where k.conrelid = any($1::oid[]) and k.contype = 'f' and k.confrelid in (select oid from family)
            and k.conrelid not in (select oid from family)),
    derived as (
        select a.attrelid, a.attnum from nulled join pg_depend p on p.classid = 'pg_attrdef'::regclass
                and p.refclassid = 'pg_class'::regclass and p.refobjid = nulled.conrelid and p.refobjsubid = nulled.attnum
            join pg_attrdef d on d.oid = p.objid
            join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum and a.attgenerated <> ''),
    views as (
        select ev_class as view, d.refobjid as rel, d.refobjsubid as col from pg_rewrite r
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        where ev_class = any($1::oid[])
        union select v.view, d.refobjid, d.refobjsubid from views v join pg_rewrite r on r.ev_class = v.rel
            join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass)
    select json_build_object('name', relname, 'readable', has_table_privilege(c.oid, 'select'), 'forced', relrowsecurity and relforcerowsecurity,
        'users', c.oid in (select oid from family), 'kind', relkind,
        'uncertain', relkind = 'm' and (not relispopulated or exists (select from views v where v.view = c.oid and (
            v.rel in (select oid from family) or (v.rel, v.col) in (select conrelid, attnum from nulled)
            or (v.rel, v.col) in (select attrelid, attnum from derived)))),
        'columns', (select coalesce(json_agg(json_build_object('name', attname,
                'nulled', (attrelid, attnum) in (select conrelid, attnum from nulled),
                'derived', (attrelid, attnum) in (select attrelid, attnum from derived)) order by attnum), '[]')
            from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped))::text
    from pg_class c where c.oid = any($1::oid[]) and relkind in ('r', 'm') order by relname collate \"C\"";

/// Sequences, and whether the rows of `users` move them.
pub(crate) const COUNTERS: &str = "with recursive family as (
        select oid from pg_class where oid = any($1::oid[]) and relname = 'users' and relkind in ('r', 'p')
        union select inhrelid from family join pg_inherits on inhparent = family.oid)
    select json_build_object('name', relname, 'readable', has_sequence_privilege(c.oid, 'select'),
        'users', exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
            and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjid in (select oid from family)))::text
    from pg_class c where c.oid = any($1::oid[]) and relkind = 'S' order by relname collate \"C\"";
