//! The queries that read a schema from the catalogs; each gives one JSON object a row.
//!
//! All of them start from lists of object numbers and reach the rest by indexed columns. Names are resolved under
//! `pg_catalog` alone (see `catalog`), so nothing in a schema can stand in for what they call.

/// The schema and name of a routine, whatever the search path.
macro_rules! routine {
    ($oid:literal) => {
        concat!(
            "(select json_build_array(n.nspname, f.proname) from pg_proc f join pg_namespace n on n.oid = f.pronamespace
                where f.oid = ",
            $oid,
            ")"
        )
    };
}

/// The schema and name of an operator, whatever the search path.
macro_rules! operator {
    ($oid:literal) => {
        concat!(
            "(select json_build_array(n.nspname, x.oprname) from pg_operator x join pg_namespace n on n.oid = x.oprnamespace
                where x.oid = ",
            $oid,
            ")"
        )
    };
}

/// The number of a schema.
pub(crate) const SCHEMA: &str = "select oid from pg_namespace where nspname = $1::text::name";

/// The names of relations, types and routines.
pub(crate) const NAMES: &str =
    "select to_json(relname)::text from pg_class where oid = any($1::oid[])
    union select to_json(typname)::text from pg_type where oid = any($1::oid[])
    union select to_json(proname)::text from pg_proc where oid = any($1::oid[])";

/// What a schema holds. `member` is the name, if it belongs to an extension; what belongs to a type is left out.
pub(crate) const ROOTS: &str = "select row_to_json(q)::text from (
    select d.classid::regclass::text as class, d.objid::int8 as oid,
        case when exists (select from pg_depend e
            where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e')
        then coalesce((select typname from pg_type where oid = d.objid and d.classid = 'pg_type'::regclass),
            (select proname from pg_proc where oid = d.objid and d.classid = 'pg_proc'::regclass),
            (select relname from pg_class where oid = d.objid and d.classid = 'pg_class'::regclass),
            (select opcname from pg_opclass where oid = d.objid and d.classid = 'pg_opclass'::regclass),
            (select opfname from pg_opfamily where oid = d.objid and d.classid = 'pg_opfamily'::regclass),
            (select collname from pg_collation where oid = d.objid and d.classid = 'pg_collation'::regclass),
            (select dictname from pg_ts_dict where oid = d.objid and d.classid = 'pg_ts_dict'::regclass),
            (select cfgname from pg_ts_config where oid = d.objid and d.classid = 'pg_ts_config'::regclass), '')
        end as member
    from pg_depend d
    where d.refclassid = 'pg_namespace'::regclass and d.refobjid = any($1::oid[]) and d.deptype = 'n'
        and not exists (select from pg_depend i where i.classid = d.classid and i.objid = d.objid
            and i.deptype = 'i' and i.refclassid = 'pg_type'::regclass)) q";

pub(crate) const RELATIONS: &str = "select row_to_json(q)::text from (
    select c.oid::int8, relname as name, relkind::text as kind, relpersistence::text as persistence,
        case when relkind in ('r', 'm') then (select amname from pg_am where oid = relam and amname <> 'heap') end
            as access_method,
        reloptions as options,
        (select t.reloptions from pg_class t where t.oid = c.reltoastrelid) as toast_options,
        relrowsecurity as row_security, relforcerowsecurity as force_security,
        relreplident::text as replica_identity, relispartition as is_partition, relispopulated as populated,
        reltype::int8 as row_type,
        case when reloftype <> 0 then format_type(reloftype, null) end as of_type,
        pg_get_partkeydef(c.oid) as partition_key, pg_get_expr(relpartbound, c.oid) as bound,
        case when relkind in ('v', 'm') then pg_get_viewdef(c.oid) end as definition,
        array(select inhparent::int8 from pg_inherits where inhrelid = c.oid order by inhseqno) as parents
    from pg_class c where c.oid = any($1::oid[])) q order by q.name collate \"C\"";

