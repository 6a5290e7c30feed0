//! A TLS 1.3 server that sends what a script says (RFC 8446): P-256, AES-128-GCM, SHA-256. It
//! knows the right answer to everything, and gives it only if asked to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use barepg_testkit::pki::Workshop;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdh::diffie_hellman;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};

/// What the server has to show.
#[derive(Clone)]
pub struct Identity {
    pub chain: Vec<Vec<u8>>,
    pub key: SigningKey,
}

/// The P-256 key of a workshop's certificate.
pub fn signing_key(w: &Workshop, name: &str) -> SigningKey {
    let text = std::fs::read(w.path(name, "key")).unwrap();
    let mut der = vec![0; 512];
    let length = barepg::tls::pem::decode(&text, &mut der).unwrap();
    // ECPrivateKey: version 1, then the scalar.
    let mark = [2, 1, 1, 4, 32];
    let at = der[..length].windows(5).position(|w| w == mark).unwrap() + 5;
    SigningKey::from_slice(&der[at..at + 32]).unwrap()
}

/// One thing the server does.
#[derive(Clone)]
pub enum Step {
    /// ServerHello, in the clear.
    Hello,
    /// ServerHello with its bytes changed.
    BentHello(fn(&mut Vec<u8>)),
    /// ServerHello and the next message in one plaintext record.
    HelloAndMore,
    Extensions,
    /// EncryptedExtensions with these.
    ExtensionsOf(Vec<u8>),
    /// CertificateRequest.
    Request,
    /// CertificateRequest with these extensions.
    RequestOf(Vec<u8>),
    /// EncryptedExtensions and CertificateRequest in one record.
    ExtensionsAndRequest,
    Certificate,
    /// Certificate with these certificates instead.
    Certificates(Vec<Vec<u8>>),
    /// CertificateVerify: signature scheme and key.
    Verify(u16, SigningKey),
    /// CertificateVerify with the client's context string.
    VerifyAsClient,
    Finished,
    BadFinished,
    /// Finished and another message in one record.
    FinishedAndMore,
    /// The next step's message goes out in a plaintext record.
    InClear,
    /// The next step's message is split over two records.
    Split,
    /// A record as it is: type and body.
    Record(u8, Vec<u8>),
    /// An encrypted record: inner type and content.
    Sealed(u8, Vec<u8>),
    /// An encrypted record with a bit flipped.
    Forged,
    /// Bytes outside of any record.
    Raw(Vec<u8>),
    /// The same, one every few milliseconds: sooner than a transport returns without any.
    Drip(Vec<u8>),
    /// Goes on with the keys of the session.
    Keys,
    /// Waits for the client's Finished and StartupMessage, lets it in, and waits for a query.
    LetIn,
    /// Answers the empty query.
    Answer,
    /// Sends this again and again until the client is gone.
    Flood(Box<Step>),
    /// Reads until the client closes or three seconds have passed.
    Wait,
}

/// What the server saw.
#[derive(Default)]
pub struct Seen {
    /// ClientHello.
    pub hello: Vec<u8>,
    /// What the client sent after it, or after the answer if that was no `S`.
    pub after_hello: Vec<u8>,
    /// What was in the encrypted records of it that the server opened.
    pub opened: Vec<u8>,
}

impl Seen {
    /// Whether some word is in what the client sent, as far as it can be read.
    pub fn has(&self, word: &str) -> bool {
        let within =
            |bytes: &Vec<u8>| bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes());
        within(&self.hello) || within(&self.after_hello) || within(&self.opened)
    }
}

/// How the server's bytes travel.
#[derive(Clone, Copy)]
pub struct Wire {
    /// The link is closed after so many of them.
    pub cut_at: usize,
    /// One write for each byte.
    pub dribble: bool,
}

/// CertificateRequest: no context, signature_algorithms with ECDSA on P-256.
pub const REQUEST: &[u8] = &[13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3];

pub const WHOLE: Wire = Wire { cut_at: usize::MAX, dribble: false };

/// An extension of a message: type and data.
pub fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &with_u16(data)].concat()
}

/// In the place of an answer to SSLRequest: there is none, TLS comes at once.
pub const DIRECT: &[u8] = b"direct";

/// Serves one connection. `answer` follows SSLRequest; unless it begins with `S`, that is all.
pub fn serve(
    identity: Identity,
    answer: &'static [u8],
    script: Vec<Step>,
    wire: Wire,
) -> (u16, JoinHandle<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut seen = Seen::default();
        // A client that hangs up early is what most scripts want.
        let _ = run(stream, &identity, answer, &script, wire, &mut seen);
        seen
    });
    (port, thread)
}

