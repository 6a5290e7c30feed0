use barepg::{Connection, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    pub celsius: f32,
    pub seconds: i32,
}

/// Reads a recipe into `steps`. Returns how many steps it has, or `None` if there is no such
/// recipe.
pub fn recipe(conn: &mut Connection, name: &str, steps: &mut [Step]) -> Result<Option<usize>> {
    // A snapshot: both statements see the recipe as it is now.
    let mut tx = conn.build_transaction().read_only(true).start()?;
    let Some(row) = tx.query_opt("select id from recipe where name = $1", (name,))? else {
        return Ok(None);
    };
    let (id,): (i32,) = row.decode()?;
    let sql = "select celsius, seconds from step where recipe = $1 order by position";
    let mut rows = tx.query(sql, (id,))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (celsius, seconds): (f32, Option<i32>) = row.decode()?;
        if let Some(step) = steps.get_mut(count) {
            *step = Step { celsius, seconds: seconds.unwrap_or(60) };
        }
        count += 1;
    }
    tx.commit()?;
    Ok(Some(count))
}
