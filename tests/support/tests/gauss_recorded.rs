//! A session recorded from openGauss 7.0.0-RC2, played again at the front: every message that the client
//! sent gets the very bytes that the real server answered.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use barepg_testkit::gauss::{Front, Hba, Kind, Options, User};
use barepg_testkit::pg;

/// Messages in one direction: their types and bodies.
type Messages = Vec<(u8, Vec<u8>)>;

/// What the client sent at once, and what was answered.
fn exchanges() -> Vec<(Messages, Messages)> {
    let text = include_str!("../../data/opengauss-session.txt");
    let mut all: Vec<(Messages, Messages)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (way, tag) = (words.next().unwrap(), words.next().unwrap());
        let hex = words.next().unwrap_or("");
        let body = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16));
        let message = (tag.as_bytes()[0], body.collect::<Result<Vec<u8>, _>>().unwrap());
        match (way, all.last_mut()) {
            (">", Some((sent, heard))) if heard.is_empty() => sent.push(message),
            (">", _) => all.push((vec![message], Vec::new())),
            (_, last) => last.expect("the client speaks first").1.push(message),
        }
    }
    all
}

fn read(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).expect("another message");
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).unwrap();
    (head[0], body)
}

#[test]
fn the_recorded_session_gets_the_recorded_answers() {
    let exchanges = exchanges();
    let request = &exchanges[0].1[0].1;
    let salt = String::from_utf8(request[8..72].to_vec()).unwrap();
    let token = String::from_utf8(request[72..80].to_vec()).unwrap();
    let token = std::array::from_fn(|i| u8::from_str_radix(&token[2 * i..2 * i + 2], 16).unwrap());
    let user = User::with_salt("ogit2048", "Gauss_12345", Kind::Sha256, &salt, 10_000, Hba::Sha256);
    let mut options = Options::before(pg::shared(15));
    (options.users, options.tokens) = (vec![user], VecDeque::from([token]));
    let front = Front::start(options);
    let mut stream = TcpStream::connect(("127.0.0.1", front.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut compared = 0;
    for (sent, expected) in exchanges {
        // The version is that of the PostgreSQL after the front.
        let own =
            sent.iter().any(|(_, body)| body.windows(14).any(|text| text == b"server_version"));
        for (tag, body) in &sent {
            // The start-up packet is recorded whole.
            if *tag == b's' {
                stream.write_all(body).unwrap();
                continue;
            }
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            stream.write_all(&[&[*tag], &length[..], body].concat()).unwrap();
        }
        for (tag, body) in expected {
            let mut got = read(&mut stream);
            while got.0 == b'S' {
                got = read(&mut stream);
            }
            let context = || format!("after {:?}", String::from_utf8_lossy(&sent[0].1));
            assert_eq!(char::from(got.0), char::from(tag), "{}", context());
            if tag != b'K' && !(own && tag == b'D') {
                let show = |body: &[u8]| body.escape_ascii().to_string();
                assert_eq!(show(&got.1), show(&body), "{}", context());
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 121, "all but K and the version");
}