fn run(
    mut stream: TcpStream,
    identity: &Identity,
    answer: &[u8],
    script: &[Step],
    wire: Wire,
    seen: &mut Seen,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.set_nodelay(true)?;
    if answer != DIRECT {
        let mut request = [0; 8];
        stream.read_exact(&mut request)?;
        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(answer)?;
    }
    if answer != DIRECT && !answer.starts_with(b"S") {
        let _ = stream.read_to_end(&mut seen.after_hello);
        return Ok(());
    }
    let (kind, hello) = read_record(&mut stream)?;
    assert_eq!(kind, 22);
    seen.hello.clone_from(&hello);
    let mut server = Rogue::new(stream, hello, wire);
    let result = server.play(identity, script);
    // Nothing more comes, and nothing of what the client may have sent after it is missed.
    let _ = server.stream.shutdown(Shutdown::Write);
    server.stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = server.stream.read_to_end(&mut server.received);
    (seen.after_hello, seen.opened) = (server.received, server.opened);
    result
}

fn read_record(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut body)?;
    Ok((header[0], body))
}

struct Rogue {
    stream: TcpStream,
    secret: SecretKey,
    session_id: Vec<u8>,
    peer: PublicKey,
    transcript: Sha256,
    handshake_secret: Option<Hkdf<Sha256>>,
    client_traffic: [u8; 32],
    server_traffic: [u8; 32],
    write: Keys,
    read: Keys,
    received: Vec<u8>,
    opened: Vec<u8>,
    in_clear: bool,
    split: bool,
    wire: Wire,
}

#[derive(Default)]
struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    sequence: u64,
}

impl Keys {
    fn new(traffic: &[u8; 32]) -> Self {
        let mut keys = Self::default();
        let hkdf = Hkdf::<Sha256>::from_prk(traffic).unwrap();
        keys.key.copy_from_slice(&expand(&hkdf, "key", b"", 16));
        keys.iv.copy_from_slice(&expand(&hkdf, "iv", b"", 12));
        keys
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        nonce
    }
}

fn expand(hkdf: &Hkdf<Sha256>, label: &str, context: &[u8], length: u16) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = length.to_be_bytes().to_vec();
    info.push(label.len() as u8);
    info.extend_from_slice(label.as_bytes());
    info.push(context.len() as u8);
    info.extend_from_slice(context);
    let mut out = vec![0; length.into()];
    hkdf.expand(&info, &mut out).unwrap();
    out
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn with_u16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn with_u24(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[1..], body].concat()
}

impl Rogue {
    fn new(stream: TcpStream, hello: Vec<u8>, wire: Wire) -> Self {
        let mut transcript = Sha256::new();
        transcript.update(&hello);
        let session_id = hello[39..39 + usize::from(hello[38])].to_vec();
        // The only key share is a point of P-256: group, length, point.
        let mark = [0x00, 0x17, 0x00, 0x41, 0x04];
        let at = hello.windows(5).position(|w| w == mark).expect("a share of P-256") + 4;
        let peer = PublicKey::from_sec1_bytes(&hello[at..at + 65]).unwrap();
        Self {
            stream,
            secret: SecretKey::from_slice(&[0x42; 32]).unwrap(),
            session_id,
            peer,
            transcript,
            handshake_secret: None,
            client_traffic: [0; 32],
            server_traffic: [0; 32],
            write: Keys::default(),
            read: Keys::default(),
            received: Vec::new(),
            opened: Vec::new(),
            in_clear: false,
            split: false,
            wire,
        }
    }

