//! Who may log in and how: `pg_hba.conf`'s methods against the kinds of stored passwords.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::fields::{error, message};
use super::stored::{self, Kind, Stored};
use super::{Attempt, Shared};

/// A user of the front.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: String,
    /// The password as stored.
    pub stored: Stored,
    /// The password in clear, which only [`Hba::Ldap`] compares.
    pub password: String,
    /// The method of the user's line in `pg_hba.conf`.
    pub hba: Hba,
    /// The kind of that line.
    pub access: Access,
    /// The initial user (OID 10), who may not come from another machine.
    pub initial: bool,
}

/// Methods of `pg_hba.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hba {
    /// `sha256`
    Sha256,
    /// `md5`
    Md5,
    /// `sm3`
    Sm3,
    /// `trust`: from this machine, the method of the stored password.
    Trust,
    /// `cert`: the client certificate's common name is the user.
    Cert,
    /// `ldap`, which asks for the password in clear.
    Ldap,
    /// `reject`
    Reject,
}

/// Kinds of lines in `pg_hba.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `host`
    Any,
    /// `hostssl`
    TlsOnly,
    /// `hostnossl`
    PlainOnly,
}

impl User {
    /// A user with a random salt.
    pub fn new(name: &str, password: &str, kind: Kind, iterations: u32, hba: Hba) -> User {
        let salt = stored::hex(&stored::random::<32>().expect("random bytes"));
        User::with_salt(name, password, kind, &salt, iterations, hba)
    }

    /// A user whose stored salt is given, for replaying recorded logins.
    pub fn with_salt(
        name: &str,
        password: &str,
        kind: Kind,
        salt: &str,
        iterations: u32,
        hba: Hba,
    ) -> User {
        User {
            name: name.to_string(),
            stored: Stored::new(kind, name, password, salt, iterations),
            password: password.to_string(),
            hba,
            access: Access::Any,
            initial: false,
        }
    }
}

/// What a StartupMessage said.
#[derive(Debug, Default)]
pub(super) struct Startup {
    pub(super) minor: u16,
    pub(super) parameters: Vec<(String, String)>,
    /// Under TLS: the common name of the client certificate, empty without one.
    pub(super) tls: Option<String>,
}

