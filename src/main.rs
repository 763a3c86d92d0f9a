//! The `mtlc` command.
fn main() {
    for f in std::env::args().skip(1) {
        let c = mtlc::driver::check(std::path::Path::new(&f), &mtlc::source::Disk, &Default::default());
        println!("== {f}: {} diagnostics, model {}", c.diagnostics.len(), c.model.is_some());
        for d in &c.diagnostics {
            let at = d.span.map(|s| c.sources.place(s.file, s.start));
            println!("  {}:{} {} {} | {:?} | help {:?}", at.map_or(0, |p| p.line + 1), at.map_or(0, |p| p.column + 1), d.code, d.message, d.span.map(|s| c.sources.text(s)), d.help);
        }
    }
}
