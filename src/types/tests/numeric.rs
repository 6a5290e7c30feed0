use super::super::{Numeric, Scaled, oid};
use super::*;

type Money = Scaled<i64, 2>;

#[test]
fn numerics() {
    both_ways::<Numeric>(&[
        ("0", "0000000000000000"),
        ("0.00", "0000000000000002"),
        ("1", "00010000000000000001"),
        ("-1", "00010000400000000001"),
        ("10000", "00010001000000000001"),
        ("0.0001", "0001ffff000000040001"),
        ("12345.678", "0003000100000003000109291a7c"),
        ("10000000000", "00010002000000000064"),
        ("-0.00012300", "0002ffff40000008000108fc"),
        ("99999999.9999", "0003000100000004270f270f270f"),
        ("NaN", "00000000c0000000"),
        ("0.00000000000000000001", "0001fffb000000140001"),
        (
            "123456789012345678901234567890.12",
            "0009000700000002000c0d801ed204d2162e23340d801ed204b0",
        ),
    ]);
    // The server sends a scale with the infinities and ignores it.
    assert_eq!(decode::<Numeric>("00000000d0000020"), Ok(Numeric::INFINITY));
    assert_eq!(decode::<Numeric>("00000000f0000020"), Ok(Numeric::NEG_INFINITY));
    assert_eq!(Numeric::<0>::NEG_INFINITY.to_string(), "-Infinity");
    assert_eq!("Infinity".parse(), Ok(Numeric::<0>::INFINITY));
}

/// 131,072 decimal digits before the point are 32,768 to base 10,000.
#[test]
fn as_many_digits_as_there_may_be() {
    for count in [32_767_u16, 32_768, 36_863] {
        let mut bytes = [count.to_be_bytes(), [0x7f, 0xff], [0, 0], [0x3f, 0xff]].concat();
        bytes.resize(8 + 2 * usize::from(count), 1);
        let value = binary::<Numeric<36_863>>(oid::NUMERIC, &bytes).unwrap();
        assert_eq!(value.digits().len(), usize::from(count));
        assert_eq!(value.to_string().parse(), Ok(value));
        assert_eq!(binary::<Numeric>(oid::NUMERIC, &bytes).map(|_| ()), Err(TypeError::Capacity));
        assert_eq!(binary::<Money>(oid::NUMERIC, &bytes), Err(TypeError::Range));
    }
}

#[test]
fn hostile_numerics() {
    for bad in [
        "ffff000000000000",          // 65,535 digits that are not there
        "00010000000000002710",      // a digit of 10,000
        "000100000000000000",        // half a digit
        "0001000000000000",          // a digit missing
        "00010000000000000001 0001", // a digit too many
        "0000000010000000",          // an unknown sign
        "0000000000004000",          // a scale beyond the server's
        "00010000c00000000001",      // NaN with digits
        "00018000000000000000",      // a zero below the least weight
        "0001ffff000000030001",      // a digit after the last place shown
        "0001ffff000000000001",
        "0002000000000002000103e9",
        "00",
        "",
    ] {
        assert_eq!(decode::<Numeric>(bad), Err(TypeError::Malformed), "{bad}");
        assert_eq!(decode::<Money>(bad), Err(TypeError::Malformed), "{bad}");
    }
    assert_eq!(decode::<Numeric<1>>("000200000000000400010001"), Err(TypeError::Capacity));
    // Zeros at the ends take no place, and minus 0 is 0.
    assert_eq!(decode::<Numeric<1>>("000300010000000000000001 0000"), Ok("1".parse().unwrap()));
    assert_eq!(decode::<Numeric<1>>("00010000400000000000").map(|n| n.is_negative()), Ok(false));
    // The largest weight with the smallest of integers.
    assert_eq!(decode::<Scaled<i128, 0>>("00017fff000000000001"), Err(TypeError::Range));
    assert_eq!(decode::<Scaled<i128, 16383>>("00018000000000000001"), Err(TypeError::Malformed));
}