impl Startup {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

const DENIED: (&str, &str) = ("28P01", "Invalid username/password,login denied.");

/// What a client is asked for.
enum Challenge {
    Nothing,
    Cleartext,
    Md5,
    Sha256,
    Md5Sha256,
    Sm3,
    Refused(&'static str, String),
}

/// Runs the authentication. True when the session may begin; AuthenticationOk is not sent, for
/// openGauss keeps it back until the session is ready.
pub(super) fn authenticate(
    shared: &Shared,
    stream: &mut TcpStream,
    startup: &Startup,
) -> io::Result<bool> {
    let name = startup.get("user").unwrap_or_default();
    let user = shared.options.users.iter().find(|user| user.name == name);
    let mut state = shared.state();
    let index = state.attempts.len();
    state.attempts.push(Attempt {
        user: name.to_string(),
        minor: startup.minor,
        code: None,
        answer: None,
        tls: startup.tls.is_some(),
        ok: false,
    });
    drop(state);
    // Noted before the client can see what comes of it.
    let note = |change: &dyn Fn(&mut Attempt)| change(&mut shared.state().attempts[index]);
    match exchange(shared, stream, startup, user, &note)? {
        Ok(()) => {
            note(&|attempt| attempt.ok = true);
            Ok(true)
        }
        Err((code, text)) => {
            stream.write_all(&error("FATAL", code, &text))?;
            Ok(false)
        }
    }
}

type Note<'a> = &'a dyn Fn(&dyn Fn(&mut Attempt));
type LoginResult = Result<(), (&'static str, String)>;

fn exchange(
    shared: &Shared,
    stream: &mut TcpStream,
    startup: &Startup,
    user: Option<&User>,
    note: Note<'_>,
) -> io::Result<LoginResult> {
    let denied = Err((DENIED.0, DENIED.1.to_string()));
    let challenge = challenge(shared, startup, user);
    let token = shared.token()?;
    // Known users are shown their own salt only where the method fits the stored password.
    let own = user.filter(|user| challenge.fits(user));
    let proof = |code| proof_request(shared, startup, code, own, token);
    let request = match &challenge {
        Challenge::Nothing => return Ok(Ok(())),
        Challenge::Refused(code, text) => return Ok(Err((code, text.clone()))),
        Challenge::Cleartext => 3_u32.to_be_bytes().to_vec(),
        Challenge::Md5 => [&5_u32.to_be_bytes()[..], &token].concat(),
        Challenge::Md5Sha256 => {
            [&11_u32.to_be_bytes()[..], salt(shared, startup, own).as_bytes(), &token].concat()
        }
        Challenge::Sha256 => proof((10, 2)),
        Challenge::Sm3 => proof((13, 3)),
    };
    let code = request.first_chunk().map(|code| u32::from_be_bytes(*code));
    note(&|attempt| attempt.code = code);
    stream.write_all(&message(b'R', &request))?;
    let Some(answer) = password_message(stream)? else { return Ok(denied) };
    note(&|attempt| attempt.answer = Some(answer.clone()));
    let Some(user) = user else { return Ok(denied) };
    let mut state = shared.state();
    let failures = state.failures.entry(user.name.clone()).or_default();
    if *failures >= shared.options.failed_login_attempts {
        return Ok(Err(("28000", "The account has been locked.".to_string())));
    }
    if answer.is_empty() || own.is_none() || !challenge.accepts(user, token, &answer) {
        *failures += 1;
        return Ok(denied);
    }
    *failures = 0;
    Ok(Ok(()))
}

impl Challenge {
    /// Whether the user's stored password can answer this challenge.
    fn fits(&self, user: &User) -> bool {
        match self {
            Challenge::Md5 => matches!(user.stored.kind, Kind::Md5 | Kind::Combined),
            Challenge::Md5Sha256 => user.stored.kind == Kind::Sha256,
            Challenge::Sha256 => matches!(user.stored.kind, Kind::Sha256 | Kind::Combined),
            Challenge::Sm3 => {
                user.stored.kind == Kind::Sm3 && matches!(user.hba, Hba::Sm3 | Hba::Trust)
            }
            Challenge::Nothing | Challenge::Cleartext | Challenge::Refused(..) => true,
        }
    }

    fn accepts(&self, user: &User, token: [u8; 4], answer: &[u8]) -> bool {
        match self {
            Challenge::Nothing | Challenge::Refused(..) => false,
            Challenge::Cleartext => user.password.as_bytes() == answer,
            Challenge::Md5 => user.stored.accepts_md5(token, answer),
            Challenge::Md5Sha256 => user.stored.accepts_md5_sha256(token, answer),
            Challenge::Sha256 | Challenge::Sm3 => user.stored.accepts_proof(token, answer),
        }
    }
}

/// The table of methods: line of `pg_hba.conf`, stored password, minor version.
fn challenge(shared: &Shared, startup: &Startup, user: Option<&User>) -> Challenge {
    let old = startup.minor < 50;
    let Some(user) = user else {
        // As under a line `sha256`.
        return if old { Challenge::Md5 } else { Challenge::Sha256 };
    };
    let tls = startup.tls.is_some();
    let about = |words: &str| {
        let database = startup.get("database").unwrap_or(&user.name);
        let ssl = if tls { "on" } else { "off" };
        format!(
            "{words} host \"127.0.0.1\", user \"{}\", database \"{database}\", SSL {ssl}",
            user.name
        )
    };
    let remote = shared.options.remote;
    if remote && user.initial {
        let text = "Forbid remote connection with initial user.";
        return Challenge::Refused("28000", text.to_string());
    }
    match user.access {
        Access::TlsOnly if !tls => {
            return Challenge::Refused("28000", about("no pg_hba.conf entry for"));
        }
        Access::PlainOnly if tls => {
            return Challenge::Refused("28000", about("no pg_hba.conf entry for"));
        }
        _ => {}
    }
    let hba = match (user.hba, user.stored.kind) {
        (Hba::Trust, _) if remote => {
            let text = "Forbid remote connection with trust method!";
            return Challenge::Refused("28000", text.to_string());
        }
        (Hba::Trust, Kind::Md5) => Hba::Md5,
        (Hba::Trust, Kind::Sha256 | Kind::Combined) => Hba::Sha256,
        (Hba::Trust, Kind::Sm3) => Hba::Sm3,
        (hba, _) => hba,
    };
    match (hba, user.stored.kind) {
        (Hba::Reject, _) => {
            Challenge::Refused("28000", about("pg_hba.conf rejects connection for"))
        }
        (Hba::Cert, _) => match startup.tls.as_deref() {
            Some(name) if name == user.name => Challenge::Nothing,
            Some("") => Challenge::Refused(
                "28000",
                "connection requires a valid client certificate".to_string(),
            ),
            _ => Challenge::Refused(DENIED.0, DENIED.1.to_string()),
        },
        (Hba::Ldap, _) => Challenge::Cleartext,
        (Hba::Sm3, _) | (_, Kind::Sm3) => Challenge::Sm3,
        (_, Kind::Md5) => Challenge::Md5,
        (Hba::Sha256, Kind::Combined) if old => Challenge::Md5,
        (Hba::Md5, Kind::Combined) => Challenge::Md5,
        (Hba::Md5, Kind::Sha256) => Challenge::Md5Sha256,
        (_, Kind::Sha256 | Kind::Combined) => Challenge::Sha256,
    }
}

/// Code, method, salt and token, and what depends on the minor version.
fn proof_request(
    shared: &Shared,
    startup: &Startup,
    (code, method): (u32, u32),
    user: Option<&User>,
    token: [u8; 4],
) -> Vec<u8> {
    let mut body = [code.to_be_bytes(), method.to_be_bytes()].concat();
    body.extend_from_slice(salt(shared, startup, user).as_bytes());
    body.extend_from_slice(stored::hex(&token).as_bytes());
    match startup.minor {
        0..50 => {
            let signature = user.map(|user| user.stored.server_signature(token));
            let name = startup.get("user").unwrap_or_default();
            let invented = || stored::fake_salt(&format!("signature of {name}"));
            body.extend_from_slice(signature.unwrap_or_else(invented).as_bytes());
        }
        50 => {}
        _ => {
            let iterations = user.map_or(10_000, |user| user.stored.iterations);
            body.extend_from_slice(&iterations.to_be_bytes());
        }
    }
    body
}

fn salt(shared: &Shared, startup: &Startup, user: Option<&User>) -> String {
    if let Some(user) = user {
        return user.stored.salt.clone();
    }
    let name = startup.get("user").unwrap_or_default();
    let given = shared.options.fake_salts.get(name).cloned();
    given.unwrap_or_else(|| stored::fake_salt(name))
}

/// A PasswordMessage without its NUL; nothing if the client sent something else. A missing NUL
/// is tolerated, as openGauss does.
fn password_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    let [tag, a, b, c, d] = header;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if tag != b'p' || !(5..=16_384).contains(&length) {
        return Ok(None);
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body)?;
    if let Some(end) = body.iter().position(|&byte| byte == 0) {
        body.truncate(end);
    }
    Ok(Some(body))
}
