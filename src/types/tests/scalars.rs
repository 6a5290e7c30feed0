use core::net::IpAddr;

use super::super::{
    Array, Bits, Char, Cidr, Inet, Int1, Json, JsonPath, Jsonb, MacAddr, MacAddr8, Money, PgLsn,
    Tid, Timestamp, Uuid, Xid, oid,
};
use super::*;

#[test]
fn uuids_and_hardware_addresses() {
    both_ways::<Uuid>(&[(
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    )]);
    both_ways::<MacAddr>(&[("08:00:2b:01:02:03", "08002b010203")]);
    both_ways::<MacAddr8>(&[("08:00:2b:01:02:03:04:05", "08002b0102030405")]);
    for bad in [
        "",
        "a0eebc99",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a110",
    ] {
        assert_eq!(bad.parse::<Uuid>(), Err(TypeError::Malformed), "{bad}");
    }
    for bad in ["", "08:00:2b:01:02", "08:00:2b:01:02:03:", "08:00:2b:01:02:0", "08-00-2b-01-02-03"]
    {
        assert_eq!(bad.parse::<MacAddr>(), Err(TypeError::Malformed), "{bad}");
    }
}

#[test]
fn network_addresses() {
    both_ways::<Inet>(&[
        ("1.2.3.4", "0220000401020304"),
        ("10.0.0.0/8", "020800040a000000"),
        ("::1", "0380001000000000000000000000000000000001"),
        ("::ffff:1.2.3.4", "0380001000000000000000000000ffff01020304"),
        ("2001:db8::/32", "0320001020010db8000000000000000000000000"),
        ("::1.2.3.4", "0380001000000000000000000000000001020304"),
        ("1:0:2:3:4:5:6:7", "0380001000010000000200030004000500060007"),
        ("::0.2.0.0", "0380001000000000000000000000000000020000"),
        ("::2", "0380001000000000000000000000000000000002"),
        ("::", "0380001000000000000000000000000000000000"),
        ("1:0:0:2::3", "0380001000010000000000020000000000000003"),
        ("1::2:2:0:0:3", "0380001000010000000000020002000000000003"),
        ("0:1:2:3:4:5:6:0", "0380001000000001000200030004000500060000"),
        ("::ffff:0.0.0.1", "0380001000000000000000000000ffff00000001"),
    ]);
    both_ways::<Cidr>(&[
        ("10.1.0.0/16", "021001040a010000"),
        ("10.1.2.3/32", "022001040a010203"),
        ("0.0.0.0/0", "0200010400000000"),
        ("::/0", "0300011000000000000000000000000000000000"),
    ]);
    for bad in ["0221000401020304", "0420000401020304", "0320000401020304", "0220001001020304"] {
        assert_eq!(decode::<Inet>(bad), Err(TypeError::Malformed), "{bad}");
    }
    // A bit after the prefix.
    assert_eq!(decode::<Cidr>("020801040a000001"), Err(TypeError::Malformed));
    for bad in [
        "",
        "1.2.3",
        "1.2.3.4/",
        "1.2.3.4/33",
        "::1/129",
        "1.2.3.4/256",
        "1.2.3.4/-1",
        "::1/064",
        "::/00",
    ] {
        assert_eq!(bad.parse::<Inet>(), Err(TypeError::Malformed), "{bad}");
    }
    let host: IpAddr = [1, 2, 3, 4].into();
    assert_eq!(decode::<IpAddr>("0220000401020304"), Ok(host));
    assert_eq!(decode::<IpAddr>("0218000401020304"), Err(TypeError::Range));
    assert_eq!(encode(&host).as_deref(), Ok("0220000401020304"));
    let network = Inet::new(host, 24).unwrap().network();
    assert_eq!(network.to_string(), "1.2.3.0/24");
    assert!(network.contains([1, 2, 3, 255].into()) && !network.contains([1, 2, 4, 0].into()));
    assert!(!"::/0".parse::<Cidr>().unwrap().contains(host));
}

