//! The parameters `$1`, `$2`, … of one statement.

use crate::types::{Format, Oid, RawValue, ToSql, oid};
#[cfg(target_os = "none")]
use crate::verbs::sql::Execution;
use crate::wire::{Reader, Rules, WireError, Writer};

/// Parameters of one execution: a tuple of up to 16 values, `()` for none, or a slice of
/// `&dyn` [`Parameter`] where their number is only known at run time.
///
/// As many as the statement has. Of SQL text and of a [`StaticStatement`](crate::StaticStatement) the server counts
/// them, and takes more without a word: those beyond the last `$n` go nowhere.
///
/// Tuples are compiled for their types: no table of functions, no copies.
#[diagnostic::on_unimplemented(
    note = "parameters are a tuple, one of them too: `(value,)`; `()` for none; more than 16, or as many as are known at \
            run time, are a slice `&[&dyn barepg::Parameter]`"
)]
pub trait Params {
    /// How many.
    fn count(&self) -> usize;

    /// The type OID of parameter `index`, counted from 0.
    fn oid(&self, index: usize) -> Oid;

    /// The type OIDs of all, where they are known when compiling.
    #[inline]
    fn types(&self) -> Option<&'static [Oid]> {
        None
    }

    /// Whether any of them is text, for the server to parse: [`oid::AS_TEXT`].
    fn has_text(&self) -> bool {
        (0..self.count()).any(|index| self.oid(index) == oid::AS_TEXT)
    }

    /// Writes length and value of each.
    ///
    /// # Errors
    /// What the values' [`ToSql`] returns.
    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError>;
}

/// A [`ToSql`] value by a reference of unknown type; a [`RawValue`] is one too, of the type that it
/// has; text is parsed as the type that the server infers.
pub trait Parameter {
    /// As [`ToSql::OID`].
    fn oid(&self) -> Oid;

    /// As [`ToSql::param`].
    ///
    /// # Errors
    /// As [`ToSql::param`].
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError>;
}

impl<T: ToSql> Parameter for T {
    fn oid(&self) -> Oid {
        T::OID
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        ToSql::param(self, out)
    }
}

/// A value as it came from a row, of any type.
impl Parameter for RawValue<'_> {
    fn oid(&self) -> Oid {
        if self.format == Format::Text { oid::AS_TEXT } else { self.oid }
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        #[cfg(feature = "opengauss")]
        if out.rules().is_gauss() && self.format == Format::Binary {
            return super::gauss::value(self.oid, self.bytes, out);
        }
        out.counted(self.bytes)
    }
}

/// Parameters that are encoded already, as they travel: for each a 32-bit length, −1 for NULL, and
/// the value in binary format. What a queue kept, say. The length −2 is that of
/// [`ExactText("")`](crate::types::ExactText), which an openGauss would have told from `""`.
///
/// ```no_run
/// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
/// use barepg::{EncodedParams, types::oid};
/// let mut kept = [0; 32]; // in flash, until there is a link
/// let length = EncodedParams::encode(&(7_i64, 21.5_f32), &mut kept).unwrap();
/// let params = EncodedParams::new(&[oid::INT8, oid::FLOAT4], &kept[..length]).unwrap();
/// conn.execute("insert into reading values ($1, $2)", params)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedParams<'a> {
    count: u16,
    types: &'a [Oid],
    block: &'a [u8],
}

impl<'a> EncodedParams<'a> {
    /// Parameters in a block. `types` are theirs; those not given, or 0, the server infers, and takes the
    /// bytes for it, those of an `i64` for a `float8`: give all of them.
    ///
    /// # Errors
    /// [`WireError::Malformed`] where the block is not a sequence of such values,
    /// [`WireError::TooLong`] for more than 65,535.
    pub fn new(types: &'a [Oid], block: &'a [u8]) -> Result<Self, WireError> {
        let (mut reader, mut count) = (Reader::new(block), 0_u16);
        while !reader.is_empty() {
            #[cfg(feature = "opengauss")]
            super::gauss::kept_value(&mut reader)?;
            #[cfg(not(feature = "opengauss"))]
            reader.value()?;
            count = count.checked_add(1).ok_or(WireError::TooLong)?;
        }
        Ok(Self { count, types, block })
    }

    /// Encodes parameters into `buf`, for [`new`](Self::new) later. Returns how many bytes it took.
    ///
    /// # Errors
    /// [`WireError::Full`] when the buffer is too small, [`WireError::Value`] for text that is left
    /// to the server to parse ([`AnyText`](crate::types::AnyText)), or what the values return.
    pub fn encode(params: &dyn Params, buf: &mut [u8]) -> Result<usize, WireError> {
        if params.has_text() {
            return Err(WireError::Value);
        }
        let mut writer = Writer::new_under(buf, Rules::LATER);
        params.values(&mut writer)?;
        Ok(writer.len())
    }
}

impl Params for EncodedParams<'_> {
    fn count(&self) -> usize {
        usize::from(self.count)
    }

    fn oid(&self, index: usize) -> Oid {
        self.types.get(index).copied().unwrap_or(0)
    }

    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        #[cfg(feature = "opengauss")]
        return super::gauss::encoded(self.types, self.block, out);
        #[cfg(not(feature = "opengauss"))]
        out.bytes(self.block)
    }
}

