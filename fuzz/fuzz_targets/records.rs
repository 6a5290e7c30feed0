#![no_main]
//! TLS records of a server's, at every point of the handshake and after it: what the driver's
//! checks let pass, the record layer takes without a panic.
//!
//! Input: how many of the server's right messages come first, flags, then records: a byte for
//! the kind (and whether it is encrypted), one for the length, the content. Everything else is
//! always the same, so that the handshake is computed once: entropy, keys, the messages.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use barepg::tls::{Tls, TlsStorage, Validity};
use barepg::transport::NoReadReady;
use barepg::{Client, Config, NoEntropy, Platform, SslMode, SslNegotiation, Storage};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use p256::ecdh::diffie_hellman;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};

/// A certificate of its own issuer, and its key.
const CERTIFICATE: &[u8] = include_bytes!("common/records.der");
const KEY: &str = "3637abc005e8eda9d42c2a28fb875ae8fdb88c9c3b20532523c87acb50e4ef66";

fuzz_target!(|data: &[u8]| {
    let [start, flags, records @ ..] = data else { return };
    let direct = flags & 1 == 1;
    static SERVERS: [OnceLock<Server>; 2] = [OnceLock::new(), OnceLock::new()];
    let server = SERVERS[usize::from(direct)].get_or_init(|| Server::new(direct));
    connect(direct, flags & 2 == 2, server.bytes(*start, records));
});

/// Connects to a server that sends these bytes, whatever it is told. Returns what it was told.
fn connect(direct: bool, in_pieces: bool, mut bytes: Vec<u8>) -> Vec<u8> {
    let config = Config::new()
        .user("u")
        .password("p")
        .host("localhost")
        .sslmode(SslMode::Require)
        .sslnegotiation(if direct { SslNegotiation::Direct } else { SslNegotiation::Postgres });
    if !direct {
        bytes.insert(0, b'S');
    }
    let told = RefCell::new(Vec::new());
    let machine = Machine::default();
    let mut storage = Storage::<512, 512>::new();
    let mut records = TlsStorage::<1041, 768>::new();
    let tls = Tls::new(&mut records).validity(Validity::DangerNoDates);
    let mut client = Client::new(storage.buffers(), &config, &machine).with_tls(tls);
    let link = Link { bytes: &bytes, told: &told, piece: if in_pieces { 7 } else { usize::MAX } };
    if let Ok(mut connection) = client.connect(NoReadReady(link)) {
        let _ = connection.ping();
        let _ = connection.query_one("select 1", ()).map(|_| ());
    }
    drop(client);
    told.into_inner()
}

struct Link<'l> {
    bytes: &'l [u8],
    told: &'l RefCell<Vec<u8>>,
    piece: usize,
}

impl embedded_io::ErrorType for Link<'_> {
    type Error = std::io::Error;
}

impl embedded_io::Read for Link<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let length = buf.len().min(self.bytes.len()).min(self.piece);
        let (now, later) = self.bytes.split_at(length);
        buf[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

impl embedded_io::Write for Link<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.told.borrow_mut().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[derive(Default)]
struct Machine(Cell<u64>);

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get() / 16
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        buf.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
        Ok(())
    }
}

/// What the server sends if all is right, and its keys.
struct Server {
    hello: Vec<u8>,
    /// EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished.
    messages: [Vec<u8>; 5],
    handshake: Keys,
    session: Keys,
}

struct Keys {
    cipher: Aes128Gcm,
    iv: [u8; 12],
}

impl Keys {
    fn new(traffic: &[u8]) -> Self {
        let hkdf = Hkdf::<Sha256>::from_prk(traffic).unwrap();
        let key = expand(&hkdf, "key", b"", 16);
        let iv = expand(&hkdf, "iv", b"", 12).try_into().unwrap();
        Self { cipher: Aes128Gcm::new_from_slice(&key).unwrap(), iv }
    }

    fn seal(&self, sequence: u64, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut body = [content, &[kind]].concat();
        let length = u16::try_from(body.len() + 16).unwrap().to_be_bytes();
        let header = [23, 3, 3, length[0], length[1]];
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= count;
        }
        let nonce = Nonce::from_slice(&nonce);
        let tag = self.cipher.encrypt_in_place_detached(nonce, &header, &mut body).unwrap();
        [&header[..], &body, &tag].concat()
    }
}

