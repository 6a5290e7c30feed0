//! barepg, for the bench. What is measured is in `works.rs`.

mod board;
mod works;

fn main() {
    let arguments = bench_common::arguments();
    match works::run(arguments.port, &arguments.work, arguments.n) {
        Ok(sum) => bench_common::print(sum),
        Err(error) => {
            eprintln!("{}: {error:?}", arguments.work);
            std::process::exit(1);
        }
    }
}
