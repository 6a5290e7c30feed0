//! Messages and error fields as openGauss writes them.

/// A whole backend message.
pub(super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// An ErrorResponse: S, c, M, C, d, and no V.
pub(super) fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(b'E', &body(severity, code, text))
}

/// A NoticeResponse.
pub(super) fn notice(severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(b'N', &body(severity, code, text))
}

/// Rewrites the body of PostgreSQL's ErrorResponse or NoticeResponse. `first`: the type of the message
/// from the client that it answers.
pub(super) fn translate(body: &[u8], first: u8) -> Vec<u8> {
    let fields: Vec<(u8, &[u8])> = body
        .split(|&byte| byte == 0)
        .take_while(|field| !field.is_empty())
        .map(|field| (field[0], &field[1..]))
        .collect();
    let find = |tag| fields.iter().find(|field| field.0 == tag).map_or(&b""[..], |field| field.1);
    let code = find(b'C');
    let mut text = find(b'M').to_vec();
    match code {
        b"25P02" => text.extend_from_slice(&[b", firstChar[", &[first][..], b"]"].concat()),
        // The name of the node.
        b"42P01" if text.ends_with(b" does not exist") => text.extend_from_slice(b" on single"),
        _ => {}
    }
    // What was sent in place of the type that there is not.
    let cached = format!("cache lookup failed for type {}", super::values::NO_TYPE);
    let code = match code {
        b"34000" => b"34001",
        _ if text == cached.as_bytes() => {
            text = format!("cache lookup failed for type {}", super::values::XID8).into_bytes();
            b"29P01"
        }
        code => code,
    };
    let own = code == b"0A000" && text.ends_with(b" statement is not yet supported.");
    let mut out = Vec::new();
    let mut put = |tag: u8, value: &[u8]| {
        out.push(tag);
        out.extend_from_slice(value);
        out.push(0);
    };
    put(b'S', find(b'S'));
    put(b'c', internal(&text, first));
    put(b'M', &text);
    put(b'C', code);
    put(b'd', b"BACKEND");
    for tag in *b"DHWPpq" {
        // No context in notices; that of a refusal made in `rewrite` is not the client's business.
        if tag == b'W' && (own || find(b'S') == b"NOTICE") {
            continue;
        }
        if !find(tag).is_empty() {
            put(tag, find(tag));
        } else if tag == b'W' && code == b"42846" {
            let target = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            put(b'W', &[b"referenced column: ", target].concat());
        }
    }
    out.push(0);
    out
}

fn body(severity: &str, code: &str, text: &str) -> Vec<u8> {
    format!("S{severity}\0c0\0M{text}\0C{code}\0dBACKEND\0\0").into_bytes()
}

/// openGauss's own error number, for the few that were seen; "0" is common.
fn internal(text: &[u8], first: u8) -> &'static [u8] {
    match text {
        b"division by zero" if first == b'Q' => b"10692",
        b"division by zero" => b"10685",
        _ if text.starts_with(b"cache lookup failed for type ") => b"9037",
        _ if text.starts_with(b"portal \"") => b"15700",
        b"LISTEN statement is not yet supported." => b"15819",
        b"NOFITY statement is not yet supported." => b"15818",
        _ => b"0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_reordered_and_some_dropped() {
        let postgres = b"SERROR\0VERROR\0C22012\0Mdivision by zero\0Hh\0P8\0Fint.c\0L1\0Rdiv\0\0";
        assert_eq!(
            translate(postgres, b'Q'),
            b"SERROR\0c10692\0Mdivision by zero\0C22012\0dBACKEND\0Hh\0P8\0\0"
        );
    }

    /// The refusal recorded from openGauss 7.0.0-RC2.
    #[test]
    fn errors_are_those_of_the_real_server() {
        let text = error("FATAL", "28P01", "Invalid username/password,login denied.");
        assert_eq!(&text[..14], b"E\0\0\0\x48SFATAL\0c0");
        assert!(text.ends_with(b"denied.\0C28P01\0dBACKEND\0\0"));
    }
}
