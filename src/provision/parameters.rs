//! Connection parameters in memory of their own.

use core::ops::{Deref, DerefMut};

use zeroize::Zeroize;

use super::{ProvisionError, capacity};
use crate::config::{Config, SslMode, halves, single};
use crate::limits;

/// What `sslrootcert` calls the root certificate: the name to give it in the table of
/// `tls::Tls::files`.
pub const ROOT: &str = "root";

/// Connection parameters and a root certificate, in memory of their own: [`limits::PROVISIONED`] bytes, or
/// [`limits::PROVISIONED_WITH_ROOT`], or as many as you say. What does not fit is refused, never cut.
///
/// Functions take `&mut Provisioned`; a `&mut Provisioned<[u8; N]>` becomes one by itself.
///
/// `Debug` shows no parameter. Zeroized when dropped, and where something is removed.
///
/// ```
/// use barepg::provision::Provisioned;
///
/// let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
/// parameters.set("host=db.plant.example")?;
/// parameters.set("user=logger")?;
/// parameters.check()?;
/// let mut scratch = [0; barepg::limits::PROVISIONED_SCRATCH];
/// assert_eq!(parameters.config(&mut scratch)?.get_user(), Some("logger"));
/// # Ok::<(), barepg::provision::ProvisionError>(())
/// ```
pub struct Provisioned<B: ?Sized + AsMut<[u8]> = [u8]> {
    /// Bytes of the parameters: a line each, as a connection string has them.
    text: usize,
    /// Bytes of the root certificate, which follows them.
    root: usize,
    bytes: B,
}

impl<const N: usize> Provisioned<[u8; N]> {
    /// None; fit for a `static`.
    pub const fn new() -> Self {
        const { assert!(N <= 0xffff, "lengths are kept in 16 bits") };
        Self { text: 0, root: 0, bytes: [0; N] }
    }
}

impl<const N: usize> Default for Provisioned<[u8; N]> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for Provisioned<[u8; N]> {
    type Target = Provisioned;

    fn deref(&self) -> &Provisioned {
        self
    }
}

impl<const N: usize> DerefMut for Provisioned<[u8; N]> {
    fn deref_mut(&mut self) -> &mut Provisioned {
        self
    }
}

impl Provisioned {
    /// Sets one parameter, `keyword=value` as in a connection string, in place of one of the same keyword.
    /// Without a value it is removed.
    ///
    /// # Errors
    /// [`ProvisionError::Parameter`] as [`Config::parse`], but for contradictions between parameters, which
    /// [`check`](Self::check) finds; [`ProvisionError::SeveralParameters`], [`ProvisionError::Capacity`].
    /// Nothing has changed.
    pub fn set(&mut self, parameter: &str) -> Result<(), ProvisionError> {
        // To the parser a backslash at the end is nothing; in a line it would escape the line's end.
        let backslashes = parameter.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let open = parameter.strip_suffix('\\').filter(|_| backslashes & 1 == 1);
        let parameter = open.unwrap_or(parameter);
        let (mut keyword, value) = halves(parameter)?;
        // Where there is no value there is none to check.
        if !value.is_empty() {
            let mut scratch = [0; limits::PROVISIONED_SCRATCH];
            let checked = single(parameter, &mut scratch);
            scratch.zeroize();
            keyword = checked?.ok_or(ProvisionError::SeveralParameters)?;
        }
        // A line of its own: a value in quotes may hold a line's end, and is refused.
        if parameter.contains(['\n', '\r']) {
            return Err(ProvisionError::SeveralParameters);
        }
        let is_old = |line: &&str| matches!(halves(line), Ok((found, _)) if found == keyword);
        let old = self.lines().position(|line| is_old(&line));
        let old_length = old.and_then(|at| self.lines().nth(at)).map_or(0, line_length);
        let length = if value.is_empty() { 0 } else { line_length(parameter) };
        let needed = self.used().saturating_sub(old_length).saturating_add(length);
        if needed > self.bytes.len() {
            return Err(capacity(needed, self.bytes.len()));
        }
        if let Some(at) = old {
            let start = self.lines().take(at).map(line_length).fold(0, usize::saturating_add);
            self.cut(start, old_length);
            self.text = self.text.saturating_sub(old_length);
        }
        if length > 0 {
            self.open(self.text, length);
            let room = self.bytes.iter_mut().skip(self.text);
            let line = parameter.bytes().chain([b'\n']);
            room.zip(line).for_each(|(to, from)| *to = from);
            self.text = self.text.saturating_add(length);
        }
        Ok(())
    }

    /// Appends to the root certificate: DER, in any pieces; several certificates one after the other.
    ///
    /// # Errors
    /// [`ProvisionError::Capacity`]: nothing has changed.
    pub fn push_root(&mut self, piece: &[u8]) -> Result<(), ProvisionError> {
        let needed = self.used().saturating_add(piece.len());
        if needed > self.bytes.len() {
            return Err(capacity(needed, self.bytes.len()));
        }
        let room = self.bytes.iter_mut().skip(self.text).skip(self.root);
        room.zip(piece).for_each(|(to, from)| *to = *from);
        self.root = self.root.saturating_add(piece.len());
        Ok(())
    }

    /// Removes the root certificate.
    pub fn clear_root(&mut self) {
        self.root = 0;
        self.wipe_rest();
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        (self.text, self.root) = (0, 0);
        self.bytes.zeroize();
    }

