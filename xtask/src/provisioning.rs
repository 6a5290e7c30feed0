//! `cargo xtask provision`: for one device or a list of them, the lines for its console and the image for its
//! flash, with login keys in place of a password.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use barepg_testkit::provision::root;

use crate::existing::{example, in_der, keys_of_login};

mod roles;

pub use roles::Roles;

/// The help.
pub const USAGE: &str = "\
cargo xtask provision --device NAME | --list FILE [options]

Makes of each device's parameters the lines for its console (NAME.txt) and the image for its flash
(NAME.bin). A device gets login keys, no password.

  --device NAME       one device: its role, and its application_name, unless --server says otherwise
  --list FILE         a device a line: NAME, and keyword=value for what only this one has
  --server CONNINFO   what all of them have: keyword=value, without spaces in the values
  --root FILE         the root certificate, PEM or DER; sslrootcert=root is added
  --login             log in once with the password in CONNINFO or FILE, for the keys of that role;
                      without it a random password is made that is never shown, and roles.sql, which
                      gives each role its half of the keys (SCRAM)
  --place BYTES       of each of the two copies in the device's flash (1024)
  --room BYTES        of the device's memory for its parameters (512)
  --out DIR           where the files go (target/devices)
";

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    device: Option<String>,
    list: Option<String>,
    server: String,
    root: Option<String>,
    keys: Keys,
    place: u32,
    room: u32,
    out: PathBuf,
}

/// Where login keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// A login from here.
    Login,
    /// A random password.
    New,
}

impl Options {
    /// Reads the arguments after `provision`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            device: None,
            list: None,
            server: String::new(),
            root: None,
            keys: Keys::New,
            place: 1024,
            room: 512,
            out: root().join("target").join("devices"),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|v| v.to_string()).ok_or(format!("{word} what?"));
            let number = |text: String| {
                text.parse().map_err(|_| format!("{word}: {text} is no number of bytes"))
            };
            match *word {
                "--device" => options.device = Some(value()?),
                "--list" => options.list = Some(value()?),
                "--server" => options.server = value()?,
                "--root" => options.root = Some(value()?),
                "--login" => options.keys = Keys::Login,
                "--place" => options.place = number(value()?)?,
                "--room" => options.room = number(value()?)?,
                "--out" => options.out = value()?.into(),
                other => return Err(format!("unknown argument of provision: {other}")),
            }
        }
        match (&options.device, &options.list) {
            (Some(name), None) => Device::parse(name, &options.server).map(drop)?,
            (None, Some(_)) => {}
            _ => return Err("--device NAME or --list FILE?".to_string()),
        }
        Ok(options)
    }

    fn devices(&self) -> Result<Vec<Device>, String> {
        if let Some(name) = &self.device {
            return Ok(vec![Device::parse(name, &self.server)?]);
        }
        let path = self.list.as_deref().unwrap_or_default();
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let mut devices: Vec<Device> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, words) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let device = Device::parse(name, &format!("{} {words}", self.server));
            let device = device.map_err(|error| format!("{path}, line {number}: {error}"))?;
            if devices.iter().any(|other| other.name == device.name) {
                return Err(format!("{path}, line {number}: {} is there twice", device.name));
            }
            devices.push(device);
        }
        if devices.is_empty() { Err(format!("{path}: no devices")) } else { Ok(devices) }
    }
}

/// A device's name and parameters.
#[derive(Debug)]
pub struct Device {
    name: String,
    words: Vec<(String, String)>,
}

impl Device {
    /// Of later words of the same keyword the last one counts.
    pub fn parse(name: &str, conninfo: &str) -> Result<Device, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(format!("{name:?} is no name of a file: letters, digits, - _ ."));
        }
        let mut device = Device { name: name.to_string(), words: Vec::new() };
        for word in conninfo.split_whitespace() {
            // What is no keyword=value may be half of a password.
            let (keyword, value) =
                word.split_once('=').ok_or("the parameters are keyword=value, without spaces")?;
            device.set(keyword, value);
        }
        for keyword in ["application_name", "user"] {
            if device.get(keyword).is_none() {
                device.set(keyword, name);
            }
        }
        Ok(device)
    }

    fn get(&self, keyword: &str) -> Option<&str> {
        self.words.iter().find(|(known, _)| known == keyword).map(|(_, value)| value.as_str())
    }

    fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    fn set(&mut self, keyword: &str, value: &str) {
        self.words.retain(|(known, _)| known != keyword);
        self.words.push((keyword.to_string(), value.to_string()));
    }

    fn conninfo(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|(k, v)| format!("{k}={v}")).collect();
        words.join(" ")
    }
}

/// Does what was asked for.
pub fn run(options: &Options) -> Result<(), String> {
    let devices = options.devices()?;
    let root = options.root.as_deref().map(Root::read).transpose()?;
    let failed = |error| format!("{}: {error}", options.out.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&options.out).map_err(failed)?;
    let sql = options.out.join("roles.sql");
    if options.keys == Keys::New {
        roles::check_left(&sql, &devices)?;
    }
    let mut roles = Roles::default();
    for device in &devices {
        let named = |error| format!("{}: {error}", device.name);
        let lines = made(device, options.keys, root.as_ref(), &mut roles).map_err(named)?;
        let file = |end: &str| options.out.join(format!("{}.{end}", device.name));
        let lines = format!("clear\n{lines}commit\n");
        // First the image: its program finds what is wrong.
        image(&lines, options.place, options.room, &file("bin")).map_err(named)?;
        secret(&file("txt"), &lines)?;
        if !roles.is_empty() {
            // After each: should the next one fail, those that are done are whole.
            secret(&sql, &roles.statements())?;
        }
        println!("{}: {} and .bin", device.name, file("txt").display());
    }
    if !roles.is_empty() {
        println!("for the server, by psql -f: {}", sql.display());
    }
    Ok(())
}

