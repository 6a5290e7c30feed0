use barepg::{Connection, Result, Streamed};
use embedded_io::Read;

/// Stores `length` bytes that come from `camera`.
pub fn store(conn: &mut Connection, name: &str, length: usize, camera: impl Read) -> Result<()> {
    let sql = "insert into image (name, content) values ($1, $2)";
    conn.execute(sql, (name, Streamed::new(length, camera)))?;
    Ok(())
}

/// Passes the image on in pieces, as they arrive. Returns how many bytes it has.
pub fn load(
    conn: &mut Connection,
    name: &str,
    mut show: impl FnMut(&[u8]),
) -> Result<Option<usize>> {
    let mut rows = conn.query("select content from image where name = $1", (name,))?;
    let Some(mut row) = rows.next_streamed()? else { return Ok(None) };
    let Some(mut content) = row.next_column()? else { return Ok(None) };
    let mut piece = [0; 128];
    loop {
        match content.read(&mut piece)? {
            0 => return Ok(content.length()),
            n => show(&piece[..n]),
        }
    }
}
