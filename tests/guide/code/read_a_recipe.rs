use core::ops::ControlFlow;

use barepg::outbox::NorFlash;
use barepg::{Client, Connection, Dial, IsolationLevel, Pause, Policy, Result, Supervisor};

/// The most steps of a recipe.
pub const STEPS: usize = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    pub celsius: f32,
    pub seconds: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    pub version: i32,
    pub count: usize,
    pub steps: [Step; STEPS],
}

/// Reads a recipe unless its version is the one that is there already. `None`: nothing new that this
/// device could work by.
pub fn fetch(conn: &mut Connection, name: &str, version: Option<i32>) -> Result<Option<Recipe>> {
    // A snapshot: both statements see the recipe as it is now.
    let snapshot = conn.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let mut tx = snapshot.read_only(true).start()?;
    let row = tx.query_opt("select id, version from recipe where name = $1", (name,))?;
    let Some((id, found)) = row.map(|row| row.decode::<(i32, i32)>()).transpose()? else {
        return Ok(None);
    };
    if version == Some(found) {
        return Ok(None);
    }
    let mut recipe = Recipe { version: found, ..Recipe::default() };
    let sql = "select celsius, seconds from step where recipe = $1 order by position";
    let mut rows = tx.query(sql, (id,))?;
    while let Some(row) = rows.next()? {
        let (celsius, seconds): (f32, Option<i32>) = row.decode()?;
        if let Some(step) = recipe.steps.get_mut(recipe.count) {
            *step = Step { celsius, seconds: seconds.unwrap_or(60) };
        }
        recipe.count += 1;
    }
    tx.commit()?;
    // What the oven cannot do is no good recipe, whoever wrote it.
    let is_good = (1..=STEPS).contains(&recipe.count)
        && recipe.steps.iter().all(|step| (0.0..=300.0).contains(&step.celsius));
    Ok(is_good.then_some(recipe))
}

/// Bytes of a recipe in flash: whole words, however large they are.
const SIZE: usize = 160;

/// The last good recipe in two pages of flash: one is written while the other one still holds.
pub struct Kept<F> {
    flash: F,
    pub recipe: Option<Recipe>,
    /// Which page it is in, and how many there were before it.
    page: u32,
    number: u32,
}

impl<F: NorFlash> Kept<F> {
    pub fn open(mut flash: F) -> core::result::Result<Self, F::Error> {
        let mut kept = (None, 0, 0);
        for page in 0..2 {
            let mut bytes = [0; SIZE];
            flash.read(page * F::ERASE_SIZE as u32, &mut bytes)?;
            if let Some((number, recipe)) = decode(&bytes)
                && number > kept.2
            {
                kept = (Some(recipe), page, number);
            }
        }
        let (recipe, page, number) = kept;
        Ok(Self { flash, recipe, page, number })
    }

    /// If power fails meanwhile, the one before is still there.
    fn store(&mut self, recipe: Recipe) -> core::result::Result<(), F::Error> {
        let (page, number) = (1 - self.page, self.number + 1);
        let from = page * F::ERASE_SIZE as u32;
        self.flash.erase(from, from + F::ERASE_SIZE as u32)?;
        self.flash.write(from, &encode(number, &recipe))?;
        (self.recipe, self.page, self.number) = (Some(recipe), page, number);
        Ok(())
    }
}

fn encode(number: u32, recipe: &Recipe) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let (content, check) = bytes.split_at_mut(SIZE - 4);
    let mut words = content.chunks_exact_mut(4);
    let mut put = |word: u32| words.next().unwrap().copy_from_slice(&word.to_le_bytes());
    put(number);
    put(recipe.version as u32);
    put(recipe.count as u32);
    for step in recipe.steps {
        put(step.celsius.to_bits());
        put(step.seconds as u32);
    }
    check.copy_from_slice(&checksum(content).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; SIZE]) -> Option<(u32, Recipe)> {
    let (content, check) = bytes.split_at(SIZE - 4);
    if checksum(content).to_le_bytes() != check {
        return None;
    }
    let mut words = content.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    let mut get = || words.next().unwrap_or(0);
    let (number, version, count) = (get(), get() as i32, get() as usize);
    let steps =
        [(); STEPS].map(|()| Step { celsius: f32::from_bits(get()), seconds: get() as i32 });
    Some((number, Recipe { version, count, steps }))
}

/// FNV-1a: enough for what power leaves behind; a CRC of the chip's is as good.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

pub struct Oven<'a, F> {
    pub name: &'a str,
    pub kept: Kept<F>,
    /// Works by the recipe for some milliseconds; `true` to stop.
    pub work: &'a dyn Fn(Option<&Recipe>) -> bool,
    /// Shows an error to whoever looks after the device.
    pub report: &'a dyn Fn(&Pause<'_>),
}

/// So often it works between two looks at the table.
const TURNS: u32 = 200;

impl<F: NorFlash> Oven<'_, F> {
    /// For ever, or until it is asked to stop. It works by the last good recipe, server or no server.
    pub fn run<D: Dial>(&mut self, client: &mut Client<'_>, dialler: &mut D, policy: Policy) {
        let mut supervisor = Supervisor::new(policy);
        client.supervise(dialler, &mut supervisor, self, Self::session, Self::pause);
    }

    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<()>> {
        loop {
            let version = self.kept.recipe.map(|recipe| recipe.version);
            if let Some(recipe) = fetch(conn, self.name, version)? {
                // A flash that is worn out keeps the recipe that it has.
                let _ = self.kept.store(recipe);
            }
            for _ in 0..TURNS {
                if (self.work)(self.kept.recipe.as_ref()) {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        if pause.begins {
            (self.report)(pause);
        }
        let stop = (self.work)(self.kept.recipe.as_ref());
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