#[test]
fn scaled_integers() {
    both_ways::<Money>(&[
        ("0.00", "0000000000000002"),
        ("1.00", "00010000000000020001"),
        ("-0.01", "0001ffff400000020064"),
        ("12.34", "0002000000000002000c0d48"),
        ("100000.00", "0001000100000002000a"),
        ("92233720368547758.07", "0006000400000002000908b91c231ac61e4e02bc"),
    ]);
    for value in [0, 1, -1, 9999, 10_000, 123_456_789, i64::MAX, i64::MIN] {
        fn check<const SCALE: u16>(value: i64) {
            let scaled = Scaled::<i64, SCALE>(value);
            let digits = encode(&scaled).unwrap();
            assert_eq!(decode(&digits), Ok(scaled), "{digits}");
            assert_eq!(scaled.to_string().parse(), Ok(scaled));
            let wide = Scaled::<i128, SCALE>(value.into());
            assert_eq!(encode(&wide).as_ref(), Ok(&digits));
            assert_eq!(decode(&digits), Ok(wide));
            let numeric = Numeric::<9>::from_i128(value.into(), SCALE).unwrap();
            assert_eq!(encode(&numeric).as_ref(), Ok(&digits));
            assert_eq!(numeric.to_i128(SCALE), Some(value.into()));
            assert_eq!(numeric.to_string(), scaled.to_string());
            assert_eq!(numeric.to_string().parse(), Ok(numeric));
        }
        check::<0>(value);
        check::<1>(value);
        check::<2>(value);
        check::<3>(value);
        check::<4>(value);
        check::<9>(value);
        check::<21>(value);
    }
    both_ways::<Scaled<i128, 0>>(&[(
        "-170141183460469231731687303715884105728",
        "000a00094000000000aa0583209a01d5090d0c601c871bf620da1660",
    )]);
    for value in [i128::MAX, i128::MIN] {
        let scaled = Scaled::<i128, 7>(value);
        assert_eq!(decode(&encode(&scaled).unwrap()), Ok(scaled));
        assert_eq!(scaled.to_string().parse(), Ok(scaled));
    }
}

#[test]
fn nothing_is_rounded_and_nothing_wraps() {
    let digits = |text: &str| encode(&text.parse::<Numeric>().unwrap()).unwrap();
    assert_eq!(decode::<Money>(&digits("1.230000")), Ok(Scaled(123)));
    assert_eq!(decode::<Money>(&digits("1.234")), Err(TypeError::Range));
    assert_eq!("1.234".parse::<Money>(), Err(TypeError::Range));
    assert_eq!("1.2300".parse::<Money>(), Ok(Scaled(123)));
    assert_eq!(decode::<Money>(&digits("92233720368547758.07")), Ok(Scaled(i64::MAX)));
    assert_eq!(decode::<Money>(&digits("-92233720368547758.08")), Ok(Scaled(i64::MIN)));
    assert_eq!(decode::<Money>(&digits("92233720368547758.08")), Err(TypeError::Range));
    assert_eq!(decode::<Money>(&digits("1000000000000000000000")), Err(TypeError::Range));
    assert_eq!("100000000000000000000".parse::<Money>(), Err(TypeError::Range));
    assert_eq!(decode::<Money>("00000000c0000000"), Err(TypeError::Range));
    assert_eq!(Numeric::<2>::from_i128(100_000_000_001, 4), Err(TypeError::Capacity));
    assert_eq!(Numeric::<2>::from_i128(1, 16_384), Err(TypeError::Range));
    for bad in ["", "-", ".", "-.", "1.", "+1", "1e5", "1.2.3", "--1", "1 "] {
        assert_eq!(bad.parse::<Numeric>(), Err(TypeError::Malformed), "{bad}");
        assert_eq!(bad.parse::<Money>(), Err(TypeError::Malformed), "{bad}");
    }
    // openGauss prints no zero before the point.
    assert_eq!(
        (".05".parse(), "-.05".parse()),
        (Ok(Scaled::<i64, 2>(5)), Ok(Scaled::<i64, 2>(-5)))
    );
    let (less, more) = ("-.05".parse::<Numeric>(), ".1".parse::<Numeric>());
    assert_eq!(less.map(|n| n.to_string()).as_deref(), Ok("-0.05"));
    assert_eq!(more.map(|n| n.to_string()).as_deref(), Ok("0.1"));
    assert_eq!("00001.50".parse::<Numeric<2>>().map(|n| n.to_string()).as_deref(), Ok("1.50"));
}

#[test]
fn order_is_the_servers() {
    let sorted = [
        "-Infinity",
        "-10000",
        "-9999.5",
        "-0.0001",
        "0",
        "0.0001",
        "1",
        "9999.5",
        "10000",
        "Infinity",
        "NaN",
    ];
    let values: Vec<Numeric> = sorted.iter().map(|text| text.parse().unwrap()).collect();
    assert!(values.is_sorted_by(|a, b| a < b));
    assert_eq!("1.0".parse::<Numeric>(), "1.00".parse());
    assert_eq!("0".parse::<Numeric>(), "-0.0".parse());
}
