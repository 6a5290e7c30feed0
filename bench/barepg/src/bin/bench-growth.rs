//! barepg, for `cargo xtask bench --growth`: a program of its own, for a function that two works call is no
//! longer put in line in either.

#[path = "../board.rs"]
mod board;
#[path = "../growth.rs"]
mod growth;
#[path = "../works.rs"]
#[expect(dead_code, reason = "most works are the other program's")]
mod works;

fn main() {
    let arguments = bench_common::arguments();
    match growth::run(arguments.port, &arguments.work, arguments.n) {
        Some(Ok(sum)) => bench_common::print(sum),
        Some(Err(error)) => {
            eprintln!("{}: {error:?}", arguments.work);
            std::process::exit(1);
        }
        None => panic!("unknown work: {}", arguments.work),
    }
}
