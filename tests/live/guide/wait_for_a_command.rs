use barepg::{Connection, Result};

/// Waits for commands and obeys them, until one says so (`obey` returns `false`) or the link
/// fails. Then connect again and call it again: no command is lost, for they are rows of a
/// table, and a notification only says that there are new ones.
pub fn serve(
    conn: &mut Connection,
    mut obey: impl FnMut(&str) -> bool,
    mut meanwhile: impl FnMut(),
) -> Result<()> {
    // Listen first, then look: what comes in between is seen once more, not missed.
    conn.batch_execute("listen command")?;
    loop {
        let take = "delete from command where id = (select min(id) from command) returning what";
        while let Some(row) = conn.query_opt(take, ())? {
            if !obey(row.get(0)?) {
                return Ok(());
            }
        }
        // Nothing yet is no error. A ping now and then shows whether the server is still there.
        let mut quiet = 0;
        while conn.wait_notification(1000)?.is_none() {
            meanwhile();
            quiet += 1;
            if quiet % 60 == 0 {
                conn.ping()?;
            }
        }
    }
}
