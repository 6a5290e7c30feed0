use core::ops::Bound::{Excluded, Included, Unbounded};

use super::super::geo::{Box, Circle, Line, Lseg, Path, Point, Polygon};
use super::super::{
    Array, Composite, Date, Hstore, Multirange, Numeric, Range, Record, Scaled, oid,
};
use super::*;

const A: Point = Point { x: 1.0, y: 2.0 };
const B: Point = Point { x: 3.0, y: 4.0 };

fn known<T: for<'a> FromSql<'a> + ToSql + PartialEq + Debug>(value: T, digits: &str) {
    assert_eq!(decode::<T>(digits).as_ref(), Ok(&value));
    assert_eq!(encode(&value).as_deref(), Ok(digits));
    lengths_are_exact::<T>(digits);
}

#[test]
fn geometric_types() {
    known(Point { x: 1.5, y: -2.0 }, "3ff8000000000000c000000000000000");
    known(Box(B, A), "400800000000000040100000000000003ff00000000000004000000000000000");
    known(Lseg(A, B), "3ff0000000000000400000000000000040080000000000004010000000000000");
    known(Circle { center: A, radius: 3.0 }, "3ff000000000000040000000000000004008000000000000");
    known(Line { a: 1.0, b: 2.0, c: 3.0 }, "3ff000000000000040000000000000004008000000000000");
}

