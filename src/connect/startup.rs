//! From an open channel to the first ReadyForQuery.
//!
//! The login is a state machine of its own: every request is answered at most once, nothing is
//! answered that the policy does not allow, and after SCRAM began only its proof ends it.
//!
//! Source: manual, "Start-up"; RFC 5802.

use super::protection::{Protection, allowed_methods, binding};
#[cfg(feature = "opengauss")]
use crate::auth::gauss::GaussRequest;
use crate::auth::{Binding, NONCE, Request, Scram, Secrets, password};
use crate::config::{ChannelBinding, Config, Dialect};
use crate::engine::{Fact, Session, Span};
use crate::error::{AuthError, ConfigError, Error, Fault, Outcome, ProtocolError};
use crate::limits;
use crate::transport::Lent;
use crate::wire::backend::{BackendKeyData, NegotiateProtocolVersion, tag};
use crate::wire::{Encode, WireError, Writer, frontend};

impl Session<'_> {
    /// Starts a link: checks what can be checked before a byte is sent.
    pub(crate) fn open(&mut self, config: &Config<'_>) -> Result<(), Fault> {
        self.reset();
        self.link.start_now(config.connect_timeout_ms);
        let (rx, tx) = self.link.sizes();
        let problem = if config.credentials.user.is_none_or(str::is_empty) {
            ConfigError::NoUser
        } else if rx < limits::MIN_RX || tx < limits::MIN_TX {
            ConfigError::BufferTooSmall
        } else {
            return Ok(());
        };
        self.exchange.close();
        Err(problem.into())
    }

    /// Logs in over an open link.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn login(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        protection: Protection<'_>,
    ) -> Result<(), Fault> {
        let mut authenticated = false;
        let result = self.start(io, config, protection, &mut authenticated);
        let result = result.map_err(|fault| self.salvage(io, fault));
        let result = result.map_err(|fault| self.reconsider(config, fault));
        // A password may have been in the send buffer.
        self.link.wipe_tx();
        // Keys that were not accepted are of no use; any other failure says nothing of them.
        let refused = match result {
            // Of SQLSTATE 28P01 and 28000; what comes after AuthenticationOk is no matter of keys.
            Err(Fault::SERVER) => !authenticated && self.sqlstate().class() == *b"28",
            Err(fault) => fault.is_auth(),
            Ok(()) => false,
        };
        if refused && let Some(keys) = self.keys.as_deref_mut() {
            keys.clear();
        }
        result
    }

    /// As [`refuse`](Self::refuse); returns what the user sees.
    pub(crate) fn failed(&mut self, fault: Fault) -> Error {
        self.refuse();
        let error = self.into_error(fault);
        match fault {
            // The server refused the login: that is no question of work that was sent.
            Fault::SERVER => error.of_dead(Outcome::Refused),
            _ => error,
        }
    }

    /// After a failure on the way to a session the link is dead, whatever the fault. No work was
    /// asked for yet.
    pub(crate) fn refuse(&mut self) {
        self.exchange.die();
        self.link.forget_sent();
    }

    fn start(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        protection: Protection<'_>,
        authenticated: &mut bool,
    ) -> Result<(), Fault> {
        let version = config.asked_version(self.server.is(Fact::MinorRefused));
        [_, _, _, self.server.minor] = version.to_be_bytes();
        self.server.set(Fact::Encrypted, protection.encrypted);
        self.server.expect(config.dialect);
        #[cfg(feature = "opengauss")]
        {
            self.server.set(Fact::BatchBinds, config.batch_bind);
        }
        let user = config.credentials.user.unwrap_or("");
        // In one piece: some poolers take no packet that comes in two.
        self.link.write_whole(io, &|w: &mut Writer<'_>| {
            frontend::startup(w, version, &|w| {
                frontend::parameter(w, "user", Some(user))?;
                frontend::parameter(w, "database", config.get_dbname())?;
                w.bytes(b"client_encoding\0UTF8\0DateStyle\0ISO\0")?;
                frontend::parameter(w, "application_name", config.get_application_name())?;
                config.server_limits.encode(w)?;
                frontend::parameter(w, "options", config.options)
            })
        })?;
        let heard = self.link.stats.bytes_in;
        let kept_ms = self.limit_guess(config);
        self.authenticate(io, config, protection, kept_ms).map_err(|fault| {
            let silent = self.link.stats.bytes_in == heard;
            if fault.is_end() && silent { Fault::HUNG_UP } else { fault }
        })?;
        self.exchange.authenticated();
        *authenticated = true;
        self.settle_in(io)
    }

    fn authenticate(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        protection: Protection<'_>,
        kept_ms: u32,
    ) -> Result<(), Fault> {
        let allowed = allowed_methods(config, protection);
        let must_bind = config.channel_binding == ChannelBinding::Require;
        if must_bind && cfg!(not(feature = "tls")) {
            return Err(AuthError::ChannelBinding.into());
        }
        let mut exchange = Scram::IDLE;
        let (mut answered, mut asked) = (false, false);
        loop {
            self.next(io)?;
            match self.link.tag {
                tag::AUTHENTICATION => {}
                tag::NEGOTIATE_PROTOCOL_VERSION if !asked && !self.server.is(Fact::Negotiated) => {
                    self.negotiate(io)?;
                    continue;
                }
                tag::ERROR_RESPONSE => {
                    let fault = self.take_last_error(io);
                    if !asked && fault == Fault::SERVER {
                        self.refused_at_once(protection);
                    }
                    return Err(fault);
                }
                _ => return Err(Fault::from(ProtocolError::UnexpectedMessage)),
            }
            if !asked
                && config.min_protocol_version.is_some_and(|min| self.server.minor < min.minor())
            {
                return Err(Fault::from(ProtocolError::BadVersion));
            }
            if !core::mem::replace(&mut asked, true) {
                self.settle_guess(kept_ms);
            }
            let code = self.link.number(io, 4)?;
            self.link.body(io)?;
            let begun = exchange.has_begun();
            let request = Request::decode(code, self.link.taken(), begun)?;
            debug!("authentication request {}", code);
            self.server.saw(dialect_of(request))?;
            match request {
                // Whatever the server asks for or lets pass: no login without the binding.
                Request::Sasl { .. } | Request::SaslContinue | Request::SaslFinal => {}
                Request::Ok if exchange.is_bound() => {}
                _ if must_bind => return Err(Fault::from(AuthError::ChannelBinding)),
                _ => {}
            }
            match request {
                Request::Ok if exchange.is_verified() => return Ok(()),
                Request::Ok if begun => return Err(Fault::from(AuthError::ServerSignature)),
                Request::Ok if answered => return Ok(()),
                _ if !allowed.contains(request.method()) => {
                    return Err(Fault::from(AuthError::MethodNotAllowed));
                }
                Request::Ok => return Ok(()),
                Request::SaslContinue => {
                    let (link, cache) = (&self.link, self.keys.as_deref_mut());
                    let secrets = &mut Secrets { credentials: &config.credentials, cache };
                    exchange.server_first(link.taken(), secrets, &link.pulse())?;
                    self.stage_part(io, &ClientFinal(&exchange, self.link.span()))?;
                }
                Request::SaslFinal => {
                    exchange.server_final(self.link.taken())?;
                    continue;
                }
                // From here on one request is answered, once.
                _ if answered => return Err(Fault::from(AuthError::Malformed)),
                Request::Cleartext => {
                    self.answer(io, password(&config.credentials)?)?;
                }
                #[cfg(feature = "md5")]
                Request::Md5(salt) => self.answer_md5(io, config, salt)?,
                #[cfg(feature = "opengauss")]
                Request::Gauss(_) => self.answer_gauss(io, config, code)?,
                Request::Sasl { scram, plus } => {
                    let binding = binding(config.channel_binding, protection, plus)?;
                    // The server takes no other login than one that is bound.
                    if cfg!(feature = "tls") && !scram && !binding.is_bound() {
                        return Err(Fault::from(AuthError::ChannelBinding));
                    }
                    self.begin_scram(io, config, binding, &mut exchange)?;
                }
            }
            answered = true;
            self.link.flush(io)?;
        }
    }

    /// The server refused before it asked for anything: another try may do better. With encryption, say: it has
    /// no line of pg_hba.conf for a login without, or is a pooler with words of its own. Those may be about the
    /// version, while that is another than 3.0.
    fn refused_at_once(&mut self, protection: Protection<'_>) {
        let refused = self.server.minor == 0 || self.sqlstate().is(b"28000");
        self.server.plaintext_refused |= cfg!(feature = "tls") && !protection.encrypted && refused;
    }

    // The answers are functions of their own, so that what one needs is not on the stack of the
    // others.

    #[cfg(feature = "md5")]
    #[inline(never)]
    fn answer_md5(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        salt: [u8; 4],
    ) -> Result<(), Fault> {
        let user = config.credentials.user.unwrap_or("").as_bytes();
        let answer = crate::auth::md5_answer(user, password(&config.credentials)?, salt);
        self.answer(io, &answer)
    }

    /// Answers the request that was taken last.
    #[cfg(feature = "opengauss")]
    #[inline(never)]
    fn answer_gauss(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        code: u32,
    ) -> Result<(), Fault> {
        let request = GaussRequest::parse(code, self.link.taken())?;
        let (link, cache) = (&self.link, self.keys.as_deref_mut());
        let answer =
            Secrets { credentials: &config.credentials, cache }.gauss(&request, &link.pulse())?;
        self.answer(io, &answer)
    }

    /// SASLInitialResponse.
    #[inline(never)]
    fn begin_scram<'p>(
        &mut self,
        io: &mut Lent<'_>,
        config: &Config<'_>,
        binding: Binding<'p>,
        exchange: &mut Scram<'p>,
    ) -> Result<(), Fault> {
        if config.credentials.scram_key_decoder.is_none() {
            password(&config.credentials)?;
        }
        let mut entropy = [0; NONCE];
        let platform = self.link.platform();
        crate::platform::draw_entropy(platform, &mut entropy).map_err(|_| AuthError::NoEntropy)?;
        exchange.begin(&entropy, binding);
        self.stage(io, &|w| frontend::password(w, &|w| exchange.initial(w)))
    }

    /// PasswordMessage.
    fn answer(&mut self, io: &mut Lent<'_>, text: &[u8]) -> Result<(), Fault> {
        self.stage(io, &|w| {
            frontend::password(w, &|w| {
                w.bytes(text)?;
                w.u8(0)
            })
        })
    }

    /// NegotiateProtocolVersion: a version between 3.0 and the one asked for, and none of the
    /// options refused that were sent, for none were sent.
    fn negotiate(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.body(io)?;
        let taken = NegotiateProtocolVersion::decode(self.link.taken())?;
        let NegotiateProtocolVersion { version, options } = taken;
        let asked = frontend::PROTOCOL_3_0 | u32::from(self.server.minor);
        if version < frontend::PROTOCOL_3_0 || version > asked || options != 0 {
            return Err(Fault::from(ProtocolError::BadVersion));
        }
        self.server.set(Fact::Negotiated, true);
        [_, _, _, self.server.minor] = version.to_be_bytes();
        Ok(self.server.saw(Dialect::PostgreSql)?)
    }

    /// From AuthenticationOk to ReadyForQuery.
    fn settle_in(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            // Most of what comes.
            while self.link.try_take(tag::PARAMETER_STATUS) {
                self.take_parameter()?;
            }
            self.next(io)?;
            match self.link.tag {
                // Of several the last counts, as in libpq.
                tag::BACKEND_KEY_DATA => {
                    self.link.body(io)?;
                    let BackendKeyData { pid, key } = BackendKeyData::decode(self.link.taken())?;
                    self.server.backend_key(pid, key);
                }
                tag::READY_FOR_QUERY => {
                    self.identify();
                    self.server.suspect_a_pooler();
                    #[cfg(feature = "opengauss")]
                    if self.server.is_opengauss() {
                        self.link.rules.enter();
                        self.server.set(Fact::WasGauss, true);
                    }
                    return self.ready(io);
                }
                tag::ERROR_RESPONSE => return Err(self.take_last_error(io)),
                _ => return Err(Fault::from(ProtocolError::UnexpectedMessage)),
            }
        }
    }

    /// Asks for TLS: `true` when the server agrees. Not one byte more than its answer is read.
    #[cfg(feature = "tls")]
    pub(crate) fn request_tls(&mut self, io: &mut Lent<'_>) -> Result<bool, Fault> {
        self.stage(io, &frontend::ssl_request)?;
        self.link.flush(io)?;
        let byte = self.link.lone_byte(io).map_err(|fault| match fault {
            Fault::CLOSED => Fault::HUNG_UP,
            fault => fault,
        })?;
        match byte {
            b'S' => Ok(true),
            b'N' => Ok(false),
            // Also an ErrorResponse: its text is not authenticated, so it is not shown.
            _ => Err(Fault::from(ProtocolError::BadTlsAnswer)),
        }
    }
}

/// The dialect of the servers that send such a request; `Auto`: of all.
const fn dialect_of(request: Request) -> Dialect {
    match request {
        Request::Ok | Request::Cleartext => Dialect::Auto,
        #[cfg(feature = "md5")]
        Request::Md5(_) => Dialect::Auto,
        Request::Sasl { .. } | Request::SaslContinue | Request::SaslFinal => Dialect::PostgreSql,
        #[cfg(feature = "opengauss")]
        Request::Gauss(_) => Dialect::OpenGauss,
    }
}

/// SASLResponse: client-final, made of server-first.
struct ClientFinal<'s, 'p>(&'s Scram<'p>, Span);

impl Encode for ClientFinal<'_, '_> {
    fn encode(&self, w: &mut Writer<'_>, rx: &[u8]) -> Result<(), WireError> {
        let (start, end) = self.1;
        let server_first = rx.get(start..end).unwrap_or(&[]);
        frontend::password(w, &|w| self.0.client_final(server_first, w))
    }
}
