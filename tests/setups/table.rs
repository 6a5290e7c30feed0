//! The set-ups. `{scram}` and `{cert}` stand for connecting as these users to the server with TLS,
//! `{plain}` for the one without, `{unasking}` for one that asks for no client
//! certificate, `{to}` for the same without a user; `{P}` is the port, `{H}` the
//! home directory, which is the working directory too, `{F}` the directory of the files to choose from.

mod certificates;
mod environment;
mod keys;
mod passwords;
mod roots;
mod spellings;

/// What a file of a set-up is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Stored files, concatenated.
    Copy(&'static [&'static str]),
    /// The operating system's roots, and a stored file after them.
    System(&'static str),
    Text(&'static str),
    Bytes(&'static [u8]),
    Directory,
    Fifo,
    Link(&'static str),
}

/// Why the driver fails where libpq does not.
#[derive(Clone, Copy, Debug)]
pub struct Differs(pub &'static str);

/// The versions of libpq that have an opinion: some keywords are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Both,
    Only15,
    Only18,
}

#[derive(Clone, Debug)]
pub struct Setup {
    pub name: String,
    pub conninfo: String,
    /// Path below the home directory, content, mode.
    pub files: Vec<(&'static str, Content, u32)>,
    /// Modes set when all files are there.
    pub modes: Vec<(&'static str, u32)>,
    /// Files given to root.
    pub roots: Vec<&'static str>,
    /// `-` removes one.
    pub variables: Vec<(&'static str, &'static str)>,
    pub differs: Option<Differs>,
    pub versions: Versions,
    /// What the driver's session must be.
    pub wants: Option<&'static str>,
    /// What the driver must say.
    pub says: Option<&'static str>,
    /// libpq waits for ever, which is a failure: it is not waited for.
    pub hangs: bool,
    pub needs_root: bool,
}

pub fn all() -> Vec<Setup> {
    let setups = [
        roots::all(),
        certificates::all(),
        keys::all(),
        passwords::all(),
        environment::all(),
        spellings::all(),
    ]
    .concat();
    for (n, setup) in setups.iter().enumerate() {
        let same = setups.iter().skip(n + 1).find(|other| other.name == setup.name);
        assert!(same.is_none(), "two set-ups are called {}", setup.name);
    }
    setups
}

/// A set-up with nothing but a connection string.
fn setup(name: impl Into<String>, conninfo: impl Into<String>) -> Setup {
    Setup {
        name: name.into(),
        conninfo: conninfo.into(),
        files: Vec::new(),
        modes: Vec::new(),
        roots: Vec::new(),
        variables: Vec::new(),
        differs: None,
        versions: Versions::Both,
        wants: None,
        says: None,
        hangs: false,
        needs_root: false,
    }
}

impl Setup {
    fn file(mut self, path: &'static str, content: Content) -> Self {
        self.files.push((path, content, 0o600));
        self
    }

    fn copy(self, path: &'static str, names: &'static [&'static str]) -> Self {
        self.file(path, Content::Copy(names))
    }

    fn mode(mut self, path: &'static str, mode: u32) -> Self {
        self.modes.push((path, mode));
        self
    }

    fn owned_by_root(mut self, path: &'static str) -> Self {
        self.roots.push(path);
        self.needs_root = true;
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn differs(mut self, reason: &'static str) -> Self {
        self.differs = Some(Differs(reason));
        self
    }

    fn only(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    fn wants(mut self, session: &'static str) -> Self {
        self.wants = Some(session);
        self
    }

    fn says(mut self, text: &'static str) -> Self {
        self.says = Some(text);
        self
    }

    fn hangs(mut self) -> Self {
        self.hangs = true;
        self
    }
}
