//! Column types: what they are, how SQL spells them, what can be done with their values.

use postgres_types::Oid;

/// A type as a column uses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// Where its name lives.
    pub schema: TypeSchema,
    /// Name of the type; of the element where `array` is set.
    pub name: String,
    /// Whether it is an array of `name`.
    pub array: bool,
    /// Object id if the type is built in, else 0 (others differ from clone to clone).
    pub oid: Oid,
    /// What kind of type it is.
    pub kind: TypeKind,
    /// As Postgres shows it with its modifier: `character varying(40)`.
    pub shown: String,
    /// The most characters it takes (`varchar(n)`, `char(n)`).
    pub length: Option<u32>,
    /// The most digits of `numeric(p, s)`.
    pub precision: Option<u32>,
    /// The digits after the point of `numeric(p, s)`.
    pub scale: Option<i32>,
    /// The schema of its comparison operators; `None` where it can't be ordered.
    pub ordered: Option<TypeSchema>,
}

/// Where a type's or operator's name lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeSchema {
    /// `pg_catalog`
    Builtin,
    /// The schema that the catalog describes.
    Own,
    /// Another one, such as that of an extension.
    Other(String),
}

/// What kind of type it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// Built in or from an extension.
    Base,
    /// An enum with its labels in order.
    Enum(Vec<String>),
    /// A domain over another type.
    Domain(Box<Type>),
    /// A row type.
    Composite,
    /// A range or multirange.
    Range,
    /// An array of another type.
    Array(Box<Type>),
}

/// Object ids of the built-in types that are treated one by one (`pg_type.dat`).
pub mod oid {
    #![allow(missing_docs)]
    use postgres_types::Oid;
    pub const BOOL: Oid = 16;
    pub const BYTEA: Oid = 17;
    pub const CHAR: Oid = 18;
    pub const NAME: Oid = 19;
    pub const INT8: Oid = 20;
    pub const INT2: Oid = 21;
    pub const INT4: Oid = 23;
    pub const TEXT: Oid = 25;
    pub const OID: Oid = 26;
    pub const JSON: Oid = 114;
    pub const XML: Oid = 142;
    pub const FLOAT4: Oid = 700;
    pub const FLOAT8: Oid = 701;
    pub const BPCHAR: Oid = 1042;
    pub const VARCHAR: Oid = 1043;
    pub const DATE: Oid = 1082;
    pub const TIME: Oid = 1083;
    pub const TIMESTAMP: Oid = 1114;
    pub const TIMESTAMPTZ: Oid = 1184;
    pub const INTERVAL: Oid = 1186;
    pub const TIMETZ: Oid = 1266;
    pub const NUMERIC: Oid = 1700;
    pub const UUID: Oid = 2950;
    pub const JSONB: Oid = 3802;
}

/// Built-in types with a default btree operator class, beside ranges, enums and arrays.
const ORDERED: &[Oid] = &[
    16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 30, 650, 700, 701, 774, 790, 829, 869, 1042, 1043,
    1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3220, 3614, 3615, 3802, 5069,
];

impl Type {
    /// A built-in type by name and object id, as for tests and for parameters.
    pub fn builtin(name: &str, oid: Oid) -> Self {
        Self {
            schema: TypeSchema::Builtin,
            name: name.to_owned(),
            array: false,
            oid,
            kind: TypeKind::Base,
            shown: name.to_owned(),
            length: None,
            precision: None,
            scale: None,
            ordered: ORDERED.contains(&oid).then_some(TypeSchema::Builtin),
        }
    }

    /// The type below all domains.
    pub fn base(&self) -> &Self {
        match &self.kind {
            TypeKind::Domain(inner) => inner.base(),
            _ => self,
        }
    }

    /// Whether values are text to a reader: found by `q`, `like` without a cast.
    pub fn is_text(&self) -> bool {
        matches!(
            self.base().oid,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME
        ) || (self.base().name == "citext" && !self.base().array)
    }

    /// Whether values are written as JSON numbers.
    pub fn is_number(&self) -> bool {
        matches!(
            self.base().oid,
            oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC
        )
    }

    /// Whether values are instants or days.
    pub fn is_instant(&self) -> bool {
        matches!(
            self.base().oid,
            oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ
        )
    }

    /// The labels, if it is an enum.
    pub fn labels(&self) -> Option<&[String]> {
        match &self.base().kind {
            TypeKind::Enum(labels) => Some(labels),
            _ => None,
        }
    }

    /// One word for it in `/schema`: what a client has to treat differently.
    pub fn family(&self) -> &'static str {
        match &self.kind {
            TypeKind::Base => "base",
            TypeKind::Enum(_) => "enum",
            TypeKind::Domain(_) => "domain",
            TypeKind::Composite => "composite",
            TypeKind::Range => "range",
            TypeKind::Array(_) => "array",
        }
    }

    /// How it is ordered, worked out from kind and id for everything built in.
    pub(super) fn ordering(kind: &TypeKind, oid: Oid) -> Option<TypeSchema> {
        match kind {
            TypeKind::Enum(_) | TypeKind::Range => Some(TypeSchema::Builtin),
            TypeKind::Array(element) => element.ordered.is_some().then_some(TypeSchema::Builtin),
            TypeKind::Domain(inner) => inner.ordered.clone(),
            TypeKind::Composite => None,
            TypeKind::Base => ORDERED.contains(&oid).then_some(TypeSchema::Builtin),
        }
    }
}
