//! A table, and what is in it.

use barepg::{Connection, Outcome, Result};
use barepg_testkit::pg::{self, Cluster};

use crate::session::with_session;

/// A table of its own.
pub struct Table {
    pub cluster: &'static Cluster,
    name: &'static str,
}

impl Table {
    pub fn new(major: u16, name: &'static str) -> Self {
        let table = Self { cluster: pg::shared(major), name };
        table.psql(&format!("create table {name} (i int); alter table {name} owner to trust_user"));
        table
    }

    /// The same table, empty.
    pub fn again(major: u16, name: &'static str) -> Self {
        let table = Self { cluster: pg::shared(major), name };
        table.psql(&format!("drop table if exists {name}"));
        Self::new(major, name)
    }

    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql("test", sql)
    }

    /// Makes a procedure that adds a row and commits it.
    pub fn committing_procedure(&self, procedure: &str) {
        self.psql(&format!(
            "create procedure {procedure}(a int, b text) language plpgsql as
                $$ begin insert into {} values (a); commit; end $$",
            self.name
        ));
    }

    pub fn insert(&self, number: i32) -> String {
        format!("insert into {} values ({number})", self.name)
    }

    pub fn count(&self, number: i32) -> i64 {
        self.psql(&format!("select count(*) from {} where i = {number}", self.name))
            .parse()
            .unwrap()
    }

    pub fn session<R>(&self, f: impl FnOnce(&mut Connection) -> R) -> R {
        with_session(self.cluster.port(), "test", f)
    }

    pub fn empty(&self) {
        // Where the text has prepared the transaction.
        let _ = self.cluster.try_psql("test", "rollback prepared 'ended'");
        self.psql(&format!("truncate {}", self.name));
    }

    /// Whether what was said of the rows with a number is so.
    pub fn holds(&self, number: i32, said: &Result<()>) -> bool {
        match said.as_ref().map_err(|error| error.outcome()) {
            Ok(()) => self.count(number) == 1,
            Err(Outcome::Unknown) => true,
            Err(_) => self.count(number) == 0,
        }
    }
}
