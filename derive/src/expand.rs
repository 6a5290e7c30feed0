//! What the derive writes.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericParam, Generics, Ident, Lifetime,
    LifetimeParam, LitStr, Path, Result, Type, parse_quote,
};

/// Elements of the largest tuple that a row is read as.
const TUPLE: usize = 16;

/// The implementation of `FromRow`.
pub fn from_row(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "FromRow can only be derived for structs"));
    };
    let barepg = root(&input.attrs)?;
    let body = match &data.fields {
        Fields::Named(fields) => named(fields.named.iter(), &barepg)?,
        Fields::Unnamed(fields) => positional(fields.unnamed.iter())?,
        Fields::Unit => TokenStream::new(),
    };
    if data.fields.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a row has at least one field to fill"));
    }
    let (generics, row) = generics(&input.generics, &data.fields, &barepg)?;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, ty_generics, _) = input.generics.split_for_impl();
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #barepg::FromRow<#row> for #name #ty_generics #where_clause {
            fn from_row(
                __row: &#barepg::Row<#row>,
            ) -> ::core::result::Result<Self, #barepg::Error> {
                #body
            }
        }
    })
}

/// Walks the columns once and picks those with the names of fields.
fn named<'f>(fields: impl Iterator<Item = &'f Field>, barepg: &Path) -> Result<TokenStream> {
    let mut columns: Vec<LitStr> = Vec::new();
    let (mut idents, mut slots, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for (index, field) in fields.enumerate() {
        let ident = field.ident.as_ref().expect("named fields have names");
        let column = match rename(field)? {
            Some(column) => column,
            None => LitStr::new(&ident.unraw().to_string(), ident.span()),
        };
        if columns.iter().any(|other| other.value() == column.value()) {
            return Err(Error::new_spanned(&column, "two fields are read from this column"));
        }
        columns.push(column);
        idents.push(ident);
        slots.push(slot(index));
        types.push(&field.ty);
    }
    Ok(quote! {
        #(let mut #slots: ::core::option::Option<#types> = ::core::option::Option::None;)*
        let mut __values = __row.values();
        for __column in __row.columns() {
            match __column.name {
                #(#columns if #slots.is_none() => {
                    #slots = ::core::option::Option::Some(__values.next_value::<#types>()?);
                })*
                _ => {
                    __values.next_value::<::core::option::Option<#barepg::types::RawValue<'_>>>()?;
                }
            }
        }
        ::core::result::Result::Ok(Self {
            #(#idents: match #slots {
                ::core::option::Option::Some(__value) => __value,
                // There is none: this makes the error that says so.
                ::core::option::Option::None => __row.get(#columns)?,
            },)*
        })
    })
}

/// Takes the columns in order.
fn positional<'f>(fields: impl Iterator<Item = &'f Field>) -> Result<TokenStream> {
    let (mut slots, mut types) = (Vec::new(), Vec::new());
    for (index, field) in fields.enumerate() {
        if let Some(column) = rename(field)? {
            return Err(Error::new_spanned(column, "fields without names go by position"));
        }
        slots.push(slot(index));
        types.push(&field.ty);
    }
    // A tuple of as many elements is read with one look at the types for all rows.
    if slots.len() <= TUPLE {
        return Ok(quote! {
            let (#(#slots,)*): (#(#types,)*) = __row.decode()?;
            ::core::result::Result::Ok(Self(#(#slots),*))
        });
    }
    Ok(quote! {
        let mut __values = __row.values();
        #(let #slots = __values.next_value::<#types>()?;)*
        __values.finish()?;
        ::core::result::Result::Ok(Self(#(#slots),*))
    })
}

/// A variable that no field's type can mention.
fn slot(index: usize) -> Ident {
    format_ident!("__field{index}", span = Span::mixed_site())
}

/// Where the crate is: in `#[barepg(crate = "…")]`, or by its name.
fn root(attributes: &[Attribute]) -> Result<Path> {
    let mut root = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("barepg")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("the only option of a struct is crate = \"…\""));
            }
            if root.is_some() {
                return Err(meta.error("the crate is in one place"));
            }
            root = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            Ok(())
        })?;
    }
    Ok(root.unwrap_or_else(|| parse_quote!(::barepg)))
}

/// The name in `#[barepg(rename = "…")]`.
fn rename(field: &Field) -> Result<Option<LitStr>> {
    let mut name = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("barepg")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("the only option of a field is rename = \"…\""));
            }
            if name.is_some() {
                return Err(meta.error("a field has one name"));
            }
            let column: LitStr = meta.value()?.parse()?;
            if column.value().is_empty() {
                return Err(Error::new_spanned(&column, "every column has a name"));
            }
            name = Some(column);
            Ok(())
        })?;
    }
    Ok(name)
}

/// The struct's generics for the implementation, and the lifetime of the row.
fn generics(generics: &Generics, fields: &Fields, barepg: &Path) -> Result<(Generics, Lifetime)> {
    let mut generics = generics.clone();
    let lifetimes: Vec<Lifetime> =
        generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    let row = match lifetimes.as_slice() {
        [] => {
            let row = Lifetime::new("'__row", Span::mixed_site());
            let param = GenericParam::Lifetime(LifetimeParam::new(row.clone()));
            generics.params.insert(0, param);
            row
        }
        [row] => row.clone(),
        [_, second, ..] => {
            return Err(Error::new_spanned(second, "a row lends its values for one lifetime"));
        }
    };
    if generics.type_params().next().is_some() {
        let types: Vec<Type> = fields.iter().map(|field| field.ty.clone()).collect();
        let clause = generics.make_where_clause();
        for ty in types {
            clause.predicates.push(parse_quote!(#ty: #barepg::FromSql<#row>));
        }
    }
    Ok((generics, row))
}
