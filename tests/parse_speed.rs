//! How long a large file takes to parse: `cargo test --release --test parse_speed -- --ignored --nocapture`.

use std::time::Instant;

use mtlc::source::FileId;
use mtlc::syntax::parse;

const PROGRAM: &str = include_str!("ui/syntax/good_program.mtl");

#[test]
#[ignore = "a measurement"]
fn ten_thousand_lines() {
    let mut text = String::new();
    while text.lines().count() < 10_000 {
        text.push_str(&PROGRAM.repeat(50));
    }
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        let parsed = parse(FileId(0), &text);
        times.push(start.elapsed());
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics.first());
    }
    times.sort();
    println!("{} lines, {} bytes: best {:?}, median {:?}", text.lines().count(), text.len(), times[0], times[5]);
}