/// Columns of relations and of composite types.
pub(crate) const COLUMNS: &str = "select row_to_json(q)::text from (
    select a.attrelid::int8 as relation, attnum::int4 as number, attname as name,
        format_type(atttypid, atttypmod) as type_name,
        case when attcollation <> t.typcollation then attcollation::regcollation::text end as collation,
        attnotnull as not_null, attidentity::text as identity, attgenerated::text as generated,
        case when attstorage <> t.typstorage then attstorage::text end as storage,
        nullif(attcompression::text, '') as compression,
        nullif(attstattarget, -1)::int4 as statistics, attoptions as options,
        attislocal as local, attinhcount > 0 as inherited,
        d.oid::int8 as default_oid, pg_get_expr(d.adbin, d.adrelid) as default
    from pg_attribute a join pg_type t on t.oid = a.atttypid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = any($1::oid[] || array(select typrelid from pg_type where oid = any($2::oid[]) and typrelid <> 0))
        and attnum > 0 and not attisdropped) q order by q.relation, q.number";

pub(crate) const SEQUENCES: &str = "select row_to_json(q)::text from (
    select s.seqrelid::int8 as oid, c.relname as name, c.relpersistence::text as persistence,
        format_type(seqtypid, null) as type_name, seqstart as start, seqincrement as increment, seqmax as max,
        seqmin as min, seqcache as cache, seqcycle as cycle,
        d.refobjid::int8 as owner, a.attname as owner_column, coalesce(d.deptype = 'i', false) as identity
    from pg_sequence s join pg_class c on c.oid = s.seqrelid
        left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.seqrelid and d.objsubid = 0
            and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
        left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where s.seqrelid = any($1::oid[])) q order by q.name collate \"C\"";

/// Constraints of tables and of domains. Those that Postgres keeps for a trigger or for not-null columns are left out.
pub(crate) const CONSTRAINTS: &str = "select row_to_json(q)::text from (
    select c.oid::int8, contype::text as kind, conname as name, pg_get_constraintdef(c.oid, true) as definition,
        conrelid::int8 as relation, contypid::int8 as domain, conindid::int8 as index, conparentid::int8 as parent,
        conislocal as local, coninhcount > 0 as inherited, convalidated as validated, confrelid::int8 as target,
        coalesce(conkey, '{}')::int4[] as columns, confmatchtype = 'f' as full_match,
        coalesce((select p.conrelid from pg_constraint p where p.oid = c.conparentid), 0)::int8 as parent_relation
    from (select * from pg_constraint where conrelid = any($1::oid[]) and conrelid <> 0
        union all select * from pg_constraint where contypid = any($2::oid[]) and contypid <> 0) c
    where contype in ('c', 'f', 'p', 'u', 'x')) q order by q.name collate \"C\", q.oid";

pub(crate) const INDEXES: &str = "select row_to_json(q)::text from (
    select i.indexrelid::int8 as oid, i.indrelid::int8 as relation, c.relname as name,
        pg_get_indexdef(i.indexrelid, 0, true) as definition, indisclustered as clustered,
        indisreplident as replica_identity, indisvalid or c.relkind = 'I' as valid,
        (select d.refobjid::int8 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
            and d.refclassid = 'pg_constraint'::regclass and d.deptype = 'i' limit 1) as constraint,
        (select inhparent::int8 from pg_inherits where inhrelid = i.indexrelid) as parent,
        c.reloptions as options,
        coalesce((select json_object_agg(attnum, attstattarget) from pg_attribute
            where attrelid = i.indexrelid and attstattarget >= 0), '{}') as statistics
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = any($1::oid[])) q order by q.name collate \"C\"";

pub(crate) const TRIGGERS: &str = "select row_to_json(q)::text from (
    select oid::int8, tgrelid::int8 as relation, tgname as name,
        case when not tgisinternal then pg_get_triggerdef(oid, true) end as definition,
        tgenabled::text as enabled, tgisinternal as internal, tgparentid <> 0 as inherited,
        tgconstraint <> 0 as constraint
    from pg_trigger where tgrelid = any($1::oid[]) and (not tgisinternal or tgenabled <> 'O')) q
    order by q.name collate \"C\"";

