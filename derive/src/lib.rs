//! `#[derive(FromRow)]` for barepg. Enabled by barepg's feature `derive`, which exports it beside
//! the trait.

#![deny(missing_docs)]

mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Reads a struct from a row.
///
/// A struct with **named fields** takes each from the column of its name, or of the name in
/// `#[barepg(rename = "…")]`. The columns may stand in any order and there may be more of them;
/// of several with one name the first counts. All of it happens in one pass over the row. A
/// missing column is the error `UsageError::NoColumn`; it also stands for columns whose names did
/// not fit the receive buffer.
///
/// A **tuple struct** takes the columns in order, and there must be as many as fields.
///
/// Every field's type implements `FromSql`, with `Option` where the column may be NULL. The struct
/// may have one lifetime, that of the row: fields of type `&'a str` are lent from the receive
/// buffer.
///
/// ```
/// #[derive(barepg::FromRow)]
/// struct Reading<'a> {
///     id: i32,
///     #[barepg(rename = "sensor_name")]
///     name: &'a str,
///     value: Option<f32>,
/// }
///
/// #[derive(barepg::FromRow)]
/// struct Count(i64);
///
/// fn is_from_row<'r, T: barepg::FromRow<'r>>() {}
/// is_from_row::<Reading>();
/// is_from_row::<Count>();
/// ```
///
/// Where the crate goes by another name, or is reached through another crate only, the struct says where
/// it is:
///
/// ```
/// use barepg as database;
///
/// #[derive(database::FromRow)]
/// #[barepg(crate = "database")]
/// struct Count(i64);
/// ```
///
/// What it cannot do is an error when compiling:
///
/// ```compile_fail
/// #[derive(barepg::FromRow)] // an enum
/// enum Colour { Red }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // no fields
/// struct Nothing;
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // two lifetimes
/// struct Both<'a, 'b> { a: &'a str, b: &'b str }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // one column for two fields
/// struct Twice { a: i32, #[barepg(rename = "a")] b: i32 }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // an option that does not exist
/// struct Typo { #[barepg(rname = "b")] a: i32 }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // one of the struct that does not exist
/// #[barepg(rename_all = "camelCase")]
/// struct Names { a: i32 }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // a column without a name
/// struct Nameless { #[barepg(rename = "")] a: i32 }
/// ```
/// ```compile_fail
/// #[derive(barepg::FromRow)] // a name where there is only a position
/// struct Position(#[barepg(rename = "b")] i32);
/// ```
#[proc_macro_derive(FromRow, attributes(barepg))]
pub fn from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::from_row(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