    fn hello(&self) -> Vec<u8> {
        use p256::elliptic_curve::sec1::ToEncodedPoint;
        let point = self.secret.public_key().to_encoded_point(false);
        let share = [&[0x00, 0x17][..], &with_u16(point.as_bytes())].concat();
        let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 51][..], &with_u16(&share)].concat();
        let id = [&[self.session_id.len() as u8][..], &self.session_id].concat();
        let body =
            [&[3, 3][..], &[0x77; 32], &id, &[0x13, 0x01, 0][..], &with_u16(&extensions)].concat();
        message(2, &body)
    }

    /// Handshake keys, after ServerHello is in the transcript.
    fn derive(&mut self) {
        let empty = Sha256::digest(b"");
        let (early, _) = Hkdf::<Sha256>::extract(None, &[0; 32]);
        let early = Hkdf::<Sha256>::from_prk(&early).unwrap();
        let salt = expand(&early, "derived", &empty, 32);
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), self.peer.as_affine());
        let (_, handshake) = Hkdf::<Sha256>::extract(Some(&salt), shared.raw_secret_bytes());
        let hash = self.transcript.clone().finalize();
        self.client_traffic.copy_from_slice(&expand(&handshake, "c hs traffic", &hash, 32));
        self.server_traffic.copy_from_slice(&expand(&handshake, "s hs traffic", &hash, 32));
        self.write = Keys::new(&self.server_traffic);
        self.read = Keys::new(&self.client_traffic);
        self.handshake_secret = Some(handshake);
    }

    fn finished(&self) -> Vec<u8> {
        let hkdf = Hkdf::<Sha256>::from_prk(&self.server_traffic).unwrap();
        let key = expand(&hkdf, "finished", b"", 32);
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap();
        mac.update(&self.transcript.clone().finalize());
        mac.finalize().into_bytes().to_vec()
    }

    /// Application keys, after Finished is in the transcript. The client's own Finished still
    /// comes under the handshake key.
    fn derive_application(&self) -> (Keys, Keys) {
        let empty = Sha256::digest(b"");
        let salt = expand(self.handshake_secret.as_ref().unwrap(), "derived", &empty, 32);
        let (_, master) = Hkdf::<Sha256>::extract(Some(&salt), &[0; 32]);
        let hash = self.transcript.clone().finalize();
        let keys = |label| Keys::new(&expand(&master, label, &hash, 32).try_into().unwrap());
        (keys("c ap traffic"), keys("s ap traffic"))
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let length = bytes.len().min(self.wire.cut_at);
        self.wire.cut_at -= length;
        match self.wire.dribble {
            true => bytes[..length].iter().try_for_each(|b| self.stream.write_all(&[*b]))?,
            false => self.stream.write_all(&bytes[..length])?,
        }
        if length < bytes.len() { Err(std::io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    fn record(&mut self, kind: u8, body: &[u8]) -> std::io::Result<()> {
        let record = [&[kind, 3, 3][..], &with_u16(body)].concat();
        self.send(&record)
    }

    fn seal(&mut self, kind: u8, content: &[u8], bend: bool) -> std::io::Result<()> {
        let mut body = [content, &[kind]].concat();
        let length = u16::try_from(body.len() + 16).unwrap().to_be_bytes();
        let header = [23, 3, 3, length[0], length[1]];
        let nonce = self.write.nonce();
        let tag = Aes128Gcm::new(&self.write.key.into())
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &header, &mut body)
            .unwrap();
        body.extend_from_slice(&tag);
        if bend {
            body[0] ^= 1;
        }
        self.record(23, &body)
    }

    /// Sends a handshake message as the script wants it.
    fn say(&mut self, message: Vec<u8>) -> std::io::Result<()> {
        self.transcript.update(&message);
        match (std::mem::take(&mut self.in_clear), std::mem::take(&mut self.split)) {
            (true, _) => self.record(22, &message),
            (_, true) => {
                let (a, b) = message.split_at(message.len() / 2);
                self.seal(22, a, false)?;
                self.seal(22, b, false)
            }
            _ => self.seal(22, &message, false),
        }
    }

    /// The next encrypted record of the client.
    fn open(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let (kind, mut body) = read_record(&mut self.stream)?;
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let header = [kind, 3, 3, length[0], length[1]];
        self.received.extend_from_slice(&[&header, &body[..]].concat());
        assert_eq!(kind, 23, "the client encrypts everything");
        let tag = body.split_off(body.len() - 16);
        let nonce = self.read.nonce();
        Aes128Gcm::new(&self.read.key.into())
            .decrypt_in_place_detached(
                Nonce::from_slice(&nonce),
                &header,
                &mut body,
                aes_gcm::Tag::from_slice(&tag),
            )
            .expect("the client's record is authentic");
        self.opened.extend_from_slice(&body);
        Ok((body.pop().unwrap(), body))
    }

    fn verify(&self, context: &str, scheme: u16, key: &SigningKey) -> Vec<u8> {
        let hash = self.transcript.clone().finalize();
        let content = [&[0x20; 64][..], context.as_bytes(), &[0], &hash].concat();
        let signature: DerSignature = key.sign_prehash(&Sha256::digest(content)).unwrap();
        let body = [&scheme.to_be_bytes()[..], &with_u16(signature.as_bytes())].concat();
        message(15, &body)
    }

    fn play(&mut self, identity: &Identity, script: &[Step]) -> std::io::Result<()> {
        script.iter().try_for_each(|step| self.step(identity, step))
    }

    fn step(&mut self, identity: &Identity, step: &Step) -> std::io::Result<()> {
        const SERVER: &str = "TLS 1.3, server CertificateVerify";
        match step {
            Step::Hello => {
                let hello = self.hello();
                self.transcript.update(&hello);
                self.record(22, &hello)?;
                self.derive();
            }
            Step::BentHello(bend) => {
                let mut hello = self.hello();
                bend(&mut hello);
                self.transcript.update(&hello);
                self.record(22, &hello)?;
                self.derive();
            }
            Step::HelloAndMore => {
                let hello = self.hello();
                let extensions = message(8, &[0, 0]);
                self.transcript.update(&hello);
                self.derive();
                self.transcript.update(&extensions);
                self.record(22, &[hello, extensions].concat())?;
            }
            Step::Extensions => self.say(message(8, &[0, 0]))?,
            Step::ExtensionsOf(list) => self.say(message(8, &with_u16(list)))?,
            Step::Request => self.say(REQUEST.to_vec())?,
            Step::ExtensionsAndRequest => {
                self.say([&message(8, &[0, 0])[..], REQUEST].concat())?;
            }
            Step::RequestOf(list) => {
                self.say(message(13, &[&[0][..], &with_u16(list)].concat()))?;
            }
            Step::Certificate => {
                self.step(identity, &Step::Certificates(identity.chain.clone()))?;
            }
            Step::Certificates(chain) => {
                let list: Vec<u8> =
                    chain.iter().flat_map(|der| [&with_u24(der)[..], &[0, 0]].concat()).collect();
                self.say(message(11, &[&[0][..], &with_u24(&list)].concat()))?;
            }
            Step::Verify(scheme, key) => {
                let message = self.verify(SERVER, *scheme, key);
                self.say(message)?;
            }
            Step::VerifyAsClient => {
                let context = "TLS 1.3, client CertificateVerify";
                let message = self.verify(context, 0x0403, &identity.key);
                self.say(message)?;
            }
            Step::Finished => {
                let message = message(20, &self.finished());
                self.say(message)?;
            }
            Step::BadFinished => {
                let mut mac = self.finished();
                mac[0] ^= 1;
                self.say(message(20, &mac))?;
            }
            Step::FinishedAndMore => {
                let messages = [message(20, &self.finished()), message(8, &[0, 0])].concat();
                self.say(messages)?;
            }
            Step::InClear => self.in_clear = true,
            Step::Split => self.split = true,
            Step::Record(kind, body) => self.record(*kind, body)?,
            Step::Sealed(kind, content) => self.seal(*kind, content, false)?,
            Step::Forged => self.seal(23, b"forged", true)?,
            Step::Raw(bytes) => self.send(bytes)?,
            Step::Drip(bytes) => bytes.iter().try_for_each(|byte| {
                std::thread::sleep(Duration::from_millis(3));
                self.send(&[*byte])
            })?,
            Step::Keys => (_, self.write) = self.derive_application(),
            Step::LetIn => {
                let (read, write) = self.derive_application();
                // Its certificate and proof, if it was asked, come first.
                while {
                    let (kind, message) = self.open()?;
                    assert_eq!(kind, 22);
                    message[0] != 20
                } {}
                (self.read, self.write) = (read, write);
                let (kind, startup) = self.open()?;
                assert_eq!(kind, 23);
                assert!(startup.windows(4).any(|w| w == b"user"), "a StartupMessage");
                let welcome = [
                    &b"R\0\0\0\x08\0\0\0\0"[..],
                    b"S\0\0\0\x19client_encoding\0UTF8\0",
                    b"Z\0\0\0\x05I",
                ];
                self.seal(23, &welcome.concat(), false)?;
                self.open()?;
            }
            Step::Answer => self.seal(23, b"I\0\0\0\x04Z\0\0\0\x05I", false)?,
            Step::Flood(step) => loop {
                self.step(identity, step)?;
            },
            Step::Wait => {
                self.stream.set_read_timeout(Some(Duration::from_secs(3)))?;
                let _ = self.stream.read_to_end(&mut self.received);
            }
        }
        Ok(())
    }
}