/// Rules; of those that make a view there is no definition.
pub(crate) const RULES: &str = "select row_to_json(q)::text from (
    select oid::int8, ev_class::int8 as relation, rulename as name,
        case when rulename <> '_RETURN' then pg_get_ruledef(oid, true) end as definition, ev_enabled::text as enabled
    from pg_rewrite where ev_class = any($1::oid[])) q order by q.name collate \"C\"";

/// Policies; a role that owns the table counts as the empty name.
pub(crate) const POLICIES: &str = "select row_to_json(q)::text from (
    select p.oid::int8, polrelid::int8 as relation, polname as name, polcmd::text as command,
        polpermissive as permissive,
        array(select case r when 0 then 'public' when c.relowner then '' else quote_ident(pg_get_userbyid(r)::text) end
            from unnest(polroles) r) as roles,
        pg_get_expr(polqual, polrelid) as using, pg_get_expr(polwithcheck, polrelid) as check
    from pg_policy p join pg_class c on c.oid = p.polrelid
    where polrelid = any($1::oid[])) q order by q.name collate \"C\"";

pub(crate) const STATISTICS: &str = "select row_to_json(q)::text from (
    select s.oid::int8, stxname as name, c.relname as table, stxkind::text[] as kinds,
        pg_get_statisticsobjdef_columns(s.oid) as columns, stxkind::text[] = '{e}' as expressions_only,
        nullif(stxstattarget, -1)::int4 as target
    from pg_statistic_ext s join pg_class c on c.oid = s.stxrelid
    where stxrelid = any($1::oid[]) and s.stxnamespace = c.relnamespace) q order by q.name collate \"C\"";

pub(crate) const TYPES: &str = concat!(
    "select row_to_json(q)::text from (
    select t.oid::int8, t.typname as name, t.typtype::text as kind, t.typrelid::int8 as relation,
        t.typarray::int8 as array,
        array(select enumlabel from pg_enum where enumtypid = t.oid order by enumsortorder) as labels,
        case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end as base,
        case when t.typtype = 'd' and t.typcollation <> b.typcollation then t.typcollation::regcollation::text end
            as collation,
        t.typnotnull as not_null, pg_get_expr(t.typdefaultbin, 0) as default,
        (select json_build_object('subtype', format_type(rngsubtype, null),
            'class', (select json_build_array(n.nspname, o.opcname) from pg_opclass o
                join pg_namespace n on n.oid = o.opcnamespace where o.oid = rngsubopc and not o.opcdefault),
            'collation', case when rngcollation <> 0 then rngcollation::regcollation::text end,
            'canonical', ",
    routine!("rngcanonical"),
    ",
            'difference', ",
    routine!("rngsubdiff"),
    ",
            'multirange', m.typname, 'multirange_oid', m.oid::int8, 'multirange_array', m.typarray::int8)
            from pg_range r join pg_type m on m.oid = r.rngmultitypid where r.rngtypid = t.oid) as range
    from pg_type t left join pg_type b on b.oid = t.typbasetype
    where t.oid = any($1::oid[])) q order by q.name collate \"C\""
);

