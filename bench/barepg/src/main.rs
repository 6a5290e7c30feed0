//! barepg, for the bench. What is measured is in `works.rs`.

mod board;
mod growth;
mod works;

fn main() {
    let arguments = bench_common::arguments();
    let (port, work, n) = (arguments.port, arguments.work.as_str(), arguments.n);
    match growth::run(port, work, n).unwrap_or_else(|| works::run(port, work, n)) {
        Ok(sum) => bench_common::print(sum),
        Err(error) => {
            eprintln!("{}: {error:?}", work);
            std::process::exit(1);
        }
    }
}