impl Params for &[&dyn Parameter] {
    fn count(&self) -> usize {
        self.len()
    }

    fn oid(&self, index: usize) -> Oid {
        self.get(index).map_or(0, |value| value.oid())
    }

    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.iter().try_for_each(|value| value.param(out))
    }
}

impl<P: Params + ?Sized> Params for &P {
    #[inline]
    fn types(&self) -> Option<&'static [Oid]> {
        P::types(self)
    }

    fn count(&self) -> usize {
        P::count(self)
    }

    fn oid(&self, index: usize) -> Oid {
        P::oid(self, index)
    }

    #[inline]
    fn has_text(&self) -> bool {
        P::has_text(self)
    }

    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        P::values(self, out)
    }
}

/// Parameters as a verb hands them on: on a bare target as a trait object, so that the verb is
/// compiled once; on a host as they are, so that it is compiled for them.
#[cfg(target_os = "none")]
macro_rules! erased {
    ($params:ident) => {{
        let params: &dyn Params = &$params;
        params
    }};
}

#[cfg(not(target_os = "none"))]
macro_rules! erased {
    ($params:ident) => {
        &$params
    };
}

/// The same of parameters that are a trait object already.
macro_rules! given {
    ($params:ident) => {{
        #[cfg(target_os = "none")]
        let params = $params;
        #[cfg(not(target_os = "none"))]
        let params = &$params;
        params
    }};
}

pub(crate) use {erased, given};

/// Parameters as `erased` makes them, for functions that are compiled once.
pub(crate) trait Given: Params {
    fn erased(&self) -> &dyn Params;

    /// An execution with them: on bare targets there is only one type of it.
    #[cfg(target_os = "none")]
    fn as_it_is<'x>(execution: &'x Execution<'_, Self>) -> &'x Execution<'x, dyn Params + 'x>;
}

#[cfg(target_os = "none")]
impl<'p> Given for dyn Params + 'p {
    #[inline]
    fn erased(&self) -> &dyn Params {
        self
    }

    #[inline]
    fn as_it_is<'x>(execution: &'x Execution<'_, Self>) -> &'x Execution<'x, dyn Params + 'x> {
        execution
    }
}

#[cfg(not(target_os = "none"))]
impl<P: Params> Given for P {
    #[inline]
    fn erased(&self) -> &dyn Params {
        self
    }
}

/// The type that parameter `index` goes as: the one that its value has, but for what openGauss
/// calls otherwise.
#[inline]
pub(crate) fn sent_as(index: usize, oid: Oid, rules: Rules) -> Oid {
    #[cfg(feature = "opengauss")]
    if rules.is_gauss() {
        return super::gauss::sent_as(index, oid, rules);
    }
    let _ = (index, rules);
    if oid == oid::AS_TEXT { 0 } else { oid }
}

/// Formats of parameters, their number, and their lengths and values: a part of Bind.
pub(crate) fn parameters<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    params: &P,
) -> Result<(), WireError> {
    formats(w, &params)?;
    w.count(params.count())?;
    params.values(w)
}

/// The formats of parameters.
pub(crate) fn formats(w: &mut Writer<'_>, params: &dyn Params) -> Result<(), WireError> {
    if !params.has_text() {
        return crate::wire::frontend::binary_parameters(w);
    }
    w.count(params.count())?;
    (0..params.count()).try_for_each(|index| w.u16(u16::from(params.oid(index) != oid::AS_TEXT)))
}

impl Params for () {
    fn count(&self) -> usize {
        0
    }

    fn oid(&self, _: usize) -> Oid {
        0
    }

    #[inline]
    fn types(&self) -> Option<&'static [Oid]> {
        Some(&[])
    }

    fn values(&self, _: &mut Writer<'_>) -> Result<(), WireError> {
        Ok(())
    }
}

macro_rules! tuple {
    ($count:literal: $($name:ident)*) => {
        impl<$($name: ToSql),*> Params for ($($name,)*) {
            fn count(&self) -> usize {
                $count
            }

            fn oid(&self, index: usize) -> Oid {
                [$($name::OID),*].get(index).copied().unwrap_or(0)
            }

            #[inline]
            fn types(&self) -> Option<&'static [Oid]> {
                Some(const { &[$($name::OID),*] })
            }

            #[inline]
            fn has_text(&self) -> bool {
                const { false $(|| $name::OID == oid::AS_TEXT)* }
            }

            #[allow(non_snake_case)]
            #[cfg_attr(not(target_os = "none"), inline(always))]
            fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                let ($($name,)*) = self;
                $($name.param(out)?;)*
                Ok(())
            }
        }
    };
}

tuple!(1: A);
tuple!(2: A B);
tuple!(3: A B C);
tuple!(4: A B C D);
tuple!(5: A B C D E);
tuple!(6: A B C D E F);
tuple!(7: A B C D E F G);
tuple!(8: A B C D E F G H);
tuple!(9: A B C D E F G H I);
tuple!(10: A B C D E F G H I J);
tuple!(11: A B C D E F G H I J K);
tuple!(12: A B C D E F G H I J K L);
tuple!(13: A B C D E F G H I J K L M);
tuple!(14: A B C D E F G H I J K L M N);
tuple!(15: A B C D E F G H I J K L M N O);
tuple!(16: A B C D E F G H I J K L M N O P);