pub(crate) const ROUTINES: &str = concat!(
    "select row_to_json(q)::text from (
    select p.oid::int8, proname as name, prokind::text as kind, l.lanname as language, l.lanpltrusted as trusted,
        pg_get_function_arguments(p.oid) as arguments, pg_get_function_identity_arguments(p.oid) as identity,
        pg_get_function_result(p.oid) as result, prosrc as source, pg_get_function_sqlbody(p.oid) as parsed,
        provolatile::text as volatility, proisstrict as strict, prosecdef as definer, proleakproof as leakproof,
        proparallel::text as parallel, procost::text as cost, prorows::text as rows,
        coalesce(proconfig, '{}') as settings,
        prosupport <> 0 as supported,
        array(select format_type(x, null) from unnest(protrftypes) x) as transforms,
        (select json_build_object('sfunc', ",
    routine!("aggtransfn"),
    ", 'stype', format_type(aggtranstype, null),
            'sspace', nullif(aggtransspace, 0), 'finalfunc', ",
    routine!("aggfinalfn"),
    ",
            'finalfunc_extra', nullif(aggfinalextra, false), 'finalfunc_modify', aggfinalmodify,
            'combinefunc', ",
    routine!("aggcombinefn"),
    ", 'serialfunc', ",
    routine!("aggserialfn"),
    ",
            'deserialfunc', ",
    routine!("aggdeserialfn"),
    ", 'initcond', agginitval,
            'msfunc', ",
    routine!("aggmtransfn"),
    ", 'minvfunc', ",
    routine!("aggminvtransfn"),
    ",
            'mstype', case when aggmtranstype <> 0 then format_type(aggmtranstype, null) end,
            'msspace', nullif(aggmtransspace, 0), 'mfinalfunc', ",
    routine!("aggmfinalfn"),
    ",
            'mfinalfunc_extra', nullif(aggmfinalextra, false), 'mfinalfunc_modify', aggmfinalmodify,
            'minitcond', aggminitval, 'kind', aggkind,
            'sortop', ",
    operator!("aggsortop"),
    ")
            from pg_aggregate where aggfnoid = p.oid) as aggregate
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.oid = any($1::oid[])) q order by q.name collate \"C\", q.identity collate \"C\""
);

pub(crate) const OPERATORS: &str = concat!(
    "select row_to_json(q)::text from (
    select o.oid::int8, oprname as name, case when oprleft <> 0 then format_type(oprleft, null) end as left,
        case when oprright <> 0 then format_type(oprright, null) end as right, ",
    routine!("oprcode"),
    " as function,
        (select format('operator(%I.%s)', n.nspname, x.oprname) from pg_operator x
            join pg_namespace n on n.oid = x.oprnamespace where x.oid = o.oprcom) as commutator,
        (select format('operator(%I.%s)', n.nspname, x.oprname) from pg_operator x
            join pg_namespace n on n.oid = x.oprnamespace where x.oid = o.oprnegate) as negator,
        ",
    routine!("oprrest"),
    " as restrict, ",
    routine!("oprjoin"),
    " as join,
        oprcanhash as hashes, oprcanmerge as merges
    from pg_operator o where o.oid = any($1::oid[]) and oprcode <> 0) q order by q.name collate \"C\", q.oid"
);

/// Casts from or to a type of the schema, row types among them.
pub(crate) const CASTS: &str = "select row_to_json(q)::text from (
    select c.oid::int8, format_type(castsource, null) as source, format_type(casttarget, null) as target,
        case when castfunc <> 0 then castfunc::regprocedure::text end as function, castcontext::text as context,
        castmethod::text as method
    from pg_cast c where not exists (select from pg_depend e
            where e.classid = 'pg_cast'::regclass and e.objid = c.oid and e.deptype in ('e', 'i'))
        and (castsource = any($2::oid[] || array(select reltype from pg_class where oid = any($1::oid[])))
            or casttarget = any($2::oid[] || array(select reltype from pg_class where oid = any($1::oid[]))))) q
    order by q.source collate \"C\", q.target collate \"C\"";