#[test]
fn bit_strings() {
    for (text, digits) in [("", "00000000"), ("1", "0000000180"), ("10101010101", "0000000baaa0")] {
        let bytes = hex(digits);
        for oid in [oid::BIT, oid::VARBIT] {
            let bits: Bits<'_> = binary(oid, &bytes).unwrap();
            assert_eq!(bits.to_string(), text);
            assert_eq!(encode(&bits).as_deref(), Ok(digits));
            assert_eq!(bits.get(bits.len()), None);
        }
    }
    for bad in ["", "0000000980", "00000001", "00000001c0", "000000018000", "ffffffff", "00000008"]
    {
        let bytes = hex(bad);
        assert_eq!(binary::<Bits<'_>>(oid::BIT, &bytes), Err(TypeError::Malformed), "{bad}");
    }
    assert_eq!(Bits::new(&[0xFF], 7), None);
}

#[test]
fn json_texts() {
    let with_version = hex("017b2261223a20317d");
    let json = Json(r#"{"a": 1}"#);
    assert_eq!(binary(oid::JSONB, &with_version), Ok(json));
    assert_eq!(binary(oid::JSON, &with_version[1..]), Ok(json));
    assert_eq!(binary(oid::JSONB, &with_version), Ok(Jsonb(json.0)));
    assert_eq!(binary(oid::JSONPATH, b"\x01$.a"), Ok(JsonPath("$.a")));
    assert_eq!(encode(&Jsonb(json.0)).as_deref(), Ok("017b2261223a20317d"));
    assert_eq!(encode(&json).as_deref(), Ok("7b2261223a20317d"));
    for bad in [&b""[..], b"\x02{}", b"{}"] {
        assert_eq!(binary::<Json<'_>>(oid::JSONB, bad), Err(TypeError::Malformed));
        assert_eq!(binary::<JsonPath<'_>>(oid::JSONPATH, bad), Err(TypeError::Malformed));
    }
    assert_eq!(binary::<Jsonb<'_>>(oid::JSONB, b"\x01\xff"), Err(TypeError::Utf8));
    let text = RawValue { oid: oid::JSONB, format: Format::Text, bytes: b"{}" };
    assert_eq!(text.get(), Ok(Jsonb("{}")));
}

#[test]
fn small_types() {
    let lsn: PgLsn = decode("00000016b374d848").unwrap();
    assert_eq!(
        (lsn.to_string().as_str(), encode(&lsn)),
        ("16/B374D848", Ok("00000016b374d848".into()))
    );
    let tid: Tid = decode("000000070008").unwrap();
    assert_eq!((tid.to_string().as_str(), encode(&tid)), ("(7,8)", Ok("000000070008".into())));
    assert_eq!(decode("00000000000004d2"), Ok(Money(1234)));
    assert_eq!(encode(&Money(-1)).as_deref(), Ok("ffffffffffffffff"));
    assert_eq!((decode("61"), encode(&Char(b'a')).as_deref()), (Ok(Char(b'a')), Ok("61")));
    assert_eq!(binary(oid::VOID, b""), Ok(()));
    lengths_are_exact::<PgLsn>("00000016b374d848");
    lengths_are_exact::<Tid>("000000070008");
    lengths_are_exact::<Money>("00000000000004d2");
}

#[test]
fn transaction_ids_of_both_servers() {
    let xid = |oid, digits| binary::<Xid>(oid, &hex(digits));
    assert_eq!(xid(oid::XID8, "0000000100000002"), Ok(Xid(0x1_0000_0002)));
    assert_eq!(xid(oid::XID, "00000002"), Ok(Xid(2)));
    assert_eq!(xid(oid::XID, "0000000200000001"), Ok(Xid(0x1_0000_0002)), "openGauss");
    for bad in ["", "000000", "00000000000000", "000000000000000000", "00000002"] {
        assert_eq!(xid(oid::XID8, bad), Err(TypeError::Malformed), "{bad}");
    }
    assert_eq!(encode(&Xid(1 << 32)).as_deref(), Ok("0000000100000000"));
}

#[test]
fn opengauss_integers() {
    assert_eq!((decode("ff"), encode(&Int1(255)).as_deref()), (Ok(Int1(255)), Ok("ff")));
    lengths_are_exact::<Int1>("ff");
    let least = "80000000000000000000000000000000";
    assert_eq!((decode(least), encode(&i128::MIN).as_deref()), (Ok(i128::MIN), Ok(least)));
    lengths_are_exact::<i128>(least);
}

#[test]
fn opengauss_names_of_known_layouts() {
    for oid in [oid::NVARCHAR2, oid::CLOB] {
        assert_eq!(binary(oid, b"abc"), Ok("abc"));
    }
    for oid in [oid::BLOB, oid::RAW] {
        assert_eq!(binary(oid, b"\0\x01"), Ok(&[0, 1][..]));
    }
    let minute = "0002b5833f7f2700";
    let at: Timestamp = binary(oid::SMALLDATETIME, &hex(minute)).unwrap();
    assert_eq!(encode(&at).as_deref(), Ok(minute), "sent as timestamp");
    let array = |element: u32, digits: &str| {
        hex(&std::format!("0000000100000000{element:08x}0000000100000001{digits}"))
    };
    let bytes = array(oid::NVARCHAR2, "0000000161");
    let texts: Array<'_, &str> = binary(oid::NVARCHAR2_ARRAY, &bytes).unwrap();
    assert!(texts.iter().eq([Ok("a")]));
    let bytes = array(oid::RAW, "00000001ff");
    let raws: Array<'_, &[u8]> = binary(oid::RAW_ARRAY, &bytes).unwrap();
    assert!(raws.iter().eq([Ok(&[255][..])]));
    let bytes = array(oid::INT1, "00000001ff");
    let small: Array<'_, Int1> = binary(oid::INT1_ARRAY, &bytes).unwrap();
    assert!(small.iter().eq([Ok(Int1(255))]));
    let bytes = array(oid::XID, "000000080000000200000001");
    let xids: Array<'_, Xid> = binary(oid::XID_ARRAY, &bytes).unwrap();
    assert!(xids.iter().eq([Ok(Xid(0x1_0000_0002))]));
}
