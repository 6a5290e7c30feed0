//! From an open transport to the first ReadyForQuery.
//!
//! The login is a state machine of its own: every request is answered at most once, nothing is
//! answered that the policy does not allow, and after SCRAM began only its proof ends it.
//!
//! Source: manual, "Start-up"; RFC 5802.

use crate::auth::{NONCE, Request, Scram, md5_answer};
use crate::config::{AuthMethods, Config, Dialect};
use crate::error::{AuthError, ConfigError, Fault, ProtocolError};
use crate::limits;
use crate::session::{Life, Session};
use crate::transport::Io;
use crate::wire::backend::{Phase, tag};
use crate::wire::{Reader, frontend};

/// What protects the link below the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nothing.
    None,
    /// TLS, with a peer whose certificate was verified.
    #[allow(dead_code, reason = "built by the TLS layer")]
    Verified,
}

impl Session<'_> {
    /// Logs in over an open transport without TLS.
    pub(crate) fn connect(&mut self, io: &mut dyn Io, config: &Config<'_>) -> Result<(), Fault> {
        self.open(config)?;
        if config.sslmode.demands_tls() {
            self.life = Life::None;
            return Err(ConfigError::TlsUnavailable.into());
        }
        self.login(io, config, Protection::None)
    }

    /// Starts a link: checks what can be checked before a byte is sent.
    pub(crate) fn open(&mut self, config: &Config<'_>) -> Result<(), Fault> {
        self.reset();
        self.link.begin(config.connect_timeout_ms);
        let (rx, tx) = self.link.sizes();
        let problem = if config.user.is_none_or(str::is_empty) {
            ConfigError::NoUser
        } else if rx < limits::MIN_RX || tx < limits::MIN_TX {
            ConfigError::BufferTooSmall
        } else {
            return Ok(());
        };
        self.life = Life::None;
        Err(problem.into())
    }

    /// Logs in over an open link. After a failure the link is dead, whatever the fault.
    pub(crate) fn login(
        &mut self,
        io: &mut dyn Io,
        config: &Config<'_>,
        protection: Protection,
    ) -> Result<(), Fault> {
        let result = self.start(io, config, protection);
        // A password may have been in the send buffer.
        self.link.wipe_tx();
        if let Err(fault) = result {
            self.life = Life::Broken;
            // No work was asked for yet.
            if fault != Fault::Server {
                self.link.forget_sent();
            }
        }
        result
    }

    fn start(
        &mut self,
        io: &mut dyn Io,
        config: &Config<'_>,
        protection: Protection,
    ) -> Result<(), Fault> {
        let version = match config.dialect {
            Dialect::PostgreSql => frontend::PROTOCOL_3_0,
            Dialect::Auto if self.server.minor_refused => frontend::PROTOCOL_3_0,
            Dialect::Auto | Dialect::OpenGauss => frontend::PROTOCOL_3_51,
        };
        let user = config.user.unwrap_or("");
        self.link.write(io, &|w| {
            frontend::startup(w, version, &|w| {
                let parameters = [
                    ("user", Some(user)),
                    ("database", config.dbname.or(config.user)),
                    ("client_encoding", Some("UTF8")),
                    ("DateStyle", Some("ISO")),
                    ("application_name", config.application_name),
                    ("options", config.options),
                ];
                for (name, value) in parameters {
                    if let Some(value) = value {
                        w.cstr(name)?;
                        w.cstr(value)?;
                    }
                }
                Ok(())
            })
        })?;
        self.link.flush(io)?;
        self.authenticate(io, config, protection, version)?;
        self.phase = Phase::Settling;
        self.settle_in(io)?;
        self.phase = Phase::Normal;
        Ok(())
    }

    fn authenticate(
        &mut self,
        io: &mut dyn Io,
        config: &Config<'_>,
        protection: Protection,
        version: u32,
    ) -> Result<(), Fault> {
        let allowed = allowed_methods(config, protection);
        let password = || {
            let password = config.password.ok_or(Fault::Config(ConfigError::NoPassword));
            password.map(|password| password.as_bytes())
        };
        let mut scram: Option<Scram> = None;
        let mut answered = false;
        let mut asked = false;
        loop {
            match self.next(io)? {
                tag::AUTHENTICATION => {}
                tag::NEGOTIATE_PROTOCOL_VERSION if !asked && !self.server.negotiated => {
                    self.negotiate(io, version)?;
                    continue;
                }
                tag::ERROR_RESPONSE => {
                    self.take_error(io)?;
                    self.server.minor_refused |= !asked
                        && version != frontend::PROTOCOL_3_0
                        && matches!(self.sqlstate().as_str(), "08P01" | "0A000");
                    return Err(Fault::Server);
                }
                _ => return Err(Fault::Protocol(ProtocolError::UnexpectedMessage)),
            }
            asked = true;
            let code = self.link.take(io, 4)?;
            let code = Reader::new(self.link.get(code)).u32()?;
            let span = self.link.body(io)?;
            let request = Request::decode(code, self.link.get(span))?;
            debug!("authentication request {}", code);
            match (request, &mut scram) {
                (Request::Ok, Some(exchange)) if exchange.is_verified() => return Ok(()),
                (Request::Ok, Some(_)) => return Err(Fault::Auth(AuthError::ServerSignature)),
                (Request::Ok, None) if answered => return Ok(()),
                _ if !allowed.contains(request.method()) => {
                    return Err(Fault::Auth(AuthError::MethodNotAllowed));
                }
                (Request::Ok, None) => return Ok(()),
                // From here on every request is answered, each kind once.
                (Request::Cleartext, None) if !answered => {
                    let password = password()?;
                    self.link.write(io, &|w| {
                        frontend::password(w, &|w| {
                            w.bytes(password)?;
                            w.u8(0)
                        })
                    })?;
                    answered = true;
                }
                (Request::Md5(salt), None) if !answered => {
                    let user = config.user.unwrap_or("").as_bytes();
                    let answer = md5_answer(user, password()?, salt);
                    self.link.write(io, &|w| {
                        frontend::password(w, &|w| {
                            w.bytes(&answer)?;
                            w.u8(0)
                        })
                    })?;
                    answered = true;
                }
                (Request::Sasl, none @ None) if !answered => {
                    let exchange = self.new_scram(password()?)?;
                    self.link.write(io, &|w| frontend::password(w, &|w| exchange.initial(w)))?;
                    *none = Some(exchange);
                }
                (Request::SaslContinue, Some(exchange)) => {
                    let link = &self.link;
                    let message = link.get(span);
                    let tick = || link.tick();
                    exchange.server_first(message, password()?, config.scram_iterations, &tick)?;
                    self.link.write_from(span, &|w, message| {
                        frontend::password(w, &|w| exchange.client_final(message, w))
                    })?;
                }
                (Request::SaslFinal, Some(exchange)) => {
                    exchange.server_final(self.link.get(span))?;
                    continue;
                }
                _ => return Err(Fault::Auth(AuthError::Malformed)),
            }
            self.link.flush(io)?;
        }
    }

    fn new_scram(&self, password: &[u8]) -> Result<Scram, Fault> {
        if password.is_empty() {
            return Err(Fault::Config(ConfigError::NoPassword));
        }
        let mut entropy = [0; NONCE];
        let platform = self.link.platform();
        platform.entropy(&mut entropy).map_err(|_| Fault::Auth(AuthError::NoEntropy))?;
        Ok(Scram::new(&entropy))
    }

    /// NegotiateProtocolVersion: a version between 3.0 and the one asked for, and none of the
    /// options refused that were sent, for none were sent.
    fn negotiate(&mut self, io: &mut dyn Io, asked: u32) -> Result<(), Fault> {
        let span = self.link.body(io)?;
        let mut reader = Reader::new(self.link.get(span));
        let (version, options) = (reader.u32()?, reader.u32()?);
        reader.finish()?;
        if version < frontend::PROTOCOL_3_0 || version > asked || options != 0 {
            return Err(Fault::Protocol(ProtocolError::BadVersion));
        }
        self.server.negotiated = true;
        Ok(())
    }

    /// From AuthenticationOk to ReadyForQuery.
    fn settle_in(&mut self, io: &mut dyn Io) -> Result<(), Fault> {
        loop {
            match self.next(io)? {
                tag::BACKEND_KEY_DATA => {
                    let span = self.link.body(io)?;
                    let mut reader = Reader::new(self.link.get(span));
                    let pid = reader.u32()?;
                    self.server.backend_key(pid, reader.rest());
                }
                tag::READY_FOR_QUERY => return self.ready(io),
                tag::ERROR_RESPONSE => {
                    self.take_error(io)?;
                    return Err(Fault::Server);
                }
                _ => return Err(Fault::Protocol(ProtocolError::UnexpectedMessage)),
            }
        }
    }

    /// Asks for TLS: `true` when the server agrees. Not one byte more than its answer is read.
    #[allow(dead_code, reason = "called by the TLS layer")]
    pub(crate) fn request_tls(&mut self, io: &mut dyn Io) -> Result<bool, Fault> {
        self.link.write(io, &frontend::ssl_request)?;
        self.link.flush(io)?;
        match self.link.lone_byte(io)? {
            b'S' => Ok(true),
            b'N' => Ok(false),
            // Also an ErrorResponse: nobody has vouched for its text, so it is not shown.
            _ => Err(Fault::Protocol(ProtocolError::BadTlsAnswer)),
        }
    }
}

/// Without `require_auth`, what shows the password or its MD5 hash to a listener is answered only
/// over verified TLS.
fn allowed_methods(config: &Config<'_>, protection: Protection) -> AuthMethods {
    let revealing = AuthMethods::PASSWORD.or(AuthMethods::MD5);
    match (config.require_auth, protection) {
        (Some(methods), _) => methods,
        (None, Protection::Verified) => AuthMethods::ALL,
        (None, Protection::None) => AuthMethods::ALL.without(revealing),
    }
}