/// Collations, text search objects, operator classes and families, conversions.
pub(crate) const NAMED: &str = "select row_to_json(q)::text from (
    select 'pg_collation' as class, oid::int8, 'collation' as kind, collname as name, null as detail
        from pg_collation where oid = any($1::oid[])
    union all select 'pg_ts_dict', d.oid::int8, 'text search dictionary', dictname,
        json_build_object('template', json_build_array(n.nspname, t.tmplname), 'options', dictinitoption)::text
        from pg_ts_dict d join pg_ts_template t on t.oid = d.dicttemplate
            join pg_namespace n on n.oid = t.tmplnamespace where d.oid = any($1::oid[])
    union all select 'pg_ts_config', c.oid::int8, 'text search configuration', cfgname,
        (select json_build_object('parser', json_build_array(n.nspname, p.prsname), 'maps',
            (select coalesce(json_agg(json_build_array(m.alias, m.dicts)), '[]') from (
                select t.alias, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dicts
                from pg_ts_config_map m join ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
                where m.mapcfg = c.oid group by t.alias order by t.alias) m))::text
            from pg_ts_parser p join pg_namespace n on n.oid = p.prsnamespace where p.oid = c.cfgparser)
        from pg_ts_config c where c.oid = any($1::oid[])
    union all select 'pg_opclass', oid::int8, 'operator class', opcname, null
        from pg_opclass where oid = any($1::oid[])
    union all select 'pg_opfamily', oid::int8, 'operator family', opfname, null
        from pg_opfamily where oid = any($1::oid[])
    union all select 'pg_conversion', oid::int8, 'conversion', conname, null
        from pg_conversion where oid = any($1::oid[])
    union all select 'pg_ts_parser', oid::int8, 'text search parser', prsname, null
        from pg_ts_parser where oid = any($1::oid[])
    union all select 'pg_ts_template', oid::int8, 'text search template', tmplname, null
        from pg_ts_template where oid = any($1::oid[])) q order by q.class, q.name collate \"C\"";

/// The array type of each type that has one, and the type of a multirange.
pub(crate) const ARRAYS: &str = "select json_build_array(oid::int8, typarray::int8)::text
    from pg_type where oid = any($1::oid[]) and typarray <> 0";

pub(crate) const COMMENTS: &str = "select row_to_json(q)::text from (
    select classoid::regclass::text as class, objoid::int8 as oid, objsubid as column, description as text
    from pg_description where objoid = any($1::oid[])) q order by q.class, q.oid, q.column";

/// What the objects need; the index of `pg_depend` begins with the catalog, hence the list of catalogs.
pub(crate) const DEPENDENCIES: &str = "select row_to_json(q)::text from (
    select distinct d.classid::regclass::text as class, d.objid::int8 as oid, d.objsubid as column,
        d.refclassid::regclass::text as on_class,
        d.refobjid::int8 as on, d.deptype::text as kind
    from unnest(array['pg_class', 'pg_type', 'pg_proc', 'pg_attrdef', 'pg_constraint', 'pg_trigger', 'pg_rewrite',
            'pg_policy', 'pg_statistic_ext', 'pg_operator', 'pg_cast', 'pg_collation', 'pg_ts_config', 'pg_ts_dict',
            'pg_opclass', 'pg_opfamily']::regclass[]) c(class)
        cross join unnest($1::oid[]) o(oid)
        join pg_depend d on d.classid = c.class and d.objid = o.oid
    where d.refclassid <> 'pg_namespace'::regclass) q";

/// What belongs to a schema without being in it: kind, name and why it is not followed.
pub(crate) const OUTSIDE: &str = "select json_build_array(kind, name, reason)::text from (
    select 'event trigger' as kind, evtname::text as name, 'belongs to the database' as reason from pg_event_trigger
        where evtname not in ('sandlot_changes', 'sandlot_drops')
    union all select 'publication', p.pubname::text, 'belongs to the database' from pg_publication p
        where puballtables
            or exists (select from pg_publication_rel r where r.prpubid = p.oid and r.prrelid = any($1::oid[]))
            or exists (select from pg_publication_namespace n where n.pnpubid = p.oid and n.pnnspid = any($1::oid[]))
    union all select 'large objects', count(*)::text || ' of ' || pg_get_userbyid(lomowner), 'belong to the database'
        from pg_largeobject_metadata where pg_has_role(lomowner, 'usage') group by lomowner
    union all select 'security label', provider || ' on ' || (pg_identify_object(classoid, objoid, objsubid)).identity,
        'belongs to the database' from pg_seclabel where objoid = any($1::oid[])) q
    order by kind collate \"C\", name collate \"C\"";