/// The image for a device's flash.
pub fn image(lines: &str, place: u32, room: u32, path: &Path) -> Result<(), String> {
    let (place, room, path) = (place.to_string(), room.to_string(), path.display().to_string());
    let arguments = ["--place", &place, "--room", &room, &path];
    example("provision", &arguments, lines.as_bytes()).map(drop)
}

/// A root certificate, read once for all devices.
#[derive(Debug)]
pub struct Root {
    file: String,
    der: Vec<u8>,
}

impl Root {
    /// Reads the file, PEM or DER.
    pub fn read(file: &str) -> Result<Root, String> {
        Ok(Root { file: file.to_string(), der: in_der(Path::new(file))? })
    }
}

/// Makes the lines for a device's console, but for `commit`.
pub fn made(
    device: &Device,
    keys: Keys,
    root: Option<&Root>,
    roles: &mut Roles,
) -> Result<String, String> {
    let mut words: Vec<String> = device
        .words
        .iter()
        .filter(|(keyword, _)| !["password", "sslrootcert"].contains(&keyword.as_str()))
        .map(|(keyword, value)| format!("{keyword}={value}"))
        .collect();
    let has_keys = ["scram_client_key", "gauss_keys"].iter().any(|k| device.get(k).is_some());
    match keys {
        _ if has_keys => {}
        Keys::Login => {
            let mut login = Device { name: device.name.clone(), words: device.words.clone() };
            if let Some(root) = root {
                login.set("sslrootcert", &root.file);
            }
            let keys = keys_of_login(&login.conninfo())?;
            words.extend(keys.split_whitespace().map(str::to_string));
        }
        Keys::New if device.get("password").is_some() => {
            return Err("a password does not go to a device; --login makes keys of it".to_string());
        }
        Keys::New => {
            let keys = roles.keys(device.user())?;
            words.extend(keys.split_whitespace().map(str::to_string));
        }
    }
    if let Some(root) = root {
        words.push("sslrootcert=root".to_string());
        // What was there before goes; pieces in whole groups of four.
        words.push("root=".to_string());
        words.extend(root.der.chunks(48).map(|piece| format!("root={}", base64(piece))));
    }
    Ok(words.iter().map(|word| format!("{word}\n")).collect())
}

/// Writes what only its owner may read.
fn secret(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        // Of a file that was there before, too.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | usize::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = char::from(DIGITS[word >> (18 - 6 * i) & 63]);
            text.push(if i > chunk.len() { '=' } else { digit });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_has_of_its_own_comes_last() {
        let device = Device::parse("pump-7", "host=db user=all port=7 user=pump").unwrap();
        assert_eq!(device.conninfo(), "host=db port=7 user=pump application_name=pump-7");
        let device = Device::parse("pump-7", "host=db").unwrap();
        assert_eq!(device.get("user"), Some("pump-7"));
        for name in ["", "../x", "a b", ".bin", "a/b"] {
            assert!(Device::parse(name, "").unwrap_err().contains("no name"), "{name}");
        }
        // Nothing of what was not understood is in an error.
        assert!(!Device::parse("a", "password=half secret").unwrap_err().contains("secret"));
    }

    #[test]
    fn what_must_be_said() {
        let error = |words: &[&str]| Options::parse(words).unwrap_err();
        assert!(error(&[]).contains("--device NAME or --list"));
        assert!(error(&["--device", "a", "--list", "f"]).contains("--device NAME or --list"));
        assert!(error(&["--device", "a", "--place", "big"]).contains("big is no number"));
        assert!(error(&["--device", "a", "--server", "host"]).contains("keyword=value"));
        assert!(error(&["--device"]).contains("--device what?"));
        let device = Device::parse("a", "host=h password=p").unwrap();
        let made = made(&device, Keys::New, None, &mut Roles::default());
        assert!(made.unwrap_err().contains("--login"));
    }

    /// What follows the commit was not saved.
    #[test]
    fn an_image_is_of_what_was_committed() {
        let scratch = barepg_testkit::scratch::Scratch::new("barepg-image", "").unwrap();
        let file = scratch.path().join("image");
        for (lines, is_good) in [
            ("user=a\ncommit\n\n", true),
            ("user=a\n", false),
            ("user=a\ncommit\nhost=b\n", false),
            ("user=a\ncommit\nwipe\n", false),
        ] {
            let _ = fs::remove_file(&file);
            let made = image(lines, 1024, 512, &file);
            assert_eq!((made.is_ok(), file.exists()), (is_good, is_good), "{lines}: {made:?}");
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        assert_eq!(base64(b"foob"), "Zm9vYg==");
        assert_eq!(base64(b"fooba"), "Zm9vYmE=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }
}
