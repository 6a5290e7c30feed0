//! Type OIDs, equal in PostgreSQL (`pg_type.dat`) and openGauss (`pg_type.h`).

use super::Oid;

macro_rules! oids {
    ($($name:ident = $value:literal $what:literal),* $(,)?) => {$(
        #[doc = concat!("`", $what, "`")]
        pub const $name: Oid = $value;
    )*};
}

oids! {
    BOOL = 16 "bool",
    BYTEA = 17 "bytea",
    CHAR = 18 "\"char\"",
    NAME = 19 "name",
    INT8 = 20 "int8",
    INT2 = 21 "int2",
    INT4 = 23 "int4",
    TEXT = 25 "text",
    OID = 26 "oid",
    XID = 28 "xid",
    FLOAT4 = 700 "float4",
    FLOAT8 = 701 "float8",
    UNKNOWN = 705 "unknown",
    BPCHAR = 1042 "bpchar",
    VARCHAR = 1043 "varchar",
}