/// Whether a table was written anew after the transaction's snapshot was taken: its rows, as that snapshot sees them, are
/// gone then. The function looks at now, the row at the snapshot.
pub(crate) const MOVED: &str = "select exists (
    select from pg_depend d join pg_class c on c.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1::oid and d.classid = 'pg_class'::regclass
        and c.relkind in ('r', 'm') and pg_relation_filenode(c.oid) is distinct from c.relfilenode)";

/// A number for the state of a schema's definitions: moved by every change of them, not by rows or maintenance.
pub(crate) const STAMP: &str = "select (with root as (
        select classid, objid from pg_depend
        where refclassid = 'pg_namespace'::regclass and refobjid = n.oid and deptype = 'n'),
    relation as (select objid as oid from root where classid = 'pg_class'::regclass),
    type as (select t.oid, t.typrelid from root join pg_type t on t.oid = root.objid
        where classid = 'pg_type'::regclass),
    seen(kind, oid, state) as (
        select 'c', c.oid, row(relname, relowner, relkind, relpersistence, relam, reloptions, reloftype, relispartition,
                relrowsecurity, relforcerowsecurity, relreplident, relpartbound)::text
            from relation join pg_class c using (oid)
        union all select 'a', a.attrelid, a.attnum || ' ' || a.xmin::text
            from (select oid from relation union all select typrelid from type) r join pg_attribute a on attrelid = r.oid
        union all select 'd', d.oid, d.xmin::text from relation r join pg_attrdef d on adrelid = r.oid
        union all select 'k', k.oid, k.xmin::text from relation r join pg_constraint k on conrelid = r.oid
        union all select 'K', k.oid, k.xmin::text from type r join pg_constraint k on contypid = r.oid
        union all select 'i', i.indexrelid, i.xmin::text || ' ' || c.xmin::text
            from relation r join pg_index i on indrelid = r.oid join pg_class c on c.oid = i.indexrelid
        union all select 't', t.oid, t.xmin::text from relation r join pg_trigger t on tgrelid = r.oid
        union all select 'r', w.oid, w.xmin::text from relation r join pg_rewrite w on ev_class = r.oid
        union all select 'p', p.oid, p.xmin::text from relation r join pg_policy p on polrelid = r.oid
        union all select 's', s.oid, s.xmin::text from relation r join pg_statistic_ext s on stxrelid = r.oid
        union all select 'q', s.seqrelid, s.xmin::text from relation r join pg_sequence s on seqrelid = r.oid
        union all select 'h', h.inhrelid, h.inhparent || ' ' || h.xmin::text
            from relation r join pg_inherits h on inhrelid = r.oid
        union all select 'y', y.oid, y.xmin::text from type join pg_type y using (oid)
        union all select 'e', e.oid, e.xmin::text from type r join pg_enum e on enumtypid = r.oid
        union all select 'f', f.oid, f.xmin::text from root join pg_proc f on f.oid = root.objid
            where classid = 'pg_proc'::regclass
        union all select 'o', o.oid, o.xmin::text from root join pg_operator o on o.oid = root.objid
            where classid = 'pg_operator'::regclass
        union all select 'n', root.objid, root.classid::text from root
        union all select 'x', x.objoid, x.objsubid || ' ' || x.xmin::text
            from root join pg_description x on x.objoid = root.objid and x.classoid = root.classid
        union all select 'x', x.objoid, x.xmin::text from relation r join pg_constraint k on conrelid = r.oid
            join pg_description x on x.objoid = k.oid and x.classoid = 'pg_constraint'::regclass
        union all select 'x', x.objoid, x.xmin::text from relation r join pg_trigger t on tgrelid = r.oid
            join pg_description x on x.objoid = t.oid and x.classoid = 'pg_trigger'::regclass
        union all select 'x', x.objoid, x.xmin::text from relation r join pg_index i on indrelid = r.oid
            join pg_description x on x.objoid = i.indexrelid and x.classoid = 'pg_class'::regclass)
    select coalesce(bit_xor(hashtextextended(kind || ' ' || oid || ' ' || state, 0)), 0) from seen)
    from pg_namespace n where n.nspname = $1";