impl Server {
    fn new(direct: bool) -> Self {
        // What the client says first is always the same.
        let told = connect(direct, false, Vec::new());
        let hello = &told[if direct { 5 } else { 8 + 5 }..];
        let session_id = &hello[38..39 + usize::from(hello[38])];
        let mark = [0x00, 0x17, 0x00, 0x41, 0x04];
        let at = hello.windows(5).position(|w| w == mark).unwrap() + 4;
        let peer = PublicKey::from_sec1_bytes(&hello[at..at + 65]).unwrap();
        let secret = SecretKey::from_slice(&[0x42; 32]).unwrap();

        let point = secret.public_key().to_encoded_point(false);
        let share = [&[0x00, 0x17][..], &sized(point.as_bytes())].concat();
        let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 51][..], &sized(&share)].concat();
        let body = [&[3, 3][..], &[0x77; 32], session_id, &[0x13, 1, 0], &sized(&extensions)];
        let server_hello = message(2, &body.concat());

        let mut transcript = Sha256::new();
        transcript.update(hello);
        transcript.update(&server_hello);
        let empty = Sha256::digest(b"");
        let (early, _) = Hkdf::<Sha256>::extract(None, &[0; 32]);
        let early = Hkdf::<Sha256>::from_prk(&early).unwrap();
        let salt = expand(&early, "derived", &empty, 32);
        let shared = diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine());
        let (_, handshake) = Hkdf::<Sha256>::extract(Some(&salt), shared.raw_secret_bytes());
        let traffic = expand(&handshake, "s hs traffic", &transcript.clone().finalize(), 32);

        let protocol = [&[0, 16][..], &sized(b"\0\x0b\x0apostgresql")].concat();
        let groups = b"\0\x0a\0\x06\0\x04\0\x1d\0\x1f";
        let list = [&groups[..], if direct { &protocol } else { &[] }].concat();
        let extensions = message(8, &sized(&list));
        let request = message(13, b"\0\0\x08\0\x0d\0\x04\0\x02\x04\x03");
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let entry = [&length(CERTIFICATE)[1..], CERTIFICATE, &[0, 0]].concat();
        let certificate = message(11, &[&[0][..], &length(&entry)[1..], &entry].concat());
        for message in [&extensions, &request, &certificate] {
            transcript.update(message);
        }

        let scalar: Vec<u8> =
            (0..32).map(|n| u8::from_str_radix(&KEY[2 * n..2 * n + 2], 16).unwrap()).collect();
        let key = SigningKey::from_slice(&scalar).unwrap();
        let hash = transcript.clone().finalize();
        let content = [&[0x20; 64][..], b"TLS 1.3, server CertificateVerify\0", &hash].concat();
        let signature: DerSignature = key.sign_prehash(&Sha256::digest(content)).unwrap();
        let proof = message(15, &[&[4, 3][..], &sized(signature.as_bytes())].concat());
        transcript.update(&proof);

        let hkdf = Hkdf::<Sha256>::from_prk(&traffic).unwrap();
        let key = expand(&hkdf, "finished", b"", 32);
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap();
        mac.update(&transcript.clone().finalize());
        let finished = message(20, &mac.finalize().into_bytes());
        transcript.update(&finished);

        let salt = expand(&handshake, "derived", &empty, 32);
        let (_, master) = Hkdf::<Sha256>::extract(Some(&salt), &[0; 32]);
        let session = expand(&master, "s ap traffic", &transcript.finalize(), 32);
        let server = Self {
            hello: [&[22, 3, 3][..], &sized(&server_hello)].concat(),
            messages: [extensions, request, certificate, proof, finished],
            handshake: Keys::new(&traffic),
            session: Keys::new(&session),
        };
        // The client's certificate (none), Finished and StartupMessage show that it was let in.
        let answered = connect(direct, false, server.bytes(6, &[])).len();
        assert!(answered > told.len() + 150, "{answered}, {}", told.len());
        server
    }

    /// ServerHello, some of the right messages, a login, and what the input has.
    fn bytes(&self, start: u8, mut input: &[u8]) -> Vec<u8> {
        let right = usize::from(start % 7);
        let mut out = self.hello.clone();
        let mut sequence = 0;
        for message in self.messages.iter().take(right) {
            out.extend(self.handshake.seal(sequence, 22, message));
            sequence += 1;
        }
        let keys = if right >= 5 { &self.session } else { &self.handshake };
        if right >= 5 {
            sequence = 0;
        }
        if right == 6 {
            out.extend(keys.seal(0, 23, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"));
            sequence = 1;
        }
        while let [how, length, rest @ ..] = input {
            let (content, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            input = rest;
            // A handshake record as a rule: there the readers are.
            let kind = match how & 15 {
                0 => 20,
                1 => 21,
                2 | 3 => 23,
                4 => 0,
                _ => 22,
            };
            match how & 0xf0 {
                0xf0 => out.extend([&[kind, 3, 3][..], &sized(content)].concat()),
                _ => {
                    let padding = usize::from(how >> 4).saturating_sub(9);
                    let content = [content, &[kind][..], &vec![0; padding]].concat();
                    let (kind, content) = match content.split_last() {
                        Some((last, content)) => (*last, content.to_vec()),
                        None => break,
                    };
                    out.extend(keys.seal(sequence, kind, &content));
                    sequence += 1;
                }
            }
        }
        out
    }
}

fn sized(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn expand(hkdf: &Hkdf<Sha256>, label: &str, context: &[u8], length: u16) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = length.to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend_from_slice(label.as_bytes());
    info.push(u8::try_from(context.len()).unwrap());
    info.extend_from_slice(context);
    let mut out = vec![0; length.into()];
    hkdf.expand(&info, &mut out).unwrap();
    out
}