    /// Whether a login can be tried with them.
    ///
    /// # Errors
    /// As [`Config::parse`] of all parameters; [`ProvisionError::NoUser`], [`ProvisionError::Root`],
    /// [`ProvisionError::RootName`].
    pub fn check(&self) -> Result<(), ProvisionError> {
        let mut scratch = [0; limits::PROVISIONED_SCRATCH];
        let checked = self.config(&mut scratch).map(|config| {
            let fits = match config.get_sslrootcert() {
                Some(name) => (name == ROOT) == (self.root > 0),
                // Only a host has roots that no parameter names.
                None => {
                    self.root == 0
                        && !matches!(config.get_sslmode(), SslMode::VerifyCa | SslMode::VerifyFull)
                }
            };
            (config.get_user().is_some(), fits)
        });
        scratch.zeroize();
        let (has_user, fits) = checked?;
        if !has_user {
            return Err(ProvisionError::NoUser);
        }
        if !fits {
            return Err(ProvisionError::RootName);
        }
        if !is_der(self.root()) {
            return Err(ProvisionError::Root);
        }
        Ok(())
    }

    /// The configuration, for [`Client::new`](crate::Client::new). `scratch` holds values that were written
    /// in escapes.
    ///
    /// # Errors
    /// [`ProvisionError::Parameter`]; not after [`check`](Self::check), nor for what [`Store::load`](super::Store::load)
    /// has read.
    pub fn config<'a>(
        &'a self,
        scratch: &'a mut [u8; limits::PROVISIONED_SCRATCH],
    ) -> Result<Config<'a>, ProvisionError> {
        Ok(Config::parse(self.text(), scratch)?)
    }

    /// The root certificate in DER; empty where there is none.
    pub fn root(&self) -> &[u8] {
        self.content().get(self.text..).unwrap_or(&[])
    }

    /// Bytes in use, and bytes there are.
    pub fn room(&self) -> (usize, usize) {
        (self.used(), self.bytes.len())
    }

    /// The parameters, a line each.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines(self.text())
    }

    /// Parameters and root certificate, and how many bytes the parameters have.
    pub(super) fn parts(&self) -> (&[u8], usize) {
        (self.content(), self.text)
    }

    /// Room for so many bytes of parameters and of root certificate, to be filled in.
    pub(super) fn refill(&mut self, text: usize, root: usize) -> Result<&mut [u8], ProvisionError> {
        self.clear();
        let (needed, have) = (text.saturating_add(root), self.bytes.len());
        let room = self.bytes.get_mut(..needed).ok_or(capacity(needed, have))?;
        (self.text, self.root) = (text, root);
        Ok(room)
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn text(&self) -> &str {
        let text = self.bytes.get(..self.text).unwrap_or(&[]);
        core::str::from_utf8(text).unwrap_or("")
    }

    fn content(&self) -> &[u8] {
        self.bytes.get(..self.used()).unwrap_or(&[])
    }

    const fn used(&self) -> usize {
        self.text.saturating_add(self.root)
    }

    /// Takes bytes out.
    fn cut(&mut self, start: usize, length: usize) {
        for at in start..self.used().saturating_sub(length) {
            let from = self.bytes.get(at.saturating_add(length)).copied();
            if let (Some(to), Some(from)) = (self.bytes.get_mut(at), from) {
                *to = from;
            }
        }
        let used = self.used().saturating_sub(length);
        self.bytes.iter_mut().skip(used).for_each(|byte| byte.zeroize());
    }

    /// Makes room for bytes that there is room for.
    fn open(&mut self, start: usize, length: usize) {
        for at in (start..self.used()).rev() {
            let from = self.bytes.get(at).copied();
            if let (Some(to), Some(from)) = (self.bytes.get_mut(at.saturating_add(length)), from) {
                *to = from;
            }
        }
    }

    fn wipe_rest(&mut self) {
        let used = self.used();
        self.bytes.iter_mut().skip(used).for_each(|byte| byte.zeroize());
    }
}

impl<B: ?Sized + AsMut<[u8]>> Drop for Provisioned<B> {
    fn drop(&mut self) {
        self.bytes.as_mut().zeroize();
    }
}

impl<B: ?Sized + AsMut<[u8]>> core::fmt::Debug for Provisioned<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Provisioned({} and {} bytes, <redacted>)", self.text, self.root)
    }
}

#[cfg(feature = "defmt")]
impl<B: ?Sized + AsMut<[u8]>> defmt::Format for Provisioned<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Provisioned({=usize} and {=usize} bytes, <redacted>)",
            self.text,
            self.root
        );
    }
}

/// The lines of a text; without the panic that the compiler would see in `split_terminator`.
pub(super) struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| byte == b'\n')?;
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        Some(line)
    }
}

fn line_length(line: &str) -> usize {
    line.len().saturating_add(1)
}

/// Whether these are whole sequences of DER, one after the other: what a certificate is from outside.
fn is_der(mut bytes: &[u8]) -> bool {
    while let [tag, rest @ ..] = bytes {
        let (length, content) = match rest {
            [length @ 0..=0x7f, content @ ..] => (usize::from(*length), content),
            [0x81, length, content @ ..] => (usize::from(*length), content),
            [0x82, high, low, content @ ..] => {
                (usize::from(u16::from_be_bytes([*high, *low])), content)
            }
            _ => return false,
        };
        match content.get(length..) {
            Some(rest) if *tag == 0x30 => bytes = rest,
            _ => return false,
        }
    }
    true
}
