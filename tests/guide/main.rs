//! The programs of the guide's pages, run and broken: servers that refuse for a moment, links that are cut,
//! power that fails, flash that is kept and flash that is erased.

#[path = "code/big_values.rs"]
#[allow(dead_code, reason = "`tests/live` runs it")]
mod big_values;
#[path = "code/bulk_upload.rs"]
mod bulk_upload;
#[path = "code/fetch_a_file.rs"]
mod fetch_a_file;
#[path = "code/log_a_reading.rs"]
#[allow(dead_code, reason = "the boards use it too")]
mod log_a_reading;
#[path = "code/read_a_recipe.rs"]
mod read_a_recipe;
#[path = "code/wait_for_a_command.rs"]
mod wait_for_a_command;

mod command;
mod fetch;
mod log;
mod plant;
mod recipe;
mod snippets;
mod upload;

#[test]
fn pages_show_the_code_that_runs() {
    macro_rules! page {
        ($page:literal, $code:literal) => {
            let page = include_str!(concat!("../../docs/guide/", $page));
            let code = include_str!(concat!("code/", $code));
            assert!(page.contains(&format!("```rust\n{code}```\n")), "{} is out of date", $page);
        };
    }
    page!("log-a-reading.md", "log_a_reading.rs");
    page!("read-a-recipe.md", "read_a_recipe.rs");
    page!("bulk-upload.md", "bulk_upload.rs");
    page!("wait-for-a-command.md", "wait_for_a_command.rs");
    page!("fetch-a-file.md", "fetch_a_file.rs");
    page!("big-values.md", "big_values.rs");
}
