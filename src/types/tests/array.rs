use super::super::{AnyText, Array, Dimension, Dimensioned, oid};
use super::*;

#[test]
fn known_arrays() {
    let bytes = hex(
        "00000001 00000001 00000017 00000003 00000001 00000004 00000001 ffffffff 00000004 00000003",
    );
    let array: Array<'_, Option<i32>> = binary(oid::INT4_ARRAY, &bytes).unwrap();
    assert_eq!(array.len(), 3);
    assert_eq!(array.dimensions().collect::<Vec<_>>(), [Dimension { len: 3, lower: 1 }]);
    assert_eq!(array.iter().collect::<Result<Vec<_>, _>>(), Ok(std::vec![Some(1), None, Some(3)]));
    let strict: Array<'_, i32> = binary(oid::INT4_ARRAY, &bytes).unwrap();
    assert_eq!(
        strict.iter().collect::<Vec<_>>(),
        [Ok(1), Err(TypeError::Null), Ok(3)],
        "one bad element does not hide the next"
    );
    let fixed: [Option<i32>; 3] = binary(oid::INT4_ARRAY, &bytes).unwrap();
    assert_eq!(fixed, [Some(1), None, Some(3)]);
    assert_eq!(binary::<[Option<i32>; 2]>(oid::INT4_ARRAY, &bytes), Err(TypeError::Range));
    let mut room = [Some(9); 4];
    assert_eq!(array.read_into(&mut room).map(|filled| filled.len()), Ok(3));
    assert_eq!(room, [Some(1), None, Some(3), Some(9)]);
    assert_eq!(array.read_into(&mut room[..2]), Err(TypeError::Capacity));
    let sent = encode(&[Some(1), None, Some(3)]).unwrap();
    assert_eq!(hex(&sent), bytes);

    let bytes = hex("000000000000000000000017");
    let array: Array<'_, i32> = binary(oid::INT4_ARRAY, &bytes).unwrap();
    assert!(array.is_empty() && array.iter().next().is_none() && array.dimensions().len() == 0);
    assert_eq!(encode::<[i32]>(&[]).as_deref(), Ok("000000000000000000000017"));
}

#[test]
fn dimensions_and_lower_bounds() {
    let digits = "00000002000000000000001700000002000000020000000100000000\
                  00000004000000010000000400000002";
    let dimensions = [Dimension { len: 2, lower: 2 }, Dimension { len: 1, lower: 0 }];
    let sent = Dimensioned { dimensions: &dimensions, elements: &[1, 2] };
    assert_eq!(encode(&sent).as_deref(), Ok(digits));
    let bytes = hex(digits);
    let array: Array<'_, i32> = binary(oid::INT4_ARRAY, &bytes).unwrap();
    assert!(array.dimensions().eq(dimensions));
    assert!(array.into_iter().eq([Ok(1), Ok(2)]));

    let wrong = Dimensioned { dimensions: &dimensions, elements: &[1, 2, 3] };
    assert_eq!(encode(&wrong), Err(WireError::Value));
    let seven = [Dimension { len: 1, lower: 1 }; 7];
    assert_eq!(encode(&Dimensioned { dimensions: &seven, elements: &[1] }), Err(WireError::Value));
    let vast = [Dimension { len: u32::MAX, lower: 1 }; 6];
    assert_eq!(encode(&Dimensioned { dimensions: &vast, elements: &[1] }), Err(WireError::Value));
}

#[test]
fn hostile_shapes() {
    fn array(parts: &[&str]) -> Result<u32, TypeError> {
        binary::<Array<'_, i32>>(oid::INT4_ARRAY, &hex(&parts.concat())).map(|array| array.len())
    }
    let element = "00000004 00000001";
    let header = "00000001 00000000 00000017";
    assert_eq!(array(&[header, "00000001 00000001", element]), Ok(1));
    let bad: &[&[&str]] = &[
        // Negative, too many or missing dimensions.
        &["ffffffff 00000000 00000017"],
        &["00000007 00000000 00000017"],
        &["00000001 00000000 00000017"],
        // A flag other than 0 and 1.
        &["00000000 00000002 00000017"],
        // Bytes after the end.
        &["00000000 00000000 00000017 00"],
        // A negative length, a length beyond the bytes, a last index beyond i32.
        &[header, "ffffffff 00000001"],
        &[header, "7fffffff 00000000", element],
        &[header, "00000001 7fffffff", element],
        // 65536 × 65536 elements is 0 in 32 bits.
        &["00000002 00000000 00000017 00010000 00000001 00010000 00000001"],
        // Element lengths: below −1, past the end.
        &[header, "00000001 00000001 fffffffe"],
        &[header, "00000001 00000001 00000005 00000001"],
    ];
    for bad in bad {
        assert_eq!(array(bad), Err(TypeError::Malformed), "{bad:?}");
    }
    // An element type that is not the one asked for.
    assert_eq!(array(&["00000000 00000000 00000014"]), Err(TypeError::Mismatch));
}

#[test]
fn texts_bytes_and_enums() {
    assert_eq!(
        encode(&["a", "bc"]).as_deref(),
        Ok("000000010000000000000019000000020000000100000001610000000262 63"
            .replace(' ', "")
            .as_str())
    );
    let keys: &[&[u8]] = &[b"\0\x01"];
    assert_eq!(
        encode(keys).as_deref(),
        Ok("000000010000000000000011000000010000000100000002 0001".replace(' ', "").as_str())
    );
    let bytes = hex("00000001 00000000 00004001 00000001 00000001 00000003 6f6666");
    let moods: Array<'_, AnyText<'_>> = binary(0x4000, &bytes).unwrap();
    assert!(moods.iter().eq([Ok(AnyText("off"))]));
    assert_eq!(
        binary::<Array<'_, &str>>(0x4000, &bytes).map(|a| a.len()),
        Err(TypeError::Mismatch)
    );
}