#[test]
fn paths_and_polygons() {
    let points = "000000023ff0000000000000400000000000000040080000000000004010000000000000";
    let digits = std::format!("00{points}");
    let bytes = hex(&digits);
    let path: Path<'_> = binary(oid::PATH, &bytes).unwrap();
    assert!(!path.closed && path.points.iter().eq([A, B]));
    assert_eq!(encode(&path).as_ref(), Ok(&digits));
    let sent = Path { closed: false, points: (&[A, B][..]).into() };
    assert_eq!(encode(&sent).as_ref(), Ok(&digits));
    let polygon: Polygon<'_> = binary(oid::POLYGON, &bytes[1..]).unwrap();
    assert!(polygon.points.len() == 2 && polygon.points.iter().eq([A, B]));
    for end in 0..bytes.len() {
        assert!(binary::<Path<'_>>(oid::PATH, &bytes[..end]).is_err());
    }
    for bad in ["02 00000000", "00 ffffffff", "00 00000001", "00 00000000 00", "00 10000000"] {
        assert!(binary::<Path<'_>>(oid::PATH, &hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn ranges() {
    let between = |lower, upper| Range::<i32>::Between(lower, upper);
    known(Range::<i32>::Empty, "01");
    known(between(Included(1), Excluded(5)), "0200000004000000010000000400000005");
    known(between(Unbounded, Unbounded), "18");
    known(between(Unbounded, Excluded(4)), "080000000400000004");
    known(between(Included(7), Unbounded), "120000000400000007");
    let bounds = "040000000c0002000000000001000113880000000c000200000000000100021388";
    let [low, high]: [Numeric; 2] = ["1.5", "2.5"].map(|text| text.parse().unwrap());
    known(Range::Between(Excluded(low), Included(high)), bounds);
    known(Range::Between(Excluded(Scaled::<i64, 1>(15)), Included(Scaled(25))), bounds);
    for bad in
        ["", "20", "0200000004000000010000000300000005", "02ffffffff0000000400000005", "1900"]
    {
        assert!(decode::<Range<i32>>(bad).is_err(), "{bad}");
    }
    let days = Range::Between(Included(Date::EPOCH), Excluded(Date::MAX));
    assert_eq!(encode(&[days]).map(|digits| digits[16..24].to_string()).as_deref(), Ok("00000f48"));
}

#[test]
fn multiranges() {
    let digits = "0000000200000011020000000400000001000000040000000300000011020000000400000005\
                  0000000400000008";
    let bytes = hex(digits);
    let ranges: Multirange<'_, i32> = binary(oid::INT4MULTIRANGE, &bytes).unwrap();
    let [low, high] =
        [(1, 3), (5, 8)].map(|(lower, upper)| Range::Between(Included(lower), Excluded(upper)));
    assert!(ranges.len() == 2 && ranges.iter().eq([Ok(low), Ok(high)]));
    assert_eq!(encode(&ranges).as_deref(), Ok(digits));
    assert_eq!(encode(&Multirange::from(&[low, high][..])).as_deref(), Ok(digits));
    for end in 0..bytes.len() {
        assert!(binary::<Multirange<'_, i32>>(oid::INT4MULTIRANGE, &bytes[..end]).is_err());
    }
    for bad in ["ffffffff", "0000000000", "00000001ffffffff", "7fffffff"] {
        assert!(binary::<Multirange<'_, i32>>(oid::INT4MULTIRANGE, &hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn composites() {
    let digits = "000000030000001700000004000000010000001900000002616200000014ffffffff";
    let bytes = hex(digits);
    let record: Record<'_> = binary(oid::RECORD, &bytes).unwrap();
    assert_eq!(record.decode(), Ok((1_i32, "ab", None::<i64>)));
    assert_eq!(record.decode::<(i32, &str, i64)>(), Err(TypeError::Null));
    assert_eq!(record.decode::<(i32, &str, Option<i32>)>(), Err(TypeError::Mismatch));
    assert_eq!(record.decode::<(i32, &str)>(), Err(TypeError::Mismatch));
    assert_eq!(record.decode::<(i32, &str, Option<i64>, i32)>(), Err(TypeError::Mismatch));
    let mut fields = record.clone();
    assert_eq!((fields.field(), fields.len()), (Ok(1_i32), 2));
    assert_eq!(fields.field::<i32>(), Err(TypeError::Mismatch), "the field after it can be read");
    assert_eq!(fields.field(), Ok(None::<i64>));
    assert_eq!(fields.field::<i32>(), Err(TypeError::Malformed));
    assert_eq!(encode(&Composite((1_i32, "ab", None::<i64>))).as_deref(), Ok(digits));
    for end in 0..bytes.len() {
        assert!(binary::<Record<'_>>(oid::RECORD, &bytes[..end]).is_err());
    }
    for bad in ["ffffffff", "00000681", "0000000000", "0000000100000017fffffffe", "7fffffff"] {
        assert!(binary::<Record<'_>>(oid::RECORD, &hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn arrays_of_composites() {
    let record = "000000010000001700000004 00000009";
    let bytes = hex(&["00000001 00000000 000008c9 00000001 00000001 00000010", record].concat());
    let rows: Array<'_, Record<'_>> = binary(oid::RECORD_ARRAY, &bytes).unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row?.decode::<(i32,)>()).collect();
    assert_eq!(numbers, [Ok((9,))]);
}

#[test]
fn hstores() {
    let digits = "00000002000000016100000001310000000162ffffffff";
    let bytes = hex(digits);
    fn read(bytes: &[u8]) -> Result<Hstore<'_>, TypeError> {
        binary(oid::FIRST_USER, bytes)
    }
    let hstore = read(&bytes).unwrap();
    assert!(hstore.iter().eq([Ok(("a", Some("1"))), Ok(("b", None))]));
    assert_eq!((hstore.get("a"), hstore.get("b")), (Some(Some("1")), Some(None)));
    assert_eq!((hstore.get("c"), hstore.len()), (None, 2));
    assert_eq!(encode(&hstore).as_deref(), Ok(digits));
    let pairs = [("a", Some("1")), ("b", None)];
    assert_eq!(encode(&Hstore::from(&pairs[..])).as_deref(), Ok(digits));
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err());
    }
    for bad in [
        "ffffffff",
        "0000000000",
        "00000001ffffffff00000000",
        "0000000100000001ff00000000",
        "7fffffff",
    ] {
        assert!(read(&hex(bad)).is_err(), "{bad}");
    }
}
