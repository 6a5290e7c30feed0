//! Geometric types (manual, section 8.8), named as the manual does.
//!
//! Coordinates are `f64`; nothing here computes with them, so no floating-point code is linked.
//! Read in binary format only. [`Path`] and [`Polygon`] are iterated over the bytes of the row,
//! or lent from a slice of points to be sent.

use super::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{Reader, WireError, Writer};

/// `point`: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Point {
    /// First coordinate.
    pub x: f64,
    /// Second coordinate.
    pub y: f64,
}

/// `line`: the points with a·x + b·y + c = 0. The server refuses a = b = 0.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Line {
    /// Factor of x.
    pub a: f64,
    /// Factor of y.
    pub b: f64,
    /// Constant.
    pub c: f64,
}

/// `lseg`: the segment between two points.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lseg(pub Point, pub Point);

/// `box`: the server puts the upper right corner first, then the lower left.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Box(pub Point, pub Point);

/// `circle`. The server refuses a negative radius.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Circle {
    /// Its centre.
    pub center: Point,
    /// Its radius.
    pub radius: f64,
}

/// `path`: points joined by segments, the last with the first if it is closed.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    /// Whether the last point is joined with the first.
    pub closed: bool,
    /// The points, at least one.
    pub points: Points<'a>,
}

/// `polygon`: a closed area.
#[derive(Clone, Copy, Debug)]
pub struct Polygon<'a> {
    /// The corners, at least one.
    pub points: Points<'a>,
}

/// Points of a value in the receive buffer, or of the caller.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Wire(&'a [[u8; 16]]),
    Slice(&'a [Point]),
}

impl<'a> Points<'a> {
    /// Number of points.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire(points) => points.len(),
            Source::Slice(points) => points.len(),
        }
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All points in order.
    pub fn iter(&self) -> impl Iterator<Item = Point> + use<'a> {
        let (wire, slice): (&[_], &[_]) = match self.0 {
            Source::Wire(points) => (points, &[]),
            Source::Slice(points) => (&[], points),
        };
        wire.iter().map(Point::from_bytes).chain(slice.iter().copied())
    }

    fn read(mut bytes: Reader<'a>) -> Result<Self, TypeError> {
        let count = usize::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
        match bytes.rest().as_chunks::<16>() {
            (points, []) if points.len() == count => Ok(Self(Source::Wire(points))),
            _ => Err(TypeError::Malformed),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i32(i32::try_from(self.len()).map_err(|_| WireError::TooLong)?)?;
        self.iter().try_for_each(|point| point.to_sql(out))
    }
}

impl<'a> From<&'a [Point]> for Points<'a> {
    fn from(points: &'a [Point]) -> Self {
        Self(Source::Slice(points))
    }
}

impl Point {
    fn from_bytes(bytes: &[u8; 16]) -> Self {
        let mut bytes = Reader::new(bytes);
        // The array holds both.
        let mut next = || f64::from_bits(bytes.u64().unwrap_or(0));
        Self { x: next(), y: next() }
    }
}

/// Reads and writes a type that is nothing but coordinates.
macro_rules! fixed {
    ($($name:ident $oid:ident [$($part:ident)*] $value:expr;)*) => {$(
        impl<'a> FromSql<'a> for $name {
            const OID: Oid = oid::$oid;

            fn accepts(oid: Oid) -> bool {
                oid == oid::$oid
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                let mut bytes = value.binary()?;
                $(let $part = f64::from_bits(bytes.u64()?);)*
                bytes.finish()?;
                Ok($value)
            }
        }
    )*};
}

fixed! {
    Point POINT [x y] Point { x, y };
    Line LINE [a b c] Line { a, b, c };
    Lseg LSEG [x1 y1 x2 y2] Lseg(Point { x: x1, y: y1 }, Point { x: x2, y: y2 });
    Box BOX [x1 y1 x2 y2] Box(Point { x: x1, y: y1 }, Point { x: x2, y: y2 });
    Circle CIRCLE [x y radius] Circle { center: Point { x, y }, radius };
}

impl ToSql for Point {
    const OID: Oid = oid::POINT;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        write(out, &[self.x, self.y])
    }
}

impl ToSql for Line {
    const OID: Oid = oid::LINE;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        write(out, &[self.a, self.b, self.c])
    }
}

impl ToSql for Lseg {
    const OID: Oid = oid::LSEG;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        write(out, &[self.0.x, self.0.y, self.1.x, self.1.y])
    }
}

impl ToSql for Box {
    const OID: Oid = oid::BOX;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        write(out, &[self.0.x, self.0.y, self.1.x, self.1.y])
    }
}

impl ToSql for Circle {
    const OID: Oid = oid::CIRCLE;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        write(out, &[self.center.x, self.center.y, self.radius])
    }
}

impl<'a> FromSql<'a> for Path<'a> {
    const OID: Oid = oid::PATH;

    fn accepts(oid: Oid) -> bool {
        oid == oid::PATH
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let closed = match bytes.u8()? {
            0 => false,
            1 => true,
            _ => return Err(TypeError::Malformed),
        };
        Ok(Self { closed, points: Points::read(bytes)? })
    }
}

impl ToSql for Path<'_> {
    const OID: Oid = oid::PATH;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(self.closed.into())?;
        self.points.write(out)
    }
}

impl<'a> FromSql<'a> for Polygon<'a> {
    const OID: Oid = oid::POLYGON;

    fn accepts(oid: Oid) -> bool {
        oid == oid::POLYGON
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Ok(Self { points: Points::read(value.binary()?)? })
    }
}

impl ToSql for Polygon<'_> {
    const OID: Oid = oid::POLYGON;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.points.write(out)
    }
}

fn write(out: &mut Writer<'_>, coordinates: &[f64]) -> Result<(), WireError> {
    coordinates.iter().try_for_each(|coordinate| out.u64(coordinate.to_bits()))
}
